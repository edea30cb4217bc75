//! The requests under way, and what each of them does next: everything of a cache but its resources.

use crate::resource::ResourceError;
use crate::volume::{Sector, Ticket};

use super::counters::Counters;
use super::image::Media;
use super::key::{Key, Pages};
use super::mode::Mode;
use super::persistence::{Persistence, ResourceSet, RESOURCES_MAX};
use super::plan::CacheMemory;
use super::quick::Quick;
use super::slot::{Kind, Outcome, Phase, Slot, Work};
use super::tag::State;
use super::tags::{Tags, LEVELS, NONE};
use super::CacheOptions;

/// Turns after which cleaning that has failed is tried again.
const RETRY_TURNS: u32 = 64;

/// See the module.
#[derive(Debug)]
pub(super) struct Desk<'m> {
    pub tags: Tags<'m>,
    pub slots: &'m mut [Slot],
    pub buffers: &'m mut [u8],
    pub sector_bytes: usize,
    pub pages: Pages,
    pub options: CacheOptions,
    pub levels: [Persistence; LEVELS],
    pub counters: Counters,
    /// Sectors of each primary, as far as is known.
    pub limits: [u32; RESOURCES_MAX as usize],
    /// Primaries that there are.
    pub primaries: u8,
    /// Those written to since the last flush.
    pub touched: u8,
    /// Slots in use.
    pub active: u32,
    /// A read that needs none; then none is in use.
    pub quick: Option<Quick>,
    /// Something may go on without a completion.
    pub runnable: bool,
    /// A resource did not take a request: it has to be asked again when it has got on.
    pub blocked: bool,
    /// Primaries that have something to do or to be asked, and the store.
    pub calls: [u16; RESOURCES_MAX as usize],
    pub store_calls: u16,
    last_ticket: u32,
    next_order: u32,
    /// Where the next dirty page is looked for.
    pub clean_from: u32,
    /// Turns until cleaning is tried again.
    clean_pause: u32,
    /// Of a store that is not volatile.
    pub media: Option<Media>,
    /// The table says all that the tags have said so far.
    pub table_is_sure: bool,
    /// Levels that have a number: a bit for each.
    pub known: u16,
    /// Dirty pages that are wanted clean although there are not too many.
    pub clean_wanted: bool,
}

impl<'m> Desk<'m> {
    pub fn new(
        memory: CacheMemory<'m>,
        count: u32,
        sector_bytes: usize,
        pages: Pages,
        primaries: u8,
        options: CacheOptions,
    ) -> Self {
        memory.slots.fill(Slot::FREE);
        Self {
            tags: Tags::new(
                count,
                memory.tags,
                memory.index,
                memory.queues,
                memory.ghosts,
                options.replacement,
            ),
            slots: memory.slots,
            buffers: memory.buffers,
            sector_bytes,
            pages,
            options,
            levels: [Persistence::default(); LEVELS],
            counters: Counters::default(),
            limits: [0; RESOURCES_MAX as usize],
            primaries,
            touched: 0,
            active: 0,
            quick: None,
            runnable: false,
            blocked: false,
            calls: [0; RESOURCES_MAX as usize],
            store_calls: 0,
            last_ticket: 0,
            next_order: 0,
            clean_from: 0,
            clean_pause: 0,
            media: None,
            table_is_sure: true,
            known: 0,
            clean_wanted: false,
        }
    }

    /// The bytes of a slot.
    pub fn buffer(&mut self, slot: usize) -> &mut [u8] {
        let start = slot * self.sector_bytes;
        &mut self.buffers[start..start + self.sector_bytes]
    }

    pub fn level(&self, level: u8) -> &Persistence {
        &self.levels[usize::from(level) % LEVELS]
    }

    /// A free slot of those for callers.
    pub fn free_slot(&self) -> Option<usize> {
        let callers = self.slots.len() - 1;
        if self.active == 0 {
            return Some(0);
        }
        self.slots[..callers]
            .iter()
            .position(|slot| slot.phase == Phase::Free)
    }

