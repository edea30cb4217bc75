//! Storage crates of other people, as they are published, on a volume behind its doors: their own promises hold after cuts at every kind of moment, and the
//! part holds what plain memory would.
//!
//! `CUESTA_FOREIGN_CUTS` says how many cuts each test makes; 0 stands for all there are.

mod bytes;
mod ekv;
mod fat;
mod plain;
mod refused;
mod sequential;
