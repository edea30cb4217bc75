//! The tables of the dividers, each in a `static` of its own: what is not used is not linked.

use super::generator::remainder_of;
use super::{shifted, sum, EvenRoots, Generator, OddRoots, Remainder};
use crate::codec::gf::{CompactGf13, CompactGf14, Gf13, Gf14};

/// A generator with tables for `SLICES` bytes a step. It is a trait since a `static` cannot be generic.
pub trait SliceRows<const WORDS: usize, const SLICES: usize>: Generator<WORDS> {
    /// `rows()[k][b]` is the remainder of the byte `!b` followed by `k` zero bytes. Complementing the data costs
    /// nothing like this.
    fn rows() -> &'static [[Remainder<WORDS>; 256]; SLICES];
}

/// A generator with a table for half a byte a step.
pub trait NibbleRows<const WORDS: usize>: Generator<WORDS> {
    /// The remainder of the four bits `!n` at `n`.
    fn rows() -> &'static [Remainder<WORDS>; 16];
}

const fn slice_rows<const WORDS: usize, const SLICES: usize>(
    generator: &Remainder<WORDS>,
) -> [[Remainder<WORDS>; 256]; SLICES] {
    let mut rows = [[[0u64; WORDS]; 256]; SLICES];
    let mut byte = 0;
    while byte < 256 {
        rows[0][byte] = remainder_of(generator, byte as u8, 8);
        byte += 1;
    }
    let mut slice = 1;
    while slice < SLICES {
        byte = 0;
        while byte < 256 {
            let before = rows[slice - 1][byte];
            let out = (!(before[0] >> 56) & 0xff) as usize;
            rows[slice][byte] = sum(shifted(before, 8), &rows[0][out]);
            byte += 1;
        }
        slice += 1;
    }
    rows
}

const fn nibble_rows<const WORDS: usize>(generator: &Remainder<WORDS>) -> [Remainder<WORDS>; 16] {
    let mut rows = [[0u64; WORDS]; 16];
    let mut nibble = 0;
    while nibble < 16 {
        rows[nibble] = remainder_of(generator, nibble as u8, 4);
        nibble += 1;
    }
    rows
}

macro_rules! slices {
    ($generator:ty, $words:literal, $($slices:literal)*) => {$(
        impl SliceRows<$words, $slices> for $generator {
            fn rows() -> &'static [[Remainder<$words>; 256]; $slices] {
                static ROWS: [[Remainder<$words>; 256]; $slices] =
                    slice_rows(&<$generator as Generator<$words>>::FRACTION);
                &ROWS
            }
        }
    )*};
}

macro_rules! tabled {
    ($($generator:ty, $compact:ty, $words:literal;)*) => {$(
        slices!($generator, $words, 1 4 8 16);

        impl NibbleRows<$words> for $generator {
            fn rows() -> &'static [Remainder<$words>; 16] {
                static ROWS: [Remainder<$words>; 16] =
                    nibble_rows(&<$generator as Generator<$words>>::FRACTION);
                &ROWS
            }
        }

        // The same polynomial, so the same tables.
        impl<const SLICES: usize> SliceRows<$words, SLICES> for $compact
        where
            $generator: SliceRows<$words, SLICES>,
        {
            fn rows() -> &'static [[Remainder<$words>; 256]; SLICES] {
                <$generator as SliceRows<$words, SLICES>>::rows()
            }
        }

        impl NibbleRows<$words> for $compact {
            fn rows() -> &'static [Remainder<$words>; 16] {
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
