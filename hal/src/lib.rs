//! The raw NAND that Cuesta is generic over.
//!
//! [`Nand`] describes what a NAND part, or anything that can behave like one, offers to the layer above:
//! array operations that are *started* and then *polled*, page buffers owned by the implementation, and a
//! [`Geometry`] that describes the part instead of letting anyone guess.
//!
//! This crate knows nothing of logs, sectors or error-correcting codes of the engine. It holds
//!
//! * the trait and its contract ([`Nand`]),
//! * typed addresses ([`Die`], [`BlockAddress`], [`PageAddress`], [`Columns`]),
//! * the description of a part ([`Geometry`]),
//! * errors with a [`kind`](NandError::kind),
//! * [`NorNand`], an adapter that makes a NOR part behave as a NAND,
//! * `spi_nand`, the driver of serial NAND parts (feature `spi-nand`; on asynchronous buses, `spi-nand-async`),
//! * the conformance suite (feature `conformance`).

#![cfg_attr(not(test), no_std)]

mod address;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
mod geometry;
mod nand;
mod nor;
mod outcome;
mod spare_runs;
#[cfg(feature = "spi-nand")]
pub mod spi_nand;

pub use address::{BlockAddress, BlockIndex, Buffer, Columns, Die, PageAddress, PageIndex};
pub use error::{NandError, NandErrorKind};
pub use geometry::{ChipEcc, EccNeed, Geometry, GeometryError, MarkerPages, MarkerPlace, Pairing};
pub use nand::Nand;
pub use nor::{NorFault, NorLayout, NorNand, NorNandError};
pub use outcome::{Completion, ReadOutcome, ReadStatus};
pub use spare_runs::SpareRuns;
