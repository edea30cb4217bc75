//! The binomial distribution, in logarithms: rates of failure down to 10⁻³⁰⁰ and counts of millions alike.

/// Terms of a sum that add less than this share of it end it.
const NEGLIGIBLE: f64 = 1e-17;
/// Halvings of an interval: more than a double can tell apart.
const BISECTIONS: u32 = 200;
/// From here on Stirling's series is as exact as a double.
const STIRLING_FROM: u64 = 32;

/// ln n!
#[must_use]
pub fn ln_factorial(n: u64) -> f64 {
    if n < STIRLING_FROM {
        return (2..=n).map(|factor| (factor as f64).ln()).sum();
    }
    let x = n as f64;
    let series = (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / (1260.0 * x * x)) / (x * x)) / x;
    (x + 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series
}

/// ln of the ways to choose `k` of `n`; −∞ where there is none.
#[must_use]
pub fn ln_choose(n: u64, k: u64) -> f64 {
    match n.checked_sub(k) {
        Some(rest) => ln_factorial(n) - ln_factorial(k) - ln_factorial(rest),
        None => f64::NEG_INFINITY,
    }
}

/// How many of so many independent trials succeed, each with the same chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Binomial {
    /// Trials.
    pub trials: u64,
    /// Chance of each, 0 to 1.
    pub chance: f64,
}

impl Binomial {
    /// Chance of exactly `k`.
    #[must_use]
    pub fn exactly(&self, k: u64) -> f64 {
        let (chance, rest) = (self.chance, self.trials.saturating_sub(k));
        if k > self.trials || (chance <= 0.0 && k > 0) || (chance >= 1.0 && rest > 0) {
            return 0.0;
        }
        // Zero times infinity, in logarithms, is nothing.
        let times = |count: u64, ln: f64| if count == 0 { 0.0 } else { count as f64 * ln };
        (ln_choose(self.trials, k) + times(k, chance.ln()) + times(rest, (-chance).ln_1p())).exp()
    }

    /// Chance of `k` or more.
    #[must_use]
    pub fn at_least(&self, k: u64) -> f64 {
        if k as f64 <= self.mean() {
            return match k.checked_sub(1) {
                Some(below) => (1.0 - self.sum_down(below)).max(0.0),
                None => 1.0,
            };
        }
        let mut term = self.exactly(k);
        let mut sum = term;
        for at in k..self.trials {
            term *= self.odds() * (self.trials - at) as f64 / (at + 1) as f64;
            sum += term;
            if term < sum * NEGLIGIBLE {
                break;
            }
        }
        sum.min(1.0)
    }

    /// Chance of `k` or fewer.
    #[must_use]
    pub fn at_most(&self, k: u64) -> f64 {
        if k as f64 >= self.mean() {
            (1.0 - self.at_least(k.saturating_add(1))).max(0.0)
        } else {
            self.sum_down(k)
        }
    }

    /// Σ of the chances of `k`, `k` − 1, …, for `k` up to about the mean.
    fn sum_down(&self, k: u64) -> f64 {
        let mut term = self.exactly(k);
        let mut sum = term;
        for at in (1..=k).rev() {
            term *= at as f64 / (self.odds() * (self.trials - at + 1) as f64);
            sum += term;
            if term < sum * NEGLIGIBLE {
                break;
            }
        }
        sum.min(1.0)
    }

    fn odds(&self) -> f64 {
        self.chance / (1.0 - self.chance)
    }

    /// How many succeed on average.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.trials as f64 * self.chance
    }

    /// The counts between which all but the rarest lie: each end leaves out at most half of 1 − `confidence`.
    #[must_use]
    pub fn acceptance(&self, confidence: f64) -> (u64, u64) {
        let left_out = (1.0 - confidence) / 2.0;
        // The least count for which `holds`, which holds from there on.
        let least = |holds: &dyn Fn(u64) -> bool| {
            let (mut low, mut high) = (0, self.trials);
            while low < high {
                let middle = low + (high - low) / 2;
                if holds(middle) {
                    high = middle;
                } else {
                    low = middle + 1;
                }
            }
            low
        };
        (
            least(&|count| self.at_most(count) > left_out),
            least(&|count| self.at_least(count + 1) <= left_out),
        )
    }
}

