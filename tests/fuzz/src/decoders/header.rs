//! Headers, as they are once their bits are corrected.

use cuesta::codec::crc::{header_crc, Seed};
use cuesta::codec::header::{self, header_bytes, Decoded, HEADER_BYTES_MAX, UNITS_MAX};
use cuesta::codec::packed_header::{self, PACKED_BYTES};
use cuesta::codec::{Header, Kind};

use crate::input::Input;

/// Bytes of the check at the end of a header.
const CHECK: usize = 2;

fn seed(input: &mut Input<'_>) -> Seed {
    Seed {
        volume: input.u64(),
        place: input.u32(),
    }
}

/// Makes the check fit what is before it.
fn fix(bytes: &mut [u8], place: u32) {
    let (covered, check) = bytes.split_at_mut(bytes.len() - CHECK);
    check.copy_from_slice(&header_crc(place, covered).to_le_bytes());
}

/// A header of any length, with its own check or one that fits.
pub fn header(input: &mut Input<'_>) {
    let seed = seed(input);
    let fits = input.flag();
    let unit = u32::from(input.u8());
    let mut bytes = input.rest().to_vec();
    bytes.truncate(HEADER_BYTES_MAX + 8);
    if fits && bytes.len() >= CHECK {
        fix(&mut bytes, seed.place);
    }
    let decoded = header::decode(&bytes, unit, seed.place);
    let _ = header::matches(&bytes, unit, seed.of_unit(unit), b"payload");
    // What was decoded from a header of a possible length is encoded to the same.
    let units: Vec<Header> = (0..UNITS_MAX as u32)
        .filter_map(|unit| match header::decode(&bytes, unit, seed.place) {
            Decoded::Valid(header) => Some(header),
            Decoded::Nothing | Decoded::Foreign => None,
        })
        .collect();
    if units.len() == UNITS_MAX && bytes.len() == header_bytes(UNITS_MAX as u32) {
        let mut again = vec![0; bytes.len()];
        header::encode(&units, seed, |_| b"payload", &mut again);
        for (unit, expected) in (0u32..).zip(&units) {
            assert_eq!(
                header::decode(&again, unit, seed.place),
                Decoded::Valid(*expected)
            );
            assert!(header::matches(
                &again,
                unit,
                seed.of_unit(unit),
                b"payload"
            ));
        }
    }
    if let Decoded::Valid(header) = decoded {
        assert!(header.time < 1 << 48 && header.erases < 1 << 24 && header.level < 16);
    }
}

/// A packed header, with its own check or one that fits.
pub fn packed(input: &mut Input<'_>) {
    let seed = seed(input);
    let fits = input.flag();
    let mut bytes = [0; PACKED_BYTES];
    let given = input.bytes(PACKED_BYTES);
    bytes[..given.len()].copy_from_slice(given);
    if fits {
        fix(&mut bytes, seed.place);
    }
    let _ = packed_header::matches(&bytes, seed, input.rest());
    let Decoded::Valid(header) = packed_header::decode(&bytes, seed.place) else {
        return;
    };
    let again = packed_header::encode(&header, seed, b"payload");
    assert!(packed_header::matches(&again, seed, b"payload"));
    let decoded = packed_header::decode(&again, seed.place);
    if header.kind != Kind::Parity || header.stream < 9 {
        assert_eq!(decoded, Decoded::Valid(header));
    }
}
