//! How long the small queue should be: what would have been found had it been longer, against what would have been found had the main one been.

/// Parts of a page that the wanted length is counted in: a request moves it by one of them.
const PARTS: u32 = 4;

/// Counts, on each side, the pages that come back soon after they had to leave: those that as many pages more would have kept. Where the two keep
/// each other in balance, a page more is worth as much in either queue.
///
/// What comes back in turns (a loop finds a run of pages on one side, then a run on the other) moves nothing: only what one side has more than a quarter
/// of the cache in advance of the other moves the length, and a whole run of the other side is forgiven before it moves back.
#[derive(Debug, Default)]
pub(super) struct Balance {
    /// In [`PARTS`] of a page.
    wanted: u32,
    least: u32,
    most: u32,
    /// How far the small queue's side is ahead, up to `slack` either way.
    ahead: i32,
    slack: i32,
}

impl Balance {
    /// The least, with which it begins, and the most, of so many pages.
    pub const fn new(least: usize, most: usize, pages: usize) -> Self {
        Self {
            wanted: least as u32 * PARTS,
            least: least as u32 * PARTS,
            most: most as u32 * PARTS,
            ahead: 0,
            slack: (pages / 4) as i32,
        }
    }

    /// A page has come back that a longer small queue would have kept.
    pub const fn small_was_short(&mut self) {
        if self.ahead < self.slack {
            self.ahead += 1;
        } else if self.wanted < self.most {
            self.wanted += 1;
        }
    }

    /// A page has come back that a longer main queue would have kept.
    pub const fn main_was_short(&mut self) {
        if self.ahead > -self.slack {
            self.ahead -= 1;
        } else if self.wanted > self.least {
            self.wanted -= 1;
        }
    }

    /// Pages that the small queue should have.
    pub const fn wanted(&self) -> usize {
        (self.wanted / PARTS) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_turns_moves_nothing_and_what_prevails_moves_up_to_the_limit() {
        let mut balance = Balance::new(10, 90, 100);
        for _ in 0..50 {
            (0..25).for_each(|_| balance.small_was_short());
            (0..50).for_each(|_| balance.main_was_short());
            (0..25).for_each(|_| balance.small_was_short());
            assert_eq!(balance.wanted(), 10);
        }
        (0..25 + 4).for_each(|_| balance.small_was_short());
        assert_eq!(balance.wanted(), 11);
        (0..1000).for_each(|_| balance.small_was_short());
        assert_eq!(balance.wanted(), 90);
        (0..50).for_each(|_| balance.main_was_short());
        assert_eq!(balance.wanted(), 90);
        (0..1000).for_each(|_| balance.main_was_short());
        assert_eq!(balance.wanted(), 10);
    }
}
