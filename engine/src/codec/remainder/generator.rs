//! Generator polynomials, computed when the program is compiled.

use core::marker::PhantomData;

use super::{shifted, sum, Remainder};
use crate::codec::gf::{product, Field};

/// The generator polynomial of a code. Its remainders fill `WORDS` words.
pub trait Generator<const WORDS: usize>: Copy + Send + Sync + 'static {
    /// Its degree, which is the number of parity bits.
    const BITS: u32;

    /// It divided by x^[`BITS`](Self::BITS), without the 1 before the point: left-aligned, highest power first.
    const FRACTION: Remainder<WORDS>;
}

/// The product of the minimal polynomials of α, α³, …, α^(2T−1): the generator of the binary BCH code that repairs `T`
/// bits.
#[derive(Debug, Clone, Copy)]
pub struct OddRoots<F, const T: usize> {
    field: PhantomData<F>,
}

/// The product of x + 1 and the minimal polynomial of α: the generator of the Hamming codewords of even weight.
#[derive(Debug, Clone, Copy)]
pub struct EvenRoots<F> {
    field: PhantomData<F>,
}

impl<F: Field, const T: usize, const WORDS: usize> Generator<WORDS> for OddRoots<F, T> {
    const BITS: u32 = F::M * T as u32;

    const FRACTION: Remainder<WORDS> = {
        assert!(WORDS as u32 == <Self as Generator<WORDS>>::BITS.div_ceil(64));
        let mut generator = [0u64; WORDS];
        let mut root: u16 = 2;
        let mut factor = 0;
        while factor < T {
            generator = times(
                generator,
                minimal_polynomial(F::M, F::POLY, root),
                F::M as usize,
            );
            root = product(F::M, F::POLY, root, 4);
            factor += 1;
        }
        generator
    };
}

impl<F: Field> Generator<1> for EvenRoots<F> {
    const BITS: u32 = F::M + 1;

    const FRACTION: Remainder<1> = times(
        times([0], minimal_polynomial(F::M, F::POLY, 2), F::M as usize),
        1,
        1,
    );
}

/// 1 + `fraction` times a polynomial of this degree, of which `low` are the coefficients without the leading one.
///
/// Polynomials are written here as `1 + fraction`, divided by their leading power; the fractions are left-aligned.
const fn times<const WORDS: usize>(
    fraction: Remainder<WORDS>,
    low: u16,
    degree: usize,
) -> Remainder<WORDS> {
    let mut sum = fraction;
    let mut shift = 1;
    while shift <= degree {
        if (low >> (degree - shift)) & 1 == 1 {
            sum = plus_shifted(sum, fraction, shift);
        }
        shift += 1;
    }
    sum
}

/// `sum` + (1 + `fraction`) x^-`shift`
const fn plus_shifted<const WORDS: usize>(
    mut sum: Remainder<WORDS>,
    fraction: Remainder<WORDS>,
    shift: usize,
) -> Remainder<WORDS> {
    // 1 ≤ shift ≤ 16, and a fraction has at least one word.
    sum[0] ^= 1 << (64 - shift);
    let mut word = 0;
    while word < WORDS {
        sum[word] ^= fraction[word] >> shift;
        if word > 0 {
            sum[word] ^= fraction[word - 1] << (64 - shift);
        }
        word += 1;
    }
    sum
}

/// The minimal polynomial over GF(2) of `root`, which must be in no smaller field, without its leading term.
const fn minimal_polynomial(m: u32, poly: u32, root: u16) -> u16 {
    // (x + root) (x + root²) (x + root⁴) …, lowest power first.
    let mut coefficients = [0u16; 17];
    coefficients[0] = 1;
    let mut conjugate = root;
    let mut degree = 0;
    while degree < m as usize {
        let mut i = degree + 1;
        while i > 0 {
            coefficients[i] = coefficients[i - 1] ^ product(m, poly, conjugate, coefficients[i]);
            i -= 1;
        }
        coefficients[0] = product(m, poly, conjugate, coefficients[0]);
        conjugate = product(m, poly, conjugate, conjugate);
        degree += 1;
        assert!(conjugate != root || degree == m as usize);
    }
    let mut bits = 0;
    let mut i = 0;
    while i < m as usize {
        assert!(coefficients[i] <= 1);
        bits |= coefficients[i] << i;
        i += 1;
    }
    bits
}

/// The remainder of `!top` x^[`BITS`](Generator::BITS), where `top` has `bits` bits, at most 8.
pub(super) const fn remainder_of<const WORDS: usize>(
    generator: &Remainder<WORDS>,
    top: u8,
    bits: u32,
) -> Remainder<WORDS> {
    let mut remainder = [0u64; WORDS];
    remainder[0] = (!(top as u64)) << (64 - bits);
    let mut bit = 0;
    while bit < bits {
        remainder = step(remainder, generator);
        bit += 1;
    }
    remainder
}

/// `remainder` · x
#[inline]
pub(super) const fn step<const WORDS: usize>(
    remainder: Remainder<WORDS>,
    generator: &Remainder<WORDS>,
) -> Remainder<WORDS> {
    let out = remainder[0] >> 63;
    let moved = shifted(remainder, 1);
    if out == 1 {
        sum(moved, generator)
    } else {
        moved
    }
}
