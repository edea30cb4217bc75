//! The text of a policy: levels, rules, a default, each in a line.
//!
//! ```text
//! level vital = write-through mirror=2 storage:vital verify   # storage: a level of the volume
//! level scratch = ephemeral revert
//! rule path "/tmp/**" | ext "tmp" & app "cc*" -> scratch
//! rule op write & size 1M.. -> vital
//! default -> write-through
//! ```

use crate::cache::OnLoss;
use crate::exec::{LevelNumber, ResourceSet, RESOURCES_MAX};
use crate::volume::{LevelIndex, Redundancy, LEVELS_MAX};

use super::compiler::Compiler;
use super::error::{PolicyError, PolicyErrorKind};
use super::field::{Choice, Field, Number, Text};
use super::form::{is_name, DEPTH_MAX, PATTERN_BYTES_MAX};
use super::level::{mode_named, PolicyLevel};
use super::storage::StorageLevels;
use super::table::PolicyTable;
use super::token::{Spot, Token, Tokens};

type Outcome<'t, T> = Result<T, PolicyError<'t>>;

const A_STATEMENT: &str = "level, rule or default";
const A_NAME: &str = "the name of a level";
const A_CRITERION: &str =
    "a criterion (app, name, path, dir, ext, volume, profile, tenant, object, priority, sector, size, offset, op, lifetime, flag, asks, any)";
const A_PROPERTY: &str =
    "a cache mode (write-through, write-back, ephemeral, bypass), single, mirror=2, parity=4, storage:NAME, resources:0,1, verify, atomic, revert, unwritten or closed";
const A_RANGE: &str = "a number such as 64K, or a range such as 4K..64K or >= 4K";

/// Compiles the text of a policy into a buffer.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn compile<'t, 'b>(
    text: &'t str,
    storage: StorageLevels<'_>,
    buffer: &'b mut [u8],
) -> Outcome<'t, PolicyTable<&'b mut [u8]>> {
    let mut compiler = Compiler::new(buffer, storage);
    let end = compiler.text_of_policy(text)?;
    compiler.finish().map_err(|kind| end.error(kind))
}

