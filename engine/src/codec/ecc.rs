//! The codes that a level can name.

use super::bch::{Bch16, Bch24, Bch4, Bch40, Bch64, Bch8};
use super::code::Code;
use super::crc32c::Crc32c;
use super::secded::Secded;

/// A code, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Ecc {
    /// CRC-32C only.
    Crc,
    /// Extended Hamming, one bit.
    Secded,
    /// BCH, 4 bits in 512 bytes.
    Bch4,
    /// BCH, 8 bits in 512 bytes.
    Bch8,
    /// BCH, 16 bits in 512 bytes.
    Bch16,
    /// BCH, 24 bits in 512 bytes.
    Bch24,
    /// BCH, 40 bits in 1 KiB.
    Bch40,
    /// BCH, 64 bits in 1 KiB.
    Bch64,
}

impl Ecc {
    /// All of them, the weakest first.
    pub const ALL: [Self; 8] = [
        Self::Crc,
        Self::Secded,
        Self::Bch4,
        Self::Bch8,
        Self::Bch16,
        Self::Bch24,
        Self::Bch40,
        Self::Bch64,
    ];

    /// The implementation that runs on any processor, with tables as the crate's features say.
    #[must_use]
    pub fn portable(self) -> &'static dyn Code {
        match self {
            Self::Crc => &Crc32c,
            Self::Secded => &<Secded>::PORTABLE,
            Self::Bch4 => &<Bch4>::PORTABLE,
            Self::Bch8 => &<Bch8>::PORTABLE,
            Self::Bch16 => &<Bch16>::PORTABLE,
            Self::Bch24 => &<Bch24>::PORTABLE,
            Self::Bch40 => &<Bch40>::PORTABLE,
            Self::Bch64 => &<Bch64>::PORTABLE,
        }
    }

    /// The name in a level: `bch4`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        // Not asked of the code: whoever prints a name need not link all tables.
        match self {
            Self::Crc => "crc",
            Self::Secded => "secded",
            Self::Bch4 => "bch4",
            Self::Bch8 => "bch8",
            Self::Bch16 => "bch16",
            Self::Bch24 => "bch24",
            Self::Bch40 => "bch40",
            Self::Bch64 => "bch64",
        }
    }

    /// The code of this name; `None` if there is none.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ecc| ecc.name() == name)
    }
}
