//! The part's own error correction: counts the wrong bits of each codeword, as the emulator knows the truth.

use crate::prng::SplitMix64;
use cuesta_hal::{ChipEcc, Geometry, ReadOutcome, ReadStatus};

fn enabled(geometry: &Geometry) -> Option<ChipEcc> {
    geometry
        .chip_ecc
        .filter(|ecc| ecc.enabled && ecc.codeword_bytes > 0)
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

/// Removes from `wrong` what the part corrects and says how it went.
///
/// A codeword is [`ChipEcc::codeword_bytes`] of the main area and its share of the spare. A page whose stored bytes are no codeword
/// (`beyond`) cannot be corrected.
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
    let main = geometry.page_bytes;
    let words = main.div_ceil(u32::from(ecc.codeword_bytes)).max(1);
    let spare_share = (u32::from(geometry.spare_bytes) / words).max(1);
    let word_of = |bit: u32| {
        let byte = bit / 8;
        if byte < main {
            byte / u32::from(ecc.codeword_bytes)
        } else {
            ((byte - main) / spare_share).min(words - 1)
        }
    };
    let mut counts = vec![0u32; words as usize];
    for &bit in wrong.iter() {
        counts[word_of(bit) as usize] += 1;
    }
    let strength = u32::from(ecc.strength);
    let most = counts
        .iter()
        .copied()
        .filter(|&n| n <= strength)
        .max()
        .unwrap_or(0);
    wrong.retain(|&bit| counts[word_of(bit) as usize] > strength);
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
