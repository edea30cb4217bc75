//! The volume's own work, one piece at a time: which is due, and how each goes on.
//!
//! A job has at most one operation in flight. What is due is derived from the state at every turn, so that there is no queue to
//! lose.

use cuesta_hal::{Buffer, Completion, Die, Nand};

use super::address::{MapIndex, Segment};
use super::credit::ERASE_US;
use super::error::Error;
use super::flight::Flight;
use super::stream::JOURNAL;
use super::stripe::Stripe;
use super::Volume;
use crate::codec::Kind;

/// Steps a job may take in one call of `poll` without waiting for the part.
const STEPS_MAX: u32 = 8;

/// What is being worked on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Job {
    /// Nothing.
    #[default]
    None,
    /// Erasing the blocks of a segment, then making it a stream's append point.
    Open {
        stream: u8,
        segment: Segment,
        column: u32,
    },
    /// Bringing a map page up to date: waiting for its frame.
    Merge(MapIndex),
    /// Waiting for a quiet moment to encode a record page.
    Record,
    /// A journal page is being programmed.
    Journal {
        kind: Kind,
        id: u32,
        die: Die,
        segment: Segment,
        stripe: Stripe,
        covers: u64,
    },
    /// A journal page whose program failed: its payload is in the buffer of `die`, and complete up to the log time that it `covers`.
    Retry {
        kind: Kind,
        id: u32,
        die: Die,
        covers: u64,
    },
    /// Reading a group of journal pages, to program their XOR.
    Parity {
        segment: Segment,
        at: u32,
        end: u32,
        /// One bit for each page that is in the sum.
        summed: u32,
    },
    /// A step of the checkpoint.
    Anchor,
    /// The groomer looks at a page.
    GroomLook,
    /// The groomer fetches a page.
    GroomFetch,
    /// A page is made again for the groomer.
    GroomRebuild,
    /// The patrol reads a page.
    Patrol { segment: Segment, offset: u32 },
}

impl Job {
    /// True when something is being worked on.
    pub(super) const fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// True when the buffer of the die holds what the job still needs.
    pub(super) fn holds_buffer(&self, die: Die) -> bool {
        matches!(self, Self::Retry { die: held, .. } if *held == die)
    }
}

/// Whether a job can go on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Look again.
    Again,
    /// Something has to settle first.
    Wait,
}

