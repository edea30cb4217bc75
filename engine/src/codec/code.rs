//! What every code offers: parity for some data, and the data back from what was read.

use core::fmt;

/// The most bits that any code here repairs in one codeword.
pub const STRENGTH_MAX: usize = 64;

/// An error-detecting or -correcting code over codewords of data followed by parity.
///
/// Bits of a codeword are counted from the most significant bit of the first data byte, through the data and on through
/// the parity. A code takes data of any length up to [`data_bytes_max`](Self::data_bytes_max), the codewords of shorter
/// data being those of a shortened code.
///
/// # Guarantees
/// * No method panics, allocates, or reads or writes outside the slices, whatever is in them.
/// * All ones are a codeword at every length: an erased page is valid, and flipped bits in it are repaired like any
///   others. The unused bits of the last parity byte are ones, are not looked at, and are no part of the codeword.
/// * The same data has the same parity on every machine, from every implementation.
pub trait Code: Sync {
    /// The name in a level: `bch4`.
    fn name(&self) -> &'static str;

    /// Data bytes of the codewords that the code is meant for.
    fn data_bytes(&self) -> usize;

    /// The most data bytes a codeword has room for. The fewest are none.
    fn data_bytes_max(&self) -> usize;

    /// Parity bits of a codeword.
    fn parity_bits(&self) -> usize;

    /// Parity bytes of a codeword.
    fn parity_bytes(&self) -> usize {
        self.parity_bits().div_ceil(8)
    }

    /// How many wrong bits the code repairs, parity included; at most [`STRENGTH_MAX`].
    fn strength(&self) -> u32;

    /// Writes the parity of `data`.
    ///
    /// # Errors
    /// [`CodeError::Length`] if `data` is too long or `parity` is not [`parity_bytes`](Self::parity_bytes) long.
    fn encode(&self, data: &[u8], parity: &mut [u8]) -> Result<(), CodeError>;

    /// Whether `data` and `parity` are a codeword as they stand; never of wrong lengths.
    fn is_clean(&self, data: &[u8], parity: &[u8]) -> bool;

    /// Repairs `data` and `parity` in place and tells which bits were wrong.
    ///
    /// After `Ok` they are a codeword, padding included; flipped padding bits are set again without being counted.
    /// More wrong bits than the strength may, rarely, turn into a codeword that was never written: each code says
    /// how rarely. A checksum inside the data finds that.
    ///
    /// # Errors
    /// [`CodeError::Uncorrectable`] if no codeword is near enough, [`CodeError::Length`] as for
    /// [`encode`](Self::encode). Nothing was changed then.
    fn decode(&self, data: &mut [u8], parity: &mut [u8]) -> Result<Corrections, CodeError>;

    /// The zero bits of a codeword that looks erased: at most as many as the code repairs. `None` if there are more.
    ///
    /// That it looks erased proves nothing after a loss of power, and a codeword of data that is nearly all ones
    /// looks the same.
    fn erased_zeros(&self, data: &[u8], parity: &[u8]) -> Option<u32> {
        let mut zeros = 0;
        for byte in data.iter().chain(parity) {
            zeros += byte.count_zeros();
            if zeros > self.strength() {
                return None;
            }
        }
        Some(zeros)
    }
}

/// Why there is no parity, or no data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CodeError {
    /// More bits are wrong than the code can repair. What the caller can do: read again with another reference
    /// voltage, or go to another copy.
    Uncorrectable,
    /// The data is longer than the code reaches, or the parity not as long as the code's.
    Length,
}

impl fmt::Display for CodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uncorrectable => {
                "more bits are wrong than the code can repair; read again or use another copy"
            }
            Self::Length => {
                "the data is longer than the code reaches, or the parity of another length"
            }
        })
    }
}

impl core::error::Error for CodeError {}

/// The bits that were wrong in a codeword, none of them twice.
#[derive(Clone, Copy)]
pub struct Corrections {
    bits: [u16; STRENGTH_MAX],
    count: u8,
}

impl Corrections {
    /// No bit.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            bits: [0; STRENGTH_MAX],
            count: 0,
        }
    }

    /// How many there were.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count as u32
    }

    /// Which, counted from the most significant bit of the first data byte on through the parity; in no order.
    #[must_use]
    pub fn bits(&self) -> &[u16] {
        self.bits.get(..usize::from(self.count)).unwrap_or(&[])
    }

    /// Adds a bit; `None` if there is no room for it.
    pub(super) fn push(&mut self, bit: u16) -> Option<()> {
        *self.bits.get_mut(usize::from(self.count))? = bit;
        self.count += 1;
        Some(())
    }

    /// Turns every bit; those outside `data` and `parity` are left out.
    pub(super) fn apply(&self, data: &mut [u8], parity: &mut [u8]) {
        for &bit in self.bits() {
            let byte = usize::from(bit / 8);
            let wrong = match byte.checked_sub(data.len()) {
                None => data.get_mut(byte),
                Some(byte) => parity.get_mut(byte),
            };
            if let Some(wrong) = wrong {
                *wrong ^= 0x80 >> (bit % 8);
            }
        }
    }
}

impl fmt::Debug for Corrections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.bits()).finish()
    }
}

impl PartialEq for Corrections {
    fn eq(&self, other: &Self) -> bool {
        self.bits() == other.bits()
    }
}

impl Eq for Corrections {}

#[cfg(feature = "defmt")]
impl defmt::Format for Corrections {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=[?]}", self.bits());
    }
}
