//! The header of a page where the part's own error correction leaves no room for the usual one: of pages with one unit.
//!
//! It tells the same in 22 bytes. What it tells less finely: the birth of a sector, in host writes, is rounded down to a multiple of 256; erases beyond 262 143
//! are told as that many. What it cannot name are more than 2^24 sectors, or dies beyond eight.

use cuesta_hal::Geometry;

use super::crc::{header_crc, payload_crc, Seed};
use super::header::{Decoded, Header, Kind, FLAG_ATTEMPT};

/// Bytes of the header.
pub const PACKED_BYTES: usize = COVERED + 4 + CHECK;
/// Bytes that the payload's CRC covers; it follows them.
const COVERED: usize = 16;
/// Bytes of the check over all.
const CHECK: usize = 2;

/// Numbers there are for sectors and pages; the last means none.
pub const NUMBERS: u32 = 1 << 24;
/// Dies over which a stripe may reach: its span has three bits.
pub const DIES_MAX: u16 = 8;
/// The most erases that are told.
const ERASES_MAX: u32 = (1 << 18) - 1;
/// Host writes by which births are told.
const BIRTH_SHIFT: u32 = 8;
/// All ones in place of a lag: longer than can be told, so that nothing is known to be covered.
const LAG_UNKNOWN: u32 = NUMBERS - 1;

/// Class of everything that is no sector data.
const JOURNAL_CLASS: u8 = 9;

/// True when all numbers of a part fit.
pub(super) const fn fits(geometry: &Geometry) -> bool {
    geometry.pages() < NUMBERS as u64 && geometry.dies <= DIES_MAX
}

/// Kind and class in one: sector data by its class, everything else is of one class. The class of parity pages of sector data is elsewhere.
const fn type_of(header: &Header) -> u8 {
    match header.kind {
        Kind::Data => header.stream,
        Kind::Map => 9,
        Kind::Record => 10,
        Kind::Parity if is_of_data(header) => DATA_PARITY,
        Kind::Parity => 11,
        Kind::Anchor => 12,
        Kind::Padding => 13,
    }
}

/// Parity pages of sector data.
const DATA_PARITY: u8 = 14;
/// Where their class begins, behind the pages that they sum, which take the place of erases.
const CLASS_SHIFT: u32 = 14;

/// True for sector data and the sums of it.
const fn is_of_data(header: &Header) -> bool {
    matches!(header.kind, Kind::Data | Kind::Parity) && header.stream != JOURNAL_CLASS
}

const fn kind_and_class(code: u8) -> Option<(Kind, u8)> {
    Some(match code {
        0..=8 => (Kind::Data, code),
        9 => (Kind::Map, JOURNAL_CLASS),
        10 => (Kind::Record, JOURNAL_CLASS),
        11 => (Kind::Parity, JOURNAL_CLASS),
        12 => (Kind::Anchor, JOURNAL_CLASS),
        13 => (Kind::Padding, JOURNAL_CLASS),
        DATA_PARITY => (Kind::Parity, 0),
        _ => return None,
    })
}

/// Where the flags of anchor pages begin, which share their bits with those of sector data.
const ANCHOR_FLAGS: u32 = FLAG_ATTEMPT.trailing_zeros();

/// By how much bit 128 of a parity page of sector data moves down.
const FLAG_UNIT_SHIFT: u32 = 5;

/// Number and birth, six bytes: of anchor pages two and four, of all others three and three.
fn number_and_birth(header: &Header) -> [u8; 6] {
    let (id, birth) = (header.id, header.birth);
    let birth = match header.kind {
        Kind::Anchor => {
            let ([a, b, ..], [c, d, e, f]) = (id.to_le_bytes(), birth.to_le_bytes());
            return [a, b, c, d, e, f];
        }
        _ if is_of_data(header) => birth >> BIRTH_SHIFT,
        _ => birth.min(LAG_UNKNOWN),
    };
    let ([a, b, c, _], [d, e, f, _]) = (id.to_le_bytes(), birth.to_le_bytes());
    [a, b, c, d, e, f]
}

