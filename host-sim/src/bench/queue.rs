//! Many requests at once, on a part of many dies: how busy it keeps them.

use std::collections::HashMap;

use cuesta::volume::{Budget, Event, Level, Sector, Ticket, Volume};
use serde::Serialize;

use super::{BenchError, Latencies, Rig};
use crate::chips::Chip;
use crate::content;
use crate::emulator::EmulatedNand;
use crate::footprint::budget_name;
use crate::prng::SplitMix64;
use crate::theory;

/// Random reads of the first measurement.
const READS: u64 = 100_000;
/// Random reads under load.
const READS_UNDER_LOAD: u64 = 10_000;
/// Polls without an event and without anything in flight after which the engine counts as stuck.
const IDLE_MAX: u32 = 1_000_000;
/// Events between two calls of `progress`.
const PROGRESS_STEP: u64 = 4096;

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct QueueOptions {
    /// On which part.
    pub chip: &'static Chip,
    /// At which level everything is written; none for that of the part's data sheet.
    pub level: Option<Level>,
    /// Sectors in use, of all that the raw pages hold.
    pub utilization: f64,
    /// Memory for the engine.
    pub budget: Budget,
    /// Reads that are out at a time.
    pub depth: u32,
    /// Seed of the reads.
    pub seed: u64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueueReport {
    /// Always `queue`.
    pub workload: &'static str,
    /// Name of the chip.
    pub chip: &'static str,
    /// Sectors in use, of all that the raw pages hold.
    pub utilization: f64,
    /// The budget asked for.
    pub ram_budget: String,
    /// All the memory lent to the engine, page buffers and its own fields included.
    pub ram_bytes: usize,
    /// Reads that are out at a time.
    pub depth: u32,
    /// Dies of the part.
    pub dies: u16,
    /// Random reads done at that depth.
    pub reads: u64,
    /// Share of the time that the dies worked.
    pub die_busy: f64,
    /// What queueing allows.
    pub die_busy_bound: f64,
    /// The one in terms of the other.
    pub die_busy_of_bound: f64,
    /// Host bytes a second of these reads, in 10⁶.
    pub read_mb_s: f64,
    /// Time that 99 of 100 of these reads keep.
    pub read_us_p99: f64,
    /// Host bytes a second of sequential writes, in 10⁶.
    pub write_mb_s: f64,
    /// What the dies and channels allow, erases included.
    pub write_mb_s_bound: f64,
    /// Pages programmed for each page written meanwhile.
    pub write_wa: f64,
    /// Time that 99 of 100 reads keep, one at a time, while writes come as fast as they are taken.
    pub loaded_read_us_p99: Option<f64>,
    /// 1.2 times a program and a read.
    pub loaded_read_us_goal: f64,
    /// Host bytes a second written meanwhile, in 10⁶.
    pub loaded_write_mb_s: f64,
}

/// Runs it; `progress` is told how many of how many requests are done.
///
/// # Errors
/// Why there are no figures.
pub fn run_queue(
    options: &QueueOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<QueueReport, BenchError> {
    let depth = options.depth.max(1);
    let mut rig = Rig::new(
        options.chip,
        options.level,
        options.utilization,
        options.budget,
        depth as usize,
    )?;
    let timing = options.chip.timing;
    let geometry = options.chip.geometry;
    let sector_bytes = rig.parameters.sector_bytes;
    let sectors = rig.sectors;
    let total = u64::from(sectors) + READS + READS_UNDER_LOAD;
    let volume = Volume::mount(&mut rig.nand, rig.memory.lend())?;
    let mut queue = Queue {
        volume,
        versions: vec![0; sectors as usize],
        data: vec![0; sector_bytes as usize],
        reads: HashMap::new(),
        writes: 0,
        latencies: Latencies::default(),
        settled: 0,
        idle: 0,
        total,
        progress,
    };

    // Sequential writes, as many at a time as are taken.
    let before = queue.volume.nand().counters();
    for sector in 0..sectors {
        queue.write_soon(sector)?;
    }
    queue.drain()?;
    queue.flush()?;
    let written = queue.volume.nand().counters().since(&before);

    // Random reads, `depth` at a time.
    let mut prng = SplitMix64::new(options.seed);
    let before = queue.volume.nand().counters();
    for _ in 0..READS {
        while queue.reads.len() >= depth as usize {
            queue.turn()?;
        }
        queue.read_soon(prng.below(u64::from(sectors)) as u32)?;
    }
    // Until the first lack of a request: what follows is not a full queue.
    let read = queue.volume.nand().counters().since(&before);
    let read_done = queue.latencies.count() as u64;
    queue.drain()?;
    let read_us_p99 = queue.latencies.quantile_us(0.99).unwrap_or(0.0);

    // One read at a time among as many writes as are taken.
    queue.latencies = Latencies::default();
    let before = queue.volume.nand().counters();
    let mut next = 0;
    let mut started = 0;
    let mut accepted = 0u64;
    while (queue.latencies.count() as u64) < READS_UNDER_LOAD {
        if queue.reads.is_empty() && started < READS_UNDER_LOAD {
            queue.read_soon(prng.below(u64::from(sectors)) as u32)?;
            started += 1;
        }
        while queue.try_write(next)? {
            next = (next + 1) % sectors;
            accepted += 1;
        }
        queue.turn()?;
    }
    let loaded = queue.volume.nand().counters().since(&before);
    let loaded_read_us_p99 = queue.latencies.quantile_us(0.99);
    queue.drain()?;
    queue.volume.unmount().map_err(|(_, error)| error)?;
    rig.check_referee()?;

    let mb_s =
        |sectors: u64, ns: u64| (sectors * u64::from(sector_bytes)) as f64 * 1000.0 / ns as f64;
    let busy: u64 = read.die_busy_ns.iter().sum();
    let die_busy = busy as f64 / (read.now_ns as f64 * f64::from(geometry.dies));
    let die_busy_bound = theory::queue_busy(geometry.dies, depth, 1);
    let units = f64::from(rig.shape.units());
    Ok(QueueReport {
        workload: "queue",
        chip: options.chip.name,
        utilization: options.utilization,
        ram_budget: budget_name(options.budget),
        ram_bytes: rig.footprint.bytes(),
        depth,
        dies: geometry.dies,
        reads: READS,
        die_busy,
        die_busy_bound,
        die_busy_of_bound: die_busy / die_busy_bound,
        read_mb_s: mb_s(read_done, read.now_ns),
        read_us_p99,
        write_mb_s: mb_s(u64::from(sectors), written.now_ns),
        write_mb_s_bound: write_bound(options.chip),
        write_wa: written.programs as f64 * units / f64::from(sectors),
        loaded_read_us_p99,
        loaded_read_us_goal: 1.2 * f64::from(timing.program_us + timing.read_us),
        loaded_write_mb_s: mb_s(accepted, loaded.now_ns),
    })
}

/// 10⁶ bytes a second that programs and erases of all dies, or the transfers of all channels, allow.
fn write_bound(chip: &Chip) -> f64 {
    let (geometry, timing) = (chip.geometry, chip.timing);
    let pages = f64::from(geometry.pages_per_block);
    let transfer_us = f64::from(timing.command_ns) / 1000.0
        + f64::from(geometry.raw_page_bytes()) / f64::from(timing.bus_bytes_per_us);
    let block_us =
        pages * (f64::from(timing.program_us) + transfer_us) + f64::from(timing.erase_us);
    let of_dies = f64::from(geometry.dies) * pages * f64::from(geometry.page_bytes) / block_us;
    let of_channels = f64::from(timing.channels) * f64::from(geometry.page_bytes) / transfer_us;
    of_dies.min(of_channels)
}

/// A read that is out.
struct Read {
    sector: u32,
    version: u32,
    start_ns: u64,
}

/// A volume with requests out.
struct Queue<'m, 'p> {
    volume: Volume<'m, &'m mut EmulatedNand>,
    versions: Vec<u32>,
    data: Vec<u8>,
    reads: HashMap<Ticket, Read>,
    writes: u64,
    latencies: Latencies,
    settled: u64,
    idle: u32,
    total: u64,
    progress: &'p mut dyn FnMut(u64, u64),
}

impl Queue<'_, '_> {
    /// Polls once, and waits when only the part can go on.
    fn turn(&mut self) -> Result<(), BenchError> {
        let now_ns = self.volume.nand().now_ns();
        match self.volume.poll() {
            Event::Data(ticket, bytes) => {
                if let Some(read) = self.reads.remove(&ticket) {
                    if !content::is(read.sector, read.version, bytes) {
                        return Err(BenchError::WrongData {
                            sector: read.sector,
                        });
                    }
                    self.latencies.push(now_ns - read.start_ns);
                }
            }
            Event::Unwritten(ticket) => {
                if let Some(read) = self.reads.remove(&ticket) {
                    return Err(BenchError::WrongData {
                        sector: read.sector,
                    });
                }
            }
            Event::Written(_) => self.writes -= 1,
            Event::Failed(_, error) => return Err(error.into()),
            Event::Pending => {
                self.volume.wait();
                return Ok(());
            }
            Event::Idle => {
                self.idle += 1;
                return if self.idle > IDLE_MAX {
                    Err(BenchError::Stuck)
                } else {
                    Ok(())
                };
            }
            _ => {}
        }
        self.idle = 0;
        self.settled += 1;
        if self.settled.is_multiple_of(PROGRESS_STEP) {
            (self.progress)(self.settled, self.total);
        }
        Ok(())
    }

    /// Submits a write if it is taken now.
    fn try_write(&mut self, sector: u32) -> Result<bool, BenchError> {
        let version = self.versions[sector as usize] + 1;
        content::fill(sector, version, &mut self.data);
        match self.volume.submit_write(Sector(sector), &self.data) {
            Ok(_) => {
                self.versions[sector as usize] = version;
                self.writes += 1;
                Ok(true)
            }
            Err(nb::Error::WouldBlock) => Ok(false),
            Err(nb::Error::Other(error)) => Err(error.into()),
        }
    }

    fn write_soon(&mut self, sector: u32) -> Result<(), BenchError> {
        while !self.try_write(sector)? {
            self.turn()?;
        }
        Ok(())
    }

    fn read_soon(&mut self, sector: u32) -> Result<(), BenchError> {
        loop {
            match self.volume.submit_read(Sector(sector)) {
                Ok(ticket) => {
                    let read = Read {
                        sector,
                        version: self.versions[sector as usize],
                        start_ns: self.volume.nand().now_ns(),
                    };
                    self.reads.insert(ticket, read);
                    return Ok(());
                }
                Err(nb::Error::WouldBlock) => self.turn()?,
                Err(nb::Error::Other(error)) => return Err(error.into()),
            }
        }
    }

    /// Until no request is out.
    fn drain(&mut self) -> Result<(), BenchError> {
        while self.writes > 0 || !self.reads.is_empty() {
            self.turn()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BenchError> {
        let ticket = loop {
            match self.volume.submit_flush() {
                Ok(ticket) => break ticket,
                Err(nb::Error::WouldBlock) => self.turn()?,
                Err(nb::Error::Other(error)) => return Err(error.into()),
            }
        };
        for _ in 0..IDLE_MAX {
            match self.volume.poll() {
                Event::Flushed(done) if done == ticket => return Ok(()),
                Event::Failed(_, error) => return Err(error.into()),
                Event::Pending => self.volume.wait(),
                _ => {}
            }
        }
        Err(BenchError::Stuck)
    }
}
