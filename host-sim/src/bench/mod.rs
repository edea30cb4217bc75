//! The benches: a workload played against the engine on an emulated part, and the figures of it.
//!
//! Everything, but the speed of the codes ([`measure_ecc`]), is counted in operations and virtual time, so a run gives the same figures on every machine. After the measured phase every
//! sector is read back and compared; a run that finds a wrong one has no figures.
//!
//! Two are about the codes alone: [`measure_strength`] and [`overload`] damage codewords and see what becomes of them.

mod binomial;
mod cache;
mod ecc;
mod host;
mod matrix;
mod miscorrection;
mod overload;
mod queue;
mod report;
mod strength;
mod strength_plot;
mod wrong_bits;

pub use cache::{run_cache, run_temporary, CacheReport, TemporaryReport, Trace};
pub use ecc::{ecc_variants, measure_ecc, Codewords, EccReport, EccVariant};
pub use matrix::{run_cases, Case, Outcome};
pub use overload::{overload, OverloadOptions, OverloadReport};
pub use queue::{run_queue, QueueOptions, QueueReport};
pub use report::{Latencies, Report};
pub use strength::{
    measure_strength, repairing_codes, StrengthOptions, StrengthReport, CONFIDENCE,
};
pub use strength_plot::strength_plot;

use std::collections::BTreeMap;

use cuesta::volume::{
    cost_of, Budget, Error, FormatError, FormatOptions, Level, MountError, Parameters, Shape,
    Stats, Volume, WriteBound, SLOT_COST,
};
use cuesta_hal::{BlockAddress, Nand};

use crate::chips::Chip;
use crate::counters::Counters;
use crate::emulator::{Builder, EmulatedNand};
use crate::footprint::{budget_name, Footprint, FootprintError};
use crate::memory::OwnedMemory;
use crate::reference::{write_amplification, Ground, Scheme};
use crate::theory;
use crate::workload::{Choice, Measured, Pattern, Requests, Sync, Workload, MOUNT_UNSYNCED_WRITES};
use host::Host;

/// Sectors that a run has at least.
const SECTORS_MIN: u32 = 10;

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// On which part.
    pub chip: &'static Chip,
    /// At which level everything is written; none for that of the part's data sheet.
    pub level: Option<Level>,
    /// Sectors in use, of all that the raw pages hold.
    pub utilization: f64,
    /// Memory for the engine.
    pub budget: Budget,
    /// A sync after so many writes of the measured phase.
    pub sync_every: Option<u64>,
    /// Seed of the measured stream, and skew.
    pub choice: Choice,
}

/// Why there are no figures.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum BenchError {
    /// No volume fits the part, or not into the memory.
    Footprint(FootprintError),
    /// More sectors asked for than the volume has, or next to none.
    Utilization {
        /// Sectors asked for.
        sectors: u64,
        /// Sectors of the volume at its default capacity.
        capacity: u32,
        /// The highest utilization that works.
        most: f64,
    },
    /// Formatting failed.
    Format(FormatError),
    /// Mounting failed.
    Mount(MountError),
    /// A request failed.
    Disk(Error),
    /// A sector did not hold what was written last.
    WrongData {
        /// The sector.
        sector: u32,
    },
    /// The engine did something that the array forbids.
    Violation(String),
    /// The engine has nothing in flight and takes no request.
    Stuck,
}

impl std::fmt::Display for BenchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Footprint(error) => error.fmt(f),
            Self::Utilization {
                sectors,
                capacity,
                most,
            } => write!(
                f,
                "{sectors} sectors asked for: the volume has {capacity}, and a bench needs {SECTORS_MIN}; \
                 choose a utilization up to {most:.2}"
            ),
            Self::Format(error) => write!(f, "formatting failed: {error}"),
            Self::Mount(error) => write!(f, "mounting failed: {error}"),
            Self::Disk(error) => write!(f, "a request failed: {error}"),
            Self::WrongData { sector } => {
                write!(f, "sector {sector} does not hold what was written last")
            }
            Self::Violation(first) => write!(f, "the engine broke a rule of the array: {first}"),
            Self::Stuck => f.write_str("the engine has nothing in flight and takes no request"),
        }
    }
}

impl std::error::Error for BenchError {}

impl From<Error> for BenchError {
    fn from(error: Error) -> Self {
        Self::Disk(error)
    }
}

