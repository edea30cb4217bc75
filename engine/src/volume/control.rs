//! Requests that are not reads or writes of one sector: flush, trim, batches, unmount. One at a time.

use cuesta_hal::{Die, Nand};

use super::address::{Location, Sector, Segment, Ticket};
use super::error::Error;
use super::event::Outcome;
use super::index::Lookup;
use super::job::Job;
use super::journal::Doubted;
use super::options::WriteOptions;
use super::shape::Shape;
use super::{Session, Volume};

/// Members of an atomic batch at most.
pub const BATCH_MAX: usize = 32;
/// Sectors a trim looks at in one call of `poll`.
const TRIM_STEP: u32 = 64;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Request {
    #[default]
    None,
    Flush(Ticket),
    Trim {
        ticket: Ticket,
        next: u32,
        end: u32,
    },
    Commit {
        ticket: Ticket,
        applied: bool,
        written: bool,
    },
    Unmount,
}

/// A sector of the open batch, on the media but not in the index.
#[derive(Debug, Clone, Copy)]
struct Member {
    sector: Sector,
    new: Location,
    /// Where the index has it.
    old: Location,
}

/// The request in work and the open batch.
#[derive(Debug, Default)]
pub(super) struct Control {
    request: Request,
    batch_open: bool,
    batch: heapless::Vec<Member, BATCH_MAX>,
    batch_superseded: heapless::Vec<Location, BATCH_MAX>,
}

impl Control {
    /// True when nothing is asked for.
    pub(super) fn is_idle(&self) -> bool {
        self.request == Request::None
    }

    /// True during an unmount.
    pub(super) const fn unmounting(&self) -> bool {
        matches!(self.request, Request::Unmount)
    }

    /// Members of the open batch that are on the media.
    pub(super) fn batch_len(&self) -> usize {
        self.batch.len()
    }

    /// A member is on the media.
    pub(super) fn batch_written(&mut self, sector: Sector, old: Location, new: Location) {
        if let Some(member) = self.batch.iter_mut().find(|member| member.sector == sector) {
            let _ = self.batch_superseded.push(member.new);
            member.new = new;
        } else {
            let _ = self.batch.push(Member { sector, new, old });
        }
    }

    /// The index has a sector elsewhere now.
    pub(super) fn moved(&mut self, sector: Sector, location: Location) {
        for member in &mut self.batch {
            if member.sector == sector {
                member.old = location;
            }
        }
    }

    /// True when a member of the open batch is in the segment.
    pub(super) fn batch_in(&self, shape: &Shape, segment: Segment) -> bool {
        self.batch
            .iter()
            .any(|member| shape.segment(member.new) == segment)
    }
}

