//! Pages that say what nobody wrote, with checks that agree: clamped, refused or left out, never taken at their word.

use cuesta::codec::crc::Seed;
use cuesta::codec::{Header, HeaderState, Kind, PageLayout};
use cuesta::volume::{Budget, Error, MountError, Sector, Shape};
use cuesta_hal::{Nand, PageAddress};
use cuesta_sim::campaign::damage::{overwrite_page, place_of, programmed_pages};
use cuesta_sim::campaign::model::Model;
use cuesta_sim::campaign::oracle::{self, expect_current, tally, within, Legal};
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::SplitMix64;

const CHIPS: [&str; 4] = ["tiny", "tiny2", "tiny4", "tiny-multi"];

/// Bytes of a checkpoint's head at which its log time is.
const HEAD_TIME: usize = 63;
/// Of the least erases of a segment.
const HEAD_WEAR_BASE: usize = 83;
/// Of the number of mapped sectors, and of what they take up.
const HEAD_MAPPED: usize = 87;

/// A disk of which every other sector is written; it ends cleanly or by a cut.
fn half_full(chip: &str, seed: u64, budget: Budget, cleanly: bool) -> (Rig, Model) {
    let mut rig = Rig::of(chip, seed, budget);
    let mut model = Model::new();
    let mut disk = rig.mount().expect("a formatted part");
    for sector in (0..disk.volume().capacity()).step_by(2) {
        oracle::write(&mut disk, &mut model, sector).expect("room");
    }
    if cleanly {
        disk.unmount().map_err(|(_, error)| error).expect("an end");
    } else {
        disk.flush().expect("room");
        model.flushed();
        drop(disk);
        rig.nand.power_cycle();
    }
    (rig, model)
}

/// Changes headers and payload of every page for which `change` says so; gives how many these are.
fn forge(
    rig: &mut Rig,
    mut change: impl FnMut(PageAddress, &mut [Header], &mut [u8]) -> bool,
) -> u32 {
    let geometry = *rig.nand.geometry();
    let shape = Shape::new(&geometry, &rig.parameters).expect("a shape");
    let layout = shape.layout;
    let plain = PageLayout::required(&geometry).expect("a code");
    let data = layout.with(plain).expect("a code that fits");
    let mut changed = 0;
    for page in programmed_pages(&rig.nand) {
        let at = place_of(&rig.nand, page);
        let number = at.block * u32::from(geometry.pages_per_block) + u32::from(at.page);
        let anchors = (number * layout.units(), 0);
        let column = match shape.dies() {
            1 => page.block.block.0,
            _ => u32::from(page.block.die.0),
        } % shape.width();
        let offset = u32::from(page.page.0) * shape.width() + column;
        let log = shape.location(shape.segment_of(page.block), offset, 0);
        let log = (log.0, rig.parameters.volume_id);
        let mut raw = rig.nand.true_bytes(page);
        let headers_at = |place: u32| -> Vec<Header> {
            (0..layout.units())
                .map_while(|unit| match layout.read_header(&raw, unit, place + unit) {
                    HeaderState::Valid(header) => Some(header),
                    HeaderState::Erased | HeaderState::Bad => None,
                })
                .collect()
        };
        let found = [anchors, log]
            .into_iter()
            .map(|(place, volume)| (place, volume, headers_at(place)))
            .find(|(_, volume, headers)| {
                let kind = headers.first().map(|header| header.kind);
                kind.is_some_and(|kind| (kind == Kind::Anchor) == (*volume == 0))
            });
        let Some((place, volume, mut headers)) = found else {
            continue;
        };
        if change(page, &mut headers, &mut raw[..geometry.page_bytes as usize]) {
            let own = if headers[0].kind == Kind::Data {
                data
            } else {
                layout
            };
            own.encode(&mut raw, &headers, Seed { volume, place });
            overwrite_page(&mut rig.nand, page, raw);
            changed += 1;
        }
    }
    changed
}

