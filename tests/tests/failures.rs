//! Parts that fail: programs, erases, blocks, bits, pages, dies. What was acknowledged stays readable, or says that it is lost.

use cuesta::volume::{Budget, Error, FormatOptions, Sector, State};
use cuesta_hal::{BlockAddress, Die, Nand, NandErrorKind, PageAddress};
use cuesta_sim::{CutPlan, EmulatedNand, Fault, Media, SplitMix64, Trigger};
use cuesta_tests::damage::{block_number, block_of, programmed_pages};
use cuesta_tests::model::{fill, Model};
use cuesta_tests::oracle::{self, expect_current, tally, within, Legal, Reading};
use cuesta_tests::rig::{Rig, RigDisk};

const CHIPS: [&str; 4] = ["tiny", "tiny2", "tiny4", "tiny-multi"];

/// A disk that has been filled and partly overwritten, so that grooming goes on.
fn full(chip: &str, seed: u64, budget: Budget) -> (Rig, Model) {
    let mut rig = Rig::of(chip, seed, budget);
    let model = fill_up(&mut rig, seed);
    (rig, model)
}

fn fill_up(rig: &mut Rig, seed: u64) -> Model {
    let mut model = Model::new();
    let mut random = SplitMix64::new(seed);
    let mut disk = rig.mount().expect("a formatted part");
    for sector in 0..disk.volume().capacity() {
        oracle::write(&mut disk, &mut model, sector).expect("room");
    }
    let count = disk.volume().capacity();
    overwrite(&mut disk, &mut model, &mut random, count).expect("room");
    disk.unmount().map_err(|(_, error)| error).expect("an end");
    model
}

fn overwrite(
    disk: &mut RigDisk<'_>,
    model: &mut Model,
    random: &mut SplitMix64,
    count: u32,
) -> Result<(), Error> {
    for _ in 0..count {
        let sector = random.below(u64::from(disk.volume().capacity())) as u32;
        oracle::write(disk, model, sector)?;
    }
    Ok(())
}

/// Uses a disk, unmounts it, mounts it again, and finds everything as it was written.
fn use_and_check(rig: &mut Rig, model: &mut Model, count: u32, what: &str) {
    let mut random = SplitMix64::new(7);
    let mut disk = rig.mount().unwrap_or_else(|error| panic!("{what}: {error}"));
    overwrite(&mut disk, model, &mut random, count)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    disk.trim(Sector(3), 2).unwrap_or_else(|error| panic!("{what}: {error}"));
    model.started(3, 0);
    model.started(4, 0);
    disk.flush().unwrap_or_else(|error| panic!("{what}: {error}"));
    model.flushed();
    expect_current(&mut disk, model, what);
    let ended = disk.unmount().map_err(|(_, error)| error);
    ended.unwrap_or_else(|error| panic!("{what}: unmount: {error}"));
    let mut disk = rig.mount().unwrap_or_else(|error| panic!("{what}: {error}"));
    expect_current(&mut disk, model, &format!("{what}, mounted again"));
}

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
            for index in each(operations, tries) {
                let mut rig = rig.clone();
                let mut model = model.clone();
                rig.nand.faults().once(Trigger::Nth(index), fault);
                let what = format!("{chip} {budget:?}, {fault:?} at {index} of {operations}");
                use_and_check(&mut rig, &mut model, 60, &what);
                let bad = rig.mount().expect("a volume").volume().info().bad_blocks;
                assert_eq!(bad, 1, "{what}: bad blocks known after the next mount");
                assert_eq!(rig.nand.violation_count(), 0);
            }
        }
    }
}

#[test]
fn a_program_that_fails_unwritten_at_any_moment_loses_nothing() {
    within(200, "failed programs", || fail_each(Fault::ProgramFails, 60));
}

#[test]
fn a_program_that_fails_though_written_at_any_moment_loses_nothing() {
    within(200, "failed programs", || fail_each(Fault::ProgramFailsWritten, 30));
}

#[test]
fn a_program_that_fails_half_written_at_any_moment_loses_nothing() {
    within(200, "failed programs", || fail_each(Fault::ProgramFailsPartly, 30));
}