impl<N: Nand> Volume<'_, N> {
    fn accept_control(&mut self) -> nb::Result<(), Error> {
        if let Session::Failed(error) = self.session {
            return Err(nb::Error::Other(error));
        }
        if self.control.is_idle() {
            Ok(())
        } else {
            Err(nb::Error::WouldBlock)
        }
    }

    /// Makes everything durable that completed before: writes are already, trims become so.
    ///
    /// # Errors
    /// `WouldBlock`: another such request is in work. Any other error: refused.
    pub fn submit_flush(&mut self) -> nb::Result<Ticket, Error> {
        self.accept_control()?;
        let ticket = self.ticket();
        self.control.request = Request::Flush(ticket);
        Ok(ticket)
    }

    /// Makes `count` sectors from `first` on read as unwritten, without erasing anything. Durable at the next flush.
    ///
    /// # Errors
    /// `WouldBlock`: another such request is in work. Any other error: refused.
    pub fn submit_trim(&mut self, first: Sector, count: u32) -> nb::Result<Ticket, Error> {
        let end = u64::from(first.0) + u64::from(count);
        let capacity = self.capacity();
        if end > u64::from(capacity) {
            return Err(nb::Error::Other(Error::OutOfRange {
                sector: Sector(capacity.max(first.0)),
                capacity,
            }));
        }
        self.accept_control()?;
        self.ready_to_write()?;
        let ticket = self.ticket();
        self.control.request = Request::Trim {
            ticket,
            next: first.0,
            end: end as u32,
        };
        Ok(ticket)
    }

    /// True while a trim that was accepted has not come to this sector: whoever asks for the sector later has to wait, or he would be served before it.
    pub(super) const fn trim_is_to_come(&self, sector: Sector) -> bool {
        match self.control.request {
            Request::Trim { next, end, .. } => next <= sector.0 && sector.0 < end,
            _ => false,
        }
    }

    /// Opens an atomic batch: what is written with [`submit_batch_write`](Self::submit_batch_write) takes effect together, at the commit.
    ///
    /// # Errors
    /// `WouldBlock`: one is open already, or the first change of a session has to wait for what is in flight. Any other error: the volume takes no writes.
    pub fn begin_batch(&mut self) -> nb::Result<(), Error> {
        if self.control.batch_open {
            return Err(nb::Error::WouldBlock);
        }
        self.ready_to_write()?;
        self.control.batch_open = true;
        Ok(())
    }

    /// A batch is open.
    #[must_use]
    pub const fn batch_is_open(&self) -> bool {
        self.control.batch_open
    }

    /// Writes a member of the open batch: as [`submit_write`](Self::submit_write), but reads see it after the commit only.
    ///
    /// # Errors
    /// [`Error::NoBatch`], [`Error::BatchTooLarge`], and those of a write.
    pub fn submit_batch_write(&mut self, sector: Sector, data: &[u8]) -> nb::Result<Ticket, Error> {
        self.submit_batch_write_with(sector, data, WriteOptions::default())
    }

    /// Writes a member of the open batch as asked for: at a level, with a placement hint.
    ///
    /// # Errors
    /// [`Error::NoLevel`], and those of [`submit_batch_write`](Self::submit_batch_write).
    pub fn submit_batch_write_with(
        &mut self,
        sector: Sector,
        data: &[u8],
        options: WriteOptions,
    ) -> nb::Result<Ticket, Error> {
        self.check_sector(sector)?;
        self.accept_member(sector, data, options)
    }

    /// A member of the open batch, which may be a sector of the volume's own.
    pub(super) fn accept_member(
        &mut self,
        sector: Sector,
        data: &[u8],
        options: WriteOptions,
    ) -> nb::Result<Ticket, Error> {
        if !self.control.batch_open {
            return Err(nb::Error::Other(Error::NoBatch));
        }
        let in_flight = self.deltas_promised() - self.control.batch_len();
        let max = self.batch_max();
        if self.control.batch_len() + self.control.batch_superseded.len() + in_flight >= max {
            return if in_flight > 0 {
                Err(nb::Error::WouldBlock)
            } else {
                Err(nb::Error::Other(Error::BatchTooLarge { max }))
            };
        }
        self.accept_write(sector, data, options, true)
    }

    /// Sectors an atomic batch can have.
    #[must_use]
    pub fn batch_max(&self) -> usize {
        BATCH_MAX
            .min(self.record_room() / 2)
            .min(self.deltas.limit() / 4)
    }

    /// Commits the open batch. [`Event::Committed`](super::Event::Committed) says that all of it is durable.
    ///
    /// # Errors
    /// `WouldBlock`: members are still in flight, or another request is in work. [`Error::NoBatch`].
    pub fn submit_commit(&mut self) -> nb::Result<Ticket, Error> {
        if !self.control.batch_open {
            return Err(nb::Error::Other(Error::NoBatch));
        }
        self.accept_control()?;
        let ticket = self.ticket();
        self.control.request = Request::Commit {
            ticket,
            applied: false,
            written: false,
        };
        Ok(ticket)
    }

    /// Gives the open batch up: none of it takes effect.
    pub fn abort_batch(&mut self) {
        if !self.control.is_idle() {
            return;
        }
        self.control.batch_open = false;
        while let Some(member) = self.control.batch.pop() {
            self.invalidate(member.new);
        }
        self.drop_superseded();
    }

    fn drop_superseded(&mut self) {
        while let Some(location) = self.control.batch_superseded.pop() {
            self.invalidate(location);
        }
    }

    /// True when a request needs a record page.
    pub(super) fn control_wants_record(&self) -> bool {
        match self.control.request {
            Request::Flush(_) => self.pending.trims,
            Request::Commit { written: false, .. } => true,
            _ => false,
        }
    }

    /// True when members of the batch to be committed are still being relocated: their old places must settle first.
    pub(super) fn commit_waits(&self) -> bool {
        matches!(self.control.request, Request::Commit { applied: false, .. })
            && self
                .control
                .batch
                .iter()
                .any(|member| self.sector_busy(member.sector))
    }

    /// The members of a batch take effect, in the same moment in which their record page is encoded: nothing else is in flight,
    /// and their deltas fit into that page.
    pub(super) fn apply_commit(&mut self) {
        let Request::Commit {
            ticket,
            applied: false,
            ..
        } = self.control.request
        else {
            return;
        };
        if self.deltas.unjournaled() + self.control.batch_len() > self.record_room()
            || self.deltas.room() < self.control.batch_len()
        {
            return;
        }
        while let Some(Member { sector, new, old }) = self.control.batch.pop() {
            self.set_mapping(sector, old, new);
        }
        self.drop_superseded();
        self.control.request = Request::Commit {
            ticket,
            applied: true,
            written: false,
        };
    }

    /// A record page is on the media: it was programmed on `die`.
    pub(super) fn control_recorded(&mut self, die: Die) {
        self.pending.durable = self.pending.named.len();
        self.pending.doubted = Doubted {
            segments: self.pending.freeing.len() as u32,
            die,
        };
        self.pending.freeing.clear();
        if self.deltas.unjournaled() == 0 {
            self.pending.trims = false;
        }
        if let Request::Commit {
            ticket,
            applied: true,
            ..
        } = self.control.request
        {
            if self.deltas.unjournaled() == 0 {
                self.control.request = Request::Commit {
                    ticket,
                    applied: true,
                    written: true,
                };
            }
        }
    }

    /// Moves the request in work on; its event, when it is done.
    pub(super) fn run_control(&mut self) -> Option<Outcome> {
        match self.control.request {
            Request::None | Request::Unmount => None,
            Request::Flush(ticket) => {
                if self.pending.trims {
                    return None;
                }
                self.control.request = Request::None;
                Some(Outcome::Flushed(ticket))
            }
            Request::Commit {
                ticket, written, ..
            } => {
                if !written {
                    return None;
                }
                self.control.request = Request::None;
                self.control.batch_open = false;
                Some(Outcome::Committed(ticket))
            }
            Request::Trim { ticket, next, end } => self.run_trim(ticket, next, end),
        }
    }

    fn run_trim(&mut self, ticket: Ticket, next: u32, end: u32) -> Option<Outcome> {
        let mut next = next;
        let stop = end.min(next.saturating_add(TRIM_STEP));
        while next < stop {
            let sector = Sector(next);
            if matches!(
                self.job,
                Job::Record | Job::Journal { .. } | Job::Retry { .. }
            ) || self.record_is_full()
                || self.sector_busy(sector)
                || self.read_waits_for(sector)
            {
                break;
            }
            match self.lookup(sector) {
                Lookup::Need(map) => {
                    self.load_map(map);
                    break;
                }
                Lookup::Known(Location::UNMAPPED) => {}
                Lookup::Known(old) => {
                    if self.deltas.room() <= self.deltas_promised() {
                        break;
                    }
                    self.set_mapping(sector, old, Location::UNMAPPED);
                    self.pending.trims = true;
                    if old.is_mapped() {
                        self.release_if_empty(self.shape.segment(old));
                    }
                }
            }
            next += 1;
        }
        if next == end {
            self.control.request = Request::None;
            return Some(Outcome::Trimmed(ticket));
        }
        self.control.request = Request::Trim { ticket, next, end };
        None
    }

    /// Fails the request in work: the NAND is gone.
    pub(super) fn fail_control(&mut self, error: Error) -> Option<Outcome> {
        let request = core::mem::take(&mut self.control.request);
        match request {
            Request::Flush(ticket)
            | Request::Trim { ticket, .. }
            | Request::Commit { ticket, .. } => Some(Outcome::Failed(ticket, error)),
            Request::None | Request::Unmount => None,
        }
    }

    /// Ends the session cleanly and gives the NAND back: the next mount reads little and the next session writes on where this one stopped.
    ///
    /// Requests that were not handed out yet are finished first; an open batch is given up.
    ///
    /// # Errors
    /// The NAND with the failure that stopped the unmount; the next mount finds what a power cut would have left.
    pub fn unmount(mut self) -> Result<N, (N, Error)> {
        if matches!(self.session, Session::Mounted { .. } | Session::ReadOnly) {
            self.finish_look();
            return Ok(self.nand.into_part());
        }
        match self.finish() {
            Ok(()) => Ok(self.nand.into_part()),
            Err(error) => Err((self.nand.into_part(), error)),
        }
    }

    fn finish(&mut self) -> Result<(), Error> {
        let limit = 1_000_000u32;
        for _ in 0..limit {
            self.check_alive()?;
            match self.poll() {
                super::Event::Idle => break,
                super::Event::Pending => self.wait(),
                _ => {}
            }
        }
        self.abort_batch();
        self.groom.let_go();
        self.control.request = Request::Unmount;
        self.settle_until(&|volume| volume.deltas.len() <= volume.record_room().min(96))?;
        self.make_checkpoint(true)
    }

    /// Merges still to be done before an unmount.
    pub(super) fn unmount_merge(&self) -> Option<super::MapIndex> {
        if !self.control.unmounting()
            || self.checkpoint.active()
            || self.deltas.len() <= self.record_room().min(96)
        {
            return None;
        }
        self.fullest_map()
    }
}
