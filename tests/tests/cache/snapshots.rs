//! Snapshots of which pages are in the cache.

use cuesta::cache::{CacheOptions, SnapshotError, Source, Terms};
use cuesta::volume::Sector;
use cuesta_tests::recorded::Recorded;

use crate::rig::{bytes, read, write, Rig, RigDisk, EPHEMERAL, SECTOR, THROUGH};

const FIRST: Source = Source::Primary(0);

fn rig() -> Rig {
    let options = CacheOptions {
        page_sectors: 4,
        ..CacheOptions::default()
    };
    let mut rig = Rig::with(16, options);
    for sector in 0..400 {
        rig.primaries[0].sectors.insert(sector, bytes(sector + 1));
    }
    rig
}

/// The pages that are in the cache, and which of their units.
fn pages(disk: &RigDisk<'_>) -> Vec<(u32, u8)> {
    let cache = disk.cache();
    let mut pages: Vec<_> = (0..cache.pages())
        .filter_map(|page| cache.tag(page))
        .filter(|tag| tag.valid != 0)
        .map(|tag| (tag.page, tag.valid))
        .collect();
    pages.sort_unstable();
    pages
}

fn snapshot(rig: &mut Rig, on: &mut Recorded) -> Vec<(u32, u8)> {
    let mut disk = rig.disk();
    for sector in [0, 1, 5, 11, 40, 42, 43, 90] {
        read(&mut disk, sector, &THROUGH);
    }
    for _ in 0..3 {
        read(&mut disk, 42, &THROUGH);
    }
    let known = pages(&disk);
    let count = disk.cache_mut().save_snapshot(on, |_| true).unwrap();
    assert_eq!(count as usize, known.len());
    known
}

#[test]
fn m61_m63_a_snapshot_brings_back_exactly_the_pages_that_were_there() {
    let mut rig = rig();
    let mut on = Recorded::new("snapshot", 4, SECTOR as u32, 2, &rig.log.clone());
    let known = snapshot(&mut rig, &mut on);
    rig.restart();
    let mut disk = rig.disk();
    assert_eq!(pages(&disk), []);
    let loaded = disk
        .cache_mut()
        .load_snapshot(&mut on, Terms::default(), false, u32::MAX);
    assert_eq!(loaded.map(|loaded| (loaded.pages, loaded.left)), Ok((5, 0)));
    assert_eq!(pages(&disk), known);
    // Only what an application wants: its tenant's, or a part of the addresses.
    let count = disk.cache_mut().save_snapshot(&mut on, |tag| tag.page < 3);
    assert_eq!(count, Ok(3));
}

#[test]
fn m62_pinned_pages_survive_pressure_and_others_do_not() {
    for pinned in [true, false] {
        let mut rig = rig();
        let mut on = Recorded::new("snapshot", 4, SECTOR as u32, 2, &rig.log.clone());
        let known = snapshot(&mut rig, &mut on);
        rig.restart();
        let mut disk = rig.disk();
        disk.cache_mut()
            .load_snapshot(&mut on, Terms::default(), pinned, u32::MAX)
            .unwrap();
        for round in 0..3 {
            for page in 100..140 {
                write(&mut disk, 4 * page, round * 1000 + page, &THROUGH);
                for _ in 0..3 {
                    read(&mut disk, 4 * page, &THROUGH);
                }
            }
        }
        let left = pages(&disk);
        let kept = known.iter().filter(|page| left.contains(page)).count();
        assert_eq!(kept == known.len(), pinned, "{kept} of {}", known.len());
    }
}

#[test]
fn m64_a_snapshot_that_does_not_fit_brings_its_hottest_pages() {
    let mut rig = rig();
    let mut on = Recorded::new("snapshot", 4, SECTOR as u32, 2, &rig.log.clone());
    snapshot(&mut rig, &mut on);
    rig.restart();
    let mut disk = rig.disk();
    let loaded = disk
        .cache_mut()
        .load_snapshot(&mut on, Terms::default(), false, 1)
        .unwrap();
    assert_eq!((loaded.pages, loaded.left), (1, 4));
    assert_eq!(pages(&disk), [(10, 0b1101)], "the one that was used most");
}

#[test]
fn a_damaged_or_foreign_snapshot_is_refused_and_ephemeral_versions_are_in_none() {
    let mut rig = rig();
    let mut on = Recorded::new("snapshot", 4, SECTOR as u32, 2, &rig.log.clone());
    snapshot(&mut rig, &mut on);
    let mut disk = rig.disk();
    let terms = Terms::default();
    for sector in [0, 1] {
        let sound = on.sectors[&sector].clone();
        on.sectors.get_mut(&sector).expect("written")[5] ^= 1;
        let refused = disk.cache_mut().load_snapshot(&mut on, terms, false, 9);
        assert_eq!(refused, Err(SnapshotError::None));
        on.sectors.insert(sector, sound);
    }
    disk.cache_mut().primaries_mut()[0].status_mut().identity ^= 1;
    let refused = disk.cache_mut().load_snapshot(&mut on, terms, false, 9);
    assert_eq!(refused, Err(SnapshotError::Foreign));
    write(&mut disk, 200, 7, &EPHEMERAL);
    let count = disk.cache_mut().save_snapshot(&mut on, |_| true);
    assert_eq!(count, Ok(0));
    let found = disk.cache().find(FIRST, Sector(200));
    assert!(found.is_some());
}
