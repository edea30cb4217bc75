//! Arithmetic in GF(2^m), as far as binary BCH codes need it.
//!
//! Elements are polynomials over GF(2) below degree m, the coefficient of x^i in bit i; α = x is a primitive
//! element. On a host products go through tables of logarithms (32 KiB for m = 13). With the feature
//! `small-tables` there are none: a product is m shifts, a logarithm a walk along the powers of α. Only the
//! repair of errors pays for that, since the clean path of a decoder does not come here.

use core::marker::PhantomData;

/// A product by shift and add, highest coefficient of `b` first.
///
/// Every value stays below 2^m ≤ 2^16 between two steps, so that the closing cast loses nothing; it is a
/// cast because `From` is not yet to be had in a `const fn`.
pub(super) const fn product(m: u32, poly: u32, a: u16, b: u16) -> u16 {
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

/// The images of 1, x, x², … under the map that sends c to a root y of y² + y = c, wherever there is one.
///
/// With θ of trace 1, y = Σ_{i<m-1} (Σ_{i<j<m} θ^(2^j)) c^(2^i) is such a root for every c of trace 0 (Lidl and
/// Niederreiter, *Finite Fields*, ch. 3 and 6; for odd m and θ = 1 it is the half-trace). It is linear in c, so
/// the images of a basis are the whole map.
pub(super) const fn artin_schreier_basis(m: u32, poly: u32) -> [u16; 16] {
    // A basis cannot lie in the kernel of the trace, so one of its elements has trace 1.
    let mut theta: u16 = 1;
    loop {
        let mut trace = 0;
        let mut power = theta;
        let mut j = 0;
        while j < m {
            trace ^= power;
            power = product(m, poly, power, power);
            j += 1;
        }
        if trace == 1 {
            break;
        }
        theta <<= 1;
    }
    // tails[i] = θ^(2^(i+1)) + … + θ^(2^(m-1))
    let mut tails = [0u16; 16];
    let mut power = theta;
    let mut j = 1;
    while j < m {
        power = product(m, poly, power, power);
        let mut i = 0;
        while i < j {
            tails[i as usize] ^= power;
            i += 1;
        }
        j += 1;
    }
    let mut basis = [0u16; 16];
    let mut bit = 0;
    while bit < m {
        let mut power = 1u16 << bit;
        let mut i = 0;
        while i + 1 < m {
            basis[bit as usize] ^= product(m, poly, power, tails[i as usize]);
            power = product(m, poly, power, power);
            i += 1;
        }
        bit += 1;
    }
    basis
}

/// A field GF(2^m) with its primitive polynomial.
pub trait Field: Copy {
    /// The degree m of the extension, at most 16.
    const M: u32;
    /// The primitive polynomial, leading term included.
    const POLY: u32;
    /// The number of elements other than 0, which is the order of α.
    const ORDER: u32 = (1 << Self::M) - 1;
    /// See [`artin_schreier_basis`].
    const ARTIN_SCHREIER: [u16; 16] = artin_schreier_basis(Self::M, Self::POLY);

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
}

/// GF(2^13) over x^13 + x^4 + x^3 + x + 1 (0x201b), as in the table of primitive polynomials of Linux `lib/bch.c`.
#[derive(Debug, Clone, Copy)]
pub struct Gf13;

#[cfg(not(feature = "small-tables"))]
mod tables {
    use super::{Field, Gf13};

    pub(super) struct Logarithms<const SIZE: usize> {
        /// α^i at i; the last entry, at the order of α, is 1 again.
        exp: [u16; SIZE],
        /// The logarithm of x at x; 0 at 0, where there is none.
        log: [u16; SIZE],
    }

    impl<const SIZE: usize> Logarithms<SIZE> {
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

        /// α^`sum`, where `sum` is below twice the order.
        fn exp(&self, sum: u32) -> u16 {
            // 2^m ≡ 1 (mod 2^m - 1): the carry comes in again at the bottom. The mask is for the compiler, which
            // then knows the index to be inside.
            let folded = (sum as usize & (SIZE - 1)) + (sum as usize / SIZE);
            self.exp[folded & (SIZE - 1)]
        }

        fn log(&self, x: u16) -> u32 {
            u32::from(self.log[usize::from(x) & (SIZE - 1)])
        }
    }

    static GF13: Logarithms<8192> = Logarithms::new(Gf13::POLY);

    impl Field for Gf13 {
        const M: u32 = 13;
        const POLY: u32 = 0x201b;

        fn exp(power: u32) -> u16 {
            GF13.exp(power % Self::ORDER)
        }

        fn log(x: u16) -> u32 {
            GF13.log(x)
        }

        fn mul(a: u16, b: u16) -> u16 {
            if a == 0 || b == 0 {
                return 0;
            }
            GF13.exp(GF13.log(a) + GF13.log(b))
        }

        fn div(a: u16, b: u16) -> u16 {
            if a == 0 {
                return 0;
            }
            GF13.exp(GF13.log(a) + Self::ORDER - GF13.log(b))
        }

        fn sqrt(a: u16) -> u16 {
            if a == 0 {
                return 0;
            }
            let log = GF13.log(a);
            // An odd logarithm becomes even by adding the order, which is odd.
            GF13.exp((log + (log & 1) * Self::ORDER) / 2)
        }
    }
}

#[cfg(feature = "small-tables")]
impl Field for Gf13 {
    const M: u32 = 13;
    const POLY: u32 = 0x201b;

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
        let mut power = 1;
        for log in 0..Self::ORDER {
            if power == x {
                return log;
            }
            power = Self::mul(2, power);
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

/// Adds α^`degree`, α^(3 `degree`), α^(5 `degree`), … to the elements of `odd`: what the term x^`degree` of a
/// polynomial adds to its values at α, α³, α⁵, ….
pub(super) fn add_odd_powers<F: Field>(degree: u32, odd: &mut [u16]) {
    if cfg!(feature = "small-tables") {
        let mut power = F::exp(degree);
        let step = F::square(power);
        for sum in odd {
            *sum ^= power;
            power = F::mul(power, step);
        }
    } else {
        let mut log = degree % F::ORDER;
        let step = (2 * log) % F::ORDER;
        for sum in odd {
            *sum ^= F::exp(log);
            log += step;
            if log >= F::ORDER {
                log -= F::ORDER;
            }
        }
    }
}

/// One term of a polynomial as its variable runs through α^p, α^(p+1), …: c α^(ip), c α^(i(p+1)), ….
#[derive(Debug, Clone, Copy)]
pub(super) struct Term<F> {
    /// The value of the term, or its logarithm where that is cheaper to advance.
    at: u32,
    /// What takes it to the next: α^i, or i.
    step: u32,
    field: PhantomData<F>,
}

impl<F: Field> Term<F> {
    /// The term `coefficient` x^`exponent` at x = α^`start`; `coefficient` must not be 0.
    pub(super) fn new(coefficient: u16, exponent: u32, start: u32) -> Self {
        let offset = (exponent * start) % F::ORDER;
        let (at, step) = if cfg!(feature = "small-tables") {
            (
                u32::from(F::mul(coefficient, F::exp(offset))),
                u32::from(F::exp(exponent)),
            )
        } else {
            (
                (F::log(coefficient) + offset) % F::ORDER,
                exponent % F::ORDER,
            )
        };
        Self {
            at,
            step,
            field: PhantomData,
        }
    }

    /// The value of the term now; then it goes on by one power of α.
    pub(super) fn next(&mut self) -> u16 {
        if cfg!(feature = "small-tables") {
            let value = self.at as u16;
            self.at = u32::from(F::mul(value, self.step as u16));
            value
        } else {
            let value = F::exp(self.at);
            self.at += self.step;
            if self.at >= F::ORDER {
                self.at -= F::ORDER;
            }
            value
        }
    }
}

/// The two roots of x² + `a` x + `b`, if it has two different ones in the field.
pub(super) fn roots_of_quadratic<F: Field>(a: u16, b: u16) -> Option<[u16; 2]> {
    if a == 0 {
        return None;
    }
    // x = a y turns it into y² + y = b / a².
    let c = F::div(b, F::square(a));
    let y = (0..F::M)
        .zip(F::ARTIN_SCHREIER)
        .filter(|&(bit, _)| (c >> bit) & 1 == 1)
        .fold(0, |sum, (_, image)| sum ^ image);
    if F::square(y) ^ y != c {
        return None;
    }
    let x = F::mul(a, y);
    Some([x, x ^ a])
}

/// The four roots of x⁴ + `a` x² + `b` x + `c`, if it has four different ones in the field.
///
/// The left side without `c` is linear over GF(2), so that its roots solve m linear equations (Berlekamp,
/// *Algebraic Coding Theory*, ch. 11).
fn roots_of_affine_quartic<F: Field>(a: u16, b: u16, c: u16) -> Option<[u16; 4]> {
    if b == 0 {
        return None;
    }
    // Images of a basis in echelon form: pivots[i] is an image whose highest bit is i, with what it is the
    // image of.
    let mut pivots = [(0u16, 0u16); 16];
    let mut kernel = [0u16; 2];
    let mut kernel_rank = 0;
    for i in 0..F::M {
        let mut argument = 1u16 << i;
        let square = F::square(argument);
        let mut image = F::square(square) ^ F::mul(a, square) ^ F::mul(b, argument);
        while let Some(top) = image.checked_ilog2() {
            let pivot = &mut pivots[(top & 15) as usize];
            if pivot.0 == 0 {
                *pivot = (image, argument);
                break;
            }
            image ^= pivot.0;
            argument ^= pivot.1;
        }
        if image == 0 {
            // The degree of the map bounds its kernel to four elements, two of them independent.
            *kernel.get_mut(kernel_rank)? = argument;
            kernel_rank += 1;
        }
    }
    if kernel_rank < kernel.len() {
        return None;
    }
    let mut image = c;
    let mut root = 0;
    while let Some(top) = image.checked_ilog2() {
        let pivot = pivots[(top & 15) as usize];
        if pivot.0 == 0 {
            return None;
        }
        image ^= pivot.0;
        root ^= pivot.1;
    }
    let [k, l] = kernel;
    Some([root, root ^ k, root ^ l, root ^ k ^ l])
}

/// The three roots of x³ + `a` x² + `b` x + `c`, if it has three different ones in the field.
pub(super) fn roots_of_cubic<F: Field>(a: u16, b: u16, c: u16) -> Option<[u16; 3]> {
    // Times (x + a) it has no cubic term, and the root a besides its own.
    let roots = roots_of_affine_quartic::<F>(F::square(a) ^ b, F::mul(a, b) ^ c, F::mul(a, c))?;
    let mut own = roots.into_iter().filter(|&root| root != a);
    Some([own.next()?, own.next()?, own.next()?])
}

/// The four roots of x⁴ + `a` x³ + `b` x² + `c` x + `d`, if it has four different ones in the field.
pub(super) fn roots_of_quartic<F: Field>(a: u16, b: u16, c: u16, d: u16) -> Option<[u16; 4]> {
    if a == 0 {
        return roots_of_affine_quartic::<F>(b, c, d);
    }
    // x = z + e with a e² = c takes the linear term away, and z = 1 / y then puts it in the place of the cubic.
    let e2 = F::div(c, a);
    let e = F::sqrt(e2);
    let square = F::mul(a, e) ^ b;
    let constant = F::square(e2) ^ F::mul(b, e2) ^ d;
    if constant == 0 {
        // z² divides what is left: a double root.
        return None;
    }
    let ys = roots_of_affine_quartic::<F>(
        F::div(square, constant),
        F::div(a, constant),
        F::div(1, constant),
    )?;
    // No y is 0, the constant term being none.
    Some(ys.map(|y| F::div(1, y) ^ e))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Elements enough to meet every kind, few enough for every pair of them.
    fn sample() -> impl Iterator<Item = u16> + Clone {
        (0..1u16 << 13).step_by(37).chain([1, 2, 8191])
    }

    #[test]
    fn powers_of_alpha_run_through_all_elements_but_zero() {
        let mut expected = 1;
        for power in 0..Gf13::ORDER {
            assert_eq!(Gf13::exp(power), expected);
            if power % 97 == 0 {
                assert_eq!(Gf13::log(expected), power);
                assert_eq!(Gf13::exp(power + Gf13::ORDER), expected);
            }
            expected = product(13, 0x201b, expected, 2);
            assert_eq!(expected == 1, power + 1 == Gf13::ORDER);
        }
    }

    #[test]
    fn products_quotients_and_roots_agree_with_shift_and_add() {
        for a in sample() {
            assert_eq!(Gf13::square(Gf13::sqrt(a)), a);
            for b in sample() {
                assert_eq!(Gf13::mul(a, b), product(13, 0x201b, a, b));
                if b != 0 {
                    assert_eq!(product(13, 0x201b, Gf13::div(a, b), b), a);
                }
            }
        }
    }

    #[test]
    fn half_of_all_quadratics_have_two_roots() {
        let mut solved = 0;
        for b in 0..1 << 13 {
            if let Some([x, y]) = roots_of_quadratic::<Gf13>(77, b) {
                assert_eq!((x ^ y, Gf13::mul(x, y)), (77, b));
                solved += 1;
            }
        }
        assert_eq!(solved, 1 << 12);
    }

    #[test]
    fn the_basis_for_quadratics_is_right_where_m_is_even() {
        // x^14 + x^5 + x^3 + x + 1 of Linux lib/bch.c, for codes over 1 KiB.
        let basis = artin_schreier_basis(14, 0x402b);
        let mut solved = 0;
        for c in 0..1u16 << 14 {
            let y = (0..14)
                .filter(|bit| (c >> bit) & 1 == 1)
                .fold(0, |sum, bit| sum ^ basis[bit]);
            solved += u32::from(product(14, 0x402b, y, y) ^ y == c);
        }
        assert_eq!(solved, 1 << 13);
    }

    #[test]
    fn cubics_and_quartics_give_back_the_roots_they_were_made_of() {
        for p in sample().step_by(5) {
            for q in sample().step_by(7).filter(|&q| q != p) {
                for r in sample().step_by(11).filter(|&r| r != p && r != q) {
                    let (a, b) = (
                        p ^ q ^ r,
                        Gf13::mul(p, q) ^ Gf13::mul(p, r) ^ Gf13::mul(q, r),
                    );
                    let c = Gf13::mul(Gf13::mul(p, q), r);
                    let mut roots = roots_of_cubic::<Gf13>(a, b, c).unwrap();
                    let mut expected = [p, q, r];
                    roots.sort_unstable();
                    expected.sort_unstable();
                    assert_eq!(roots, expected);

                    for s in [a, 5, 4711] {
                        let quartic = [
                            a ^ s,
                            b ^ Gf13::mul(a, s),
                            c ^ Gf13::mul(b, s),
                            Gf13::mul(c, s),
                        ];
                        let [c3, c2, c1, c0] = quartic;
                        let roots = roots_of_quartic::<Gf13>(c3, c2, c1, c0);
                        if expected.contains(&s) {
                            assert_eq!(roots, None, "{s} is a double root besides {expected:?}");
                            continue;
                        }
                        let mut roots = roots.unwrap();
                        let mut expected = [p, q, r, s];
                        roots.sort_unstable();
                        expected.sort_unstable();
                        assert_eq!(roots, expected);
                    }
                }
            }
        }
    }
}
