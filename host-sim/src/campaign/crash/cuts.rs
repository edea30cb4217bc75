//! One cut at every moment of a workload, in every way.

use super::stage::Stage;
use super::Job;
use crate::campaign::report::Tally;
use crate::campaign::tear::Tear;

/// Changes of a workload.
const CHANGES: u32 = 120;

pub(super) fn run(job: Job, only: &[usize], keep: Option<&[usize]>, tally: &mut Tally) {
    let stage = Stage::aged(job, CHANGES).keeping(keep);
    cut_everywhere(job, &stage, &[], only, tally);
}

/// How many changes the workload of a job has.
pub(super) fn changes(job: Job) -> usize {
    Stage::aged(job, CHANGES).changes.len()
}

/// Cuts the workload of a stage, to which `stem` is the path, everywhere.
pub(super) fn cut_everywhere(
    job: Job,
    stage: &Stage,
    stem: &[usize],
    only: &[usize],
    tally: &mut Tally,
) {
    for (moment, branch) in stage.branches().iter().enumerate() {
        let class = branch.moment.class;
        for (index, tear) in Tear::of(branch.moment.phase, class).into_iter().enumerate() {
            let path = [stem, &[moment, index]].concat();
            let kind = || tear.kind(class);
            job.judge(tally, (&path, only), branch, kind, || {
                let mut random = stage.random_of(&path);
                stage.cut(branch, tear.at(0, random.next()), random)
            });
        }
    }
}