    /// Puts a request into a slot.
    pub fn accept(&mut self, at: usize, kind: Kind, key: Key, unit: u8) -> Ticket {
        let ticket = self.next_ticket();
        self.begin_slot(at, kind, key, unit);
        self.slots[at].ticket = ticket;
        ticket
    }

    pub(super) const fn next_ticket(&mut self) -> Ticket {
        self.last_ticket = self.last_ticket.wrapping_add(1);
        Ticket(self.last_ticket)
    }

    pub(super) fn begin_slot(&mut self, at: usize, kind: Kind, key: Key, unit: u8) {
        self.next_order = self.next_order.wrapping_add(1);
        let slot = &mut self.slots[at];
        *slot = Slot::FREE;
        slot.phase = Phase::Waiting;
        slot.kind = kind;
        slot.order = self.next_order;
        slot.key = key;
        slot.unit = unit;
        self.active += 1;
        self.runnable = true;
    }

    /// A slot is free again; who waited for it may go on.
    pub fn release(&mut self, at: usize) {
        self.slots[at].phase = Phase::Free;
        self.active -= 1;
        self.runnable = self.active > 0;
    }

    pub fn end(&mut self, at: usize, outcome: Outcome) {
        self.slots[at].phase = Phase::Done(outcome);
        self.runnable = true;
    }

    /// A request whose caller is to be told how it ended.
    pub fn ended(&self) -> Option<(usize, Outcome)> {
        let done = |(at, slot): (usize, &Slot)| match slot.phase {
            Phase::Done(outcome) => Some((at, outcome)),
            _ => None,
        };
        self.slots.iter().enumerate().find_map(done)
    }

    /// Asks the store, when it next can be.
    pub fn ask_store(&mut self, at: usize, work: Work, phase: Phase) {
        let slot = &mut self.slots[at];
        slot.store_want = Some(work);
        slot.store_error = None;
        slot.brought = false;
        slot.phase = phase;
        self.store_calls += 1;
    }

    /// Asks primaries, when they next can be.
    pub fn ask_primaries(&mut self, at: usize, work: Work, set: u8, phase: Phase) {
        let slot = &mut self.slots[at];
        slot.work = work;
        slot.want = set;
        slot.error = None;
        slot.brought = false;
        slot.phase = phase;
        for (number, calls) in self.calls.iter_mut().enumerate() {
            *calls += u16::from(set >> number & 1);
        }
        if matches!(work, Work::Write | Work::Trim) {
            self.touched |= set;
        }
    }

    /// The store has done with a slot.
    pub fn store_done(&mut self, at: usize, error: Option<ResourceError>) {
        let slot = &mut self.slots[at];
        slot.store_want = None;
        slot.store_open = None;
        slot.store_error = error;
        self.store_calls -= 1;
        self.runnable = true;
    }

    /// A primary has done with a slot.
    pub fn primary_done(&mut self, at: usize, number: u8, error: Option<ResourceError>) {
        let slot = &mut self.slots[at];
        slot.want &= !(1 << number);
        slot.open &= !(1 << number);
        if slot.error.is_none() {
            slot.error = error;
        }
        self.calls[usize::from(number)] -= 1;
        self.runnable = true;
    }

    /// The slot for which the store has this ticket.
    pub fn of_store(&self, ticket: Ticket) -> Option<usize> {
        self.slots
            .iter()
            .position(|slot| slot.store_open == Some(ticket) && slot.phase != Phase::Free)
    }

    /// The slot for which a primary has this ticket.
    pub fn of_primary(&self, number: u8, ticket: Ticket) -> Option<usize> {
        self.slots.iter().position(|slot| {
            slot.open >> number & 1 != 0 && slot.tickets[usize::from(number)] == ticket
        })
    }

    /// Primaries that a level's writes of a source go to.
    pub fn set_of(&self, source: u16, level: u8) -> u8 {
        let ResourceSet(set) = self.level(level).resources;
        match source {
            home if home < u16::from(RESOURCES_MAX) => (set | 1 << home) & self.primaries,
            _ => 0,
        }
    }

