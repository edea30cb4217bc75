//! Division of a codeword's data by the generator polynomial of its code: what encoding, and the clean path of
//! decoding, consist of.
//!
//! Data bits are the coefficients of a polynomial, the most significant bit of the first byte first and highest.
//! The data is *complemented* on its way in, and a user of the remainder complements it on its way out. An erased
//! page reads as ones, ones complemented are zeros, and zeros are a codeword of every linear code: so erased data
//! with erased parity is a codeword at every length. The code being linear, this is the same as XORing the parity
//! with a mask chosen by the length of the data; only there is no mask to keep.
//!
//! A [`Generator`] is the polynomial, a [`Divider`] a way to divide by it: [`Bitwise`], [`Nibble`] and [`Slicing`]
//! differ in the constants they take and in speed, a divider of another crate may use what the processor has. All
//! of them give the same remainders.
//!
//! Sources: Sarwate, "Computation of cyclic redundancy checks via table look-up", CACM 31 (1988), with its
//! extension to several bytes a step by Kounavis and Berry (2005).

mod divide;
mod generator;
mod tables;

#[cfg(test)]
mod tests;

pub use divide::{Bitwise, Nibble, Slicing};
pub use generator::{EvenRoots, Generator, OddRoots};
pub use tables::{HalfRows, NibbleRows, Rows, SliceRows};

/// A remainder, the coefficient of its highest power in the highest bit of the first word.
///
/// The bits of the last word that it has no coefficients for are zeros.
pub type Remainder<const WORDS: usize> = [u64; WORDS];

/// A way to divide by the generator `G`. What it is made of — tables, instructions — is its own affair.
pub trait Divider<G: Generator<WORDS>, const WORDS: usize>: Copy + Send + Sync + 'static {
    /// Goes on with `data`: `remainder` becomes what is left of
    /// remainder · x^(8·len) + !data · x^[`BITS`](Generator::BITS) when divided by the generator.
    ///
    /// # Guarantees
    /// Equal for every divider, bit by bit, however data is cut into pieces. No panic, at any length.
    fn feed(&self, remainder: &mut Remainder<WORDS>, data: &[u8]);
}

/// `remainder` moved up by `bits`, 1 to 63; what leaves it at the top is lost.
#[inline]
const fn shifted<const WORDS: usize>(
    mut remainder: Remainder<WORDS>,
    bits: u32,
) -> Remainder<WORDS> {
    let mut word = 0;
    while word < WORDS {
        remainder[word] <<= bits;
        if word + 1 < WORDS {
            remainder[word] |= remainder[word + 1] >> (64 - bits);
        }
        word += 1;
    }
    remainder
}

#[inline]
const fn sum<const WORDS: usize>(
    mut to: Remainder<WORDS>,
    from: &Remainder<WORDS>,
) -> Remainder<WORDS> {
    let mut word = 0;
    while word < WORDS {
        to[word] ^= from[word];
        word += 1;
    }
    to
}
