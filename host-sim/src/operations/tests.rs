use crate::steps::{all, at, erase, part, program, read, settle};
use crate::{Deed, EmulatedNand, Rule, SimError, Ticks};
use cuesta_hal::{BlockAddress, Buffer, Columns, Completion, Die, Nand, NandError, NandErrorKind};

fn objection(nand: &EmulatedNand) -> Rule {
    nand.violations().last().expect("a violation").rule
}

#[test]
fn z4_serial_time_is_the_formula_of_the_bench_to_the_tick() {
    let mut nand = part("w25n01gv");
    let geometry = *nand.geometry();
    for block in 0..3 {
        erase(&mut nand, BlockAddress::new(0, block)).expect("erases");
        for page in 0..64 {
            program(&mut nand, at(block, page), page as u8).expect("programs");
        }
    }
    for page in 0..64 {
        read(&mut nand, at(1, page)).expect("reads");
        let header = Columns::spare(&geometry, 8, 13);
        nand.start_read(at(2, page), header, Buffer::First)
            .expect("starts");
        settle(&mut nand, Die(0)).expect("reads");
        let two_ranges = Columns {
            main_start: 512,
            main_len: 77,
            spare_start: 2048 + 5,
            spare_len: 9,
        };
        nand.start_read(at(0, page), two_ranges, Buffer::First)
            .expect("starts");
        settle(&mut nand, Die(0)).expect("reads");
    }
    let c = nand.counters();
    assert_eq!((c.reads, c.programs, c.erases), (192, 192, 3));
    assert_eq!(c.commands, 192 + 192 + 3 + 64);
    assert_eq!(c.bytes_in, 192 * 2112);
    assert_eq!(c.bytes_out, 64 * (2112 + 13 + 86));
    // In 52nds of a microsecond nothing is rounded.
    let expected = 52 * (60 * c.reads + 250 * c.programs + 2000 * c.erases + c.commands)
        + (c.bytes_in + c.bytes_out);
    assert_eq!(nand.now(), Ticks(u128::from(expected) * 1000));
    assert_eq!(c.die_busy_ns, [c.now_ns]);
}

#[test]
fn idle_time_passes_when_asked_and_waiting_for_nothing_takes_none() {
    let mut nand = part("tiny");
    nand.advance(1234);
    nand.wait();
    assert_eq!(nand.now_ns(), 1234);
    nand.cut_at_time(1_000_000, 1);
    nand.wait();
    assert_eq!(nand.now_ns(), 1234);
}

#[test]
fn two_dies_overlap_in_the_array_and_share_the_channel() {
    let mut nand = part("tiny2");
    let raw = u64::from(nand.geometry().raw_page_bytes());
    for die in 0..2 {
        nand.start_program(BlockAddress::new(die, 0).page(0), Buffer::First)
            .expect("starts");
    }
    for die in 0..2 {
        settle(&mut nand, Die(die)).expect("programs");
    }
    // Both transfers one after the other, then the second die's tPROG.
    let expected = 2 * (1000 * 52 + raw * 1000) + 250 * 1000 * 52;
    assert_eq!(nand.now(), Ticks(expected.into()));
}

#[test]
fn dies_of_other_channels_do_not_wait() {
    let mut nand = part("tiny4");
    let raw = u64::from(nand.geometry().raw_page_bytes());
    for die in 0..2 {
        nand.start_program(BlockAddress::new(die, 0).page(0), Buffer::First)
            .expect("starts");
    }
    nand.wait();
    assert_eq!(
        nand.now(),
        Ticks((1000 * 52 + raw * 1000 + 250 * 1000 * 52).into())
    );
    for die in 0..2 {
        assert_eq!(nand.poll(Die(die)), Ok(Completion::Programmed));
    }
}

#[test]
fn poll_blocks_until_the_clock_has_passed_the_completion() {
    let mut nand = part("tiny");
    assert_eq!(nand.poll(Die(0)), Err(nb::Error::WouldBlock));
    nand.start_erase(BlockAddress::new(0, 0)).expect("starts");
    assert_eq!(nand.poll(Die(0)), Err(nb::Error::WouldBlock));
    nand.advance(2_000_999);
    assert_eq!(nand.poll(Die(0)), Err(nb::Error::WouldBlock));
    nand.advance(1);
    assert_eq!(nand.poll(Die(0)), Ok(Completion::Erased));
    assert_eq!(nand.poll(Die(0)), Err(nb::Error::WouldBlock));
}