impl Compiler<'_, '_> {
    fn text_of_policy<'t>(&mut self, text: &'t str) -> Outcome<'t, Spot<'t>> {
        let mut tokens = Tokens::new(text);
        loop {
            tokens.skip_lines()?;
            let spot = tokens.next()?;
            match spot.token {
                Token::End => return Ok(spot),
                Token::Word("level") => self.read_level(&mut tokens)?,
                Token::Word("rule") => self.read_rule(&mut tokens)?,
                Token::Word("default") => {
                    arrow(&mut tokens)?;
                    let level = self.read_level_name(&mut tokens)?;
                    if !self.set_default(level) {
                        return Err(spot.error(PolicyErrorKind::Twice { found: "default" }));
                    }
                }
                _ => return Err(spot.expected(A_STATEMENT)),
            }
            let spot = tokens.next()?;
            match spot.token {
                Token::LineEnd => {}
                Token::End => return Ok(spot),
                _ => return Err(spot.expected("the end of the line")),
            }
        }
    }

    /// Adds a level: its name, and what stands behind `=` in the text of a policy.
    ///
    /// # Errors
    /// What is wrong; places count from the beginning of `properties`.
    pub fn level<'t>(&mut self, name: &'t str, properties: &'t str) -> Outcome<'t, LevelNumber> {
        let mut tokens = Tokens::new(properties);
        let begin = tokens.peek()?;
        self.check_name(name).map_err(|kind| begin.error(kind))?;
        let level = self.read_properties(&mut tokens, name)?;
        end(&mut tokens)?;
        self.push_level(&level).map_err(|kind| begin.error(kind))
    }

    /// Adds a rule: its condition, and its level.
    ///
    /// # Errors
    /// What is wrong; places count from the beginning of `condition`.
    pub fn rule<'t>(&mut self, condition: &'t str, level: LevelNumber) -> Outcome<'t, ()> {
        let mut tokens = Tokens::new(condition);
        self.read_condition(&mut tokens)?;
        tokens.skip_lines()?;
        end(&mut tokens)?;
        self.end_rule(level);
        Ok(())
    }

    /// The number of a level that was added, or of the cache mode of this name.
    ///
    /// # Errors
    /// There is none of this name, or no place for it.
    pub fn find_level<'t>(&mut self, name: &'t str) -> Result<LevelNumber, PolicyErrorKind<'t>> {
        self.level_named(name)?
            .ok_or(PolicyErrorKind::UnknownLevel { found: name })
    }

    /// Sets the level of what no rule matches; write-through if it is never set.
    pub fn default_level(&mut self, level: LevelNumber) {
        self.set_default(level);
    }

    fn check_name<'t>(&mut self, name: &'t str) -> Result<(), PolicyErrorKind<'t>> {
        if !is_name(name.as_bytes()) {
            return Err(PolicyErrorKind::LevelName { found: name });
        }
        if self.is_declared(name) {
            return Err(PolicyErrorKind::LevelTwice { found: name });
        }
        Ok(())
    }

    fn read_level<'t>(&mut self, tokens: &mut Tokens<'t>) -> Outcome<'t, ()> {
        let spot = tokens.next()?;
        let Token::Word(name) = spot.token else {
            return Err(spot.expected(A_NAME));
        };
        self.check_name(name).map_err(|kind| spot.error(kind))?;
        if !tokens.accept("=")? {
            return Err(tokens.next()?.expected("= and what the level is"));
        }
        let level = self.read_properties(tokens, name)?;
        self.push_level(&level).map_err(|kind| spot.error(kind))?;
        Ok(())
    }

    fn read_properties<'t>(
        &self,
        tokens: &mut Tokens<'t>,
        name: &'t str,
    ) -> Outcome<'t, PolicyLevel<'t>> {
        let mut level = PolicyLevel::plain(name, crate::cache::Mode::WriteThrough);
        let mut given = Given::default();
        let first = tokens.peek()?;
        if matches!(first.token, Token::LineEnd | Token::End) {
            return Err(first.expected(A_PROPERTY));
        }
        loop {
            let spot = tokens.peek()?;
            if matches!(spot.token, Token::LineEnd | Token::End) {
                break;
            }
            tokens.next()?;
            let Token::Word(word) = spot.token else {
                return Err(spot.expected(A_PROPERTY));
            };
            let persistence = &mut level.persistence;
            let twice = if let Some(mode) = mode_named(word) {
                persistence.mode = mode;
                core::mem::replace(&mut given.mode, true)
            } else {
                match word {
                    "single" => given
                        .redundancy
                        .replace((Redundancy::Single, spot))
                        .is_some(),
                    "mirror" | "parity" => {
                        let redundancy = redundancy(tokens, word)?;
                        given.redundancy.replace((redundancy, spot)).is_some()
                    }
                    "storage" => given.storage.replace(self.storage(tokens)?).is_some(),
                    "resources" => {
                        persistence.resources = resources(tokens)?;
                        core::mem::replace(&mut given.resources, true)
                    }
                    "verify" => core::mem::replace(&mut persistence.verify, true),
                    "atomic" => core::mem::replace(&mut persistence.atomic, true),
                    "revert" | "unwritten" => {
                        if word == "unwritten" {
                            persistence.on_loss = OnLoss::Unwritten;
                        }
                        core::mem::replace(&mut given.on_loss, true)
                    }
                    "closed" => core::mem::replace(&mut level.closed, true),
                    _ => return Err(spot.expected(A_PROPERTY)),
                }
            };
            if twice {
                return Err(spot.error(PolicyErrorKind::Twice { found: word }));
            }
        }
        self.place(&mut level, &given)?;
        if mode_named(name).is_some_and(|mode| mode != level.persistence.mode) {
            return Err(first.error(PolicyErrorKind::LevelIsMode { found: name }));
        }
        Ok(level)
    }

    /// Which level of the volume it is stored at, and how redundant that is.
    fn place<'t>(&self, level: &mut PolicyLevel<'_>, given: &Given<'t>) -> Outcome<'t, ()> {
        let known = self.storage.are_known();
        let index = match (given.storage, given.redundancy) {
            (Some(index), _) => index,
            (None, Some((redundancy, spot))) if known => {
                let found = self.storage.with(redundancy);
                found.ok_or(spot.error(PolicyErrorKind::NoStorage { redundancy }))?
            }
            (None, _) => LevelIndex(0),
        };
        level.persistence.storage = index;
        level.redundancy = self.storage.redundancy(index);
        if let Some((asked, spot)) = given.redundancy {
            match level.redundancy {
                None => level.redundancy = Some(asked),
                Some(found) if found != asked => {
                    return Err(spot.error(PolicyErrorKind::OtherRedundancy { asked, found }));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn storage<'t>(&self, tokens: &mut Tokens<'t>) -> Outcome<'t, LevelIndex> {
        colon(tokens)?;
        let spot = tokens.next()?;
        let (Token::Word(name) | Token::Text(name)) = spot.token else {
            return Err(spot.expected("the name or number of a level of the volume"));
        };
        let unknown = spot.error(PolicyErrorKind::UnknownStorage { found: name });
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            let index = name.parse().ok();
            let index = index.filter(|&index| usize::from(index) < LEVELS_MAX);
            let index = LevelIndex(index.ok_or(unknown)?);
            let there = !self.storage.are_known() || self.storage.redundancy(index).is_some();
            return there.then_some(index).ok_or(unknown);
        }
        match self.storage.named(name) {
            Some(index) => Ok(index),
            None if !self.storage.are_known() => Ok(LevelIndex(0)),
            None => Err(unknown),
        }
    }

    fn read_level_name<'t>(&mut self, tokens: &mut Tokens<'t>) -> Outcome<'t, LevelNumber> {
        let spot = tokens.next()?;
        let Token::Word(name) = spot.token else {
            return Err(spot.expected(A_NAME));
        };
        self.find_level(name).map_err(|kind| spot.error(kind))
    }

    fn read_rule<'t>(&mut self, tokens: &mut Tokens<'t>) -> Outcome<'t, ()> {
        self.read_condition(tokens)?;
        tokens.skip_lines()?;
        arrow(tokens)?;
        tokens.skip_lines()?;
        let level = self.read_level_name(tokens)?;
        self.end_rule(level);
        Ok(())
    }

    fn read_condition<'t>(&mut self, tokens: &mut Tokens<'t>) -> Outcome<'t, ()> {
        let begin = tokens.peek()?;
        self.begin_rule().map_err(|kind| begin.error(kind))?;
        self.read_chain(tokens, Operator::Or, false, 0)?;
        if !self.depth_fits() {
            return Err(begin.error(PolicyErrorKind::Depth));
        }
        Ok(())
    }

    /// Operands with an operator between them. Where they are to be false, what they say is turned round: `!(a | b)` is `!a & !b`.
    fn read_chain<'t>(
        &mut self,
        tokens: &mut Tokens<'t>,
        operator: Operator,
        negated: bool,
        depth: usize,
    ) -> Outcome<'t, ()> {
        let when = (operator == Operator::Or) != negated;
        let begin = self.here();
        loop {
            let operand = self.here();
            match operator {
                Operator::Or => self.read_chain(tokens, Operator::And, negated, depth)?,
                Operator::And => self.read_operand(tokens, negated, depth)?,
            }
            let spot = tokens.peek()?;
            if !tokens.accept(operator.sign())? {
                break;
            }
            tokens.skip_lines()?;
            self.jump(operand, when).map_err(|kind| spot.error(kind))?;
        }
        self.end_chain(begin);
        Ok(())
    }

    fn read_operand<'t>(
        &mut self,
        tokens: &mut Tokens<'t>,
        negated: bool,
        depth: usize,
    ) -> Outcome<'t, ()> {
        let mut negated = negated;
        while tokens.accept("!")? {
            negated = !negated;
        }
        let spot = tokens.peek()?;
        if tokens.accept("(")? {
            if depth >= DEPTH_MAX {
                return Err(spot.error(PolicyErrorKind::Depth));
            }
            tokens.skip_lines()?;
            self.read_chain(tokens, Operator::Or, negated, depth + 1)?;
            tokens.skip_lines()?;
            if !tokens.accept(")")? {
                return Err(tokens
                    .next()?
                    .expected("), &, | or another criterion's end"));
            }
            return Ok(());
        }
        tokens.next()?;
        let Token::Word(word) = spot.token else {
            return Err(spot.expected(A_CRITERION));
        };
        if word == "any" {
            return self.any(negated).map_err(|kind| spot.error(kind));
        }
        match Field::from_word(word) {
            Some(Field::Text(field)) => self.read_pattern(tokens, field, negated),
            Some(Field::Number(field)) => self.read_range(tokens, field, negated),
            Some(Field::Choice(field)) => self.read_choice(tokens, field, negated),
            None => Err(spot.expected(A_CRITERION)),
        }
    }

    fn read_pattern<'t>(
        &mut self,
        tokens: &mut Tokens<'t>,
        field: Text,
        negated: bool,
    ) -> Outcome<'t, ()> {
        let spot = tokens.next()?;
        let Token::Text(text) = spot.token else {
            return Err(spot.expected("a pattern such as \"*.tmp\""));
        };
        if text.len() > PATTERN_BYTES_MAX {
            let found = text.len();
            return Err(spot.error(PolicyErrorKind::PatternLength { found }));
        }
        self.text(field, text, negated)
            .map_err(|kind| spot.error(kind))
    }

    fn read_range<'t>(
        &mut self,
        tokens: &mut Tokens<'t>,
        field: Number,
        negated: bool,
    ) -> Outcome<'t, ()> {
        let begin = tokens.peek()?;
        let empty = begin.error(PolicyErrorKind::EmptyRange);
        let range = match begin.token {
            Token::Sign(sign @ ("=" | "<" | "<=" | ">" | ">=")) => {
                tokens.next()?;
                let value = number(tokens)?;
                match sign {
                    "=" => (value, value),
                    "<" => (0, value.checked_sub(1).ok_or(empty)?),
                    "<=" => (0, value),
                    ">" => (value.checked_add(1).ok_or(empty)?, u64::MAX),
                    _ => (value, u64::MAX),
                }
            }
            Token::Sign("..") => {
                tokens.next()?;
                (0, number(tokens)?)
            }
            _ => {
                let low = number(tokens)?;
                if !tokens.accept("..")? {
                    (low, low)
                } else if matches!(tokens.peek()?.token, Token::Word(_)) {
                    (low, number(tokens)?)
                } else {
                    (low, u64::MAX)
                }
            }
        };
        if range.0 > range.1 {
            return Err(empty);
        }
        self.number(field, range, negated)
            .map_err(|kind| begin.error(kind))
    }

    fn read_choice<'t>(
        &mut self,
        tokens: &mut Tokens<'t>,
        field: Choice,
        negated: bool,
    ) -> Outcome<'t, ()> {
        let spot = tokens.next()?;
        let value = match spot.token {
            Token::Word(word) => field.names().position(|name| name == word),
            _ => None,
        };
        let Some(value) = value else {
            return Err(spot.expected(match field {
                Choice::Operation => "read, write, trim or flush",
                Choice::Lifetime => "short, medium, long or extreme",
                Choice::Flag => "paging, non-paging, direct, temporary, sync, delete-on-close, sequential or random",
                Choice::Asks => "redundant, single, level or a cache mode",
            }));
        };
        self.choice(field, value as u8, negated)
            .map_err(|kind| spot.error(kind))
    }
}

