//! The index: for each property of a request, which parts of rules may hold.
//!
//! A part is an operand of a rule's outermost `|`: the rule holds if one of its parts does. Parts go by groups of 64. A line stands for a dimension
//! and holds a set of parts for each of its 16 places; the parts that are left after all lines are evaluated in order. So what a request costs grows with what is
//! asked about, not with the number of rules.

use super::bucket::BUCKETS;
use super::code::{Code, Entry};
use super::facts::Facts;
use super::field::{Dimension, DIMENSIONS, SELDOM};
use super::form::{GROUP_PARTS, INSTRUCTION_BYTES, LINE_BYTES, PART_BYTES, SET_BYTES};
use super::table::View;

/// Bytes before the lines of a group: how many bytes they have, how many of these are before the lines of what most requests say nothing of, how many parts
/// there are; then the set that is left by those lines where nothing is said.
pub(super) const HEAD_BYTES: usize = 2 * SET_BYTES;

/// A part as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// Its first instruction, of those of all rules.
    first: usize,
    /// How many it has.
    count: u8,
    /// Whose part it is, and that one's level.
    pub rule: u8,
    pub level: u8,
}

impl Part {
    pub const fn encode(self) -> [u8; PART_BYTES] {
        let [f0, f1] = (self.first as u16).to_le_bytes();
        [f0, f1, self.count, self.rule, self.level, 0]
    }

    #[inline]
    pub fn decode(parts: &[u8], number: usize) -> Option<Self> {
        let bytes = parts.get(number * PART_BYTES..)?.first_chunk()?;
        let [f0, f1, count, rule, level, _] = *bytes;
        Some(Self {
            first: u16::from_le_bytes([f0, f1]).into(),
            count,
            rule,
            level,
        })
    }

    /// Its instructions, of those of all rules.
    #[inline]
    pub fn of<'p>(&self, code: &'p [u8]) -> &'p [u8] {
        let from = self.first * INSTRUCTION_BYTES;
        let to = from + usize::from(self.count) * INSTRUCTION_BYTES;
        code.get(from..to).unwrap_or(&[])
    }
}

/// The parts of a rule.
pub(super) fn parts_of<'p>(
    rule: u8,
    entry: Entry,
    code: Code<'p>,
) -> impl Iterator<Item = Part> + 'p {
    code.alternatives().map(move |(from, part)| Part {
        first: entry.first + from,
        count: part.len() as u8,
        rule,
        level: entry.level,
    })
}

/// The parts of a group.
fn group<'p>(view: &View<'p>, group: usize) -> impl Iterator<Item = Code<'p>> + Clone {
    let (parts, code, pool) = (view.parts, view.code, view.pool);
    let numbers = group * GROUP_PARTS..(group + 1) * GROUP_PARTS;
    numbers.map_while(move |number| {
        let bytes = Part::decode(parts, number)?.of(code);
        Some(Code { bytes, pool })
    })
}

/// The dimension that says most of a part: at which it can hold at the fewest places. There are but four operations, so theirs is the last resort.
fn key(part: Code<'_>) -> Option<Dimension> {
    const ALL: u32 = BUCKETS as u32;
    let weighted = Dimension::ALL.map(|dimension| {
        let places = part.places(dimension).count_ones();
        let weight = match dimension {
            Dimension::Operation if places < ALL => ALL - 1,
            _ => places,
        };
        (weight, dimension as u8, dimension)
    });
    let least = weighted.iter().min_by_key(|found| (found.0, found.1));
    least.filter(|found| found.0 < ALL).map(|found| found.2)
}

/// The line of a dimension, and how many parts are in its sets.
fn line<'p>(
    parts: impl Iterator<Item = Code<'p>>,
    dimension: Dimension,
) -> ([u8; LINE_BYTES], u32) {
    let mut sets = [0u64; BUCKETS as usize];
    for (number, part) in parts.enumerate() {
        let places = part.places(dimension);
        for (place, set) in sets.iter_mut().enumerate() {
            *set |= u64::from(places >> place & 1) << number;
        }
    }
    let mut line = [0; LINE_BYTES];
    line[0] = dimension as u8;
    for (bytes, set) in line[SET_BYTES..].chunks_exact_mut(SET_BYTES).zip(sets) {
        bytes.copy_from_slice(&set.to_le_bytes());
    }
    (line, sets.iter().map(|set| set.count_ones()).sum())
}

/// The lines of a group of parts.
#[derive(Debug, Clone)]
pub(super) struct Lines<'p> {
    view: View<'p>,
    group: usize,
    /// How many parts are in the sets of each dimension that has a line.
    weights: [Option<u32>; DIMENSIONS],
    /// How many of them are about what most requests say nothing of.
    seldom: u8,
    count: u8,
    /// The parts that may hold for a request that says nothing of those.
    usual: u64,
}

