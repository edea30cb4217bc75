//! Sectors in a file or on a block device.

use core::fmt;
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use cuesta::resource::{Completion, Resource, ResourceError, Status};
use cuesta::volume::{Sector, Ticket, WriteOptions};
use fs4::fs_std::FileExt as LockExt;
use rustix::fs::FallocateFlags;

use super::tickets::Tickets;

/// Requests that are accepted at a time.
const DEPTH: usize = 32;
/// Zeros written with one call, where a range cannot be forgotten.
const ZEROS_BYTES_MAX: u64 = 1 << 20;

/// How a file is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileOptions {
    /// Bytes of a sector. What the file has beyond the last whole one is left alone.
    pub sector_bytes: u32,
    /// Nothing is written.
    pub read_only: bool,
    /// What [`Status::identity`] says.
    pub identity: u64,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            sector_bytes: 4096,
            read_only: false,
            identity: 0,
        }
    }
}

/// Why a file cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileResourceError {
    /// Sectors have at least one byte.
    NoSectorBytes,
    /// The file holds no whole sector.
    Empty {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        bytes: u64,
        /// Bytes of a sector.
        sector_bytes: u32,
    },
    /// Another process uses it.
    InUse(PathBuf),
    /// The system refused.
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for FileResourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSectorBytes => f.write_str("sectors of 0 bytes"),
            Self::Empty {
                path,
                bytes,
                sector_bytes,
            } => write!(
                f,
                "{} has {bytes} bytes, a sector {sector_bytes}: make it larger",
                path.display()
            ),
            Self::InUse(path) => write!(f, "{} is in use by another process", path.display()),
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for FileResourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Sectors in a file or on a block device, locked for as long as this lives.
///
/// Each [`poll`](Resource::poll) serves one request, in order of acceptance, by a call that blocks. A write is in the file when it completes, and survives a
/// cut when a flush behind it completes. Trimmed sectors are given back to the file system where it can take them, and read as zeros.
#[derive(Debug)]
pub struct FileResource {
    file: File,
    options: FileOptions,
    sectors: u32,
    tickets: Tickets,
    accepted: VecDeque<(Ticket, Request)>,
    /// What the last read read.
    sector: Vec<u8>,
    /// The file system takes no ranges back: zeros are written.
    no_holes: bool,
}

#[derive(Debug)]
enum Request {
    Read(Sector),
    Write(Sector, Vec<u8>),
    Trim(Sector, u32),
    Flush,
}

impl FileResource {
    /// Opens and locks a file.
    ///
    /// # Errors
    /// See [`FileResourceError`].
    pub fn open(path: &Path, options: FileOptions) -> Result<Self, FileResourceError> {
        let failed = |source| FileResourceError::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(!options.read_only)
            .open(path)
            .map_err(failed)?;
        let locked = if options.read_only {
            LockExt::try_lock_shared(&file)
        } else {
            LockExt::try_lock_exclusive(&file)
        };
        if !locked.map_err(failed)? {
            return Err(FileResourceError::InUse(path.to_owned()));
        }
        // The metadata of a block device says 0.
        let bytes = file.seek(SeekFrom::End(0)).map_err(failed)?;
        let sectors = bytes
            .checked_div(u64::from(options.sector_bytes))
            .ok_or(FileResourceError::NoSectorBytes)?;
        if sectors == 0 {
            return Err(FileResourceError::Empty {
                path: path.to_owned(),
                bytes,
                sector_bytes: options.sector_bytes,
            });
        }
        Ok(Self {
            file,
            options,
            sectors: u32::try_from(sectors).unwrap_or(u32::MAX),
            tickets: Tickets::default(),
            accepted: VecDeque::new(),
            sector: Vec::new(),
            no_holes: false,
        })
    }

    fn accept(&mut self, request: Request) -> nb::Result<Ticket, ResourceError> {
        if self.accepted.len() == DEPTH {
            return Err(nb::Error::WouldBlock);
        }
        let ticket = self.tickets.next();
        self.accepted.push_back((ticket, request));
        Ok(ticket)
    }

    fn place(&self, sector: Sector) -> u64 {
        u64::from(sector.0) * u64::from(self.options.sector_bytes)
    }

    fn read(&mut self, sector: Sector) -> io::Result<()> {
        let mut bytes = std::mem::take(&mut self.sector);
        bytes.resize(self.options.sector_bytes as usize, 0);
        let read = self.file.read_exact_at(&mut bytes, self.place(sector));
        self.sector = bytes;
        read
    }

