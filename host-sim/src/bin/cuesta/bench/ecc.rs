//! `cuesta bench ecc`: how fast the codes are on this machine.

use std::io::Write;

use cuesta::codec::Ecc;
use cuesta_sim::bench::{ecc_variants, measure_ecc, EccReport};

use crate::failure::Failure;
use crate::progress::Progress;
use crate::table::Table;

/// Measures every code by every means.
pub fn run(json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let variants: Vec<_> = Ecc::ALL.into_iter().flat_map(ecc_variants).collect();
    let mut table = Table::new([
        "code", "by", "tables", "encode", "clean", "1 wrong", "2", "t/2", "t",
    ]);
    let mut progress = Progress::new("ecc", json);
    for (done, variant) in (0..).zip(&variants) {
        progress.set(done, variants.len() as u64);
        let report = measure_ecc(variant).ok_or_else(|| {
            let (code, by) = (variant.code.name(), variant.by);
            Failure::new(format!("{code} by {by} does not repair what it should"))
        })?;
        if json {
            serde_json::to_writer(&mut *out, &report)?;
            writeln!(out)?;
            out.flush()?;
        } else {
            table.row(row(&report));
        }
    }
    drop(progress);
    if !json {
        writeln!(
            out,
            "payload in MB/s, the best of many rounds; by the clock of this machine"
        )?;
        table.print(out)?;
    }
    Ok(())
}

fn row(report: &EccReport) -> Vec<String> {
    let rate = |rate: Option<f64>| {
        rate.map_or_else(String::new, |rate| {
            let digits = if rate < 10.0 { 2 } else { 0 };
            format!("{rate:.digits$}")
        })
    };
    vec![
        report.code.to_owned(),
        report.by.to_owned(),
        report
            .table_bytes
            .map_or_else(String::new, |bytes| bytes.to_string()),
        rate(Some(report.encode_mb_s)),
        rate(Some(report.clean_mb_s)),
        rate(report.one_mb_s),
        rate(report.two_mb_s),
        rate(report.half_mb_s),
        rate(report.full_mb_s),
    ]
}
