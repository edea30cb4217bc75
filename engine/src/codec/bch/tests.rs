use std::collections::BTreeSet;
use std::vec;
use std::vec::Vec;

use super::*;

/// splitmix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count.div_ceil(8))
            .flat_map(|_| self.next().to_le_bytes())
            .take(count)
            .collect()
    }

    fn different_below(&mut self, count: usize, bound: usize) -> BTreeSet<usize> {
        let mut chosen = BTreeSet::new();
        while chosen.len() < count {
            chosen.insert(self.below(bound));
        }
        chosen
    }
}

/// Flips one bit, counted through the data and on through the parity.
fn flip(data: &mut [u8], parity: &mut [u8], bit: usize) {
    let byte = if bit / 8 < data.len() {
        &mut data[bit / 8]
    } else {
        &mut parity[bit / 8 - data.len()]
    };
    *byte ^= 0x80 >> (bit % 8);
}

fn flip_all<'a>(data: &mut [u8], parity: &mut [u8], bits: impl IntoIterator<Item = &'a usize>) {
    bits.into_iter().for_each(|&bit| flip(data, parity, bit));
}

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

fn agrees_with_linux<F: Field, const T: usize, const WORDS: usize, const PARITY: usize>(
    length: usize,
    parity: &str,
) where
    Bch<F, T, WORDS, PARITY>: Tabled<WORDS>,
{
    let data = Random(length as u64).bytes(length);
    let parity = from_hex(parity);

    let complement: Vec<u8> = data.iter().map(|byte| !byte).collect();
    let of_complement: Vec<u8> = Bch::<F, T, WORDS, PARITY>::encode(&complement)
        .iter()
        .map(|byte| !byte)
        .collect();
    assert_eq!(of_complement, parity, "length {length}");

    // The same as an XOR with a mask that depends on the length alone.
    let mask = Bch::<F, T, WORDS, PARITY>::encode(&vec![0; length]);
    let masked = Bch::<F, T, WORDS, PARITY>::encode(&data);
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
        agrees_with_linux::<Gf13, 4, 1, 7>(length, parity);
    }
    agrees_with_linux::<Gf13, 8, 2, 13>(512, BCH8_VECTOR);
    agrees_with_linux::<Gf13, 16, 4, 26>(512, BCH16_VECTOR);
    agrees_with_linux::<Gf13, 24, 5, 39>(512, BCH24_VECTOR);
}

#[test]
fn parity_does_not_depend_on_how_the_data_is_cut_into_pieces() {
    let mut random = Random(1);
    for _ in 0..2000 {
        let length = random.below(80);
        let data = random.bytes(length);
        let whole = Bch4::encode(&data);
        let mut encoder = Bch4::encoder();
        let mut rest = &data[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(random.below(rest.len()) + 1);
            encoder.update(piece);
            rest = after;
        }
        assert_eq!(encoder.finish(), whole);
        assert!(encoder.matches(&whole));
    }
}

#[test]
fn erased_data_has_erased_parity_at_every_length() {
    let data = [0xff; Bch4::DATA_BYTES_MAX];
    for length in 0..=data.len() {
        assert_eq!(Bch4::encode(&data[..length]), [0xff; 7]);
    }
    assert_eq!(Bch24::encode(&data[..512]), [0xff; 39]);
}

#[test]
fn erased_data_with_flipped_bits_becomes_erased_again() {
    let mut random = Random(2);
    for _ in 0..2000 {
        let length = 1 + random.below(Bch4::DATA_BYTES_MAX);
        let count = random.below(5);
        let (mut data, mut parity) = (vec![0xff; length], [0xff; 7]);
        let wrong = random.different_below(count, 8 * length + 52);
        flip_all(&mut data, &mut parity, &wrong);
        assert_eq!(Bch4::decode(&mut data, &mut parity), Ok(count as u32));
        assert!(data.iter().chain(&parity).all(|&byte| byte == 0xff));
    }
}

#[test]
fn a_clean_codeword_is_found_clean_at_every_length() {
    let mut random = Random(3);
    for length in 0..=Bch4::DATA_BYTES_MAX {
        let data = random.bytes(length);
        let parity = Bch4::encode(&data);
        assert!(Bch4::check(&data, &parity));
        let (mut read, mut read_parity) = (data.clone(), parity);
        assert_eq!(Bch4::decode(&mut read, &mut read_parity), Ok(0));
        assert_eq!((read, read_parity), (data, parity));
    }
}

