//! A short workload is cut at every program and erase, in every phase and with every kind of tear, and recovered.
//!
//! The workload begins on a disk in the middle of its life and makes everything happen that changes flash: writes, trims, flushes, batches
//! committed and given up, grooming, merges, checkpoints, segments that open, and the unmount.
//!
//! All tests together recover from 20 000 cuts that differ in workload, operation, phase or tear; what they come to is printed.
//!
//! A case that fails prints the line that replays it: `CUESTA_CUT=seed:index:tear` and the name of the test.

use std::collections::HashSet;
use std::io::Write;
use std::sync::{LazyLock, Mutex};

use cuesta::volume::Budget;
use cuesta_sim::campaign::aftermath::{holds, Replay};
use cuesta_sim::campaign::aged::{Aged, Making};
use cuesta_sim::campaign::driver::PowerLost;
use cuesta_sim::campaign::session::session;
use cuesta_sim::campaign::tear::{OF_ERASE, OF_PROGRAM};
use cuesta_sim::{CutPhase, SplitMix64, TornErase, TornProgram};

/// Cuts that must be recovered from, all tests together.
const DISTINCT_MIN: usize = 20_000;

/// Programs and erases that were started before a cut.
type Started = (u64, u64);

/// What a cut left of the operation that it hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Torn {
    /// All or nothing.
    No,
    Program(TornProgram),
    Erase(TornErase),
}

/// What tells a cut from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Cut {
    /// The disk and its workload: the test and its seed.
    test: &'static str,
    seed: u64,
    /// The operation.
    index: u64,
    phase: CutPhase,
    torn: Torn,
}

impl Cut {
    fn new(test: &'static str, seed: u64, index: u64, tear: usize, erase: bool) -> Self {
        let tear = OF_PROGRAM[tear];
        let torn = match tear.phase {
            CutPhase::During if erase => Torn::Erase(tear.erase),
            CutPhase::During => Torn::Program(tear.program),
            CutPhase::Before | CutPhase::After => Torn::No,
        };
        Self {
            test,
            seed,
            index,
            phase: tear.phase,
            torn,
        }
    }
}

/// What the tests of this file have done.
#[derive(Debug, Default)]
struct Done {
    /// Tests that ended.
    tests: usize,
    /// Cuts that were recovered from, and the disk checked.
    cuts: HashSet<Cut>,
}

static DONE: LazyLock<Mutex<Done>> = LazyLock::new(Mutex::default);

/// A test has ended well. The last one sees to it that there were enough cuts, if all have run.
fn ended(cuts: HashSet<Cut>) {
    let mut done = DONE.lock().expect("no test fails in here");
    done.tests += 1;
    done.cuts.extend(cuts);
    if done.tests == TESTS {
        let count = done.cuts.len();
        // Past the test harness, which shows what a test printed only if it fails.
        let line = format!("{count} distinct cuts recovered from\n");
        std::io::stderr()
            .write_all(line.as_bytes())
            .expect("a line");
        assert!(count >= DISTINCT_MIN, "no more than {count} distinct cuts");
    }
}

/// Cuts the workload of an aged disk once, and checks. What was started before.
fn cut(aged: &Aged, making: &Making, seed: u64, index: u64, tear: usize) -> Started {
    let mut rig = aged.rig.clone();
    let mut model = aged.model.clone();
    let mut random = SplitMix64::derive(seed, index << 8 | tear as u64);
    let before = rig.nand.counters();
    rig.nand.plan_cut(OF_PROGRAM[tear].at(index, random.next()));
    let lived = session(&mut rig, &mut model, making.depth, &aged.short);
    assert_eq!(lived, Err(PowerLost), "the workload is shorter than it was");
    let started = rig.nand.counters().since(&before);
    holds(&mut rig, &mut model, making, &mut random);
    (started.programs, started.erases)
}

/// The one case asked for, if the environment names one.
fn asked() -> Option<(u64, u64, usize)> {
    let text = std::env::var("CUESTA_CUT").ok()?;
    let mut numbers = text.split(':').map(|number| {
        number
            .parse()
            .expect("CUESTA_CUT=seed:index:tear, three numbers")
    });
    let mut next = || numbers.next().expect("CUESTA_CUT=seed:index:tear");
    Some((next(), next(), next() as usize))
}

