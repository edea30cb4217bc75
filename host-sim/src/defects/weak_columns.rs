//! Columns (bit lines) that are bad in every page they cross.
//!
//! That a bit line is shared by the pages of a block, and by the blocks of a plane, is how NAND arrays are built: Y. Cai et al., "Error
//! Characterization, Mitigation, and Recovery in Flash-Memory-Based Solid-State Drives", Proc. IEEE 105(9), 2017, on the organization of a
//! chip.

use crate::media::Place;
use crate::prng::SplitMix64;
use crate::region::Region;
use cuesta_hal::Geometry;

/// What is wrong with a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weakness {
    /// Its cells hold this value, whatever is programmed or erased.
    Stuck(bool),
    /// Each read of one of its cells is wrong with this probability, independent of all others. It stands for itself: factors of
    /// rows and blocks do not apply.
    Rate(f64),
}

#[derive(Debug, Clone, Copy)]
struct Column {
    region: Region,
    bit: u32,
    weakness: Weakness,
}

/// The weak columns of a part. A read costs time in proportion to their number.
#[derive(Debug, Clone, Default)]
pub(super) struct WeakColumns {
    columns: Vec<Column>,
}

impl WeakColumns {
    pub(super) fn weaken(&mut self, region: Region, bit: u32, weakness: Weakness) {
        self.columns.push(Column {
            region,
            bit,
            weakness,
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    fn across(&self, geometry: Geometry, place: Place) -> impl Iterator<Item = &Column> {
        let crosses = move |column: &&Column| column.region.holds(&geometry, place);
        self.columns.iter().filter(crosses)
    }

    /// Appends the cells of stuck columns in a page.
    pub(super) fn held(&self, geometry: &Geometry, place: Place, held: &mut Vec<(u32, bool)>) {
        for column in self.across(*geometry, place) {
            if let Weakness::Stuck(value) = column.weakness {
                held.push((column.bit, value));
            }
        }
    }

    /// Appends the cells of columns with a rate that this read shows wrong.
    pub(super) fn flips(
        &self,
        geometry: &Geometry,
        place: Place,
        noise: &mut SplitMix64,
        wrong: &mut Vec<u32>,
    ) {
        for column in self.across(*geometry, place) {
            if let Weakness::Rate(rate) = column.weakness {
                if noise.unit() < rate {
                    wrong.push(column.bit);
                }
            }
        }
    }
}
