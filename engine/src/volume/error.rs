//! Errors that say what was found and what the caller can do next.

use cuesta_hal::NandErrorKind;

use super::address::Sector;
use super::level::LevelIndex;
use super::parameter_error::ParameterError;

/// Why a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// A sector beyond the end. Nothing was done.
    OutOfRange {
        /// First sector asked for that does not exist.
        sector: Sector,
        /// Sectors of the volume.
        capacity: u32,
    },
    /// The data is not one sector long. Nothing was done.
    Length {
        /// Bytes given.
        found: usize,
        /// Bytes of a sector.
        expected: usize,
    },
    /// The sector's data can no longer be read. Writing the sector makes it good again.
    Lost(Sector),
    /// The volume takes no more writes; everything in it can still be read.
    ReadOnly,
    /// No segment can be freed: the part has lost more blocks than its reserve; or sectors of levels that take much room fill the volume.
    NoSpace,
    /// An atomic batch of more sectors than the volume can commit at once.
    BatchTooLarge {
        /// Sectors that are possible now.
        max: usize,
    },
    /// The volume has no level of this number. Nothing was done.
    NoLevel(LevelIndex),
    /// A batch was committed, or added to, that is not open.
    NoBatch,
    /// The NAND itself failed.
    Nand(NandErrorKind),
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::OutOfRange { sector, capacity } => write!(
                f,
                "sector {} lies beyond the end of the volume ({capacity} sectors)",
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
            Self::ReadOnly => f.write_str("the volume is read-only"),
            Self::NoSpace => f.write_str("no room: no segment can be freed, or the sectors written at levels with copies fill the volume"),
            Self::BatchTooLarge { max } => {
                write!(f, "an atomic batch can have {max} sectors at the moment")
            }
            Self::NoLevel(level) => write!(f, "the volume has no level {}", level.0),
            Self::NoBatch => f.write_str("no batch is open"),
            Self::Nand(kind) => kind.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

/// Why a volume cannot be mounted. Nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MountError {
    /// The part is erased: format it.
    Blank,
    /// There is data, but no volume of this kind.
    Foreign,
    /// There are traces of a volume whose state cannot be told exactly: its checkpoints cannot be read, or not the journal behind them, or neither.
    Damaged,
    /// A power cut ended a format: format again.
    HalfFormatted,
    /// Written in another format.
    Version {
        /// Format version on the media.
        found: u16,
        /// The version this code reads.
        supported: u16,
    },
    /// The volume was made for another part.
    Geometry,
    /// The memory lent is too small.
    Memory {
        /// Which part of it.
        what: &'static str,
        /// Bytes or entries lent.
        found: usize,
        /// Bytes or entries needed.
        needed: usize,
    },
    /// The stored parameters make no sense.
    Parameters(ParameterError),
    /// The NAND itself failed.
    Nand(NandErrorKind),
}

impl core::fmt::Display for MountError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Blank => f.write_str("the part is blank: format it first"),
            Self::Foreign => f.write_str("the part holds data that is no Cuesta volume"),
            Self::Damaged => {
                f.write_str("the part holds a Cuesta volume whose state cannot be told: pages of its checkpoints or of its journal that are needed for it cannot be read")
            }
            Self::HalfFormatted => {
                f.write_str("the part was being formatted when the power went: format it again")
            }
            Self::Version { found, supported } => write!(
                f,
                "the volume has format version {found}, this program reads version {supported}"
            ),
            Self::Geometry => f.write_str("the volume was made for a part of another geometry"),
            Self::Memory {
                what,
                found,
                needed,
            } => write!(f, "the memory for {what} has {found}, {needed} are needed"),
            Self::Parameters(error) => error.fmt(f),
            Self::Nand(kind) => kind.fmt(f),
        }
    }
}

impl core::error::Error for MountError {}

impl From<NandErrorKind> for MountError {
    fn from(kind: NandErrorKind) -> Self {
        Self::Nand(kind)
    }
}

/// Why the state of a volume that was found cannot be read: what fits a register, since it passes through everything that reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoadError {
    /// [`MountError::Damaged`].
    Damaged,
    /// [`MountError::HalfFormatted`].
    HalfFormatted,
    /// The delta table is too small.
    Deltas,
    /// The NAND itself failed.
    Nand(NandErrorKind),
}

impl From<NandErrorKind> for LoadError {
    fn from(kind: NandErrorKind) -> Self {
        Self::Nand(kind)
    }
}

/// What a volume that was there says when it is not found again.
impl From<MountError> for LoadError {
    fn from(error: MountError) -> Self {
        match error {
            MountError::Nand(kind) => Self::Nand(kind),
            _ => Self::Damaged,
        }
    }
}

/// What a volume in use says when its state cannot be read again.
impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Nand(kind) => Self::Nand(kind),
            _ => Self::ReadOnly,
        }
    }
}

/// Why a part cannot be formatted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FormatError {
    /// The parameters do not fit the part.
    Parameters(ParameterError),
    /// The memory lent is too small.
    Memory(MountError),
    /// More blocks are bad than the part may have.
    BadBlocks {
        /// Bad blocks found on one die.
        found: u32,
        /// Bad blocks the data sheet allows on a die.
        max: u32,
    },
    /// The NAND itself failed.
    Nand(NandErrorKind),
    /// Writing the first checkpoint failed.
    Volume(Error),
}

impl core::fmt::Display for FormatError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Parameters(error) => error.fmt(f),
            Self::Memory(error) => error.fmt(f),
            Self::BadBlocks { found, max } => {
                write!(f, "{found} bad blocks on a die that may have {max}")
            }
            Self::Nand(kind) => kind.fmt(f),
            Self::Volume(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for FormatError {}
