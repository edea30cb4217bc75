//! Squares of polynomials modulo another one.
//!
//! A square is linear over GF(2): the squares of the lower coefficients come to lie at even powers, those of the upper ones take
//! x^first, x^(first+2), … modulo the polynomial along, where `first` is the even one of its degree and the number after it.

use core::marker::PhantomData;

use crate::codec::gf::Field;

/// Squares modulo one polynomial of degree at most `T`.
pub(super) trait Squares<const T: usize> {
    /// Modulo nothing yet.
    const NONE: Self;

    /// Takes a monic polynomial of degree above 1, lowest power first, its leading 1 left out. In place: these are kilobytes.
    fn set_modulus(&mut self, monic: &[u16]) -> Option<()>;

    /// The square of a polynomial of a lower degree.
    fn square(&self, of: &[u16; T]) -> [u16; T];
}

/// By products of the upper coefficients with the powers that they take along.
pub(super) struct ByProducts<F, const T: usize> {
    degree: usize,
    /// x^(first + 2 i) at i, prepared.
    powers: [[u16; T]; T],
    field: PhantomData<F>,
}

impl<F: Field, const T: usize> Squares<T> for ByProducts<F, T> {
    const NONE: Self = Self {
        degree: 0,
        powers: [[0; T]; T],
        field: PhantomData,
    };

    fn set_modulus(&mut self, monic: &[u16]) -> Option<()> {
        self.degree = monic.len();
        even_powers::<F, T>(monic, |i, power| {
            let row = self.powers.get_mut(i)?;
            *row = *power;
            F::prepare(row);
            Some(())
        })
    }

    #[inline]
    fn square(&self, of: &[u16; T]) -> [u16; T] {
        let (mut square, upper) = lower_half::<F, T>(of, self.degree);
        for (power, &c) in self.powers.iter().zip(upper) {
            F::add_prepared(&mut square[..self.degree], F::square(c), power);
        }
        square
    }
}

/// By sums of what each half byte of the upper coefficients stands for, where they are few: for degrees up to 8, two thirds of
/// the time of [`ByProducts`] on a host, and 4 KiB of stack.
pub(super) struct BySums<F, const T: usize> {
    degree: usize,
    /// For each upper coefficient, for each of its half bytes, the lowest first, for each value: what that adds to the square.
    sums: [[[[u16; T]; 16]; 4]; 4],
    field: PhantomData<F>,
}

impl<F: Field, const T: usize> Squares<T> for BySums<F, T> {
    const NONE: Self = Self {
        degree: 0,
        sums: [[[[0; T]; 16]; 4]; 4],
        field: PhantomData,
    };

    fn set_modulus(&mut self, monic: &[u16]) -> Option<()> {
        self.degree = monic.len();
        even_powers::<F, T>(monic, |i, power| {
            // Bit b of a coefficient is x^b in the field, and x^2b in its square.
            let mut image = *power;
            let halves = self.sums.get_mut(i)?.as_flattened_mut();
            for bit in 0..F::M as usize {
                let value = 1 << (bit % 4);
                let (below, above) = halves.get_mut(bit / 4 * 16..)?.split_at_mut(value);
                for (sum, other) in above.iter_mut().zip(below) {
                    for ((sum, other), lane) in sum.iter_mut().zip(other).zip(image) {
                        *sum = *other ^ lane;
                    }
                }
                image = image.map(|lane| double::<F>(double::<F>(lane)));
            }
            Some(())
        })
    }

    #[inline]
    fn square(&self, of: &[u16; T]) -> [u16; T] {
        let (mut square, upper) = lower_half::<F, T>(of, self.degree);
        for (halves, &c) in self.sums.iter().zip(upper) {
            for (sums, shift) in halves.iter().zip([0, 4, 8, 12]) {
                for (lane, sum) in square.iter_mut().zip(sums[usize::from(c >> shift) & 15]) {
                    *lane ^= sum;
                }
            }
        }
        square
    }
}

/// The squares of the coefficients that stay below the degree, and the coefficients of which they do not.
#[inline]
fn lower_half<F: Field, const T: usize>(of: &[u16; T], degree: usize) -> ([u16; T], &[u16]) {
    let mut square = [0; T];
    let (lower, upper) = of[..degree].split_at(degree.div_ceil(2));
    for (place, &c) in square.iter_mut().step_by(2).zip(lower) {
        *place = F::square(c);
    }
    (square, upper)
}

/// Calls `take` with x^(first + 2 i) modulo a monic polynomial, for each i that a square needs.
fn even_powers<F: Field, const T: usize>(
    monic: &[u16],
    mut take: impl FnMut(usize, &[u16; T]) -> Option<()>,
) -> Option<()> {
    let degree = monic.len();
    let mut power = [0; T];
    power.get_mut(..degree)?.copy_from_slice(monic);
    let mut factors = power;
    F::prepare(&mut factors);
    for exponent in degree..2 * degree - 1 {
        if exponent % 2 == 0 {
            take((exponent - degree) / 2, &power)?;
        }
        let top = power[degree - 1];
        power.copy_within(..degree - 1, 1);
        power[0] = 0;
        F::add_prepared(&mut power[..degree], top, &factors);
    }
    Some(())
}

/// x times an element.
fn double<F: Field>(element: u16) -> u16 {
    let carried = 0u16.wrapping_sub(element >> (F::M - 1));
    // The leading term is beyond what `u16` holds, or falls out with the bit that was carried.
    (element << 1) ^ (F::POLY as u16 & carried)
}
