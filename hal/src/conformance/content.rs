//! What pages are filled with, and whether they still hold it.

use super::steps;
use crate::{Buffer, ChipEcc, Columns, Die, Geometry, Nand, PageAddress, ReadStatus, SpareRuns};

/// What a page, or a part of it, should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing since the last erase.
    Erased,
    /// Bytes that tell one page, one column and one turn from another.
    Written {
        /// The page they were made for.
        page: PageAddress,
        /// Tells apart what the same page holds at different times.
        turn: u8,
    },
}

impl Content {
    /// What `page` holds after the first program of a check.
    pub(super) fn of(page: PageAddress) -> Self {
        Self::Written { page, turn: 0 }
    }

    /// The byte in this column.
    ///
    /// Every byte that occurs has an even number of ones, so no single bit error makes one of them another: a byte from
    /// the wrong place is told from a cell that lost its charge.
    pub(super) fn byte(self, geometry: &Geometry, column: u32) -> u8 {
        let Self::Written { page, turn } = self else {
            return 0xFF;
        };
        if !is_free(geometry, column) {
            return 0xFF;
        }
        let mut hash = 0x811C_9DC5_u32;
        let words = [
            u32::from(page.block.die.0),
            page.block.block.0,
            u32::from(page.page.0),
            u32::from(turn),
            column,
        ];
        for word in words {
            // A multiplication only carries bits upwards, so the upper half is folded back after each.
            hash = (hash ^ word).wrapping_mul(0x9E37_79B1);
            hash ^= hash >> 15;
        }
        let [_, byte, ..] = hash.to_le_bytes();
        let even = (byte & 0xFE) | u8::from((byte & 0xFE).count_ones() % 2 == 1);
        match even {
            // What an erased or a dead cell reads would prove nothing.
            0x00 | 0xFF => 0x5A,
            _ => even,
        }
    }

    /// True when the byte in this column is specified.
    fn is_known(self, geometry: &Geometry, column: u32) -> bool {
        let is_free = |ecc: ChipEcc| is_in(ecc.free, geometry, column);
        self == Self::Erased
            || column < geometry.page_bytes
            || chip_ecc(geometry).is_none_or(is_free)
    }
}

/// The part's own ECC, if it is on.
fn chip_ecc(geometry: &Geometry) -> Option<ChipEcc> {
    geometry.chip_ecc.filter(|ecc| ecc.enabled)
}

/// True when a column is a byte of the spare that is in one of these runs.
fn is_in(runs: SpareRuns, geometry: &Geometry, column: u32) -> bool {
    column
        .checked_sub(geometry.page_bytes)
        .is_some_and(|offset| runs.run_of(geometry.chip_codewords(), offset).is_some())
}

/// True when a column may be programmed: it belongs neither to the bad-block marker nor to the part's own ECC.
fn is_free(geometry: &Geometry, column: u32) -> bool {
    let Some(offset) = column.checked_sub(geometry.page_bytes) else {
        return true;
    };
    let marker = geometry.bad_block_marker;
    let marker_start = u32::from(marker.spare_offset);
    let marker_end = marker_start + u32::from(marker.len);
    !(marker_start..marker_end).contains(&offset)
        && chip_ecc(geometry).is_none_or(|ecc| is_in(ecc.free, geometry, column))
}

/// Single bit errors that there may be in the codeword of a column: none where the part's own ECC corrects them.
fn errors_max(geometry: &Geometry, column: u32) -> u8 {
    let is_corrected = |ecc: ChipEcc| {
        column < geometry.page_bytes
            || ecc.free == SpareRuns::NONE
            || is_in(ecc.protected, geometry, column)
            || is_in(ecc.owned, geometry, column)
    };
    match chip_ecc(geometry) {
        Some(ecc) if is_corrected(ecc) => 0,
        _ => geometry.ecc_need.bits,
    }
}

/// The columns of a read, one by one.
fn each(columns: Columns) -> impl Iterator<Item = u32> {
    let main = columns.main_start..columns.main_start + columns.main_len;
    let spare = columns.spare_start..columns.spare_start + columns.spare_len;
    main.chain(spare)
}

/// Fills a whole buffer.
pub(super) fn fill<N: Nand>(nand: &mut N, die: Die, buffer: Buffer, content: Content) {
    let geometry = *nand.geometry();
    for (column, byte) in (0..).zip(nand.buffer_mut(die, buffer)) {
        *byte = content.byte(&geometry, column);
    }
}

/// Asserts that a whole buffer holds exactly this.
pub(super) fn assert_filled<N: Nand>(
    nand: &N,
    die: Die,
    buffer: Buffer,
    content: Content,
    when: &str,
) {
    let geometry = nand.geometry();
    for (column, found) in (0..).zip(nand.buffer(die, buffer)) {
        let expected = content.byte(geometry, column);
        assert!(
            *found == expected,
            "conformance: {buffer:?} buffer of {die:?} must be unchanged {when}; byte {column} was \
             {expected:#04x} and is {found:#04x}"
        );
    }
}

/// Reads columns of a page and asserts that they hold this.
pub(super) fn verify_columns<N: Nand>(
    nand: &mut N,
    page: PageAddress,
    columns: Columns,
    buffer: Buffer,
    content: Content,
    when: &str,
) {
    let geometry = *nand.geometry();
    // A byte that the read does not fill differs from what it should be in every bit.
    let target = nand.buffer_mut(page.die(), buffer);
    for column in each(columns) {
        if let Some(byte) = target.get_mut(steps::index(column)) {
            *byte = !content.byte(&geometry, column);
        }
    }
    let status = steps::read(nand, page, columns, buffer);
    assert!(
        matches!(status, ReadStatus::Ok(_)),
        "conformance: {page:?} must be readable {when}; {columns:?} was {status:?}"
    );
    assert_read(nand, page, columns, buffer, content, when);
}

/// Reads a whole page, spare included, and asserts that it holds this.
pub(super) fn verify<N: Nand>(nand: &mut N, page: PageAddress, content: Content, when: &str) {
    let columns = Columns::whole(nand.geometry());
    verify_columns(nand, page, columns, Buffer::First, content, when);
}

/// Asserts that a read has filled the asked columns of a buffer with this, but for as many bit errors as must be
/// correctable.
pub(super) fn assert_read<N: Nand>(
    nand: &N,
    page: PageAddress,
    columns: Columns,
    buffer: Buffer,
    content: Content,
    when: &str,
) {
    let geometry = nand.geometry();
    let codeword_bytes = u32::from(geometry.ecc_need.per_bytes).max(1);

    let bytes = nand.buffer(page.die(), buffer);
    let mut codeword = None;
    let mut errors = 0;
    for column in each(columns).filter(|column| content.is_known(geometry, *column)) {
        let expected = content.byte(geometry, column);
        let errors_max = errors_max(geometry, column);
        let Some(found) = bytes.get(steps::index(column)) else {
            panic!("conformance: {buffer:?} buffer of {page:?} has no byte {column}");
        };
        if codeword != Some(column / codeword_bytes) {
            codeword = Some(column / codeword_bytes);
            errors = 0;
        }
        match (found ^ expected).count_ones() {
            0 => {}
            1 if errors < errors_max => errors += 1,
            _ => panic!(
                "conformance: {page:?} was read {when}, {columns:?}; byte {column} must be \
                 {expected:#04x} and is {found:#04x} ({errors} single bit errors before it in its codeword, \
                 {errors_max} allowed)"
            ),
        }
    }
}
