//! Which pages are kept, at what, and for how long.

use cuesta::cache::{
    Bypass, CacheOptions, CachePlan, Persistence, Replacement, Source, Spill, State, Terms,
};
use cuesta::exec::Context;
use cuesta::resource::{Completion, Resource, ResourceError, Worth};
use cuesta::volume::Sector;
use cuesta_tests::recorded::Deed;

use crate::rig::{bytes, read, version, write, Rig, BACK, BYPASS, EPHEMERAL, SECTOR, THROUGH};

const FIRST: Source = Source::Primary(0);

#[test]
fn a_tag_takes_at_most_24_bytes_of_ram_with_all_that_finds_and_orders_it() {
    for pages in [100, 4096, 1 << 20] {
        let plan = CachePlan::new(pages, 4096, 8, &Replacement::default());
        let each = plan.tag_bytes() as f64 / pages as f64;
        assert!(each <= 24.0, "{each} bytes for each of {pages} pages");
    }
}

#[test]
fn m33_the_tag_of_a_page_has_its_number() {
    let mut rig = Rig::new(8);
    let log = rig.log.clone();
    let mut disk = rig.disk();
    for page in [50, 3, 70] {
        write(&mut disk, 4 * page + 1, page, &EPHEMERAL);
        let (place, tag) = disk.cache().find(FIRST, Sector(4 * page)).expect("a tag");
        assert_eq!((tag.source, tag.page), (FIRST, page));
        assert_eq!(disk.cache().tag(place), Some(tag));
        assert_eq!(log.asked(), [("store", Deed::Write(4 * place + 1, 0))]);
    }
}

#[test]
fn m34_addresses_and_names_are_told_apart() {
    let mut rig = Rig::new(8);
    let mut disk = rig.disk();
    let named = |id| Context {
        object: Some(id),
        ..Context::default()
    };
    write(&mut disk, 1, 1, &EPHEMERAL);
    for id in [0, 7, Source::OBJECT_MAX] {
        let data = bytes(100 + u32::from(id));
        disk.write(Sector(1), &data, &EPHEMERAL, named(id)).unwrap();
    }
    let mut data = vec![0; SECTOR];
    for id in [0, 7, Source::OBJECT_MAX] {
        disk.read(Sector(1), &mut data, &EPHEMERAL, named(id))
            .unwrap();
        assert_eq!(version(&data), 100 + u32::from(id));
    }
    assert_eq!(read(&mut disk, 1, &EPHEMERAL), 1);
    let refused = disk.write(Sector(1), &data, &THROUGH, named(7));
    assert!(refused.is_err(), "an object has no place on a primary");
}

#[test]
fn m37_m52_the_level_of_a_page_is_changed_live() {
    let mut rig = Rig::new(8);
    let mut disk = rig.disk();
    write(&mut disk, 1, 1, &EPHEMERAL);
    let back = disk.cache_mut().number_of(&BACK).expect("a number");
    let cache = disk.cache_mut();
    assert!(
        !cache.set_page_level(FIRST, Sector(1), back),
        "its ephemeral version would be neither"
    );
    disk.settle(FIRST, Sector(0), 4, cuesta::cache::Then::Level(back))
        .unwrap();
    let (_, tag) = disk.cache().find(FIRST, Sector(1)).expect("a tag");
    assert_eq!((tag.level, tag.state), (back, State::Clean));
    assert_eq!(disk.executor().level_of(FIRST, Sector(1)), Some(BACK));
}

#[test]
fn m38_hits_misses_and_bypasses_are_counted() {
    let mut rig = Rig::new(8);
    for sector in 0..8 {
        rig.primaries[0].sectors.insert(sector, bytes(sector + 1));
    }
    let mut disk = rig.disk();
    read(&mut disk, 0, &THROUGH);
    read(&mut disk, 0, &THROUGH);
    read(&mut disk, 5, &BYPASS);
    let counters = disk.cache().counters();
    assert_eq!((counters.read_hits, counters.read_misses), (1, 2));
    assert_eq!(counters.bypassed_for(Bypass::Level), 1);
    assert_eq!(counters.admitted, 1);
}

