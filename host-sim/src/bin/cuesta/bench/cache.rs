//! `cuesta bench cache`: hit ratios beside other rules of replacement, and what temporary files cost a primary.

use std::io::Write;

use cuesta::cache::Replacement;
use cuesta_sim::bench::{run_cache, run_temporary, Trace};

use crate::failure::Failure;
use crate::progress::Progress;
use crate::table::{print_facts, Table};

/// Pages of the cache.
const PAGES: u32 = 4096;
/// Requests of a trace.
const REQUESTS: usize = 1_000_000;

pub fn run(seed: u64, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let mut table = Table::new([
        "trace", "cuesta", "clock2", "lru", "clock", "arc", "s3-fifo", "kept out",
    ]);
    let mut progress = Progress::new(super::CACHE, json);
    let total = Trace::ALL.len() as u64;
    let mut tag_bytes = 0.0;
    for (done, trace) in (0..).zip(Trace::ALL) {
        progress.set(done, total);
        let report = run_cache(trace, PAGES, REQUESTS, seed, Replacement::default());
        let plain = run_cache(trace, PAGES, REQUESTS, seed, Replacement::CLOCK);
        tag_bytes = report.tag_bytes;
        if json {
            serde_json::to_writer(&mut *out, &report)?;
            writeln!(out)?;
            continue;
        }
        let mut row = vec![
            report.trace.to_owned(),
            format!("{:.2}", report.hits_percent),
            format!("{:.2}", plain.hits_percent),
        ];
        row.extend(report.others.iter().map(|(_, hits)| format!("{hits:.2}")));
        row.push(report.not_admitted.to_string());
        table.row(row);
    }
    let temporary = run_temporary(PAGES, REQUESTS as u64, seed);
    drop(progress);
    if json {
        serde_json::to_writer(&mut *out, &temporary)?;
        writeln!(out)?;
        return Ok(());
    }
    writeln!(
        out,
        "of a hundred requests, those that find their page; {PAGES} pages, {REQUESTS} requests; clock2: the same code as a plain clock"
    )?;
    table.print(out)?;
    writeln!(out)?;
    print_facts(
        out,
        &[
            ("bytes of RAM for a tag", format!("{tag_bytes:.1}")),
            ("permanent writes", temporary.permanent.to_string()),
            ("temporary writes", temporary.temporary.to_string()),
            (
                "writes of the primary",
                temporary.primary_writes.to_string(),
            ),
        ],
    )?;
    Ok(())
}
