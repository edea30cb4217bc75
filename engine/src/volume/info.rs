//! What a mounted volume tells of itself.

use cuesta_hal::Nand;

use super::address::Segment;
use super::level::LevelIndex;
use super::life::Life;
use super::segment_table::State;
use super::stats::Stats;
use super::{Parameters, Quota, Session, Volume};

/// The volume as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Info {
    /// Stored parameters.
    pub parameters: Parameters,
    /// Sizes of the volume's own structures.
    pub quota: Quota,
    /// Sectors written at least once and not trimmed; a hint after a cut.
    pub mapped: u32,
    /// Host writes over the volume's life.
    pub host_writes: u32,
    /// Segments of the part.
    pub segments: u32,
    /// Free segments.
    pub free: u32,
    /// Segments of the journal.
    pub journal: u32,
    /// Segments out of use.
    pub retired: u32,
    /// Bad blocks, factory-bad ones included.
    pub bad_blocks: u32,
    /// Fewest erases of a segment in use.
    pub wear_min: u32,
    /// Most erases of a segment in use.
    pub wear_max: u32,
    /// Entries in the delta table.
    pub deltas: u32,
    /// Entries the delta table may hold.
    pub deltas_max: u32,
    /// Number of the last checkpoint.
    pub checkpoint: u32,
    /// The last session ended with an unmount, and this one has written nothing.
    pub clean: bool,
    /// No checkpoint could be read: the journal was found by looking for it.
    pub scanned: bool,
    /// The volume takes no writes.
    pub read_only: bool,
    /// What is left of its life.
    pub life: Life,
}

/// One segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SegmentInfo {
    /// Its use.
    pub state: State,
    /// Its class; 8 for wear leveling, 9 for the journal.
    pub class: u8,
    /// The level of what is in it.
    pub level: LevelIndex,
    /// Slots that count; a hint between an unclean end and the first change after it.
    pub valid: u32,
    /// Erases.
    pub erases: u32,
}

impl SegmentInfo {
    /// True when sectors of hosts may be in it.
    #[must_use]
    pub const fn holds_data(&self) -> bool {
        matches!(
            self.state,
            State::Open | State::Closed | State::Ailing | State::Failing
        )
    }
}

impl<N: Nand> Volume<'_, N> {
    /// The volume as a whole. Looks at every segment.
    #[must_use]
    pub fn info(&self) -> Info {
        let wear = || {
            self.segments
                .wearing()
                .map(|segment| self.erases_of(segment))
        };
        Info {
            parameters: self.parameters,
            quota: self.quota,
            mapped: self.mapped,
            host_writes: self.host_writes,
            segments: self.shape.segments,
            free: self.free,
            journal: self.journal_segments,
            retired: self.count(State::Retired),
            bad_blocks: self.bad_blocks.iter().map(|byte| byte.count_ones()).sum(),
            wear_min: wear().min().unwrap_or(0),
            wear_max: wear().max().unwrap_or(0),
            deltas: self.deltas.len() as u32,
            deltas_max: self.deltas.limit() as u32,
            checkpoint: self.checkpoint.sequence,
            clean: matches!(self.session, Session::Mounted { clean: true }),
            scanned: self.scanned,
            read_only: self.is_read_only(),
            life: self.life(),
        }
    }

    /// What the volume was made with.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The volume takes no more writes; everything in it can still be read.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.session == Session::ReadOnly
    }

    /// A segment; `None` beyond the last.
    #[must_use]
    pub fn segment_info(&self, index: u32) -> Option<SegmentInfo> {
        (index < self.shape.segments).then(|| {
            let segment = Segment(index);
            SegmentInfo {
                state: self.segments.state(segment),
                class: self.segments.class(segment),
                level: LevelIndex(self.segments.level(segment)),
                valid: self.segments.valid(segment),
                erases: self.erases_of(segment),
            }
        })
    }

    /// What the volume has done since it was mounted.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }
}
