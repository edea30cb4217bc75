//! The codes of Cuesta, several times as fast on hosts whose processor multiplies polynomials.
//!
//! [`code`] gives the fastest implementation that the processor at hand can run, which may be the engine's portable one;
//! [`implementations`] gives all of them. They have the same parity bit by bit and correct the same errors.
//!
//! ```
//! use cuesta::codec::Ecc;
//!
//! let code = cuesta_accelerator::code(Ecc::Bch8);
//! let mut parity = [0; 13];
//! code.encode(&[0x5a; 512], &mut parity)?;
//! assert!(Ecc::Bch8.portable().is_clean(&[0x5a; 512], &parity));
//! # Ok::<(), cuesta::codec::CodeError>(())
//! ```
//!
//! # How
//!
//! A remainder is linear in the data: it is Σ chunkᵢ · (x^(64i+r) mod g) over the 64-bit chunks of the data, the factors
//! being constants of their places, and nothing waits for anything before it. Several chunks are multiplied by a
//! wide constant the way Karatsuba has it: 9 multiplications for 4 by 4 words instead of 16. What is left at the end, up to 4
//! words more than a remainder, is divided in the manner of Barrett.
//!
//! # Unsafe code
//!
//! This crate exists to keep it out of the others. It does two things: it loads 16 or 32 bytes from arrays of that size, and
//! it calls functions that are compiled for an instruction set after the processor was asked whether it has it. The proof
//! of having asked is a value, [`Carryless`] or [`WideCarryless`], that cannot be made otherwise.

#[cfg(target_arch = "x86_64")]
mod carryless;
#[cfg(target_arch = "x86_64")]
pub use carryless::{Carryless, Places, WideCarryless};

use cuesta::codec::{Code, Ecc};

/// How a code is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Means {
    /// Through tables, on any processor.
    Portable,
    /// Carry-less multiplication, one at a time.
    Carryless,
    /// Carry-less multiplication, two at a time.
    WideCarryless,
}

impl Means {
    /// All of them, the slowest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Carryless, Self::WideCarryless];

    /// A name for tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Carryless => "clmul",
            Self::WideCarryless => "clmul-wide",
        }
    }

    /// The code by these means; `None` if the processor cannot, or the code is not computed so.
    #[must_use]
    pub fn code(self, ecc: Ecc) -> Option<&'static dyn Code> {
        match self {
            Self::Portable => Some(ecc.portable()),
            #[cfg(target_arch = "x86_64")]
            Self::Carryless => carryless::narrow(ecc),
            #[cfg(target_arch = "x86_64")]
            Self::WideCarryless => carryless::wide(ecc),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Carryless | Self::WideCarryless => None,
        }
    }
}

/// The code by the fastest means that the processor has.
#[must_use]
pub fn code(ecc: Ecc) -> &'static dyn Code {
    let fastest = Means::ALL
        .into_iter()
        .rev()
        .find_map(|means| means.code(ecc));
    fastest.unwrap_or(ecc.portable())
}

/// The code by all means that the processor has, the portable one first.
pub fn implementations(ecc: Ecc) -> impl Iterator<Item = (Means, &'static dyn Code)> {
    Means::ALL
        .into_iter()
        .filter_map(move |means| Some((means, means.code(ecc)?)))
}
