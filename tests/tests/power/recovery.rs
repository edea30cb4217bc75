//! The power is cut while a disk recovers from a cut: once more at every operation, and ten thousand times in a row.

use cuesta::volume::{Budget, MountError, State};
use cuesta_hal::NandErrorKind;
use cuesta_sim::campaign::aftermath::{holds, Replay};
use cuesta_sim::campaign::aged::{Aged, Making};
use cuesta_sim::campaign::change::{mixture, Change};
use cuesta_sim::campaign::driver::{Driver, PowerLost};
use cuesta_sim::campaign::model::Model;
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::campaign::session::session;
use cuesta_sim::campaign::tear::{OF_ERASE, OF_PROGRAM};
use cuesta_sim::campaign::verdict;
use cuesta_sim::{CutPhase, CutPlan, SplitMix64, TornErase, TornProgram};

/// First cuts of a workload after which recovery is cut again.
const FIRST_CUTS: u64 = 24;
/// Power sessions in a row that end with a cut.
const SESSIONS: u32 = 10_000;
/// Sessions after which everything is checked, on a copy.
const CHECKED_EVERY: u32 = 20;
/// Sessions after which the model is told what there is.
const SETTLED_EVERY: u32 = 500;
/// Free segments that there must be after any recovery: what hosts may not open.
const FREE_MIN: u32 = 5;
/// Operations of a recovery at which a row of sessions ends again and again: more than it has on this disk.
const OPERATIONS: u64 = 40;

/// A session that recovers, because something is written, and goes on for as long as it has power.
fn begin(rig: &mut Rig, model: &mut Model, depth: usize, changes: &[Change]) -> bool {
    let mut disk = match rig.mount() {
        Ok(disk) => disk,
        Err(MountError::Nand(NandErrorKind::PowerLost)) => return false,
        Err(error) => panic!("mount: {error}"),
    };
    let done = Driver::new(disk.volume_mut(), model, depth).run(changes);
    done.is_ok()
}

/// Programs and erases of a session with one write: recovery, and the write.
fn recovery_length(rig: &Rig, model: &Model, depth: usize) -> u64 {
    let mut rig = rig.clone();
    let before = rig.nand.counters();
    assert!(begin(
        &mut rig,
        &mut model.clone(),
        depth,
        &[Change::Write(0)]
    ));
    let done = rig.nand.counters().since(&before);
    done.programs + done.erases
}

/// Cuts a workload at some places, and the recovery from each at every place.
fn cut_again_everywhere(test: &str, making: Making, seed: u64) {
    let aged = Aged::new(&making, seed);
    let mut done = 0;
    for first in 0..FIRST_CUTS {
        let index = first * aged.changing / FIRST_CUTS;
        let tear = first as usize % OF_PROGRAM.len();
        let mut random = SplitMix64::derive(seed, first);
        let mut rig = aged.rig.clone();
        let mut model = aged.model.clone();
        rig.nand.plan_cut(OF_PROGRAM[tear].at(index, random.next()));
        let lived = session(&mut rig, &mut model, making.depth, &aged.short);
        assert_eq!(lived, Err(PowerLost), "the workload is shorter than it was");
        rig.nand.power_cycle();
        model.power_cycled();
        if first % 2 == 0 {
            // What has been seen once must not change, whatever happens to the recovery.
            let mut disk = rig.mount().expect("a mount");
            verdict::settles(&mut disk, &mut model, "after the first cut");
        }
        for second in 0..recovery_length(&rig, &model, making.depth) {
            let tear = (first + second) as usize % OF_ERASE;
            let tear = if random.chance(1, 2) {
                tear
            } else {
                OF_PROGRAM.len() - 1 - tear
            };
            let _replay = Replay(format!(
                "cargo test -p cuesta-tests --test power recovery::{test}   # {making:?} seed {seed}, \
                 first cut {first} at {index}, second at {second}, {:?}",
                OF_PROGRAM[tear]
            ));
            let mut rig = rig.clone();
            let mut model = model.clone();
            let plan = OF_PROGRAM[tear].at(second, random.next());
            rig.nand.plan_cut(plan);
            let write = [Change::Write(
                random.below(u64::from(rig.parameters.capacity)) as u32,
            )];
            begin(&mut rig, &mut model, making.depth, &write);
            holds(&mut rig, &mut model, &making, &mut random);
            done += 1;
        }
    }
    eprintln!("{test}: {done} cuts during recovery recovered from");
}

macro_rules! again {
    ($($name:ident: $making:expr, $seed:expr;)*) => {$(
        #[test]
        fn $name() {
            cut_again_everywhere(stringify!($name), $making, $seed);
        }
    )*};
}

