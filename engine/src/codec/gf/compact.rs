//! Fields without tables: slow where errors are repaired, and not a byte of constants.

use super::{product, Field};

/// GF(2^13) over x^13 + x^4 + x^3 + x + 1 (0x201b), without tables.
#[derive(Debug, Clone, Copy)]
pub struct CompactGf13;

/// GF(2^14) over x^14 + x^5 + x^3 + x + 1 (0x402b), without tables.
#[derive(Debug, Clone, Copy)]
pub struct CompactGf14;

macro_rules! compact {
    ($field:ident, $m:literal, $poly:literal) => {
        impl Field for $field {
            const M: u32 = $m;
            const POLY: u32 = $poly;
            const HAS_TABLES: bool = false;

            fn exp(power: u32) -> u16 {
                let power = power % Self::ORDER;
                (0..Self::M).rev().fold(1, |value, bit| {
                    let squared = Self::square(value);
                    if (power >> bit) & 1 == 1 {
                        Self::mul(squared, 2)
                    } else {
                        squared
                    }
                })
            }

            fn log(x: u16) -> u32 {
                let mut power: u32 = 1;
                for log in 0..Self::ORDER {
                    if power == u32::from(x) {
                        return log;
                    }
                    power <<= 1;
                    if power > Self::ORDER {
                        power ^= Self::POLY;
                    }
                }
                0
            }

            fn mul(a: u16, b: u16) -> u16 {
                product(Self::M, Self::POLY, a, b)
            }

            fn div(a: u16, b: u16) -> u16 {
                // 1 / b = b^(2^m - 2) = (b²) (b⁴) (b⁸) …
                let mut quotient = a;
                let mut power = b;
                for _ in 1..Self::M {
                    power = Self::square(power);
                    quotient = Self::mul(quotient, power);
                }
                quotient
            }

            fn sqrt(a: u16) -> u16 {
                (1..Self::M).fold(a, |value, _| Self::square(value))
            }
        }
    };
}

compact!(CompactGf13, 13, 0x201b);
compact!(CompactGf14, 14, 0x402b);
