//! The cache: which data is in a fast resource, what of it may be lost, and what leaves first.
//!
//! A [`Cache`] lies between a *store* — any fast [`Resource`] — and up to eight *primaries*. Tag *i* is about page *i* of the store; a page is 1, 2, 4 or 8
//! sectors, of which any may be valid, and any of those newer than the primary's. Requests are of one sector each; they are submitted and polled like those of
//! a resource. What a request's level says of it is a [`Persistence`].
//!
//! Knows resources below; knows nothing of policies or requests above.

mod balance;
mod counters;
mod desk;
mod ghosts;
mod image;
mod index;
mod key;
mod mode;
mod open;
mod persist;
mod persistence;
mod plan;
mod queues;
mod quick;
mod repage;
mod serve;
mod settle;
mod slot;
mod snapshot;
mod sweep;
mod tag;
mod tags;

use crate::resource::{Completion, Resource, ResourceError, Worth};
use crate::volume::{Sector, Ticket, WriteOptions};

use desk::Desk;
use key::{Key, Pages};
use slot::{Kind, Outcome, Phase, Work};

pub use counters::{Bypass, Counters, BYPASSES};
pub use index::PAGES_MAX;
pub use key::Source;
pub use mode::{Mode, OnLoss};
pub use open::{OpenError, Recovered};
pub use persistence::{LevelNumber, Persistence, ResourceSet, RESOURCES_MAX};
pub use plan::{CacheMemory, CachePlan, CacheShapeError, Replacement};
pub use repage::RepageError;
pub use settle::Then;
pub use slot::Slot;
pub use snapshot::{Loaded, SnapshotError};
pub use tag::{State, Tag, TagView};

/// Levels that a cache's tags can name.
pub const CACHE_LEVELS: u8 = tags::LEVELS as u8;

/// What becomes of ephemeral data for which there is no room in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Spill {
    /// It goes to the primary: more durable than it has to be, and right.
    #[default]
    Through,
    /// The write fails with [`ResourceError::NoSpace`]: it must never reach the primary.
    Refuse,
}

/// How a cache works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CacheOptions {
    /// Sectors of a page: 1, 2, 4 or 8.
    pub page_sectors: u32,
    /// Which pages go for others.
    pub replacement: Replacement,
    /// Pages that may be ephemeral, per mille.
    pub ephemeral_permille: u16,
    /// What becomes of ephemeral data beyond that.
    pub spill: Spill,
    /// Dirty pages beyond which some are written to their primaries without being asked, per mille.
    pub dirty_permille: u16,
    /// What a host's own cache fetches is kept here too. Otherwise it is in one of the two: such a read takes no page, and what is written out takes one as ever.
    pub keep_paging: bool,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            page_sectors: 8,
            replacement: Replacement::default(),
            ephemeral_permille: 900,
            spill: Spill::default(),
            dirty_permille: 200,
            keep_paging: true,
        }
    }
}

/// How a request is to be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Terms {
    /// The number of its level, of those given with [`Cache::set_level`].
    pub level: u8,
    /// Whose request it is.
    pub tenant: u8,
    /// The caller keeps the data himself: nothing is to be kept here for him. He gets the newest version all the same.
    pub direct: bool,
    /// A host's own cache asks: see [`CacheOptions::keep_paging`].
    pub paging: bool,
}

/// A fast resource before slower ones.
///
/// # Guarantees
///
/// * A read returns the newest acknowledged version of its sector, or one that was submitted later.
/// * A write is acknowledged by what its level says: every primary of it (write-through, bypass), or the store (write-back, ephemeral).
/// * An ephemeral version never reaches a primary, unless that is asked for, or the cache is full and [`Spill::Through`].
/// * No page is given up while a version in it is newer than the primary's, unless its owner asks for it.
/// * Steps of each call are bounded. No method panics, whatever resources do.
#[derive(Debug)]
pub struct Cache<'m, S, P> {
    store: S,
    primaries: &'m mut [P],
    desk: Desk<'m>,
}

