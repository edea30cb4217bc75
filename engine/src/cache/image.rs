//! What a cache keeps of itself on a store that survives a restart: a header, and a table of the pages that have to reach a primary.
//!
//! Both are there twice. The rest — the hash table, clock, ghosts, what is clean — is made anew.
//!
//! ```text
//! sector  0, 1                 the header, twice
//!         2 ..                 the table, each sector of it twice in a row
//!         base ..              pages: tag i is about the page of sectors from base + i * units on
//! ```

use crate::codec::crc;
use crate::volume::{LevelIndex, Sector};

use super::mode::Mode;
use super::persistence::{Persistence, ResourceSet, RESOURCES_MAX};

const HEADER_MAGIC: u32 = u32::from_le_bytes(*b"CuCa");
const TABLE_MAGIC: u32 = u32::from_le_bytes(*b"CuCt");
/// Of the layout.
const VERSION: u32 = 1;
/// Bytes of a header.
pub(super) const HEADER_BYTES: usize =
    4 + 4 + 8 + 4 + 4 + 4 + 4 + 4 + 8 * RESOURCES_MAX as usize + 4;
/// Bytes of a sector of the table beside its entries: magic, identity, number, sequence, CRC.
const TABLE_OVERHEAD: usize = 4 + 8 + 4 + 4 + 4;
const ENTRY_BYTES: usize = 12;

/// Where things lie on the store, and what was last written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Media {
    /// Of this cache, from when it was made.
    pub identity: u64,
    /// Entries of a sector of the table.
    pub per_table: u32,
    /// Sectors of the table, each of which is there twice.
    pub tables: u32,
    /// The first sector of the first page.
    pub base: u32,
    /// Counts writes of the table, wrapping.
    pub sequence: u32,
    /// A sector of the table is being written.
    pub writing: bool,
    /// A part of the table was lost: what its pages held is not known.
    pub doubtful: bool,
}

impl Media {
    /// The layout on a store of so many sectors, and the pages there is room for.
    pub fn plan(sector_bytes: usize, sectors: u32, units: u32, tags: u32) -> Option<(Self, u32)> {
        let per_table = sector_bytes.checked_sub(TABLE_OVERHEAD)? / ENTRY_BYTES;
        let per_table = u32::try_from(per_table).ok().filter(|&per| per > 0)?;
        if sector_bytes < HEADER_BYTES {
            return None;
        }
        let fits = |pages: u32| {
            let base = 2 + 2 * u64::from(pages.div_ceil(per_table));
            base.next_multiple_of(u64::from(units)) + u64::from(pages) * u64::from(units)
                <= u64::from(sectors)
        };
        // Each step takes away what is too much; the table shrinks with the pages, so that two or three suffice.
        let mut pages = tags.min(sectors / units);
        while pages > 0 && !fits(pages) {
            let base = 2 + 2 * pages.div_ceil(per_table);
            let room = sectors.saturating_sub(base.next_multiple_of(units)) / units;
            pages = room.min(pages - 1);
        }
        let tables = pages.div_ceil(per_table);
        let media = Self {
            identity: 0,
            per_table,
            tables,
            base: (2 + 2 * tables).next_multiple_of(units),
            sequence: 0,
            writing: false,
            doubtful: false,
        };
        (pages > 0).then_some((media, pages))
    }

    /// The sector of the table that a tag is in.
    pub const fn table_of(&self, tag: u32) -> u32 {
        tag / self.per_table
    }

    /// Where a copy of a sector of the table lies.
    pub const fn place(table: u32, copy: u32) -> Sector {
        Sector(2 + 2 * table + copy)
    }
}

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub identity: u64,
    /// Counts the times that the cache was opened.
    pub epoch: u32,
    pub pages: u32,
    pub units: u32,
    pub sector_bytes: u32,
    /// Of each primary.
    pub primaries: [u64; RESOURCES_MAX as usize],
}

/// A sector of 32-bit words from the first byte on.
struct Words<'b> {
    bytes: &'b mut [u8],
    at: usize,
}

impl Words<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(self.at..self.at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
        self.at += bytes.len();
    }
}

fn seal(bytes: &mut [u8], len: usize) {
    let crc = crc::bytes_crc(&[&bytes[..len]]);
    bytes[len..len + 4].copy_from_slice(&crc.to_le_bytes());
}

