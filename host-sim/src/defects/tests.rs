use super::*;
use crate::steps::{assert_rate, at, distance, erase, program, read, settle};
use crate::{AgingModel, EmulatedNand, Rule, SimError};
use cuesta_hal::{Buffer, Columns, Completion, Die, Nand, ReadStatus};

const RAW: usize = 2112;
const BITS: u64 = RAW as u64 * 8;

fn part(seed: u64) -> EmulatedNand {
    EmulatedNand::builder("w25n01gv")
        .expect("in the table")
        .seed(seed)
        .build()
}

/// Bits that `reads` reads of an erased page show wrong.
fn wrong_bits(nand: &mut EmulatedNand, block: u32, page: u16, reads: u64) -> u64 {
    (0..reads)
        .map(|_| read(nand, at(block, page)).expect("reads"))
        .map(|bytes| u64::from(distance(&bytes, &[0xFF; RAW])))
        .sum()
}

#[test]
fn a_hot_block_has_its_factor_and_its_neighbours_have_none() {
    let mut nand = part(1);
    nand.faults().bit_error_rate(1e-3);
    nand.defects().hot_block(BlockAddress::new(0, 5), 8.0);
    for (block, rate) in [(4, 1e-3), (5, 8e-3), (6, 1e-3)] {
        assert_rate(wrong_bits(&mut nand, block, 0, 100), 100 * BITS, rate);
    }
    nand.defects().clear();
    assert_rate(wrong_bits(&mut nand, 5, 0, 100), 100 * BITS, 1e-3);
}

#[test]
fn a_hot_block_ages_faster() {
    let mut nand = EmulatedNand::builder("w25n01gv")
        .expect("in the table")
        .aging(AgingModel {
            fresh: 1e-3,
            worn: 1e-3,
            spread: 1.0,
            ..AgingModel::SLC
        })
        .build();
    nand.defects().hot_block(BlockAddress::new(0, 5), 5.0);
    for (block, rate) in [(4, 1e-3), (5, 5e-3)] {
        // One read of each page: the cells of a page that are weak stay so.
        let wrong = (0..64)
            .map(|page| wrong_bits(&mut nand, block, page, 1))
            .sum();
        assert_rate(wrong, 64 * BITS, rate);
    }
}