#[test]
fn an_erase_that_fails_at_any_moment_loses_nothing() {
    within(200, "failed erases", || fail_each(Fault::EraseFails, 60));
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
                rig.nand.faults().every(Trigger::Block(block), Fault::ProgramFailsPartly);
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
                let builder = EmulatedNand::builder(chip)
                    .expect("a chip of the table")
                    .seed(seed)
                    .strict(true);
                let most = builder.clone().build().geometry().bad_blocks_max_per_die;
                let options = FormatOptions {
                    volume_id: seed + 1,
                    ..FormatOptions::default()
                };
                let mut rig =
                    Rig::new(builder.random_bad_blocks(most), &options, Budget::Full);
                let mut model = fill_up(&mut rig, seed);
                let what = format!("{chip}, seed {seed}, {most} bad blocks a die");
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
                let most = geometry.bad_blocks_max_per_die * u32::from(geometry.dies);
                let mut random = SplitMix64::new(seed);
                for turn in 0..most {
                    let die = Die((turn % u32::from(geometry.dies)) as u16);
                    rig.nand.faults().once(Trigger::Die(die), fault);
                    let what = format!("{chip}, {fault:?} {turn} of {most}");
                    use_and_check(&mut rig, &mut model, 200, &what);
                }
                let mut disk = rig.mount().expect("a volume");
                let count = disk.volume().capacity();
                overwrite(&mut disk, &mut model, &mut random, count)
                    .unwrap_or_else(|error| panic!("{chip}, {fault:?}: {error}"));
                expect_current(&mut disk, &model, "after all");
                assert_eq!(disk.volume().info().bad_blocks, most);
            }
        }
    });
}

#[test]
fn failures_while_recovering_lose_nothing() {
    within(200, "failures in recovery", || {
        for chip in CHIPS {
            for fault in [Fault::ProgramFails, Fault::ProgramFailsWritten, Fault::EraseFails] {
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
                    let mut disk = rig.mount().unwrap_or_else(|error| panic!("{what}: {error}"));
                    settle(&mut disk, &mut model, &what);
                    drop(disk);
                    use_and_check(&mut rig, &mut model, 60, &what);
                }
            }
        }
    });
}

/// Every sector reads as what a cut may leave, and from then on as that.
fn settle(disk: &mut RigDisk<'_>, model: &mut Model, what: &str) {
    let mut data = vec![0; disk.volume().sector_bytes()];
    for sector in 0..disk.volume().capacity() {
        let written = disk
            .read(Sector(sector), &mut data)
            .unwrap_or_else(|error| panic!("{what}: sector {sector}: {error}"));
        let version = Model::identify(sector, written, &data)
            .unwrap_or_else(|| panic!("{what}: sector {sector} holds what was never written"));
        let expected = model.describe(sector);
        assert!(
            model.settle(sector, version),
            "{what}: sector {sector} is version {version}, {expected}"
        );
    }
}

#[test]
fn bit_errors_within_the_strength_of_the_code_are_corrected_on_every_read() {
    within(200, "bit errors", || {
        for chip in CHIPS {
            let (mut rig, mut model) = full(chip, 34, Budget::Minimum);
            // 0.08 wrong bits a codeword: one read in 10^7 has more than four.
            rig.nand.faults().bit_error_rate(2e-5);
            use_and_check(&mut rig, &mut model, 600, chip);
            let mut disk = rig.mount().expect("a volume");
            expect_current(&mut disk, &model, chip);
            assert!(disk.volume().stats().corrected_bits_max > 0, "{chip}");
            assert_eq!(disk.volume().stats().lost, 0, "{chip}");
        }
    });
}

#[test]
fn four_wrong_bits_in_the_same_codeword_of_every_page_are_corrected() {
    within(200, "four bits", || {
        for chip in CHIPS {
            let (mut rig, mut model) = full(chip, 35, Budget::Full);
            let geometry = *rig.nand.geometry();
            let mut random = SplitMix64::new(35);
            for number in 0..geometry.blocks() {
                for page in 0..geometry.pages_per_block {
                    let at = block_of(&rig.nand, number).page(page);
                    let codeword = random.below(u64::from(geometry.page_bytes / 512)) as u32;
                    for _ in 0..4 {
                        let bit = codeword * 4096 + random.below(4096) as u32;
                        rig.nand.faults().flip(at, bit);
                    }
                }
            }
            use_and_check(&mut rig, &mut model, 400, chip);
        }
    });
}

