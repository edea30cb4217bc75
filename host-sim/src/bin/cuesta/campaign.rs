//! What all campaigns tell at their end.

use std::io::Write;

use cuesta_sim::campaign::report::Report;

use crate::failure::Failure;
use crate::table::Table;

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
        table.print(out)?;
        for finding in &tally.findings {
            writeln!(out, "FAILED  {}\n{}\n", finding.replay, finding.what)?;
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
