//! What every code promises, tried on all of them.

use std::boxed::Box;
use std::collections::BTreeSet;
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use super::bch::{Bch16, Bch24, Bch4, Bch40, Bch64, Bch8};
use super::gf::{CompactGf13, CompactGf14};
use super::remainder::{Bitwise, Nibble, Slicing};
use super::secded::Secded;
use super::*;

/// splitmix64 (Steele, Lea and Flood, 2014).
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count.div_ceil(8))
            .flat_map(|_| self.next().to_le_bytes())
            .take(count)
            .collect()
    }

    /// So many different bits among `span` ones from `start` on.
    pub(super) fn flips(&mut self, count: usize, start: usize, span: usize) -> Corrections {
        let mut chosen = BTreeSet::new();
        while chosen.len() < count {
            chosen.insert(start + self.below(span));
        }
        let mut flips = Corrections::none();
        for bit in chosen {
            flips.push(bit as u16).unwrap();
        }
        flips
    }
}

fn parity_of(code: &dyn Code, data: &[u8]) -> Vec<u8> {
    let mut parity = vec![0; code.parity_bytes()];
    code.encode(data, &mut parity).unwrap();
    parity
}

fn sorted(corrections: &Corrections) -> Vec<u16> {
    let mut bits = corrections.bits().to_vec();
    bits.sort_unstable();
    bits
}

/// Lengths around all the edges there are: of words, of tables, of the code.
fn lengths(code: &dyn Code) -> Vec<usize> {
    let most = code.data_bytes_max().min(2100);
    let nominal = code.data_bytes();
    vec![
        0,
        1,
        2,
        7,
        8,
        9,
        15,
        16,
        17,
        64,
        100,
        nominal - 1,
        nominal,
        nominal + 26,
        most - 1,
        most,
    ]
}

fn nothing_but_ones(data: &[u8], parity: &[u8]) -> bool {
    data.iter().chain(parity).all(|&byte| byte == 0xff)
}

/// Flips `flips` in a codeword and demands it back, with exactly these bits reported.
fn demand_repair(code: &dyn Code, data: &[u8], flips: &Corrections) {
    let what = || -> String { format!("{}, {} bytes, {flips:?}", code.name(), data.len()) };
    let parity = parity_of(code, data);
    let (mut read, mut read_parity) = (data.to_vec(), parity.clone());
    flips.apply(&mut read, &mut read_parity);
    assert_eq!(
        code.is_clean(&read, &read_parity),
        flips.count() == 0,
        "{}",
        what()
    );
    let corrected = code.decode(&mut read, &mut read_parity);
    let corrected = corrected.unwrap_or_else(|error| panic!("{error}: {}", what()));
    assert_eq!(sorted(&corrected), flips.bits(), "{}", what());
    assert!(read == data && read_parity == parity, "{}", what());
}

#[test]
fn every_number_of_errors_up_to_the_strength_is_repaired() {
    let mut random = Random(1);
    for ecc in Ecc::ALL {
        let code = ecc.portable();
        for length in lengths(code) {
            let data = random.bytes(length);
            let (data_bits, all) = (8 * length, 8 * length + code.parity_bits());
            for errors in 0..=code.strength() as usize {
                // Anywhere, a burst, in the parity alone, in the data alone.
                let burst = (2 * errors + 1).min(all);
                let spans = [
                    (0, all),
                    (random.below(all - burst + 1), burst),
                    (data_bits, code.parity_bits()),
                    (0, data_bits),
                ];
                for (start, span) in spans {
                    if span >= errors {
                        let flips = random.flips(errors, start, span);
                        demand_repair(code, &data, &flips);
                    }
                }
            }
        }
    }
}

#[test]
fn every_single_wrong_bit_is_repaired() {
    let mut random = Random(4);
    for ecc in &Ecc::ALL[1..4] {
        let code = ecc.portable();
        for length in [1, 13, 512, code.data_bytes_max()] {
            let data = random.bytes(length);
            for bit in 0..8 * length + code.parity_bits() {
                demand_repair(code, &data, &random.flips(1, bit, 1));
            }
        }
    }
}

#[test]
fn erased_codewords_with_flips_become_erased_again() {
    let mut random = Random(2);
    for ecc in Ecc::ALL {
        let code = ecc.portable();
        for length in lengths(code) {
            let ones = vec![0xff; length];
            assert!(nothing_but_ones(&[], &parity_of(code, &ones)));
            for zeros in 0..=code.strength() {
                let (mut read, mut parity) = (ones.clone(), vec![0xff; code.parity_bytes()]);
                let all = 8 * length + code.parity_bits();
                let flips = random.flips(zeros as usize, 0, all);
                flips.apply(&mut read, &mut parity);
                assert_eq!(code.erased_zeros(&read, &parity), Some(zeros));
                assert_eq!(
                    sorted(&code.decode(&mut read, &mut parity).unwrap()),
                    flips.bits()
                );
                assert!(nothing_but_ones(&read, &parity));
            }
        }
        let zeros = vec![0; 64];
        assert_eq!(code.erased_zeros(&zeros, &parity_of(code, &zeros)), None);
    }
}

