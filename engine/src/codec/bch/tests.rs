use std::vec;
use std::vec::Vec;

use super::*;
use crate::codec::tests::Random;
use crate::codec::Ecc;

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

/// The data of a vector with a given length: so many bytes of splitmix64 seeded with the length, and what the
/// Python package bchlib 2.1 (Linux `lib/bch.c`) says is their parity, `BCH(t, prim_poly=0x201b).encode(data)`.
const BCH4_VECTORS: [(usize, &str); 6] = [
    (1, "57a4e20b3e9cf0"),
    (8, "3483fa7d1f91d0"),
    (17, "13980c864bc5f0"),
    (64, "dcd581d292d120"),
    (512, "faf09caf134da0"),
    (1016, "2d7c6964964700"),
];
const BCH8_VECTOR: &str = "ad09fb32d8bcd1f637f643d4b8";
const BCH16_VECTOR: &str = "20f43959cc5071767a0b2ab8b82944f26c46c62cf52bb366045b";
const BCH24_VECTOR: &str =
    "f308c0217b76146be2944745d46dbd7bc918aee0331c7e98e7d420f7b67b6ff4e04265e9cd07e9";

fn agrees_with_linux(ecc: Ecc, length: usize, parity: &str) {
    let code = ecc.portable();
    let encode = |data: &[u8]| {
        let mut parity = vec![0; code.parity_bytes()];
        code.encode(data, &mut parity).unwrap();
        parity
    };
    let data = Random(length as u64).bytes(length);
    let parity = from_hex(parity);

    let complement: Vec<u8> = data.iter().map(|byte| !byte).collect();
    let of_complement: Vec<u8> = encode(&complement).iter().map(|byte| !byte).collect();
    assert_eq!(of_complement, parity, "length {length}");

    // The same as an XOR with a mask that depends on the length alone.
    let mask = encode(&vec![0; length]);
    let masked = encode(&data);
    let unmasked: Vec<u8> = masked
        .iter()
        .zip(mask)
        .map(|(byte, mask)| byte ^ mask)
        .collect();
    assert_eq!(unmasked, parity, "length {length}");
}

#[test]
fn the_parity_is_that_of_linux_complemented() {
    for (length, parity) in BCH4_VECTORS {
        agrees_with_linux(Ecc::Bch4, length, parity);
    }
    agrees_with_linux(Ecc::Bch8, 512, BCH8_VECTOR);
    agrees_with_linux(Ecc::Bch16, 512, BCH16_VECTOR);
    agrees_with_linux(Ecc::Bch24, 512, BCH24_VECTOR);
}

#[test]
fn every_pair_and_every_triple_of_wrong_bits_is_repaired_in_a_byte() {
    let code = <Bch4>::PORTABLE;
    let data = [0x5a];
    let parity = code.parity(&data);
    for a in 0..60 {
        for b in 0..a {
            for c in 0..=b {
                let (mut read, mut read_parity) = (data, parity);
                // The last of three being the second again leaves one wrong bit, no pair: then it stays.
                let wrong: Vec<u16> = if c == b { vec![a, b] } else { vec![a, b, c] };
                let mut flips = Corrections::none();
                wrong.iter().for_each(|&bit| flips.push(bit).unwrap());
                flips.apply(&mut read, &mut read_parity);
                let repaired = code.repair(&mut read, &mut read_parity).unwrap();
                assert_eq!(repaired.count() as usize, wrong.len(), "bits {wrong:?}");
                assert!(read == data && read_parity == parity, "bits {wrong:?}");
            }
        }
    }
}

#[test]
fn errors_in_the_bits_that_shortening_took_away_are_refused() {
    // The parity of data with a longer, not quite erased start is, to the short data, one with errors ahead of it.
    let code = <Bch4>::PORTABLE;
    let mut random = Random(7);
    for _ in 0..3000 {
        let length = 1 + random.below(64);
        let count = 1 + random.below(4);
        let ahead = 1 + random.below(<Bch4>::DATA_BYTES_MAX - length);
        let mut long = vec![0xff; ahead];
        long.extend(random.bytes(length));
        let absent = random.below(count + 1);
        random.flips(absent, 0, 8 * ahead).apply(&mut long, &mut []);
        let mut parity = code.parity(&long);
        let mut data = long.split_off(ahead);
        random
            .flips(count - absent, 0, 8 * length + 52)
            .apply(&mut data, &mut parity);
        let before = (data.clone(), parity);
        let outcome = code.repair(&mut data, &mut parity);
        if absent == 0 {
            assert_eq!(outcome.unwrap().count() as usize, count);
        } else {
            assert_eq!(outcome, Err(CodeError::Uncorrectable));
            assert_eq!((data, parity), before);
        }
    }
}

#[test]
fn a_double_root_is_no_pair_of_errors() {
    // (x + 2)² (x + 3)² (x + 4)²: Berlekamp–Massey never makes it, but the search for roots must not believe it.
    let mut product = [0u16; 8];
    product[0] = 1;
    for root in [2, 2, 3, 3, 4, 4] {
        for i in (1..8).rev() {
            product[i] ^= Field13::mul(product[i - 1], root);
        }
    }
    let mut degrees = Degrees::<8>::none(Field13::ORDER);
    assert!(trace::roots::<Field13, 8>(&mut product[..7], &mut degrees).is_none());
}
