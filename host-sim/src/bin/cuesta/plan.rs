//! `cuesta plan`: what a volume on a chip costs.

use std::io::Write;

use cuesta::volume::{Budget, FormatOptions, ParameterError, Parameters, Quota, Shape};
use cuesta_sim::bench::{Options, Report};
use cuesta_sim::footprint::{budget_name, Footprint, FootprintError};
use cuesta_sim::workload::Workload;
use cuesta_sim::{theory, Chip};
use serde_json::json;

use crate::failure::Failure;
use crate::progress::Progress;
use crate::table::{print_facts, Table};
use crate::{arguments, size};

/// Budgets shown when none is asked for, in KiB.
const BUDGETS_KIB: [usize; 6] = [12, 16, 24, 32, 64, 128];

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The part
    #[arg(long, value_parser = arguments::chip_named)]
    chip: &'static Chip,
    /// Memory for the engine, all included: full, minimum, or bytes such as 16K; several with commas [default: a choice]
    #[arg(long, value_delimiter = ',', value_parser = arguments::budget)]
    ram: Vec<Budget>,
    /// Sectors in use, of all that the raw pages hold [default: 0.70, or as many as there are]
    #[arg(long, value_parser = arguments::utilization)]
    utilization: Option<f64>,
    /// Run the benches uniform and rand-read at each budget, too
    #[arg(long)]
    measure: bool,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// What one budget buys.
struct Row {
    name: String,
    budget: Budget,
    footprint: Footprint,
    /// Computed.
    reads_per_read: f64,
    /// Measured, if that was asked for.
    measured: Option<Measured>,
}

/// What the benches say of a budget.
struct Measured {
    write_amplification: Option<f64>,
    reads_per_read: Option<f64>,
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let chip = arguments.chip;
    let geometry = chip.geometry;
    let impossible = |error: ParameterError| Failure::new(format!("{}: {error}", chip.name));
    let parameters =
        Parameters::choose(&geometry, &FormatOptions::default()).map_err(impossible)?;
    let quota = Quota::new(&geometry, &parameters).map_err(impossible)?;
    let shape = Shape::new(&geometry, &parameters)
        .map_err(|error| impossible(ParameterError::Layout(error)))?;
    let mut rows = budget_rows(arguments, &parameters, &shape)?;
    let bytes = u64::from(parameters.capacity) * u64::from(parameters.sector_bytes);
    let raw_bytes = geometry.main_bytes();
    let anchor_blocks = 2 * quota.ring_slots * quota.blocks_per_slot;
    let raw_sectors = raw_bytes / u64::from(parameters.sector_bytes);
    let most = f64::from(parameters.capacity) / raw_sectors as f64;
    let utilization = arguments
        .utilization
        .unwrap_or(arguments::UTILIZATION.min(most));
    let bound = theory::uniform(utilization, shape.slots_per_segment());
    let asked = (utilization * raw_sectors as f64).floor();
    if asked > f64::from(parameters.capacity) {
        return Err(Failure::usage(format!(
            "--utilization {utilization:.2}: {asked} sectors, the volume has {}; the most is {:.2}",
            parameters.capacity,
            (most * 100.0).floor() / 100.0
        )));
    }
    if arguments.measure {
        for row in &mut rows {
            row.measured = Some(measure(arguments, utilization, row.budget)?);
        }
    }
    if arguments.json {
        let budgets: Vec<_> = rows
            .iter()
            .map(|row| {
                json!({
                    "ram_budget": row.name,
                    "ram_bytes": row.footprint.bytes(),
                    "volume_bytes": row.footprint.volume_bytes,
                    "buffer_bytes": row.footprint.buffer_bytes,
                    "segment_bytes": row.footprint.plan.segment_bytes,
                    "delta_bytes": row.footprint.plan.delta_bytes,
                    "frames": row.footprint.plan.frames,
                    "frame_bytes": row.footprint.plan.frame_bytes,
                    "reads_per_read": row.reads_per_read,
                    "measured_wa_uniform": row.measured.as_ref().and_then(|it| it.write_amplification),
                    "measured_reads_per_read": row.measured.as_ref().and_then(|it| it.reads_per_read),
                })
            })
            .collect();
        let object = json!({
            "chip": chip.name,
            "raw_bytes": raw_bytes,
            "bytes": bytes,
            "sectors": parameters.capacity,
            "sector_bytes": parameters.sector_bytes,
            "segments": shape.segments,
            "segment_blocks": parameters.width,
            "classes": parameters.classes,
            "map_pages": shape.map_pages,
            "anchor_blocks": anchor_blocks,
            "checkpoint_pages": quota.checkpoint_pages,
            "checkpoint_interval": quota.checkpoint_interval,
            "journal_segments": quota.journal_segments,
            "utilization": utilization,
            "wa_bound_uniform": bound,
            "budgets": budgets,
        });
        writeln!(out, "{object}")?;
        return Ok(());
    }
    let facts = [
        ("chip", format!("{}: {}", chip.name, chip.description)),
        (
            "raw",
            format!(
                "{}: {} die(s) x {} blocks x {} pages x ({} + {}) B",
                size::show(raw_bytes),
                geometry.dies,
                geometry.blocks_per_die,
                geometry.pages_per_block,
                geometry.page_bytes,
                geometry.spare_bytes
            ),
        ),
        (
            "capacity",
            format!(
                "{}: {} sectors of {} B, {:.1} % of the raw pages",
                size::show(bytes),
                parameters.capacity,
                parameters.sector_bytes,
                100.0 * bytes as f64 / raw_bytes as f64
            ),
        ),
        (
            "segments",
            format!(
                "{} of {} block(s), {} classes of lifetime",
                shape.segments, parameters.width, parameters.classes
            ),
        ),
        (
            "index",
            format!(
                "{} map pages of {} sectors, {} bits each",
                shape.map_pages, shape.map_entries, shape.location_bits
            ),
        ),
        (
            "anchors",
            format!(
                "{anchor_blocks} blocks, checkpoints of {} pages in two copies",
                quota.checkpoint_pages
            ),
        ),
        (
            "journal",
            format!(
                "{} segments, a parity page in every {} pages, a checkpoint after {}",
                quota.journal_segments, quota.journal_group, quota.checkpoint_interval
            ),
        ),
        (
            "writes",
            format!(
                "at a utilization of {utilization:.2} no log writes uniform load with less than {bound:.2} pages a page"
            ),
        ),
    ];
    print_facts(out, &facts)?;
    writeln!(out)?;
    let mut table = Table::new([
        "RAM",
        "bytes",
        "volume",
        "buffers",
        "segments",
        "deltas",
        "frames",
        "map pages held",
        "reads/read",
        "measured",
        "WA uniform",
    ]);
    for row in &rows {
        let plan = &row.footprint.plan;
        table.row(vec![
            row.name.clone(),
            row.footprint.bytes().to_string(),
            row.footprint.volume_bytes.to_string(),
            row.footprint.buffer_bytes.to_string(),
            plan.segment_bytes.to_string(),
            plan.delta_bytes.to_string(),
            (plan.frames * plan.frame_bytes).to_string(),
            format!("{} of {}", plan.frames, shape.map_pages),
            format!("{:.2}", row.reads_per_read),
            figure(row.measured.as_ref().and_then(|it| it.reads_per_read)),
            figure(row.measured.as_ref().and_then(|it| it.write_amplification)),
        ]);
    }
    table.without_empty_columns().print(out)?;
    Ok(())
}

