//! Emulated NAND: a part in memory or in an image file that behaves as raw NAND does, at its worst if asked.
//!
//! * [`EmulatedNand`] implements [`cuesta_hal::Nand`] over memory, [`chip`] finds the part to emulate.
//! * A virtual clock ([`Clock`]) counts what dies and channels take; [`Counters`] and [`Wear`] are what benches print.
//! * A referee writes down every operation that the array forbids ([`Violation`]).
//! * [`ImageNand`] is the same part in a file, where it outlives the process.
//! * [`CutPlan`] cuts the power at any operation or moment and leaves what real cuts leave.
//! * [`AgingModel`] lets bit errors and failures come with wear, time and reads.
//! * [`Faults`] injects bit errors, failed, lost and misdirected operations, dead dies.

mod aging;
pub mod bench;
mod chips;
mod clock;
pub mod content;
mod counters;
mod cut;
mod emulator;
mod error;
mod factory;
mod faults;
pub mod footprint;
mod image;
mod media;
pub mod memory;
pub mod nbd;
mod on_die_ecc;
mod operations;
mod power;
mod prng;
mod referee;
mod settle;
#[cfg(test)]
mod steps;
pub mod theory;
pub mod workload;

pub use aging::AgingModel;
pub use chips::{chip, chips, Chip, Timing, UnknownChip};
pub use clock::{Clock, Course, Progress, Ticks, TICKS_PER_NS};
pub use counters::{Counters, Wear};
pub use emulator::{Builder, EmulatedNand, Emulator};
pub use error::SimError;
pub use faults::{Fault, Faults, Trigger};
pub use image::{Existing, ImageError, ImageMedia, ImageNand};
pub use media::{BlockState, Condition, Media, PageState, Place, RamMedia};
pub use power::{CutPhase, CutPlan, CutPoint, OperationClass, PairDamage, TornErase, TornProgram};
pub use prng::SplitMix64;
pub use referee::{Deed, Record, Rule, Violation};
