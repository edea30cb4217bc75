//! Blocks whose bits go wrong more often than those of the part.

use std::collections::BTreeMap;

/// Factor of each hot block, by its number over all dies.
#[derive(Debug, Clone, Default)]
pub(super) struct HotBlocks {
    factors: BTreeMap<u32, f64>,
}

impl HotBlocks {
    pub(super) fn heat(&mut self, block: u32, factor: f64) {
        self.factors.insert(block, factor.max(0.0));
    }

    pub(super) fn factor(&self, block: u32) -> f64 {
        self.factors.get(&block).copied().unwrap_or(1.0)
    }
}
