//! Edits of an image: damage that any check may find, and pages whose checks fit what never was written.

use std::sync::Arc;

use cuesta::codec::{Header, Kind};
use cuesta_hal::{Nand, PageAddress};
use cuesta_sim::campaign::damage::{blank_block, block_number, place_of, scramble_block};
use cuesta_sim::{EmulatedNand, Media, SplitMix64};

use crate::input::Input;

use super::image::{is_of_data, Image};

/// Edits of an image at most.
const EDITS_MAX: u8 = 24;

/// What was given checks that fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Forged {
    /// Nothing: the part has decayed.
    Nothing,
    /// Pages of metadata.
    Metadata,
    /// Pages of sector data, too: sectors may read as anything.
    Data,
}

/// Edits the image as the input says.
pub fn edit(nand: &mut EmulatedNand, image: &Image, input: &mut Input<'_>) -> Forged {
    let mut forged = Forged::Nothing;
    for _ in 0..input.u8() % EDITS_MAX {
        let made = match input.u8() % 8 {
            0 => overwrite(nand, image, input),
            1 => scramble(nand, image, input),
            2 => move_page(nand, image, input),
            3 => forge_copy(nand, image, input),
            4 => forge_header(nand, image, input),
            5 => forge_word(nand, image, input),
            _ => forge_bytes(nand, image, input),
        };
        forged = forged.max(made);
    }
    forged
}

/// Changes a page that is known and gives it checks that fit. What that has forged.
pub fn forge(
    nand: &mut EmulatedNand,
    image: &Image,
    page: PageAddress,
    change: impl FnOnce(&mut [u8], &mut Header),
) -> Forged {
    forge_at(nand, image, page, page, change)
}

/// Changes what a page holds, and puts it with checks that fit where another one is.
fn forge_at(
    nand: &mut EmulatedNand,
    image: &Image,
    from: PageAddress,
    to: PageAddress,
    change: impl FnOnce(&mut [u8], &mut Header),
) -> Forged {
    let Some(mut found) = image.found(nand, from) else {
        return Forged::Nothing;
    };
    let old = found.headers[0];
    let main = nand.geometry().page_bytes as usize;
    let mut new = old;
    change(&mut found.bytes[..main], &mut new);
    let Some(seed) = image.seed(new.kind, to, found.before) else {
        return Forged::Nothing;
    };
    // The first tells what the units have in common, and its own.
    found.headers[0] = new;
    let layout = image.layout(&new);
    layout.encode(&mut found.bytes, &found.headers, seed);
    store(nand, to, found.bytes);
    if is_of_data(&old) || is_of_data(&new) {
        Forged::Data
    } else {
        Forged::Metadata
    }
}

/// Puts bytes where a page is. The referee is not told: what is programmed next to them, or over them, is lost at worst.
fn store(nand: &mut EmulatedNand, page: PageAddress, bytes: Vec<u8>) {
    let place = place_of(nand, page);
    let state = nand.media().page(place);
    let bytes: Arc<[u8]> = bytes.into();
    let stored = nand.media_mut().store(place, &bytes, state);
    stored.expect("memory does not fail");
}

/// Bytes of a page are others.
fn overwrite(nand: &mut EmulatedNand, image: &Image, input: &mut Input<'_>) -> Forged {
    let page = image.page(input);
    let mut bytes = nand.true_bytes(page);
    let at = input.below(bytes.len());
    for (byte, given) in bytes[at..].iter_mut().zip(input.string()) {
        *byte = *given;
    }
    store(nand, page, bytes);
    Forged::Nothing
}

/// A block is random, or erased.
fn scramble(nand: &mut EmulatedNand, image: &Image, input: &mut Input<'_>) -> Forged {
    let page = image.any_page(input);
    let block = block_number(nand, page.block);
    match input.u8() {
        0..=127 => blank_block(nand, block),
        seed => scramble_block(nand, block, &mut SplitMix64::new(seed.into())),
    }
    Forged::Nothing
}

