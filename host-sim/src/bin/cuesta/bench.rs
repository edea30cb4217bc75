//! `cuesta bench`: figures of the engine on an emulated part.

mod ecc;
mod overload;
mod strength;

use std::io::Write;
use std::path::PathBuf;

use cuesta::codec::PageLayout;
use cuesta::volume::{Budget, FormatOptions, Level, Parameters};
use cuesta_sim::bench::{
    bound, run_queue, Options, OverloadOptions, QueueOptions, QueueReport, Report, Shard,
    StrengthOptions,
};
use cuesta_sim::workload::{UnknownWorkload, Workload};
use cuesta_sim::{chip, Chip};

use crate::failure::Failure;
use crate::progress::Progress;
use crate::table::{print_facts, Table};
use crate::{arguments, ram_table};

/// The name of the workload of many requests at once.
const QUEUE: &str = "queue";
/// The name of the comparison of budgets.
const RAM_TABLE: &str = "ram-table";

/// What each workload does: the end of the help, with the chips.
const WORKLOADS: &str = "\
Workloads:
  seq-fill     fill a fresh disk in order
  seq-over     overwrite a full disk in order
  uniform      overwrite at random, after a warm-up of two disks
  zipf         the same, skewed: few sectors are written often
  hotcold      the same, 90 % of the writes to 10 % of the sectors
  shift        as hotcold, but what is hot moves on
  sync         as uniform, with a sync after each write
  rand-read    read at random, after uniform
  seq-read     read in order, after uniform
  mount-clean  mount after an unmount, up to the first read
  mount-cut    mount after a power cut, up to the first read and the first synced write
  wear         overwrite half of the disk a hundred times over while the other half lies still
  queue        on many dies: random reads at a depth, sequential writes, and both together
  ram-table    uniform and rand-read at several budgets of memory, as a table in Markdown
  ecc          the codes, on this machine's clock
  strength     how often each code cannot repair a codeword, measured beside the binomial distribution; fails where they differ
  overload     each code with more wrong bits than it repairs; fails if wrong data gets past it and the check of the page

Every page that is programmed counts in WA, what the engine writes for itself included; \"bound\" is the least that theory \
allows any log. All figures are counts and virtual time of the emulated part: the same on any machine.
";

fn after_help() -> String {
    format!("{WORKLOADS}\n{}", arguments::chips_help())
}
/// The name of the bench of the codes.
const ECC: &str = "ecc";
/// The name of the comparison of the codes with the binomial distribution.
const STRENGTH: &str = "strength";
/// The name of the campaign of more wrong bits than the codes repair.
const OVERLOAD: &str = "overload";

/// Where the draws of strength and overload start.
const CODES_SEED: u64 = 0x0BAD_B175;

#[derive(Debug, clap::Args)]
#[command(after_help = after_help())]
pub struct Arguments {
    /// What to run: see below
    #[arg(required_unless_present = "all", conflicts_with = "all", value_parser = what)]
    workload: Option<What>,
    /// All workloads but queue, ram-table, ecc, strength and overload, one after the other
    #[arg(long)]
    all: bool,
    /// The part [default: w25n01gv; for queue ssd-tlc]
    #[arg(long, value_name = "NAME", value_parser = arguments::chip_named)]
    chip: Option<&'static Chip>,
    /// Sectors in use, of all that the raw pages hold; several with commas [default: 0.70; for queue as many as there are up to that]
    #[arg(long, value_name = "SHARE", value_delimiter = ',', value_parser = arguments::utilization)]
    utilization: Vec<f64>,
    /// Memory for the engine, all included: full, minimum, or bytes such as 16K; several with commas [default: full; for ram-table
    /// a choice]
    #[arg(long, value_name = "BYTES", value_delimiter = ',', value_parser = arguments::budget)]
    ram: Vec<Budget>,
    /// Sync after so many writes of the measured phase
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sync_every: Option<u64>,
    /// The level at which everything is written, CODE,REDUNDANCY, such as bch8,mirror=2 [default: the code that the part's data sheet
    /// asks for, one page]
    #[arg(long, value_name = "LEVEL")]
    level: Option<String>,
    /// Replaces the seed of the measured stream
    #[arg(long, value_parser = arguments::seed)]
    seed: Option<u64>,
    /// Reads that queue keeps out at a time
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=4096))]
    depth: u32,
    /// Codewords that strength draws for each point [default: 50000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    words: Option<u64>,
    /// Patterns that overload tries on each code [default: 100000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    patterns: Option<u64>,
    /// The part of strength or overload that is run here, when several machines share it: 1/4 to 4/4
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// File for a plot of strength
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// One JSON object for each run instead of a table
    #[arg(long)]
    json: bool,
}

/// The chip of the workloads where none is asked for.
const WORKLOADS_CHIP: &str = "w25n01gv";
/// The chip of the queue where none is asked for.
const QUEUE_CHIP: &str = "ssd-tlc";

/// What is to be run.
#[derive(Debug, Clone, Copy)]
enum What {
    Workload(Workload),
    Queue,
    RamTable,
    Ecc,
    Strength,
    Overload,
}

