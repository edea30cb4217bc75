//! Making a cache on a store that survives a restart, and finding it again.
//!
//! Straight-line code: nothing else is under way. It writes to the store only, the primaries are not touched.

use core::fmt;

use crate::resource::{read_now, write_now, Resource, ResourceError};
use crate::volume::Sector;

use super::image::{self, Entry, Header, Media};
use super::key::Key;
use super::persistence::{ResourceSet, RESOURCES_MAX};
use super::plan::{CacheMemory, CacheShapeError};
use super::{Cache, CacheOptions};

/// Why a cache cannot be found on a store, or be made there. The primaries are as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum OpenError {
    /// The memory, or the resources.
    Shape(CacheShapeError),
    /// The store has too few sectors, or too short ones, for a single page beside the table.
    NoRoom,
    /// There is no cache on the store, or both copies of its header are damaged: what it may have held for a primary cannot be told.
    NoHeader,
    /// The cache has another shape than is asked for now.
    OtherShape {
        /// Pages it has, and sectors of one.
        pages: u32,
        /// Sectors of a page.
        page_sectors: u32,
    },
    /// What it holds is another primary's.
    OtherPrimary {
        /// The number of the primary.
        number: u8,
        /// Its identity as the cache knows it; 0: it knows none of this number.
        expected: u64,
        /// Its identity now.
        found: u64,
    },
    /// The store has failed.
    Store(ResourceError),
}

impl From<CacheShapeError> for OpenError {
    fn from(error: CacheShapeError) -> Self {
        Self::Shape(error)
    }
}

impl From<ResourceError> for OpenError {
    fn from(error: ResourceError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(error) => error.fmt(f),
            Self::NoRoom => f.write_str("the store has no room for a page beside the cache's own table"),
            Self::NoHeader => f.write_str("there is no cache on the store, or its header is damaged"),
            Self::OtherShape {
                pages,
                page_sectors,
            } => write!(
                f,
                "the cache on the store has {pages} pages of {page_sectors} sectors: open it with these, or make a new one"
            ),
            Self::OtherPrimary {
                number,
                expected,
                found,
            } => write!(
                f,
                "the cache on the store belongs to another primary {number}: {expected:#x}, not {found:#x}"
            ),
            Self::Store(error) => write!(f, "the store: {error}"),
        }
    }
}

impl core::error::Error for OpenError {}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Recovered {
    /// How often the cache was opened: what was ephemeral in an earlier epoch is gone.
    pub epoch: u32,
    /// Pages with versions that have to reach a primary.
    pub dirty_pages: u32,
    /// Sectors of the table of which one copy had to be made again.
    pub healed: u32,
    /// Sectors of the table of which no copy can be read, and entries that make no sense. What was to be written back from their pages is lost; until
    /// [`Cache::accept_losses`], what is to be written back goes through.
    pub damaged: u32,
}

