//! Wires that flip bits, lose frames, get stuck, and bus controllers that fail.

use crate::bench::{
    at, bus, content, end, erase, main_of, open, program, read, serial_chips, PAGES,
};
use cuesta_hal::spi_nand::{SpiNandError, SpiNandOptions};
use cuesta_hal::{Buffer, Columns, Completion, Die, Nand, NandError, NandErrorKind};
use cuesta_sim::spi_chip::{Breach, WireError, WireFaults};
use cuesta_sim::{Media as _, Place};

const GOOD: WireFaults = WireFaults {
    seed: 0,
    flip_to_chip_one_in: 0,
    flip_from_chip_one_in: 0,
    lose_one_in: 0,
    cut_short_one_in: 0,
    fail_one_in: 0,
    stuck: None,
};

/// Bits that are flipped on their way here never change what an operation is said to have come to: every answer is asked for again.
#[test]
fn flips_in_answers_do_not_mislead() {
    for (chip, row) in serial_chips() {
        for seed in 0..8 {
            let bus = bus(chip.name);
            let mut memory = PAGES;
            // One bit in 400: one answer of the status in 17 reads the way it should not.
            bus.set_faults(WireFaults {
                seed,
                flip_from_chip_one_in: 400,
                ..GOOD
            });
            let mut nand = open(&bus, &SpiNandOptions::default(), &mut memory).expect(row.name);
            for page in 0..16 {
                let what = format!("{} page {page} seed {seed}", row.name);
                assert_eq!(
                    program(&mut nand, at(2, page)),
                    Ok(Completion::Programmed),
                    "{what}"
                );
                let ended = read(&mut nand, at(2, page));
                assert!(
                    matches!(ended, Ok(Completion::Read(_))),
                    "{what}: {ended:?}"
                );
                let truth = bus.with_chip(|chip| chip.nand().true_bytes(at(2, page)));
                assert_eq!(truth, content(&nand, at(2, page)), "{what}");
            }
            assert_eq!(erase(&mut nand, 2), Ok(Completion::Erased));
            assert_eq!(
                bus.with_chip(|chip| chip.breaches().to_vec()),
                [],
                "{}",
                row.name
            );
        }
    }
}

/// Bits that are flipped in a load never get into the array when loads are read back; without that they do.
#[test]
fn loads_that_are_read_back_arrive_or_are_told() {
    for verify_loads in [true, false] {
        let options = SpiNandOptions {
            verify_loads,
            ..SpiNandOptions::default()
        };
        let (mut right, mut elsewhere, mut wrong, mut told) = (0, 0, 0, 0);
        for (chip, row) in serial_chips() {
            let bus = bus(chip.name);
            let mut memory = PAGES;
            let mut nand = open(&bus, &options, &mut memory).expect(row.name);
            for block in 0..64 {
                let page = at(block, 0);
                let bytes = content(&nand, page);
                nand.buffer_mut(Die(0), Buffer::First)
                    .copy_from_slice(&bytes);
                // A third of the loads have a wrong bit.
                bus.set_faults(WireFaults {
                    seed: u64::from(block),
                    flip_to_chip_one_in: 40_000,
                    ..GOOD
                });
                let started = nand.start_program(page, Buffer::First);
                bus.set_faults(GOOD);
                let ended = started.and_then(|()| end(&mut nand));
                let truth = bus.with_chip(|chip| chip.nand().true_bytes(page));
                match ended {
                    Ok(Completion::Programmed) if truth == bytes => right += 1,
                    // The address was flipped.
                    Ok(Completion::Programmed) if truth.iter().all(|&byte| byte == 0xFF) => {
                        elsewhere += 1
                    }
                    Ok(Completion::Programmed) => wrong += 1,
                    _ => told += 1,
                }
            }
        }
        let found = format!("{right} right, {elsewhere} elsewhere, {wrong} wrong, {told} told");
        match verify_loads {
            true => assert!(wrong == 0 && right > 800, "{found}"),
            false => assert!(wrong > 200, "{found}"),
        }
    }
}

