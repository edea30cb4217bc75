//! What codes do with more wrong bits than they repair, and what the check of the page makes of it.
//!
//! A code that gets more wrong bits than its strength refuses them, or takes them for another codeword. A page is read as the volume
//! reads it: a payload of several codewords, with the CRC-32C in its header that covers header and payload. What a code passes
//! off as repaired must not get past that check; how much the code itself lets through is compared with theory.

use cuesta::codec::crc::Seed;
use cuesta::codec::header::{self, header_bytes};
use cuesta::codec::{Code, Ecc, Header, Kind};
use serde::Serialize;

use super::binomial::Binomial;
use super::ecc::EccVariant;
use super::miscorrection::Theory;
use super::strength::CONFIDENCE;
use super::wrong_bits::{Outcome, WrongBits};
use crate::prng::SplitMix64;
use crate::shard::Shard;

/// Bytes of a payload.
const PAYLOAD_BYTES: usize = 2048;
/// Patterns that are tried on the same page.
const PATTERNS_OF_PAGE: u64 = 256;

/// What to try.
#[derive(Debug, Clone, Copy)]
pub struct OverloadOptions {
    /// Patterns for each code, all kinds together.
    pub patterns: u64,
    /// Where the draws start.
    pub seed: u64,
    /// Which of the pages.
    pub shard: Shard,
}

/// A kind of patterns, of a code that repairs t bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pattern {
    /// t + 1 wrong bits.
    OneMore,
    /// t + 2 to 2t + 2.
    Few,
    /// 2t + 3 to 8t.
    Many,
    /// More than t in a stretch of 2t + 2 to 16t bits that begins and ends with one.
    Burst,
    /// Random bits in place of the codeword.
    Garbage,
}

impl Pattern {
    const ALL: [Self; 5] = [
        Self::OneMore,
        Self::Few,
        Self::Many,
        Self::Burst,
        Self::Garbage,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::OneMore => "t+1",
            Self::Few => "t+2..2t+2",
            Self::Many => "2t+3..8t",
            Self::Burst => "burst",
            Self::Garbage => "garbage",
        }
    }

    /// Reads the codeword as it was written, but for a pattern of this kind.
    fn damage(self, word: &mut WrongBits, strength: u64, random: &mut SplitMix64) {
        let mut between = |low: u64, high: u64| low + random.below(high - low + 1);
        let wrong = match self {
            Self::OneMore => strength + 1,
            Self::Few => between(strength + 2, 2 * strength + 2),
            Self::Many => between(2 * strength + 3, 8 * strength),
            Self::Burst => {
                let length = between(2 * strength + 2, 16 * strength);
                word.restore();
                while word.wrong() <= strength {
                    word.restore();
                    word.flip_burst(length, random);
                }
                return;
            }
            Self::Garbage => return word.garble(random),
        };
        word.restore();
        word.flip_some(wrong, random);
    }
}

/// What became of the patterns of a kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OverloadReport {
    /// Name of the code.
    pub code: &'static str,
    /// What divides.
    pub by: &'static str,
    /// Wrong bits that the code repairs: t.
    pub strength: u32,
    /// How many bits were wrong, or what was.
    pub pattern: &'static str,
    /// Patterns tried.
    pub patterns: u64,
    /// Refused by the code.
    pub refused: u64,
    /// Repaired: the right data, from more wrong bits than the code repairs. That cannot be.
    pub repaired: u64,
    /// Passed off by the code as repaired, and were not.
    pub miscorrected: u64,
    /// Of those, refused by the CRC-32C of the page's header.
    pub crc_refused: u64,
    /// Of those, accepted by it too: wrong data returned.
    pub wrong_data: u64,
    /// Share of the patterns that were miscorrected.
    pub miscorrection_rate: f64,
    /// What theory says of it.
    pub miscorrection_theory: f64,
    /// 1/t!: about what it says of the unshortened code, if that is a BCH code.
    pub miscorrection_unshortened: Option<f64>,
    /// The fewest miscorrections that do not contradict theory, where it is exact.
    pub miscorrected_low: Option<u64>,
    /// The most.
    pub miscorrected_high: Option<u64>,
}

impl OverloadReport {
    /// What must not be; `None` if nothing is wrong.
    #[must_use]
    pub fn objection(&self) -> Option<String> {
        let Self { code, pattern, .. } = self;
        if self.wrong_data > 0 {
            return Some(format!(
                "{code}, {pattern}: wrong data was returned {} times in {} patterns, past code and CRC-32C",
                self.wrong_data, self.patterns
            ));
        }
        if self.repaired > 0 {
            return Some(format!(
                "{code}, {pattern}: {} patterns were repaired, which more than {} wrong bits cannot be",
                self.repaired, self.strength
            ));
        }
        let accepted = self.miscorrected_low?..=self.miscorrected_high?;
        if accepted.contains(&self.miscorrected) {
            return None;
        }
        Some(format!(
            "{code}, {pattern}: {} of {} patterns were miscorrected, and theory allows {} to {}",
            self.miscorrected,
            self.patterns,
            accepted.start(),
            accepted.end()
        ))
    }
}

