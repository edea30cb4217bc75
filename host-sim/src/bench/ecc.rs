//! How fast the codes are on this machine: the one bench that measures time and not operations.

use std::hint::black_box;
use std::time::{Duration, Instant};

use cuesta::codec::bch::{Bch16, Bch24, Bch4, Bch40, Bch64, Bch8};
use cuesta::codec::crc32c::Crc32c;
use cuesta::codec::remainder::{Bitwise, Nibble, Slicing};
use cuesta::codec::secded::Secded;
use cuesta::codec::{Code, Ecc};
use cuesta_accelerator::Means;
use serde::Serialize;

use crate::prng::SplitMix64;

/// Codewords that are measured at a time.
const CODEWORDS: usize = 32;

/// For how long each figure is measured.
const MEASURED: Duration = Duration::from_millis(15);

/// Rounds that a figure takes at least.
const ROUNDS_MIN: u32 = 3;

/// The figures of one implementation of a code: payload in 10⁶ bytes a second, each the best of all rounds.
///
/// Figures of more wrong bits than the code repairs are empty.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EccReport {
    /// Name of the code.
    pub code: &'static str,
    /// What divides: `byte`, `slicing-8`, `clmul` and so on.
    pub by: &'static str,
    /// Constants that encoding reads.
    pub table_bytes: Option<usize>,
    /// Data bytes of a codeword.
    pub data_bytes: usize,
    /// Parity bytes of a codeword.
    pub parity_bytes: usize,
    /// Wrong bits that the code repairs.
    pub strength: u32,
    /// Encoding.
    pub encode_mb_s: f64,
    /// Decoding where nothing is wrong.
    pub clean_mb_s: f64,
    /// Decoding where one bit is wrong.
    pub one_mb_s: Option<f64>,
    /// Decoding where two bits are wrong.
    pub two_mb_s: Option<f64>,
    /// Decoding where half as many bits are wrong as the code repairs.
    pub half_mb_s: Option<f64>,
    /// Decoding where as many bits are wrong as the code repairs.
    pub full_mb_s: Option<f64>,
}

/// An implementation of a code.
#[derive(Clone, Copy)]
pub struct EccVariant {
    /// What divides.
    pub by: &'static str,
    /// Constants that encoding reads, where that is known.
    pub table_bytes: Option<usize>,
    /// The code.
    pub code: &'static dyn Code,
}

macro_rules! variants {
    ($code:ident, $words:literal) => {{
        let means: [(_, _, &'static dyn Code); 6] = [
            ("bitwise", 0, const { &$code::<Bitwise>::with(Bitwise) }),
            ("nibble", 16, const { &$code::<Nibble>::with(Nibble) }),
            ("byte", 256, const { &$code::<Slicing<1>>::with(Slicing) }),
            (
                "slicing-4",
                1024,
                const { &$code::<Slicing<4>>::with(Slicing) },
            ),
            (
                "slicing-8",
                2048,
                const { &$code::<Slicing<8>>::with(Slicing) },
            ),
            (
                "slicing-16",
                4096,
                const { &$code::<Slicing<16>>::with(Slicing) },
            ),
        ];
        means.map(|(by, rows, code)| EccVariant {
            by,
            table_bytes: Some(8 * $words * rows),
            code,
        })
    }};
}

/// Every way to compute a code on this machine: the table budgets, smallest first, then what the processor has.
#[must_use]
pub fn ecc_variants(ecc: Ecc) -> Vec<EccVariant> {
    let mut variants = Vec::new();
    match ecc {
        Ecc::Crc => variants.push(EccVariant {
            by: "slicing-16",
            table_bytes: Some(16 * 1024),
            code: &Crc32c,
        }),
        Ecc::Secded => variants.extend(variants!(Secded, 1)),
        Ecc::Bch4 => variants.extend(variants!(Bch4, 1)),
        Ecc::Bch8 => variants.extend(variants!(Bch8, 2)),
        Ecc::Bch16 => variants.extend(variants!(Bch16, 4)),
        Ecc::Bch24 => variants.extend(variants!(Bch24, 5)),
        Ecc::Bch40 => variants.extend(variants!(Bch40, 9)),
        Ecc::Bch64 => variants.extend(variants!(Bch64, 14)),
    }
    for means in Means::ALL {
        if let Some(code) = means.code(ecc).filter(|_| means != Means::Portable) {
            variants.push(EccVariant {
                by: means.name(),
                table_bytes: None,
                code,
            });
        }
    }
    variants
}

/// Codewords of random data, with their parity.
pub struct Codewords {
    code: &'static dyn Code,
    data: Vec<u8>,
    parity: Vec<u8>,
}

impl Codewords {
    /// So many codewords of the length that the code is meant for, the same ones every time.
    #[must_use]
    pub fn new(code: &'static dyn Code, count: usize) -> Self {
        let mut codewords = Self {
            code,
            data: vec![0; count * code.data_bytes()],
            parity: vec![0; count * code.parity_bytes()],
        };
        SplitMix64::new(0xECC).fill(&mut codewords.data);
        codewords.encode();
        codewords
    }

    /// Bytes of data in them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    fn each(&mut self) -> impl Iterator<Item = (&mut [u8], &mut [u8])> {
        let data = self.data.chunks_exact_mut(self.code.data_bytes());
        data.zip(self.parity.chunks_exact_mut(self.code.parity_bytes()))
    }

    /// Encodes all of them.
    pub fn encode(&mut self) {
        let code = self.code;
        for (data, parity) in self.each() {
            // The lengths are the code's own.
            let _ = black_box(code.encode(black_box(data), parity));
        }
    }

    /// Flips so many different bits in each, anywhere in its data; the same ones every time.
    pub fn corrupt(&mut self, errors: u32) {
        let mut random = SplitMix64::new(0xBAD);
        let bits = 8 * self.code.data_bytes() as u64;
        let mut flipped = Vec::new();
        for (data, _) in self.each() {
            flipped.clear();
            while flipped.len() < errors as usize {
                let bit = random.below(bits) as usize;
                if !flipped.contains(&bit) {
                    data[bit / 8] ^= 0x80 >> (bit % 8);
                    flipped.push(bit);
                }
            }
        }
    }

    /// Decodes all of them and tells how many bits were wrong.
    pub fn decode(&mut self) -> u32 {
        let code = self.code;
        let corrected = self.each().map(|(data, parity)| {
            let corrections = black_box(code.decode(black_box(data), parity));
            corrections.map_or(0, |corrections| corrections.count())
        });
        corrected.sum()
    }
}

