//! Changes that a host makes, drawn from a seed.

use crate::SplitMix64;

/// A change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// One sector is written.
    Write(u32),
    /// Sectors are trimmed.
    Trim {
        /// The first.
        first: u32,
        /// How many.
        len: u32,
    },
    /// Everything before becomes durable.
    Flush,
    /// Sectors are written as one.
    Batch(Vec<u32>),
    /// Sectors are written as one, and the batch is given up.
    Abort(Vec<u32>),
    /// The host is idle for a while.
    Groom,
}

/// Every sector once, in order.
#[must_use]
pub fn filling(capacity: u32) -> Vec<Change> {
    (0..capacity).map(Change::Write).collect()
}

/// A sector: three times in four one of the first quarter, so that segments age differently.
fn sector(random: &mut SplitMix64, capacity: u32) -> u32 {
    let hot = random.chance(3, 4);
    let of = if hot { (capacity / 4).max(1) } else { capacity };
    random.below(u64::from(of)) as u32
}

fn members(random: &mut SplitMix64, capacity: u32) -> Vec<u32> {
    let count = 3 + random.below(4);
    (0..count).map(|_| sector(random, capacity)).collect()
}

/// Mixed changes: writes, trims, flushes, and batches of three to six sectors, in which one may come twice. At least `count`.
#[must_use]
pub fn mixture(random: &mut SplitMix64, capacity: u32, count: u32) -> Vec<Change> {
    let mut changes = Vec::new();
    while changes.len() < count as usize {
        match random.below(32) {
            0..=3 => {
                let first = sector(random, capacity);
                let len = (1 + random.below(6) as u32).min(capacity - first);
                changes.push(Change::Trim { first, len });
                if random.chance(2, 3) {
                    changes.push(Change::Flush);
                }
            }
            4 => changes.push(Change::Flush),
            5..=7 => changes.push(Change::Batch(members(random, capacity))),
            8 => changes.push(Change::Abort(members(random, capacity))),
            _ => changes.push(Change::Write(sector(random, capacity))),
        }
    }
    changes
}
