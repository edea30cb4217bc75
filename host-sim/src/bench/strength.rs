//! How often codewords cannot be repaired, measured, beside what the binomial distribution predicts.
//!
//! A code that repairs t wrong bits fails where more than t of a codeword's bits are wrong, data and parity alike. At a raw bit error rate p
//! that has the chance P\[X > t\], X binomial with as many trials as the codeword has bits. Three things can be wrong about that:
//! the code may not repair t bits everywhere, it may have more bits than it says, or the sum may be wrong. So words are damaged and decoded.
//!
//! # Two ways to draw words
//!
//! Where failures are frequent, every bit of a word goes wrong with the chance p of its own, and every word is decoded. Where they
//! are rare that finds none. There only words with t wrong bits or more are drawn, the number of wrong bits from the binomial distribution under that
//! condition, the places uniformly; the share of such words among all is computed and not measured. That the others are repaired
//! is tried for every number of wrong bits below t. What is compared is the count of failures among the words that were drawn.

use cuesta::codec::Ecc;
use serde::Serialize;

use super::binomial::{interval, Binomial};
use super::ecc::EccVariant;
use super::wrong_bits::{bits, Outcome, WrongBits};
use crate::prng::SplitMix64;
use crate::shard::Shard;

/// How sure each verdict is: a count outside of what is accepted comes by chance once in 10⁵ points, so once in a thousand runs of
/// a hundred points.
pub const CONFIDENCE: f64 = 0.999_99;

/// The lowest raw bit error rate.
const RATE_MIN: f64 = 1e-5;
/// The highest.
const RATE_MAX: f64 = 5e-3;
/// How many there are, evenly spaced in their logarithms.
const RATES: u32 = 15;
/// Every bit is drawn where so many failures are expected.
const FREQUENT: f64 = 100.0;
/// Words that hold the same data.
const WORDS_OF_DATA: u64 = 16;
/// Words for each number of wrong bits below the strength, of all that are drawn.
const BELOW_SHARE: u64 = 1000;
/// Terms of a distribution that are less than this share of it are not drawn.
const NEVER: f64 = 1e-18;

/// What to measure.
#[derive(Debug, Clone, Copy)]
pub struct StrengthOptions {
    /// Words that are drawn for each rate.
    pub words: u64,
    /// Where the draws start.
    pub seed: u64,
    /// Which of the points.
    pub shard: Shard,
}

/// A code at a raw bit error rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StrengthReport {
    /// Name of the code.
    pub code: &'static str,
    /// What divides.
    pub by: &'static str,
    /// Wrong bits that the code repairs.
    pub strength: u32,
    /// Bits of a codeword, parity included.
    pub codeword_bits: u64,
    /// Chance of each bit to be wrong.
    pub raw_bit_error_rate: f64,
    /// Words with fewer wrong bits were not drawn.
    pub wrong_bits_min: u64,
    /// Computed share of the words that could be drawn among all.
    pub share: f64,
    /// Words drawn and decoded.
    pub words: u64,
    /// Of which did not come back as they were written.
    pub failures: u64,
    /// Of which the code said that they had.
    pub miscorrected: u64,
    /// Failures among the words that the prediction expects.
    pub failures_expected: f64,
    /// The fewest that do not contradict it.
    pub failures_low: u64,
    /// The most.
    pub failures_high: u64,
    /// Words decoded of those that were not drawn, the same number for each number of wrong bits.
    pub words_below: u64,
    /// Of which did not come back.
    pub failures_below: u64,
    /// Predicted share of codewords that cannot be repaired.
    pub predicted: f64,
    /// Measured: failures among the words, times `share`.
    pub measured: f64,
    /// The least that the measurement does not contradict.
    pub measured_low: f64,
    /// The most.
    pub measured_high: f64,
}

