//! What is left of a volume's life: erases that its blocks are rated for, and blocks that may still fail.

use cuesta_hal::Nand;

use super::parameters::SLOT_COST;
use super::quota::{MOVES_PER_WRITE_MAX, RESERVE_SEGMENTS};
use super::segment_table::State;
use super::{Session, Volume};

/// Of the rated erases, so many in a hundred are left when the end is near.
const ERASES_LEFT_PERCENT: u32 = 10;
/// Of the blocks that the maker allows to be bad, one in so many may still fail when the end is near.
const SPARE_SHARE: u32 = 4;

/// Places of a ring, of which one holds the last checkpoint, one the newest trace, and one is written.
const PLACES_ENOUGH: u32 = 3;

/// What is left of a volume's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Life {
    /// Mean erases of the segments in use.
    pub erases: u32,
    /// Mean erases of the blocks that checkpoints are written to, in turn, in the ring with the most.
    pub checkpoint_erases: u32,
    /// Erases that a block is rated for.
    pub endurance: u32,
    /// Blocks that may still fail before a full disk has less room than its format has reckoned with. It goes on writing for a while then: there is a reserve for
    /// the volume's own work, and what is not in use helps.
    pub spare_blocks: u32,
    /// Blocks that the maker allows to be bad, those from the factory included.
    pub bad_blocks_max: u32,
    /// Places for checkpoints whose blocks are good, in the ring with the fewest of those that are needed. Three are enough for ever; with two the next failure
    /// may be the end.
    pub places: u32,
    /// The volume takes no more writes.
    pub over: bool,
}

/// How a volume's life goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Outlook {
    /// There is nothing to be done.
    Good,
    /// Nine tenths of the rated erases are used up, or three quarters of the blocks that may be bad are, or a place for checkpoints has failed: time to replace the
    /// part. All still works.
    EndsSoon,
    /// The volume takes no more writes; what can be read stays readable.
    Over,
}

impl Life {
    /// Rated erases that are left, in a hundred: of the segments or of the blocks for checkpoints, whichever are fewer.
    #[must_use]
    pub const fn erases_left_percent(&self) -> u32 {
        if self.endurance == 0 {
            return 0;
        }
        let erases = if self.erases > self.checkpoint_erases {
            self.erases
        } else {
            self.checkpoint_erases
        };
        let left = self.endurance.saturating_sub(erases) as u64;
        (left * 100 / self.endurance as u64) as u32
    }

    /// How the volume's life goes on.
    #[must_use]
    pub const fn outlook(&self) -> Outlook {
        if self.over {
            Outlook::Over
        } else if self.erases_left_percent() <= ERASES_LEFT_PERCENT
            || self.spare_blocks <= self.bad_blocks_max / SPARE_SHARE
            || self.places < PLACES_ENOUGH
        {
            Outlook::EndsSoon
        } else {
            Outlook::Good
        }
    }
}

impl<N: Nand> Volume<'_, N> {
    /// What is left of the volume's life. Looks at every segment.
    #[must_use]
    pub fn life(&self) -> Life {
        let geometry = self.nand.geometry();
        let (sum, count) = self
            .segments
            .wearing()
            .map(|segment| u64::from(self.erases_of(segment)))
            .fold((0, 0), |(sum, count), erases| (sum + erases, count + 1));
        Life {
            erases: (sum / count.max(1)) as u32,
            checkpoint_erases: self.ring_erases(),
            endurance: geometry.endurance_cycles,
            spare_blocks: self.good_blocks().saturating_sub(self.blocks_needed()),
            bad_blocks_max: geometry.bad_blocks_max_per_die * u32::from(geometry.dies),
            places: self.sound_places(),
            over: matches!(self.session, Session::ReadOnly) || self.out_of_space(),
        }
    }

    /// Good blocks that data and journal may use.
    fn good_blocks(&self) -> u32 {
        let usable = |segment: &super::Segment| {
            !matches!(
                self.segments.state(*segment),
                State::Reserved | State::Retired
            )
        };
        self.segments
            .iter()
            .filter(usable)
            .map(|segment| self.good_columns(segment))
            .sum()
    }

    /// Blocks that a full disk needs: see [`Quota`](super::Quota).
    fn blocks_needed(&self) -> u32 {
        let slots = u64::from(self.shape.slots_per_segment());
        let (moves, cost) = (u64::from(MOVES_PER_WRITE_MAX), u64::from(SLOT_COST));
        let held = u64::from(self.shape.capacity).max(self.used.div_ceil(cost));
        let data = (held * (moves + 1)).div_ceil(moves * slots) as u32;
        let own = self.quota.journal_segments
            + self.shape.streams.of_data()
            + RESERVE_SEGMENTS
            + u32::from(self.parameters.levels())
            - 1;
        (data + own) * self.shape.width()
    }
}
