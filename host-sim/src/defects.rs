//! What is wrong with the array itself: all off by default, and free to combine.
//!
//! A model that has a rate, here or elsewhere, has it times the factor of the row and the factor of the block.

mod hot_blocks;
mod interference;
mod row_spread;
mod stuck_bits;
mod weak_columns;

pub use interference::Interference;
pub use row_spread::RowSpread;
pub use weak_columns::Weakness;

use crate::media::{Media, Place};
use crate::prng::SplitMix64;
use crate::region::Region;
use cuesta_hal::{BlockAddress, Geometry, PageAddress};
use hot_blocks::HotBlocks;
use std::collections::BTreeSet;
use std::io;
use stuck_bits::StuckBits;
use weak_columns::WeakColumns;

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
    stuck: StuckBits,
    columns: WeakColumns,
    noise: SplitMix64,
}

/// A cell that is stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StuckBit {
    /// Its page.
    pub page: PageAddress,
    /// Bit `b` is bit `b mod 8` of byte `b / 8` of the raw page.
    pub bit: u32,
    /// What it holds.
    pub value: bool,
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
            stuck: StuckBits::default(),
            columns: WeakColumns::default(),
            noise: SplitMix64::derive(seed, 0x0DEF_0001),
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

    /// Lets a cell hold a value whatever is programmed or erased.
    pub fn stick(&mut self, cell: StuckBit) -> &mut Self {
        if let Some(place) = Place::of(&self.geometry, cell.page) {
            if cell.bit < self.bits() {
                self.stuck.stick(place, cell.bit, cell.value);
            }
        }
        self
    }

    /// Sticks `count` more cells, at 0 or at 1, anywhere in the part. Gives them in the order of drawing.
    ///
    /// No more than half of the cells of the part are drawn.
    pub fn scatter_stuck_bits(&mut self, count: u32) -> Vec<StuckBit> {
        let most = self.geometry.pages() * u64::from(self.bits()) / 2;
        let mut cells = Vec::new();
        while cells.len() < count as usize && (cells.len() as u64) < most {
            let prng = &mut self.scatter;
            let place = Place {
                block: prng.below(u64::from(self.geometry.blocks())) as u32,
                page: prng.below(u64::from(self.geometry.pages_per_block)) as u16,
            };
            let bit = prng.below(u64::from(self.geometry.raw_page_bytes()) * 8) as u32;
            let value = prng.chance(1, 2);
            if self.stuck.stick(place, bit, value) {
                let page = self.address(place.block).page(place.page);
                cells.push(StuckBit { page, bit, value });
            }
        }
        cells
    }

    /// Makes a column weak in a region: bit `bit` of every raw page there. Bits count as in [`StuckBit`].
    pub fn weak_column(&mut self, region: Region, bit: u32, weakness: Weakness) -> &mut Self {
        if bit < self.bits() {
            self.columns.weaken(region, bit, weakness);
        }
        self
    }

    /// Makes `count` columns of a region weak, or all if there are fewer. Gives their bits in order.
    pub fn scatter_weak_columns(
        &mut self,
        region: Region,
        count: u32,
        weakness: Weakness,
    ) -> Vec<u32> {
        let bits = self.bits();
        let mut drawn = BTreeSet::new();
        while drawn.len() < count.min(bits) as usize {
            drawn.insert(self.scatter.below(u64::from(bits)) as u32);
        }
        for &bit in &drawn {
            self.columns.weaken(region, bit, weakness);
        }
        drawn.into_iter().collect()
    }

    /// Bits of a raw page.
    const fn bits(&self) -> u32 {
        self.geometry.raw_page_bytes() * 8
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

    /// Appends the bits of weak columns that this read of `place` shows wrong.
    pub(crate) fn flips_of_columns(&mut self, place: Place, wrong: &mut Vec<u32>) {
        if !self.columns.is_empty() {
            self.columns
                .flips(&self.geometry, place, &mut self.noise, wrong);
        }
    }

    /// Has the last word in `wrong` on stuck cells: wrong is one that holds another value than was stored.
    pub(crate) fn stick_in_read<M: Media>(
        &self,
        place: Place,
        media: &M,
        wrong: &mut Vec<u32>,
    ) -> io::Result<()> {
        if self.stuck.is_empty() && self.columns.is_empty() {
            return Ok(());
        }
        let mut held = Vec::new();
        self.columns.held(&self.geometry, place, &mut held);
        self.stuck.held(place, &mut held);
        for (bit, value) in held {
            let mut byte = [0];
            media.load(place, (bit / 8) as usize, &mut byte)?;
            wrong.retain(|&other| other != bit);
            if (byte[0] >> (bit % 8) & 1 == 1) != value {
                wrong.push(bit);
            }
        }
        Ok(())
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
