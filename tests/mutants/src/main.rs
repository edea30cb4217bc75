//! Puts small mistakes into the engine and counts how many the campaigns and the tests find.
//!
//! The mistakes are those of `cargo-mutants`: operators exchanged or left out, guards that always or never hold, functions that return at once. That program builds the
//! engine once for each; here all of them are built in together, and a variable of the environment says which one is made. Functions that are
//! `const`, and what is inside macros, are left as they are.

mod engine;
mod sites;
mod suite;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use engine::Copy;
use sites::Site;
use suite::{Suite, Verdict};

/// The files of log, index, recovery and groomer.
const FILES: [&str; 40] = [
    "anchor.rs",
    "anchor_page.rs",
    "anchor_scan.rs",
    "append_point.rs",
    "checkpoint.rs",
    "control.rs",
    "copied_checkpoint.rs",
    "copies.rs",
    "data_parity.rs",
    "delta.rs",
    "groom.rs",
    "index.rs",
    "job.rs",
    "journal.rs",
    "journal_write.rs",
    "map_page.rs",
    "merge.rs",
    "mount/anchors.rs",
    "mount/data.rs",
    "mount/full_scan.rs",
    "mount/gaps.rs",
    "mount/journal.rs",
    "mount/mod.rs",
    "mount/parity.rs",
    "parity.rs",
    "patrol.rs",
    "read.rs",
    "rebuild.rs",
    "recover.rs",
    "refresh.rs",
    "ring.rs",
    "segment_table.rs",
    "settle.rs",
    "stage.rs",
    "stream.rs",
    "stripe.rs",
    "victim.rs",
    "wire.rs",
    "write.rs",
    "bits.rs",
];

/// Put small mistakes into the engine, one at a time, and count how many are found
#[derive(Debug, Parser)]
struct Arguments {
    /// Work in this directory, and keep what was built there for the next time
    #[arg(long, value_name = "DIRECTORY")]
    scratch: PathBuf,
    /// Only files of the volume whose names begin so
    #[arg(long, value_name = "PREFIX", default_value = "")]
    file: String,
    /// So many of the mistakes, chosen by the seed [default: all]
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// What the choice follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many at a time
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: usize,
    /// Without campaigns and modules of tests that take longer than this even if nothing is wrong
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    longest: u64,
    /// Only these, by their numbers
    #[arg(long, value_name = "NUMBER", value_delimiter = ',')]
    only: Vec<u32>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let copy = Copy::new(&arguments.scratch)?;
    let mut sites = Vec::new();
    for file in FILES {
        sites.extend(sites::find(&copy.source(file)?, file)?);
    }
    let mut refused = BTreeSet::new();
    // What the compiler does not take, for types that have no such operator, is left out.
    loop {
        copy.write(&sites, &refused)?;
        let more = copy.build()?;
        if more.is_empty() {
            break;
        }
        let before = refused.len();
        for (file, line) in more {
            let there = |site: &&Site| site.file == file && site.line == line;
            refused.extend(sites.iter().filter(there).map(|site| site.number(&sites)));
        }
        if refused.len() == before {
            return Err("the engine with the mistakes cannot be built".to_owned());
        }
        eprintln!("{} mistakes are none to the compiler", refused.len());
    }

    let suite = Suite::new(&copy, Duration::from_secs(arguments.longest))?;
    let mut chosen: Vec<u32> = (0..sites.len() as u32)
        .filter(|number| !refused.contains(number))
        .filter(|number| arguments.only.is_empty() || arguments.only.contains(number))
        .filter(|&number| sites[number as usize].file.starts_with(&arguments.file))
        .collect();
    println!("{} mistakes", chosen.len());
    if let Some(sample) = arguments.sample {
        shuffle(&mut chosen, arguments.seed);
        chosen.truncate(sample);
        chosen.sort_unstable();
    }
    let verdicts = judge(&suite, &sites, &chosen, arguments.jobs)?;
    let count = |which| verdicts.iter().filter(|&&verdict| verdict == which).count();
    let (found, all) = (count(Verdict::Found), verdicts.len());
    println!(
        "{found} of {all} found ({:.1} %), {} missed, {} not reached",
        found as f64 * 100.0 / all.max(1) as f64,
        count(Verdict::Missed),
        count(Verdict::Unreached)
    );
    Ok(())
}

/// Judges the mistakes, so many at a time, and prints those that are not found.
fn judge(
    suite: &Suite,
    sites: &[Site],
    chosen: &[u32],
    jobs: usize,
) -> Result<Vec<Verdict>, String> {
    let style = ProgressStyle::with_template("{elapsed} {wide_bar} {pos}/{len} {eta}")
        .map_err(|error| error.to_string())?;
    let bar = ProgressBar::new(chosen.len() as u64).with_style(style);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut verdicts = Vec::new();
        while let Some(&number) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
            let verdict = suite.judge(number)?;
            let word = match verdict {
                Verdict::Found => None,
                Verdict::Missed => Some("missed"),
                Verdict::Unreached => Some("not reached"),
            };
            if let Some(word) = word {
                bar.suspend(|| println!("{word}: {number}: {}", sites[number as usize]));
            }
            verdicts.push(verdict);
            bar.inc(1);
        }
        Ok::<_, String>(verdicts)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        let mut verdicts = Vec::new();
        for worker in workers {
            verdicts.extend(
                worker
                    .join()
                    .map_err(|_| "a thread panicked".to_owned())??,
            );
        }
        Ok(verdicts)
    })
}

/// Fisher and Yates, with a xorshift.
fn shuffle(numbers: &mut [u32], seed: u64) {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    for last in (1..numbers.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        numbers.swap(last, (state % (last as u64 + 1)) as usize);
    }
}