/// Where the part holds the current version of a sector: looked up in the media, not asked of the engine.
fn page_of(nand: &EmulatedNand, model: &Model, sector: u32, sector_bytes: usize) -> PageAddress {
    let mut bytes = vec![0; sector_bytes];
    fill(sector, model.current(sector), &mut bytes);
    let mut holders = programmed_pages(nand).into_iter().filter(|&page| {
        let raw = nand.true_bytes(page);
        let main = &raw[..nand.geometry().page_bytes as usize];
        main.chunks_exact(sector_bytes).any(|unit| unit == bytes)
    });
    let page = holders.next().expect("the sector is somewhere");
    assert_eq!(holders.next(), None, "sector {sector} was not relocated");
    page
}

#[test]
fn an_unreadable_page_costs_its_own_sectors_and_grooming_goes_on() {
    within(200, "unreadable pages", || {
        for chip in CHIPS {
            let mut rig = Rig::of(chip, 36, Budget::Full);
            let mut model = Model::new();
            let mut disk = rig.mount().expect("a formatted part");
            let capacity = disk.volume().capacity();
            let bytes = disk.volume().sector_bytes();
            for sector in 0..capacity {
                oracle::write(&mut disk, &mut model, sector).expect("room");
            }
            disk.unmount().map_err(|(_, error)| error).expect("an end");
            let victim = capacity / 3;
            let page = page_of(&rig.nand, &model, victim, bytes);
            rig.nand.faults().stuck_page(page);
            let mut disk = rig.mount().expect("a volume");
            let shared = disk.volume().shape().units;
            let found = tally(&mut disk, &model, Legal::CurrentOrRefused, chip);
            assert!((1..=shared).contains(&found.refused), "{chip}: {found:?}");
            assert_eq!(
                oracle::read(&mut disk, &model, victim, chip),
                Reading::Refused(Error::Lost(Sector(victim)))
            );
            // Overwrites around it: its segment is groomed, and its page with it.
            let mut random = SplitMix64::new(36);
            for _ in 0..4 * capacity {
                let sector = random.below(u64::from(capacity)) as u32;
                if sector.abs_diff(victim) > shared {
                    oracle::write(&mut disk, &mut model, sector).expect("grooming goes on");
                }
            }
            let found = tally(&mut disk, &model, Legal::CurrentOrRefused, chip);
            assert!((1..=shared).contains(&found.refused), "{chip}: {found:?}");
            oracle::write(&mut disk, &mut model, victim).expect("a write makes it good");
            assert_eq!(oracle::read(&mut disk, &model, victim, chip), Reading::Current);
            disk.unmount().map_err(|(_, error)| error).expect("an end");
            let mut disk = rig.mount().expect("a volume");
            assert_eq!(oracle::read(&mut disk, &model, victim, chip), Reading::Current);
            tally(&mut disk, &model, Legal::CurrentOrRefused, chip);
        }
    });
}

/// The programmed pages of the journal.
fn journal_pages(rig: &mut Rig) -> Vec<PageAddress> {
    let mut blocks: Vec<BlockAddress> = Vec::new();
    let disk = rig.mount().expect("a volume");
    let volume = disk.volume();
    for index in 0..volume.info().segments {
        let info = volume.segment_info(index).expect("a segment");
        if info.state == State::Journal {
            let segment = cuesta::volume::Segment(index);
            blocks.extend((0..volume.shape().width).map(|column| volume.shape().block(segment, column)));
        }
    }
    drop(disk);
    let mut pages = programmed_pages(&rig.nand);
    pages.retain(|page| blocks.contains(&page.block));
    pages
}

#[test]
fn an_unreadable_page_of_the_journal_brings_no_old_data_back() {
    within(200, "unreadable journal pages", || {
        for chip in CHIPS {
            for budget in [Budget::Full, Budget::Minimum] {
                let (mut rig, model) = full(chip, 37, budget);
                for page in journal_pages(&mut rig) {
                    let mut rig = rig.clone();
                    let mut model = model.clone();
                    let what = format!("{chip} {budget:?}, {page:?} of the journal");
                    rig.nand.faults().stuck_page(page);
                    let mut disk = rig.mount().unwrap_or_else(|error| panic!("{what}: {error}"));
                    tally(&mut disk, &model, Legal::CurrentOrRefused, &what);
                    let mut random = SplitMix64::new(1);
                    overwrite(&mut disk, &mut model, &mut random, 150)
                        .unwrap_or_else(|error| panic!("{what}: {error}"));
                    tally(&mut disk, &model, Legal::CurrentOrRefused, &what);
                }
            }
        }
    });
}