#[test]
fn m40_m50_an_all_ephemeral_cache_loses_nothing_and_the_rest_bypasses_it_with_right_data() {
    let options = CacheOptions {
        page_sectors: 4,
        ephemeral_permille: 1000,
        spill: Spill::Refuse,
        ..CacheOptions::default()
    };
    let mut rig = Rig::with(8, options);
    let mut disk = rig.disk();
    for page in 0..8 {
        write(&mut disk, 4 * page, 1 + page, &EPHEMERAL);
    }
    for level in [THROUGH, BACK, BYPASS] {
        write(&mut disk, 100, 77, &level);
        assert_eq!(read(&mut disk, 100, &level), 77);
    }
    let full = disk.write(Sector(200), &bytes(9), &EPHEMERAL, Context::default());
    assert_eq!(full, Err(ResourceError::NoSpace.into()));
    for page in 0..8 {
        assert_eq!(read(&mut disk, 4 * page, &EPHEMERAL), 1 + page);
    }
    assert!(disk.cache().counters().bypassed_for(Bypass::NoPage) >= 3);
    assert_eq!(disk.cache().ephemeral_pages(), 8);
}

#[test]
fn m47_the_store_is_told_what_each_sector_is_worth() {
    let mut rig = Rig::new(8);
    let mut disk = rig.disk();
    for (page, level) in (0..).zip([THROUGH, BACK, EPHEMERAL]) {
        write(&mut disk, 4 * page, 1, &level);
    }
    let worth: Vec<Worth> = disk.cache().store().worth.values().copied().collect();
    assert_eq!(worth, [Worth::Copy, Worth::Only, Worth::Ephemeral]);
}

#[test]
fn m48_m49_what_is_not_used_ages_and_the_coldest_is_offered_first() {
    let options = CacheOptions {
        page_sectors: 1,
        replacement: Replacement::CLOCK,
        ..CacheOptions::default()
    };
    let mut rig = Rig::with(4, options);
    let mut disk = rig.disk();
    for sector in 0..4 {
        write(&mut disk, sector, 1 + sector, &THROUGH);
    }
    for _ in 0..2 {
        for sector in [0, 1, 3] {
            read(&mut disk, sector, &THROUGH);
        }
    }
    let page_of = |disk: &crate::rig::RigDisk<'_>, sector| {
        let found = disk.cache().find(FIRST, Sector(sector));
        found.map(|(page, tag)| (page, tag.uses))
    };
    let (coldest, uses) = page_of(&disk, 2).expect("a tag");
    assert_eq!(uses, 0);
    let mut pages = [u32::MAX; 4];
    assert_eq!(disk.cache().steal_candidates(None, &mut pages), 4);
    assert_eq!(pages[0], coldest);
    // It goes, and the hand has aged those that it passed.
    write(&mut disk, 10, 5, &THROUGH);
    assert_eq!(page_of(&disk, 2), None);
    assert_eq!(page_of(&disk, 0).map(|(_, uses)| uses), Some(1));
    write(&mut disk, 11, 5, &THROUGH);
    write(&mut disk, 12, 5, &THROUGH);
    assert_eq!(page_of(&disk, 3).map(|(_, uses)| uses), Some(0));
}

#[test]
fn m54_what_the_cache_cannot_do_is_flushed_passed_on_and_admitted_again() {
    let mut rig = Rig::new(8);
    let log = rig.log.clone();
    let mut disk = rig.disk();
    write(&mut disk, 0, 1, &EPHEMERAL);
    let _ = log.take();
    disk.pass_on(Sector(0), 4, &EPHEMERAL, |primary| {
        assert_eq!(primary.sectors[&0], bytes(1), "flushed first");
        primary.sectors.insert(1, bytes(2));
        primary.submit_flush().map(|_| ()).unwrap();
        Ok(())
    })
    .unwrap();
    let order: Vec<Deed> = log
        .asked()
        .into_iter()
        .filter(|(name, _)| *name == "first")
        .map(|(_, deed)| deed)
        .collect();
    let reads = order.iter().position(|deed| matches!(deed, Deed::Read(_)));
    let last_flush = order.iter().rposition(|deed| *deed == Deed::Flush);
    assert_eq!(order[0], Deed::Write(0, 0));
    assert!(last_flush < reads, "{order:?}");
    assert_eq!(read(&mut disk, 1, &EPHEMERAL), 2);
    let level = disk.executor().level_of(FIRST, Sector(1));
    assert_eq!(level, Some(EPHEMERAL));
    // The next write stays in the cache.
    let _ = log.take();
    write(&mut disk, 1, 3, &EPHEMERAL);
    assert!(log.asked().iter().all(|(name, _)| *name == "store"));
}

