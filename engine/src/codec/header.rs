//! The header every unit of a page carries: what it is, when it was written and for whom.

use super::crc::{header_crc, payload_crc, Seed};

/// Bytes of an encoded header, checks included.
pub const HEADER_BYTES: usize = 26;
/// Bytes that the payload CRC covers.
const COVERED: usize = 16;

/// What a page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Kind {
    /// Sector data.
    Data,
    /// Locations of a range of sectors.
    Map,
    /// Journal records.
    Record,
    /// XOR of the journal pages before it.
    Parity,
    /// Part of a checkpoint.
    Anchor,
    /// Nothing: fills a page that had to be programmed.
    Padding,
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Data => 1,
            Self::Map => 2,
            Self::Record => 3,
            Self::Parity => 4,
            Self::Anchor => 5,
            Self::Padding => 6,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Data,
            2 => Self::Map,
            3 => Self::Record,
            4 => Self::Parity,
            5 => Self::Anchor,
            6 => Self::Padding,
            _ => return None,
        })
    }
}

/// A member of an atomic batch: without its commit record it does not count.
pub const FLAG_BATCH: u8 = 1;
/// Written by grooming or recovery, not by a host.
pub const FLAG_RELOCATED: u8 = 2;

/// On the page that opens an anchor place: written by a session that is not committed yet.
pub const FLAG_ATTEMPT: u8 = 4;
/// On the pages of a checkpoint's copy: written by a later session than the checkpoint's, from the copy that session found.
pub const FLAG_COPIED: u8 = 16;
/// On an opening page: the part is being formatted.
pub const FLAG_FORMATTING: u8 = 8;

/// The header of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Header {
    /// What the page holds.
    pub kind: Kind,
    /// Index into the level table.
    pub level: u8,
    /// `FLAG_…`.
    pub flags: u8,
    /// When the program was started; 48 bits.
    pub time: u64,
    /// The sector, map page, or checkpoint page it holds.
    pub id: u32,
    /// Host writes that the volume had seen when the sector was last written by a host; carried along by relocations.
    pub birth: u32,
    /// Stream of the segment.
    pub stream: u8,
    /// Erase count of the block's segment; 24 bits.
    pub erases: u32,
}

impl Header {
    /// Encodes the header of a unit with this payload.
    #[must_use]
    pub fn encode(&self, seed: Seed, payload: &[u8]) -> [u8; HEADER_BYTES] {
        let mut out = [0u8; HEADER_BYTES];
        out[0] = self.kind.code() | self.level << 4;
        out[1] = self.flags;
        out[2..8].copy_from_slice(&self.time.to_le_bytes()[..6]);
        out[8..12].copy_from_slice(&self.id.to_le_bytes());
        out[12..16].copy_from_slice(&self.birth.to_le_bytes());
        let crc = payload_crc(seed, &out[..COVERED], payload);
        out[16..20].copy_from_slice(&crc.to_le_bytes());
        out[20] = self.stream;
        out[21..24].copy_from_slice(&self.erases.to_le_bytes()[..3]);
        let check = header_crc(seed.place, &out[..24]);
        out[24..26].copy_from_slice(&check.to_le_bytes());
        out
    }

    /// Decodes a header whose bits were corrected; `None` when its check fails or it is no header of this format.
    #[must_use]
    pub fn decode(bytes: &[u8; HEADER_BYTES], place: u32) -> Option<Self> {
        if header_crc(place, &bytes[..24]) != u16::from_le_bytes([bytes[24], bytes[25]]) {
            return None;
        }
        let mut time = [0u8; 8];
        time[..6].copy_from_slice(&bytes[2..8]);
        Some(Self {
            kind: Kind::from_code(bytes[0] & 0x0F)?,
            level: bytes[0] >> 4,
            flags: bytes[1],
            time: u64::from_le_bytes(time),
            id: u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]),
            birth: u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]),
            stream: bytes[20],
            erases: u32::from_le_bytes([bytes[21], bytes[22], bytes[23], 0]),
        })
    }

    /// True when the payload is the one the header was made for.
    #[must_use]
    pub fn matches(bytes: &[u8; HEADER_BYTES], seed: Seed, payload: &[u8]) -> bool {
        payload_crc(seed, &bytes[..COVERED], payload)
            == u32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_its_encoding() {
        let header = Header {
            kind: Kind::Map,
            level: 3,
            flags: FLAG_RELOCATED,
            time: 0xFFFF_1234_5678,
            id: 0xDEAD_BEEF,
            birth: 42,
            stream: 7,
            erases: 0x00AB_CDEF,
        };
        let seed = Seed {
            volume: 9,
            place: 11,
        };
        let bytes = header.encode(seed, b"payload");
        assert_eq!(Header::decode(&bytes, 11), Some(header));
        assert!(Header::matches(&bytes, seed, b"payload"));
        assert!(!Header::matches(&bytes, seed, b"Payload"));
        assert_eq!(Header::decode(&bytes, 12), None);
    }
}
