//! How much of the volume's own work a write pays for: in microseconds, so that no write ever pays for much more than the next.
//!
//! Grooming is paced by room: what is left to do of a victim is spread over the writes that may be accepted until it has to be done. Whatever work is due,
//! grooming or not, a host that asks waits for no more than [`ALLOWANCE_US`] of it and the operation that is under way by then, but where nothing could be
//! accepted before it is done.

use super::parameters::SLOT_COST;
use super::stream::{JOURNAL, LEVELING};
use super::Volume;
use cuesta_hal::Nand;

/// Segments that a recovery can need: one for the journal, one for sector data of the first level, one in case a block fails.
const RECOVERY_RESERVE: u32 = 3;
/// Segments for groomer and journal.
const GROOM_RESERVE: u32 = 2;
/// Of so many unused slots, one is in a segment that hosts may still open, beside what is left of open ones: a larger reserve costs relocations, a smaller one
/// record pages.
const AHEAD_SHARE: u64 = 96;
/// Streams for which there is headroom at least: with one or two all open segments can end at once.
const STREAMS_LEAST: i32 = 4;
/// Where less than this part of a segment is left of open ones, what was freed is recorded.
const RECORD_AHEAD_SHARE: u32 = 4;
/// Own work for which a host that asks waits.
const ALLOWANCE_US: u32 = 3800;
/// Calls of `poll` for which work that is due waits for a host that has asked.
const HELD_POLLS: u8 = 16;

/// Journal pages that emptying one victim needs at most: records, merges, parity.
const JOURNAL_ROOM: u32 = 3;

/// Cost of a header read, a page read, a program and an erase: a serial SLC part's (W25N01GV, 60 / 250 / 2000 µs), as weights.
pub(super) const HEADER_US: u32 = 63;
pub(super) const READ_US: u32 = 102;
pub(super) const PROGRAM_US: u32 = 292;
pub(super) const ERASE_US: u32 = 2000;

/// What a write waits for at most, its own program included, where one is in flight at a time and the groomer keeps up: up to the share of the volume's own work
/// that a host waits for, the operation that is under way by then (the longest is an erase), and a record page without which nothing can be accepted.
///
/// It does not hold where blocks fail, nor where nothing is left that hosts may open: then a whole segment is reclaimed first; nor yet for every write under static
/// wear leveling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteBound {
    /// Microseconds on a serial SLC part: 60 for an array read, 250 for a program, 2000 for an erase, transfers beside.
    pub us: u32,
    /// Sectors relocated.
    pub moves: u32,
}

impl WriteBound {
    /// The bound on a volume with so many sectors a page.
    #[must_use]
    pub const fn of(units: u32) -> Self {
        let page = READ_US + PROGRAM_US;
        Self {
            us: ALLOWANCE_US + ERASE_US + 2 * PROGRAM_US,
            moves: ALLOWANCE_US.div_ceil(page) * units,
        }
    }
}

/// Work owed by the writes accepted so far.
#[derive(Debug, Default)]
pub(super) struct Credit {
    /// Microseconds of grooming owed.
    pub debt_us: i32,
    /// Microseconds of own work since the last accepted write.
    spent_us: u32,
    /// Calls of `poll` for which work was held back since then.
    held: u8,
    /// A host has asked since work was last held back.
    asked: bool,
    /// A host waits for a segment that has to be freed first.
    pub starved: bool,
    /// Checkpoint steps owed.
    pub steps: u32,
    /// Free segments that idle time is to bring about; 0 when there is load.
    pub idle_free: u32,
    /// Relocations since the last accepted write.
    pub moves: u32,
}

impl Credit {
    /// True when a host has waited for its share of the volume's own work.
    pub(super) const fn used_up(&self) -> bool {
        self.spent_us >= ALLOWANCE_US
    }

    /// A host asks.
    pub(super) fn asks(&mut self) {
        self.asked = true;
    }

    /// Counts own work that is begun.
    pub(super) fn spend(&mut self, us: u32) {
        self.spent_us = self.spent_us.saturating_add(us);
    }

    /// True when work is held back for a host that asks, which it does once more before the next one is held back.
    pub(super) fn holds_back(&mut self) -> bool {
        let holds = core::mem::take(&mut self.asked) && self.used_up() && self.held < HELD_POLLS;
        self.held += u8::from(holds);
        holds
    }
}

