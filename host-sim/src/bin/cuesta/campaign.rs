//! What all campaigns have in common: their disks, their jobs, what they tell at the end.

use std::io::Write;

use cuesta_sim::campaign::jobs;
use cuesta_sim::campaign::report::{Report, Tally};
use cuesta_sim::campaign::subject::{self, Subject, SUBJECTS};
use cuesta_sim::Shard;

use crate::failure::Failure;
use crate::progress::Progress;
use crate::table::Table;

/// Parses `--disk`.
pub fn disk(name: &str) -> Result<&'static Subject, String> {
    subject::named(name).ok_or_else(|| {
        let names: Vec<&str> = SUBJECTS.iter().map(|subject| subject.name).collect();
        format!("there is no disk {name}; there are {}", names.join(", "))
    })
}

/// The disks asked for, or all.
pub fn disks(asked: &[&'static Subject]) -> Vec<&'static Subject> {
    if asked.is_empty() {
        SUBJECTS.iter().collect()
    } else {
        asked.to_vec()
    }
}

/// The option that asks for these disks.
pub fn named(asked: &[&'static Subject]) -> String {
    if asked.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = asked.iter().map(|disk| disk.name).collect();
    format!(" --disk {}", names.join(","))
}

/// Runs the jobs of a shard on all cores.
pub fn run<J: Sync>(
    what: &str,
    all: Vec<J>,
    shard: Shard,
    quiet: bool,
    work: impl Fn(&J) -> Tally + Sync,
) -> Tally {
    let numbered = (0..).zip(all);
    let mine: Vec<J> = numbered
        .filter(|&(number, _)| shard.does(number))
        .map(|(_, job)| job)
        .collect();
    let mut progress = Progress::new(what, quiet);
    let tallies = jobs::run(&mine, work, &mut |done, of| progress.set(done, of));
    let mut sum = Tally::default();
    tallies.into_iter().for_each(|tally| sum.add(tally));
    sum
}

/// Prints a report. It is a failure when something was found.
pub fn tell(report: &Report, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let tally = &report.tally;
    if json {
        serde_json::to_writer(&mut *out, report)?;
        writeln!(out)?;
    } else {
        let mut table = Table::new(["kind", "cases"]);
        for (kind, cases) in &tally.kinds {
            table.row(vec![kind.clone(), cases.to_string()]);
        }
        for (kind, times) in &tally.notes {
            table.row(vec![format!("  {kind}"), times.to_string()]);
        }
        table.print(out)?;
        for finding in &tally.findings {
            writeln!(out, "FAILED  {}", finding.replay)?;
            if let Some(shorter) = &finding.shorter {
                writeln!(out, "shorter {shorter}")?;
            }
            writeln!(out, "{}\n", finding.what)?;
        }
        writeln!(
            out,
            "{} cases, {} failed; {:.1} million flash operations refereed; {:.1} s, {:.0} cases a second",
            tally.cases,
            tally.failed,
            tally.operations as f64 / 1e6,
            report.seconds,
            tally.cases as f64 / report.seconds
        )?;
        let missing = report.missing();
        if !missing.is_empty() {
            let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
            writeln!(out, "not in it: shard {}", missing.join(", "))?;
        }
    }
    out.flush()?;
    match tally.findings.first() {
        None => Ok(()),
        Some(first) => Err(Failure::new(format!(
            "{} of {} cases failed; the first again: {}",
            tally.failed, tally.cases, first.replay
        ))),
    }
}
