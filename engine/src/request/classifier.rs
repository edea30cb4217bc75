//! Gives each request its level: by what is asked for, by the policy, or by what was decided for its source before.

use core::fmt;

use crate::cache::Mode;
use crate::policy::{Asked, Decision, Facts, Flags, PolicyTable, Refusal, SourceDecision};

use super::context::{ContextError, ContextHandle, ContextTable, Source};
use super::counters::Counters;
use super::kind::{Origin, Request};

/// Why a request has no level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ClassifyError {
    /// What it asks for cannot be had.
    Refused(Refusal),
    /// It names a context that there is not.
    Context(ContextError),
}

impl fmt::Display for ClassifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Context(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ClassifyError {}

/// The policy in force, the contexts, and what was decided.
///
/// # Guarantees
/// * Every request gets exactly one level, or is refused with a reason; only what asks for something, or names a context that there is not, is refused.
/// * The same request gets the same level as long as policy and context are the same, whatever was asked in between.
/// * From [`replace`](Self::replace) on, every request obeys the new policy.
#[derive(Debug)]
pub struct Classifier<'m, B> {
    policy: Option<PolicyTable<B>>,
    epoch: u32,
    contexts: ContextTable<'m>,
    counters: Counters<'m>,
    sector_bytes: u32,
}

impl<'m, B: AsRef<[u8]>> Classifier<'m, B> {
    /// A policy, or none: then all is write-through. Requests are sized in sectors of so many bytes.
    #[must_use]
    pub const fn new(
        policy: Option<PolicyTable<B>>,
        contexts: ContextTable<'m>,
        counters: Counters<'m>,
        sector_bytes: u32,
    ) -> Self {
        Self {
            policy,
            epoch: 0,
            contexts,
            counters,
            sector_bytes,
        }
    }

    /// The policy in force.
    #[must_use]
    pub const fn policy(&self) -> Option<&PolicyTable<B>> {
        self.policy.as_ref()
    }

