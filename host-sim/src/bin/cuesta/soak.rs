//! `cuesta soak`: whole lives of disks.

use std::io::Write;
use std::time::Instant;

use cuesta_sim::campaign::report::Report;
use cuesta_sim::campaign::soak::Life;
use cuesta_sim::campaign::subject::Subject;
use cuesta_sim::Shard;

use crate::failure::Failure;
use crate::{arguments, campaign};

/// What is done: the end of the help.
const WHAT: &str = "\
A disk on blocks that are rated for 60 cycles lives in sessions: it is written, trimmed, flushed, idle, put away for weeks; each second session has a cut at \
a random operation. Bits fade within what the code corrects, then blocks fail, one after the other, until the disk takes no more writes. After each session \
every sector must read as it should; at the end the disk must have said that its life is over, and everything must be readable.
";

#[derive(Debug, clap::Args)]
#[command(after_help = WHAT)]
pub struct Arguments {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 18, value_parser = clap::value_parser!(u64).range(1..))]
    lifetimes: u64,
    /// Disks; several with commas [default: all]
    #[arg(long = "disk", value_name = "NAME", value_delimiter = ',', value_parser = campaign::disk)]
    disks: Vec<&'static Subject>,
    /// Seed of the first lives; the others count on from it
    #[arg(long, default_value_t = 1, value_parser = arguments::seed)]
    seed: u64,
    /// The part of the campaign that is run here, when several machines share it: 1/4 to 4/4; merge the reports
    #[arg(long, value_name = "I/N", default_value = "1/1")]
    shard: Shard,
    /// One life, as a finding names it, DISK:SEED
    #[arg(long, value_name = "LIFE", conflicts_with_all = ["lifetimes", "disks", "seed", "shard"])]
    life: Option<Life>,
    /// A JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let began = Instant::now();
    let (campaign, tally) = match &arguments.life {
        Some(life) => (format!("soak --life {life}"), life.run()),
        None => {
            let disks = campaign::disks(&arguments.disks);
            let all = Life::all(&disks, arguments.seed, arguments.lifetimes);
            let name = format!(
                "soak --lifetimes {} --seed {}{}",
                arguments.lifetimes,
                arguments.seed,
                campaign::named(&arguments.disks)
            );
            let tally = campaign::run("lifetimes", all, arguments.shard, arguments.json, Life::run);
            (name, tally)
        }
    };
    let seconds = began.elapsed().as_secs_f64();
    let report = Report::new(campaign, arguments.shard, tally, seconds);
    campaign::tell(&report, arguments.json, out)
}
