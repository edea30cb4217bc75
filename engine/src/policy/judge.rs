//! Whether a request is as a rule says: the one place where criteria meet facts.
//!
//! Instructions are looked at as they lie there. What their bytes mean is told by [`super::code`]; they were all looked at when the policy was accepted, and what
//! cannot be read all the same does not hold.

use super::code::{operation, Code, NEGATED};
use super::facts::Facts;
use super::field::{Choice, Text};
use super::form::{INSTRUCTION_BYTES, RANGE_BYTES};
use super::glob;

/// True when the request has what a criterion asks for, negated or not.
#[inline(always)]
fn holds(instruction: &[u8; INSTRUCTION_BYTES], pool: &[u8], facts: &Facts<'_>) -> bool {
    let [op, field, short_low, short_high, long @ ..] = *instruction;
    let negated = field & NEGATED != 0;
    let number = usize::from(field & !NEGATED);
    let (true, Some(text)) = (
        matches!(op, operation::EXACT..=operation::SUFFIX),
        facts.texts.get(number),
    ) else {
        return other_holds(instruction, pool, facts) != negated;
    };
    let Some(text) = text else {
        return negated;
    };
    let at = u32::from_le_bytes(long) as usize;
    let len = usize::from(u16::from_le_bytes([short_low, short_high]));
    let pattern = pool.get(at..at + len);
    pattern.is_some_and(|pattern| plain_holds(op, number, pattern, text)) != negated
}

/// The same of what takes longer, or is no text; not negated.
#[inline(never)]
fn other_holds(instruction: &[u8; INSTRUCTION_BYTES], pool: &[u8], facts: &Facts<'_>) -> bool {
    let [op, field, short_low, short_high, long @ ..] = *instruction;
    let number = usize::from(field & !NEGATED);
    let at = u32::from_le_bytes(long) as usize;
    match op {
        operation::EXACT..=operation::GLOB => {
            let len = usize::from(u16::from_le_bytes([short_low, short_high]));
            let pattern = pool.get(at..at + len).unwrap_or(&[]);
            match facts.texts.get(number) {
                Some(text) => text.is_some_and(|text| text_holds(op, number, pattern, text)),
                None => {
                    let mut profiles = facts.profiles.split(',');
                    !facts.profiles.is_empty()
                        && profiles.any(|profile| text_holds(op, number, pattern, profile))
                }
            }
        }
        operation::NUMBER => {
            let limits = pool.get(at..at + RANGE_BYTES);
            let limits = limits.and_then(|limits| limits.split_first_chunk::<8>());
            match (limits, facts.numbers.get(number)) {
                (Some((low, rest)), Some(&(first, last))) => {
                    let high = rest
                        .first_chunk()
                        .map_or(0, |high| u64::from_le_bytes(*high));
                    u64::from_le_bytes(*low) <= first && last <= high && first <= last
                }
                _ => false,
            }
        }
        operation::CHOICE => choice_holds(number, short_low, facts),
        _ => op == operation::ANY,
    }
}

#[inline]
fn choice_holds(field: usize, value: u8, facts: &Facts<'_>) -> bool {
    const OPERATION: usize = Choice::Operation as usize;
    const LIFETIME: usize = Choice::Lifetime as usize;
    const FLAG: usize = Choice::Flag as usize;
    match field {
        OPERATION => facts.operation.is_some_and(|it| it as u8 == value),
        LIFETIME => facts.lifetime.is_some_and(|it| it as u8 == value),
        FLAG => facts.flags.0 >> (value & 7) & 1 != 0,
        _ => facts.asked.bits() >> (value & 7) & 1 != 0,
    }
}

/// True when a star stands for slashes too only if it is two.
const fn is_deep(field: usize) -> bool {
    field == Text::Path as usize || field == Text::Directory as usize
}

fn text_holds(op: u8, field: usize, pattern: &[u8], text: &str) -> bool {
    match op {
        operation::GLOB => glob::matches(pattern, text.as_bytes(), is_deep(field)),
        _ => plain_holds(op, field, pattern, text),
    }
}

/// The same of a pattern that is a text, its beginning or its end.
#[inline]
fn plain_holds(op: u8, field: usize, pattern: &[u8], text: &str) -> bool {
    let bytes = text.as_bytes();
    let star = 1 + usize::from(is_deep(field));
    match op {
        operation::EXACT => bytes == pattern,
        operation::PREFIX => bytes.starts_with(&pattern[..pattern.len().saturating_sub(star)]),
        _ => bytes.ends_with(pattern.get(star..).unwrap_or(&[])),
    }
}

/// True when the request is as the instructions say: at most a step for each of them.
#[inline]
pub(super) fn code_holds(code: Code<'_>, facts: &Facts<'_>) -> bool {
    let mut found = false;
    let Code {
        bytes: mut rest,
        pool,
    } = code;
    while let Some((instruction, behind)) = rest.split_first_chunk::<INSTRUCTION_BYTES>() {
        rest = behind;
        let [op, _, short_low, short_high, ..] = *instruction;
        if op < operation::IF_FALSE {
            found = holds(instruction, pool, facts);
        } else if found == (op != operation::IF_FALSE) {
            let skip = usize::from(u16::from_le_bytes([short_low, short_high]));
            rest = rest.get(skip * INSTRUCTION_BYTES..).unwrap_or(&[]);
        }
    }
    found
}

impl Code<'_> {
    /// True when the criterion at a place is as it is to be.
    pub fn holds_at(&self, at: usize, facts: &Facts<'_>) -> bool {
        let bytes = self.bytes.get(at * INSTRUCTION_BYTES..).unwrap_or(&[]);
        let instruction = bytes.first_chunk();
        instruction.is_some_and(|instruction| holds(instruction, self.pool, facts))
    }
}
