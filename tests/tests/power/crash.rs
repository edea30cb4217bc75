//! Workloads that are cut at every program and erase, in every phase and with every kind of tear, and cases that failed once.
//!
//! These are samples of what `cuesta crash` does on more disks, with more workloads. A case that fails prints the command that runs it again.

use cuesta_sim::campaign::crash::{Case, Job, Part};
use cuesta_sim::campaign::fuzz;
use cuesta_sim::campaign::report::Tally;
use cuesta_sim::campaign::soak::Life;
use cuesta_sim::campaign::subject::named;

fn job(part: Part, disk: &str, seed: u64) -> Job {
    Job {
        part,
        subject: named(disk).expect("a disk of the campaigns"),
        seed,
    }
}

/// Nothing failed, and there were as many cases.
fn judge(tally: &Tally, cases_min: u64) {
    assert!(tally.findings.is_empty(), "{:#?}", tally.findings);
    assert!(tally.cases >= cases_min, "{} cases", tally.cases);
}

macro_rules! everywhere {
    ($($name:ident: $part:ident $disk:literal $seed:literal, $cases_min:literal;)*) => {
        $(
        #[test]
        fn $name() {
            judge(&job(Part::$part, $disk, $seed).run(&[]), $cases_min);
        }
        )*
    };
}

everywhere! {
    one_die_with_little_memory: Cuts "one-die-min" 1, 1500;
    one_die_with_a_full_index: Cuts "one-die-full" 2, 1500;
    two_dies_with_little_memory: Cuts "two-dies-min" 1, 1500;
    four_dies: Cuts "four-dies-full" 1, 1500;
    segments_two_blocks_wide: Cuts "two-wide-min" 1, 1500;
    parity_over_three_of_four_dies: Cuts "four-dies-parity" 1, 1500;
    a_part_with_its_own_ecc: Cuts "chip-ecc" 1, 1500;
    a_second_cut_in_recovery: Second "one-die-min" 1, 3000;
    a_fault_and_a_cut: Faults "one-die-min" 1, 3000;
}

#[test]
fn cases_that_failed_once() {
    for case in [
        // A record page that was programmed anew after a failure named its own segment: free, for a mount.
        "faults:one-die-min:1:0:18:76",
        // A page of a victim read as erased once, and was given up.
        "faults:one-die-min:1:8",
        // A record page that was programmed anew hid what had been programmed meanwhile.
        "faults:two-dies-min:1:0:36:141",
        // One read that went wrong: a suspect page was given up; a journal page could not be read.
        "faults:two-dies-min:3:7",
        "faults:chip-ecc:1:7",
        // A program failed while a suspect page was copied: there was no room for it, or it was not copied at all.
        "faults:multi-min:1:0:2",
    ] {
        let Case { job, path } = case.parse().expect("a case");
        judge(&job.run(&path), 1);
    }
}

#[test]
fn tampered_media_that_failed_once() {
    for case in [
        // A record page was missing in the middle of the journal: segments that it had opened were taken for free.
        "chip-ecc:114:493",
        // A header that said its stripe ends behind its segment.
        "two-dies-min:1:707",
    ] {
        let case: fuzz::Case = case.parse().expect("a case");
        judge(&case.alone(), 1);
    }
}

#[test]
fn a_disk_lives_until_it_is_read_only() {
    for life in ["one-die-min:1", "four-dies-long:6"] {
        let life: Life = life.parse().expect("a life");
        judge(&life.run(), 1);
    }
}