/// Whichever single frame of a program or an erase does not reach the part: it is done, once, and right.
#[test]
fn a_lost_frame_is_sent_again() {
    let options = SpiNandOptions {
        verify_loads: true,
        ..SpiNandOptions::default()
    };
    for (chip, row) in serial_chips() {
        let bus = bus(chip.name);
        let mut memory = PAGES;
        let mut nand = open(&bus, &options, &mut memory).expect(row.name);
        let frames_of = |before: u64| bus.traffic().0 - before;
        let before = bus.traffic().0;
        assert_eq!(erase(&mut nand, 0), Ok(Completion::Erased));
        let erasing = frames_of(before);
        let before = bus.traffic().0;
        assert_eq!(program(&mut nand, at(0, 0)), Ok(Completion::Programmed));
        let programming = frames_of(before);
        for behind in 0..erasing {
            let what = format!("{}: frame {behind} of an erase", row.name);
            let block = 100 + behind as u32;
            bus.lose_frame(behind);
            assert_eq!(erase(&mut nand, block), Ok(Completion::Erased), "{what}");
            let block = at(block, 0).block;
            let erases = bus.with_chip(|chip| chip.nand().erase_count(block));
            assert_eq!(erases, 1, "{what}");
        }
        for behind in 0..programming {
            let what = format!("{}: frame {behind} of a program", row.name);
            let block = 200 + behind as u32;
            bus.lose_frame(behind);
            assert_eq!(
                program(&mut nand, at(block, 0)),
                Ok(Completion::Programmed),
                "{what}"
            );
            let place = Place { block, page: 0 };
            bus.with_chip(|chip| {
                assert_eq!(chip.nand().media().page(place).programs, 1, "{what}");
                assert_eq!(
                    chip.nand().true_bytes(at(block, 0)),
                    content(&nand, at(block, 0)),
                    "{what}"
                );
            });
        }
        // A load that was lost leaves the cache of the other plane the newer one when it is read back.
        let breaches = bus.with_chip(|chip| chip.breaches().to_vec());
        let others = breaches.iter().find(|breach| **breach != Breach::Plane);
        assert_eq!(others, None, "{}", row.name);
    }
}

/// A part that takes no command to program, three times in a row.
#[test]
fn a_command_that_is_never_taken_is_an_error() {
    let bus = bus("w25n01gv");
    let mut memory = PAGES;
    let mut nand = open(&bus, &SpiNandOptions::default(), &mut memory).expect("set up");
    // Enabling takes 3 frames; then an erase is sent, and two looks find that it was not taken.
    for behind in [3, 6, 9] {
        bus.lose_frame(behind);
    }
    assert_eq!(erase(&mut nand, 0), Err(SpiNandError::NotTaken));
    assert_eq!(
        bus.with_chip(|chip| chip.nand().erase_count(at(0, 0).block)),
        0
    );
    assert_eq!(erase(&mut nand, 0), Ok(Completion::Erased));
}

#[test]
fn a_line_that_gets_stuck_is_an_error_and_not_data() {
    for (chip, row) in serial_chips() {
        for (line, kind) in [(0x00, NandErrorKind::Bus), (0xFF, NandErrorKind::Timeout)] {
            let bus = bus(chip.name);
            let mut memory = PAGES;
            let mut nand = open(&bus, &SpiNandOptions::default(), &mut memory).expect(row.name);
            assert_eq!(program(&mut nand, at(2, 0)), Ok(Completion::Programmed));
            let whole = Columns::whole(nand.geometry());
            let stuck = WireFaults {
                stuck: Some(line),
                ..GOOD
            };
            // In flight.
            for start in 0..3 {
                match start {
                    0 => nand.start_read(at(2, 0), whole, Buffer::First),
                    1 => nand.start_program(at(2, 1), Buffer::First),
                    _ => nand.start_erase(at(3, 0).block),
                }
                .expect("starts");
                bus.set_faults(stuck);
                let ended = end(&mut nand).map_err(|error| error.kind());
                assert_eq!(ended, Err(kind), "{} {start} {line:02X}", row.name);
                // Still stuck: the part cannot be set up.
                let started = nand.start_read(at(2, 0), whole, Buffer::First);
                assert_eq!(started, Err(SpiNandError::NoChip { line }), "{}", row.name);
                bus.set_faults(GOOD);
            }
            assert!(matches!(read(&mut nand, at(2, 0)), Ok(Completion::Read(_))));
            assert_eq!(main_of(&nand), &content(&nand, at(2, 0))[..2048]);
        }
    }
}

