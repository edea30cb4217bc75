//! The host of a bench: it writes versions of sectors, remembers them and checks what it reads.

use cuesta::door::Disk;
use cuesta::volume::{Memory, Sector, Stats, StreamId, Volume, WriteOptions};

use super::{BenchError, Figures, Latencies};
use crate::content;
use crate::emulator::EmulatedNand;
use crate::workload::{Request, Requests, Sync};

/// Requests between two calls of `progress`.
const PROGRESS_STEP: u64 = 4096;

/// A disk on an emulated part that somebody else keeps.
pub(super) type BenchDisk<'m> = Disk<'m, &'m mut EmulatedNand>;

pub(super) struct Host<'p> {
    /// Last version of each sector.
    versions: Vec<u32>,
    /// Sectors that were given up since.
    trimmed: Vec<bool>,
    data: Vec<u8>,
    /// Writes name the streams that the workload tells.
    hints: bool,
    done: u64,
    total: u64,
    progress: &'p mut dyn FnMut(u64, u64),
}

impl<'p> Host<'p> {
    pub fn new(
        sectors: u32,
        sector_bytes: u32,
        hints: bool,
        total: u64,
        progress: &'p mut dyn FnMut(u64, u64),
    ) -> Self {
        Self {
            versions: vec![0; sectors as usize],
            trimmed: vec![false; sectors as usize],
            data: vec![0; sector_bytes as usize],
            hints,
            done: 0,
            total,
            progress,
        }
    }

    pub fn mount<'m>(
        &self,
        nand: &'m mut EmulatedNand,
        memory: Memory<'m>,
    ) -> Result<BenchDisk<'m>, BenchError> {
        Ok(Disk::new(Volume::mount(nand, memory)?))
    }

    fn count(&mut self) {
        self.done += 1;
        if self.done.is_multiple_of(PROGRESS_STEP) {
            (self.progress)(self.done, self.total);
        }
    }

    pub fn write(&mut self, disk: &mut BenchDisk<'_>, sector: u32) -> Result<(), BenchError> {
        self.write_with(disk, sector, WriteOptions::default())
    }

    fn write_with(
        &mut self,
        disk: &mut BenchDisk<'_>,
        sector: u32,
        options: WriteOptions,
    ) -> Result<(), BenchError> {
        let version = &mut self.versions[sector as usize];
        *version += 1;
        self.trimmed[sector as usize] = false;
        content::fill(sector, *version, &mut self.data);
        disk.write_with(Sector(sector), &self.data, options)?;
        self.count();
        Ok(())
    }

    fn trim(&mut self, disk: &mut BenchDisk<'_>, sector: u32) -> Result<(), BenchError> {
        self.trimmed[sector as usize] = true;
        disk.trim(Sector(sector), 1)?;
        self.count();
        Ok(())
    }

    /// Plays the next request; how many sectors it wrote.
    fn play(
        &mut self,
        disk: &mut BenchDisk<'_>,
        requests: &mut Requests,
    ) -> Result<u64, BenchError> {
        match requests.next_request() {
            Request::Write(sector) => {
                let stream = requests.hint().filter(|_| self.hints).map(StreamId);
                let options = WriteOptions {
                    stream,
                    ..WriteOptions::default()
                };
                self.write_with(disk, sector, options).map(|()| 1)
            }
            Request::Trim(sector) => self.trim(disk, sector).map(|()| 0),
        }
    }

    pub fn read(&mut self, disk: &mut BenchDisk<'_>, sector: u32) -> Result<(), BenchError> {
        let found = disk.read(Sector(sector), &mut self.data)?;
        self.count();
        let right = if self.trimmed[sector as usize] {
            !found && self.data.iter().all(|&byte| byte == 0)
        } else {
            self.is_last(sector)
        };
        if right {
            Ok(())
        } else {
            Err(BenchError::WrongData { sector })
        }
    }

    /// What was read is what was written last.
    fn is_last(&self, sector: u32) -> bool {
        content::is(sector, self.versions[sector as usize], &self.data)
    }

    pub fn writes(
        &mut self,
        disk: &mut BenchDisk<'_>,
        requests: &mut Requests,
        count: u64,
        sync: Sync,
    ) -> Result<(), BenchError> {
        for done in 1..=count {
            self.play(disk, requests)?;
            if sync.follows(done, count) {
                disk.flush()?;
            }
        }
        Ok(())
    }

    pub fn measured_writes(
        &mut self,
        disk: &mut BenchDisk<'_>,
        requests: &mut Requests,
        count: u64,
        sync: Sync,
    ) -> Result<Figures, BenchError> {
        let mut latencies = Latencies::default();
        let mut moves_max = 0;
        let mut writes = 0;
        let counters = disk.volume().nand().counters();
        let stats = *disk.volume().stats();
        for done in 1..=count {
            let start_ns = disk.volume().nand().now_ns();
            let relocations = disk.volume().stats().relocations;
            writes += self.play(disk, requests)?;
            if sync.follows(done, count) {
                disk.flush()?;
            }
            latencies.push(disk.volume().nand().now_ns() - start_ns);
            let moves = disk.volume().stats().relocations.wrapping_sub(relocations);
            moves_max = moves_max.max(u64::from(moves));
        }
        let info = disk.volume().info();
        Ok(Figures {
            counters: disk.volume().nand().counters().since(&counters),
            stats: since(disk.volume().stats(), &stats),
            latencies,
            writes,
            reads: 0,
            moves_max,
            wear_spread: Some(info.wear_max - info.wear_min),
            mount: false,
        })
    }

    pub fn measured_reads(
        &mut self,
        disk: &mut BenchDisk<'_>,
        requests: &mut Requests,
        count: u64,
    ) -> Result<Figures, BenchError> {
        let mut latencies = Latencies::default();
        let counters = disk.volume().nand().counters();
        let stats = *disk.volume().stats();
        for _ in 0..count {
            let sector = requests.next();
            let start_ns = disk.volume().nand().now_ns();
            self.read(disk, sector)?;
            latencies.push(disk.volume().nand().now_ns() - start_ns);
        }
        Ok(Figures {
            counters: disk.volume().nand().counters().since(&counters),
            stats: since(disk.volume().stats(), &stats),
            latencies,
            writes: 0,
            reads: count,
            moves_max: 0,
            wear_spread: None,
            mount: false,
        })
    }

    /// Reads every sector.
    pub fn verify(&mut self, disk: &mut BenchDisk<'_>) -> Result<(), BenchError> {
        for sector in 0..self.versions.len() as u32 {
            self.read(disk, sector)?;
        }
        Ok(())
    }
}

/// What the engine counted after `earlier`, as far as the report needs it.
fn since(now: &Stats, earlier: &Stats) -> Stats {
    Stats {
        host_writes: now.host_writes.wrapping_sub(earlier.host_writes),
        relocations: now.relocations.wrapping_sub(earlier.relocations),
        padding: now.padding.wrapping_sub(earlier.padding),
        data_pages: now.data_pages.wrapping_sub(earlier.data_pages),
        map_pages: now.map_pages.wrapping_sub(earlier.map_pages),
        meta_pages: now.meta_pages.wrapping_sub(earlier.meta_pages),
        leveling_relocations: now
            .leveling_relocations
            .wrapping_sub(earlier.leveling_relocations),
        ..*now
    }
}
