use crate::steps::{all, at, distance, erase, part, program, read, settle};
use crate::{EmulatedNand, Fault, Rule, SimError, Trigger};
use cuesta_hal::{
    BlockAddress, Buffer, ChipEcc, Columns, Completion, Die, Nand, ReadOutcome, ReadStatus,
    SpareRuns,
};

const BLOCK: BlockAddress = BlockAddress::new(0, 0);

fn read_status(nand: &mut EmulatedNand, columns: Columns) -> Completion {
    nand.start_read(at(0, 0), columns, Buffer::First)
        .expect("starts");
    settle(nand, Die(0)).expect("settles")
}

#[test]
fn a_failed_program_keeps_the_buffer_and_writes_what_its_variant_says() {
    let variants = [
        (Fault::ProgramFails, Completion::ProgramFailed, 0xFF),
        (Fault::ProgramFailsWritten, Completion::ProgramFailed, 0x3C),
        (Fault::LostWrite, Completion::Programmed, 0xFF),
    ];
    for (fault, completion, left) in variants {
        let mut nand = part("tiny");
        nand.faults().once(Trigger::Nth(1), fault);
        assert_eq!(
            program(&mut nand, at(0, 0), 0x55),
            Ok(Completion::Programmed)
        );
        assert_eq!(program(&mut nand, at(0, 1), 0x3C), Ok(completion));
        assert!(all(nand.buffer(Die(0), Buffer::First), 0x3C));
        assert!(all(&nand.true_bytes(at(0, 1)), left), "{fault:?}");
        // The page counts as programmed, whatever became of it.
        program(&mut nand, at(0, 1), 0).expect_err("twice");
        assert_eq!(nand.violations()[0].rule, Rule::Overprogrammed);
        assert_eq!(
            program(&mut nand, at(0, 2), 0x55),
            Ok(Completion::Programmed)
        );
    }
}

#[test]
fn a_partly_failed_program_clears_some_of_the_bits() {
    let mut nand = part("tiny");
    nand.faults()
        .once(Trigger::Always, Fault::ProgramFailsPartly);
    assert_eq!(
        program(&mut nand, at(0, 0), 0),
        Ok(Completion::ProgramFailed)
    );
    let ones = distance(&nand.true_bytes(at(0, 0)), &[0; 576]);
    assert!((1800..2800).contains(&ones), "{ones} of 4608 bits");
}

#[test]
fn a_misdirected_write_changes_another_page_only() {
    let mut nand = part("tiny2");
    let elsewhere = BlockAddress::new(1, 4).page(3);
    nand.faults()
        .once(Trigger::Page(at(0, 0)), Fault::MisdirectedWrite(elsewhere));
    assert_eq!(
        program(&mut nand, at(0, 0), 0x3C),
        Ok(Completion::Programmed)
    );
    assert!(all(&nand.true_bytes(at(0, 0)), 0xFF));
    assert!(all(&nand.true_bytes(elsewhere), 0x3C));
}

#[test]
fn a_failed_erase_keeps_the_data_and_must_be_repeated() {
    let mut nand = part("tiny");
    program(&mut nand, at(0, 0), 0x12).expect("programs");
    nand.faults().once(Trigger::Block(BLOCK), Fault::EraseFails);
    assert_eq!(erase(&mut nand, BLOCK), Ok(Completion::EraseFailed));
    assert!(all(&nand.true_bytes(at(0, 0)), 0x12));
    let refused = program(&mut nand, at(0, 1), 0);
    assert_eq!(refused, Err(SimError::Forbidden(Rule::NotErased)));
    assert_eq!(erase(&mut nand, BLOCK), Ok(Completion::Erased));
    assert_eq!(nand.erase_count(BLOCK), 2);
    program(&mut nand, at(0, 0), 0x34).expect("programs");
    assert!(all(&nand.true_bytes(at(0, 0)), 0x34));
}

#[test]
fn a_silent_erase_failure_shows_in_what_is_programmed_next() {
    let mut nand = part("tiny");
    program(&mut nand, at(0, 0), 0xF0).expect("programs");
    nand.faults()
        .once(Trigger::Always, Fault::SilentEraseFailure);
    assert_eq!(erase(&mut nand, BLOCK), Ok(Completion::Erased));
    assert!(all(&read(&mut nand, at(0, 0)).expect("reads"), 0xF0));
    program(&mut nand, at(0, 0), 0x3C).expect("the caller cannot know");
    assert!(all(&nand.true_bytes(at(0, 0)), 0x30));
}