impl<'p> Lines<'p> {
    /// Those of each dimension that says most of some part.
    pub fn new(view: &View<'p>, number: usize) -> Self {
        let parts = group(view, number);
        let mut lines = Self {
            view: *view,
            group: number,
            weights: [None; DIMENSIONS],
            seldom: 0,
            count: 0,
            usual: u64::MAX >> (GROUP_PARTS - parts.clone().count()),
        };
        for dimension in parts.clone().filter_map(key) {
            let weight = &mut lines.weights[dimension as usize];
            if weight.is_none() {
                let (line, bits) = line(parts.clone(), dimension);
                *weight = Some(bits);
                lines.count += 1;
                if dimension as usize >= SELDOM {
                    lines.seldom += 1;
                    lines.usual &= set_at(&line, 0);
                }
            }
        }
        lines
    }

    /// What stands before them.
    pub fn head(&self) -> [u8; HEAD_BYTES] {
        let parts = group(&self.view, self.group).count() as u16;
        let bytes = |lines: u8| u16::from(lines) * LINE_BYTES as u16;
        let [a0, a1] = bytes(self.count).to_le_bytes();
        let [o0, o1] = bytes(self.count - self.seldom).to_le_bytes();
        let [p0, p1] = parts.to_le_bytes();
        let mut head = [a0, a1, o0, o1, p0, p1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        head[SET_BYTES..].copy_from_slice(&self.usual.to_le_bytes());
        head
    }
}

impl Iterator for Lines<'_> {
    type Item = [u8; LINE_BYTES];

    /// Those of what most requests say nothing of come last; before, those that leave the fewest parts: often none is left before the last line.
    fn next(&mut self) -> Option<[u8; LINE_BYTES]> {
        let known = self.weights.iter().zip(Dimension::ALL);
        let order =
            |weight: u32, dimension| (dimension as usize >= SELDOM, weight, dimension as u8);
        let (_, dimension) = known
            .filter_map(|(weight, dimension)| Some(((*weight)?, dimension)))
            .min_by_key(|&(weight, dimension)| order(weight, dimension))?;
        self.weights[dimension as usize] = None;
        Some(line(group(&self.view, self.group), dimension).0)
    }
}

/// How many groups so many parts make.
pub(super) const fn groups(parts: usize) -> usize {
    parts.div_ceil(GROUP_PARTS)
}

/// The set of parts of a line at a place.
#[inline]
fn set_at(line: &[u8; LINE_BYTES], place: u8) -> u64 {
    let sets = &line[SET_BYTES * (1 + usize::from(place % BUCKETS))..];
    sets.first_chunk().map_or(0, |set| u64::from_le_bytes(*set))
}

/// Of each group in turn, the parts that may hold for a request: a bit for each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidates<'i, 'f> {
    index: &'i [u8],
    pub facts: &'f Facts<'f>,
}

impl<'i, 'f> Candidates<'i, 'f> {
    pub const fn new(index: &'i [u8], facts: &'f Facts<'f>) -> Self {
        Self { index, facts }
    }

    /// True when there are no more groups.
    pub const fn is_empty(&self) -> bool {
        self.index.len() < HEAD_BYTES
    }
}

impl Iterator for Candidates<'_, '_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        let (head, rest) = self.index.split_first_chunk::<HEAD_BYTES>()?;
        let [a0, a1, o0, o1, parts, _, _, _, usual @ ..] = *head;
        let (all, rest) = rest.split_at_checked(u16::from_le_bytes([a0, a1]).into())?;
        self.index = rest;
        let (mut lines, mut left) = if self.facts.is_usual() {
            let often = all.get(..u16::from_le_bytes([o0, o1]).into())?;
            (often, u64::from_le_bytes(usual))
        } else {
            let without = (GROUP_PARTS as u32).wrapping_sub(parts.into());
            (all, u64::MAX >> (without % GROUP_PARTS as u32))
        };
        let places = &self.facts.buckets;
        let set = |line: &[u8; LINE_BYTES]| set_at(line, places[usize::from(line[0]) % DIMENSIONS]);
        // Two at a time: half of the steps are about where the lines end.
        while let Some((line, behind)) = lines.split_first_chunk() {
            left &= set(line);
            let Some((line, behind)) = behind.split_first_chunk() else {
                break;
            };
            left &= set(line);
            if left == 0 {
                break;
            }
            lines = behind;
        }
        Some(left)
    }
}
