//! Programs of journal pages: encoding, starting, settling, and trying again elsewhere.

use cuesta_hal::{Die, Nand};

use super::address::{MapIndex, Segment};
use super::anchor::Position;
use super::credit::PROGRAM_US;
use super::error::Error;
use super::flight::Flight;
use super::job::{Job, Step};
use super::journal::Doubted;
use super::stream::JOURNAL;
use super::stripe::{Next, Stripe};
use super::Volume;
use crate::codec::{Header, Kind};

impl<N: Nand> Volume<'_, N> {
    /// Writes a record page as soon as no sector data is in flight.
    pub(super) fn record_step(&mut self) -> Result<Step, Error> {
        if self.data_in_flight() {
            return Ok(Step::Wait);
        }
        if self.commit_waits() {
            self.push_stages()?;
            return Ok(Step::Wait);
        }
        let Some(die) = self.ready_die(JOURNAL, None) else {
            return Ok(Step::Wait);
        };
        self.apply_commit();
        self.encode_record(die);
        self.program_journal(Kind::Record, 0, die, self.settled_until())
    }

    /// The log time up to which all sector data has settled: what is encoded now covers it. What is programmed from now on has a later one.
    pub(super) fn settled_until(&self) -> u64 {
        let in_flight = self.dies.iter().filter_map(|die| match die.flight {
            Flight::Data { time, .. } => Some(time),
            Flight::Member(member) => Some(member.time),
            _ => None,
        });
        in_flight.min().map_or(self.time, |oldest| oldest - 1)
    }

    /// Encodes a journal page whose payload is in the buffer of `die`, the one of the journal's append point, and starts its program. The payload holds all
    /// sector data up to the log time that it `covers`, and of what is later nothing that a mount need not find by itself.
    pub(super) fn program_journal(
        &mut self,
        kind: Kind,
        id: u32,
        die: Die,
        covers: u64,
    ) -> Result<Step, Error> {
        let Some((segment, offsets)) = self.take_stripe(JOURNAL) else {
            return Err(self.fail(Error::NoSpace));
        };
        let Some(&offset) = offsets.first() else {
            return Err(self.fail(Error::NoSpace));
        };
        // A record page has taken its number already.
        let taken = u16::from(kind == Kind::Record);
        self.checkpoint.page_placed(Position {
            segment,
            offset,
            sequence: self.journal_sequence,
            record: self.next_record.wrapping_sub(taken),
        });
        let time = self.take_time();
        let header = Header {
            kind,
            level: 0,
            flags: 0,
            span: Self::span(&offsets),
            time,
            id,
            birth: (time - covers) as u32,
            stream: JOURNAL,
            erases: self.erases_of(segment),
        };
        let place = self.shape.location(segment, offset, 0);
        self.encode_meta(die, place.0, &header);
        self.checkpoint.journal_pages += 1;
        if self.checkpoint.active() {
            self.credit.steps += 1;
        }
        if kind == Kind::Map {
            self.stats.map_pages += offsets.len() as u32;
        } else {
            self.stats.meta_pages += offsets.len() as u32;
        }
        self.credit.spend(PROGRAM_US);
        let stripe = self.start_stripe(segment, &offsets)?;
        self.dies[usize::from(die.0)].flight = Flight::Job;
        self.job = Job::Journal {
            kind,
            id,
            die,
            segment,
            stripe,
            covers,
        };
        Ok(Step::Wait)
    }

    /// Programs the payload of a journal page that failed elsewhere; opens a segment for it if need be. It covers what it did: sector data has gone on meanwhile.
    pub(super) fn retry_step(
        &mut self,
        kind: Kind,
        id: u32,
        die: Die,
        covers: u64,
    ) -> Result<Step, Error> {
        if self.append_page(JOURNAL).is_none() {
            // The buffer of the die stays as it is while blocks are erased.
            let Some(segment) = self.named_for(JOURNAL) else {
                return Err(self.fail(Error::NoSpace));
            };
            for column in 0..self.shape.width() {
                let block = self.shape.block(segment, column);
                // Data of a failed program waits in the buffer, which an erase leaves alone.
                let flight = &self.dies[usize::from(block.die.0)].flight;
                if !matches!(flight, Flight::None | Flight::Redrive(..)) {
                    return Ok(Step::Wait);
                }
            }
            self.take_name(segment);
            for column in 0..self.shape.width() {
                let block = self.shape.block(segment, column);
                let number = self.shape.block_number(block);
                if self.is_bad(number) {
                    continue;
                }
                if !self.erase_now(block)? {
                    self.block_failed(segment, column);
                }
            }
            if self.is_used_up(segment) {
                self.free -= 1;
                self.segments.set_state(segment, super::State::Retired);
                return Ok(Step::Again);
            }
            self.wear(segment);
            self.install(JOURNAL, segment);
        }
        if self.dies[usize::from(die.0)].flight.is_some() {
            return Ok(Step::Wait);
        }
        let Some(to) = self.ready_die(JOURNAL, Some(die)) else {
            return Ok(Step::Wait);
        };
        if to != die {
            self.copy_page_between(die, to);
        }
        self.program_journal(kind, id, to, covers)
    }

    /// The program of a journal page's copy has settled.
    pub(super) fn journal_copy_settled(&mut self, of: Die, offset: u32, good: bool) {
        if let Job::Journal {
            die, mut stripe, ..
        } = self.job
        {
            if die == of {
                let next = stripe.copy_settled(offset, good);
                self.journal_settled(stripe, next);
            }
        }
    }

    /// A program of a journal page has settled.
    pub(super) fn journal_settled(&mut self, now: Stripe, next: Next) {
        let Job::Journal {
            kind,
            id,
            die,
            segment,
            stripe,
            covers,
        } = &mut self.job
        else {
            return;
        };
        *stripe = now;
        let (kind, id, die, segment, covers) = (*kind, *id, *die, *segment, *covers);
        let at = usize::from(die.0);
        match next {
            // The buffer is kept until all of them have settled.
            Next::Wait => self.dies[at].flight = Flight::Job,
            Next::Program(offset) => {
                let page = self.shape.page(segment, offset);
                // What it fails with has stopped the volume.
                let _ = self.start_job_program(page);
            }
            Next::Done => {
                self.dies[at].flight = Flight::None;
                self.job = Job::None;
                self.journal_written(kind, id, die, segment, now.first);
            }
            Next::Failed(offset) => {
                self.dies[at].flight = Flight::None;
                self.block_failed(segment, offset % self.shape.width());
                self.stats.redriven += 1;
                self.checkpoint.page_failed(segment, now.first);
                self.job = Job::Retry {
                    kind,
                    id,
                    die,
                    covers,
                };
            }
        }
    }

    fn journal_written(&mut self, kind: Kind, id: u32, die: Die, segment: Segment, offset: u32) {
        // The next journal page says that the last one was finished.
        self.pending.doubted = Doubted::default();
        match kind {
            Kind::Map => self.map_written(MapIndex(id), segment, offset),
            Kind::Record => {
                self.checkpoint_recorded();
                self.control_recorded(die);
            }
            _ => {}
        }
    }
}
