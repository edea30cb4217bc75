//! A volume that has lost all its anchors is found again by looking at every page; one that has lost its journal says that it is damaged; a part whose
//! format was cut says so.

use cuesta::volume::{Budget, Error, FormatOptions, MountError, Sector, Segment, State, Volume};
use cuesta_hal::Nand;
use cuesta_sim::campaign::aged::Making;
use cuesta_sim::campaign::change::{filling, mixture, Change};
use cuesta_sim::campaign::damage::{blank_block, overwrite_block};
use cuesta_sim::campaign::driver::Driver;
use cuesta_sim::campaign::model::Model;
use cuesta_sim::campaign::oracle::{self, within, Reading};
use cuesta_sim::campaign::rig::{memory, Rig};
use cuesta_sim::campaign::session::session;
use cuesta_sim::campaign::verdict;
use cuesta_sim::{CutPlan, SplitMix64};

const MAKINGS: [Making; 9] = [
    // The level table is where the anchors are: the journal has it too.
    Making::of("tiny", Budget::Full).with_levels(72, &["plain=crc", "safe=mirror=2"]),
    Making::of("tiny4", Budget::Minimum).with_levels(40, &["a=parity=3", "b=secded"]),
    Making::of("tiny", Budget::Minimum),
    Making::of("tiny", Budget::Full),
    Making::of("tiny2", Budget::Full),
    Making::of("tiny4", Budget::Minimum),
    Making {
        width: Some(2),
        ..Making::of("tiny4", Budget::Full)
    },
    Making::of("tiny-multi", Budget::Full),
    Making::of("tiny", Budget::Full).with_chip_ecc(),
];

/// A disk in the middle of its life, everything flushed, and what it holds.
fn lived(making: &Making, seed: u64, cleanly: bool) -> (Rig, Model) {
    let mut rig = making.make(seed);
    let mut model = Model::new();
    let mut random = SplitMix64::new(seed);
    let capacity = rig.parameters.capacity;
    session(&mut rig, &mut model, making.depth, &filling(capacity)).expect("power");
    let mut disk = rig.mount().expect("a sound part");
    let changes = mixture(&mut random, capacity, capacity * 2);
    let mut driver = Driver::new(disk.volume_mut(), &mut model, making.depth);
    driver.run(&changes).expect("power");
    driver.run(&[Change::Flush]).expect("power");
    if cleanly {
        disk.unmount().map_err(|(_, error)| error).expect("room");
    } else {
        drop(disk);
        rig.nand.power_cycle();
        model.power_cycled();
    }
    (rig, model)
}

/// Blocks that hold anchors.
fn anchor_blocks(rig: &mut Rig) -> Vec<u32> {
    let disk = rig.mount().expect("a sound part");
    let volume = disk.volume();
    let shape = volume.shape();
    let reserved = |&segment: &Segment| {
        let info = volume.segment_info(segment.0).expect("a segment");
        info.state == State::Reserved
    };
    (0..shape.segments)
        .map(Segment)
        .filter(reserved)
        .flat_map(|segment| (0..shape.width()).map(move |column| shape.block(segment, column)))
        .map(|block| shape.block_number(block) as u32)
        .collect()
}

fn all_is_there(rig: &mut Rig, model: &mut Model, making: &Making, what: &str) {
    let mut disk = rig
        .mount()
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(disk.volume().info().scanned, "{what}");
    verdict::settles(&mut disk, model, what);
    let mut random = SplitMix64::new(7);
    let capacity = disk.volume().capacity();
    let changes = mixture(&mut random, capacity, capacity);
    Driver::new(disk.volume_mut(), model, making.depth)
        .run(&changes)
        .expect("power");
    verdict::verifies(&mut disk, what);
    verdict::agrees(&mut disk, model, what);
    disk.unmount().map_err(|(_, error)| error).expect("room");
    let mut disk = rig
        .mount()
        .unwrap_or_else(|error| panic!("{what}, again: {error}"));
    assert!(!disk.volume().info().scanned, "{what}");
    verdict::agrees(&mut disk, model, what);
}

