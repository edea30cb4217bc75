//! Emulated NAND: a part in memory or in an image file that behaves as raw NAND does, at its worst if asked.
//!
//! * [`EmulatedNand`] implements [`cuesta_hal::Nand`] over memory, [`chip`] finds the part to emulate.
//! * A virtual clock ([`Clock`]) counts what dies and channels take; [`Counters`] and [`Wear`] are what benches print.
//! * A referee writes down every operation that the array forbids ([`Violation`]).
//! * [`spi_chip`] puts the pins of a serial part on it.
//! * [`resource`] has sectors in files, and on disks that others serve.
//! * `agent`, on Linux, is in the path of files.
//! * [`ImageNand`] is the same part in a file, where it outlives the process.
//! * [`CutPlan`] cuts the power at any operation or moment and leaves what real cuts leave; [`Moments`] are all that one run has.
//! * [`AgingModel`] lets bit errors and failures come with wear, time and reads.
//! * [`Arrhenius`] says what time in storage at a temperature is worth ([`Emulator::store`]).
//! * [`Defects`] of the array: uneven rows, hot blocks, stuck bits, weak columns, programs that disturb the page before.
//! * [`Faults`] injects bit errors, failed, lost and misdirected operations, dead dies, on-die ECC that lies.
//! * [`Emulator::flip_bits`] flips bits of a stored page; [`Emulator::lose_die`] and [`Emulator::lose_plane`] are for good.
//!
//! # Example
//!
//! A volume on an emulated 1 Gbit part, in 16 KiB of memory, that loses its power:
//!
//! ```
//! use cuesta::door::Disk;
//! use cuesta::volume::{Budget, FormatOptions, Parameters, Sector, Volume};
//! use cuesta_hal::Nand;
//! use cuesta_sim::{footprint::Footprint, memory::OwnedMemory, EmulatedNand};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut nand = EmulatedNand::of("w25n01gv")?;
//! let options = FormatOptions { volume_id: 0xC0E57A, ..FormatOptions::default() };
//! let parameters = Parameters::choose(nand.geometry(), &options)?;
//! let footprint = Footprint::new(nand.geometry(), &parameters, Budget::Bytes(16 * 1024), 1)?;
//! let mut memory = OwnedMemory::new(&footprint.plan);
//! Volume::format(&mut nand, memory.lend(), &options)?;
//!
//! let mut disk = Disk::new(Volume::mount(&mut nand, memory.lend())?);
//! disk.write(Sector(7), &[42; 2048])?; // on the media when it returns
//! disk.into_volume().abandon(); // the power fails: nothing more is written
//!
//! let mut disk = Disk::new(Volume::mount(&mut nand, memory.lend())?);
//! let mut bytes = [0; 2048];
//! assert!(disk.read(Sector(7), &mut bytes)?);
//! assert_eq!(bytes, [42; 2048]);
//! assert!(!disk.read(Sector(8), &mut bytes)?); // never written: zeros
//! disk.unmount().map_err(|(_, error)| error)?;
//! # Ok(())
//! # }
//! ```

mod access;
#[cfg(target_os = "linux")]
pub mod agent;
mod aging;
mod arrivals;
pub mod bench;
mod bit_flips;
pub mod cache_memory;
pub mod campaign;
mod chips;
mod clock;
pub mod content;
pub mod control;
mod counters;
mod cut;
mod defects;
mod emulator;
mod error;
mod factory;
mod faults;
pub mod figures;
pub mod footprint;
mod image;
pub mod leveled;
mod losses;
mod media;
pub mod memory;
mod moments;
pub mod nbd;
mod on_die_ecc;
mod operations;
pub mod plot;
pub mod policy_file;
mod power;
mod prng;
mod referee;
pub mod reference;
mod region;
pub mod replay;
pub mod resource;
mod settle;
mod shard;
pub mod spi_chip;
#[cfg(test)]
mod steps;
mod temperature;
pub mod theory;
mod trace;
pub mod workload;

pub use access::Access;
pub use aging::AgingModel;
pub use chips::{chip, chips, Chip, Timing, UnknownChip};
pub use clock::{Clock, Course, Progress, Ticks, TICKS_PER_NS};
pub use counters::{Counters, Wear};
pub use defects::{Defects, Interference, RowSpread, StuckBit, Weakness};
pub use emulator::{Builder, EmulatedNand, Emulator};
pub use error::SimError;
pub use faults::{Fault, Faults, Trigger};
pub use image::{Existing, ImageError, ImageMedia, ImageNand};
pub use media::{BlockState, Condition, Media, PageState, Place, RamMedia};
pub use moments::{Moment, Moments};
pub use power::{CutPhase, CutPlan, CutPoint, OperationClass, PairDamage, TornErase, TornProgram};
pub use prng::SplitMix64;
pub use referee::{Deed, Record, Rule, Violation};
pub use region::Region;
pub use shard::Shard;
pub use temperature::Arrhenius;

#[doc = include_str!("../../README.md")]
#[cfg(doctest)]
struct Readme;
