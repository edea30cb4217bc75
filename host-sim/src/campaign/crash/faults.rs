//! Every kind of fault at every operation of a workload, and a cut at the moments after it.

use super::stage::Stage;
use super::{is_asked, Job};
use crate::campaign::aftermath::goes_on;
use crate::campaign::attempt::attempt;
use crate::campaign::damage::block_of;
use crate::campaign::oracle::Legal;
use crate::campaign::report::Tally;
use crate::campaign::session::witnessed;
use crate::campaign::witness::Branch;
use crate::{Counters, CutPlan, Fault, OperationClass, SplitMix64, Trigger};
use cuesta::hal::Nand;

/// Changes of a workload.
const CHANGES: u32 = 24;
/// Moments after the fault at which the power is cut.
const MOMENTS: usize = 12;
/// Reads of a workload that fail, each in a run of its own, at most: they are spread over all of them.
const READS_MAX: u64 = 60;

/// A fault, by name, as it hits a part.
type Model = (&'static str, fn(&Stage) -> Fault);

/// What goes wrong, once: the program and the erase that say so, those that do not, and reads that return something else.
const FAULTS: [Model; 10] = [
    ("program fails", |_| Fault::ProgramFails),
    ("program fails, written", |_| Fault::ProgramFailsWritten),
    ("program fails, partly written", |_| {
        Fault::ProgramFailsPartly
    }),
    ("erase fails", |_| Fault::EraseFails),
    ("lost write", |_| Fault::LostWrite),
    ("misdirected write", |stage| {
        Fault::MisdirectedWrite(far(stage))
    }),
    ("silent erase failure", |_| Fault::SilentEraseFailure),
    ("stale read", |_| Fault::StaleRead),
    ("wrong page read", |stage| Fault::WrongPageRead(far(stage))),
    ("uncorrectable read", |_| Fault::Uncorrectable),
];

/// The first page of the part's last block.
fn far(stage: &Stage) -> cuesta::hal::PageAddress {
    let nand = &stage.rig.nand;
    block_of(nand, nand.geometry().blocks() - 1).page(0)
}

/// True for faults after which the media are not what the engine was told: a sector may be older than it should be, or an error.
const fn is_silent(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::LostWrite | Fault::MisdirectedWrite(_) | Fault::SilentEraseFailure
    )
}

/// Operations of the kind that a fault hits.
const fn hit_by(fault: Fault, counters: &Counters) -> u64 {
    match fault.class() {
        OperationClass::Program => counters.programs,
        OperationClass::Erase => counters.erases,
        _ => counters.reads,
    }
}

pub(super) fn run(job: Job, only: &[usize], tally: &mut Tally) {
    let stage = Stage::aged(job, CHANGES);
    let began = stage.rig.nand.counters();
    let done = {
        let (mut rig, mut model) = (stage.rig.clone(), stage.model.clone());
        let ended = witnessed(&mut rig, &mut model, stage.making.depth, &stage.changes, 0).1;
        ended.expect("power");
        rig.nand.counters().since(&began)
    };
    for (number, (name, fault)) in FAULTS.iter().enumerate() {
        let fault = fault(&stage);
        let count = hit_by(fault, &done);
        let step = if fault.class() == OperationClass::Read {
            count.div_ceil(READS_MAX)
        } else {
            1
        };
        for operation in (0..count).step_by(step.max(1) as usize) {
            let stem = [number, operation as usize];
            if !is_asked(&stem, only) {
                continue;
            }
            let run = attempt(|| branches(&stage, fault, operation));
            let branches = match run {
                Ok(branches) => branches,
                Err(what) => {
                    tally.find(job.finding(&stem, what));
                    continue;
                }
            };
            let after = branches.iter().enumerate().filter(|(_, branch)| {
                hit_by(fault, &branch.moment.counters().since(&began)) > operation
            });
            for (moment, branch) in after.take(MOMENTS) {
                let path = [number, operation as usize, moment];
                job.judge(
                    tally,
                    (&path, only),
                    branch,
                    || (*name).to_owned(),
                    || {
                        let random = stage.random_of(&path);
                        cut(&stage, fault, branch, random)
                    },
                );
            }
        }
    }
}

/// The moments of the workload when the fault hits this operation.
fn branches(stage: &Stage, fault: Fault, operation: u64) -> Vec<Branch> {
    let (mut rig, mut model) = (stage.rig.clone(), stage.model.clone());
    // What a part does in secret it does to the referee as well.
    rig.nand.set_strict(!is_silent(fault));
    rig.nand.faults().once(Trigger::Nth(operation), fault);
    let depth = stage.making.depth;
    let (branches, ended) = witnessed(&mut rig, &mut model, depth, &stage.changes, operation);
    ended.expect("power");
    branches
}

fn cut(stage: &Stage, fault: Fault, branch: &Branch, mut random: SplitMix64) -> u64 {
    let plan = CutPlan::during(0, random.next());
    if !is_silent(fault) {
        return stage.cut(branch, plan, random);
    }
    let mut rig = stage.rig.with(branch.moment.cut(plan));
    let began = rig.nand.operations();
    rig.nand.power_cycle();
    let mut model = (*branch.model).clone();
    model.power_cycled();
    // The disk may say that it is damaged.
    let _ = goes_on(&mut rig, &mut model, Legal::OwnOrRefused, "after the cut");
    rig.nand.operations() - began
}
