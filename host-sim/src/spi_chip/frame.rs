//! Where the parts of a command lie in the bytes between the falling and the rising edge of chip select.

use cuesta_hal::spi_nand::{opcode, CacheAddress};

/// The bit of a column that names the plane, on parts with two (Micron MT29F2G01ABAGD data sheet, on plane select).
pub(super) const PLANE_BIT: u16 = 1 << 12;
/// Columns have as many bits below it.
pub(super) const COLUMN_MASK: u16 = PLANE_BIT - 1;

/// Bytes ahead of what the part answers with; `None` for commands without an answer.
pub(super) const fn answer_starts(
    opcode: u8,
    address: CacheAddress,
    id_at_once: bool,
) -> Option<usize> {
    match (opcode, address) {
        (opcode::READ_ID, _) if id_at_once => Some(1),
        (opcode::READ_ID | opcode::GET_FEATURE | opcode::READ_ECC_STATUS, _) => Some(2),
        // The F generation of GigaDevice has no byte to wait for at the lower clock (Linux gigadevice.c, read_cache_variants_f).
        (opcode::READ_CACHE, _) | (opcode::READ_CACHE_FAST, CacheAddress::Two) => Some(4),
        (opcode::READ_CACHE_FAST, CacheAddress::Three) => Some(5),
        _ => None,
    }
}

/// The column of a read from the cache, with the plane bit.
pub(super) const fn column_of_read(bytes: &[u8], address: CacheAddress) -> u16 {
    let first = match address {
        CacheAddress::Two => 1,
        CacheAddress::Three => 2,
    };
    u16::from_be_bytes([bytes[first], bytes[first + 1]])
}

/// The column of a load, with the plane bit.
pub(super) const fn column_of_load(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[1], bytes[2]])
}

/// The page of a command on the array.
pub(super) const fn row(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([0, bytes[1], bytes[2], bytes[3]])
}

/// True when a frame of `len` bytes can be this command. `None` for an unknown opcode.
pub(super) const fn has_length(opcode: u8, len: usize) -> Option<bool> {
    Some(match opcode {
        opcode::RESET | opcode::WRITE_ENABLE | opcode::WRITE_DISABLE => len == 1,
        opcode::SET_FEATURE => len == 3,
        opcode::PAGE_READ | opcode::PROGRAM_EXECUTE | opcode::BLOCK_ERASE => len == 4,
        opcode::PROGRAM_LOAD | opcode::PROGRAM_LOAD_RANDOM => len >= 3,
        opcode::READ_ID
        | opcode::GET_FEATURE
        | opcode::READ_ECC_STATUS
        | opcode::READ_CACHE
        | opcode::READ_CACHE_FAST => true,
        _ => return None,
    })
}