/// Tries a code with `options.patterns` patterns, of each kind about as many; `progress` is told how many of how many are done.
///
/// Gives a report for each kind.
pub fn overload(
    ecc: Ecc,
    variant: &EccVariant,
    options: &OverloadOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Vec<OverloadReport> {
    let kinds = Pattern::ALL.len() as u64;
    let each = options.patterns.div_ceil(kinds);
    let pages = each.div_ceil(PATTERNS_OF_PAGE);
    let theory = Theory::of(ecc, variant.code);
    let mut page = Page::of(variant.code);
    let mut tried = |(kind, pattern): (u64, Pattern)| {
        let mut tally = Tally::default();
        for number in (0..pages).filter(|&number| options.shard.does(number)) {
            progress(kind * each + number * PATTERNS_OF_PAGE, kinds * each);
            let job = (ecc as u64) << 56 | kind << 48 | number;
            let mut random = SplitMix64::derive(options.seed, job);
            page.write(&mut random);
            let patterns = PATTERNS_OF_PAGE.min(each - number * PATTERNS_OF_PAGE);
            for _ in 0..patterns {
                tally.add(&mut page, pattern, &mut random);
            }
        }
        tally.report(variant, pattern, &theory)
    };
    (0..).zip(Pattern::ALL).map(&mut tried).collect()
}

/// A page's payload, its header, and the codeword of the payload that patterns are tried on.
struct Page {
    seed: Seed,
    header: [u8; header_bytes(1)],
    payload: Vec<u8>,
    /// Where in the payload the data of the codeword begins.
    at: usize,
    word: WrongBits,
}

impl Page {
    fn of(code: &'static dyn Code) -> Self {
        Self {
            seed: Seed {
                volume: 0,
                place: 0,
            },
            header: [0; header_bytes(1)],
            payload: vec![0; PAYLOAD_BYTES],
            at: 0,
            word: WrongBits::of(code),
        }
    }

    /// Writes random data to a random place.
    fn write(&mut self, random: &mut SplitMix64) {
        random.fill(&mut self.payload);
        self.seed = Seed {
            volume: random.next(),
            place: random.next() as u32,
        };
        let header = Header {
            kind: Kind::Data,
            level: 0,
            flags: 0,
            span: 0,
            time: random.next() >> 16,
            id: random.next() as u32 >> 1,
            birth: random.next() as u32,
            stream: 0,
            erases: random.next() as u32 >> 8,
        };
        let payload = &self.payload;
        header::encode(&[header], self.seed, |_| payload, &mut self.header);
        let data_bytes = self.word.written_data().len();
        let codewords = (PAYLOAD_BYTES / data_bytes) as u64;
        self.at = data_bytes * random.below(codewords) as usize;
        self.word.write(&self.payload[self.at..][..data_bytes]);
    }

    /// Whether the check in the header accepts the payload with the codeword as it is read.
    fn is_accepted(&mut self) -> bool {
        let data_bytes = self.word.read_data().len();
        self.payload[self.at..][..data_bytes].copy_from_slice(self.word.read_data());
        let accepted = header::matches(&self.header, 0, self.seed, &self.payload);
        self.payload[self.at..][..data_bytes].copy_from_slice(self.word.written_data());
        accepted
    }
}

/// What became of patterns.
#[derive(Default)]
struct Tally {
    patterns: u64,
    refused: u64,
    repaired: u64,
    miscorrected: u64,
    crc_refused: u64,
    wrong_data: u64,
    /// Patterns by the number of bits that were wrong.
    wrong: Vec<u64>,
}

impl Tally {
    fn add(&mut self, page: &mut Page, pattern: Pattern, random: &mut SplitMix64) {
        let strength = page.word.strength();
        pattern.damage(&mut page.word, strength, random);
        self.patterns += 1;
        let wrong = page.word.wrong() as usize;
        if self.wrong.len() <= wrong {
            self.wrong.resize(wrong + 1, 0);
        }
        self.wrong[wrong] += 1;
        match page.word.decode() {
            Outcome::Repaired => self.repaired += 1,
            Outcome::Refused => self.refused += 1,
            Outcome::Miscorrected => {
                self.miscorrected += 1;
                if !page.is_accepted() {
                    self.crc_refused += 1;
                } else if page.word.read_data() != page.word.written_data() {
                    self.wrong_data += 1;
                }
            }
        }
    }

    fn report(self, variant: &EccVariant, pattern: Pattern, theory: &Theory) -> OverloadReport {
        let share = |count: f64| count / self.patterns.max(1) as f64;
        let (miscorrection_theory, accepted) = if pattern == Pattern::Garbage {
            let chance = theory.of_garbage();
            let expected = Binomial {
                trials: self.patterns,
                chance,
            };
            (chance, Some(expected.acceptance(CONFIDENCE)))
        } else {
            let tried = (0..).zip(&self.wrong).filter(|(_, &patterns)| patterns > 0);
            let expected = tried.map(|(wrong, &patterns)| patterns as f64 * theory.of_wrong(wrong));
            (share(expected.sum()), None)
        };
        OverloadReport {
            code: variant.code.name(),
            by: variant.by,
            strength: variant.code.strength(),
            pattern: pattern.name(),
            patterns: self.patterns,
            refused: self.refused,
            repaired: self.repaired,
            miscorrected: self.miscorrected,
            crc_refused: self.crc_refused,
            wrong_data: self.wrong_data,
            miscorrection_rate: share(self.miscorrected as f64),
            miscorrection_theory,
            miscorrection_unshortened: theory.of_unshortened(),
            miscorrected_low: accepted.map(|(low, _)| low),
            miscorrected_high: accepted.map(|(_, high)| high),
        }
    }
}