/// Cuts everywhere, in every way.
fn cut_everywhere(test: &'static str, making: Making, seeds: std::ops::Range<u64>) {
    let case = |aged: &Aged, seed, index, tear: usize| {
        let _replay = Replay(format!(
            "CUESTA_CUT={seed}:{index}:{tear} cargo test -p cuesta-tests --test cuts {test}   # {making:?} {:?}",
            OF_PROGRAM[tear]
        ));
        cut(aged, &making, seed, index, tear)
    };
    if let Some((seed, index, tear)) = asked() {
        case(&Aged::new(&making, seed), seed, index, tear);
        return;
    }
    let mut cuts = HashSet::new();
    for seed in seeds {
        let aged = Aged::new(&making, seed);
        // What was started before each operation tells what the operation is.
        let started: Vec<Started> = (0..aged.changing)
            .map(|index| case(&aged, seed, index, 0))
            .collect();
        for index in 0..aged.changing {
            let now = started[index as usize];
            let erase = started
                .get(index as usize + 1)
                .is_some_and(|next| next.1 > now.1);
            let tears = if erase { OF_ERASE } else { OF_PROGRAM.len() };
            for tear in 0..tears {
                if tear > 0 {
                    case(&aged, seed, index, tear);
                }
                cuts.insert(Cut::new(test, seed, index, tear, erase));
            }
        }
    }
    eprintln!("{test}: {} distinct cuts recovered from", cuts.len());
    ended(cuts);
}

macro_rules! everywhere {
    ($($name:ident: $making:expr, $seeds:expr;)*) => {
        const TESTS: usize = [$(stringify!($name)),*].len();
        $(
        #[test]
        fn $name() {
            cut_everywhere(stringify!($name), $making, $seeds);
        }
        )*
    };
}

/// As many blocks as make reading everything quick.
const fn several(chip: &'static str, blocks: u32, depth: usize, budget: Budget) -> Making {
    Making {
        blocks_per_die: Some(blocks),
        depth,
        ..Making::of(chip, budget)
    }
}

const fn wide(width: u16, blocks: u32, budget: Budget) -> Making {
    Making {
        width: Some(width),
        ..several("tiny4", blocks, 4, budget)
    }
}

everywhere! {
    one_die_with_little_memory: Making::of("tiny", Budget::Minimum), 0..2;
    one_die_with_a_full_index: Making::of("tiny", Budget::Full), 3..5;
    two_dies_with_little_memory: several("tiny2", 18, 3, Budget::Minimum), 0..2;
    two_dies_with_a_full_index: several("tiny2", 18, 1, Budget::Full), 2..3;
    four_dies_with_little_memory: several("tiny4", 9, 4, Budget::Minimum), 0..1;
    four_dies_with_a_full_index: several("tiny4", 9, 5, Budget::Full), 3..4;
    segments_two_blocks_wide: wide(2, 14, Budget::Minimum), 0..2;
    segments_four_blocks_wide: wide(4, 24, Budget::Minimum), 0..1;
    segments_four_blocks_wide_with_a_full_index: wide(4, 24, Budget::Full), 1..2;
    several_sectors_a_page_with_little_memory: several("tiny-multi", 10, 5, Budget::Minimum), 0..2;
    several_sectors_a_page_with_a_full_index: several("tiny-multi", 10, 5, Budget::Full), 3..4;
    mirrored_blocks_of_one_die: ONE_DIE_MIRRORED, 0..1;
    mirrored_dies_beside_single_ones: TWO_DIES_MIRRORED, 1..2;
    three_copies_on_four_dies: FOUR_DIES_MIRRORED, 2..3;
    several_sectors_a_page_of_several_levels: MULTI_MIRRORED, 1..2;
    parity_over_three_of_four_dies: FOUR_DIES_PARITY, 0..1;
    parity_over_pages_of_several_sectors: MULTI_PARITY, 1..2;
    a_part_with_its_own_ecc: Making::of("tiny", Budget::Minimum).with_chip_ecc(), 0..1;
}

/// Small blocks, or a short workload would empty none.
const ONE_DIE_MIRRORED: Making = Making {
    pages_per_block: Some(8),
    ..Making::of("tiny", Budget::Minimum).with_levels(88, &["a", "b=mirror=2"])
};
const TWO_DIES_MIRRORED: Making = Making {
    pages_per_block: Some(8),
    depth: 3,
    ..Making::of("tiny2", Budget::Full).with_levels(48, &["a=secded", "b=mirror=2"])
};
const FOUR_DIES_PARITY: Making = Making {
    pages_per_block: Some(8),
    depth: 4,
    ..Making::of("tiny4", Budget::Minimum).with_levels(40, &["a=parity=3", "b=crc"])
};
const MULTI_PARITY: Making = Making {
    page_bytes: Some(8192),
    pages_per_block: Some(8),
    depth: 7,
    ..Making::of("tiny-multi", Budget::Full).with_levels(28, &["a=parity=2"])
};
const FOUR_DIES_MIRRORED: Making = Making {
    pages_per_block: Some(8),
    depth: 4,
    ..Making::of("tiny4", Budget::Minimum).with_levels(40, &["a=mirror=3", "b=crc"])
};
const MULTI_MIRRORED: Making = Making {
    depth: 5,
    page_bytes: Some(8192),
    ..Making::of("tiny-multi", Budget::Full).with_levels(20, &["a=bch8", "b=mirror=2"])
};