impl<'m, S: Resource, P: Resource> Cache<'m, S, P> {
    /// Makes an empty cache on a store that survives restarts. What was on the store is given up.
    ///
    /// `identity` tells it from all others: a random number, or one that was never used before.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn create(
        store: S,
        primaries: &'m mut [P],
        memory: CacheMemory<'m>,
        options: CacheOptions,
        identity: u64,
    ) -> Result<Self, OpenError> {
        let mut cache = Self::on_media(store, primaries, memory, options)?;
        let Some(mut media) = cache.desk.media else {
            return Err(OpenError::NoRoom);
        };
        media.identity = identity;
        cache.desk.media = Some(media);
        // A header says that the table is sound: it comes last, and an old one goes first.
        cache.desk.buffer(0).fill(0);
        cache.write_sector(Sector(0))?;
        cache.write_sector(Sector(1))?;
        for table in 0..media.tables {
            image::encode_table(cache.desk.buffer(0), &media, table, |_| None);
            cache.write_sector(Media::place(table, 0))?;
            cache.write_sector(Media::place(table, 1))?;
        }
        cache.write_header(1)?;
        Ok(cache)
    }

    /// Finds the cache on a store again: what was written back and has not reached its primary is there, what was ephemeral is not, and what was clean has to
    /// be fetched again.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        store: S,
        primaries: &'m mut [P],
        memory: CacheMemory<'m>,
        options: CacheOptions,
    ) -> Result<(Self, Recovered), OpenError> {
        let mut cache = Self::on_media(store, primaries, memory, options)?;
        let header = cache.read_header()?;
        let pages = cache.desk.tags.len();
        if (header.pages, header.units) != (pages, options.page_sectors)
            || header.sector_bytes as usize != cache.desk.sector_bytes
        {
            return Err(OpenError::OtherShape {
                pages: header.pages,
                page_sectors: header.units,
            });
        }
        for (number, primary) in cache.primaries.iter().enumerate() {
            let (expected, found) = (header.primaries[number], primary.status().identity);
            if expected != found {
                return Err(OpenError::OtherPrimary {
                    number: number as u8,
                    expected,
                    found,
                });
            }
        }
        if let Some(media) = &mut cache.desk.media {
            media.identity = header.identity;
        }
        let mut recovered = Recovered {
            epoch: header.epoch.wrapping_add(1),
            ..Recovered::default()
        };
        cache.desk.tags.use_all();
        cache.read_tables(&mut recovered)?;
        cache.desk.tags.link_free();
        if let Some(media) = &mut cache.desk.media {
            media.doubtful = recovered.damaged > 0;
        }
        recovered.dirty_pages = cache.desk.tags.dirty();
        cache.write_header(recovered.epoch)?;
        Ok((cache, recovered))
    }

    /// Somebody knows that some of what was to be written back is lost: write-back is served again.
    pub fn accept_losses(&mut self) {
        if let Some(media) = &mut self.desk.media {
            media.doubtful = false;
        }
    }

    fn on_media(
        store: S,
        primaries: &'m mut [P],
        memory: CacheMemory<'m>,
        options: CacheOptions,
    ) -> Result<Self, OpenError> {
        let status = store.status();
        let tags = u32::try_from(memory.tags.len()).unwrap_or(u32::MAX);
        let (media, pages) = Media::plan(
            status.sector_bytes as usize,
            status.sectors,
            options.page_sectors.max(1),
            tags,
        )
        .ok_or(OpenError::NoRoom)?;
        let mut cache = Self::prepare(store, primaries, memory, options, pages)?;
        cache.desk.media = Some(media);
        Ok(cache)
    }

    pub(super) fn write_header(&mut self, epoch: u32) -> Result<(), ResourceError> {
        let mut primaries = [0; RESOURCES_MAX as usize];
        for (identity, primary) in primaries.iter_mut().zip(self.primaries.iter()) {
            *identity = primary.status().identity;
        }
        let header = Header {
            identity: self.desk.media.map_or(0, |media| media.identity),
            epoch,
            pages: self.desk.tags.len(),
            units: self.desk.pages.units(),
            sector_bytes: self.desk.sector_bytes as u32,
            primaries,
        };
        header.encode(self.desk.buffer(0));
        self.write_sector(Sector(0))?;
        self.write_sector(Sector(1))
    }

    pub(super) fn read_header(&mut self) -> Result<Header, OpenError> {
        let mut found: Option<Header> = None;
        for copy in 0..2 {
            if !self.read_sector(Sector(copy), 0)? {
                continue;
            }
            if let Some(header) = Header::decode(self.desk.buffer(0)) {
                let newer = |other: Header| header.epoch.wrapping_sub(other.epoch) as i32 > 0;
                if found.is_none_or(newer) {
                    found = Some(header);
                }
            }
        }
        found.ok_or(OpenError::NoHeader)
    }

    fn read_tables(&mut self, recovered: &mut Recovered) -> Result<(), OpenError> {
        let Some(mut media) = self.desk.media else {
            return Ok(());
        };
        for table in 0..media.tables {
            let mut sequences = [None; 2];
            for copy in 0..2 {
                let slot = copy as usize;
                if self.read_sector(Media::place(table, copy), slot)? {
                    let bytes = self.desk.buffer(slot);
                    sequences[slot] = image::table_sequence(bytes, &media, table);
                }
            }
            let [first, second] = sequences;
            let best = match (first, second) {
                (None, None) => {
                    recovered.damaged += 1;
                    continue;
                }
                (Some(_), None) => 0,
                (None, Some(_)) => 1,
                (Some(first), Some(second)) => usize::from((second.wrapping_sub(first) as i32) > 0),
            };
            if let Some(sequence) = sequences[best] {
                if sequence.wrapping_sub(media.sequence) as i32 > 0 {
                    media.sequence = sequence;
                }
            }
            if first != second {
                // One of them is damaged, or older: a cut came between.
                recovered.healed += 1;
                let other = 1 - best;
                let len = self.desk.sector_bytes;
                self.desk
                    .buffers
                    .copy_within(best * len..(best + 1) * len, 0);
                self.write_sector(Media::place(table, other as u32))?;
            } else if best != 0 {
                continue;
            }
            for index in 0..media.per_table {
                let entry = image::entry_at(self.desk.buffer(0), index);
                let tag = table * media.per_table + index;
                if let Some(entry) = entry {
                    if tag >= self.desk.tags.len() || !self.restore(tag, &entry) {
                        recovered.damaged += 1;
                    }
                }
            }
        }
        self.desk.media = Some(media);
        Ok(())
    }

    /// Gives a page what the table says. False when that makes no sense.
    fn restore(&mut self, tag: u32, entry: &Entry) -> bool {
        let ResourceSet(set) = entry.persistence.resources;
        let units = self.desk.pages.units();
        let sane = entry.source < u16::from(RESOURCES_MAX)
            && self.desk.primaries >> entry.source & 1 != 0
            && set & !self.desk.primaries == 0
            && u32::from(entry.dirty) >> units == 0;
        let Some(level) = self.desk.number(&entry.persistence).filter(|_| sane) else {
            return false;
        };
        let key = Key {
            source: entry.source,
            page: entry.page,
        };
        self.desk
            .tags
            .restore(tag, key, level, entry.tenant, entry.dirty)
    }

    /// Writes what is in the first buffer.
    pub(super) fn write_sector(&mut self, sector: Sector) -> Result<(), ResourceError> {
        let len = self.desk.sector_bytes;
        write_now(&mut self.store, sector, &self.desk.buffers[..len])
    }

    /// Reads into a slot's buffer. False where there is nothing, or nothing that can be read.
    fn read_sector(&mut self, sector: Sector, slot: usize) -> Result<bool, ResourceError> {
        read_now(&mut self.store, sector, self.desk.buffer(slot))
    }
}
