//! Dies and planes that are gone for good.
//!
//! What a loss looks like from outside is an assumption of this emulator: the two ends of what a controller can meet are a die whose logic
//! answers and whose array does not work, and a die that never becomes ready.

use crate::media::Place;
use crate::prng::SplitMix64;
use crate::region::Region;
use cuesta_hal::{Die, Geometry};

/// What is lost of a part. Empty for a part that is whole.
#[derive(Debug, Clone)]
pub(crate) struct Losses {
    answering: Vec<Region>,
    silent: Vec<Die>,
    garbage: SplitMix64,
}

impl Losses {
    pub(crate) const fn none(seed: u64) -> Self {
        Self {
            answering: Vec::new(),
            silent: Vec::new(),
            garbage: SplitMix64::derive(seed, 0x105),
        }
    }

    pub(crate) fn lose(&mut self, region: Region) {
        if !self.answering.contains(&region) {
            self.answering.push(region);
        }
    }

    pub(crate) fn silence(&mut self, die: Die) {
        if !self.is_silent(die) {
            self.silent.push(die);
        }
    }

    /// True when the die does not answer.
    pub(crate) fn is_silent(&self, die: Die) -> bool {
        self.silent.contains(&die)
    }

    /// True when the place is lost on a die that answers.
    pub(crate) fn holds(&self, geometry: &Geometry, place: Place) -> bool {
        self.answering
            .iter()
            .any(|region| region.holds(geometry, place))
    }

    /// What a read of a lost place finds: other bytes each time.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.garbage.fill(bytes);
    }
}

#[cfg(test)]
mod tests;
