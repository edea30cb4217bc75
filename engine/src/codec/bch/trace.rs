//! The roots of a locator polynomial: Berlekamp's trace algorithm down to four, the rest in closed form.
//!
//! The trace Tr(y) = y + y² + y⁴ + … maps the field onto {0, 1}, so for each β the polynomial Tr(βx) splits the roots of
//! f in two: those where it is 0 are the roots of gcd(f, Tr(βx) mod f). A basis of the field has a β for any two roots.
//!
//! All the Tr(βx) mod f are linear combinations of x, x², x⁴, … mod f. These are found by [squaring](super::squares). When
//! x^(2^m) is x again, f has as many different roots in the field as its degree; when it is not, there is nothing to look for.

use super::squares::{ByProducts, BySums, Squares};
use super::Degrees;
use crate::codec::gf::{roots_of_cubic, roots_of_quadratic, roots_of_quartic, Field};

/// The largest m.
const M_MAX: usize = 14;

/// Roots up to which a polynomial is solved in closed form.
const CLOSED: usize = 4;

/// The errors at the roots of a polynomial of at most degree `T`, highest power first; its first coefficient is not 0.
///
/// `None` if it has not as many different roots, all of them powers of α that the codeword reaches, as its degree.
pub(super) fn roots<F: Field, const T: usize>(
    coefficients: &mut [u16],
    degrees: &mut Degrees<T>,
) -> Option<()> {
    let (&mut lead, rest) = coefficients.split_first_mut()?;
    for c in rest.iter_mut() {
        *c = F::div(*c, lead);
    }
    if rest.len() <= CLOSED {
        return solve::<F, T>(rest, degrees);
    }
    // From here on lowest power first, the leading 1 left out.
    rest.reverse();
    split::<F, T>(rest, degrees)
}

/// The roots of a monic polynomial of degree 1 to 4, highest power first, the leading 1 left out.
fn solve<F: Field, const T: usize>(monic: &[u16], degrees: &mut Degrees<T>) -> Option<()> {
    let mut push = |roots: &[u16]| roots.iter().try_for_each(|&root| degrees.push::<F>(root));
    match *monic {
        [a] => push(&[a]),
        [a, b] => push(&roots_of_quadratic::<F>(a, b)?),
        [a, b, c] => push(&roots_of_cubic::<F>(a, b, c)?),
        [a, b, c, d] => push(&roots_of_quartic::<F>(a, b, c, d)?),
        _ => None,
    }
}

/// Splits a monic polynomial until all parts can be solved.
///
/// The parts lie one after the other where the polynomial was: the coefficients of a product's factors, without
/// their leading 1, are as many as those of the product.
fn split<F: Field, const T: usize>(monic: &mut [u16], degrees: &mut Degrees<T>) -> Option<()> {
    let degree = monic.len();
    let frobenius = if F::HAS_TABLES && T <= 8 {
        powers::<F, BySums<F, T>, T>(monic)?
    } else {
        powers::<F, ByProducts<F, T>, T>(monic)?
    };
    // The degrees of the parts, in order.
    let mut parts = [0u8; T];
    *parts.first_mut()? = u8::try_from(degree).ok()?;
    let mut count = 1;
    for bit in 0..F::M {
        if parts.iter().all(|&part| usize::from(part) <= CLOSED) {
            break;
        }
        let mut trace = [0u16; T];
        let mut beta = 1 << bit;
        for power in frobenius.iter().take(F::M as usize) {
            F::add_prepared(&mut trace[..degree], beta, power);
            beta = F::square(beta);
        }
        let mut start = 0;
        let mut index = 0;
        while index < count {
            let of = usize::from(parts[index]);
            let part = monic.get_mut(start..start + of)?;
            let low = if of > CLOSED {
                split_by::<F, T>(part, &trace[..degree])
            } else {
                of
            };
            if low < of {
                // The part's two factors take its place.
                parts.copy_within(index + 1..count, index + 2);
                parts[index] = low as u8;
                parts[index + 1] = (of - low) as u8;
                count += 1;
                index += 1;
            }
            index += 1;
            start += of;
        }
    }
    let mut start = 0;
    for &part in parts.get(..count)? {
        let part = monic.get_mut(start..start + usize::from(part))?;
        start += part.len();
        part.reverse();
        solve::<F, T>(part, degrees)?;
    }
    Some(())
}

/// x, x², x⁴, … modulo a monic polynomial of degree above 1, prepared for products; `None` unless all its roots are different
/// and in the field.
fn powers<F: Field, S: Squares<T>, const T: usize>(monic: &[u16]) -> Option<[[u16; T]; M_MAX]> {
    let mut squares = S::NONE;
    squares.set_modulus(monic)?;
    let mut powers = [[0u16; T]; M_MAX];
    let mut x = [0u16; T];
    x[1] = 1;
    let mut current = x;
    for power in powers.iter_mut().take(F::M as usize) {
        *power = current;
        F::prepare(power);
        current = squares.square(&current);
    }
    (current == x).then_some(powers)
}

/// Splits `part`, a monic polynomial, by a trace: its factor with the roots where that is 0 first, then the other.
///
/// Returns the degree of the first; if that is 0 or all, nothing was changed.
fn split_by<F: Field, const T: usize>(part: &mut [u16], trace: &[u16]) -> usize {
    let degree = part.len();
    let mut dividend = [0u16; T];
    let mut divisor = [0u16; T];
    let (mut a, mut b) = (&mut dividend[..degree], &mut divisor[..trace.len()]);
    a.copy_from_slice(part);
    b.copy_from_slice(trace);
    divide::<F>(b, part);
    b = &mut b[..degree];
    // Euclid, with monic polynomials that leave out their leading 1.
    // When nothing is left, `a` divides both.
    while let Some(top) = b.iter().rposition(|&c| c != 0) {
        let inverse = F::div(1, b[top]);
        b = &mut b[..top];
        for c in b.iter_mut() {
            *c = F::mul(*c, inverse);
        }
        divide_monic::<F>(a, b);
        let remainder = a.split_at_mut(top).0;
        a = b;
        b = remainder;
    }
    let low = a.len();
    if low == 0 || low == degree {
        return degree;
    }
    divide_monic::<F>(part, a);
    part[..low].copy_from_slice(a);
    low
}

/// Divides by a monic polynomial: the remainder comes first in `dividend`, then the quotient.
fn divide<F: Field>(dividend: &mut [u16], monic: &[u16]) {
    for top in (monic.len()..dividend.len()).rev() {
        let c = dividend[top];
        F::add_scaled(&mut dividend[top - monic.len()..top], c, monic);
    }
}

/// [`divide`] where the dividend is monic too and has its leading 1 left out, as then has the quotient.
fn divide_monic<F: Field>(dividend: &mut [u16], monic: &[u16]) {
    if let Some(below) = dividend.len().checked_sub(monic.len()) {
        for (c, &d) in dividend[below..].iter_mut().zip(monic) {
            *c ^= d;
        }
        divide::<F>(dividend, monic);
    }
}