/// A read whose fetch is under way, and a write of the same sector; what the read was told, and what a read after both finds in the store.
fn conflict(level: Persistence) -> (u32, bool, bool) {
    let mut rig = Rig::new(8);
    rig.primaries[0].sectors.insert(1, bytes(1));
    let mut disk = rig.disk();
    if level == EPHEMERAL {
        write(&mut disk, 0, 9, &EPHEMERAL);
    }
    let number = disk.cache_mut().number_of(&level).expect("a number");
    let terms = Terms {
        level: number,
        ..Terms::default()
    };
    let cache = disk.cache_mut();
    cache.primaries_mut()[0].will.held = true;
    let reads = cache.submit_read(FIRST, Sector(1), terms).unwrap();
    let writes = cache
        .submit_write(FIRST, Sector(1), &bytes(2), terms)
        .unwrap();
    let deferred = cache.counters().deferred > 0;
    cache.primaries_mut()[0].will.held = false;
    let (mut told, mut written) = (None, false);
    for _ in 0..100 {
        match cache.poll() {
            Completion::Data(ticket, data) if ticket == reads => told = Some(version(data)),
            Completion::Written(ticket) if ticket == writes => written = true,
            _ => {}
        }
    }
    assert!(written);
    assert_eq!(read(&mut disk, 1, &level), 2);
    let kept = disk.cache().find(FIRST, Sector(1)).is_some();
    (told.expect("both complete"), deferred, kept)
}

#[test]
fn m55_a_conflict_on_an_ordinary_page_keeps_nothing_of_what_was_passed_by() {
    let (told, deferred, _) = conflict(THROUGH);
    assert!((1..=2).contains(&told));
    assert!(!deferred);
}

#[test]
fn m56_a_conflict_on_an_ephemeral_page_waits_and_keeps_the_tag() {
    let (told, deferred, kept) = conflict(EPHEMERAL);
    assert_eq!((told, deferred, kept), (1, true, true));
}

#[test]
fn m57_direct_requests_bypass_the_cache_without_a_stale_hit() {
    let mut rig = Rig::new(8);
    let mut disk = rig.disk();
    let direct = Context {
        direct: true,
        ..Context::default()
    };
    write(&mut disk, 1, 1, &THROUGH);
    disk.write(Sector(1), &bytes(2), &THROUGH, direct).unwrap();
    assert_eq!(read(&mut disk, 1, &THROUGH), 2);
    write(&mut disk, 5, 3, &EPHEMERAL);
    let mut data = vec![0; SECTOR];
    disk.read(Sector(5), &mut data, &THROUGH, direct).unwrap();
    assert_eq!(version(&data), 3, "the newest version, wherever it is");
    let admitted = disk.cache().counters().admitted;
    disk.read(Sector(100), &mut data, &THROUGH, direct).unwrap();
    assert_eq!(disk.cache().counters().admitted, admitted);
}

#[test]
fn m57_what_a_hosts_cache_fetches_is_kept_once_where_that_is_wanted_and_what_it_writes_out_is_newest(
) {
    let paging = Context {
        paging: true,
        ..Context::default()
    };
    for keep_paging in [true, false] {
        let options = CacheOptions {
            page_sectors: 4,
            keep_paging,
            ..CacheOptions::default()
        };
        let mut rig = Rig::with(8, options);
        rig.primaries[0].sectors.insert(1, bytes(1));
        let mut disk = rig.disk();
        let mut data = vec![0; SECTOR];
        for _ in 0..2 {
            disk.read(Sector(1), &mut data, &THROUGH, paging).unwrap();
            assert_eq!(version(&data), 1);
        }
        let counters = disk.cache().counters();
        assert_eq!(counters.admitted, u32::from(keep_paging));
        assert_eq!(
            counters.bypassed_for(Bypass::Paging),
            if keep_paging { 0 } else { 2 }
        );
        // What it writes out it may give up: it is kept, and everybody sees it.
        disk.write(Sector(1), &bytes(2), &THROUGH, paging).unwrap();
        assert!(disk.cache().find(FIRST, Sector(1)).is_some());
        let hits = disk.cache().counters().read_hits;
        disk.read(Sector(1), &mut data, &THROUGH, paging).unwrap();
        assert_eq!((version(&data), read(&mut disk, 1, &THROUGH)), (2, 2));
        let counters = disk.cache().counters();
        assert_eq!(counters.read_hits, hits + 2);
        let told = (counters.paging, counters.direct, counters.others);
        assert_eq!(told, (4, 0, 1), "each kind is counted");
    }
}
