//! Which cells of a page are wrong at a rate: cells that stay wrong while the rate stands, and more of them as it grows.

use crate::prng::SplitMix64;

/// Appends positions below `bits` until the arrivals of a Poisson process of rate 1 exceed `expected`. From the same generator, a
/// larger `expected` gives the same positions and more.
pub(crate) fn arrivals(prng: &mut SplitMix64, expected: f64, bits: u32, wrong: &mut Vec<u32>) {
    let most = wrong.len() + bits as usize;
    let mut sum = 0.0;
    while wrong.len() < most {
        sum -= (1.0 - prng.unit()).ln();
        if sum > expected {
            return;
        }
        wrong.push(prng.below(u64::from(bits)) as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_rate_keeps_the_wrong_cells_and_adds_to_them() {
        let of = |expected| {
            let mut wrong = vec![7];
            arrivals(&mut SplitMix64::new(5), expected, 10_000, &mut wrong);
            wrong
        };
        let (few, many) = (of(20.0), of(400.0));
        assert_eq!(many[..few.len()], few);
        assert_eq!(few[0], 7, "what others found wrong stays");
        // Standard deviations 4.5 and 20.
        assert!((2..45).contains(&few.len()), "{}", few.len());
        assert!((300..500).contains(&many.len()), "{}", many.len());
    }
}
