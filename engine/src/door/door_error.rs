//! Errors of the doors that speak other crates' traits.

use core::fmt;

use crate::volume::Error;

/// Why a call through a byte- or block-addressed door fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DoorError {
    /// The place or the length is no multiple of what the door asks for. Nothing was done.
    NotAligned,
    /// The range ends beyond the end of the volume, or before it begins. Nothing was done.
    OutOfBounds,
    /// Another call through the same door is under way. Nothing was done.
    InUse,
    /// The volume says so.
    Volume(Error),
}

impl From<Error> for DoorError {
    fn from(error: Error) -> Self {
        Self::Volume(error)
    }
}

impl fmt::Display for DoorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAligned => f.write_str(
                "the place or the length is no multiple of the size that the door reads, writes or erases",
            ),
            Self::OutOfBounds => f.write_str("the range does not lie within the volume"),
            Self::InUse => f.write_str("another call through this door is under way"),
            Self::Volume(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for DoorError {}

/// Why a door does not fit a volume. Nothing was done; the volume is given up, as by [`Volume::abandon`](crate::volume::Volume::abandon).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DoorShapeError {
    /// The buffer is shorter than a sector.
    Buffer {
        /// Bytes lent.
        found: usize,
        /// Bytes of a sector.
        needed: usize,
    },
    /// What the door erases at once is not a whole number of sectors, or of what it writes at once.
    EraseSize {
        /// Bytes of an erase.
        erase: usize,
        /// Bytes of a write.
        write: usize,
        /// Bytes of a sector.
        sector: usize,
    },
    /// Blocks of no bytes, or more of them than addresses.
    Blocks {
        /// Bytes of a block.
        block: usize,
        /// Bytes of the volume.
        volume: u64,
    },
}

impl fmt::Display for DoorShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buffer { found, needed } => {
                write!(f, "the buffer has {found} bytes, a sector has {needed}")
            }
            Self::EraseSize {
                erase,
                write,
                sector,
            } => write!(
                f,
                "{erase} bytes cannot be erased at once: they must be a multiple of the sector ({sector} bytes) and of what is written at once ({write})"
            ),
            Self::Blocks { block, volume } => write!(
                f,
                "a volume of {volume} bytes cannot be addressed by 32-bit numbers of blocks of {block} bytes"
            ),
        }
    }
}

impl core::error::Error for DoorShapeError {}