/// Makes all heads of checkpoints say something else.
fn forge_heads(rig: &mut Rig, at: usize, bytes: &[u8]) {
    let changed = forge(rig, |_, headers, main| {
        let head = headers[0].kind == Kind::Anchor && main.starts_with(b"CUESTA");
        if head {
            main[at..at + bytes.len()].copy_from_slice(bytes);
        }
        head
    });
    assert!(changed > 0);
}

/// Uses a disk whose hints are wrong: what is mapped can be overwritten, and the recovery after a cut makes them right.
fn goes_on(rig: &mut Rig, model: &mut Model, what: &str) {
    let failed = |error: Error| panic!("{what}: {error}");
    let mut disk = rig
        .mount()
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    expect_current(&mut disk, model, what);
    let _ = (disk.volume().life(), disk.volume().info());
    let capacity = disk.volume().capacity();
    for sector in (0..capacity).step_by(2) {
        oracle::write(&mut disk, model, sector).map_or_else(failed, |_| ());
    }
    let _ = (disk.volume().life(), disk.volume().info());
    disk.flush().unwrap_or_else(failed);
    model.flushed();
    drop(disk);
    rig.nand.power_cycle();
    let mut disk = rig
        .mount()
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    for sector in (0..capacity).chain(0..capacity) {
        oracle::write(&mut disk, model, sector).map_or_else(failed, |_| ());
    }
    assert_eq!(disk.volume().info().mapped, capacity, "{what}");
    expect_current(&mut disk, model, what);
    disk.unmount()
        .map_or_else(|(_, error)| failed(error), |_| ());
}

fn goes_on_with(at: usize, bytes: &[u8]) {
    for chip in CHIPS {
        for cleanly in [true, false] {
            let (mut rig, mut model) = half_full(chip, 1, Budget::Full, cleanly);
            forge_heads(&mut rig, at, bytes);
            let what = format!("{chip}, ended cleanly: {cleanly}, byte {at} of heads");
            eprintln!("{what}");
            goes_on(&mut rig, &mut model, &what);
        }
    }
}

#[test]
fn a_head_with_more_mapped_sectors_than_there_are_does_no_harm() {
    within(100, "mapped sectors", || {
        goes_on_with(HEAD_MAPPED, &[0xFF; 12])
    });
}

#[test]
fn a_head_with_more_erases_than_headers_can_tell_does_no_harm() {
    within(100, "erases", || goes_on_with(HEAD_WEAR_BASE, &[0xFF; 4]));
}

#[test]
fn a_head_of_a_time_that_headers_cannot_tell_is_none() {
    within(100, "times", || {
        for chip in CHIPS {
            for time in [u64::MAX, 1 << 48] {
                let (mut rig, mut model) = half_full(chip, 2, Budget::Full, true);
                forge_heads(&mut rig, HEAD_TIME, &time.to_le_bytes());
                let what = format!("{chip}, time {time:#x}");
                eprintln!("{what}");
                // There may be enough left to find the volume without anchors.
                match rig.mount() {
                    Ok(mut disk) => {
                        expect_current(&mut disk, &model, &what);
                        let written = oracle::write(&mut disk, &mut model, 0);
                        written.unwrap_or_else(|error| panic!("{what}: {error}"));
                        expect_current(&mut disk, &model, &what);
                    }
                    Err(MountError::Damaged | MountError::Foreign) => {}
                    Err(error) => panic!("{what}: {error}"),
                }
            }
        }
    });
}

#[test]
fn a_session_for_which_there_is_no_log_time_is_refused() {
    within(100, "times near the last one", || {
        for chip in CHIPS {
            for before in [1, 0xFFFF, 0x1_0000, 0x1_0001, 1 << 30] {
                let (mut rig, model) = half_full(chip, 3, Budget::Full, true);
                let time: u64 = (1 << 48) - before;
                forge_heads(&mut rig, HEAD_TIME, &time.to_le_bytes());
                let what = format!("{chip}, {before} before the last time");
                eprintln!("{what}");
                let mut disk = rig
                    .mount()
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                let data = vec![0; disk.volume().sector_bytes()];
                assert_eq!(disk.write(Sector(0), &data), Err(Error::NoSpace), "{what}");
                assert_eq!(disk.write(Sector(0), &data), Err(Error::ReadOnly), "{what}");
                expect_current(&mut disk, &model, &what);
            }
        }
    });
}

