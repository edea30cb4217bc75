//! Which dies and blocks the suite works on.

use super::steps;
use crate::{
    BlockAddress, BlockIndex, Buffer, Columns, Die, Geometry, MarkerPages, Nand, PageAddress,
};

/// Dies of the sample, at most.
pub(super) const DIES_MAX: usize = 4;
/// Good blocks of one die in the sample, at most.
const BLOCKS_MAX: usize = 4;

/// The first dies and the last one.
pub(super) fn dies(geometry: &Geometry) -> impl Iterator<Item = Die> + use<> {
    let last = geometry.dies.saturating_sub(1);
    (0..last).take(DIES_MAX - 1).chain([last]).map(Die)
}

/// Good blocks of one die: the first ones and the last one, at least one.
#[derive(Debug, Clone, Copy)]
pub(super) struct GoodBlocks {
    blocks: [BlockAddress; BLOCKS_MAX],
    count: usize,
}

impl GoodBlocks {
    /// The first good block of the die.
    pub(super) fn first(&self) -> BlockAddress {
        self.blocks[0]
    }

    /// The last good block of the die, which may be the first one.
    pub(super) fn last(&self) -> BlockAddress {
        self.blocks[self.count - 1]
    }

    /// All blocks of the sample, in ascending order.
    pub(super) fn iter(self) -> impl Iterator<Item = BlockAddress> {
        self.blocks.into_iter().take(self.count)
    }

    fn push(&mut self, block: BlockAddress) {
        self.blocks[self.count] = block;
        self.count += 1;
    }
}

/// Finds the sample of a die by reading markers; each block is read at most once.
pub(super) fn good_blocks<N: Nand>(nand: &mut N, die: Die) -> GoodBlocks {
    let blocks_per_die = nand.geometry().blocks_per_die;
    let mut found = GoodBlocks {
        blocks: [BlockAddress::default(); BLOCKS_MAX],
        count: 0,
    };
    let mut unread = 0..blocks_per_die;
    while found.count < BLOCKS_MAX {
        // The last place is for the last good block of the die.
        let next = if found.count < BLOCKS_MAX - 1 {
            unread.next()
        } else {
            unread.next_back()
        };
        let Some(block) = next.map(BlockIndex) else {
            break;
        };
        let block = BlockAddress { die, block };
        if is_good(nand, block) {
            found.push(block);
        }
    }
    assert!(
        found.count > 0,
        "conformance: {die:?} was searched for a block without a bad-block marker; none of its \
         {blocks_per_die} blocks reads 0xFF at that place"
    );
    found
}

/// True when no page that may carry a marker does.
fn is_good<N: Nand>(nand: &mut N, block: BlockAddress) -> bool {
    let last = nand.geometry().pages_per_block - 1;
    match nand.geometry().bad_block_marker.pages {
        MarkerPages::First => is_unmarked(nand, block.page(0)),
        MarkerPages::FirstOrSecond => {
            is_unmarked(nand, block.page(0)) && is_unmarked(nand, block.page(last.min(1)))
        }
        MarkerPages::FirstOrLast => {
            is_unmarked(nand, block.page(0)) && is_unmarked(nand, block.page(last))
        }
    }
}

fn is_unmarked<N: Nand>(nand: &mut N, page: PageAddress) -> bool {
    let geometry = *nand.geometry();
    let marker = geometry.bad_block_marker;
    let columns = Columns::spare(
        &geometry,
        u32::from(marker.spare_offset),
        u32::from(marker.len),
    );
    if columns.is_empty() {
        return true;
    }
    // Whether the part's own ECC could make sense of a bad block is of no interest.
    steps::read(nand, page, columns, Buffer::First);
    let start = steps::index(columns.spare_start);
    nand.buffer(page.die(), Buffer::First)
        .iter()
        .skip(start)
        .take(usize::from(marker.len))
        .all(|byte| *byte == 0xFF)
}
