//! The dividers that any processor can do.

use super::generator::step;
use super::tables::{row, Rows};
use super::{shifted, sum, Divider, Generator, NibbleRows, Remainder, SliceRows};

/// Bit by bit: no table at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bitwise;

/// A byte a step in two halves, each through a table of 128 bytes for each word of the remainder.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nibble;

/// `SLICES` bytes a step — 1, 4, 8 or 16 — through a table of 2 KiB · `SLICES` for each word of the remainder.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slicing<const SLICES: usize>;

impl<G: Generator<WORDS>, const WORDS: usize> Divider<G, WORDS> for Bitwise {
    fn feed(&self, remainder: &mut Remainder<WORDS>, data: &[u8]) {
        for &byte in data {
            remainder[0] ^= u64::from(!byte) << 56;
            for _ in 0..8 {
                *remainder = step(*remainder, &G::FRACTION);
            }
        }
    }
}

impl<G: NibbleRows<WORDS>, const WORDS: usize> Divider<G, WORDS> for Nibble {
    fn feed(&self, remainder: &mut Remainder<WORDS>, data: &[u8]) {
        let [upper, lower] = G::rows();
        for &byte in data {
            let top = (remainder[0] >> 56) as u8 ^ byte;
            let (upper, lower) = (&upper[usize::from(top >> 4)], &lower[usize::from(top & 15)]);
            *remainder = sum(sum(shifted(*remainder, 8), upper), lower);
        }
    }
}

impl<G: SliceRows<WORDS, SLICES>, const WORDS: usize, const SLICES: usize> Divider<G, WORDS>
    for Slicing<SLICES>
{
    fn feed(&self, remainder: &mut Remainder<WORDS>, data: &[u8]) {
        let rows = G::rows();
        let (chunks, tail) = data.split_at(data.len() - data.len() % SLICES.max(1));
        let mut state = *remainder;
        match SLICES {
            16 => {
                for chunk in chunks.chunks_exact(16) {
                    let (high, low) = chunk.split_at(8);
                    let second = if WORDS > 1 {
                        state[WORDS.min(2) - 1]
                    } else {
                        0
                    };
                    let (high, low) = (state[0] ^ word(high), second ^ word(low));
                    state.copy_within(WORDS.min(2).., 0);
                    state[WORDS.saturating_sub(2)..].fill(0);
                    let (upper, lower) = (pick(rows, 8, high), pick(rows, 0, low));
                    for (word, state) in state.iter_mut().enumerate() {
                        *state ^= tree(&upper, word) ^ tree(&lower, word);
                    }
                }
            }
            8 => {
                for chunk in chunks.chunks_exact(8) {
                    let top = state[0] ^ word(chunk);
                    state.copy_within(1.., 0);
                    state[WORDS - 1] = 0;
                    let picked = pick(rows, 0, top);
                    for (word, state) in state.iter_mut().enumerate() {
                        *state ^= tree(&picked, word);
                    }
                }
            }
            4 => {
                for chunk in chunks.chunks_exact(4) {
                    let mut bytes = [0; 4];
                    bytes.copy_from_slice(chunk);
                    let top = (state[0] >> 32) as u32 ^ u32::from_be_bytes(bytes);
                    let r = [
                        row(rows, 0, top as u8),
                        row(rows, 1, (top >> 8) as u8),
                        row(rows, 2, (top >> 16) as u8),
                        row(rows, 3, (top >> 24) as u8),
                    ];
                    state = shifted(state, 32);
                    for (word, state) in state.iter_mut().enumerate() {
                        *state ^= (r[0][word] ^ r[1][word]) ^ (r[2][word] ^ r[3][word]);
                    }
                }
            }
            _ => bytewise(&mut state, rows, chunks),
        }
        bytewise(&mut state, rows, tail);
        *remainder = state;
    }
}

#[inline]
fn bytewise<const WORDS: usize, const SLICES: usize>(
    state: &mut Remainder<WORDS>,
    rows: &Rows<WORDS, SLICES>,
    data: &[u8],
) {
    for byte in data {
        let top = (state[0] >> 56) as u8 ^ byte;
        *state = sum(shifted(*state, 8), row(rows, 0, top));
    }
}

/// The rows of the eight bytes of `top`, of slice `from` for the lowest.
///
/// Shifts keep the byte swap of the data out of the chain from one step to the next.
#[inline(always)]
fn pick<const WORDS: usize, const SLICES: usize>(
    rows: &Rows<WORDS, SLICES>,
    from: usize,
    top: u64,
) -> [&Remainder<WORDS>; 8] {
    [
        row(rows, from, top as u8),
        row(rows, from + 1, (top >> 8) as u8),
        row(rows, from + 2, (top >> 16) as u8),
        row(rows, from + 3, (top >> 24) as u8),
        row(rows, from + 4, (top >> 32) as u8),
        row(rows, from + 5, (top >> 40) as u8),
        row(rows, from + 6, (top >> 48) as u8),
        row(rows, from + 7, (top >> 56) as u8),
    ]
}

/// The sum of one word of all rows, as a tree: the next step waits for the first of these sums.
///
/// Word by word, a wide remainder is loaded and stored once and not for every row.
#[inline(always)]
fn tree<const WORDS: usize>(r: &[&Remainder<WORDS>; 8], word: usize) -> u64 {
    ((r[0][word] ^ r[1][word]) ^ (r[2][word] ^ r[3][word]))
        ^ ((r[4][word] ^ r[5][word]) ^ (r[6][word] ^ r[7][word]))
}

#[inline]
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(bytes);
    u64::from_be_bytes(word)
}
