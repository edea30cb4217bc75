//! The tables of the dividers, each in a `static` of its own: what is not used is not linked.

use super::generator::{remainder_of, step};
use super::{shifted, sum, EvenRoots, Generator, OddRoots, Remainder};
use crate::codec::gf::{CompactGf13, CompactGf14, Gf13, Gf14};

/// A generator with tables for `SLICES` bytes a step. It is a trait since a `static` cannot be generic.
pub trait SliceRows<const WORDS: usize, const SLICES: usize>: Generator<WORDS> {
    /// The rows of all slices.
    fn rows() -> &'static Rows<WORDS, SLICES>;
}

/// The rows of `SLICES` slices, laid out for the processor.
///
/// A slice after the other where a load adds an index to the address of any of them. Elsewhere each such address takes a register; with
/// the rows of a byte side by side one address serves all slices, and the distance fits the load.
#[cfg(target_pointer_width = "64")]
pub type Rows<const WORDS: usize, const SLICES: usize> = [[Remainder<WORDS>; 256]; SLICES];
/// The rows of `SLICES` slices, laid out for the processor.
#[cfg(not(target_pointer_width = "64"))]
pub type Rows<const WORDS: usize, const SLICES: usize> = [[Remainder<WORDS>; SLICES]; 256];

/// The row of `byte`: the remainder of `!byte` followed by `slice` zero bytes. Complementing the data costs nothing like this.
#[inline(always)]
pub(super) const fn row<const WORDS: usize, const SLICES: usize>(
    rows: &Rows<WORDS, SLICES>,
    slice: usize,
    byte: u8,
) -> &Remainder<WORDS> {
    let (i, j) = place(slice, byte as usize);
    &rows[i][j]
}

/// The two indices of a row.
#[inline(always)]
const fn place(slice: usize, byte: usize) -> (usize, usize) {
    if cfg!(target_pointer_width = "64") {
        (slice, byte)
    } else {
        (byte, slice)
    }
}

/// The rows of the two halves of a byte, the upper one first.
pub type HalfRows<const WORDS: usize> = [[Remainder<WORDS>; 16]; 2];

/// A generator with a table for each half of a byte.
pub trait NibbleRows<const WORDS: usize>: Generator<WORDS> {
    /// The remainder of the four bits `!n` at `n`: of the upper half, which four zero bits follow, and of the lower one.
    fn rows() -> &'static HalfRows<WORDS>;
}

const fn slice_rows<const WORDS: usize, const SLICES: usize>(
    generator: &Remainder<WORDS>,
) -> Rows<WORDS, SLICES> {
    let mut first = [[0u64; WORDS]; 256];
    let mut byte = 0;
    while byte < 256 {
        first[byte] = remainder_of(generator, byte as u8, 8);
        byte += 1;
    }
    #[cfg(target_pointer_width = "64")]
    let mut rows = [[[0u64; WORDS]; 256]; SLICES];
    #[cfg(not(target_pointer_width = "64"))]
    let mut rows = [[[0u64; WORDS]; SLICES]; 256];
    byte = 0;
    while byte < 256 {
        let mut row = first[byte];
        let mut slice = 0;
        while slice < SLICES {
            let (i, j) = place(slice, byte);
            rows[i][j] = row;
            let out = (!(row[0] >> 56) & 0xff) as usize;
            row = sum(shifted(row, 8), &first[out]);
            slice += 1;
        }
        byte += 1;
    }
    rows
}

const fn nibble_rows<const WORDS: usize>(generator: &Remainder<WORDS>) -> HalfRows<WORDS> {
    let mut rows = [[[0u64; WORDS]; 16]; 2];
    let mut nibble = 0;
    while nibble < 16 {
        let lower = remainder_of(generator, nibble as u8, 4);
        let mut upper = lower;
        let mut zero = 0;
        while zero < 4 {
            upper = step(upper, generator);
            zero += 1;
        }
        rows[0][nibble] = upper;
        rows[1][nibble] = lower;
        nibble += 1;
    }
    rows
}

macro_rules! slices {
    ($generator:ty, $words:literal, $($slices:literal)*) => {$(
        impl SliceRows<$words, $slices> for $generator {
            fn rows() -> &'static Rows<$words, $slices> {
                static ROWS: Rows<$words, $slices> =
                    slice_rows::<$words, $slices>(&<$generator as Generator<$words>>::FRACTION);
                &ROWS
            }
        }
    )*};
}

macro_rules! tabled {
    ($($generator:ty, $compact:ty, $words:literal;)*) => {$(
        slices!($generator, $words, 1 4 8 16);

        impl NibbleRows<$words> for $generator {
            fn rows() -> &'static HalfRows<$words> {
                static ROWS: HalfRows<$words> =
                    nibble_rows(&<$generator as Generator<$words>>::FRACTION);
                &ROWS
            }
        }

        // The same polynomial, so the same tables.
        impl<const SLICES: usize> SliceRows<$words, SLICES> for $compact
        where
            $generator: SliceRows<$words, SLICES>,
        {
            fn rows() -> &'static Rows<$words, SLICES> {
                <$generator as SliceRows<$words, SLICES>>::rows()
            }
        }

        impl NibbleRows<$words> for $compact {
            fn rows() -> &'static HalfRows<$words> {
                <$generator as NibbleRows<$words>>::rows()
            }
        }
    )*};
}

tabled! {
    EvenRoots<Gf13>, EvenRoots<CompactGf13>, 1;
    OddRoots<Gf13, 4>, OddRoots<CompactGf13, 4>, 1;
    OddRoots<Gf13, 8>, OddRoots<CompactGf13, 8>, 2;
    OddRoots<Gf13, 16>, OddRoots<CompactGf13, 16>, 4;
    OddRoots<Gf13, 24>, OddRoots<CompactGf13, 24>, 5;
    OddRoots<Gf14, 40>, OddRoots<CompactGf14, 40>, 9;
    OddRoots<Gf14, 64>, OddRoots<CompactGf14, 64>, 14;
}