impl StrengthReport {
    /// What is wrong with the code or with the prediction; `None` if they agree.
    #[must_use]
    pub fn objection(&self) -> Option<String> {
        let Self { code, strength, .. } = self;
        if self.failures_below > 0 {
            return Some(format!(
                "{code}: {} of {} words with fewer than {strength} wrong bits were not repaired",
                self.failures_below, self.words_below
            ));
        }
        if (self.failures_low..=self.failures_high).contains(&self.failures) {
            return None;
        }
        Some(format!(
            "{code} at a raw bit error rate of {:.2e}: {} of {} words were not repaired, and P[X > {strength}] over {} bits allows {} to {}",
            self.raw_bit_error_rate,
            self.failures,
            self.words,
            self.codeword_bits,
            self.failures_low,
            self.failures_high
        ))
    }
}

/// The predicted share of codewords that cannot be repaired.
#[must_use]
pub fn predicted(codeword_bits: u64, strength: u32, raw_bit_error_rate: f64) -> f64 {
    let wrong = Binomial {
        trials: codeword_bits,
        chance: raw_bit_error_rate,
    };
    wrong.at_least(u64::from(strength) + 1)
}

/// The raw bit error rates that are measured, the lowest first.
pub fn rates() -> impl Iterator<Item = f64> + Clone {
    let ratio = RATE_MAX / RATE_MIN;
    (0..RATES).map(move |at| RATE_MIN * ratio.powf(f64::from(at) / f64::from(RATES - 1)))
}

/// Every code that repairs something, by the fastest means that the processor has.
#[must_use]
pub fn repairing_codes() -> Vec<(Ecc, EccVariant)> {
    let fastest = |ecc| cuesta_accelerator::implementations(ecc).last();
    let repairing = Ecc::ALL.into_iter().filter_map(|ecc| {
        let (means, code) = fastest(ecc)?;
        let variant = EccVariant {
            by: means.name(),
            table_bytes: None,
            code,
        };
        (code.strength() > 0).then_some((ecc, variant))
    });
    repairing.collect()
}

/// Measures `codes` at all rates; `found` gets each point as soon as it is there, `progress` how much of how much is done.
pub fn measure_strength(
    codes: &[EccVariant],
    options: &StrengthOptions,
    found: &mut dyn FnMut(StrengthReport),
    progress: &mut dyn FnMut(u64, u64),
) {
    let points = codes
        .iter()
        .flat_map(|variant| rates().map(move |rate| (variant, rate)));
    let mine = (0..).zip(points);
    let mine: Vec<_> = mine.filter(|(job, _)| options.shard.does(*job)).collect();
    // What a word takes grows about as the square of the bits that are wrong in it.
    let cost = |variant: &EccVariant| u64::from(variant.code.strength() + 2).pow(2);
    let total = mine
        .iter()
        .map(|(_, (variant, _))| cost(variant))
        .sum::<u64>()
        * options.words;
    let mut before = 0;
    for (job, (variant, rate)) in mine {
        let mut random = SplitMix64::derive(options.seed, job);
        let cost = cost(variant);
        found(point(
            variant,
            rate,
            options.words,
            &mut random,
            &mut |words| {
                progress(before + cost * words, total);
            },
        ));
        before += cost * options.words;
    }
}

fn point(
    variant: &EccVariant,
    rate: f64,
    words: u64,
    random: &mut SplitMix64,
    progress: &mut dyn FnMut(u64),
) -> StrengthReport {
    let code = variant.code;
    let strength = code.strength();
    let codeword_bits = bits(code);
    let predicted = predicted(codeword_bits, strength, rate);
    let frequent = predicted * words as f64 >= FREQUENT;
    let wrong_bits_min = if frequent { 0 } else { u64::from(strength) };
    let tail = Tail::new(codeword_bits, rate, wrong_bits_min);
    let mut word = WrongBits::of(code);
    let (mut failures, mut miscorrected) = (0, 0);
    for at in 0..words {
        if at.is_multiple_of(WORDS_OF_DATA) {
            word.write_random(random);
            progress(at);
        }
        word.restore();
        if frequent {
            word.flip_each(rate, random);
        } else {
            word.flip_some(tail.draw(random), random);
        }
        let outcome = word.decode();
        failures += u64::from(outcome != Outcome::Repaired);
        miscorrected += u64::from(outcome == Outcome::Miscorrected);
    }
    let each = words.div_ceil(BELOW_SHARE);
    let mut failures_below = 0;
    for wrong in 0..wrong_bits_min {
        word.write_random(random);
        for _ in 0..each {
            word.restore();
            word.flip_some(wrong, random);
            failures_below += u64::from(word.decode() != Outcome::Repaired);
        }
    }
    let expected = Binomial {
        trials: words,
        chance: (predicted / tail.share).min(1.0),
    };
    let (failures_low, failures_high) = expected.acceptance(CONFIDENCE);
    let (measured_low, measured_high) = interval(failures, words, CONFIDENCE);
    StrengthReport {
        code: code.name(),
        by: variant.by,
        strength,
        codeword_bits,
        raw_bit_error_rate: rate,
        wrong_bits_min,
        share: tail.share,
        words,
        failures,
        miscorrected,
        failures_expected: expected.mean(),
        failures_low,
        failures_high,
        words_below: each * wrong_bits_min,
        failures_below,
        predicted,
        measured: tail.share * failures as f64 / words as f64,
        measured_low: tail.share * measured_low,
        measured_high: tail.share * measured_high,
    }
}

