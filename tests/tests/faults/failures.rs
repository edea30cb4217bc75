//! Parts that fail: programs, erases, blocks, bits, pages, dies. What was acknowledged stays readable, or says that it is lost.

use cuesta::volume::{Budget, Error, FormatOptions, State, Volume};
use cuesta_hal::{BlockAddress, Die, Nand, NandErrorKind};
use cuesta_sim::campaign::damage::block_of;
use cuesta_sim::campaign::model::Model;
use cuesta_sim::campaign::oracle::{self, within, Reading};
use cuesta_sim::campaign::rig::{memory, Rig, RigDisk};
use cuesta_sim::campaign::verdict::settles;
use cuesta_sim::{CutPlan, EmulatedNand, Fault, Media, SplitMix64, Trigger};
use cuesta_tests::full::{fill_up, full, overwrite, use_and_check};

const CHIPS: [&str; 4] = ["tiny", "tiny2", "tiny4", "tiny-multi"];

/// Which operation numbers of a workload are tried.
fn each(operations: u64, tries: u64) -> impl Iterator<Item = u64> {
    let step = operations.div_ceil(tries).max(1);
    (0..operations).step_by(step as usize)
}

/// Lets one operation of a workload fail, each in turn.
fn fail_each(fault: Fault, tries: u64) {
    for chip in CHIPS {
        for budget in [Budget::Full, Budget::Minimum] {
            let (rig, model) = full(chip, 31, budget);
            let mut dry = rig.clone();
            let before = dry.nand.counters();
            use_and_check(&mut dry, &mut model.clone(), 60, "a dry run");
            let did = dry.nand.counters().since(&before);
            let operations = if fault == Fault::EraseFails {
                did.erases
            } else {
                did.programs
            };
            let (mut tried, mut retired) = (0, 0);
            for index in each(operations, tries) {
                let mut rig = rig.clone();
                let mut model = model.clone();
                rig.nand.faults().once(Trigger::Nth(index), fault);
                let what = format!("{chip} {budget:?}, {fault:?} at {index} of {operations}");
                eprintln!("{what}");
                use_and_check(&mut rig, &mut model, 60, &what);
                let bad = rig.mount().expect("a volume").volume().info().bad_blocks;
                // Anchor blocks stay in their ring; all others are known to be bad after the next mount.
                assert!(bad <= 1, "{what}: {bad} bad blocks");
                retired += u64::from(bad);
                tried += 1;
            }
            assert!(
                retired * 2 > tried,
                "{chip}: {retired} blocks retired of {tried} that failed"
            );
        }
    }
}

#[test]
fn a_program_that_fails_unwritten_at_any_moment_loses_nothing() {
    within(200, "failed programs", || {
        fail_each(Fault::ProgramFails, 60)
    });
}

#[test]
fn a_program_that_fails_though_written_at_any_moment_loses_nothing() {
    within(200, "failed programs", || {
        fail_each(Fault::ProgramFailsWritten, 30)
    });
}

#[test]
fn a_program_that_fails_half_written_at_any_moment_loses_nothing() {
    within(200, "failed programs", || {
        fail_each(Fault::ProgramFailsPartly, 30)
    });
}

#[test]
fn an_erase_that_fails_at_any_moment_loses_nothing() {
    within(200, "failed erases", || fail_each(Fault::EraseFails, 60));
}

/// Four blocks, one right after the other: the reserve lasts until the groomer has made up for them.
/// Few disks get read-only over it; they lose nothing either.
#[test]
fn programs_that_fail_one_right_after_the_other_lose_nothing() {
    within(200, "failures in a row", || {
        let (mut cases, mut read_only) = (0, 0);
        for chip in ["tiny", "tiny2", "tiny4"] {
            let (rig, model) = full(chip, 33, Budget::Full);
            for index in each(400, 50) {
                let (mut rig, mut model) = (rig.clone(), model.clone());
                for next in 0..4 {
                    let trigger = Trigger::Nth(index + next);
                    rig.nand.faults().once(trigger, Fault::ProgramFails);
                }
                let what = format!("{chip}, four programs from {index} on fail");
                let mut disk = rig.mount().expect("a volume");
                let mut random = SplitMix64::new(7);
                cases += 1;
                match overwrite(&mut disk, &mut model, &mut random, 400) {
                    Ok(()) => {}
                    Err(Error::ReadOnly | Error::NoSpace) => read_only += 1,
                    Err(error) => panic!("{what}: {error}"),
                }
                drop(disk);
                rig.nand.power_cycle();
                model.power_cycled();
                let mut disk = rig.mount().expect("a volume");
                settles(&mut disk, &mut model, &what);
            }
        }
        assert!(read_only * 50 <= cases, "{read_only} of {cases}");
    });
}

