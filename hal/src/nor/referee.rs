//! Watches the order of programming where it costs next to nothing.

use crate::{BlockIndex, PageAddress, PageIndex};

/// Blocks whose progress is remembered: as many as a log is likely to have open at a time.
pub(super) const BLOCKS_WATCHED: usize = 8;

/// How far a block has been programmed since it was first touched in this power session.
#[derive(Debug, Clone, Copy)]
struct Progress {
    block: BlockIndex,
    /// The first page that may still be programmed; the number of pages when none may.
    next: u16,
}

/// Remembers how far the blocks touched last have been programmed.
///
/// A NOR part would take a second program of a page and silently AND it into the first; a block that is not
/// remembered is trusted.
#[derive(Debug, Default)]
pub(super) struct Referee {
    /// Most recently touched first.
    watched: [Option<Progress>; BLOCKS_WATCHED],
}

impl Referee {
    /// False when the page, or a later one of its block, is known to be programmed, or the block not to be erased.
    pub(super) fn allows(&self, page: PageAddress) -> bool {
        self.watched
            .iter()
            .flatten()
            .find(|progress| progress.block == page.block.block)
            .is_none_or(|progress| progress.next <= page.page.0)
    }

    /// The page was programmed, whether that went well or not.
    pub(super) fn programmed(&mut self, page: PageAddress) {
        let PageIndex(index) = page.page;
        self.note(page.block.block, index.saturating_add(1));
    }

    /// The block was erased: all its pages may be programmed.
    pub(super) fn erased(&mut self, block: BlockIndex) {
        self.note(block, 0);
    }

    /// The block could not be erased: none of its pages may be programmed.
    pub(super) fn not_erased(&mut self, block: BlockIndex) {
        self.note(block, u16::MAX);
    }

    fn note(&mut self, block: BlockIndex, next: u16) {
        let place = self
            .watched
            .iter()
            .position(|slot| slot.is_none_or(|progress| progress.block == block))
            .unwrap_or(BLOCKS_WATCHED - 1);
        self.watched[place] = Some(Progress { block, next });
        self.watched[..=place].rotate_right(1);
    }
}