impl<N: Nand> Volume<'_, N> {
    /// True while an operation of the job is in flight.
    fn job_in_flight(&self) -> bool {
        self.dies
            .iter()
            .any(|die| matches!(die.flight, Flight::Job))
    }

    /// Moves the job on as far as it goes without waiting.
    pub(super) fn run_job(&mut self) -> Result<(), Error> {
        for _ in 0..STEPS_MAX {
            if self.job_in_flight() {
                return Ok(());
            }
            let step = match self.job {
                // Blocks have failed until the journal has nowhere to go, and nothing can be named without it.
                Job::None
                    if self.append_page(JOURNAL).is_none()
                        && self.named_for(JOURNAL).is_none()
                        && !self.redriving() =>
                {
                    return Err(Error::NoSpace);
                }
                Job::None => self.choose_job(),
                Job::Open {
                    stream,
                    segment,
                    column,
                } => self.open_step(stream, segment, column)?,
                Job::Merge(map) => self.merge_step(map)?,
                Job::Record => self.record_step()?,
                Job::Retry {
                    kind,
                    id,
                    die,
                    covers,
                } => self.retry_step(kind, id, die, covers)?,
                Job::Parity {
                    segment,
                    at,
                    end,
                    summed,
                } => self.parity_step(segment, at, end, summed)?,
                Job::Anchor => self.anchor_step()?,
                Job::Journal { .. }
                | Job::GroomLook
                | Job::GroomFetch
                | Job::GroomRebuild
                | Job::Patrol { .. } => Step::Wait,
            };
            if step == Step::Wait {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Starts what is due most.
    fn choose_job(&mut self) -> Step {
        if self.groom.holding() {
            let step = self.groom_step();
            if step == Step::Again || self.job.is_some() || !self.groom.holding() {
                return step;
            }
        }
        let needed = self.hosts_are_blocked()
            || self.credit.starved
            || self.headroom_is_gone()
            || self.want_open.is_some();
        if !needed && self.credit.holds_back() {
            return Step::Wait;
        }
        if let Some(job) = self.due_job() {
            // It may need the buffer that the groomer holds.
            self.groom.let_go();
            if let Job::Open { segment, .. } = job {
                self.take_name(segment);
            }
            self.job = job;
            return Step::Again;
        }
        if self.groom_due() && !self.control.unmounting() {
            return self.groom_step();
        }
        if self.refresh_due() && !self.control.unmounting() {
            return self.refresh_step();
        }
        if self.patrol_due() && !self.control.unmounting() {
            return self.patrol_step();
        }
        Step::Wait
    }

    /// True while data of a failed program waits in a buffer: only what it needs goes on.
    pub(super) fn redriving(&self) -> bool {
        self.failed_stage().is_some()
            || self
                .dies
                .iter()
                .any(|die| matches!(die.flight, Flight::Redrive(..)))
    }

    /// Gives up a job that only waits: what it waits for has to wait for something else now.
    pub(super) fn cancel_waiting_job(&mut self) {
        match self.job {
            Job::Record => self.job = Job::None,
            Job::Merge(map) => {
                self.frames.give_up_merge(map);
                self.job = Job::None;
            }
            Job::GroomRebuild => self.give_up_rebuild(),
            _ => {}
        }
    }

    /// Work that hosts have to wait for, beside grooming.
    pub(super) fn due_job(&mut self) -> Option<Job> {
        if self.redriving() {
            return self.want_open.and_then(|stream| self.open_job(stream));
        }
        match self.append_page(JOURNAL) {
            None => return self.open_job(JOURNAL),
            Some((segment, offset)) if self.is_parity(segment, offset) => {
                let start = offset / self.quota.journal_group * self.quota.journal_group;
                return Some(Job::Parity {
                    segment,
                    at: start,
                    end: offset,
                    summed: 0,
                });
            }
            Some(_) => {}
        }
        if self.record_due() {
            return Some(Job::Record);
        }
        // A checkpoint being prepared starts its dump here; the first record page of it is due at once.
        if self.checkpoint_step_due() {
            return Some(Job::Anchor);
        }
        if self.record_due() {
            return Some(Job::Record);
        }
        // Before merges: they write journal pages, which only a checkpoint makes reclaimable.
        if let Some(job) = self.journal_quota_job() {
            return Some(job);
        }
        if self.deltas.room() <= self.delta_margin() {
            if let Some(map) = self.fullest_map() {
                return Some(Job::Merge(map));
            }
        }
        if let Some(map) = self.unmount_merge() {
            return Some(Job::Merge(map));
        }
        if let Some(stream) = self.want_open {
            if self.appends[usize::from(stream)].is_some()
                || self.erasable() <= self.groom_reserve()
            {
                self.want_open = None;
            } else if let Some(job) = self.open_job(stream) {
                return Some(job);
            }
        }
        None
    }

    /// True while no change could be accepted, whatever else is put off.
    fn hosts_are_blocked(&self) -> bool {
        !self.control.is_idle()
            || self.redriving()
            || matches!(self.job, Job::Record | Job::Retry { .. })
            || self.record_is_full()
            // One program in flight may still need an entry, and so does the write that asks.
            || self.deltas.room() <= self.deltas_promised() + self.shape.units() as usize
            || (self.groom.urgent() && !self.groom.exhausted)
    }

    /// True while hosts have to wait with changes.
    pub(super) fn host_must_wait(&mut self) -> bool {
        self.credit.asks();
        if self.hosts_are_blocked() {
            return true;
        }
        if self.job.is_some() {
            // On other dies there may be room.
            return self.dies.len() == 1 || self.headroom_is_gone();
        }
        let share = self.credit.starved || self.headroom_is_gone() || !self.credit.used_up();
        share && (self.due_job().is_some() || self.groom_owed() || self.patrol_overdue())
    }

    /// Entries of the delta table that must stay free for what is in flight.
    fn delta_margin(&self) -> usize {
        self.deltas_promised() + 2 * self.shape.units() as usize
    }

    /// True when a record page has to be written before anything else goes on.
    pub(super) fn record_due(&self) -> bool {
        let full = |len: usize, capacity: usize| len + 6 > capacity;
        self.pending.wanted
            || self.deltas.unjournaled() >= self.record_interval()
            || (!self.recovering
                && self.pending.named.len() <= 2
                && self.free > self.pending.named.len() as u32)
            || full(self.pending.closed.len(), 16)
            || full(self.pending.freed.len(), 16)
            || self.pending.bad_blocks.len() > 4
            || (self.deltas.unjournaled() > 0 && self.record_is_full())
            || self.control_wants_record()
            || self.checkpoint_wants_record()
    }

    pub(super) fn start_job_program(&mut self, page: cuesta_hal::PageAddress) -> Result<(), Error> {
        self.start_own(page)?;
        self.dies[usize::from(page.die().0)].flight = Flight::Job;
        Ok(())
    }

    pub(super) fn start_job_read(
        &mut self,
        page: cuesta_hal::PageAddress,
        columns: cuesta_hal::Columns,
    ) -> Result<(), Error> {
        match self.nand.start_read(page, columns, Buffer::First) {
            Ok(()) => {
                self.dies[usize::from(page.die().0)].flight = Flight::Job;
                Ok(())
            }
            Err(error) => Err(self.nand_failed(&error)),
        }
    }

    pub(super) fn start_job_erase(&mut self, block: cuesta_hal::BlockAddress) -> Result<(), Error> {
        match self.nand.start_erase(block) {
            Ok(()) => {
                self.stats.erases += 1;
                self.pay(ERASE_US);
                self.dies[usize::from(block.die.0)].flight = Flight::Job;
                Ok(())
            }
            Err(error) => Err(self.nand_failed(&error)),
        }
    }

    /// The job that opens a segment for a stream, if a segment is named.
    fn open_job(&self, stream: u8) -> Option<Job> {
        let segment = self.named_for(stream)?;
        Some(Job::Open {
            stream,
            segment,
            column: 0,
        })
    }

    fn open_step(&mut self, stream: u8, segment: Segment, column: u32) -> Result<Step, Error> {
        let mut column = column;
        while column < self.shape.width() {
            let block = self.shape.block(segment, column);
            if self.is_bad(self.shape.block_number(block)) {
                column += 1;
                continue;
            }
            match self.dies[usize::from(block.die.0)].flight {
                Flight::None => {
                    self.job = Job::Open {
                        stream,
                        segment,
                        column,
                    };
                    self.start_job_erase(block)?;
                    return Ok(Step::Wait);
                }
                // Data of a failed program waits in the buffer, which an erase leaves alone.
                Flight::Redrive(..) => {
                    if !self.erase_now(block)? {
                        self.block_failed(segment, column);
                    }
                    column += 1;
                }
                _ => return Ok(Step::Wait),
            }
        }
        self.job = Job::None;
        if self.is_used_up(segment) {
            // Every erase failed: the next named segment is tried.
            self.free -= 1;
            self.segments.set_state(segment, super::State::Retired);
            return Ok(Step::Again);
        }
        self.wear(segment);
        // It may go on in the segment of another stream meanwhile: this one stays free then.
        if stream == JOURNAL || self.appends[usize::from(stream)].is_none() {
            self.install(stream, segment);
        }
        if self.want_open == Some(stream) {
            self.want_open = None;
        }
        Ok(Step::Again)
    }

    /// An operation of the job has settled.
    pub(super) fn settle_job(&mut self, die: Die, completion: Completion) {
        match self.job {
            Job::Open {
                stream,
                segment,
                column,
            } => {
                if completion != Completion::Erased {
                    self.block_failed(segment, column);
                }
                self.job = Job::Open {
                    stream,
                    segment,
                    column: column + 1,
                };
            }
            Job::Journal { mut stripe, .. } => {
                let next = stripe.own_settled(completion == Completion::Programmed);
                self.journal_settled(stripe, next);
            }
            Job::Parity {
                segment,
                at,
                end,
                summed,
            } => self.parity_settled(die, segment, at, end, summed),
            Job::Anchor => self.anchor_settled(completion),
            Job::GroomLook => {
                self.job = Job::None;
                self.groom_looked(die);
            }
            Job::GroomFetch => {
                self.job = Job::None;
                self.groom_fetched(die);
            }
            Job::Patrol { segment, offset } => {
                self.job = Job::None;
                self.patrol_read(die, segment, offset);
            }
            Job::None | Job::Merge(_) | Job::Record | Job::Retry { .. } | Job::GroomRebuild => {}
        }
    }

    /// True when the groomer has to work now: it is owed to hosts, or there is time.
    pub(super) fn groom_due(&self) -> bool {
        let idle = self.free < self.credit.idle_free || (self.ailing && self.credit.idle_free > 0);
        self.groom_owed() || (idle && !self.groom.exhausted)
    }

    /// True when hosts have to wait for the groomer. Work for which there merely is time is put off.
    fn groom_owed(&self) -> bool {
        if self.groom.exhausted {
            return false;
        }
        if self.groom.urgent() || self.credit.starved || self.headroom_is_gone() {
            return true;
        }
        (self.headroom_is_low() || self.ailing) && self.credit.debt_us > 0
    }

    /// True when hosts wait for segments that nobody can free.
    pub(super) fn out_of_space(&self) -> bool {
        self.groom.exhausted && self.free <= self.host_reserve()
    }
}
