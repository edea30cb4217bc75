//! First bytes of the commands that serial NAND parts understand.
//!
//! All parts of [`CHIPS`](super::CHIPS) share them; the names are those of ONFI and of Linux `include/linux/mtd/spinand.h`. Where vendors
//! differ, the rows of the table say so ([`CacheAddress`](super::CacheAddress), [`JedecId`](super::JedecId)).

/// Ends whatever the part does and restores the registers that its data sheet names.
pub const RESET: u8 = 0xFF;
/// Maker and device.
pub const READ_ID: u8 = 0x9F;
/// Reads a register of [`register`](super::register).
pub const GET_FEATURE: u8 = 0x0F;
/// Writes a register of [`register`](super::register).
pub const SET_FEATURE: u8 = 0x1F;
/// Allows one program or erase.
pub const WRITE_ENABLE: u8 = 0x06;
/// Takes that back.
pub const WRITE_DISABLE: u8 = 0x04;
/// Array to cache.
pub const PAGE_READ: u8 = 0x13;
/// Cache to bus, at the lower clock of the data sheet.
pub const READ_CACHE: u8 = 0x03;
/// Cache to bus, at any clock.
pub const READ_CACHE_FAST: u8 = 0x0B;
/// Bus to cache; the rest of the cache becomes `0xFF`, at least on parts whose data sheet says so.
pub const PROGRAM_LOAD: u8 = 0x02;
/// Bus to cache; the rest of the cache stays.
pub const PROGRAM_LOAD_RANDOM: u8 = 0x84;
/// Cache to array.
pub const PROGRAM_EXECUTE: u8 = 0x10;
/// Erases a block.
pub const BLOCK_ERASE: u8 = 0xD8;
/// Corrected bits of the last read (Macronix MX35LF1GE4AB only: Linux `drivers/mtd/nand/spi/macronix.c`).
pub const READ_ECC_STATUS: u8 = 0x7C;