impl From<MountError> for BenchError {
    fn from(error: MountError) -> Self {
        Self::Mount(error)
    }
}

impl From<FormatError> for BenchError {
    fn from(error: FormatError) -> Self {
        Self::Format(error)
    }
}

impl From<FootprintError> for BenchError {
    fn from(error: FootprintError) -> Self {
        Self::Footprint(error)
    }
}

/// A formatted part with memory for its volume.
struct Rig {
    nand: EmulatedNand,
    memory: OwnedMemory,
    parameters: Parameters,
    shape: Shape,
    footprint: Footprint,
    sectors: u32,
}

impl Rig {
    fn new(
        chip: &Chip,
        level: Option<Level>,
        utilization: f64,
        budget: Budget,
        read_slots: usize,
    ) -> Result<Self, BenchError> {
        let mut nand = Builder::new(chip).build();
        let geometry = chip.geometry;
        let options = FormatOptions {
            volume_id: 1,
            levels: level.as_slice(),
            ..FormatOptions::default()
        };
        let parameters =
            Parameters::choose(&geometry, &options).map_err(FootprintError::Parameters)?;
        let shape = Shape::new(&geometry, &parameters).map_err(|error| {
            FootprintError::Parameters(cuesta::volume::ParameterError::Layout(error))
        })?;
        let footprint = Footprint::new(&geometry, &parameters, budget, read_slots)?;
        let all = geometry.main_bytes() / u64::from(parameters.sector_bytes);
        let sectors = (utilization * all as f64).floor() as u64;
        if sectors > u64::from(parameters.capacity) || sectors < u64::from(SECTORS_MIN) {
            return Err(BenchError::Utilization {
                sectors,
                capacity: parameters.capacity,
                most: (f64::from(parameters.capacity) / all as f64 * 100.0).floor() / 100.0,
            });
        }
        let mut memory = OwnedMemory::new(&footprint.plan);
        Volume::format(&mut nand, memory.lend(), &options)?;
        Ok(Self {
            nand,
            memory,
            parameters,
            shape,
            footprint,
            sectors: sectors as u32,
        })
    }

    fn check_referee(&self) -> Result<(), BenchError> {
        match self.nand.violations().first() {
            None => Ok(()),
            Some(violation) => Err(BenchError::Violation(violation.to_string())),
        }
    }
}

/// What was counted over the measured phase.
struct Figures {
    counters: Counters,
    stats: Stats,
    latencies: Latencies,
    writes: u64,
    reads: u64,
    moves_max: u64,
    wear_spread: Option<u32>,
    mount: bool,
}

