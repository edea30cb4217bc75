//! Why the driver did not do something.

use super::chip::IdAnswer;
use super::parameter_page::ParameterPageError;
use crate::{NandError, NandErrorKind};

/// An error of a serial NAND, over a bus whose errors are `E`.
///
/// After every error but the first two the part is reset, recognised and set up anew when the next operation is started; nothing is in
/// flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SpiNandError<E> {
    /// An address, column range or buffer that the geometry does not have. Nothing was sent.
    OutOfBounds,
    /// The last operation has not been polled. Nothing was sent.
    Busy,
    /// Nothing answers: whatever is asked, the line stays at this level. Look at power, chip select and the data lines.
    NoChip {
        /// `0x00` or `0xFF`.
        line: u8,
    },
    /// The part is none of [`CHIPS`](super::CHIPS).
    UnknownChip {
        /// Its identity.
        id: IdAnswer,
    },
    /// The part is none of [`CHIPS`](super::CHIPS), and its parameter page does not help.
    ParameterPage {
        /// Its identity.
        id: IdAnswer,
        /// What the page lacks.
        error: ParameterPageError,
    },
    /// Another part answers than the one that was recognised first.
    AnotherChip {
        /// Its identity.
        id: IdAnswer,
    },
    /// The part's own error correction was asked for, and it is not known which spare bytes it leaves free.
    NoChipEcc,
    /// The memory lent is shorter than a page of the part with its spare, or than a parameter page.
    BufferTooSmall {
        /// Bytes lent.
        found: usize,
        /// Bytes needed.
        needed: usize,
    },
    /// Blocks stay protected, whatever is written to the protection register: the write-protect pin may be low, or the register locked.
    Locked {
        /// What the register reads.
        protection: u8,
    },
    /// The configuration register does not take what is written to it.
    Configuration {
        /// What was written.
        wanted: u8,
        /// What it reads.
        found: u8,
    },
    /// The part did not become ready within its deadline. The array may hold anything where the operation was at work.
    Timeout,
    /// The part lost its settings: it was reset while the operation was in flight, or before. The operation's fate is unknown.
    Reset,
    /// The part no longer answers as itself. The operation's fate is unknown.
    Silent,
    /// The part takes no command to program or erase, though it answers. The array is as it was.
    NotTaken,
    /// What was loaded for a program reads back wrong, time and again. The array is as it was.
    LoadCorrupted,
    /// The bus failed, with this error. The fate of an operation in flight is unknown.
    Spi(E),
}

impl<E: core::fmt::Debug> NandError for SpiNandError<E> {
    fn kind(&self) -> NandErrorKind {
        match self {
            Self::OutOfBounds => NandErrorKind::OutOfBounds,
            Self::Busy => NandErrorKind::Busy,
            Self::Locked { .. } => NandErrorKind::Forbidden,
            Self::Timeout => NandErrorKind::Timeout,
            Self::Reset => NandErrorKind::Reset,
            Self::NoChip { .. }
            | Self::Silent
            | Self::NotTaken
            | Self::LoadCorrupted
            | Self::Spi(_) => NandErrorKind::Bus,
            _ => NandErrorKind::Other,
        }
    }
}

impl<E: core::fmt::Debug> core::fmt::Display for SpiNandError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoChip { line } => write!(
                f,
                "no serial NAND answers (every byte reads {line:02X}): check power, chip select and wiring"
            ),
            Self::UnknownChip { id } => {
                write!(f, "unknown serial NAND: its identity reads {id:02X?}")
            }
            Self::ParameterPage { id, error } => write!(
                f,
                "unknown serial NAND, whose identity reads {id:02X?}: {error}"
            ),
            Self::AnotherChip { id } => write!(
                f,
                "another serial NAND than before answers: its identity reads {id:02X?}"
            ),
            Self::NoChipEcc => f.write_str(
                "which spare bytes the part's own error correction leaves free is not known: use the part without it",
            ),
            Self::BufferTooSmall { found, needed } => {
                write!(f, "a page buffer of {found} bytes was lent, the part needs {needed}")
            }
            Self::Locked { protection } => write!(
                f,
                "the blocks stay protected (register A0 reads {protection:02X}): check the write-protect pin"
            ),
            Self::Configuration { wanted, found } => write!(
                f,
                "the configuration register reads {found:02X} after {wanted:02X} was written"
            ),
            Self::Silent => f.write_str("the serial NAND no longer answers"),
            Self::NotTaken => f.write_str("the serial NAND takes no command to program or erase"),
            Self::LoadCorrupted => {
                f.write_str("what is sent to the serial NAND arrives wrong: lower the clock")
            }
            Self::Spi(error) => write!(f, "the bus failed: {error:?}"),
            Self::OutOfBounds | Self::Busy | Self::Timeout | Self::Reset => self.kind().fmt(f),
        }
    }
}

impl<E: core::fmt::Debug> core::error::Error for SpiNandError<E> {}