fn is_sealed(bytes: &[u8], len: usize) -> bool {
    let (Some(body), Some(seal)) = (bytes.get(..len), bytes.get(len..len + 4)) else {
        return false;
    };
    crc::bytes_crc(&[body]).to_le_bytes() == seal
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    match bytes.get(at..at + 4).and_then(|word| word.try_into().ok()) {
        Some(word) => u32::from_le_bytes(word),
        None => 0,
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

impl Header {
    pub fn encode(&self, sector: &mut [u8]) {
        sector.fill(0);
        let mut words = Words {
            bytes: sector,
            at: 0,
        };
        for word in [HEADER_MAGIC, VERSION] {
            words.put(&word.to_le_bytes());
        }
        words.put(&self.identity.to_le_bytes());
        for word in [self.epoch, self.pages, self.units, self.sector_bytes, 0] {
            words.put(&word.to_le_bytes());
        }
        for primary in self.primaries {
            words.put(&primary.to_le_bytes());
        }
        seal(sector, HEADER_BYTES - 4);
    }

    /// `None` where there is no header of this version, or a damaged one.
    pub fn decode(sector: &[u8]) -> Option<Self> {
        let ours = u32_at(sector, 0) == HEADER_MAGIC && u32_at(sector, 4) == VERSION;
        if !ours || !is_sealed(sector, HEADER_BYTES - 4) {
            return None;
        }
        let mut primaries = [0; RESOURCES_MAX as usize];
        for (number, primary) in primaries.iter_mut().enumerate() {
            *primary = u64_at(sector, 36 + 8 * number);
        }
        Some(Self {
            identity: u64_at(sector, 8),
            epoch: u32_at(sector, 16),
            pages: u32_at(sector, 20),
            units: u32_at(sector, 24),
            sector_bytes: u32_at(sector, 28),
            primaries,
        })
    }
}

/// A page that has to reach its primaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub page: u32,
    pub source: u16,
    pub tenant: u8,
    /// Units that the primaries do not have. 0: there is nothing.
    pub dirty: u8,
    pub persistence: Persistence,
}

const VERIFY: u8 = 1;
const ATOMIC: u8 = 2;

/// Writes a sector of the table.
pub(super) fn encode_table(
    sector: &mut [u8],
    media: &Media,
    table: u32,
    entry_of: impl Fn(u32) -> Option<Entry>,
) {
    sector.fill(0);
    let mut words = Words {
        bytes: sector,
        at: 0,
    };
    words.put(&TABLE_MAGIC.to_le_bytes());
    words.put(&media.identity.to_le_bytes());
    words.put(&table.to_le_bytes());
    words.put(&media.sequence.to_le_bytes());
    for tag in table * media.per_table..(table + 1) * media.per_table {
        let Some(entry) = entry_of(tag) else {
            words.put(&[0; ENTRY_BYTES]);
            continue;
        };
        words.put(&entry.page.to_le_bytes());
        words.put(&entry.source.to_le_bytes());
        let level = &entry.persistence;
        let flags = (u8::from(level.verify) * VERIFY) | (u8::from(level.atomic) * ATOMIC);
        let storage = level.storage.0;
        words.put(&[
            entry.tenant,
            entry.dirty,
            level.resources.0,
            storage,
            flags,
            0,
        ]);
    }
    let len = words.at;
    seal(sector, len);
}

/// The sequence of a sector of the table; `None` where it is another one's, or damaged.
pub(super) fn table_sequence(sector: &[u8], media: &Media, table: u32) -> Option<u32> {
    let len = TABLE_OVERHEAD - 4 + media.per_table as usize * ENTRY_BYTES;
    let ours = u32_at(sector, 0) == TABLE_MAGIC
        && u64_at(sector, 4) == media.identity
        && u32_at(sector, 12) == table
        && is_sealed(sector, len);
    ours.then(|| u32_at(sector, 16))
}

/// An entry of a sound sector of the table.
pub(super) fn entry_at(sector: &[u8], index: u32) -> Option<Entry> {
    let start = TABLE_OVERHEAD - 4 + index as usize * ENTRY_BYTES;
    let bytes = sector.get(start..start + ENTRY_BYTES)?;
    let entry = Entry {
        page: u32_at(bytes, 0),
        source: u16::from_le_bytes([bytes[4], bytes[5]]),
        tenant: bytes[6],
        dirty: bytes[7],
        persistence: Persistence {
            mode: Mode::WriteBack,
            resources: ResourceSet(bytes[8]),
            storage: LevelIndex(bytes[9]),
            verify: bytes[10] & VERIFY != 0,
            atomic: bytes[10] & ATOMIC != 0,
            ..Persistence::default()
        },
    };
    (entry.dirty != 0).then_some(entry)
}
