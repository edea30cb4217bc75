//! Checks of what the array holds.

use super::content::{self, Content};
use super::sample;
use super::steps::{erase, program};
use crate::{BlockAddress, Buffer, Columns, Nand, PageAddress};

/// Fills the first buffer and programs a page from it.
fn write<N: Nand>(nand: &mut N, page: PageAddress, content: Content) {
    content::fill(nand, page.die(), Buffer::First, content);
    program(nand, page, Buffer::First);
}

/// Every byte of an erased block, main and spare, reads `0xFF`.
///
/// # Panics
/// When the implementation does not do so.
pub fn erased_block_reads_ff<N: Nand>(nand: &mut N) {
    let geometry = *nand.geometry();
    for die in sample::dies(&geometry) {
        for block in sample::good_blocks(nand, die).iter() {
            erase(nand, block);
            for index in 0..geometry.pages_per_block {
                let when = "after its block was erased";
                content::verify(nand, block.page(index), Content::Erased, when);
            }
        }
    }
}

/// A programmed page reads as it was written, spare included, as often as it is read.
///
/// # Panics
/// When the implementation does not do so.
pub fn programmed_page_reads_back<N: Nand>(nand: &mut N) {
    let geometry = *nand.geometry();
    let last = geometry.pages_per_block - 1;
    for die in sample::dies(&geometry) {
        for block in sample::good_blocks(nand, die).iter() {
            for (turn, index) in [(0, 0), (1, last)] {
                let page = block.page(index);
                let content = Content::Written { page, turn };
                erase(nand, block);
                write(nand, page, content);
                content::verify(nand, page, content, "after its program");
                content::verify(nand, page, content, "for the second time");
            }
        }
    }
}

/// All pages of a block can be programmed in ascending order, and each holds its own bytes.
///
/// # Panics
/// When the implementation does not do so.
pub fn block_holds_all_its_pages<N: Nand>(nand: &mut N) {
    let geometry = *nand.geometry();
    for die in sample::dies(&geometry) {
        let block = sample::good_blocks(nand, die).last();
        erase(nand, block);
        for index in 0..geometry.pages_per_block {
            let page = block.page(index);
            write(nand, page, Content::of(page));
        }
        for index in 0..geometry.pages_per_block {
            let page = block.page(index);
            let when = "after its block was filled";
            content::verify(nand, page, Content::of(page), when);
        }
    }
}

/// Pages may be left out when a block is programmed in ascending order; they stay erased.
///
/// # Panics
/// When the implementation does not do so.
pub fn pages_may_be_left_out<N: Nand>(nand: &mut N) {
    let geometry = *nand.geometry();
    let last = geometry.pages_per_block - 1;
    // 1, 2, 4, 8 … and the last one: the gaps grow.
    let is_programmed = |index: u16| index == last || index.is_power_of_two();
    for die in sample::dies(&geometry) {
        let block = sample::good_blocks(nand, die).first();
        erase(nand, block);
        for index in (0..=last).filter(|index| is_programmed(*index)) {
            let page = block.page(index);
            write(nand, page, Content::of(page));
        }
        for index in 0..=last {
            let page = block.page(index);
            let (content, when) = if is_programmed(index) {
                (Content::of(page), "after others were left out")
            } else {
                (Content::Erased, "after it was left out")
            };
            content::verify(nand, page, content, when);
        }
    }
}

/// A second program of a page clears bits and sets none. Nothing is checked where a page may be programmed once, or
/// where the part's own ECC is on and would need it whole.
///
/// # Panics
/// When the implementation does not do so.
pub fn partial_programs_only_clear_bits<N: Nand>(nand: &mut N) {
    let geometry = *nand.geometry();
    let chip_corrects = geometry.chip_ecc.is_some_and(|ecc| ecc.enabled);
    let half = geometry.page_bytes / 2;
    if geometry.partial_programs_max < 2 || chip_corrects || half == 0 {
        return;
    }
    let front = Columns {
        main_start: 0,
        main_len: half,
        ..Columns::default()
    };
    let rear = Columns {
        main_start: half,
        main_len: geometry.page_bytes - half,
        ..Columns::whole(&geometry)
    };
    let split = super::steps::index(half);
    for die in sample::dies(&geometry) {
        let block = sample::good_blocks(nand, die).first();
        let page = block.page(0);
        let content = Content::of(page);
        erase(nand, block);

        content::fill(nand, die, Buffer::First, content);
        blank(nand.buffer_mut(die, Buffer::First).iter_mut().skip(split));
        program(nand, page, Buffer::First);
        let when = "after a program of its front half";
        content::verify_columns(nand, page, front, Buffer::First, content, when);
        content::verify_columns(nand, page, rear, Buffer::First, Content::Erased, when);

        content::fill(nand, die, Buffer::First, content);
        blank(nand.buffer_mut(die, Buffer::First).iter_mut().take(split));
        program(nand, page, Buffer::First);
        content::verify(nand, page, content, "after a program of its rear half");
    }
}

