//! What a volume is made with: parameters, and the quotas that follow from them.

use cuesta_hal::{Geometry, Pairing};

use super::bits;
use crate::codec::{LayoutError, PageLayout};

/// Version of the on-flash format that this code writes and reads.
pub const FORMAT_VERSION: u16 = 1;
/// Sectors in a page at most.
pub const UNITS_MAX: usize = 4;
/// Data classes at most.
pub const CLASSES_MAX: usize = 8;
/// Anchor blocks of one copy at most.
pub const RING_BLOCKS_MAX: usize = 16;
/// Bytes of the fixed part of a checkpoint.
pub const HEAD_BYTES: u32 = 420;
/// Page moves per host write that the default capacity is planned for.
pub const MOVES_PER_WRITE_MAX: u32 = 48;
/// Segments kept for the groomer and for recovery.
pub const RESERVE_SEGMENTS: u32 = 7;

/// What is stored with the volume and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Parameters {
    /// Identity: mixed into every page's check.
    pub volume_id: u64,
    /// Sectors hosts can address.
    pub capacity: u32,
    /// Bytes of a sector.
    pub sector_bytes: u32,
    /// Blocks of a segment.
    pub width: u16,
    /// Data classes.
    pub classes: u8,
}

/// What the caller of `format` chooses; `None` takes the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FormatOptions {
    /// Identity of the volume: give every volume another.
    pub volume_id: u64,
    /// Sectors; by default all that the reserve allows.
    pub capacity: Option<u32>,
    /// Blocks of a segment; a divisor of the number of dies.
    pub width: Option<u16>,
    /// Data classes, 1 to 8; by default by the number of segments.
    pub classes: Option<u8>,
}

/// Sizes of the volume's own structures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Quota {
    /// Pages of one checkpoint copy.
    pub checkpoint_pages: u32,
    /// Anchor blocks that one checkpoint copy occupies.
    pub blocks_per_slot: u32,
    /// Checkpoint places in the ring of one copy.
    pub ring_slots: u32,
    /// Journal segments in steady state.
    pub journal_segments: u32,
    /// Journal pages after which a checkpoint is due.
    pub checkpoint_interval: u32,
    /// Journal pages protected by one parity page, itself included.
    pub journal_group: u32,
    /// Largest number of sectors.
    pub capacity_max: u32,
}

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
    /// The part has paired pages: a power cut during a program could destroy pages that were acknowledged before.
    PairedPages,
    /// A page would hold more sectors than this code handles.
    SectorsPerPage(u32),
    /// No or too many classes.
    Classes(u8),
    /// More sectors than fit.
    Capacity {
        /// Asked for.
        asked: u32,
        /// Largest possible.
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
            Self::PairedPages => f.write_str(
                "the part has paired pages (MLC, TLC), which are not supported: a power cut could destroy acknowledged data; use it in SLC mode",
            ),
            Self::SectorsPerPage(sectors) => write!(
                f,
                "a page would hold {sectors} sectors, at most {} are supported",
                UNITS_MAX
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
            Self::TooSmall { segments, needed } => write!(
                f,
                "the part has {segments} segments, more than {needed} are needed"
            ),
        }
    }
}

impl core::error::Error for ParameterError {}

/// The sector a geometry is used with: the page up to 4 KiB, 4 KiB on larger ones.
#[must_use]
pub const fn default_sector_bytes(geometry: &Geometry) -> u32 {
    if geometry.page_bytes <= 4096 {
        geometry.page_bytes
    } else {
        4096
    }
}

/// Segments as wide as possible while there are at least 64 of them.
fn default_width(geometry: &Geometry) -> u16 {
    let mut width = 1;
    while geometry.dies.is_multiple_of(width * 2)
        && width < 32
        && geometry.blocks() / u32::from(width * 2) >= 64
    {
        width *= 2;
    }
    width
}

