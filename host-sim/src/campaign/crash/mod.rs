//! Cuts at every program and erase, in every phase and with every kind of tear, each recovered from and judged.
//!
//! A workload is run once. Every moment of it in which a cut would leave something else is kept as a copy of the part that shares what
//! has not changed, with what was known to be durable then ([`witness`](super::witness)). Each copy is cut, comes back with nothing but its
//! media, and is judged.

mod case;
mod cuts;
mod faults;
mod second;
mod sequences;
mod shrink;
mod stage;

pub use case::{Case, CaseError, Part};

pub use sequences::LENGTH_MAX;
pub use shrink::shrink;

use crate::campaign::attempt::attempt;
use crate::campaign::report::{Finding, Tally};
use crate::campaign::subject::Subject;
use crate::campaign::witness::Branch;

/// What one thread does at a time: all cuts of some workloads of a disk.
#[derive(Debug, Clone, Copy)]
pub struct Job {
    /// Which enumeration.
    pub part: Part,
    /// The disk.
    pub subject: &'static Subject,
    /// What its past and its workloads follow from.
    pub seed: u64,
}

impl Job {
    /// The jobs of these parts, each on `workloads` disks of each subject that is of use for it.
    #[must_use]
    pub fn all(
        parts: &[Part],
        subjects: &[&'static Subject],
        seed: u64,
        workloads: u64,
    ) -> Vec<Self> {
        let job = |number: u64, subject, part| Self {
            part,
            subject,
            seed: seed.wrapping_add(number),
        };
        (0..workloads)
            .flat_map(|number| subjects.iter().map(move |&subject| (number, subject)))
            .flat_map(|(number, subject)| parts.iter().map(move |&part| job(number, subject, part)))
            .filter(|job| job.part != Part::Sequences || sequences::is_for(job.subject))
            .collect()
    }

    /// Does it, or those of its cases whose path begins with `only`.
    #[must_use]
    pub fn run(&self, only: &[usize]) -> Tally {
        self.run_with(only, None)
    }

    /// The same with these changes of the workload only.
    #[must_use]
    pub fn run_with(&self, only: &[usize], keep: Option<&[usize]>) -> Tally {
        let mut tally = Tally::default();
        let done = attempt(|| match self.part {
            Part::Cuts => cuts::run(*self, only, keep, &mut tally),
            Part::Second => second::run(*self, only, keep, &mut tally),
            Part::Sequences => sequences::run(*self, only, &mut tally),
            Part::Faults => faults::run(*self, only, &mut tally),
        });
        if let Err(what) = done {
            tally.find(self.finding(&[], what));
        }
        tally
    }

    /// A case of it.
    #[must_use]
    pub fn case(&self, path: &[usize]) -> Case {
        Case {
            job: *self,
            path: path.to_vec(),
        }
    }

    fn finding(&self, path: &[usize], what: String) -> Finding {
        Finding {
            replay: format!("cuesta crash --case {}", self.case(path)),
            shorter: None,
            what,
        }
    }

    /// Judges a case of a kind, a cut of this branch, if it is one of those asked for.
    fn judge(
        &self,
        tally: &mut Tally,
        (path, only): (&[usize], &[usize]),
        branch: &Branch,
        kind: impl FnOnce() -> String,
        case: impl FnOnce() -> u64,
    ) {
        if !is_asked(path, only) {
            return;
        }
        match attempt(case) {
            Ok(operations) => tally.operations += operations,
            Err(what) => {
                let what = format!("{what}\ncut {}", branch.moment.describe());
                tally.find(self.finding(path, what));
            }
        }
        tally.count(&kind(), 1);
    }
}

/// Whether a path agrees with the one asked for, as far as both go.
fn is_asked(path: &[usize], only: &[usize]) -> bool {
    path.iter().zip(only).all(|(step, asked)| step == asked)
}
