//! Sectors in memory that the caller lends.

use core::fmt;

use crate::volume::{Sector, Ticket, WriteOptions};

use super::{Completion, Resource, ResourceError, Status};

/// Sectors in memory. Everything is done when it is accepted; the next request is accepted when the completion of the last was polled.
#[derive(Debug)]
pub struct RamStore<'m> {
    bytes: &'m mut [u8],
    /// A bit for each sector that holds something.
    written: &'m mut [u8],
    sector_bytes: usize,
    sectors: u32,
    next_ticket: u32,
    done: Option<Done>,
}

#[derive(Debug, Clone, Copy)]
enum Done {
    Written(Ticket),
    Read(Ticket, Sector),
    Trimmed(Ticket),
    Flushed(Ticket),
}

/// Memory that no store can be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreShapeError {
    /// Sectors have at least one byte.
    NoSectorBytes,
    /// The map has too few bits for the sectors.
    Map {
        /// Bytes lent.
        found: usize,
        /// Bytes needed.
        needed: usize,
    },
}

impl fmt::Display for StoreShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSectorBytes => f.write_str("sectors of 0 bytes"),
            Self::Map { found, needed } => {
                write!(
                    f,
                    "{found} bytes lent for the map of sectors, {needed} needed"
                )
            }
        }
    }
}

impl core::error::Error for StoreShapeError {}

impl<'m> RamStore<'m> {
    /// An empty store of as many sectors as `bytes` holds. `written` takes a bit for each of them.
    ///
    /// # Errors
    /// What is wrong with the memory.
    pub fn new(
        bytes: &'m mut [u8],
        written: &'m mut [u8],
        sector_bytes: usize,
    ) -> Result<Self, StoreShapeError> {
        let sectors = bytes
            .len()
            .checked_div(sector_bytes)
            .ok_or(StoreShapeError::NoSectorBytes)?;
        let needed = Self::map_bytes(sectors);
        if written.len() < needed {
            return Err(StoreShapeError::Map {
                found: written.len(),
                needed,
            });
        }
        written.fill(0);
        Ok(Self {
            bytes,
            written,
            sector_bytes,
            sectors: u32::try_from(sectors).unwrap_or(u32::MAX),
            next_ticket: 0,
            done: None,
        })
    }

    /// Bytes that the map of so many sectors takes.
    #[must_use]
    pub const fn map_bytes(sectors: usize) -> usize {
        sectors.div_ceil(8)
    }

    /// The place of `count` sectors from `first` on.
    #[inline]
    fn check(&self, first: Sector, count: u32) -> Result<(), ResourceError> {
        let sectors = self.sectors;
        match first.0.checked_add(count) {
            Some(end) if end <= sectors => Ok(()),
            _ => Err(ResourceError::OutOfRange {
                sector: Sector(first.0.max(sectors)),
                sectors,
            }),
        }
    }

    fn page(&mut self, sector: Sector) -> Option<&mut [u8]> {
        let start = sector.0 as usize * self.sector_bytes;
        self.bytes.get_mut(start..start + self.sector_bytes)
    }

    fn mark(&mut self, sector: Sector, holds: bool) {
        if let Some(byte) = self.written.get_mut(sector.0 as usize / 8) {
            let bit = 1 << (sector.0 % 8);
            *byte = if holds { *byte | bit } else { *byte & !bit };
        }
    }

    fn holds(&self, sector: Sector) -> bool {
        self.written
            .get(sector.0 as usize / 8)
            .is_some_and(|byte| byte >> (sector.0 % 8) & 1 != 0)
    }

    fn accept(&mut self) -> nb::Result<Ticket, ResourceError> {
        if self.done.is_some() {
            return Err(nb::Error::WouldBlock);
        }
        self.next_ticket = self.next_ticket.wrapping_add(1);
        Ok(Ticket(self.next_ticket))
    }
}

