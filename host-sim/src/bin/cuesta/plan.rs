//! `cuesta plan`: what a volume on a chip costs.

use std::io::Write;

use cuesta::volume::{Budget, FormatOptions, ParameterError, Parameters, Quota, Shape};
use cuesta_sim::footprint::{budget_name, Footprint};
use cuesta_sim::theory;
use serde_json::json;

use crate::failure::Failure;
use crate::level_page::{self, costliest, level_pages, repairs, LevelPage};
use crate::table::{print_facts, Table};
use crate::{arguments, budgets, size};

#[derive(Debug, clap::Args)]
#[command(after_help = arguments::chips_help())]
pub struct Arguments {
    #[command(flatten)]
    part: arguments::Part,
    #[command(flatten)]
    levels: arguments::Levels,
    /// Memory for the engine, all included: full, minimum, or bytes such as 16K; several with commas [default: a choice]
    #[arg(long, value_name = "BYTES", value_delimiter = ',', value_parser = arguments::budget)]
    ram: Vec<Budget>,
    /// Sectors in use, of all that the raw pages hold [default: 0.70, or as many as there are]
    #[arg(long, value_name = "SHARE", value_parser = arguments::utilization)]
    utilization: Option<f64>,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let chip = arguments.part.chip()?;
    let geometry = chip.geometry;
    let impossible = |error: ParameterError| Failure::new(format!("{}: {error}", chip.name));
    let levels = arguments.levels.on(&geometry)?;
    let options = FormatOptions {
        levels: &levels,
        ..FormatOptions::default()
    };
    let parameters = Parameters::choose(&geometry, &options).map_err(impossible)?;
    let quota = Quota::new(&geometry, &parameters).map_err(impossible)?;
    let shape = Shape::new(&geometry, &parameters)
        .map_err(|error| impossible(ParameterError::Layout(error)))?;
    let metadata = &shape.layout;
    let pages = level_pages(&geometry, metadata, &levels)?;
    let footprints = budgets::footprints(&arguments.ram, &geometry, &parameters)?;
    let bytes = u64::from(parameters.capacity) * u64::from(parameters.sector_bytes);
    let raw_bytes = geometry.main_bytes();
    let copies = u32::from(parameters.rings(geometry.dies));
    let anchor_blocks = copies * quota.ring_slots * quota.blocks_per_slot;
    let raw_sectors = raw_bytes / u64::from(parameters.sector_bytes);
    let most = f64::from(parameters.capacity) / raw_sectors as f64;
    let utilization = arguments
        .utilization
        .unwrap_or(arguments::UTILIZATION.min(most));
    let asked = (utilization * raw_sectors as f64).floor();
    if asked > f64::from(parameters.capacity) {
        return Err(Failure::usage(format!(
            "--utilization {utilization:.2}: {asked} sectors, the volume has {}; the most is {:.2}",
            parameters.capacity,
            (most * 100.0).floor() / 100.0
        )));
    }
    // What is written at no level in particular is written at the first.
    let first = pages.first();
    let slots = first.map_or(1.0, LevelPage::slots);
    let segment = shape.slots_per_segment();
    let sectors = first.map_or(segment, |page| page.sectors_in(segment));
    let bound = slots * theory::uniform(slots * utilization, sectors);
    if arguments.json {
        let budgets: Vec<_> = footprints
            .iter()
            .map(|(budget, footprint)| {
                json!({
                    "ram_budget": budget_name(*budget),
                    "ram_bytes": footprint.bytes(),
                    "volume_bytes": footprint.volume_bytes,
                    "buffer_bytes": footprint.buffer_bytes,
                    "segment_bytes": footprint.plan.segment_bytes,
                    "delta_bytes": footprint.plan.delta_bytes,
                    "frames": footprint.plan.frames,
                    "frame_bytes": footprint.plan.frame_bytes,
                    "reads_per_read": reads_per_read(footprint, &shape),
                })
            })
            .collect();
        let object = json!({
            "chip": chip.name,
            "raw_bytes": raw_bytes,
            "bytes": bytes,
            "sectors": parameters.capacity,
            "sector_bytes": parameters.sector_bytes,
            "ecc": first.map(|page| page.level.ecc.name()),
            "metadata_ecc": metadata.ecc().name(),
            "chip_ecc": geometry.chip_ecc.filter(|ecc| ecc.enabled).map(|ecc| json!({
                "repaired_bits": ecc.strength,
                "repaired_in_bytes": ecc.codeword_bytes,
            })),
            "metadata_repaired_bits": metadata.strength(),
            "metadata_repaired_in_bytes": metadata.codeword_bytes(),
            "levels": pages.iter().map(|page| page.json(&quota)).collect::<Vec<_>>(),
            "segments": shape.segments,
            "segment_blocks": parameters.width(),
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
                "{}: {} sectors of {} B, {:.1} % of the raw pages{}",
                size::show(bytes),
                parameters.capacity,
                parameters.sector_bytes,
                100.0 * bytes as f64 / raw_bytes as f64,
                costliest(&pages).map_or_else(String::new, |page| format!(
                    "; if all is written at {}, the costliest level",
                    page.level.name()
                ))
            ),
        ),
        (
            "metadata",
            format!(
                "protected by {}: bits repaired {}; the data sheet asks for {} bit(s) in {} B",
                metadata.ecc().name(),
                repairs(&geometry, metadata),
                geometry.ecc_need.bits,
                geometry.ecc_need.per_bytes
            ),
        ),
        (
            "segments",
            format!(
                "{} of {} block(s), {} classes of lifetime",
                shape.segments, parameters.width(), parameters.classes
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
                "{anchor_blocks} blocks, checkpoints of {} pages in {} copies",
                quota.checkpoint_pages,
                match copies {
                    2 => "two",
                    3 => "three",
                    _ => "four",
                }
            ),
        ),
        (
            "journal",
            format!(
                "{} segments, {}, a checkpoint after {}",
                quota.journal_segments,
                match parameters.copies() {
                    1 => format!("a parity page in every {} pages", quota.journal_group),
                    copies => format!("{copies} copies of every page"),
                },
                quota.checkpoint_interval
            ),
        ),
        (
            "writes",
            format!(
                "at a utilization of {utilization:.2} no log writes uniform load{} with less than {bound:.2} pages a page",
                levels.first().map_or_else(String::new, |level| format!(" at level {}", level.name()))
            ),
        ),
    ];
    print_facts(out, &facts)?;
    writeln!(out)?;
    level_page::costs(&pages, &quota).print(out)?;
    for page in pages
        .iter()
        .filter(|page| page.level.redundancy.parity() > 0)
    {
        writeln!(
            out,
            "A page of {} that is flushed alone is programmed with a page of parity. Where most are, a copy costs as much and needs no more memory: mirror=2.",
            page.level.name()
        )?;
    }
    writeln!(out)?;
    level_page::spares(&pages).print(out)?;
    writeln!(out)?;
    let mut table = Table::new([
        "RAM",
        "bytes",
        "volume",
        "buffers",
        "segments",
        "deltas",
        "frames",
        "stages",
        "map pages held",
        "reads/read",
    ]);
    for (budget, footprint) in &footprints {
        let plan = &footprint.plan;
        table.row(vec![
            budget_name(*budget),
            footprint.bytes().to_string(),
            footprint.volume_bytes.to_string(),
            footprint.buffer_bytes.to_string(),
            plan.segment_bytes.to_string(),
            plan.delta_bytes.to_string(),
            (plan.frames * plan.frame_bytes).to_string(),
            (plan.stages * plan.stage_bytes + plan.sum_bytes).to_string(),
            format!("{} of {}", plan.frames, shape.map_pages),
            format!("{:.2}", reads_per_read(footprint, &shape)),
        ]);
    }
    table.print(out)?;
    Ok(())
}

/// Array reads of a random read, computed: one whose map page is in no frame reads it first; sectors with a delta are left out of the
/// account.
fn reads_per_read(footprint: &Footprint, shape: &Shape) -> f64 {
    let held = footprint.plan.frames.min(shape.map_pages as usize);
    2.0 - held as f64 / f64::from(shape.map_pages)
}
