//! What has to be on the store's media before somebody is told.
//!
//! One sector of the table is written at a time, its first copy and then its second; it is encoded from the tags as they are then, so that it covers all who
//! wait for it.

use super::desk::Desk;
use super::image::{self, Entry, Media};
use super::slot::{Kind, Outcome, Phase, Slot, Work};
use super::tag::State;

impl Desk<'_> {
    /// True when the store keeps what is dirty.
    pub const fn is_durable(&self) -> bool {
        self.media.is_some()
    }

    /// The table has to say what the slot's tag says before the slot goes on, as [`after_persist`](Self::after_persist) says.
    pub fn persist(&mut self, at: usize) {
        self.slots[at].phase = Phase::Persist;
        self.runnable = true;
    }

    /// Begins to write the slot's sector of the table, if none is being written.
    pub(super) fn begin_persist(&mut self, at: usize) {
        let Some(media) = &mut self.media else {
            return self.after_persist(at);
        };
        if media.writing {
            return;
        }
        media.writing = true;
        media.sequence = media.sequence.wrapping_add(1);
        let media = *media;
        let table = media.table_of(self.slots[at].tag);
        for slot in self.slots.iter_mut() {
            if slot.phase == Phase::Persist && media.table_of(slot.tag) == table {
                slot.phase = Phase::PersistRide;
            }
        }
        let start = at * self.sector_bytes;
        let buffer = &mut self.buffers[start..start + self.sector_bytes];
        let (tags, levels) = (&self.tags, &self.levels);
        image::encode_table(buffer, &media, table, |tag| {
            let found = tags.get(tag);
            let newer = matches!(found.state(), State::Dirty | State::Flushing);
            // A page that was ephemeral and is being flushed is none that has to get anywhere.
            let asked = newer && !Self::is_overlay(self.slots, tag);
            (asked && found.dirty != 0).then(|| Entry {
                page: found.page,
                source: found.source,
                tenant: found.tenant,
                dirty: found.dirty,
                persistence: levels[usize::from(found.level())],
            })
        });
        self.ask_store(at, Work::Write, Phase::PersistFirst);
    }

    fn is_overlay(slots: &[Slot], tag: u32) -> bool {
        let is = |slot: &Slot| slot.tag == tag && slot.was_ephemeral && slot.phase != Phase::Free;
        slots.iter().any(is)
    }

    /// Where the slot's sector of the table goes.
    pub fn table_place(&self, slot: &Slot) -> crate::volume::Sector {
        let table = self.media.map_or(0, |media| media.table_of(slot.tag));
        Media::place(table, u32::from(slot.phase == Phase::PersistSecond))
    }

    pub(super) fn after_persist_write(&mut self, at: usize) {
        let slot = &self.slots[at];
        if slot.store_error.is_none() && slot.phase == Phase::PersistFirst {
            return self.ask_store(at, Work::Write, Phase::PersistSecond);
        }
        let error = slot.store_error;
        let table = self.media.map(|media| media.table_of(slot.tag));
        if let Some(media) = &mut self.media {
            media.writing = false;
        }
        for other in 0..self.slots.len() {
            let slot = &mut self.slots[other];
            let rides = slot.phase == Phase::PersistRide
                && self.media.map(|media| media.table_of(slot.tag)) == table;
            if rides && other != at {
                slot.store_error = error;
                self.after_persist(other);
            }
        }
        self.after_persist(at);
    }

    /// The table says what the tag says; or it could not be written, and says what it said before.
    fn after_persist(&mut self, at: usize) {
        self.runnable = true;
        let slot = self.slots[at];
        if let Some(error) = slot.store_error {
            self.table_is_sure = false;
            self.give_back(at);
            if slot.cleans() {
                self.tell_waiting(slot.key, error);
            }
            match slot.kind {
                Kind::Clean => {
                    self.pause_cleaning();
                    return self.release(at);
                }
                _ => self.end(at, Outcome::Failed(error)),
            }
            return self.tidy(at);
        }
        match slot.kind {
            Kind::Trim => {
                self.slots[at].phase = Phase::TrimTags;
                self.tidy(at);
            }
            Kind::Clean | Kind::Flush | Kind::Settle(_) => self.page_clean(at),
            _ => {
                self.end(at, Outcome::Written);
                self.tidy(at);
            }
        }
    }

    /// What the table still says has to reach a primary is said by the tag again: the page may not be another one's before the table has forgotten it.
    fn give_back(&mut self, at: usize) {
        let slot = self.slots[at];
        let found = self.tags.get(slot.tag);
        let kept = found.generation == slot.generation && found.state() != State::Free;
        if kept && slot.cleaned != 0 {
            let (valid, dirty) = (found.valid | slot.cleaned, found.dirty | slot.cleaned);
            self.tags.set_units(slot.tag, valid, dirty, State::Dirty);
        }
    }
}
