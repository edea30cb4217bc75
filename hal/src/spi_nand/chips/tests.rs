//! Each row against what Linux has of it.

use super::*;
use crate::spi_nand::chip::IdAnswer;
use crate::spi_nand::EccStatus as S;

/// What Linux says of a part: an identity, blocks, spare bytes, bad blocks, planes, strength, and all bytes of the spare that are the part's
/// own while its error correction is on.
struct Row {
    name: &'static str,
    ids: &'static [&'static [u8]],
    blocks: u32,
    spare: u16,
    bad: u32,
    planes: u8,
    bits: u8,
    owned: &'static [(u32, u32)],
    status: EccStatus,
}

const HALF: &[(u32, u32)] = &[(64, 128)];
const SECTIONS: &[(u32, u32)] = &[(8, 16), (24, 32), (40, 48), (56, 64)];

#[rustfmt::skip]
const LINUX: [Row; 14] = [
    Row { name: "W25N01GV", ids: &[&[0xEF, 0xAA, 0x21]], blocks: 1024, spare: 64, bad: 20, planes: 1, bits: 1, owned: SECTIONS, status: S::Corrected },
    Row { name: "W25N01JW", ids: &[&[0xEF, 0xBC, 0x21]], blocks: 1024, spare: 64, bad: 20, planes: 1, bits: 1, owned: SECTIONS, status: S::Corrected },
    Row { name: "W25N01KV", ids: &[&[0xEF, 0xAE, 0x21]], blocks: 1024, spare: 96, bad: 20, planes: 1, bits: 4, owned: &[(64, 71), (72, 79), (80, 87), (88, 95)], status: S::CorrectedMax },
    Row { name: "W25N02KV", ids: &[&[0xEF, 0xAA, 0x22]], blocks: 2048, spare: 128, bad: 40, planes: 1, bits: 8, owned: &[(64, 77), (80, 93), (96, 109), (112, 125)], status: S::CorrectedMax },
    Row { name: "GD5F1GQ4xA", ids: &[&[0xC8, 0xF1]], blocks: 1024, spare: 64, bad: 20, planes: 1, bits: 8, owned: SECTIONS, status: S::SevenOrEight },
    Row { name: "GD5F1GQ4xE", ids: &[&[0xC8, 0xD1], &[0xC8, 0xC1]], blocks: 1024, spare: 128, bad: 20, planes: 1, bits: 8, owned: HALF, status: S::FourToEight },
    Row { name: "GD5F1GQ4UF", ids: &[&[0xC8, 0xB1, 0x48]], blocks: 1024, spare: 128, bad: 20, planes: 1, bits: 8, owned: HALF, status: S::ThreeBits },
    Row { name: "GD5F1GQ5xE", ids: &[&[0xC8, 0x51], &[0xC8, 0x41]], blocks: 1024, spare: 128, bad: 20, planes: 1, bits: 4, owned: HALF, status: S::OneToFour },
    Row { name: "MT29F1G01", ids: &[&[0x2C, 0x14], &[0x2C, 0x15]], blocks: 1024, spare: 128, bad: 20, planes: 1, bits: 8, owned: HALF, status: S::Micron },
    Row { name: "MT29F2G01", ids: &[&[0x2C, 0x24], &[0x2C, 0x25]], blocks: 2048, spare: 128, bad: 40, planes: 2, bits: 8, owned: HALF, status: S::Micron },
    Row { name: "MX35LF1GE4AB", ids: &[&[0xC2, 0x12]], blocks: 1024, spare: 64, bad: 20, planes: 1, bits: 4, owned: &[], status: S::CorrectedByCommand },
    Row { name: "MX35LF2GE4AB", ids: &[&[0xC2, 0x22]], blocks: 2048, spare: 64, bad: 40, planes: 2, bits: 4, owned: &[], status: S::Corrected },
    Row { name: "TC58CVG0S3", ids: &[&[0x98, 0xC2], &[0x98, 0xE2]], blocks: 1024, spare: 128, bad: 20, planes: 1, bits: 8, owned: HALF, status: S::CorrectedMax },
    Row { name: "TC58CVG1S3", ids: &[&[0x98, 0xCB], &[0x98, 0xEB]], blocks: 2048, spare: 128, bad: 40, planes: 1, bits: 8, owned: HALF, status: S::CorrectedMax },
];

/// The answer of a part whose identity begins with `id`.
fn answer(chip: &SpiNandChip, id: &[u8]) -> IdAnswer {
    let start = usize::from(matches!(chip.id, JedecId::AfterDummy(_)));
    let mut answer = [0xFF; 4];
    answer[start..start + id.len()].copy_from_slice(id);
    answer
}

#[test]
fn every_row_has_the_shape_that_linux_has() {
    for (chip, row) in CHIPS.iter().zip(&LINUX) {
        let g = chip.geometry;
        assert_eq!(chip.name, row.name);
        assert_eq!(g.validate(), Ok(()), "{}", row.name);
        assert_eq!((g.dies, g.pages_per_block, g.page_bytes), (1, 64, 2048));
        assert_eq!(
            (g.blocks_per_die, g.spare_bytes, g.bad_blocks_max_per_die),
            (row.blocks, row.spare, row.bad),
            "{}",
            row.name
        );
        assert_eq!(g.planes_per_die, row.planes, "{}", row.name);
        assert_eq!(chip.has_plane_select, row.planes == 2, "{}", row.name);
        assert_eq!((g.ecc_need.bits, g.ecc_need.per_bytes), (row.bits, 512));
        assert_eq!(chip.ecc_status, row.status, "{}", row.name);
        assert!(!chip.sources.is_empty());
        assert!(usize::try_from(g.raw_page_bytes()).unwrap() <= RAW_PAGE_BYTES_MAX);
    }
}

#[test]
fn spare_bytes_that_linux_gives_to_the_part_are_no_callers() {
    for (chip, row) in CHIPS.iter().zip(&LINUX) {
        let ecc = chip.geometry.chip_ecc.expect("every part has its own ECC");
        let words = chip.geometry.chip_codewords();
        assert_eq!((ecc.strength, ecc.enabled, words), (row.bits, false, 4));
        for offset in 0..u32::from(row.spare) {
            let linux = row
                .owned
                .iter()
                .any(|&(from, to)| (from..to).contains(&offset));
            assert_eq!(
                ecc.owned.run_of(words, offset).is_some(),
                linux,
                "{} {offset}",
                row.name
            );
            let free = ecc.free.run_of(words, offset).is_some();
            assert!(!(free && (linux || offset < 2)), "{} {offset}", row.name);
        }
        // Enough for a header of the engine in its packed form.
        assert!(ecc.free.len * 4 >= 24, "{}", row.name);
    }
}

#[test]
fn every_identity_is_one_rows_only() {
    for (index, row) in LINUX.iter().enumerate() {
        for id in row.ids {
            let answer = answer(&CHIPS[index], id);
            let found: Vec<_> = CHIPS.iter().filter(|chip| chip.id.is_in(&answer)).collect();
            assert_eq!(found.len(), 1, "{answer:02X?}");
            assert_eq!(found[0].name, row.name);
        }
    }
}

#[test]
fn silence_is_no_identity() {
    for level in [0x00, 0xFF] {
        assert!(!CHIPS.iter().any(|chip| chip.id.is_in(&[level; 4])));
    }
}
