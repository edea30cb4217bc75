//! Trims, flushes and cleaning: what goes through pages one after another.

use crate::resource::ResourceError;
use crate::volume::Sector;

use super::desk::Desk;
use super::key::{Key, Pages};
use super::mode::Mode;
use super::settle::Then;
use super::slot::{Kind, Outcome, Phase, Work};
use super::tag::{State, Tag};
use super::tags::NONE;

/// Tags that one step looks at.
const TAGS_A_STEP: u32 = 64;

impl Desk<'_> {
    pub(super) fn begin_pages(&mut self, at: usize) {
        let slot = self.slots[at];
        match slot.kind {
            Kind::Trim => {
                let set = match self.mode_of(&slot) {
                    // The overlay goes; the version below shows again.
                    Mode::Ephemeral => 0,
                    _ => self.set_of(slot.key.source, slot.level),
                };
                if set == 0 {
                    self.slots[at].phase = Phase::TrimTags;
                } else {
                    self.slots[at].permanent = true;
                    self.ask_primaries(at, Work::Trim, set, Phase::TrimPrimaries);
                }
            }
            Kind::Clean => self.slots[at].phase = Phase::CleanWait,
            _ => self.slots[at].phase = Phase::NextPage,
        }
    }

    pub(super) fn step_pages(&mut self, at: usize) {
        match self.slots[at].phase {
            Phase::TrimPrimaries => self.after_trim(at),
            Phase::TrimFlush => self.after_trim_flush(at),
            Phase::TrimTags => self.trim_tags(at),
            Phase::NextPage => self.next_page(at),
            Phase::CleanWait => self.begin_clean(at),
            Phase::CleanNext => self.next_unit(at),
            Phase::CleanRead => self.after_clean_read(at),
            Phase::FlushPrimaries => self.after_flush(at),
            _ => {}
        }
    }

    // Trims

    fn after_trim(&mut self, at: usize) {
        let slot = &self.slots[at];
        if slot.error.is_none() && self.is_durable() && self.tags.dirty() > 0 {
            let set = self.set_of(slot.key.source, slot.level);
            return self.ask_primaries(at, Work::Flush, set, Phase::TrimFlush);
        }
        self.after_trim_flush(at);
    }

    fn after_trim_flush(&mut self, at: usize) {
        self.slots[at].phase = Phase::TrimTags;
        self.runnable = true;
    }

    /// Gives up the units in the range: those that are only what the primary had where the primary has failed, all of them elsewhere.
    fn trim_tags(&mut self, at: usize) {
        let slot = self.slots[at];
        let pages = self.pages;
        let (first_page, _) = pages.split(slot.first);
        let last = slot.first.0.saturating_add(slot.count - 1);
        let last_page = last >> pages.shift;
        let by_page = last_page - first_page < self.tags.len();
        let ends = if by_page {
            last_page - first_page + 1
        } else {
            self.tags.len()
        };
        for _ in 0..TAGS_A_STEP {
            let cursor = self.slots[at].cursor;
            if cursor >= ends {
                return match slot.error {
                    Some(error) => self.end(at, Outcome::Failed(error)),
                    None => self.end(at, Outcome::Trimmed),
                };
            }
            self.slots[at].cursor = cursor + 1;
            let source = slot.key.source;
            let tag = if by_page {
                let page = first_page + cursor;
                match self.tags.find(Key { source, page }) {
                    Some(tag) => tag,
                    None => continue,
                }
            } else {
                cursor
            };
            let found = self.tags.get(tag);
            if found.state() == State::Free || found.source != source {
                continue;
            }
            let mut inside = 0u8;
            for unit in 0..pages.units() as u8 {
                let sector = pages.sector(found.page, unit).0;
                if (slot.first.0..=last).contains(&sector) {
                    inside |= 1 << unit;
                }
            }
            if inside == 0 {
                continue;
            }
            let keep = if slot.error.is_some() { found.dirty } else { 0 };
            // Of an overlay's trim, only the overlay goes.
            let keep = match slot.permanent {
                true => keep,
                false if found.state() == State::Ephemeral => found.valid & !found.dirty,
                false => found.valid,
            };
            let (valid, dirty) = (
                found.valid & (!inside | keep),
                found.dirty & (!inside | keep),
            );
            let state = if dirty == 0 {
                State::Clean
            } else {
                found.state()
            };
            self.tags.set_units(tag, valid, dirty, state);
            self.slots[at].tag = tag;
            self.slots[at].generation = found.generation;
            if self.is_durable() && found.state() == State::Dirty && dirty != found.dirty {
                self.slots[at].cleaned = found.dirty & !dirty;
                return self.persist(at);
            }
            self.tidy(at);
        }
        self.runnable = true;
    }

    /// Gives up units of a range, of which none has to reach a primary: those that are newer than a primary's version too, if asked. In one go.
    pub fn give_up(&mut self, source: u16, first: Sector, count: u32, newer: bool) -> bool {
        let end = first.0.saturating_add(count);
        let inside = |pages: Pages, tag: &Tag| {
            let within = |unit: &u8| (first.0..end).contains(&pages.sector(tag.page, *unit).0);
            let units = (0..pages.units() as u8).filter(within);
            units.fold(0u8, |all, unit| all | 1 << unit)
        };
        for settled in [false, true] {
            for at in 0..self.tags.len() {
                let tag = self.tags.get(at);
                if tag.state() == State::Free || tag.source != source {
                    continue;
                }
                let units = inside(self.pages, &tag);
                let overlay = tag.state() == State::Ephemeral;
                if units & tag.dirty != 0 && !overlay {
                    return false;
                }
                if units == 0 || !settled {
                    continue;
                }
                let units = if newer { units } else { units & !tag.dirty };
                let (valid, dirty) = (tag.valid & !units, tag.dirty & !units);
                let state = if dirty == 0 {
                    State::Clean
                } else {
                    tag.state()
                };
                self.tags.set_units(at, valid, dirty, state);
                if valid == 0 {
                    self.tags.free(at);
                }
            }
        }
        true
    }

    // Flushes

    /// Looks for the next page that a flush or settling is about.
    fn next_page(&mut self, at: usize) {
        let slot = self.slots[at];
        let source = slot.key.source;
        let (first_page, _) = self.pages.split(slot.first);
        let last_page = slot.first.0.saturating_add(slot.count.max(1) - 1) >> self.pages.shift;
        let by_page = slot.kind != Kind::Flush && last_page - first_page < self.tags.len();
        let ends = match by_page {
            true => last_page - first_page + 1,
            false => self.tags.len(),
        };
        let none = slot.kind == Kind::Flush && self.tags.dirty() == 0;
        for _ in 0..TAGS_A_STEP {
            let cursor = self.slots[at].cursor;
            if cursor >= ends || none {
                return self.end_pages(at);
            }
            self.slots[at].cursor = cursor + 1;
            let tag = if by_page {
                let page = first_page + cursor;
                self.tags.find(Key { source, page })
            } else {
                Some(cursor)
            };
            let Some(tag) = tag else { continue };
            let found = self.tags.get(tag);
            let concerned = match (slot.kind, found.state()) {
                (_, State::Free) => false,
                (Kind::Flush, State::Dirty | State::Flushing) => true,
                (Kind::Flush, _) => false,
                _ => found.source == source && (first_page..=last_page).contains(&found.page),
            };
            if concerned {
                let slot = &mut self.slots[at];
                slot.tag = tag;
                slot.generation = found.generation;
                slot.key = found.key();
                slot.phase = Phase::CleanWait;
                return;
            }
        }
        self.runnable = true;
    }

    fn end_pages(&mut self, at: usize) {
        self.slots[at].tag = NONE;
        if let Some(error) = self.slots[at].error {
            return self.end(at, Outcome::Failed(error));
        }
        let set = match self.slots[at].kind {
            Kind::Flush => self.touched,
            _ => self.slots[at].others,
        };
        if set == 0 {
            return self.end(at, Outcome::Flushed);
        }
        self.touched &= !set;
        self.ask_primaries(at, Work::Flush, set, Phase::FlushPrimaries);
    }

    fn after_flush(&mut self, at: usize) {
        match self.slots[at].error {
            Some(error) => {
                // Which of them have done it is not known.
                self.touched = self.primaries;
                self.end(at, Outcome::Failed(error));
            }
            None => self.end(at, Outcome::Flushed),
        }
    }

    // Cleaning

    fn begin_clean(&mut self, at: usize) {
        if self.must_wait(at) {
            return;
        }
        let slot = self.slots[at];
        let found = self.tags.get(slot.tag);
        let gone = found.generation != slot.generation || found.state() == State::Free;
        // While it waited, the page may have been cleaned, and have become ephemeral.
        let concerns = found.state() == State::Dirty || matches!(slot.kind, Kind::Settle(_));
        if gone || !concerns || found.key() != slot.key {
            self.slots[at].tag = NONE;
            return self.page_done(at);
        }
        self.slots[at].was_ephemeral = found.state() == State::Ephemeral;
        self.slots[at].cleaned = 0;
        if found.dirty != 0 {
            self.tags
                .set_units(slot.tag, found.valid, found.dirty, State::Flushing);
        }
        self.slots[at].phase = Phase::CleanNext;
    }

    /// The next newer unit of the page, or the end of it.
    fn next_unit(&mut self, at: usize) {
        let slot = self.slots[at];
        let found = self.tags.get(slot.tag);
        let left = found.dirty & !slot.cleaned;
        if left != 0 {
            self.slots[at].unit = left.trailing_zeros() as u8;
            return self.ask_store(at, Work::Read, Phase::CleanRead);
        }
        let cleaned = found.dirty != 0;
        if cleaned {
            self.counters.cleaned = self.counters.cleaned.wrapping_add(1);
        }
        self.tags.set_units(slot.tag, found.valid, 0, State::Clean);
        if cleaned && !slot.was_ephemeral && self.is_durable() {
            return self.persist(at);
        }
        self.page_clean(at);
    }

    /// The primary has all of the page, and the table says so.
    pub(super) fn page_clean(&mut self, at: usize) {
        let slot = self.slots[at];
        let found = self.tags.get(slot.tag);
        match slot.kind {
            _ if found.valid == 0 => return self.give_up_page(at),
            Kind::Settle(Then::Evict) => return self.give_up_page(at),
            Kind::Settle(Then::Level(level)) => self.tags.set_level(slot.tag, level),
            _ => {}
        }
        self.page_done(at);
    }

    fn give_up_page(&mut self, at: usize) {
        let tag = self.slots[at].tag;
        self.slots[at].tag = NONE;
        if !Self::is_held(self.slots, tag) {
            self.tags.free(tag);
        }
        self.page_done(at);
    }

    fn after_clean_read(&mut self, at: usize) {
        let slot = self.slots[at];
        let set = self.set_of(slot.key.source, self.tags.get(slot.tag).level());
        match slot.store_error {
            Some(error) => self.clean_failed(at, error),
            // Without a place on a primary it stays what it is.
            None if set == 0 => {
                self.clean_failed(at, ResourceError::NoPlace);
            }
            None => {
                self.slots[at].others |= set;
                let work = if slot.brought {
                    Work::Write
                } else {
                    Work::Trim
                };
                self.ask_primaries(at, work, set, Phase::CleanWrite);
            }
        }
    }

    pub(super) fn after_clean_write(&mut self, at: usize) {
        if let Some(error) = self.slots[at].error {
            return self.clean_failed(at, error);
        }
        let slot = &mut self.slots[at];
        slot.cleaned |= 1 << slot.unit;
        slot.phase = Phase::CleanNext;
    }

    /// What has not reached the primary is as it was.
    fn clean_failed(&mut self, at: usize, error: ResourceError) {
        let slot = self.slots[at];
        let found = self.tags.get(slot.tag);
        let state = match slot.was_ephemeral {
            true => State::Ephemeral,
            false => State::Dirty,
        };
        // Units that the primary has acknowledged are equal to it already; a table says the page as a whole.
        let dirty = match self.is_durable() {
            true => found.dirty,
            false => found.dirty & !slot.cleaned,
        };
        self.tags.set_units(slot.tag, found.valid, dirty, state);
        self.pause_cleaning();
        self.slots[at].error = Some(error);
        self.tell_waiting(slot.key, error);
        match slot.kind {
            Kind::Clean => self.release(at),
            _ => {
                self.slots[at].tag = NONE;
                self.end(at, Outcome::Failed(error));
            }
        }
        self.runnable = true;
    }

    /// Requests that wait for a page to be clean are told why it is not: they fail rather than wait for what may never come.
    pub(super) fn tell_waiting(&mut self, key: Key, error: ResourceError) {
        for waiting in self.slots.iter_mut() {
            if waiting.phase == Phase::NeedClean && waiting.key == key {
                waiting.error = Some(error);
            }
        }
    }

    fn page_done(&mut self, at: usize) {
        match self.slots[at].kind {
            Kind::Clean => self.release(at),
            _ => {
                let slot = &mut self.slots[at];
                slot.tag = NONE;
                slot.phase = Phase::NextPage;
                self.runnable = true;
            }
        }
    }
}
