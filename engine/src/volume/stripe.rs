//! Stripes: how far the programs of pages that hold the same bytes are.

use heapless::Vec;

use super::level::{COPIES_MAX, PARITY_MAX};
use super::shape::WIDE;

/// Pages of a stripe at most.
const PAGES_MAX: usize = if WIDE { PARITY_MAX as usize + 1 } else { 1 };
/// Copies at most that wait for the program of another page.
const WAITING_MAX: usize = if WIDE { COPIES_MAX as usize - 1 } else { 0 };

/// Offsets of the pages of a stripe, in the order of their programs.
pub(super) type Offsets = Vec<u32, PAGES_MAX>;

/// How far the programs of a stripe are.
///
/// All of them start at once where each is on a die of its own, one after the other where there is one die. The die of the first page is not used for anything
/// else before the last one has settled: its buffer holds the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stripe {
    /// The first page.
    pub(super) first: u32,
    /// The page in flight, or the last one that was, on the die of the first page.
    own: u32,
    /// Pages to be programmed on that die behind it.
    waiting: [Option<u32>; WAITING_MAX],
    /// Pages in flight on other dies.
    elsewhere: u8,
    own_settled: bool,
    /// A page whose program failed.
    failed: Option<u32>,
}

/// What follows when a program of a stripe has settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Others are in flight.
    Wait,
    /// This page is to be programmed, from the same buffer.
    Program(u32),
    /// All pages hold the bytes.
    Done,
    /// The program of this page failed; nothing is in flight any more.
    Failed(u32),
}

impl Stripe {
    /// The program of the first page has started.
    pub(super) const fn started(first: u32) -> Self {
        Self {
            first,
            own: first,
            waiting: [None; WAITING_MAX],
            elsewhere: 0,
            own_settled: false,
            failed: None,
        }
    }

    /// Another page is to be programmed on the same die.
    pub(super) fn waits(&mut self, offset: u32) {
        if let Some(place) = self.waiting.iter_mut().find(|place| place.is_none()) {
            *place = Some(offset);
        }
    }

    /// The program of another page has started on another die.
    pub(super) fn started_elsewhere(&mut self) {
        self.elsewhere += 1;
    }

    /// A program on the die of the first page has settled.
    pub(super) fn own_settled(&mut self, good: bool) -> Next {
        if !good {
            self.failed = Some(self.own);
        }
        if self.failed.is_none() {
            if let Some(next) = self.waiting.iter_mut().find_map(Option::take) {
                self.own = next;
                return Next::Program(next);
            }
        }
        self.own_settled = true;
        self.next()
    }

    /// The program of a page on another die has settled.
    pub(super) fn copy_settled(&mut self, offset: u32, good: bool) -> Next {
        self.elsewhere = self.elsewhere.saturating_sub(1);
        if !good {
            self.failed = Some(offset);
        }
        self.next()
    }

    fn next(&self) -> Next {
        match self.failed {
            _ if self.elsewhere > 0 || !self.own_settled => Next::Wait,
            Some(offset) => Next::Failed(offset),
            None => Next::Done,
        }
    }
}
