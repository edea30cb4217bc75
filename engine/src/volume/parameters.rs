//! What a volume is made with: parameters, and the quotas that follow from them.

use cuesta_hal::{Geometry, Pairing};

use super::bits;
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

/// What the caller of `format` chooses; `None` takes the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FormatOptions<'l> {
    /// Identity of the volume: give every volume another.
    pub volume_id: u64,
    /// Sectors; by default all that would fit if everything were written at the level that takes most room. With more than that, writes at such a level
    /// may find no space.
    pub capacity: Option<u32>,
    /// Blocks of a segment; a divisor of the number of dies, and no less than the copies of any level.
    pub width: Option<u16>,
    /// The levels; of the first one is what is written without naming a level. None: one level of one copy, protected by the code that the part's data
    /// sheet asks for.
    pub levels: &'l [Level],
    /// Places of the level table, for levels to be added later; by default as many as there are levels.
    pub level_places: Option<u8>,
    /// Copies that levels to be added later may have at most; by default as many as the levels here have.
    pub level_copies: Option<u8>,
    /// Pages of data to one of parity that levels to be added later may have at most; by default as many as the levels here have.
    pub level_parity: Option<u8>,
    /// Data classes, 1 to 8; by default by the number of segments.
    pub classes: Option<u8>,
    /// Sectors for what belongs to the volume as a whole, its policy; 0 to 7. They are taken from those of hosts.
    pub system: u8,
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

/// Segments as wide as possible while there are at least 64 of them, and as the copies of a page want it.
fn default_width(geometry: &Geometry, copies: u16) -> u16 {
    let mut width = 1;
    while geometry.dies.is_multiple_of(width * 2)
        && width < 32
        && geometry.blocks() / u32::from(width * 2) >= 64
    {
        width *= 2;
    }
    (width.max(copies)..=geometry.dies.max(copies))
        .find(|&width| width_fits(geometry, width))
        .unwrap_or(width)
}

