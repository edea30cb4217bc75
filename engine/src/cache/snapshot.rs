//! Snapshots: which pages were in the cache, kept on any resource, to be had again later.
//!
//! A snapshot names pages, the hottest first; it holds no data: what it names is clean, and is fetched again when it is loaded. Straight-line code: nothing else is
//! under way.
//!
//! ```text
//! sector 0     "CuCs", pages named, sectors of a page, identity of each of 8 primaries, CRC-32C
//! from 1 on    entries of 8 bytes: page (4), source (2), valid units (1), tenant (1); CRC-32C of the entries at the end of the sector
//! ```

use core::fmt;

use crate::codec::crc;
use crate::resource::{read_now, write_now, Completion, Resource, ResourceError};
use crate::volume::Sector;

use super::key::Source;
use super::persistence::RESOURCES_MAX;
use super::tag::{State, TagView, USES_MAX};
use super::{Cache, Terms};

const MAGIC: [u8; 4] = *b"CuCs";
const ENTRY_BYTES: usize = 8;
/// Bytes of the header, its CRC included.
const HEADER_BYTES: usize = 4 + 4 + 4 + 8 * RESOURCES_MAX as usize + 4;

/// Why a snapshot is not stored or loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SnapshotError {
    /// Requests are under way.
    Busy,
    /// Sectors of the resource are of another size than the cache's, or too short.
    SectorBytes,
    /// There is no snapshot, or a damaged one.
    None,
    /// It was taken of pages of another size, or before other primaries.
    Foreign,
    /// The resource it is kept on, or a primary, has failed.
    Resource(ResourceError),
}

impl From<ResourceError> for SnapshotError {
    fn from(error: ResourceError) -> Self {
        Self::Resource(error)
    }
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("requests are under way"),
            Self::SectorBytes => f.write_str("sectors that a snapshot does not fit"),
            Self::None => f.write_str("there is no snapshot, or a damaged one"),
            Self::Foreign => {
                f.write_str("the snapshot is of other primaries, or of pages of another size")
            }
            Self::Resource(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SnapshotError {}

/// What was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Loaded {
    /// Pages that are in the cache now.
    pub pages: u32,
    /// Pages that the snapshot names and there was no room for: the coldest.
    pub left: u32,
}

impl<S: Resource, P: Resource> Cache<'_, S, P> {
    /// Stores which pages are in the cache: those that `wanted` picks, the hottest first, as many as `to` has room for. Gives how many.
    ///
    /// # Errors
    /// [`SnapshotError`]. What was stored there before is lost.
    pub fn save_snapshot<R: Resource + ?Sized>(
        &mut self,
        to: &mut R,
        wanted: impl Fn(&TagView) -> bool,
    ) -> Result<u32, SnapshotError> {
        let per = self.snapshot_entries(to)?;
        let most = u64::from(to.status().sectors.saturating_sub(1)) * per as u64;
        let len = self.desk.sector_bytes;
        // An old header goes before what it named.
        self.desk.buffer(0).fill(0);
        write_now(to, Sector(0), &self.desk.buffers[..len])?;
        let mut count = 0u32;
        for uses in (0..=USES_MAX).rev() {
            for tag in 0..self.desk.tags.len() {
                let found = self.desk.tags.get(tag);
                let view = found.view();
                let clean = found.valid & !found.dirty;
                if clean == 0 || found.uses() != uses || !wanted(&view) || u64::from(count) >= most
                {
                    continue;
                }
                let at = count as usize % per * ENTRY_BYTES;
                let [p0, p1, p2, p3] = found.page.to_le_bytes();
                let [s0, s1] = found.source.to_le_bytes();
                let entry = [p0, p1, p2, p3, s0, s1, clean, found.tenant];
                self.desk.buffer(0)[at..at + ENTRY_BYTES].copy_from_slice(&entry);
                count += 1;
                if (count as usize).is_multiple_of(per) {
                    self.write_entries(to, count / per as u32)?;
                }
            }
        }
        if !(count as usize).is_multiple_of(per) {
            self.write_entries(to, count / per as u32 + 1)?;
        }
        self.write_snapshot_header(to, count)?;
        Ok(count)
    }

    /// Fetches the pages that a snapshot names, the hottest first, until `room` of them are there, or no page can be had for one without giving one up that
    /// the snapshot has brought. Pinned ones stay whatever is asked for afterwards, until [`Cache::pin`] lets them go.
    ///
    /// # Errors
    /// [`SnapshotError`]; what was fetched before stays.
    pub fn load_snapshot<R: Resource + ?Sized>(
        &mut self,
        from: &mut R,
        terms: Terms,
        pinned: bool,
        room: u32,
    ) -> Result<Loaded, SnapshotError> {
        let per = self.snapshot_entries(from)?;
        let count = self.read_snapshot_header(from)?;
        let mut loaded = Loaded::default();
        for index in 0..count {
            let at = index as usize % per * ENTRY_BYTES;
            let mut entry = [0; ENTRY_BYTES];
            // The buffers serve the fetches between: each entry is read by itself.
            self.read_entries(from, index / per as u32 + 1)?;
            entry.copy_from_slice(&self.desk.buffer(0)[at..at + ENTRY_BYTES]);
            let [p0, p1, p2, p3, s0, s1, clean, tenant] = entry;
            let page = u32::from_le_bytes([p0, p1, p2, p3]);
            let source = Source::of_code(u16::from_le_bytes([s0, s1]));
            if loaded.pages >= room.min(self.desk.tags.len()) {
                loaded.left = count - index;
                break;
            }
            let terms = Terms { tenant, ..terms };
            let mut kept = false;
            for unit in 0..self.desk.pages.units() as u8 {
                if clean >> unit & 1 != 0 {
                    let sector = self.desk.pages.sector(page, unit);
                    self.fetch_now(source, sector, terms)?;
                    kept = self.find(source, sector).is_some();
                }
            }
            let first = self.desk.pages.sector(page, 0);
            if kept && pinned {
                self.pin(source, first, true);
            }
            if kept {
                loaded.pages += 1;
            } else {
                loaded.left += 1;
            }
        }
        Ok(loaded)
    }

