//! The memory a cache works in: lent by the caller, sized by a plan.

use core::fmt;
use core::mem::size_of;

use super::slot::Slot;
use super::tag::Tag;
use super::CacheOptions;
use super::{ghosts, index};

/// How pages are chosen that go for others, after Clock2Q+ and S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Replacement {
    /// Per mille of the pages that are on probation, at least and at first. 0: none ever are, there is one clock.
    pub small_permille: u16,
    /// Per mille of the pages that are on probation at most, where what comes back shows that they leave too soon.
    pub small_permille_max: u16,
    /// Ghosts of pages that were given up on probation, per mille of the pages; there are an eighth as many of the others.
    pub ghosts_permille: u16,
    /// Eighths of the small queue's length after a page came to it in which uses do not count.
    pub window: u8,
    /// Uses by which a page leaves the small queue for the main one, 1 to 3.
    pub promote_uses: u8,
    /// Pages that are looked at for one that may go.
    pub sweep_steps: u32,
}

impl Default for Replacement {
    fn default() -> Self {
        Self {
            small_permille: 100,
            small_permille_max: 900,
            ghosts_permille: 900,
            window: 0,
            promote_uses: 2,
            sweep_steps: 128,
        }
    }
}

impl Replacement {
    /// The plain clock.
    pub const CLOCK: Self = Self {
        small_permille: 0,
        small_permille_max: 0,
        ghosts_permille: 0,
        window: 0,
        promote_uses: 1,
        sweep_steps: 128,
    };

    const fn part(pages: usize, permille: u16) -> usize {
        (pages as u64 * permille as u64 / 1000) as usize
    }

    /// As many ghosts of pages on probation as there is one of the others.
    pub(super) const GHOSTS_OF_MAIN: usize = 8;

    /// At least one, where there is to be any.
    const fn some_of(pages: usize, permille: u16) -> usize {
        let some = Self::part(pages, permille);
        if permille > 0 && some == 0 && pages > 1 {
            1
        } else {
            some
        }
    }

    pub(super) const fn small_of(&self, pages: usize) -> usize {
        Self::some_of(pages, self.small_permille)
    }

    pub(super) const fn small_max_of(&self, pages: usize) -> usize {
        Self::some_of(pages, self.small_permille_max)
    }

    pub(super) const fn ghosts_of_small(&self, pages: usize) -> usize {
        ghosts::entries(Self::part(pages, self.ghosts_permille))
    }

    pub(super) const fn ghosts_of_main(&self, pages: usize) -> usize {
        ghosts::entries(Self::part(pages, self.ghosts_permille) / Self::GHOSTS_OF_MAIN)
    }
}

/// How much memory a cache of some shape uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CachePlan {
    /// Pages, and tags.
    pub pages: usize,
    /// Entries of the table that finds tags.
    pub index: usize,
    /// Entries of the queues.
    pub queues: usize,
    /// Ghosts.
    pub ghosts: usize,
    /// Requests that can be under way at once, one of the cache's own included.
    pub slots: usize,
    /// Bytes of a sector.
    pub sector_bytes: usize,
}

impl CachePlan {
    /// Plans the memory of a cache of so many pages. There are at least two slots: one is the cache's own.
    #[must_use]
    pub const fn new(
        pages: usize,
        sector_bytes: usize,
        slots: usize,
        replacement: &Replacement,
    ) -> Self {
        Self {
            pages,
            index: index::entries(pages),
            queues: pages,
            ghosts: replacement.ghosts_of_small(pages) + replacement.ghosts_of_main(pages),
            slots: if slots < 2 { 2 } else { slots },
            sector_bytes,
        }
    }

    /// Bytes for tags, and all that finds and orders them.
    #[must_use]
    pub const fn tag_bytes(&self) -> usize {
        self.pages * size_of::<Tag>()
            + (self.index + self.queues) * size_of::<u32>()
            + self.ghosts * size_of::<u16>()
    }

    /// Bytes the caller lends.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.tag_bytes() + self.slots * (size_of::<Slot>() + self.sector_bytes)
    }
}

