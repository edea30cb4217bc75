//! What cannot be done as asked for, and what should be known about what can.

use core::fmt;

use crate::resource::ResourceError;

use super::ResourceSet;

/// Why a request cannot be served at a level. Nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refusal {
    /// The level names resources that there are not: these.
    NoResource(ResourceSet),
    /// The level names no resource.
    NoResources,
    /// More sectors than can take effect as a whole: on several resources, or in the cache alone, it is one; on one resource, what that can do.
    Atomic {
        /// Sectors asked for.
        sectors: u32,
        /// Sectors that can be had.
        most: u32,
    },
    /// An object without a place on a resource can only be kept ephemerally.
    NoPlace,
    /// Pages of the cache are at as many other levels as it can tell apart.
    Levels,
    /// The data is not a whole number of sectors, or of more than can be addressed.
    Length {
        /// Bytes given.
        found: usize,
        /// Bytes of a sector.
        sector: usize,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoResource(ResourceSet(set)) => {
                f.write_str("the level names resources that there are not:")?;
                (0..8)
                    .filter(|number| set >> number & 1 != 0)
                    .try_for_each(|number| write!(f, " {number}"))
            }
            Self::NoResources => f.write_str("the level names no resource"),
            Self::Atomic { sectors, most } => write!(
                f,
                "{sectors} sectors cannot take effect as a whole at this level; up to {most} at a time can"
            ),
            Self::NoPlace => {
                f.write_str("an object without a place on a resource can only be ephemeral")
            }
            Self::Levels => {
                f.write_str("the cache has pages at as many other levels as it can tell apart")
            }
            Self::Length { found, sector } => write!(
                f,
                "{found} bytes are not a whole number of sectors of {sector} bytes"
            ),
        }
    }
}

impl core::error::Error for Refusal {}

/// Why a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ExecError {
    /// It cannot be served as asked for. Nothing was done.
    Refused(Refusal),
    /// A resource has failed.
    Resource(ResourceError),
}

impl From<Refusal> for ExecError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ResourceError> for ExecError {
    fn from(error: ResourceError) -> Self {
        Self::Resource(error)
    }
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Resource(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ExecError {}

/// What should be known about a level that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Advice {
    /// The cache is volatile: what is written back later is lost if the power goes before.
    VolatileWriteBack,
    /// There is no cache: ephemeral data goes to the primary, or is refused.
    NoCache,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VolatileWriteBack => {
                "the cache is volatile: acknowledged data that was not yet written back, or flushed, is lost with the power"
            }
            Self::NoCache => "there is no cache to keep ephemeral data in",
        })
    }
}
