//! ARC: what was used once and what was used more often, each with its ghosts, and a target between them that the ghosts move.

use super::lru::Recency;
use super::Cached;

/// The names are the paper's: `t1`, `t2` are kept, `b1`, `b2` are their ghosts, `target` is *p*.
pub(super) struct Arc {
    pages: usize,
    target: usize,
    t1: Recency,
    t2: Recency,
    b1: Recency,
    b2: Recency,
}

impl Arc {
    pub fn new(pages: usize) -> Self {
        Self {
            pages,
            target: 0,
            t1: Recency::default(),
            t2: Recency::default(),
            b1: Recency::default(),
            b2: Recency::default(),
        }
    }

    fn replace(&mut self, ghost_of_second: bool) {
        let first = self.t1.len();
        if first > 0 && (first > self.target || (ghost_of_second && first == self.target)) {
            if let Some(page) = self.t1.pop() {
                self.b1.push(page);
            }
        } else if let Some(page) = self.t2.pop() {
            self.b2.push(page);
        }
    }
}

impl Cached for Arc {
    fn ask(&mut self, page: u32) -> bool {
        if self.t1.remove(page) || self.t2.has(page) {
            self.t2.push(page);
            return true;
        }
        if self.b1.has(page) {
            let step = (self.b2.len() / self.b1.len()).max(1);
            self.target = (self.target + step).min(self.pages);
            self.replace(false);
            self.b1.remove(page);
            self.t2.push(page);
            return false;
        }
        if self.b2.has(page) {
            let step = (self.b1.len() / self.b2.len()).max(1);
            self.target = self.target.saturating_sub(step);
            self.replace(true);
            self.b2.remove(page);
            self.t2.push(page);
            return false;
        }
        let first = self.t1.len() + self.b1.len();
        let all = first + self.t2.len() + self.b2.len();
        if first == self.pages {
            if self.t1.len() < self.pages {
                self.b1.pop();
                self.replace(false);
            } else {
                self.t1.pop();
            }
        } else if all >= self.pages {
            if all == 2 * self.pages {
                self.b2.pop();
            }
            self.replace(false);
        }
        self.t1.push(page);
        false
    }
}
