//! A short workload is cut at every program and erase, in every phase and with every kind of tear, and recovered.
//!
//! The workload begins on a disk in the middle of its life and makes everything happen that changes flash: writes, trims, flushes, batches
//! committed and given up, grooming, merges, checkpoints, segments that open, and the unmount.
//!
//! A case that fails prints the line that replays it: `CUESTA_CUT=seed:index:tear` and the name of the test.

use cuesta::volume::Budget;
use cuesta_sim::SplitMix64;
use cuesta_tests::aftermath::{holds, Replay};
use cuesta_tests::aged::{session, Aged, Making};
use cuesta_tests::driver::PowerLost;
use cuesta_tests::tear::{OF_ERASE, OF_PROGRAM};

/// Programs and erases that were started before a cut.
type Started = (u64, u64);

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
fn cut_everywhere(test: &str, making: Making, seeds: std::ops::Range<u64>) {
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
    let mut done = 0;
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
            for tear in 1..tears {
                case(&aged, seed, index, tear);
            }
            done += tears;
        }
    }
    eprintln!("{test}: {done} cuts recovered from");
}

macro_rules! everywhere {
    ($($name:ident: $making:expr, $seeds:expr;)*) => {$(
        #[test]
        fn $name() {
            cut_everywhere(stringify!($name), $making, $seeds);
        }
    )*};
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
    one_die_with_little_memory: Making::of("tiny", Budget::Minimum), 0..3;
    one_die_with_a_full_index: Making::of("tiny", Budget::Full), 3..5;
    two_dies_with_little_memory: several("tiny2", 18, 3, Budget::Minimum), 0..2;
    two_dies_with_a_full_index: several("tiny2", 18, 1, Budget::Full), 2..3;
    four_dies_with_little_memory: several("tiny4", 9, 4, Budget::Minimum), 0..2;
    four_dies_with_a_full_index: several("tiny4", 9, 5, Budget::Full), 3..4;
    segments_two_blocks_wide: wide(2, 14, Budget::Minimum), 0..2;
    segments_four_blocks_wide: wide(4, 24, Budget::Minimum), 0..1;
    segments_four_blocks_wide_with_a_full_index: wide(4, 24, Budget::Full), 1..2;
    several_sectors_a_page_with_little_memory: several("tiny-multi", 10, 5, Budget::Minimum), 0..2;
    several_sectors_a_page_with_a_full_index: several("tiny-multi", 10, 5, Budget::Full), 3..4;
}
