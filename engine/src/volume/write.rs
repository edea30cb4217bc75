//! Host writes: acceptance, placement, and the start of a page's program.

use cuesta_hal::{Buffer, Die, Nand};
use heapless::Vec;

use super::address::{Location, Sector, Segment, Ticket};
use super::error::Error;
use super::flight::{Flight, Origin, Unit, Units};
use super::index::Lookup;
use super::options::WriteOptions;
use super::parameters::UNITS_MAX;
use super::stripe::Offsets;
use super::{Session, Volume};
use crate::codec::header::{FLAG_BATCH, FLAG_RELOCATED};
use crate::codec::{Header, Kind};

/// A write that could not be accepted because the old place of its sector was not known: the answer waits here for the next try.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intent {
    pub sector: Sector,
    pub old: Option<Location>,
}

/// Where a unit's bytes come from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'d> {
    /// The caller.
    Host(&'d [u8]),
    /// A unit in the buffer of a die, decoded.
    Buffer(Die, u32),
}

/// The headers of the units of a page of sector data.
pub(super) fn headers_of(units: &Units, common: &Header) -> Vec<Header, UNITS_MAX> {
    let header = |unit: &Unit| Header {
        flags: match unit.origin {
            Origin::Host { .. } => 0,
            Origin::Batch { .. } => FLAG_BATCH,
            Origin::Relocation { .. } => FLAG_RELOCATED,
        },
        id: unit.sector.0,
        birth: unit.birth,
        ..*common
    };
    units.iter().map(header).collect()
}

