//! The engine's rule as it was first written, with its granularity of time: class `k` of `K` stands for a life of `2L / 2^(K−1−k)` host writes.

use super::{Moment, Placement, Version};
use crate::prng::SplitMix64;

/// Segments for each class.
const SEGMENTS_PER_CLASS: u32 = 128;
const CLASSES_MAX: u32 = 8;
/// How far an overwrite moves a sector's class towards that of the life it had.
const STEP: f64 = 0.35;
/// Host writes that segments tell apart.
const STAMP: u64 = 32;

pub(super) struct LifeEstimate {
    top: u8,
    prng: SplitMix64,
}

impl LifeEstimate {
    pub fn new(segments: u32) -> Self {
        Self {
            top: (segments / SEGMENTS_PER_CLASS).clamp(2, CLASSES_MAX) as u8 - 1,
            prng: SplitMix64::new(1),
        }
    }

    fn class_of_life(&self, mapped: u32, writes: u64) -> f64 {
        let span = 2.0 * f64::from(mapped.max(64));
        f64::from(self.top) - (span / (writes + 1) as f64).log2()
    }

    /// A whole class, at random one of the two nearest.
    fn dither(&mut self, class: f64) -> u8 {
        let dithered = (class + self.prng.unit()).floor();
        dithered.clamp(0.0, f64::from(self.top)) as u8
    }
}

impl Placement for LifeEstimate {
    fn streams(&self) -> u8 {
        self.top + 1
    }

    fn write(&mut self, at: Moment, old: Option<Version>) -> u8 {
        let Some(old) = old else {
            return self.top;
        };
        let age = (at.now / STAMP - old.opened / STAMP) * STAMP;
        let age = if old.open { age / 2 } else { age };
        let (class, life) = (f64::from(old.stream), self.class_of_life(at.mapped, age));
        self.dither(class + (life - class) * STEP)
    }

    fn relocate(&mut self, at: Moment, version: Version) -> u8 {
        let life = self.class_of_life(at.mapped, at.now - version.birth);
        if life > f64::from(version.stream) {
            self.dither(life)
        } else {
            version.stream
        }
    }
}
