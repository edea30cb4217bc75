//! Pages fade: by reads of their block, by years, by wear. They are written anew while they can still be read, whatever they hold; nothing is retired for it,
//! and nothing is written anew for ever.

use std::collections::BTreeSet;

use cuesta::volume::{Budget, Care, Error, MountError, State};
use cuesta_hal::{BlockAddress, Geometry, Nand, NandErrorKind, PageAddress};
use cuesta_sim::campaign::aged::Making;
use cuesta_sim::campaign::damage::{block_of, programmed_pages};
use cuesta_sim::campaign::model::Model;
use cuesta_sim::campaign::oracle::{self, expect_current, tally, within, Legal, Reading};
use cuesta_sim::campaign::rig::{Rig, RigDisk};
use cuesta_sim::campaign::verdict;
use cuesta_sim::{chip, AgingModel, Arrhenius, CutPlan, EmulatedNand, SplitMix64};
use cuesta_tests::full::{fill_up, full};

/// Reads of a block that the part of these tests stands.
const READS: u32 = 8000;
/// Bits of a codeword: 512 bytes and the parity of four bits.
const CODEWORD_BITS: f64 = 4148.0;

/// Nothing flips bits but reads and days. A block has half a wrong bit in a codeword after as many reads as it stands, or after a year: one codeword in seventy
/// then has three, one in six thousand the five that are beyond repair.
const FADING: AgingModel = AgingModel {
    fresh: 1e-12,
    worn: 1e-12,
    retention_per_day: 0.5 / CODEWORD_BITS / 365.0,
    disturb_per_read: 0.5 / CODEWORD_BITS / READS as f64,
    spread: 1.0,
    noise: 0.1,
    life: (10.0, 10.0),
};

/// A full disk on a part at its rated wear, not mounted.
fn worn(name: &str, seed: u64, budget: Budget) -> (Rig, Model) {
    let geometry = Geometry {
        reads_per_block_max: READS,
        ..chip(name).expect("a chip of the table").geometry
    };
    let mut rig = Rig::aging(name, geometry, FADING, seed, budget);
    for number in 0..geometry.blocks() {
        let block = block_of(&rig.nand, number);
        rig.nand
            .preset_erase_count(block, geometry.endurance_cycles)
            .expect("memory");
    }
    let model = fill_up(&mut rig, seed);
    (rig, model)
}

/// Reads sectors in turn, again and again, without any idle time. False once one cannot be read.
fn hammer(disk: &mut RigDisk<'_>, model: &Model, sectors: &[u32], reads: u32) -> bool {
    (0..reads)
        .zip(sectors.iter().cycle())
        .all(|(_, &sector)| oracle::read(disk, model, sector, "hammered") == Reading::Current)
}

/// How many sectors are lost when a few are read ten times as often as a block stands.
fn lost_to_reads(seed: u64, budget: Budget, care: Option<Care>) -> u32 {
    let (mut rig, model) = worn("tiny", seed, budget);
    let geometry = *rig.nand.geometry();
    let mut disk = rig.mount().expect("a volume");
    if let Some(care) = care {
        disk.volume_mut().set_care(care);
    }
    // Two, on map pages of their own where there are several: one frame does not hold both.
    let sectors = [0, disk.volume().capacity() - 1];
    let read = hammer(&mut disk, &model, &sectors, 20 * READS);
    let stats = *disk.volume().stats();
    let lost = tally(&mut disk, &model, Legal::CurrentOrRefused, "afterwards").refused;
    if care.is_none() {
        assert!(read, "seed {seed}: a sector that is read again and again");
        assert!(stats.refreshed > 0, "seed {seed}: nothing was refreshed");
        assert_eq!(disk.volume().info().bad_blocks, 0, "seed {seed}");
        assert_eq!(stats.retired, 0, "seed {seed}");
        // At most one in ten of the reads is a look, and blocks are erased a few times as often as they stand reads.
        assert!(stats.patrol_reads * 10 < 20 * READS, "{stats:?}");
        assert!(stats.erases < geometry.blocks() * 4, "{stats:?}");
        verdict::agrees(&mut disk, &model, "after all");
    }
    lost
}

#[test]
fn m31_sectors_that_are_read_for_ever_harm_nothing_around_them() {
    within(300, "reads", || {
        for seed in 0..6 {
            for budget in [Budget::Full, Budget::Minimum] {
                let lost = lost_to_reads(seed, budget, None);
                assert_eq!(lost, 0, "seed {seed}, {budget:?}");
            }
        }
    });
}

