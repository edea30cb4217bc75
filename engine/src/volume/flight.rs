//! What is in flight on each die.

use cuesta_hal::Die;
use heapless::Vec;

use super::address::{Location, MapIndex, Sector, Segment, Ticket};
use super::parameters::UNITS_MAX;
use super::stripe::Stripe;

/// Who wants a unit written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A host write.
    Host {
        /// The request.
        ticket: Ticket,
        /// Where the sector was.
        old: Location,
    },
    /// A member of the open batch: it takes effect at the commit.
    Batch {
        /// The request.
        ticket: Ticket,
        /// Where the sector was.
        old: Location,
    },
    /// A relocation.
    Relocation {
        /// Where the sector is.
        source: Location,
    },
}

/// A sector on its way to the media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// The sector.
    pub sector: Sector,
    /// Host writes seen when a host last wrote it.
    pub birth: u32,
    /// Who wants it.
    pub origin: Origin,
}

/// The sectors of a page.
pub type Units = Vec<Unit, UNITS_MAX>;

/// How far the program of a page of a stripe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Under way.
    Flying,
    /// It has settled.
    Settled {
        /// Whether the page was programmed.
        good: bool,
    },
}

/// A page of a stripe with parity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The stream.
    pub stream: u8,
    /// Which page of its stage; none for the parity page.
    pub page: Option<u8>,
    /// The segment.
    pub segment: Segment,
    /// The page.
    pub offset: u32,
    /// Its log time.
    pub time: u64,
    /// How far it is.
    pub progress: Progress,
}

/// An operation in flight, and what is to be done when it settles.
#[derive(Debug, Clone, Default)]
pub enum Flight {
    /// Nothing in flight.
    #[default]
    None,
    /// A host's read, by slot.
    HostRead(u8),
    /// A map page on its way to its frame.
    MapRead(MapIndex),
    /// Sector data being programmed.
    Data {
        /// The segment.
        segment: Segment,
        /// The page.
        offset: u32,
        /// Its log time.
        time: u64,
        /// Its sectors.
        units: Units,
        /// How far it and its copies are.
        stripe: Stripe,
    },
    /// A copy of the page whose bytes are in the buffer of another die.
    Copy {
        /// That die.
        of: Die,
        /// Where in the segment the copy is.
        offset: u32,
    },
    /// A page of a stripe with parity: its sectors are in the stage of its stream.
    Member(Member),
    /// A page from which another one is made again, or its header.
    Rebuild {
        /// Which one it is made again for.
        number: u8,
        /// Where in the segment it is.
        offset: u32,
    },
    /// Settled data whose completions are still to be handed out.
    Settled(Units),
    /// A failed program of a level: the buffer still holds the data, which needs another page.
    Redrive(Units, u8),
    /// An operation of the job.
    Job,
}

impl Flight {
    /// True when the die has something to do, or holds something that has not been dealt with.
    pub(super) const fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }
}

/// State of a die.
#[derive(Debug, Clone)]
pub struct DieState {
    /// What is in flight.
    pub flight: Flight,
    /// The readable page of this die that the last power cut may have touched.
    pub suspect: Location,
    /// Its log time.
    pub suspect_time: u64,
}

impl Default for DieState {
    fn default() -> Self {
        Self {
            flight: Flight::None,
            suspect: Location::UNMAPPED,
            suspect_time: 0,
        }
    }
}
