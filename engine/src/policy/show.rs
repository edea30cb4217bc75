//! A policy as text: what is printed is read as the same policy.

use core::fmt::{self, Display, Formatter, Write};

use heapless::Vec;

use super::code::{Code, Criterion, Instruction, Test};
use super::form::DEPTH_MAX;
use super::table::{PolicyTable, View};
use super::text::UNITS;

/// A number with the largest unit that leaves it whole.
struct Quantity(u64);

impl Display for Quantity {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let whole = |shift: u32| self.0 != 0 && self.0.trailing_zeros() >= shift;
        match UNITS.into_iter().rev().find(|(_, shift)| whole(*shift)) {
            Some((unit, shift)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Display for Criterion<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Any => f.write_str("any"),
            Self::Text { field, pattern, .. } => {
                let text = core::str::from_utf8(pattern.text).unwrap_or("?");
                write!(f, "{} \"{text}\"", field.word())
            }
            Self::Number { field, low, high } => {
                write!(f, "{} ", field.word())?;
                if low == high {
                    return Quantity(low).fmt(f);
                }
                if low > 0 || high == u64::MAX {
                    Quantity(low).fmt(f)?;
                }
                f.write_str("..")?;
                if high < u64::MAX {
                    Quantity(high).fmt(f)?;
                }
                Ok(())
            }
            Self::Choice { field, value } => {
                write!(f, "{} {}", field.word(), field.name(value).unwrap_or("?"))
            }
        }
    }
}

impl Display for Test<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.negated {
            f.write_char('!')?;
        }
        self.criterion.fmt(f)
    }
}

/// A chain of one operator whose end was not reached yet.
type Open = (usize, bool);

impl Code<'_> {
    /// How many parentheses open before the criterion at `at`: for each chain of `|` that begins here and is an operand of `&`.
    fn opens_before(&self, at: usize, enclosing: Option<Open>) -> usize {
        let mut count = 0;
        let mut last = None;
        let mut next = at + 1;
        while enclosing.is_none_or(|(end, _)| end != next) {
            let Some((when, skip)) = self.jump_at(next) else {
                break;
            };
            let end = next + 1 + skip;
            if enclosing == Some((end, when)) {
                break;
            }
            count += usize::from(last == Some(true) && !when);
            last = Some(when);
            next = end;
        }
        let inside = enclosing.is_some_and(|(_, when)| !when);
        count + usize::from(last == Some(true) && inside)
    }
}

impl Display for Code<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut open = Vec::<Open, DEPTH_MAX>::new();
        for at in 0..=self.len() {
            while let Some(&(_, when)) = open.last().filter(|(end, _)| *end == at) {
                open.pop();
                let outer = open.last().filter(|(end, _)| *end == at);
                let outer = outer.map(|(_, when)| *when);
                let outer = outer.or(self.jump_at(at).map(|(when, _)| when));
                if when && outer == Some(false) {
                    f.write_char(')')?;
                }
            }
            match self.get(at) {
                Some(Instruction::Test(test)) => {
                    for _ in 0..self.opens_before(at, open.last().copied()) {
                        f.write_char('(')?;
                    }
                    test.fmt(f)?;
                }
                Some(Instruction::Jump { when, skip }) => {
                    f.write_str(if when { " | " } else { " & " })?;
                    let chain = (at + 1 + skip, when);
                    if open.last() != Some(&chain) {
                        open.push(chain).map_err(|_| fmt::Error)?;
                    }
                }
                None => {}
            }
        }
        Ok(())
    }
}

impl View<'_> {
    fn name_of(&self, level: u8) -> &str {
        let level = self.level(crate::exec::LevelNumber(level));
        level.map_or("?", |level| level.name)
    }

    /// A rule as text.
    pub fn show_rule(&self, rule: usize, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(entry) = self.entry(rule) else {
            return Ok(());
        };
        let (code, level) = (self.code_of(entry), self.name_of(entry.level));
        write!(f, "rule {code} -> {level}")
    }
}

/// The text of the policy: its levels, its rules, its default, a line each.
impl<B: AsRef<[u8]>> Display for PolicyTable<B> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let view = self.view();
        for (_, level) in self.levels() {
            writeln!(f, "level {level}")?;
        }
        for rule in 0..view.rules_len() {
            view.show_rule(rule, f)?;
            f.write_char('\n')?;
        }
        writeln!(f, "default -> {}", view.name_of(view.default))
    }
}
