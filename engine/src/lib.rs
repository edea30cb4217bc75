//! Cuesta: a log-structured storage engine over raw NAND, without an allocator, without `unsafe`.
//!
//! * [`request`] — requests, the sources they belong to, and their levels.
//! * [`policy`] — rules that give each request a persistence level.
//! * [`exec`] — serves a request as its persistence level says.
//! * [`cache`] — which data is in a fast resource, and what of it may be lost.
//! * [`resource`] — whatever holds sectors, by one interface: RAM, a volume, and what callers bring.
//! * [`volume`] — a durable disk on raw NAND: forward index, append-only log, journal, groomer.
//! * [`door`] — how callers reach it.
//! * [`codec`] — page layout, checks, error-correcting codes.
//!
//! The NAND below is anything that implements [`cuesta_hal::Nand`].

#![cfg_attr(not(test), no_std)]

pub mod cache;
pub mod codec;
pub mod door;
pub mod exec;
pub mod policy;
pub mod request;
pub mod resource;
pub mod volume;

pub use cuesta_hal as hal;
