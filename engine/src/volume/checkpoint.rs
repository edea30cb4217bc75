//! The checkpoint: directory, segment table, bad blocks and parameters, a copy in each ring of anchor blocks.
//!
//! It is fuzzy: taken page by page while work goes on. Everything younger than the position at which its dump of the delta table started
//! is in the journal too, so that replaying makes it whole.

use cuesta_hal::{Completion, Die, Nand};

use super::address::Segment;
use super::anchor::{page_at, Position, CONFIRMING, OPENING};
use super::error::Error;
use super::flight::Flight;
use super::job::{Job, Step};
use super::parameters::RING_BLOCKS_MAX;
use super::ring::{BEHIND_OPENING, FULL, NO_PLACE};
use super::{Session, Volume, JOURNAL};

/// Where the volume is in making a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// It is not.
    #[default]
    Idle,
    /// What no record page holds yet goes to the journal.
    Prepare,
    /// The whole delta table goes to the journal.
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
    /// The page at which replaying is to start could not be programmed.
    moving: bool,
}

impl Checkpoint {
    /// True between the start of the dump and the last page.
    pub(super) fn active(&self) -> bool {
        self.phase != Phase::Idle
    }

    /// A journal page could not be programmed.
    pub(super) fn page_failed(&mut self, segment: Segment, offset: u32) {
        self.moving |= self.phase == Phase::Dump
            && self.next_from.segment == segment
            && self.next_from.offset == offset;
    }

    /// A journal page is programmed here; if it is the one at which replaying is to start, that is here now.
    pub(super) fn page_moved(&mut self, segment: Segment, offset: u32, sequence: u16) {
        if core::mem::take(&mut self.moving) {
            self.next_from = Position {
                segment,
                offset,
                sequence,
            };
        }
    }

    /// True while record pages are written for it: the delta table must not change.
    pub(super) fn dumping(&self) -> bool {
        matches!(self.phase, Phase::Prepare | Phase::Dump)
    }

    /// True when mounting would replay a journal segment opened as the `sequence`-th.
    pub(super) const fn replays(&self, sequence: u16) -> bool {
        sequence.wrapping_sub(self.from.sequence) < 0x8000
    }
}

impl<N: Nand> Volume<'_, N> {
    /// Starts a checkpoint, unless one is being made.
    pub(super) fn start_checkpoint(&mut self, clean: bool) {
        if self.checkpoint.active() {
            return;
        }
        self.checkpoint.phase = Phase::Prepare;
        self.checkpoint.clean = clean;
        self.begin_dump();
    }

    /// Starts the dump, if it can start now.
    ///
    /// Its pages need several programs, and the first one already tells where the streams are. That is right because every delta is
    /// in an older record page by then, which counts as long as the checkpoint is not complete.
    fn begin_dump(&mut self) {
        if self.deltas.unjournaled() > 0 || self.data_in_flight() {
            return;
        }
        // Its first page is the first record page of the dump, which names the segments where the journal may go on.
        let Some((segment, offset)) = self.append_page(JOURNAL).filter(|_| self.journal_ready())
        else {
            return;
        };
        self.checkpoint.phase = Phase::Dump;
        self.checkpoint.journal_pages = 0;
        self.checkpoint.next_from = Position {
            segment,
            offset,
            sequence: self.journal_sequence,
        };
        self.deltas.unmark_all();
        self.pending.wanted = true;
    }

    /// True while a record page is needed for it.
    pub(super) fn checkpoint_wants_record(&self) -> bool {
        match self.checkpoint.phase {
            Phase::Prepare => self.deltas.unjournaled() > 0,
            Phase::Dump => true,
            _ => false,
        }
    }

    /// A record page is on the media: the dump may be complete.
    pub(super) fn checkpoint_recorded(&mut self) {
        if self.checkpoint.phase == Phase::Dump && self.deltas.unjournaled() == 0 {
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
            Phase::Prepare => {
                self.begin_dump();
                false
            }
            Phase::Dump => false,
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
            Phase::Idle | Phase::Prepare | Phase::Dump => {
                self.job = Job::None;
                Ok(Step::Again)
            }
            Phase::Erase { copy, block } => {
                let Some(address) = self.place_block(copy, block) else {
                    return Err(self.fail(Error::NoSpace));
                };
                if self.dies[usize::from(address.die.0)].flight != Flight::None {
                    return Ok(Step::Wait);
                }
                match self.nand.start_erase(address) {
                    Ok(()) => {
                        self.stats.erases += 1;
                        self.dies[usize::from(address.die.0)].flight = Flight::Job;
                        Ok(Step::Wait)
                    }
                    Err(error) => Err(self.nand_failed(&error)),
                }
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
            Phase::Idle | Phase::Prepare | Phase::Dump => {}
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
                    Phase::Idle | Phase::Prepare | Phase::Dump => 0,
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

    /// Makes a whole checkpoint straight through.
    pub(super) fn make_checkpoint(&mut self, clean: bool) -> Result<(), Error> {
        self.settle_until(|volume| !volume.checkpoint.active() && volume.journal_ready())?;
        self.start_checkpoint(clean);
        self.settle_until(|volume| !volume.checkpoint.active())
    }

    /// True when the next journal page may be a record page.
    fn journal_ready(&self) -> bool {
        self.append_page(JOURNAL)
            .is_some_and(|(segment, offset)| !self.is_parity(segment, offset))
    }

    /// Runs jobs until `done`, hosts waiting.
    pub(super) fn settle_until(&mut self, done: impl Fn(&Self) -> bool) -> Result<(), Error> {
        let limit = 64 * (self.shape.segments * self.shape.pages_per_segment()).max(1024);
        for _ in 0..limit {
            if done(self) && self.job == Job::None {
                return Ok(());
            }
            self.credit.steps = 1;
            self.redrive()?;
            self.run_job()?;
            if self.dies.iter().all(|die| die.flight == Flight::None) {
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
            if self.dies.iter().any(|die| die.flight != Flight::None) {
                self.nand.wait();
            }
        }
        Err(self.fail(Error::NoSpace))
    }
}
