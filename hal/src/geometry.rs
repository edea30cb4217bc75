//! The description of a part: everything the layer above must know and nobody should guess.

use crate::SpareRuns;

/// Which pages of a factory-bad block carry the marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MarkerPages {
    /// The first page.
    First,
    /// The first or the second page.
    FirstOrSecond,
    /// The first or the last page.
    FirstOrLast,
}

/// Where the factory marks a bad block: a byte other than `0xFF` at this place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MarkerPlace {
    /// Pages that may carry it.
    pub pages: MarkerPages,
    /// First byte of the marker, counted from the start of the spare.
    pub spare_offset: u16,
    /// Bytes that belong to the marker and that nobody else should use.
    pub len: u16,
}

/// Error correction that the part does by itself.
///
/// What it does with the spare is the same for each of its codewords: a run of bytes for each, in order. Bytes of the spare that no run
/// names are nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ChipEcc {
    /// Bits corrected per [`codeword_bytes`](Self::codeword_bytes).
    pub strength: u8,
    /// Main-area bytes of one codeword.
    pub codeword_bytes: u16,
    /// True while it is switched on: spare bytes it owns cannot be used and blank pages must not be programmed.
    pub enabled: bool,
    /// Spare bytes that others may use while it is on; clear of the bad-block marker.
    pub free: SpareRuns,
    /// Those of them that it protects: each run belongs to the codeword of the same number.
    pub protected: SpareRuns,
    /// Spare bytes that it writes by itself while it is on: what is programmed there is ignored.
    pub owned: SpareRuns,
}

/// Bit errors the data sheet asks a controller to correct.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EccNeed {
    /// Correctable bits per [`per_bytes`](Self::per_bytes).
    pub bits: u8,
    /// Main-area bytes they are counted over.
    pub per_bytes: u16,
}

/// Which earlier page a power cut can destroy while another is being programmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Pairing {
    /// One bit a cell: no page shares cells with another.
    None,
    /// Programming page `p` can destroy every page from `p − distance` on. `distance` is the largest one in the block.
    Distance(u16),
}

/// A NAND part, or an array of like parts behind one interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Geometry {
    /// Dies; each does one array operation at a time.
    pub dies: u16,
    /// Erase blocks of one die.
    pub blocks_per_die: u32,
    /// Pages of one block, programmed in ascending order.
    pub pages_per_block: u16,
    /// Bytes of a page's main area.
    pub page_bytes: u32,
    /// Bytes of a page's spare (out-of-band) area.
    pub spare_bytes: u16,
    /// Page buffers the implementation holds for each die: 1 or 2.
    pub buffers_per_die: u8,
    /// Planes of a die; 1 when multi-plane operations are not offered.
    pub planes_per_die: u8,
    /// Programs allowed on one page between erases; 1 forbids partial programs.
    pub partial_programs_max: u8,
    /// Factory-bad and grown-bad blocks of one die that the data sheet allows over its life.
    pub bad_blocks_max_per_die: u32,
    /// Program / erase cycles a block is rated for.
    pub endurance_cycles: u32,
    /// Reads of a block between two erases that its maker reckons with: beyond, its pages may have more wrong bits than
    /// [`ecc_need`](Self::ecc_need) says. 0 for a part that reading does not disturb.
    pub reads_per_block_max: u32,
    /// Where the factory marks bad blocks.
    pub bad_block_marker: MarkerPlace,
    /// The part's own ECC, if it has one.
    pub chip_ecc: Option<ChipEcc>,
    /// Bit errors that must be correctable.
    pub ecc_need: EccNeed,
    /// Pages that share cells.
    pub pairing: Pairing,
}

/// Why a [`Geometry`] cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum GeometryError {
    /// A count that must not be zero is zero.
    Zero,
    /// The number of pages does not fit 31 bits.
    TooManyPages,
    /// The bad-block marker lies outside the spare.
    Marker,
    /// More than two or no page buffers.
    Buffers,
    /// A page with its spare does not fit 32 bits.
    PageTooLarge,
    /// The spare bytes that the part's own ECC leaves free, protects or owns lie outside the spare, in the bad-block marker or in each other.
    ChipSpare,
}

impl core::fmt::Display for GeometryError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Zero => "a count of the geometry is zero",
            Self::TooManyPages => "more than 2^31 pages",
            Self::Marker => "the bad-block marker lies outside the spare area",
            Self::Buffers => "a die has one or two page buffers",
            Self::PageTooLarge => "a page with its spare has 4 GiB or more",
            Self::ChipSpare => {
                "the spare bytes of the part's own ECC lie outside the spare area, in the bad-block marker or in each other"
            }
        })
    }
}

