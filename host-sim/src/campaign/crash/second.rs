//! A second cut at every moment of every recovery.

use super::stage::Stage;
use super::{is_asked, Job};
use crate::campaign::change::{mixture, Change};
use crate::campaign::report::Tally;
use crate::campaign::session::witnessed;
use crate::{CutPhase, CutPlan};

/// Changes of a workload.
const CHANGES: u32 = 40;
/// Changes that a recovery is asked for: a volume recovers when it is first written.
const CHANGES_RECOVERING: u32 = 3;

/// How many changes the workload of a job has.
pub(super) fn changes(job: Job) -> usize {
    Stage::aged(job, CHANGES).changes.len()
}

/// The first cut is drawn for each operation, the second for each moment of the session that recovers from it.
pub(super) fn run(job: Job, only: &[usize], keep: Option<&[usize]>, tally: &mut Tally) {
    let stage = Stage::aged(job, CHANGES).keeping(keep);
    for (moment, branch) in stage.branches().iter().enumerate() {
        if branch.moment.phase != CutPhase::During || !is_asked(&[moment], only) {
            continue;
        }
        let mut random = stage.random_of(&[moment]);
        let mut rig = stage
            .rig
            .with(branch.moment.cut(CutPlan::during(0, random.next())));
        rig.nand.power_cycle();
        let mut model = (*branch.model).clone();
        model.power_cycled();
        model.moment("recovery".to_owned());
        let mut changes = mixture(&mut random, stage.capacity(), CHANGES_RECOVERING);
        changes.push(Change::Flush);
        let depth = stage.making.depth;
        let (recovery, ended) = witnessed(&mut rig, &mut model, depth, &changes, random.next());
        ended.expect("power");
        for (second, branch) in recovery.iter().enumerate() {
            let path = [moment, second];
            let kind = || {
                format!(
                    "second cut, {:?} {:?}",
                    branch.moment.phase, branch.moment.class
                )
            };
            job.judge(tally, (&path, only), branch, kind, || {
                let mut random = stage.random_of(&path);
                stage.cut(branch, CutPlan::during(0, random.next()), random)
            });
        }
    }
}