impl<'m, S: Resource, P: Resource> Cache<'m, S, P> {
    /// Puts a volatile store before primaries. What is in the store does not matter.
    ///
    /// It has as many pages as `memory` has tags and the store has room for; with none, everything goes to the primaries.
    ///
    /// # Errors
    /// What is wrong with the memory, or with the resources.
    pub fn new(
        store: S,
        primaries: &'m mut [P],
        memory: CacheMemory<'m>,
        options: CacheOptions,
    ) -> Result<Self, CacheShapeError> {
        let pages = store.status().sectors / options.page_sectors.max(1);
        Self::prepare(store, primaries, memory, options, pages)
    }

    /// A cache that knows of nothing yet.
    fn prepare(
        store: S,
        primaries: &'m mut [P],
        memory: CacheMemory<'m>,
        options: CacheOptions,
        store_pages: u32,
    ) -> Result<Self, CacheShapeError> {
        let status = store.status();
        if !matches!(options.page_sectors, 1 | 2 | 4 | 8) {
            return Err(CacheShapeError::PageSectors(options.page_sectors));
        }
        let pages = Pages {
            shift: options.page_sectors.trailing_zeros(),
        };
        if primaries.is_empty() || primaries.len() > usize::from(RESOURCES_MAX) {
            return Err(CacheShapeError::Primaries(primaries.len()));
        }
        for primary in primaries.iter() {
            let bytes = primary.status().sector_bytes;
            if bytes != status.sector_bytes {
                return Err(CacheShapeError::SectorBytes {
                    store: status.sector_bytes,
                    primary: bytes,
                });
            }
        }
        let sector_bytes = status.sector_bytes as usize;
        let (memory, count) =
            memory.checked(sector_bytes, store_pages, status.sectors, &options)?;
        let set = ((1u16 << primaries.len()) - 1) as u8;
        let mut desk = Desk::new(memory, count, sector_bytes, pages, set, options);
        for (limit, primary) in desk.limits.iter_mut().zip(primaries.iter()) {
            *limit = primary.status().sectors;
        }
        Ok(Self {
            store,
            primaries,
            desk,
        })
    }

    /// The store.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// The store, to look after it; what the cache has put there must stay.
    pub const fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// The primaries.
    pub const fn primaries(&self) -> &[P] {
        self.primaries
    }

    /// The primaries, to look after them.
    pub const fn primaries_mut(&mut self) -> &mut [P] {
        self.primaries
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        Counters {
            stolen: self.desk.tags.stolen,
            ..self.desk.counters
        }
    }

    /// Says what a level's number stands for, for requests from now on and for pages that are at it.
    pub fn set_level(&mut self, level: u8, persistence: Persistence) {
        if let Some(known) = self.desk.levels.get_mut(usize::from(level)) {
            *known = persistence;
            self.desk.known |= 1 << level;
        }
    }

    /// What a level's number stands for.
    #[must_use]
    pub fn level(&self, level: u8) -> Persistence {
        *self.desk.level(level)
    }

    /// Pages at a level.
    #[must_use]
    pub fn pages_at(&self, level: u8) -> u32 {
        self.desk.tags.used(level)
    }

    /// True while a page is at a level, or a request at it is under way.
    #[must_use]
    pub fn level_is_used(&self, level: u8) -> bool {
        self.desk.is_level_used(level)
    }

    /// The number that stands for a level, one that is not used where it has none yet; `None` when there is no such.
    pub fn number_of(&mut self, persistence: &Persistence) -> Option<u8> {
        self.desk.number(persistence)
    }

    /// Pages with versions that have to reach a primary.
    #[must_use]
    pub const fn dirty_pages(&self) -> u32 {
        self.desk.tags.dirty()
    }

    /// Pages with versions that must not reach a primary.
    #[must_use]
    pub const fn ephemeral_pages(&self) -> u32 {
        self.desk.tags.ephemeral()
    }

    /// Pages of the cache.
    #[must_use]
    pub const fn pages(&self) -> u32 {
        self.desk.tags.len()
    }

    /// Bytes of a sector, of the store's and of every primary's.
    #[must_use]
    pub const fn sector_bytes(&self) -> usize {
        self.desk.sector_bytes
    }

    /// Sectors of a source; none where there is no such primary.
    pub fn sectors(&self, source: Source) -> u32 {
        match source {
            Source::Primary(number) => self
                .primaries
                .get(usize::from(number))
                .map_or(0, |primary| primary.status().sectors),
            Source::Object(_) => u32::MAX,
        }
    }

