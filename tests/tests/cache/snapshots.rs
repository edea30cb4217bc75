//! Snapshots of which pages are in the cache.

use cuesta::cache::{CacheOptions, SnapshotError, Source, TagView, Terms};
use cuesta::codec::crc::bytes_crc;
use cuesta::exec::Context;
use cuesta::volume::Sector;
use cuesta_sim::SplitMix64;
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

#[test]
fn m63_the_sets_of_two_applications_swap() {
    let mut rig = rig();
    let log = rig.log.clone();
    let mut sets = [1, 2].map(|_| Recorded::new("set", 4, SECTOR as u32, 2, &log));
    let mut disk = rig.disk();
    let of = |tenant| Context {
        tenant,
        ..Context::default()
    };
    let mut data = vec![0; SECTOR];
    for (tenant, sectors) in [(1, [0, 1, 9, 40]), (2, [100, 104, 108, 111])] {
        for sector in sectors {
            let sector = Sector(sector);
            disk.read(sector, &mut data, &THROUGH, of(tenant)).unwrap();
        }
    }
    let both = pages(&disk);
    let belongs = |tenant| move |tag: &TagView| tag.tenant == tenant;
    for (set, tenant) in sets.iter_mut().zip(1..) {
        let count = disk.cache_mut().save_snapshot(set, belongs(tenant));
        assert_eq!(count, Ok(3), "tenant {tenant}");
    }
    let (first, second) = both.split_at(3);
    let cache = disk.cache_mut();
    assert_eq!(cache.unload(|_| true), Ok(6));
    for round in 0..3 {
        for (number, set) in sets.iter_mut().enumerate() {
            let loaded = disk
                .cache_mut()
                .load_snapshot(set, Terms::default(), true, u32::MAX);
            assert_eq!(loaded.map(|loaded| (loaded.pages, loaded.left)), Ok((3, 0)));
            assert_eq!(pages(&disk), [first, second][number], "round {round}");
            // Its tags are its own again: that is how they are told from others.
            assert_eq!(disk.cache_mut().unload(belongs(2 - number as u8)), Ok(0));
            assert_eq!(disk.cache_mut().unload(belongs(1 + number as u8)), Ok(3));
        }
    }
    // What is newer stays.
    write(&mut disk, 0, 7, &EPHEMERAL);
    assert_eq!(disk.cache_mut().unload(|_| true), Ok(0));
    assert_eq!(read(&mut disk, 0, &EPHEMERAL), 7);
}

/// Sectors of a snapshot changed at random, half of them with checksums that fit: loading ends, and what it brings is what the primary has.
#[test]
fn m61_whatever_a_snapshot_says_loading_it_ends_and_brings_nothing_wrong() {
    let mut random = SplitMix64::new(61);
    let mut accepted = 0;
    for round in 0..3000 {
        let mut rig = rig();
        let mut on = Recorded::new("snapshot", 4, SECTOR as u32, 2, &rig.log.clone());
        snapshot(&mut rig, &mut on);
        rig.restart();
        for _ in 0..1 + random.below(4) {
            let sector = random.below(2) as u32;
            let bytes = on.sectors.get_mut(&sector).expect("written");
            let at = random.below(SECTOR as u64) as usize;
            bytes[at] = random.next() as u8;
            let end = if sector == 0 { 80 - 4 } else { SECTOR - 4 };
            if random.chance(3, 4) {
                let sum = bytes_crc(&[&bytes[..end]]);
                bytes[end..end + 4].copy_from_slice(&sum.to_le_bytes());
            }
        }
        let mut disk = rig.disk();
        let loaded = disk
            .cache_mut()
            .load_snapshot(&mut on, Terms::default(), false, 99);
        accepted += u32::from(loaded.is_ok());
        for sector in 0..400 {
            assert_eq!(
                read(&mut disk, sector, &THROUGH),
                sector + 1,
                "round {round}: {loaded:?}"
            );
        }
    }
    assert!(accepted > 300, "{accepted} were taken for sound");
}
