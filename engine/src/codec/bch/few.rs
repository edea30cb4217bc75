//! One and two errors in closed form.

use super::Degrees;
use crate::codec::gf::{roots_of_quadratic, Field};

/// Solves for one error, then for two. `odd` are the syndromes S1, S3, S5, …; the answer explains all of them.
///
/// `None` if there is no such answer: then there are more errors than two.
pub(super) fn solve<F: Field, const T: usize>(odd: &[u16], degrees: &mut Degrees<T>) -> Option<()> {
    let (&s1, higher) = odd.split_first()?;
    let &s3 = higher.first()?;
    if s1 == 0 {
        return None;
    }
    if F::odd_powers_are(s1, odd) {
        return degrees.push::<F>(s1);
    }
    // S3 = X³ + Y³ = (X + Y)³ + X Y (X + Y), where X + Y = S1.
    let square = F::square(s1);
    let cube = F::mul(square, s1);
    let [x, y] = roots_of_quadratic::<F>(s1, F::div(s3 ^ cube, s1))?;
    if x == 0 || y == 0 || !F::odd_power_sums_are([x, y], odd) {
        return None;
    }
    degrees.push::<F>(x)?;
    degrees.push::<F>(y)
}