/// The chances that `successes` of `trials` do not speak against, each end with half of 1 − `confidence`.
///
/// Source: C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial"
/// (Biometrika 26, 1934).
#[must_use]
pub fn interval(successes: u64, trials: u64, confidence: f64) -> (f64, f64) {
    let left_out = (1.0 - confidence) / 2.0;
    let bisect = |above: &dyn Fn(&Binomial) -> bool| {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..BISECTIONS {
            let chance = (low + high) / 2.0;
            if above(&Binomial { trials, chance }) {
                high = chance;
            } else {
                low = chance;
            }
        }
        (low + high) / 2.0
    };
    let low = match successes {
        0 => 0.0,
        _ => bisect(&|binomial| binomial.at_least(successes) > left_out),
    };
    let high = if successes >= trials {
        1.0
    } else {
        bisect(&|binomial| binomial.at_most(successes) < left_out)
    };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        let off = (found / expected - 1.0).abs();
        assert!(off < 1e-9, "{found} and not {expected}");
    }

    #[test]
    fn factorials_are_products() {
        let mut product = 0.0;
        for n in 1..2000_u64 {
            product += (n as f64).ln();
            assert!((ln_factorial(n) - product).abs() < 1e-9, "{n}");
        }
        close(ln_choose(52, 5).exp(), 2_598_960.0);
        assert_eq!(ln_choose(4, 5), f64::NEG_INFINITY);
    }

    #[test]
    fn tails_are_sums_of_their_terms() {
        for (trials, chance) in [(10, 0.5), (40, 0.01), (300, 0.97), (4148, 1e-3)] {
            let binomial = Binomial { trials, chance };
            let terms: Vec<f64> = (0..=trials).map(|k| binomial.exactly(k)).collect();
            close(terms.iter().sum(), 1.0);
            for k in 0..=trials.min(60) {
                let (below, above) = terms.split_at(k as usize);
                let sum: f64 = above.iter().rev().sum();
                assert!((binomial.at_least(k) - sum).abs() < 1e-9 * sum);
                let sum: f64 = below.iter().sum::<f64>() + terms[k as usize];
                assert!((binomial.at_most(k) - sum).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn certainty_and_impossibility_are_exact() {
        let never = Binomial {
            trials: 5,
            chance: 0.0,
        };
        assert_eq!((never.at_least(1), never.at_most(0)), (0.0, 1.0));
        assert_eq!(never.acceptance(0.999), (0, 0));
        let always = Binomial {
            trials: 5,
            chance: 1.0,
        };
        assert_eq!((always.at_least(5), always.at_most(4)), (1.0, 0.0));
        assert_eq!(always.acceptance(0.999), (5, 5));
    }

    #[test]
    fn rare_tails_keep_their_digits() {
        // The first term is all but a hundred-thousandth of it.
        let binomial = Binomial {
            trials: 9088,
            chance: 1e-5,
        };
        let (tail, first) = (binomial.at_least(65), binomial.exactly(65));
        assert!(tail > 1e-170 && tail < 1e-140, "{tail}");
        assert!(tail > first && tail < 1.01 * first);
    }

    #[test]
    fn what_is_accepted_leaves_out_what_it_says() {
        let binomial = Binomial {
            trials: 1000,
            chance: 0.1,
        };
        let (low, high) = binomial.acceptance(0.999);
        assert!(binomial.at_most(low - 1) <= 0.0005 && binomial.at_most(low) > 0.0005);
        assert!(binomial.at_least(high + 1) <= 0.0005 && binomial.at_least(high) > 0.0005);
    }

    #[test]
    fn intervals_are_those_of_the_tables() {
        // The rule of three, exactly: 1 − 0.025^(1/n).
        let (low, high) = interval(0, 100, 0.95);
        assert_eq!(low, 0.0);
        close(high, 1.0 - 0.025_f64.powf(0.01));
        let (low, high) = interval(100, 100, 0.95);
        close(low, 0.025_f64.powf(0.01));
        assert_eq!(high, 1.0);
        // The ends are where the counts' own tails are what is left out.
        let (low, high) = interval(7, 50, 0.95);
        let tail = |chance| Binomial { trials: 50, chance };
        close(tail(low).at_least(7), 0.025);
        close(tail(high).at_most(7), 0.025);
    }
}
