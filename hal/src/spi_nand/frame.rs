//! What is sent while the part is selected once.

use super::opcode;

/// Plane select: the bit of a column address above those of a page of 2 KiB with its spare (Micron MT29F2G01ABAGD data sheet, on plane select;
/// Linux `drivers/mtd/nand/spi/core.c`).
const PLANE_BIT: u16 = 1 << 12;

/// How a part wants the column of a read from its cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CacheAddress {
    /// Two bytes of column, then one that means nothing.
    Two,
    /// Three bytes of column, the first of them 0, then one that means nothing (GigaDevice GD5F1GQ4UF: Linux
    /// `drivers/mtd/nand/spi/gigadevice.c`, the variants of the F generation).
    Three,
}

/// A column of the cache, and the plane whose cache it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Column {
    /// Byte of the raw page.
    pub byte: u16,
    /// On parts with plane select, the plane of the page's block; 0 on others.
    pub plane: u8,
}

impl Column {
    const fn bytes(self) -> [u8; 2] {
        let plane = if self.plane == 0 { 0 } else { PLANE_BIT };
        (self.byte | plane).to_be_bytes()
    }
}

/// The bytes that go ahead of any data: an opcode and what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    bytes: [u8; 5],
    len: u8,
}

impl Frame {
    const fn of_one(opcode: u8) -> Self {
        Self {
            bytes: [opcode, 0, 0, 0, 0],
            len: 1,
        }
    }

    const fn of_row(opcode: u8, row: u32) -> Self {
        // Rows have 24 bits; the first byte is 0, and ignored, on parts of 65 536 pages.
        let [_, high, middle, low] = row.to_be_bytes();
        Self {
            bytes: [opcode, high, middle, low, 0],
            len: 4,
        }
    }

    /// Resets the part.
    #[must_use]
    pub const fn reset() -> Self {
        Self::of_one(opcode::RESET)
    }

    /// Allows one program or erase.
    #[must_use]
    pub const fn write_enable() -> Self {
        Self::of_one(opcode::WRITE_ENABLE)
    }

    /// Asks for a register; one byte follows.
    #[must_use]
    pub const fn get_feature(register: u8) -> Self {
        Self {
            bytes: [opcode::GET_FEATURE, register, 0, 0, 0],
            len: 2,
        }
    }

    /// Writes a register.
    #[must_use]
    pub const fn set_feature(register: u8, value: u8) -> Self {
        Self {
            bytes: [opcode::SET_FEATURE, register, value, 0, 0],
            len: 3,
        }
    }

    /// Asks how many bits were corrected; one byte follows.
    #[must_use]
    pub const fn read_ecc_status() -> Self {
        Self {
            bytes: [opcode::READ_ECC_STATUS, 0, 0, 0, 0],
            len: 2,
        }
    }

    /// Reads a page of the array into the cache.
    #[must_use]
    pub const fn page_read(row: u32) -> Self {
        Self::of_row(opcode::PAGE_READ, row)
    }

    /// Programs a page of the array from the cache.
    #[must_use]
    pub const fn program_execute(row: u32) -> Self {
        Self::of_row(opcode::PROGRAM_EXECUTE, row)
    }

    /// Erases the block that the page is in.
    #[must_use]
    pub const fn block_erase(row: u32) -> Self {
        Self::of_row(opcode::BLOCK_ERASE, row)
    }

    /// Reads the cache from a column on; data follows.
    #[must_use]
    pub const fn read_cache(address: CacheAddress, column: Column) -> Self {
        let [high, low] = column.bytes();
        match address {
            CacheAddress::Two => Self {
                bytes: [opcode::READ_CACHE_FAST, high, low, 0, 0],
                len: 4,
            },
            CacheAddress::Three => Self {
                bytes: [opcode::READ_CACHE_FAST, 0, high, low, 0],
                len: 5,
            },
        }
    }

    /// Loads the cache from a column on; data goes behind it. The rest of the cache is lost.
    #[must_use]
    pub const fn program_load(column: Column) -> Self {
        Self::of_load(opcode::PROGRAM_LOAD, column)
    }

    /// Loads the cache from a column on; data goes behind it. The rest of the cache stays.
    #[must_use]
    pub const fn program_load_random(column: Column) -> Self {
        Self::of_load(opcode::PROGRAM_LOAD_RANDOM, column)
    }

    const fn of_load(opcode: u8, column: Column) -> Self {
        let [high, low] = column.bytes();
        Self {
            bytes: [opcode, high, low, 0, 0],
            len: 3,
        }
    }

    /// The bytes to send.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each as the W25N01GV data sheet draws it; the last two as Linux sends them to a MT29F2G01ABAGD and to a GD5F1GQ4UF.
    #[test]
    fn commands_are_the_bytes_of_the_data_sheets() {
        let column = |byte, plane| Column { byte, plane };
        let cases: [(Frame, &[u8]); 14] = [
            (Frame::reset(), &[0xFF]),
            (Frame::write_enable(), &[0x06]),
            (Frame::get_feature(0xC0), &[0x0F, 0xC0]),
            (Frame::set_feature(0xA0, 0x7C), &[0x1F, 0xA0, 0x7C]),
            (Frame::read_ecc_status(), &[0x7C, 0]),
            (Frame::page_read(0xFFFF), &[0x13, 0, 0xFF, 0xFF]),
            (Frame::program_execute(0x01_FFC0), &[0x10, 1, 0xFF, 0xC0]),
            (Frame::block_erase(0x40), &[0xD8, 0, 0, 0x40]),
            (
                Frame::read_cache(CacheAddress::Two, column(0x0802, 0)),
                &[0x0B, 0x08, 0x02, 0],
            ),
            (Frame::program_load(column(0, 0)), &[0x02, 0, 0]),
            (
                Frame::program_load_random(column(0x83F, 0)),
                &[0x84, 0x08, 0x3F],
            ),
            (Frame::program_load(column(0x0800, 1)), &[0x02, 0x18, 0]),
            (
                Frame::read_cache(CacheAddress::Two, column(5, 1)),
                &[0x0B, 0x10, 5, 0],
            ),
            (
                Frame::read_cache(CacheAddress::Three, column(0x0801, 0)),
                &[0x0B, 0, 0x08, 0x01, 0],
            ),
        ];
        for (frame, bytes) in cases {
            assert_eq!(frame.bytes(), bytes);
        }
    }
}
