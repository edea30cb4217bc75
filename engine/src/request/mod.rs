//! Requests, the sources they belong to, and their levels.
//!
//! A **context** is what is known about a source, a file that was opened for example. It is made at the first operation on the source and classified by the
//! policy once; requests name it by a handle, and cost a table lookup then. See [`Classifier`].
//!
//! Knows policy and what is below; knows nothing of the doors that make requests.

mod classifier;
mod context;
mod counters;
mod kind;

pub use classifier::{Classifier, ClassifyError};
pub use context::{Context, ContextError, ContextHandle, ContextTable, Source};
pub use counters::Counters;
pub use kind::{Hints, Origin, Request, SectorRange};

#[cfg(test)]
mod tests;
