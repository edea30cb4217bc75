//! Reads and writes, step by step.
//!
//! Whatever may fail or be cut is asked for first; the tag says so afterwards; the caller is told last (C1).

use crate::resource::ResourceError;

use super::counters::Bypass;
use super::desk::Desk;
use super::key::Source;
use super::mode::{Mode, OnLoss};
use super::slot::{Kind, Outcome, Phase, Slot, Verified, Work};
use super::tag::State;
use super::tags::NONE;
use super::Spill;

/// Steps of one request in one turn.
const STEPS: u32 = 8;

impl Desk<'_> {
    /// Takes a request as far as it goes without a resource. The caller asks resources for what it wants then.
    pub fn advance(&mut self, at: usize) {
        for _ in 0..STEPS {
            let before = self.slots[at].phase;
            if self.slots[at].is_busy() || matches!(before, Phase::Free | Phase::Done(_)) {
                return;
            }
            self.step(at);
            if self.slots[at].phase == before && !self.slots[at].is_busy() {
                return;
            }
        }
        self.runnable = true;
    }

    fn step(&mut self, at: usize) {
        match self.slots[at].phase {
            Phase::Free | Phase::Done(_) => {}
            Phase::Waiting => self.begin(at),
            Phase::Hit => self.after_hit(at),
            Phase::Fetch => self.after_fetch(at),
            Phase::Fill => self.after_fill(at),
            Phase::Fork => self.after_primaries(at, Verified::Fork),
            Phase::Ahead => self.after_primaries(at, Verified::Ahead),
            Phase::Through => self.after_primaries(at, Verified::Through),
            Phase::CleanWrite => self.after_primaries(at, Verified::Clean),
            Phase::Verify(of) => self.after_verify(at, of),
            Phase::Store => self.after_store(at),
            Phase::After => self.after_ahead(at),
            Phase::LossTrim => self.after_loss_trim(at),
            Phase::LossFlush => self.after_loss_flush(at),
            Phase::NeedClean => self.begin_write(at),
            Phase::Persist => self.begin_persist(at),
            Phase::PersistFirst | Phase::PersistSecond => self.after_persist_write(at),
            Phase::PersistRide => {}
            _ => self.step_pages(at),
        }
    }

    fn begin(&mut self, at: usize) {
        if self.must_wait(at) {
            if !self.slots[at].stale {
                // Counted once.
                self.slots[at].stale = true;
                self.counters.deferred = self.counters.deferred.wrapping_add(1);
            }
            return;
        }
        self.slots[at].stale = false;
        match self.slots[at].kind {
            Kind::Read => self.begin_read(at),
            Kind::Write => self.begin_write(at),
            _ => self.begin_pages(at),
        }
    }

    // Reads

    pub(super) fn begin_read(&mut self, at: usize) {
        let slot = &self.slots[at];
        let bit = 1 << slot.unit;
        let kept = self.mode_of(slot) != Mode::Bypass;
        if let Some(tag) = self.tags.find(slot.key) {
            let found = self.tags.get(tag);
            if found.valid & bit != 0 && (kept || found.dirty & bit != 0) {
                self.slots[at].tag = tag;
                self.slots[at].generation = found.generation;
                self.tags.touch(tag);
                self.counters.read_hits = self.counters.read_hits.wrapping_add(1);
                return self.ask_store(at, Work::Read, Phase::Hit);
            }
        }
        self.counters.read_misses = self.counters.read_misses.wrapping_add(1);
        self.fetch(at);
    }

    /// Reads from the source's own primary, and from others of the level where that fails.
    fn fetch(&mut self, at: usize) {
        let slot = &mut self.slots[at];
        slot.tag = NONE;
        let (source, level) = (slot.key.source, slot.level);
        match Source::of_code(source) {
            Source::Primary(home) => {
                let others = self.set_of(source, level) & !(1 << home);
                self.slots[at].others = others;
                self.ask_primaries(at, Work::Read, 1 << home, Phase::Fetch);
            }
            Source::Object(_) => self.end(at, Outcome::Unwritten),
        }
    }

    fn after_hit(&mut self, at: usize) {
        // The bytes were handed out already, or there are none.
        let slot = &self.slots[at];
        let Some(error) = slot.store_error else {
            self.end(at, Outcome::Unwritten);
            return self.tidy(at);
        };
        let (tag, bit) = (slot.tag, 1 << slot.unit);
        let found = self.tags.get(tag);
        if found.generation == slot.generation && found.dirty & bit == 0 {
            // The primary has it too.
            self.counters.bypass(Bypass::Store);
            self.tags
                .set_units(tag, found.valid & !bit, found.dirty, found.state());
            self.tidy(at);
            return self.fetch(at);
        }
        self.end(at, Outcome::Failed(error));
        self.tidy(at);
    }

    fn after_fetch(&mut self, at: usize) {
        let slot = &self.slots[at];
        if let Some(error) = slot.error {
            let others = slot.others;
            if others == 0 {
                return self.end(at, Outcome::Failed(error));
            }
            let next = others & others.wrapping_neg();
            self.slots[at].others = others & !next;
            return self.ask_primaries(at, Work::Read, next, Phase::Fetch);
        }
        if !slot.brought {
            return self.end(at, Outcome::Unwritten);
        }
        let reason = if slot.stale {
            Some(Bypass::Passed)
        } else if slot.direct {
            Some(Bypass::Direct)
        } else if self.mode_of(slot) == Mode::Bypass {
            Some(Bypass::Level)
        } else if slot.paging && !self.keeps_paged(slot) {
            Some(Bypass::Paging)
        } else if !self.take_tag(at) {
            Some(Bypass::NoPage)
        } else {
            None
        };
        match reason {
            Some(reason) => {
                self.counters.bypass(reason);
                self.end(at, Outcome::Data);
            }
            None => {
                let slot = &self.slots[at];
                let found = self.tags.get(slot.tag);
                // Since the fetch began it may have come otherwise.
                if found.valid & (1 << slot.unit) != 0 {
                    self.end(at, Outcome::Data);
                    self.tidy(at);
                } else {
                    self.ask_store(at, Work::Write, Phase::Fill);
                }
            }
        }
    }

    /// True when what a host's own cache fetches is kept here too: what is in a page that is here already is.
    fn keeps_paged(&self, slot: &Slot) -> bool {
        self.options.keep_paging || self.tags.find(slot.key).is_some()
    }

    fn after_fill(&mut self, at: usize) {
        let slot = &self.slots[at];
        if slot.store_error.is_some() {
            self.counters.bypass(Bypass::Store);
        } else {
            self.make_valid(at, false);
        }
        self.end(at, Outcome::Data);
        self.tidy(at);
    }

    // Writes

    fn begin_write(&mut self, at: usize) {
        self.pass_by_reads(at);
        let slot = self.slots[at];
        let bit = 1 << slot.unit;
        let set = self.set_of(slot.key.source, slot.level);
        let found = self.tags.find(slot.key);
        let page = found.map(|tag| self.tags.get(tag)).unwrap_or_default();
        self.slots[at].tag = found.unwrap_or(NONE);
        self.slots[at].generation = page.generation;
        let first = slot.phase == Phase::Waiting;
        if first {
            let count = match found {
                Some(_) => &mut self.counters.write_hits,
                None => &mut self.counters.write_misses,
            };
            *count = count.wrapping_add(1);
        }
        if let Some(tag) = found {
            self.tags.touch(tag);
        }
        let overlay = page.state() == State::Ephemeral;
        // A page's units are written back as one level says; and nothing is where the table cannot be trusted.
        let mixed = page.dirty & !bit != 0 && page.level() != slot.level;
        let doubtful = self.media.is_some_and(|media| media.doubtful);
        match self.mode_of(&slot) {
            Mode::Bypass => {
                self.counters.bypass(match slot.direct {
                    true => Bypass::Direct,
                    false => Bypass::Level,
                });
                self.invalidate_clean(at);
                self.ask_primaries(at, Work::Write, set, Phase::Through);
            }
            Mode::WriteBack if !overlay && !mixed && !doubtful => {
                if self.take_tag(at) {
                    self.invalidate_clean(at);
                    self.ask_store(at, Work::Write, Phase::Store);
                } else {
                    self.counters.bypass(Bypass::NoPage);
                    self.ask_primaries(at, Work::Write, set, Phase::Through);
                }
            }
            // What was written back over ephemeral data would be neither.
            Mode::WriteThrough | Mode::WriteBack => {
                if page.dirty & bit != 0 {
                    // The store has a version that may not be lost before the primary has the new one.
                    self.ask_primaries(at, Work::Write, set, Phase::Ahead);
                } else if self.take_tag(at) {
                    self.invalidate_clean(at);
                    self.ask_store(at, Work::Write, Phase::Fork);
                    self.ask_primaries(at, Work::Write, set, Phase::Fork);
                } else {
                    self.counters.bypass(Bypass::NoPage);
                    self.ask_primaries(at, Work::Write, set, Phase::Through);
                }
            }
            Mode::Ephemeral => self.begin_ephemeral(at),
        }
    }

    fn begin_ephemeral(&mut self, at: usize) {
        let slot = self.slots[at];
        let page = self.tags.get(slot.tag);
        let has_page = slot.tag != NONE;
        let to_clean = has_page && page.dirty != 0 && page.state() != State::Ephemeral;
        if to_clean || self.is_being_cleaned(at) {
            // The version below must reach the primary first: it is what a loss leaves.
            if let (Phase::NeedClean, Some(error)) = (slot.phase, slot.error) {
                self.end(at, Outcome::Failed(error));
                return self.tidy(at);
            }
            self.slots[at].error = None;
            self.slots[at].phase = Phase::NeedClean;
            return;
        }
        let most = u64::from(self.tags.len()) * u64::from(self.options.ephemeral_permille) / 1000;
        let within = page.state() == State::Ephemeral || u64::from(self.tags.ephemeral()) < most;
        let reason = if !within {
            Bypass::Quota
        } else if !self.take_tag(at) {
            Bypass::NoPage
        } else {
            let slot = &self.slots[at];
            let page = self.tags.get(slot.tag);
            let set = self.set_of(slot.key.source, slot.level);
            let trimmed = page.dirty & (1 << slot.unit) != 0 && self.leaves_nothing(page.level());
            // From here on it counts as ephemeral: the quota must hold for those that come now.
            self.tags
                .set_units(slot.tag, page.valid, page.dirty, State::Ephemeral);
            if self.leaves_nothing(slot.level) && !trimmed && set != 0 {
                return self.ask_primaries(at, Work::Trim, set, Phase::LossTrim);
            }
            self.invalidate_clean(at);
            return self.ask_store(at, Work::Write, Phase::Store);
        };
        self.counters.bypass(reason);
        let set = self.set_of(slot.key.source, slot.level);
        if self.options.spill == Spill::Refuse || set == 0 {
            self.end(at, Outcome::Failed(ResourceError::NoSpace));
            return self.tidy(at);
        }
        self.invalidate_clean(at);
        self.ask_primaries(at, Work::Write, set, Phase::Through);
    }

    /// True while another slot has the request's page as a whole.
    fn is_being_cleaned(&self, at: usize) -> bool {
        let key = self.slots[at].key;
        let cleans = |slot: &Slot| slot.cleans() && slot.key == key && slot.has_begun();
        self.active > 1 && self.slots.iter().any(cleans)
    }

    fn after_loss_trim(&mut self, at: usize) {
        let slot = &self.slots[at];
        // The primary's version may be gone: what the store has of it must not be taken for it.
        let error = slot.error;
        self.invalidate_clean(at);
        match error {
            Some(error) => {
                self.end(at, Outcome::Failed(error));
                self.tidy(at);
            }
            None => {
                let slot = &self.slots[at];
                let set = self.set_of(slot.key.source, slot.level);
                self.ask_primaries(at, Work::Flush, set, Phase::LossFlush);
            }
        }
    }

    fn after_loss_flush(&mut self, at: usize) {
        match self.slots[at].error {
            Some(error) => {
                self.end(at, Outcome::Failed(error));
                self.tidy(at);
            }
            None => self.ask_store(at, Work::Write, Phase::Store),
        }
    }

    /// The primaries have been asked to write; of a fork the store too.
    fn after_primaries(&mut self, at: usize, of: Verified) {
        let slot = &self.slots[at];
        let set = match of {
            Verified::Clean => self.set_of(slot.key.source, self.tags.get(slot.tag).level()),
            _ => self.set_of(slot.key.source, slot.level),
        };
        let level = match of {
            Verified::Clean => self.tags.get(slot.tag).level(),
            _ => slot.level,
        };
        if slot.error.is_none() && slot.work == Work::Write && self.level(level).verify {
            return self.ask_primaries(at, Work::Verify, set, Phase::Verify(of));
        }
        self.after_verify(at, of);
    }

    fn after_verify(&mut self, at: usize, of: Verified) {
        let slot = &self.slots[at];
        match (of, slot.error) {
            (Verified::Clean, _) => return self.after_clean_write(at),
            (Verified::Ahead, None) => {
                return self.ask_store(at, Work::Write, Phase::After);
            }
            (_, Some(error)) => self.end(at, Outcome::Failed(error)),
            (Verified::Fork, None) => {
                if slot.store_error.is_some() {
                    self.counters.bypass(Bypass::Store);
                } else {
                    self.make_valid(at, false);
                }
                self.end(at, Outcome::Written);
            }
            (Verified::Through, None) => {
                let was_dirty = self.is_to_be_written_back(at);
                self.drop_unit(at);
                if was_dirty {
                    return self.persist_cleared(at);
                }
                self.end(at, Outcome::Written);
            }
        }
        self.tidy(at);
    }

    /// The store has, or has not, taken a write that it acknowledges.
    fn after_store(&mut self, at: usize) {
        let slot = self.slots[at];
        match slot.store_error {
            None => {
                let page = self.tags.get(slot.tag);
                let known = page.dirty & (1 << slot.unit) != 0 && page.level() == slot.level;
                self.make_valid(at, true);
                let back = self.mode_of(&slot) == Mode::WriteBack && self.is_durable();
                if back && !(known && self.table_is_sure) {
                    return self.persist(at);
                }
                self.end(at, Outcome::Written);
            }
            Some(_) if self.mode_of(&slot) == Mode::WriteBack => {
                self.counters.bypass(Bypass::Store);
                let set = self.set_of(slot.key.source, slot.level);
                return self.ask_primaries(at, Work::Write, set, Phase::Through);
            }
            Some(error) => self.end(at, Outcome::Failed(error)),
        }
        self.tidy(at);
    }

    /// The primary has the new version; the store has it too, or nothing of it.
    fn after_ahead(&mut self, at: usize) {
        let was_dirty = self.is_to_be_written_back(at);
        if self.slots[at].store_error.is_some() {
            self.counters.bypass(Bypass::Store);
            self.drop_unit(at);
        } else {
            self.make_valid(at, false);
        }
        if was_dirty {
            return self.persist_cleared(at);
        }
        self.end(at, Outcome::Written);
        self.tidy(at);
    }

    /// True when the table says that the slot's unit has to reach a primary.
    fn is_to_be_written_back(&self, at: usize) -> bool {
        let slot = &self.slots[at];
        let page = self.tags.get(slot.tag);
        let newer = page.generation == slot.generation && page.dirty & (1 << slot.unit) != 0;
        self.is_durable() && newer && page.state() == State::Dirty
    }

    /// The slot's unit was given up for a version that the primary has: the table must say so before anybody is told.
    fn persist_cleared(&mut self, at: usize) {
        let slot = &mut self.slots[at];
        slot.cleaned = 1 << slot.unit;
        self.persist(at);
    }

    // Tags

    /// True when a loss of what is ephemeral at a level leaves nothing.
    fn leaves_nothing(&self, level: u8) -> bool {
        self.level(level).on_loss == OnLoss::Unwritten
    }

    /// Makes sure that the request's page has a tag. False when none can be given up for it.
    fn take_tag(&mut self, at: usize) -> bool {
        let slot = self.slots[at];
        let (tags, slots) = (&mut self.tags, &self.slots);
        let tag = match tags.find(slot.key) {
            Some(tag) => tag,
            None => {
                let held = |tag| Self::is_held(slots, tag);
                match tags.admit(slot.key, slot.level, slot.tenant, held) {
                    Some(tag) => {
                        self.counters.admitted = self.counters.admitted.wrapping_add(1);
                        tag
                    }
                    None => return false,
                }
            }
        };
        let generation = tags.get(tag).generation;
        self.slots[at].tag = tag;
        self.slots[at].generation = generation;
        true
    }

    /// The slot's unit is not valid any more, if it is only what the primary had.
    fn invalidate_clean(&mut self, at: usize) {
        let slot = &self.slots[at];
        if slot.tag == NONE {
            return;
        }
        let page = self.tags.get(slot.tag);
        let bit = 1 << slot.unit & !page.dirty;
        self.tags
            .set_units(slot.tag, page.valid & !bit, page.dirty, page.state());
    }

    /// The slot's unit is given up, newer than the primary's or not.
    fn drop_unit(&mut self, at: usize) {
        let slot = &self.slots[at];
        if slot.tag == NONE {
            return;
        }
        let page = self.tags.get(slot.tag);
        if page.generation != slot.generation {
            return;
        }
        let bit = 1 << slot.unit;
        let (valid, dirty) = (page.valid & !bit, page.dirty & !bit);
        let state = if dirty == 0 {
            State::Clean
        } else {
            page.state()
        };
        self.tags.set_units(slot.tag, valid, dirty, state);
    }

    /// The store has the slot's unit: valid, and newer than the primary's or equal to it.
    fn make_valid(&mut self, at: usize, newer: bool) {
        let slot = self.slots[at];
        let page = self.tags.get(slot.tag);
        if page.generation != slot.generation || page.state() == State::Free || slot.stale {
            return;
        }
        let bit = 1 << slot.unit;
        let valid = page.valid | bit;
        let dirty = if newer {
            page.dirty | bit
        } else {
            page.dirty & !bit
        };
        let state = match (dirty, newer) {
            (0, _) => State::Clean,
            (_, false) => page.state(),
            _ if self.mode_of(&slot) == Mode::Ephemeral => State::Ephemeral,
            _ => State::Dirty,
        };
        self.tags.set_units(slot.tag, valid, dirty, state);
        // A page takes the level at which it was last written, but for one that promises what was not done for its other units.
        let others = page.dirty & !bit != 0;
        let promises = self.leaves_nothing(slot.level) && !self.leaves_nothing(page.level());
        if (newer && !(others && promises)) || (dirty == 0 && slot.kind == Kind::Write) {
            self.tags.set_level(slot.tag, slot.level);
        }
    }
}