impl FormatOptions<'_> {
    /// The most copies, and the widest parity, that levels of now or later may have.
    fn redundancies(&self) -> Result<[Redundancy; 2], ParameterError> {
        let most = |of: fn(Redundancy) -> u8, asked: Option<u8>| {
            let levels = self.levels.iter().map(|level| of(level.redundancy));
            levels.chain(asked).max().unwrap_or(0)
        };
        let copies = most(Redundancy::copies, self.level_copies);
        let parity = most(Redundancy::parity, self.level_parity);
        let wanted = [
            if copies > 1 {
                Redundancy::Mirror(copies)
            } else {
                Redundancy::Single
            },
            if parity > 0 {
                Redundancy::Parity(parity)
            } else {
                Redundancy::Single
            },
        ];
        let own = self.levels.iter().map(|level| level.redundancy);
        match own.chain(wanted).find(|wanted| !wanted.is_possible()) {
            Some(redundancy) => Err(ParameterError::Redundancy {
                redundancy,
                copies: COPIES_MAX,
                parity: PARITY_MAX,
            }),
            None => Ok(wanted),
        }
    }
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

    /// Chooses the parameters for a geometry.
    ///
    /// # Errors
    /// What does not fit, with the numbers.
    pub fn choose(
        geometry: &Geometry,
        options: &FormatOptions<'_>,
    ) -> Result<Self, ParameterError> {
        geometry.validate().map_err(ParameterError::Geometry)?;
        if geometry.pairing != Pairing::None {
            return Err(ParameterError::PairedPages);
        }
        let wanted = options.redundancies()?;
        let stripe = wanted.iter().map(|wanted| wanted.stripe().1).max();
        let width = options
            .width
            .unwrap_or_else(|| default_width(geometry, stripe.unwrap_or(1).into()));
        for redundancy in wanted {
            let pages = u16::from(redundancy.stripe().1);
            let on_one_die = geometry.dies == 1 && redundancy.parity() == 0;
            let places = match pages > geometry.dies && !on_one_die {
                true => geometry.dies,
                false => width,
            };
            if pages > places {
                return Err(ParameterError::Stripe { redundancy, places });
            }
        }
        if !width_fits(geometry, width) {
            return Err(ParameterError::Width {
                width,
                dies: geometry.dies,
            });
        }
        let places = match options.level_places {
            Some(places) => usize::from(places),
            None => options.levels.len().max(1),
        };
        if places == 0 || places > LEVELS_MAX || options.levels.len() > places {
            return Err(ParameterError::Levels {
                asked: options.levels.len(),
                places,
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
            levels: places as u8,
            copies: 1 + wanted
                .map(Redundancy::survives)
                .into_iter()
                .max()
                .unwrap_or(0),
            parity: wanted
                .map(Redundancy::parity)
                .into_iter()
                .max()
                .unwrap_or(0),
            system: options.system,
        };
        if options.system > SYSTEM_MAX {
            return Err(ParameterError::System {
                asked: options.system,
                max: SYSTEM_MAX,
            });
        }
        let quota = Quota::new(geometry, &parameters)?;
        let layout =
            PageLayout::new(geometry, parameters.sector_bytes).map_err(ParameterError::Layout)?;
        let mut cost = SLOT_COST;
        for (index, level) in options.levels.iter().enumerate() {
            if options.levels[..index]
                .iter()
                .any(|other| other.name() == level.name())
            {
                return Err(ParameterError::LevelName(*level));
            }
            cost = cost.max(level_cost(&layout, level)?);
        }
        let default = u64::from(quota.capacity_max) * u64::from(SLOT_COST) / u64::from(cost);
        let system = u32::from(options.system);
        let max = quota.capacity_max.saturating_sub(system);
        let default = (default as u32).saturating_sub(system);
        let asked = options.capacity.unwrap_or(default);
        if asked > max || asked == 0 {
            return Err(ParameterError::Capacity { asked, max });
        }
        parameters.capacity = asked;
        Ok(parameters)
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
    const fn are_served(&self, geometry: &Geometry) -> bool {
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

    /// True when there are as many sectors as these quotas allow, and some for hosts.
    pub(super) const fn fit(&self, quota: &Quota) -> bool {
        self.capacity > 0 && self.sectors() <= quota.capacity_max
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

#[cfg(test)]
#[cfg(feature = "wide")]
mod tests {
    use super::*;
    use crate::codec::Ecc;
    use crate::volume::{Budget, Plan, Shape};
    use cuesta_hal::{EccNeed, MarkerPages, MarkerPlace};
    use std::string::ToString;

    fn part(dies: u16, blocks_per_die: u32, pages_per_block: u16, page_bytes: u32) -> Geometry {
        Geometry {
            dies,
            blocks_per_die,
            pages_per_block,
            page_bytes,
            spare_bytes: (page_bytes / 8).max(64) as u16,
            buffers_per_die: 2,
            planes_per_die: 1,
            partial_programs_max: 1,
            bad_blocks_max_per_die: 2,
            endurance_cycles: 100_000,
            reads_per_block_max: 0,
            bad_block_marker: MarkerPlace {
                pages: MarkerPages::First,
                spare_offset: 0,
                len: 2,
            },
            chip_ecc: None,
            ecc_need: EccNeed {
                bits: 1,
                per_bytes: 512,
            },
            pairing: Pairing::None,
        }
    }

    fn level(redundancy: Redundancy) -> Level {
        Level::new("a", Ecc::Bch4, redundancy).unwrap()
    }

    #[test]
    fn redundancies_that_there_cannot_be_are_refused() {
        let geometry = part(4, 256, 64, 2048);
        let mirrors = [0, 1, COPIES_MAX + 1, u8::MAX].map(Redundancy::Mirror);
        let parities = [0, 1, PARITY_MAX + 1, u8::MAX].map(Redundancy::Parity);
        for redundancy in mirrors.into_iter().chain(parities) {
            for levels in [
                &[level(redundancy)][..],
                &[level(Redundancy::Single), level(redundancy)],
                &[level(Redundancy::Parity(3)), level(redundancy)],
            ] {
                let options = FormatOptions {
                    levels,
                    ..FormatOptions::default()
                };
                let refused = ParameterError::Redundancy {
                    redundancy,
                    copies: COPIES_MAX,
                    parity: PARITY_MAX,
                };
                assert_eq!(Parameters::choose(&geometry, &options), Err(refused));
            }
        }
    }

    fn choose(geometry: &Geometry) -> Result<Parameters, ParameterError> {
        Parameters::choose(geometry, &FormatOptions::default())
    }

    #[test]
    fn a_part_with_more_slots_than_locations_can_name_is_refused() {
        // Four sectors a page.
        let (slots, max) = (1 << 31, SLOTS_MAX);
        assert!(choose(&part(1, 1 << 13, 1 << 15, 16384)).is_ok());
        let error = choose(&part(1, 1 << 14, 1 << 15, 16384));
        assert_eq!(error, Err(ParameterError::Slots { slots, max }));
    }

    #[test]
    fn a_segment_with_more_slots_than_can_be_counted_is_refused() {
        let options = |width| FormatOptions {
            width: Some(width),
            ..FormatOptions::default()
        };
        let geometry = part(400, 64, u16::MAX, 4096);
        let found = Parameters::choose(&geometry, &options(400));
        let (slots, max) = (400 * u64::from(u16::MAX), SEGMENT_SLOTS_MAX);
        assert_eq!(found, Err(ParameterError::SegmentSlots { slots, max }));
    }

    #[test]
    fn a_part_of_one_page_a_block_is_refused() {
        let (pages, needed) = (1, 2);
        for dies in [1, 4] {
            let error = choose(&part(dies, 4096, 1, 2048));
            assert_eq!(error, Err(ParameterError::BlockPages { pages, needed }));
            assert!(choose(&part(dies, 4096, 64, 2048)).is_ok());
        }
    }

    #[test]
    fn a_part_on_which_all_blocks_may_be_bad_is_refused() {
        for bad_blocks_max_per_die in [4096, 1 << 30, u32::MAX] {
            let geometry = Geometry {
                bad_blocks_max_per_die,
                ..part(4, 4096, 64, 2048)
            };
            let error = choose(&geometry);
            assert!(matches!(error, Err(ParameterError::TooSmall { .. })));
        }
    }

    #[test]
    fn memory_in_full_is_no_less_than_the_minimum_on_many_dies() {
        let geometry = part(508, 32, 8, 16384);
        let parameters = choose(&geometry).unwrap();
        let plan = |budget| Plan::new(&geometry, &parameters, budget, 1, 4096).unwrap();
        let least = plan(Budget::Minimum).unwrap();
        assert!(plan(Budget::Full).unwrap().delta_bytes >= least.delta_bytes);
        let bytes = least.bytes() + (1 << 30);
        assert!(plan(Budget::Bytes(bytes)).unwrap().delta_bytes >= least.delta_bytes);
    }

    /// What follows from parameters that were chosen fits them.
    fn follows(geometry: &Geometry, parameters: &Parameters) {
        let quota = Quota::new(geometry, parameters).unwrap();
        assert!(parameters.capacity > 0 && parameters.capacity <= quota.capacity_max);
        let shape = Shape::new(geometry, parameters).unwrap();
        assert!(quota.capacity_max <= shape.slots());
        assert_eq!(shape.segments, geometry.blocks() / shape.width());
        let plan = |budget| Plan::new(geometry, parameters, budget, 1, 4096).unwrap();
        let least = plan(Budget::Minimum).unwrap();
        let most = plan(Budget::Full).unwrap();
        assert!(least.bytes() <= most.bytes());
        for offered in [least.bytes(), most.bytes(), 2 * most.bytes()] {
            match plan(Budget::Bytes(offered)) {
                Ok(plan) => assert!(plan.delta_bytes >= least.delta_bytes),
                Err(error) => assert!(error.minimum >= least.bytes()),
            }
        }
    }

    #[test]
    fn every_geometry_has_parameters_or_an_error() {
        let redundancies = [
            Redundancy::Single,
            Redundancy::Mirror(3),
            Redundancy::Parity(8),
        ];
        let mut chosen = 0;
        for dies in [1, 2, 3, 9, 300, u16::MAX] {
            for blocks in [1, 3, 64, 4096, 1 << 20, 1 << 27, (1 << 31) - 1] {
                for pages in [1, 2, 3, 64, 4096, u16::MAX] {
                    for page_bytes in [512, 2048, 16384] {
                        for bad in [0, 2, 1 << 16, u32::MAX] {
                            let geometry = Geometry {
                                bad_blocks_max_per_die: bad,
                                ..part(dies, blocks, pages, page_bytes)
                            };
                            for redundancy in redundancies {
                                for width in [None, Some(1), Some(dies)] {
                                    let options = FormatOptions {
                                        width,
                                        levels: &[level(redundancy)],
                                        ..FormatOptions::default()
                                    };
                                    match Parameters::choose(&geometry, &options) {
                                        Ok(parameters) => {
                                            follows(&geometry, &parameters);
                                            chosen += 1;
                                        }
                                        Err(error) => assert!(!error.to_string().is_empty()),
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        assert!(chosen > 100, "{chosen}");
    }
}
