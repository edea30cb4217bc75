//! Closed forms for the roots of polynomials of up to four terms of degree, over GF(2^m).
//!
//! Sources: Lidl and Niederreiter, *Finite Fields*, ch. 3 and 6; Berlekamp, *Algebraic Coding Theory*, ch. 11.

use super::{product, Field};

/// The images of 1, x, x², … under the map that sends c to a root y of y² + y = c, wherever there is one.
///
/// With θ of trace 1, y = Σ_{i<m-1} (Σ_{i<j<m} θ^(2^j)) c^(2^i) is such a root for every c of trace 0 (Lidl and
/// Niederreiter, *Finite Fields*, ch. 3 and 6; for odd m and θ = 1 it is the half-trace). It is linear in c, so
/// the images of a basis are the whole map.
pub(in crate::codec) const fn artin_schreier_basis(m: u32, poly: u32) -> [u16; 16] {
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

/// The two roots of x² + `a` x + `b`, if it has two different ones in the field.
pub(in crate::codec) fn roots_of_quadratic<F: Field>(a: u16, b: u16) -> Option<[u16; 2]> {
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
    // A row is an image, and below it in the lower half what it is the image of: a basis, then `c`. Rows are eliminated
    // all at once and not one by one, which costs more additions and no branch that cannot be foreseen.
    let m = F::M as usize;
    let mut rows = [0u32; 16];
    for (i, row) in rows.iter_mut().enumerate().take(m) {
        let argument = 1u16 << i;
        let square = F::square(argument);
        let image = F::square(square) ^ F::mul(a, square) ^ F::mul(b, argument);
        *row = u32::from(image) << 16 | u32::from(argument);
    }
    *rows.get_mut(m)? = u32::from(c) << 16;
    let mut kernel = [0u16; 2];
    let mut kernel_rank = 0;
    for i in 0..m {
        let pivot = rows[i];
        if pivot >> 16 == 0 {
            // The degree of the map bounds its kernel to four elements, two of them independent.
            *kernel.get_mut(kernel_rank)? = pivot as u16;
            kernel_rank += 1;
            continue;
        }
        let top = pivot.ilog2();
        // The pivot goes too: nobody else has its highest bit now.
        for row in &mut rows {
            *row ^= pivot & ((*row >> top) & 1).wrapping_neg();
        }
    }
    let solution = rows[m];
    if kernel_rank < kernel.len() || solution >> 16 != 0 {
        return None;
    }
    let root = solution as u16;
    let [k, l] = kernel;
    Some([root, root ^ k, root ^ l, root ^ k ^ l])
}

/// The three roots of x³ + `a` x² + `b` x + `c`, if it has three different ones in the field.
pub(in crate::codec) fn roots_of_cubic<F: Field>(a: u16, b: u16, c: u16) -> Option<[u16; 3]> {
    // Times (x + a) it has no cubic term, and the root a besides its own.
    let roots = roots_of_affine_quartic::<F>(F::square(a) ^ b, F::mul(a, b) ^ c, F::mul(a, c))?;
    let mut own = roots.into_iter().filter(|&root| root != a);
    Some([own.next()?, own.next()?, own.next()?])
}

/// The four roots of x⁴ + `a` x³ + `b` x² + `c` x + `d`, if it has four different ones in the field.
pub(in crate::codec) fn roots_of_quartic<F: Field>(
    a: u16,
    b: u16,
    c: u16,
    d: u16,
) -> Option<[u16; 4]> {
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
