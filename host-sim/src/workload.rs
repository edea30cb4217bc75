//! The request streams of the benches: which sector comes next.
//!
//! Everything is spelled out, down to how a random number becomes a sector, so that other engines can be given the very same
//! requests and the figures compared. The generator is [`SplitMix64`]; the permutation that spreads hot sectors over the disk is a Fisher-Yates
//! shuffle with a seed of its own, the same in every run.

use crate::prng::SplitMix64;

/// Seed of the permutation that spreads popular sectors over the disk.
pub const PERMUTATION_SEED: u64 = 0x00C0_FFEE;
/// Skew of the Zipf distribution.
pub const ZIPF_THETA: f64 = 0.99;
/// Requests of the random-read workload.
pub const RANDOM_READS: u64 = 100_000;
/// Rounds of writes, each ended by a sync, before a mount is measured.
pub const MOUNT_ROUNDS: u64 = 20;
/// Writes of such a round.
pub const MOUNT_ROUND_WRITES: u64 = 997;
/// Writes after the last sync when the power is to be cut before the mount.
pub const MOUNT_UNSYNCED_WRITES: u64 = 7;

/// A workload of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Workload {
    /// Fills a fresh disk in order.
    SeqFill,
    /// Overwrites a full disk in order.
    SeqOver,
    /// Uniform random overwrites.
    Uniform,
    /// Zipf-distributed overwrites.
    Zipf,
    /// Nine of ten overwrites go to a tenth of the sectors.
    HotCold,
    /// Uniform random reads of a disk that was overwritten at random.
    RandRead,
    /// Reads of all sectors in order, on such a disk.
    SeqRead,
    /// Mounts after a clean unmount.
    MountClean,
    /// Mounts after a power cut.
    MountCut,
    /// Uniform random overwrites, each followed by a sync.
    Sync,
    /// As [`HotCold`](Self::HotCold), with a hot tenth that moves on.
    Shift,
    /// Overwrites half of the disk a hundred times over while the other half lies still.
    Wear,
}

/// No workload has that name. Displays the names there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownWorkload {
    /// The name asked for.
    pub asked: String,
}

impl std::fmt::Display for UnknownWorkload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no workload is called \"{}\"; there are", self.asked)?;
        for (i, workload) in Workload::ALL.iter().enumerate() {
            write!(f, "{} {}", if i == 0 { "" } else { "," }, workload.name())?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownWorkload {}

impl std::fmt::Display for Workload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Workload {
    type Err = UnknownWorkload;

    fn from_str(name: &str) -> Result<Self, UnknownWorkload> {
        Self::ALL
            .into_iter()
            .find(|workload| workload.name() == name)
            .ok_or_else(|| UnknownWorkload {
                asked: name.to_owned(),
            })
    }
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::SeqFill,
        Self::SeqOver,
        Self::Uniform,
        Self::Zipf,
        Self::HotCold,
        Self::RandRead,
        Self::SeqRead,
        Self::MountClean,
        Self::MountCut,
        Self::Sync,
        Self::Shift,
        Self::Wear,
    ];

    /// Its name on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SeqFill => "seq-fill",
            Self::SeqOver => "seq-over",
            Self::Uniform => "uniform",
            Self::Zipf => "zipf",
            Self::HotCold => "hotcold",
            Self::RandRead => "rand-read",
            Self::SeqRead => "seq-read",
            Self::MountClean => "mount-clean",
            Self::MountCut => "mount-cut",
            Self::Sync => "sync",
            Self::Shift => "shift",
            Self::Wear => "wear",
        }
    }

    /// What is done, over `sectors` sectors; `seed` replaces the seed of the measured stream.
    #[must_use]
    pub fn script(self, sectors: u32, seed: Option<u64>) -> Script {
        let all = u64::from(sectors);
        let uniform = Phase {
            stream: Pattern::Uniform.with(0xD5A2),
            count: 0,
            sync: Sync::Never,
        };
        let chosen = |pattern: Pattern, default: u64| pattern.with(seed.unwrap_or(default));
        // A warm-up of two disks and a measured disk of the same stream.
        let overwrite = |stream: Stream, measured: u64, sync: Sync| Script {
            before: vec![Phase {
                stream,
                count: 2 * all,
                sync: Sync::Never,
            }],
            measured: Measured::Writes {
                stream: None,
                count: measured,
                sync,
            },
            ..Script::filled(sectors)
        };
        let fill = Pattern::Sequential.with(0);
        match self {
            Self::SeqFill => Script {
                filled: false,
                measured: Measured::Writes {
                    stream: Some(fill),
                    count: all,
                    sync: Sync::AtEnd,
                },
                ..Script::filled(sectors)
            },
            Self::SeqOver => Script {
                before: vec![Phase {
                    stream: fill,
                    count: all,
                    sync: Sync::Never,
                }],
                measured: Measured::Writes {
                    stream: Some(fill),
                    count: all,
                    sync: Sync::AtEnd,
                },
                ..Script::filled(sectors)
            },
            Self::Uniform => overwrite(chosen(Pattern::Uniform, 0xD5A2), all, Sync::AtEnd),
            Self::Zipf => overwrite(
                chosen(Pattern::Zipf { theta: ZIPF_THETA }, 0x21BF),
                all,
                Sync::AtEnd,
            ),
            Self::HotCold => overwrite(chosen(Pattern::HotCold, 0x9010), all, Sync::AtEnd),
            Self::Shift => overwrite(chosen(Pattern::Shift, 0x9010), all, Sync::AtEnd),
            Self::Sync => overwrite(chosen(Pattern::Uniform, 0xD5A2), all / 4, Sync::Every(1)),
            Self::RandRead | Self::SeqRead => Script {
                before: vec![Phase {
                    count: 3 * all,
                    sync: Sync::AtEnd,
                    ..uniform
                }],
                measured: if self == Self::RandRead {
                    Measured::Reads {
                        stream: chosen(Pattern::Uniform, 0xBEEF),
                        count: RANDOM_READS,
                    }
                } else {
                    Measured::Reads {
                        stream: fill,
                        count: all,
                    }
                },
                ..Script::filled(sectors)
            },
            Self::MountClean | Self::MountCut => Script {
                before: vec![Phase {
                    stream: chosen(Pattern::Uniform, 0xD5A2),
                    count: MOUNT_ROUNDS * MOUNT_ROUND_WRITES,
                    sync: Sync::Every(MOUNT_ROUND_WRITES),
                }],
                measured: Measured::Mount {
                    after_cut: self == Self::MountCut,
                },
                ..Script::filled(sectors)
            },
            Self::Wear => Script {
                measured: Measured::Writes {
                    stream: Some(chosen(Pattern::UpperHalf, 0x3EA7)),
                    count: 200 * (all / 2),
                    sync: Sync::AtEnd,
                },
                ..Script::filled(sectors)
            },
        }
    }
}

