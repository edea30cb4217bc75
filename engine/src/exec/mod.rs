//! Execution: serves a request as its level says — which resources, in what order, and when that is acknowledged.
//!
//! Knows caches and resources below; knows nothing of policies or requests above.

mod executor;
mod refusal;

pub use crate::cache::{LevelNumber, Persistence, ResourceSet, RESOURCES_MAX};
pub use executor::{Context, Executor, Operation, Order};
pub use refusal::{Advice, ExecError, Refusal};