/// What has been said of a level.
#[derive(Default)]
struct Given<'t> {
    mode: bool,
    redundancy: Option<(Redundancy, Spot<'t>)>,
    storage: Option<LevelIndex>,
    resources: bool,
    on_loss: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Or,
    And,
}

impl Operator {
    const fn sign(self) -> &'static str {
        match self {
            Self::Or => "|",
            Self::And => "&",
        }
    }
}

fn end<'t>(tokens: &mut Tokens<'t>) -> Outcome<'t, ()> {
    let spot = tokens.next()?;
    match spot.token {
        Token::End => Ok(()),
        _ => Err(spot.expected("the end")),
    }
}

fn arrow<'t>(tokens: &mut Tokens<'t>) -> Outcome<'t, ()> {
    if tokens.accept("->")? {
        return Ok(());
    }
    Err(tokens.next()?.expected("-> and a level"))
}

fn colon<'t>(tokens: &mut Tokens<'t>) -> Outcome<'t, ()> {
    if tokens.accept(":")? {
        return Ok(());
    }
    Err(tokens.next()?.expected("a colon"))
}

fn redundancy<'t>(tokens: &mut Tokens<'t>, word: &str) -> Outcome<'t, Redundancy> {
    const EXPECTED: &str = "mirror=2, mirror=3 or parity=2 to parity=8";
    if !tokens.accept("=")? {
        return Err(tokens.next()?.expected("= and a number"));
    }
    let spot = tokens.next()?;
    let Token::Word(found) = spot.token else {
        return Err(spot.expected(EXPECTED));
    };
    let kind = if word == "mirror" {
        Redundancy::Mirror
    } else {
        Redundancy::Parity
    };
    let redundancy = found.parse().ok().map(kind);
    redundancy
        .filter(|redundancy| redundancy.is_possible())
        .ok_or(spot.error(PolicyErrorKind::Number {
            found,
            expected: EXPECTED,
        }))
}

