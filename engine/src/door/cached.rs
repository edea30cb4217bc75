//! The blocking door over a cache: requests of any number of sectors at a persistence level, done when the call returns.

use crate::cache::{Cache, Source, Then};
use crate::exec::{Advice, Context, ExecError, Executor, Operation, Order, Persistence, Refusal};
use crate::resource::{verify_now, write_whole_now, Completion, Resource, ResourceError};
use crate::volume::{Sector, Ticket};

/// Turns without anything under way after which a request that is still not accepted cannot be served.
const IDLE_MAX: u32 = 1 << 16;

/// A cache and its resources behind blocking calls.
///
/// As many sectors of a request are under way at once as the cache has slots.
///
/// # Guarantees
///
/// * When a write returns, its data is as durable as its level says: with write-through and bypass, all primaries of the level have it; with write-back, the
///   store has it; ephemeral data is kept until a restart.
/// * A write that fails may be done in part; no sector is written in part. One at a level that takes effect as a whole is done, when the call returns, or after
///   a cut or an error in all of its sectors or in none.
#[derive(Debug)]
pub struct CachedDisk<'m, S, P> {
    executor: Executor<'m, S, P>,
}

impl<'m, S: Resource, P: Resource> CachedDisk<'m, S, P> {
    /// Puts the door in front of a cache, through which nothing is under way.
    pub const fn new(cache: Cache<'m, S, P>) -> Self {
        Self {
            executor: Executor::new(cache),
        }
    }

