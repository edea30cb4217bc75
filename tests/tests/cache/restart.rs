//! What a cache on a store that is not volatile is after a restart, and after damage.

use cuesta::cache::{CacheOptions, OpenError, Source};
use cuesta::volume::Sector;
use cuesta_tests::recorded::Deed;

use crate::rig::{bytes, read, write, Rig, BACK, EPHEMERAL, THROUGH};

fn options() -> CacheOptions {
    CacheOptions {
        page_sectors: 4,
        dirty_permille: 1000,
        ..CacheOptions::default()
    }
}

/// A cache with something of each kind in it, and its power gone.
fn used() -> Rig {
    let mut rig = Rig::durable(16, options());
    let (mut disk, recovered) = rig.open().expect("a new one");
    assert_eq!((recovered.epoch, recovered.dirty_pages), (2, 0));
    write(&mut disk, 0, 1, &THROUGH);
    write(&mut disk, 4, 2, &BACK);
    write(&mut disk, 5, 3, &BACK);
    write(&mut disk, 8, 4, &EPHEMERAL);
    write(&mut disk, 40, 5, &BACK);
    rig.restart();
    rig
}

#[test]
fn m43_dirty_data_survives_and_m46_ephemeral_data_of_an_earlier_boot_is_gone() {
    let mut rig = used();
    let log = rig.log.clone();
    let (mut disk, recovered) = rig.open().expect("a sound store");
    assert_eq!(recovered.dirty_pages, 2);
    assert_eq!((recovered.epoch, recovered.damaged), (3, 0));
    assert_eq!(read(&mut disk, 4, &BACK), 2);
    assert_eq!(read(&mut disk, 5, &BACK), 3);
    assert_eq!(read(&mut disk, 8, &EPHEMERAL), 0);
    assert_eq!(disk.cache().ephemeral_pages(), 0);
    let _ = log.take();
    assert_eq!(read(&mut disk, 0, &THROUGH), 1);
    assert!(log.asked().contains(&("first", Deed::Read(0))));
    disk.flush().unwrap();
    assert_eq!(disk.cache().primaries()[0].sectors[&40], bytes(5));
    rig.restart();
    assert_eq!(rig.open().expect("a sound store").1.dirty_pages, 0);
}

#[test]
fn c1_a_write_back_is_acknowledged_when_data_and_then_both_copies_of_its_tag_are_on_the_media() {
    let mut rig = Rig::durable(16, options());
    let log = rig.log.clone();
    let (mut disk, _) = rig.open().expect("a new one");
    let _ = log.take();
    write(&mut disk, 6, 1, &BACK);
    let base = 2 + 2 * 2 + 2; // Headers, two sectors of the table twice, up to a whole page.
    assert_eq!(
        log.asked(),
        [
            ("store", Deed::Write(base + 2, 0)),
            ("store", Deed::Write(2, 0)),
            ("store", Deed::Write(3, 0)),
        ]
    );
    // The unit is known to be newer: its data is all that changes.
    write(&mut disk, 6, 2, &BACK);
    assert_eq!(log.asked(), [("store", Deed::Write(base + 2, 0))]);
}

#[test]
fn m43_a_cache_image_from_another_primary_is_refused() {
    let mut rig = used();
    rig.primaries[0].status_mut().identity ^= 1;
    let identity = rig.primaries[0].status_mut().identity;
    match rig.open().map(|_| ()) {
        Err(OpenError::OtherPrimary {
            number: 0, found, ..
        }) => assert_eq!(found, identity),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_store_that_holds_no_cache_or_another_shape_of_one_is_refused() {
    let mut rig = used();
    rig.options.page_sectors = 2;
    let refused = rig.open().map(|_| ());
    assert!(matches!(
        refused,
        Err(OpenError::OtherShape {
            pages: 16,
            page_sectors: 4
        })
    ));
    rig.options.page_sectors = 4;
    rig.store.sectors.clear();
    assert_eq!(rig.open().map(|_| ()), Err(OpenError::NoHeader));
}

fn spoil(rig: &mut Rig, sector: u32) {
    let bytes = rig.store.sectors.get_mut(&sector).expect("written");
    bytes[70] ^= 4;
}

#[test]
fn either_copy_of_the_header_and_of_each_sector_of_the_table_suffices() {
    for sector in 0..6 {
        for lost in [false, true] {
            let mut rig = used();
            match lost {
                true => rig.store.will.lost.push(sector),
                false => spoil(&mut rig, sector),
            }
            let (mut disk, recovered) = rig.open().expect("a copy is sound");
            assert_eq!(recovered.damaged, 0, "sector {sector}");
            assert_eq!(recovered.healed, u32::from(sector >= 2), "sector {sector}");
            assert_eq!(read(&mut disk, 5, &BACK), 3);
            rig.restart();
            // It was made again.
            spoil(&mut rig, sector ^ 1);
            let (mut disk, _) = rig.open().expect("a copy is sound");
            assert_eq!(read(&mut disk, 5, &BACK), 3);
        }
    }
}

#[test]
fn both_copies_of_the_header_lost_are_told() {
    let mut rig = used();
    spoil(&mut rig, 0);
    spoil(&mut rig, 1);
    assert_eq!(rig.open().map(|_| ()), Err(OpenError::NoHeader));
}

#[test]
fn a_lost_sector_of_the_table_is_told_and_nothing_is_written_back_before_somebody_decides() {
    let mut rig = used();
    spoil(&mut rig, 2);
    spoil(&mut rig, 3);
    let log = rig.log.clone();
    let (mut disk, recovered) = rig.open().expect("the header is sound");
    assert_eq!((recovered.damaged, recovered.dirty_pages), (1, 0));
    // What was in it is what the primary has.
    assert_eq!(read(&mut disk, 4, &BACK), 0);
    let _ = log.take();
    write(&mut disk, 4, 9, &BACK);
    assert!(log.asked().contains(&("first", Deed::Write(4, 0))));
    disk.cache_mut().accept_losses();
    write(&mut disk, 4, 10, &BACK);
    assert!(!log.asked().contains(&("first", Deed::Write(4, 0))));
    let found = disk.cache().find(Source::Primary(0), Sector(4));
    assert_eq!(found.map(|(_, tag)| tag.dirty), Some(1));
}