#[test]
fn pages_behind_a_parity_page_are_rebuilt_in_full() {
    within(200, "parity", || {
        let mut rebuilt = 0;
        let mut lost = 0;
        for chip in CHIPS {
            let (mut rig, model) = full(chip, 38, Budget::Minimum);
            for page in journal_pages(&mut rig) {
                let mut rig = rig.clone();
                rig.nand.faults().stuck_page(page);
                let Ok(mut disk) = rig.mount() else { continue };
                let found = tally(&mut disk, &model, Legal::CurrentOrRefused, chip);
                if found.refused == 0 {
                    rebuilt += 1;
                } else {
                    lost += 1;
                }
            }
        }
        assert!(rebuilt > lost, "{rebuilt} pages rebuilt, {lost} lost");
    });
}

#[test]
fn a_dead_die_gives_typed_errors_and_after_its_return_everything_is_there() {
    within(200, "dead dies", || {
        for chip in CHIPS {
            let dies = EmulatedNand::of(chip).expect("a chip of the table").geometry().dies;
            for die in 0..dies {
                let (mut rig, mut model) = full(chip, 39, Budget::Full);
                let what = format!("{chip}, die {die} is dead");
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
                let mut disk = rig.mount().unwrap_or_else(|error| panic!("{what}: {error}"));
                settle(&mut disk, &mut model, &what);
                drop(disk);
                rig.nand.power_cycle();
                use_and_check(&mut rig, &mut model, 50, &what);
            }
        }
    });
}

/// A mount on a part with a dead die comes to an end, whatever it says.
fn mount_ends(rig: &mut Rig) -> bool {
    let before = rig.nand.counters().operations();
    let _ = rig.mount();
    let blocks = u64::from(rig.nand.geometry().blocks());
    let pages = u64::from(rig.nand.geometry().pages_per_block);
    rig.nand.counters().operations() - before <= 4 * blocks * pages
}

#[test]
fn lost_and_misdirected_writes_are_never_returned_as_data() {
    within(200, "lost writes", || {
        for chip in CHIPS {
            let (rig, model) = full(chip, 40, Budget::Full);
            for index in 0..40 {
                for misdirected in [false, true] {
                    let mut rig = rig.clone();
                    let mut model = model.clone();
                    rig.nand.set_strict(false);
                    let far = rig.nand.geometry().blocks() - 1;
                    let to = block_of(&rig.nand, far).page(0);
                    let fault = if misdirected {
                        Fault::MisdirectedWrite(to)
                    } else {
                        Fault::LostWrite
                    };
                    rig.nand.faults().once(Trigger::Nth(index), fault);
                    let what = format!("{chip}, {fault:?} at {index}");
                    let mut disk = rig.mount().expect("a volume");
                    let mut random = SplitMix64::new(40);
                    let end = overwrite(&mut disk, &mut model, &mut random, 60);
                    assert!(end.is_ok(), "{what}: {end:?}");
                    tally(&mut disk, &model, Legal::CurrentOrRefused, &what);
                }
            }
        }
    });
}

#[test]
fn stale_and_wrong_reads_are_never_returned_as_data() {
    within(200, "wrong reads", || {
        for chip in CHIPS {
            let (rig, model) = full(chip, 41, Budget::Minimum);
            let other = programmed_pages(&rig.nand)[7];
            assert!(block_number(&rig.nand, other.block) < rig.nand.geometry().blocks());
            for fault in [Fault::StaleRead, Fault::WrongPageRead(other), Fault::Uncorrectable] {
                let mut rig = rig.clone();
                let mut model = model.clone();
                let mut disk = rig.mount().expect("a volume");
                disk.volume_mut().nand_mut().faults().every(Trigger::OneIn(20), fault);
                let what = format!("{chip}, one read in 20 is a {fault:?}");
                tally(&mut disk, &model, Legal::CurrentOrRefused, &what);
                let mut random = SplitMix64::new(41);
                overwrite(&mut disk, &mut model, &mut random, 300)
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                tally(&mut disk, &model, Legal::CurrentOrRefused, &what);
            }
        }
    });
}
