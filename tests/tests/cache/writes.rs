//! What each mode does with a write.

use cuesta::cache::{Source, State, Then};
use cuesta::resource::{ResourceError, Worth};
use cuesta::volume::Sector;
use cuesta_tests::recorded::Deed;

use crate::rig::{bytes, read, write, Rig, BACK, BYPASS, EPHEMERAL, SECTOR, THROUGH};

#[test]
fn m36_a_partial_write_then_a_whole_read_fetches_only_the_missing_units() {
    let mut rig = Rig::new(8);
    for sector in 0..4 {
        rig.primaries[0].sectors.insert(sector, bytes(100 + sector));
    }
    let log = rig.log.clone();
    let mut disk = rig.disk();
    write(&mut disk, 2, 7, &THROUGH);
    log.take();
    let mut page = vec![0; 4 * SECTOR];
    disk.read(Sector(0), &mut page, &THROUGH, Default::default())
        .unwrap();
    assert_eq!(
        page,
        [bytes(100), bytes(101), bytes(7), bytes(103)].concat()
    );
    let mut fetched: Vec<u32> = log
        .asked()
        .into_iter()
        .filter_map(|deed| match deed {
            ("first", Deed::Read(sector)) => Some(sector),
            ("first", deed) => panic!("{deed:?}"),
            _ => None,
        })
        .collect();
    fetched.sort_unstable();
    assert_eq!(fetched, [0, 1, 3]);
    // And now it is all there.
    disk.read(Sector(0), &mut page, &THROUGH, Default::default())
        .unwrap();
    assert!(log.asked().iter().all(|(name, _)| *name == "store"));
}

#[test]
fn m44_ephemeral_never_reaches_the_primary() {
    let mut rig = Rig::new(8);
    let log = rig.log.clone();
    let mut disk = rig.disk();
    for round in 0..3 {
        for sector in 0..16 {
            write(&mut disk, sector, 1000 * round + sector + 1, &EPHEMERAL);
        }
        disk.flush().unwrap();
    }
    for sector in 0..16 {
        assert_eq!(read(&mut disk, sector, &EPHEMERAL), 2001 + sector);
    }
    disk.trim(Sector(0), 16, &EPHEMERAL, Default::default())
        .unwrap();
    assert_eq!(disk.cache().ephemeral_pages(), 0);
    assert!(log.asked().iter().all(|(name, _)| *name == "store"));
}

#[test]
fn m45_a_write_through_forks_and_the_slow_path_acknowledges_it() {
    let mut rig = Rig::new(8);
    let log = rig.log.clone();
    let mut disk = rig.disk();
    write(&mut disk, 5, 1, &THROUGH);
    let deeds = log.take();
    assert_eq!(
        deeds,
        [
            ("store", Deed::Mark(5 % 4, Worth::Copy)),
            ("store", Deed::Write(1, 0)),
            ("first", Deed::Write(5, 0)),
            ("first", Deed::Done),
            ("store", Deed::Done),
        ]
    );
    // While the primary has not acknowledged it, nobody is told.
    disk.cache_mut().primaries_mut()[0].will.held = true;
    let terms = cuesta::cache::Terms::default();
    let cache = disk.cache_mut();
    let source = Source::Primary(0);
    let slow = cache
        .submit_write(source, Sector(5), &bytes(2), terms)
        .unwrap();
    for _ in 0..100 {
        assert_eq!(cache.poll(), cuesta::resource::Completion::Pending);
    }
    // The other kind does not fork, and is not held up.
    cache.set_level(1, EPHEMERAL);
    let terms = cuesta::cache::Terms { level: 1, ..terms };
    let fast = cache
        .submit_write(source, Sector(9), &bytes(3), terms)
        .unwrap();
    let told = (0..100).any(|_| cache.poll() == cuesta::resource::Completion::Written(fast));
    assert!(told);
    cache.primaries_mut()[0].will.held = false;
    let told = (0..100).any(|_| cache.poll() == cuesta::resource::Completion::Written(slow));
    assert!(told);
}

