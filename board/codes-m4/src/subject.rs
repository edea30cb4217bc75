//! What is measured: each code with each budget of tables.

use core::mem::size_of_val;

#[cfg(not(feature = "small-tables"))]
use cuesta::codec::{
    bch::{Bch16, Bch24, Bch4, Bch40, Bch64, Bch8},
    gf::{CompactGf13, CompactGf14, Field, Gf13, Gf14},
    remainder::{Bitwise, EvenRoots, Nibble, NibbleRows, OddRoots, SliceRows, Slicing},
    secded::Secded,
};
use cuesta::codec::{Code, Ecc};

/// A code, and what it takes for tables.
pub struct Subject {
    /// The code.
    pub code: &'static dyn Code,
    /// How much of the data it divides in a step.
    pub step: &'static str,
    /// Bytes of constant tables that encoding and clean decoding take.
    pub tables: usize,
    /// Bytes of constant tables that the repair of errors takes on top.
    pub repair_tables: usize,
}

/// The CRC, with the tables that the features of the engine give it.
const CRC_SLICES: usize = if cfg!(feature = "small-tables") {
    1
} else {
    16
};

fn crc() -> Subject {
    Subject {
        code: Ecc::Crc.portable(),
        step: if CRC_SLICES == 1 {
            "1 byte"
        } else {
            "16 bytes"
        },
        tables: CRC_SLICES * size_of_val(&[0u32; 256]),
        repair_tables: 0,
    }
}

/// Hands all of them to `take`.
#[cfg(feature = "small-tables")]
pub fn each(mut take: impl FnMut(Subject)) {
    take(crc());
}

/// Hands all of them to `take`: the CRC and, for any other code, all ways to divide. Up to a byte a step the field has no tables either, as
/// with the feature `small-tables` of the engine, else it has.
#[cfg(not(feature = "small-tables"))]
pub fn each(mut take: impl FnMut(Subject)) {
    take(crc());
    macro_rules! divided {
        ($code:ident, $words:literal, $compact:ty, $compact_generator:ty, $field:ty, $generator:ty, $syndromes:expr) => {
            take(Subject {
                code: const { &$code::<Bitwise, $compact>::with(Bitwise) },
                step: "1 bit",
                tables: 0,
                repair_tables: 0,
            });
            take(Subject {
                code: const { &$code::<Nibble, $compact>::with(Nibble) },
                step: "2×4 bits",
                tables: size_of_val(<$compact_generator as NibbleRows<$words>>::rows()),
                repair_tables: 0,
            });
            take(Subject {
                code: const { &$code::<Slicing<1>, $compact>::with(Slicing) },
                step: "1 byte",
                tables: size_of_val(<$compact_generator as SliceRows<$words, 1>>::rows()),
                repair_tables: 0,
            });
            let repair_tables = logarithms::<$field>() + $syndromes;
            take(Subject {
                code: const { &$code::<Slicing<4>, $field>::with(Slicing) },
                step: "4 bytes",
                tables: size_of_val(<$generator as SliceRows<$words, 4>>::rows()),
                repair_tables,
            });
            take(Subject {
                code: const { &$code::<Slicing<8>, $field>::with(Slicing) },
                step: "8 bytes",
                tables: size_of_val(<$generator as SliceRows<$words, 8>>::rows()),
                repair_tables,
            });
            take(Subject {
                code: const { &$code::<Slicing<16>, $field>::with(Slicing) },
                step: "16 bytes",
                tables: size_of_val(<$generator as SliceRows<$words, 16>>::rows()),
                repair_tables,
            });
        };
    }
    macro_rules! bch {
        ($code:ident, $t:literal, $words:literal, $compact:ty, $field:ty) => {
            divided!(
                $code,
                $words,
                $compact,
                OddRoots<$compact, $t>,
                $field,
                OddRoots<$field, $t>,
                syndromes($t, <$field>::M)
            );
        };
    }
    divided!(
        Secded,
        1,
        CompactGf13,
        EvenRoots<CompactGf13>,
        Gf13,
        EvenRoots<Gf13>,
        0
    );
    bch!(Bch4, 4, 1, CompactGf13, Gf13);
    bch!(Bch8, 8, 2, CompactGf13, Gf13);
    bch!(Bch16, 16, 4, CompactGf13, Gf13);
    bch!(Bch24, 24, 5, CompactGf13, Gf13);
    bch!(Bch40, 40, 9, CompactGf14, Gf14);
    bch!(Bch64, 64, 14, CompactGf14, Gf14);
}

/// The bytes of a field's tables, which are private: powers and logarithms, two bytes each.
#[cfg(not(feature = "small-tables"))]
const fn logarithms<F: Field>() -> usize {
    2 * 2 * (F::ORDER as usize + 1)
}

/// The bytes of the table that syndromes are summed from, which is private, too: a row of `t` elements for each bit of the remainder, or,
/// up to `t` = 8, for each value of each four bits.
#[cfg(not(feature = "small-tables"))]
const fn syndromes(t: usize, m: u32) -> usize {
    let bits = t * m as usize;
    2 * t * if t <= 8 { 16 * bits.div_ceil(4) } else { bits }
}
