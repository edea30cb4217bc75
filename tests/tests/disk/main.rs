//! A disk in use: filled, overwritten, trimmed, queued, groomed, at every level, budget and size.

mod budgets;
mod capacity;
mod counts;
mod errors;
mod full_disk;
mod groomer;
mod levels;
mod life;
mod log;
mod nor;
mod property;
mod queue;
