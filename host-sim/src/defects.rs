//! What is wrong with the array itself: all off by default, and free to combine.
//!
//! A model that has a rate, here or elsewhere, has it times the factor of the row and the factor of the block.

mod hot_blocks;
mod interference;
mod row_spread;

pub use interference::Interference;
pub use row_spread::RowSpread;

use crate::media::{Media, Place};
use crate::prng::SplitMix64;
use cuesta_hal::{BlockAddress, Geometry};
use hot_blocks::HotBlocks;
use std::collections::BTreeSet;

/// The defects of a part's array.
///
/// They show in reads only: [`true_bytes`](crate::Emulator::true_bytes) tells what was programmed. They outlive erases and power cycles; an
/// image file does not keep them. What is scattered follows from the seed of the part and from what was scattered before.
/// Places that the part does not have are passed over.
#[derive(Debug, Clone)]
pub struct Defects {
    geometry: Geometry,
    seed: u64,
    scatter: SplitMix64,
    rows: Option<RowSpread>,
    hot: HotBlocks,
    interference: Option<Interference>,
}

impl Defects {
    pub(crate) fn none(seed: u64, geometry: &Geometry) -> Self {
        Self {
            geometry: *geometry,
            seed,
            scatter: SplitMix64::derive(seed, 0xDEF),
            rows: None,
            hot: HotBlocks::default(),
            interference: None,
        }
    }

    /// Number of a block over all dies, if there is such a block.
    fn number(&self, block: BlockAddress) -> Option<u32> {
        Place::of(&self.geometry, block.page(0)).map(|place| place.block)
    }

    /// The block with a number over all dies.
    fn address(&self, number: u32) -> BlockAddress {
        let per_die = self.geometry.blocks_per_die;
        BlockAddress::new((number / per_die) as u16, number % per_die)
    }

    /// Lets the rows of a block differ, in the same way in every block.
    pub const fn spread_rows(&mut self, spread: RowSpread) -> &mut Self {
        self.rows = Some(spread);
        self
    }

    /// Multiplies every error rate of a block with `factor`: those of aging, of interference and of
    /// [`bit_error_rate`](crate::Faults::bit_error_rate). No rate exceeds one half.
    pub fn hot_block(&mut self, block: BlockAddress, factor: f64) -> &mut Self {
        if let Some(number) = self.number(block) {
            self.hot.heat(number, factor);
        }
        self
    }

    /// Makes `count` blocks of the part hot, or all if there are fewer. Gives them in order.
    pub fn scatter_hot_blocks(&mut self, count: u32, factor: f64) -> Vec<BlockAddress> {
        let blocks = self.geometry.blocks();
        let mut drawn = BTreeSet::new();
        while drawn.len() < count.min(blocks) as usize {
            drawn.insert(self.scatter.below(u64::from(blocks)) as u32);
        }
        for &block in &drawn {
            self.hot.heat(block, factor);
        }
        drawn.iter().map(|&block| self.address(block)).collect()
    }

    /// Lets programs disturb the page before. Whether the program failed or was torn makes no difference.
    pub const fn interfere(&mut self, interference: Interference) -> &mut Self {
        self.interference = Some(interference);
        self
    }

    /// Makes the array sound.
    pub fn clear(&mut self) {
        *self = Self::none(self.seed, &self.geometry);
    }

    /// Appends the bits of `place` that programs of the next page made wrong.
    pub(crate) fn flips_of_interference<M: Media>(
        &self,
        place: Place,
        media: &M,
        bits: u32,
        wrong: &mut Vec<u32>,
    ) {
        let (Some(interference), Some(page)) = (self.interference, place.page.checked_add(1))
        else {
            return;
        };
        if page >= self.geometry.pages_per_block {
            return;
        }
        let programs = media.page(Place { page, ..place }).programs;
        let rate = interference.rate(programs) * self.rate_factor(place);
        let life = media.block(place.block).erases;
        interference::flips(self.seed, place, life, rate, bits, wrong);
    }

    /// What every rate is multiplied with at a place; exactly 1 where nothing was said.
    pub(crate) fn rate_factor(&self, place: Place) -> f64 {
        let row = self
            .rows
            .map_or(1.0, |rows| rows.factor(self.seed, place.page));
        row * self.hot.factor(place.block)
    }
}

#[cfg(test)]
mod tests;
