//! The checkpoint: directory, segment table, bad blocks and parameters, a copy in each ring of anchor blocks.
//!
//! It is fuzzy: taken page by page while work goes on. Everything younger than the position at which its dump of the delta table started
//! is in the journal too, so that replaying makes it whole.

use cuesta_hal::{Completion, Die, Nand};

use super::address::Segment;
use super::anchor::{page_at, Position, CONFIRMING, OPENING};
use super::credit::PROGRAM_US;
use super::error::Error;
use super::job::{Job, Step};
use super::parameters::RING_BLOCKS_MAX;
use super::ring::{BEHIND_OPENING, FULL, NO_PLACE};
use super::{Session, Volume};

/// Where the volume is in making a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// It is not.
    #[default]
    Idle,
    /// The next record page is the one at which replaying is to start.
    Begin,
    /// Record pages take the delta table along, as far as what is new leaves them room.
    Dump,
    /// Blocks of a copy's next place are erased.
    Erase { copy: u8, block: u32 },
    /// The opening page of a copy's place is programmed, then the one that confirms it.
    Opening { copy: u8, id: u32 },
    /// Pages of a copy are programmed.
    Write { copy: u8, page: u32 },
}

/// Progress of the checkpoint.
#[derive(Debug, Default)]
pub(super) struct Checkpoint {
    phase: Phase,
    /// Number of the last complete checkpoint.
    pub sequence: u32,
    /// Where mounting starts to replay.
    pub from: Position,
    pub(super) next_from: Position,
    /// Journal pages since the last one.
    pub journal_pages: u32,
    /// The volume is being unmounted: the checkpoint says that nothing follows.
    pub(super) clean: bool,
    /// Places of a ring that failed one after the other.
    failures: u8,
    /// Replaying is to start at the journal page that is programmed next.
    starting: bool,
    /// Nothing else goes on before the dump is done.
    pub(super) hurry: bool,
}

impl Checkpoint {
    /// True between the start of the dump and the last page.
    pub(super) fn active(&self) -> bool {
        self.phase != Phase::Idle
    }

    /// A journal page could not be programmed.
    pub(super) fn page_failed(&mut self, segment: Segment, offset: u32) {
        self.starting |= self.phase == Phase::Dump
            && self.next_from.segment == segment
            && self.next_from.offset == offset;
    }

    /// A journal page is programmed here; it may be the one at which replaying is to start.
    pub(super) fn page_placed(&mut self, position: Position) {
        if core::mem::take(&mut self.starting) {
            self.next_from = position;
        }
    }

    /// True when mounting would replay a journal segment opened as the `sequence`-th.
    pub(super) const fn replays(&self, sequence: u16) -> bool {
        sequence.wrapping_sub(self.from.sequence) < 0x8000
    }
}