again! {
    recovery_is_cut_everywhere_on_one_die: Making::of("tiny", Budget::Minimum), 0;
    recovery_is_cut_everywhere_on_one_die_with_a_full_index: Making::of("tiny", Budget::Full), 1;
    recovery_is_cut_everywhere_on_two_dies: Making {
        depth: 3, blocks_per_die: Some(16), ..Making::of("tiny2", Budget::Minimum)
    }, 2;
    recovery_is_cut_everywhere_on_wide_segments: Making {
        depth: 4, width: Some(2), ..Making::of("tiny4", Budget::Minimum)
    }, 3;
    recovery_is_cut_everywhere_with_several_sectors_a_page: Making {
        depth: 5, blocks_per_die: Some(8), ..Making::of("tiny-multi", Budget::Minimum)
    }, 4;
    recovery_is_cut_everywhere_with_copies_on_one_die: Making {
        pages_per_block: Some(8),
        ..Making::of("tiny", Budget::Full).with_levels(88, &["a", "b=mirror=2"])
    }, 5;
    recovery_is_cut_everywhere_with_copies_on_four_dies: Making {
        pages_per_block: Some(8),
        depth: 3,
        ..Making::of("tiny4", Budget::Minimum).with_levels(40, &["a=mirror=3", "b=mirror=2"])
    }, 10;
    recovery_is_cut_everywhere_with_parity: Making {
        pages_per_block: Some(8),
        depth: 3,
        ..Making::of("tiny4", Budget::Minimum).with_levels(40, &["a=parity=3"])
    }, 7;
    recovery_is_cut_everywhere_on_a_part_with_its_own_ecc: Making::of("tiny", Budget::Minimum).with_chip_ecc(), 8;
}

/// What a long row of cuts has left.
#[derive(Debug)]
struct Left {
    /// Fewest free segments right after a recovery.
    free_min: u32,
    /// Erases of the most worn segment of the log beyond their mean, as the volume counts them, for each session.
    segment_wear: f64,
    /// Erases of the most worn block for each session. In long rows it is one of the anchors, of which every session erases some.
    block_wear: f64,
}

/// The disk after a row of cuts, judged from outside and by itself.
fn judge(rig: &mut Rig, model: &mut Model, making: &Making, sessions: u32) -> Left {
    let mut random = SplitMix64::new(1);
    let worn = f64::from(rig.nand.wear().max);
    holds(rig, model, making, &mut random);
    rig.nand.power_cycle();
    model.power_cycled();
    let mut disk = rig.mount().expect("a mount");
    Driver::new(disk.volume_mut(), model, making.depth)
        .run(&[Change::Write(0)])
        .expect("power");
    let info = disk.volume().info();
    let erases: Vec<f64> = (0..info.segments)
        .filter_map(|index| disk.volume().segment_info(index))
        .filter(|segment| segment.state != State::Reserved)
        .map(|segment| f64::from(segment.erases))
        .collect();
    let mean = erases.iter().sum::<f64>() / erases.len() as f64;
    Left {
        free_min: info.free,
        segment_wear: (f64::from(info.wear_max) - mean) / f64::from(sessions),
        block_wear: worn / f64::from(sessions),
    }
}

/// Where the sessions of a row end.
#[derive(Debug, Clone, Copy)]
enum End {
    /// At an operation from the first on, drawn below this.
    Within(u64),
    /// At this operation.
    At(u64),
    /// At an operation after the first write has been acknowledged, drawn below this.
    AfterWrite(u64),
}

/// The disk that is cut ten thousand times.
const MAKING: Making = Making::of("tiny", Budget::Minimum);

/// Ends session after session with a cut.
fn cut_in_a_row(test: &str, aged: &Aged, sessions: u32, end: End) -> Left {
    let making = MAKING;
    let (mut rig, mut model) = (aged.rig.clone(), aged.model.clone());
    let mut random = SplitMix64::new(10);
    let mut free_min = u32::MAX;
    let capacity = rig.parameters.capacity;
    for count in 0..sessions {
        let _replay = Replay(format!(
            "cargo test -p cuesta-tests --test power recovery::{test}   # {end:?}, session {count}"
        ));
        model.moment(format!("session {count}"));
        rig.nand.power_cycle();
        model.power_cycled();
        let write = Change::Write(random.below(u64::from(capacity)) as u32);
        let seed = random.next();
        match end {
            End::Within(limit) => {
                let plan = CutPlan::during(random.below(limit), seed);
                rig.nand.plan_cut(plan);
                begin(&mut rig, &mut model, making.depth, &[write]);
            }
            End::At(index) => {
                rig.nand.plan_cut(CutPlan::during(index, seed));
                begin(&mut rig, &mut model, making.depth, &[write]);
            }
            End::AfterWrite(limit) => {
                let changes = mixture(&mut random, capacity, 24);
                let mut disk = rig.mount().expect("a mount");
                Driver::new(disk.volume_mut(), &mut model, making.depth)
                    .run(&[write])
                    .expect("power");
                free_min = free_min.min(disk.volume().info().free);
                let plan = CutPlan::during(random.below(limit), seed);
                disk.volume_mut().nand_mut().plan_cut(plan);
                let lived = Driver::new(disk.volume_mut(), &mut model, making.depth).run(&changes);
                assert_eq!(lived, Err(PowerLost), "the cut was to come");
            }
        }
        rig.nand.cut();
        if count % CHECKED_EVERY == 0 {
            let (mut rig, mut model) = (rig.clone(), model.clone());
            let left = judge(&mut rig, &mut model, &making, count + 1);
            free_min = free_min.min(left.free_min);
        }
        if count % SETTLED_EVERY == 0 {
            rig.nand.power_cycle();
            model.power_cycled();
            let mut disk = rig.mount().expect("a mount");
            verdict::settles(&mut disk, &mut model, "now and then");
        }
    }
    let mut left = judge(&mut rig, &mut model, &making, sessions);
    left.free_min = left.free_min.min(free_min);
    eprintln!("{test}: {sessions} sessions end {end:?}, {left:?}");
    left
}