#[test]
fn every_single_wrong_bit_is_repaired() {
    let mut random = Random(4);
    for length in [1, 2, 8, 13, 64, 512, Bch4::DATA_BYTES_MAX] {
        let data = random.bytes(length);
        let parity = Bch4::encode(&data);
        let (mut read, mut read_parity) = (data.clone(), parity);
        for bit in 0..8 * length + 52 {
            flip(&mut read, &mut read_parity, bit);
            assert!(
                !Bch4::check(&read, &read_parity),
                "bit {bit} of {length} bytes"
            );
            assert_eq!(
                Bch4::decode(&mut read, &mut read_parity),
                Ok(1),
                "bit {bit} of {length} bytes"
            );
            assert!(
                read == data && read_parity == parity,
                "bit {bit} of {length} bytes"
            );
        }
    }
}

#[test]
fn every_pair_and_every_triple_of_wrong_bits_is_repaired_in_a_byte() {
    let data = [0x5a];
    let parity = Bch4::encode(&data);
    let (mut read, mut read_parity) = (data, parity);
    for a in 0..60 {
        for b in 0..a {
            flip_all(&mut read, &mut read_parity, &[a, b]);
            assert_eq!(
                Bch4::decode(&mut read, &mut read_parity),
                Ok(2),
                "bits {a} {b}"
            );
            assert!(read == data && read_parity == parity, "bits {a} {b}");
            for c in 0..b {
                flip_all(&mut read, &mut read_parity, &[a, b, c]);
                assert_eq!(
                    Bch4::decode(&mut read, &mut read_parity),
                    Ok(3),
                    "bits {a} {b} {c}"
                );
                assert!(read == data && read_parity == parity, "bits {a} {b} {c}");
            }
        }
    }
}

/// Repairs `rounds` codewords of a random length up to `length_max`, each with up to T wrong bits anywhere.
fn repairs_up_to_t_bits<F: Field, const T: usize, const WORDS: usize, const PARITY: usize>(
    random: &mut Random,
    length_max: usize,
    rounds: usize,
) where
    Bch<F, T, WORDS, PARITY>: Tabled<WORDS>,
{
    for round in 0..rounds {
        let length = 1 + random.below(length_max);
        let data = random.bytes(length);
        let parity = Bch::<F, T, WORDS, PARITY>::encode(&data);
        let (mut read, mut read_parity) = (data.clone(), parity);
        let count = 1 + round % T;
        let bits = 8 * length + Bch::<F, T, WORDS, PARITY>::PARITY_BITS;
        // Every fourth time all in the last bits, parity most of all.
        let window = if round % 4 == 0 {
            bits.min(Bch::<F, T, WORDS, PARITY>::PARITY_BITS + 8)
        } else {
            bits
        };
        let wrong: BTreeSet<usize> = random
            .different_below(count, window)
            .into_iter()
            .map(|bit| bits - 1 - bit)
            .collect();
        flip_all(&mut read, &mut read_parity, &wrong);
        let repaired = Bch::<F, T, WORDS, PARITY>::decode(&mut read, &mut read_parity);
        assert_eq!(
            repaired,
            Ok(count as u32),
            "{length} bytes, wrong {wrong:?}"
        );
        assert!(
            read == data && read_parity == parity,
            "{length} bytes, wrong {wrong:?}"
        );
    }
}

#[test]
fn up_to_t_wrong_bits_anywhere_are_repaired() {
    let mut random = Random(5);
    repairs_up_to_t_bits::<Gf13, 4, 1, 7>(&mut random, 1017, 20_000);
    repairs_up_to_t_bits::<Gf13, 4, 1, 7>(&mut random, 4, 20_000);
    repairs_up_to_t_bits::<Gf13, 8, 2, 13>(&mut random, 512, 1_000);
    repairs_up_to_t_bits::<Gf13, 16, 4, 26>(&mut random, 512, 300);
    repairs_up_to_t_bits::<Gf13, 24, 5, 39>(&mut random, 512, 300);
}

/// What became of codewords with more wrong bits than the code repairs.
#[derive(Debug, Default)]
struct Overload {
    refused: u32,
    miscorrected: u32,
}

fn overload<F: Field, const T: usize, const WORDS: usize, const PARITY: usize>(
    length: usize,
    rounds: usize,
) -> Overload
where
    Bch<F, T, WORDS, PARITY>: Tabled<WORDS>,
{
    let mut random = Random(6);
    let mut outcome = Overload::default();
    let data = random.bytes(length);
    let parity = Bch::<F, T, WORDS, PARITY>::encode(&data);
    let bits = 8 * length + Bch::<F, T, WORDS, PARITY>::PARITY_BITS;
    for _ in 0..rounds {
        let (mut read, mut read_parity) = (data.clone(), parity);
        let count = T + 1 + random.below(2 * T);
        let wrong = random.different_below(count, bits);
        flip_all(&mut read, &mut read_parity, &wrong);
        let before = (read.clone(), read_parity);
        match Bch::<F, T, WORDS, PARITY>::decode(&mut read, &mut read_parity) {
            Err(Uncorrectable) => {
                assert_eq!(
                    (read, read_parity),
                    before,
                    "a refused codeword was touched: wrong {wrong:?}"
                );
                outcome.refused += 1;
            }
            Ok(repaired) => {
                assert!(
                    Bch::<F, T, WORDS, PARITY>::check(&read, &read_parity),
                    "not a codeword: wrong {wrong:?}"
                );
                let pairs = read
                    .iter()
                    .chain(&read_parity)
                    .zip(before.0.iter().chain(&before.1));
                let changed: u32 = pairs.map(|(now, then)| (now ^ then).count_ones()).sum();
                assert!(
                    changed == repaired && repaired <= T as u32,
                    "wrong {wrong:?}"
                );
                outcome.miscorrected += 1;
            }
        }
    }
    outcome
}