#[test]
fn flipped_padding_is_ignored_and_mended() {
    for ecc in Ecc::ALL {
        let code = ecc.portable();
        let data = [0x17; 40];
        let parity = parity_of(code, &data);
        let padding = 8 * code.parity_bytes() - code.parity_bits();
        let last = code.parity_bytes() - 1;
        assert_eq!(
            parity[last].trailing_ones() as usize,
            parity[last].trailing_ones().max(padding as u32) as usize
        );
        for flips in 0..1u8 << padding {
            for wrong in 0..=code.strength().min(2) {
                let (mut read, mut read_parity) = (data, parity.clone());
                read_parity[last] ^= flips;
                assert!(code.is_clean(&read, &read_parity));
                read[3] ^= [0, 0x20, 0x21][wrong as usize];
                let corrected = code.decode(&mut read, &mut read_parity).unwrap();
                assert_eq!(corrected.count(), wrong);
                assert!(read == data && read_parity == parity);
            }
        }
    }
}

#[test]
fn wrong_lengths_are_refused() {
    for ecc in Ecc::ALL {
        let code = ecc.portable();
        let (mut data, mut parity) = (vec![0xff; 64], vec![0xff; code.parity_bytes() + 1]);
        assert_eq!(code.encode(&data, &mut parity), Err(CodeError::Length));
        assert_eq!(code.decode(&mut data, &mut parity), Err(CodeError::Length));
        assert!(!code.is_clean(&data, &parity));
        parity.pop();
        if code.data_bytes_max() < usize::MAX {
            let mut data = vec![0xff; code.data_bytes_max() + 1];
            assert_eq!(code.encode(&data, &mut parity), Err(CodeError::Length));
            assert_eq!(code.decode(&mut data, &mut parity), Err(CodeError::Length));
            assert!(!code.is_clean(&data, &parity));
        }
    }
}

/// What became of codewords with more wrong bits than the code repairs.
#[derive(Debug, Default)]
struct Overload {
    refused: u32,
    miscorrected: u32,
}

/// Decodes `rounds` codewords with more wrong bits than the code repairs, up to twice as many and one.
fn overload(code: &dyn Code, length: usize, rounds: usize) -> Overload {
    let mut random = Random(6);
    let mut outcome = Overload::default();
    let data = random.bytes(length);
    let parity = parity_of(code, &data);
    let all = 8 * length + code.parity_bits();
    let strength = code.strength() as usize;
    for round in 0..rounds {
        let (mut read, mut read_parity) = (data.clone(), parity.clone());
        let count = (strength + 1 + random.below(strength + 1)).min(code::STRENGTH_MAX);
        let span = if round % 4 == 0 { 2 * count } else { all };
        let flips = random.flips(count, random_start(round, all - span), span);
        flips.apply(&mut read, &mut read_parity);
        if count == strength {
            // There is no list of flips longer than the strongest code: one more by hand.
            let bit = (0..8 * length as u16)
                .find(|bit| !flips.bits().contains(bit))
                .unwrap();
            read[usize::from(bit / 8)] ^= 0x80 >> (bit % 8);
        }
        // Nor may the padding be touched.
        let padding = 8 * code.parity_bytes() - code.parity_bits();
        if let Some(last) = read_parity.last_mut() {
            *last ^= ((1u32 << padding) - 1) as u8;
        }
        let before = (read.clone(), read_parity.clone());
        match code.decode(&mut read, &mut read_parity) {
            Err(_) => {
                assert!(
                    (read, read_parity) == before,
                    "a refused codeword was touched: {flips:?}"
                );
                outcome.refused += 1;
            }
            Ok(corrected) => {
                assert!(code.is_clean(&read, &read_parity), "no codeword: {flips:?}");
                let pairs = read
                    .iter()
                    .chain(&read_parity)
                    .zip(before.0.iter().chain(&before.1));
                let changed: u32 = pairs.map(|(now, then)| (now ^ then).count_ones()).sum();
                let changed = changed - padding as u32;
                assert!(changed == corrected.count() && changed <= code.strength());
                outcome.miscorrected += 1;
            }
        }
    }
    outcome
}

fn random_start(round: usize, bound: usize) -> usize {
    round * 7919 % (bound + 1)
}

