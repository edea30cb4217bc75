//! From the remainder of what was read to its syndromes.
//!
//! A syndrome is the value of that remainder at a power of α, so it is linear in the bits of the remainder: with tables,
//! it is a sum of rows, one for each half byte of the remainder where that fits a cache, else one for each bit.

use crate::codec::gf::{CompactGf13, CompactGf14, Field, Gf13, Gf14};
use crate::codec::remainder::OddRoots;

/// A code whose syndromes S1, S3, S5, … follow from a remainder.
pub trait Syndromes<const T: usize> {
    /// Adds to `odd` the values of `remainder` at α, α³, α⁵, ….
    ///
    /// The remainder is left-aligned, its bits beyond the code's parity zeros.
    fn add(remainder: &[u64], odd: &mut [u16; T]);
}

/// The values of the terms x^(`BITS` − 1), …, x, 1 at α, α³, α⁵, …, four of them in a word, the first lowest; m is at most 14.
const fn rows<const LANES: usize, const BITS: usize>(m: u32, poly: u32) -> [[u64; LANES]; BITS] {
    let order = (1 << m) - 1;
    let mut powers = [0u16; 1 << 14];
    let mut power: u32 = 1;
    let mut i = 0;
    while i < order {
        powers[i] = power as u16;
        power <<= 1;
        if power >> m == 1 {
            power ^= poly;
        }
        i += 1;
    }
    let mut rows = [[0; LANES]; BITS];
    let mut bit = 0;
    while bit < BITS {
        let mut j = 0;
        while j < 4 * LANES {
            let value = powers[bit * (2 * j + 1) % order];
            rows[BITS - 1 - bit][j / 4] |= (value as u64) << (16 * (j % 4));
            j += 1;
        }
        bit += 1;
    }
    rows
}

/// The sums of all sets of four consecutive [`rows`], the highest bit of the index standing for the first of them.
const fn nibble_rows<const LANES: usize, const BITS: usize, const NIBBLES: usize>(
    m: u32,
    poly: u32,
) -> [[[u64; LANES]; 16]; NIBBLES] {
    let single: [[u64; LANES]; BITS] = rows(m, poly);
    let mut sums = [[[0; LANES]; 16]; NIBBLES];
    let mut nibble = 0;
    while nibble < NIBBLES {
        let mut value = 1;
        while value < 16 {
            let mut bit = 0;
            while bit < 4 {
                if (value >> (3 - bit)) & 1 == 1 && 4 * nibble + bit < BITS {
                    let mut lane = 0;
                    while lane < LANES {
                        sums[nibble][value][lane] ^= single[4 * nibble + bit][lane];
                        lane += 1;
                    }
                }
                bit += 1;
            }
            value += 1;
        }
        nibble += 1;
    }
    sums
}

macro_rules! by_nibbles {
    ($field:ty, $t:literal, $bits:literal) => {
        impl Syndromes<$t> for OddRoots<$field, $t> {
            #[inline]
            fn add(remainder: &[u64], odd: &mut [u16; $t]) {
                const NIBBLES: usize = usize::div_ceil($bits, 4);
                static ROWS: [[[u64; $t / 4]; 16]; NIBBLES] =
                    nibble_rows::<{ $t / 4 }, $bits, NIBBLES>(<$field>::M, <$field>::POLY);
                let mut sums = [0; $t / 4];
                for (rows, word) in ROWS.chunks(16).zip(remainder) {
                    for (rows, shift) in rows.iter().zip((0..64).step_by(4).rev()) {
                        add_row(&mut sums, &rows[(word >> shift) as usize & 15]);
                    }
                }
                unpack(&sums, odd);
            }
        }
    };
}

macro_rules! by_bits {
    ($field:ty, $t:literal, $bits:literal) => {
        impl Syndromes<$t> for OddRoots<$field, $t> {
            #[inline]
            fn add(remainder: &[u64], odd: &mut [u16; $t]) {
                static ROWS: [[u64; $t / 4]; $bits] = rows(<$field>::M, <$field>::POLY);
                let mut sums = [0; $t / 4];
                for (rows, &word) in ROWS.chunks(64).zip(remainder) {
                    let mut rest = word;
                    while rest != 0 {
                        let lead = rest.leading_zeros();
                        rest ^= (1 << 63) >> lead;
                        if let Some(row) = rows.get(lead as usize) {
                            add_row(&mut sums, row);
                        }
                    }
                }
                unpack(&sums, odd);
            }
        }
    };
}

by_nibbles!(Gf13, 4, 52);
by_nibbles!(Gf13, 8, 104);
by_bits!(Gf13, 16, 208);
by_bits!(Gf13, 24, 312);
by_bits!(Gf14, 40, 560);
by_bits!(Gf14, 64, 896);

#[inline]
fn add_row<const LANES: usize>(sums: &mut [u64; LANES], row: &[u64; LANES]) {
    for (sum, lane) in sums.iter_mut().zip(row) {
        *sum ^= lane;
    }
}

/// Adds the elements, four in a word, to those of `odd`.
#[inline]
fn unpack(sums: &[u64], odd: &mut [u16]) {
    for (odd, sum) in odd.chunks_exact_mut(4).zip(sums) {
        for (element, shift) in odd.iter_mut().zip([0, 16, 32, 48]) {
            *element ^= (sum >> shift) as u16;
        }
    }
}

macro_rules! without_table {
    ($($field:ty)*) => {$(
        impl<const T: usize> Syndromes<T> for OddRoots<$field, T> {
            fn add(remainder: &[u64], odd: &mut [u16; T]) {
                by_products::<$field>(remainder, odd);
            }
        }
    )*};
}

without_table!(CompactGf13 CompactGf14);

/// Without a table: Horner's rule, a bit at a time.
fn by_products<F: Field>(remainder: &[u64], odd: &mut [u16]) {
    let bits = F::M as usize * odd.len();
    let mut point = 2;
    for sum in odd {
        let mut value = 0;
        for bit in 0..bits {
            let word = remainder.get(bit / 64).copied().unwrap_or(0);
            value = F::mul(value, point) ^ ((word >> (63 - bit % 64)) & 1) as u16;
        }
        *sum ^= value;
        point = F::mul(point, 4);
    }
}
