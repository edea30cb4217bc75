//! How much grooming a write pays for: in microseconds, so that no write ever pays for much more than the next.

use super::address::Segment;
use super::stream::JOURNAL;
use super::Volume;
use cuesta_hal::Nand;

/// Segments that a recovery can need: one for the journal, one for sector data of the first level, one in case a block fails.
const RECOVERY_RESERVE: u32 = 3;
/// Segments for groomer and journal.
const GROOM_RESERVE: u32 = 2;
/// Segments by which grooming begins before hosts may open no more.
const AHEAD: u32 = 5;

/// Journal pages that emptying one victim needs at most: records, merges, parity.
const JOURNAL_ROOM: u32 = 3;

/// Cost of a header read, a page read, a program and an erase: a serial SLC part's (W25N01GV, 60 / 250 / 2000 µs), as weights.
pub(super) const HEADER_US: u32 = 63;
pub(super) const READ_US: u32 = 102;
pub(super) const PROGRAM_US: u32 = 292;
pub(super) const ERASE_US: u32 = 2000;

/// Work owed by the writes accepted so far.
#[derive(Debug, Default)]
pub(super) struct Credit {
    /// Microseconds of grooming owed.
    pub debt_us: i32,
    /// Microseconds that each written sector adds.
    pub rate_us: u32,
    /// Checkpoint steps owed.
    pub steps: u32,
    /// Free segments that idle time is to bring about; 0 when there is load.
    pub idle_free: u32,
    /// Relocations since the last accepted write.
    pub moves: u32,
}

impl<N: Nand> Volume<'_, N> {
    /// Segments that hosts may not open: what a recovery can need, one for sector data of each level, and those of groomer and journal.
    pub(super) fn host_reserve(&self) -> u32 {
        RECOVERY_RESERVE + GROOM_RESERVE + u32::from(self.parameters.levels) - 1
    }

    /// Free segments below which writes pay for grooming.
    pub(super) fn trigger(&self) -> u32 {
        self.host_reserve() + AHEAD
    }

    /// Free segments that a recovery could open after a cut at this moment: what was freed since the last record page is not free for
    /// whoever mounts.
    pub(super) fn erasable(&self) -> u32 {
        let unrecorded = self.pending.freed.len() + self.pending.freeing.len();
        self.free.saturating_sub(unrecorded as u32)
    }

    /// Erasable segments that the groomer may not open when it has nowhere to go on: one, and one for the journal unless its open segment
    /// has room for what emptying one victim needs. Blocks that fail one after the other can bring it that low. A recovery may use all.
    pub(super) fn groom_reserve(&self) -> u32 {
        if self.recovering {
            return 0;
        }
        let room = self.append_page(JOURNAL).map_or(0, |(segment, next)| {
            (0..JOURNAL_ROOM * self.journal_copies())
                .scan(Some(next), |at, _| {
                    *at = at.and_then(|offset| self.usable_from(segment, offset + 1));
                    *at
                })
                .count() as u32
        });
        1 + u32::from(room < JOURNAL_ROOM * self.journal_copies())
    }

    /// Sets the rate for a victim: its work spread over the pages it frees, with a margin, more when little is free.
    pub(super) fn set_rate(&mut self, victim: Segment) {
        let slots = self.slots_of(victim);
        let valid = self.segments.valid(victim).min(slots);
        let freed = (slots - valid).max(1);
        let lookup = if (self.shape.map_pages as usize) > self.frames_len() {
            READ_US
        } else {
            0
        };
        let work = slots * (HEADER_US + lookup) + valid * (READ_US + PROGRAM_US) + ERASE_US;
        let missing = self.trigger().saturating_sub(self.free);
        self.credit.rate_us = work / freed * (115 + 20 * missing) / 100;
    }

    /// Charges an accepted write.
    pub(super) fn charge_write(&mut self) {
        self.stats.moves_per_write_max = self.stats.moves_per_write_max.max(self.credit.moves);
        self.credit.moves = 0;
        self.credit.idle_free = 0;
        if self.free < self.trigger() || self.ailing {
            self.credit.debt_us = self
                .credit
                .debt_us
                .saturating_add(self.credit.rate_us.max(1) as i32);
        } else {
            self.credit.debt_us = 0;
        }
        if self.checkpoint.active() {
            self.credit.steps = 1;
        }
    }

    /// Counts groomer's work done.
    pub(super) fn pay(&mut self, us: u32) {
        self.credit.debt_us -= us as i32;
        let floor = -(ERASE_US as i32);
        self.credit.debt_us = self.credit.debt_us.max(floor);
    }
}
