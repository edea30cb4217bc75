//! `cuesta bench WORKLOAD` and `--all`: the workloads, on as many threads as there are.

use std::io::Write;

use cuesta_sim::bench::{bound, run_cases, Case, Options, Outcome, Report};
use cuesta_sim::reference::Scheme;
use cuesta_sim::workload::Workload;
use cuesta_sim::Chip;

use super::{queue, Arguments};
use crate::arguments;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::table::Table;

/// The chip where none is asked for.
const CHIP: &str = "w25n01gv";

/// Runs one workload.
pub fn run(arguments: &Arguments, workload: Workload, out: &mut dyn Write) -> Result<(), Failure> {
    let cases = asked(arguments, &[workload])?;
    print(arguments, workload.name(), &cases, out)
}

/// Runs all of them: at what is asked for, or else the whole matrix and the queue.
pub fn run_all(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let cases = if arguments.chooses() {
        asked(arguments, &Workload::ALL)?
    } else {
        let mut cases = Case::matrix(arguments.chip_or(CHIP)?);
        cases.push(Case::Queue(queue::default_options(arguments)?));
        cases
    };
    print(arguments, "all workloads", &cases, out)
}

/// Every workload at every combination that was asked for.
fn asked(arguments: &Arguments, workloads: &[Workload]) -> Result<Vec<Case>, Failure> {
    let chip = arguments.chip_or(CHIP)?;
    let level = arguments.level_on(chip)?;
    let combinations = arguments.combinations(arguments::UTILIZATION);
    Ok(workloads
        .iter()
        .flat_map(|&workload| {
            combinations.iter().map(move |&(utilization, budget)| {
                let options = Options {
                    chip,
                    level,
                    utilization,
                    budget,
                    sync_every: arguments.sync_every,
                    choice: arguments.choice(),
                };
                Case::Workload(workload, options)
            })
        })
        .collect())
}

fn print(
    arguments: &Arguments,
    what: &str,
    cases: &[Case],
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut progress = Progress::new(what, arguments.json);
    let outcomes = run_cases(cases, &arguments.reference, &mut |done, total| {
        progress.set(done, total);
    })?;
    drop(progress);
    if arguments.json {
        for outcome in &outcomes {
            serde_json::to_writer(&mut *out, outcome)?;
            writeln!(out)?;
        }
        return Ok(());
    }
    let mut table = table();
    for (case, outcome) in cases.iter().zip(&outcomes) {
        if let (Case::Workload(workload, options), Outcome::Workload(report)) = (case, outcome) {
            table.row(row(report, bound(*workload, options)?));
        }
    }
    let chip: &Chip = arguments.chip_or(CHIP)?;
    writeln!(out, "{}: {}", chip.name, chip.description)?;
    table.without_empty_columns().print(out)?;
    for (case, outcome) in cases.iter().zip(&outcomes) {
        if let (Case::Queue(options), Outcome::Queue(report)) = (case, outcome) {
            writeln!(out)?;
            queue::print(options.chip, report, out)?;
        }
    }
    Ok(())
}

fn table() -> Table {
    Table::new([
        "workload",
        "u",
        "RAM",
        "bytes",
        "WA",
        "bound",
        "single",
        "dac",
        "lifetime",
        "life-estimate",
        "probation",
        "user",
        "groom",
        "map",
        "meta",
        "pad",
        "erases",
        "reads/read",
        "MB/s",
        "mean µs",
        "p99 µs",
        "max µs",
        "at most",
        "moves max",
        "at most",
        "mount µs",
        "mount reads",
        "wear",
        "spread",
        "leveling",
    ])
}
fn row(report: &Report, bound: Option<f64>) -> Vec<String> {
    let per_write = |pages: u64| match report.wa {
        Some(_) => format!("{:.3}", pages as f64 / report.host_writes as f64),
        None => String::new(),
    };
    let figure = |value: Option<f64>, digits: usize| {
        value.map_or_else(String::new, |value| format!("{value:.digits$}"))
    };
    let count = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    let mut row = vec![
        report.workload.to_owned(),
        format!("{:.2}", report.utilization),
        report.ram_budget.clone(),
        report.ram_bytes.to_string(),
        figure(report.wa, 3),
        figure(bound, 2),
    ];
    row.extend(Scheme::ALL.map(|scheme| {
        let wa = report.reference_wa.get(scheme.name());
        figure(wa.copied(), 2)
    }));
    row.extend([
        per_write(report.programs_user),
        per_write(report.programs_groom),
        per_write(report.programs_map),
        per_write(report.programs_meta),
        per_write(report.programs_padding),
        report.erases.to_string(),
        figure(report.reads_per_read, 3),
        figure(report.mb_s, 2),
        figure(report.op_us_mean, 0),
        figure(report.op_us_p99, 0),
        figure(report.op_us_max, 0),
        figure(report.op_us_bound, 0),
        count(report.groom_pages_per_write_max),
        count(report.groom_pages_per_write_bound),
        figure(report.mount_us, 0),
        count(report.mount_reads),
        format!("{}..{}", report.wear_min, report.wear_max),
        count(report.wear_spread.map(u64::from)),
        match report.programs_leveling {
            0 => String::new(),
            pages => per_write(pages),
        },
    ]);
    row
}