#[test]
fn too_many_wrong_bits_are_refused_untouched_or_end_in_a_codeword_near_by() {
    // The spheres around the codewords fill C(4148, 4) / 2^52 of the space: 0.27 %.
    let outcome = overload(Ecc::Bch4.portable(), 512, 40_000);
    assert!((60..=170).contains(&outcome.miscorrected), "{outcome:?}");
    let outcome = overload(Ecc::Bch4.portable(), 64, 20_000);
    assert!(outcome.miscorrected < 5, "{outcome:?}");
    for (ecc, rounds) in [
        (Ecc::Bch8, 4_000),
        (Ecc::Bch16, 1_000),
        (Ecc::Bch24, 500),
        (Ecc::Bch40, 200),
        (Ecc::Bch64, 200),
    ] {
        let code = ecc.portable();
        let outcome = overload(code, code.data_bytes(), rounds);
        assert_eq!(outcome.miscorrected, 0, "{}", code.name());
    }
}

#[test]
fn two_wrong_bits_are_always_refused_by_secded_and_three_half_of_the_time() {
    let code = Ecc::Secded.portable();
    let mut random = Random(5);
    let data = random.bytes(512);
    let parity = parity_of(code, &data);
    let mut refused = 0;
    for _ in 0..20_000 {
        for errors in [2, 3] {
            let (mut read, mut read_parity) = (data.clone(), parity.clone());
            random
                .flips(errors, 0, 4096 + 14)
                .apply(&mut read, &mut read_parity);
            let decoded = code.decode(&mut read, &mut read_parity);
            if errors == 2 {
                assert_eq!(decoded, Err(CodeError::Uncorrectable));
            } else {
                refused += u32::from(decoded.is_err());
            }
        }
    }
    // 4110 of the 8191 places that three errors can look like are in the codeword.
    assert!((9_500..=10_500).contains(&refused), "{refused}");
}

#[test]
fn noise_is_no_codeword_and_harms_nobody() {
    let mut random = Random(9);
    for ecc in Ecc::ALL {
        let code = ecc.portable();
        for _ in 0..200 {
            let length = random.below(code.data_bytes_max().min(2000) + 1);
            let (mut data, mut parity) = (random.bytes(length), random.bytes(code.parity_bytes()));
            let _ = code.decode(&mut data, &mut parity);
        }
    }
}

/// The same code through other dividers, and over the fields without tables.
fn variants(ecc: Ecc) -> Vec<Box<dyn Code>> {
    macro_rules! variants {
        ($code:ident, $compact:ty) => {
            vec![
                Box::new($code::<Bitwise>::with(Bitwise)),
                Box::new($code::<Nibble>::with(Nibble)),
                Box::new($code::<Slicing<1>>::with(Slicing)),
                Box::new($code::<Slicing<4>>::with(Slicing)),
                Box::new($code::<Slicing<8>>::with(Slicing)),
                Box::new($code::<Slicing<16>>::with(Slicing)),
                Box::new($code::<Nibble, $compact>::with(Nibble)),
            ]
        };
    }
    match ecc {
        Ecc::Crc => vec![],
        Ecc::Secded => variants!(Secded, CompactGf13),
        Ecc::Bch4 => variants!(Bch4, CompactGf13),
        Ecc::Bch8 => variants!(Bch8, CompactGf13),
        Ecc::Bch16 => variants!(Bch16, CompactGf13),
        Ecc::Bch24 => variants!(Bch24, CompactGf13),
        Ecc::Bch40 => variants!(Bch40, CompactGf14),
        Ecc::Bch64 => variants!(Bch64, CompactGf14),
    }
}

#[test]
fn all_dividers_and_fields_agree() {
    let mut random = Random(3);
    for ecc in Ecc::ALL {
        let code = ecc.portable();
        for (index, variant) in variants(ecc).into_iter().enumerate() {
            for length in lengths(code) {
                let data = random.bytes(length);
                assert_eq!(
                    parity_of(&*variant, &data),
                    parity_of(code, &data),
                    "{} {index}",
                    code.name()
                );
            }
        }
        // Repair hangs on the field alone, and is slow without tables.
        if let Some(compact) = variants(ecc).pop() {
            let data = random.bytes(64);
            for errors in [1, 2, 3, 5, 9, code.strength() as usize] {
                if errors <= code.strength() as usize {
                    let flips = random.flips(errors, 0, 512 + code.parity_bits());
                    demand_repair(&*compact, &data, &flips);
                }
            }
        }
    }
}

#[test]
fn names_find_their_codes() {
    for ecc in Ecc::ALL {
        assert_eq!(Ecc::from_name(ecc.name()), Some(ecc));
    }
    assert_eq!(Ecc::from_name("bch5"), None);
    let sizes = Ecc::ALL.map(|ecc| ecc.portable().parity_bytes());
    assert_eq!(sizes, [4, 2, 7, 13, 26, 39, 70, 112]);
}
