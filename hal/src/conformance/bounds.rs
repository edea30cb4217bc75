//! Checks of what the part says it has, and of what it has not.

use super::content::{self, Content};
use super::sample;
use super::steps::{assert_idle, assert_refused, erase, program};
use crate::{BlockAddress, BlockIndex, Buffer, Columns, Die, Geometry, Nand, NandErrorKind};

/// The geometry is valid and stays the same.
///
/// # Panics
/// When the implementation does not do so.
pub fn geometry_is_valid<N: Nand>(nand: &mut N) {
    let geometry = *nand.geometry();
    if let Err(error) = geometry.validate() {
        panic!("conformance: the geometry must be valid; {error}: {geometry:?}");
    }
    for die in sample::dies(&geometry) {
        let block = sample::good_blocks(nand, die).first();
        erase(nand, block);
    }
    assert!(
        *nand.geometry() == geometry,
        "conformance: the geometry must never change; it was {geometry:?} and became {:?}",
        nand.geometry()
    );
}

/// What the geometry does not have is refused as [`NandErrorKind::OutOfBounds`] and starts nothing.
///
/// # Panics
/// When the implementation does not do so.
pub fn out_of_bounds_is_refused<N: Nand>(nand: &mut N) {
    let geometry = *nand.geometry();
    for die in sample::dies(&geometry) {
        let good = sample::good_blocks(nand, die);
        // An address that is cut off somewhere would reach one of these.
        let pages = [good.first().page(0), good.last().page(0)];
        for block in good.iter() {
            erase(nand, block);
        }
        for page in pages
            .into_iter()
            .take(if good.first() == good.last() { 1 } else { 2 })
        {
            content::fill(nand, die, Buffer::First, Content::of(page));
            program(nand, page, Buffer::First);
        }

        refuse_blocks(nand, &geometry, die);
        refuse_pages(nand, &geometry, good.first());
        refuse_columns(nand, &geometry, good.first());
        refuse_buffer(nand, &geometry, good.first());

        for page in pages {
            let when = "after operations out of bounds were refused";
            content::verify(nand, page, Content::of(page), when);
        }
    }
}

fn refuse_blocks<N: Nand>(nand: &mut N, geometry: &Geometry, die: Die) {
    let whole = Columns::whole(geometry);
    let beyond = |die: u16, block: u32| BlockAddress {
        die: Die(die),
        block: BlockIndex(block),
    };
    let blocks = [
        beyond(die.0, geometry.blocks_per_die),
        beyond(die.0, u32::MAX),
        beyond(geometry.dies, 0),
        beyond(u16::MAX, 0),
    ];
    for block in blocks {
        if geometry.has_block(block) {
            continue;
        }
        let page = block.page(0);
        let read = nand.start_read(page, whole, Buffer::First);
        assert_refused(
            read,
            NandErrorKind::OutOfBounds,
            format_args!("a read of {page:?}"),
        );
        let program = nand.start_program(page, Buffer::First);
        assert_refused(
            program,
            NandErrorKind::OutOfBounds,
            format_args!("a program of {page:?}"),
        );
        let erase = nand.start_erase(block);
        assert_refused(
            erase,
            NandErrorKind::OutOfBounds,
            format_args!("an erase of {block:?}"),
        );
        assert_idle(nand, die, "after an operation out of bounds was refused");
    }
}

fn refuse_pages<N: Nand>(nand: &mut N, geometry: &Geometry, block: BlockAddress) {
    let whole = Columns::whole(geometry);
    for index in [geometry.pages_per_block, u16::MAX] {
        let page = block.page(index);
        if index < geometry.pages_per_block {
            continue;
        }
        let read = nand.start_read(page, whole, Buffer::First);
        assert_refused(
            read,
            NandErrorKind::OutOfBounds,
            format_args!("a read of {page:?}"),
        );
        let program = nand.start_program(page, Buffer::First);
        assert_refused(
            program,
            NandErrorKind::OutOfBounds,
            format_args!("a program of {page:?}"),
        );
        assert_idle(nand, block.die, "after a page out of bounds was refused");
    }
}

fn refuse_columns<N: Nand>(nand: &mut N, geometry: &Geometry, block: BlockAddress) {
    let main = |main_start, main_len| Columns {
        main_start,
        main_len,
        ..Columns::default()
    };
    let spare = |spare_start, spare_len| Columns {
        spare_start,
        spare_len,
        ..Columns::default()
    };
    let end = geometry.raw_page_bytes();
    let impossible = [
        main(0, geometry.page_bytes + 1),
        main(geometry.page_bytes, 1),
        main(1, u32::MAX),
        main(u32::MAX, 1),
        spare(geometry.page_bytes - 1, 1),
        spare(0, 1),
        spare(geometry.page_bytes, u32::from(geometry.spare_bytes) + 1),
        spare(end, 1),
        spare(geometry.page_bytes, u32::MAX),
        spare(u32::MAX, 1),
        Columns {
            spare_len: u32::MAX,
            ..Columns::whole(geometry)
        },
    ];
    let page = block.page(0);
    for columns in impossible {
        let read = nand.start_read(page, columns, Buffer::First);
        assert_refused(
            read,
            NandErrorKind::OutOfBounds,
            format_args!("a read of {columns:?} of {page:?}"),
        );
        assert_idle(nand, block.die, "after columns out of bounds were refused");
    }
}

fn refuse_buffer<N: Nand>(nand: &mut N, geometry: &Geometry, block: BlockAddress) {
    if geometry.has_buffer(Buffer::Second) {
        return;
    }
    let page = block.page(geometry.pages_per_block - 1);
    let read = nand.start_read(page, Columns::whole(geometry), Buffer::Second);
    assert_refused(
        read,
        NandErrorKind::OutOfBounds,
        format_args!(
            "a read into the second buffer, which {:?} has not,",
            block.die
        ),
    );
    let program = nand.start_program(page, Buffer::Second);
    assert_refused(
        program,
        NandErrorKind::OutOfBounds,
        format_args!(
            "a program from the second buffer, which {:?} has not,",
            block.die
        ),
    );
    assert_idle(nand, block.die, "after a buffer out of bounds was refused");
}