#[test]
fn m32_a_page_below_the_highest_programmed_one_is_out_of_order() {
    let mut nand = part("tiny");
    program(&mut nand, at(3, 5), 0).expect("pages may be left out");
    let error = program(&mut nand, at(3, 4), 0).expect_err("out of order");
    assert_eq!(error, SimError::Forbidden(Rule::OutOfOrder));
    assert_eq!(error.kind(), NandErrorKind::Forbidden);
    erase(&mut nand, BlockAddress::new(0, 3)).expect("erases");
    program(&mut nand, at(3, 4), 0).expect("in order after an erase");
    assert_eq!(nand.violation_count(), 1);
}

#[test]
fn m32_a_page_is_programmed_as_often_as_the_part_allows() {
    let mut tiny = part("tiny");
    program(&mut tiny, at(0, 0), 0xF0).expect("programs");
    program(&mut tiny, at(0, 0), 0x0F).expect_err("twice");
    assert_eq!(objection(&tiny), Rule::Overprogrammed);

    let mut serial = part("w25n01gv");
    for fill in [0xFE, 0xFD, 0xFB, 0xF7] {
        program(&mut serial, at(0, 0), fill).expect("four partial programs");
    }
    assert!(all(&serial.true_bytes(at(0, 0)), 0xF0));
    program(&mut serial, at(0, 0), 0).expect_err("a fifth");
    assert_eq!(objection(&serial), Rule::Overprogrammed);
}

#[test]
fn a_partial_program_is_for_the_highest_page_only() {
    let mut nand = part("w25n01gv");
    program(&mut nand, at(0, 0), 0xFE).expect("programs");
    program(&mut nand, at(0, 1), 0xFE).expect("programs");
    program(&mut nand, at(0, 0), 0xFD).expect_err("behind the highest page");
    assert_eq!(objection(&nand), Rule::OutOfOrder);
}

#[test]
fn a_factory_bad_block_is_read_but_not_changed() {
    let bad = BlockAddress::new(0, 7);
    let mut nand = EmulatedNand::builder("tiny")
        .expect("in the table")
        .bad_blocks(&[bad])
        .build();
    assert!(nand.is_factory_bad(bad));
    program(&mut nand, bad.page(0), 0).expect_err("bad");
    assert_eq!(objection(&nand), Rule::FactoryBad);
    erase(&mut nand, bad).expect_err("bad");
    assert_eq!(objection(&nand), Rule::FactoryBad);
    assert_eq!(
        read(&mut nand, bad.page(0)).expect("reads")[512..514],
        [0, 0]
    );
}

#[test]
fn addresses_columns_and_buffers_out_of_range_are_refused() {
    let mut nand = part("tiny2");
    let whole = Columns::whole(nand.geometry());
    let too_far = Columns {
        main_start: 500,
        main_len: 13,
        ..Columns::default()
    };
    let errors = [
        nand.start_erase(BlockAddress::new(0, 32)),
        nand.start_erase(BlockAddress::new(2, 0)),
        nand.start_program(at(0, 16), Buffer::First),
        nand.start_read(at(32, 0), whole, Buffer::First),
        nand.start_read(at(0, 0), too_far, Buffer::First),
    ];
    for error in errors {
        let error = error.expect_err("out of range");
        assert_eq!(error, SimError::Forbidden(Rule::OutOfRange));
        assert_eq!(error.kind(), NandErrorKind::OutOfBounds);
    }
    let buffer = nand.start_program(at(0, 0), Buffer::Second);
    assert_eq!(buffer, Err(SimError::Forbidden(Rule::NoSuchBuffer)));
    assert!(nand.buffer_mut(Die(2), Buffer::First).is_empty());
    assert_eq!(nand.violation_count(), 7);
    assert_eq!(nand.counters().operations(), 0);
}

#[test]
fn a_busy_die_takes_nothing_and_goes_on() {
    let mut nand = part("tiny2");
    nand.start_erase(BlockAddress::new(0, 1)).expect("starts");
    let error = nand.start_erase(BlockAddress::new(0, 2)).expect_err("busy");
    assert_eq!(error.kind(), NandErrorKind::Busy);
    nand.start_erase(BlockAddress::new(1, 2))
        .expect("the other die is free");
    assert_eq!(settle(&mut nand, Die(0)), Ok(Completion::Erased));
    assert_eq!(nand.erase_count(BlockAddress::new(0, 2)), 0);
    assert_eq!(objection(&nand), Rule::DieBusy);
}

