//! The emulator's error.

use crate::referee::Rule;
use cuesta_hal::{NandError, NandErrorKind};

/// Why the emulated part refused a call or lost an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimError {
    /// The caller broke a rule; the referee has written it down.
    Forbidden(Rule),
    /// The supply is off, or went off while the operation was in flight. Only a power cycle helps.
    PowerLost,
    /// The die does not answer: an injected fault.
    Timeout,
    /// The image file could not be read or written.
    Io(std::io::ErrorKind),
}

impl NandError for SimError {
    fn kind(&self) -> NandErrorKind {
        match self {
            Self::Forbidden(Rule::OutOfRange | Rule::NoSuchBuffer) => NandErrorKind::OutOfBounds,
            Self::Forbidden(Rule::DieBusy) => NandErrorKind::Busy,
            Self::Forbidden(_) => NandErrorKind::Forbidden,
            Self::PowerLost => NandErrorKind::PowerLost,
            Self::Timeout => NandErrorKind::Timeout,
            Self::Io(_) => NandErrorKind::Bus,
        }
    }
}

impl std::fmt::Display for SimError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Forbidden(rule) => write!(f, "the referee forbids it: {rule}"),
            Self::PowerLost => f.write_str("the emulated part has no power"),
            Self::Timeout => f.write_str("the emulated die does not answer"),
            Self::Io(kind) => write!(f, "the image file: {kind}"),
        }
    }
}

impl std::error::Error for SimError {}

impl From<std::io::Error> for SimError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.kind())
    }
}
