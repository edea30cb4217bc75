//! The engine's own addresses and counts.

/// A sector as hosts address it: the unit of reading and writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sector(pub u32);

/// A slot of the media: segment, row, column and unit in one number.
///
/// See [`Shape`](super::shape::Shape) for the arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Location(pub u32);

impl Location {
    /// No location: the sector reads as unwritten.
    pub const UNMAPPED: Self = Self(u32::MAX);
    /// The location was lost with its map page: the sector cannot be told.
    pub const LOST: Self = Self(u32::MAX - 1);

    /// True when it names a slot.
    #[must_use]
    pub const fn is_mapped(self) -> bool {
        self.0 < u32::MAX - 1
    }
}

/// A segment: the unit of reclaim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Segment(pub u32);

/// A map page: the locations of a fixed range of sectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MapIndex(pub u32);

/// Names an accepted request until its event was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ticket(pub u32);