#[test]
fn a_buffer_in_flight_is_not_lent_quietly() {
    let mut nand = part("tiny4");
    nand.start_program(at(0, 0), Buffer::First).expect("starts");
    nand.buffer_mut(Die(0), Buffer::Second).fill(1);
    assert_eq!(nand.violation_count(), 0);
    nand.buffer_mut(Die(0), Buffer::First).fill(1);
    assert_eq!(objection(&nand), Rule::BufferInFlight);
}

#[test]
fn a_violation_tells_what_was_done_to_the_block_before() {
    let mut nand = part("tiny");
    erase(&mut nand, BlockAddress::new(0, 2)).expect("erases");
    program(&mut nand, at(2, 0), 0).expect("programs");
    program(&mut nand, at(9, 0), 0).expect("programs");
    program(&mut nand, at(2, 0), 0).expect_err("twice");
    let violation = &nand.violations()[0];
    let deeds: Vec<_> = violation
        .history
        .iter()
        .map(|r| (r.operation, r.deed))
        .collect();
    assert_eq!(
        deeds,
        [(1, Deed::Erased), (2, Deed::Programmed(at(2, 0).page))]
    );
    assert_eq!(
        violation.to_string(),
        "TriedProgram(PageIndex(0)) on die 0 block 2 as operation 4: the page was programmed as often as the part allows; before it: #1 \
         Erased; #2 Programmed(PageIndex(0));"
    );
}

#[test]
#[should_panic(expected = "a later page of the block is already programmed")]
fn m32_a_strict_referee_panics_at_once() {
    let mut nand = EmulatedNand::builder("tiny")
        .expect("in the table")
        .strict(true)
        .build();
    program(&mut nand, at(0, 1), 0).expect("programs");
    let _ = program(&mut nand, at(0, 0), 0);
}

#[test]
fn a_clone_goes_its_own_way() {
    let mut one = part("tiny");
    program(&mut one, at(0, 0), 0x11).expect("programs");
    let mut other = one.clone();
    erase(&mut other, BlockAddress::new(0, 0)).expect("erases");
    program(&mut other, at(0, 0), 0x22).expect("programs");
    assert!(all(&one.true_bytes(at(0, 0)), 0x11));
    assert!(all(&other.true_bytes(at(0, 0)), 0x22));
    assert_eq!(one.erase_count(BlockAddress::new(0, 0)), 0);
}

#[test]
fn wear_is_counted_over_good_blocks_and_can_be_preset() {
    let mut nand = EmulatedNand::builder("tiny")
        .expect("in the table")
        .bad_blocks(&[BlockAddress::new(0, 1)])
        .build();
    for block in 0..32 {
        nand.preset_erase_count(BlockAddress::new(0, block), 10)
            .expect("memory");
    }
    nand.preset_erase_count(BlockAddress::new(0, 1), 9999)
        .expect("memory");
    erase(&mut nand, BlockAddress::new(0, 0)).expect("erases");
    let wear = nand.wear();
    assert_eq!((wear.min, wear.max), (10, 11));
    assert!((wear.mean - (10.0 + 1.0 / 31.0)).abs() < 1e-9);
}

#[test]
fn big_parts_are_cheap_until_they_are_written() {
    for name in ["w25n02kv", "mlc", "tlc", "ssd-tlc"] {
        let mut nand = part(name);
        assert!(all(&read(&mut nand, at(3, 3)).expect("reads"), 0xFF));
    }
}

/// Rules that the conformance suite breaks on purpose, to see the refusal.
fn is_provoked(rule: Rule) -> bool {
    matches!(rule, Rule::OutOfRange | Rule::NoSuchBuffer | Rule::DieBusy)
}

#[test]
fn conforms() {
    for chip in crate::chips() {
        let mut nand = crate::Builder::new(chip)
            .seed(1)
            .random_bad_blocks(chip.geometry.bad_blocks_max_per_die)
            .build();
        cuesta_hal::conformance::run(&mut nand);
        for violation in nand.violations() {
            assert!(is_provoked(violation.rule), "{}: {violation}", chip.name);
        }
    }
}

#[test]
fn conforms_with_on_die_ecc_and_with_as_many_bit_errors_as_it_corrects() {
    // 8 of 4352 bits is the strength of the first; one in 10 000 leaves a margin that no codeword of the run exceeds. The other has a strength of 1.
    for (name, rate) in [("w25n02kv", 1e-4), ("w25n01gv", 1e-8)] {
        let mut nand = EmulatedNand::builder(name)
            .expect("in the table")
            .chip_ecc(true)
            .build();
        nand.faults().bit_error_rate(rate);
        cuesta_hal::conformance::run(&mut nand);
        for violation in nand.violations() {
            assert!(is_provoked(violation.rule), "{name}: {violation}");
        }
    }
}
