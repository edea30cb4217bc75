//! A tag: what a cache page holds.

use super::key::{Key, Source};

/// Where a page stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum State {
    /// It holds nothing.
    #[default]
    Free,
    /// It was taken for a request that is under way; nothing of it is valid yet.
    Filling,
    /// What is valid equals what the primary has.
    Clean,
    /// Some of it is newer than what the primary has, and has to get there.
    Dirty,
    /// Some of it is newer than what the primary has, and must not get there.
    Ephemeral,
    /// It is being written to the primary.
    Flushing,
}

const STATE: u8 = 0b111;
const SMALL: u8 = 1 << 3;
const PINNED: u8 = 1 << 4;
const USES_SHIFT: u32 = 5;
/// Uses that are told apart.
pub(super) const USES_MAX: u8 = 3;

/// A tag. Tag *i* is about page *i* of the store: neither says where the other is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tag {
    /// The page of the source; while the tag is free, the next free one.
    pub(super) page: u32,
    pub(super) source: u16,
    pub(super) tenant: u8,
    /// Level in the low half; in the high half when it came to the small queue, in [`STAMPS`](super::queues::STAMPS) of its length.
    level: u8,
    /// Units that the store holds.
    pub(super) valid: u8,
    /// Those of them that are newer than the primary's.
    pub(super) dirty: u8,
    /// Counts the keys that the page had: what was begun for another one must not settle here.
    pub(super) generation: u8,
    bits: u8,
}

impl Tag {
    pub(super) const fn key(&self) -> Key {
        Key {
            source: self.source,
            page: self.page,
        }
    }

    pub(super) const fn state(&self) -> State {
        match self.bits & STATE {
            0 => State::Free,
            1 => State::Filling,
            2 => State::Clean,
            3 => State::Dirty,
            4 => State::Ephemeral,
            _ => State::Flushing,
        }
    }

    pub(super) const fn set_state(&mut self, state: State) {
        let code = match state {
            State::Free => 0,
            State::Filling => 1,
            State::Clean => 2,
            State::Dirty => 3,
            State::Ephemeral => 4,
            State::Flushing => 5,
        };
        self.bits = self.bits & !STATE | code;
    }

    pub(super) const fn level(&self) -> u8 {
        self.level & 15
    }

    pub(super) const fn set_level(&mut self, level: u8) {
        self.level = self.level & !15 | level & 15;
    }

    pub(super) const fn stamp(&self) -> u8 {
        self.level >> 4
    }

    pub(super) const fn set_stamp(&mut self, stamp: u8) {
        self.level = self.level & 15 | stamp << 4;
    }

    pub(super) const fn is_small(&self) -> bool {
        self.bits & SMALL != 0
    }

    pub(super) const fn set_small(&mut self, small: bool) {
        self.bits = self.bits & !SMALL | if small { SMALL } else { 0 };
    }

    pub(super) const fn is_pinned(&self) -> bool {
        self.bits & PINNED != 0
    }

    pub(super) const fn set_pinned(&mut self, pinned: bool) {
        self.bits = self.bits & !PINNED | if pinned { PINNED } else { 0 };
    }

    /// Uses since the sweep came by, up to [`USES_MAX`].
    pub(super) const fn uses(&self) -> u8 {
        self.bits >> USES_SHIFT & USES_MAX
    }

    /// One use more, as far as they are told apart.
    pub(super) const fn add_use(&mut self) {
        if self.uses() < USES_MAX {
            self.bits += 1 << USES_SHIFT;
        }
    }

    pub(super) const fn set_uses(&mut self, uses: u8) {
        let uses = if uses < USES_MAX { uses } else { USES_MAX };
        self.bits = self.bits & !(USES_MAX << USES_SHIFT) | uses << USES_SHIFT;
    }

    /// May another key have the page, as far as the tag says?
    pub(super) const fn is_stealable(&self) -> bool {
        matches!(self.state(), State::Clean) && self.dirty == 0 && !self.is_pinned()
    }

    /// What others may know of it.
    pub(super) const fn view(&self) -> TagView {
        TagView {
            source: Source::of_code(self.source),
            page: self.page,
            tenant: self.tenant,
            level: self.level(),
            valid: self.valid,
            dirty: self.dirty,
            state: self.state(),
            uses: self.uses(),
            pinned: self.is_pinned(),
        }
    }
}

/// A tag, to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TagView {
    /// Whose page.
    pub source: Source,
    /// Which of its pages.
    pub page: u32,
    /// Whose it is.
    pub tenant: u8,
    /// The number of its level.
    pub level: u8,
    /// Units that are valid: a bit for each.
    pub valid: u8,
    /// Units that are newer than the primary's.
    pub dirty: u8,
    /// Where it stands.
    pub state: State,
    /// How often it was used of late, 0 to 3.
    pub uses: u8,
    /// It may not be stolen.
    pub pinned: bool,
}