impl<N: Nand> Volume<'_, N> {
    /// Writes a sector. The data is consumed at acceptance; [`Event::Written`](super::Event::Written) says that it is on the media.
    ///
    /// # Errors
    /// `WouldBlock`: call [`poll`](Self::poll) and try again. Any other error: the request was refused and nothing was done.
    pub fn submit_write(&mut self, sector: Sector, data: &[u8]) -> nb::Result<Ticket, Error> {
        self.submit_write_with(sector, data, WriteOptions::default())
    }

    /// Writes a sector as asked for: at a level, with a placement hint.
    ///
    /// # Errors
    /// [`Error::NoLevel`], and those of [`submit_write`](Self::submit_write).
    pub fn submit_write_with(
        &mut self,
        sector: Sector,
        data: &[u8],
        options: WriteOptions,
    ) -> nb::Result<Ticket, Error> {
        self.check_sector(sector)?;
        self.accept_write(sector, data, options, false)
    }

    pub(super) fn accept_write(
        &mut self,
        sector: Sector,
        data: &[u8],
        options: WriteOptions,
        batch: bool,
    ) -> nb::Result<Ticket, Error> {
        if data.len() != self.sector_bytes() {
            return Err(nb::Error::Other(Error::Length {
                found: data.len(),
                expected: self.sector_bytes(),
            }));
        }
        let level = options.level;
        if self.levels.ecc(level.0).is_none() {
            return Err(nb::Error::Other(Error::NoLevel(level)));
        }
        self.ready_to_write()?;
        if self.host_must_wait()
            || self.sector_busy(sector)
            || self.read_waits_for(sector)
            || self.trim_is_to_come(sector)
        {
            return Err(nb::Error::WouldBlock);
        }
        let old = match self.resolve(sector) {
            Some(old) => old,
            None => return Err(nb::Error::WouldBlock),
        };
        if self.used + self.cost(level.0) > self.room() + self.cost_at(old) {
            return Err(nb::Error::Other(Error::NoSpace));
        }
        let (class, filling) = match options.stream {
            Some(stream) => {
                let class = self.class_of_hint(level.0, stream);
                (class, class)
            }
            None => {
                let class = self.class_for_write(level.0, old);
                (class, self.filling(level.0, class))
            }
        };
        let Some(stream) = self.stream_for(level.0, filling, self.host_reserve()) else {
            if self.out_of_space() {
                return Err(nb::Error::Other(Error::NoSpace));
            }
            // Unless a segment is about to be opened, or a record page gives one back.
            self.credit.starved |= self.want_open.is_none() && !self.pending.wanted;
            return Err(nb::Error::WouldBlock);
        };
        if !self.can_append(stream) {
            self.patience.write_waits(self.append_die(stream));
            return Err(nb::Error::WouldBlock);
        }
        self.patience.write_goes();
        let ticket = self.ticket();
        let origin = if batch {
            Origin::Batch { ticket, old }
        } else {
            Origin::Host { ticket, old }
        };
        self.host_writes = self.host_writes.wrapping_add(1);
        self.stats.host_writes += 1;
        let unit = Unit {
            sector,
            birth: self.host_writes,
            origin,
        };
        self.append_unit(stream, unit, Source::Host(data))
            .map_err(nb::Error::Other)?;
        self.intent = None;
        self.record_ahead();
        self.count_write(class, old);
        self.sweep_stamps();
        self.sweep_streams();
        self.charge_write();
        self.patrol_for_write();
        Ok(ticket)
    }

    /// Range check of a host's request.
    pub(super) fn check_sector(&self, sector: Sector) -> nb::Result<(), Error> {
        let capacity = self.capacity();
        if sector.0 < capacity {
            Ok(())
        } else {
            Err(nb::Error::Other(Error::OutOfRange { sector, capacity }))
        }
    }

    /// Begins the session at the first change after a mount.
    pub(super) fn ready_to_write(&mut self) -> nb::Result<(), Error> {
        match self.session {
            Session::Active => Ok(()),
            Session::ReadOnly => Err(nb::Error::Other(Error::ReadOnly)),
            Session::Failed(error) => Err(nb::Error::Other(error)),
            Session::Mounted { .. } => {
                if self.is_in_flight() {
                    self.patrol_waits();
                    return Err(nb::Error::WouldBlock);
                }
                self.begin_session().map_err(nb::Error::Other)
            }
        }
    }

    /// Where the sector is now, for its class and for the valid count of the segment it leaves.
    fn resolve(&mut self, sector: Sector) -> Option<Location> {
        if let Some(Intent {
            sector: intended,
            old: Some(old),
        }) = self.intent
        {
            if intended == sector {
                return Some(old);
            }
        }
        match self.lookup(sector) {
            Lookup::Known(old) => Some(old),
            Lookup::Need(map) => {
                self.intent = Some(Intent { sector, old: None });
                self.load_map(map);
                None
            }
        }
    }

    /// A stream of a level for a class of the first one: its own if it has or may open a segment, else the nearest that has one.
    ///
    /// Where little is free only one stream of a level is open at a time: `reserve` bounds the opening of the last one.
    pub(super) fn stream_for(&mut self, level: u8, class: u8, reserve: u32) -> Option<u8> {
        let streams = self.shape.streams.of_level(level);
        let wanted = streams.start + self.shape.streams.scaled(level, class);
        if self.appends[usize::from(wanted)].is_some() {
            return Some(wanted);
        }
        let nearest = streams
            .filter(|&other| self.appends[usize::from(other)].is_some())
            .min_by_key(|&other| other.abs_diff(wanted));
        let (least, affordable) = match nearest {
            Some(_) => (reserve.max(self.host_reserve()), !self.credit.used_up()),
            None => (reserve, true),
        };
        if self.erasable() > least && affordable {
            self.want_open = Some(wanted);
            return None;
        }
        // What was freed since the last record page would do; what that page has freed will do as soon as anything is written.
        self.pending.wanted |= self.free > least
            && (!self.pending.freed.is_empty()
                || (nearest.is_none() && self.pending.doubted.segments > 0));
        nearest
    }

    /// True when nothing is in flight on the die and nobody needs what is in its buffer.
    pub(super) fn die_free(&self, die: Die) -> bool {
        !self.dies[usize::from(die.0)].flight.is_some()
            && !self.groom.holds_buffer(die)
            && !self.job.holds_buffer(die)
    }

    /// Copies the main area of the page in a die's buffer into that of another.
    pub(super) fn copy_page_between(&mut self, from: Die, to: Die) {
        self.copy_between(from, to, self.shape.layout.page_bytes() as usize);
    }

    /// Copies the first bytes of a die's buffer into that of another.
    pub(super) fn copy_between(&mut self, from: Die, to: Die, len: usize) {
        let mut chunk = [0u8; 256];
        let mut at = 0;
        while at < len {
            let size = chunk.len().min(len - at);
            chunk[..size].copy_from_slice(&self.nand.buffer(from, Buffer::First)[at..at + size]);
            self.nand.buffer_mut(to, Buffer::First)[at..at + size].copy_from_slice(&chunk[..size]);
            at += size;
        }
    }

    /// Encodes the units whose payloads are in the buffer of `die` for the next page of the stream and starts the program.
    pub(super) fn program_units(
        &mut self,
        stream: u8,
        die: Die,
        units: Units,
    ) -> Result<(), Error> {
        let Some((segment, offsets)) = self.take_stripe(stream) else {
            return Err(Error::NoSpace);
        };
        let Some(&offset) = offsets.first() else {
            return Err(Error::NoSpace);
        };
        let span = Self::span(&offsets);
        let time = self.take_time();
        let common = self.data_header(segment, span, time);
        let headers = headers_of(&units, &common);
        let seed = self.seed(self.shape.location(segment, offset, 0));
        let layout = self.layout_of(common.level);
        layout.encode(self.nand.buffer_mut(die, Buffer::First), &headers, seed);
        self.start_data(die, segment, &offsets, time, units)
    }

    /// What the units of a page of sector data have in common.
    pub(super) fn data_header(&self, segment: Segment, span: u8, time: u64) -> Header {
        Header {
            kind: Kind::Data,
            level: self.segments.level(segment),
            span,
            time,
            stream: self.segments.class(segment),
            erases: self.erases_of(segment),
            id: 0,
            birth: 0,
            flags: 0,
        }
    }

    fn start_data(
        &mut self,
        die: Die,
        segment: Segment,
        offsets: &Offsets,
        time: u64,
        units: Units,
    ) -> Result<(), Error> {
        let offset = offsets.first().copied().unwrap_or(0);
        for index in 0..units.len() {
            let location = self.shape.location(segment, offset, index as u32);
            self.validate(location);
        }
        let stripe = self.start_stripe(segment, offsets)?;
        self.stats.data_pages += offsets.len() as u32;
        self.dies[usize::from(die.0)].flight = Flight::Data {
            segment,
            offset,
            time,
            units,
            stripe,
        };
        Ok(())
    }
}
