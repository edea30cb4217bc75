//! `cuesta bench overload`: codes with more wrong bits than they repair, behind the check of a page.

use std::io::Write;

use cuesta_sim::bench::{overload, repairing_codes, OverloadOptions, OverloadReport, CONFIDENCE};

use super::{objected, OVERLOAD};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::table::Table;

pub fn run(options: &OverloadOptions, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let mut table = Table::new([
        "code",
        "by",
        "wrong bits",
        "patterns",
        "refused",
        "repaired",
        "miscorrected",
        "rate",
        "theory",
        "1/t!",
        "CRC-32C refused",
        "wrong data",
    ]);
    let mut objections = Vec::new();
    let (mut patterns, mut miscorrected, mut wrong_data) = (0, 0, 0);
    for (ecc, variant) in repairing_codes() {
        let what = format!("{OVERLOAD} of {}", ecc.name());
        let mut progress = Progress::new(&what, json);
        let reports = overload(ecc, &variant, options, &mut |done, total| {
            progress.set(done, total);
        });
        drop(progress);
        for report in reports {
            patterns += report.patterns;
            miscorrected += report.miscorrected;
            wrong_data += report.wrong_data;
            objections.extend(report.objection());
            if json {
                serde_json::to_writer(&mut *out, &report)?;
                writeln!(out)?;
                out.flush()?;
            } else {
                table.row(row(&report));
            }
        }
    }
    if !json {
        writeln!(
            out,
            "more wrong bits than t in one codeword of a payload of 2048 bytes, whose header holds its CRC-32C"
        )?;
        table.without_empty_columns().print(out)?;
        writeln!(
            out,
            "theory is exact for garbage, where {:.3} % of all runs lie within what is accepted, and an average over codes else",
            100.0 * CONFIDENCE
        )?;
        writeln!(
            out,
            "{patterns} patterns, {miscorrected} miscorrected, {wrong_data} times wrong data returned; \
             a check of 32 bits that were random would let {:.1e} pass",
            miscorrected as f64 / f64::from(u32::MAX)
        )?;
    }
    match &objections[..] {
        [] => Ok(()),
        [first, more @ ..] => Err(objected(first, more.len(), options.seed)),
    }
}

fn row(report: &OverloadReport) -> Vec<String> {
    let count = |count: u64| match count {
        0 => String::new(),
        _ => count.to_string(),
    };
    vec![
        report.code.to_owned(),
        report.by.to_owned(),
        report.pattern.to_owned(),
        report.patterns.to_string(),
        report.refused.to_string(),
        count(report.repaired),
        report.miscorrected.to_string(),
        format!("{:.3e}", report.miscorrection_rate),
        format!("{:.3e}", report.miscorrection_theory),
        report
            .miscorrection_unshortened
            .map_or_else(String::new, |share| format!("{share:.1e}")),
        report.crc_refused.to_string(),
        report.wrong_data.to_string(),
    ]
}
