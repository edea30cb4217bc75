//! Parts that are slow, stuck, or reset behind the driver's back.

use crate::bench::{at, bus, content, erase, main_of, open, program, read, serial_chips, PAGES};
use cuesta_hal::spi_nand::{register, SpiNandError, SpiNandOptions};
use cuesta_hal::{Buffer, Columns, Completion, Die, Nand, NandError, NandErrorKind};
use cuesta_sim::spi_chip::{Breach, ControllerFault};
use cuesta_sim::{Fault, Trigger};

type Operation = fn(&mut crate::bench::Driver<'_>) -> Result<Completion, crate::bench::DriverError>;

/// Each on a page of its own, that was programmed or not as it needs.
const OPERATIONS: [(&str, Operation); 3] = [
    ("read", |nand| read(nand, at(2, 0))),
    ("program", |nand| program(nand, at(2, 1))),
    ("erase", |nand| erase(nand, 3)),
];

/// A part of every kind, with a page programmed; what `then` does is one operation with a fault laid for it.
fn with_fault(
    fault: ControllerFault,
    mut then: impl FnMut(&crate::bench::Bus, &mut crate::bench::Driver<'_>, Operation, &str),
) {
    for (chip, row) in serial_chips() {
        for chip_ecc in [false, true] {
            for (name, operation) in OPERATIONS {
                let bus = bus(chip.name);
                let mut memory = PAGES;
                let options = SpiNandOptions {
                    chip_ecc,
                    ..SpiNandOptions::default()
                };
                let mut nand = open(&bus, &options, &mut memory).expect(row.name);
                assert_eq!(program(&mut nand, at(2, 0)), Ok(Completion::Programmed));
                bus.with_chip(|chip| chip.fault(0, fault));
                let what = format!("{name} on {}, own ECC {chip_ecc}", row.name);
                then(&bus, &mut nand, operation, &what);
            }
        }
    }
}

fn assert_works(nand: &mut crate::bench::Driver<'_>, what: &str) {
    assert_eq!(erase(nand, 7), Ok(Completion::Erased), "{what}");
    assert_eq!(
        program(nand, at(7, 0)),
        Ok(Completion::Programmed),
        "{what}"
    );
    let ended = read(nand, at(7, 0));
    assert!(
        matches!(ended, Ok(Completion::Read(_))),
        "{what}: {ended:?}"
    );
    let expected = content(nand, at(7, 0));
    assert_eq!(main_of(nand), &expected[..2048], "{what}");
}

#[test]
fn a_part_that_is_busy_too_long_times_out_and_is_reset() {
    with_fault(
        ControllerFault::BusyUntilReset,
        |bus, nand, operation, what| {
            let before = bus.with_chip(|chip| chip.nand().now_ns());
            let ended = operation(nand);
            assert_eq!(ended, Err(SpiNandError::Timeout), "{what}");
            let waited = bus.with_chip(|chip| chip.nand().now_ns()) - before;
            let deadline = match what.as_bytes()[0] {
                b'r' => 1_000_000,
                b'p' => 7_000_000,
                _ => 100_000_000,
            };
            assert!(
                (deadline..deadline * 3 / 2).contains(&waited),
                "{what}: {waited} ns"
            );
            assert_works(nand, what);
            assert_eq!(bus.with_chip(|chip| chip.breaches().to_vec()), [], "{what}");
        },
    );
}

/// Who polls and never waits is told as well, after a bounded number of polls.
#[test]
fn a_deadline_passes_without_waiting() {
    let bus = bus("w25n01gv");
    let mut memory = PAGES;
    let mut nand = open(&bus, &SpiNandOptions::default(), &mut memory).expect("set up");
    bus.with_chip(|chip| chip.fault(0, ControllerFault::BusyForEver));
    let whole = Columns::whole(nand.geometry());
    nand.start_read(at(0, 0), whole, Buffer::First)
        .expect("starts");
    let polls =
        (0..10_000).position(|_| nand.poll(Die(0)) == Err(nb::Error::Other(SpiNandError::Timeout)));
    assert_eq!(polls, Some(1_000_000usize.div_ceil(180) - 1));
}

#[test]
fn a_part_that_stays_busy_for_ever_is_an_error_each_time() {
    with_fault(ControllerFault::BusyForEver, |_, nand, operation, what| {
        for _ in 0..3 {
            assert_eq!(operation(nand), Err(SpiNandError::Timeout), "{what}");
        }
    });
}

#[test]
fn a_slow_part_is_waited_for() {
    with_fault(ControllerFault::Slow(10), |bus, nand, operation, what| {
        assert!(operation(nand).is_ok(), "{what}");
        assert_works(nand, what);
        assert_eq!(bus.with_chip(|chip| chip.breaches().to_vec()), [], "{what}");
    });
}

#[test]
fn one_look_that_reads_ready_too_early_is_not_believed() {
    with_fault(
        ControllerFault::SpuriousReady(1),
        |bus, nand, operation, what| {
            assert!(operation(nand).is_ok(), "{what}");
            assert!(read(nand, at(2, 0)).is_ok(), "{what}");
            let expected = content(nand, at(2, 0));
            assert_eq!(main_of(nand), &expected[..2048], "{what}");
            assert_eq!(bus.with_chip(|chip| chip.breaches().to_vec()), [], "{what}");
        },
    );
}

/// The part loses its settings with the power. Neither the end that it tells of, nor a failure, is taken for the truth.
#[test]
fn a_dip_of_the_supply_is_told_and_the_part_set_up_anew() {
    with_fault(ControllerFault::BrownOut, |bus, nand, operation, what| {
        let ended = operation(nand);
        assert_eq!(ended, Err(SpiNandError::Reset), "{what}");
        assert_eq!(SpiNandError::<()>::Reset.kind(), NandErrorKind::Reset);
        assert_works(nand, what);
        assert_eq!(nand.feature(register::PROTECTION), Ok(0), "{what}");
        assert_eq!(bus.with_chip(|chip| chip.breaches().to_vec()), [], "{what}");
    });
}

#[test]
fn settings_that_are_lost_when_an_operation_ends_are_noticed_by_it() {
    with_fault(
        ControllerFault::SettingsLost,
        |bus, nand, operation, what| {
            assert_eq!(operation(nand), Err(SpiNandError::Reset), "{what}");
            assert_works(nand, what);
            assert_eq!(bus.with_chip(|chip| chip.breaches().to_vec()), [], "{what}");
        },
    );
}

/// A dip between two operations: the first one after it fails without harm, though its program was refused by a part that protects its blocks.
#[test]
fn a_dip_while_idle_is_told_by_the_next_operation() {
    for (chip, row) in serial_chips() {
        for (name, operation) in OPERATIONS {
            let bus = bus(chip.name);
            let mut memory = PAGES;
            let mut nand = open(&bus, &SpiNandOptions::default(), &mut memory).expect(row.name);
            assert_eq!(program(&mut nand, at(2, 0)), Ok(Completion::Programmed));
            bus.with_chip(|chip| chip.power_cycle());
            let what = format!("{name} on {}", row.name);
            assert_eq!(operation(&mut nand), Err(SpiNandError::Reset), "{what}");
            assert!(operation(&mut nand).is_ok(), "{what}");
            assert_works(&mut nand, &what);
            let breaches = bus.with_chip(|chip| chip.breaches().to_vec());
            let is_refusal = |breach: &Breach| matches!(breach, Breach::Protected { .. });
            assert!(breaches.iter().all(is_refusal), "{what}: {breaches:?}");
        }
    }
}

#[test]
fn operations_that_fail_in_the_array_are_completions() {
    for (chip, row) in serial_chips() {
        let bus = bus(chip.name);
        let mut memory = PAGES;
        let mut nand = open(&bus, &SpiNandOptions::default(), &mut memory).expect(row.name);
        bus.with_chip(|chip| {
            let faults = chip.nand_mut().faults();
            faults.once(Trigger::Page(at(2, 0)), Fault::ProgramFails);
            faults.once(Trigger::Block(at(3, 0).block), Fault::EraseFails);
        });
        assert_eq!(program(&mut nand, at(2, 0)), Ok(Completion::ProgramFailed));
        assert_eq!(nand.buffer(Die(0), Buffer::First), content(&nand, at(2, 0)));
        assert_eq!(program(&mut nand, at(4, 0)), Ok(Completion::Programmed));
        assert_eq!(erase(&mut nand, 3), Ok(Completion::EraseFailed));
        assert_eq!(erase(&mut nand, 5), Ok(Completion::Erased));
    }
}

/// A die that is dead answers on the bus, and is busy for ever.
#[test]
fn a_dead_array_times_out() {
    let bus = bus("w25n01gv");
    let mut memory = PAGES;
    let mut nand = open(&bus, &SpiNandOptions::default(), &mut memory).expect("set up");
    bus.with_chip(|chip| chip.nand_mut().lose_die_silently(Die(0)));
    for (name, operation) in OPERATIONS {
        assert_eq!(operation(&mut nand), Err(SpiNandError::Timeout), "{name}");
    }
}
