//! Rows of a block that are better or worse than the part.
//!
//! Source: Y. Luo et al., "Improving 3D NAND Flash Memory Lifetime by Tolerating Early Retention Loss and Process Variation", POMACS 2(3),
//! 2018: the average error rate of each layer of a chip differs significantly from that of the others. How much is for the caller to say.

use crate::prng::SplitMix64;

/// Spread of the error rate over the rows of a block (in 3-D parts: layers).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowSpread {
    /// A row's rate is the part's times a factor between `1 / spread` and `spread`, evenly on a logarithmic scale.
    pub spread: f64,
    /// Pages of one row, which share its factor; 0 counts as 1.
    pub pages_per_row: u16,
}

impl RowSpread {
    /// The factor of a page: of its row, the same in every block of a part.
    pub(super) fn factor(&self, seed: u64, page: u16) -> f64 {
        let row = page / self.pages_per_row.max(1);
        let mut prng = SplitMix64::derive(seed, 0x0403_0000 | u64::from(row));
        let spread = self.spread.max(1.0);
        prng.log_between(1.0 / spread, spread)
    }
}
