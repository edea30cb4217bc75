//! Many runs at once: each on a thread, as many threads as the machine has.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use cuesta::volume::Budget;
use serde::Serialize;

use super::{reference_wa, run, run_queue, BenchError, Options, QueueOptions, QueueReport, Report};
use crate::chips::Chip;
use crate::reference::Scheme;
use crate::workload::{Choice, Workload};

/// A run.
#[derive(Debug, Clone, Copy)]
pub enum Case {
    /// Of a workload.
    Workload(Workload, Options),
    /// Of many requests at once.
    Queue(QueueOptions),
}

/// What a run says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// Of a workload.
    Workload(Box<Report>),
    /// Of many requests at once.
    Queue(QueueReport),
}

/// Utilizations at which placement is measured.
const UTILIZATIONS: [f64; 3] = [0.70, 0.80, 0.90];
/// Of the other workloads.
const UTILIZATION: f64 = UTILIZATIONS[0];
/// The small budget.
const SMALL: Budget = Budget::Bytes(16 * 1024);
/// Budgets between the least and the greatest, at which random reads are measured as well.
const BETWEEN: [Budget; 3] = [
    Budget::Minimum,
    Budget::Bytes(32 * 1024),
    Budget::Bytes(64 * 1024),
];

impl Case {
    /// The matrix in which engines are compared: placement at three utilizations, the rest at .70, both with all the memory that helps and with 16 KiB;
    /// random reads at more budgets; wear last.
    #[must_use]
    pub fn matrix(chip: &'static Chip) -> Vec<Self> {
        let case = |workload, utilization, budget| {
            let options = Options {
                chip,
                level: None,
                utilization,
                budget,
                sync_every: None,
                choice: Choice::default(),
            };
            Self::Workload(workload, options)
        };
        let mut cases = Vec::new();
        for workload in [
            Workload::Uniform,
            Workload::Zipf,
            Workload::HotCold,
            Workload::Shift,
        ] {
            for utilization in UTILIZATIONS {
                cases.extend([Budget::Full, SMALL].map(|ram| case(workload, utilization, ram)));
            }
        }
        for workload in [
            Workload::SeqFill,
            Workload::SeqOver,
            Workload::SeqRead,
            Workload::RandRead,
            Workload::Sync,
            Workload::Moved,
            Workload::Mixed,
            Workload::MountClean,
            Workload::MountCut,
        ] {
            cases.extend([Budget::Full, SMALL].map(|ram| case(workload, UTILIZATION, ram)));
        }
        cases.extend(BETWEEN.map(|ram| case(Workload::RandRead, UTILIZATION, ram)));
        cases.push(case(Workload::Wear, UTILIZATION, Budget::Full));
        cases
    }

    /// About how long it takes beside others: none when that is not known.
    fn weight(&self) -> u64 {
        match self {
            Self::Workload(workload, options) => {
                let all = options.chip.geometry.main_bytes() as f64 * options.utilization;
                let script = workload.script(1000, &options.choice);
                (script.requests() as f64 * all / (1.05 - options.utilization)) as u64
            }
            Self::Queue(_) => u64::MAX,
        }
    }

    fn run(
        &self,
        schemes: &[Scheme],
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Outcome, BenchError> {
        match self {
            Self::Workload(workload, options) => {
                let mut report = run(*workload, options, progress)?;
                for &scheme in schemes {
                    if let Some(wa) = reference_wa(*workload, options, scheme)? {
                        report.reference_wa.insert(scheme.name(), wa);
                    }
                }
                Ok(Outcome::Workload(Box::new(report)))
            }
            Self::Queue(options) => run_queue(options, progress).map(Outcome::Queue),
        }
    }
}

/// Thousandths of a run.
const WHOLE: u64 = 1000;

enum Message {
    Progress(usize, u64),
    Done(usize, Result<Outcome, BenchError>),
}

/// Runs all cases with the references `schemes`, the longest first; the outcomes are in the order of the cases. `progress` is told how much of
/// how much is done.
///
/// # Errors
/// Why the first case that has no figures has none.
pub fn run_cases(
    cases: &[Case],
    schemes: &[Scheme],
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<Outcome>, BenchError> {
    let mut order: Vec<usize> = (0..cases.len()).collect();
    order.sort_by_key(|&number| std::cmp::Reverse(cases[number].weight()));
    let (order, next) = (&order, &AtomicUsize::new(0));
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let (sender, receiver) = mpsc::channel();
    let mut outcomes: Vec<_> = cases.iter().map(|_| None).collect();
    thread::scope(|scope| {
        for _ in 0..threads.min(cases.len()) {
            let sender = sender.clone();
            scope.spawn(move || {
                while let Some(&number) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = cases[number].run(schemes, &mut |done, total| {
                        let share = done * WHOLE / total.max(1);
                        // Nobody listens any more: the run ends all the same.
                        let _ = sender.send(Message::Progress(number, share));
                    });
                    if outcome.is_err() {
                        next.store(order.len(), Ordering::Relaxed);
                    }
                    let _ = sender.send(Message::Done(number, outcome));
                }
            });
        }
        drop(sender);
        let mut shares = vec![0; cases.len()];
        for message in receiver {
            match message {
                Message::Progress(number, share) => shares[number] = share,
                Message::Done(number, outcome) => {
                    shares[number] = WHOLE;
                    outcomes[number] = Some(outcome);
                }
            }
            progress(shares.iter().sum(), WHOLE * cases.len() as u64);
        }
    });
    // Cases without an outcome were not begun, as another one failed.
    outcomes.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chips::chip;

    fn case(workload: Workload, utilization: f64) -> Case {
        let options = Options {
            chip: chip("tiny").expect("a chip of the table"),
            level: None,
            utilization,
            budget: Budget::Full,
            sync_every: None,
            choice: Choice::default(),
        };
        Case::Workload(workload, options)
    }

    #[test]
    fn outcomes_are_in_order_and_as_of_one_run_after_the_other() {
        let cases = [
            case(Workload::SeqFill, 0.2),
            case(Workload::Uniform, 0.25),
            case(Workload::MountCut, 0.2),
        ];
        let together = run_cases(&cases, &[Scheme::Dac], &mut |done, total| {
            assert!(done <= total);
        })
        .expect("figures");
        let one_by_one: Vec<_> = cases
            .iter()
            .map(|case| case.run(&[Scheme::Dac], &mut |_, _| {}).expect("figures"))
            .collect();
        assert_eq!(together, one_by_one);
    }

    #[test]
    fn a_case_that_cannot_run_is_an_error() {
        let cases = [case(Workload::SeqFill, 0.2), case(Workload::Uniform, 0.99)];
        let outcome = run_cases(&cases, &[], &mut |_, _| {});
        assert!(matches!(outcome, Err(BenchError::Utilization { .. })));
    }
}
