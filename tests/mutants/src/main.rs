//! Puts small mistakes into the engine and counts how many the campaigns find.
//!
//! The mistakes are those of `cargo-mutants`: operators exchanged or left out, guards that always or never hold, functions that return at once. That program builds the
//! engine once for each; here all of them are built in together, and a variable of the environment says which one is made. Functions that are
//! `const`, and what is inside macros, are left as they are.

mod campaign;
mod engine;
mod sites;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use indicatif::{ProgressBar, ProgressIterator, ProgressStyle};

use campaign::{Suite, Verdict};
use engine::Copy;
use sites::Site;

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
    /// Only this one, by its number
    #[arg(long, value_name = "NUMBER")]
    only: Option<u32>,
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

    let suite = Suite::new(&copy)?;
    let mut chosen: Vec<u32> = (0..sites.len() as u32)
        .filter(|number| !refused.contains(number))
        .filter(|&number| arguments.only.is_none_or(|only| only == number))
        .filter(|&number| sites[number as usize].file.starts_with(&arguments.file))
        .collect();
    println!("{} mistakes", chosen.len());
    if let Some(sample) = arguments.sample {
        shuffle(&mut chosen, arguments.seed);
        chosen.truncate(sample);
        chosen.sort_unstable();
    }
    let (mut found, mut missed, mut unreached) = (0, 0, 0);
    let style = ProgressStyle::with_template("{elapsed} {wide_bar} {pos}/{len} {eta}")
        .map_err(|error| error.to_string())?;
    let bar = ProgressBar::new(chosen.len() as u64).with_style(style);
    for &number in chosen.iter().progress_with(bar.clone()) {
        let site = &sites[number as usize];
        let word = match suite.judge(number)? {
            Verdict::Found => {
                found += 1;
                continue;
            }
            Verdict::Missed => {
                missed += 1;
                "missed"
            }
            Verdict::Unreached => {
                unreached += 1;
                "not reached"
            }
        };
        bar.suspend(|| println!("{word}: {number}: {site}"));
    }
    let all = found + missed + unreached;
    println!(
        "{found} of {all} found ({:.1} %), {missed} missed, {unreached} not reached",
        f64::from(found) * 100.0 / f64::from(all.max(1))
    );
    Ok(())
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