/// A page holds the bytes of another one.
fn move_page(nand: &mut EmulatedNand, image: &Image, input: &mut Input<'_>) -> Forged {
    let (from, to) = (image.page(input), image.any_page(input));
    let bytes = nand.true_bytes(from);
    store(nand, to, bytes);
    Forged::Nothing
}

/// A page is programmed a second time, elsewhere.
fn forge_copy(nand: &mut EmulatedNand, image: &Image, input: &mut Input<'_>) -> Forged {
    let (from, to) = (image.page(input), image.any_page(input));
    let later = u64::from(input.u8());
    forge_at(nand, image, from, to, |_, header| header.time += later)
}

/// A field of a header is another.
fn forge_header(nand: &mut EmulatedNand, image: &Image, input: &mut Input<'_>) -> Forged {
    let page = image.page(input);
    let (field, value) = (input.u8(), number(image, input));
    forge(nand, image, page, |_, header| match field % 9 {
        0 => {
            header.kind = [
                Kind::Data,
                Kind::Map,
                Kind::Record,
                Kind::Parity,
                Kind::Anchor,
                Kind::Padding,
            ][value as usize % 6];
        }
        1 => header.level = value as u8 & 0x0F,
        2 => header.span = value as u8,
        3 => header.time = u64::from(value),
        4 => header.time = header.time.wrapping_add(u64::from(value) << 16),
        5 => header.stream = value as u8,
        6 => header.erases = value & 0x00FF_FFFF,
        7 => header.id = value,
        _ => header.flags = value as u8,
    })
}

/// A number in a payload is another: at any place, of one to eight bytes. In all copies, if asked for.
fn forge_word(nand: &mut EmulatedNand, image: &Image, input: &mut Input<'_>) -> Forged {
    let page = image.metadata_page(input);
    let (at, value, shape) = (input.u16(), number(image, input), input.u8());
    let len = usize::from(shape % 8) + 1;
    let alike = shape & 0x80 != 0;
    let bytes = (i64::from(value as i32) as u64).to_le_bytes();
    put(nand, image, page, alike, at, &bytes[..len])
}

/// Bytes of a payload are others. In all copies, if asked for.
fn forge_bytes(nand: &mut EmulatedNand, image: &Image, input: &mut Input<'_>) -> Forged {
    let page = image.metadata_page(input);
    let (at, alike) = (input.u16(), input.flag());
    put(nand, image, page, alike, at, input.string())
}

fn put(
    nand: &mut EmulatedNand,
    image: &Image,
    page: PageAddress,
    alike: bool,
    at: u16,
    bytes: &[u8],
) -> Forged {
    let mut forged = Forged::Nothing;
    for other in image.alike(page).filter(|&other| alike || other == page) {
        let made = forge(nand, image, other, |main, _| {
            let at = usize::from(at) % main.len();
            for (byte, given) in main[at..].iter_mut().zip(bytes) {
                *byte = *given;
            }
        });
        forged = forged.max(made);
    }
    forged
}

/// A number that may mean something: at a limit, near one, or any.
fn number(image: &Image, input: &mut Input<'_>) -> u32 {
    let shape = &image.shape;
    let base = match input.u8() % 12 {
        0 => 0,
        1 => u32::MAX,
        2 => 1 << 31,
        3 => shape.segments,
        4 => shape.slots(),
        5 => shape.capacity,
        6 => shape.pages_per_segment(),
        7 => u32::from(shape.dies()) * shape.blocks_per_die,
        8 => 1 << (input.u8() % 32),
        9 => u32::from(input.u8()),
        10 => u32::from(input.u16()),
        _ => input.u32(),
    };
    match input.u8() {
        near @ 0..=3 => base.wrapping_add(u32::from(near)),
        near @ 4..=7 => base.wrapping_sub(u32::from(near - 4)),
        _ => base,
    }
}
