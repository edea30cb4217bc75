//! `cuesta demo`: the whole engine on an emulated part in half a minute.
//!
//! Real files are stored, overwritten and trimmed; then the power is cut again and again, at random operations, and after each cut the disk
//! must hold what the ledger says it must. It ends with what all that has cost and where the part is worn.

mod cuts;
mod files;
mod ledger;
mod report;
mod session;
mod wear_map;

use std::io::Write;

use cuesta::hal::Nand;
use cuesta::volume::{Budget, FormatOptions, Parameters, Volume};
use cuesta_sim::footprint::{budget_name, Footprint};
use cuesta_sim::memory::OwnedMemory;
use cuesta_sim::{Builder, Chip, EmulatedNand, SplitMix64};

use crate::failure::Failure;
use crate::{arguments, size};
use ledger::Ledger;
use report::Report;
use session::Session;

/// Share of the raw pages that the files fill.
const UTILIZATION: f64 = 0.70;

#[derive(Debug, clap::Args)]
#[command(after_help = arguments::chips_help())]
pub struct Arguments {
    /// The part
    #[arg(long, value_name = "NAME", default_value = "w25n01gv", value_parser = arguments::chip_named)]
    chip: &'static Chip,
    /// Power cuts, each at a random operation and with a recovery after it
    #[arg(long, value_name = "N", default_value_t = 1000)]
    cuts: u32,
    /// Everything random follows from it
    #[arg(long, default_value_t = 1, value_parser = arguments::seed)]
    seed: u64,
    /// Memory for the engine, all included: full, minimum, or bytes such as 16K
    #[arg(long, value_name = "BYTES", default_value = "full", value_parser = arguments::budget)]
    ram: Budget,
}

/// The part, the memory and what the disk must hold.
struct Demo {
    nand: EmulatedNand,
    memory: OwnedMemory,
    ledger: Ledger,
    prng: SplitMix64,
    report: Report,
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    play(arguments, out).map_err(|failure| match failure {
        Failure::Told { line, exit } => Failure::Told {
            line: format!(
                "{line}; seen with --chip {} --seed {} --cuts {} --ram {}, and these files",
                arguments.chip.name,
                arguments.seed,
                arguments.cuts,
                budget_name(arguments.ram)
            ),
            exit,
        },
        other => other,
    })
}

fn play(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let mut demo = format(arguments, out)?;
    store(&mut demo, out)?;
    cuts::cut(&mut demo, arguments.cuts, out)?;
    finish(&mut demo, out)?;
    writeln!(out)?;
    wear_map::print(&demo.nand, out)?;
    writeln!(out)?;
    demo.report.print(out)?;
    Ok(())
}

/// A formatted part.
fn format(arguments: &Arguments, out: &mut dyn Write) -> Result<Demo, Failure> {
    let mut nand = Builder::new(arguments.chip)
        .seed(arguments.seed)
        .watch_after_torn(true)
        .build();
    let geometry = *nand.geometry();
    let options = FormatOptions {
        volume_id: arguments.seed | 1,
        ..FormatOptions::default()
    };
    let impossible =
        |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", arguments.chip.name));
    let parameters = Parameters::choose(&geometry, &options).map_err(|error| impossible(&error))?;
    let footprint = Footprint::new(&geometry, &parameters, arguments.ram, 1)?;
    let mut memory = OwnedMemory::new(&footprint.plan);
    Volume::format(&mut nand, memory.lend(), &options).map_err(|error| impossible(&error))?;
    writeln!(
        out,
        "{}, emulated in memory: {} die(s) x {} blocks x {} pages x ({} + {}) B",
        arguments.chip.description,
        geometry.dies,
        geometry.blocks_per_die,
        geometry.pages_per_block,
        geometry.page_bytes,
        geometry.spare_bytes
    )?;
    writeln!(
        out,
        "  formatted    {} sectors of {} B, {:.1} % of the raw pages; {} of RAM in all",
        parameters.capacity,
        parameters.sector_bytes,
        100.0 * f64::from(parameters.capacity) * f64::from(parameters.sector_bytes)
            / geometry.main_bytes() as f64,
        size::show(footprint.bytes() as u64)
    )?;
    let all = geometry.main_bytes() / u64::from(parameters.sector_bytes);
    let sectors = ((UTILIZATION * all as f64) as u32).min(parameters.capacity);
    Ok(Demo {
        nand,
        memory,
        ledger: Ledger::new(sectors, parameters.sector_bytes),
        prng: SplitMix64::derive(arguments.seed, 0xDE40),
        report: Report::default(),
    })
}

/// Stores, overwrites, trims, reads; ends with a clean unmount.
fn store(demo: &mut Demo, out: &mut dyn Write) -> Result<(), Failure> {
    let mut session = Session::mount(demo)?;
    session.store_files(out)?;
    session.overwrite(out)?;
    session.delete_and_restore(out)?;
    session.read(out)?;
    session.unmount()
}

/// Mounts once more and verifies everything.
fn finish(demo: &mut Demo, out: &mut dyn Write) -> Result<(), Failure> {
    let mut session = Session::mount(demo)?;
    session.verify_all("verifying")?;
    session.verify_media()?;
    session.unmount()?;
    // The last mount is the one after a clean end.
    Session::mount(demo)?.after_clean_end()?;
    if let Some(violation) = demo.nand.violations().first() {
        return Err(Failure::new(format!(
            "the engine broke a rule of the array: {violation}"
        )));
    }
    writeln!(
        out,
        "  verified     every byte of {} sectors, and the media against themselves",
        demo.ledger.sectors()
    )?;
    Ok(())
}
