//! What a disk must offer to be served.

use core::fmt;

/// A disk of equal sectors.
///
/// Sector numbers and counts that the server hands in always lie within [`sectors`](Self::sectors), and buffers
/// are whole sectors long and never empty. A sector that was never written, or trimmed since, reads as zeros.
pub trait SectorExport: Send {
    /// Bytes of a sector: a power of two, at most 32 MiB. Never changes.
    fn sector_bytes(&self) -> u32;

    /// Sectors of the disk. Never changes.
    fn sectors(&self) -> u64;

    /// True if nothing can be written, now or any more. May become true while the disk is served.
    fn read_only(&self) -> bool;

    /// Reads the sectors from `first` on until `into` is full.
    ///
    /// # Errors
    ///
    /// What went wrong; `into` is then unspecified.
    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), ExportError>;

    /// Writes `data` to the sectors from `first` on. Durable after the next [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// What went wrong; each of the sectors then holds its old or its new contents.
    fn write(&mut self, first: u64, data: &[u8]) -> Result<(), ExportError>;

    /// Forgets the contents of `count` sectors from `first` on: they read as zeros.
    ///
    /// # Errors
    ///
    /// What went wrong; each of the sectors then holds its old contents or zeros.
    fn trim(&mut self, first: u64, count: u64) -> Result<(), ExportError>;

    /// Makes everything durable that was written or trimmed before.
    ///
    /// # Errors
    ///
    /// What went wrong; nothing is then known to be durable that was not before.
    fn flush(&mut self) -> Result<(), ExportError>;
}

impl<E: SectorExport + ?Sized> SectorExport for Box<E> {
    fn sector_bytes(&self) -> u32 {
        (**self).sector_bytes()
    }

    fn sectors(&self) -> u64 {
        (**self).sectors()
    }

    fn read_only(&self) -> bool {
        (**self).read_only()
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), ExportError> {
        (**self).read(first, into)
    }

    fn write(&mut self, first: u64, data: &[u8]) -> Result<(), ExportError> {
        (**self).write(first, data)
    }

    fn trim(&mut self, first: u64, count: u64) -> Result<(), ExportError> {
        (**self).trim(first, count)
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        (**self).flush()
    }
}

/// Why a disk could not do what a client asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExportError {
    /// No room is left for the data. Trim something, then try again.
    NoSpace,
    /// The medium failed. Trying again may help.
    Io,
    /// The disk cannot be written.
    ReadOnly,
    /// The request makes no sense to this disk. Trying again does not help.
    Invalid,
    /// The disk is being closed.
    Shutdown,
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for ExportError {}

impl ExportError {
    /// The sentence clients are told.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::NoSpace => "no space left on the disk",
            Self::Io => "the medium failed",
            Self::ReadOnly => "the disk is read-only",
            Self::Invalid => "the disk cannot make sense of the request",
            Self::Shutdown => "the disk is being closed",
        }
    }
}
