use super::*;
use crate::steps::{assert_rate, at, distance, erase, program, read};
use crate::EmulatedNand;
use cuesta_hal::{BlockAddress, Completion};

const DAY_NS: u64 = 86_400 * 1_000_000_000;

fn mlc(erases: u32) -> EmulatedNand {
    let mut nand = EmulatedNand::builder("mlc")
        .expect("in the table")
        .seed(3)
        .aging(AgingModel::MLC)
        .build();
    for block in 0..8 {
        nand.preset_erase_count(BlockAddress::new(0, block), erases)
            .expect("memory");
        for page in 0..4 {
            program(&mut nand, at(block, page), 0).expect("programs");
        }
    }
    nand
}

/// Wrong bits in one read of each page that [`mlc`] programs.
fn wrong_bits(nand: &mut EmulatedNand) -> u32 {
    let mut wrong = 0;
    for block in 0..8 {
        for page in 0..4 {
            wrong += distance(&read(nand, at(block, page)).expect("reads"), &[0; 4320]);
        }
    }
    wrong
}

#[test]
fn errors_grow_with_wear_time_and_reads() {
    let fresh = wrong_bits(&mut mlc(0));
    let mut worn = mlc(5000);
    let by_wear = wrong_bits(&mut worn);
    // 32 pages of 34 560 bits: about 1 and 330, times the spread.
    assert!(
        fresh < 10 && (150..700).contains(&by_wear),
        "{fresh} {by_wear}"
    );
    worn.advance(365 * DAY_NS);
    let by_time = wrong_bits(&mut worn);
    assert!(by_time > by_wear + 50, "{by_time} {by_wear}");
    for _ in 0..20_000 {
        read(&mut worn, at(0, 0)).expect("reads");
    }
    let before_erase = wrong_bits(&mut worn);
    assert!(before_erase > by_time, "{before_erase} {by_time}");
}

#[test]
fn most_wrong_bits_stay_wrong_and_some_are_noise() {
    let mut nand = mlc(5000);
    let one = read(&mut nand, at(1, 1)).expect("reads");
    let other = read(&mut nand, at(1, 1)).expect("reads");
    let wrong = distance(&one, &[0; 4320]);
    let changed: u32 = (0..50)
        .map(|_| distance(&one, &read(&mut nand, at(1, 1)).expect("reads")))
        .sum();
    assert!(wrong > 0 && distance(&one, &other) < wrong);
    assert!(changed > 0);
}

#[test]
fn an_erase_forgets_reads_and_time() {
    let mut nand = mlc(5000);
    nand.advance(3650 * DAY_NS);
    let old = wrong_bits(&mut nand);
    for block in 0..8 {
        erase(&mut nand, BlockAddress::new(0, block)).expect("settles");
        for page in 0..4 {
            program(&mut nand, at(block, page), 0).expect("settles");
        }
    }
    assert!(wrong_bits(&mut nand) < old / 2);
}

#[test]
fn blocks_fail_after_their_rated_cycles_and_not_before() {
    for (erases, expected) in [(4_900, 0), (10_000, 8)] {
        let mut nand = mlc(0);
        let failed = (0..8)
            .filter(|&block| {
                let block = BlockAddress::new(0, block);
                nand.preset_erase_count(block, erases).expect("memory");
                erase(&mut nand, block) == Ok(Completion::EraseFailed)
            })
            .count();
        assert_eq!(failed, expected);
    }
}

#[test]
fn erased_pages_show_wrong_bits_at_the_rate_of_their_block() {
    let mut nand = EmulatedNand::builder("mlc")
        .expect("in the table")
        .seed(3)
        .aging(AgingModel {
            fresh: 2e-4,
            worn: 2e-4,
            spread: 1.0,
            ..AgingModel::MLC
        })
        .build();
    erase(&mut nand, BlockAddress::new(0, 1)).expect("erases");
    // Block 0 is as the factory left it, block 1 was erased.
    for block in 0..2 {
        let wrong = (0..64)
            .map(|page| read(&mut nand, at(block, page)).expect("reads"))
            .map(|bytes| u64::from(distance(&bytes, &[0xFF; 4320])))
            .sum();
        assert_rate(wrong, 64 * 4320 * 8, 2e-4);
    }
    assert_eq!(nand.true_bytes(at(1, 0)), [0xFF; 4320]);
}