    /// The tag of a page of the cache.
    #[must_use]
    pub fn tag(&self, page: u32) -> Option<TagView> {
        let tag = self.desk.tags.all().get(page as usize)?;
        Some(tag.view())
    }

    /// The tag of what a sector is in, and the page of the cache that it is about.
    #[must_use]
    pub fn find(&self, source: Source, sector: Sector) -> Option<(u32, TagView)> {
        let (page, _) = self.desk.pages.split(sector);
        let source = source.code()?;
        let tag = self.desk.tags.find(Key { source, page })?;
        Some((tag, self.desk.tags.get(tag).view()))
    }

    /// Pages that would be given up first, the coldest first: only those at a level where one is named. Gives how many there are, up to `pages.len()`.
    pub fn steal_candidates(&self, level: Option<u8>, pages: &mut [u32]) -> usize {
        let tags = &self.desk.tags;
        let mut found = 0;
        for uses in 0..=tag::USES_MAX {
            let fits = |page: &u32| {
                let tag = tags.get(*page);
                let asked = level.is_none_or(|level| level == tag.level());
                tag.is_stealable() && tag.uses() == uses && asked
            };
            for page in tags.in_order().filter(fits) {
                match pages.get_mut(found) {
                    Some(place) => *place = page,
                    None => return found,
                }
                found += 1;
            }
        }
        found
    }

    /// Sectors of a page that would suit what is in the cache: half of today's where on average less than half of a page is valid; twice as many, up to 8, where more
    /// than nine of ten parts are, and three of four pages have the page beside them in the cache too. [`adjust_page_sectors`](Self::adjust_page_sectors) acts on it.
    #[must_use]
    pub fn suggested_page_sectors(&self) -> u32 {
        let units = self.desk.pages.units();
        let (mut pages, mut valid, mut beside) = (0u64, 0u64, 0u64);
        for tag in self.desk.tags.all() {
            if tag.valid != 0 {
                pages += 1;
                valid += u64::from(tag.valid.count_ones());
                let key = Key {
                    page: tag.page ^ 1,
                    ..tag.key()
                };
                beside += u64::from(self.desk.tags.find(key).is_some());
            }
        }
        let all = pages * u64::from(units);
        if 2 * valid < all && units > 1 {
            units / 2
        } else if pages > 0 && 10 * valid > 9 * all && 4 * beside > 3 * pages && units < 8 {
            units * 2
        } else {
            units
        }
    }

    /// Levels whose pages go before all others, whether they are used or not: a bit for each.
    pub fn set_first_to_go(&mut self, levels: u16) {
        self.desk.tags.first_to_go = levels;
    }

    /// Keeps the page that a sector is in from being given up, or not any more. False when it is not in the cache.
    pub fn pin(&mut self, source: Source, sector: Sector, pinned: bool) -> bool {
        let found = self.find(source, sector);
        if let Some((tag, _)) = found {
            self.desk.tags.set_pinned(tag, pinned);
        }
        found.is_some()
    }

    /// Changes the level of the page that a sector is in: what is written back from it, and its place among those that are given up, follow from now on. False
    /// when it is not in the cache, or when it holds versions that its new level would treat otherwise: settle it first.
    pub fn set_page_level(&mut self, source: Source, sector: Sector, level: u8) -> bool {
        let Some((tag, view)) = self.find(source, sector) else {
            return false;
        };
        let mode = self.desk.level(level).mode;
        let fits = match view.state {
            State::Ephemeral => view.dirty == 0 || mode == Mode::Ephemeral,
            State::Dirty => mode != Mode::Ephemeral,
            State::Clean => true,
            _ => false,
        };
        if fits && level < CACHE_LEVELS {
            self.desk.tags.set_level(tag, level);
        }
        fits && level < CACHE_LEVELS
    }

    /// True when what is dirty survives a restart with the store.
    #[must_use]
    pub const fn is_durable(&self) -> bool {
        self.desk.is_durable()
    }

