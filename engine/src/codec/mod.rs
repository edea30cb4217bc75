//! From bytes to pages and back: checks, error correction, page layout.
//!
//! Knows geometry and buffers; knows nothing of logs, indexes or what a sector is for.
//!
//! # Codes
//!
//! [`Ecc`] names the codes, [`Code`] is what each of them does. They need nothing else of this crate.
//!
//! ```
//! use cuesta::codec::{CodeError, Ecc};
//!
//! let code = Ecc::Bch8.portable();
//! let mut sector = [0x5a; 512];
//! let mut parity = [0; 13];
//! code.encode(&sector, &mut parity)?;
//! sector[100] ^= 0x18; // two bits of the array have leaked
//! parity[3] ^= 0x80; // and one of the parity
//! let corrected = code.decode(&mut sector, &mut parity)?;
//! assert_eq!(corrected.count(), 3);
//! assert_eq!(sector, [0x5a; 512]);
//! # Ok::<(), CodeError>(())
//! ```
//!
//! A caller with a processor that divides polynomials faster than tables do implements [`remainder::Divider`] and hands
//! it to the same types: `Bch8::<MyDivider>::with(…)` is a [`Code`] like any other.

pub mod bch;
pub mod code;
pub mod crc;
pub mod crc32c;
pub mod ecc;
pub mod gf;
pub mod header;
mod implementations;
pub mod layout;
mod layout_error;
pub mod packed_header;
pub mod page;
mod protection;
pub mod remainder;
mod repaired;
pub mod secded;
pub mod sum;

pub use code::{Code, CodeError, Corrections};
pub use ecc::Ecc;
pub use header::{Header, Kind};
pub use implementations::{CodesFn, OtherCode};
pub use layout::{LayoutError, PageLayout};
pub use page::{HeaderState, PageError};
pub use repaired::Repaired;
pub use sum::HeaderSum;

#[cfg(test)]
mod tests;
