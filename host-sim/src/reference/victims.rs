//! Which segment is cleaned next, without looking at all of them.

use std::collections::BTreeSet;

/// How victims are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victims {
    /// The one with the fewest valid slots.
    Greedy,
    /// The largest (1 − u) / u · age: M. Rosenblum, J. K. Ousterhout, "The Design and Implementation of a Log-Structured File System" (ACM
    /// Transactions on Computer Systems, 1992).
    CostBenefit,
}

/// The closed segments by their valid slots, the one opened first in front: for either choice, only those in front can be victims.
#[derive(Debug)]
pub(super) struct Closed {
    by_valid: Vec<BTreeSet<(u64, u32)>>,
}

impl Closed {
    /// None closed, of segments of so many slots.
    pub fn new(slots: u32) -> Self {
        Self {
            by_valid: vec![BTreeSet::new(); slots as usize + 1],
        }
    }

    pub fn insert(&mut self, segment: u32, opened: u64, valid: u32) {
        self.by_valid[valid as usize].insert((opened, segment));
    }

    pub fn remove(&mut self, segment: u32, opened: u64, valid: u32) {
        self.by_valid[valid as usize].remove(&(opened, segment));
    }

    /// The next victim; `None` where every slot of every closed segment is valid.
    pub fn choose(&self, victims: Victims, now: u64) -> Option<u32> {
        let slots = self.by_valid.len() - 1;
        let mut best = None;
        let mut best_score = 0.0;
        for (valid, segments) in self.by_valid[..slots].iter().enumerate() {
            let Some(&(opened, segment)) = segments.first() else {
                continue;
            };
            if valid == 0 || victims == Victims::Greedy {
                return Some(segment);
            }
            let score = (slots - valid) as f64 / valid as f64 * (now - opened + 1) as f64;
            if score > best_score {
                best_score = score;
                best = Some(segment);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::{Closed, Victims};

    #[test]
    fn an_old_segment_is_worth_more_than_one_a_little_emptier() {
        let mut closed = Closed::new(64);
        closed.insert(1, 90, 30);
        closed.insert(2, 10, 32);
        closed.insert(3, 0, 64);
        assert_eq!(closed.choose(Victims::Greedy, 100), Some(1));
        assert_eq!(closed.choose(Victims::CostBenefit, 100), Some(2));
        closed.remove(1, 90, 30);
        closed.remove(2, 10, 32);
        assert_eq!(closed.choose(Victims::CostBenefit, 100), None);
    }
}
