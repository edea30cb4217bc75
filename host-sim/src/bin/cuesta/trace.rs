//! `cuesta trace`: traces of block requests.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use cuesta::hal::Nand;
use cuesta::resource::RamStore;
use cuesta::volume::{Budget, FormatOptions, Parameters, Volume};
use cuesta_sim::footprint::Footprint;
use cuesta_sim::leveled::{with_leveled, LeveledOptions};
use cuesta_sim::memory::OwnedMemory;
use cuesta_sim::replay::{parse, replay, Gauged, LevelFigures};
use cuesta_sim::{Chip, EmulatedNand};

use crate::arguments;
use crate::failure::Failure;
use crate::resources;
use crate::size;
use crate::table::Table;

const AFTER_HELP: &str = "\
FILE is CSV with a heading: time, op, offset, length, and if they are known tenant, app, path, in any order. time is in seconds \
and says what comes first; op is read, write, trim or flush; offset and length are in bytes. Each read is compared with what \
was written before. Latencies are in the virtual time of the part; the cache takes none.

Example:
  cuesta trace replay requests.csv --cache 4M --policy rules";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Play a trace against a cache before a volume on an emulated part
    #[command(after_help = AFTER_HELP)]
    Replay(ReplayArguments),
}

#[derive(Debug, clap::Args)]
struct ReplayArguments {
    /// The trace
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Memory of the cache
    #[arg(long, value_name = "BYTES", default_value = "4M", value_parser = size::parse)]
    cache: u64,
    /// Rules that give requests their levels, in a file [default: all is write-through]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The part
    #[arg(long, value_name = "NAME", default_value = "w25n01gv", value_parser = arguments::chip_named)]
    chip: &'static Chip,
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let Command::Replay(arguments) = &arguments.command;
    let path = &arguments.file;
    let text = fs::read_to_string(path).map_err(|error| Failure::of(path, error))?;
    let requests = parse(&text).map_err(|error| Failure::of(path, error))?;
    let policy = arguments.policy.as_deref();
    let policy = policy.map(resources::policy).transpose()?;
    let failed = |error: String| Failure::new(error);
    let mut nand = EmulatedNand::of(arguments.chip.name)?;
    let options = FormatOptions::default();
    let parameters =
        Parameters::choose(nand.geometry(), &options).map_err(|error| failed(error.to_string()))?;
    let footprint = Footprint::new(nand.geometry(), &parameters, Budget::Full, 1)?;
    let mut memory = OwnedMemory::new(&footprint.plan);
    Volume::format(&mut nand, memory.lend(), &options)
        .map_err(|error| failed(error.to_string()))?;
    let volume = Volume::mount(&mut nand, memory.lend());
    let (mut primary, gauge) = Gauged::new(volume.map_err(|error| failed(error.to_string()))?);
    let sector_bytes = parameters.sector_bytes as usize;
    let bytes = usize::try_from(arguments.cache).map_err(|_| failed("too large".to_owned()))?;
    let sectors = bytes / sector_bytes;
    let mut cached = vec![0; sectors * sector_bytes];
    let mut written = vec![0; RamStore::map_bytes(sectors)];
    let mut store = RamStore::new(&mut cached, &mut written, sector_bytes)
        .map_err(|error| failed(error.to_string()))?;
    let options = LeveledOptions::default();
    let figures = with_leveled(&mut store, &mut primary, policy, &options, |disk| {
        replay(disk, &gauge, &requests)
    });
    let figures = figures
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| Failure::of(path, error))?;
    let mut table = Table::new([
        "level",
        "requests",
        "sectors read",
        "hits",
        "sectors written",
        "to the primary",
        "saved",
        "p50 µs",
        "p99 µs",
        "max µs",
    ]);
    let mut total = LevelFigures::default();
    for (name, of_level) in &figures {
        total.requests += of_level.requests;
        total.read += of_level.read;
        total.hits += of_level.hits;
        total.written += of_level.written;
        total.primary_writes += of_level.primary_writes;
        total.latencies_ns.extend(&of_level.latencies_ns);
        let name = if name.is_empty() {
            "(at the end)"
        } else {
            name
        };
        table.row(row(name, of_level));
    }
    total.latencies_ns.sort_unstable();
    table.row(row("all", &total));
    table.print_markdown(out)?;
    Ok(())
}

fn row(name: &str, figures: &LevelFigures) -> Vec<String> {
    let share = |part: u64, whole: u64| match (part.min(whole) * 1000).checked_div(whole) {
        Some(permille) => format!("{}.{} %", permille / 10, permille % 10),
        None => String::new(),
    };
    let saved = figures.written.saturating_sub(figures.primary_writes);
    let us = |percent| (figures.percentile_ns(percent) / 1000).to_string();
    vec![
        name.to_owned(),
        figures.requests.to_string(),
        figures.read.to_string(),
        share(figures.hits, figures.read),
        figures.written.to_string(),
        figures.primary_writes.to_string(),
        share(saved, figures.written),
        us(50),
        us(99),
        us(100),
    ]
}
