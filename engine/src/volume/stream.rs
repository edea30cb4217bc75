//! The numbers of streams: which append point a class of a level has.
//!
//! In memory every stream has a number: first the classes of the first level, then wear leveling and the journal, then the classes of the other levels. On
//! flash a stream is a class (8 for wear leveling, 9 for the journal) and a level.

use super::shape::WIDE;

/// Data classes at most.
pub const CLASSES_MAX: usize = 8;

/// Stream of relocations made for wear leveling.
pub const LEVELING: u8 = CLASSES_MAX as u8;
/// Stream of the journal.
pub const JOURNAL: u8 = LEVELING + 1;
/// The first stream of the second level.
const OTHERS: u8 = JOURNAL + 1;
/// Streams that all levels but the first have together, at most.
const OTHERS_MAX: u8 = if WIDE { 15 } else { 0 };
/// Streams at most.
pub const STREAMS_MAX: usize = (OTHERS + OTHERS_MAX) as usize;

/// How the streams of a volume are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    /// Classes of the first level.
    first: u8,
    /// Classes of each other level.
    other: u8,
    levels: u8,
}

impl Streams {
    /// The streams of a volume with so many classes of the first level, and so many levels.
    #[must_use]
    pub fn new(classes: u8, levels: u8) -> Self {
        let levels = levels.max(1);
        let first = classes.clamp(1, CLASSES_MAX as u8);
        let other = match levels {
            1 => 0,
            levels => (OTHERS_MAX / (levels - 1)).clamp(1, 4).min(first),
        };
        Self {
            first,
            other,
            levels,
        }
    }

    const fn other(&self) -> u8 {
        if WIDE {
            self.other
        } else {
            0
        }
    }

    /// How many numbers there are, unused ones included.
    #[must_use]
    pub const fn count(&self) -> usize {
        OTHERS as usize + (self.levels as usize - 1) * self.other() as usize
    }

    /// How many streams of sector data there are, wear leveling included.
    #[must_use]
    pub const fn of_data(&self) -> u32 {
        self.first as u32 + (self.levels as u32 - 1) * self.other() as u32 + 1
    }

    /// Classes of a level.
    #[must_use]
    pub const fn classes(&self, level: u8) -> u8 {
        if level == 0 || !WIDE {
            self.first
        } else {
            self.other()
        }
    }

    /// The numbers of a level's streams, by class.
    pub fn of_level(&self, level: u8) -> core::ops::Range<u8> {
        let start = match level {
            0 => 0,
            level => OTHERS + (level - 1) * self.other(),
        };
        start..start + self.classes(level)
    }

    /// The level of a stream of sector data; wear leveling serves all of them.
    #[must_use]
    pub const fn level(&self, stream: u8) -> u8 {
        match stream.checked_sub(OTHERS) {
            Some(beyond) if self.other() > 0 => 1 + beyond / self.other(),
            _ => 0,
        }
    }

    /// The class of a stream, as it is stored.
    #[must_use]
    pub const fn class(&self, stream: u8) -> u8 {
        match stream.checked_sub(OTHERS) {
            Some(beyond) if self.other() > 0 => beyond % self.other(),
            _ => stream,
        }
    }

    /// The number of a stream that is stored as a class of a level; `None` if the volume has no such stream.
    #[must_use]
    pub fn number(&self, level: u8, class: u8) -> Option<u8> {
        match class {
            LEVELING | JOURNAL => Some(class),
            class if level < self.levels && class < self.classes(level) => {
                Some(self.of_level(level).start + class)
            }
            _ => None,
        }
    }

    /// The class of a level that stands for a class of the first level.
    #[must_use]
    pub const fn scaled(&self, level: u8, class: u8) -> u8 {
        if level == 0 {
            class
        } else {
            (class as u16 * self.other() as u16 / self.first as u16) as u8
        }
    }

    /// The first class of the first level for which a class of a level stands.
    #[must_use]
    pub const fn unscaled(&self, level: u8, class: u8) -> u8 {
        if level == 0 || self.other() == 0 {
            class
        } else {
            (class as u16 * self.first as u16).div_ceil(self.other() as u16) as u8
        }
    }
}

#[cfg(test)]
#[cfg(feature = "wide")]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_every_level_has_a_number_of_its_own() {
        for levels in 1..=16 {
            for classes in 1..=8 {
                let streams = Streams::new(classes, levels);
                assert!(streams.count() <= STREAMS_MAX);
                let mut seen = [false; STREAMS_MAX];
                let mut count = 1;
                for level in 0..levels {
                    assert!(streams.classes(level) > 0);
                    for (class, stream) in (0u8..).zip(streams.of_level(level)) {
                        assert!(!core::mem::replace(&mut seen[usize::from(stream)], true));
                        assert_eq!(streams.level(stream), level);
                        assert_eq!(streams.class(stream), class);
                        assert_eq!(streams.number(level, class), Some(stream));
                        let back = streams.scaled(level, streams.unscaled(level, class));
                        assert_eq!(back, class);
                        count += 1;
                    }
                    // Eight classes are followed by the number of wear leveling.
                    let beyond = streams.number(level, streams.classes(level));
                    assert_eq!(
                        beyond,
                        (streams.classes(level) == LEVELING).then_some(LEVELING)
                    );
                    for class in 0..classes {
                        assert!(streams.scaled(level, class) < streams.classes(level));
                    }
                }
                assert_eq!(streams.of_data(), count);
                for fixed in [LEVELING, JOURNAL] {
                    assert!(!seen[usize::from(fixed)]);
                    assert_eq!(streams.number(0, fixed), Some(fixed));
                    assert_eq!((streams.level(fixed), streams.class(fixed)), (0, fixed));
                }
            }
        }
    }
}