/// Measures an implementation; `None` if it does not repair what it should.
#[must_use]
pub fn measure_ecc(variant: &EccVariant) -> Option<EccReport> {
    let code = variant.code;
    let mut codewords = Codewords::new(code, CODEWORDS);
    let encode_mb_s = best(&mut codewords, |_| (), |codewords| codewords.encode());
    let strength = code.strength();
    let mut repaired = true;
    let mut with_errors = |errors: u32| {
        best(
            &mut codewords,
            |codewords| codewords.corrupt(errors),
            |codewords| repaired &= codewords.decode() == errors * CODEWORDS as u32,
        )
    };
    let clean_mb_s = with_errors(0);
    let [one_mb_s, two_mb_s, half_mb_s, full_mb_s] = [1, 2, strength / 2, strength].map(|errors| {
        (1..=strength)
            .contains(&errors)
            .then(|| with_errors(errors))
    });
    repaired.then_some(EccReport {
        code: code.name(),
        by: variant.by,
        table_bytes: variant.table_bytes,
        data_bytes: code.data_bytes(),
        parity_bytes: code.parity_bytes(),
        strength,
        encode_mb_s,
        clean_mb_s,
        one_mb_s,
        two_mb_s,
        half_mb_s,
        full_mb_s,
    })
}

/// The best rate of several rounds of `work`, each prepared for outside of the time taken. On a machine that does other things
/// too, the best is what comes closest to the work itself.
fn best(
    codewords: &mut Codewords,
    mut prepare: impl FnMut(&mut Codewords),
    mut work: impl FnMut(&mut Codewords),
) -> f64 {
    let mut shortest = Duration::MAX;
    let mut rounds = 0;
    let began = Instant::now();
    while rounds < ROUNDS_MIN || began.elapsed() < MEASURED {
        prepare(codewords);
        let start = Instant::now();
        work(codewords);
        shortest = shortest.min(start.elapsed());
        rounds += 1;
    }
    codewords.bytes() as f64 / shortest.as_secs_f64() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_repairs_what_it_is_measured_with() {
        for variant in Ecc::ALL.into_iter().flat_map(ecc_variants) {
            let strength = variant.code.strength();
            let mut codewords = Codewords::new(variant.code, 2);
            let clean = codewords.data.clone();
            for errors in [0, strength / 2, strength] {
                codewords.corrupt(errors);
                let name = variant.code.name();
                assert_eq!(codewords.decode(), 2 * errors, "{name} by {}", variant.by);
                assert!(codewords.data == clean);
            }
        }
    }
}
