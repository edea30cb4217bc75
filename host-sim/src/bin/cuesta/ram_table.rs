//! `cuesta bench ram-table`: what more memory buys, as the table in Markdown that documents quote.

use std::io::Write;

use cuesta::volume::{Budget, FormatOptions, Level, Parameters, Shape};
use cuesta_sim::bench::{run as run_bench, Options, Report};
use cuesta_sim::footprint::budget_name;
use cuesta_sim::workload::{Choice, Workload};
use cuesta_sim::Chip;
use serde_json::json;

use crate::budgets;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::table::Table;

/// What is compared.
#[derive(Debug)]
pub struct Asked<'a> {
    pub chip: &'static Chip,
    pub level: Option<Level>,
    pub utilizations: &'a [f64],
    /// None: a choice.
    pub budgets: &'a [Budget],
    pub seed: Option<u64>,
    pub json: bool,
}

pub fn run(asked: &Asked<'_>, out: &mut dyn Write) -> Result<(), Failure> {
    let geometry = asked.chip.geometry;
    let impossible =
        |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", asked.chip.name));
    let parameters = Parameters::choose(&geometry, &FormatOptions::default())
        .map_err(|error| impossible(&error))?;
    let shape = Shape::new(&geometry, &parameters).map_err(|error| impossible(&error))?;
    let footprints = budgets::footprints(asked.budgets, &geometry, &parameters)?;
    let mut table = Table::new([
        "RAM",
        "bytes, all included",
        "map pages in RAM",
        "utilization",
        "array reads a random read",
        "µs a random read",
        "write amplification",
    ]);
    for &utilization in asked.utilizations {
        for (budget, footprint) in &footprints {
            let options = Options {
                chip: asked.chip,
                level: asked.level,
                utilization,
                budget: *budget,
                sync_every: None,
                choice: Choice {
                    seed: asked.seed,
                    ..Choice::default()
                },
            };
            let writes = measure(Workload::Uniform, &options, asked.json)?;
            let reads = measure(Workload::RandRead, &options, asked.json)?;
            if asked.json {
                let object = json!({
                    "chip": asked.chip.name,
                    "utilization": utilization,
                    "ram_budget": writes.ram_budget,
                    "ram_bytes": writes.ram_bytes,
                    "map_pages": shape.map_pages,
                    "map_pages_held": footprint.plan.frames,
                    "reads_per_read": reads.reads_per_read,
                    "read_us_mean": reads.op_us_mean,
                    "wa": writes.wa,
                });
                writeln!(out, "{object}")?;
                out.flush()?;
                continue;
            }
            let figure = |value: Option<f64>, digits: usize| {
                value.map_or_else(String::new, |value| format!("{value:.digits$}"))
            };
            table.row(vec![
                budget_name(*budget),
                writes.ram_bytes.to_string(),
                format!("{} of {}", footprint.plan.frames, shape.map_pages),
                if asked.utilizations.len() > 1 {
                    format!("{utilization:.2}")
                } else {
                    String::new()
                },
                figure(reads.reads_per_read, 2),
                figure(reads.op_us_mean, 0),
                figure(writes.wa, 2),
            ]);
        }
    }
    if !asked.json {
        table.without_empty_columns().print_markdown(out)?;
    }
    Ok(())
}

fn measure(workload: Workload, options: &Options, quiet: bool) -> Result<Report, Failure> {
    let what = format!("{} at {}", workload.name(), budget_name(options.budget));
    let mut progress = Progress::new(&what, quiet);
    Ok(run_bench(workload, options, &mut |done, total| {
        progress.set(done, total);
    })?)
}