    fn trim(&mut self, first: Sector, count: u32) -> io::Result<()> {
        let start = self.place(first);
        let len = u64::from(count) * u64::from(self.options.sector_bytes);
        if !self.no_holes {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            match rustix::fs::fallocate(&self.file, flags, start, len) {
                Ok(()) => return Ok(()),
                Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                    self.no_holes = true;
                }
                Err(error) => return Err(error.into()),
            }
        }
        let zeros = vec![0; usize::try_from(len.min(ZEROS_BYTES_MAX)).unwrap_or(0)];
        let mut at = start;
        while at < start + len {
            let step = (start + len - at).min(ZEROS_BYTES_MAX);
            self.file
                .write_all_at(&zeros[..usize::try_from(step).unwrap_or(0)], at)?;
            at += step;
        }
        Ok(())
    }
}

/// A system's error as a resource tells it.
fn told(error: &io::Error) -> ResourceError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ResourceError::NoSpace,
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            ResourceError::ReadOnly
        }
        io::ErrorKind::NotFound => ResourceError::Gone,
        _ => ResourceError::Device,
    }
}

/// Refuses what lies beyond the end.
pub(super) fn check_range(first: Sector, count: u32, sectors: u32) -> Result<(), ResourceError> {
    match first.0.checked_add(count) {
        Some(end) if end <= sectors => Ok(()),
        _ => Err(ResourceError::OutOfRange {
            sector: Sector(first.0.max(sectors)),
            sectors,
        }),
    }
}

/// Refuses data that is not a sector.
pub(super) fn check_length(data: &[u8], sector_bytes: u32) -> Result<(), ResourceError> {
    let expected = sector_bytes as usize;
    if data.len() == expected {
        Ok(())
    } else {
        Err(ResourceError::Length {
            found: data.len(),
            expected,
        })
    }
}

impl Resource for FileResource {
    fn status(&self) -> Status {
        Status {
            identity: self.options.identity,
            sector_bytes: self.options.sector_bytes,
            sectors: self.sectors,
            volatile: false,
            read_only: self.options.read_only,
            ready: true,
        }
    }

    fn submit_read(&mut self, sector: Sector) -> nb::Result<Ticket, ResourceError> {
        check_range(sector, 1, self.sectors)?;
        self.accept(Request::Read(sector))
    }

    fn submit_write(
        &mut self,
        sector: Sector,
        data: &[u8],
        _options: WriteOptions,
    ) -> nb::Result<Ticket, ResourceError> {
        check_range(sector, 1, self.sectors)?;
        check_length(data, self.options.sector_bytes)?;
        if self.options.read_only {
            return Err(nb::Error::Other(ResourceError::ReadOnly));
        }
        self.accept(Request::Write(sector, data.to_vec()))
    }

    fn submit_trim(&mut self, first: Sector, count: u32) -> nb::Result<Ticket, ResourceError> {
        check_range(first, count, self.sectors)?;
        if self.options.read_only {
            return Err(nb::Error::Other(ResourceError::ReadOnly));
        }
        self.accept(Request::Trim(first, count))
    }

    fn submit_flush(&mut self) -> nb::Result<Ticket, ResourceError> {
        self.accept(Request::Flush)
    }

    fn poll(&mut self) -> Completion<'_> {
        let Some((ticket, request)) = self.accepted.pop_front() else {
            return Completion::Idle;
        };
        let failed = |error: io::Error| Completion::Failed(ticket, told(&error));
        match request {
            Request::Read(sector) => match self.read(sector) {
                Ok(()) => Completion::Data(ticket, &self.sector),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    // Somebody else has cut the file.
                    Completion::Failed(ticket, ResourceError::Lost(sector))
                }
                Err(error) => failed(error),
            },
            Request::Write(sector, data) => {
                match self.file.write_all_at(&data, self.place(sector)) {
                    Ok(()) => Completion::Written(ticket),
                    Err(error) => failed(error),
                }
            }
            Request::Trim(first, count) => match self.trim(first, count) {
                Ok(()) => Completion::Trimmed(ticket),
                Err(error) => failed(error),
            },
            Request::Flush if self.options.read_only => Completion::Flushed(ticket),
            Request::Flush => match self.file.sync_data() {
                Ok(()) => Completion::Flushed(ticket),
                Err(error) => failed(error),
            },
        }
    }

    fn wait(&mut self) {}
}