#[test]
fn stale_and_wrong_page_reads_return_what_was_not_asked() {
    let mut nand = part("tiny");
    program(&mut nand, at(0, 0), 0x11).expect("programs");
    program(&mut nand, at(0, 1), 0x22).expect("programs");
    nand.buffer_mut(Die(0), Buffer::First).fill(0x77);
    nand.faults()
        .once(Trigger::Nth(0), Fault::StaleRead)
        .once(Trigger::Nth(1), Fault::WrongPageRead(at(0, 1)));
    assert!(all(&read(&mut nand, at(0, 0)).expect("reads"), 0x77));
    assert!(all(&read(&mut nand, at(0, 0)).expect("reads"), 0x22));
    assert!(all(&read(&mut nand, at(0, 0)).expect("reads"), 0x11));
}

#[test]
fn a_flipped_bit_shows_in_every_read_of_its_column_and_changes_no_truth() {
    let mut nand = part("tiny");
    program(&mut nand, at(0, 0), 0).expect("programs");
    nand.faults().flip(at(0, 0), 8 * 100 + 3);
    for _ in 0..3 {
        let bytes = read(&mut nand, at(0, 0)).expect("reads");
        assert_eq!(bytes[100], 8);
        assert_eq!(distance(&bytes, &[0; 576]), 1);
    }
    let geometry = *nand.geometry();
    read_status(&mut nand, Columns::spare(&geometry, 0, 64));
    assert!(all(&nand.buffer(Die(0), Buffer::First)[512..], 0));
    assert!(all(&nand.true_bytes(at(0, 0)), 0));
    nand.faults().unflip(at(0, 0));
    assert!(all(&read(&mut nand, at(0, 0)).expect("reads"), 0));
}

#[test]
fn random_bit_errors_come_at_their_rate_and_differ_between_reads() {
    let mut nand = part("w25n01gv");
    nand.faults().bit_error_rate(1e-3);
    let blank = [0xFF; 2112];
    let reads: Vec<_> = (0..200)
        .map(|_| read(&mut nand, at(0, 0)).expect("reads"))
        .collect();
    let errors: u32 = reads.iter().map(|bytes| distance(bytes, &blank)).sum();
    // 200 · 16896 · 10⁻³ = 3379, standard deviation 58.
    assert!((3050..3700).contains(&errors), "{errors}");
    assert!(reads.windows(2).any(|pair| pair[0] != pair[1]));
    assert!(all(&nand.true_bytes(at(0, 0)), 0xFF));
}

#[test]
fn a_stuck_page_is_beyond_any_code_until_the_faults_are_cleared() {
    let mut nand = part("tiny");
    program(&mut nand, at(0, 0), 0).expect("programs");
    nand.faults().stuck_page(at(0, 0));
    for _ in 0..3 {
        let wrong = distance(&read(&mut nand, at(0, 0)).expect("reads"), &[0; 576]);
        assert!(wrong > 200, "{wrong}");
    }
    assert!(all(&read(&mut nand, at(0, 1)).expect("reads"), 0xFF));
    nand.faults().clear();
    assert!(all(&read(&mut nand, at(0, 0)).expect("reads"), 0));
}

#[test]
fn a_dead_die_times_out_and_does_not_hang() {
    let mut nand = part("tiny2");
    nand.faults().kill_die(Die(1));
    let dead = BlockAddress::new(1, 0);
    assert_eq!(program(&mut nand, dead.page(0), 0), Err(SimError::Timeout));
    assert_eq!(erase(&mut nand, dead), Err(SimError::Timeout));
    assert_eq!(read(&mut nand, dead.page(0)), Err(SimError::Timeout));
    assert_eq!(program(&mut nand, at(0, 0), 0), Ok(Completion::Programmed));
    nand.faults().revive_die(Die(1));
    assert_eq!(
        program(&mut nand, dead.page(0), 0),
        Ok(Completion::Programmed)
    );
}

/// A part of which nobody knows what its own ECC does with the spare: a share of it belongs to each codeword.
fn with_ecc() -> EmulatedNand {
    let mut geometry = crate::chip("gd5f1gq5").expect("in the table").geometry;
    geometry.chip_ecc = geometry.chip_ecc.map(|ecc| ChipEcc {
        enabled: true,
        free: SpareRuns::NONE,
        protected: SpareRuns::NONE,
        owned: SpareRuns::NONE,
        ..ecc
    });
    let mut nand = EmulatedNand::builder("gd5f1gq5")
        .expect("in the table")
        .geometry(geometry)
        .build();
    program(&mut nand, at(0, 0), 0x5A).expect("programs");
    nand
}

fn outcome(corrected_bits_max: u8) -> Completion {
    Completion::Read(ReadStatus::Ok(ReadOutcome {
        corrected_bits_max,
        strength: 4,
        refresh_advised: corrected_bits_max == 4,
    }))
}

