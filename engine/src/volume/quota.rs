//! Sizes of a volume's own structures, as they follow from its parameters and the part.

use cuesta_hal::Geometry;

use super::bits;
use super::level::ENTRY_BYTES;
use super::parameter_error::ParameterError;
use super::parameters::{
    record_room, staged_beyond, Parameters, ANCHOR_PREFIX, HEAD_BYTES, RING_BLOCKS_MAX,
};
use super::stream::Streams;
use crate::codec::PageLayout;

/// Of so many journal pages, one is a page of a checkpoint at most. The delta table grows with the journal, so that on any part there are some for each map page.
const CHECKPOINT_SHARE: u32 = 4;
/// Page moves per host write that the default capacity is planned for.
pub const MOVES_PER_WRITE_MAX: u32 = 48;
/// Segments kept for the groomer and for recovery, beside one for each level but the first.
pub const RESERVE_SEGMENTS: u32 = 7;
/// Deltas that a record page must have room for, beside what is in flight.
const RECORD_DELTAS_MIN: usize = 8;
/// Slots of a part at most: numbers of them have 31 bits, of which the last ones mean that a sector is not mapped, or lost.
pub const SLOTS_MAX: u32 = (1 << 31) - 2;
/// Slots of a segment at most: the segment table has 24 bits for how many of them are valid.
pub const SEGMENT_SLOTS_MAX: u32 = (1 << 24) - 1;
/// Blocks of a checkpoint's place at most: a ring has three places.
const SLOT_BLOCKS_MAX: u32 = RING_BLOCKS_MAX as u32 / 3;

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

/// Slots of a part.
fn slots_of(segments: u32, segment_pages: u32, units: u32) -> Result<u32, ParameterError> {
    let segment_slots = u64::from(segment_pages) * u64::from(units);
    let slots = u64::from(segments) * segment_slots;
    if slots > u64::from(SLOTS_MAX) {
        return Err(ParameterError::Slots {
            slots,
            max: SLOTS_MAX,
        });
    }
    if segment_slots > u64::from(SEGMENT_SLOTS_MAX) {
        return Err(ParameterError::SegmentSlots {
            slots: segment_slots,
            max: SEGMENT_SLOTS_MAX,
        });
    }
    Ok(slots as u32)
}

