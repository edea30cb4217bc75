//! Errors of a NAND: an associated type with a kind, as in `embedded-hal` and `embedded-storage`.

/// What a caller can tell of any NAND's error without knowing the implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum NandErrorKind {
    /// An address, column range or buffer that the geometry does not have. Nothing was started.
    OutOfBounds,
    /// The die still executes an operation. Nothing was started; poll it first.
    Busy,
    /// An operation the array forbids, refused before it was started: out-of-order programming, a
    /// programmed page, a factory-bad block.
    Forbidden,
    /// The part lost its supply. Every further call says so; the array is what the cut left of it.
    PowerLost,
    /// The part did not become ready within its deadline.
    Timeout,
    /// The part was reset behind the caller's back, or lost its settings.
    Reset,
    /// The bus or the controller failed.
    Bus,
    /// Anything else.
    Other,
}

impl core::fmt::Display for NandErrorKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::OutOfBounds => "address outside the part",
            Self::Busy => "the die is busy",
            Self::Forbidden => "the array forbids the operation",
            Self::PowerLost => "power lost",
            Self::Timeout => "the part did not become ready in time",
            Self::Reset => "the part was reset",
            Self::Bus => "bus failure",
            Self::Other => "NAND failure",
        })
    }
}

impl core::error::Error for NandErrorKind {}

/// An error of a NAND implementation.
///
/// A program or erase that the array reports as failed is *not* an error: it is a
/// [`Completion`](crate::Completion), because the caller has to act on it and the part is fine.
pub trait NandError: core::fmt::Debug {
    /// What every caller can understand of the error.
    fn kind(&self) -> NandErrorKind;
}

impl NandError for NandErrorKind {
    fn kind(&self) -> NandErrorKind {
        *self
    }
}

impl NandError for core::convert::Infallible {
    fn kind(&self) -> NandErrorKind {
        match *self {}
    }
}