fn resources<'t>(tokens: &mut Tokens<'t>) -> Outcome<'t, ResourceSet> {
    const EXPECTED: &str = "numbers of resources, 0 to 7, with commas between them";
    colon(tokens)?;
    let mut set = 0u8;
    loop {
        let spot = tokens.next()?;
        let Token::Word(found) = spot.token else {
            return Err(spot.expected(EXPECTED));
        };
        let number = found.parse::<u8>().ok();
        let number = number.filter(|number| *number < RESOURCES_MAX);
        let number = number.ok_or(spot.error(PolicyErrorKind::Number {
            found,
            expected: EXPECTED,
        }))?;
        if set >> number & 1 != 0 {
            return Err(spot.error(PolicyErrorKind::Twice { found }));
        }
        set |= 1 << number;
        if !tokens.accept(",")? {
            return Ok(ResourceSet(set));
        }
    }
}

/// Units of numbers: powers of 1024.
pub(super) const UNITS: [(&str, u32); 4] = [("K", 10), ("M", 20), ("G", 30), ("T", 40)];

fn number<'t>(tokens: &mut Tokens<'t>) -> Outcome<'t, u64> {
    let spot = tokens.next()?;
    let Token::Word(found) = spot.token else {
        return Err(spot.expected(A_RANGE));
    };
    let digits = found.find(|character: char| !character.is_ascii_digit());
    let (digits, unit) = found.split_at(digits.unwrap_or(found.len()));
    let shift = match unit {
        "" | "B" => Some(0),
        _ => {
            let unit = unit
                .strip_suffix("iB")
                .or(unit.strip_suffix('B'))
                .unwrap_or(unit);
            let mut units = UNITS.into_iter();
            units
                .find(|(name, _)| unit.eq_ignore_ascii_case(name))
                .map(|(_, shift)| shift)
        }
    };
    let value = digits.parse::<u64>().ok().zip(shift);
    value
        .and_then(|(value, shift)| value.checked_mul(1 << shift))
        .ok_or(spot.error(PolicyErrorKind::Number {
            found,
            expected: A_RANGE,
        }))
}
