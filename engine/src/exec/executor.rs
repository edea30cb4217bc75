//! Serves requests at persistence levels.

use crate::cache::{Cache, Mode, Source, Terms, Then, CACHE_LEVELS};
use crate::resource::{Completion, Resource, ResourceError};
use crate::volume::{Sector, Ticket};

use super::{Advice, Persistence, Refusal, ResourceSet};

/// What is known of a request beside its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Context {
    /// What is written has no place on a resource, but this number.
    pub object: Option<u16>,
    /// Whose request it is.
    pub tenant: u8,
    /// The caller keeps the data himself.
    pub direct: bool,
    /// A host's own cache asks, for itself.
    pub paging: bool,
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Operation {
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Makes sectors read as unwritten.
    Trim,
}

/// How, and on whose sectors, requests are served: worked out once for all sectors of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Order {
    /// Whose sectors.
    pub source: Source,
    /// How.
    pub terms: Terms,
}

/// A cache and its resources, addressed by persistence levels instead of numbers.
///
/// A level's *first* resource is the one whose sectors a request names: two levels that name different ones have nothing in common. Its others hold copies
/// at the same sectors: a write is acknowledged when all have it, and a read asks them where the first one fails.
#[derive(Debug)]
pub struct Executor<'m, S, P> {
    cache: Cache<'m, S, P>,
    /// The number that was used last: requests at the same level come in rows. Beyond all of them before the first.
    last: u8,
}

impl<'m, S: Resource, P: Resource> Executor<'m, S, P> {
    /// Serves by this cache.
    pub const fn new(cache: Cache<'m, S, P>) -> Self {
        Self {
            cache,
            last: u8::MAX,
        }
    }

    /// The cache.
    pub const fn cache(&self) -> &Cache<'m, S, P> {
        &self.cache
    }

    /// The cache, for requests of its own.
    pub const fn cache_mut(&mut self) -> &mut Cache<'m, S, P> {
        &mut self.cache
    }

    /// The cache alone.
    pub fn into_cache(self) -> Cache<'m, S, P> {
        self.cache
    }

    /// Says whether requests at a level can be served, and what should be known about it.
    ///
    /// # Errors
    /// Why they cannot.
    pub fn check(&self, persistence: &Persistence) -> Result<Option<Advice>, Refusal> {
        let ResourceSet(set) = persistence.resources;
        let there = (1u16 << self.cache.primaries().len()) - 1;
        let missing = set & !(there as u8);
        if set == 0 {
            return Err(Refusal::NoResources);
        }
        if missing != 0 {
            return Err(Refusal::NoResource(ResourceSet(missing)));
        }
        Ok(match persistence.mode {
            Mode::Ephemeral if self.cache.pages() == 0 => Some(Advice::NoCache),
            Mode::WriteBack if self.cache.pages() > 0 && !self.cache.is_durable() => {
                Some(Advice::VolatileWriteBack)
            }
            _ => None,
        })
    }

    /// Works out how requests of so many sectors are served.
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
        self.check(persistence)?;
        if persistence.atomic && sectors > 1 && operation == Operation::Write {
            return Err(Refusal::Atomic { sectors, most: 1 });
        }
        let source = match context.object {
            Some(_) if persistence.mode != Mode::Ephemeral => return Err(Refusal::NoPlace),
            Some(id) => Source::Object(id),
            None => Source::Primary(persistence.resources.0.trailing_zeros() as u8),
        };
        let terms = Terms {
            level: self.number(persistence)?,
            tenant: context.tenant,
            direct: context.direct,
            paging: context.paging,
        };
        Ok(Order { source, terms })
    }

    /// The number by which tags name a level.
    fn number(&mut self, persistence: &Persistence) -> Result<u8, Refusal> {
        if self.last < CACHE_LEVELS && self.cache.level(self.last) == *persistence {
            return Ok(self.last);
        }
        let level = self.cache.number_of(persistence).ok_or(Refusal::Levels)?;
        self.last = level;
        Ok(level)
    }

    /// The level at which the page that a sector is in was admitted, if it is in the cache: who has it need not ask for it again.
    pub fn level_of(&self, source: Source, sector: Sector) -> Option<Persistence> {
        let (_, tag) = self.cache.find(source, sector)?;
        Some(self.cache.level(tag.level))
    }

    /// Says whether so many sectors, written at a level, can take effect as a whole; the resource that does it.
    ///
    /// # Errors
    /// Why not: [`Refusal::Atomic`], or what [`check`](Self::check) says.
    pub fn check_whole(
        &self,
        sectors: u32,
        persistence: &Persistence,
        context: Context,
    ) -> Result<u8, Refusal> {
        self.check(persistence)?;
        let home = persistence.resources.0.trailing_zeros() as u8;
        let primary = self.cache.primaries().get(usize::from(home));
        // What lies on two resources is on one of them first. Ephemeral data has no resource to do it, and may spill to one.
        let alone = persistence.resources.len() == 1 && persistence.mode != Mode::Ephemeral;
        let most = primary.filter(|_| alone).map_or(1, Resource::batch_max);
        match context.object {
            Some(_) => Err(Refusal::NoPlace),
            None if sectors > most => Err(Refusal::Atomic { sectors, most }),
            None => Ok(home),
        }
    }

    /// Asks for a sector.
    ///
    /// # Errors
    /// Those of [`Cache::submit_read`].
    pub fn submit_read(
        &mut self,
        order: Order,
        sector: Sector,
    ) -> nb::Result<Ticket, ResourceError> {
        self.cache.submit_read(order.source, sector, order.terms)
    }

    /// Writes a sector.
    ///
    /// # Errors
    /// Those of [`Cache::submit_write`].
    pub fn submit_write(
        &mut self,
        order: Order,
        sector: Sector,
        data: &[u8],
    ) -> nb::Result<Ticket, ResourceError> {
        self.cache
            .submit_write(order.source, sector, data, order.terms)
    }

    /// Trims sectors.
    ///
    /// # Errors
    /// Those of [`Cache::submit_trim`].
    pub fn submit_trim(
        &mut self,
        order: Order,
        first: Sector,
        count: u32,
    ) -> nb::Result<Ticket, ResourceError> {
        self.cache
            .submit_trim(order.source, first, count, order.terms)
    }

    /// Makes everything durable that was acknowledged and is not ephemeral.
    ///
    /// # Errors
    /// Those of [`Cache::submit_flush`].
    pub fn submit_flush(&mut self) -> nb::Result<Ticket, ResourceError> {
        self.cache.submit_flush()
    }

    /// Writes ephemeral and dirty versions of a range to its primaries; then does with the pages as asked.
    ///
    /// # Errors
    /// Those of [`Cache::submit_settle`].
    pub fn submit_settle(
        &mut self,
        source: Source,
        first: Sector,
        count: u32,
        then: Then,
    ) -> nb::Result<Ticket, ResourceError> {
        self.cache.submit_settle(source, first, count, then)
    }

    /// Does a bounded amount of work, and hands out at most one completion.
    pub fn poll(&mut self) -> Completion<'_> {
        self.cache.poll()
    }

    /// Sleeps until something may have settled.
    pub fn wait(&mut self) {
        self.cache.wait();
    }
}
