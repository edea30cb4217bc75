//! Errors that programming a page causes in the page before it.
//!
//! Source: Y. Cai et al., "Program Interference in MLC NAND Flash Memory: Characterization, Modeling, and Mitigation", ICCD 2013: programming a
//! cell shifts the threshold voltage of the cells around it. Simplified here to the page before, and independent of the
//! data. How much is for the caller to say.

use crate::arrivals::arrivals;
use crate::media::Place;
use crate::prng::SplitMix64;

/// Program interference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interference {
    /// Rate of wrong bits, per bit, that each program of page `p + 1` adds to page `p`, erased or not. The cells stay wrong until the
    /// block is erased, after which others are.
    pub per_program: f64,
}

impl Interference {
    /// The rate that so many programs of the next page cause.
    pub(super) fn rate(self, programs: u8) -> f64 {
        self.per_program * f64::from(programs)
    }
}

/// Appends the bits that are wrong at `rate` in a page of `bits` bits, in the life of its block after `erases` erases.
pub(super) fn flips(
    seed: u64,
    place: Place,
    erases: u32,
    rate: f64,
    bits: u32,
    wrong: &mut Vec<u32>,
) {
    let page = u64::from(place.block) << 16 | u64::from(place.page);
    let life = 0x1F << 32 | u64::from(erases);
    let mut cells = SplitMix64::derive(seed ^ page.rotate_left(24), life);
    let expected = rate.min(0.5) * f64::from(bits);
    arrivals(&mut cells, expected, bits, wrong);
}
