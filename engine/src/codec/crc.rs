//! The checks that tell a page from anything else.
//!
//! CRC-32C (Castagnoli) over header and payload, CRC-16 over the header alone so that a header can be trusted without
//! reading its payload. Both start from the place the page belongs to, so that a lost, stale or misdirected write is found.

use crc::{Crc, Table, CRC_16_IBM_3740, CRC_32_ISCSI};

#[cfg(not(feature = "small-tables"))]
pub(super) static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
#[cfg(feature = "small-tables")]
pub(super) static CRC32C: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);
static CRC16: Crc<u16, Table<1>> = Crc::<u16, Table<1>>::new(&CRC_16_IBM_3740);

/// Where a page belongs: mixed into its checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed {
    /// Identity of the volume; 0 on pages that must be readable before it is known.
    pub volume: u64,
    /// Location of the unit: segment, row, column, unit.
    pub place: u32,
}

impl Seed {
    /// The seed of the `unit`-th unit of a page, of the seed of its first.
    #[must_use]
    pub const fn of_unit(self, unit: u32) -> Self {
        Self {
            volume: self.volume,
            place: self.place.wrapping_add(unit),
        }
    }
}

/// CRC-32C of two parts of a header and a payload.
#[must_use]
#[inline(never)]
pub fn payload_crc(seed: Seed, common: &[u8], own: &[u8], payload: &[u8]) -> u32 {
    let mut digest = CRC32C.digest();
    digest.update(&seed.volume.to_le_bytes());
    digest.update(&seed.place.to_le_bytes());
    digest.update(common);
    digest.update(own);
    digest.update(payload);
    digest.finalize()
}

/// CRC-32C of bytes in parts.
#[must_use]
pub fn bytes_crc(parts: &[&[u8]]) -> u32 {
    let mut digest = CRC32C.digest();
    for part in parts {
        digest.update(part);
    }
    digest.finalize()
}

/// CRC-32C of a sequence of words, little-endian.
#[must_use]
pub fn words_crc(words: impl Iterator<Item = u32>) -> u32 {
    let mut digest = CRC32C.digest();
    for word in words {
        digest.update(&word.to_le_bytes());
    }
    digest.finalize()
}

/// CRC-16 of a header, its payload CRC included.
#[must_use]
#[inline(never)]
pub fn header_crc(place: u32, header: &[u8]) -> u16 {
    let mut digest = CRC16.digest();
    digest.update(&place.to_le_bytes());
    digest.update(header);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_check_values_hold() {
        assert_eq!(CRC32C.checksum(b"123456789"), 0xE306_9283);
        assert_eq!(CRC16.checksum(b"123456789"), 0x29B1);
    }

    #[test]
    fn another_place_is_another_check() {
        let here = Seed {
            volume: 1,
            place: 7,
        };
        let there = Seed {
            volume: 1,
            place: 8,
        };
        assert_ne!(
            payload_crc(here, b"h", b"u", b"p"),
            payload_crc(there, b"h", b"u", b"p")
        );
        assert_ne!(header_crc(7, b"h"), header_crc(8, b"h"));
    }
}
