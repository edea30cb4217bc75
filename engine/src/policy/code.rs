//! The instructions of a rule: criteria, and jumps over what need not be looked at.
//!
//! `a & b` is `a, if false over b, b`; `a | b` is `a, if true over b, b`. A chain of the same operator jumps to its end at once. All jumps lead forward, and
//! what they skip is nested, so that a rule takes at most one step an instruction and can be printed as it was written. `!` is part of a criterion: of what is in
//! parentheses the compiler makes the opposite.

use super::bucket;
use super::facts::Facts;
use super::field::{Choice, Dimension, Field, Number, Text};
use super::form::{u16_at, u64_at, DEPTH_MAX, INSTRUCTION_BYTES, RANGE_BYTES};
use super::glob::{Kind, Pattern};

/// Set in the field of a criterion that is to be false.
pub(super) const NEGATED: u8 = 0x80;

pub(super) mod operation {
    //! The first byte of an instruction.
    pub const ANY: u8 = 0;
    pub const EXACT: u8 = 1;
    pub const PREFIX: u8 = 2;
    pub const SUFFIX: u8 = 3;
    pub const GLOB: u8 = 4;
    pub const NUMBER: u8 = 5;
    pub const CHOICE: u8 = 6;
    pub const IF_FALSE: u8 = 7;
    pub const IF_TRUE: u8 = 8;
}

/// What is asked of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Criterion<'p> {
    /// Nothing: every request has it.
    Any,
    Text {
        field: Text,
        kind: Kind,
        pattern: Pattern<'p>,
    },
    Number {
        field: Number,
        low: u64,
        high: u64,
    },
    Choice {
        field: Choice,
        value: u8,
    },
}

impl Criterion<'_> {
    /// What it looks at.
    pub fn field(&self) -> Option<Field> {
        match *self {
            Self::Any => None,
            Self::Text { field, .. } => Some(Field::Text(field)),
            Self::Number { field, .. } => Some(Field::Number(field)),
            Self::Choice { field, .. } => Some(Field::Choice(field)),
        }
    }

    /// True when what it looks at is known of the request.
    pub fn is_known(&self, facts: &Facts<'_>) -> bool {
        match *self {
            Self::Any => true,
            Self::Text { field, .. } => match facts.texts.get(field as usize) {
                Some(text) => text.is_some(),
                None => !facts.profiles.is_empty(),
            },
            Self::Number { field, .. } => {
                let (first, last) = facts.numbers[field as usize];
                first <= last
            }
            Self::Choice { field, .. } => match field {
                Choice::Operation => facts.operation.is_some(),
                Choice::Lifetime => facts.lifetime.is_some(),
                Choice::Flag | Choice::Asks => true,
            },
        }
    }

    /// The dimensions that say something of it.
    pub fn dimensions(&self) -> &'static [Dimension] {
        match self {
            Self::Any => &[],
            Self::Text { field, .. } => field.dimensions(),
            Self::Number { field, .. } => field.dimensions(),
            Self::Choice { field, .. } => field.dimensions(),
        }
    }

    /// The places of a dimension at which it may hold; `None` where the dimension says nothing of it.
    fn places(&self, dimension: Dimension) -> Option<u16> {
        self.dimensions().contains(&dimension).then(|| match self {
            Self::Any => u16::MAX,
            Self::Text { field, pattern, .. } => bucket::of_pattern(*field, dimension, pattern),
            Self::Number { field, low, high } => bucket::of_range(*field, *low, *high),
            Self::Choice { field, value } => match field {
                Choice::Operation => 1 << (1 + value),
                Choice::Lifetime => bucket::of_lifetime(*value),
                Choice::Flag | Choice::Asks => bucket::of_flag(*value),
            },
        })
    }
}

/// A criterion, and whether it is to be false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Test<'p> {
    pub criterion: Criterion<'p>,
    pub negated: bool,
}

/// One step of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instruction<'p> {
    Test(Test<'p>),
    /// Over the next `skip` instructions, if what was found last is `when`.
    Jump {
        when: bool,
        skip: usize,
    },
}

/// Reads an instruction; `None` if it is none.
#[inline]
pub(super) fn decode<'p>(
    bytes: &[u8; INSTRUCTION_BYTES],
    pool: &'p [u8],
) -> Option<Instruction<'p>> {
    let [op, field, short_low, short_high, long @ ..] = *bytes;
    let short = u16::from_le_bytes([short_low, short_high]);
    let at = u32::from_le_bytes(long) as usize;
    let (negated, field) = (field & NEGATED != 0, field & !NEGATED);
    let criterion = match op {
        operation::ANY => Criterion::Any,
        operation::EXACT..=operation::GLOB => {
            let field = *Text::ALL.get(usize::from(field))?;
            Criterion::Text {
                field,
                kind: match op {
                    operation::EXACT => Kind::Exact,
                    operation::PREFIX => Kind::Prefix,
                    operation::SUFFIX => Kind::Suffix,
                    _ => Kind::Glob,
                },
                pattern: Pattern::new(field, pool.get(at..)?.get(..usize::from(short))?),
            }
        }
        operation::NUMBER => {
            let limits = pool.get(at..)?.first_chunk::<RANGE_BYTES>()?;
            Criterion::Number {
                field: *Number::ALL.get(usize::from(field))?,
                low: u64_at(limits, 0)?,
                high: u64_at(limits, 8)?,
            }
        }
        operation::CHOICE => Criterion::Choice {
            field: *Choice::ALL.get(usize::from(field))?,
            value: short_low,
        },
        operation::IF_FALSE | operation::IF_TRUE => {
            return Some(Instruction::Jump {
                when: op == operation::IF_TRUE,
                skip: usize::from(short),
            })
        }
        _ => return None,
    };
    Some(Instruction::Test(Test { criterion, negated }))
}