impl<N: Nand> Volume<'_, N> {
    /// Segments that hosts may not open: what a recovery can need, one for sector data of each level, and those of groomer and journal.
    pub(super) fn host_reserve(&self) -> u32 {
        RECOVERY_RESERVE + GROOM_RESERVE + u32::from(self.parameters.levels()) - 1
    }

    /// Free segments that a recovery could open after a cut at this moment: what was freed since the last record page is not free for
    /// whoever mounts, nor what that page alone says is free, until something lies behind it.
    pub(super) fn erasable(&self) -> u32 {
        let unrecorded = self.pending.freed.len() + self.pending.freeing.len();
        self.free
            .saturating_sub(unrecorded as u32 + self.pending.doubted.segments)
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

    /// Slots that hosts can fill before segments have to be freed: what is left of open ones, and those that may be opened. Negative where what is open was
    /// taken from the reserve.
    fn headroom(&self) -> i32 {
        let free = self.free as i32 - self.host_reserve() as i32;
        self.open_slots() as i32 + free * self.slots()
    }

    /// Where little is left of open segments and none may be opened, a record page is written that gives one back, before anybody needs it.
    pub(super) fn record_ahead(&mut self) {
        let little = self.open_slots() < self.shape.slots_per_segment() / RECORD_AHEAD_SHARE;
        self.pending.wanted |=
            little && self.erasable() <= self.host_reserve() && !self.pending.freed.is_empty();
    }

    /// What is left of the segments to which hosts append.
    fn open_slots(&self) -> u32 {
        (0u8..)
            .zip(self.appends.iter())
            .filter(|&(stream, _)| !matches!(stream, JOURNAL | LEVELING))
            .filter_map(|(_, append)| append.map(|append| append.next))
            .map(|next| (self.shape.pages_per_segment() - next) * self.shape.units())
            .sum()
    }

    /// Headroom that grooming maintains: half of each stream's open segment, of a few streams at least, and a share of what is unused.
    fn headroom_wanted(&self) -> i32 {
        let streams = self.shape.streams.of_data() as i32 - 1;
        let unused = self.room().saturating_sub(self.used) / u64::from(SLOT_COST);
        streams.max(STREAMS_LEAST) * self.slots() / 2 + (unused / AHEAD_SHARE) as i32
    }

    /// Slots of a segment.
    fn slots(&self) -> i32 {
        self.shape.slots_per_segment() as i32
    }

    /// True when writes pay for grooming.
    pub(super) fn headroom_is_low(&self) -> bool {
        self.headroom() < self.headroom_wanted() + self.slots()
    }

    /// True when what is open belongs to the groomer: hosts have begun to use up the reserve. They wait until it is made up for, as long as it takes, and the segment
    /// that frees most goes first, whatever its age.
    pub(super) fn headroom_is_gone(&self) -> bool {
        !self.groom.exhausted && self.headroom() < 0
    }

    /// Microseconds of grooming that the next write owes: what is left of the victim, spread over the writes after which there will be as much room as is wanted.
    fn pace_us(&self) -> u32 {
        let Some(victim) = self.groom.victim() else {
            return 1;
        };
        let slots = self.shape.slots_per_segment();
        let valid = self.segments.valid(victim).min(slots);
        let lookup = if (self.shape.map_pages as usize) > self.frames_len() {
            READ_US
        } else {
            0
        };
        let pages = self.shape.pages_per_segment() - self.groom.looked_at();
        let work = pages * (HEADER_US + lookup * self.shape.units())
            + valid * (READ_US + PROGRAM_US / self.shape.units())
            + ERASE_US;
        let writes = self.headroom() + self.slots() - valid as i32 - self.headroom_wanted();
        work / writes.max(1) as u32
    }

    /// Charges an accepted write.
    pub(super) fn charge_write(&mut self) {
        self.stats.moves_per_write_max = self.stats.moves_per_write_max.max(self.credit.moves);
        self.credit.moves = 0;
        self.credit.idle_free = 0;
        self.credit.spent_us = 0;
        self.credit.held = 0;
        self.credit.starved = false;
        if self.headroom_is_low() || self.ailing {
            let pace = self.pace_us().min(ALLOWANCE_US) as i32;
            self.credit.debt_us = (self.credit.debt_us + pace).min(2 * ALLOWANCE_US as i32);
            if self.groom.victim().is_none() {
                // What was paid ahead was paid for another one.
                self.credit.debt_us = self.credit.debt_us.max(1);
            }
        } else {
            self.credit.debt_us = 0;
        }
        if self.checkpoint.active() {
            self.credit.steps = 1;
        }
    }

    /// Counts groomer's work done.
    pub(super) fn pay(&mut self, us: u32) {
        self.credit.spend(us);
        self.credit.debt_us -= us as i32;
        let floor = -(ERASE_US as i32);
        self.credit.debt_us = self.credit.debt_us.max(floor);
    }
}