#[test]
fn too_many_wrong_bits_are_refused_untouched_or_end_in_a_codeword_near_by() {
    // The spheres around the codewords fill C(4148, 4) / 2^52 of the space: 0.27 %.
    let outcome = overload::<Gf13, 4, 1, 7>(512, 40_000);
    assert!((60..=170).contains(&outcome.miscorrected), "{outcome:?}");
    let outcome = overload::<Gf13, 4, 1, 7>(64, 20_000);
    assert!(outcome.miscorrected < 5, "{outcome:?}");
    let outcome = overload::<Gf13, 8, 2, 13>(512, 1_000);
    assert!(outcome.miscorrected < 5, "{outcome:?}");
    let outcome = overload::<Gf13, 24, 5, 39>(512, 100);
    assert_eq!(outcome.miscorrected, 0);
}

#[test]
fn errors_in_the_bits_that_shortening_took_away_are_refused() {
    // The parity of data with a longer, not quite erased start is, to the short data, one with errors ahead of it.
    let mut random = Random(7);
    for _ in 0..3000 {
        let length = 1 + random.below(64);
        let count = 1 + random.below(4);
        let ahead = 1 + random.below(Bch4::DATA_BYTES_MAX - length);
        let mut long = vec![0xff; ahead];
        long.extend(random.bytes(length));
        let absent = random.below(count + 1);
        let wrong = random.different_below(absent, 8 * ahead);
        flip_all(&mut long, &mut [], &wrong);
        let mut parity = Bch4::encode(&long);
        let mut data = long.split_off(ahead);
        let present = random.different_below(count - absent, 8 * length + 52);
        flip_all(&mut data, &mut parity, &present);
        let before = (data.clone(), parity);
        let outcome = Bch4::decode(&mut data, &mut parity);
        if absent == 0 {
            assert_eq!(outcome, Ok(count as u32));
        } else {
            assert_eq!(
                outcome,
                Err(Uncorrectable),
                "wrong ahead {wrong:?}, behind {present:?}"
            );
            assert_eq!((data, parity), before);
        }
    }
}

#[test]
fn flipped_padding_is_ignored_and_mended() {
    let mut data = [0x17; 40];
    let parity = Bch4::encode(&data);
    assert_eq!(parity[6] & 0x0f, 0x0f);
    for padding in 0..15 {
        let mut read_parity = parity;
        read_parity[6] = (parity[6] & 0xf0) | padding;
        assert!(Bch4::check(&data, &read_parity));
        assert_eq!(Bch4::decode(&mut data, &mut read_parity), Ok(0));
        assert_eq!(read_parity, parity);
        read_parity[6] = (parity[6] & 0xf0) | padding;
        data[3] ^= 0x21;
        assert_eq!(Bch4::decode(&mut data, &mut read_parity), Ok(2));
        assert_eq!((data, read_parity), ([0x17; 40], parity));
    }
}

#[test]
fn data_in_parts_is_repaired_where_it_lies() {
    let mut random = Random(8);
    for _ in 0..2000 {
        let (first, second) = (random.below(40), 1 + random.below(512));
        let data = random.bytes(first + second);
        let parity = Bch4::encode(&data);
        let (mut read, mut read_parity) = (data.clone(), parity);
        let wrong = random.different_below(4, 8 * data.len() + 52);
        flip_all(&mut read, &mut read_parity, &wrong);
        let (header, sector) = read.split_at_mut(first);
        assert_eq!(
            Bch4::decode_parts(&mut [header, &mut [], sector], &mut read_parity),
            Ok(4)
        );
        assert_eq!((read, read_parity), (data, parity));
    }
}

#[test]
fn data_longer_than_the_code_is_refused() {
    assert_eq!(Bch4::DATA_BYTES_MAX, 1017);
    let mut data = vec![0xff; Bch4::DATA_BYTES_MAX + 1];
    let mut parity = Bch4::encode(&data);
    assert!(!Bch4::check(&data, &parity));
    assert_eq!(Bch4::decode(&mut data, &mut parity), Err(Uncorrectable));
}
