//! How the bytes of a NOR part are dealt out into pages and blocks.

use embedded_storage::nor_flash::NorFlash;

use crate::{EccNeed, Geometry, GeometryError, MarkerPages, MarkerPlace, Pairing};

/// How a NOR part is to be cut into pages and blocks.
///
/// A block is [`sectors_per_block`](Self::sectors_per_block) erase sectors and holds as many whole raw pages as fit;
/// the bytes behind the last page, and those of the part behind the last whole block, stay unused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NorLayout {
    /// Bytes of a page's main area.
    pub page_bytes: u32,
    /// Bytes of a page's spare area. The first one is the place of the bad-block marker.
    pub spare_bytes: u16,
    /// Erase sectors (`NorFlash::ERASE_SIZE`) of one block.
    pub sectors_per_block: u32,
    /// Program / erase cycles a sector is rated for: see the part's data sheet.
    pub endurance_cycles: u32,
}

impl NorLayout {
    /// Blocks of one erase sector, rated for 100 000 cycles.
    ///
    /// That figure is the usual one of serial NOR (Winbond W25Q64JV, "min. 100K program-erase cycles per sector"). The
    /// flash inside a microcontroller often stands a tenth of it: set
    /// [`endurance_cycles`](Self::endurance_cycles) then.
    #[must_use]
    pub const fn new(page_bytes: u32, spare_bytes: u16) -> Self {
        Self {
            page_bytes,
            spare_bytes,
            sectors_per_block: 1,
            endurance_cycles: 100_000,
        }
    }

    /// Bytes of one page buffer: what [`NorNand::new`](crate::NorNand::new) has to be lent at least.
    #[must_use]
    pub const fn buffer_bytes(&self) -> usize {
        (self.page_bytes as usize).saturating_add(self.spare_bytes as usize)
    }

    /// What `flash` becomes when it is cut like this, described as a part with one page buffer.
    ///
    /// # Errors
    /// The first reason why it cannot be cut like this.
    pub fn geometry<F: NorFlash>(&self, flash: &F) -> Result<Geometry, NorNandError> {
        let block_bytes = self.block_bytes::<F>()?;
        let raw_page_bytes = self.raw_page_bytes::<F>(block_bytes)?;

        let pages = block_bytes / raw_page_bytes;
        let pages_per_block =
            u16::try_from(pages).map_err(|_| NorNandError::TooManyPages { pages })?;
        // A NOR offset has 32 bits: what lies beyond has no address.
        let capacity = u32::try_from(flash.capacity()).unwrap_or(u32::MAX);
        let blocks_per_die = capacity / block_bytes;
        if blocks_per_die == 0 {
            return Err(NorNandError::FlashTooSmall {
                capacity,
                block_bytes,
            });
        }

        let geometry = Geometry {
            dies: 1,
            blocks_per_die,
            pages_per_block,
            page_bytes: self.page_bytes,
            spare_bytes: self.spare_bytes,
            buffers_per_die: 1,
            planes_per_die: 1,
            // `NorFlash` forbids writing a word twice, whatever is written.
            partial_programs_max: 1,
            bad_blocks_max_per_die: 0,
            endurance_cycles: self.endurance_cycles,
            reads_per_block_max: 0,
            bad_block_marker: MarkerPlace {
                pages: MarkerPages::First,
                spare_offset: 0,
                len: 1,
            },
            chip_ecc: None,
            ecc_need: EccNeed {
                bits: 0,
                per_bytes: 512,
            },
            pairing: Pairing::None,
        };
        geometry.validate().map_err(NorNandError::Geometry)?;
        Ok(geometry)
    }

    /// Bytes of a block; `Ok` is never zero.
    pub(super) fn block_bytes<F: NorFlash>(&self) -> Result<u32, NorNandError> {
        if self.page_bytes == 0 || self.spare_bytes == 0 || self.sectors_per_block == 0 {
            return Err(NorNandError::Zero { layout: *self });
        }
        let sizes = NorNandError::FlashSizes {
            read: F::READ_SIZE,
            write: F::WRITE_SIZE,
            erase: F::ERASE_SIZE,
        };
        if F::READ_SIZE == 0
            || F::WRITE_SIZE == 0
            || F::ERASE_SIZE == 0
            || F::ERASE_SIZE % F::WRITE_SIZE != 0
            || F::ERASE_SIZE % F::READ_SIZE != 0
        {
            return Err(sizes);
        }
        let sector_bytes = u32::try_from(F::ERASE_SIZE).map_err(|_| sizes)?;
        sector_bytes
            .checked_mul(self.sectors_per_block)
            .ok_or(NorNandError::BlockTooLarge {
                sectors_per_block: self.sectors_per_block,
                sector_bytes,
            })
    }

