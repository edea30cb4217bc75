//! Checks of the page buffers.

use super::content::{self, Content};
use super::sample;
use super::steps::{self, erase, program};
use crate::{Buffer, Columns, Die, Geometry, Nand};

/// The buffers that the dies have.
fn buffers(geometry: &Geometry) -> impl Iterator<Item = Buffer> + use<> {
    let geometry = *geometry;
    [Buffer::First, Buffer::Second]
        .into_iter()
        .filter(move |buffer| geometry.has_buffer(*buffer))
}

/// Something else for each buffer of each die.
fn own_content(die: Die, buffer: Buffer) -> Content {
    let page = crate::BlockAddress::new(die.0, 0).page(0);
    match buffer {
        Buffer::First => Content::Written { page, turn: 1 },
        Buffer::Second => Content::Written { page, turn: 2 },
    }
}

/// A buffer holds a page with its spare, keeps what is put into it and shares it with no other; a buffer that does not
/// exist is empty.
///
/// # Panics
/// When the implementation does not do so.
pub fn buffers_have_the_length_of_a_page<N: Nand>(nand: &mut N) {
    let geometry = *nand.geometry();
    let raw_page_bytes = steps::index(geometry.raw_page_bytes());
    let last = Die(geometry.dies - 1);
    for die in sample::dies(&geometry).chain([Die(geometry.dies), Die(u16::MAX)]) {
        for buffer in [Buffer::First, Buffer::Second] {
            let exists = die <= last && geometry.has_buffer(buffer);
            let expected = if exists { raw_page_bytes } else { 0 };
            let lengths = [
                nand.buffer(die, buffer).len(),
                nand.buffer_mut(die, buffer).len(),
            ];
            assert!(
                lengths == [expected; 2],
                "conformance: {buffer:?} buffer of {die:?} must have {expected} bytes; `buffer` and `buffer_mut` have \
                 {lengths:?}"
            );
        }
    }

    for die in sample::dies(&geometry) {
        for buffer in buffers(&geometry) {
            content::fill(nand, die, buffer, own_content(die, buffer));
        }
    }
    for die in sample::dies(&geometry) {
        for buffer in buffers(&geometry) {
            let when = "after all others were filled";
            content::assert_filled(nand, die, buffer, own_content(die, buffer), when);
        }
    }
}

/// The buffer keeps its bytes while a page is programmed from it, and so does every other.
///
/// # Panics
/// When the implementation does not do so.
pub fn program_leaves_buffers_alone<N: Nand>(nand: &mut N) {
    leaves_buffers_alone(nand, "after a program", |nand, die| {
        let block = sample::good_blocks(nand, die).first();
        erase(nand, block);
        fill_all(nand);
        program(nand, block.page(0), Buffer::First);
    });
}

/// Every buffer keeps its bytes while a block is erased.
///
/// # Panics
/// When the implementation does not do so.
pub fn erase_leaves_buffers_alone<N: Nand>(nand: &mut N) {
    leaves_buffers_alone(nand, "after an erase", |nand, die| {
        let block = sample::good_blocks(nand, die).first();
        fill_all(nand);
        erase(nand, block);
    });
}

/// Every buffer but the one read into keeps its bytes.
///
/// # Panics
/// When the implementation does not do so.
pub fn read_leaves_other_buffers_alone<N: Nand>(nand: &mut N) {
    let whole = Columns::whole(nand.geometry());
    for target in buffers(nand.geometry()) {
        leaves_buffers_alone(nand, "after a read into another", |nand, die| {
            let block = sample::good_blocks(nand, die).first();
            erase(nand, block);
            fill_all(nand);
            steps::read(nand, block.page(0), whole, target);
            content::fill(nand, die, target, own_content(die, target));
        });
    }
}

fn fill_all<N: Nand>(nand: &mut N) {
    let geometry = *nand.geometry();
    for die in sample::dies(&geometry) {
        for buffer in buffers(&geometry) {
            content::fill(nand, die, buffer, own_content(die, buffer));
        }
    }
}

/// Does `operation`, which fills all buffers first, on each die and looks at all buffers after it.
fn leaves_buffers_alone<N: Nand>(nand: &mut N, when: &str, operation: impl Fn(&mut N, Die)) {
    let geometry = *nand.geometry();
    for die in sample::dies(&geometry) {
        operation(nand, die);
        for other in sample::dies(&geometry) {
            for buffer in buffers(&geometry) {
                content::assert_filled(nand, other, buffer, own_content(other, buffer), when);
            }
        }
    }
}

/// A die's second buffer can be filled while a page is programmed from or read into the first, and works like it.
/// Nothing is checked where there is one buffer.
///
/// # Panics
/// When the implementation does not do so.
pub fn second_buffer_is_independent<N: Nand>(nand: &mut N) {
    let geometry = *nand.geometry();
    if !geometry.has_buffer(Buffer::Second) {
        return;
    }
    let whole = Columns::whole(&geometry);
    for die in sample::dies(&geometry) {
        let block = sample::good_blocks(nand, die).first();
        let first = block.page(0);
        let last = block.page(geometry.pages_per_block - 1);

        erase(nand, block);
        content::fill(nand, die, Buffer::First, Content::of(first));
        steps::start_program(nand, first, Buffer::First);
        content::fill(nand, die, Buffer::Second, Content::of(last));
        steps::settle_program(nand, first);
        let when = "while a page was programmed from the first";
        content::assert_filled(nand, die, Buffer::Second, Content::of(last), when);
        if first == last {
            content::verify(nand, first, Content::of(first), "after its program");
            continue;
        }

        // Programmed from the second buffer while the first is changed, then read crosswise.
        steps::start_program(nand, last, Buffer::Second);
        content::fill(nand, die, Buffer::First, Content::Erased);
        steps::settle_program(nand, last);
        steps::start_read(nand, first, whole, Buffer::Second);
        content::fill(nand, die, Buffer::First, own_content(die, Buffer::First));
        steps::settle_read(nand, first);
        let when = "into the second buffer";
        content::assert_read(nand, first, whole, Buffer::Second, Content::of(first), when);
        let when = "while the second was read into";
        let own = own_content(die, Buffer::First);
        content::assert_filled(nand, die, Buffer::First, own, when);
        let when = "after a program from the second buffer";
        content::verify(nand, last, Content::of(last), when);
    }
}
