//! A persistence level: how durably, and where, what is written at it is kept.

use super::mode::{Mode, OnLoss};
use crate::volume::LevelIndex;

/// Resources that levels can name.
pub const RESOURCES_MAX: u8 = 8;

/// Resources by number: a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ResourceSet(pub u8);

impl ResourceSet {
    /// The first resource alone.
    pub const FIRST: Self = Self(1);

    /// True when the resource of this number is one of them.
    #[must_use]
    pub const fn has(self, resource: u8) -> bool {
        resource < RESOURCES_MAX && self.0 >> resource & 1 != 0
    }

    /// How many there are.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// True when there are none: nothing could be written.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Default for ResourceSet {
    fn default() -> Self {
        Self::FIRST
    }
}

/// A persistence level, but for its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Persistence {
    /// What the cache does.
    pub mode: Mode,
    /// Primaries that must all have it before a write that reaches them is acknowledged.
    pub resources: ResourceSet,
    /// The level of a volume: code and redundancy. Other resources have no use for it.
    pub storage: LevelIndex,
    /// A write is read back from each primary before it is acknowledged.
    pub verify: bool,
    /// A request of several sectors takes effect as a whole, or not at all.
    pub atomic: bool,
    /// How ephemeral data reads when it is lost.
    pub on_loss: OnLoss,
}

/// Names one of a policy's levels: its place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LevelNumber(pub u8);
