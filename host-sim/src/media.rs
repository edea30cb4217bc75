//! The true contents of the array, apart from what a read returns.

use cuesta_hal::{Geometry, PageAddress};
use std::io;
use std::sync::Arc;

/// A page of the whole part: the block's number counted over all dies, and the page in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Block, counted over all dies: `die · blocks per die + block`.
    pub block: u32,
    /// Page in the block.
    pub page: u16,
}

impl Place {
    /// The place of a page, if `geometry` has the page.
    pub(crate) fn of(geometry: &Geometry, page: PageAddress) -> Option<Self> {
        geometry.has_page(page).then(|| Self {
            block: u32::from(page.block.die.0) * geometry.blocks_per_die + page.block.block.0,
            page: page.page.0,
        })
    }
}

/// How a page's cells are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Condition {
    /// As programmed, or as erased.
    #[default]
    Sound,
    /// A cut tore the program; the bytes that are there stay as they are.
    Torn,
    /// A cut tore the program; some cells are between levels and read differently from read to read.
    Unstable,
    /// A cut tore the program so early that the page reads erased but for a few bits.
    LooksErased,
    /// A cut tore the program so late that the page reads as intended, this many times more.
    Decaying {
        /// Reads left before the page becomes garbage.
        good_reads: u16,
    },
    /// A cut while another page was programmed, or decay, destroyed what was programmed here.
    Damaged,
}

impl Condition {
    /// True when the programming of the page itself was cut.
    #[must_use]
    pub const fn is_torn(self) -> bool {
        !matches!(self, Self::Sound | Self::Damaged)
    }
}

/// What the referee and the fault models know of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PageState {
    /// Programs since the last erase, as the caller commanded them.
    pub programs: u8,
    /// How its cells are.
    pub condition: Condition,
}

/// What the referee and the fault models know of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockState {
    /// Erases over its life.
    pub erases: u32,
    /// The factory marked it.
    pub factory_bad: bool,
    /// Its last erase succeeded (true for a good block of a new part).
    pub erased: bool,
    /// One more than the highest page programmed since the last erase.
    pub next_page: u16,
}

impl Default for BlockState {
    fn default() -> Self {
        Self {
            erases: 0,
            factory_bad: false,
            erased: true,
            next_page: 0,
        }
    }
}

/// Where the true contents live: in memory ([`RamMedia`]) or in an image file.
///
/// Block numbers and pages are within the geometry: the caller has checked them.
pub trait Media {
    /// State of a block.
    fn block(&self, block: u32) -> BlockState;

    /// State of a page.
    fn page(&self, place: Place) -> PageState;

    /// True when no bytes are stored: the page reads `0xFF`.
    fn is_blank(&self, place: Place) -> bool;

    /// Copies the stored bytes of a page from byte `start` on; `0xFF` where nothing is stored.
    ///
    /// # Errors
    /// The file cannot be read.
    fn load(&self, place: Place, start: usize, bytes: &mut [u8]) -> io::Result<()>;

    /// Replaces the state of a block.
    ///
    /// # Errors
    /// The file cannot be written.
    fn set_block(&mut self, block: u32, state: BlockState) -> io::Result<()>;

    /// Replaces the state of a page, not its bytes.
    ///
    /// # Errors
    /// The file cannot be written.
    fn set_page(&mut self, place: Place, state: PageState) -> io::Result<()>;

    /// Replaces the bytes (a raw page of them) and then the state of a page.
    ///
    /// # Errors
    /// The file cannot be written.
    fn store(&mut self, place: Place, bytes: &Arc<[u8]>, state: PageState) -> io::Result<()>;

    /// Drops all bytes of a block and makes its pages blank and sound.
    ///
    /// # Errors
    /// The file cannot be written.
    fn erase(&mut self, block: u32, state: BlockState) -> io::Result<()>;
}

#[derive(Debug, Clone, Default)]
struct RamPage {
    bytes: Option<Arc<[u8]>>,
    state: PageState,
}

#[derive(Debug, Clone, Default)]
struct RamBlock {
    state: BlockState,
    /// Empty while all pages are blank and sound.
    pages: Vec<RamPage>,
}

/// Contents in memory. Blank blocks take none; a clone shares every block until one of the two changes it.
#[derive(Debug, Clone)]
pub struct RamMedia {
    blocks: Vec<Arc<RamBlock>>,
    pages_per_block: u16,
}

impl RamMedia {
    /// Media of `blocks` erased blocks.
    #[must_use]
    pub fn new(blocks: u32, pages_per_block: u16) -> Self {
        let blank = Arc::new(RamBlock::default());
        Self {
            blocks: vec![blank; blocks as usize],
            pages_per_block,
        }
    }

    fn page_mut(&mut self, place: Place) -> &mut RamPage {
        let block = Arc::make_mut(&mut self.blocks[place.block as usize]);
        if block.pages.is_empty() {
            block
                .pages
                .resize_with(usize::from(self.pages_per_block), RamPage::default);
        }
        &mut block.pages[usize::from(place.page)]
    }

    fn page_ref(&self, place: Place) -> Option<&RamPage> {
        self.blocks[place.block as usize]
            .pages
            .get(usize::from(place.page))
    }
}

impl Media for RamMedia {
    fn block(&self, block: u32) -> BlockState {
        self.blocks[block as usize].state
    }

    fn page(&self, place: Place) -> PageState {
        self.page_ref(place)
            .map_or_else(PageState::default, |page| page.state)
    }

    fn is_blank(&self, place: Place) -> bool {
        self.page_ref(place).is_none_or(|page| page.bytes.is_none())
    }

    fn load(&self, place: Place, start: usize, bytes: &mut [u8]) -> io::Result<()> {
        match self.page_ref(place).and_then(|page| page.bytes.as_ref()) {
            Some(stored) => bytes.copy_from_slice(&stored[start..start + bytes.len()]),
            None => bytes.fill(0xFF),
        }
        Ok(())
    }

    fn set_block(&mut self, block: u32, state: BlockState) -> io::Result<()> {
        Arc::make_mut(&mut self.blocks[block as usize]).state = state;
        Ok(())
    }

    fn set_page(&mut self, place: Place, state: PageState) -> io::Result<()> {
        self.page_mut(place).state = state;
        Ok(())
    }

    fn store(&mut self, place: Place, bytes: &Arc<[u8]>, state: PageState) -> io::Result<()> {
        *self.page_mut(place) = RamPage {
            bytes: Some(Arc::clone(bytes)),
            state,
        };
        Ok(())
    }

    fn erase(&mut self, block: u32, state: BlockState) -> io::Result<()> {
        self.blocks[block as usize] = Arc::new(RamBlock {
            state,
            pages: Vec::new(),
        });
        Ok(())
    }
}
