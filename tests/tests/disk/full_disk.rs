//! A disk that is filled to the last sector goes on: overwritten, trimmed, filled again, on every shape of part.

use cuesta::volume::{Budget, FormatOptions, Sector, MOVES_PER_WRITE_MAX};
use cuesta_hal::Nand;
use cuesta_sim::campaign::aged::Making;
use cuesta_sim::campaign::model::Model;
use cuesta_sim::campaign::oracle::{expect_current, within, write};
use cuesta_sim::campaign::rig::{Rig, RigDisk};
use cuesta_sim::{EmulatedNand, SplitMix64};

/// The most array operations that one blocking write may take, a merge, a step of a checkpoint and a victim's page
/// moves included.
fn operations_per_write_max(disk: &RigDisk<'_>) -> u64 {
    let geometry = disk.volume().nand().geometry();
    let segment = u64::from(geometry.pages_per_block) * u64::from(disk.volume().shape().width());
    // Each sector moved costs a look, a lookup, a read and a program; there are a victim's, or as many as the capacity is planned for.
    let moves = segment * u64::from(disk.volume().shape().units());
    4 * moves.max(u64::from(MOVES_PER_WRITE_MAX)) + 64
}

/// A permutation of all sectors.
fn shuffled(capacity: u32, random: &mut SplitMix64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..capacity).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, random.below(at as u64 + 1) as usize);
    }
    order
}

fn write_all(
    disk: &mut RigDisk<'_>,
    model: &mut Model,
    random: &mut SplitMix64,
    what: &str,
) -> u64 {
    let bound = operations_per_write_max(disk);
    let before = disk.volume().nand().counters().operations();
    let mut last = before;
    let order = shuffled(disk.volume().capacity(), random);
    for &sector in &order {
        write(disk, model, sector).unwrap_or_else(|error| panic!("{what}: {sector}: {error}"));
        let now = disk.volume().nand().counters().operations();
        assert!(
            now - last <= bound,
            "{what}: {} operations for one write, at most {bound} are allowed",
            now - last
        );
        last = now;
        assert!(disk.volume().info().free > 0, "{what}: nothing is free");
    }
    last - before
}

fn fill_overwrite_trim_refill(chip: &str, budget: Budget, seed: u64) {
    let mut rig = Rig::of(chip, seed, budget);
    let mut model = Model::new();
    let mut random = SplitMix64::new(seed);
    let mut disk = rig.mount().expect("a formatted part");
    let capacity = disk.volume().capacity();
    for round in ["fill", "first overwrite", "second overwrite"] {
        let what = format!("{chip} {budget:?} {round}");
        let operations = write_all(&mut disk, &mut model, &mut random, &what);
        expect_current(&mut disk, &model, &what);
        assert!(
            operations < u64::from(capacity) * 120,
            "{what}: {operations} operations for {capacity} writes"
        );
    }
    assert_eq!(disk.volume().info().mapped, capacity);
    for sector in 0..capacity {
        model.started(sector, 0);
    }
    disk.trim(Sector(0), capacity).expect("a trim of all");
    expect_current(&mut disk, &model, "trimmed");
    disk.flush().expect("a flush");
    model.flushed();
    assert_eq!(disk.volume().info().mapped, 0);
    let what = format!("{chip} {budget:?} refill");
    write_all(&mut disk, &mut model, &mut random, &what);
    expect_current(&mut disk, &model, &what);
    disk.unmount().map_err(|(_, error)| error).expect("an end");
    let mut disk = rig.mount().expect("a sound part");
    expect_current(&mut disk, &model, "mounted again");
    assert_eq!(rig.nand.violation_count(), 0);
}

#[test]
fn m29_a_full_disk_is_overwritten_trimmed_and_filled_again() {
    within(200, "full disks", || {
        for chip in ["tiny", "tiny2", "tiny4", "tiny-multi"] {
            for budget in [Budget::Minimum, Budget::Full] {
                fill_overwrite_trim_refill(chip, budget, 21);
            }
        }
    });
}

