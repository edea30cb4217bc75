//! What is wrong with the text of a policy, and where.

use core::fmt;

use crate::volume::Redundancy;

use super::form::{
    DEPTH_MAX, NAME_BYTES, PATTERN_BYTES_MAX, POLICY_LEVELS_MAX, RULES_MAX, RULE_INSTRUCTIONS_MAX,
};

/// A place in a text, both from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// What was found where something else was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'t> {
    /// So much of the text.
    Text(&'t str),
    /// The end of a line.
    LineEnd,
    /// The end of the text.
    End,
}

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) if text.starts_with('"') => f.write_str(text),
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::LineEnd => f.write_str("the end of the line"),
            Self::End => f.write_str("the end"),
        }
    }
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyErrorKind<'t> {
    /// Something else belongs here.
    Expected {
        /// What was found.
        found: Found<'t>,
        /// What belongs here.
        expected: &'static str,
    },
    /// A level that is not declared above.
    UnknownLevel {
        /// Its name.
        found: &'t str,
    },
    /// No name of a level.
    LevelName {
        /// What was found.
        found: &'t str,
    },
    /// A level is declared twice.
    LevelTwice {
        /// Its name.
        found: &'t str,
    },
    /// A level has the name of a cache mode that it has not.
    LevelIsMode {
        /// Its name.
        found: &'t str,
    },
    /// A property is given twice.
    Twice {
        /// The second one.
        found: &'t str,
    },
    /// A number that there cannot be.
    Number {
        /// What was found.
        found: &'t str,
        /// What there can be.
        expected: &'static str,
    },
    /// A range that nothing lies in.
    EmptyRange,
    /// The volume has no such level.
    UnknownStorage {
        /// Its name or number.
        found: &'t str,
    },
    /// No level of the volume is of this redundancy.
    NoStorage {
        /// The redundancy.
        redundancy: Redundancy,
    },
    /// The volume's level is of another redundancy.
    OtherRedundancy {
        /// The one that was asked for.
        asked: Redundancy,
        /// That of the volume's level.
        found: Redundancy,
    },
    /// A text that is not closed before the end of the line.
    OpenText,
    /// A character that no pattern may have.
    Character {
        /// The character.
        found: char,
    },
    /// A pattern is too long.
    PatternLength {
        /// Its bytes.
        found: usize,
    },
    /// Conditions nest too deep.
    Depth,
    /// A rule is too long.
    RuleLength,
    /// Too many levels.
    Levels,
    /// Too many rules.
    Rules,
    /// The binary form has no room.
    Room {
        /// Bytes it needs.
        needed: usize,
        /// Bytes there are.
        room: usize,
    },
}

impl fmt::Display for PolicyErrorKind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expected { found, expected } => {
                write!(f, "{found} was found, {expected} is expected")
            }
            Self::UnknownLevel { found } => write!(
                f,
                "there is no level \"{found}\": declare it in a line above, level {found} = …"
            ),
            Self::LevelName { found } => write!(
                f,
                "\"{found}\" is no name of a level: 1 to {NAME_BYTES} letters, digits and _, with - between them"
            ),
            Self::LevelTwice { found } => write!(f, "level \"{found}\" is declared a second time"),
            Self::LevelIsMode { found } => write!(
                f,
                "a level called \"{found}\" has that cache mode: give this one another name"
            ),
            Self::Twice { found } => write!(f, "\"{found}\" says a second time what a level has once"),
            Self::Number { found, expected } => {
                write!(f, "\"{found}\" was found, {expected} is expected")
            }
            Self::EmptyRange => f.write_str("nothing lies in this range: its end is before its beginning"),
            Self::UnknownStorage { found } => write!(f, "the volume has no level \"{found}\""),
            Self::NoStorage { redundancy } => write!(
                f,
                "no level of the volume has {redundancy}: add one, or take another redundancy"
            ),
            Self::OtherRedundancy { asked, found } => write!(
                f,
                "{asked} is asked for, the volume's level that is named has {found}"
            ),
            Self::OpenText => f.write_str("this text is not closed by \" before the end of the line"),
            Self::Character { found } => write!(
                f,
                "the character {} cannot be part of a pattern",
                found.escape_default()
            ),
            Self::PatternLength { found } => write!(
                f,
                "a pattern of {found} bytes: {PATTERN_BYTES_MAX} are the most"
            ),
            Self::Depth => write!(
                f,
                "& and | nest too deep: {DEPTH_MAX} is the most, write several rules"
            ),
            Self::RuleLength => write!(
                f,
                "this rule has more than {RULE_INSTRUCTIONS_MAX} criteria and operators: write several"
            ),
            Self::Levels => write!(f, "a policy has {POLICY_LEVELS_MAX} levels at most"),
            Self::Rules => write!(f, "a policy has {RULES_MAX} rules at most"),
            Self::Room { needed, room } => write!(
                f,
                "the policy needs {needed} bytes, {} more than the {room} there are",
                needed.saturating_sub(*room)
            ),
        }
    }
}

/// Why a text is no policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyError<'t> {
    /// Where.
    pub place: Place,
    /// What.
    pub kind: PolicyErrorKind<'t>,
}

impl fmt::Display for PolicyError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column } = self.place;
        write!(f, "line {line}, column {column}: {}", self.kind)
    }
}

impl core::error::Error for PolicyError<'_> {}
