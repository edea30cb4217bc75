//! Verification of the media against themselves: every sector is read, every valid count compared.

use cuesta_hal::{Buffer, Die, Nand};

use super::address::{Location, MapIndex, Sector, Segment};
use super::error::Error;
use super::index::Lookup;
use super::io;
use super::job::Job;
use super::level::LevelIndex;
use super::recover::Decayed;
use super::segment_table::State;
use super::{Session, Volume};
use crate::codec::{Header, HeaderState, Kind};

/// Something that is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Finding {
    /// A sector cannot be read.
    Unreadable {
        /// The sector.
        sector: Sector,
    },
    /// A sector's mapping was lost with its map page.
    Lost {
        /// The sector.
        sector: Sector,
    },
    /// A segment's count of valid slots is wrong.
    ValidCount {
        /// The segment.
        segment: Segment,
        /// What the table says.
        counted: u32,
        /// What was found.
        found: u32,
    },
    /// A segment said to be free holds a sector that the index names.
    FreeButUsed {
        /// The segment.
        segment: Segment,
    },
}

impl core::fmt::Display for Finding {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Unreadable { sector } => write!(f, "sector {} cannot be read", sector.0),
            Self::Lost { sector } => write!(f, "the place of sector {} is lost", sector.0),
            Self::ValidCount {
                segment,
                counted,
                found,
            } => write!(
                f,
                "segment {} counts {counted} valid slots, {found} were found",
                segment.0
            ),
            Self::FreeButUsed { segment } => {
                write!(f, "segment {} is free but holds current data", segment.0)
            }
        }
    }
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Verified {
    /// Sectors with data, all read and checked.
    pub sectors: u32,
    /// Sectors that read as unwritten.
    pub unwritten: u32,
    /// Sectors in a page that the last cut has touched and that cannot be read any more: the next session takes the version before.
    pub undecided: u32,
    /// Segments whose count was compared.
    pub segments: u32,
    /// Largest number of bits corrected in one codeword.
    pub corrected_bits_max: u32,
    /// Findings.
    pub findings: u32,
}