#[test]
fn m22_a_volume_without_anchors_is_found_again_with_every_flushed_byte() {
    within(200, "lost anchors", || {
        for making in MAKINGS {
            for (seed, cleanly) in [(1, true), (2, false), (3, true), (4, false)] {
                let what = format!("{making:?}, seed {seed}, ended cleanly: {cleanly}");
                eprintln!("{what}");
                let (mut rig, mut model) = lived(&making, seed, cleanly);
                let mut random = SplitMix64::new(seed);
                let main = rig.nand.geometry().page_bytes as usize;
                for block in anchor_blocks(&mut rig) {
                    if seed % 3 == 0 {
                        // The marker stays: a block whose marker is gone is a bad one.
                        overwrite_block(&mut rig.nand, block, |_, raw| {
                            random.fill(raw);
                            raw[main..main + 2].fill(0xFF);
                        });
                    } else {
                        blank_block(&mut rig.nand, block);
                    }
                }
                all_is_there(&mut rig, &mut model, &making, &what);
            }
        }
    });
}

#[test]
fn a_volume_that_has_no_place_for_anchors_any_more_can_be_read() {
    let making = Making::of("tiny", Budget::Full);
    let (mut rig, mut model) = lived(&making, 8, true);
    let mut random = SplitMix64::new(8);
    let main = rig.nand.geometry().page_bytes as usize;
    for block in anchor_blocks(&mut rig) {
        overwrite_block(&mut rig.nand, block, |_, raw| {
            random.fill(raw);
            raw[main..].fill(0);
        });
    }
    let mut disk = rig.mount().expect("a journal");
    assert!(disk.volume().info().read_only);
    verdict::settles(&mut disk, &mut model, "no place for anchors");
    let data = vec![0; disk.volume().sector_bytes()];
    assert_eq!(disk.write(Sector(0), &data), Err(Error::ReadOnly));
}

#[test]
fn a_volume_without_anchors_that_is_cut_while_it_recovers_is_found_again() {
    within(200, "lost anchors, cut", || {
        for making in MAKINGS {
            let (mut rig, model) = lived(&making, 5, false);
            for block in anchor_blocks(&mut rig) {
                blank_block(&mut rig.nand, block);
            }
            for index in 0..40 {
                let what = format!("{making:?}, cut at {index} of the recovery");
                let (mut rig, mut model) = (rig.clone(), model.clone());
                rig.nand.plan_cut(CutPlan::during(index, index));
                let mut disk = rig.mount().expect("a part without anchors");
                let _ = Driver::new(disk.volume_mut(), &mut model, making.depth)
                    .run(&[Change::Write(1)]);
                drop(disk);
                rig.nand.power_cycle();
                model.power_cycled();
                let mut disk = rig
                    .mount()
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                verdict::settles(&mut disk, &mut model, &what);
                verdict::agrees(&mut disk, &model, &what);
            }
        }
    });
}

#[test]
fn a_format_that_is_cut_leaves_the_old_volume_or_says_what_happened() {
    within(200, "cut formats", || {
        for chip in ["tiny", "tiny4"] {
            let making = Making::of(chip, Budget::Full);
            let (rig, model) = lived(&making, 6, true);
            let mut halves = 0;
            for index in 0..200 {
                let (mut rig, mut model) = (rig.clone(), model.clone());
                rig.nand.plan_cut(CutPlan::during(index, index));
                let options = FormatOptions {
                    volume_id: 99,
                    ..FormatOptions::default()
                };
                let mut lent = memory(&rig.nand, &rig.parameters, Budget::Full);
                let formatted = Volume::format(&mut rig.nand, lent.lend(), &options).is_ok();
                rig.nand.power_cycle();
                model.power_cycled();
                let what = format!("{chip}: a format cut at {index}");
                match rig.mount() {
                    Ok(disk) if disk.volume().info().parameters.volume_id == 99 => {
                        assert_eq!(disk.volume().info().mapped, 0, "{what}");
                    }
                    Ok(mut disk) => {
                        assert!(!formatted, "{what}");
                        verdict::settles(&mut disk, &mut model, &what);
                    }
                    Err(MountError::HalfFormatted) => halves += 1,
                    Err(error) => panic!("{what}: {error}"),
                }
                if formatted {
                    break;
                }
                let mut lent = memory(&rig.nand, &rig.parameters, Budget::Full);
                Volume::format(&mut rig.nand, lent.lend(), &options).expect("formats again");
                assert!(rig.mount().is_ok(), "{what}, formatted again");
            }
            assert!(halves > 0, "{chip}: no cut hit the format");
        }
    });
}

