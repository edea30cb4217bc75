//! From syndromes to the polynomial whose roots are the errors' places.

use crate::codec::gf::Field;

/// Room for 2 `T` field elements.
type Elements<const T: usize> = [[u16; 2]; T];

/// The coefficients c0, c1, …, cL of a polynomial c0 x^L + c1 x^(L-1) + … + cL; neither c0 nor cL is 0.
pub(super) struct Locator<const T: usize> {
    coefficients: Elements<T>,
    degree: usize,
}

impl<const T: usize> Locator<T> {
    /// The coefficients, highest power first.
    pub(super) fn as_mut_slice(&mut self) -> &mut [u16] {
        let coefficients = self.coefficients.as_flattened_mut();
        // At most T < 2 T, as `locator` has seen to.
        let end = (self.degree + 1).min(coefficients.len());
        &mut coefficients[..end]
    }
}

/// Berlekamp–Massey without inversions, for a binary code: the polynomial that vanishes at the locators of all errors.
///
/// `odd` are the syndromes S1, S3, S5, …, as many as errors are repaired, at most `T`. In a binary code every second discrepancy is 0, so that a round does two
/// steps of the general algorithm. `None` if no set of so many errors has these syndromes.
pub(super) fn locator<F: Field, const T: usize>(odd: &[u16]) -> Option<Locator<T>> {
    let most = odd.len();
    // reversed[2 most - j] is Sj, with S2j = Sj²: the last first, as a discrepancy takes them.
    let mut reversed: Elements<T> = [[0; 2]; T];
    let reversed = reversed.as_flattened_mut().get_mut(..2 * most)?;
    for (j, &syndrome) in odd.iter().enumerate() {
        reversed[2 * most - 1 - 2 * j] = syndrome;
    }
    for j in 1..=most {
        reversed[2 * most - 2 * j] = F::square(reversed[2 * most - j]);
    }

    F::prepare(reversed);

    let mut locator: Elements<T> = [[0; 2]; T];
    locator[0][0] = 1;
    // The locator before its length changed last, its discrepancy then, and how far it has to be moved up.
    let mut previous = locator;
    let mut previous_length = 1;
    let mut previous_discrepancy = 1;
    let mut shift = 1;
    let mut errors = 0;
    for round in 0..most {
        let discrepancy = F::dot_prepared(
            &locator.as_flattened()[..=errors],
            &reversed[2 * most - 1 - 2 * round..],
        );
        if discrepancy == 0 {
            shift += 2;
            continue;
        }
        let current = locator;
        let next = locator.as_flattened_mut();
        next.fill(0);
        F::add_scaled(
            next,
            previous_discrepancy,
            &current.as_flattened()[..=errors],
        );
        F::add_scaled(
            next.get_mut(shift..)?,
            discrepancy,
            &previous.as_flattened()[..previous_length],
        );
        if errors <= round {
            previous_length = errors + 1;
            errors = 2 * round + 1 - errors;
            if errors > most {
                return None;
            }
            previous = current;
            previous_discrepancy = discrepancy;
            shift = 0;
        }
        shift += 2;
    }
    // A polynomial of a lower degree has fewer roots than there are errors.
    let last = locator.as_flattened().get(errors)?;
    (errors > 0 && *last != 0).then_some(Locator {
        coefficients: locator,
        degree: errors,
    })
}
