//! Dynamic data clustering.

use super::{Moment, Placement, Version};

/// Classes, the hottest first.
const CLASSES: u8 = 8;

pub(super) struct Dac;

impl Placement for Dac {
    fn streams(&self) -> u8 {
        CLASSES
    }

    fn write(&mut self, _: Moment, old: Option<Version>) -> u8 {
        old.map_or(CLASSES - 1, |old| old.stream.saturating_sub(1))
    }

    fn relocate(&mut self, _: Moment, version: Version) -> u8 {
        (version.stream + 1).min(CLASSES - 1)
    }
}