    /// Gives up the clean pages that `wanted` picks, pinned ones too: room for another set. What is newer than a primary's version stays. Gives how many went.
    ///
    /// # Errors
    /// [`SnapshotError::Busy`].
    pub fn unload(&mut self, wanted: impl Fn(&TagView) -> bool) -> Result<u32, SnapshotError> {
        if self.desk.is_busy() {
            return Err(SnapshotError::Busy);
        }
        let mut count = 0;
        for at in 0..self.desk.tags.len() {
            let tag = self.desk.tags.get(at);
            if tag.state() == State::Clean && tag.dirty == 0 && wanted(&tag.view()) {
                self.desk.tags.free(at);
                count += 1;
            }
        }
        Ok(count)
    }

    /// Reads a sector for what it leaves in the cache.
    fn fetch_now(
        &mut self,
        source: Source,
        sector: Sector,
        terms: Terms,
    ) -> Result<(), ResourceError> {
        let wanted = match self.submit_read(source, sector, terms) {
            Ok(ticket) => ticket,
            // The primary has shrunk since: there is nothing to be had.
            Err(nb::Error::Other(ResourceError::OutOfRange { .. })) => return Ok(()),
            Err(nb::Error::Other(error)) => return Err(error),
            Err(nb::Error::WouldBlock) => return Err(ResourceError::Device),
        };
        loop {
            match self.poll() {
                Completion::Data(ticket, _) | Completion::Unwritten(ticket) if ticket == wanted => {
                    return Ok(());
                }
                Completion::Failed(ticket, error) if ticket == wanted => return Err(error),
                Completion::Pending => self.wait(),
                Completion::Idle => return Err(ResourceError::Device),
                _ => {}
            }
        }
    }

    /// Entries of a sector.
    fn snapshot_entries<R: Resource + ?Sized>(&self, on: &R) -> Result<usize, SnapshotError> {
        let len = self.desk.sector_bytes;
        if self.desk.is_busy() {
            return Err(SnapshotError::Busy);
        }
        if on.status().sector_bytes as usize != len || len < HEADER_BYTES {
            return Err(SnapshotError::SectorBytes);
        }
        Ok((len - 4) / ENTRY_BYTES)
    }

    fn snapshot_header(&self, count: u32) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&MAGIC);
        header[4..8].copy_from_slice(&count.to_le_bytes());
        header[8..12].copy_from_slice(&self.desk.pages.units().to_le_bytes());
        for (place, primary) in header[12..].chunks_mut(8).zip(self.primaries.iter()) {
            place.copy_from_slice(&primary.status().identity.to_le_bytes());
        }
        let crc = crc::bytes_crc(&[&header[..HEADER_BYTES - 4]]);
        header[HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        header
    }

    fn write_snapshot_header<R: Resource + ?Sized>(
        &mut self,
        to: &mut R,
        count: u32,
    ) -> Result<(), ResourceError> {
        let header = self.snapshot_header(count);
        let buffer = self.desk.buffer(0);
        buffer.fill(0);
        buffer[..HEADER_BYTES].copy_from_slice(&header);
        write_now(to, Sector(0), buffer)
    }

    fn read_snapshot_header<R: Resource + ?Sized>(
        &mut self,
        from: &mut R,
    ) -> Result<u32, SnapshotError> {
        let buffer = self.desk.buffer(0);
        if !read_now(from, Sector(0), buffer)? || buffer[..4] != MAGIC {
            return Err(SnapshotError::None);
        }
        let mut found = [0; HEADER_BYTES];
        found.copy_from_slice(&buffer[..HEADER_BYTES]);
        let crc = crc::bytes_crc(&[&found[..HEADER_BYTES - 4]]).to_le_bytes();
        if found[HEADER_BYTES - 4..] != crc {
            return Err(SnapshotError::None);
        }
        let count = u32::from_le_bytes([found[4], found[5], found[6], found[7]]);
        if self.snapshot_header(count) == found {
            Ok(count)
        } else {
            Err(SnapshotError::Foreign)
        }
    }

    fn write_entries<R: Resource + ?Sized>(
        &mut self,
        to: &mut R,
        sector: u32,
    ) -> Result<(), ResourceError> {
        let end = self.desk.sector_bytes - 4;
        let buffer = self.desk.buffer(0);
        let crc = crc::bytes_crc(&[&buffer[..end]]);
        buffer[end..].copy_from_slice(&crc.to_le_bytes());
        write_now(to, Sector(sector), buffer)
    }

    fn read_entries<R: Resource + ?Sized>(
        &mut self,
        from: &mut R,
        sector: u32,
    ) -> Result<(), SnapshotError> {
        let end = self.desk.sector_bytes - 4;
        let buffer = self.desk.buffer(0);
        let sound = read_now(from, Sector(sector), buffer)?
            && crc::bytes_crc(&[&buffer[..end]]).to_le_bytes() == buffer[end..];
        sound.then_some(()).ok_or(SnapshotError::None)
    }
}
