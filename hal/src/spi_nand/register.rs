//! Feature registers and their bits.
//!
//! Source of addresses and bits: Winbond W25N01GV data sheet, on protection, configuration and status registers; Linux
//! `include/linux/mtd/spinand.h`. The bits named here are the same on every part of [`CHIPS`](super::CHIPS) unless said otherwise.

/// Block protection.
pub const PROTECTION: u8 = 0xA0;
/// Configuration.
pub const CONFIGURATION: u8 = 0xB0;
/// Status.
pub const STATUS: u8 = 0xC0;
/// GigaDevice: more of the error correction's status.
pub const STATUS_2: u8 = 0xF0;
/// Winbond W25N01KV, W25N02KV, Kioxia: largest number of bits corrected in a codeword of the last read, in the upper four bits.
pub const CORRECTED_MAX: u8 = 0x30;

/// [`CONFIGURATION`]: pages of the one-time area, the parameter page among them, stand in for the array.
pub const OTP_ENABLE: u8 = 1 << 6;
/// [`CONFIGURATION`]: the part's own error correction is on.
pub const ECC_ENABLE: u8 = 1 << 4;
/// [`CONFIGURATION`], Winbond: reads end with the page; without it they run on through the array.
pub const BUFFER_MODE: u8 = 1 << 3;

/// [`STATUS`]: an operation is in progress.
pub const BUSY: u8 = 1 << 0;
/// [`STATUS`]: a program or erase is allowed; the part clears it when one ends.
pub const WRITE_ENABLED: u8 = 1 << 1;
/// [`STATUS`]: the last erase failed, or its block is protected.
pub const ERASE_FAILED: u8 = 1 << 2;
/// [`STATUS`]: the last program failed, or its block is protected.
pub const PROGRAM_FAILED: u8 = 1 << 3;