fn blank<'b>(bytes: impl Iterator<Item = &'b mut u8>) {
    bytes.for_each(|byte| *byte = 0xFF);
}

/// A read fills the asked columns, of the main area, the spare or both, at the same place in the buffer.
///
/// # Panics
/// When the implementation does not do so.
pub fn column_reads_fill_what_was_asked<N: Nand>(nand: &mut N) {
    let geometry = *nand.geometry();
    let main = geometry.page_bytes;
    let spare = u32::from(geometry.spare_bytes);
    // Each as main start and length, spare start and length; the spare counts from its own beginning.
    let asked = [
        (0, main, 0, 0),
        (0, 0, 0, spare),
        (0, main, 0, spare),
        // One byte at each edge.
        (0, 1, 0, 0),
        (main - 1, 1, 0, 0),
        (0, 0, 0, 1),
        (0, 0, spare - 1, 1),
        (0, 1, spare - 1, 1),
        // Inside, at odd places.
        (main / 3, main / 2, 0, 0),
        (main / 2, 1, 0, 0),
        (0, 0, spare / 3, spare.div_ceil(2)),
        // Both, touching and apart.
        (
            main - main.div_ceil(3),
            main.div_ceil(3),
            0,
            spare.div_ceil(2),
        ),
        (main / 5, main.div_ceil(4), spare / 2, spare.div_ceil(2)),
        (0, main, spare / 2, spare.div_ceil(2)),
    ];
    for die in sample::dies(&geometry) {
        let block = sample::good_blocks(nand, die).last();
        let page = block.page(geometry.pages_per_block - 1);
        erase(nand, block);
        write(nand, page, Content::of(page));
        for buffer in [Buffer::First, Buffer::Second] {
            if !geometry.has_buffer(buffer) {
                continue;
            }
            for (main_start, main_len, spare_start, spare_len) in asked {
                let columns = Columns {
                    main_start,
                    main_len,
                    spare_start: main + spare_start,
                    spare_len,
                };
                if columns.is_empty() {
                    continue;
                }
                let when = "by columns";
                content::verify_columns(nand, page, columns, buffer, Content::of(page), when);
            }
        }
    }
}

/// An erase resets every page of its block and leaves all other blocks of the sample, neighbours among them, alone.
///
/// # Panics
/// When the implementation does not do so.
pub fn erase_resets_one_block<N: Nand>(nand: &mut N) {
    let geometry = *nand.geometry();
    for die in sample::dies(&geometry) {
        let blocks = sample::good_blocks(nand, die);
        for block in blocks.iter() {
            fill_edges(nand, block);
        }
        for erased in blocks.iter() {
            erase(nand, erased);
            for index in 0..geometry.pages_per_block {
                let when = "after its block was erased";
                content::verify(nand, erased.page(index), Content::Erased, when);
            }
            for other in blocks.iter().filter(|block| *block != erased) {
                for page in edges(nand, other) {
                    let when = "after another block was erased";
                    content::verify(nand, page, Content::of(page), when);
                }
            }
            fill_edges(nand, erased);
        }
    }
}

/// The first and the last page of a block.
fn edges<N: Nand>(nand: &N, block: BlockAddress) -> [PageAddress; 2] {
    [
        block.page(0),
        block.page(nand.geometry().pages_per_block - 1),
    ]
}

/// Erases a block and programs its first and its last page.
fn fill_edges<N: Nand>(nand: &mut N, block: BlockAddress) {
    erase(nand, block);
    let [first, last] = edges(nand, block);
    write(nand, first, Content::of(first));
    if last != first {
        write(nand, last, Content::of(last));
    }
}