/// Runs a workload; `progress` is told how many of how many requests are done.
///
/// # Errors
/// Why there are no figures.
pub fn run(
    workload: Workload,
    options: &Options,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, BenchError> {
    let mut rig = Rig::new(
        options.chip,
        options.level,
        options.utilization,
        options.budget,
        1,
    )?;
    let script = workload.script(rig.sectors, &options.choice);
    let total = script.requests() + u64::from(rig.sectors);
    let mut host = Host::new(
        rig.sectors,
        rig.parameters.sector_bytes,
        options.choice.hints,
        total,
        progress,
    );

    let mut disk = host.mount(&mut rig.nand, rig.memory.lend())?;
    let mut requests = Pattern::Sequential.with(0).over(rig.sectors);
    if script.filled {
        host.writes(
            &mut disk,
            &mut requests,
            u64::from(rig.sectors),
            Sync::Never,
        )?;
    }
    for phase in &script.before {
        requests = phase.stream.over(rig.sectors);
        host.writes(&mut disk, &mut requests, phase.count, phase.sync)?;
    }
    let figures = match script.measured {
        Measured::Writes {
            stream,
            count,
            sync,
        } => {
            if let Some(stream) = stream {
                requests = stream.over(rig.sectors);
            }
            let sync = options.sync_every.map_or(sync, Sync::Every);
            let figures = host.measured_writes(&mut disk, &mut requests, count, sync)?;
            host.verify(&mut disk)?;
            figures
        }
        Measured::Reads { stream, count } => {
            requests = stream.over(rig.sectors);
            let figures = host.measured_reads(&mut disk, &mut requests, count)?;
            host.verify(&mut disk)?;
            figures
        }
        Measured::Mount { after_cut } => {
            if after_cut {
                host.writes(&mut disk, &mut requests, MOUNT_UNSYNCED_WRITES, Sync::Never)?;
                let _ = disk.into_volume().abandon();
                rig.nand.cut();
                rig.nand.power_cycle();
            } else {
                disk.unmount().map_err(|(_, error)| error)?;
            }
            measured_mount(&mut rig, &mut host, &mut requests, after_cut)?
        }
    };
    rig.check_referee()?;
    Ok(report(workload, options, &rig, &figures))
}

fn measured_mount(
    rig: &mut Rig,
    host: &mut Host<'_>,
    requests: &mut Requests,
    after_cut: bool,
) -> Result<Figures, BenchError> {
    let before = rig.nand.counters();
    let mut disk = host.mount(&mut rig.nand, rig.memory.lend())?;
    host.read(&mut disk, requests.next())?;
    if after_cut {
        host.write(&mut disk, requests.next())?;
        disk.flush()?;
    }
    let figures = Figures {
        counters: disk.volume().nand().counters().since(&before),
        stats: *disk.volume().stats(),
        latencies: Latencies::default(),
        writes: u64::from(after_cut),
        reads: 1,
        moves_max: 0,
        wear_spread: None,
        mount: true,
    };
    host.verify(&mut disk)?;
    Ok(figures)
}

fn report(workload: Workload, options: &Options, rig: &Rig, figures: &Figures) -> Report {
    let Figures {
        counters,
        stats,
        latencies,
        ..
    } = figures;
    let units = u64::from(rig.shape.units());
    // Where pages hold several sectors, data pages are divided by what is in their slots.
    let data_pages = u64::from(stats.data_pages);
    let slots = (data_pages * units).max(1);
    let share = |sectors: u32| (u64::from(sectors) * data_pages + slots / 2) / slots;
    let programs_user = share(stats.host_writes).min(data_pages);
    let programs_groom = share(stats.relocations).min(data_pages - programs_user);
    let programs_map = u64::from(stats.map_pages);
    let virtual_us = counters.now_ns as f64 / 1000.0;
    let host_bytes = (figures.writes + figures.reads) * u64::from(rig.parameters.sector_bytes);
    let wear = rig.nand.wear();
    let measured = !figures.mount;
    let writes = measured && figures.writes > 0;
    let bound = WriteBound::of(rig.shape.units());
    Report {
        workload: workload.name(),
        chip: options.chip.name,
        utilization: options.utilization,
        ram_budget: budget_name(options.budget),
        ram_bytes: rig.footprint.bytes(),
        host_writes: figures.writes,
        host_reads: figures.reads,
        programs: counters.programs,
        programs_user,
        programs_groom,
        programs_map,
        programs_meta: counters.programs.saturating_sub(data_pages + programs_map),
        programs_padding: data_pages - programs_user - programs_groom,
        erases: counters.erases,
        reads: counters.reads,
        bytes_in: counters.bytes_in,
        bytes_out: counters.bytes_out,
        virtual_us,
        wa: writes.then(|| counters.programs as f64 * units as f64 / figures.writes as f64),
        mb_s: (measured && virtual_us > 0.0).then(|| host_bytes as f64 / virtual_us),
        op_us_mean: latencies.mean_us(),
        op_us_p99: latencies.quantile_us(0.99),
        op_us_max: latencies.max_us(),
        op_us_bound: writes.then(|| write_us_bound(options, bound)),
        groom_pages_per_write_max: writes.then_some(figures.moves_max),
        groom_pages_per_write_bound: writes.then_some(bound.moves.into()),
        reads_per_read: (measured && figures.reads > 0)
            .then(|| counters.reads as f64 / figures.reads as f64),
        mount_reads: figures.mount.then_some(counters.reads),
        mount_us: figures.mount.then_some(virtual_us),
        wear_min: wear.min,
        wear_max: wear.max,
        wear_mean: wear.mean,
        wear_stddev: wear.stddev,
        wear_spread: figures.wear_spread,
        programs_leveling: u64::from(stats.leveling_relocations) / units,
        reference_wa: BTreeMap::new(),
        latency_histogram: latencies.histogram(),
        erase_counts: match workload {
            Workload::Wear => erase_counts(&rig.nand),
            _ => Vec::new(),
        },
    }
}

/// The bound in the time of a part: that of the operation that takes longest, compared with the part for which the bound is stated; as often as the level has
/// pages for each.
fn write_us_bound(options: &Options, bound: WriteBound) -> f64 {
    let timing = options.chip.timing;
    let slower = [
        (timing.read_us, 60),
        (timing.program_us, 250),
        (timing.erase_us, 2000),
        (52, timing.bus_bytes_per_us),
    ];
    let slower = slower.map(|(here, there)| f64::from(here) / f64::from(there));
    let pages = options.level.map_or(1, |level| level.redundancy.stripe().1);
    slower.into_iter().fold(1.0, f64::max) * f64::from(bound.us) * f64::from(pages)
}

/// Of all blocks, in order.
fn erase_counts(nand: &EmulatedNand) -> Vec<u32> {
    let geometry = nand.geometry();
    (0..geometry.dies)
        .flat_map(|die| {
            (0..geometry.blocks_per_die).map(move |block| BlockAddress::new(die, block))
        })
        .map(|block| nand.erase_count(block))
        .collect()
}

/// The shape of the volume of a run, and the sectors in use.
fn shape_of(options: &Options) -> Result<(Shape, u32), FootprintError> {
    let geometry = options.chip.geometry;
    let format = FormatOptions {
        levels: options.level.as_slice(),
        ..FormatOptions::default()
    };
    let parameters = Parameters::choose(&geometry, &format)?;
    let shape = Shape::new(&geometry, &parameters).map_err(|error| {
        FootprintError::Parameters(cuesta::volume::ParameterError::Layout(error))
    })?;
    let all = geometry.main_bytes() / u64::from(parameters.sector_bytes);
    let sectors = (options.utilization * all as f64).floor() as u32;
    Ok((shape, sectors))
}

/// What a scheme of placement costs by itself on the requests of a run, on all segments of the part: without map, journal, and bounds of latency.
///
/// `None` where nothing is written, or sectors are stored in more than one slot.
///
/// # Errors
/// No volume fits the part.
pub fn reference_wa(
    workload: Workload,
    options: &Options,
    scheme: Scheme,
) -> Result<Option<f64>, FootprintError> {
    let (shape, sectors) = shape_of(options)?;
    let slots = shape.slots_per_segment();
    let ground = Ground::whole(shape.slots() / slots, slots);
    if cost(options, &shape) > 1.0 {
        return Ok(None);
    }
    let script = workload.script(sectors, &options.choice);
    Ok(write_amplification(&script, &ground, scheme))
}

/// Slots that a sector takes up at the level of a run.
fn cost(options: &Options, shape: &Shape) -> f64 {
    options.level.map_or(1.0, |level| {
        let layout = shape.layout.with(level.ecc).unwrap_or(shape.layout);
        f64::from(cost_of(&layout, level.redundancy)) / f64::from(SLOT_COST)
    })
}

/// The least write amplification that theory allows for a workload; `None` where nothing is written.
///
/// For a moving hot set it is the bound of one that stands still.
///
/// # Errors
/// No volume fits the part.
pub fn bound(workload: Workload, options: &Options) -> Result<Option<f64>, FootprintError> {
    let (shape, sectors) = shape_of(options)?;
    // A sector that takes up two slots is two of them, which are written together.
    let cost = cost(options, &shape);
    let (utilization, slots) = (options.utilization * cost, shape.slots_per_segment());
    let least = match workload {
        Workload::SeqFill | Workload::SeqOver => Some(1.0),
        Workload::Uniform | Workload::Sync => Some(theory::uniform(utilization, slots)),
        Workload::Zipf => {
            let groups = theory::zipf(sectors, options.choice.theta);
            Some(theory::separated(&groups, utilization, slots))
        }
        Workload::HotCold | Workload::Shift | Workload::Moved => {
            Some(theory::separated(&theory::HOT_COLD, utilization, slots))
        }
        Workload::Wear => Some(theory::separated(&theory::HALF_STILL, utilization, slots)),
        Workload::RandRead
        | Workload::SeqRead
        | Workload::MountClean
        | Workload::MountCut
        // How much of the disk is trimmed at a time is not known beforehand.
        | Workload::Mixed => None,
    };
    Ok(least.map(|least| least * cost))
}

#[cfg(test)]
mod tests;
