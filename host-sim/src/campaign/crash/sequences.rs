//! Every sequence of up to three requests, on an empty disk and on one in the middle of its life, cut everywhere.

use super::cuts::cut_everywhere;
use super::stage::Stage;
use super::{is_asked, Job};
use crate::campaign::change::Change;
use crate::campaign::report::Tally;
use crate::campaign::subject::Subject;

/// Requests of a sequence at most.
pub const LENGTH_MAX: usize = 3;
/// Requests that there are.
const REQUESTS: usize = 6;
/// Disks on which it is done: a die alone, and many.
const DISKS: [&str; 3] = ["one-die-min", "one-die-full", "four-dies-min"];

/// Whether the enumeration is made on a disk.
pub(super) fn is_for(subject: &Subject) -> bool {
    DISKS.contains(&subject.name)
}

/// The sectors that the requests are about: all of them meet there.
fn request(number: usize, capacity: u32) -> Change {
    let (one, other) = (capacity / 3, capacity / 3 + 1);
    match number {
        0 => Change::Write(other),
        1 => Change::Write(one),
        2 => Change::Trim { first: one, len: 2 },
        3 => Change::Flush,
        4 => Change::Batch(vec![one, capacity - 1, other]),
        _ => Change::Groom,
    }
}

/// The sequence of a number: those of one request, then those of two, then those of three.
fn sequence(mut number: usize, capacity: u32) -> Option<Vec<Change>> {
    for length in 1..=LENGTH_MAX {
        let count = REQUESTS.pow(length as u32);
        if number < count {
            let digits = (0..length).map(|digit| number / REQUESTS.pow(digit as u32) % REQUESTS);
            return Some(digits.map(|digit| request(digit, capacity)).collect());
        }
        number -= count;
    }
    None
}

pub(super) fn run(job: Job, only: &[usize], tally: &mut Tally) {
    for (state, mut stage) in [Stage::fresh(job), Stage::aged(job, 0)]
        .into_iter()
        .enumerate()
    {
        for number in 0.. {
            let Some(changes) = sequence(number, stage.capacity()) else {
                break;
            };
            stage.changes = changes;
            if is_asked(&[state, number], only) {
                let mut one = Tally::default();
                cut_everywhere(job, &stage, &[state, number], only, &mut one);
                // By state: how the cuts were made is told by the cuts of longer workloads.
                let cases = std::mem::take(&mut one.cases);
                one.kinds.clear();
                one.count(
                    if state == 0 {
                        "sequence, empty disk"
                    } else {
                        "sequence, aged disk"
                    },
                    cases,
                );
                tally.add(one);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_sequence_comes_once() {
        let all: Vec<String> = (0..)
            .map_while(|number| sequence(number, 90))
            .map(|changes| format!("{changes:?}"))
            .collect();
        assert_eq!(all.len(), 6 + 36 + 216);
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }
}
