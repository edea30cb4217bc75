//! `cuesta crash`: the power is cut everywhere, and everything must be as it was.

use std::io::Write;
use std::time::Instant;

use cuesta_sim::campaign::crash::{Case, Stage};
use cuesta_sim::campaign::report::{Report, Tally};
use cuesta_sim::campaign::subject::{named, Subject, SUBJECTS};
use cuesta_sim::campaign::{attempt::attempt, jobs};
use cuesta_sim::Shard;

use crate::arguments;
use crate::campaign;
use crate::failure::Failure;
use crate::progress::Progress;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Workloads of each disk, each on a disk of another age
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    workloads: u64,
    /// Seed of the first workload; the others follow
    #[arg(long, default_value_t = 1, value_parser = arguments::seed)]
    seed: u64,
    /// One disk only
    #[arg(long, value_name = "NAME", value_parser = disk)]
    disk: Option<&'static Subject>,
    /// The part of the campaign that is run here, when several machines share it: 1/4 to 4/4
    #[arg(long, value_name = "I/N", default_value = "1/1")]
    shard: Shard,
    /// One case only, DISK:SEED:MOMENT:TEAR as a finding names it
    #[arg(long, value_name = "CASE", value_parser = case, conflicts_with_all = ["workloads", "seed", "disk", "shard"])]
    case: Option<(&'static Subject, u64, Case)>,
    /// A JSON object instead of text
    #[arg(long)]
    json: bool,
}

fn disk(name: &str) -> Result<&'static Subject, String> {
    named(name).ok_or_else(|| {
        let names: Vec<&str> = SUBJECTS.iter().map(|subject| subject.name).collect();
        format!("there is no disk {name}; there are {}", names.join(", "))
    })
}

fn case(text: &str) -> Result<(&'static Subject, u64, Case), String> {
    let parts: Vec<&str> = text.split(':').collect();
    let numbers: Option<Vec<u64>> = parts.iter().skip(1).map(|part| part.parse().ok()).collect();
    match (parts.first(), numbers.as_deref()) {
        (Some(name), Some(&[seed, moment, tear])) => {
            let case = Case {
                moment: moment as usize,
                tear: tear as usize,
            };
            Ok((disk(name)?, seed, case))
        }
        _ => Err("a case is DISK:SEED:MOMENT:TEAR, such as one-die-min:1:40:2".to_owned()),
    }
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let began = Instant::now();
    let tally = match arguments.case {
        Some((subject, seed, case)) => Stage::new(subject, seed).cut_everywhere(Some(case)),
        None => all(arguments),
    };
    let campaign = format!(
        "crash --seed {} --workloads {} --disk {}",
        arguments.seed,
        arguments.workloads,
        arguments.disk.map_or("all", |disk| disk.name)
    );
    let report = Report::new(
        campaign,
        arguments.shard,
        tally,
        began.elapsed().as_secs_f64(),
    );
    campaign::tell(&report, arguments.json, out)
}

fn all(arguments: &Arguments) -> Tally {
    let disks: Vec<&'static Subject> = match arguments.disk {
        Some(disk) => vec![disk],
        None => SUBJECTS.iter().collect(),
    };
    let seeds = (0..arguments.workloads).map(|number| arguments.seed.wrapping_add(number));
    let mine: Vec<(&Subject, u64)> = seeds
        .flat_map(|seed| disks.iter().map(move |&disk| (disk, seed)))
        .enumerate()
        .filter(|&(index, _)| arguments.shard.does(index as u64))
        .map(|(_, job)| job)
        .collect();
    let mut progress = Progress::new("cuts", arguments.json);
    let tallies = jobs::run(
        &mine,
        |&(subject, seed)| match attempt(|| Stage::new(subject, seed)) {
            Ok(stage) => stage.cut_everywhere(None),
            Err(what) => {
                let mut tally = Tally::default();
                tally.find(cuesta_sim::campaign::report::Finding {
                    replay: format!("cuesta crash --disk {} --seed {seed}", subject.name),
                    what,
                });
                tally
            }
        },
        &mut |done, of| progress.set(done, of),
    );
    let mut sum = Tally::default();
    for tally in tallies {
        sum.add(tally);
    }
    sum
}