impl<N: Nand> Volume<'_, N> {
    /// Verifies the whole volume; `report` is told each finding, `progress` how many of how many steps are done.
    ///
    /// Changes nothing. Nothing may be in flight.
    ///
    /// # Errors
    /// The NAND failed, or requests are in flight.
    pub fn verify(
        &mut self,
        report: &mut dyn FnMut(Finding),
        progress: &mut dyn FnMut(u32, u32),
    ) -> Result<Verified, Error> {
        self.check_idle()?;
        // What only waits gives its buffer and frame up.
        self.groom.let_go();
        self.cancel_waiting_job();
        self.settle_suspect_map()?;
        let mut verified = Verified::default();
        let total = self.shape.capacity + self.shape.segments;
        for sector in 0..self.shape.capacity {
            if sector % 256 == 0 {
                progress(sector, total);
            }
            self.verify_sector(Sector(sector), &mut verified, report)?;
        }
        for segment in self.segments.iter() {
            progress(self.shape.capacity + segment.0, total);
            self.verify_segment(segment, &mut verified, report)?;
        }
        Ok(verified)
    }

    /// True when valid counts are exact: always, but between an unclean end and the recovery that counts anew.
    fn counts_are_exact(&self) -> bool {
        !matches!(self.session, Session::Mounted { clean: false })
    }

    /// A map page that the last cut may have touched is read once, and kept in its frame; what was read is what counts. One that has
    /// decayed was never written.
    fn settle_suspect_map(&mut self) -> Result<(), Error> {
        if !matches!(self.session, Session::Mounted { clean: false }) {
            return Ok(());
        }
        for _ in 0..self.void.capacity() {
            let mut decayed = None;
            for die in 0..self.dies.len() {
                let suspect = self.dies[die].suspect;
                if suspect.is_mapped() && !self.hold_map(suspect)?.is_readable() {
                    decayed = Some(suspect);
                }
            }
            match decayed {
                Some(page) => self
                    .load_without(Decayed::Page(page))
                    .map_err(|error| self.fail(error.into()))?,
                None => break,
            }
        }
        Ok(())
    }

    /// The level of a sector; `None` if nothing is written there. Nothing may be in flight.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::Lost`]; the NAND failed, or requests are in flight.
    pub fn level_of(&mut self, sector: Sector) -> Result<Option<LevelIndex>, Error> {
        if sector.0 >= self.shape.capacity {
            let capacity = self.shape.capacity;
            return Err(Error::OutOfRange { sector, capacity });
        }
        self.check_idle()?;
        match self.lookup_now(sector)? {
            Location::UNMAPPED => Ok(None),
            Location::LOST => Err(Error::Lost(sector)),
            location => {
                let segment = self.shape.segment(location);
                Ok(Some(LevelIndex(self.segments.level(segment))))
            }
        }
    }

    /// What nobody has asked for is waited for; what somebody has asked for is not.
    pub(super) fn check_idle(&mut self) -> Result<(), Error> {
        self.finish_look();
        self.check_alive()?;
        let busy = self.is_in_flight();
        if busy || matches!(self.job, Job::Retry { .. }) {
            return Err(Error::Nand(cuesta_hal::NandErrorKind::Busy));
        }
        Ok(())
    }

    /// Where a sector is, its map page read if need be. Nothing else may be in flight.
    pub(super) fn lookup_now(&mut self, sector: Sector) -> Result<Location, Error> {
        for _ in 0..1_000_000u32 {
            match self.lookup(sector) {
                Lookup::Known(location) => return Ok(location),
                Lookup::Need(map) => self.load_now(map)?,
            }
        }
        Err(Error::Lost(sector))
    }

    fn load_now(&mut self, map: MapIndex) -> Result<(), Error> {
        self.load_map(map);
        self.check_alive()?;
        self.nand.wait();
        for die in 0..self.dies.len() {
            let _ = self.settle(Die(die as u16));
        }
        self.check_alive()
    }

    fn verify_sector(
        &mut self,
        sector: Sector,
        verified: &mut Verified,
        report: &mut dyn FnMut(Finding),
    ) -> Result<(), Error> {
        let location = self.lookup_now(sector)?;
        if location == Location::UNMAPPED {
            verified.unwritten += 1;
            return Ok(());
        }
        if location == Location::LOST {
            verified.findings += 1;
            report(Finding::Lost { sector });
            return Ok(());
        }
        let (_, unit) = self.shape.address(location);
        let layout = self.layout_of(self.segments.level(self.shape.segment(location)));
        let mut readable = false;
        let mut tries = 0;
        while let Some(page) = self.attempt(location, tries) {
            tries += 1;
            io::read(&mut self.nand, page, layout.unit_columns(unit))
                .map_err(|kind| self.fail(Error::Nand(kind)))?;
            match self.decode_data(page.die(), location) {
                Ok((header, repaired)) if header.kind == Kind::Data && header.id == sector.0 => {
                    verified.corrected_bits_max =
                        verified.corrected_bits_max.max(repaired.bits_max);
                    readable = true;
                    break;
                }
                _ => {}
            }
        }
        if !readable {
            let (segment, offset, _) = self.shape.split(location);
            if let Some(die) = self.rebuild_now(segment, offset)? {
                let decoded = self.decode_data(die, location);
                readable = matches!(decoded, Ok((header, _)) if header.id == sector.0);
            }
        }
        if readable {
            verified.sectors += 1;
        } else if self.is_suspect(sector) {
            verified.undecided += 1;
        } else {
            verified.findings += 1;
            report(Finding::Unreadable { sector });
        }
        Ok(())
    }

    /// The header of a unit, from the first page of its stripe or from one behind it, or from what it can be made again from.
    fn verify_header(
        &mut self,
        segment: Segment,
        offset: u32,
        unit: u32,
    ) -> Result<Option<Header>, Error> {
        let location = self.shape.location(segment, offset, unit);
        for at in self.stripe_pages(segment, offset) {
            let page = self.shape.page(segment, at);
            io::read(&mut self.nand, page, self.shape.layout.header_columns())
                .map_err(|kind| self.fail(Error::Nand(kind)))?;
            let buffer = self.nand.buffer(page.die(), Buffer::First);
            match self.shape.layout.read_header(buffer, unit, location.0) {
                HeaderState::Valid(header) => return Ok(Some(header)),
                HeaderState::Erased => return Ok(None),
                HeaderState::Bad => {}
            }
        }
        let made = self.rebuild_now(segment, offset)?;
        Ok(made.and_then(|die| {
            let buffer = self.nand.buffer(die, Buffer::First);
            match self.shape.layout.read_header(buffer, unit, location.0) {
                HeaderState::Valid(header) => Some(header),
                HeaderState::Erased | HeaderState::Bad => None,
            }
        }))
    }

    fn verify_segment(
        &mut self,
        segment: Segment,
        verified: &mut Verified,
        report: &mut dyn FnMut(Finding),
    ) -> Result<(), Error> {
        let state = self.segments.state(segment);
        let counted = match state {
            State::Free => 0,
            State::Open | State::Closed | State::Ailing if self.counts_are_exact() => {
                self.segments.valid(segment)
            }
            _ => return Ok(()),
        };
        let mut found = 0;
        for offset in 0..self.shape.pages_per_segment() {
            for unit in 0..self.shape.units() {
                // Looking a sector up may use the buffer.
                let location = self.shape.location(segment, offset, unit);
                if let Some(header) = self.verify_header(segment, offset, unit)? {
                    if header.kind == Kind::Data
                        && header.id < self.shape.capacity
                        && self.lookup_now(Sector(header.id))? == location
                    {
                        found += 1;
                    }
                }
            }
        }
        verified.segments += 1;
        if found != counted {
            verified.findings += 1;
            report(if state == State::Free {
                Finding::FreeButUsed { segment }
            } else {
                Finding::ValidCount {
                    segment,
                    counted,
                    found,
                }
            });
        }
        Ok(())
    }
}
