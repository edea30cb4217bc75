//! What a policy has to be before it is asked anything: the form that the compiler gives it, so that it can be printed and read again as the same.

use heapless::Vec;

use crate::exec::LevelNumber;

use super::code::{operation, Code, Criterion, Instruction, Test, NEGATED};
use super::form::{
    DEPTH_MAX, INSTRUCTIONS_MAX, INSTRUCTION_BYTES, PART_BYTES, PATTERN_BYTES_MAX,
    POLICY_LEVELS_MAX, RULES_MAX, RULE_BYTES, RULE_INSTRUCTIONS_MAX,
};
use super::index::{self, Lines};
use super::table::{PolicyFault, RuleNumber, View};

pub(super) fn validate(view: &View<'_>) -> Result<(), PolicyFault> {
    levels(view)?;
    rules(view)?;
    lines(view).ok_or(PolicyFault::Index)
}

fn levels(view: &View<'_>) -> Result<(), PolicyFault> {
    let levels = view.levels_len();
    if levels == 0 || levels > POLICY_LEVELS_MAX || usize::from(view.default) >= levels {
        return Err(PolicyFault::Level(LevelNumber(view.default)));
    }
    for number in (0..levels as u8).map(LevelNumber) {
        let fault = PolicyFault::Level(number);
        let level = view.level(number).ok_or(fault)?;
        let mut before = (0..number.0).filter_map(|other| view.level(LevelNumber(other)));
        if before.any(|other| other.name == level.name) {
            return Err(fault);
        }
    }
    Ok(())
}

fn rules(view: &View<'_>) -> Result<(), PolicyFault> {
    let (mut next, mut pool) = (0, 0);
    let rules = view.rules_len();
    let instructions = view.code.len() / INSTRUCTION_BYTES;
    if rules > RULES_MAX || instructions > INSTRUCTIONS_MAX {
        return Err(PolicyFault::Rule(RuleNumber(0)));
    }
    for rule in 0..rules {
        let fault = PolicyFault::Rule(RuleNumber(rule as u8));
        let entry = view.entry(rule).ok_or(fault)?;
        let padding = view.rules.get(rule * RULE_BYTES + 5);
        let good = entry.first == next
            && entry.count > 0
            && entry.count <= RULE_INSTRUCTIONS_MAX
            && usize::from(entry.level) < view.levels_len()
            && padding == Some(&0);
        next += entry.count;
        if !good || next > instructions {
            return Err(fault);
        }
        code(view.code_of(entry), &mut pool).ok_or(fault)?;
    }
    if next != instructions || pool != view.pool.len() {
        return Err(PolicyFault::Rule(RuleNumber(rules as u8)));
    }
    Ok(())
}

fn code(code: Code<'_>, pool: &mut usize) -> Option<()> {
    structure(&code)?;
    for at in 0..code.len() {
        let bytes = code.bytes.get(at * INSTRUCTION_BYTES..)?.first_chunk()?;
        match code.get(at)? {
            Instruction::Test(found) => *pool = test(&found, bytes, *pool)?,
            Instruction::Jump { .. } => {
                let [_, field, _, _, long @ ..] = *bytes;
                (field == 0 && long == [0; 4]).then_some(())?;
            }
        }
    }
    Some(())
}

/// Criteria and jumps take turns; what jumps skip is nested, not too deep, and no jump could have been part of the chain before it.
pub(super) fn structure(code: &Code<'_>) -> Option<()> {
    let mut open = Vec::<(usize, bool), DEPTH_MAX>::new();
    let mut ends_with_test = false;
    let len = code.len();
    for at in 0..len {
        let mut closed = None;
        while let Some(&(_, when)) = open.last().filter(|&&(end, _)| end == at) {
            closed = Some(when);
            open.pop();
        }
        match code.jump_at(at) {
            None if !ends_with_test => ends_with_test = true,
            Some((when, skip)) if ends_with_test => {
                let end = at + 1 + skip;
                let most = open.last().map_or(len, |&(end, _)| end);
                if skip == 0 || end > most || closed == Some(when) {
                    return None;
                }
                if open.last() != Some(&(end, when)) {
                    open.push((end, when)).ok()?;
                }
                ends_with_test = false;
            }
            _ => return None,
        }
    }
    (ends_with_test && open.iter().all(|&(end, _)| end == len)).then_some(())
}

/// A criterion in the only form it can have; gives where the next one's share of the pool begins.
fn test(test: &Test<'_>, bytes: &[u8; INSTRUCTION_BYTES], pool: usize) -> Option<usize> {
    let [op, field, short_low, short_high, long @ ..] = *bytes;
    let at = u32::from_le_bytes(long) as usize;
    match test.criterion {
        Criterion::Any => (field & !NEGATED == 0 && bytes[2..] == [0; 6]).then_some(pool),
        Criterion::Text { kind, pattern, .. } => {
            let good = pattern.kind() == kind && is_pattern(pattern.text) && at == pool;
            good.then_some(pool + pattern.text.len())
        }
        Criterion::Number { low, high, .. } => {
            let good = low <= high && at == pool && [short_low, short_high] == [0, 0];
            good.then_some(pool + super::form::RANGE_BYTES)
        }
        Criterion::Choice { field, value } => {
            let good = op == operation::CHOICE && field.name(value).is_some();
            (good && short_high == 0 && at == 0).then_some(pool)
        }
    }
}

/// True when a pattern can be written between quotation marks.
pub(super) fn is_pattern(text: &[u8]) -> bool {
    let Ok(text) = core::str::from_utf8(text) else {
        return false;
    };
    let mut escaped = false;
    for character in text.chars() {
        if character.is_control() || character == '"' && !escaped {
            return false;
        }
        escaped = character == '\\' && !escaped;
    }
    !escaped && text.len() <= PATTERN_BYTES_MAX
}

fn lines(view: &View<'_>) -> Option<()> {
    let parts = view.parts.len() / PART_BYTES;
    let made = view.parts();
    let mut found = view.parts.chunks(PART_BYTES);
    for part in made {
        (found.next()? == part.encode()).then_some(())?;
    }
    found.next().is_none().then_some(())?;
    let mut rest = view.index;
    for group in 0..index::groups(parts) {
        let lines = Lines::new(view, group);
        let (head, behind) = rest.split_first_chunk()?;
        (*head == lines.head()).then_some(())?;
        rest = behind;
        for line in lines {
            let (found, behind) = rest.split_first_chunk()?;
            (*found == line).then_some(())?;
            rest = behind;
        }
    }
    rest.is_empty().then_some(())
}