#[test]
fn without_refresh_such_reads_lose_what_is_around_them() {
    within(300, "reads", || {
        for budget in [Budget::Full, Budget::Minimum] {
            let lost: u32 = (0..3)
                .map(|seed| lost_to_reads(seed, budget, Some(Care::NONE)))
                .sum();
            assert!(lost > 5, "{budget:?}: {lost} sectors lost");
        }
    });
}

/// A disk lies for ten years; every month it is asked for nothing but to use its time. How many sectors are lost, or whether it cannot be mounted.
fn ten_years(name: &str, seed: u64, care: Option<Care>, remount: bool) -> Result<u32, MountError> {
    let (mut rig, model) = worn(name, seed, Budget::Minimum);
    let turns = if remount { 120 } else { 1 };
    let months = 120 / turns;
    let mut refreshed = 0;
    for _ in 0..turns {
        let mut disk = rig.mount()?;
        assert!(!disk.volume().info().scanned, "the anchors were lost");
        if let Some(care) = care {
            disk.volume_mut().set_care(care);
        }
        for _ in 0..months {
            disk.volume_mut()
                .nand_mut()
                .store(30.4, 40.0, &Arrhenius::AT_40);
            disk.volume_mut().time_passed();
            while disk.idle(0, 10_000).expect("a sound part") {}
        }
        let stats = *disk.volume().stats();
        refreshed += stats.refreshed;
        let all = erases_max(&disk) * 120;
        assert!(stats.erases <= all, "{stats:?}");
        assert_eq!(disk.volume().info().bad_blocks, 0);
        disk.unmount().map_err(|(_, error)| error).expect("an end");
    }
    let mut disk = rig.mount()?;
    if care.is_none() {
        assert!(refreshed > 40, "{refreshed} segments in ten years");
    }
    Ok(tally(
        &mut disk,
        &model,
        Legal::CurrentOrRefused,
        "ten years later",
    )
    .refused)
}

/// Blocks that one round may erase: each once, and those of anchors.
fn erases_max(disk: &RigDisk<'_>) -> u32 {
    2 * disk.volume().nand().geometry().blocks()
}

#[test]
fn m31_a_disk_that_may_use_its_time_keeps_everything_for_ten_years() {
    within(300, "years", || {
        for (seed, name) in (0..).zip(["tiny", "tiny2", "tiny4"]) {
            assert_eq!(ten_years(name, seed, None, false), Ok(0), "{name}");
        }
        assert_eq!(ten_years("tiny", 7, None, true), Ok(0), "mounted each time");
    });
}

#[test]
fn a_disk_that_does_not_refresh_has_forgotten_by_then() {
    within(300, "years", || {
        let lost = ten_years("tiny", 0, Some(Care::NONE), false);
        // Its map may be gone, or the whole volume.
        assert!(lost.as_ref().map_or(true, |&lost| lost > 20), "{lost:?}");
    });
}

/// Pages that hold something, of segments in a state.
fn pages_in(disk: &RigDisk<'_>, state: State) -> Vec<PageAddress> {
    let shape = *disk.volume().shape();
    let segment = |page: &PageAddress| shape.segment_of(page.block).0;
    programmed_pages(disk.volume().nand())
        .into_iter()
        .filter(|page| {
            let info = disk.volume().segment_info(segment(page));
            info.is_some_and(|info| info.state == state)
        })
        .collect()
}

/// Three quarters of the bits that its code repairs flip in a payload of each page that is not sector data, three of four in all others, until their block is erased.
fn age(disk: &mut RigDisk<'_>, pages: &[PageAddress]) {
    let shape = *disk.volume().shape();
    let metadata = shape.layout.strength();
    for (seed, &page) in (0..).zip(pages) {
        let segment = disk.volume().segment_info(shape.segment_of(page.block).0);
        let bits = match segment.expect("a segment").holds_data() {
            true => 3,
            false => (metadata * 3).div_ceil(4),
        };
        let nand = disk.volume_mut().nand_mut();
        nand.flip_bits(page, 0..512, bits, seed);
    }
}

/// Idle time, as if much time had passed, until there is nothing more to do.
fn rest(disk: &mut RigDisk<'_>) {
    disk.volume_mut().time_passed();
    for _ in 0..1000 {
        if !disk.idle(0, 1000).expect("a sound part") {
            return;
        }
    }
    panic!("no end: {}", verdict::describe(disk.volume()));
}

