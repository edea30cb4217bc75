//! One trace through every door: each leaves the same disk.

mod c;
mod remote;
mod requests;
mod within;

use cuesta_tests::foreign::doors::{Blocks, Card, Storage, StorageAsync};
use cuesta_tests::tools;

use requests::State;

/// The part of all of them.
const CHIP: &str = "tiny";
/// Sectors that traces use: the program keeps some of the part for itself.
const SECTORS: u32 = 128;
/// Memory of all of them.
const BUDGET: cuesta::volume::Budget = cuesta::volume::Budget::Full;

fn hold_alike(doors: &[(&str, State)], wanted: &State) {
    for (door, state) in doors {
        assert!(state.len() >= wanted.len(), "{door}");
        let wanted = wanted.iter().chain(std::iter::repeat(&None));
        let other = state.iter().zip(wanted).position(|(one, two)| one != two);
        assert_eq!(other, None, "{door}: the first sector that differs");
    }
}

#[test]
fn m1_the_same_trace_through_each_door_leaves_the_same_state() {
    for seed in 1..=3 {
        let trace = requests::writes(seed, SECTORS, 600);
        let wanted = requests::outcome(&trace, SECTORS);
        let mut doors = vec![
            ("submitted and polled", within::polled(&trace)),
            ("blocking", within::blocking(&trace)),
            ("bytes", within::buffered::<Storage>(&trace)),
            ("bytes, async", within::buffered::<StorageAsync>(&trace)),
            ("blocks", within::buffered::<Blocks>(&trace)),
            ("a card", within::buffered::<Card>(&trace)),
            ("NBD", remote::served(&trace)),
        ];
        if !tools::are_missing("the door for C", &["gcc"]) {
            doors.push(("C", c::run(&trace)));
        }
        hold_alike(&doors, &wanted);
    }
}

#[test]
fn m1_trims_batches_and_cuts_leave_the_same_through_the_doors_that_know_them() {
    for seed in 1..=3 {
        let trace = requests::mixture(seed, SECTORS, 600);
        let wanted = requests::outcome(&trace, SECTORS);
        let mut doors = vec![
            ("submitted and polled", within::polled(&trace)),
            ("blocking", within::blocking(&trace)),
        ];
        if !tools::are_missing("the door for C", &["gcc"]) {
            doors.push(("C", c::run(&trace)));
        }
        hold_alike(&doors, &wanted);
    }
}
