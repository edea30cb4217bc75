//! All files of the source that the engine serves, as one resource: the primary behind its cache.
//!
//! A file's data lies in extents of 1 MiB or so of sector numbers, given out when they are first used and taken back when the file is served no longer. What a
//! number stands for is looked up when a sector is read or written, so that the cache needs to know nothing of files.
//!
//! A file has an end. What is beyond reads as zeros; of a sector that is written across it only the part before it is written: the end is set first.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cuesta::resource::{Completion, Resource, ResourceError, Status};
use cuesta::volume::{Sector, Ticket, WriteOptions};

/// Sectors of an extent.
pub(super) const EXTENT_SECTORS: u32 = 256;
/// Extents there can be at a time.
const EXTENTS_MAX: u32 = u32::MAX / EXTENT_SECTORS;
/// Requests that are accepted at a time.
const DEPTH: usize = 64;

/// A file of the source.
#[derive(Debug)]
pub(super) struct SourceFile {
    pub file: File,
    /// How far the engine may write it.
    end: AtomicU64,
}

impl SourceFile {
    pub fn new(file: File, end: u64) -> Self {
        let end = AtomicU64::new(end);
        Self { file, end }
    }

    pub fn end(&self) -> u64 {
        self.end.load(Ordering::SeqCst)
    }

    pub fn set_end(&self, end: u64) {
        self.end.store(end, Ordering::SeqCst);
    }
}

#[derive(Debug, Default)]
struct Table {
    /// The file of an extent, and which of its extents it is.
    of: HashMap<u32, (Arc<SourceFile>, u64)>,
    free: Vec<u32>,
    next: u32,
}

/// Which sector numbers stand for which files.
#[derive(Debug, Default)]
pub(super) struct Extents(Mutex<Table>);

impl Extents {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers for the extent of this number of a file; none if there are no more.
    pub fn take(&self, file: &Arc<SourceFile>, part: u64) -> Option<u32> {
        let mut table = self.table();
        let extent = match table.free.pop() {
            Some(extent) => extent,
            None if table.next < EXTENTS_MAX => {
                table.next += 1;
                table.next - 1
            }
            None => return None,
        };
        table.of.insert(extent, (Arc::clone(file), part));
        Some(extent)
    }

    /// Nothing of an extent is in the cache any more.
    pub fn give_back(&self, extent: u32) {
        let mut table = self.table();
        if table.of.remove(&extent).is_some() {
            table.free.push(extent);
        }
    }

    /// The file of a sector, and where in it the sector is.
    fn find(&self, sector: Sector, sector_bytes: u32) -> Option<(Arc<SourceFile>, u64)> {
        let table = self.table();
        let (file, part) = table.of.get(&(sector.0 / EXTENT_SECTORS))?;
        let within = u64::from(sector.0 % EXTENT_SECTORS);
        let number = part * u64::from(EXTENT_SECTORS) + within;
        Some((Arc::clone(file), number * u64::from(sector_bytes)))
    }
}

#[derive(Debug)]
enum Request {
    Read(Sector),
    Write(Sector, Vec<u8>),
    Trim(Sector, u32),
    Flush,
}

/// The resource. Each poll serves one request, in order of acceptance.
#[derive(Debug)]
pub(super) struct SourceFiles {
    extents: Arc<Extents>,
    sector_bytes: u32,
    accepted: VecDeque<(Ticket, Request)>,
    last_ticket: u32,
    sector: Vec<u8>,
}

impl SourceFiles {
    pub fn new(extents: Arc<Extents>, sector_bytes: u32) -> Self {
        Self {
            extents,
            sector_bytes,
            accepted: VecDeque::new(),
            last_ticket: 0,
            sector: vec![0; sector_bytes as usize],
        }
    }

    fn accept(&mut self, request: Request) -> nb::Result<Ticket, ResourceError> {
        if self.accepted.len() == DEPTH {
            return Err(nb::Error::WouldBlock);
        }
        self.last_ticket = self.last_ticket.wrapping_add(1);
        let ticket = Ticket(self.last_ticket);
        self.accepted.push_back((ticket, request));
        Ok(ticket)
    }

    fn read(&mut self, sector: Sector) -> io::Result<()> {
        self.sector.fill(0);
        let Some((file, offset)) = self.extents.find(sector, self.sector_bytes) else {
            return Ok(());
        };
        let before_end = file.end().saturating_sub(offset);
        let wanted = usize::try_from(before_end.min(u64::from(self.sector_bytes))).unwrap_or(0);
        let mut filled = 0;
        while filled < wanted {
            let into = self.sector.get_mut(filled..wanted).unwrap_or_default();
            match file.file.read_at(into, offset + filled as u64) {
                // Beyond what the file has: zeros.
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn write(&self, sector: Sector, data: &[u8]) -> io::Result<()> {
        let Some((file, offset)) = self.extents.find(sector, self.sector_bytes) else {
            return Ok(());
        };
        let before_end = usize::try_from(file.end().saturating_sub(offset)).unwrap_or(usize::MAX);
        let data = data.get(..before_end.min(data.len())).unwrap_or_default();
        file.file.write_all_at(data, offset)
    }
}

fn told(error: &io::Error) -> ResourceError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ResourceError::NoSpace,
        io::ErrorKind::ReadOnlyFilesystem => ResourceError::ReadOnly,
        _ => ResourceError::Device,
    }
}

impl Resource for SourceFiles {
    fn status(&self) -> Status {
        Status {
            identity: 0,
            sector_bytes: self.sector_bytes,
            sectors: EXTENTS_MAX * EXTENT_SECTORS,
            volatile: false,
            read_only: false,
            ready: true,
        }
    }

    fn submit_read(&mut self, sector: Sector) -> nb::Result<Ticket, ResourceError> {
        self.accept(Request::Read(sector))
    }

    fn submit_write(
        &mut self,
        sector: Sector,
        data: &[u8],
        _options: WriteOptions,
    ) -> nb::Result<Ticket, ResourceError> {
        self.accept(Request::Write(sector, data.to_vec()))
    }

    fn submit_trim(&mut self, first: Sector, count: u32) -> nb::Result<Ticket, ResourceError> {
        self.accept(Request::Trim(first, count))
    }

    fn submit_flush(&mut self) -> nb::Result<Ticket, ResourceError> {
        self.accept(Request::Flush)
    }

    fn poll(&mut self) -> Completion<'_> {
        let Some((ticket, request)) = self.accepted.pop_front() else {
            return Completion::Idle;
        };
        match request {
            Request::Read(sector) => match self.read(sector) {
                Ok(()) => Completion::Data(ticket, &self.sector),
                Err(error) => Completion::Failed(ticket, told(&error)),
            },
            Request::Write(sector, data) => match self.write(sector, &data) {
                Ok(()) => Completion::Written(ticket),
                Err(error) => Completion::Failed(ticket, told(&error)),
            },
            Request::Trim(first, count) => {
                let zeros = vec![0; self.sector_bytes as usize];
                let all = first.0..first.0.saturating_add(count);
                match all.map(Sector).try_for_each(|at| self.write(at, &zeros)) {
                    Ok(()) => Completion::Trimmed(ticket),
                    Err(error) => Completion::Failed(ticket, told(&error)),
                }
            }
            // What a program wants durable it says of a file.
            Request::Flush => Completion::Flushed(ticket),
        }
    }

    fn wait(&mut self) {}
}
