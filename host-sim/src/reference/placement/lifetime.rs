//! Lives against a threshold that follows the load. It needs the time of the last write of every sector.

use super::{Moment, Placement, Version};

/// Host writes over versions that lived for less than the threshold.
const SHORT: u8 = 0;
/// Other host writes.
const LONG: u8 = 1;
/// Relocations out of [`SHORT`].
const SHORT_MOVED: u8 = 2;
/// Other relocations, by their age: below 4 thresholds, below 16, above.
const YOUNG: u8 = 3;
const MIDDLE: u8 = 4;
const OLD: u8 = 5;
/// Cleaned segments of [`SHORT`] from which a threshold is made.
const SEGMENTS: u32 = 16;

pub(super) struct Lifetime {
    threshold: u64,
    cleaned: u32,
    lives: u64,
}

impl Lifetime {
    pub fn new() -> Self {
        Self {
            threshold: u64::MAX,
            cleaned: 0,
            lives: 0,
        }
    }
}

impl Placement for Lifetime {
    fn streams(&self) -> u8 {
        6
    }

    fn write(&mut self, at: Moment, old: Option<Version>) -> u8 {
        match old {
            Some(old) if at.now - old.birth < self.threshold => SHORT,
            _ => LONG,
        }
    }

    fn relocate(&mut self, at: Moment, version: Version) -> u8 {
        let age = at.now - version.birth;
        if version.stream == SHORT {
            SHORT_MOVED
        } else if age < self.threshold.saturating_mul(4) {
            YOUNG
        } else if age < self.threshold.saturating_mul(16) {
            MIDDLE
        } else {
            OLD
        }
    }

    fn clean(&mut self, at: Moment, stream: u8, opened: u64) {
        if stream != SHORT {
            return;
        }
        self.cleaned += 1;
        self.lives += at.now - opened;
        if self.cleaned == SEGMENTS {
            self.threshold = self.lives / u64::from(SEGMENTS);
            self.cleaned = 0;
            self.lives = 0;
        }
    }
}
