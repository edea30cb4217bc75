//! The constants of places: what a chunk of the data is multiplied by.
//!
//! Everything here is modulo g · x^(64·WORDS − r), whose degree is a whole number of words: remainders are
//! left-aligned then, as the engine has them. Words of products are counted from the lowest.
//!
//! A step of 64 bytes is two groups of four chunks; a slot holds for each of the two a pair of words. Four chunks c0 to c3, the first
//! in memory being c3, and the words k0, k1, … of the constant of their place are multiplied
//!
//! * one by one, each chunk with a constant of its own, if there is but one word;
//! * in pairs, each pair of chunks with a constant of its own, if there are two;
//! * as a whole, else: four words at a time, then two, then one.

use cuesta::codec::gf::Gf13;
use cuesta::codec::gf::Gf14;
use cuesta::codec::remainder::{EvenRoots, Generator, OddRoots, Remainder, SliceRows};

use super::{REACH, STEP};

/// A pair of words for the upper group of a step, then for the lower.
pub type Slot = [[u64; 2]; 2];

/// Steps that the tables reach.
const STEPS: usize = REACH / STEP;

/// A generator with tables of constants, made when this crate is compiled.
pub trait Places<const WORDS: usize>: Generator<WORDS> + SliceRows<WORDS, 8> {
    /// The slots of the last step of the data, then those of the step before it, and so on; `slots(WORDS)` each.
    fn slots() -> &'static [Slot];

    /// ⌊x^(64·WORDS + 64) / g⌋ without its leading term.
    const QUOTIENT: u64 = quotient(&Self::FRACTION);
}

/// Slots of a step.
pub(super) const fn slots(words: usize) -> usize {
    match words {
        1 => 2,
        2 => 3,
        _ => 5 * (words / 4) + [0, 1, 2, 3][words % 4],
    }
}

/// Words by which a sum of products is longer than a remainder: the chunks that have a constant in common.
pub(super) const fn excess(words: usize) -> usize {
    if words < 4 {
        words
    } else {
        4
    }
}

/// `remainder` · x
const fn step<const WORDS: usize>(
    remainder: Remainder<WORDS>,
    generator: &Remainder<WORDS>,
) -> Remainder<WORDS> {
    let mut next = remainder;
    let out = 0u64.wrapping_sub(remainder[0] >> 63);
    let mut word = 0;
    while word + 1 < WORDS {
        next[word] = (remainder[word] << 1 | remainder[word + 1] >> 63) ^ (generator[word] & out);
        word += 1;
    }
    next[word] = (remainder[word] << 1) ^ (generator[word] & out);
    next
}

const fn quotient<const WORDS: usize>(generator: &Remainder<WORDS>) -> u64 {
    let mut remainder = *generator;
    let mut quotient = 0;
    let mut bit = 0;
    while bit < 64 {
        quotient = quotient << 1 | remainder[0] >> 63;
        remainder = step(remainder, generator);
        bit += 1;
    }
    quotient
}

const fn places<const WORDS: usize, const SLOTS: usize>(
    generator: &Remainder<WORDS>,
) -> [[Slot; SLOTS]; STEPS] {
    assert!(SLOTS == slots(WORDS));
    let mut table = [[[[0; 2]; 2]; SLOTS]; STEPS];
    // x^(64·WORDS + 64 · place)
    let mut power = *generator;
    let mut place = 0;
    while place < 8 * STEPS {
        let slots = &mut table[place / 8];
        let lane = 1 - place / 4 % 2;
        let chunk = place % 4;
        match WORDS {
            1 => slots[1 - chunk / 2][lane][chunk % 2] = power[0],
            2 if chunk.is_multiple_of(2) => {
                slots[1 - chunk / 2][lane] = [power[1], power[0]];
                slots[2][lane][chunk / 2] = power[0] ^ power[1];
            }
            2 => {}
            _ if chunk == 0 => fill(slots, lane, &power),
            _ => {}
        }
        let mut bit = 0;
        while bit < 64 {
            power = step(power, generator);
            bit += 1;
        }
        place += 1;
    }
    table
}

/// The slots of a constant of four words or more.
const fn fill<const WORDS: usize, const SLOTS: usize>(
    slots: &mut [Slot; SLOTS],
    lane: usize,
    power: &Remainder<WORDS>,
) {
    let mut slot = 0;
    let mut low = 0;
    while low + 4 <= WORDS {
        let k = [
            power[WORDS - 1 - low],
            power[WORDS - 2 - low],
            power[WORDS - 3 - low],
            power[WORDS - 4 - low],
        ];
        slots[slot][lane] = [k[0], k[1]];
        slots[slot + 1][lane] = [k[2], k[3]];
        slots[slot + 2][lane] = [k[0] ^ k[2], k[1] ^ k[3]];
        slots[slot + 3][lane] = [k[0] ^ k[1], k[2] ^ k[3]];
        slots[slot + 4][lane] = [k[0] ^ k[1] ^ k[2] ^ k[3], 0];
        slot += 5;
        low += 4;
    }
    if low + 2 <= WORDS {
        let k = [power[WORDS - 1 - low], power[WORDS - 2 - low]];
        slots[slot][lane] = k;
        slots[slot + 1][lane] = [k[0] ^ k[1], 0];
        slot += 2;
        low += 2;
    }
    if low < WORDS {
        slots[slot][lane] = [power[0], 0];
    }
}

macro_rules! placed {
    ($($generator:ty, $words:literal;)*) => {$(
        impl Places<$words> for $generator {
            fn slots() -> &'static [Slot] {
                static TABLE: [[Slot; slots($words)]; STEPS] =
                    places(&<$generator as Generator<$words>>::FRACTION);
                TABLE.as_flattened()
            }
        }
    )*};
}

placed! {
    EvenRoots<Gf13>, 1;
    OddRoots<Gf13, 4>, 1;
    OddRoots<Gf13, 8>, 2;
    OddRoots<Gf13, 16>, 4;
    OddRoots<Gf13, 24>, 5;
    OddRoots<Gf14, 40>, 9;
    OddRoots<Gf14, 64>, 14;
}
