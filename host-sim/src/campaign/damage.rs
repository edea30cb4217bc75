//! Changing what is on a part behind everyone's back.

use std::sync::Arc;

use crate::{BlockState, EmulatedNand, Media, PageState, Place, SplitMix64};
use cuesta_hal::{BlockAddress, PageAddress};

/// Number of a block, counted die by die.
#[must_use]
pub fn block_number(nand: &EmulatedNand, block: BlockAddress) -> u32 {
    u32::from(block.die.0) * cuesta_hal::Nand::geometry(nand).blocks_per_die + block.block.0
}

/// The block of a number.
#[must_use]
pub fn block_of(nand: &EmulatedNand, number: u32) -> BlockAddress {
    let blocks = cuesta_hal::Nand::geometry(nand).blocks_per_die;
    BlockAddress::new((number / blocks) as u16, number % blocks)
}

/// Where a page is on the media.
#[must_use]
pub fn place_of(nand: &EmulatedNand, page: PageAddress) -> Place {
    Place {
        block: block_number(nand, page.block),
        page: page.page.0,
    }
}

/// Makes every page of a block hold what `bytes` says of it, as if it had been programmed.
pub fn overwrite_block(nand: &mut EmulatedNand, block: u32, mut bytes: impl FnMut(u16, &mut [u8])) {
    let geometry = *cuesta_hal::Nand::geometry(nand);
    let erases = nand.media().block(block).erases;
    for page in 0..geometry.pages_per_block {
        let mut raw = vec![0; geometry.raw_page_bytes() as usize];
        bytes(page, &mut raw);
        let state = PageState {
            programs: 1,
            ..PageState::default()
        };
        let bytes: Arc<[u8]> = raw.into();
        let stored = nand.media_mut().store(Place { block, page }, &bytes, state);
        stored.expect("memory does not fail");
    }
    set_block(
        nand,
        block,
        BlockState {
            erases,
            factory_bad: false,
            erased: true,
            next_page: geometry.pages_per_block,
        },
    );
}

/// Makes a page hold these raw bytes; its state stays.
pub fn overwrite_page(nand: &mut EmulatedNand, page: PageAddress, raw: Vec<u8>) {
    let place = place_of(nand, page);
    let state = nand.media().page(place);
    let bytes: Arc<[u8]> = raw.into();
    let stored = nand.media_mut().store(place, &bytes, state);
    stored.expect("memory does not fail");
}

/// Fills a block with random bytes.
pub fn scramble_block(nand: &mut EmulatedNand, block: u32, random: &mut SplitMix64) {
    overwrite_block(nand, block, |_, raw| random.fill(raw));
}

/// Erases a block.
pub fn blank_block(nand: &mut EmulatedNand, block: u32) {
    let state = BlockState {
        next_page: 0,
        erased: true,
        ..nand.media().block(block)
    };
    let erased = nand.media_mut().erase(block, state);
    erased.expect("memory does not fail");
}

/// Makes a block hold what the same block of another part holds.
pub fn transplant_block(nand: &mut EmulatedNand, block: u32, from: &EmulatedNand) {
    let geometry = *cuesta_hal::Nand::geometry(nand);
    blank_block(nand, block);
    for page in 0..geometry.pages_per_block {
        let place = Place { block, page };
        if !from.media().is_blank(place) {
            let mut raw = vec![0; geometry.raw_page_bytes() as usize];
            let loaded = from.media().load(place, 0, &mut raw);
            loaded.expect("memory does not fail");
            let bytes: Arc<[u8]> = raw.into();
            let stored = nand
                .media_mut()
                .store(place, &bytes, from.media().page(place));
            stored.expect("memory does not fail");
        }
    }
    let erases = nand.media().block(block).erases;
    let state = BlockState {
        erases,
        ..from.media().block(block)
    };
    set_block(nand, block, state);
}

/// Flips random bits of a page.
pub fn flip_bits(nand: &mut EmulatedNand, page: PageAddress, bits: u32, random: &mut SplitMix64) {
    let place = place_of(nand, page);
    if nand.media().is_blank(place) {
        return;
    }
    let mut raw = nand.true_bytes(page);
    for _ in 0..bits {
        let bit = random.below(raw.len() as u64 * 8) as usize;
        raw[bit / 8] ^= 1 << (bit % 8);
    }
    overwrite_page(nand, page, raw);
}

/// Flips so many different bits of a stretch of a page.
pub fn flip_within(
    nand: &mut EmulatedNand,
    page: PageAddress,
    stretch: std::ops::Range<usize>,
    bits: u32,
    random: &mut SplitMix64,
) {
    let mut raw = nand.true_bytes(page);
    let mut flipped = std::collections::BTreeSet::new();
    while flipped.len() < bits as usize {
        flipped.insert(stretch.start * 8 + random.below(stretch.len() as u64 * 8) as usize);
    }
    for bit in flipped {
        raw[bit / 8] ^= 1 << (bit % 8);
    }
    overwrite_page(nand, page, raw);
}

/// Every page that was programmed since its block was erased.
#[must_use]
pub fn programmed_pages(nand: &EmulatedNand) -> Vec<PageAddress> {
    let geometry = *cuesta_hal::Nand::geometry(nand);
    (0..geometry.blocks())
        .flat_map(|block| (0..geometry.pages_per_block).map(move |page| Place { block, page }))
        .filter(|&place| !nand.media().is_blank(place))
        .map(|place| block_of(nand, place.block).page(place.page))
        .collect()
}

fn set_block(nand: &mut EmulatedNand, block: u32, state: BlockState) {
    let set = nand.media_mut().set_block(block, state);
    set.expect("memory does not fail");
}
