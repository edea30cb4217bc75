//! How much had to be repaired in what was read.

/// A unit with so many quarters tells that others near it may be worse.
const WEAK_QUARTERS: u32 = 2;
/// A unit whose codewords have so many quarters of the wrong bits that their code repairs is to be written anew.
const FADING_QUARTERS: u32 = 3;

/// What it took to read a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Repaired {
    /// Wrong bits of the codeword that had most.
    pub bits_max: u32,
    /// A codeword had half of the wrong bits that its code repairs, or more.
    pub weak: bool,
    /// A codeword had three quarters of the wrong bits that its code repairs, or more; any, where that is one bit.
    pub fading: bool,
}

impl Repaired {
    /// A codeword with so many wrong bits, of a code that repairs `strength`.
    #[must_use]
    pub const fn of(bits: u32, strength: u32) -> Self {
        Self {
            bits_max: bits,
            weak: bits > 0 && bits * 4 >= strength * WEAK_QUARTERS,
            fading: bits > 0 && bits * 4 >= strength * FADING_QUARTERS,
        }
    }

    /// This and another codeword.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            bits_max: self.bits_max.max(other.bits_max),
            weak: self.weak || other.weak,
            fading: self.fading || other.fading,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Repaired;

    #[test]
    fn a_codeword_fades_at_three_quarters_of_what_its_code_repairs() {
        for (strength, least) in [(1, 1), (2, 2), (4, 3), (8, 6), (16, 12), (40, 30)] {
            for bits in 0..=strength {
                let found = Repaired::of(bits, strength).fading;
                assert_eq!(found, bits >= least, "{bits} of {strength}");
                let weak = Repaired::of(bits, strength).weak;
                assert_eq!(weak, bits >= strength.div_ceil(2), "{bits} of {strength}");
            }
        }
        assert!(!Repaired::of(0, 0).fading, "a check repairs nothing");
    }

    #[test]
    fn one_codeword_that_fades_is_enough() {
        let both = Repaired::of(3, 16).and(Repaired::of(1, 1));
        assert_eq!((both.bits_max, both.fading), (3, true));
    }
}