fn what(name: &str) -> Result<What, String> {
    match name {
        QUEUE => Ok(What::Queue),
        RAM_TABLE => Ok(What::RamTable),
        ECC => Ok(What::Ecc),
        STRENGTH => Ok(What::Strength),
        OVERLOAD => Ok(What::Overload),
        _ => name
            .parse()
            .map(What::Workload)
            .map_err(|error: UnknownWorkload| {
                format!("{error}, {QUEUE}, {RAM_TABLE}, {ECC}, {STRENGTH}, {OVERLOAD}")
            }),
    }
}

impl Arguments {
    /// The chip asked for; the one of this name where none was.
    fn chip_or(&self, name: &str) -> Result<&'static Chip, Failure> {
        match self.chip {
            Some(chip) => Ok(chip),
            None => Ok(chip(name)?),
        }
    }

    /// The level asked for.
    fn level_on(&self, chip: &Chip) -> Result<Option<Level>, Failure> {
        let Some(text) = &self.level else {
            return Ok(None);
        };
        let ecc = PageLayout::required(&chip.geometry)
            .map_err(|error| Failure::new(format!("{}: {error}", chip.name)))?;
        Level::parse_unnamed(text, ecc)
            .map(Some)
            .map_err(|error| Failure::usage(format!("--level {text}: {error}")))
    }

    /// Refuses what only strength or overload can do, when something else is to be run.
    fn refuse_options_of_others(&self) -> Result<(), Failure> {
        let strength = matches!(self.workload, Some(What::Strength));
        let overload = matches!(self.workload, Some(What::Overload));
        for (option, given, does, who) in [
            ("--words", self.words.is_some(), strength, STRENGTH),
            ("--svg", self.svg.is_some(), strength, STRENGTH),
            ("--patterns", self.patterns.is_some(), overload, OVERLOAD),
            (
                "--shard",
                self.shard.is_some(),
                strength || overload,
                "strength and overload",
            ),
        ] {
            if given && !does {
                return Err(Failure::usage(format!(
                    "{option} is an option of {who} only"
                )));
            }
        }
        Ok(())
    }

    /// The utilizations asked for; `default` where none was.
    fn utilizations(&self, default: f64) -> Vec<f64> {
        if self.utilization.is_empty() {
            vec![default]
        } else {
            self.utilization.clone()
        }
    }

    /// Every combination of utilization and memory; `utilization` and full where none was asked for.
    fn combinations(&self, utilization: f64) -> Vec<(f64, Budget)> {
        let budgets = match &self.ram[..] {
            [] => &[Budget::Full],
            asked => asked,
        };
        self.utilizations(utilization)
            .into_iter()
            .flat_map(|utilization| budgets.iter().map(move |&budget| (utilization, budget)))
            .collect()
    }
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    arguments.refuse_options_of_others()?;
    match arguments.workload {
        Some(What::Strength) => {
            let options = StrengthOptions {
                words: arguments.words.unwrap_or(50_000),
                seed: arguments.seed.unwrap_or(CODES_SEED),
                shard: arguments.shard.unwrap_or(Shard::ALL),
            };
            strength::run(&options, arguments.svg.as_deref(), arguments.json, out)
        }
        Some(What::Overload) => {
            let options = OverloadOptions {
                patterns: arguments.patterns.unwrap_or(100_000),
                seed: arguments.seed.unwrap_or(CODES_SEED),
                shard: arguments.shard.unwrap_or(Shard::ALL),
            };
            overload::run(&options, arguments.json, out)
        }
        Some(What::Queue) => run_queues(arguments, out),
        Some(What::RamTable) => run_ram_table(arguments, out),
        Some(What::Ecc) => ecc::run(arguments.json, out),
        Some(What::Workload(workload)) => run_workloads(arguments, &[workload], out),
        None => run_workloads(arguments, &Workload::ALL, out),
    }
}

/// What is wrong with a code, and how it is seen again.
fn objected(first: &str, more: usize, seed: u64) -> Failure {
    let more = match more {
        0 => String::new(),
        _ => format!("; and {more} more"),
    };
    Failure::new(format!("{first}{more}; the same with --seed {seed:#x}"))
}

fn run_workloads(
    arguments: &Arguments,
    workloads: &[Workload],
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let chip = arguments.chip_or(WORKLOADS_CHIP)?;
    let level = arguments.level_on(chip)?;
    let mut table = Table::new([
        "workload",
        "u",
        "RAM",
        "bytes",
        "WA",
        "bound",
        "user",
        "groom",
        "map",
        "meta",
        "pad",
        "erases",
        "reads/read",
        "MB/s",
        "mean µs",
        "p99 µs",
        "max µs",
        "moves max",
        "mount µs",
        "mount reads",
        "wear",
    ]);
    let combinations = arguments.combinations(arguments::UTILIZATION);
    let runs = workloads.iter().flat_map(|&workload| {
        combinations.iter().map(move |&(utilization, budget)| {
            let options = Options {
                chip,
                level,
                utilization,
                budget,
                sync_every: arguments.sync_every,
                seed: arguments.seed,
            };
            (workload, options)
        })
    });
    for (workload, options) in runs {
        let mut progress = Progress::new(workload.name(), arguments.json);
        let report = cuesta_sim::bench::run(workload, &options, &mut |done, total| {
            progress.set(done, total);
        })?;
        drop(progress);
        if arguments.json {
            serde_json::to_writer(&mut *out, &report)?;
            writeln!(out)?;
            out.flush()?;
        } else {
            let bound = bound(workload, &options)?;
            table.row(row(&report, bound));
        }
    }
    if !arguments.json {
        writeln!(out, "{}: {}", chip.name, chip.description)?;
        table.without_empty_columns().print(out)?;
    }
    Ok(())
}