    /// The sector of the slot's unit on the primaries.
    pub fn sector_of(&self, slot: &Slot) -> Sector {
        self.pages.sector(slot.key.page, slot.unit)
    }

    /// The sector of a tag's unit on the store.
    pub const fn place_of(&self, tag: u32, unit: u8) -> Sector {
        let Sector(sector) = self.pages.sector(tag, unit);
        match &self.media {
            Some(media) => Sector(media.base + sector),
            None => Sector(sector),
        }
    }

    /// The number of a level, a new one if it has none; `None` when all are taken.
    pub fn number(&mut self, persistence: &Persistence) -> Option<u8> {
        let numbers = 0..LEVELS as u8;
        let known = |level: &u8| {
            self.known >> level & 1 != 0 && self.levels[usize::from(*level)] == *persistence
        };
        if let Some(level) = numbers.clone().find(known) {
            return Some(level);
        }
        let level = numbers
            .clone()
            .find(|level| self.known >> level & 1 == 0)
            .or_else(|| numbers.clone().find(|&level| !self.is_level_used(level)))?;
        self.levels[usize::from(level)] = *persistence;
        self.known |= 1 << level;
        Some(level)
    }

    /// True while a page is at a level, or a request at it is under way.
    pub fn is_level_used(&self, level: u8) -> bool {
        let asked = |slot: &Slot| slot.phase != Phase::Free && slot.level == level;
        let quick = self.quick.is_some_and(|quick| quick.level() == level);
        self.tags.used(level) > 0 || quick || self.slots.iter().any(asked)
    }

    /// The mode a request is served at.
    pub fn mode_of(&self, slot: &Slot) -> Mode {
        if slot.direct {
            Mode::Bypass
        } else {
            self.level(slot.level).mode
        }
    }

    /// True when requests under way are about the page of a tag.
    pub fn is_held(slots: &[Slot], tag: u32) -> bool {
        slots
            .iter()
            .any(|slot| slot.tag == tag && !matches!(slot.phase, Phase::Free | Phase::Done(_)))
    }

    /// Frees the page of a tag if it holds nothing and nobody is about to change that; settles its state otherwise.
    pub fn tidy(&mut self, at: usize) {
        let tag = self.slots[at].tag;
        self.slots[at].tag = NONE;
        if tag == NONE {
            return;
        }
        let found = self.tags.get(tag);
        if found.state() == State::Free || Self::is_held(self.slots, tag) {
            return;
        }
        if found.valid == 0 {
            self.tags.free(tag);
        } else if found.dirty == 0 && found.state() != State::Clean {
            self.tags.set_units(tag, found.valid, 0, State::Clean);
        }
    }

    /// True when a request has to wait for another one.
    pub fn must_wait(&self, at: usize) -> bool {
        let slot = &self.slots[at];
        if self.active < 2 {
            return false;
        }
        self.slots.iter().enumerate().any(|(other_at, other)| {
            if other_at == at || matches!(other.phase, Phase::Free | Phase::Done(_)) {
                return false;
            }
            // The cache's own cleaning may be what those before it wait for: it waits for nobody who has not begun.
            let earlier = other.has_begun()
                || (slot.kind != Kind::Clean
                    && !self.waits_for_cleaning(other, slot)
                    && (other.order.wrapping_sub(slot.order) as i32) < 0);
            earlier && self.conflict(slot, other)
        })
    }

    /// True when `other` waits for nothing else than what `slot` is about to do.
    fn waits_for_cleaning(&self, other: &Slot, slot: &Slot) -> bool {
        other.phase == Phase::NeedClean && slot.cleans() && other.key == slot.key
    }