#[test]
fn a_page_that_names_a_sector_beyond_the_end_is_not_taken_over() {
    within(100, "sectors beyond the end", || {
        for chip in CHIPS {
            for id in [u32::MAX, 1 << 20] {
                let (mut rig, mut model) = half_full(chip, 4, Budget::Full, true);
                let mut disk = rig.mount().expect("a volume");
                for sector in 0..8 {
                    oracle::write(&mut disk, &mut model, sector).expect("room");
                }
                drop(disk);
                rig.nand.power_cycle();
                let mut newest = 0;
                forge(&mut rig, |_, headers, _| {
                    if headers[0].kind == Kind::Data {
                        newest = newest.max(headers[0].time);
                    }
                    false
                });
                let changed = forge(&mut rig, |_, headers, _| {
                    // What the cut may have touched: the last pages of every die.
                    let data = headers[0].kind == Kind::Data && headers[0].time + 8 > newest;
                    if data {
                        headers.iter_mut().for_each(|header| header.id = id);
                    }
                    data
                });
                assert!(changed > 0, "{chip}, newest {newest}");
                let what = format!("{chip}, sector {id} in {changed} pages");
                eprintln!("{what}");
                let mut disk = rig
                    .mount()
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                tally(&mut disk, &model, Legal::OwnOrRefused, &what);
                let mut random = SplitMix64::new(4);
                for _ in 0..200 {
                    let sector = random.below(u64::from(disk.volume().capacity())) as u32;
                    oracle::write(&mut disk, &mut model, sector)
                        .unwrap_or_else(|error| panic!("{what}: {error}"));
                }
                tally(&mut disk, &model, Legal::OwnOrRefused, &what);
            }
        }
    });
}

/// Says of blocks that they are bad, in a checkpoint of one page behind its head, of a volume with one level.
fn forge_bad_blocks(rig: &mut Rig, blocks: &[usize]) {
    let geometry = *rig.nand.geometry();
    let shape = Shape::new(&geometry, &rig.parameters).expect("a shape");
    let stride = 4 + if shape.slots_per_segment() <= 255 {
        1
    } else {
        3
    };
    let table = 420 + 19 + 4 * shape.map_pages + stride * shape.segments;
    let (page, at) = (
        table / geometry.page_bytes,
        (table % geometry.page_bytes) as usize,
    );
    let changed = forge(rig, |_, headers, main| {
        let holds = headers[0].kind == Kind::Anchor && headers[0].id == page;
        if holds {
            for block in blocks {
                main[at + block / 8] |= 1 << (block % 8);
            }
        }
        holds
    });
    assert!(changed > 0);
}

#[test]
fn a_volume_of_which_too_many_blocks_are_bad_says_so() {
    within(100, "bad blocks", || {
        for chip in CHIPS {
            for seed in 0..4 {
                let (mut rig, mut model) = half_full(chip, 5 + seed, Budget::Full, true);
                let blocks = rig.nand.geometry().blocks() as usize;
                let mut random = SplitMix64::new(seed);
                let bad: Vec<usize> = (0..blocks).filter(|_| random.chance(1, 3)).collect();
                forge_bad_blocks(&mut rig, &bad);
                let what = format!("{chip}, seed {seed}, {bad:?} of {blocks} bad");
                eprintln!("{what}");
                let Ok(mut disk) = rig.mount() else { continue };
                let capacity = disk.volume().capacity();
                for _ in 0..4 * capacity {
                    let sector = random.below(u64::from(capacity)) as u32;
                    match oracle::write(&mut disk, &mut model, sector) {
                        Ok(_) => {}
                        Err(Error::NoSpace | Error::ReadOnly) => break,
                        Err(error) => panic!("{what}: {error}"),
                    }
                }
                tally(&mut disk, &model, Legal::OwnOrRefused, &what);
            }
        }
    });
}