fn row(report: &Report, bound: Option<f64>) -> Vec<String> {
    let per_write = |pages: u64| match report.wa {
        Some(_) => format!("{:.3}", pages as f64 / report.host_writes as f64),
        None => String::new(),
    };
    let figure = |value: Option<f64>, digits: usize| {
        value.map_or_else(String::new, |value| format!("{value:.digits$}"))
    };
    let count = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    vec![
        report.workload.to_owned(),
        format!("{:.2}", report.utilization),
        report.ram_budget.clone(),
        report.ram_bytes.to_string(),
        figure(report.wa, 3),
        figure(bound, 2),
        per_write(report.programs_user),
        per_write(report.programs_groom),
        per_write(report.programs_map),
        per_write(report.programs_meta),
        per_write(report.programs_padding),
        report.erases.to_string(),
        figure(report.reads_per_read, 3),
        figure(report.mb_s, 2),
        figure(report.op_us_mean, 0),
        figure(report.op_us_p99, 0),
        figure(report.op_us_max, 0),
        count(report.groom_pages_per_write_max),
        figure(report.mount_us, 0),
        count(report.mount_reads),
        format!("{}..{}", report.wear_min, report.wear_max),
    ]
}

fn run_ram_table(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let chip = arguments.chip_or(WORKLOADS_CHIP)?;
    let asked = ram_table::Asked {
        chip,
        level: arguments.level_on(chip)?,
        utilizations: &arguments.utilizations(arguments::UTILIZATION),
        budgets: &arguments.ram,
        seed: arguments.seed,
        json: arguments.json,
    };
    ram_table::run(&asked, out)
}

fn run_queues(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let chip = arguments.chip_or(QUEUE_CHIP)?;
    let level = arguments.level_on(chip)?;
    let most = capacity_share(chip, level)?;
    for (utilization, budget) in arguments.combinations(arguments::UTILIZATION.min(most)) {
        let options = QueueOptions {
            chip,
            level,
            utilization,
            budget,
            depth: arguments.depth,
            seed: arguments.seed.unwrap_or(0xBEEF),
        };
        let mut progress = Progress::new(QUEUE, arguments.json);
        let report = run_queue(&options, &mut |done, total| progress.set(done, total))?;
        drop(progress);
        if arguments.json {
            serde_json::to_writer(&mut *out, &report)?;
            writeln!(out)?;
        } else {
            print_queue(chip, &report, out)?;
        }
    }
    Ok(())
}

/// The volume's sectors at its default capacity, of all that the raw pages hold.
fn capacity_share(chip: &Chip, level: Option<Level>) -> Result<f64, Failure> {
    let options = FormatOptions {
        levels: level.as_slice(),
        ..FormatOptions::default()
    };
    let parameters = Parameters::choose(&chip.geometry, &options)
        .map_err(|error| Failure::new(format!("{}: {error}", chip.name)))?;
    let bytes = f64::from(parameters.capacity) * f64::from(parameters.sector_bytes);
    Ok(bytes / chip.geometry.main_bytes() as f64)
}

fn print_queue(chip: &Chip, report: &QueueReport, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "{}: {}", chip.name, chip.description)?;
    let facts = [
        (
            "memory",
            format!("{} ({} bytes in all)", report.ram_budget, report.ram_bytes),
        ),
        (
            "random reads",
            format!(
                "{} at depth {}: {:.0} MB/s, p99 {:.0} µs",
                report.reads, report.depth, report.read_mb_s, report.read_us_p99
            ),
        ),
        (
            "dies busy",
            format!(
                "{:.1} % of {} dies, {:.1} % of the {:.1} % that queueing allows",
                100.0 * report.die_busy,
                report.dies,
                100.0 * report.die_busy_of_bound,
                100.0 * report.die_busy_bound
            ),
        ),
        (
            "sequential write",
            format!(
                "{:.0} MB/s, {:.1} % of the {:.0} that dies and channels allow; WA {:.3}",
                report.write_mb_s,
                100.0 * report.write_mb_s / report.write_mb_s_bound,
                report.write_mb_s_bound,
                report.write_wa
            ),
        ),
        (
            "reads among writes",
            format!(
                "p99 {:.0} µs (goal {:.0}) beside {:.0} MB/s of writes",
                report.loaded_read_us_p99.unwrap_or(0.0),
                report.loaded_read_us_goal,
                report.loaded_write_mb_s
            ),
        ),
    ];
    print_facts(out, &facts)?;
    Ok(())
}
