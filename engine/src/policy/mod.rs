//! Policies: rules over the properties of a request that give it a persistence level.
//!
//! A policy is a table of named levels, a list of rules of which the first that matches decides, and a default. It is written as text ([`compile`]), kept in a
//! binary form ([`PolicyTable`]) that is looked at in full when it is [accepted](PolicyTable::accept), and then asked without memory, panics or recursion:
//! [`PolicyTable::decide`], or [`PolicyTable::explain`] for people.
//!
//! Knows execution, cache and volume below, of which it names levels; knows nothing of requests and doors above.

mod bucket;
mod code;
mod compiler;
mod decide;
mod error;
mod explain;
mod facts;
mod field;
mod form;
mod glob;
mod index;
mod judge;
mod level;
mod reach;
mod show;
mod storage;
mod store;
mod table;
mod text;
mod token;
mod validate;

pub use compiler::Compiler;
pub use decide::{Decision, Reason, Refusal};
pub use error::{Found, Place, PolicyError, PolicyErrorKind};
pub use explain::Explanation;
pub use facts::{Asked, AskedLevel, AskedRedundancy, Facts, Flags, Lifetime, Operation};
pub(crate) use facts::{KnownTexts, Prepared, SourceTexts};
pub use form::{NAME_BYTES, POLICY_LEVELS_MAX, POLICY_VERSION, RULES_MAX};
pub use level::{mode_name, mode_named, PolicyLevel};
pub use reach::Unreachable;
pub use storage::StorageLevels;
pub use store::{load, save, StoreError};
pub use table::{PolicyFault, PolicyTable, RuleNumber, SourceDecision};
pub use text::compile;

#[cfg(test)]
mod tests;
