//! One request, as doors hand it down.

use crate::policy::{Asked, Flags, Lifetime, Operation};
use crate::volume::Sector;

use super::context::ContextHandle;

/// Sectors one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SectorRange {
    /// The first of them.
    pub first: Sector,
    /// How many.
    pub count: u32,
}

/// Which source a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Origin {
    /// None is known.
    #[default]
    Unknown,
    /// One that was opened.
    Context(ContextHandle),
    /// The object whose data a host's cache writes out or fetches, through no handle: a paging request. It belongs to the context in which the object was
    /// opened last, if it was.
    Object(u64),
}

/// What may be said of a request beside what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hints<'a> {
    /// Flags, beside those of its source.
    pub flags: Flags,
    /// How long its data is expected to live.
    pub lifetime: Option<Lifetime>,
    /// Its priority, larger is more urgent.
    pub priority: Option<u8>,
    /// Where it begins in its source, in bytes.
    pub offset: Option<u64>,
    /// Its bytes, where they are not those of its sectors.
    pub bytes: Option<u64>,
    /// What it asks for explicitly.
    pub asked: Asked<'a>,
}

/// One request for input or output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// Who asks: a virtual machine, a namespace, a partition.
    pub tenant: u32,
    /// The sectors it is about; none for a flush.
    pub range: SectorRange,
    /// What it does.
    pub operation: Operation,
    /// The source it belongs to.
    pub origin: Origin,
    /// What else is said of it.
    pub hints: Hints<'a>,
}
