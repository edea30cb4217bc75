//! The decision about a request: what rules say, or what was asked for explicitly.

use core::fmt;

use crate::cache::Mode;
use crate::exec::{LevelNumber, Persistence};

use super::facts::{Asked, AskedLevel, AskedRedundancy, Facts};
use super::level::mode_name;
use super::table::{PolicyTable, RuleNumber};

/// Why a request has its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Reason {
    /// This rule matches.
    Rule(RuleNumber),
    /// No rule matches.
    Default,
    /// The level was asked for.
    Asked,
    /// Of what was asked for, the level of the rules has not all: this one has, and is the first that does.
    AskedFor,
    /// There is no policy, or the one that is stored is damaged: write-through.
    NoPolicy,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(rule) => write!(f, "rule {}", rule.0 + 1),
            Self::Default => f.write_str("the default, as no rule matches"),
            Self::Asked => f.write_str("name: the request asks for this level"),
            Self::AskedFor => f.write_str("what the request asks for"),
            Self::NoPolicy => f.write_str("the lack of a policy"),
        }
    }
}

/// The level of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Decision {
    /// Which one.
    pub level: LevelNumber,
    /// What it is.
    pub persistence: Persistence,
    /// Why.
    pub reason: Reason,
}

impl Decision {
    /// What is decided where there is no policy that could be asked: write-through.
    pub const NO_POLICY: Self = Self {
        level: LevelNumber(0),
        persistence: super::level::PolicyLevel::plain("", Mode::WriteThrough).persistence,
        reason: Reason::NoPolicy,
    };
}

/// Why a request does not get what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refusal {
    /// The policy has no level of that name or number.
    NoLevel,
    /// The level is given by rules only.
    Closed(LevelNumber),
    /// The level is there, but not as redundant as asked for beside it, or of another cache mode.
    NotAs(LevelNumber),
    /// No level that may be asked for has all of this.
    NoneSuch {
        /// The redundancy that was asked for.
        redundancy: Option<AskedRedundancy>,
        /// The cache mode that was asked for.
        mode: Option<Mode>,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLevel => f.write_str("the policy has no such level"),
            Self::Closed(level) => write!(f, "level {} is given by rules only", level.0),
            Self::NotAs(level) => write!(
                f,
                "level {} is not what is asked for beside it: ask for the level alone, or for the rest alone",
                level.0
            ),
            Self::NoneSuch { redundancy, mode } => {
                f.write_str("no level that may be asked for is")?;
                match redundancy {
                    Some(AskedRedundancy::Redundant) => f.write_str(" redundant")?,
                    Some(AskedRedundancy::Single) => f.write_str(" without redundancy")?,
                    None => {}
                }
                if redundancy.is_some() && mode.is_some() {
                    f.write_str(" and")?;
                }
                match mode {
                    Some(mode) => write!(f, " {}", mode_name(*mode)),
                    None => Ok(()),
                }
            }
        }
    }
}

impl core::error::Error for Refusal {}

impl<B: AsRef<[u8]>> PolicyTable<B> {
    /// The level of a request: what it asks for explicitly, or else what the rules say.
    ///
    /// A level that is asked for by name or number is given. Of characteristics that are asked for, the level that the rules give is kept if it has all of
    /// them; else it is the first of the table that has. A level that is called closed cannot be had by asking, but by rules.
    ///
    /// # Errors
    /// What is asked for cannot be had, and why. Without anything asked for there is always a level.
    pub fn decide(&self, facts: &Facts<'_>) -> Result<Decision, Refusal> {
        let asked = &facts.asked;
        if asked.is_none() {
            return Ok(self.decided(self.evaluate(facts)));
        }
        self.decide_asked(asked, || self.evaluate(facts))
    }

    /// The same, when what the rules say is known or can be found.
    pub(crate) fn decide_asked(
        &self,
        asked: &Asked<'_>,
        by_rules: impl FnOnce() -> (Option<RuleNumber>, LevelNumber),
    ) -> Result<Decision, Refusal> {
        let has_all = |level: LevelNumber| {
            self.level(level).is_some_and(|level| {
                asked.redundancy.is_none_or(|asked| level.is(asked))
                    && asked.mode.is_none_or(|mode| level.persistence.mode == mode)
            })
        };
        let given = |level, reason| Decision {
            level,
            persistence: self.persistence(level),
            reason,
        };
        if let Some(wanted) = asked.level {
            let number = match wanted {
                AskedLevel::Name(name) => self.level_named(name),
                AskedLevel::Number(number) => Some(number),
            };
            let number = number.ok_or(Refusal::NoLevel)?;
            let level = self.level(number).ok_or(Refusal::NoLevel)?;
            return if level.closed {
                Err(Refusal::Closed(number))
            } else if has_all(number) {
                Ok(given(number, Reason::Asked))
            } else {
                Err(Refusal::NotAs(number))
            };
        }
        let by_rules = self.decided(by_rules());
        if has_all(by_rules.level) {
            return Ok(by_rules);
        }
        let mut levels = self.levels();
        levels
            .find(|(number, level)| !level.closed && has_all(*number))
            .map(|(number, _)| given(number, Reason::AskedFor))
            .ok_or(Refusal::NoneSuch {
                redundancy: asked.redundancy,
                mode: asked.mode,
            })
    }

    pub(crate) fn decided(&self, (rule, level): (Option<RuleNumber>, LevelNumber)) -> Decision {
        Decision {
            level,
            persistence: self.persistence(level),
            reason: rule.map_or(Reason::Default, Reason::Rule),
        }
    }
}