#[test]
fn segments_of_any_width_go_on_when_full() {
    within(200, "widths", || {
        for (chip, width) in [("tiny2", 1), ("tiny2", 2), ("tiny4", 1), ("tiny4", 2)] {
            fill_overwrite_trim_refill_with_width(chip, width);
        }
    });
}

fn fill_overwrite_trim_refill_with_width(chip: &str, width: u16) {
    let builder = EmulatedNand::builder(chip)
        .expect("a chip of the table")
        .seed(4)
        .strict(true);
    let options = FormatOptions {
        volume_id: 4,
        width: Some(width),
        ..Default::default()
    };
    let mut rig = Rig::new(builder, &options, Budget::Full);
    let mut model = Model::new();
    let mut random = SplitMix64::new(4);
    let mut disk = rig.mount().expect("a formatted part");
    assert_eq!(disk.volume().shape().width(), u32::from(width));
    for _ in 0..3 {
        let what = format!("{chip} in segments of {width}");
        write_all(&mut disk, &mut model, &mut random, &what);
        expect_current(&mut disk, &model, &what);
    }
}

#[test]
fn a_full_disk_with_as_many_bad_blocks_as_there_may_be_is_overwritten_again_and_again() {
    within(200, "full disks with bad blocks", || {
        for chip in ["tiny", "tiny2", "tiny4", "tiny-multi"] {
            for seed in 0..8 {
                let (mut rig, most) = Rig::with_most_bad_blocks(chip, seed);
                let mut model = Model::new();
                let mut random = SplitMix64::new(seed);
                let mut disk = rig.mount().expect("a formatted part");
                let capacity = disk.volume().capacity();
                let what = format!("{chip}, seed {seed}, {most} bad blocks a die");
                eprintln!("{what}");
                for turn in 0..capacity * 6 {
                    let sector = if turn < capacity {
                        turn
                    } else {
                        random.below(u64::from(capacity)) as u32
                    };
                    write(&mut disk, &mut model, sector)
                        .unwrap_or_else(|error| panic!("{what}: {error}"));
                    assert!(disk.volume().info().free > 0, "{what}: nothing is free");
                }
                expect_current(&mut disk, &model, &what);
            }
        }
    });
}

#[test]
fn trims_of_a_full_disk_make_its_writes_cheap() {
    // Large enough for the groomer to be what its writes cost.
    let making = Making {
        blocks_per_die: Some(64),
        ..Making::of("tiny", Budget::Full)
    };
    let mut rig = making.make(2);
    let mut model = Model::new();
    let mut random = SplitMix64::new(2);
    let mut disk = rig.mount().expect("a formatted part");
    let capacity = disk.volume().capacity();
    for what in ["fill", "overwrite"] {
        write_all(&mut disk, &mut model, &mut random, what);
    }
    let full = write_all(&mut disk, &mut model, &mut random, "overwrite again");
    for sector in 0..capacity {
        model.started(sector, 0);
    }
    disk.trim(Sector(0), capacity).expect("a trim of all");
    let emptied = write_all(&mut disk, &mut model, &mut random, "refill");
    assert!(
        emptied * 2 < full,
        "{emptied} operations, {full} before the trim"
    );
}

#[test]
fn nine_tenths_of_a_gigabit_part_are_usable() {
    let rig = Rig::of("w25n01gv", 1, Budget::Minimum);
    let geometry = rig.nand.geometry();
    let pages = u64::from(geometry.blocks()) * u64::from(geometry.pages_per_block);
    let raw = pages * u64::from(geometry.page_bytes);
    let usable = u64::from(rig.parameters.capacity) * u64::from(rig.parameters.sector_bytes);
    assert!(usable * 10 >= raw * 9, "{usable} of {raw} bytes are usable");
}