fn id_and_birth(kind: Kind, of_data: bool, [a, b, c, d, e, f]: [u8; 6]) -> (u32, u32) {
    if kind == Kind::Anchor {
        return (
            u32::from_le_bytes([a, b, 0, 0]),
            u32::from_le_bytes([c, d, e, f]),
        );
    }
    let (id, birth) = (
        u32::from_le_bytes([a, b, c, 0]),
        u32::from_le_bytes([d, e, f, 0]),
    );
    match birth {
        _ if of_data => (id, birth << BIRTH_SHIFT),
        LAG_UNKNOWN => (id, u32::MAX),
        _ => (id, birth),
    }
}

/// Encodes the header of a page with this payload.
pub fn encode(header: &Header, seed: Seed, payload: &[u8]) -> [u8; PACKED_BYTES] {
    let mut out = [0; PACKED_BYTES];
    out[0] = type_of(header) | header.level << 4;
    out[1..7].copy_from_slice(&header.time.to_le_bytes()[..6]);
    out[7..13].copy_from_slice(&number_and_birth(header));
    let flags = match header.kind {
        Kind::Anchor => header.flags >> ANCHOR_FLAGS,
        _ => header.flags & 3 | header.flags >> FLAG_UNIT_SHIFT & 4,
    };
    let mut rest = header.erases.min(ERASES_MAX)
        | u32::from(header.span & 7) << 18
        | u32::from(flags & 7) << 21;
    if out[0] & 0x0F == DATA_PARITY {
        rest |= u32::from(header.stream) << CLASS_SHIFT;
    }
    out[13..COVERED].copy_from_slice(&rest.to_le_bytes()[..3]);
    let crc = payload_crc(seed, &out[..COVERED], &[], payload);
    out[COVERED..COVERED + 4].copy_from_slice(&crc.to_le_bytes());
    let (covered, check) = out.split_at_mut(PACKED_BYTES - CHECK);
    check.copy_from_slice(&header_crc(seed.place, covered).to_le_bytes());
    out
}

/// Decodes a header whose bits were corrected; `place` is that of the page.
#[must_use]
pub fn decode(bytes: &[u8; PACKED_BYTES], place: u32) -> Decoded {
    let Some((covered, check)) = bytes.split_last_chunk::<CHECK>() else {
        return Decoded::Foreign;
    };
    if header_crc(place, covered) != u16::from_le_bytes(*check) {
        return Decoded::Foreign;
    }
    let code = bytes[0] & 0x0F;
    let Some((kind, mut stream)) = kind_and_class(code) else {
        return Decoded::Foreign;
    };
    let [_, t0, t1, t2, t3, t4, t5, n0, n1, n2, n3, n4, n5, r0, r1, r2, ..] = *bytes;
    let rest = u32::from_le_bytes([r0, r1, r2, 0]);
    let of_data = kind == Kind::Data || code == DATA_PARITY;
    let (id, birth) = id_and_birth(kind, of_data, [n0, n1, n2, n3, n4, n5]);
    let flags = (rest >> 21) as u8;
    let mut erases = rest & ERASES_MAX;
    if code == DATA_PARITY {
        stream = (erases >> CLASS_SHIFT) as u8;
        erases &= (1 << CLASS_SHIFT) - 1;
    }
    Decoded::Valid(Header {
        kind,
        level: bytes[0] >> 4,
        span: (rest >> 18) as u8 & 7,
        time: u64::from_le_bytes([t0, t1, t2, t3, t4, t5, 0, 0]),
        stream,
        erases,
        id,
        birth,
        flags: match kind {
            Kind::Anchor => flags << ANCHOR_FLAGS,
            _ => flags & 3 | (flags & 4) << FLAG_UNIT_SHIFT,
        },
    })
}

