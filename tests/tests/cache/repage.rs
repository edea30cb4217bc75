//! Pages of another size, while the cache is in use.

use std::collections::BTreeMap;

use cuesta::cache::{Cache, CacheOptions, OpenError, Persistence, RepageError, Spill};
use cuesta::exec::Context;
use cuesta::resource::ResourceError;
use cuesta::volume::Sector;
use cuesta_sim::cache_memory::OwnedCacheMemory;
use cuesta_sim::SplitMix64;

use crate::rig::{bytes, read, write, Rig, BACK, EPHEMERAL, SECTOR, THROUGH};

const OPTIONS: CacheOptions = CacheOptions {
    page_sectors: 4,
    replacement: cuesta::cache::Replacement::CLOCK,
    ephemeral_permille: 1000,
    spill: Spill::Refuse,
    dirty_permille: 1000,
    keep_paging: true,
};

/// A cache of so many pages of four sectors, with memory for as many tags as it has sectors.
fn roomy(pages: u32, durable: bool) -> Rig {
    let mut rig = Rig::with(pages, OPTIONS);
    if durable {
        rig = Rig::durable(pages, OPTIONS);
    }
    let sectors = 4 * pages as usize + 64;
    rig.memory = OwnedCacheMemory::new(sectors, SECTOR, 8, &OPTIONS);
    if durable {
        let memory = rig.memory.lend();
        Cache::create(&mut rig.store, &mut rig.primaries, memory, OPTIONS, 51).expect("room");
    }
    rig
}

#[test]
fn m51_sparse_valid_maps_shrink_the_pages_and_nothing_is_lost() {
    let mut rig = roomy(8, false);
    let mut disk = rig.disk();
    for page in 0..8 {
        let level = [THROUGH, BACK, EPHEMERAL][page as usize % 3];
        write(&mut disk, 4 * page + 3, 1 + page, &level);
    }
    assert_eq!(disk.cache().suggested_page_sectors(), 2);
    assert_eq!(disk.cache_mut().adjust_page_sectors(), Ok(2));
    assert_eq!((disk.cache().pages(), disk.cache().page_sectors()), (16, 2));
    assert_eq!(
        (disk.cache().dirty_pages(), disk.cache().ephemeral_pages()),
        (3, 2)
    );
    assert_eq!(
        disk.cache_mut().adjust_page_sectors(),
        Ok(2),
        "half of each is used"
    );
    // What was there is, and as much again has room: before, a page had to go for each.
    let stolen = disk.cache().counters().stolen;
    for page in 20..28 {
        write(&mut disk, 4 * page, page, &EPHEMERAL);
    }
    assert_eq!(disk.cache().counters().stolen, stolen);
    let hits = disk.cache().counters().read_hits;
    for page in 0..8 {
        assert_eq!(read(&mut disk, 4 * page + 3, &THROUGH), 1 + page);
        assert_eq!(read(&mut disk, 4 * (20 + page), &THROUGH), 20 + page);
    }
    assert_eq!(disk.cache().counters().read_hits, hits + 16);
    disk.flush().unwrap();
    for page in 0..8 {
        let found = disk.cache().primaries()[0].sectors.get(&(4 * page + 3));
        let expected = (page % 3 != 2).then(|| bytes(1 + page));
        assert_eq!(found, expected.as_ref(), "page {page}");
    }
}

#[test]
fn m51_dense_pages_grow_when_all_is_clean() {
    let mut rig = roomy(8, false);
    let mut disk = rig.disk();
    for sector in 0..32 {
        write(&mut disk, sector, 1 + sector, &THROUGH);
    }
    assert_eq!(disk.cache().suggested_page_sectors(), 8);
    write(&mut disk, 5, 50, &EPHEMERAL);
    let newer = disk.cache_mut().set_page_sectors(8);
    assert_eq!(newer, Err(RepageError::Newer { pages: 1 }));
    assert_eq!(disk.cache_mut().adjust_page_sectors(), Ok(4), "not now");
    assert_eq!(read(&mut disk, 5, &EPHEMERAL), 50);
    disk.settle(
        cuesta::cache::Source::Primary(0),
        Sector(5),
        1,
        cuesta::cache::Then::Keep,
    )
    .unwrap();
    assert_eq!(disk.cache_mut().adjust_page_sectors(), Ok(8));
    assert_eq!(disk.cache().pages(), 4);
    let hits = disk.cache().counters().read_hits;
    for sector in 0..32 {
        let expected = if sector == 5 { 50 } else { 1 + sector };
        assert_eq!(read(&mut disk, sector, &THROUGH), expected);
    }
    let hits = disk.cache().counters().read_hits - hits;
    assert_eq!(
        hits, 28,
        "only a page whose half is at another level came again"
    );
}

