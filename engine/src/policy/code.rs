//! The instructions of a rule: criteria, and jumps over what need not be looked at.
//!
//! `a & b` is `a, if false over b, b`; `a | b` is `a, if true over b, b`. A chain of the same operator jumps to its end at once. All jumps lead forward, and
//! what they skip is nested, so that a rule takes at most one step an instruction and can be printed as it was written. `!` is part of a criterion: of what is in
//! parentheses the compiler makes the opposite.

use super::bucket;
use super::facts::Facts;
use super::field::{Choice, Dimension, Field, Number, Text};
use super::form::{u16_at, u32_at, u64_at, DEPTH_MAX, INSTRUCTION_BYTES, RANGE_BYTES};
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

    /// True when the request has it.
    #[inline]
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Text {
                field,
                kind,
                pattern,
            } => match facts.texts.get(*field as usize) {
                Some(Some(text)) => text_holds(*kind, pattern, text),
                Some(None) => false,
                None => {
                    let mut profiles = facts.profiles.split(',');
                    !facts.profiles.is_empty()
                        && profiles.any(|text| text_holds(*kind, pattern, text))
                }
            },
            Self::Number { field, low, high } => {
                let (first, last) = facts.numbers[*field as usize];
                *low <= first && last <= *high && first <= last
            }
            Self::Choice { field, value } => match field {
                Choice::Operation => facts.operation.is_some_and(|it| it as u8 == *value),
                Choice::Lifetime => facts.lifetime.is_some_and(|it| it as u8 == *value),
                Choice::Flag => facts.flags.0 >> (value & 7) & 1 != 0,
                Choice::Asks => facts.asked.bits() >> (value & 7) & 1 != 0,
            },
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
            Self::Text { pattern, .. } => bucket::of_pattern(dimension, pattern),
            Self::Number { field, low, high } => bucket::of_range(*field, *low, *high),
            Self::Choice { field, value } => match field {
                Choice::Operation | Choice::Lifetime => 1 << (1 + value),
                Choice::Flag | Choice::Asks => bucket::of_flag(*value),
            },
        })
    }
}

#[inline]
fn text_holds(kind: Kind, pattern: &Pattern<'_>, text: &str) -> bool {
    let bytes = text.as_bytes();
    match kind {
        Kind::Exact => bytes == pattern.text,
        Kind::Prefix => bytes.starts_with(pattern.literal(kind)),
        Kind::Suffix => bytes.ends_with(pattern.literal(kind)),
        Kind::Glob => pattern.matches(text),
    }
}

/// A criterion, and whether it is to be false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Test<'p> {
    pub criterion: Criterion<'p>,
    pub negated: bool,
}

impl Test<'_> {
    #[inline]
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        self.criterion.holds(facts) != self.negated
    }
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

/// What is known of something before it is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outlook {
    pub may_hold: bool,
    pub may_fail: bool,
}

impl Outlook {
    pub const UNKNOWN: Self = Self {
        may_hold: true,
        may_fail: true,
    };

    pub const fn known(holds: bool) -> Self {
        Self {
            may_hold: holds,
            may_fail: !holds,
        }
    }

    const fn negated_if(self, negated: bool) -> Self {
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
                may_hold: self.may_hold || right.may_hold,
                may_fail: self.may_fail && right.may_fail,
            }
        } else {
            Self {
                may_hold: self.may_hold && right.may_hold,
                may_fail: self.may_fail || right.may_fail,
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

    /// All of its criteria.
    pub fn tests(self) -> impl Iterator<Item = Test<'p>> {
        (0..self.len()).filter_map(move |at| match self.get(at) {
            Some(Instruction::Test(test)) => Some(test),
            _ => None,
        })
    }

    /// True when the request is as the rule says: at most a step for each instruction.
    #[inline]
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        let mut found = false;
        let mut rest = self.bytes;
        while let Some((instruction, behind)) = rest.split_first_chunk::<INSTRUCTION_BYTES>() {
            rest = behind;
            match decode(instruction, self.pool) {
                Some(Instruction::Test(test)) => found = test.holds(facts),
                Some(Instruction::Jump { when, skip }) => {
                    if found == when {
                        rest = rest.get(skip * INSTRUCTION_BYTES..).unwrap_or(&[]);
                    }
                }
                None => return false,
            }
        }
        found
    }

    /// What can be said of the rule when `known` says of each criterion what is known of it.
    pub fn outlook(&self, mut known: impl FnMut(&Criterion<'p>) -> Outlook) -> Outlook {
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
                    found = known(&test.criterion).negated_if(test.negated);
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

    /// True when the rule may match a request whose fact of this dimension is at this place.
    pub fn may_hold_at(&self, dimension: Dimension, place: u8) -> bool {
        self.outlook(|criterion| match criterion.places(dimension) {
            None => match criterion {
                Criterion::Any => Outlook::known(true),
                _ => Outlook::UNKNOWN,
            },
            Some(places) => Outlook {
                may_hold: places >> place & 1 != 0,
                may_fail: true,
            },
        })
        .may_hold
    }

    /// What is certain of the rule for a source, of whose requests only those facts are known that all of them have in common.
    pub fn outlook_of_source(&self, facts: &Facts<'_>) -> Outlook {
        self.outlook(|criterion| match criterion.field() {
            Some(field) if field.of_request() => Outlook::UNKNOWN,
            _ => Outlook::known(criterion.holds(facts)),
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

/// A set of rules of a line of the index.
pub(super) fn rules_at(line: &[u8], place: u8) -> u32 {
    u32_at(line, 4 + 4 * usize::from(place & 15)).unwrap_or(0)
}