impl Quota {
    /// Sizes of the volume's structures; the capacity in `parameters` is not looked at.
    ///
    /// # Errors
    /// What does not fit, with the numbers.
    pub fn new(geometry: &Geometry, parameters: &Parameters) -> Result<Self, ParameterError> {
        let layout =
            PageLayout::new(geometry, parameters.sector_bytes).map_err(ParameterError::Layout)?;
        if !parameters.are_served(geometry) {
            return Err(ParameterError::NotBuilt);
        }
        let width = u32::from(parameters.width());
        let rows = u32::from(geometry.pages_per_block);
        if rows < ANCHOR_PREFIX {
            return Err(ParameterError::BlockPages {
                pages: rows,
                needed: ANCHOR_PREFIX,
            });
        }
        let segments = geometry.blocks() / width;
        let segment_pages = rows * width;
        let slots = slots_of(segments, segment_pages, layout.units())?;
        let location_bits = bits::width(slots + 1);
        let map_pages = slots.div_ceil(geometry.page_bytes * 8 / location_bits);

        let levels = u32::from(parameters.levels());
        let stride =
            super::segment_table::stride(segment_pages * layout.units(), parameters.levels())
                as u32;
        let checkpoint_bytes = u64::from(HEAD_BYTES + levels * ENTRY_BYTES as u32)
            + 4 * u64::from(map_pages)
            + u64::from(stride) * u64::from(segments)
            + u64::from(geometry.blocks().div_ceil(8));
        let checkpoint_pages = checkpoint_bytes.div_ceil(geometry.page_bytes.into());
        // The first pages of a place say who began to write there.
        let pages_max = SLOT_BLOCKS_MAX * rows - ANCHOR_PREFIX;
        if checkpoint_pages > u64::from(pages_max) {
            return Err(ParameterError::Checkpoint {
                pages: checkpoint_pages,
                max: pages_max,
            });
        }
        let checkpoint_pages = checkpoint_pages as u32;
        let blocks_per_slot = (checkpoint_pages + ANCHOR_PREFIX).div_ceil(rows);
        // Where pages have copies, the journal's have them instead.
        let copies = u32::from(parameters.copies());
        let journal_group = if copies > 1 {
            segment_pages
        } else if width > 1 {
            width.min(16)
        } else {
            16.min(rows)
        };
        let useful = if copies > 1 {
            segment_pages / copies
        } else {
            segment_pages - segment_pages / journal_group
        };
        let rings = u32::from(parameters.rings(geometry.dies));
        let checkpoint_interval = segment_pages
            .clamp(8, 96)
            .max(checkpoint_pages * rings * CHECKPOINT_SHARE);
        // An anchor block must not wear faster than the others (about 16 data pages follow one journal page).
        let ring_slots = (u64::from(segments) * u64::from(checkpoint_pages))
            .div_ceil(u64::from(checkpoint_interval) * 16)
            .clamp(3, u64::from(RING_BLOCKS_MAX as u32 / blocks_per_slot))
            as u32;
        // Map pages, what a mount replays while the next checkpoint is being made, the open segment, and one that is being emptied.
        let replayed = checkpoint_interval * 3 / 2 + checkpoint_pages;
        let journal_segments = map_pages.div_ceil(useful) + replayed.div_ceil(useful) + 2;

        let anchor_blocks = ring_slots * blocks_per_slot;
        let bad_blocks_per_die = geometry.bad_blocks_max_per_die.min(geometry.blocks_per_die);
        let bad_blocks = bad_blocks_per_die * u32::from(geometry.dies);
        let (anchor_segments, bad_segments) = match (geometry.dies, width) {
            (_, 1) => (rings * anchor_blocks, bad_blocks),
            // The rings lie one behind the other; a bad block may be anywhere.
            (1, _) => ((rings * anchor_blocks).div_ceil(width) + 1, bad_blocks),
            // The rings lie on dies side by side, as many as fit in the same segments. So many bad blocks make a segment useless for the copies of a page.
            _ => (
                rings.div_ceil(width) * anchor_blocks,
                bad_blocks / (width - copies + 1),
            ),
        };
        let streams = Streams::new(parameters.classes, parameters.levels());
        // With margin for what is in flight on every die.
        let delta_bits = 2 * location_bits;
        let deltas = record_room(
            geometry.page_bytes,
            &streams,
            parameters.levels(),
            delta_bits,
        );
        let in_flight = usize::from(geometry.dies) * layout.units() as usize;
        if deltas < in_flight + staged_beyond(parameters, layout.units()) + RECORD_DELTAS_MIN {
            return Err(ParameterError::RecordPage {
                levels: parameters.levels(),
                page_bytes: geometry.page_bytes,
            });
        }
        // The first stripe of a segment is shorter than the others, and the last one may be.
        let short_segments = match parameters.parity() {
            0 => 0,
            _ => (2 * segments).div_ceil(segment_pages),
        };
        let needed = [
            anchor_segments,
            bad_segments,
            short_segments,
            journal_segments,
            streams.of_data(),
            RESERVE_SEGMENTS + (levels - 1),
        ]
        .into_iter()
        .fold(0, u32::saturating_add);
        if segments <= needed.saturating_add(2) {
            return Err(ParameterError::TooSmall {
                segments,
                needed: needed.saturating_add(2),
            });
        }
        let data_slots = u64::from(segments - needed) * u64::from(segment_pages * layout.units());
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

impl Parameters {
    /// True when there are as many sectors as these quotas allow, and some for hosts.
    pub(super) const fn fit(&self, quota: &Quota) -> bool {
        self.capacity > 0 && self.sectors() <= quota.capacity_max
    }
}
