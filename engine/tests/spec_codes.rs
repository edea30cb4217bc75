//! The vectors of `docs/SPEC.md`, which were computed by other means than the engine's.

use cuesta::codec::crc::Seed;
use cuesta::codec::header::{FLAG_ATTEMPT, FLAG_RELOCATED};
use cuesta::codec::{header, packed_header, Ecc, Header, Kind};

const SPEC: &str = include_str!("../../docs/SPEC.md");

#[test]
fn parities_are_those_of_the_specification() {
    let (_, section) = SPEC.split_once("\n## 12. Codes\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut vectors: Vec<(Ecc, &str, String)> = Vec::new();
    for line in section.lines().filter(|line| line.starts_with("    ")) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields[..] {
            [code, data, parity] => {
                vectors.push((Ecc::from_name(code).unwrap(), data, parity.to_owned()));
            }
            [more] => vectors.last_mut().unwrap().2.push_str(more),
            _ => panic!("not a vector: {line}"),
        }
    }
    assert_eq!(vectors.len(), 3 * Ecc::ALL.len());
    for (ecc, name, expected) in vectors {
        let code = ecc.portable();
        let data: Vec<u8> = match name {
            "zeros" => vec![0; code.data_bytes()],
            "count" => (0..code.data_bytes()).map(|i| i as u8).collect(),
            "one" => vec![0xfe],
            _ => panic!("unknown data: {name}"),
        };
        let mut parity = vec![0; code.parity_bytes()];
        code.encode(&data, &mut parity).unwrap();
        assert_eq!(hexadecimal(&parity), expected, "{} {name}", ecc.name());
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The vector behind a name.
fn vector(name: &str) -> &'static str {
    let line = SPEC.lines().find_map(|line| line.strip_prefix(name));
    line.map_or("not in the specification", str::trim)
}

#[test]
fn a_header_is_that_of_the_specification() {
    let own = Header {
        kind: Kind::Data,
        level: 0,
        span: 0,
        time: 0x12_3456,
        stream: 3,
        erases: 9,
        id: 77,
        birth: 5,
        flags: 0,
    };
    let seed = Seed {
        volume: 0x0123_4567_89AB_CDEF,
        place: 4242,
    };
    let payload: Vec<u8> = (0..2048).map(|i| i as u8).collect();
    let mut bytes = [0; header::header_bytes(1)];
    header::encode(&[own], seed, |_| &payload, &mut bytes);
    assert_eq!(hexadecimal(&bytes), vector("    header "));
    let mut parity = [0; 7];
    Ecc::Bch4.portable().encode(&bytes, &mut parity).unwrap();
    assert_eq!(hexadecimal(&parity), vector("    parity "));
}

#[test]
fn packed_headers_are_those_of_the_specification() {
    let data = Header {
        kind: Kind::Data,
        level: 2,
        span: 1,
        time: 0x12_3456,
        stream: 3,
        erases: 9,
        id: 77,
        birth: 0x1234_5678,
        flags: FLAG_RELOCATED,
    };
    let anchor = Header {
        kind: Kind::Anchor,
        level: 0,
        span: 0,
        stream: 9,
        erases: 0,
        id: 0xFFFF,
        birth: 0x0102_0304,
        flags: FLAG_ATTEMPT,
        ..data
    };
    let payload: Vec<u8> = (0..2048).map(|i| i as u8).collect();
    for (name, own, volume) in [("data", data, 0x0123_4567_89AB_CDEF), ("anchor", anchor, 0)] {
        let place = 4242;
        let bytes = packed_header::encode(&own, Seed { volume, place }, &payload);
        let expected = vector(&format!("    packed {name} header "));
        assert_eq!(hexadecimal(&bytes), expected);
        let mut parity = [0; 2];
        Ecc::Secded.portable().encode(&bytes, &mut parity).unwrap();
        let expected = vector(&format!("    packed {name} parity "));
        assert_eq!(hexadecimal(&parity), expected);
    }
}
