//! Serial NAND: a part on four wires that speaks the command set all makers share.
//!
//! * [`SpiNand`] makes a [`Nand`](crate::Nand) of an `embedded-hal` bus, [`AsyncSpiNand`] (feature `spi-nand-async`) is its twin on an
//!   asynchronous one. Both send the same bytes and judge answers alike: what is sent when is written down once.
//! * [`CHIPS`] are the parts it knows, each with its sources; of others, the [parameter page](ParameterPage) may tell enough.
//! * [`EccStatus`] reads the status of a part's own error correction, which each vendor codes in a way of its own.
//! * [`opcode`] and [`register`] are the bytes of the command set.
//!
//! Data moves on one wire in each direction, which any [`SpiDevice`](embedded_hal::spi::SpiDevice) can. `embedded-hal` has no trait for two or
//! four; when it has, or for a bus with one of its own, only the transfers of the cache need another frame and the quad-enable bit.

mod cache;
mod chip;
mod chips;
mod driver;
mod ecc_status;
mod error;
mod feature;
mod frame;
pub mod opcode;
mod options;
mod parameter_page;
mod part;
pub mod register;
mod set_up;
mod wire;

#[cfg(feature = "spi-nand-async")]
mod asynchronous;
mod blocking;

#[cfg(feature = "spi-nand-async")]
pub use asynchronous::AsyncSpiNand;
pub use blocking::SpiNand;
pub use chip::{IdAnswer, JedecId, SpiNandChip, ID_BYTES};
pub use chips::{
    CHIPS, GD5F1GQ4UF, GD5F1GQ4XA, GD5F1GQ4XE, GD5F1GQ5XE, MT29F1G01, MT29F2G01, MX35LF1GE4AB,
    MX35LF2GE4AB, RAW_PAGE_BYTES_MAX, TC58CVG0S3, TC58CVG1S3, W25N01GV, W25N01JW, W25N01KV,
    W25N02KV,
};
pub use ecc_status::{EccQuestion, EccStatus, EccVerdict};
pub use error::SpiNandError;
pub use frame::CacheAddress;
pub use options::{Deadlines, SpiNandOptions, UnknownChips};
pub use parameter_page::{
    parameter_page_checksum, ParameterPage, ParameterPageError, PARAMETER_PAGE_BYTES,
    PARAMETER_PAGE_COPIES, PARAMETER_PAGE_ROW,
};
pub use part::{Part, PartSource};
