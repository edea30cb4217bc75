//! A serial NAND part behind its pins: the command set on top of an [`Emulator`](crate::Emulator), so that the real driver is tested against it.
//!
//! * [`SpiChip`] is the part: it takes frames of bytes, has registers, caches and a power-up state, is busy for as long as its array is, and writes
//!   down what no host should do ([`Breach`]). It goes wrong when told to ([`ControllerFault`]).
//! * [`ChipBus`] is the bus to it, for `embedded-hal` and `embedded-hal-async`; wires can be bad ([`WireFaults`]). [`ChipDelay`] lets virtual time
//!   pass.
//! * [`serve`] answers over a pair of streams in place of a bus, for firmware in an emulated microcontroller.
//!
//! The array, with its torn pages, failing blocks, wrong bits and power cuts, is the emulator's. All faults are off by default.
//!
//! What it does not do: partial protection (any protection bit protects everything), two or four wires, the second and later dies of stacked parts, and
//! reads that run on through the array.

mod array;
mod breach;
mod bus;
mod controller_fault;
mod ecc_code;
mod frame;
mod model;
mod parameter_page;
mod pins;
mod registers;
mod work;

pub use breach::Breach;
pub use bus::{ChipBus, ChipDelay, WireError, WireFaults};
pub use controller_fault::ControllerFault;
pub use model::{NotSerial, SpiChip};
pub use pins::{serve, ServeError};
