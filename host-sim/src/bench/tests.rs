use cuesta::codec::Ecc;

use super::*;
use crate::chips::chip;

fn options(name: &str, utilization: f64, budget: Budget) -> Options {
    Options {
        chip: chip(name).expect("a chip of the table"),
        level: None,
        utilization,
        budget,
        sync_every: None,
        choice: Choice::default(),
    }
}

fn figures(workload: Workload, options: &Options) -> Report {
    run(workload, options, &mut |_, _| {}).expect("figures")
}

#[test]
fn every_workload_runs_on_a_small_part_and_its_programs_add_up() {
    let options = options("tiny", 0.2, Budget::Full);
    for workload in Workload::ALL {
        let report = figures(workload, &options);
        let parts = report.programs_user
            + report.programs_groom
            + report.programs_map
            + report.programs_meta
            + report.programs_padding;
        assert_eq!(parts, report.programs, "{workload}");
        assert!(report.wa.is_none_or(|wa| wa >= 1.0), "{workload}");
        assert_eq!(
            report.mount_us.is_some(),
            report.wa.is_none() && report.reads_per_read.is_none()
        );
    }
}

#[test]
fn virtual_time_on_one_die_is_the_sum_of_what_was_done() {
    let report = figures(Workload::Uniform, &options("tiny", 0.2, Budget::Full));
    let commands = report.reads + report.programs + report.erases;
    let sum = 60.0 * report.reads as f64
        + 250.0 * report.programs as f64
        + 2000.0 * report.erases as f64
        + commands as f64
        + (report.bytes_in + report.bytes_out) as f64 / 52.0;
    // The last operation may still be in flight.
    assert!(
        (sum - report.virtual_us).abs() <= 2001.0,
        "{sum} and {}",
        report.virtual_us
    );
}

#[test]
fn a_workload_runs_at_any_level_and_pays_for_its_copies_and_its_parity() {
    let mut four = *chip("tiny4").expect("a chip of the table");
    four.geometry.blocks_per_die = 48;
    let four: &'static Chip = Box::leak(Box::new(four));
    let at = |level: &str| {
        let options = Options {
            chip: four,
            level: Some(Level::parse_unnamed(level, Ecc::Bch4).expect("a level")),
            ..options("tiny4", 0.2, Budget::Full)
        };
        let report = figures(Workload::Sync, &options);
        let bound = bound(Workload::Sync, &options).expect("a volume");
        let data = report.programs_user + report.programs_groom + report.programs_padding;
        (
            data as f64 / report.host_writes as f64,
            bound.expect("writes"),
        )
    };
    let (single, least) = at("crc");
    let (mirrored, least_mirrored) = at("mirror=2");
    let (parity, _) = at("parity=3");
    assert!(
        (2.0 * single..4.0 * single).contains(&mirrored),
        "{single} {mirrored}"
    );
    // One at a time, each sector has a parity page of its own.
    assert!(parity >= 2.0, "{parity}");
    assert!(least_mirrored >= 2.0 * least, "{least} {least_mirrored}");
}

#[test]
fn no_write_takes_longer_or_relocates_more_than_the_engine_computes() {
    use Workload::{HotCold, Shift, Uniform, Zipf};
    for (blocks, utilization, workloads) in [
        (128, 0.60, [(Uniform, 1), (Shift, 2)]),
        (256, 0.75, [(Zipf, 3), (HotCold, 4)]),
    ] {
        let mut small = *chip("w25n01gv").expect("a chip of the table");
        small.geometry.blocks_per_die = blocks;
        small.geometry.bad_blocks_max_per_die = 20 * blocks / 1024;
        let small: &'static Chip = Box::leak(Box::new(small));
        for (workload, seed) in workloads {
            let report = figures(
                workload,
                &Options {
                    chip: small,
                    choice: Choice {
                        seed: Some(seed),
                        ..Choice::default()
                    },
                    ..options("w25n01gv", utilization, Budget::Full)
                },
            );
            let what = format!("{workload}, {blocks} blocks, seed {seed}");
            assert!(report.programs_groom > 0, "{what}: nothing was groomed");
            assert!(report.op_us_max <= report.op_us_bound, "{what}: {report:?}");
            assert!(
                report.groom_pages_per_write_max <= report.groom_pages_per_write_bound,
                "{what}: {report:?}"
            );
        }
    }
}

#[test]
fn a_run_is_the_same_every_time_and_another_seed_is_another_run() {
    let options = options("tiny", 0.2, Budget::Full);
    let once = figures(Workload::Zipf, &options);
    assert_eq!(once, figures(Workload::Zipf, &options));
    let other = figures(
        Workload::Zipf,
        &Options {
            choice: Choice {
                seed: Some(3),
                ..options.choice
            },
            ..options
        },
    );
    assert_ne!(once.virtual_us, other.virtual_us);
}

#[test]
fn too_high_a_utilization_is_refused_with_the_highest_that_works() {
    let asked = options("w25n01gv", 0.99, Budget::Full);
    let Err(BenchError::Utilization { most, .. }) = run(Workload::SeqFill, &asked, &mut |_, _| {})
    else {
        panic!("99 % of the raw pages were accepted");
    };
    assert!(most >= 0.90, "{most}");
}

#[test]
fn a_budget_below_the_minimum_is_refused_with_the_minimum() {
    let asked = options("w25n01gv", 0.7, Budget::Bytes(1000));
    let error = run(Workload::SeqFill, &asked, &mut |_, _| {}).expect_err("1000 bytes are too few");
    assert!(error
        .to_string()
        .starts_with("1000 bytes of RAM are too few, this part needs at least "));
}

#[test]
fn references_write_less_than_the_engine_and_reads_have_none() {
    let options = options("tiny", 0.25, Budget::Full);
    let engine = figures(Workload::Uniform, &options).wa.expect("writes");
    for scheme in Scheme::ALL {
        let found = reference_wa(Workload::Uniform, &options, scheme)
            .expect("a volume")
            .expect("writes");
        assert!(
            (1.0..engine).contains(&found),
            "{}: {found} and {engine}",
            scheme.name()
        );
    }
    let none = reference_wa(Workload::RandRead, &options, Scheme::Dac);
    assert_eq!(none, Ok(None));
}
