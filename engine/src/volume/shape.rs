//! The arithmetic of a volume: how segments, pages, slots and sectors follow from geometry and parameters.

use cuesta_hal::{BlockAddress, Geometry, PageAddress};

use super::address::{Location, MapIndex, Sector, Segment};
use super::bits;
use super::parameters::Parameters;
use super::stream::Streams;
use crate::codec::{LayoutError, PageLayout};

/// Whether this build serves what a small part has one of in any number: dies, sectors of a page, levels, copies. Where it does not, the numbers are constants, and what is for
/// others is not compiled.
pub(super) const WIDE: bool = cfg!(feature = "wide");

/// Everything that follows from the geometry and the parameters stored with the volume.
///
/// Segment `s` is block `s / groups` on the `width` dies of group `s % groups`; on a part of one die it is `width` blocks one behind the other. Its pages are
/// numbered row by row: *offset* = row · width + column. Location = (segment · pages + offset) · units + unit.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Layout of metadata, and of every header.
    pub layout: PageLayout,
    /// How streams are numbered.
    pub streams: Streams,
    dies: u16,
    /// Blocks of a die.
    pub blocks_per_die: u32,
    /// Pages of a block.
    pub rows: u32,
    width: u32,
    /// Segments of the part.
    pub segments: u32,
    /// Sectors hosts can address.
    pub capacity: u32,
    /// Bits of a location on flash.
    pub location_bits: u32,
    /// Sectors that one map page covers.
    pub map_entries: u32,
    /// Map pages.
    pub map_pages: u32,
}

impl Shape {
    /// Derives the shape.
    ///
    /// # Errors
    /// The layout's sum, when pages cannot hold the sectors.
    pub fn new(geometry: &Geometry, parameters: &Parameters) -> Result<Self, LayoutError> {
        let layout = PageLayout::new(geometry, parameters.sector_bytes)?;
        let width = u32::from(parameters.width()).max(1);
        let segments = geometry.blocks() / width;
        let units = layout.units();
        let slots = segments * width * u32::from(geometry.pages_per_block) * units;
        let location_bits = bits::width(slots + 1);
        let map_entries = geometry.page_bytes * 8 / location_bits;
        Ok(Self {
            layout,
            streams: Streams::new(parameters.classes, parameters.levels()),
            dies: geometry.dies,
            blocks_per_die: geometry.blocks_per_die,
            rows: u32::from(geometry.pages_per_block),
            width,
            segments,
            capacity: parameters.sectors(),
            location_bits,
            map_entries,
            map_pages: parameters.sectors().div_ceil(map_entries),
        })
    }

    /// Dies.
    #[must_use]
    pub const fn dies(&self) -> u16 {
        if WIDE {
            self.dies
        } else {
            1
        }
    }

    /// Blocks of a segment, each on a die of its own where there are several.
    #[must_use]
    pub const fn width(&self) -> u32 {
        if WIDE {
            self.width
        } else {
            1
        }
    }

    /// Slots of a page.
    #[must_use]
    pub const fn units(&self) -> u32 {
        self.layout.units()
    }

    /// Pages of a segment, holes of bad blocks included.
    #[must_use]
    pub const fn pages_per_segment(&self) -> u32 {
        self.rows * self.width()
    }

    /// Slots of a segment, holes of bad blocks included.
    #[must_use]
    pub const fn slots_per_segment(&self) -> u32 {
        self.pages_per_segment() * self.units()
    }

    /// Slots of the part.
    #[must_use]
    pub const fn slots(&self) -> u32 {
        self.segments * self.slots_per_segment()
    }

    /// The block of a segment in a column.
    #[must_use]
    pub const fn block(&self, segment: Segment, column: u32) -> BlockAddress {
        if self.dies() == 1 {
            return BlockAddress::new(0, segment.0 * self.width() + column);
        }
        let groups = self.groups();
        let die = (segment.0 % groups) * self.width() + column;
        BlockAddress::new(die as u16, segment.0 / groups)
    }

    /// Groups of dies that segments lie on.
    #[must_use]
    pub const fn groups(&self) -> u32 {
        if self.dies() == 1 {
            1
        } else {
            self.dies() as u32 / self.width()
        }
    }

    /// The segment that a block belongs to; one beyond the last for blocks that are left over.
    #[must_use]
    pub const fn segment_of(&self, block: BlockAddress) -> Segment {
        if self.dies() == 1 {
            return Segment(block.block.0 / self.width());
        }
        Segment(block.block.0 * self.groups() + block.die.0 as u32 / self.width())
    }

    /// Number of a block among all: die by die.
    #[must_use]
    pub const fn block_number(&self, block: BlockAddress) -> usize {
        block.die.0 as usize * self.blocks_per_die as usize + block.block.0 as usize
    }

    /// The page at an offset of a segment.
    #[must_use]
    pub const fn page(&self, segment: Segment, offset: u32) -> PageAddress {
        self.block(segment, offset % self.width())
            .page((offset / self.width()) as u16)
    }

    /// The location of a unit.
    #[must_use]
    pub const fn location(&self, segment: Segment, offset: u32, unit: u32) -> Location {
        Location((segment.0 * self.pages_per_segment() + offset) * self.units() + unit)
    }

    /// Segment, offset and unit of a location.
    #[must_use]
    pub const fn split(&self, location: Location) -> (Segment, u32, u32) {
        let page = location.0 / self.units();
        (
            Segment(page / self.pages_per_segment()),
            page % self.pages_per_segment(),
            location.0 % self.units(),
        )
    }

    /// The segment of a location.
    #[must_use]
    pub const fn segment(&self, location: Location) -> Segment {
        Segment(location.0 / self.slots_per_segment())
    }

    /// The page of a location and its unit.
    #[must_use]
    pub const fn address(&self, location: Location) -> (PageAddress, u32) {
        let (segment, offset, unit) = self.split(location);
        (self.page(segment, offset), unit)
    }

    /// The map page that holds a sector's location, and where in it.
    #[must_use]
    pub const fn map_of(&self, sector: Sector) -> (MapIndex, usize) {
        (
            MapIndex(sector.0 / self.map_entries),
            (sector.0 % self.map_entries) as usize,
        )
    }

    /// The sectors of a map page: first and one past the last.
    #[must_use]
    pub const fn map_range(&self, map: MapIndex) -> (Sector, Sector) {
        let first = map.0 * self.map_entries;
        let end = first + self.map_entries;
        (
            Sector(first),
            Sector(if end < self.capacity {
                end
            } else {
                self.capacity
            }),
        )
    }

    /// A location as it is stored: `location_bits` wide.
    #[must_use]
    pub const fn to_code(&self, location: Location) -> u32 {
        let ones = (1 << self.location_bits) - 1;
        match location {
            Location::UNMAPPED => ones,
            Location::LOST => ones - 1,
            Location(at) => at,
        }
    }

    /// A location from its stored form; a number beyond the media counts as lost.
    #[must_use]
    pub const fn from_code(&self, code: u32) -> Location {
        if code == (1 << self.location_bits) - 1 {
            Location::UNMAPPED
        } else if code < self.slots() {
            Location(code)
        } else {
            Location::LOST
        }
    }
}
