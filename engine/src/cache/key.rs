//! Names of cached pages.

use crate::volume::Sector;

use super::persistence::RESOURCES_MAX;

/// Whose data it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Source {
    /// A sector of the primary of this number.
    Primary(u8),
    /// Something that the caller names and that has no place on a primary: a file that was never written out, pages of memory. Numbers up to
    /// [`Source::OBJECT_MAX`]. It can only be ephemeral.
    Object(u16),
}

impl Source {
    /// The last number of an object.
    pub const OBJECT_MAX: u16 = u16::MAX - RESOURCES_MAX as u16;

    /// The number that stands for it in a tag.
    #[must_use]
    pub(super) const fn code(self) -> Option<u16> {
        match self {
            Self::Primary(number) if number < RESOURCES_MAX => Some(number as u16),
            Self::Object(id) if id <= Self::OBJECT_MAX => Some(RESOURCES_MAX as u16 + id),
            _ => None,
        }
    }

    /// What a number in a tag stands for.
    #[must_use]
    pub(super) const fn of_code(code: u16) -> Self {
        match code.checked_sub(RESOURCES_MAX as u16) {
            Some(id) => Self::Object(id),
            None => Self::Primary(code as u8),
        }
    }
}

/// A page of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub source: u16,
    pub page: u32,
}

impl Key {
    /// 32 bits in which every bit of the key counts (the finalizer of MurmurHash3, with the constants of H. Mühleisen's "lowbias32").
    pub const fn hash(self) -> u32 {
        let mut hash = self.page ^ (self.source as u32).wrapping_mul(0x9E37_79B1);
        hash ^= hash >> 16;
        hash = hash.wrapping_mul(0x7FEB_352D);
        hash ^= hash >> 15;
        hash = hash.wrapping_mul(0x846C_A68B);
        hash ^ hash >> 16
    }
}

/// How sectors fall into pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pages {
    /// Sectors of a page, as a power of two.
    pub shift: u32,
}

impl Pages {
    pub const fn units(self) -> u32 {
        1 << self.shift
    }

    /// The page of a sector, and which of its units it is.
    pub const fn split(self, sector: Sector) -> (u32, u8) {
        let unit = sector.0 & (self.units() - 1);
        (sector.0 >> self.shift, unit as u8)
    }

    /// The sector of a unit.
    pub const fn sector(self, page: u32, unit: u8) -> Sector {
        Sector(page << self.shift | unit as u32)
    }
}
