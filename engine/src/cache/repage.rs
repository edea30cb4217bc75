//! Pages of another size, while the cache is in use.
//!
//! Tag *i* is about page *i* of the store. Split into parts, the page's sectors lie where they did: they are the pages *i* times the parts, and on. So nothing is moved,
//! and what is dirty or ephemeral stays so. Joined, pages have to lie side by side by chance; the others are given up, and so only what is clean may be there.

use core::fmt;

use crate::resource::Resource;

use super::image::{self, Media};
use super::key::Pages;
use super::open::OpenError;
use super::Cache;

/// Why pages stay as large as they are. Nothing of what is newer than the primaries' versions was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RepageError {
    /// Requests are under way.
    Busy,
    /// A page has 1, 2, 4 or 8 sectors.
    PageSectors(u32),
    /// There is memory for fewer tags than that would take: plan it for the smallest pages.
    Tags {
        /// Tags lent.
        found: u32,
        /// Tags needed.
        needed: u32,
    },
    /// Pages hold what their primaries do not have: flush, or settle, them first. Only splitting them on a volatile store leaves it where it is.
    Newer {
        /// Pages.
        pages: u32,
    },
    /// The cache on the store cannot be made anew. Until it is opened or made again, what is to be written back goes through.
    Store(OpenError),
}

impl fmt::Display for RepageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("requests are under way"),
            Self::PageSectors(found) => {
                write!(f, "pages of {found} sectors; they have 1, 2, 4 or 8")
            }
            Self::Tags { found, needed } => write!(f, "{needed} tags needed, {found} lent"),
            Self::Newer { pages } => {
                write!(f, "{pages} pages hold what is not on their primaries")
            }
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RepageError {}

impl<S: Resource, P: Resource> Cache<'_, S, P> {
    /// Sectors of a page.
    #[must_use]
    pub const fn page_sectors(&self) -> u32 {
        self.desk.pages.units()
    }

    /// Makes pages of another number of sectors, while nothing is under way. Smaller ones keep all that is in the cache, where its store is volatile and there is memory for
    /// their tags; larger ones, and a store that survives restarts, only what is clean, or nothing. Takes time in proportion to the pages, and no request to a
    /// resource but to write a header and an empty table to a store that survives restarts.
    ///
    /// # Errors
    /// [`RepageError`].
    pub fn set_page_sectors(&mut self, sectors: u32) -> Result<(), RepageError> {
        let units = self.desk.pages.units();
        if !matches!(sectors, 1 | 2 | 4 | 8) {
            return Err(RepageError::PageSectors(sectors));
        }
        if self.desk.is_busy() {
            return Err(RepageError::Busy);
        }
        if sectors == units {
            return Ok(());
        }
        let splits = sectors < units && !self.is_durable();
        let newer = self.desk.tags.dirty() + self.desk.tags.ephemeral();
        if newer > 0 && !splits {
            return Err(RepageError::Newer { pages: newer });
        }
        if self.is_durable() {
            return self.make_anew(sectors);
        }
        let most = self.desk.tags.most();
        let pages = (self.store.status().sectors / sectors).min(most);
        if splits {
            let parts = units / sectors;
            let needed = self.desk.tags.len().saturating_mul(parts);
            if needed > pages {
                return Err(RepageError::Tags {
                    found: most,
                    needed,
                });
            }
            self.desk.tags.split(parts, sectors, pages);
        } else {
            let parts = sectors / units;
            let pages = pages.min(self.desk.tags.len() / parts);
            self.desk.tags.join(parts, units, pages);
        }
        self.use_page_sectors(sectors);
        Ok(())
    }

    /// Makes pages as [`suggested_page_sectors`](Self::suggested_page_sectors) says, if at least half of them are in use, and if that can be done now; gives what they are.
    ///
    /// # Errors
    /// [`RepageError::Store`].
    pub fn adjust_page_sectors(&mut self) -> Result<u32, RepageError> {
        let used = self.desk.tags.all().iter().filter(|tag| tag.valid != 0);
        if 2 * used.count() < self.desk.tags.len() as usize {
            return Ok(self.page_sectors());
        }
        match self.set_page_sectors(self.suggested_page_sectors()) {
            Err(error @ RepageError::Store(_)) => Err(error),
            _ => Ok(self.page_sectors()),
        }
    }

    fn use_page_sectors(&mut self, sectors: u32) {
        self.desk.pages = Pages {
            shift: sectors.trailing_zeros(),
        };
        self.desk.options.page_sectors = sectors;
        self.desk.clean_from = 0;
    }

    /// An empty cache of this shape on a store that survives restarts, in place of one in which nothing is newer than on its primaries. At every cut one of the two is
    /// found, and its table is empty: the tables of both begin at the same sector, in the same form.
    fn make_anew(&mut self, sectors: u32) -> Result<(), RepageError> {
        let status = self.store.status();
        let (most, bytes) = (self.desk.tags.most(), status.sector_bytes as usize);
        let Some(old) = self.desk.media else {
            return Err(RepageError::Busy);
        };
        let planned = Media::plan(bytes, status.sectors, sectors, most);
        let (media, pages) = planned.ok_or(RepageError::Store(OpenError::NoRoom))?;
        let media = Media {
            identity: old.identity,
            sequence: old.sequence.wrapping_add(1),
            doubtful: old.doubtful,
            ..media
        };
        let header = self.read_header().map_err(RepageError::Store)?;
        // Its sectors are about to hold the table.
        self.desk.tags.clear(self.desk.tags.len());
        let written = self.write_anew(media, pages, sectors, header.epoch);
        if written.is_err() {
            // Which of the two is on the store is not known.
            if let Some(media) = &mut self.desk.media {
                media.doubtful = true;
            }
        }
        written.map_err(RepageError::Store)
    }

    fn write_anew(
        &mut self,
        media: Media,
        pages: u32,
        sectors: u32,
        epoch: u32,
    ) -> Result<(), OpenError> {
        for table in 0..media.tables {
            image::encode_table(self.desk.buffer(0), &media, table, |_| None);
            self.write_sector(Media::place(table, 0))?;
            self.write_sector(Media::place(table, 1))?;
        }
        self.desk.media = Some(media);
        self.desk.tags.clear(pages);
        self.use_page_sectors(sectors);
        self.write_header(epoch.wrapping_add(1))?;
        Ok(())
    }
}
