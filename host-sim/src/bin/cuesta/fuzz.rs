//! `cuesta fuzz`: media that somebody has tampered with.

use std::io::Write;
use std::time::Instant;

use cuesta_sim::campaign::fuzz::{Case, Job};
use cuesta_sim::campaign::report::Report;
use cuesta_sim::campaign::subject::Subject;
use cuesta_sim::Shard;

use crate::failure::Failure;
use crate::{arguments, campaign};

/// What is done: the end of the help.
const WHAT: &str = "\
Each execution takes a disk in the middle of its life, changes what is on it by one to eight random edits (bits flipped, bytes scribbled over, pages \
filled or copied, blocks erased, scrambled or set back; in half of the executions also headers and payloads whose checks are made to agree), and mounts, \
reads, writes, trims, grooms, verifies and mounts it again. Nothing may panic or go on for ever. Where no check was forged, no sector may read as what was \
never written to it, and what is written afterwards must stay.
";

#[derive(Debug, clap::Args)]
#[command(after_help = WHAT)]
pub struct Arguments {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    executions: u64,
    /// Disks; several with commas [default: all]
    #[arg(long = "disk", value_name = "NAME", value_delimiter = ',', value_parser = campaign::disk)]
    disks: Vec<&'static Subject>,
    /// Seed of the first disks; the others count on from it
    #[arg(long, default_value_t = 1, value_parser = arguments::seed)]
    seed: u64,
    /// The part of the campaign that is run here, when several machines share it: 1/4 to 4/4; merge the reports
    #[arg(long, value_name = "I/N", default_value = "1/1")]
    shard: Shard,
    /// One execution, as a finding names it, DISK:SEED:NUMBER
    #[arg(long, value_name = "CASE", conflicts_with_all = ["executions", "disks", "seed", "shard"])]
    case: Option<Case>,
    /// A JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let began = Instant::now();
    let (campaign, tally) = match &arguments.case {
        Some(case) => (format!("fuzz --case {case}"), case.alone()),
        None => {
            let disks = campaign::disks(&arguments.disks);
            let all = Job::all(&disks, arguments.seed, arguments.executions);
            let name = format!(
                "fuzz --executions {} --seed {}{}",
                arguments.executions,
                arguments.seed,
                campaign::named(&arguments.disks)
            );
            let tally = campaign::run("executions", all, arguments.shard, arguments.json, Job::run);
            (name, tally)
        }
    };
    let seconds = began.elapsed().as_secs_f64();
    let report = Report::new(campaign, arguments.shard, tally, seconds);
    campaign::tell(&report, arguments.json, out)
}
