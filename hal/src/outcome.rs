//! What a settled array operation tells.

/// How well a read went, as far as the part itself knows.
///
/// A part without on-die ECC reports [`ReadOutcome::RAW`]: nothing corrected, strength 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ReadOutcome {
    /// Largest number of bits the part's own ECC corrected in one of its codewords.
    pub corrected_bits_max: u8,
    /// Bits the part's own ECC can correct in a codeword; 0 without on-die ECC.
    pub strength: u8,
    /// The part advises that the block be rewritten elsewhere soon.
    pub refresh_advised: bool,
}

impl ReadOutcome {
    /// A read without on-die ECC.
    pub const RAW: Self = Self {
        corrected_bits_max: 0,
        strength: 0,
        refresh_advised: false,
    };
}

/// Whether the part's own ECC could make sense of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ReadStatus {
    /// The bytes are in the buffer.
    Ok(ReadOutcome),
    /// The part's own ECC gave up. The buffer holds what was read, errors included.
    Uncorrectable,
}

/// How an array operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Completion {
    /// A read has filled the asked columns of its buffer.
    Read(ReadStatus),
    /// The page holds what its buffer held. The buffer is unchanged.
    Programmed,
    /// The part reports a failed program. The buffer is unchanged, so the data is still there; the page holds anything,
    /// pages programmed earlier in the block are still readable, and the block should be retired.
    ProgramFailed,
    /// Every byte of the block reads `0xFF`.
    Erased,
    /// The part reports a failed erase. The block holds anything and should be retired.
    EraseFailed,
}
