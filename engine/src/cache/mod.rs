//! The cache: which data is in a fast resource, what of it may be lost, and what leaves first.
//!
//! Knows resources below; knows nothing of levels, policies or requests above.

mod mode;

pub use mode::{Mode, OnLoss};
