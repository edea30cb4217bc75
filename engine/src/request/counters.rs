//! How often each rule has decided.

use crate::policy::{Decision, Reason};

/// Counts of decisions, wrapping; those of rules in memory lent by the caller, a count a rule. Rules for which there is none are not counted.
#[derive(Debug, Default)]
pub struct Counters<'m> {
    rules: &'m mut [u32],
    /// Decisions of the default.
    pub default: u32,
    /// Levels that were asked for and given.
    pub asked: u32,
    /// Requests that were refused.
    pub refused: u32,
    /// Decisions without a policy.
    pub no_policy: u32,
    /// Times a source was classified.
    pub sources: u32,
}

impl<'m> Counters<'m> {
    /// All are zero.
    #[must_use]
    pub fn new(rules: &'m mut [u32]) -> Self {
        rules.fill(0);
        Self {
            rules,
            ..Self::default()
        }
    }

    /// Decisions of each rule.
    #[must_use]
    pub fn rules(&self) -> &[u32] {
        self.rules
    }

    pub(super) fn count(&mut self, decision: &Decision) {
        let count = match decision.reason {
            Reason::Rule(rule) => self.rules.get_mut(usize::from(rule.0)),
            Reason::Default => Some(&mut self.default),
            Reason::Asked | Reason::AskedFor => Some(&mut self.asked),
            Reason::NoPolicy => Some(&mut self.no_policy),
        };
        if let Some(count) = count {
            *count = count.wrapping_add(1);
        }
    }

    pub(super) fn clear(&mut self) {
        let rules = core::mem::take(&mut self.rules);
        *self = Self::new(rules);
    }
}
