//! Disks that campaigns are made on: every geometry, redundancy and budget of memory, as small as they go.

use cuesta::volume::Budget;

use crate::campaign::aged::Making;

/// A disk to be cut.
#[derive(Debug, Clone, Copy)]
pub struct Subject {
    /// Its name, in cases.
    pub name: &'static str,
    /// How it is made.
    pub making: Making,
}

/// As many blocks as make reading everything quick.
const fn several(chip: &'static str, blocks: u32, depth: usize, budget: Budget) -> Making {
    Making {
        blocks_per_die: Some(blocks),
        depth,
        ..Making::of(chip, budget)
    }
}

const fn wide(width: u16, blocks: u32, budget: Budget) -> Making {
    Making {
        width: Some(width),
        ..several("tiny4", blocks, 4, budget)
    }
}

/// The same with short blocks, so that a short workload goes through many.
const fn short(making: Making) -> Making {
    Making {
        pages_per_block: Some(8),
        ..making
    }
}

const fn subject(name: &'static str, making: Making) -> Subject {
    Subject { name, making }
}

const MULTI_PARITY: Making = Making {
    depth: 7,
    page_bytes: Some(8192),
    ..Making::of("tiny-multi", Budget::Full).with_levels(28, &["a=parity=2"])
};

const MULTI_MIRRORED: Making = Making {
    depth: 5,
    page_bytes: Some(8192),
    ..Making::of("tiny-multi", Budget::Full).with_levels(20, &["a=bch8", "b=mirror=2"])
};

/// All of them.
pub const SUBJECTS: [Subject; 18] = [
    subject(
        "one-die-min",
        short(several("tiny", 28, 1, Budget::Minimum)),
    ),
    subject("one-die-full", short(several("tiny", 28, 1, Budget::Full))),
    subject("one-die-long", several("tiny", 28, 1, Budget::Full)),
    subject(
        "two-dies-min",
        short(several("tiny2", 18, 3, Budget::Minimum)),
    ),
    subject(
        "two-dies-full",
        short(several("tiny2", 18, 1, Budget::Full)),
    ),
    subject(
        "four-dies-min",
        short(several("tiny4", 9, 4, Budget::Minimum)),
    ),
    subject(
        "four-dies-full",
        short(several("tiny4", 9, 5, Budget::Full)),
    ),
    subject("four-dies-long", several("tiny4", 9, 4, Budget::Minimum)),
    subject("two-wide-min", short(wide(2, 14, Budget::Minimum))),
    subject("four-wide-full", short(wide(4, 26, Budget::Full))),
    subject("multi-min", several("tiny-multi", 10, 5, Budget::Minimum)),
    subject("multi-full", several("tiny-multi", 10, 5, Budget::Full)),
    subject(
        "one-die-mirror",
        short(several("tiny", 1, 1, Budget::Minimum).with_levels(88, &["a", "b=mirror=2"])),
    ),
    subject(
        "four-dies-mirror",
        short(several("tiny4", 1, 4, Budget::Minimum).with_levels(40, &["a=mirror=3", "b=crc"])),
    ),
    subject(
        "four-dies-parity",
        short(several("tiny4", 1, 4, Budget::Minimum).with_levels(40, &["a=parity=3", "b=crc"])),
    ),
    subject("multi-mirror", short(MULTI_MIRRORED)),
    subject("multi-parity", short(MULTI_PARITY)),
    subject(
        "chip-ecc",
        short(several("tiny", 28, 1, Budget::Minimum).with_chip_ecc()),
    ),
];

/// The subject of a name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Subject> {
    SUBJECTS.iter().find(|subject| subject.name == name)
}
