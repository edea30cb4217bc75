//! Bad blocks as the factory leaves them: which, and the marks in them.

use crate::media::{Media, PageState, Place};
use crate::prng::SplitMix64;
use cuesta_hal::{BlockAddress, Geometry, MarkerPages};
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

/// Which blocks the factory marks.
#[derive(Debug, Clone, Default)]
pub(crate) enum BadBlocks {
    #[default]
    None,
    Listed(Vec<BlockAddress>),
    /// So many of each die.
    Drawn(u32),
}

/// Marks the blocks that `bad` names.
pub(crate) fn mark_bad_blocks<M: Media>(
    bad: &BadBlocks,
    seed: u64,
    geometry: &Geometry,
    media: &mut M,
) -> io::Result<()> {
    let mut prng = SplitMix64::derive(seed, 0xBAD);
    let mut blocks = BTreeSet::new();
    match bad {
        BadBlocks::None => {}
        BadBlocks::Listed(listed) => blocks.extend(
            listed
                .iter()
                .filter(|block| geometry.has_block(**block))
                .map(|block| u32::from(block.die.0) * geometry.blocks_per_die + block.block.0),
        ),
        BadBlocks::Drawn(per_die) => {
            for die in 0..u32::from(geometry.dies) {
                let first = die * geometry.blocks_per_die;
                for block in draw_of_die(geometry.blocks_per_die, *per_die, &mut prng) {
                    blocks.insert(first + block);
                }
            }
        }
    }
    for block in blocks {
        mark(block, geometry, media, &mut prng)?;
    }
    Ok(())
}

/// `count` of the blocks 1.. of a die: every other one next to the one before, as defects cluster.
fn draw_of_die(blocks: u32, count: u32, prng: &mut SplitMix64) -> BTreeSet<u32> {
    let count = count.min(blocks.saturating_sub(1)) as usize;
    let mut drawn = BTreeSet::new();
    let mut previous = None;
    while drawn.len() < count {
        let block = match previous.take() {
            Some(before) if before + 1 < blocks => before + 1,
            _ => {
                let block = 1 + prng.below(u64::from(blocks) - 1) as u32;
                previous = Some(block);
                block
            }
        };
        drawn.insert(block);
    }
    drawn
}

fn mark<M: Media>(
    block: u32,
    geometry: &Geometry,
    media: &mut M,
    prng: &mut SplitMix64,
) -> io::Result<()> {
    let last = geometry.pages_per_block - 1;
    let page = match geometry.bad_block_marker.pages {
        MarkerPages::First => 0,
        MarkerPages::FirstOrSecond if prng.chance(1, 2) => last.min(1),
        MarkerPages::FirstOrLast if prng.chance(1, 2) => last,
        _ => 0,
    };
    let mut bytes = vec![0xFF; geometry.raw_page_bytes() as usize];
    let place = geometry.bad_block_marker;
    let start = geometry.page_bytes as usize + usize::from(place.spare_offset);
    bytes[start..start + usize::from(place.len)].fill(0x00);
    let state = media.block(block);
    media.set_block(
        block,
        crate::BlockState {
            factory_bad: true,
            erased: false,
            ..state
        },
    )?;
    media.store(
        Place { block, page },
        &Arc::from(bytes),
        PageState::default(),
    )
}

#[cfg(test)]
mod tests {
    use crate::EmulatedNand;

    #[test]
    fn as_many_as_asked_are_marked_in_each_die_and_never_the_first() {
        for seed in 0..20 {
            let nand = EmulatedNand::builder("tiny-mlc")
                .expect("in the table")
                .seed(seed)
                .random_bad_blocks(4)
                .build();
            let good = nand.good_blocks();
            assert_eq!(good.len(), 28);
            let first = cuesta_hal::BlockAddress::new(0, 0);
            assert!(good.contains(&first));
            let geometry = nand.geometry;
            for block in 0..32 {
                let block = cuesta_hal::BlockAddress::new(0, block);
                let marked = [0, geometry.pages_per_block - 1].iter().any(|&page| {
                    nand.true_bytes(block.page(page))[geometry.page_bytes as usize] != 0xFF
                });
                assert_eq!(marked, !good.contains(&block));
            }
        }
    }
}
