//! `cuesta bench queue`: many requests at once.

use std::io::Write;

use cuesta::volume::{Budget, FormatOptions, Level, Parameters};
use cuesta_sim::bench::{run_queue, QueueOptions, QueueReport};
use cuesta_sim::{chip, Chip};

use super::Arguments;
use crate::arguments;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::table::print_facts;

/// The chip where none is asked for.
const CHIP: &str = "ssd-tlc";

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let chip = arguments.chip_or(CHIP)?;
    let level = arguments.level_on(chip)?;
    let most = capacity_share(chip, level)?;
    for (utilization, budget) in arguments.combinations(arguments::UTILIZATION.min(most)) {
        let options = options(arguments, chip, level, utilization, budget);
        let mut progress = Progress::new(super::QUEUE, arguments.json);
        let report = run_queue(&options, &mut |done, total| progress.set(done, total))?;
        drop(progress);
        if arguments.json {
            serde_json::to_writer(&mut *out, &report)?;
            writeln!(out)?;
        } else {
            print(chip, &report, out)?;
        }
    }
    Ok(())
}

fn options(
    arguments: &Arguments,
    chip: &'static Chip,
    level: Option<Level>,
    utilization: f64,
    budget: Budget,
) -> QueueOptions {
    QueueOptions {
        chip,
        level,
        utilization,
        budget,
        depth: arguments.depth,
        seed: arguments.seed.unwrap_or(0xBEEF),
    }
}

/// The run where nothing is asked for.
pub fn default_options(arguments: &Arguments) -> Result<QueueOptions, Failure> {
    let chip = chip(CHIP)?;
    let utilization = arguments::UTILIZATION.min(capacity_share(chip, None)?);
    Ok(options(arguments, chip, None, utilization, Budget::Full))
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

pub fn print(chip: &Chip, report: &QueueReport, out: &mut dyn Write) -> Result<(), Failure> {
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
