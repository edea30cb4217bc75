//! Bits of stored pages that a test flipped, as many as it asked for.
//!
//! They are kept apart from the true bytes, so that an oracle still knows the truth and on-die ECC sees them as errors.

use crate::media::Place;
use crate::prng::SplitMix64;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The flipped bits of each page. They stay until the block is erased.
#[derive(Debug, Clone, Default)]
pub(crate) struct BitFlips {
    pages: BTreeMap<Place, BTreeSet<u32>>,
}

impl BitFlips {
    /// Flips `count` more bits among `bits`, or all that are left. Gives them in order.
    pub(crate) fn flip(
        &mut self,
        place: Place,
        bits: Range<u32>,
        count: u32,
        seed: u64,
    ) -> Vec<u32> {
        let page = self.pages.entry(place).or_default();
        let mut drawn: Vec<u32> = bits.filter(|bit| !page.contains(bit)).collect();
        let count = drawn.len().min(count as usize);
        let mut prng = SplitMix64::derive(seed, 0xF11B);
        for at in 0..count {
            let left = (drawn.len() - at) as u64;
            drawn.swap(at, at + prng.below(left) as usize);
        }
        drawn.truncate(count);
        drawn.sort_unstable();
        page.extend(&drawn);
        drawn
    }

    /// Forgets the flips of a block.
    pub(crate) fn erased(&mut self, block: u32) {
        if !self.pages.is_empty() {
            self.pages.retain(|place, _| place.block != block);
        }
    }

    /// Appends the flipped bits of a page.
    pub(crate) fn of_read(&self, place: Place, wrong: &mut Vec<u32>) {
        if let Some(page) = self.pages.get(&place) {
            wrong.extend(page);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::steps::{all, assert_rate, at, distance, erase, part, program, read};
    use crate::{EmulatedNand, Fault, Trigger};
    use cuesta_hal::BlockAddress;

    fn zeros() -> EmulatedNand {
        let mut nand = part("w25n01gv");
        for page in 0..3 {
            program(&mut nand, at(0, page), 0).expect("programs");
        }
        nand
    }

    fn bits_of(bytes: &[u8]) -> Vec<u32> {
        (0..bytes.len() as u32 * 8)
            .filter(|bit| bytes[*bit as usize / 8] >> (bit % 8) & 1 == 1)
            .collect()
    }

    #[test]
    fn exactly_as_many_bits_as_asked_are_flipped_where_asked() {
        let mut nand = zeros();
        for (count, bytes) in [(1, 0..2112), (5, 512..1024), (64, 2048..2112)] {
            let before = bits_of(&read(&mut nand, at(0, 1)).expect("reads"));
            let flipped = nand.flip_bits(at(0, 1), bytes.clone(), count, 7);
            assert_eq!(flipped.len() as u32, count);
            assert!(flipped.iter().all(|bit| bytes.contains(&(bit / 8))));
            let after = bits_of(&read(&mut nand, at(0, 1)).expect("reads"));
            let mut expected = [before, flipped].concat();
            expected.sort_unstable();
            assert_eq!(after, expected);
        }
        assert!(all(&nand.true_bytes(at(0, 1)), 0));
        for page in [0, 2] {
            assert!(all(&read(&mut nand, at(0, page)).expect("reads"), 0));
        }
        assert_eq!(nand.violation_count(), 0);
    }

    #[test]
    fn flipped_bits_stay_flipped_until_an_erase_that_erases() {
        let mut nand = zeros();
        nand.flip_bits(at(0, 0), 0..2112, 9, 1);
        let block = BlockAddress::new(0, 0);
        let wrong = |nand: &mut EmulatedNand, value| {
            distance(&read(nand, at(0, 0)).expect("reads"), &[value; 2112])
        };
        nand.power_cycle();
        nand.faults().once(Trigger::Always, Fault::EraseFails);
        erase(&mut nand, block).expect("settles");
        assert_eq!((wrong(&mut nand, 0), wrong(&mut nand, 0)), (9, 9));
        erase(&mut nand, block).expect("erases");
        assert_eq!(wrong(&mut nand, 0xFF), 0);
        nand.flip_bits(at(0, 0), 0..2112, 2, 1);
        assert_eq!(wrong(&mut nand, 0xFF), 2, "an erased page has bits, too");
    }

    #[test]
    fn the_flipped_bits_follow_from_the_seed_and_are_spread_evenly() {
        let flipped = |seed| zeros().flip_bits(at(0, 0), 0..2112, 1000, seed);
        assert_eq!(flipped(1), flipped(1));
        assert_ne!(flipped(1), flipped(2));
        let upper = flipped(1).iter().filter(|&&bit| bit >= 1056 * 8).count();
        assert_rate(upper as u64, 1000, 0.5);
    }

    #[test]
    fn no_more_bits_are_flipped_than_there_are() {
        let mut nand = zeros();
        assert_eq!(nand.flip_bits(at(0, 0), 2110..9999, 100, 1).len(), 16);
        assert!(nand.flip_bits(at(0, 0), 2110..2112, 1, 2).is_empty());
        assert!(nand.flip_bits(at(0, 64), 0..2112, 5, 2).is_empty());
    }
}
