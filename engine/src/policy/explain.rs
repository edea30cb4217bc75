//! Why a request gets the level it gets.

use core::fmt::{self, Display, Formatter};

use super::code::Instruction;
use super::decide::Reason;
use super::facts::Facts;
use super::table::PolicyTable;

/// How a policy decides about a request, to be printed: each rule that was looked at, and what was found of its criteria.
#[derive(Debug, Clone, Copy)]
pub struct Explanation<'a, B> {
    policy: &'a PolicyTable<B>,
    facts: &'a Facts<'a>,
}

impl<B: AsRef<[u8]>> PolicyTable<B> {
    /// Explains what the policy decides about a request. Shows each rule up to the one that matches, criterion by criterion, as far as they had to be looked at.
    #[must_use]
    pub fn explain<'a>(&'a self, facts: &'a Facts<'a>) -> Explanation<'a, B> {
        Explanation {
            policy: self,
            facts,
        }
    }
}

impl<B: AsRef<[u8]>> Display for Explanation<'_, B> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let view = self.policy.view();
        let (matched, _) = self.policy.evaluate(self.facts);
        let last = matched.map_or(view.rules_len(), |rule| usize::from(rule.0) + 1);
        for rule in 0..last {
            let holds = matched.is_some_and(|found| usize::from(found.0) == rule);
            write!(
                f,
                "rule {}: {} (",
                rule + 1,
                if holds { "yes" } else { "no" }
            )?;
            let Some(code) = view.code_at(rule) else {
                break;
            };
            let mut found = false;
            let mut at = 0;
            while let Some(instruction) = code.get(at) {
                at += 1;
                match instruction {
                    Instruction::Test(test) => {
                        if at > 1 {
                            f.write_str("; ")?;
                        }
                        found = code.holds_at(at - 1, self.facts);
                        let known = test.criterion.is_known(self.facts);
                        let unknown = if known { "" } else { ", as it is not known" };
                        write!(f, "{test}: {}{unknown}", if found { "yes" } else { "no" })?;
                    }
                    Instruction::Jump { when, skip } if when == found => at += skip,
                    Instruction::Jump { .. } => {}
                }
            }
            writeln!(f, ")")?;
        }
        match self.policy.decide(self.facts) {
            Ok(decision) => {
                if let Some(level) = self.policy.level(decision.level) {
                    writeln!(f, "level {level}")?;
                }
                match decision.reason {
                    Reason::Rule(rule) => {
                        f.write_str("by ")?;
                        view.show_rule(rule.0.into(), f)?;
                    }
                    reason => write!(f, "by {reason}")?,
                }
                writeln!(f)
            }
            Err(refusal) => writeln!(f, "refused: {refusal}"),
        }
    }
}
