//! What is in flight on each die, and the pages being filled where a page holds several sectors.

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

/// An operation in flight, and what is to be done when it settles.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// Settled data whose completions are still to be handed out.
    Settled(Units),
    /// A failed program of a level: the buffer still holds the data, which needs another page.
    Redrive(Units, u8),
    /// An operation of the job.
    Job,
}

/// State of a die.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// A page being filled, where a page holds several sectors. Its bytes are in the staging page of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stage {
    /// Sectors so far.
    pub units: Units,
    /// Calls of `poll` since the last one was added.
    pub age: u16,
    /// Program it as soon as possible, full or not.
    pub push: bool,
}
