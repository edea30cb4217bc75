//! The parameter page of an emulated part.
//!
//! Source: Open NAND Flash Interface Specification, revision 1.0, 5.4 "Read Parameter Page Definition".

use cuesta_hal::spi_nand::{
    parameter_page_checksum, SpiNandChip, PARAMETER_PAGE_BYTES, PARAMETER_PAGE_COPIES,
};

/// A raw page that begins with the copies; the rest is blank.
pub(super) fn parameter_pages(chip: &SpiNandChip) -> Vec<u8> {
    let page = parameter_page(chip);
    let mut raw = page.repeat(usize::from(PARAMETER_PAGE_COPIES));
    raw.resize(chip.geometry.raw_page_bytes() as usize, 0xFF);
    raw
}

fn parameter_page(chip: &SpiNandChip) -> [u8; PARAMETER_PAGE_BYTES] {
    let g = &chip.geometry;
    let mut page = [0; PARAMETER_PAGE_BYTES];
    let mut put = |offset: usize, bytes: &[u8]| {
        page[offset..offset + bytes.len()].copy_from_slice(bytes);
    };
    put(0, b"ONFI");
    put(32, format!("{:12}", "EMULATED").as_bytes());
    put(44, format!("{:20.20}", chip.name).as_bytes());
    put(80, &g.page_bytes.to_le_bytes());
    put(84, &g.spare_bytes.to_le_bytes());
    put(92, &u32::from(g.pages_per_block).to_le_bytes());
    put(96, &g.blocks_per_die.to_le_bytes());
    put(100, &[g.dies.to_le_bytes()[0]]);
    // One bit a cell.
    put(102, &[1]);
    put(103, &g.bad_blocks_max_per_die.to_le_bytes()[..2]);
    let mut endurance = (g.endurance_cycles, 0u8);
    while endurance.0 > 255 || (endurance.0 > 0 && endurance.0.is_multiple_of(10)) {
        endurance = (endurance.0 / 10, endurance.1 + 1);
    }
    put(105, &[endurance.0.to_le_bytes()[0], endurance.1]);
    put(110, &[g.partial_programs_max]);
    put(112, &[g.ecc_need.bits]);
    put(113, &[g.planes_per_die.ilog2().to_le_bytes()[0]]);
    let checksum = parameter_page_checksum(&page[..PARAMETER_PAGE_BYTES - 2]);
    page[PARAMETER_PAGE_BYTES - 2..].copy_from_slice(&checksum.to_le_bytes());
    page
}
