//! A request that is under way.

use crate::resource::ResourceError;
use crate::volume::{Sector, Ticket};

use super::key::Key;
use super::persistence::RESOURCES_MAX;
use super::settle::Then;
use super::tags::NONE;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
    Trim,
    /// Everything acknowledged before, durable.
    Flush,
    /// A range's newer units, to the primary.
    Settle(Then),
    /// The cache's own: one dirty page, to the primary.
    Clean,
}

/// What a resource is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Read,
    Write,
    Trim,
    Flush,
    /// Reads what was written, and compares.
    Verify,
}

/// How a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Written,
    /// Its buffer has the bytes.
    Data,
    Unwritten,
    Trimmed,
    Flushed,
    Failed(ResourceError),
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Free,
    /// Accepted; something before it may stand in its way.
    Waiting,
    /// A read: from the store.
    Hit,
    /// A read: from a primary.
    Fetch,
    /// A read: its bytes go to the store.
    Fill,
    /// A write: to the store and the primaries at once.
    Fork,
    /// A write that the store acknowledges.
    Store,
    /// A write over a unit that is newer than the primary's: to the primaries first.
    Ahead,
    /// Then to the store.
    After,
    /// A write: to the primaries only.
    Through,
    /// What the primaries have is read again. Then as after the phase named.
    Verify(Verified),
    /// The first ephemeral write of a unit whose loss reads as unwritten: the durable version goes.
    LossTrim,
    LossFlush,
    /// An ephemeral write over units that have to reach the primary: the cache's own slot sees to that first.
    NeedClean,
    /// A trim: the primaries.
    TrimPrimaries,
    /// A trim over what was to be written back: what the primaries have forgotten must stay so before the store forgets too.
    TrimFlush,
    /// A trim: the tags, from the cursor on.
    TrimTags,
    /// A flush or settling: looks for the next page, from the cursor on.
    NextPage,
    /// A page is to be cleaned as soon as nothing is under way for it.
    CleanWait,
    CleanNext,
    CleanRead,
    CleanWrite,
    /// A flush: the primaries.
    FlushPrimaries,
    /// The table on the store is to say what the slot's tag says.
    Persist,
    /// Another slot is writing what this one waits for.
    PersistRide,
    PersistFirst,
    PersistSecond,
    Done(Outcome),
}

/// Which writing was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verified {
    Fork,
    Ahead,
    Through,
    Clean,
}

/// A request that is under way.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    pub(super) phase: Phase,
    pub(super) kind: Kind,
    pub(super) ticket: Ticket,
    /// Order of acceptance, wrapping.
    pub(super) order: u32,
    /// The page; of a flush or settling, the one it is at.
    pub(super) key: Key,
    pub(super) unit: u8,
    pub(super) level: u8,
    pub(super) tenant: u8,
    pub(super) direct: bool,
    pub(super) paging: bool,
    /// Of a fetch: a write has passed it by, its bytes are not to be kept.
    pub(super) stale: bool,
    pub(super) tag: u32,
    pub(super) generation: u8,
    /// Of a trim or settling: its range.
    pub(super) first: Sector,
    pub(super) count: u32,
    pub(super) cursor: u32,
    /// What the store has still to be asked for.
    pub(super) store_want: Option<Work>,
    /// What it was asked for.
    pub(super) store_open: Option<Ticket>,
    pub(super) store_error: Option<ResourceError>,
    /// What primaries do.
    pub(super) work: Work,
    /// Which have still to be asked.
    pub(super) want: u8,
    /// Which were asked.
    pub(super) open: u8,
    pub(super) tickets: [Ticket; RESOURCES_MAX as usize],
    pub(super) error: Option<ResourceError>,
    /// A read has brought bytes.
    pub(super) brought: bool,
    /// Units of the page that were written to the primary.
    pub(super) cleaned: u8,
    /// Of a fetch: primaries that may be asked if this one fails. Of settling: those that were written to.
    pub(super) others: u8,
    /// Of a trim: it is not only about an overlay.
    pub(super) permanent: bool,
    /// Of a settled page: the state it was in.
    pub(super) was_ephemeral: bool,
}

impl Slot {
    /// A slot that nothing uses.
    pub const FREE: Self = Self {
        phase: Phase::Free,
        kind: Kind::Read,
        ticket: Ticket(0),
        order: 0,
        key: Key { source: 0, page: 0 },
        unit: 0,
        level: 0,
        tenant: 0,
        direct: false,
        paging: false,
        stale: false,
        tag: NONE,
        generation: 0,
        first: Sector(0),
        count: 0,
        cursor: 0,
        store_want: None,
        store_open: None,
        store_error: None,
        work: Work::Read,
        want: 0,
        open: 0,
        tickets: [Ticket(0); RESOURCES_MAX as usize],
        error: None,
        brought: false,
        cleaned: 0,
        others: 0,
        permanent: false,
        was_ephemeral: false,
    };

    /// True while a resource has something to do for it, or is still to be asked.
    pub(super) const fn is_busy(&self) -> bool {
        self.store_want.is_some() || self.store_open.is_some() || self.want | self.open != 0
    }

    /// True when it has begun to change or read what its page is about.
    pub(super) const fn has_begun(&self) -> bool {
        !matches!(
            self.phase,
            Phase::Free
                | Phase::Waiting
                | Phase::NeedClean
                | Phase::CleanWait
                | Phase::NextPage
                | Phase::FlushPrimaries
                | Phase::Done(_)
        )
    }

    /// True for what takes a page as a whole.
    pub(super) const fn cleans(&self) -> bool {
        matches!(self.kind, Kind::Clean | Kind::Flush | Kind::Settle(_))
    }

    /// True while it is about one page.
    pub(super) const fn has_page(&self) -> bool {
        match self.kind {
            Kind::Read | Kind::Write | Kind::Clean => true,
            Kind::Trim => false,
            Kind::Flush | Kind::Settle(_) => self.tag != NONE,
        }
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self::FREE
    }
}