    /// Bytes from one page of a block to the next; `Ok` is never zero.
    fn raw_page_bytes<F: NorFlash>(&self, block_bytes: u32) -> Result<u32, NorNandError> {
        let raw_page_bytes = u64::from(self.page_bytes) + u64::from(self.spare_bytes);
        let raw_page_bytes = u32::try_from(raw_page_bytes)
            .ok()
            .filter(|raw| *raw <= block_bytes)
            .ok_or(NorNandError::PageTooLarge {
                raw_page_bytes,
                block_bytes,
            })?;
        for granule in [F::WRITE_SIZE, F::READ_SIZE] {
            // Both divide the erase size, which fits 32 bits.
            if u32::try_from(granule).is_ok_and(|granule| raw_page_bytes % granule != 0) {
                return Err(NorNandError::Unaligned {
                    raw_page_bytes,
                    granule,
                });
            }
        }
        Ok(raw_page_bytes)
    }
}

/// Why a NOR part cannot behave as the NAND that was asked for. Nothing was read, written or erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum NorNandError {
    /// A size in the layout is zero.
    Zero {
        /// The layout asked for.
        layout: NorLayout,
    },
    /// The sizes that the flash driver states contradict each other.
    FlashSizes {
        /// `ReadNorFlash::READ_SIZE`.
        read: usize,
        /// `NorFlash::WRITE_SIZE`.
        write: usize,
        /// `NorFlash::ERASE_SIZE`.
        erase: usize,
    },
    /// A block would not fit the 32-bit offsets of a NOR part.
    BlockTooLarge {
        /// Sectors asked for.
        sectors_per_block: u32,
        /// Bytes of each.
        sector_bytes: u32,
    },
    /// Not one page fits a block.
    PageTooLarge {
        /// Main and spare bytes of a page.
        raw_page_bytes: u64,
        /// Bytes of a block.
        block_bytes: u32,
    },
    /// Pages would not begin and end where the flash can be read and written.
    Unaligned {
        /// Main and spare bytes of a page.
        raw_page_bytes: u32,
        /// What they have to be a multiple of.
        granule: usize,
    },
    /// A block would hold more pages than 16 bits count.
    TooManyPages {
        /// Pages of a block.
        pages: u32,
    },
    /// The flash does not hold one block.
    FlashTooSmall {
        /// Bytes of the flash.
        capacity: u32,
        /// Bytes of a block.
        block_bytes: u32,
    },
    /// The buffer lent does not hold a page with its spare.
    BufferTooSmall {
        /// Bytes lent.
        found: usize,
        /// Bytes of a page and its spare.
        needed: usize,
    },
    /// The part would not be a valid one.
    Geometry(GeometryError),
}

impl core::fmt::Display for NorNandError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Zero { layout } => write!(
                f,
                "page_bytes is {}, spare_bytes {}, sectors_per_block {}: none of them may be zero",
                layout.page_bytes, layout.spare_bytes, layout.sectors_per_block
            ),
            Self::FlashSizes { read, write, erase } => write!(
                f,
                "the flash driver states that it reads {read}, writes {write} and erases {erase} bytes at a time: \
                 the erase size must be a multiple of the others, below 4 GiB; correct the driver"
            ),
            Self::BlockTooLarge {
                sectors_per_block,
                sector_bytes,
            } => write!(
                f,
                "{sectors_per_block} sectors of {sector_bytes} bytes are 4 GiB or more: lower sectors_per_block"
            ),
            Self::PageTooLarge {
                raw_page_bytes,
                block_bytes,
            } => write!(
                f,
                "a page with its spare has {raw_page_bytes} bytes, a block {block_bytes}: \
                 raise sectors_per_block or choose a smaller page"
            ),
            Self::Unaligned {
                raw_page_bytes,
                granule,
            } => write!(
                f,
                "a page with its spare has {raw_page_bytes} bytes, the flash reads and writes whole multiples of \
                 {granule}: choose page_bytes + spare_bytes to be one"
            ),
            Self::TooManyPages { pages } => write!(
                f,
                "a block would hold {pages} pages, at most 65535 can be counted: lower sectors_per_block or \
                 choose a larger page"
            ),
            Self::FlashTooSmall {
                capacity,
                block_bytes,
            } => write!(
                f,
                "the flash has {capacity} bytes, one block {block_bytes}: lower sectors_per_block or use a larger part"
            ),
            Self::BufferTooSmall { found, needed } => write!(
                f,
                "the page buffer has {found} bytes, a page with its spare {needed}: lend at least as many"
            ),
            Self::Geometry(error) => write!(f, "{error}: choose larger pages"),
        }
    }
}

impl core::error::Error for NorNandError {}