#[test]
fn whatever_kind_of_page_fades_is_written_anew_once() {
    within(200, "kinds of pages", || {
        for name in ["tiny", "tiny2", "tiny4", "tiny-multi"] {
            for state in [State::Journal, State::Reserved, State::Closed, State::Open] {
                for begun in [false, true] {
                    let what = format!("{name}, {state:?}, session begun: {begun}");
                    let (mut rig, mut model) = full(name, 3, Budget::Minimum);
                    let mut disk = rig.mount().expect("a volume");
                    if begun {
                        for sector in 0..10 {
                            oracle::write(&mut disk, &mut model, sector).expect("room");
                        }
                    }
                    rest(&mut disk);
                    let before = *disk.volume().stats();
                    let pages = pages_in(&disk, state);
                    if pages.is_empty() {
                        continue;
                    }
                    let checkpoint = disk.volume().info().checkpoint;
                    age(&mut disk, &pages);
                    rest(&mut disk);
                    let after = *disk.volume().stats();
                    assert!(after.refreshed > before.refreshed, "{what}");
                    if state == State::Reserved {
                        assert!(disk.volume().info().checkpoint > checkpoint, "{what}");
                    }
                    rest(&mut disk);
                    let later = *disk.volume().stats();
                    assert_eq!(
                        later.refreshed,
                        after.refreshed,
                        "{what}: something was left\n{}",
                        verdict::describe(disk.volume())
                    );
                    assert_eq!(disk.volume().info().bad_blocks, 0, "{what}");
                    verdict::agrees(&mut disk, &model, &what);
                    verdict::verifies(&mut disk, &what);
                }
            }
        }
    });
}

#[test]
fn what_the_part_has_repaired_itself_is_written_anew() {
    within(100, "own correction", || {
        let mut rig = Making {
            blocks_per_die: Some(40),
            ..Making::of("tiny", Budget::Minimum).with_chip_ecc()
        }
        .make(5);
        let model = fill_up(&mut rig, 5);
        let mut disk = rig.mount().expect("a volume");
        rest(&mut disk);
        assert_eq!(disk.volume().stats().refreshed, 0);
        let pages = pages_in(&disk, State::Closed);
        let page = pages[pages.len() / 2];
        // It repairs one bit and tells; our own check sees nothing.
        disk.volume_mut().nand_mut().flip_bits(page, 100..101, 1, 1);
        rest(&mut disk);
        assert_eq!(disk.volume().stats().refreshed, 1);
        assert!(!programmed_pages(disk.volume().nand()).is_empty());
        let segment = disk.volume().shape().segment_of(page.block).0;
        let now = disk.volume().segment_info(segment).expect("a segment");
        assert_eq!(now.state, State::Free);
        verdict::agrees(&mut disk, &model, "refreshed");
    });
}

/// Three bits of every page are stuck, whatever is written there.
fn stick(nand: &mut EmulatedNand) {
    let geometry = *nand.geometry();
    for number in 0..geometry.blocks() {
        let block: BlockAddress = block_of(nand, number);
        for row in 0..geometry.pages_per_block {
            for bit in [100, 1200, 3000] {
                nand.faults().flip(block.page(row), bit);
            }
        }
    }
}

#[test]
fn a_part_full_of_stuck_bits_is_not_worn_out_by_refreshing() {
    within(200, "stuck bits", || {
        for name in ["tiny", "tiny4"] {
            let (mut rig, mut model) = full(name, 9, Budget::Minimum);
            stick(&mut rig.nand);
            let blocks = rig.nand.geometry().blocks();
            let mut disk = rig.mount().expect("a volume");
            oracle::write(&mut disk, &mut model, 0).expect("room");
            for round in 0..5 {
                let before = disk.volume().nand().counters().erases;
                rest(&mut disk);
                let erased = disk.volume().nand().counters().erases - before;
                assert!(
                    erased <= u64::from(blocks) + 12,
                    "{name}, round {round}: {erased} erases of {blocks} blocks"
                );
            }
            // Reads alone begin few rounds: one for so many looks as a block has pages, twice.
            let care = disk.volume().care();
            let rows = u32::from(disk.volume().nand().geometry().pages_per_block);
            let before = disk.volume().nand().counters();
            let mut random = SplitMix64::new(1);
            for _ in 0..40_000 {
                let sector = random.below(u64::from(disk.volume().capacity())) as u32;
                assert_eq!(
                    oracle::read(&mut disk, &model, sector, name),
                    Reading::Current
                );
            }
            let did = disk.volume().nand().counters().since(&before);
            let rounds = did.reads / (u64::from(care.reads_per_look) * 2 * u64::from(rows)) + 2;
            assert!(
                did.erases <= rounds * u64::from(blocks + 12),
                "{name}: {} erases in {rounds} rounds",
                did.erases
            );
            let info = disk.volume().info();
            assert_eq!((info.bad_blocks, info.read_only), (0, false), "{name}");
            verdict::agrees(&mut disk, &model, name);
        }
    });
}