fn figure(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.2}"))
}

fn measure(arguments: &Arguments, utilization: f64, budget: Budget) -> Result<Measured, Failure> {
    let options = Options {
        chip: arguments.chip,
        utilization,
        budget,
        sync_every: None,
        seed: None,
    };
    let run = |workload: Workload| -> Result<Report, Failure> {
        let mut progress = Progress::new(workload.name(), arguments.json);
        Ok(cuesta_sim::bench::run(
            workload,
            &options,
            &mut |done, total| {
                progress.set(done, total);
            },
        )?)
    };
    Ok(Measured {
        write_amplification: run(Workload::Uniform)?.wa,
        reads_per_read: run(Workload::RandRead)?.reads_per_read,
    })
}

fn budget_rows(
    arguments: &Arguments,
    parameters: &Parameters,
    shape: &Shape,
) -> Result<Vec<Row>, Failure> {
    let geometry = arguments.chip.geometry;
    let plan = |budget| Footprint::new(&geometry, parameters, budget, 1);
    if !arguments.ram.is_empty() {
        return arguments
            .ram
            .iter()
            .map(|&budget| Ok(row(budget, plan(budget)?, shape)))
            .collect();
    }
    let least = plan(Budget::Minimum)?;
    let full = plan(Budget::Full)?;
    let mut rows = vec![row(Budget::Minimum, least, shape)];
    for kib in BUDGETS_KIB {
        let budget = Budget::Bytes(kib * 1024);
        match plan(budget) {
            Ok(footprint) if footprint.bytes() < full.bytes() => {
                rows.push(row(budget, footprint, shape));
            }
            Ok(_) | Err(FootprintError::Budget(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    rows.push(row(Budget::Full, full, shape));
    Ok(rows)
}

fn row(budget: Budget, footprint: Footprint, shape: &Shape) -> Row {
    let plan = footprint.plan;
    // A read whose map page is in no frame reads it first; sectors with a delta are left out of the account.
    let held = plan.frames.min(shape.map_pages as usize) as f64 / f64::from(shape.map_pages);
    Row {
        name: budget_name(budget),
        footprint,
        reads_per_read: 2.0 - held,
        measured: None,
        budget,
    }
}
