//! The first change after a mount: what an unclean end has left is made good in one transaction, and a new session begins.

use cuesta_hal::{Buffer, Die, Nand};

use super::address::{Location, Sector, Segment};
use super::error::Error;
use super::flight::{Flight, Origin, Unit};
use super::index::Lookup;
use super::io;
use super::job::Job;
use super::segment_table::State;
use super::write::Source;
use super::{Session, Volume, JOURNAL, TIME_JUMP};
use crate::codec::crc::Seed;
use crate::codec::{HeaderState, Kind};

/// Free segments that a new session looks at before it takes one.
const CANDIDATES: usize = 16;

impl<N: Nand> Volume<'_, N> {
    /// True when the sector is in a page that the last cut may have touched.
    pub(super) fn is_suspect(&self, sector: Sector) -> bool {
        match self.lookup(sector) {
            Lookup::Known(location) if location.is_mapped() => self.dies.iter().any(|die| {
                die.suspect.is_mapped()
                    && location.0 / self.shape.units == die.suspect.0 / self.shape.units
            }),
            Lookup::Known(_) => false,
            // A suspect data page is among the deltas; a suspect map page concerns every sector of its range.
            Lookup::Need(map) => {
                let location = self.directory[map.0 as usize].location;
                self.dies.iter().any(|die| die.suspect == location)
            }
        }
    }

    /// Begins the session: recovers if the last one did not end cleanly, then says on the media that pages follow.
    ///
    /// One transaction, committed by the checkpoint at its end; see the recovery argument in the design document. Straight through: it owns the part.
    pub(super) fn begin_session(&mut self) -> Result<(), Error> {
        let Session::Mounted { clean } = self.session else {
            return Ok(());
        };
        self.session = Session::Active;
        let result = self.recover(clean);
        if let Err(error) = result {
            self.session = match error {
                Error::Nand(_) => Session::Failed(error),
                _ => Session::ReadOnly,
            };
        }
        result
    }

    fn recover(&mut self, clean: bool) -> Result<(), Error> {
        let fresh = self.choose_fresh()?;
        if !clean {
            self.time = (self.time / TIME_JUMP + 1) * TIME_JUMP;
        }
        let Some((journal, rest)) = self.open_fresh(JOURNAL, fresh)? else {
            return Err(Error::NoSpace);
        };
        let _ = journal;
        let mut rest = rest;
        for die in 0..self.dies.len() {
            let suspect = core::mem::replace(&mut self.dies[die].suspect, Location::UNMAPPED);
            if clean || !suspect.is_mapped() {
                continue;
            }
            let (segment, offset, _) = self.shape.split(suspect);
            if self.segments.state(segment) == State::Journal {
                self.renew_map(suspect)?;
            } else {
                rest = self.copy_suspect(segment, offset, rest)?;
            }
        }
        self.settle_everything()?;
        self.release_small()?;
        self.checkpoint_now()
    }

    /// Free segments in the order in which they should be tried: the one behind the newest trace of an interrupted attempt first.
    fn choose_fresh(&mut self) -> Result<heapless::Vec<Segment, CANDIDATES>, Error> {
        let mut free: heapless::Vec<Segment, CANDIDATES> = heapless::Vec::new();
        for _ in 0..CANDIDATES {
            let next = self
                .segments
                .iter()
                .filter(|&segment| {
                    self.segments.state(segment) == State::Free && !free.contains(&segment)
                })
                .min_by_key(|&segment| self.segments.wear(segment));
            match next {
                Some(segment) => {
                    let _ = free.push(segment);
                }
                None => break,
            }
        }
        free.sort_unstable();
        let mut newest = None;
        for (index, &segment) in free.iter().enumerate() {
            let Some(offset) = self.usable_from(segment, 0) else {
                continue;
            };
            let page = self.shape.page(segment, offset);
            io::read(&mut self.nand, page, self.shape.layout.header_columns())
                .map_err(|kind| self.fail(Error::Nand(kind)))?;
            let place = self.shape.location(segment, offset, 0);
            let buffer = self.nand.buffer(page.die(), Buffer::First);
            if let HeaderState::Valid(header) = self.shape.layout.read_header(buffer, 0, place.0) {
                if header.time >= self.time && newest.is_none_or(|(time, _)| header.time > time) {
                    newest = Some((header.time, index));
                }
            }
        }
        if let Some((time, index)) = newest {
            let by = (index + 1) % free.len();
            free.rotate_left(by);
            self.time = self.time.max(time + 1);
        }
        // Taken from the end.
        free.reverse();
        Ok(free)
    }

    /// Erases the next fresh segment and makes it a stream's append point; gives the rest back.
    #[allow(clippy::type_complexity)]
    fn open_fresh(
        &mut self,
        stream: u8,
        mut fresh: heapless::Vec<Segment, CANDIDATES>,
    ) -> Result<Option<(Segment, heapless::Vec<Segment, CANDIDATES>)>, Error> {
        while let Some(segment) = fresh.pop() {
            self.pending.named.retain(|&named| named != segment);
            for column in 0..self.shape.width {
                let block = self.shape.block(segment, column);
                let number = self.shape.block_number(block);
                if self.is_bad(number) {
                    continue;
                }
                match io::erase(&mut self.nand, block) {
                    Ok(true) => {}
                    Ok(false) => self.block_failed(segment, column),
                    Err(kind) => return Err(self.fail(Error::Nand(kind))),
                }
            }
            if self.good_columns(segment) == 0 {
                self.segments.set_state(segment, State::Retired);
                self.free -= 1;
                continue;
            }
            self.wear(segment);
            self.install(stream, segment);
            return Ok(Some((segment, fresh)));
        }
        Ok(None)
    }

    /// Programs a suspect map page anew.
    fn renew_map(&mut self, suspect: Location) -> Result<(), Error> {
        let map = self
            .directory
            .iter()
            .position(|entry| entry.location == suspect);
        if let Some(map) = map {
            let map = super::MapIndex(map as u32);
            self.job = Job::Merge(map);
            self.settle_until(|_| true)?;
        }
        Ok(())
    }

    /// Copies what is valid in a suspect page of sector data into a fresh segment.
    fn copy_suspect(
        &mut self,
        segment: Segment,
        offset: u32,
        fresh: heapless::Vec<Segment, CANDIDATES>,
    ) -> Result<heapless::Vec<Segment, CANDIDATES>, Error> {
        let mut fresh = fresh;
        let stream = self.parameters.classes - 1;
        for unit in 0..self.shape.units {
            let location = self.shape.location(segment, offset, unit);
            let page = self.shape.page(segment, offset);
            let layout = self.shape.layout;
            let seed = Seed {
                volume: self.parameters.volume_id,
                place: location.0,
            };
            io::read(&mut self.nand, page, layout.page_columns())
                .map_err(|kind| self.fail(Error::Nand(kind)))?;
            let buffer = self.nand.buffer_mut(page.die(), Buffer::First);
            let Ok((header, _)) = layout.decode_unit(buffer, unit, seed) else {
                continue;
            };
            if header.kind != Kind::Data
                || self.lookup(Sector(header.id)) != Lookup::Known(location)
            {
                continue;
            }
            if self.appends[usize::from(stream)].is_none() {
                match self.open_fresh(stream, fresh)? {
                    Some((_, rest)) => fresh = rest,
                    None => return Err(Error::NoSpace),
                }
            }
            let origin = Origin::Relocation { source: location };
            let unit_record = Unit {
                sector: Sector(header.id),
                birth: header.birth,
                origin,
            };
            self.append_unit(stream, unit_record, Source::Buffer(page.die(), unit))?;
            if let Some(stage) = self.stages.get_mut(usize::from(stream)) {
                stage.push = true;
                self.push_stage(stream)?;
            }
            self.settle_everything()?;
        }
        Ok(fresh)
    }

    /// Settles what is in flight.
    fn settle_everything(&mut self) -> Result<(), Error> {
        let limit = 1u32 << 20;
        for _ in 0..limit {
            for die in 0..self.dies.len() {
                let _ = self.settle(Die(die as u16));
            }
            self.check_alive()?;
            self.redrive()?;
            if self.dies.iter().all(|die| die.flight == Flight::None) {
                return Ok(());
            }
            self.nand.wait();
        }
        Err(Error::NoSpace)
    }

    /// Frees segments that were open, have few pages and hold nothing any more: sessions that end early leave nothing behind.
    fn release_small(&mut self) -> Result<(), Error> {
        let closed = core::mem::take(&mut self.pending.closed);
        let few = 4 * self.shape.width;
        for (segment, _) in closed {
            if self.segments.state(segment) != State::Closed {
                continue;
            }
            let mut used = false;
            // A page that tore looks erased and does not hide those of the other dies.
            let mut erased_in_row = 0;
            let mut offset = 0;
            while let Some(at) = self.usable_from(segment, offset) {
                let page = self.shape.page(segment, at);
                io::read(&mut self.nand, page, self.shape.layout.header_columns())
                    .map_err(|kind| self.fail(Error::Nand(kind)))?;
                let mut erased = true;
                for unit in 0..self.shape.units {
                    let location = self.shape.location(segment, at, unit);
                    let buffer = self.nand.buffer(page.die(), Buffer::First);
                    match self.shape.layout.read_header(buffer, unit, location.0) {
                        HeaderState::Erased => {}
                        HeaderState::Bad => erased = false,
                        HeaderState::Valid(header) => {
                            erased = false;
                            let sector = Sector(header.id.min(self.shape.capacity - 1));
                            // What would need a map page to be read counts as used.
                            used |= match self.lookup(sector) {
                                Lookup::Known(known) => known == location,
                                Lookup::Need(_) => true,
                            };
                        }
                    }
                }
                offset = at + 1;
                erased_in_row = if erased { erased_in_row + 1 } else { 0 };
                if used || erased_in_row > self.shape.width {
                    break;
                }
                if offset > few + self.shape.width {
                    used = true;
                    break;
                }
            }
            if !used {
                self.release(segment);
            }
        }
        Ok(())
    }
}