    /// The level of the page that a range begins in, if all of the range is in the cache: who has that need not ask what it is worth.
    #[must_use]
    pub fn level_of_kept(&self, source: Source, first: Sector, count: u32) -> Option<u8> {
        let source = source.code()?;
        let end = first.0.checked_add(count).filter(|_| count > 0)?;
        let mut level = None;
        let mut at = first.0;
        while at < end {
            let (page, unit) = self.desk.pages.split(Sector(at));
            let tag = self
                .desk
                .tags
                .get(self.desk.tags.find(Key { source, page })?);
            let units = (end - at).min(self.desk.pages.units() - u32::from(unit));
            let wanted = (((1u16 << units) - 1) << unit) as u8;
            if tag.valid & wanted != wanted {
                return None;
            }
            level.get_or_insert(tag.level());
            at += units;
        }
        level
    }

    /// Gives up what is in the cache of a range that its primary has got another version of meanwhile, past the cache: versions that are newer than the
    /// primary's were, too, if the primary's is newer than them. False, and nothing done, while requests are under way, or while some of the range has to
    /// be written back.
    pub fn give_up(&mut self, source: Source, first: Sector, count: u32, newer: bool) -> bool {
        let Some(source) = source.code().filter(|_| !self.desk.is_busy()) else {
            return false;
        };
        self.desk.give_up(source, first, count, newer)
    }

    /// Asks for a sector.
    ///
    /// # Errors
    /// [`ResourceError::OutOfRange`]; nothing was done.
    pub fn submit_read(
        &mut self,
        source: Source,
        sector: Sector,
        terms: Terms,
    ) -> nb::Result<Ticket, ResourceError> {
        let (key, unit) = self.place(source, sector, 1)?;
        if let Some(tag) = self.desk.quick_hit(key, unit, terms) {
            let place = self.desk.place_of(tag, unit);
            if let Ok(open) = self.store.submit_read(place) {
                self.desk.counters.asked(false, terms.paging);
                return Ok(self.desk.accept_quick(tag, unit, terms, open));
            }
        }
        self.read_by_slot(key, unit, terms)
    }

    #[inline(never)]
    fn read_by_slot(
        &mut self,
        key: Key,
        unit: u8,
        terms: Terms,
    ) -> nb::Result<Ticket, ResourceError> {
        let at = self.slot_for(terms)?;
        let ticket = self.desk.accept(at, Kind::Read, key, unit);
        self.take(at, terms);
        self.go(at);
        Ok(ticket)
    }

    /// Writes a sector. Its bytes are taken when it is accepted.
    ///
    /// # Errors
    /// [`ResourceError::OutOfRange`], [`ResourceError::Length`], [`ResourceError::NoPlace`] where an object is to be kept other than ephemerally;
    /// nothing was done.
    pub fn submit_write(
        &mut self,
        source: Source,
        sector: Sector,
        data: &[u8],
        terms: Terms,
    ) -> nb::Result<Ticket, ResourceError> {
        let (key, unit) = self.place(source, sector, 1)?;
        if data.len() != self.desk.sector_bytes {
            return Err(nb::Error::Other(ResourceError::Length {
                found: data.len(),
                expected: self.desk.sector_bytes,
            }));
        }
        let mode = self.desk.level(terms.level).mode;
        if matches!(source, Source::Object(_)) && (mode != Mode::Ephemeral || terms.direct) {
            return Err(nb::Error::Other(ResourceError::NoPlace));
        }
        let at = self.slot_for(terms)?;
        let ticket = self.desk.accept(at, Kind::Write, key, unit);
        self.take(at, terms);
        self.desk.buffer(at).copy_from_slice(data);
        self.go(at);
        Ok(ticket)
    }

    /// Makes `count` sectors from `first` on read as unwritten, durably from the next flush on. At an ephemeral level only ephemeral versions are given up:
    /// the sectors read as their loss would leave them.
    ///
    /// # Errors
    /// [`ResourceError::OutOfRange`]; nothing was done.
    pub fn submit_trim(
        &mut self,
        source: Source,
        first: Sector,
        count: u32,
        terms: Terms,
    ) -> nb::Result<Ticket, ResourceError> {
        self.submit_range(Kind::Trim, source, first, count, terms)
    }