/// Where there is room enough nothing else makes the groomer work.
#[test]
fn a_segment_with_a_failed_block_is_emptied_in_the_idle_time_of_a_later_session() {
    for chip in ["tiny", "tiny4"] {
        let mut rig = Rig::of(chip, 35, Budget::Full);
        let mut model = Model::new();
        let mut disk = rig.mount().expect("a formatted part");
        for sector in 0..40 {
            oracle::write(&mut disk, &mut model, sector).expect("room");
        }
        disk.volume_mut()
            .nand_mut()
            .faults()
            .once(Trigger::Nth(0), Fault::ProgramFails);
        oracle::write(&mut disk, &mut model, 40).expect("room");
        disk.unmount().map_err(|(_, error)| error).expect("room");
        let mut disk = rig.mount().expect("a volume");
        assert!(failing(&disk) > 0, "{chip}: emptied before its time");
        oracle::write(&mut disk, &mut model, 0).expect("room");
        disk.idle(20, 400).expect("power");
        assert_eq!(failing(&disk), 0, "{chip}");
        oracle::expect_current(&mut disk, &model, chip);
    }
}

/// Sectors in segments with a failed block.
fn failing(disk: &RigDisk<'_>) -> u32 {
    let volume = disk.volume();
    (0..volume.info().segments)
        .filter_map(|index| volume.segment_info(index))
        .filter(|segment| segment.state == State::Failing)
        .map(|segment| segment.valid)
        .sum()
}

#[test]
fn a_block_that_failed_is_never_programmed_or_erased_again() {
    within(200, "failed blocks", || {
        for chip in CHIPS {
            let (rig, model) = full(chip, 32, Budget::Full);
            for number in 0..rig.nand.geometry().blocks() {
                let mut rig = rig.clone();
                let mut model = model.clone();
                let block = block_of(&rig.nand, number);
                let what = format!("{chip}, block {number} fails");
                eprintln!("{what}");
                rig.nand
                    .faults()
                    .every(Trigger::Block(block), Fault::ProgramFailsPartly);
                use_and_check(&mut rig, &mut model, 250, &what);
                rig.nand.faults().clear();
                if rig.mount().expect("a volume").volume().info().bad_blocks == 0 {
                    // An anchor or a segment that was not opened.
                    continue;
                }
                let erases = rig.nand.erase_count(block);
                let before = rig.nand.media().block(number);
                use_and_check(&mut rig, &mut model, 400, &what);
                assert_eq!(rig.nand.erase_count(block), erases, "{what}: erased again");
                assert_eq!(rig.nand.media().block(number), before, "{what}: used again");
            }
        }
    });
}

#[test]
fn factory_bad_blocks_up_to_the_most_there_may_be_are_never_touched() {
    within(200, "factory-bad blocks", || {
        for chip in CHIPS {
            for seed in 0..6 {
                let (mut rig, most) = Rig::with_most_bad_blocks(chip, seed);
                let what = format!("{chip}, seed {seed}, {most} bad blocks a die");
                eprintln!("{what}");
                let mut model = fill_up(&mut rig, seed);
                use_and_check(&mut rig, &mut model, 500, &what);
                let found = rig.mount().expect("a volume").volume().info().bad_blocks;
                assert_eq!(found, most * u32::from(rig.nand.geometry().dies), "{what}");
                assert_eq!(rig.nand.violation_count(), 0);
            }
        }
    });
}

#[test]
fn blocks_that_go_bad_while_in_use_up_to_the_most_there_may_be_cost_no_capacity() {
    within(200, "grown bad blocks", || {
        for chip in CHIPS {
            for (seed, fault) in [(1, Fault::ProgramFails), (2, Fault::EraseFails)] {
                let (mut rig, mut model) = full(chip, seed, Budget::Full);
                let geometry = *rig.nand.geometry();
                let most = geometry.bad_blocks_max_per_die;
                let what = format!("{chip}, {fault:?} in {most} blocks a die");
                eprintln!("{what}");
                for die in 0..geometry.dies {
                    // Far from the anchors.
                    for at in 1..=most {
                        let block = BlockAddress::new(die, geometry.blocks_per_die - 3 * at);
                        rig.nand.faults().once(Trigger::Block(block), fault);
                    }
                }
                for _ in 0..6 {
                    let count = rig.parameters.capacity / 2;
                    use_and_check(&mut rig, &mut model, count, &what);
                }
                let bad = rig.mount().expect("a volume").volume().info().bad_blocks;
                assert_eq!(bad, most * u32::from(geometry.dies), "{what}");
            }
        }
    });
}

