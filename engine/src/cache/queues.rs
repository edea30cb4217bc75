//! The two queues: the order in which pages are offered for stealing.

/// Parts of the small queue's length that ages in it are told by.
pub(super) const STAMPS: u32 = 8;

/// A queue of the pages on probation, first in, first out, and a ring of the others with the hand of a clock. Every page that was ever used is in
/// exactly one place of one of them; a free one stays where it is.
#[derive(Debug)]
pub(super) struct Queues<'m> {
    small: &'m mut [u32],
    main: &'m mut [u32],
    /// Places of each that are used: all of them where pages are as small as there is memory for.
    small_limit: usize,
    main_limit: usize,
    first: usize,
    small_len: usize,
    main_len: usize,
    hand: usize,
    /// Pages that have come to the small queue, wrapping.
    pushed: u32,
}

impl<'m> Queues<'m> {
    /// Places for as many pages as there are entries, of which `small` are those of the small queue.
    pub fn new(entries: &'m mut [u32], small: usize) -> Self {
        let (small, main) = entries.split_at_mut(small.min(entries.len()));
        Self {
            small_limit: small.len(),
            main_limit: main.len(),
            small,
            main,
            first: 0,
            small_len: 0,
            main_len: 0,
            hand: 0,
            pushed: 0,
        }
    }

    /// Empties both, for fewer pages or as many as there are entries.
    pub fn reset(&mut self, pages: usize, small: usize) {
        self.small_limit = small.min(self.small.len());
        self.main_limit = (pages - self.small_limit.min(pages)).min(self.main.len());
        (self.first, self.small_len, self.main_len, self.hand) = (0, 0, 0, 0);
    }

    pub const fn has_small(&self) -> bool {
        self.small_limit > 0
    }

    pub const fn small_is_full(&self) -> bool {
        self.small_len >= self.small_limit
    }

    pub const fn main_is_full(&self) -> bool {
        self.main_len >= self.main_limit
    }

    /// What time it is in the small queue.
    pub fn stamp(&self) -> u8 {
        let step = (self.small_limit as u32 / STAMPS).max(1);
        (self.pushed / step % 16) as u8
    }

    /// How long something lies in the small queue, in [`STAMPS`] of its length.
    pub fn age(&self, stamp: u8) -> u32 {
        u32::from(self.stamp().wrapping_sub(stamp) & 15)
    }

    /// Appends to the small queue, which has room.
    pub fn push_small(&mut self, tag: u32) {
        let at = (self.first + self.small_len) % self.small.len().max(1);
        if let Some(entry) = self.small.get_mut(at) {
            *entry = tag;
            self.small_len += 1;
            self.pushed = self.pushed.wrapping_add(1);
        }
    }

    pub fn oldest_small(&self) -> Option<u32> {
        (self.small_len > 0).then(|| self.small[self.first])
    }

    pub fn pop_small(&mut self) {
        if self.small_len > 0 {
            self.first = (self.first + 1) % self.small.len();
            self.small_len -= 1;
        }
    }

    /// Appends to the ring, which has room.
    pub fn push_main(&mut self, tag: u32) {
        if let Some(entry) = self.main.get_mut(self.main_len) {
            *entry = tag;
            self.main_len += 1;
        }
    }

    /// The page at the hand.
    pub fn at_hand(&self) -> Option<u32> {
        self.main[..self.main_len].get(self.hand).copied()
    }

    /// Puts another page at the hand's place.
    pub fn replace_at_hand(&mut self, tag: u32) {
        if let Some(entry) = self.main.get_mut(self.hand) {
            *entry = tag;
        }
    }

    pub fn advance(&mut self) {
        self.hand += 1;
        if self.hand >= self.main_len {
            self.hand = 0;
        }
    }

    /// Pages in the order in which they would be offered: the small queue's, then the ring's from the hand on.
    pub fn in_order(&self) -> impl Iterator<Item = u32> + '_ {
        let small = (0..self.small_len).map(|i| self.small[(self.first + i) % self.small.len()]);
        let (before, from) = self.main[..self.main_len].split_at(self.hand.min(self.main_len));
        small.chain(from.iter().chain(before).copied())
    }
}
