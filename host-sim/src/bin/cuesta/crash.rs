//! `cuesta crash`: the power is cut everywhere, and everything must be as it was.

use std::io::Write;
use std::time::Instant;

use cuesta_sim::campaign::crash::{shrink, Case, Job, Part};
use cuesta_sim::campaign::report::{Report, Tally};
use cuesta_sim::campaign::subject::Subject;
use cuesta_sim::Shard;

use crate::failure::Failure;
use crate::progress::Progress;
use crate::{arguments, campaign};

/// What each part does: the end of the help.
const PARTS: &str = "\
Parts:
  cuts       a workload of 120 changes on a disk in the middle of its life, cut once before, during and after every program and erase; during \
them in every way in which a cut can tear them
  second     a workload of 40 changes, cut during every program and erase; and the session that recovers from each of these cuts, cut again \
before, during and after every one
  sequences  every sequence of up to three of: write, overwrite, trim, flush, batch, idle time; on an empty disk and on one in the middle of \
its life; cut as in cuts
  faults     a workload of 24 changes with one fault at every operation that it can hit, for each kind of fault; cut at the moments after it

After each cut the disk is mounted with nothing but its media. Every sector must read as its last durable version, or as a later one that was \
allowed to survive; read the same again, and by another mount; and changes that follow must survive another cut. Nothing asks the engine whether it \
is right, and a referee fails whatever the data sheets forbid.
";

#[derive(Debug, clap::Args)]
#[command(after_help = PARTS)]
pub struct Arguments {
    /// Parts to run: see below; several with commas
    #[arg(long = "part", value_name = "PART", value_delimiter = ',', default_values = ["cuts", "second", "sequences", "faults"])]
    parts: Vec<Part>,
    /// Disks to run them on; several with commas [default: all]
    #[arg(long = "disk", value_name = "NAME", value_delimiter = ',', value_parser = campaign::disk)]
    disks: Vec<&'static Subject>,
    /// Workloads on each disk, each at another age of it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    workloads: u64,
    /// Seed of the first workload; the others count on from it
    #[arg(long, default_value_t = 1, value_parser = arguments::seed)]
    seed: u64,
    /// The part of the campaign that is run here, when several machines share it: 1/4 to 4/4; merge the reports
    #[arg(long, value_name = "I/N", default_value = "1/1")]
    shard: Shard,
    /// One case, as a finding names it, PART:DISK:SEED:...; or all cases that begin so
    #[arg(long, value_name = "CASE", conflicts_with_all = ["parts", "disks", "workloads", "seed", "shard"])]
    case: Option<Case>,
    /// Of the case's workload only these changes, by number; with commas
    #[arg(long, value_name = "N", value_delimiter = ',', requires = "case")]
    keep: Vec<usize>,
    /// Do not look for a shorter workload when a case fails
    #[arg(long)]
    no_shrink: bool,
    /// A JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// What is run, but for the shard.
    fn campaign(&self) -> String {
        let names: Vec<&str> = self.parts.iter().map(|part| part.name()).collect();
        match &self.case {
            Some(case) => format!("crash --case {case}"),
            None => format!(
                "crash --part {} --workloads {} --seed {}{}",
                names.join(","),
                self.workloads,
                self.seed,
                campaign::named(&self.disks)
            ),
        }
    }

    fn tally(&self) -> Tally {
        let keep = (!self.keep.is_empty()).then_some(&self.keep[..]);
        if let Some(Case { job, path }) = &self.case {
            return job.run_with(path, keep);
        }
        let disks = campaign::disks(&self.disks);
        let all = Job::all(&self.parts, &disks, self.seed, self.workloads);
        campaign::run("cuts", all, self.shard, self.json, |job| job.run(&[]))
    }

    /// Adds to the first finding with which changes alone it is found.
    fn shrink(&self, tally: &mut Tally) {
        if self.no_shrink || !self.keep.is_empty() {
            return;
        }
        let Some(first) = tally.findings.first_mut() else {
            return;
        };
        let name = first.replay.rsplit(' ').next().unwrap_or_default();
        let Ok(case) = name.parse::<Case>() else {
            return;
        };
        let mut progress = Progress::new("shorter workloads", self.json);
        if let Some(keep) = shrink(&case, &mut |done, of| progress.set(done, of)) {
            let keep: Vec<String> = keep.iter().map(ToString::to_string).collect();
            let job = case.job.case(&[]);
            first.shorter = Some(format!(
                "cuesta crash --case {job} --keep {}",
                keep.join(",")
            ));
        }
    }
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let began = Instant::now();
    let mut tally = arguments.tally();
    let seconds = began.elapsed().as_secs_f64();
    arguments.shrink(&mut tally);
    let report = Report::new(arguments.campaign(), arguments.shard, tally, seconds);
    campaign::tell(&report, arguments.json, out)
}
