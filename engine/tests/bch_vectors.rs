//! The BCH codes against Linux `lib/bch.c`, whose answers `oracle/bch_vectors.py` has written down.

use cuesta::codec::{CodeError, Ecc};

const VECTORS: &str = include_str!("oracle/bch_vectors.csv");

/// splitmix64 (Steele, Lea and Flood, 2014).
fn bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    (0..count.div_ceil(8))
        .flat_map(|_| next().to_le_bytes())
        .take(count)
        .collect()
}

fn complement(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| !byte).collect()
}

#[test]
fn parity_and_corrections_are_those_of_linux() {
    let mut rows = 0;
    for line in VECTORS.lines() {
        let fields: Vec<&str> = line.split(',').collect();
        let [name, seed, length, parity, flips, verdict] = fields[..] else {
            panic!("not a vector: {line}");
        };
        let code = Ecc::from_name(name).unwrap().portable();
        let data = bytes(seed.parse().unwrap(), length.parse().unwrap());
        let linux: Vec<u8> = (0..parity.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&parity[i..i + 2], 16).unwrap())
            .collect();

        let data = complement(&data);
        let expected = complement(&linux);
        let mut parity = vec![0; code.parity_bytes()];
        code.encode(&data, &mut parity).unwrap();
        assert_eq!(parity, expected, "{line}");

        let bits = |list: &str| -> Vec<u16> {
            list.split_whitespace()
                .map(|bit| bit.parse().unwrap())
                .collect()
        };
        let (mut read, mut read_parity) = (data.clone(), parity.clone());
        for &bit in &bits(flips) {
            let byte = usize::from(bit / 8);
            let wrong = match byte.checked_sub(data.len()) {
                None => &mut read[byte],
                Some(byte) => &mut read_parity[byte],
            };
            *wrong ^= 0x80 >> (bit % 8);
        }
        let decoded = code.decode(&mut read, &mut read_parity);
        if verdict == "-" {
            assert_eq!(decoded, Err(CodeError::Uncorrectable), "{line}");
        } else {
            let mut corrected = decoded.unwrap().bits().to_vec();
            corrected.sort_unstable();
            assert_eq!(corrected, bits(verdict), "{line}");
            if flips == verdict {
                assert!(read == data && read_parity == parity, "{line}");
            }
        }
        rows += 1;
    }
    assert!(rows > 500);
}