/// True when the payload is the one that the header was made for.
#[must_use]
pub fn matches(bytes: &[u8; PACKED_BYTES], seed: Seed, payload: &[u8]) -> bool {
    let (covered, rest) = bytes.split_at(COVERED);
    rest.starts_with(&payload_crc(seed, covered, &[], payload).to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::header::{FLAG_BATCH, FLAG_COPIED, FLAG_FORMATTING, FLAG_RELOCATED};
    use super::*;

    const SEED: Seed = Seed {
        volume: 9,
        place: 11,
    };

    const DATA: Header = Header {
        kind: Kind::Data,
        level: 15,
        span: 7,
        time: 0xFFFF_1234_5678,
        stream: 8,
        erases: ERASES_MAX,
        id: NUMBERS - 2,
        birth: 0xDEAD_BE00,
        flags: FLAG_BATCH | FLAG_RELOCATED,
    };

    fn anchor(flags: u8) -> Header {
        Header {
            kind: Kind::Anchor,
            level: 0,
            span: 0,
            stream: JOURNAL_CLASS,
            erases: 0,
            id: 0xFFFF,
            birth: 0xDEAD_BEEF,
            flags,
            ..DATA
        }
    }

    fn journal(kind: Kind, birth: u32) -> Header {
        Header {
            kind,
            level: 0,
            stream: JOURNAL_CLASS,
            birth,
            flags: 0,
            ..DATA
        }
    }

    fn there_and_back(header: &Header) -> Decoded {
        decode(&encode(header, SEED, b"payload"), SEED.place)
    }

    #[test]
    fn a_packed_header_tells_all_that_a_header_does() {
        let classes = (0..=8).map(|stream| Header { stream, ..DATA });
        let parities = (0..=8).map(|stream| Header {
            kind: Kind::Parity,
            stream,
            span: 0,
            erases: 0x7F,
            flags: 128 | FLAG_RELOCATED,
            ..DATA
        });
        let anchors = [0, FLAG_ATTEMPT, FLAG_FORMATTING, FLAG_COPIED].map(anchor);
        let kinds = [Kind::Map, Kind::Record, Kind::Parity, Kind::Padding];
        let journals = kinds.map(|kind| journal(kind, 0x00AB_CDEF));
        for header in classes.chain(parities).chain(anchors).chain(journals) {
            assert_eq!(there_and_back(&header), Decoded::Valid(header));
        }
    }

    #[test]
    fn what_does_not_fit_is_told_less_finely_and_never_more_than_is_true() {
        let told = |header: &Header| match there_and_back(header) {
            Decoded::Valid(header) => header,
            other => panic!("{other:?}"),
        };
        let birth = 0x1234_56FF;
        assert_eq!(told(&Header { birth, ..DATA }).birth, 0x1234_5600);
        let erases = ERASES_MAX + 1;
        assert_eq!(told(&Header { erases, ..DATA }).erases, ERASES_MAX);
        assert_eq!(told(&journal(Kind::Map, 1 << 24)).birth, u32::MAX);
    }

    #[test]
    fn a_packed_header_of_elsewhere_or_of_another_payload_is_told() {
        let bytes = encode(&DATA, SEED, b"payload");
        assert_eq!(decode(&bytes, SEED.place + 1), Decoded::Foreign);
        assert!(matches(&bytes, SEED, b"payload"));
        assert!(!matches(&bytes, SEED, b"Payload"));
        let (volume, place) = (SEED.volume, SEED.place);
        for seed in [Seed { volume: 8, place }, Seed { volume, place: 12 }] {
            assert!(!matches(&bytes, seed, b"payload"));
        }
        // No bit of it can change unnoticed.
        for bit in 0..8 * PACKED_BYTES {
            let mut wrong = bytes;
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&wrong, SEED.place), Decoded::Foreign, "bit {bit}");
        }
        for bit in 0..8 * (COVERED + 4) {
            let mut wrong = bytes;
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches(&wrong, SEED, b"payload"), "bit {bit}");
        }
    }

    #[test]
    fn no_packed_header_looks_erased() {
        for header in [DATA, anchor(FLAG_COPIED), journal(Kind::Padding, 0)] {
            let bytes = encode(&header, SEED, &[0xFF; 2048]);
            let zeros: u32 = bytes.iter().map(|byte| byte.count_zeros()).sum();
            assert!(zeros > 8, "{header:?}: {zeros}");
        }
    }
}