#[test]
fn hot_blocks_are_scattered_by_the_seed_and_as_many_as_asked() {
    let drawn = |seed| part(seed).defects().scatter_hot_blocks(20, 10.0);
    let one = drawn(1);
    assert_eq!(one.len(), 20);
    assert!(one.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(one, drawn(1));
    assert_ne!(one, drawn(2));
    let mut nand = part(1);
    nand.faults().bit_error_rate(1e-3);
    let hot = nand.defects().scatter_hot_blocks(2, 10.0)[1];
    let wrong = wrong_bits(&mut nand, hot.block.0, 0, 100);
    assert_rate(wrong, 100 * BITS, 1e-2);
    assert_eq!(nand.defects().scatter_hot_blocks(5000, 1.0).len(), 1024);
}

#[test]
fn rows_differ_within_the_spread_and_alike_in_every_block() {
    let spread = RowSpread {
        spread: 4.0,
        pages_per_row: 4,
    };
    let factors = |seed, block| -> Vec<f64> {
        let mut nand = part(seed);
        nand.defects().spread_rows(spread);
        (0..64)
            .map(|page| nand.defects.rate_factor(Place { block, page }))
            .collect()
    };
    let one = factors(3, 0);
    assert!(one.iter().all(|factor| (0.25..=4.0).contains(factor)));
    assert!(one.chunks(4).all(|row| row.iter().all(|f| *f == row[0])));
    assert!(one.iter().any(|&f| f < 0.6) && one.iter().any(|&f| f > 1.6));
    assert_eq!(one, factors(3, 77));
    assert_ne!(one, factors(4, 0));
}

#[test]
fn a_row_shows_errors_at_the_rate_times_its_factor_and_that_of_its_block() {
    let mut nand = part(9);
    nand.faults().bit_error_rate(1e-3);
    nand.defects()
        .spread_rows(RowSpread {
            spread: 3.0,
            pages_per_row: 1,
        })
        .hot_block(BlockAddress::new(0, 1), 2.0);
    for block in 0..2 {
        for page in 0..4 {
            let factor = nand.defects.rate_factor(Place { block, page });
            let wrong = wrong_bits(&mut nand, block, page, 50);
            assert_rate(wrong, 50 * BITS, 1e-3 * factor);
        }
    }
}

#[test]
fn without_defects_every_rate_is_exactly_as_asked() {
    let nand = part(1);
    let place = Place { block: 3, page: 5 };
    assert_eq!(nand.defects.rate_factor(place).to_bits(), 1f64.to_bits());
}

/// A part with every defect that has been built.
fn broken() -> EmulatedNand {
    let mut nand = part(2);
    nand.defects()
        .spread_rows(RowSpread {
            spread: 2.0,
            pages_per_row: 1,
        })
        .hot_block(BlockAddress::new(0, 0), 9.0)
        .interfere(Interference { per_program: 1e-3 })
        .weak_column(Region::Die(Die(0)), 40, Weakness::Rate(0.5));
    nand.defects().scatter_stuck_bits(10_000);
    nand
}

/// Reads pages that hold zeros and gives the wrong bits of each.
fn wrong_of_zeros(nand: &mut EmulatedNand, block: u32) -> Vec<u64> {
    (0..64)
        .map(|page| read(nand, at(block, page)).expect("reads"))
        .map(|bytes| u64::from(distance(&bytes, &[0; RAW])))
        .collect()
}

#[test]
fn a_program_disturbs_the_page_before_it_erased_or_not_and_no_other() {
    let mut nand = part(4);
    nand.defects().interfere(Interference { per_program: 1e-2 });
    program(&mut nand, at(0, 7), 0).expect("pages may be left out");
    assert_rate(wrong_bits(&mut nand, 0, 6, 1), BITS, 1e-2);
    for page in (0..64).filter(|page| ![6, 7].contains(page)) {
        assert_eq!(wrong_bits(&mut nand, 0, page, 1), 0, "page {page}");
    }
    let newest = read(&mut nand, at(0, 7)).expect("reads");
    assert_eq!(newest, [0; RAW]);
}

#[test]
fn interference_has_its_rate_and_its_cells_stay_wrong_until_the_erase() {
    let mut nand = part(4);
    nand.defects().interfere(Interference { per_program: 1e-3 });
    let mut lives = Vec::new();
    for _ in 0..2 {
        for page in 0..64 {
            program(&mut nand, at(0, page), 0).expect("programs");
            let newest = read(&mut nand, at(0, page)).expect("reads");
            assert_eq!(newest, [0; RAW], "nothing was programmed after it");
        }
        let wrong = wrong_of_zeros(&mut nand, 0);
        assert_eq!(wrong[63], 0);
        assert_rate(wrong.iter().sum(), 63 * BITS, 1e-3);
        assert_eq!(wrong, wrong_of_zeros(&mut nand, 0));
        assert_eq!(nand.true_bytes(at(0, 5)), [0; RAW]);
        lives.push(read(&mut nand, at(0, 5)).expect("reads"));
        erase(&mut nand, BlockAddress::new(0, 0)).expect("erases");
        assert_eq!(wrong_bits(&mut nand, 0, 5, 1), 0);
    }
    assert_ne!(lives[0], lives[1], "after an erase other cells are hit");
}

#[test]
fn interference_follows_from_the_seed_and_grows_with_each_program() {
    let disturbed = |seed, programs| {
        let mut nand = part(seed);
        nand.defects().interfere(Interference { per_program: 5e-3 });
        program(&mut nand, at(0, 0), 0).expect("programs");
        for _ in 0..programs {
            program(&mut nand, at(0, 1), 0).expect("programs");
        }
        read(&mut nand, at(0, 0)).expect("reads")
    };
    let wrong = |page: &[u8]| u64::from(distance(page, &[0; RAW]));
    let (once, thrice) = (disturbed(1, 1), disturbed(1, 3));
    assert_eq!(once, disturbed(1, 1));
    assert_ne!(once, disturbed(2, 1));
    assert_rate(wrong(&once), BITS, 5e-3);
    assert_rate(wrong(&thrice), BITS, 15e-3);
}

#[test]
fn the_referee_objects_on_a_broken_array_as_on_a_sound_one() {
    let mut nand = broken();
    program(&mut nand, at(0, 3), 0).expect("programs");
    let refused = program(&mut nand, at(0, 2), 0);
    assert_eq!(refused, Err(SimError::Forbidden(Rule::OutOfOrder)));
    erase(&mut nand, BlockAddress::new(0, 0)).expect("erases");
    for page in 0..64 {
        program(&mut nand, at(0, page), 0x5A).expect("programs");
        read(&mut nand, at(0, page)).expect("reads");
    }
    assert_eq!(nand.violation_count(), 1);
}

fn cell(page: PageAddress, bit: u32, value: bool) -> StuckBit {
    StuckBit { page, bit, value }
}

#[test]
fn a_stuck_bit_holds_its_value_over_programs_and_erases() {
    let mut nand = part(1);
    nand.faults().bit_error_rate(0.01);
    nand.defects()
        .stick(cell(at(0, 1), 8 * 100 + 3, false))
        .stick(cell(at(0, 1), 8 * 2100 + 7, true));
    for fill in [0xFF, 0x00, 0x5A, 0xA5] {
        erase(&mut nand, BlockAddress::new(0, 0)).expect("erases");
        for page in 0..3 {
            program(&mut nand, at(0, page), fill).expect("programs");
        }
        for _ in 0..50 {
            let bytes = read(&mut nand, at(0, 1)).expect("reads");
            assert_eq!((bytes[100] >> 3 & 1, bytes[2100] >> 7), (0, 1));
        }
        assert_eq!(nand.true_bytes(at(0, 1)), [fill; RAW]);
    }
    nand.faults().clear();
    erase(&mut nand, BlockAddress::new(0, 0)).expect("erases");
    let bytes = read(&mut nand, at(0, 1)).expect("reads");
    assert_eq!(distance(&bytes, &[0xFF; RAW]), 1, "nothing else is stuck");
    for page in [0, 2] {
        assert_eq!(wrong_bits(&mut nand, 0, page, 1), 0);
    }
}

#[test]
fn on_die_ecc_corrects_stuck_bits_where_they_are_wrong_and_counts_them() {
    let mut nand = EmulatedNand::builder("gd5f1gq5")
        .expect("in the table")
        .chip_ecc(true)
        .build();
    for bit in 0..8 {
        nand.defects().stick(cell(at(0, 0), bit * 32, false));
    }
    // Of the eight bits in byte 0, 4, … 28, three hold a 1: they are wrong where the page holds a 1 and not elsewhere.
    nand.buffer_mut(Die(0), Buffer::First).fill(0);
    nand.buffer_mut(Die(0), Buffer::First)[..12].fill(0xFF);
    nand.start_program(at(0, 0), Buffer::First).expect("starts");
    settle(&mut nand, Die(0)).expect("programs");
    let columns = Columns::whole(nand.geometry());
    nand.start_read(at(0, 0), columns, Buffer::First)
        .expect("starts");
    let Ok(Completion::Read(ReadStatus::Ok(outcome))) = settle(&mut nand, Die(0)) else {
        panic!("three are corrected");
    };
    assert_eq!(outcome.corrected_bits_max, 3);
    assert_eq!(
        nand.buffer(Die(0), Buffer::First),
        nand.true_bytes(at(0, 0))
    );
}

#[test]
fn stuck_bits_are_scattered_by_the_seed_and_show_where_they_are_said_to_be() {
    let drawn = |seed| part(seed).defects().scatter_stuck_bits(300);
    let one = drawn(1);
    assert_eq!(one, drawn(1));
    assert_ne!(one, drawn(2));
    let ones = one.iter().filter(|cell| cell.value).count() as u64;
    assert_rate(ones, 300, 0.5);
    let upper = one.iter().filter(|cell| cell.page.block.block.0 >= 512);
    assert_rate(upper.count() as u64, 300, 0.5);
    let mut nand = part(1);
    assert_eq!(nand.defects().scatter_stuck_bits(300), one);
    for stuck in one {
        let bytes = read(&mut nand, stuck.page).expect("reads");
        let shown = bytes[stuck.bit as usize / 8] >> (stuck.bit % 8) & 1 == 1;
        assert_eq!(shown, stuck.value);
    }
}

#[test]
fn a_weak_column_is_wrong_at_its_rate_in_its_region_only() {
    let mut nand = part(6);
    let region = Region::Block(BlockAddress::new(0, 2));
    nand.defects()
        .weak_column(region, 8 * 700 + 1, Weakness::Rate(0.2));
    let mut wrong = 0;
    for page in 0..64 {
        program(&mut nand, at(2, page), 0).expect("programs");
        for _ in 0..20 {
            let bytes = read(&mut nand, at(2, page)).expect("reads");
            assert_eq!(bytes[700] & !2, 0);
            wrong += u64::from(distance(&bytes, &[0; RAW]));
        }
    }
    assert_rate(wrong, 64 * 20, 0.2);
    assert_eq!(wrong_bits(&mut nand, 1, 0, 50), 0);
    assert_eq!(wrong_bits(&mut nand, 3, 0, 50), 0);
}

#[test]
fn a_stuck_column_crosses_every_page_of_its_die_or_plane() {
    let chip = crate::chip("tiny2").expect("in the table");
    let mut geometry = chip.geometry;
    geometry.planes_per_die = 2;
    let mut nand = crate::Builder::new(chip).geometry(geometry).build();
    nand.defects()
        .weak_column(Region::Die(Die(0)), 8, Weakness::Stuck(false))
        .weak_column(Region::Plane(Die(1), 1), 17, Weakness::Stuck(false));
    for die in 0..2 {
        for block in 0..geometry.blocks_per_die {
            for page in 0..geometry.pages_per_block {
                let page = BlockAddress::new(die, block).page(page);
                let bytes = read(&mut nand, page).expect("reads");
                let expected = match (die, block % 2) {
                    (0, _) => [0xFF, 0xFE, 0xFF],
                    (_, 1) => [0xFF, 0xFF, 0xFD],
                    _ => [0xFF; 3],
                };
                assert_eq!(bytes[..3], expected, "{page:?}");
            }
        }
    }
}

#[test]
fn weak_columns_are_scattered_by_the_seed_and_as_many_as_asked() {
    let region = Region::Die(Die(0));
    let drawn = |seed| {
        let mut nand = part(seed);
        let bits = nand
            .defects()
            .scatter_weak_columns(region, 5, Weakness::Stuck(false));
        assert_eq!(wrong_bits(&mut nand, 9, 9, 1), 5);
        bits
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}

#[test]
fn defects_outside_the_part_are_passed_over() {
    let mut nand = part(1);
    nand.defects()
        .stick(cell(at(0, 64), 0, false))
        .stick(cell(at(5000, 0), 0, false))
        .stick(cell(at(0, 0), BITS as u32, false))
        .weak_column(Region::Die(Die(0)), BITS as u32, Weakness::Stuck(false))
        .weak_column(Region::Die(Die(1)), 0, Weakness::Stuck(false))
        .hot_block(BlockAddress::new(1, 0), 5.0);
    assert_eq!(wrong_bits(&mut nand, 0, 0, 1), 0);
}
