//! The disk behind the server: small, in memory, the same at the start of every input.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cuesta_sim::nbd::{ExportError, SectorExport};

/// Bytes of a sector: larger than what requests are aligned to.
pub const SECTOR_BYTES: usize = 2048;
/// Sectors of the disk.
pub const SECTORS: usize = 8;
/// The sector that cannot be used, if there is one.
const BAD: usize = 5;

#[derive(Debug)]
struct State {
    bytes: Vec<u8>,
    read_only: bool,
    has_bad: bool,
    /// It was asked for what it does not have.
    abused: bool,
}

/// The disk; clones share its contents.
#[derive(Debug, Clone)]
pub struct Disk(Arc<Mutex<State>>);

impl Disk {
    /// An empty disk.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            bytes: vec![0; SECTORS * SECTOR_BYTES],
            read_only: false,
            has_bad: false,
            abused: false,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes it empty.
    pub fn reset(&self, read_only: bool, has_bad: bool) {
        let mut state = self.state();
        state.bytes.fill(0);
        state.read_only = read_only;
        state.has_bad = has_bad;
    }

    /// True when one of its sectors cannot be used.
    pub fn has_bad(&self) -> bool {
        self.state().has_bad
    }

    /// What it holds.
    pub fn bytes(&self) -> Vec<u8> {
        self.state().bytes.clone()
    }

    /// Nothing was asked for that it does not have.
    pub fn assert_sound(&self) {
        assert!(!self.state().abused, "a request beyond the disk");
    }

    /// Uses so many sectors.
    fn touch(
        &self,
        first: u64,
        count: u64,
        deed: impl FnOnce(&mut [u8]),
    ) -> Result<(), ExportError> {
        let mut state = self.state();
        let (start, len) = (first as usize, count as usize);
        if count == 0 || first.saturating_add(count) > SECTORS as u64 {
            state.abused = true;
            return Err(ExportError::Invalid);
        }
        if state.has_bad && (start..start + len).contains(&BAD) {
            return Err(ExportError::Io);
        }
        deed(&mut state.bytes[start * SECTOR_BYTES..(start + len) * SECTOR_BYTES]);
        Ok(())
    }

    /// How many sectors so many bytes are; none where they are not whole ones.
    fn count(bytes: usize) -> u64 {
        match bytes % SECTOR_BYTES {
            0 => (bytes / SECTOR_BYTES) as u64,
            _ => 0,
        }
    }
}

impl SectorExport for Disk {
    fn sector_bytes(&self) -> u32 {
        SECTOR_BYTES as u32
    }

    fn sectors(&self) -> u64 {
        SECTORS as u64
    }

    fn read_only(&self) -> bool {
        self.state().read_only
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), ExportError> {
        let count = Self::count(into.len());
        self.touch(first, count, |bytes| into.copy_from_slice(bytes))
    }

    fn write(&mut self, first: u64, data: &[u8]) -> Result<(), ExportError> {
        let count = Self::count(data.len());
        self.touch(first, count, |bytes| bytes.copy_from_slice(data))
    }

    fn trim(&mut self, first: u64, count: u64) -> Result<(), ExportError> {
        self.touch(first, count, |bytes| bytes.fill(0))
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        Ok(())
    }
}