/// Mounts and lets the disk use its time; false when the power went.
fn refresh(rig: &mut Rig) -> bool {
    let lost = |error| match error {
        Error::Nand(NandErrorKind::PowerLost) => false,
        error => panic!("{error}"),
    };
    let mut disk = match rig.mount() {
        Ok(disk) => disk,
        Err(MountError::Nand(NandErrorKind::PowerLost)) => return false,
        Err(error) => panic!("{error}"),
    };
    for _ in 0..1000 {
        match disk.idle(0, 1000) {
            Ok(true) => {}
            Ok(false) => return true,
            Err(error) => return lost(error),
        }
    }
    panic!("no end: {}", verdict::describe(disk.volume()));
}

#[test]
fn a_refresh_may_be_cut_at_every_operation() {
    within(300, "cut refreshes", || {
        for (seed, name) in (0..).zip(["tiny", "tiny4"]) {
            let (mut rig, model) = full(name, seed, Budget::Minimum);
            let mut disk = rig.mount().expect("a volume");
            let geometry = *disk.volume().nand().geometry();
            let mut pages = pages_in(&disk, State::Journal);
            pages.extend(pages_in(&disk, State::Reserved));
            // Of every third block with data.
            let data = pages_in(&disk, State::Closed);
            pages.extend(data.iter().filter(|page| page.block.block.0 % 3 == 1));
            age(&mut disk, &pages);
            drop(disk);
            let changing = {
                let mut dry = rig.clone();
                let before = dry.nand.counters();
                assert!(refresh(&mut dry));
                let did = dry.nand.counters().since(&before);
                did.programs + did.erases
            };
            assert!(changing > 40, "{changing} operations of {geometry:?}");
            for index in 0..changing {
                let what = format!("{name}, cut at {index} of {changing}");
                let mut rig = rig.clone();
                rig.nand.plan_cut(CutPlan::during(index, index + seed));
                assert!(!refresh(&mut rig), "{what}");
                rig.nand.power_cycle();
                let mut disk = rig
                    .mount()
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                expect_current(&mut disk, &model, &what);
                rest(&mut disk);
                verdict::agrees(&mut disk, &model, &what);
                verdict::verifies(&mut disk, &what);
                assert_eq!(disk.volume().info().bad_blocks, 0, "{what}");
            }
        }
    });
}

#[test]
fn writes_alone_bring_the_walk_round() {
    within(100, "writes", || {
        let (mut rig, mut model) = full("tiny", 4, Budget::Full);
        let mut disk = rig.mount().expect("a volume");
        oracle::write(&mut disk, &mut model, 0).expect("room");
        let care = disk.volume().care();
        disk.volume_mut().set_care(Care {
            writes_per_look: 4,
            ..care
        });
        // Sectors that are not written, in segments that lie still.
        let pages = pages_in(&disk, State::Closed);
        age(&mut disk, &pages);
        let aged: BTreeSet<PageAddress> = pages.into_iter().collect();
        let mut random = SplitMix64::new(3);
        for _ in 0..6000 {
            let sector = random.below(10) as u32;
            oracle::write(&mut disk, &mut model, sector).expect("room");
        }
        let stats = *disk.volume().stats();
        assert!(
            stats.refreshed > 3 && stats.patrol_reads > 1000,
            "{stats:?}"
        );
        assert!(stats.patrol_reads * 4 <= stats.host_writes + 4, "{stats:?}");
        // None of them holds what it held: its block was erased since, or is to be.
        let before = stats.refreshed;
        rest(&mut disk);
        let left = pages_in(&disk, State::Closed)
            .into_iter()
            .filter(|page| aged.contains(page))
            .count();
        let after = disk.volume().stats().refreshed;
        assert_eq!(after, before, "{left} pages of blocks that were aged");
        verdict::agrees(&mut disk, &model, "written");
    });
}
