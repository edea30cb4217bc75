//! The request streams of the benches: which sector comes next.
//!
//! Everything is spelled out, down to how a random number becomes a sector, so that other engines can be given the very same
//! requests and the figures compared. The generator is [`SplitMix64`](crate::SplitMix64); the permutation that spreads hot sectors over the disk is a Fisher-Yates
//! shuffle with a seed of its own, the same in every run.

mod requests;

pub use requests::{permutation, Pattern, Request, Requests, Stream};

/// Skew of the Zipf distribution where none is asked for.
pub const ZIPF_THETA: f64 = 0.99;
/// Requests of the random-read workload.
pub const RANDOM_READS: u64 = 100_000;
/// Rounds of writes, each ended by a sync, before a mount is measured.
pub const MOUNT_ROUNDS: u64 = 20;
/// Writes of such a round.
pub const MOUNT_ROUND_WRITES: u64 = 997;
/// Writes after the last sync when the power is to be cut before the mount.
pub const MOUNT_UNSYNCED_WRITES: u64 = 7;

/// The hot set of hotcold, and where it is after it has moved.
const STILL: Pattern = Pattern::HotCold { tenth: 0 };
const MOVED: Pattern = Pattern::HotCold { tenth: 5 };

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
    /// As [`HotCold`](Self::HotCold), two disks of writes after the hot tenth has moved.
    Moved,
    /// Overwrites half of the disk a hundred times over while the other half lies still.
    Wear,
    /// Runs of 1 to 16 sectors, most of them in a tenth of the disk, some of them trimmed.
    Mixed,
}

/// What can be chosen about a workload.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Replaces the seed of the measured stream.
    pub seed: Option<u64>,
    /// Skew of the Zipf distribution.
    pub theta: f64,
    /// Writes name the stream that a host would name which knows the workload.
    pub hints: bool,
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            seed: None,
            theta: ZIPF_THETA,
            hints: false,
        }
    }
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
    pub const ALL: [Self; 14] = [
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
        Self::Moved,
        Self::Wear,
        Self::Mixed,
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
            Self::Moved => "moved",
            Self::Wear => "wear",
            Self::Mixed => "mixed",
        }
    }

    /// What is done, over `sectors` sectors.
    #[must_use]
    pub fn script(self, sectors: u32, choice: &Choice) -> Script {
        let all = u64::from(sectors);
        let uniform = Phase {
            stream: Pattern::Uniform.with(0xD5A2),
            count: 0,
            sync: Sync::Never,
        };
        let chosen = |pattern: Pattern, default: u64| pattern.with(choice.seed.unwrap_or(default));
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
                chosen(
                    Pattern::Zipf {
                        theta: choice.theta,
                    },
                    0x21BF,
                ),
                all,
                Sync::AtEnd,
            ),
            Self::HotCold => overwrite(chosen(STILL, 0x9010), all, Sync::AtEnd),
            Self::Moved => {
                let moved = overwrite(chosen(MOVED, 0x90ED), all, Sync::AtEnd);
                let still = Phase {
                    stream: chosen(STILL, 0x9010),
                    count: 2 * all,
                    sync: Sync::Never,
                };
                Script {
                    before: [vec![still], moved.before].concat(),
                    ..moved
                }
            }
            Self::Shift => overwrite(chosen(Pattern::Shift, 0x9010), all, Sync::AtEnd),
            Self::Mixed => overwrite(chosen(Pattern::Mixed, 0x313D), all, Sync::AtEnd),
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

#[cfg(test)]
mod tests;