/// The instructions of a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Code<'p> {
    pub bytes: &'p [u8],
    pub pool: &'p [u8],
}

/// What is known of something before it is evaluated, in 16 cases at once: a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outlook {
    pub may_hold: u16,
    pub may_fail: u16,
}

impl Outlook {
    pub const UNKNOWN: Self = Self {
        may_hold: u16::MAX,
        may_fail: u16::MAX,
    };

    /// The same in all cases.
    pub const fn known(holds: bool) -> Self {
        let may_hold = if holds { u16::MAX } else { 0 };
        Self {
            may_hold,
            may_fail: !may_hold,
        }
    }

    pub const fn negated_if(self, negated: bool) -> Self {
        if negated {
            Self {
                may_hold: self.may_fail,
                may_fail: self.may_hold,
            }
        } else {
            self
        }
    }

    /// Both for a jump over the right side if the left one fails, either for the other.
    const fn joined(self, when: bool, right: Self) -> Self {
        if when {
            Self {
                may_hold: self.may_hold | right.may_hold,
                may_fail: self.may_fail & right.may_fail,
            }
        } else {
            Self {
                may_hold: self.may_hold & right.may_hold,
                may_fail: self.may_fail | right.may_fail,
            }
        }
    }
}

impl<'p> Code<'p> {
    /// How many instructions.
    pub const fn len(&self) -> usize {
        self.bytes.len() / INSTRUCTION_BYTES
    }

    /// The instruction at a place.
    pub fn get(&self, at: usize) -> Option<Instruction<'p>> {
        let bytes = self.bytes.get(at * INSTRUCTION_BYTES..)?;
        decode(bytes.first_chunk()?, self.pool)
    }

    /// The jump at a place: when it jumps, and over how many instructions.
    pub fn jump_at(&self, at: usize) -> Option<(bool, usize)> {
        let bytes = self.bytes.get(at * INSTRUCTION_BYTES..)?;
        let when = match *bytes.first()? {
            operation::IF_FALSE => false,
            operation::IF_TRUE => true,
            _ => return None,
        };
        Some((when, u16_at(bytes, 2)?.into()))
    }

    /// The operands of `|`, of which one holds when the rule does: where each begins, and its instructions.
    pub fn alternatives(self) -> impl Iterator<Item = (usize, Code<'p>)> {
        let mut from = 0;
        core::iter::from_fn(move || {
            if from >= self.len() {
                return None;
            }
            let begin = from;
            let mut at = from;
            let mut end = self.len();
            while at < self.len() {
                match self.jump_at(at) {
                    Some((true, skip)) if at + 1 + skip == self.len() => {
                        end = at;
                        break;
                    }
                    Some((_, skip)) => at += 1 + skip,
                    None => at += 1,
                }
            }
            let bytes = &self.bytes[begin * INSTRUCTION_BYTES..end * INSTRUCTION_BYTES];
            from = end + 1;
            let pool = self.pool;
            Some((begin, Code { bytes, pool }))
        })
    }

    /// What can be said of the rule when `known` says of each test, and where it is, what is known of it.
    pub fn outlook(&self, mut known: impl FnMut(usize, &Test<'p>) -> Outlook) -> Outlook {
        struct Open {
            left: Outlook,
            when: bool,
            end: usize,
        }
        let mut open = heapless::Vec::<Open, DEPTH_MAX>::new();
        let mut found = Outlook::UNKNOWN;
        let len = self.len();
        for at in 0..=len {
            while open.last().is_some_and(|open| open.end == at) {
                if let Some(open) = open.pop() {
                    found = open.left.joined(open.when, found);
                }
            }
            match self.get(at) {
                Some(Instruction::Test(test)) => {
                    found = known(at, &test);
                }
                Some(Instruction::Jump { when, skip }) => {
                    let end = at + 1 + skip;
                    // A chain: what is open so far is the left side.
                    if let Some(last) = open.last() {
                        if last.end == end && last.when == when {
                            found = last.left.joined(when, found);
                            open.pop();
                        }
                    }
                    let left = found;
                    if open.push(Open { left, when, end }).is_err() {
                        return Outlook::UNKNOWN;
                    }
                }
                None => {}
            }
        }
        found
    }

    /// The places of a dimension at which a request may be that the code holds for.
    pub fn places(&self, dimension: Dimension) -> u16 {
        let outlook = self.outlook(|_, test| {
            let criterion = match &test.criterion {
                Criterion::Any => Outlook::known(true),
                other => Outlook {
                    may_hold: other.places(dimension).unwrap_or(u16::MAX),
                    may_fail: u16::MAX,
                },
            };
            criterion.negated_if(test.negated)
        });
        outlook.may_hold
    }

    /// What is certain of the rule for a source, of whose requests only those facts are known that all of them have in common.
    pub fn outlook_of_source(&self, facts: &Facts<'_>) -> Outlook {
        self.outlook(|at, test| match test.criterion.field() {
            Some(field) if field.of_request() => Outlook::UNKNOWN,
            _ => Outlook::known(self.holds_at(at, facts)),
        })
    }
}

/// A rule as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its first instruction.
    pub first: usize,
    /// How many it has.
    pub count: usize,
    /// Its level.
    pub level: u8,
}

impl Entry {
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let count = u16_at(bytes, 2)?;
        Some(Self {
            first: usize::from(u16_at(bytes, 0)?),
            count: usize::from(count),
            level: *bytes.get(4)?,
        })
    }
}
