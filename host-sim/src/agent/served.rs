//! The data of a file that the engine serves.
//!
//! What programs see of a file is its source as far as that goes, under what the cache has that is newer. The source holds what is durable, never more: an
//! ephemeral version, and a size that came with it, are known to the cache and to this table only.
//!
//! A request that the cache cannot serve (another size, a hole) takes three steps: what is newer in the cache goes to the source, the request is passed on to the
//! source, and the file is admitted again at the level it had.

use std::collections::BTreeMap;
use std::fs::{File, FileTimes};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use cuesta::cache::{Mode, OnLoss, Then};
use cuesta::exec::{Context, ExecError, Persistence};
use cuesta::resource::ResourceError;
use cuesta::volume::Sector;
use rustix::io::{Errno, Result};

use super::engine::Engine;
use super::metadata::told;
use super::source_files::{SourceFile, EXTENT_SECTORS};

/// Gives up ephemeral versions, and nothing else.
const FORGET: Persistence = Persistence {
    mode: Mode::Ephemeral,
    resources: cuesta::exec::ResourceSet::FIRST,
    storage: cuesta::volume::LevelIndex(0),
    verify: false,
    atomic: false,
    on_loss: OnLoss::Revert,
};

/// A file that the engine serves.
#[derive(Debug)]
pub(super) struct Served {
    engine: Engine,
    source: Arc<SourceFile>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// As programs see it.
    size: u64,
    /// Of what was written last.
    mode: Mode,
    /// The cache has versions that the source must not get on its own.
    ephemeral: bool,
    /// There was no room for it: until it is closed it is durable.
    spilled: bool,
    modified: Option<SystemTime>,
    /// Which sector numbers stand for which extent of the file.
    extents: BTreeMap<u64, u32>,
}

/// What programs see that the source does not have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub size: u64,
    pub modified: SystemTime,
}

fn failed(error: ExecError) -> Errno {
    match error {
        ExecError::Resource(ResourceError::NoSpace) => Errno::NOSPC,
        ExecError::Resource(ResourceError::ReadOnly) => Errno::ROFS,
        _ => Errno::IO,
    }
}