#[test]
fn a_volume_that_has_recovered_and_then_lost_its_anchors_is_found_again() {
    within(200, "lost anchors behind a recovery", || {
        for making in MAKINGS {
            for (seed, changes) in (1..=6).flat_map(|seed| [(seed, 1), (seed, 30)]) {
                let what = format!("{making:?}, seed {seed}, {changes} changes behind a recovery");
                eprintln!("{what}");
                let (mut rig, mut model) = lived(&making, seed, false);
                let mut disk = rig.mount().expect("a sound part");
                let capacity = disk.volume().capacity();
                let changes = mixture(&mut SplitMix64::new(seed), capacity, changes);
                let mut driver = Driver::new(disk.volume_mut(), &mut model, making.depth);
                driver.run(&changes).expect("power");
                drop(disk);
                rig.nand.power_cycle();
                model.power_cycled();
                for block in anchor_blocks(&mut rig) {
                    blank_block(&mut rig.nand, block);
                }
                all_is_there(&mut rig, &mut model, &making, &what);
            }
        }
    });
}

/// While one copy of a checkpoint is written, another is on the media, complete: whatever a cut hits, one ring of anchors by itself leads to everything, and each
/// of them does when a session has ended.
#[test]
fn after_any_cut_one_ring_of_anchors_is_enough() {
    within(200, "rings by themselves", || {
        for making in [
            Making::of("tiny", Budget::Minimum),
            Making::of("tiny", Budget::Full),
            Making::of("tiny2", Budget::Full),
            Making::of("tiny4", Budget::Minimum),
        ] {
            let (mut rig, mut model) = lived(&making, 4, true);
            let mut random = SplitMix64::new(4);
            let rings = rings(&mut rig);
            let capacity = rig.parameters.capacity;
            let mut cuts = 0;
            for number in 0..120 {
                let what = format!("{making:?}, session {number}");
                // Three in a row where sessions begin, then one where checkpoints are made.
                let longest = if number % 4 == 3 { 800 } else { 12 };
                rig.nand
                    .plan_cut(CutPlan::during(random.below(longest), random.next()));
                let changes = mixture(&mut random, capacity, capacity);
                cuts += u32::from(session(&mut rig, &mut model, making.depth, &changes).is_err());
                rig.nand.power_cycle();
                model.power_cycled();
                assert!(enough(&rig, &model, &rings, &what) > 0, "{what}");
                if number % 8 == 7 {
                    let mut disk = rig.mount().expect("a sound part");
                    verdict::settles(&mut disk, &mut model, &what);
                    disk.flush().expect("power");
                    model.flushed();
                    disk.unmount().map_err(|(_, error)| error).expect("room");
                    assert_eq!(enough(&rig, &model, &rings, &what), rings.len(), "{what}");
                }
            }
            assert!(cuts > 60, "{making:?}: {cuts} cuts");
        }
    });
}

/// Rings that lead to everything by themselves, without a look at the whole part. The others say that they do not; nothing that is read is older than it may be.
fn enough(rig: &Rig, model: &Model, rings: &[Vec<u32>], what: &str) -> usize {
    let alone = |left: &usize| {
        let mut rig = rig.clone();
        let others = (0..).zip(rings).filter(|(ring, _)| ring != left);
        for &block in others.flat_map(|(_, blocks)| blocks) {
            blank_block(&mut rig.nand, block);
        }
        let Ok(mut disk) = rig.mount() else {
            return false;
        };
        let mut model = model.clone();
        let mut refused = 0;
        for sector in 0..disk.volume().capacity() {
            match oracle::read(&mut disk, &model, sector, what) {
                Reading::Current => {}
                Reading::Other(version) => assert!(
                    model.settle(sector, version),
                    "{what}, ring {left}: sector {sector} is version {version}, {}",
                    model.describe(sector)
                ),
                Reading::Refused(_) => refused += 1,
            }
        }
        refused == 0 && !disk.volume().info().scanned
    };
    (0..rings.len()).filter(alone).count()
}

/// The blocks of each ring: on one die one ring behind the other, else one on each die.
fn rings(rig: &mut Rig) -> Vec<Vec<u32>> {
    let mut blocks = anchor_blocks(rig);
    blocks.sort_unstable();
    let geometry = rig.nand.geometry();
    match geometry.dies {
        1 => blocks.chunks(blocks.len() / 2).map(<[_]>::to_vec).collect(),
        _ => blocks
            .chunk_by(|a, b| a / geometry.blocks_per_die == b / geometry.blocks_per_die)
            .map(<[_]>::to_vec)
            .collect(),
    }
}
