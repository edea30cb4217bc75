//! Edits of the media.

use std::ops::Range;

use cuesta_hal::Nand;

use super::forge::{forge, Forgery};
use crate::campaign::damage::{
    blank_block, flip_bits, overwrite_page, scramble_block, transplant_block,
};
use crate::campaign::rig::Rig;
use crate::{EmulatedNand, SplitMix64};
use cuesta_hal::PageAddress;

/// A change of the media behind everyone's back.
#[derive(Debug, Clone)]
pub enum Edit {
    /// Random bits of a page are flipped.
    Flip {
        /// The page.
        page: PageAddress,
        /// How many.
        bits: u32,
        /// Draws which.
        seed: u64,
    },
    /// Bytes of a page are replaced by random ones.
    Scribble {
        /// The page.
        page: PageAddress,
        /// Which.
        bytes: Range<usize>,
        /// Draws what.
        seed: u64,
    },
    /// A page has the same byte everywhere.
    Fill {
        /// The page.
        page: PageAddress,
        /// The byte.
        byte: u8,
    },
    /// A page holds what another one holds.
    Copy {
        /// The page.
        page: PageAddress,
        /// The other one.
        from: PageAddress,
    },
    /// A block is erased.
    Blank(u32),
    /// A block is filled with random bytes.
    Scramble(u32, u64),
    /// A block is as it was some time ago.
    Older(u32),
    /// What a page says is changed, and its checks agree.
    Forge {
        /// The page.
        page: PageAddress,
        /// How.
        forgery: Forgery,
    },
}

impl Edit {
    /// One of them, of one of these programmed pages; forgeries only if asked for.
    pub(super) fn draw(
        nand: &EmulatedNand,
        pages: &[PageAddress],
        forged: bool,
        random: &mut SplitMix64,
    ) -> Self {
        let mut page = || pages[random.below(pages.len() as u64) as usize];
        let (page, from) = (page(), page());
        let raw = nand.geometry().raw_page_bytes() as usize;
        let block = random.below(u64::from(nand.geometry().blocks())) as u32;
        let seed = random.next();
        if forged && random.chance(2, 3) {
            let forgery = Forgery::draw(random);
            return Self::Forge { page, forgery };
        }
        match random.below(8) {
            0 | 1 => {
                let most = 1 << random.below(9);
                Self::Flip {
                    page,
                    bits: 1 + random.below(most) as u32,
                    seed,
                }
            }
            2 => {
                let start = random.below(raw as u64) as usize;
                let len = 1 + random.below(64) as usize;
                Self::Scribble {
                    page,
                    bytes: start..(start + len).min(raw),
                    seed,
                }
            }
            3 => Self::Fill {
                page,
                byte: [0, 0xFF, 0xFE, seed as u8][random.below(4) as usize],
            },
            4 => Self::Copy { page, from },
            5 => Self::Blank(block),
            6 => Self::Scramble(block, seed),
            _ => Self::Older(block),
        }
    }

    /// True when checks agree with what nobody wrote.
    #[must_use]
    pub const fn is_forged(&self) -> bool {
        matches!(self, Self::Forge { .. })
    }

    /// Makes it.
    pub(super) fn make(&self, rig: &mut Rig, before: &EmulatedNand) {
        let nand = &mut rig.nand;
        match self {
            Self::Flip { page, bits, seed } => {
                flip_bits(nand, *page, *bits, &mut SplitMix64::new(*seed));
            }
            Self::Scribble { page, bytes, seed } => {
                let mut raw = nand.true_bytes(*page);
                SplitMix64::new(*seed).fill(&mut raw[bytes.clone()]);
                overwrite_page(nand, *page, raw);
            }
            Self::Fill { page, byte } => {
                let raw = vec![*byte; nand.geometry().raw_page_bytes() as usize];
                overwrite_page(nand, *page, raw);
            }
            Self::Copy { page, from } => {
                let raw = nand.true_bytes(*from);
                overwrite_page(nand, *page, raw);
            }
            Self::Blank(block) => blank_block(nand, *block),
            Self::Scramble(block, seed) => {
                scramble_block(nand, *block, &mut SplitMix64::new(*seed));
            }
            Self::Older(block) => transplant_block(nand, *block, before),
            Self::Forge { page, forgery } => forge(rig, *page, forgery),
        }
    }
}