impl Parameters {
    /// Chooses the parameters for a geometry.
    ///
    /// # Errors
    /// What does not fit, with the numbers.
    pub fn choose(geometry: &Geometry, options: &FormatOptions) -> Result<Self, ParameterError> {
        geometry.validate().map_err(ParameterError::Geometry)?;
        if geometry.pairing != Pairing::None {
            return Err(ParameterError::PairedPages);
        }
        let width = options.width.unwrap_or_else(|| default_width(geometry));
        if width == 0 || !geometry.dies.is_multiple_of(width) {
            return Err(ParameterError::Width {
                width,
                dies: geometry.dies,
            });
        }
        let segments = geometry.blocks() / u32::from(width);
        let classes = options
            .classes
            .unwrap_or_else(|| (segments / 128).clamp(2, CLASSES_MAX as u32) as u8);
        if classes == 0 || usize::from(classes) > CLASSES_MAX {
            return Err(ParameterError::Classes(classes));
        }
        let mut parameters = Self {
            volume_id: options.volume_id,
            capacity: 0,
            sector_bytes: default_sector_bytes(geometry),
            width,
            classes,
        };
        let quota = Quota::new(geometry, &parameters)?;
        let asked = options.capacity.unwrap_or(quota.capacity_max);
        if asked > quota.capacity_max || asked == 0 {
            return Err(ParameterError::Capacity {
                asked,
                max: quota.capacity_max,
            });
        }
        parameters.capacity = asked;
        Ok(parameters)
    }
}

impl Parameters {
    /// False when no format could have chosen them, whatever the part.
    pub(super) const fn are_possible(&self) -> bool {
        self.width > 0 && self.classes > 0 && self.classes as usize <= CLASSES_MAX
    }
}

impl Quota {
    /// Sizes of the volume's structures; the capacity in `parameters` is not looked at.
    ///
    /// # Errors
    /// What does not fit, with the numbers.
    pub fn new(geometry: &Geometry, parameters: &Parameters) -> Result<Self, ParameterError> {
        let layout =
            PageLayout::new(geometry, parameters.sector_bytes).map_err(ParameterError::Layout)?;
        if layout.sectors() > UNITS_MAX as u32 {
            return Err(ParameterError::SectorsPerPage(layout.sectors()));
        }
        let width = u32::from(parameters.width);
        let rows = u32::from(geometry.pages_per_block);
        let segments = geometry.blocks() / width;
        let segment_pages = rows * width;
        let slots = segments * segment_pages * layout.sectors();
        let location_bits = bits::width(slots + 1);
        let map_pages = slots.div_ceil(geometry.page_bytes * 8 / location_bits);

        let stride = super::segment_table::stride(segment_pages * layout.sectors()) as u32;
        let checkpoint_bytes =
            HEAD_BYTES + 4 * map_pages + stride * segments + geometry.blocks().div_ceil(8);
        let checkpoint_pages = checkpoint_bytes.div_ceil(geometry.page_bytes);
        // The first pages of a place say who began to write there.
        let blocks_per_slot = (checkpoint_pages + super::anchor::PREFIX).div_ceil(rows);
        let journal_group = if width > 1 {
            width.min(16)
        } else {
            16.min(rows)
        };
        let useful = segment_pages - segment_pages / journal_group;
        let checkpoint_interval = segment_pages.clamp(8, 96).max(checkpoint_pages * 2);
        // An anchor block must not wear faster than the others (about 16 data pages follow one journal page).
        let ring_slots = (segments * checkpoint_pages)
            .div_ceil(checkpoint_interval * 16)
            .clamp(3, (RING_BLOCKS_MAX as u32 / blocks_per_slot).max(3));
        let journal_segments =
            (2 * (map_pages + checkpoint_interval + checkpoint_pages)).div_ceil(useful) + 2;

        let copies_share_segments = width > 1;
        let anchor_blocks = ring_slots * blocks_per_slot;
        let anchor_segments = if copies_share_segments {
            anchor_blocks
        } else {
            2 * anchor_blocks
        };
        let bad_segments = geometry.bad_blocks_max_per_die * u32::from(geometry.dies) / width;
        let streams = u32::from(parameters.classes) + 1;
        let needed = anchor_segments + bad_segments + journal_segments + streams + RESERVE_SEGMENTS;
        if segments <= needed + 2 || blocks_per_slot * 3 > RING_BLOCKS_MAX as u32 {
            return Err(ParameterError::TooSmall { segments, needed });
        }
        let data_slots = u64::from(segments - needed) * u64::from(segment_pages * layout.sectors());
        let moves = u64::from(MOVES_PER_WRITE_MAX);
        let capacity_max = (data_slots * moves / (moves + 1)) as u32;
        Ok(Self {
            checkpoint_pages,
            blocks_per_slot,
            ring_slots,
            journal_segments,
            checkpoint_interval,
            journal_group,
            capacity_max,
        })
    }
}