/// The memory itself. What is in it does not matter.
#[derive(Debug)]
pub struct CacheMemory<'m> {
    /// [`CachePlan::pages`].
    pub tags: &'m mut [Tag],
    /// [`CachePlan::index`].
    pub index: &'m mut [u32],
    /// [`CachePlan::queues`].
    pub queues: &'m mut [u32],
    /// [`CachePlan::ghosts`].
    pub ghosts: &'m mut [u16],
    /// [`CachePlan::slots`].
    pub slots: &'m mut [Slot],
    /// [`CachePlan::slots`] times [`CachePlan::sector_bytes`].
    pub buffers: &'m mut [u8],
}

impl<'m> CacheMemory<'m> {
    /// Takes as many tags as the store has pages, and sees that all else suffices for them; and as many more as it could have smaller pages, where all of it suffices
    /// for those. Gives the number of pages too.
    pub(super) fn checked(
        self,
        sector_bytes: usize,
        store_pages: u32,
        store_sectors: u32,
        options: &CacheOptions,
    ) -> Result<(Self, u32), CacheShapeError> {
        let Self {
            tags,
            index,
            queues,
            ghosts,
            slots,
            buffers,
        } = self;
        let pages = tags.len().min(store_pages as usize);
        if pages > index::PAGES_MAX as usize {
            return Err(CacheShapeError::Pages(pages));
        }
        let plan = CachePlan::new(pages, sector_bytes, slots.len(), &options.replacement);
        for (what, found, needed) in [
            ("entries of the index", index.len(), plan.index),
            ("entries of the queues", queues.len(), plan.queues),
            ("ghosts", ghosts.len(), plan.ghosts),
            ("slots", slots.len(), plan.slots),
            ("bytes of buffers", buffers.len(), plan.slots * sector_bytes),
        ] {
            if found < needed {
                return Err(CacheShapeError::Memory {
                    what,
                    found,
                    needed,
                });
            }
        }
        let most = tags.len().min(store_sectors as usize);
        let most = most.min(index::PAGES_MAX as usize).max(pages);
        let larger = CachePlan::new(most, sector_bytes, slots.len(), &options.replacement);
        let suffices = index.len() >= larger.index
            && queues.len() >= larger.queues
            && ghosts.len() >= larger.ghosts;
        let plan = if suffices { larger } else { plan };
        let memory = Self {
            tags: &mut tags[..plan.pages],
            index: &mut index[..plan.index],
            queues: &mut queues[..plan.queues],
            ghosts: &mut ghosts[..plan.ghosts],
            slots,
            buffers,
        };
        Ok((memory, pages as u32))
    }
}

/// What no cache can be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CacheShapeError {
    /// A part of the memory is too small.
    Memory {
        /// Which part.
        what: &'static str,
        /// Elements lent.
        found: usize,
        /// Elements needed.
        needed: usize,
    },
    /// A page has 1, 2, 4 or 8 sectors.
    PageSectors(u32),
    /// More pages than tags can be numbered.
    Pages(usize),
    /// There is no primary, or there are more than levels can name.
    Primaries(usize),
    /// The store and a primary have sectors of different sizes.
    SectorBytes {
        /// Bytes of the store's.
        store: u32,
        /// Bytes of the primary's.
        primary: u32,
    },
}

impl fmt::Display for CacheShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory {
                what,
                found,
                needed,
            } => write!(f, "{found} of {what} lent, {needed} needed"),
            Self::PageSectors(found) => {
                write!(f, "pages of {found} sectors; they have 1, 2, 4 or 8")
            }
            Self::Pages(found) => write!(f, "{found} pages, at most {} can be numbered", index::PAGES_MAX),
            Self::Primaries(found) => write!(f, "{found} primaries, there must be 1 to 8"),
            Self::SectorBytes { store, primary } => write!(
                f,
                "the store has sectors of {store} bytes, a primary of {primary}: they must be the same"
            ),
        }
    }
}

impl core::error::Error for CacheShapeError {}
