//! How often theory says that a code takes more wrong bits than it repairs for fewer.
//!
//! A code that repairs t bits takes what it reads for a codeword if one lies within t bits of it. Of all words of n bits the share that does is
//! 2^(n−r) · Σ C(n, s) / 2^n for s ≤ t and r bits of parity, as the words around two codewords have none in common; that is exact. Of the words with w wrong bits
//! it is not known for every code. What is said here is right on average over all codes with the same distance: each word of that
//! weight or more is a codeword with the chance 2^−r. For t + 1 wrong bits that is C(n−t−1, t) / 2^r, and since an unshortened
//! binary BCH code has n ≈ 2^(r/t), about 1/t!; a shortened one has (n / 2^(r/t))^t times as many.
//!
//! Sources: R. McEliece, L. Swanson, "On the decoder error probability for Reed-Solomon codes" (IEEE Trans. IT 32, 1986), whose argument
//! this is; M. Kim, J. Lee, "Undetected error probabilities of binary primitive BCH codes for both error correction and detection"
//! (IEEE Trans. Communications 44, 1996) for 1/t!.

use cuesta::codec::{Code, Ecc};

use super::binomial::{ln_choose, ln_factorial};
use super::wrong_bits::bits;

/// What theory knows of a code.
#[derive(Debug, Clone, Copy)]
pub struct Theory {
    bits: u64,
    parity_bits: u64,
    strength: u64,
    /// Any two codewords differ in an even number of bits.
    even: bool,
}

impl Theory {
    /// About a code at the length that it is meant for.
    #[must_use]
    pub fn of(ecc: Ecc, code: &dyn Code) -> Self {
        Self {
            bits: bits(code),
            parity_bits: code.parity_bits() as u64,
            strength: u64::from(code.strength()),
            even: ecc == Ecc::Secded,
        }
    }

    /// Share of random words that are taken for a codeword: exact.
    #[must_use]
    pub fn of_garbage(&self) -> f64 {
        let near = |wrong| (ln_choose(self.bits, wrong) - self.ln_words_a_codeword()).exp();
        (0..=self.strength).map(near).sum()
    }

    /// Share of the words with so many wrong bits that are taken for another codeword, on average over codes.
    #[must_use]
    pub fn of_wrong(&self, wrong: u64) -> f64 {
        let distance = 2 * self.strength + if self.even { 2 } else { 1 };
        // Half of the words have the weight of a codeword at all.
        let factor = if self.even { 2.0 } else { 1.0 };
        let mut share = 0.0;
        for turned in 0..=self.strength {
            // Of the bits that the code turns, so many were wrong.
            for righted in 0..=turned.min(wrong) {
                let weight = wrong + turned - 2 * righted;
                if weight < distance || (self.even && !weight.is_multiple_of(2)) {
                    continue;
                }
                let ways = ln_choose(wrong, righted)
                    + ln_choose(self.bits.saturating_sub(wrong), turned - righted);
                share += factor * (ways - self.ln_words_a_codeword()).exp();
            }
        }
        share
    }

    /// 1/t!: about the share of any words of the unshortened code that are taken for another codeword, if that is a BCH code.
    #[must_use]
    pub fn of_unshortened(&self) -> Option<f64> {
        (!self.even).then(|| (-ln_factorial(self.strength)).exp())
    }

    fn ln_words_a_codeword(&self) -> f64 {
        self.parity_bits as f64 * std::f64::consts::LN_2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theory(ecc: Ecc) -> Theory {
        Theory::of(ecc, ecc.portable())
    }

    #[test]
    fn up_to_the_strength_nothing_is_taken_for_another_codeword() {
        for ecc in [Ecc::Secded, Ecc::Bch4, Ecc::Bch8, Ecc::Bch64] {
            let theory = theory(ecc);
            for wrong in 0..=theory.strength {
                assert_eq!(theory.of_wrong(wrong), 0.0, "{ecc:?}");
            }
        }
        // The extended Hamming code finds two as well.
        assert_eq!(theory(Ecc::Secded).of_wrong(2), 0.0);
    }

    #[test]
    fn the_shares_are_those_that_the_codes_promise() {
        let secded = theory(Ecc::Secded);
        // A word of odd weight is taken for a codeword when its syndrome is that of one of the word's 4110 bits.
        assert!((secded.of_wrong(3) - 4107.0 / 8192.0).abs() < 1e-9);
        assert!((secded.of_wrong(4) - 1.0 / 8192.0).abs() < 1e-9);
        assert!((secded.of_garbage() - 4111.0 / 16384.0).abs() < 1e-9);
        let bch4 = theory(Ecc::Bch4);
        assert!((1.0 / bch4.of_garbage() - 370.0).abs() < 5.0);
        assert!((1.0 / bch4.of_wrong(5) - 370.0).abs() < 5.0);
        let bch8 = theory(Ecc::Bch8).of_wrong(9);
        assert!((0.5e-7..2e-7).contains(&bch8), "{bch8}");
    }

    #[test]
    fn the_unshortened_code_has_one_of_t_factorial() {
        let unshortened = Theory {
            bits: 8191,
            parity_bits: 52,
            strength: 4,
            even: false,
        };
        let share = unshortened.of_wrong(5);
        assert!((share * 24.0 - 1.0).abs() < 0.01, "{share}");
    }
}
