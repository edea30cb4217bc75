//! `cuesta`: disks on emulated raw NAND, made, filled, served, measured and cut.

#[cfg(target_os = "linux")]
mod agent;
mod arguments;
mod bench;
mod budgets;
mod campaign;
mod check;
mod chip;
mod crash;
mod demo;
mod disk;
mod export;
mod failure;
mod format;
mod fuzz;
mod import;
mod info;
mod layout;
mod level_page;
mod levels;
mod merge;
mod page_ranges;
mod plan;
mod policy;
mod progress;
mod ram_table;
mod report;
mod resources;
mod serve;
mod size;
mod soak;
mod table;
mod trace;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// Makes a disk out of raw NAND flash, here emulated: in memory, or in an image file.
#[derive(Debug, Parser)]
#[command(name = "cuesta", version, max_term_width = 100, after_help = EXAMPLES)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  cuesta demo
  cuesta format disk.nand --chip w25n01gv
  cuesta serve disk.nand --socket disk.sock
  cuesta bench ram-table

Exit codes: 0 done, 1 it could not be done, 2 the command makes no sense. Errors are one line each.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a disk image and an empty volume in it
    Format(format::Arguments),
    /// Tell what a disk image holds; writes nothing
    Info(info::Arguments),
    /// List the levels of a disk image and how much is stored at each, or change the table
    Levels(levels::Arguments),
    /// Check a policy, store it with a disk, show it, explain what it decides
    Policy(policy::Arguments),
    /// Read all that a disk image holds and check it against itself; writes nothing
    Check(check::Arguments),
    /// Replace the contents of the disk by a raw image
    Import(import::Arguments),
    /// Copy the contents of the disk into a raw image
    Export(export::Arguments),
    /// Serve the disk to NBD clients, until SIGTERM or SIGINT ends the session cleanly
    Serve(serve::Arguments),
    /// Mount a directory over, and serve the data of files that a policy names, until SIGTERM or SIGINT
    #[cfg(target_os = "linux")]
    Agent(agent::Arguments),
    /// Play traces of block requests against a cache before a volume on an emulated part
    Trace(trace::Arguments),
    /// Be a serial NAND part for firmware in an emulated microcontroller, over a pair of pipes
    Chip(chip::Arguments),
    /// Measure the engine on an emulated part, in operations and virtual time
    Bench(bench::Arguments),
    /// Cut the power at every operation, in every way, and judge what comes back
    Crash(crash::Arguments),
    /// Tamper with what disks hold, in many ways, and use them
    Fuzz(fuzz::Arguments),
    /// Let disks live until they are worn out
    Soak(soak::Arguments),
    /// Add up the reports of shards of a campaign
    Merge(merge::Arguments),
    /// Draw the figures of the documents from what the benches measure
    Report(report::Arguments),
    /// Compute what a volume on a chip costs: RAM, capacity, overhead; runs nothing
    Plan(plan::Arguments),
    /// Draw a page of a chip: what every byte of it holds; runs nothing
    Layout(layout::Arguments),
    /// Show it all in half a minute: store, overwrite, cut the power a thousand times, verify
    Demo(demo::Arguments),
}

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| failure::tell_mistake(&panic.to_string())));
    let program = match Program::try_parse() {
        Ok(program) => program,
        Err(error) => return arguments::refuse(&error),
    };
    let mut out = io::stdout().lock();
    match run(program.command, &mut out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(command: Command, out: &mut dyn Write) -> Result<(), Failure> {
    match command {
        Command::Format(arguments) => format::run(&arguments, out)?,
        Command::Info(arguments) => info::run(&arguments, out)?,
        Command::Levels(arguments) => levels::run(&arguments, out)?,
        Command::Policy(arguments) => policy::run(&arguments, out)?,
        Command::Check(arguments) => check::run(&arguments, out)?,
        Command::Import(arguments) => import::run(&arguments, out)?,
        Command::Export(arguments) => export::run(&arguments, out)?,
        // Its output is for whoever happens to look.
        Command::Serve(arguments) => return serve::run(&arguments, out),
        #[cfg(target_os = "linux")]
        Command::Agent(arguments) => return agent::run(&arguments, out),
        Command::Trace(arguments) => trace::run(&arguments, out)?,
        Command::Chip(arguments) => chip::run(&arguments)?,
        Command::Bench(arguments) => bench::run(&arguments, out)?,
        Command::Crash(arguments) => crash::run(&arguments, out)?,
        Command::Fuzz(arguments) => fuzz::run(&arguments, out)?,
        Command::Soak(arguments) => soak::run(&arguments, out)?,
        Command::Merge(arguments) => merge::run(&arguments, out)?,
        Command::Report(arguments) => report::run(&arguments, out)?,
        Command::Plan(arguments) => plan::run(&arguments, out)?,
        Command::Layout(arguments) => layout::run(&arguments, out)?,
        Command::Demo(arguments) => demo::run(&arguments, out)?,
    }
    out.flush()?;
    Ok(())
}