    /// Writes what is newer than the primaries' versions in the pages of a range to the primaries, ephemeral versions too; then does with the pages as asked.
    /// [`Completion::Flushed`] tells the end.
    ///
    /// # Errors
    /// [`ResourceError::OutOfRange`]; nothing was done.
    pub fn submit_settle(
        &mut self,
        source: Source,
        first: Sector,
        count: u32,
        then: Then,
    ) -> nb::Result<Ticket, ResourceError> {
        self.submit_range(Kind::Settle(then), source, first, count, Terms::default())
    }

    fn submit_range(
        &mut self,
        kind: Kind,
        source: Source,
        first: Sector,
        count: u32,
        terms: Terms,
    ) -> nb::Result<Ticket, ResourceError> {
        let (key, unit) = self.place(source, first, count)?;
        let at = self.slot_for(terms)?;
        let ticket = self.desk.accept(at, kind, key, unit);
        self.take(at, terms);
        let slot = &mut self.desk.slots[at];
        slot.first = first;
        slot.count = count.max(1);
        if count == 0 {
            self.desk.end(
                at,
                if kind == Kind::Trim {
                    Outcome::Trimmed
                } else {
                    Outcome::Flushed
                },
            );
        }
        Ok(ticket)
    }

    /// Makes everything durable that was acknowledged before and is not ephemeral: what was to be written back is written to the primaries.
    ///
    /// # Errors
    /// None but [`nb::Error::WouldBlock`].
    pub fn submit_flush(&mut self) -> nb::Result<Ticket, ResourceError> {
        let at = self.slot_for(Terms::default())?;
        let key = Key { source: 0, page: 0 };
        Ok(self.desk.accept(at, Kind::Flush, key, 0))
    }

    /// Begins to write what is dirty to the primaries, without waiting for too much of it: for idle times. Goes on while the cache is polled.
    pub fn clean(&mut self, wanted: bool) {
        self.desk.clean_wanted = wanted;
    }

    fn place(
        &mut self,
        source: Source,
        first: Sector,
        count: u32,
    ) -> Result<(Key, u8), ResourceError> {
        let code = source.code().ok_or(ResourceError::NoPlace)?;
        let end = first.0.checked_add(count);
        if let Source::Primary(number) = source {
            let limit = &mut self.desk.limits[usize::from(number)];
            if end.is_none_or(|end| end > *limit) {
                // It may have grown.
                *limit = match self.primaries.get(usize::from(number)) {
                    Some(primary) => primary.status().sectors,
                    None => return Err(ResourceError::NoPlace),
                };
                if end.is_none_or(|end| end > *limit) {
                    return Err(ResourceError::OutOfRange {
                        sector: Sector(first.0.max(*limit)),
                        sectors: *limit,
                    });
                }
            }
        } else if end.is_none() {
            return Err(ResourceError::OutOfRange {
                sector: first,
                sectors: u32::MAX,
            });
        }
        let (page, unit) = self.desk.pages.split(first);
        Ok((Key { source: code, page }, unit))
    }

    /// A slot for a request that needs one.
    fn slot_for(&mut self, terms: Terms) -> nb::Result<usize, ResourceError> {
        self.desk.unfold();
        if terms.level >= CACHE_LEVELS {
            let level = crate::volume::LevelIndex(terms.level);
            return Err(nb::Error::Other(ResourceError::NoLevel(level)));
        }
        self.desk.free_slot().ok_or(nb::Error::WouldBlock)
    }

    fn take(&mut self, at: usize, terms: Terms) {
        let slot = &mut self.desk.slots[at];
        slot.level = terms.level;
        slot.tenant = terms.tenant;
        slot.direct = terms.direct;
        slot.paging = terms.paging;
        self.desk.counters.asked(terms.direct, terms.paging);
    }

    /// Takes a request as far as it goes now.
    fn go(&mut self, at: usize) {
        for _ in 0..4 {
            self.desk.advance(at);
            if !self.ask(at) {
                return;
            }
        }
    }

