//! Why a volume cannot be made, with the numbers.

use super::level::{Level, Redundancy, COPIES_MAX, LEVELS_MAX, PARITY_MAX, PARITY_MIN};
use super::stream::CLASSES_MAX;
use crate::codec::LayoutError;

/// Why a volume cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ParameterError {
    /// Pages cannot hold the sectors.
    Layout(LayoutError),
    /// The geometry contradicts itself.
    Geometry(cuesta_hal::GeometryError),
    /// The width does not divide the number of dies.
    Width {
        /// Asked for.
        width: u16,
        /// Dies there are.
        dies: u16,
    },
    /// The part has several dies, or pages of several sectors, or the volume several levels, copies or parity, and this build serves none of these.
    NotBuilt,
    /// The part has paired pages: a power cut during a program could destroy pages that were acknowledged before.
    PairedPages,
    /// No or too many levels, or fewer places for them than there are.
    Levels {
        /// Asked for.
        asked: usize,
        /// Places asked for.
        places: usize,
    },
    /// A record page would have no room beside so many levels.
    RecordPage {
        /// Places of the level table.
        levels: u8,
        /// Main-area bytes of a page.
        page_bytes: u32,
    },
    /// Two levels have the same name.
    LevelName(Level),
    /// The code of a level does not fit.
    Level {
        /// The level.
        level: Level,
        /// The sum that does not work out.
        error: LayoutError,
    },
    /// The stripes of a level need more dies, or more blocks of a segment, than there are.
    Stripe {
        /// What was asked for.
        redundancy: Redundancy,
        /// Dies, or blocks of a segment.
        places: u16,
    },
    /// More copies, or more pages to one of parity, than the volume was made for, or than there can be.
    Redundancy {
        /// What was asked for.
        redundancy: Redundancy,
        /// Most copies.
        copies: u8,
        /// Most pages of data to one of parity.
        parity: u8,
    },
    /// No or too many classes.
    Classes(u8),
    /// More sectors than fit.
    Capacity {
        /// Asked for.
        asked: u32,
        /// Largest possible.
        max: u32,
    },
    /// More system sectors than there can be.
    System {
        /// Asked for.
        asked: u8,
        /// Largest possible.
        max: u8,
    },
    /// The part has more slots than locations can name.
    Slots {
        /// Slots there are: places of a sector, in pages.
        slots: u64,
        /// Most slots.
        max: u32,
    },
    /// A segment has more slots than its table can count.
    SegmentSlots {
        /// Slots of a segment.
        slots: u64,
        /// Most slots.
        max: u32,
    },
    /// A block has too few pages for a checkpoint to begin in it.
    BlockPages {
        /// Pages there are.
        pages: u32,
        /// Pages needed.
        needed: u32,
    },
    /// A checkpoint has more pages than the blocks of its place.
    Checkpoint {
        /// Pages of a checkpoint.
        pages: u64,
        /// Most pages.
        max: u32,
    },
    /// The part is too small for the volume's own structures.
    TooSmall {
        /// Segments there are.
        segments: u32,
        /// Segments needed before the first sector.
        needed: u32,
    },
}

impl core::fmt::Display for ParameterError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Layout(error) => error.fmt(f),
            Self::Geometry(error) => error.fmt(f),
            Self::Width { width, dies } => write!(
                f,
                "segments of {width} blocks do not divide {dies} dies evenly"
            ),
            Self::NotBuilt => f.write_str(
                "this build was made for one die, one sector in a page, one level and one copy (without the feature `wide`)",
            ),
            Self::PairedPages => f.write_str(
                "the part has paired pages (MLC, TLC), which are not supported: a power cut could destroy acknowledged data; use it in SLC mode",
            ),
            Self::Levels { asked, places } => write!(
                f,
                "{asked} levels for a table of {places} places; 1 to {LEVELS_MAX} are possible"
            ),
            Self::RecordPage { levels, page_bytes } => write!(
                f,
                "a page of {page_bytes} B has no room for the journal's records beside a table of {levels} levels"
            ),
            Self::LevelName(level) => {
                write!(f, "two levels have the name {}: give each a name of its own", level.name())
            }
            Self::Level { level, error } => write!(f, "level {level}: {error}"),
            Self::Stripe { redundancy: redundancy @ Redundancy::Parity(_), places } => write!(
                f,
                "{redundancy} needs {} dies, and as many blocks of a segment, there are {places}: ask for parity over fewer pages, or for copies",
                redundancy.stripe().1
            ),
            Self::Stripe { redundancy, places } => write!(
                f,
                "{redundancy} needs {} dies (blocks of a segment on a part of one die), there are {places}: ask for fewer copies",
                redundancy.stripe().1
            ),
            Self::Redundancy { redundancy, .. } if !redundancy.is_possible() => write!(
                f,
                "there is no {redundancy}: 2 to {COPIES_MAX} copies, or parity over {PARITY_MIN} to {PARITY_MAX} pages, are possible"
            ),
            Self::Redundancy { redundancy, copies, parity } => write!(
                f,
                "{redundancy} is more than the volume is made for, which is {copies} copies and parity over {parity} pages: ask for less, or format it for more"
            ),
            Self::Classes(classes) => {
                write!(
                    f,
                    "{classes} data classes asked for, 1 to {CLASSES_MAX} are possible"
                )
            }
            Self::Capacity { asked, max } => {
                write!(f, "{asked} sectors asked for, at most {max} fit")
            }
            Self::System { asked, max } => {
                write!(f, "{asked} system sectors asked for, there can be {max}")
            }
            Self::Slots { slots, max } => write!(
                f,
                "the part has room for {slots} sectors, {max} at most can be named: use fewer dies or blocks"
            ),
            Self::SegmentSlots { slots, max } => write!(
                f,
                "a segment has room for {slots} sectors, {max} at most can be counted: use narrower segments"
            ),
            Self::BlockPages { pages, needed } => write!(
                f,
                "a block has too few pages, which is {pages}: checkpoints need blocks of {needed} at least"
            ),
            Self::Checkpoint { pages, max } => write!(
                f,
                "a checkpoint has {pages} pages, the blocks kept for one have room for {max}: use wider segments, or fewer dies or blocks"
            ),
            Self::TooSmall { segments, needed } => write!(
                f,
                "the part has {segments} segments, more than {needed} are needed; narrower segments, fewer levels or fewer copies need fewer"
            ),
        }
    }
}

impl core::error::Error for ParameterError {}