impl Left {
    /// Nothing is used up, and no block wears faster than the others by more than a bound.
    fn is_well(&self, segment_wear_max: f64, block_wear_max: f64) {
        assert!(self.free_min >= FREE_MIN, "{self:?}");
        assert!(self.segment_wear <= segment_wear_max, "{self:?}");
        assert!(self.block_wear <= block_wear_max, "{self:?}");
    }
}

#[test]
fn ten_thousand_cuts_during_recovery_in_a_row_use_nothing_up() {
    let test = "ten_thousand_cuts_during_recovery_in_a_row_use_nothing_up";
    let aged = Aged::new(&MAKING, 1);
    cut_in_a_row(test, &aged, SESSIONS, End::Within(OPERATIONS)).is_well(0.05, 0.5);
}

#[test]
fn ten_thousand_short_sessions_use_nothing_up() {
    let test = "ten_thousand_short_sessions_use_nothing_up";
    let aged = Aged::new(&MAKING, 1);
    cut_in_a_row(test, &aged, SESSIONS, End::AfterWrite(8)).is_well(0.05, 0.5);
}

#[test]
fn ten_thousand_cuts_at_the_same_operations_of_recovery_use_nothing_up() {
    let test = "ten_thousand_cuts_at_the_same_operations_of_recovery_use_nothing_up";
    let aged = Aged::new(&MAKING, 1);
    let sessions = SESSIONS / OPERATIONS as u32;
    for index in 0..OPERATIONS {
        // An erase that is cut leaves no trace, so the next session may erase the same block once more, but not more often.
        cut_in_a_row(test, &aged, sessions, End::At(index)).is_well(0.6, 1.1);
    }
}

#[test]
fn the_trace_of_a_session_that_was_cut_outlives_one_that_decays_and_one_that_is_cut_at_once() {
    for seed in 0..4 {
        let budget = [Budget::Minimum, Budget::Full][seed as usize % 2];
        let making = Making::of("tiny", budget);
        let aged = Aged::new(&making, seed);
        for case in 0..60 {
            let mut random = SplitMix64::derive(seed, case);
            let (mut rig, mut model) = (aged.rig.clone(), aged.model.clone());
            let _replay = Replay(format!("seed {seed}, case {case} of the trace test"));
            let cut = |rig: &mut Rig, model: &mut Model, plan: CutPlan| {
                rig.nand.plan_cut(plan);
                begin(rig, model, making.depth, &[Change::Write(1)]);
                rig.nand.power_cycle();
                model.power_cycled();
            };
            let first = CutPlan::during(random.below(aged.changing), random.next());
            rig.nand.plan_cut(first);
            let _ = session(&mut rig, &mut model, making.depth, &aged.short);
            rig.nand.power_cycle();
            model.power_cycled();
            for _ in 0..4 + random.below(8) {
                let length = recovery_length(&rig, &model, making.depth);
                let late = length / 2 + random.below(length / 2);
                let plan = CutPlan::during(late, random.next()).phase(CutPhase::After);
                cut(&mut rig, &mut model, plan);
            }
            let before = rig.clone().mount().expect("a volume").volume().info();
            // One is cut in its opening page, which reads well a few times; the next when it has erased one place.
            let opening = CutPlan::during(1, random.next())
                .phase(CutPhase::During)
                .torn(TornProgram::LooksValidThenDecays, TornErase::Mixture);
            cut(&mut rig, &mut model, opening);
            let erased = CutPlan::during(0, random.next()).phase(CutPhase::After);
            cut(&mut rig, &mut model, erased);
            for _ in 0..40 {
                let _ = rig.mount();
            }
            let info = rig.mount().expect("a volume").volume().info();
            assert!(info.checkpoint >= before.checkpoint, "the trace is gone");
            assert_eq!(info.journal, before.journal, "void pages count");
            holds(&mut rig, &mut model, &making, &mut random);
        }
    }
}