impl core::error::Error for GeometryError {}

/// The counts do not overflow for a geometry that [`validate`](Self::validate) accepts.
impl Geometry {
    /// Main and spare bytes of a page.
    #[must_use]
    pub const fn raw_page_bytes(&self) -> u32 {
        self.page_bytes + self.spare_bytes as u32
    }

    /// Blocks of all dies.
    #[must_use]
    pub const fn blocks(&self) -> u32 {
        self.dies as u32 * self.blocks_per_die
    }

    /// Pages of all dies.
    #[must_use]
    pub const fn pages(&self) -> u64 {
        self.blocks() as u64 * self.pages_per_block as u64
    }

    /// Main-area bytes of all dies.
    #[must_use]
    pub const fn main_bytes(&self) -> u64 {
        self.pages() * self.page_bytes as u64
    }

    /// True when the block exists.
    #[must_use]
    pub const fn has_block(&self, block: crate::BlockAddress) -> bool {
        block.die.0 < self.dies && block.block.0 < self.blocks_per_die
    }

    /// True when the page exists.
    #[must_use]
    pub const fn has_page(&self, page: crate::PageAddress) -> bool {
        self.has_block(page.block) && page.page.0 < self.pages_per_block
    }

    /// True when the buffer exists.
    #[must_use]
    pub const fn has_buffer(&self, buffer: crate::Buffer) -> bool {
        buffer.index() < self.buffers_per_die as usize
    }

    /// Checks that the description makes sense.
    ///
    /// # Errors
    /// The first property that does not hold.
    pub const fn validate(&self) -> Result<(), GeometryError> {
        if self.dies == 0
            || self.blocks_per_die == 0
            || self.pages_per_block == 0
            || self.page_bytes == 0
            || self.spare_bytes == 0
            || self.partial_programs_max == 0
        {
            return Err(GeometryError::Zero);
        }
        // 16, 32 and 16 bits: the product fits 64.
        let pages = self.dies as u64 * self.blocks_per_die as u64 * self.pages_per_block as u64;
        if pages >= 1 << 31 {
            return Err(GeometryError::TooManyPages);
        }
        if self.page_bytes as u64 + self.spare_bytes as u64 > u32::MAX as u64 {
            return Err(GeometryError::PageTooLarge);
        }
        if self.bad_block_marker.spare_offset as u32 + self.bad_block_marker.len as u32
            > self.spare_bytes as u32
        {
            return Err(GeometryError::Marker);
        }
        if self.buffers_per_die == 0 || self.buffers_per_die > 2 {
            return Err(GeometryError::Buffers);
        }
        match self.chip_ecc {
            Some(ecc) if ecc.codeword_bytes == 0 => Err(GeometryError::Zero),
            Some(ecc) if !self.has_room_for(&ecc) => Err(GeometryError::ChipSpare),
            _ => Ok(()),
        }
    }

    /// Codewords that a page has for the part's own ECC.
    #[must_use]
    pub const fn chip_codewords(&self) -> u32 {
        match self.chip_ecc {
            Some(ecc) if ecc.codeword_bytes > 0 => {
                self.page_bytes.div_ceil(ecc.codeword_bytes as u32)
            }
            _ => 0,
        }
    }

    /// True when all that the part's own ECC says of the spare lies in it, once.
    const fn has_room_for(&self, ecc: &ChipEcc) -> bool {
        let runs = self.chip_codewords();
        let spare = self.spare_bytes as u32;
        if !(ecc.free.fits(runs, spare)
            && ecc.protected.fits(runs, spare)
            && ecc.owned.fits(runs, spare))
        {
            return false;
        }
        let marker = self.bad_block_marker;
        let mut offset = 0;
        while offset < spare {
            let free = ecc.free.run_of(runs, offset).is_some();
            let protected = ecc.protected.run_of(runs, offset).is_some();
            let owned = ecc.owned.run_of(runs, offset).is_some();
            let marked = offset >= marker.spare_offset as u32
                && offset < marker.spare_offset as u32 + marker.len as u32;
            if (free || owned) && marked || free && owned || protected && !free {
                return false;
            }
            offset += 1;
        }
        true
    }
}

#[cfg(test)]
pub(crate) mod tests;
