//! Fields with tables of logarithms.

use super::Field;

/// GF(2^13) over x^13 + x^4 + x^3 + x + 1 (0x201b), as in the table of primitive polynomials of Linux `lib/bch.c`,
/// with 32 KiB of tables.
#[derive(Debug, Clone, Copy)]
pub struct Gf13;

/// GF(2^14) over x^14 + x^5 + x^3 + x + 1 (0x402b), as in the table of primitive polynomials of Linux `lib/bch.c`,
/// with 64 KiB of tables.
#[derive(Debug, Clone, Copy)]
pub struct Gf14;

/// Powers of α and their logarithms; `SIZE` is 2^m.
struct Logarithms<const SIZE: usize> {
    /// α^i at i; the last entry, at the order of α, is 1 again.
    exp: [u16; SIZE],
    /// The logarithm of x at x; 0 at 0, where there is none.
    log: [u16; SIZE],
}

impl<const SIZE: usize> Logarithms<SIZE> {
    const ORDER: u32 = SIZE as u32 - 1;

    const fn new(poly: u32) -> Self {
        let mut tables = Self {
            exp: [0; SIZE],
            log: [0; SIZE],
        };
        let mut power: usize = 1;
        let mut i = 0;
        while i < SIZE {
            tables.exp[i] = power as u16;
            if i + 1 < SIZE {
                tables.log[power] = i as u16;
            }
            power <<= 1;
            if power >= SIZE {
                power ^= poly as usize;
            }
            i += 1;
        }
        tables
    }

    /// α^`sum`, where `sum` is at most twice the order. The mask is for the compiler, which then knows the index to be
    /// inside.
    #[inline]
    fn exp(&self, sum: u32) -> u16 {
        self.exp[fold(sum, Self::ORDER) as usize & (SIZE - 1)]
    }

    #[inline]
    fn log(&self, x: u16) -> u32 {
        u32::from(self.log[usize::from(x) & (SIZE - 1)])
    }

    #[inline]
    fn mul(&self, a: u16, b: u16) -> u16 {
        if a == 0 || b == 0 {
            return 0;
        }
        self.exp(self.log(a) + self.log(b))
    }

    #[inline]
    fn add_scaled(&self, sum: &mut [u16], factor: u16, row: &[u16]) {
        if factor == 0 {
            return;
        }
        let log = self.log(factor);
        for (sum, &element) in sum.iter_mut().zip(row) {
            if element != 0 {
                *sum ^= self.exp(log + self.log(element));
            }
        }
    }

    fn prepare(&self, row: &mut [u16]) {
        for element in row {
            *element = match *element {
                0 => NONE,
                x => self.log[usize::from(x) & (SIZE - 1)],
            };
        }
    }

    #[inline]
    fn add_prepared(&self, sum: &mut [u16], factor: u16, logs: &[u16]) {
        if factor == 0 {
            return;
        }
        let log = self.log(factor);
        for (sum, &other) in sum.iter_mut().zip(logs) {
            if other != NONE {
                *sum ^= self.exp(log + u32::from(other));
            }
        }
    }

    #[inline]
    fn dot_prepared(&self, row: &[u16], logs: &[u16]) -> u16 {
        let mut sum = 0;
        for (&element, &log) in row.iter().zip(logs) {
            if element != 0 && log != NONE {
                sum ^= self.exp(self.log(element) + u32::from(log));
            }
        }
        sum
    }

    /// Whether α^`log`, α^(3 `log`), … are exactly `odd`.
    #[inline]
    fn odd_powers_are(&self, log: u32, odd: &[u16]) -> bool {
        let step = fold(2 * log, Self::ORDER);
        let mut power = log;
        odd.iter().all(|&expected| {
            let equal = self.exp(power) == expected;
            power = fold(power + step, Self::ORDER);
            equal
        })
    }

    #[inline]
    fn odd_power_sums_are(&self, logs: [u32; 2], odd: &[u16]) -> bool {
        let steps = logs.map(|log| fold(2 * log, Self::ORDER));
        let mut powers = logs;
        odd.iter().all(|&expected| {
            let equal = self.exp(powers[0]) ^ self.exp(powers[1]) == expected;
            for (power, step) in powers.iter_mut().zip(steps) {
                *power = fold(*power + step, Self::ORDER);
            }
            equal
        })
    }
}

/// What stands for the logarithm of 0 in a prepared row. No other is as large: m is at most 15.
const NONE: u16 = u16::MAX;

/// `sum` modulo `order`, where `sum` is at most twice of it; the order itself may stay. Below it the difference wraps to more
/// than the sum.
#[inline]
fn fold(sum: u32, order: u32) -> u32 {
    sum.min(sum.wrapping_sub(order))
}

macro_rules! tabulated {
    ($field:ident, $m:literal, $poly:literal, $table:ident) => {
        static $table: Logarithms<{ 1 << $m }> = Logarithms::new($poly);

        impl Field for $field {
            const M: u32 = $m;
            const POLY: u32 = $poly;
            const HAS_TABLES: bool = true;

            #[inline]
            fn exp(power: u32) -> u16 {
                $table.exp(power % Self::ORDER)
            }

            #[inline]
            fn log(x: u16) -> u32 {
                $table.log(x)
            }

            #[inline]
            fn mul(a: u16, b: u16) -> u16 {
                $table.mul(a, b)
            }

            #[inline]
            fn div(a: u16, b: u16) -> u16 {
                if a == 0 {
                    return 0;
                }
                $table.exp($table.log(a) + Self::ORDER - $table.log(b))
            }

            #[inline]
            fn sqrt(a: u16) -> u16 {
                if a == 0 {
                    return 0;
                }
                let log = $table.log(a);
                // An odd logarithm becomes even by adding the order, which is odd.
                $table.exp((log + (log & 1) * Self::ORDER) / 2)
            }

            #[inline]
            fn square(a: u16) -> u16 {
                if a == 0 {
                    return 0;
                }
                $table.exp(2 * $table.log(a))
            }

            #[inline]
            fn add_scaled(sum: &mut [u16], factor: u16, row: &[u16]) {
                $table.add_scaled(sum, factor, row);
            }

            #[inline]
            fn prepare(row: &mut [u16]) {
                $table.prepare(row);
            }

            #[inline]
            fn add_prepared(sum: &mut [u16], factor: u16, prepared: &[u16]) {
                $table.add_prepared(sum, factor, prepared);
            }

            #[inline]
            fn dot_prepared(row: &[u16], prepared: &[u16]) -> u16 {
                $table.dot_prepared(row, prepared)
            }

            #[inline]
            fn odd_powers_are(x: u16, odd: &[u16]) -> bool {
                $table.odd_powers_are($table.log(x), odd)
            }

            #[inline]
            fn odd_power_sums_are(of: [u16; 2], odd: &[u16]) -> bool {
                $table.odd_power_sums_are(of.map(|x| $table.log(x)), odd)
            }
        }
    };
}

tabulated!(Gf13, 13, 0x201b, TABLE13);
tabulated!(Gf14, 14, 0x402b, TABLE14);
