//! Rules that can never match: a warning when a policy is set, not an error.

use core::fmt;

use super::code::{Code, Criterion, Instruction, Outlook, Test};
use super::field::{Choice, Text};
use super::glob::Kind;
use super::table::{PolicyTable, RuleNumber};

/// Why a rule never matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Unreachable {
    /// Its criteria contradict each other.
    Contradiction,
    /// Whatever it matches, this one matches before.
    Behind(RuleNumber),
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contradiction => f.write_str("its criteria contradict each other"),
            Self::Behind(rule) => {
                write!(f, "whatever it matches, rule {} matches before", rule.0 + 1)
            }
        }
    }
}

/// What it says of a criterion that a test holds; `None` if nothing.
fn implied(known: &Test<'_>, asked: &Criterion<'_>) -> Option<bool> {
    if *asked == Criterion::Any {
        return Some(true);
    }
    if known.criterion == *asked {
        return Some(!known.negated);
    }
    if known.negated {
        // What is part of something that does not hold does not hold.
        let inner = Test {
            criterion: *asked,
            negated: false,
        };
        return (implied(&inner, &known.criterion) == Some(true)).then_some(false);
    }
    match (known.criterion, *asked) {
        (
            Criterion::Number {
                field: one,
                low,
                high,
            },
            Criterion::Number {
                field: other,
                low: low_asked,
                high: high_asked,
            },
        ) if one == other => {
            if low_asked <= low && high <= high_asked {
                Some(true)
            } else {
                (high < low_asked || high_asked < low).then_some(false)
            }
        }
        (
            Criterion::Choice {
                field: one,
                value: found,
            },
            Criterion::Choice {
                field: other,
                value,
            },
        ) if one == other => {
            let one_of_them = matches!(one, Choice::Operation | Choice::Lifetime);
            (one_of_them && found != value).then_some(false)
        }
        (
            Criterion::Text {
                field: one,
                kind: kind_known,
                pattern: known,
            },
            Criterion::Text {
                field: other,
                kind,
                pattern,
            },
        ) if one == other => {
            let exact = match kind_known {
                Kind::Exact => core::str::from_utf8(known.text).ok(),
                _ => None,
            };
            let literal = match kind_known {
                Kind::Glob => {
                    let wild = |byte: &u8| matches!(byte, b'*' | b'?' | b'\\');
                    let end = known.text.iter().position(wild);
                    &known.text[..end.unwrap_or(0)]
                }
                Kind::Suffix => &[],
                _ => known.literal(kind_known),
            };
            let all = match kind {
                Kind::Prefix => literal.starts_with(pattern.literal(kind)),
                Kind::Suffix if kind_known == Kind::Suffix => {
                    known.literal(kind_known).ends_with(pattern.literal(kind))
                }
                _ => false,
            };
            if all || exact.is_some_and(|text| pattern.matches(text)) {
                return Some(true);
            }
            // A source has several profiles, but one of each other text.
            let none = match kind {
                Kind::Exact => !pattern.text.starts_with(literal),
                _ => exact.is_some(),
            };
            (none && one != Text::Profile).then_some(false)
        }
        _ => None,
    }
}

/// Criteria that all hold when the operand does.
fn certain(operand: Code<'_>) -> impl Iterator<Item = Test<'_>> + Clone {
    let mut at = 0;
    core::iter::from_fn(move || {
        // What stands between jumps to the end is an operand of `&`; of those, the ones that are a criterion and nothing else.
        while at < operand.len() {
            let Some(Instruction::Test(test)) = operand.get(at) else {
                return None;
            };
            let next = operand.jump_at(at + 1);
            match next {
                None => {
                    at = operand.len();
                    return Some(test);
                }
                Some((false, skip)) if at + 2 + skip == operand.len() => {
                    at += 2;
                    return Some(test);
                }
                // Another operator: to the end of what it skips, where the chain goes on or ends.
                Some((_, skip)) => {
                    let mut end = at + 2 + skip;
                    while let Some((when, skip)) = operand.jump_at(end) {
                        if !when && end + 1 + skip == operand.len() {
                            break;
                        }
                        end += 1 + skip;
                    }
                    at = end + 1;
                }
            }
        }
        None
    })
}

/// True when the criteria that an operand needs cannot hold together.
fn contradicts_itself(operand: Code<'_>) -> bool {
    let tests = certain(operand);
    tests.clone().any(|one| {
        let never = one.criterion == Criterion::Any && one.negated;
        never
            || tests
                .clone()
                .any(|other| implied(&one, &other.criterion) == Some(other.negated))
    })
}

/// True when the rule before holds whenever the operand does.
fn covers(before: Code<'_>, operand: Code<'_>) -> bool {
    let outlook = before.outlook(|_, asked| {
        certain(operand)
            .find_map(|known| implied(&known, &asked.criterion))
            .map_or(Outlook::UNKNOWN, Outlook::known)
            .negated_if(asked.negated)
    });
    outlook.may_fail == 0
}

impl<B: AsRef<[u8]>> PolicyTable<B> {
    /// Why a rule never matches, if that can be seen from it and another one.
    ///
    /// Not every such rule is found: what several rules before it match together is not looked at.
    #[must_use]
    pub fn unreachable(&self, rule: RuleNumber) -> Option<Unreachable> {
        let view = self.view();
        let code = view.code_at(rule.0.into())?;
        if code
            .alternatives()
            .all(|(_, operand)| contradicts_itself(operand))
        {
            return Some(Unreachable::Contradiction);
        }
        let before = (0..rule.0).find(|&before| {
            view.code_at(before.into()).is_some_and(|before| {
                code.alternatives()
                    .all(|(_, operand)| contradicts_itself(operand) || covers(before, operand))
            })
        });
        before.map(|before| Unreachable::Behind(RuleNumber(before)))
    }
}