impl Served {
    /// A file as the source has it.
    pub fn new(engine: &Engine, file: File) -> Result<Self> {
        let size = file.metadata().map_err(|error| told(&error))?.len();
        Ok(Self {
            engine: engine.clone(),
            source: Arc::new(SourceFile::new(file, size)),
            state: Mutex::new(State {
                size,
                mode: Mode::WriteThrough,
                ephemeral: false,
                spilled: false,
                modified: None,
                extents: BTreeMap::new(),
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sector_bytes(&self) -> u64 {
        u64::from(self.engine.sector_bytes)
    }

    /// What programs see that the source does not have; nothing if there is nothing.
    pub fn seen(&self) -> Option<Seen> {
        let state = self.state();
        let modified = state.modified.filter(|_| state.ephemeral)?;
        Some(Seen {
            size: state.size,
            modified,
        })
    }

    /// The first sector of a file's own, and how many follow it, of at most `count`.
    fn place(&self, state: &mut State, own: u64, count: u64) -> Result<(Sector, u32)> {
        let part = own / u64::from(EXTENT_SECTORS);
        let within = u32::try_from(own % u64::from(EXTENT_SECTORS)).map_err(|_| Errno::FBIG)?;
        let extent = match state.extents.get(&part) {
            Some(extent) => *extent,
            None => {
                let taken = self.engine.extents.take(&self.source, part);
                let extent = taken.ok_or(Errno::NOSPC)?;
                state.extents.insert(part, extent);
                extent
            }
        };
        let left = EXTENT_SECTORS - within;
        let count = u32::try_from(count).map_or(left, |count| count.min(left));
        Ok((Sector(extent * EXTENT_SECTORS + within), count))
    }

    /// Whole sectors of the file.
    fn read_sectors(
        &self,
        state: &mut State,
        sectors: Range<u64>,
        persistence: Persistence,
        context: Context,
    ) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        let mut at = sectors.start;
        while at < sectors.end {
            let (first, count) = self.place(state, at, sectors.end - at)?;
            let bytes = count as usize * self.engine.sector_bytes as usize;
            let read = self.engine.call(move |disk| {
                let mut data = vec![0; bytes];
                let read = disk.disk.read(first, &mut data, &persistence, context);
                read.map(|()| data)
            })?;
            all.extend(read.map_err(failed)?);
            at += u64::from(count);
        }
        Ok(all)
    }

    /// Reads as far as the file goes.
    pub fn read(
        &self,
        offset: u64,
        size: u32,
        persistence: Persistence,
        context: Context,
    ) -> Result<Vec<u8>> {
        let mut state = self.state();
        let end = offset.saturating_add(size.into()).min(state.size);
        if offset >= end {
            return Ok(Vec::new());
        }
        let sector = self.sector_bytes();
        let sectors = offset / sector..end.div_ceil(sector);
        let start = sectors.start * sector;
        let bytes = self.read_sectors(&mut state, sectors, persistence, context)?;
        let within = |place: u64| usize::try_from(place - start).unwrap_or(usize::MAX);
        bytes
            .get(within(offset)..within(end))
            .map(<[u8]>::to_vec)
            .ok_or(Errno::IO)
    }

    /// Writes at a level.
    pub fn write(
        &self,
        offset: u64,
        data: &[u8],
        persistence: Persistence,
        context: Context,
    ) -> Result<()> {
        let mut state = self.state();
        let mut persistence = persistence;
        if state.spilled && persistence.mode == Mode::Ephemeral {
            persistence.mode = Mode::WriteThrough;
        }
        self.change_mode(&mut state, persistence.mode)?;
        match self.write_at(&mut state, offset, data, persistence, context) {
            // No room for more that may be lost: the file becomes durable.
            Err(Errno::NOSPC) if persistence.mode == Mode::Ephemeral => {
                state.spilled = true;
                persistence.mode = Mode::WriteThrough;
                self.change_mode(&mut state, persistence.mode)?;
                self.write_at(&mut state, offset, data, persistence, context)
            }
            done => done,
        }
    }

    /// What was written at another level before is where that one wants it.
    fn change_mode(&self, state: &mut State, mode: Mode) -> Result<()> {
        if state.mode != mode && (state.ephemeral || state.mode == Mode::WriteBack) {
            self.bring_home(state, Then::Keep)?;
        }
        state.mode = mode;
        Ok(())
    }

    fn write_at(
        &self,
        state: &mut State,
        offset: u64,
        data: &[u8],
        persistence: Persistence,
        context: Context,
    ) -> Result<()> {
        let len = u64::try_from(data.len()).map_err(|_| Errno::FBIG)?;
        let end = offset.checked_add(len).ok_or(Errno::FBIG)?;
        if data.is_empty() {
            return Ok(());
        }
        let sector = self.sector_bytes();
        let sectors = offset / sector..end.div_ceil(sector);
        let start = sectors.start * sector;
        let mut bytes = Vec::with_capacity(data.len() + 2 * self.engine.sector_bytes as usize);
        // What a sector holds beside the data, before and after it.
        if offset > start {
            let first = sectors.start..sectors.start + 1;
            let found = self.read_sectors(state, first, persistence, context)?;
            let before = usize::try_from(offset - start).unwrap_or(0);
            bytes.extend_from_slice(found.get(..before).unwrap_or_default());
        }
        bytes.extend_from_slice(data);
        let after = usize::try_from(end % sector).unwrap_or(0);
        if after > 0 {
            let last = sectors.end - 1..sectors.end;
            let found = self.read_sectors(state, last, persistence, context)?;
            bytes.extend_from_slice(found.get(after..).unwrap_or_default());
        }
        let ephemeral = persistence.mode == Mode::Ephemeral;
        if !ephemeral && end > self.source.end() {
            self.source.set_end(end);
        }
        let mut at = sectors.start;
        let mut rest = bytes.as_slice();
        while at < sectors.end {
            let (first, count) = self.place(state, at, sectors.end - at)?;
            let (now, later) = rest
                .split_at_checked(count as usize * self.engine.sector_bytes as usize)
                .ok_or(Errno::IO)?;
            let now = now.to_vec();
            if ephemeral {
                // From the first of them on, also if a later one fails.
                state.ephemeral = true;
                state.modified = Some(SystemTime::now());
            }
            let written = self
                .engine
                .call(move |disk| disk.disk.write(first, &now, &persistence, context))?;
            written.map_err(failed)?;
            rest = later;
            at += u64::from(count);
        }
        state.size = state.size.max(end);
        if !ephemeral {
            self.grow_source(state)?;
        }
        Ok(())
    }

    /// The source is as long as programs see it, also where a cache has the data that made it longer.
    fn grow_source(&self, state: &State) -> Result<()> {
        let stat = rustix::fs::fstat(&self.source.file)?;
        if u64::try_from(stat.st_size).unwrap_or(0) < state.size {
            rustix::fs::ftruncate(&self.source.file, state.size)?;
        }
        self.source.set_end(state.size);
        Ok(())
    }

    /// What is newer in the cache goes to the source.
    fn bring_home(&self, state: &mut State, then: Then) -> Result<()> {
        if state.ephemeral {
            self.source.set_end(state.size);
        }
        self.settle(state, then)?;
        if state.ephemeral {
            self.grow_source(state)?;
            if let Some(modified) = state.modified {
                let times = FileTimes::new().set_modified(modified);
                let set = self.source.file.set_times(times);
                set.map_err(|error| told(&error))?;
            }
        }
        state.ephemeral = false;
        Ok(())
    }

    fn settle(&self, state: &State, then: Then) -> Result<()> {
        let extents: Vec<u32> = state.extents.values().copied().collect();
        let settled = self.engine.call(move |disk| {
            extents.iter().try_for_each(|extent| {
                disk.settle(Sector(extent * EXTENT_SECTORS), EXTENT_SECTORS, then)
            })
        })?;
        settled.map_err(failed)
    }

    /// All that is in the cache of extents is forgotten.
    fn forget(&self, state: &mut State, from: u64) -> Result<()> {
        let parts = state.extents.split_off(&from);
        let extents: Vec<u32> = parts.into_values().collect();
        let gone = extents.clone();
        let forgotten = self.engine.call(move |disk| {
            extents.iter().try_for_each(|extent| {
                let first = Sector(extent * EXTENT_SECTORS);
                let context = Context::default();
                disk.disk.trim(first, EXTENT_SECTORS, &FORGET, context)?;
                disk.settle(first, EXTENT_SECTORS, Then::Evict)
            })
        })?;
        forgotten.map_err(failed)?;
        for extent in gone {
            self.engine.extents.give_back(extent);
        }
        Ok(())
    }

    /// A request that the cache cannot serve, which leaves so many bytes of what is there: in three steps.
    pub fn pass(&self, kept: u64, deed: impl FnOnce(&File) -> Result<()>) -> Result<()> {
        let mut state = self.state();
        let extent_bytes = u64::from(EXTENT_SECTORS) * self.sector_bytes();
        // What is about to be cut off is not worth writing.
        self.source.set_end(self.source.end().min(kept));
        self.forget(&mut state, kept.div_ceil(extent_bytes))?;
        state.size = state.size.min(kept);
        self.bring_home(&mut state, Then::Evict)?;
        deed(&self.source.file)?;
        let metadata = self.source.file.metadata().map_err(|error| told(&error))?;
        state.size = metadata.len();
        self.source.set_end(state.size);
        Ok(())
    }

    /// Makes durable what is to be.
    pub fn sync(&self, data_only: bool) -> Result<()> {
        let mut state = self.state();
        match state.mode {
            Mode::Ephemeral => return Ok(()),
            Mode::WriteBack => self.bring_home(&mut state, Then::Keep)?,
            Mode::WriteThrough | Mode::Bypass => {}
        }
        if data_only {
            rustix::fs::fdatasync(&self.source.file)
        } else {
            rustix::fs::fsync(&self.source.file)
        }
    }

    /// Makes the source what programs see: the file has come to a place where it is durable.
    pub fn make_durable(&self) -> Result<()> {
        let mut state = self.state();
        self.bring_home(&mut state, Then::Evict)
    }

    /// The last program has closed it. True when nothing is known of it that the source does not have, so that it need not be served any more.
    pub fn close(&self) -> bool {
        let mut state = self.state();
        if self.is_gone() {
            self.source.set_end(0);
            // What stays in the cache for an error is of numbers that are given to nobody else.
            let _ = self.forget(&mut state, 0);
            return true;
        }
        if state.ephemeral {
            return false;
        }
        self.bring_home(&mut state, Then::Keep).is_ok() && self.forget(&mut state, 0).is_ok()
    }

    /// It has no name any more.
    pub fn is_gone(&self) -> bool {
        let metadata = self.source.file.metadata();
        metadata.is_ok_and(|metadata| metadata.nlink() == 0)
    }

    /// A program says when it was changed.
    pub fn touch(&self, modified: SystemTime) {
        self.state().modified = Some(modified);
    }

    /// The next data, or the next hole, as a cache knows them: it is all data.
    pub fn seek(&self, offset: u64, data: bool) -> Result<u64> {
        let size = self.state().size;
        match (offset < size, data) {
            (true, true) => Ok(offset),
            (true, false) => Ok(size),
            (false, _) => Err(Errno::NXIO),
        }
    }
}
