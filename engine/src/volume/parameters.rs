//! What a volume is made with.

use cuesta_hal::Geometry;

use super::level::{Level, Redundancy, COPIES_MAX, ENTRY_BYTES, LEVELS_MAX, PARITY_MAX};
use super::parameter_error::ParameterError;
use super::shape::WIDE;
use super::stream::{Streams, CLASSES_MAX};
use crate::codec::{LayoutError, PageLayout};

/// Version of the on-flash format that this code writes and reads.
pub const FORMAT_VERSION: u16 = 3;
/// Sectors for what belongs to the volume as a whole at most.
pub const SYSTEM_MAX: u8 = 7;
/// Sectors in a page at most.
pub const UNITS_MAX: usize = crate::codec::header::UNITS_MAX;
/// Anchor blocks of one copy at most.
pub const RING_BLOCKS_MAX: usize = 16;
/// Copies of a checkpoint at most, each in a ring of anchor blocks: one more than a page may have.
pub const RINGS_MAX: usize = COPIES_MAX as usize + 1;
/// Pages of an anchor place before its first checkpoint.
pub const ANCHOR_PREFIX: u32 = 2;
/// Bytes of the fixed part of a checkpoint.
pub const HEAD_BYTES: u32 = 420;
/// What a slot counts where sectors of some levels take more than one: a number that all of them divide.
pub const SLOT_COST: u32 = 12;

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
    pub(super) width: u16,
    /// Data classes of the first level.
    pub classes: u8,
    pub(super) levels: u8,
    pub(super) copies: u8,
    pub(super) parity: u8,
    /// Sectors behind those of hosts, for what belongs to the volume as a whole: its policy. 0 to 7.
    pub system: u8,
}

/// The sector a geometry is used with: the page up to 4 KiB, 4 KiB on larger ones.
#[must_use]
pub const fn default_sector_bytes(geometry: &Geometry) -> u32 {
    if geometry.page_bytes <= 4096 {
        geometry.page_bytes
    } else {
        4096
    }
}

/// True when segments can be so wide: blocks on as many dies, or of the only one.
pub(super) const fn width_fits(geometry: &Geometry, width: u16) -> bool {
    match geometry.dies {
        1 => width > 0 && width <= COPIES_MAX as u16,
        dies => width > 0 && dies.is_multiple_of(width),
    }
}

/// What a sector of a level takes up, in parts of a slot: [`SLOT_COST`] of them are one.
///
/// # Errors
/// The code of the level does not fit the page, or is not in this build.
pub(super) fn level_cost(layout: &PageLayout, level: &Level) -> Result<u32, ParameterError> {
    let refused = |error| ParameterError::Level {
        level: *level,
        error,
    };
    let own = layout.with(level.ecc).map_err(refused)?;
    if !own.is_built() {
        return Err(refused(LayoutError::NotBuilt(level.ecc)));
    }
    Ok(cost_of(&own, level.redundancy))
}

/// What a sector takes up in pages of this layout, with what there is beside them, in parts of a slot: [`SLOT_COST`] of them are one. Rounded up.
#[must_use]
pub const fn cost_of(layout: &PageLayout, redundancy: Redundancy) -> u32 {
    let (data, pages) = redundancy.stripe();
    let cost = SLOT_COST * pages as u32 * layout.units();
    cost.div_ceil(data as u32 * layout.sectors())
}

/// Deltas of so many bits that fit into a record page whose lists are full.
pub(super) const fn record_room(
    page_bytes: u32,
    streams: &Streams,
    levels: u8,
    delta_bits: u32,
) -> usize {
    let lists = 55
        + levels as usize * ENTRY_BYTES
        + streams.count() * 9
        + 16 * 4
        + 16 * 5
        + 16 * 4
        + 8 * 4
        + 8;
    (page_bytes as usize).saturating_sub(lists) * 8 / delta_bits as usize
}

/// Sectors that may wait in memory beyond a page for each stream.
pub(super) fn staged_beyond(parameters: &Parameters, units: u32) -> usize {
    let streams = Streams::new(parameters.classes, parameters.levels());
    streams.count() * usize::from(parameters.parity().saturating_sub(1)) * units as usize
}

impl Parameters {
    /// Those of no volume.
    pub(super) const NONE: Self = Self {
        volume_id: 0,
        capacity: 0,
        sector_bytes: 0,
        width: 0,
        classes: 0,
        levels: 0,
        copies: 0,
        parity: 0,
        system: 0,
    };

    /// Blocks of a segment.
    #[must_use]
    pub const fn width(&self) -> u16 {
        if WIDE {
            self.width
        } else {
            1
        }
    }

    /// Places of the level table.
    #[must_use]
    pub const fn levels(&self) -> u8 {
        if WIDE {
            self.levels
        } else {
            1
        }
    }

    /// Copies of a page of the journal: one more than the dies whose loss a level may survive.
    #[must_use]
    pub const fn copies(&self) -> u8 {
        if WIDE {
            self.copies
        } else {
            1
        }
    }

    /// Pages of data to one of parity that a level may have at most; 0 if none has parity.
    #[must_use]
    pub const fn parity(&self) -> u8 {
        if WIDE {
            self.parity
        } else {
            0
        }
    }

    /// True when this build serves such a volume on such a part: see [`WIDE`].
    pub(super) const fn are_served(&self, geometry: &Geometry) -> bool {
        WIDE || (geometry.dies == 1
            && self.sector_bytes == geometry.page_bytes
            && self.width == 1
            && self.levels == 1
            && self.copies == 1
            && self.parity == 0)
    }

    /// Copies of a checkpoint, each in a ring of anchor blocks on a die of its own where there are several: one more than a page may have, so that two are
    /// left when as many dies are lost as a page survives; but two at least, and no more than there are dies.
    #[must_use]
    pub const fn rings(&self, dies: u16) -> u8 {
        let wanted = self.copies.saturating_add(1);
        if wanted <= 2 || dies <= 2 {
            2
        } else if wanted as u16 > dies {
            dies as u8
        } else {
            wanted
        }
    }

    /// Sectors of hosts and of the volume itself.
    #[must_use]
    pub const fn sectors(&self) -> u32 {
        self.capacity.saturating_add(self.system as u32)
    }

    /// Places of the level table and system sectors as they are stored: a byte.
    pub(super) const fn places(&self) -> u8 {
        self.levels | self.system << 5
    }

    /// Places of the level table and system sectors from their stored form.
    pub(super) const fn split_places(stored: u8) -> (u8, u8) {
        (stored & 0x1F, stored >> 5)
    }

    /// Copies and parity as they are stored: a byte.
    pub(super) const fn redundancy(&self) -> u8 {
        self.copies | self.parity << 4
    }

    /// Copies and parity from their stored form.
    pub(super) const fn split_redundancy(stored: u8) -> (u8, u8) {
        (stored & 0x0F, stored >> 4)
    }

    /// False when no format could have chosen them, whatever the part.
    pub(super) const fn are_possible(&self) -> bool {
        self.width > 0
            && self.classes > 0
            && self.classes as usize <= CLASSES_MAX
            && self.levels > 0
            && self.levels as usize <= LEVELS_MAX
            && self.copies > 0
            && self.copies <= COPIES_MAX
            && self.copies as u16 <= self.width
            && self.parity <= PARITY_MAX
            && (self.parity as u16) < self.width
            && (self.parity == 0 || self.copies > 1)
    }
}