    /// Grows by one with each replacement, wrapping.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// What was decided since the policy was set.
    #[must_use]
    pub const fn counters(&self) -> &Counters<'m> {
        &self.counters
    }

    /// Puts another policy in force, or none, and gives the one before back. A new epoch begins: each context is classified again at its next request. Counters
    /// start again.
    pub fn replace(&mut self, policy: Option<PolicyTable<B>>) -> Option<PolicyTable<B>> {
        self.epoch = self.epoch.wrapping_add(1);
        self.counters.clear();
        core::mem::replace(&mut self.policy, policy)
    }

    /// Makes a context, at the first operation on a source.
    ///
    /// # Errors
    /// No place, or no room for its texts: its requests may go without a context.
    pub fn open(&mut self, source: &Source<'_>) -> Result<ContextHandle, ContextError> {
        self.contexts.open(source)
    }

    /// Ends a context: see [`ContextTable::end`].
    ///
    /// # Errors
    /// The handle names none.
    pub fn end(&mut self, handle: ContextHandle) -> Result<(), ContextError> {
        self.contexts.end(handle)
    }

    /// Replaces what a profiler says of a source: see [`ContextTable::set_profiles`].
    ///
    /// # Errors
    /// The handle names none, or there is no room.
    pub fn set_profiles(
        &mut self,
        handle: ContextHandle,
        profiles: &str,
    ) -> Result<(), ContextError> {
        self.contexts.set_profiles(handle, profiles)
    }

    /// Flags of a request, those of its source included.
    ///
    /// # Errors
    /// It names a context that there is not.
    pub fn flags(&mut self, request: &Request<'_>) -> Result<Flags, ClassifyError> {
        let (context, own) = match request.origin {
            Origin::Unknown => (None, Flags::NONE),
            Origin::Object(object) => (
                self.contexts.find_object(object, request.tenant),
                Flags::PAGING,
            ),
            Origin::Context(handle) => {
                let found = self.contexts.find(handle, request.tenant);
                (Some(found.map_err(ClassifyError::Context)?), Flags::NONE)
            }
        };
        let source = context.map_or(Flags::NONE, |index| self.contexts.flags(index));
        // What a host's cache does for itself is not what the application said of its own calls.
        let source = match own {
            Flags::PAGING => Flags(source.0 & !(Flags::NON_PAGING.0 | Flags::DIRECT.0)),
            _ => source,
        };
        Ok(request.hints.flags.with(own).with(source))
    }

    /// The level of a request.
    ///
    /// # Errors
    /// What it asks for cannot be had, or it names a context that there is not.
    pub fn classify(&mut self, request: &Request<'_>) -> Result<Decision, ClassifyError> {
        let decision = self.decide(request);
        match &decision {
            Ok(decision) => self.counters.count(decision),
            Err(_) => self.counters.refused = self.counters.refused.wrapping_add(1),
        }
        decision
    }

    fn decide(&mut self, request: &Request<'_>) -> Result<Decision, ClassifyError> {
        let context = match request.origin {
            Origin::Unknown => None,
            Origin::Object(object) => self.contexts.find_object(object, request.tenant),
            Origin::Context(handle) => {
                let found = self.contexts.find(handle, request.tenant);
                Some(found.map_err(ClassifyError::Context)?)
            }
        };
        let Some(policy) = &self.policy else {
            return without_policy(&request.hints.asked).map_err(ClassifyError::Refused);
        };
        let asked = &request.hints.asked;
        let mut from = 0;
        if let Some(index) = context {
            let known = match self.contexts.decision(index, self.epoch) {
                Some(known) => known,
                None => {
                    let known = policy.evaluate_source(&self.contexts.facts(index));
                    self.contexts.decide(index, self.epoch, known);
                    self.counters.sources = self.counters.sources.wrapping_add(1);
                    known
                }
            };
            match known {
                SourceDecision::Always(rule, level) if asked.is_none() => {
                    return Ok(policy.decided((rule, level)));
                }
                SourceDecision::Always(rule, level) => {
                    let decision = policy.decide_asked(asked, || (rule, level));
                    return decision.map_err(ClassifyError::Refused);
                }
                SourceDecision::EachRequestFrom(rule) => from = rule.0,
            }
        }
        let facts = match (context, request.origin) {
            (Some(index), _) => self.contexts.facts(index),
            (None, Origin::Object(object)) => Facts::new().tenant(request.tenant).object(object),
            (None, _) => Facts::new().tenant(request.tenant),
        };
        let facts = of_request(facts, request, self.sector_bytes);
        let by_rules = || policy.evaluate_from(&facts, from);
        if asked.is_none() {
            return Ok(policy.decided(by_rules()));
        }
        policy
            .decide_asked(asked, by_rules)
            .map_err(ClassifyError::Refused)
    }
}

/// The facts of a source, and what differs from request to request.
fn of_request<'a>(facts: Facts<'a>, request: &Request<'a>, sector_bytes: u32) -> Facts<'a> {
    let hints = &request.hints;
    let range = request.range;
    let size = u64::from(range.count) * u64::from(sector_bytes);
    let paging = match request.origin {
        Origin::Object(_) => Flags::PAGING,
        _ => Flags::NONE,
    };
    let mut facts = facts
        .operation(request.operation)
        .sectors(range.first.0.into(), range.count.into())
        .size(hints.bytes.unwrap_or(size))
        .flags(hints.flags.with(paging));
    if let Some(lifetime) = hints.lifetime {
        facts = facts.lifetime(lifetime);
    }
    if let Some(priority) = hints.priority {
        facts = facts.priority(priority);
    }
    if let Some(offset) = hints.offset {
        facts = facts.offset(offset);
    }
    if !hints.asked.is_none() {
        facts = facts.asked(hints.asked);
    }
    facts
}

/// Without a policy there is write-through and nothing else.
fn without_policy(asked: &Asked<'_>) -> Result<Decision, Refusal> {
    if asked.level.is_some() {
        return Err(Refusal::NoLevel);
    }
    if asked.redundancy.is_some() || asked.mode.is_some_and(|mode| mode != Mode::WriteThrough) {
        return Err(Refusal::NoneSuch {
            redundancy: asked.redundancy,
            mode: asked.mode,
        });
    }
    Ok(Decision::NO_POLICY)
}