impl<N: Nand> Volume<'_, N> {
    /// Starts a checkpoint, unless one is being made. In a `hurry` nothing else goes on before its dump is done.
    pub(super) fn start_checkpoint(&mut self, hurry: bool) {
        self.checkpoint.hurry |= hurry;
        if self.checkpoint.active() {
            return;
        }
        self.checkpoint.phase = Phase::Begin;
        self.pending.wanted = true;
    }

    /// A record page is being encoded: with the first one of a checkpoint its dump begins. It names the segments where the journal may go on, and tells
    /// where the streams are.
    pub(super) fn checkpoint_records(&mut self) {
        if self.checkpoint.phase == Phase::Begin {
            self.checkpoint.phase = Phase::Dump;
            self.checkpoint.journal_pages = 0;
            self.checkpoint.starting = true;
            self.deltas.begin_dump();
        }
    }

    /// True while a record page is needed for it at once: in a hurry, and where the journal has grown by as much as it may until the dump is done.
    pub(super) fn checkpoint_wants_record(&self) -> bool {
        self.checkpoint.phase == Phase::Dump
            && (self.checkpoint.hurry
                || self.control.unmounting()
                || self.checkpoint.journal_pages >= self.quota.checkpoint_interval / 2)
    }

    /// A record page is on the media: the dump may be complete.
    pub(super) fn checkpoint_recorded(&mut self) {
        let all = self.deltas.unjournaled() == 0 || !self.checkpoint.hurry;
        if self.checkpoint.phase == Phase::Dump && !self.deltas.dumping() && all {
            self.next_copy(0);
        }
    }

    /// True when the checkpoint should go on, or start, now.
    pub(super) fn checkpoint_step_due(&mut self) -> bool {
        match self.checkpoint.phase {
            Phase::Idle => {
                if self.checkpoint.journal_pages >= self.quota.checkpoint_interval
                    && self.pending.named.len() > 2
                {
                    self.start_checkpoint(false);
                }
                false
            }
            Phase::Begin | Phase::Dump => false,
            Phase::Erase { .. } | Phase::Opening { .. } | Phase::Write { .. } => {
                self.credit.steps > 0
                    || self.control.unmounting()
                    || self.journal_segments > self.quota.journal_segments
            }
        }
    }

    /// Goes on with the first ring in use from a number on; without one the checkpoint is complete.
    fn next_copy(&mut self, from: u8) {
        match self.ring_from(from) {
            Some(copy) => self.begin_copy(copy),
            None => self.checkpoint_complete(),
        }
    }

    fn begin_copy(&mut self, copy: u8) {
        self.checkpoint.failures = 0;
        let ring = &self.rings[usize::from(copy)];
        let behind = ring.behind(self.quota.checkpoint_pages, self.place_pages());
        if behind.is_some() {
            self.checkpoint.phase = Phase::Write { copy, page: 0 };
        } else {
            self.fresh_place(copy);
        }
    }

    /// Goes on in a fresh place of a ring; with the next ring where there is none.
    fn fresh_place(&mut self, copy: u8) {
        let tired = usize::from(self.checkpoint.failures) >= RING_BLOCKS_MAX;
        if !tired && self.next_place(copy) {
            self.checkpoint.phase = Phase::Erase { copy, block: 0 };
        } else if self.give_up_ring(copy).is_ok() {
            self.next_copy(copy + 1);
        }
    }

    pub(super) fn anchor_step(&mut self) -> Result<Step, Error> {
        match self.checkpoint.phase {
            Phase::Idle | Phase::Begin | Phase::Dump => {
                self.job = Job::None;
                Ok(Step::Again)
            }
            Phase::Erase { copy, block } => {
                let Some(address) = self.place_block(copy, block) else {
                    return Err(self.fail(Error::NoSpace));
                };
                if self.dies[usize::from(address.die.0)].flight.is_some() {
                    return Ok(Step::Wait);
                }
                self.start_job_erase(address)?;
                Ok(Step::Wait)
            }
            Phase::Opening { copy, id: page } | Phase::Write { copy, page } => {
                let Some(address) = self.anchor_page(copy, page_at(page)) else {
                    return Err(self.fail(Error::NoSpace));
                };
                if !self.die_free(address.die()) {
                    return Ok(Step::Wait);
                }
                self.fill_anchor(address.die(), copy, page);
                self.stats.meta_pages += 1;
                self.credit.spend(PROGRAM_US);
                self.start_job_program(address)?;
                Ok(Step::Wait)
            }
        }
    }

    pub(super) fn anchor_settled(&mut self, completion: Completion) {
        self.job = Job::None;
        self.credit.steps = self.credit.steps.saturating_sub(1);
        let good = matches!(completion, Completion::Programmed | Completion::Erased);
        match self.checkpoint.phase {
            Phase::Idle | Phase::Begin | Phase::Dump => {}
            Phase::Erase { copy, .. } | Phase::Opening { copy, .. } | Phase::Write { copy, .. }
                if !good =>
            {
                // The next place is tried; the last complete checkpoint is elsewhere.
                let index = match self.checkpoint.phase {
                    Phase::Erase { block, .. } => block,
                    Phase::Opening { id: page, .. } | Phase::Write { page, .. } => {
                        let ring = &self.rings[usize::from(copy)];
                        (u32::from(ring.next) + page_at(page)) / self.shape.rows
                    }
                    Phase::Idle | Phase::Begin | Phase::Dump => 0,
                };
                if let Some(block) = self.place_block(copy, index) {
                    self.ring_block_failed(block);
                }
                self.checkpoint.failures = self.checkpoint.failures.saturating_add(1);
                self.fresh_place(copy);
            }
            Phase::Erase { copy, block } => {
                self.checkpoint.phase = if block + 1 < self.quota.blocks_per_slot {
                    Phase::Erase {
                        copy,
                        block: block + 1,
                    }
                } else {
                    Phase::Opening { copy, id: OPENING }
                };
            }
            Phase::Opening { copy, id: OPENING } => {
                self.checkpoint.phase = Phase::Opening {
                    copy,
                    id: CONFIRMING,
                };
            }
            Phase::Opening { copy, .. } => {
                self.rings[usize::from(copy)].next = BEHIND_OPENING;
                self.checkpoint.phase = Phase::Write { copy, page: 0 };
            }
            Phase::Write { copy, page } => {
                if page + 1 < self.quota.checkpoint_pages {
                    self.checkpoint.phase = Phase::Write {
                        copy,
                        page: page + 1,
                    };
                    return;
                }
                let (pages, place) = (self.quota.checkpoint_pages, self.place_pages());
                let ring = &mut self.rings[usize::from(copy)];
                let behind = ring.behind(pages, place);
                ring.next = behind.unwrap_or(FULL);
                ring.committed = ring.slot;
                self.next_copy(copy + 1);
            }
        }
    }

    fn checkpoint_complete(&mut self) {
        self.checkpoint.phase = Phase::Idle;
        self.checkpoint.hurry = false;
        self.checkpoint.sequence = self.checkpoint.sequence.wrapping_add(1);
        self.credit.steps = 0;
        self.void_from = u64::MAX;
        for ring in &mut self.rings {
            ring.trace = NO_PLACE;
        }
        self.checkpoint.from = self.checkpoint.next_from;
        self.stats.checkpoints += 1;
        self.release_journal();
    }

    /// Makes a whole checkpoint straight through; a `clean` one says that nothing follows.
    pub(super) fn make_checkpoint(&mut self, clean: bool) -> Result<(), Error> {
        self.checkpoint.hurry = true;
        self.settle_until(&|volume| !volume.checkpoint.active())?;
        self.checkpoint.clean = clean;
        self.start_checkpoint(true);
        self.settle_until(&|volume| !volume.checkpoint.active())
    }

    /// Runs jobs until `done`, hosts waiting.
    pub(super) fn settle_until(&mut self, done: &dyn Fn(&Self) -> bool) -> Result<(), Error> {
        let limit = 64 * (self.shape.segments * self.shape.pages_per_segment()).max(1024);
        for _ in 0..limit {
            if done(self) && !self.job.is_some() {
                return Ok(());
            }
            self.credit.steps = 1;
            self.redrive()?;
            self.run_job()?;
            if !self.is_in_flight() {
                self.push_stages()?;
            }
            self.rebuild_for_work()?;
            for die in 0..self.dies.len() {
                let (_, outcome) = self.settle(Die(die as u16));
                if let Some(super::event::Outcome::Failed(_, error)) = outcome {
                    return Err(error);
                }
            }
            match self.session {
                Session::Failed(error) => return Err(error),
                Session::ReadOnly => return Err(Error::NoSpace),
                Session::Mounted { .. } | Session::Active => {}
            }
            if self.is_in_flight() {
                self.nand.wait();
            }
        }
        Err(self.fail(Error::NoSpace))
    }
}