#[test]
fn m51_pages_that_cannot_change_stay() {
    let mut rig = Rig::with(8, OPTIONS);
    let mut disk = rig.disk();
    for page in 0..8 {
        write(&mut disk, 4 * page, 1 + page, &EPHEMERAL);
    }
    let refused = Err(RepageError::Tags {
        found: 8,
        needed: 16,
    });
    assert_eq!(disk.cache_mut().set_page_sectors(2), refused);
    assert_eq!(
        disk.cache_mut().set_page_sectors(3),
        Err(RepageError::PageSectors(3))
    );
    assert_eq!(disk.cache_mut().adjust_page_sectors(), Ok(4));
    for page in 0..8 {
        assert_eq!(read(&mut disk, 4 * page, &EPHEMERAL), 1 + page);
    }
}

/// Writes at all levels, reads, and pages of another size in between.
#[test]
fn m51_whatever_size_pages_have_each_sector_reads_as_its_newest_version() {
    for seed in 0..60 {
        let mut random = SplitMix64::new(seed);
        let mut rig = roomy(1 + random.below(10) as u32, false);
        let mut disk = rig.disk();
        let mut model = BTreeMap::new();
        let mut changed = 0;
        for version in 1..400 {
            let sector = random.below(48) as u32;
            let level: &Persistence = [&THROUGH, &BACK, &EPHEMERAL][random.below(3) as usize];
            match random.below(12) {
                0 => {
                    let sectors = 1 << random.below(4);
                    let before = disk.cache().page_sectors();
                    let newer = disk.cache().dirty_pages() + disk.cache().ephemeral_pages();
                    match disk.cache_mut().set_page_sectors(sectors) {
                        Ok(()) => changed += u32::from(sectors != before),
                        Err(error) => {
                            assert_eq!(error, RepageError::Newer { pages: newer });
                            assert!(sectors > before, "seed {seed}");
                        }
                    }
                }
                1 => disk.flush().unwrap(),
                2 => {
                    let first = cuesta::cache::Source::Primary(0);
                    disk.settle(first, Sector(0), 48, cuesta::cache::Then::Keep)
                        .unwrap();
                }
                3..7 => {
                    let found = read(&mut disk, sector, level);
                    let expected = model.get(&sector).copied().unwrap_or(0);
                    assert_eq!(found, expected, "seed {seed}, sector {sector}");
                }
                _ => match disk.write(Sector(sector), &bytes(version), level, Context::default()) {
                    Ok(()) => {
                        model.insert(sector, version);
                    }
                    Err(error) => assert_eq!(error, ResourceError::NoSpace.into()),
                },
            }
        }
        assert!(changed > 0, "seed {seed}");
    }
}

#[test]
fn m51_a_store_that_survives_restarts_gets_other_pages_when_all_is_clean_whenever_the_power_goes() {
    let mut ended = false;
    for changes in 0.. {
        let mut rig = roomy(16, true);
        let power = rig.power.clone();
        let (mut disk, _) = rig.open().expect("a new one");
        write(&mut disk, 4, 2, &BACK);
        write(&mut disk, 9, 3, &THROUGH);
        let newer = disk.cache_mut().set_page_sectors(2);
        assert_eq!(newer, Err(RepageError::Newer { pages: 1 }));
        disk.flush().unwrap();
        power.lasts(Some(changes));
        let done = disk.cache_mut().set_page_sectors(2);
        if done.is_ok() {
            assert_eq!(disk.cache().page_sectors(), 2);
            power.lasts(None);
            write(&mut disk, 20, 7, &BACK);
            write(&mut disk, 9, 8, &BACK);
            ended = true;
        } else {
            // Nothing is dirty in a cache of which nobody knows what it is; where nothing was written, everybody does.
            power.lasts(None);
            write(&mut disk, 20, 7, &BACK);
            write(&mut disk, 9, 8, &BACK);
            assert!(changes == 0 || disk.cache().dirty_pages() == 0);
        }
        rig.restart();
        let opened = rig.open().map(|_| ());
        if let Err(OpenError::OtherShape { page_sectors, .. }) = opened {
            assert_eq!(page_sectors, 2);
            rig.options.page_sectors = 2;
        }
        let (mut disk, recovered) = rig.open().expect("one of the two");
        assert_eq!(recovered.damaged, 0, "{changes} changes");
        for (sector, version) in [(4, 2), (9, 8), (20, 7)] {
            assert_eq!(
                read(&mut disk, sector, &THROUGH),
                version,
                "{changes} changes"
            );
        }
        disk.flush().unwrap();
        if ended {
            assert!(changes > 8 && rig.options.page_sectors == 2);
            return;
        }
    }
}