    /// True when one of two requests may not begin while the other is under way.
    fn conflict(&self, slot: &Slot, other: &Slot) -> bool {
        match (slot.has_page(), other.has_page()) {
            (true, true) => {
                if slot.key != other.key {
                    return false;
                }
                if slot.cleans() || other.cleans() {
                    return true;
                }
                if slot.unit != other.unit {
                    return false;
                }
                match (slot.kind, other.kind) {
                    // Two that miss would fetch twice.
                    (Kind::Read, Kind::Read) => matches!(other.phase, Phase::Fetch | Phase::Fill),
                    // An ordinary page is simply fetched again.
                    (_, Kind::Read) if matches!(other.phase, Phase::Hit | Phase::Fetch) => self
                        .tags
                        .find(slot.key)
                        .is_some_and(|tag| self.tags.get(tag).state() == State::Ephemeral),
                    _ => true,
                }
            }
            (true, false) => self.meets(slot, other),
            (false, true) => self.meets(other, slot),
            (false, false) => {
                let ranged = |slot: &Slot| matches!(slot.kind, Kind::Trim);
                ranged(slot)
                    && ranged(other)
                    && slot.key.source == other.key.source
                    && slot.first.0 < other.first.0.saturating_add(other.count)
                    && other.first.0 < slot.first.0.saturating_add(slot.count)
            }
        }
    }

    /// True when a request for a page lies in the range of a trim.
    fn meets(&self, page: &Slot, range: &Slot) -> bool {
        if range.kind != Kind::Trim || page.key.source != range.key.source {
            return false;
        }
        let end = range.first.0.saturating_add(range.count);
        if page.cleans() {
            let first = self.pages.sector(page.key.page, 0).0;
            return first < end && range.first.0 < first.saturating_add(self.pages.units());
        }
        let sector = self.sector_of(page).0;
        (range.first.0..end).contains(&sector)
    }

    /// Reads of the slot's unit that are under way must not be kept.
    pub fn pass_by_reads(&mut self, at: usize) {
        if self.active < 2 {
            return;
        }
        let (key, unit) = (self.slots[at].key, self.slots[at].unit);
        for slot in self.slots.iter_mut() {
            let reads = matches!(slot.phase, Phase::Fetch | Phase::Fill);
            if reads && slot.key == key && slot.unit == unit {
                slot.stale = true;
            }
        }
    }

    /// Gives the cache's own slot a dirty page, if there is a reason to.
    pub fn clean_in_background(&mut self) {
        let own = self.slots.len() - 1;
        if self.slots[own].phase != Phase::Free || self.tags.dirty() == 0 {
            return;
        }
        let urgent = self.slots[..own]
            .iter()
            .find(|slot| slot.phase == Phase::NeedClean)
            .map(|slot| slot.tag);
        let most = u64::from(self.tags.len()) * u64::from(self.options.dirty_permille) / 1000;
        if urgent.is_none() {
            if self.clean_pause > 0 {
                self.clean_pause -= 1;
                return;
            }
            if !self.clean_wanted && u64::from(self.tags.dirty()) <= most {
                return;
            }
        }
        let found = urgent.or_else(|| self.next_dirty());
        let Some(tag) = found else {
            return;
        };
        let page = self.tags.get(tag);
        self.begin_slot(own, Kind::Clean, page.key(), 0);
        let slot = &mut self.slots[own];
        slot.tag = tag;
        slot.generation = page.generation;
        slot.phase = Phase::CleanWait;
    }

    /// The next dirty page, looked for in a bounded number of tags.
    fn next_dirty(&mut self) -> Option<u32> {
        for _ in 0..self.options.replacement.sweep_steps.min(self.tags.len()) {
            let tag = self.clean_from;
            self.clean_from = if tag + 1 < self.tags.len() {
                tag + 1
            } else {
                0
            };
            if self.tags.get(tag).state() == State::Dirty {
                return Some(tag);
            }
        }
        // Others may find it in the next turn.
        self.runnable = true;
        None
    }

    /// Cleaning has failed: not again at once.
    pub fn pause_cleaning(&mut self) {
        self.counters.clean_failures = self.counters.clean_failures.wrapping_add(1);
        self.clean_pause = RETRY_TURNS;
    }
}