#[test]
fn a_line_that_is_stuck_when_a_program_starts_is_an_error() {
    for (line, expected) in [
        (0x00, SpiNandError::NotTaken),
        (0xFF, SpiNandError::NotTaken),
    ] {
        let bus = bus("w25n01gv");
        let mut memory = PAGES;
        let mut nand = open(&bus, &SpiNandOptions::default(), &mut memory).expect("set up");
        bus.set_faults(WireFaults {
            stuck: Some(line),
            ..GOOD
        });
        assert_eq!(program(&mut nand, at(0, 0)), Err(expected));
        assert_eq!(erase(&mut nand, 0), Err(SpiNandError::NoChip { line }));
        bus.set_faults(GOOD);
        assert_eq!(program(&mut nand, at(0, 0)), Ok(Completion::Programmed));
    }
}

#[test]
fn failures_of_the_bus_come_through() {
    let bus = bus("w25n01gv");
    let mut memory = PAGES;
    let failing = WireFaults {
        fail_one_in: 1,
        ..GOOD
    };
    bus.set_faults(failing);
    let refused = open(&bus, &SpiNandOptions::default(), &mut memory).err();
    assert_eq!(refused, Some(SpiNandError::Spi(WireError)));

    bus.set_faults(GOOD);
    let mut nand = open(&bus, &SpiNandOptions::default(), &mut memory).expect("set up");
    let mut failures = 0;
    for seed in 0..200 {
        bus.set_faults(WireFaults {
            seed,
            fail_one_in: 40,
            ..failing
        });
        let ended = read(&mut nand, at(0, 0));
        bus.set_faults(GOOD);
        match ended {
            Ok(Completion::Read(_)) => {}
            Err(SpiNandError::Spi(WireError)) => failures += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!((20..180).contains(&failures), "{failures}");
    assert_eq!(erase(&mut nand, 0), Ok(Completion::Erased));
    assert_eq!(bus.with_chip(|chip| chip.breaches().to_vec()), []);
}

/// Everything at once: whatever the wires do, nothing panics, hangs, or is done to a block that nobody asked for, as long as addresses arrive.
#[test]
fn a_bad_wire_ends_in_completions_and_typed_errors() {
    for (chip, row) in serial_chips() {
        let bus = bus(chip.name);
        let mut memory = PAGES;
        let mut nand = open(&bus, &SpiNandOptions::default(), &mut memory).expect(row.name);
        let mut kinds = std::collections::BTreeMap::new();
        for seed in 0..60 {
            bus.set_faults(WireFaults {
                seed,
                flip_to_chip_one_in: 3_000,
                flip_from_chip_one_in: 3_000,
                lose_one_in: 30,
                cut_short_one_in: 30,
                fail_one_in: 60,
                stuck: None,
            });
            let block = seed as u32;
            let ended = [
                erase(&mut nand, block),
                program(&mut nand, at(block, 0)),
                read(&mut nand, at(block, 0)),
            ];
            for end in ended {
                *kinds.entry(format!("{:?}", end.map(|_| ()))).or_insert(0) += 1;
            }
        }
        assert!(kinds.len() > 1, "{}: {kinds:?}", row.name);
        bus.set_faults(GOOD);
        // A part whose registers were written by a flipped command may need its power taken away.
        bus.with_chip(|chip| chip.power_cycle());
        erase(&mut nand, 900).ok();
        assert_eq!(
            erase(&mut nand, 900),
            Ok(Completion::Erased),
            "{}",
            row.name
        );
        assert_eq!(
            program(&mut nand, at(900, 0)),
            Ok(Completion::Programmed),
            "{}",
            row.name
        );
    }
}
