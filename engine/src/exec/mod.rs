//! Execution: serves a request as its level says — which resources, in what order, and when that is acknowledged.
//!
//! Knows caches and resources below; knows nothing of policies or requests above.

mod persistence;

pub use persistence::{LevelNumber, Persistence, ResourceSet, RESOURCES_MAX};