#[test]
fn on_die_ecc_corrects_to_its_strength_and_says_how_much() {
    let mut nand = with_ecc();
    let whole = Columns::whole(nand.geometry());
    assert_eq!(read_status(&mut nand, whole), outcome(0));
    for bit in 0..4 {
        nand.faults().flip(at(0, 0), 512 * 8 + bit * 9);
        nand.faults().flip(at(0, 0), 8 * 1536 + bit);
        assert_eq!(read_status(&mut nand, whole), outcome(bit as u8 + 1));
        assert!(all(nand.buffer(Die(0), Buffer::First), 0x5A));
    }
    // A fifth one, in the spare share of the second codeword.
    nand.faults().flip(at(0, 0), 8 * (2048 + 32) + 1);
    let gave_up = Completion::Read(ReadStatus::Uncorrectable);
    assert_eq!(read_status(&mut nand, whole), gave_up);
    let left = distance(nand.buffer(Die(0), Buffer::First), &[0x5A; 2176]);
    assert_eq!(left, 5, "the other codeword is corrected");
}

#[test]
fn on_die_ecc_can_lie_both_ways() {
    let mut nand = with_ecc();
    let whole = Columns::whole(nand.geometry());
    nand.faults()
        .once(Trigger::Nth(0), Fault::FalseUncorrectable);
    let gave_up = Completion::Read(ReadStatus::Uncorrectable);
    assert_eq!(read_status(&mut nand, whole), gave_up);
    assert!(all(nand.buffer(Die(0), Buffer::First), 0x5A));
    for bit in 0..9 {
        nand.faults().flip(at(0, 0), bit);
    }
    nand.faults().once(Trigger::Nth(0), Fault::FalseClean);
    assert_eq!(read_status(&mut nand, whole), outcome(0));
    assert_eq!(nand.buffer(Die(0), Buffer::First)[0], !0x5A);
    assert_eq!(read_status(&mut nand, whole), gave_up);
}

#[test]
fn a_miscorrection_reports_success_and_returns_another_codeword() {
    let mut nand = with_ecc();
    let whole = Columns::whole(nand.geometry());
    nand.faults()
        .times(Trigger::Always, Fault::Miscorrected, 40);
    // One codeword is past correction, and miscorrected now and then.
    for bit in 0..20 {
        nand.faults().flip(at(0, 0), bit);
    }
    let mut words = [0; 4];
    for _ in 0..40 {
        assert_eq!(read_status(&mut nand, whole), outcome(4));
        let bytes = nand.buffer(Die(0), Buffer::First);
        let wrong: Vec<u32> = bytes
            .chunks(512)
            .map(|word| distance(word, &[0x5A; 512]))
            .collect();
        let hit = wrong.iter().position(|&bits| bits == 9).expect("2 · 4 + 1");
        words[hit] += 1;
        let left = if hit == 0 { 0 } else { 20 };
        assert_eq!(wrong.iter().sum::<u32>(), 9 + left);
    }
    assert!(words.iter().all(|&hits| hits > 0), "{words:?}");
    let gave_up = Completion::Read(ReadStatus::Uncorrectable);
    assert_eq!(read_status(&mut nand, whole), gave_up);
}

#[test]
fn a_miscorrection_follows_from_the_seed_and_needs_ecc_on_the_die() {
    let miscorrected = |ecc, seed| {
        let mut nand = EmulatedNand::builder("gd5f1gq5")
            .expect("in the table")
            .chip_ecc(ecc)
            .seed(seed)
            .build();
        nand.faults().once(Trigger::Nth(0), Fault::Miscorrected);
        read(&mut nand, at(0, 0)).expect("reads")
    };
    assert_eq!(miscorrected(true, 1), miscorrected(true, 1));
    assert_ne!(miscorrected(true, 1), miscorrected(true, 2));
    assert!(all(&miscorrected(false, 1), 0xFF));
}

#[test]
fn on_die_ecc_can_report_corrections_where_nothing_was_wrong() {
    let mut nand = with_ecc();
    let whole = Columns::whole(nand.geometry());
    nand.faults().once(Trigger::Nth(0), Fault::FalseCorrected);
    assert_eq!(read_status(&mut nand, whole), outcome(4));
    assert!(all(nand.buffer(Die(0), Buffer::First), 0x5A));
    assert_eq!(read_status(&mut nand, whole), outcome(0));
}

#[test]
fn on_die_ecc_corrects_the_bits_that_a_test_flipped() {
    let mut nand = with_ecc();
    let whole = Columns::whole(nand.geometry());
    nand.flip_bits(at(0, 0), 512..1024, 4, 3);
    assert_eq!(read_status(&mut nand, whole), outcome(4));
    assert!(all(nand.buffer(Die(0), Buffer::First), 0x5A));
    nand.flip_bits(at(0, 0), 512..1024, 1, 3);
    let gave_up = Completion::Read(ReadStatus::Uncorrectable);
    assert_eq!(read_status(&mut nand, whole), gave_up);
}
