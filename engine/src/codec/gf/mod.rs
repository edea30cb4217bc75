//! Arithmetic in GF(2^m), as far as binary BCH codes need it.
//!
//! Elements are polynomials over GF(2) below degree m, the coefficient of x^i in bit i; α = x is a primitive
//! element. A field comes twice: [`Gf13`] and [`Gf14`] multiply through tables of logarithms (32 and 64 KiB of
//! constants); [`CompactGf13`] and [`CompactGf14`] have none: a product is m shifts, a logarithm a walk along the
//! powers of α. Only the repair of errors pays for that: the clean path of a decoder does not come here.

mod compact;
mod logarithms;
mod roots;

#[cfg(test)]
mod tests;

pub use compact::{CompactGf13, CompactGf14};
pub use logarithms::{Gf13, Gf14};
pub(in crate::codec) use roots::{roots_of_cubic, roots_of_quadratic, roots_of_quartic};

/// A field GF(2^m) with its primitive polynomial.
pub trait Field: Copy + Send + Sync + 'static {
    /// The degree m of the extension, at most 16.
    const M: u32;
    /// The primitive polynomial, leading term included.
    const POLY: u32;
    /// Whether products are looked up.
    const HAS_TABLES: bool;
    /// The number of elements other than 0, which is the order of α.
    const ORDER: u32 = (1 << Self::M) - 1;
    /// The images of 1, x, x², … under a linear map that sends c to a root y of y² + y = c, wherever there is one.
    const ARTIN_SCHREIER: [u16; 16] = roots::artin_schreier_basis(Self::M, Self::POLY);

    /// α^`power`.
    fn exp(power: u32) -> u16;

    /// The power below [`ORDER`](Self::ORDER) to which α must be raised to give `x`. `x` must not be 0; if it
    /// is, the answer is some number below `ORDER`.
    fn log(x: u16) -> u32;

    /// The product of two elements.
    fn mul(a: u16, b: u16) -> u16;

    /// `a` / `b`. `b` must not be 0; if it is, the answer is some element.
    fn div(a: u16, b: u16) -> u16;

    /// The element whose square is `a`: in characteristic 2 there is exactly one.
    fn sqrt(a: u16) -> u16;

    /// `a` squared.
    fn square(a: u16) -> u16 {
        Self::mul(a, a)
    }

    /// Adds `factor` times `row` to `sum`, element by element, as far as both go.
    fn add_scaled(sum: &mut [u16], factor: u16, row: &[u16]) {
        for (sum, &element) in sum.iter_mut().zip(row) {
            *sum ^= Self::mul(factor, element);
        }
    }

    /// Turns a row of elements that will be multiplied often into what [`add_prepared`](Self::add_prepared) and
    /// [`dot_prepared`](Self::dot_prepared) take: their logarithms, where there are any to look up.
    fn prepare(row: &mut [u16]) {
        let _ = row;
    }

    /// [`add_scaled`](Self::add_scaled) of a [prepared](Self::prepare) row.
    fn add_prepared(sum: &mut [u16], factor: u16, prepared: &[u16]) {
        Self::add_scaled(sum, factor, prepared);
    }

    /// The sum of the products of the elements of `row` and those of a [prepared](Self::prepare) one, as far as both go.
    fn dot_prepared(row: &[u16], prepared: &[u16]) -> u16 {
        row.iter()
            .zip(prepared)
            .fold(0, |sum, (&a, &b)| sum ^ Self::mul(a, b))
    }

    /// Whether x, x³, x⁵, … are exactly `odd`; `x` is not 0.
    fn odd_powers_are(x: u16, odd: &[u16]) -> bool {
        let square = Self::square(x);
        let mut power = x;
        odd.iter().all(|&expected| {
            let equal = power == expected;
            power = Self::mul(power, square);
            equal
        })
    }

    /// Whether x + y, x³ + y³, x⁵ + y⁵, … are exactly `odd`; neither is 0.
    fn odd_power_sums_are([x, y]: [u16; 2], odd: &[u16]) -> bool {
        let squares = [Self::square(x), Self::square(y)];
        let mut powers = [x, y];
        odd.iter().all(|&expected| {
            let equal = powers[0] ^ powers[1] == expected;
            powers = [
                Self::mul(powers[0], squares[0]),
                Self::mul(powers[1], squares[1]),
            ];
            equal
        })
    }
}

/// A product by shift and add, highest coefficient of `b` first.
///
/// Every value stays below 2^m ≤ 2^16 between two steps, so that the closing cast loses nothing; it is a
/// cast because `From` is not yet to be had in a `const fn`.
pub(in crate::codec) const fn product(m: u32, poly: u32, a: u16, b: u16) -> u16 {
    let mut sum: u32 = 0;
    let mut bit = m;
    while bit > 0 {
        bit -= 1;
        sum <<= 1;
        if (sum >> m) & 1 == 1 {
            sum ^= poly;
        }
        if (b >> bit) & 1 == 1 {
            sum ^= a as u32;
        }
    }
    sum as u16
}
