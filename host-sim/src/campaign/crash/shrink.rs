//! A workload that fails, with fewer changes.

use super::{Case, Job, Part};

/// Workloads that are tried at most.
const TRIES_MAX: u32 = 60;

/// The changes of the case's workload that are enough for it to fail somewhere, by number, if it can be made shorter: ever smaller pieces
/// are left out for as long as a cut of the rest still fails (A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002).
/// `progress` is told how many of how many workloads were tried.
#[must_use]
pub fn shrink(case: &Case, progress: &mut dyn FnMut(u64, u64)) -> Option<Vec<usize>> {
    let job = case.job;
    let count = match job.part {
        Part::Cuts => super::cuts::changes(job),
        Part::Second => super::second::changes(job),
        // They are short.
        Part::Sequences | Part::Faults => return None,
    };
    let mut keep: Vec<usize> = (0..count).collect();
    let (mut pieces, mut tries) = (2, 0);
    while tries < TRIES_MAX && pieces <= keep.len() {
        let size = keep.len().div_ceil(pieces);
        let mut shorter = None;
        for piece in keep.chunks(size) {
            tries += 1;
            progress(u64::from(tries), u64::from(TRIES_MAX));
            let rest: Vec<usize> = keep
                .iter()
                .copied()
                .filter(|index| !piece.contains(index))
                .collect();
            if fails(job, &rest) {
                shorter = Some(rest);
                break;
            }
            if tries == TRIES_MAX {
                break;
            }
        }
        match shorter {
            Some(rest) => {
                keep = rest;
                pieces = (pieces - 1).max(2);
            }
            None if size == 1 => break,
            None => pieces *= 2,
        }
    }
    (keep.len() < count).then_some(keep)
}

fn fails(job: Job, keep: &[usize]) -> bool {
    job.run_with(&[], Some(keep)).failed > 0
}
