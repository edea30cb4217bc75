//! Why a resource does not serve a request.

use core::fmt;

use crate::volume::{Error, LevelIndex, Sector};

/// Why a request to a resource fails. One type for all resources, so that they can stand in for one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ResourceError {
    /// A sector beyond the end.
    OutOfRange {
        /// First sector asked for that does not exist.
        sector: Sector,
        /// Sectors of the resource.
        sectors: u32,
    },
    /// The data is not one sector long.
    Length {
        /// Bytes given.
        found: usize,
        /// Bytes of a sector.
        expected: usize,
    },
    /// The sector's data can no longer be read. Writing the sector makes it good again.
    Lost(Sector),
    /// The resource takes no more writes.
    ReadOnly,
    /// The resource has no room.
    NoSpace,
    /// The volume has no level of this number.
    NoLevel(LevelIndex),
    /// What is to be kept has no place on a resource: only a cache can hold it.
    NoPlace,
    /// The resource cannot write several sectors as a whole, or not as many.
    NoBatch,
    /// The resource cannot be reached. It may come back; what was acknowledged is kept.
    Gone,
    /// The resource itself failed.
    Device,
}

impl From<Error> for ResourceError {
    fn from(error: Error) -> Self {
        match error {
            Error::OutOfRange { sector, capacity } => Self::OutOfRange {
                sector,
                sectors: capacity,
            },
            Error::Length { found, expected } => Self::Length { found, expected },
            Error::Lost(sector) => Self::Lost(sector),
            Error::ReadOnly => Self::ReadOnly,
            Error::NoSpace => Self::NoSpace,
            Error::NoLevel(level) => Self::NoLevel(level),
            Error::NoBatch | Error::BatchTooLarge { .. } => Self::NoBatch,
            _ => Self::Device,
        }
    }
}

impl fmt::Display for ResourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { sector, sectors } => write!(
                f,
                "sector {} lies beyond the end of the resource ({sectors} sectors)",
                sector.0
            ),
            Self::Length { found, expected } => {
                write!(f, "{found} bytes given, a sector has {expected}")
            }
            Self::Lost(sector) => write!(
                f,
                "sector {} can no longer be read; writing it makes it usable again",
                sector.0
            ),
            Self::ReadOnly => f.write_str("the resource is read-only"),
            Self::NoSpace => f.write_str("the resource has no room"),
            Self::NoLevel(level) => write!(f, "the volume has no level {}", level.0),
            Self::NoPlace => f.write_str("what is to be kept has no place on a resource"),
            Self::NoBatch => f.write_str("the resource cannot write as many sectors as a whole"),
            Self::Gone => f.write_str("the resource cannot be reached"),
            Self::Device => f.write_str("the resource failed"),
        }
    }
}

impl core::error::Error for ResourceError {}