/// When a phase of writes syncs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// Not at all.
    Never,
    /// After the last write.
    AtEnd,
    /// After every so many writes, and after the last.
    Every(u64),
}

impl Sync {
    /// True when a sync follows write number `done` (counted from 1) of `count`.
    #[must_use]
    pub const fn follows(self, done: u64, count: u64) -> bool {
        match self {
            Self::Never => false,
            Self::AtEnd => done == count,
            Self::Every(writes) => done == count || done.is_multiple_of(writes),
        }
    }
}

/// Some writes of a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Phase {
    /// Which sectors.
    pub stream: Stream,
    /// How many.
    pub count: u64,
    /// Syncs among them.
    pub sync: Sync,
}

/// What is measured at the end of a script.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measured {
    /// Writes; without a stream of their own they go on with that of the last phase before.
    Writes {
        /// Which sectors.
        stream: Option<Stream>,
        /// How many.
        count: u64,
        /// Syncs among them.
        sync: Sync,
    },
    /// Reads.
    Reads {
        /// Which sectors.
        stream: Stream,
        /// How many.
        count: u64,
    },
    /// A mount, up to the end of the first read; after a cut also of the first synced write.
    Mount {
        /// [`MOUNT_UNSYNCED_WRITES`] follow and the power is cut, instead of an unmount.
        after_cut: bool,
    },
}

/// A workload from a fresh chip to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// Sectors in use.
    pub sectors: u32,
    /// All sectors are written in order first.
    pub filled: bool,
    /// What follows, unmeasured.
    pub before: Vec<Phase>,
    /// What is measured.
    pub measured: Measured,
}

impl Script {
    const fn filled(sectors: u32) -> Self {
        Self {
            sectors,
            filled: true,
            before: Vec::new(),
            measured: Measured::Mount { after_cut: false },
        }
    }

    /// Requests of all phases.
    #[must_use]
    pub fn requests(&self) -> u64 {
        let fill = if self.filled {
            u64::from(self.sectors)
        } else {
            0
        };
        let before: u64 = self.before.iter().map(|phase| phase.count).sum();
        let measured = match self.measured {
            Measured::Writes { count, .. } | Measured::Reads { count, .. } => count,
            Measured::Mount { .. } => 0,
        };
        fill + before + measured
    }
}

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
    /// Nine of ten in the first tenth of the permutation, the others in the rest.
    HotCold,
    /// As [`HotCold`](Self::HotCold), but after every L / 2 writes the next tenth is the hot one.
    Shift,
    /// Uniform over the sectors from L / 2 on.
    UpperHalf,
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
            Pattern::Zipf { .. } | Pattern::HotCold | Pattern::Shift
        );
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
                permutation(sectors)
            } else {
                Vec::new()
            },
            cumulative,
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
}

impl Requests {
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
                self.permutation[rank.min(self.permutation.len() - 1)]
            }
            Pattern::HotCold => self.hot_or_cold(0),
            Pattern::Shift => {
                let moves = number / (all / 2);
                self.hot_or_cold(moves % 10 * (all / 10))
            }
        }
    }

    /// Nine of ten in the tenth of the permutation that starts at `start`.
    fn hot_or_cold(&mut self, start: u64) -> u32 {
        let all = u64::from(self.sectors);
        let tenth = all / 10;
        let within = if self.prng.below(10) < 9 {
            self.prng.below(tenth)
        } else {
            tenth + self.prng.below(all - tenth)
        };
        self.permutation[((start + within) % all) as usize]
    }
}

#[cfg(test)]
mod tests;
