//! `cuesta bench strength`: how often codewords cannot be repaired, beside what the binomial distribution says.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use cuesta_sim::bench::{
    measure_strength, repairing_codes, strength_plot, StrengthOptions, StrengthReport, CONFIDENCE,
};

use super::{objected, STRENGTH};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::table::Table;

pub fn run(
    options: &StrengthOptions,
    svg: Option<&Path>,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let codes: Vec<_> = repairing_codes()
        .into_iter()
        .map(|(_, code)| code)
        .collect();
    if let Some(path) = svg {
        // What cannot be written is told now and not in two minutes; a plot that is there stays until there is another.
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.map_err(|error| Failure::of(path, error))?;
    }
    let mut points = Vec::new();
    let mut written = Ok(());
    let mut progress = Progress::new(STRENGTH, json);
    measure_strength(
        &codes,
        options,
        &mut |point| {
            if json && written.is_ok() {
                written = print_json(&point, out);
            }
            points.push(point);
        },
        &mut |done, total| progress.set(done, total),
    );
    drop(progress);
    written?;
    if let Some(path) = svg {
        fs::write(path, strength_plot(&points)).map_err(|error| Failure::of(path, error))?;
    }
    if !json {
        print(&points, options, out)?;
    }
    let mut objections = points.iter().filter_map(StrengthReport::objection);
    match objections.next() {
        None => Ok(()),
        Some(first) => Err(objected(&first, objections.count(), options.seed)),
    }
}

fn print_json(point: &StrengthReport, out: &mut dyn Write) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, point)?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}

fn print(
    points: &[StrengthReport],
    options: &StrengthOptions,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    writeln!(
        out,
        "{} codewords a point, each decoded by the fastest means of this machine; wrong bits in data and parity",
        options.words
    )?;
    writeln!(
        out,
        "failures must lie between low and high, which {:.3} % of all runs do at a point if P[X > t] is right",
        100.0 * CONFIDENCE
    )?;
    writeln!(
        out,
        "from: words with fewer wrong bits are not drawn and their share is computed; that they are repaired is tried besides"
    )?;
    let mut table = Table::new([
        "code", "by", "bits", "t", "raw rate", "from", "failures", "expected", "low", "high",
        "measured", "P[X > t]", "",
    ]);
    for point in points {
        table.row(row(point));
    }
    table.without_empty_columns().print(out)?;
    Ok(())
}

fn row(point: &StrengthReport) -> Vec<String> {
    vec![
        point.code.to_owned(),
        point.by.to_owned(),
        point.codeword_bits.to_string(),
        point.strength.to_string(),
        format!("{:.2e}", point.raw_bit_error_rate),
        point.wrong_bits_min.to_string(),
        point.failures.to_string(),
        format!("{:.1}", point.failures_expected),
        point.failures_low.to_string(),
        point.failures_high.to_string(),
        format!("{:.3e}", point.measured),
        format!("{:.3e}", point.predicted),
        match point.objection() {
            Some(_) => "DIFFERS".to_owned(),
            None => String::new(),
        },
    ]
}
