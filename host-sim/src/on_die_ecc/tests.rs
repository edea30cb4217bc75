use crate::steps::{at, program, read, settle};
use crate::{
    CutPlan, EmulatedNand, Media, Place, Rule, SimError, SplitMix64, TornErase, TornProgram,
};
use cuesta_hal::{Buffer, Columns, Completion, Die, Nand, ReadOutcome, ReadStatus};

/// A W25N01GV: four sections of 16 spare bytes, of which 4 to 7 are protected and 8 to 15 the part's own.
fn with_ecc() -> EmulatedNand {
    EmulatedNand::builder("w25n01gv")
        .expect("in the table")
        .chip_ecc(true)
        .build()
}

fn program_bytes(nand: &mut EmulatedNand, bytes: &[u8]) -> Result<Completion, SimError> {
    nand.buffer_mut(Die(0), Buffer::First)
        .copy_from_slice(bytes);
    nand.start_program(at(0, 0), Buffer::First)?;
    settle(nand, Die(0))
}

fn status(nand: &mut EmulatedNand) -> ReadStatus {
    let whole = Columns::whole(nand.geometry());
    nand.start_read(at(0, 0), whole, Buffer::First)
        .expect("starts");
    match settle(nand, Die(0)) {
        Ok(Completion::Read(status)) => status,
        other => panic!("{other:?}"),
    }
}

const fn corrected(corrected_bits_max: u8) -> ReadStatus {
    ReadStatus::Ok(ReadOutcome {
        corrected_bits_max,
        strength: 1,
        refresh_advised: corrected_bits_max > 0,
    })
}

#[test]
fn the_part_writes_its_own_bytes_of_the_spare_and_leaves_all_others() {
    let mut bytes = vec![0; 2112];
    SplitMix64::new(1).fill(&mut bytes);
    let mut nand = with_ecc();
    program_bytes(&mut nand, &bytes).expect("programs");
    let found = read(&mut nand, at(0, 0)).expect("reads");
    assert_eq!(found[..2048], bytes[..2048]);
    for (found, given) in found[2048..].chunks(16).zip(bytes[2048..].chunks(16)) {
        assert_eq!(found[..8], given[..8]);
        assert_ne!(found[8..], given[8..]);
    }
    // What the part writes depends on what it protects: a bit of the third codeword changes the third code, an unprotected one none.
    for (changed, code) in [(1024, Some(2)), (2048 + 36, Some(2)), (2048 + 35, None)] {
        let mut other = bytes.clone();
        other[changed] ^= 1;
        let mut nand = with_ecc();
        program_bytes(&mut nand, &other).expect("programs");
        let now = read(&mut nand, at(0, 0)).expect("reads");
        for section in 0..4 {
            let own = 2048 + 16 * section + 8..2048 + 16 * (section + 1);
            let same = now[own.clone()] == found[own];
            assert_eq!(same, Some(section) != code, "{changed}, {section}");
        }
    }
}

#[test]
fn it_corrects_what_it_protects_and_shows_the_rest_as_it_is() {
    let mut nand = with_ecc();
    program(&mut nand, at(0, 0), 0x5A).expect("programs");
    let whole = read(&mut nand, at(0, 0)).expect("reads");
    for byte in [
        0,
        511,
        2047,
        2048 + 4,
        2048 + 16 * 3 + 7,
        2048 + 8,
        2048 + 63,
    ] {
        nand.faults().clear().flip(at(0, 0), byte * 8 + 3);
        assert_eq!(status(&mut nand), corrected(1), "byte {byte}");
        assert!(nand.buffer(Die(0), Buffer::First) == whole, "byte {byte}");
    }
    for byte in [2048, 2048 + 2, 2048 + 16 * 2 + 1, 2048 + 16 * 3 + 3] {
        nand.faults().clear();
        for bit in 0..5 {
            nand.faults().flip(at(0, 0), byte * 8 + bit);
        }
        assert_eq!(status(&mut nand), corrected(0), "byte {byte}");
        let found = nand.buffer(Die(0), Buffer::First);
        assert_eq!(found[byte as usize], whole[byte as usize] ^ 0x1F);
    }
    // Two bits of a codeword, wherever they are, are past correction.
    for (one, other) in [
        (600, 601),
        (600, 2048 + 16 + 4),
        (2048 + 16 + 8, 2048 + 16 + 5),
    ] {
        nand.faults().clear();
        nand.faults()
            .flip(at(0, 0), one * 8)
            .flip(at(0, 0), other * 8);
        assert_eq!(status(&mut nand), ReadStatus::Uncorrectable);
    }
}

#[test]
fn a_blank_page_is_not_programmed_while_the_ecc_is_on() {
    let mut nand = with_ecc();
    let blank = Err(SimError::Forbidden(Rule::BlankProgram));
    assert_eq!(program_bytes(&mut nand, &[0xFF; 2112]), blank);
    assert_eq!(nand.violation_count(), 1);
    let mut bytes = [0xFF; 2112];
    bytes[2048 + 3] = 0xFE;
    program_bytes(&mut nand, &bytes).expect("it holds something");
    let mut without = EmulatedNand::of("w25n01gv").expect("in the table");
    program_bytes(&mut without, &[0xFF; 2112]).expect("no code, no harm");
}

#[test]
fn a_cut_tears_what_the_part_would_have_written() {
    let mut whole = with_ecc();
    program(&mut whole, at(0, 0), 0).expect("programs");
    let whole = whole.true_bytes(at(0, 0));
    for seed in 0..40 {
        let mut nand = with_ecc();
        nand.plan_cut(CutPlan::during(0, seed).torn(TornProgram::RandomBits, TornErase::Drawn));
        assert_eq!(program(&mut nand, at(0, 0), 0), Err(SimError::PowerLost));
        let place = Place { block: 0, page: 0 };
        let mut torn = vec![0; 2112];
        nand.media().load(place, 0, &mut torn).expect("memory");
        let only_cleared = torn
            .iter()
            .zip(&whole)
            .all(|(torn, whole)| torn & whole == *whole);
        assert!(only_cleared, "{seed}");
    }
}