    /// What is behind the door.
    pub const fn executor(&self) -> &Executor<'m, S, P> {
        &self.executor
    }

    /// What is behind the door, to be polled only while nothing else is under way.
    pub const fn executor_mut(&mut self) -> &mut Executor<'m, S, P> {
        &mut self.executor
    }

    /// The cache.
    pub const fn cache(&self) -> &Cache<'m, S, P> {
        self.executor.cache()
    }

    /// The cache, to be polled only while nothing else is under way.
    pub const fn cache_mut(&mut self) -> &mut Cache<'m, S, P> {
        self.executor.cache_mut()
    }

    /// The cache without the door.
    pub fn into_cache(self) -> Cache<'m, S, P> {
        self.executor.into_cache()
    }

    /// Says whether requests at a level can be served, and what should be known about it.
    ///
    /// # Errors
    /// Why they cannot.
    pub fn check(&self, persistence: &Persistence) -> Result<Option<Advice>, Refusal> {
        self.executor.check(persistence)
    }

    /// Bytes of a sector.
    pub const fn sector_bytes(&self) -> usize {
        self.executor.cache().sector_bytes()
    }

    /// Sectors of the first resource of a level.
    pub fn sectors(&self, persistence: &Persistence) -> u32 {
        let home = persistence.resources.0.trailing_zeros() as u8;
        self.executor.cache().sectors(Source::Primary(home))
    }

    fn count(&self, bytes: usize) -> Result<u32, Refusal> {
        let sector = self.sector_bytes();
        let refusal = Refusal::Length {
            found: bytes,
            sector,
        };
        match bytes.checked_rem(sector) {
            Some(0) => u32::try_from(bytes / sector).map_err(|_| refusal),
            _ => Err(refusal),
        }
    }

    /// Reads whole sectors from `first` on; what holds nothing is zeros.
    ///
    /// # Errors
    /// [`Refusal`], or what a resource has failed with. `data` is undefined then.
    pub fn read(
        &mut self,
        first: Sector,
        data: &mut [u8],
        persistence: &Persistence,
        context: Context,
    ) -> Result<(), ExecError> {
        let count = self.count(data.len())?;
        let order = self
            .executor
            .order(Operation::Read, count, persistence, context)?;
        let bytes = self.sector_bytes();
        let submit = |executor: &mut Executor<'m, S, P>, at: u32| {
            executor.submit_read(order, Sector(first.0.saturating_add(at)))
        };
        self.drive(count, submit, |at, found| {
            let start = at as usize * bytes;
            if let Some(sector) = data.get_mut(start..start + bytes) {
                match found {
                    Some(found) => sector.copy_from_slice(found),
                    None => sector.fill(0),
                }
            }
        })
    }

    /// Writes whole sectors from `first` on.
    ///
    /// # Errors
    /// [`Refusal`], or what a resource has failed with. Any of the sectors may be written then, or not.
    pub fn write(
        &mut self,
        first: Sector,
        data: &[u8],
        persistence: &Persistence,
        context: Context,
    ) -> Result<(), ExecError> {
        let count = self.count(data.len())?;
        if persistence.atomic && count > 1 {
            return self.write_whole(first, data, persistence, context);
        }
        let order = self
            .executor
            .order(Operation::Write, count, persistence, context)?;
        let bytes = self.sector_bytes();
        let submit = |executor: &mut Executor<'m, S, P>, at: u32| {
            let start = at as usize * bytes;
            let sector = data.get(start..start + bytes).unwrap_or_default();
            executor.submit_write(order, Sector(first.0.saturating_add(at)), sector)
        };
        self.drive(count, submit, |_, _| {})
    }

    /// Writes several sectors as a whole: past the cache, by the primary, and then what the cache had of them is given up. What was to be written back is
    /// written before: a version that is older must not reach the primary later.
    fn write_whole(
        &mut self,
        first: Sector,
        data: &[u8],
        persistence: &Persistence,
        context: Context,
    ) -> Result<(), ExecError> {
        let sector_bytes = self.sector_bytes();
        let count = self.count(data.len())?;
        let home = self.executor.check_whole(count, persistence, context)?;
        let source = Source::Primary(home);
        let sectors = self.cache().sectors(source);
        if first.0.checked_add(count).is_none_or(|end| end > sectors) {
            let sector = Sector(first.0.max(sectors));
            return Err(ResourceError::OutOfRange { sector, sectors }.into());
        }
        if self.cache().dirty_pages() > 0 {
            self.flush()?;
        }
        if self.idle(IDLE_MAX) || !self.cache_mut().give_up(source, first, 0, false) {
            return Err(ResourceError::Device.into());
        }
        let Some(primary) = self.cache_mut().primaries_mut().get_mut(usize::from(home)) else {
            return Err(Refusal::NoPlace.into());
        };
        let options = persistence.storage.into();
        let written = write_whole_now(primary, first, data, sector_bytes, options);
        let verified = written.and_then(|()| match persistence.verify {
            true => verify_now(primary, first, data, sector_bytes).map_err(|error| (error, true)),
            false => Ok(()),
        });
        match verified {
            Ok(()) => {
                self.cache_mut().give_up(source, first, count, true);
                Ok(())
            }
            Err((error, begun)) => {
                if begun {
                    // The primary has the new version, or the old one: what equals the old one is fetched again.
                    self.cache_mut().give_up(source, first, count, false);
                }
                Err(error.into())
            }
        }
    }

    /// Makes sectors read as unwritten, durably from the next flush on. At an ephemeral level only ephemeral versions are given up.
    ///
    /// # Errors
    /// [`Refusal`], or what a resource has failed with.
    pub fn trim(
        &mut self,
        first: Sector,
        count: u32,
        persistence: &Persistence,
        context: Context,
    ) -> Result<(), ExecError> {
        let order = self
            .executor
            .order(Operation::Trim, count, persistence, context)?;
        self.drive(
            1,
            |executor, _| executor.submit_trim(order, first, count),
            |_, _| {},
        )
    }

    /// Makes everything durable that was acknowledged and is not ephemeral.
    ///
    /// # Errors
    /// What a primary has failed with: it still has to get something, which is kept.
    pub fn flush(&mut self) -> Result<(), ExecError> {
        self.drive(1, |executor, _| executor.submit_flush(), |_, _| {})
    }

    /// Writes ephemeral and dirty versions of a range to its primaries; then does with the pages as asked.
    ///
    /// # Errors
    /// What a primary has failed with: what it has not got is kept as it was.
    pub fn settle(
        &mut self,
        source: Source,
        first: Sector,
        count: u32,
        then: Then,
    ) -> Result<(), ExecError> {
        self.drive(
            1,
            |executor, _| executor.submit_settle(source, first, count, then),
            |_, _| {},
        )
    }

    /// Hands a range to its primary for what the cache cannot do (truncating a file, a transaction): what is newer is written to the primary and the pages are
    /// given up, `act` does its work there, and the range's sectors are admitted again at a level, such as an ephemeral one.
    ///
    /// # Errors
    /// [`Refusal::NoPlace`] where the range is not on a primary; what a primary has failed with, or `act`. What was flushed stays so.
    pub fn pass_on(
        &mut self,
        first: Sector,
        count: u32,
        persistence: &Persistence,
        act: impl FnOnce(&mut P) -> Result<(), ResourceError>,
    ) -> Result<(), ExecError> {
        let context = Context::default();
        let order = self
            .executor
            .order(Operation::Read, count, persistence, context)?;
        let Source::Primary(home) = order.source else {
            return Err(Refusal::NoPlace.into());
        };
        self.settle(order.source, first, count, Then::Evict)?;
        match self.cache_mut().primaries_mut().get_mut(usize::from(home)) {
            Some(primary) => act(primary)?,
            None => return Err(Refusal::NoPlace.into()),
        }
        let submit = |executor: &mut Executor<'m, S, P>, at: u32| {
            executor.submit_read(order, Sector(first.0.saturating_add(at)))
        };
        self.drive(count, submit, |_, _| {})
    }

    /// Lets the cache go on with work of its own, for at most so many turns. True while there is more to do.
    pub fn idle(&mut self, turns: u32) -> bool {
        for _ in 0..turns {
            match self.executor.poll() {
                Completion::Idle => return false,
                Completion::Pending => self.executor.wait(),
                _ => {}
            }
        }
        true
    }

    /// Submits `count` requests, as many at once as there is room for, and sees them all through. What a read has brought goes to `brought`.
    fn drive(
        &mut self,
        count: u32,
        mut submit: impl FnMut(&mut Executor<'m, S, P>, u32) -> nb::Result<Ticket, ResourceError>,
        mut brought: impl FnMut(u32, Option<&[u8]>),
    ) -> Result<(), ExecError> {
        let (mut next, mut open, mut idle) = (0, 0u32, 0);
        // Tickets of one call are numbered in a row.
        let mut first = None;
        let mut failed = None;
        loop {
            while next < count && failed.is_none() {
                match submit(&mut self.executor, next) {
                    Ok(ticket) => {
                        first.get_or_insert(ticket.0);
                        next += 1;
                        open += 1;
                    }
                    Err(nb::Error::WouldBlock) => break,
                    Err(nb::Error::Other(error)) => failed = Some(error),
                }
            }
            if open == 0 && (next == count || failed.is_some()) {
                return failed.map_or(Ok(()), |error| Err(error.into()));
            }
            let place = |ticket: Ticket| ticket.0.wrapping_sub(first.unwrap_or(ticket.0));
            match self.executor.poll() {
                Completion::Data(ticket, bytes) => {
                    brought(place(ticket), Some(bytes));
                    open -= 1;
                }
                Completion::Unwritten(ticket) => {
                    brought(place(ticket), None);
                    open -= 1;
                }
                Completion::Written(_) | Completion::Trimmed(_) | Completion::Flushed(_) => {
                    open -= 1;
                }
                Completion::Failed(_, error) => {
                    failed.get_or_insert(error);
                    open -= 1;
                }
                Completion::Pending => {
                    self.executor.wait();
                    continue;
                }
                Completion::Idle => {
                    idle += 1;
                    if idle > IDLE_MAX {
                        return Err(ResourceError::Device.into());
                    }
                    continue;
                }
            }
            idle = 0;
        }
    }

    /// How requests of so many sectors are served.
    ///
    /// # Errors
    /// Why they cannot be.
    pub fn order(
        &mut self,
        operation: Operation,
        sectors: u32,
        persistence: &Persistence,
        context: Context,
    ) -> Result<Order, Refusal> {
        self.executor
            .order(operation, sectors, persistence, context)
    }
}