#[test]
fn failures_while_recovering_lose_nothing() {
    within(200, "failures in recovery", || {
        // On a full disk of several sectors a page, recovery after a failed program may still run out of segments.
        for chip in CHIPS.into_iter().filter(|&chip| chip != "tiny-multi") {
            for fault in [
                Fault::ProgramFails,
                Fault::ProgramFailsWritten,
                Fault::EraseFails,
            ] {
                let (rig, model) = full(chip, 33, Budget::Full);
                for index in 0..24 {
                    let mut rig = rig.clone();
                    let mut model = model.clone();
                    let mut random = SplitMix64::new(index);
                    rig.nand.plan_cut(CutPlan::during(30 + index, index));
                    let mut disk = rig.mount().expect("a volume");
                    let end = overwrite(&mut disk, &mut model, &mut random, 200);
                    assert_eq!(end, Err(Error::Nand(NandErrorKind::PowerLost)));
                    drop(disk);
                    rig.nand.power_cycle();
                    rig.nand.faults().once(Trigger::Nth(index), fault);
                    let what = format!("{chip}, {fault:?} at {index} after a cut");
                    eprintln!("{what}");
                    let mut disk = rig
                        .mount()
                        .unwrap_or_else(|error| panic!("{what}: {error}"));
                    settles(&mut disk, &mut model, &what);
                    drop(disk);
                    use_and_check(&mut rig, &mut model, 60, &what);
                }
            }
        }
    });
}

#[test]
fn a_dead_die_gives_typed_errors_and_after_its_return_everything_is_there() {
    within(200, "dead dies", || {
        for chip in CHIPS {
            let dies = EmulatedNand::of(chip)
                .expect("a chip of the table")
                .geometry()
                .dies;
            for die in 0..dies {
                let (mut rig, mut model) = full(chip, 39, Budget::Full);
                let what = format!("{chip}, die {die} is dead");
                eprintln!("{what}");
                let mut disk = rig.mount().expect("a volume");
                let mut random = SplitMix64::new(39);
                overwrite(&mut disk, &mut model, &mut random, 20).expect("room");
                disk.volume_mut().nand_mut().faults().kill_die(Die(die));
                let mut failed = 0;
                for sector in 0..disk.volume().capacity() {
                    match oracle::read(&mut disk, &model, sector, &what) {
                        Reading::Current => {}
                        Reading::Other(version) => panic!("{what}: version {version}"),
                        Reading::Refused(Error::Nand(_) | Error::Lost(_)) => failed += 1,
                        Reading::Refused(error) => panic!("{what}: {error}"),
                    }
                }
                assert!(failed > 0, "{what}: and nobody noticed");
                for _ in 0..10 {
                    let sector = random.below(16) as u32;
                    match oracle::write(&mut disk, &mut model, sector) {
                        Ok(_) | Err(Error::Nand(_) | Error::ReadOnly | Error::NoSpace) => {}
                        Err(error) => panic!("{what}: {error}"),
                    }
                }
                let _ = disk.flush();
                let _ = disk.unmount();
                assert!(mount_ends(&mut rig), "{what}");
                rig.nand.power_cycle();
                rig.nand.faults().revive_die(Die(die));
                let mut disk = rig
                    .mount()
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                settles(&mut disk, &mut model, &what);
                drop(disk);
                rig.nand.power_cycle();
                use_and_check(&mut rig, &mut model, 50, &what);
            }
        }
    });
}

#[test]
fn a_format_remembers_which_blocks_have_failed_and_how_worn_the_others_are() {
    for chip in CHIPS {
        let (mut rig, mut model) = full(chip, 44, Budget::Full);
        let mut disk = rig.mount().expect("a volume");
        let mut random = SplitMix64::new(44);
        disk.volume_mut()
            .nand_mut()
            .faults()
            .once(Trigger::Nth(5), Fault::ProgramFails);
        overwrite(&mut disk, &mut model, &mut random, 200).expect("room");
        let before = disk.volume().info();
        assert!(before.bad_blocks > 0, "{chip}: no block failed");
        disk.unmount().map_err(|(_, error)| error).expect("an end");
        let options = FormatOptions {
            volume_id: 77,
            ..FormatOptions::default()
        };
        let mut lent = memory(&rig.nand, &rig.parameters, Budget::Full);
        Volume::format(&mut rig.nand, lent.lend(), &options).expect("a format");
        let after = rig.mount().expect("a new volume").volume().info();
        assert_eq!(after.parameters.volume_id, 77);
        assert_eq!(after.bad_blocks, before.bad_blocks, "{chip}");
        assert!(after.wear_min > before.wear_min, "{chip}: erase counts");
    }
}

/// A mount on a part with a dead die comes to an end, whatever it says.
fn mount_ends(rig: &mut Rig) -> bool {
    let before = rig.nand.counters().operations();
    let _ = rig.mount();
    let blocks = u64::from(rig.nand.geometry().blocks());
    let pages = u64::from(rig.nand.geometry().pages_per_block);
    rig.nand.counters().operations() - before <= 4 * blocks * pages
}
