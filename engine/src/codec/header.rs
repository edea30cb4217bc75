//! The header of a page: what it is, when it was written and for whom.
//!
//! What all units of a page have in common comes first, then what each of them is, then a check over both. Where there is no room for that,
//! [`packed_header`](super::packed_header) tells the same.

use super::crc::{header_crc, payload_crc, Seed};

/// Bytes that all units have in common.
const COMMON: usize = 12;
/// Bytes of a unit.
const UNIT: usize = 13;
/// Bytes of the check behind them.
const CHECK: usize = 2;
/// Bytes of the common part that a payload's CRC covers: kind, level and log time.
const COVERED: usize = 7;
/// Bytes of a unit that it covers: number, birth, flags. The CRC itself follows.
const COVERED_UNIT: usize = 9;
/// Units of a page at most.
pub const UNITS_MAX: usize = if cfg!(feature = "wide") { 4 } else { 1 };
/// Bytes of the longest header.
pub const HEADER_BYTES_MAX: usize = header_bytes(UNITS_MAX as u32);

/// Bytes of the header of a page of so many units.
#[must_use]
pub const fn header_bytes(units: u32) -> usize {
    COMMON + units as usize * UNIT + CHECK
}

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

/// The header of a page as one of its units has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Header {
    /// What the page holds.
    pub kind: Kind,
    /// Index into the level table.
    pub level: u8,
    /// How far behind the first page of its stripe the last one lies, in offsets of the segment; 0 where there is one.
    pub span: u8,
    /// When the program was started; 48 bits.
    pub time: u64,
    /// Class of the segment; 8 for wear leveling, 9 for the journal.
    pub stream: u8,
    /// Erase count of the block's segment; on the opening page of an anchor place, places of its ring opened so far; 24 bits.
    pub erases: u32,
    /// The sector, map page, or checkpoint page that the unit holds.
    pub id: u32,
    /// Of sector data: host writes that the volume had seen when the sector was last written by a host; carried along by relocations. Of map and record
    /// pages: how much earlier than the page the last log time is that it [covers](Self::covers).
    pub birth: u32,
    /// `FLAG_…`.
    pub flags: u8,
}

impl Header {
    /// The log time up to which a map page or a record page holds what all sector data says.
    #[must_use]
    pub const fn covers(&self) -> u64 {
        self.time.saturating_sub(self.birth as u64)
    }
}

/// The number of a unit that holds nothing.
const NOTHING: u32 = u32::MAX;

const fn unit_at(unit: u32) -> usize {
    COMMON + unit as usize * UNIT
}

/// Encodes the header of a page: of its first units, the others hold nothing. `payload` gives the bytes of each.
///
/// What the units have in common is taken from the first; `seed` is that of the first. `out` is as long as the header.
pub fn encode<'p>(
    headers: &[Header],
    seed: Seed,
    payload: impl Fn(u32) -> &'p [u8],
    out: &mut [u8],
) {
    out.fill(0xFF);
    let Some(first) = headers.first() else {
        return;
    };
    out[0] = first.kind.code() | first.level << 4;
    out[1..7].copy_from_slice(&first.time.to_le_bytes()[..6]);
    out[7] = first.stream;
    out[8..11].copy_from_slice(&first.erases.to_le_bytes()[..3]);
    out[11] = first.span;
    for (unit, header) in (0u32..).zip(headers) {
        let at = unit_at(unit);
        out[at..at + 4].copy_from_slice(&header.id.to_le_bytes());
        out[at + 4..at + 8].copy_from_slice(&header.birth.to_le_bytes());
        out[at + 8] = header.flags;
        let crc = covering(seed.of_unit(unit), out, unit, payload(unit));
        out[at + COVERED_UNIT..at + UNIT].copy_from_slice(&crc.to_le_bytes());
    }
    let (covered, check) = out.split_at_mut(out.len() - CHECK);
    check.copy_from_slice(&header_crc(seed.place, covered).to_le_bytes());
}

