//! Whatever holds sectors, by one interface: memory, a volume, a file, a disk that somebody else serves.
//!
//! The contract runs on each of them, and on servers of other people where these are there; a test whose program is missing says `NOT RUN` on standard error, and
//! fails where the variable `CI` is set.

mod contract;
mod pairs;
mod ruled;
mod served;
mod traced;
mod vanishing;