#[test]
fn m39_each_mode_serves_a_write_its_own_way() {
    let mut rig = Rig::new(8);
    let log = rig.log.clone();
    let mut disk = rig.disk();
    let expected: [(_, &[_]); 4] = [
        (
            THROUGH,
            &[("store", Deed::Write(0, 0)), ("first", Deed::Write(0, 0))],
        ),
        (BACK, &[("store", Deed::Write(4, 0))]),
        (EPHEMERAL, &[("store", Deed::Write(8, 0))]),
        (BYPASS, &[("first", Deed::Write(12, 0))]),
    ];
    for (page, (level, deeds)) in expected.iter().enumerate() {
        let sector = 4 * page as u32;
        write(&mut disk, sector, 1 + sector, level);
        assert_eq!(log.asked(), *deeds, "{level:?}");
        assert_eq!(read(&mut disk, sector, level), 1 + sector, "{level:?}");
        log.take();
    }
    let states: Vec<_> = (0..4)
        .map(|page| {
            let found = disk.cache().find(Source::Primary(0), Sector(4 * page));
            found.map(|(_, tag)| tag.state)
        })
        .collect();
    assert_eq!(
        states,
        [
            Some(State::Clean),
            Some(State::Dirty),
            Some(State::Ephemeral),
            None
        ]
    );
}

#[test]
fn m43_what_is_written_back_reaches_the_primary_at_a_flush() {
    let mut rig = Rig::new(8);
    let log = rig.log.clone();
    let mut disk = rig.disk();
    for sector in 0..6 {
        write(&mut disk, sector, 10 + sector, &BACK);
    }
    assert!(log.asked().iter().all(|(name, _)| *name == "store"));
    disk.flush().unwrap();
    assert_eq!(disk.cache().dirty_pages(), 0);
    let primary = &disk.cache().primaries()[0];
    for sector in 0..6 {
        assert_eq!(primary.sectors[&sector], bytes(10 + sector));
    }
    assert_eq!(log.asked().last(), Some(&("first", Deed::Flush)));
}

#[test]
fn m52_a_flushed_tag_is_in_the_primary_and_m53_the_next_ephemeral_write_is_not() {
    let mut rig = Rig::new(8);
    let log = rig.log.clone();
    let mut disk = rig.disk();
    write(&mut disk, 1, 11, &EPHEMERAL);
    disk.settle(Source::Primary(0), Sector(0), 4, Then::Keep)
        .unwrap();
    assert_eq!(disk.cache().primaries()[0].sectors[&1], bytes(11));
    log.take();
    write(&mut disk, 1, 12, &EPHEMERAL);
    assert!(log.asked().iter().all(|(name, _)| *name == "store"));
    assert_eq!(disk.cache().primaries()[0].sectors[&1], bytes(11));
    assert_eq!(read(&mut disk, 1, &EPHEMERAL), 12);
    disk.settle(Source::Primary(0), Sector(0), 4, Then::Evict)
        .unwrap();
    assert_eq!(disk.cache().find(Source::Primary(0), Sector(1)), None);
    assert_eq!(read(&mut disk, 1, &EPHEMERAL), 12);
}

#[test]
fn a_write_through_whose_primary_is_gone_fails_and_ephemeral_ones_go_on() {
    let mut rig = Rig::new(8);
    let mut disk = rig.disk();
    write(&mut disk, 0, 1, &THROUGH);
    write(&mut disk, 4, 2, &BACK);
    disk.cache_mut().primaries_mut()[0].will.gone = true;
    let refused = disk.write(Sector(0), &bytes(9), &THROUGH, Default::default());
    assert_eq!(refused, Err(ResourceError::Gone.into()));
    write(&mut disk, 8, 3, &EPHEMERAL);
    write(&mut disk, 4, 4, &BACK);
    assert_eq!(disk.flush(), Err(ResourceError::Gone.into()));
    assert_eq!(read(&mut disk, 4, &BACK), 4);
    assert_eq!(read(&mut disk, 8, &EPHEMERAL), 3);
    disk.cache_mut().primaries_mut()[0].will.gone = false;
    assert_eq!(read(&mut disk, 0, &THROUGH), 1, "the failed write");
    disk.flush().unwrap();
    assert_eq!(disk.cache().primaries()[0].sectors[&4], bytes(4));
}