/// The check of a unit's payload.
fn covering(seed: Seed, bytes: &[u8], unit: u32, payload: &[u8]) -> u32 {
    let at = unit_at(unit);
    payload_crc(
        seed,
        &bytes[..COVERED],
        &bytes[at..at + COVERED_UNIT],
        payload,
    )
}

/// What is known of a header whose bits were corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded {
    /// It belongs here, and the unit holds something.
    Valid(Header),
    /// It belongs here, and the unit holds nothing.
    Nothing,
    /// It belongs elsewhere, or is none.
    Foreign,
}

/// Decodes the header of a unit; `place` is that of the page's first unit.
#[must_use]
pub fn decode(bytes: &[u8], unit: u32, place: u32) -> Decoded {
    let Some((covered, check)) = bytes.split_last_chunk::<CHECK>() else {
        return Decoded::Foreign;
    };
    let at = unit_at(unit);
    let (Some(common), Some(own)) = (covered.first_chunk::<COMMON>(), covered.get(at..at + UNIT))
    else {
        return Decoded::Foreign;
    };
    if header_crc(place, covered) != u16::from_le_bytes(*check) {
        return Decoded::Foreign;
    }
    let Some(kind) = Kind::from_code(common[0] & 0x0F) else {
        return Decoded::Foreign;
    };
    let mut time = [0u8; 8];
    time[..6].copy_from_slice(&common[1..7]);
    let id = u32::from_le_bytes([own[0], own[1], own[2], own[3]]);
    if id == NOTHING {
        return Decoded::Nothing;
    }
    Decoded::Valid(Header {
        kind,
        level: common[0] >> 4,
        span: common[11],
        time: u64::from_le_bytes(time),
        stream: common[7],
        erases: u32::from_le_bytes([common[8], common[9], common[10], 0]),
        id,
        birth: u32::from_le_bytes([own[4], own[5], own[6], own[7]]),
        flags: own[8],
    })
}

/// True when the payload is the one that the header of its unit was made for; `seed` is the unit's.
#[must_use]
pub fn matches(bytes: &[u8], unit: u32, seed: Seed, payload: &[u8]) -> bool {
    let start = unit_at(unit);
    bytes
        .get(start + COVERED_UNIT..start + UNIT)
        .is_some_and(|check| covering(seed, bytes, unit, payload).to_le_bytes() == check)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            kind: Kind::Map,
            level: 3,
            flags: FLAG_RELOCATED,
            span: 2,
            time: 0xFFFF_1234_5678,
            stream: 7,
            erases: 0x00AB_CDEF,
            id: 0xDEAD_BEEF,
            birth: 42,
        }
    }

    #[test]
    #[cfg(feature = "wide")]
    fn a_header_survives_its_encoding() {
        let seed = Seed {
            volume: 9,
            place: 11,
        };
        let payloads: [&[u8]; 2] = [b"payload", b"another"];
        let other = Header { id: 5, ..header() };
        let mut bytes = [0; HEADER_BYTES_MAX];
        encode(
            &[header(), other],
            seed,
            |unit| payloads[unit as usize],
            &mut bytes,
        );
        assert_eq!(decode(&bytes, 0, 11), Decoded::Valid(header()));
        assert_eq!(decode(&bytes, 1, 11), Decoded::Valid(other));
        assert_eq!(decode(&bytes, 2, 11), Decoded::Nothing);
        assert_eq!(decode(&bytes, 4, 11), Decoded::Foreign);
        assert_eq!(decode(&bytes, 0, 12), Decoded::Foreign);
        assert!(matches(&bytes, 0, seed, b"payload"));
        assert!(matches(&bytes, 1, seed.of_unit(1), b"another"));
        assert!(!matches(&bytes, 1, seed, b"another"));
        assert!(!matches(&bytes, 0, seed, b"Payload"));
        assert!(!matches(&bytes, 2, seed.of_unit(2), b""));
    }
}