/// The binomial distribution from some count on, to be drawn from.
struct Tail {
    first: u64,
    /// Chance of the count or a greater one.
    share: f64,
    /// Chance of each count or one between it and the first, under the condition.
    cumulated: Vec<f64>,
}

impl Tail {
    fn new(trials: u64, chance: f64, first: u64) -> Self {
        let binomial = Binomial { trials, chance };
        let share = binomial.at_least(first);
        let mut cumulated = Vec::new();
        let mut sum = 0.0;
        for count in first..=trials {
            let term = binomial.exactly(count) / share;
            sum += term;
            cumulated.push(sum);
            if count as f64 > binomial.mean() && term < NEVER {
                break;
            }
        }
        Self {
            first,
            share,
            cumulated,
        }
    }

    fn draw(&self, random: &mut SplitMix64) -> u64 {
        let drawn = random.unit();
        let above = self.cumulated.partition_point(|&sum| sum <= drawn);
        self.first + above.min(self.cumulated.len() - 1) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_drawn_as_it_is_distributed() {
        let binomial = Binomial {
            trials: 4148,
            chance: 3e-4,
        };
        let tail = Tail::new(binomial.trials, binomial.chance, 4);
        let mut random = SplitMix64::new(1);
        let mut drawn = [0_u64; 12];
        let words = 100_000;
        for _ in 0..words {
            let count = tail.draw(&mut random) as usize;
            drawn[count.min(11)] += 1;
        }
        assert_eq!(drawn[..4], [0; 4]);
        for (count, &times) in (4..11).zip(&drawn[4..]) {
            let expected = Binomial {
                trials: words,
                chance: binomial.exactly(count) / binomial.at_least(4),
            };
            let (low, high) = expected.acceptance(CONFIDENCE);
            assert!((low..=high).contains(&times), "{count}: {times}");
        }
    }

    #[test]
    fn the_rates_are_those_that_were_asked_for() {
        let rates: Vec<f64> = rates().collect();
        assert_eq!(rates.len(), RATES as usize);
        assert!((rates[0] / RATE_MIN - 1.0).abs() < 1e-12);
        assert!((rates[rates.len() - 1] / RATE_MAX - 1.0).abs() < 1e-12);
    }

    #[test]
    fn parts_of_a_run_are_the_run() {
        let codes: Vec<EccVariant> = repairing_codes().iter().map(|code| code.1).collect();
        let run = |shard: &str| {
            let options = StrengthOptions {
                words: 40,
                seed: 5,
                shard: shard.parse().unwrap(),
            };
            let mut points = Vec::new();
            measure_strength(
                &codes[..2],
                &options,
                &mut |point| points.push(point),
                &mut |_, _| (),
            );
            points
        };
        let (mut odd, even) = (run("1/2").into_iter(), run("2/2"));
        let mut both = Vec::new();
        for point in even {
            both.extend(odd.next());
            both.push(point);
        }
        assert_eq!(both, run("1/1"));
    }
}
