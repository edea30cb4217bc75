//! A disk in memory that tells what was asked of it and fails where it is told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::nbd::{ExportError, SectorExport};

pub(super) const SECTOR_BYTES: usize = 2048;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Read(u64, u64),
    Write(u64, u64),
    Trim(u64, u64),
    Flush,
}

/// What touching the bad sector leads to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    Error(ExportError),
    Panic,
    Delay(Duration),
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub sectors: BTreeMap<u64, Vec<u8>>,
    pub calls: Vec<Call>,
    pub fault: Option<(u64, Fault)>,
}

/// Clones share the contents, so that a test looks at what the server holds.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    pub state: Arc<Mutex<State>>,
    pub sectors: u64,
    pub sector_bytes: u32,
    pub read_only: bool,
}

impl Disk {
    pub fn new(sectors: u64) -> Self {
        Self {
            state: Arc::default(),
            sectors,
            sector_bytes: 2048,
            read_only: false,
        }
    }

    /// Touching sector `sector` fails from now on.
    pub fn fail_at(&self, sector: u64, fault: Fault) {
        self.state.lock().unwrap().fault = Some((sector, fault));
    }

    /// What was asked since the last time.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.state.lock().unwrap().calls)
    }

    /// The sectors that hold anything.
    pub fn mapped(&self) -> Vec<u64> {
        self.state.lock().unwrap().sectors.keys().copied().collect()
    }

    fn touch(&self, first: u64, count: u64, call: Call) -> Result<(), ExportError> {
        assert!(first + count <= self.sectors, "outside the disk");
        let mut state = self.state.lock().unwrap();
        state.calls.push(call);
        let fault = state.fault;
        drop(state);
        match fault {
            Some((bad, fault)) if (first..first + count).contains(&bad) => match fault {
                Fault::Error(error) => Err(error),
                Fault::Panic => panic!("told to panic"),
                Fault::Delay(time) => {
                    std::thread::sleep(time);
                    Ok(())
                }
            },
            _ => Ok(()),
        }
    }

    fn count(&self, bytes: usize) -> u64 {
        let bytes = u64::try_from(bytes).unwrap();
        let sector_bytes = u64::from(self.sector_bytes);
        assert!(bytes > 0 && bytes.is_multiple_of(sector_bytes));
        bytes / sector_bytes
    }
}

impl SectorExport for Disk {
    fn sector_bytes(&self) -> u32 {
        self.sector_bytes
    }

    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn read_only(&self) -> bool {
        self.read_only
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), ExportError> {
        let count = self.count(into.len());
        self.touch(first, count, Call::Read(first, count))?;
        let state = self.state.lock().unwrap();
        let sector_bytes = usize::try_from(self.sector_bytes).unwrap();
        for (sector, into) in (first..).zip(into.chunks_exact_mut(sector_bytes)) {
            match state.sectors.get(&sector) {
                Some(data) => into.copy_from_slice(data),
                None => into.fill(0),
            }
        }
        Ok(())
    }

    fn write(&mut self, first: u64, data: &[u8]) -> Result<(), ExportError> {
        let count = self.count(data.len());
        self.touch(first, count, Call::Write(first, count))?;
        let mut state = self.state.lock().unwrap();
        let sector_bytes = usize::try_from(self.sector_bytes).unwrap();
        for (sector, data) in (first..).zip(data.chunks_exact(sector_bytes)) {
            state.sectors.insert(sector, data.to_vec());
        }
        Ok(())
    }

    fn trim(&mut self, first: u64, count: u64) -> Result<(), ExportError> {
        assert!(count > 0);
        self.touch(first, count, Call::Trim(first, count))?;
        let mut state = self.state.lock().unwrap();
        state
            .sectors
            .retain(|sector, _| !(first..first + count).contains(sector));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        self.state.lock().unwrap().calls.push(Call::Flush);
        Ok(())
    }
}
