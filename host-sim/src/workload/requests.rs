//! Streams of requests: how each is drawn.

use crate::prng::SplitMix64;

/// Seed of the permutation that spreads popular sectors over the disk.
const PERMUTATION_SEED: u64 = 0x00C0_FFEE;
/// Sectors of the extents in which runs start.
const EXTENT: u32 = 16;
/// Sectors of a run at most.
const RUN_MAX: u32 = 16;
/// Of so many runs, one is trimmed.
const TRIMS_OF: u64 = 16;

/// How the next sector is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pattern {
    /// 0, 1, 2 … and from the start again.
    Sequential,
    /// `below(L)`.
    Uniform,
    /// Rank by the weights (rank + 1)^−theta, through the permutation.
    Zipf {
        /// The skew.
        theta: f64,
    },
    /// Nine of ten in a tenth of the permutation, the others in the rest.
    HotCold {
        /// Which tenth, from 0.
        tenth: u8,
    },
    /// As [`HotCold`](Self::HotCold), but it is the first tenth, and after every L / 2 writes the next one.
    Shift,
    /// Uniform over the sectors from L / 2 on.
    UpperHalf,
    /// Runs of `1 + below(16)` sectors that start anywhere in an extent of 16: nine of ten runs in the first tenth of the permuted extents,
    /// the others in the rest; one of sixteen is trimmed.
    Mixed,
}

impl Pattern {
    /// The stream of this pattern that starts at `seed`.
    #[must_use]
    pub const fn with(self, seed: u64) -> Stream {
        Stream {
            pattern: self,
            seed,
        }
    }
}

/// A pattern and the seed of its random numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stream {
    /// The pattern.
    pub pattern: Pattern,
    /// The seed.
    pub seed: u64,
}

impl Stream {
    /// The sectors of the stream over a disk of `sectors` sectors (at least 10).
    #[must_use]
    pub fn over(self, sectors: u32) -> Requests {
        let permuted = matches!(
            self.pattern,
            Pattern::Zipf { .. } | Pattern::HotCold { .. } | Pattern::Shift | Pattern::Mixed
        );
        let spread = match self.pattern {
            Pattern::Mixed => (sectors / EXTENT).max(10),
            _ => sectors,
        };
        let cumulative = match self.pattern {
            Pattern::Zipf { theta } => zipf_cumulative(sectors, theta),
            _ => Vec::new(),
        };
        Requests {
            pattern: self.pattern,
            prng: SplitMix64::new(self.seed),
            sectors,
            drawn: 0,
            permutation: if permuted {
                permutation(spread)
            } else {
                Vec::new()
            },
            cumulative,
            run: Run::default(),
            hint: None,
        }
    }
}

/// The sectors 0..`sectors` in the order that the skewed streams share.
#[must_use]
pub fn permutation(sectors: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..sectors).collect();
    let mut prng = SplitMix64::new(PERMUTATION_SEED);
    for i in (1..order.len()).rev() {
        let j = prng.below(i as u64 + 1) as usize;
        order.swap(i, j);
    }
    order
}

/// Probability that the rank is at most the index.
fn zipf_cumulative(sectors: u32, theta: f64) -> Vec<f64> {
    let mut sum = 0.0;
    let mut cumulative: Vec<f64> = (0..sectors)
        .map(|rank| {
            sum += f64::from(rank + 1).powf(-theta);
            sum
        })
        .collect();
    for value in &mut cumulative {
        *value /= sum;
    }
    cumulative
}

/// The sectors of a stream, one after the other, without end.
#[derive(Debug, Clone)]
pub struct Requests {
    pattern: Pattern,
    prng: SplitMix64,
    sectors: u32,
    drawn: u64,
    permutation: Vec<u32>,
    cumulative: Vec<f64>,
    run: Run,
    hint: Option<u8>,
}

/// What a host that knows says of sectors that are hardly ever written.
const COLDEST: u8 = u8::MAX;
/// One of so many sectors, by rank, is hinted as the first, second and third stream of Zipf.
const ZIPF_SHARES: [usize; 3] = [100, 10, 2];

/// What is left of a run of sectors.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    next: u32,
    left: u32,
    trims: bool,
}

/// What is asked for of a sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// It is written.
    Write(u32),
    /// Its contents are given up.
    Trim(u32),
}

impl Requests {
    /// The next sector, and what becomes of it. Only [`Pattern::Mixed`] trims.
    pub fn next_request(&mut self) -> Request {
        let sector = self.next();
        if self.run.trims {
            Request::Trim(sector)
        } else {
            Request::Write(sector)
        }
    }

    /// The next sector.
    #[allow(clippy::should_implement_trait)] // It never ends: an iterator would make every caller unwrap.
    pub fn next(&mut self) -> u32 {
        let all = u64::from(self.sectors);
        let number = self.drawn;
        self.drawn += 1;
        match self.pattern {
            Pattern::Sequential => (number % all) as u32,
            Pattern::Uniform => self.prng.below(all) as u32,
            Pattern::UpperHalf => {
                let half = all / 2;
                (half + self.prng.below(all - half)) as u32
            }
            Pattern::Zipf { .. } => {
                let x = self.prng.unit();
                let rank = self.cumulative.partition_point(|&p| p <= x);
                let all = self.permutation.len();
                let stream = ZIPF_SHARES.iter().position(|share| rank < all / share);
                self.hint = Some(stream.map_or(COLDEST, |stream| stream as u8));
                self.permutation[rank.min(self.permutation.len() - 1)]
            }
            Pattern::Mixed => self.of_run(),
            Pattern::HotCold { tenth } => self.hot_or_cold(u64::from(tenth) * (all / 10)),
            Pattern::Shift => {
                let moves = number / (all / 2);
                self.hot_or_cold(moves % 10 * (all / 10))
            }
        }
    }

    /// The stream that a host would name which knows the pattern, for the sector drawn last; `None` where all live as long.
    #[must_use]
    pub const fn hint(&self) -> Option<u8> {
        self.hint
    }

    /// Nine of ten in the tenth of the permutation that starts at `start`.
    fn hot_or_cold(&mut self, start: u64) -> u32 {
        let all = self.permutation.len() as u64;
        let tenth = all / 10;
        let hot = self.prng.below(10) < 9;
        self.hint = Some(if hot { 0 } else { COLDEST });
        let within = if hot {
            self.prng.below(tenth)
        } else {
            tenth + self.prng.below(all - tenth)
        };
        self.permutation[((start + within) % all) as usize]
    }

    fn of_run(&mut self) -> u32 {
        if self.run.left == 0 {
            let extent = self.hot_or_cold(0);
            self.run = Run {
                next: extent * EXTENT + self.prng.below(u64::from(EXTENT)) as u32,
                left: 1 + self.prng.below(u64::from(RUN_MAX)) as u32,
                trims: self.prng.chance(1, TRIMS_OF),
            };
        }
        let sector = self.run.next % self.sectors;
        self.run.next += 1;
        self.run.left -= 1;
        sector
    }
}