impl Resource for RamStore<'_> {
    fn status(&self) -> Status {
        Status {
            identity: 0,
            sector_bytes: u32::try_from(self.sector_bytes).unwrap_or(u32::MAX),
            sectors: self.sectors,
            volatile: true,
            read_only: false,
            ready: true,
        }
    }

    #[inline]
    fn submit_read(&mut self, sector: Sector) -> nb::Result<Ticket, ResourceError> {
        self.check(sector, 1)?;
        let ticket = self.accept()?;
        self.done = Some(Done::Read(ticket, sector));
        Ok(ticket)
    }

    fn submit_write(
        &mut self,
        sector: Sector,
        data: &[u8],
        _options: WriteOptions,
    ) -> nb::Result<Ticket, ResourceError> {
        self.check(sector, 1)?;
        if data.len() != self.sector_bytes {
            return Err(nb::Error::Other(ResourceError::Length {
                found: data.len(),
                expected: self.sector_bytes,
            }));
        }
        let ticket = self.accept()?;
        if let Some(page) = self.page(sector) {
            page.copy_from_slice(data);
        }
        self.mark(sector, true);
        self.done = Some(Done::Written(ticket));
        Ok(ticket)
    }

    fn submit_trim(&mut self, first: Sector, count: u32) -> nb::Result<Ticket, ResourceError> {
        self.check(first, count)?;
        let ticket = self.accept()?;
        for sector in first.0..first.0 + count {
            self.mark(Sector(sector), false);
        }
        self.done = Some(Done::Trimmed(ticket));
        Ok(ticket)
    }

    fn submit_flush(&mut self) -> nb::Result<Ticket, ResourceError> {
        let ticket = self.accept()?;
        self.done = Some(Done::Flushed(ticket));
        Ok(ticket)
    }

    fn poll(&mut self) -> Completion<'_> {
        match self.done.take() {
            None => Completion::Idle,
            Some(Done::Written(ticket)) => Completion::Written(ticket),
            Some(Done::Trimmed(ticket)) => Completion::Trimmed(ticket),
            Some(Done::Flushed(ticket)) => Completion::Flushed(ticket),
            Some(Done::Read(ticket, sector)) if self.holds(sector) => match self.page(sector) {
                Some(page) => Completion::Data(ticket, page),
                None => Completion::Unwritten(ticket),
            },
            Some(Done::Read(ticket, _)) => Completion::Unwritten(ticket),
        }
    }

    fn wait(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_holds_what_was_written_and_not_what_was_trimmed() {
        let (mut bytes, mut written) = ([0xa5; 40], [0xff; 2]);
        let mut store = RamStore::new(&mut bytes, &mut written, 4).unwrap();
        assert_eq!(store.status().sectors, 10);
        let ticket = store.submit_read(Sector(9)).unwrap();
        assert_eq!(store.poll(), Completion::Unwritten(ticket));
        let data = [1, 2, 3, 4];
        let options = WriteOptions::default();
        let ticket = store.submit_write(Sector(9), &data, options).unwrap();
        let blocked = store.submit_read(Sector(9));
        assert_eq!(blocked, Err(nb::Error::WouldBlock));
        assert_eq!(store.poll(), Completion::Written(ticket));
        let ticket = store.submit_read(Sector(9)).unwrap();
        assert_eq!(store.poll(), Completion::Data(ticket, &data));
        let ticket = store.submit_trim(Sector(8), 2).unwrap();
        assert_eq!(store.poll(), Completion::Trimmed(ticket));
        let ticket = store.submit_read(Sector(9)).unwrap();
        assert_eq!(store.poll(), Completion::Unwritten(ticket));
        assert_eq!(store.poll(), Completion::Idle);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let (mut bytes, mut written) = ([0; 40], [0; 2]);
        let mut store = RamStore::new(&mut bytes, &mut written, 4).unwrap();
        let options = WriteOptions::default();
        let beyond = |sector| {
            Err(nb::Error::Other(ResourceError::OutOfRange {
                sector: Sector(sector),
                sectors: 10,
            }))
        };
        assert_eq!(store.submit_read(Sector(10)), beyond(10));
        assert_eq!(store.submit_write(Sector(11), &[0; 4], options), beyond(11));
        assert_eq!(store.submit_trim(Sector(9), 2), beyond(10));
        assert_eq!(store.submit_trim(Sector(9), u32::MAX), beyond(10));
        assert_eq!(
            store.submit_write(Sector(0), &[0; 5], options),
            Err(nb::Error::Other(ResourceError::Length {
                found: 5,
                expected: 4
            }))
        );
        assert_eq!(store.poll(), Completion::Idle);
        let small = RamStore::new(&mut bytes, &mut written[..1], 4).map(|_| ());
        assert_eq!(
            small,
            Err(StoreShapeError::Map {
                found: 1,
                needed: 2
            })
        );
        let none = RamStore::new(&mut bytes, &mut written, 0).map(|_| ());
        assert_eq!(none, Err(StoreShapeError::NoSectorBytes));
    }
}
