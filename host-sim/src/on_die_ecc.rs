//! The part's own error correction: counts the wrong bits of each codeword, as the emulator knows the truth.

use crate::prng::SplitMix64;
use cuesta_hal::{ChipEcc, Geometry, ReadOutcome, ReadStatus, SpareRuns};
use std::sync::Arc;

fn enabled(geometry: &Geometry) -> Option<ChipEcc> {
    geometry.chip_ecc.filter(|ecc| ecc.enabled)
}

/// The outcome of a read without wrong bits.
pub(crate) fn clean(geometry: &Geometry) -> ReadOutcome {
    enabled(geometry).map_or(ReadOutcome::RAW, |ecc| ReadOutcome {
        corrected_bits_max: 0,
        strength: ecc.strength,
        refresh_advised: false,
    })
}

/// The outcome of a read in which some codeword had as many wrong bits as the part corrects.
pub(crate) fn at_strength(geometry: &Geometry) -> ReadStatus {
    ReadStatus::Ok(
        enabled(geometry).map_or(ReadOutcome::RAW, |ecc| ReadOutcome {
            corrected_bits_max: ecc.strength,
            strength: ecc.strength,
            refresh_advised: true,
        }),
    )
}

/// Makes another codeword of a random one: `2 t + 1` bits of its main bytes are wrong then, whatever was wrong in them before.
pub(crate) fn miscorrect(geometry: &Geometry, wrong: &mut Vec<u32>, prng: &mut SplitMix64) {
    let Some(ecc) = enabled(geometry) else {
        return;
    };
    let word_bytes = u32::from(ecc.codeword_bytes);
    let words = geometry.page_bytes.div_ceil(word_bytes);
    let start = prng.below(u64::from(words)) as u32 * word_bytes;
    let end = (start + word_bytes).min(geometry.page_bytes);
    wrong.retain(|bit| !(start..end).contains(&(bit / 8)));
    let apart = (2 * u32::from(ecc.strength) + 1).min((end - start) * 8);
    let others = wrong.len();
    while wrong.len() < others + apart as usize {
        let bit = start * 8 + prng.below(u64::from(end - start) * 8) as u32;
        if !wrong[others..].contains(&bit) {
            wrong.push(bit);
        }
    }
}

/// The outcome of a read of garbage: a part without ECC of its own does not notice.
pub(crate) fn gave_up(geometry: &Geometry) -> ReadStatus {
    match enabled(geometry) {
        Some(_) => ReadStatus::Uncorrectable,
        None => ReadStatus::Ok(ReadOutcome::RAW),
    }
}

/// The codeword that a byte of the page belongs to: by the runs of the spare, or by its share of it where they are not known. `None` for
/// a byte that the part does not protect.
fn codeword_of(geometry: &Geometry, ecc: &ChipEcc, byte: u32) -> Option<u32> {
    let words = geometry.chip_codewords();
    let Some(offset) = byte.checked_sub(geometry.page_bytes) else {
        return Some(byte / u32::from(ecc.codeword_bytes));
    };
    if ecc.owned == SpareRuns::NONE {
        let share = (u32::from(geometry.spare_bytes) / words).max(1);
        return Some((offset / share).min(words - 1));
    }
    let protected = ecc.protected.run_of(words, offset);
    protected.or_else(|| ecc.owned.run_of(words, offset))
}

/// True when the part must not program these bytes of a raw page: there is nothing in them to make a code for.
pub(crate) fn refuses(geometry: &Geometry, bytes: &[u8]) -> bool {
    enabled(geometry).is_some() && bytes.iter().all(|&byte| byte == 0xFF)
}

/// What the part programs for the bytes of a buffer: its own bytes of the spare are its code, whatever was there.
///
/// The code is stood for by a hash of what each codeword protects: nobody but the part reads it, and the emulator corrects by the truth.
pub(crate) fn as_programmed(geometry: &Geometry, buffer: &[u8]) -> Arc<[u8]> {
    let mut bytes = Arc::<[u8]>::from(buffer);
    let Some(ecc) = enabled(geometry).filter(|ecc| ecc.owned != SpareRuns::NONE) else {
        return bytes;
    };
    let raw = Arc::make_mut(&mut bytes);
    let words = geometry.chip_codewords();
    let main = geometry.page_bytes as usize;
    let codeword = usize::from(ecc.codeword_bytes);
    for word in 0..words {
        let start = word as usize * codeword;
        let end = (start + codeword).min(main);
        let spare = (0..)
            .zip(&buffer[main..])
            .filter(|&(offset, _)| ecc.protected.run_of(words, offset) == Some(word));
        let covered = buffer[start..end].iter().chain(spare.map(|(_, byte)| byte));
        let hash = covered.fold(u64::from(word), |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        });
        let mut code = SplitMix64::new(hash);
        for index in 0..u32::from(ecc.owned.len) {
            let offset = ecc.owned.nth(word * u32::from(ecc.owned.len) + index);
            raw[main + offset as usize] = code.next().to_le_bytes()[0];
        }
    }
    bytes
}

/// Removes from `wrong` what the part corrects and says how it went.
///
/// A codeword is [`ChipEcc::codeword_bytes`] of the main area, what it protects of the spare, and its own bytes there. A page whose stored
/// bytes are no codeword (`beyond`) cannot be corrected.
pub(crate) fn correct(geometry: &Geometry, wrong: &mut Vec<u32>, beyond: bool) -> ReadStatus {
    let Some(ecc) = enabled(geometry) else {
        return ReadStatus::Ok(ReadOutcome::RAW);
    };
    // A bit that was flipped twice is right again.
    wrong.sort_unstable();
    let mut odd = Vec::with_capacity(wrong.len());
    for run in wrong.chunk_by(|a, b| a == b) {
        if run.len() % 2 == 1 {
            odd.push(run[0]);
        }
    }
    *wrong = odd;
    if beyond {
        return ReadStatus::Uncorrectable;
    }
    let word_of = |bit: u32| codeword_of(geometry, &ecc, bit / 8).map(|word| word as usize);
    let mut counts = vec![0u32; geometry.chip_codewords() as usize];
    for word in wrong.iter().filter_map(|&bit| word_of(bit)) {
        counts[word] += 1;
    }
    let strength = u32::from(ecc.strength);
    let most = counts
        .iter()
        .copied()
        .filter(|&n| n <= strength)
        .max()
        .unwrap_or(0);
    wrong.retain(|&bit| word_of(bit).is_none_or(|word| counts[word] > strength));
    if counts.iter().any(|&n| n > strength) {
        return ReadStatus::Uncorrectable;
    }
    ReadStatus::Ok(ReadOutcome {
        corrected_bits_max: u8::try_from(most).unwrap_or(u8::MAX),
        strength: ecc.strength,
        // Data sheets advise a refresh when the code is at its strength.
        refresh_advised: most > 0 && most == strength,
    })
}

#[cfg(test)]
mod tests;
