//! The one pseudo-random generator of the simulator and of every workload: splitmix64.
//!
//! Source: S. Vigna, <https://prng.di.unimi.it/splitmix64.c> (public domain); after Steele, Lea, Flood,
//! "Fast splittable pseudorandom number generators", OOPSLA 2014.

/// A splitmix64 generator. The same seed gives the same numbers on every machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// A generator that starts at `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    #[allow(clippy::should_implement_trait)] // It never ends: an iterator would make every caller unwrap.
    pub const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound` (which must fit 32 bits): `((next >> 32) · bound) >> 32`; 0 when `bound` is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next() >> 32) * bound) >> 32
    }

    /// A number in `[0, 1)`: `(next >> 11) · 2⁻⁵³`.
    pub const fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// A number between `low` and `high` (both above 0), evenly on a logarithmic scale.
    pub fn log_between(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.unit())
    }

    /// True `numerator` times in `denominator`.
    pub const fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// Fills `bytes` with random bits.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let random = self.next().to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }

    /// A generator of its own for a purpose, so that drawing for one purpose does not shift another.
    #[must_use]
    pub const fn derive(seed: u64, purpose: u64) -> Self {
        let mut mixer = Self::new(seed ^ purpose.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        Self::new(mixer.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_published_sequence() {
        // First outputs for seed 1234567, as listed with the reference code on Rosetta Code.
        let mut prng = SplitMix64::new(1_234_567);
        assert_eq!(prng.next(), 6_457_827_717_110_365_317);
        assert_eq!(prng.next(), 3_203_168_211_198_807_973);
        assert_eq!(prng.next(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn below_stays_below() {
        let mut prng = SplitMix64::new(7);
        for bound in [1, 2, 3, 1000, u64::from(u32::MAX)] {
            for _ in 0..1000 {
                assert!(prng.below(bound) < bound);
            }
        }
        assert_eq!(prng.below(0), 0);
    }
}