    /// Asks resources for what a request wants of them. True when it does not want anything any more, and has not ended.
    fn ask(&mut self, at: usize) -> bool {
        let slot = &self.desk.slots[at];
        if slot.store_want.is_none() && slot.want == 0 {
            return false;
        }
        if let Some(work) = slot.store_want {
            self.ask_store(at, work);
        }
        let want = self.desk.slots[at].want;
        for number in 0..RESOURCES_MAX {
            if want >> number & 1 != 0 {
                self.ask_primary(at, number);
            }
        }
        !self.desk.slots[at].is_busy()
    }

    fn ask_store(&mut self, at: usize, work: Work) {
        let slot = self.desk.slots[at];
        let table = matches!(slot.phase, Phase::PersistFirst | Phase::PersistSecond);
        let place = match table {
            true => self.desk.table_place(&slot),
            false => self.desk.place_of(slot.tag, slot.unit),
        };
        let asked = match work {
            Work::Write => {
                let worth = match slot.phase {
                    Phase::Store if self.desk.mode_of(&slot) == Mode::Ephemeral => Worth::Ephemeral,
                    Phase::Store | Phase::PersistFirst | Phase::PersistSecond => Worth::Only,
                    _ => Worth::Copy,
                };
                self.store.mark(place, worth);
                let options = WriteOptions::default();
                let data = self.desk.buffer(at);
                self.store.submit_write(place, data, options)
            }
            Work::Flush => self.store.submit_flush(),
            _ => self.store.submit_read(place),
        };
        match asked {
            Ok(ticket) => {
                self.desk.slots[at].store_want = None;
                self.desk.slots[at].store_open = Some(ticket);
            }
            Err(nb::Error::WouldBlock) => self.desk.blocked = true,
            Err(nb::Error::Other(error)) => self.desk.store_done(at, Some(error)),
        }
    }

    fn ask_primary(&mut self, at: usize, number: u8) {
        let slot = self.desk.slots[at];
        let sector = self.desk.sector_of(&slot);
        let Some(primary) = self.primaries.get_mut(usize::from(number)) else {
            return self
                .desk
                .primary_done(at, number, Some(ResourceError::NoPlace));
        };
        let asked = match slot.work {
            Work::Read | Work::Verify => primary.submit_read(sector),
            Work::Write => {
                let level = match slot.phase {
                    Phase::CleanWrite => self.desk.tags.get(slot.tag).level(),
                    _ => slot.level,
                };
                let options = WriteOptions::from(self.desk.level(level).storage);
                primary.submit_write(sector, self.desk.buffer(at), options)
            }
            Work::Trim if slot.kind == Kind::Trim => primary.submit_trim(slot.first, slot.count),
            Work::Trim => primary.submit_trim(sector, 1),
            Work::Flush => primary.submit_flush(),
        };
        match asked {
            Ok(ticket) => {
                let slot = &mut self.desk.slots[at];
                slot.want &= !(1 << number);
                slot.open |= 1 << number;
                slot.tickets[usize::from(number)] = ticket;
            }
            Err(nb::Error::WouldBlock) => self.desk.blocked = true,
            Err(nb::Error::Other(error)) => self.desk.primary_done(at, number, Some(error)),
        }
    }

