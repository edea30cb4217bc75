//! Lives estimated from what segments know, with a stream on probation: what the host writes of long-lived sectors stays apart from what has proved
//! long-lived by being relocated.
//!
//! Where hot sets move, most sectors that are written after a long time are hot from now on; among relocated ones they leave holes in segments that are
//! otherwise full. Where they do not move, those sectors are as cold as before, and keeping them apart costs room. Which of the two it is shows in how
//! often sectors die on probation before they are relocated, beside all others.

use super::{Moment, Placement, Version};
use crate::prng::SplitMix64;

/// The class of the longest lives; the classes below stand for half the life each.
const TOP: u8 = 7;
/// The stream on probation: of host writes only.
const PROBATION: u8 = TOP + 1;
/// The class that a sector counts as when it is overwritten on probation.
const PROBATION_AS: f64 = 4.0;
/// From this class on host writes are on probation where hot sets move; else the longest lives alone are.
const MOVING: u8 = 5;
/// How far an overwrite moves a sector's class towards that of the life it had.
const STEP: f64 = 0.35;
/// Ends of sectors on probation after which it is judged anew.
const ENDS: u32 = 2000;

/// How sectors ended.
#[derive(Debug, Clone, Copy, Default)]
struct Ends {
    overwritten: u32,
    relocated: u32,
}

impl Ends {
    const fn all(self) -> u32 {
        self.overwritten + self.relocated
    }

    const fn halve(&mut self) {
        self.overwritten /= 2;
        self.relocated /= 2;
    }

    /// True when more of these were overwritten before they were relocated than of `others`.
    fn die_sooner_than(self, others: Self) -> bool {
        u64::from(self.overwritten) * u64::from(others.all())
            > u64::from(others.overwritten) * u64::from(self.all())
    }
}

pub(super) struct Probation {
    prng: SplitMix64,
    limit: u8,
    on_probation: Ends,
    all: Ends,
}

impl Probation {
    pub const fn new() -> Self {
        Self {
            prng: SplitMix64::new(1),
            limit: MOVING,
            on_probation: Ends {
                overwritten: 0,
                relocated: 0,
            },
            all: Ends {
                overwritten: 0,
                relocated: 0,
            },
        }
    }

    fn class_of_life(mapped: u32, writes: u64) -> f64 {
        let span = 2.0 * f64::from(mapped.max(64));
        f64::from(TOP) - (span / (writes + 1) as f64).log2()
    }

    /// A whole class, at random one of the two nearest.
    fn dither(&mut self, class: f64) -> u8 {
        let dithered = (class + self.prng.unit()).floor();
        dithered.clamp(0.0, f64::from(TOP)) as u8
    }

    fn judge(&mut self) {
        if self.on_probation.all() < ENDS {
            return;
        }
        self.limit = match self.on_probation.die_sooner_than(self.all) {
            true => MOVING,
            false => TOP,
        };
        self.on_probation.halve();
        self.all.halve();
    }
}

impl Placement for Probation {
    fn streams(&self) -> u8 {
        PROBATION + 1
    }

    fn write(&mut self, at: Moment, old: Option<Version>) -> u8 {
        let Some(old) = old else {
            return TOP;
        };
        self.all.overwritten += 1;
        let class = if old.stream == PROBATION {
            self.on_probation.overwritten += 1;
            PROBATION_AS
        } else {
            f64::from(old.stream)
        };
        self.judge();
        let age = at.now - old.opened;
        let life = Self::class_of_life(at.mapped, if old.open { age / 2 } else { age });
        match self.dither(class + (life - class) * STEP) {
            class if class >= self.limit => PROBATION,
            class => class,
        }
    }

    fn relocate(&mut self, at: Moment, version: Version) -> u8 {
        self.all.relocated += 1;
        let class = if version.stream == PROBATION {
            self.on_probation.relocated += 1;
            0
        } else {
            version.stream
        };
        let life = Self::class_of_life(at.mapped, at.now - version.birth);
        if life > f64::from(class) {
            self.dither(life)
        } else {
            class
        }
    }
}
