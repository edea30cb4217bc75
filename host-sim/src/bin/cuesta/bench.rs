//! `cuesta bench`: figures of the engine on an emulated part.

mod cache;
mod ecc;
mod overload;
mod policy;
mod queue;
mod strength;
mod workloads;

use std::io::Write;
use std::path::PathBuf;

use cuesta::codec::PageLayout;
use cuesta::hal::Geometry;
use cuesta::volume::{Budget, Level};
use cuesta_sim::bench::{OverloadOptions, StrengthOptions};
use cuesta_sim::reference::{Scheme, UnknownScheme};
use cuesta_sim::workload::{Choice, UnknownWorkload, Workload, ZIPF_THETA};
use cuesta_sim::{chip, Chip, Shard};

use crate::failure::Failure;
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
  moved        as hotcold, two disks of writes after what is hot has moved once
  sync         as uniform, with a sync after each write
  rand-read    read at random, after uniform
  seq-read     read in order, after uniform
  mount-clean  mount after an unmount, up to the first read
  mount-cut    mount after a power cut, up to the first read and the first synced write
  wear         overwrite half of the disk a hundred times over while the other half lies still
  mixed        runs of 1 to 16 sectors, 90 % of them to 10 % of the disk, one in 16 trimmed
  queue        on many dies: random reads at a depth, sequential writes, and both together
  ram-table    uniform and rand-read at several budgets of memory, as a table in Markdown
  cache        hit ratios of the cache beside other rules of replacement, and what temporary files cost the primary
  ecc          the codes, on this machine's clock
  strength     how often each code cannot repair a codeword, measured beside the binomial distribution; fails where they differ
  policy       32 typical rules asked about requests, on this machine's clock
  overload     each code with more wrong bits than it repairs; fails if wrong data gets past it and the check of the page

Every page that is programmed counts in WA, what the engine writes for itself included; \"bound\" is the least that theory \
allows any log. All figures are counts and virtual time of the emulated part: the same on any machine.
";

fn after_help() -> String {
    format!("{WORKLOADS}\n{}", arguments::chips_help())
}
/// The name of the bench of the cache.
const CACHE: &str = "cache";
/// The name of the bench of the codes.
const ECC: &str = "ecc";
/// The name of the comparison of the codes with the binomial distribution.
const STRENGTH: &str = "strength";
/// The name of the campaign of more wrong bits than the codes repair.
const OVERLOAD: &str = "overload";

/// The name of the bench of rules.
const POLICY: &str = "policy";

/// Where the draws of strength and overload start.
const CODES_SEED: u64 = 0x0BAD_B175;

#[derive(Debug, clap::Args)]
#[command(after_help = after_help())]
pub struct Arguments {
    /// What to run: see below
    #[arg(required_unless_present = "all", conflicts_with = "all", value_parser = what)]
    workload: Option<What>,
    /// All workloads and queue: placement at .70, .80 and .90, the others at .70, with full memory and 16K; or all workloads at the utilization and memory
    /// that are given
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
    /// Skew of zipf, from 0 (uniform) up [default: 0.99]
    #[arg(long, value_name = "X", value_parser = theta)]
    theta: Option<f64>,
    /// Writes name the stream that a host would name which knows what the workload writes often
    #[arg(long)]
    hints: bool,
    /// Blocks of each die, instead of those of the part
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    blocks: Option<u32>,
    /// Schemes of placement whose bare cost is shown beside the engine's: single, dac, lifetime, life-estimate, probation; several with commas
    #[arg(long, value_name = "SCHEME", value_delimiter = ',', value_parser = scheme)]
    reference: Vec<Scheme>,
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

/// The chip of the comparison of budgets where none is asked for.
const RAM_TABLE_CHIP: &str = "w25n01gv";

/// What is to be run.
#[derive(Debug, Clone, Copy)]
enum What {
    Workload(Workload),
    Queue,
    RamTable,
    Cache,
    Ecc,
    Strength,
    Overload,
    Policy,
}

fn what(name: &str) -> Result<What, String> {
    match name {
        QUEUE => Ok(What::Queue),
        RAM_TABLE => Ok(What::RamTable),
        CACHE => Ok(What::Cache),
        ECC => Ok(What::Ecc),
        STRENGTH => Ok(What::Strength),
        OVERLOAD => Ok(What::Overload),
        POLICY => Ok(What::Policy),
        _ => name
            .parse()
            .map(What::Workload)
            .map_err(|error: UnknownWorkload| {
                format!("{error}, {QUEUE}, {RAM_TABLE}, {CACHE}, {ECC}, {STRENGTH}, {OVERLOAD}, {POLICY}")
            }),
    }
}

/// Parses `--theta`.
fn theta(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(theta) if (0.0..=4.0).contains(&theta) => Ok(theta),
        _ => Err("a skew is a number from 0 to 4, such as 0.99".to_owned()),
    }
}

/// Parses `--reference`.
fn scheme(text: &str) -> Result<Scheme, String> {
    text.parse()
        .map_err(|error: UnknownScheme| error.to_string())
}

impl Arguments {
    /// The chip asked for, the one of this name where none was, with as many blocks as are asked for.
    fn chip_or(&self, name: &str) -> Result<&'static Chip, Failure> {
        let found = match self.chip {
            Some(chip) => chip,
            None => chip(name)?,
        };
        let Some(blocks_per_die) = self.blocks else {
            return Ok(found);
        };
        let geometry = Geometry {
            blocks_per_die,
            ..found.geometry
        };
        // One for the whole run of the program.
        Ok(Box::leak(Box::new(Chip { geometry, ..*found })))
    }

    /// Seed and skew asked for.
    fn choice(&self) -> Choice {
        Choice {
            seed: self.seed,
            theta: self.theta.unwrap_or(ZIPF_THETA),
            hints: self.hints,
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

    /// True when it is said at what the workloads are to be run.
    fn chooses(&self) -> bool {
        !self.utilization.is_empty()
            || !self.ram.is_empty()
            || self.level.is_some()
            || self.sync_every.is_some()
            || self.seed.is_some()
            || self.theta.is_some()
            || self.hints
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
        Some(What::Queue) => queue::run(arguments, out),
        Some(What::RamTable) => run_ram_table(arguments, out),
        Some(What::Cache) => cache::run(arguments.seed.unwrap_or(0xCAC4E), arguments.json, out),
        Some(What::Ecc) => ecc::run(arguments.json, out),
        Some(What::Policy) => policy::run(arguments.json, out),
        Some(What::Workload(workload)) => workloads::run(arguments, workload, out),
        None => workloads::run_all(arguments, out),
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

fn run_ram_table(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let chip = arguments.chip_or(RAM_TABLE_CHIP)?;
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