    /// Does a bounded amount of work, and hands out at most one completion.
    #[inline]
    pub fn poll(&mut self) -> Completion<'_> {
        let Some(quick) = self.desk.quick else {
            return self.poll_slots();
        };
        match self.store.poll() {
            Completion::Data(ticket, bytes)
                if ticket == quick.open && bytes.len() == self.desk.sector_bytes =>
            {
                self.desk.quick = None;
                Completion::Data(quick.ticket, bytes)
            }
            Completion::Pending => Completion::Pending,
            other => {
                self.desk.unfold();
                settle_store(other, &mut self.desk)
            }
        }
    }

    fn poll_slots(&mut self) -> Completion<'_> {
        self.desk.clean_in_background();
        if self.desk.runnable || self.desk.blocked {
            self.desk.runnable = false;
            self.desk.blocked = false;
            for at in 0..self.desk.slots.len() {
                if self.desk.slots[at].phase != Phase::Free {
                    self.go(at);
                }
            }
        }
        if let Some((at, outcome)) = self.desk.ended() {
            return self.hand_out(at, outcome);
        }
        for number in 0..self.primaries.len() {
            if self.desk.calls[number] > 0 {
                self.poll_primary(number as u8);
            }
        }
        // Last: what it lends is handed on, and nothing may touch it after that.
        if self.desk.store_calls > 0 {
            return settle_store(self.store.poll(), &mut self.desk);
        }
        if self.desk.active > 0 {
            Completion::Pending
        } else {
            Completion::Idle
        }
    }

    fn poll_primary(&mut self, number: u8) {
        let Some(primary) = self.primaries.get_mut(usize::from(number)) else {
            return;
        };
        let desk = &mut self.desk;
        match primary.poll() {
            Completion::Written(ticket)
            | Completion::Trimmed(ticket)
            | Completion::Flushed(ticket) => {
                if let Some(at) = desk.of_primary(number, ticket) {
                    desk.primary_done(at, number, None);
                }
            }
            Completion::Data(ticket, bytes) => {
                let Some(at) = desk.of_primary(number, ticket) else {
                    return;
                };
                let verifies = desk.slots[at].work == Work::Verify;
                let buffer = desk.buffer(at);
                let error = if buffer.len() != bytes.len() || (verifies && buffer != bytes) {
                    Some(ResourceError::Device)
                } else {
                    buffer.copy_from_slice(bytes);
                    desk.slots[at].brought = true;
                    None
                };
                desk.primary_done(at, number, error);
            }
            Completion::Unwritten(ticket) => {
                if let Some(at) = desk.of_primary(number, ticket) {
                    let verifies = desk.slots[at].work == Work::Verify;
                    let error = verifies.then_some(ResourceError::Device);
                    desk.primary_done(at, number, error);
                }
            }
            Completion::Failed(ticket, error) => {
                if let Some(at) = desk.of_primary(number, ticket) {
                    desk.primary_done(at, number, Some(error));
                }
            }
            Completion::Pending | Completion::Idle => {}
        }
    }

    fn hand_out(&mut self, at: usize, outcome: Outcome) -> Completion<'_> {
        let ticket = self.desk.slots[at].ticket;
        self.desk.release(at);
        match outcome {
            Outcome::Written => Completion::Written(ticket),
            Outcome::Data => Completion::Data(ticket, self.desk.buffer(at)),
            Outcome::Unwritten => Completion::Unwritten(ticket),
            Outcome::Trimmed => Completion::Trimmed(ticket),
            Outcome::Flushed => Completion::Flushed(ticket),
            Outcome::Failed(error) => Completion::Failed(ticket, error),
        }
    }

    /// To be called after [`Completion::Pending`]: lets the caller sleep until a resource may have settled something.
    pub fn wait(&mut self) {
        if self.desk.runnable {
            return;
        }
        if self.desk.store_calls > 0 || self.desk.quick.is_some() {
            return self.store.wait();
        }
        for (primary, &calls) in self.primaries.iter_mut().zip(&self.desk.calls) {
            if calls > 0 {
                return primary.wait();
            }
        }
    }
}

/// What the store has told, to the request that waits for it.
fn settle_store<'s>(told: Completion<'s>, desk: &mut Desk<'_>) -> Completion<'s> {
    match told {
        Completion::Data(ticket, bytes) => {
            let Some(at) = desk.of_store(ticket) else {
                return Completion::Pending;
            };
            if bytes.len() != desk.sector_bytes {
                desk.store_done(at, Some(ResourceError::Device));
            } else if desk.slots[at].phase == Phase::Hit {
                desk.store_done(at, None);
                let ticket = desk.slots[at].ticket;
                desk.release(at);
                return Completion::Data(ticket, bytes);
            } else {
                desk.buffer(at).copy_from_slice(bytes);
                desk.store_done(at, None);
                desk.slots[at].brought = true;
            }
        }
        Completion::Written(ticket)
        | Completion::Unwritten(ticket)
        | Completion::Trimmed(ticket)
        | Completion::Flushed(ticket) => {
            if let Some(at) = desk.of_store(ticket) {
                desk.store_done(at, None);
            }
        }
        Completion::Failed(ticket, error) => {
            if let Some(at) = desk.of_store(ticket) {
                desk.store_done(at, Some(error));
            }
        }
        Completion::Pending | Completion::Idle => {}
    }
    Completion::Pending
}
