//! What follows when an operation in flight has settled.

use cuesta_hal::{Buffer, Completion, Die, Nand, NandError};

use super::address::{Location, MapIndex, Segment};
use super::append_point::AppendPoint;
use super::error::Error;
use super::event::Outcome;
use super::flight::{Flight, Origin, Units};
use super::index::Lookup;
use super::job::Job;
use super::map_page::FrameState;
use super::segment_table::State;
use super::shape::WIDE;
use super::stripe::Next;
use super::Volume;
use crate::codec::crc::Seed;
use crate::codec::{Header, Kind, PageError, Repaired};

impl<N: Nand> Volume<'_, N> {
    /// Settles what has ended on a die; true when something had, with what is to be handed out.
    pub(super) fn settle(&mut self, die: Die) -> (bool, Option<Outcome>) {
        let at = usize::from(die.0);
        match self.dies[at].flight {
            Flight::None | Flight::Redrive(..) => return (false, None),
            Flight::Settled(_) => return (true, self.next_settled(die)),
            _ => {}
        }
        let completion = match self.nand.poll(die) {
            Ok(completion) => completion,
            Err(nb::Error::WouldBlock) => return (false, None),
            Err(nb::Error::Other(error)) => {
                let error = self.fail(Error::Nand(error.kind()));
                return (true, self.fail_flight(die, error));
            }
        };
        self.refresh.part_says(&completion);
        if completion == Completion::Programmed && self.parameters.copies() == 1 {
            self.pending.doubted.programmed(die);
        }
        let outcome = match core::mem::take(&mut self.dies[at].flight) {
            Flight::HostRead(slot) => self.settle_read(die, usize::from(slot)),
            Flight::MapRead(map) => {
                self.settle_map(die, map);
                None
            }
            data @ Flight::Data { .. } => {
                self.dies[at].flight = data;
                let next = match &mut self.dies[at].flight {
                    Flight::Data { stripe, .. } => {
                        stripe.own_settled(completion == Completion::Programmed)
                    }
                    _ => Next::Wait,
                };
                self.stripe_settled(die, next)
            }
            Flight::Copy { of, offset } if WIDE => self.copy_settled(of, offset, completion),
            Flight::Member(member) if WIDE => {
                self.member_settled(die, member, completion == Completion::Programmed)
            }
            Flight::Rebuild { number, offset } if WIDE => self.rebuild_read(die, number, offset),
            Flight::Job => {
                self.settle_job(die, completion);
                None
            }
            _ => None,
        };
        self.refresh.part_said_nothing();
        (true, outcome)
    }

    /// The program of a copy has settled.
    fn copy_settled(&mut self, of: Die, offset: u32, completion: Completion) -> Option<Outcome> {
        let good = completion == Completion::Programmed;
        match &mut self.dies[usize::from(of.0)].flight {
            Flight::Data { stripe, .. } => {
                let next = stripe.copy_settled(offset, good);
                self.stripe_settled(of, next)
            }
            _ => {
                self.journal_copy_settled(of, offset, good);
                None
            }
        }
    }

    /// A program of the stripe whose data is in flight on `die` has settled.
    fn stripe_settled(&mut self, die: Die, next: Next) -> Option<Outcome> {
        let at = usize::from(die.0);
        match next {
            Next::Wait => return None,
            Next::Program(offset) => {
                if let Flight::Data { segment, .. } = self.dies[at].flight {
                    let page = self.shape.page(segment, offset);
                    // What it fails with has stopped the volume.
                    let _ = self.start_own(page);
                }
                return None;
            }
            Next::Done | Next::Failed(_) => {}
        }
        let Flight::Data {
            segment,
            offset,
            units,
            ..
        } = core::mem::take(&mut self.dies[at].flight)
        else {
            return None;
        };
        match next {
            Next::Failed(failed) => {
                self.data_failed(die, segment, offset, failed, units);
                None
            }
            _ => {
                self.settle_units(die, segment, offset, units);
                self.next_settled(die)
            }
        }
    }

    /// The seed of the checks of a unit of sector data.
    pub(super) fn seed(&self, location: Location) -> Seed {
        Seed {
            volume: self.parameters.volume_id,
            place: location.0,
        }
    }

    /// Corrects and checks the unit of sector data that belongs to a location, in the buffer of `die`. The page itself tells its level.
    pub(super) fn decode_data(
        &mut self,
        die: Die,
        location: Location,
    ) -> Result<(Header, Repaired), PageError> {
        let (_, _, unit) = self.shape.split(location);
        let seed = self.seed(location);
        let (layout, levels) = (self.shape.layout, &self.levels);
        let page = self.nand.buffer_mut(die, Buffer::First);
        layout.decode_unit_with(page, unit, seed, |level| {
            levels.ecc(level).and_then(|ecc| layout.with(ecc).ok())
        })
    }

    /// The page that a read waits for is in the buffer of `die`.
    pub(super) fn settle_read(&mut self, die: Die, index: usize) -> Option<Outcome> {
        let slot = self.slots[index];
        let location = slot.location?;
        let (_, _, unit) = self.shape.split(location);
        match self.decode_data(die, location) {
            Ok((header, repaired)) if header.kind == Kind::Data && header.id == slot.sector.0 => {
                self.free_slot(index);
                self.was_read(location, repaired);
                if slot.had_to_try_again() {
                    self.ails(location);
                }
                Some(Outcome::Data(slot.ticket, die, unit))
            }
            _ => self.read_failed(index),
        }
    }

    /// What was read is not the sector that a read waits for.
    pub(super) fn read_failed(&mut self, index: usize) -> Option<Outcome> {
        let slot = self.slots[index];
        let location = slot.location?;
        let moved = self.lookup(slot.sector) != Lookup::Known(location);
        if moved && self.slots[index].begin_again() {
            return None;
        }
        if self.attempt(location, slot.tries() + 1).is_some() {
            self.slots[index].retry();
            return None;
        }
        if !slot.rebuilt() && self.can_be_made(self.shape.segment(location)) {
            self.slots[index].rebuild();
            return None;
        }
        self.free_slot(index);
        Some(Outcome::Failed(slot.ticket, Error::Lost(slot.sector)))
    }

    /// Decodes all units of a map page in a die's buffer; true when it is the one that was meant.
    pub(super) fn decode_journal_page(
        &mut self,
        die: Die,
        at: Location,
        kind: Kind,
        id: u32,
    ) -> bool {
        let layout = self.shape.layout;
        for unit in 0..self.shape.units() {
            let seed = Seed {
                volume: if kind == Kind::Record {
                    0
                } else {
                    self.parameters.volume_id
                },
                place: at.0 + unit,
            };
            let page = self.nand.buffer_mut(die, Buffer::First);
            match layout.decode_unit(page, unit, seed) {
                Ok((header, repaired)) if header.kind == kind && header.id == id => {
                    self.was_read(at, repaired);
                }
                _ => return false,
            }
        }
        true
    }

    fn settle_map(&mut self, die: Die, map: MapIndex) {
        let frame = self.frames.frame_of(map);
        if self.frames.state(frame) != FrameState::Loading(map) {
            return;
        }
        let location = self.directory[map.0 as usize].location;
        if self.decode_journal_page(die, location, Kind::Map, map.0) {
            let bytes = self.shape.layout.page_bytes() as usize;
            let page = self.nand.buffer(die, Buffer::First);
            self.frames.bytes_mut(frame).copy_from_slice(&page[..bytes]);
            self.frames.set_state(frame, FrameState::Holds(map));
            self.map_tries = 0;
        } else {
            self.frames.set_state(frame, FrameState::Empty);
            self.map_unreadable(map, frame);
        }
        self.map_loaded(map);
    }

    /// Answers everyone who waits for a map page.
    pub(super) fn map_loaded(&mut self, map: MapIndex) {
        if let Some(mut intent) = self.intent {
            if intent.old.is_none() && self.shape.map_of(intent.sector).0 == map {
                if let Lookup::Known(old) = self.lookup(intent.sector) {
                    intent.old = Some(old);
                    self.intent = Some(intent);
                }
            }
        }
        self.resolve_candidates();
    }

    /// Sectors are on the media: the index names them there.
    pub(super) fn settle_units(&mut self, die: Die, segment: Segment, offset: u32, units: Units) {
        for (index, unit) in units.iter().enumerate() {
            let new = self.shape.location(segment, offset, index as u32);
            match unit.origin {
                Origin::Host { old, .. } => self.set_mapping(unit.sector, old, new),
                Origin::Batch { old, .. } => self.control.batch_written(unit.sector, old, new),
                // Invariant I1 keeps the index at the source until here; were it broken, the older data must not win.
                Origin::Relocation { source } if matches!(self.lookup(unit.sector), Lookup::Known(at) if at != source) =>
                {
                    self.invalidate(new);
                }
                Origin::Relocation { source } => {
                    self.stats.relocations += 1;
                    self.set_mapping(unit.sector, source, new);
                    let emptied = self.shape.segment(source);
                    self.release_if_empty(emptied);
                }
            }
            if let Origin::Host { old, .. } = unit.origin {
                if old.is_mapped() {
                    let emptied = self.shape.segment(old);
                    self.release_if_empty(emptied);
                }
            }
        }
        let tickets = units
            .iter()
            .any(|unit| !matches!(unit.origin, Origin::Relocation { .. }));
        if tickets {
            self.dies[usize::from(die.0)].flight = Flight::Settled(units);
        }
    }

    /// Hands out the next ticket of a settled page.
    pub(super) fn next_settled(&mut self, die: Die) -> Option<Outcome> {
        let flight = &mut self.dies[usize::from(die.0)].flight;
        let Flight::Settled(units) = flight else {
            return None;
        };
        let mut found = None;
        while found.is_none() && !units.is_empty() {
            if let Origin::Host { ticket, .. } | Origin::Batch { ticket, .. } =
                units.remove(0).origin
            {
                found = Some(Outcome::Written(ticket));
            }
        }
        let more = units
            .iter()
            .any(|unit| !matches!(unit.origin, Origin::Relocation { .. }));
        if !more {
            *flight = Flight::None;
        }
        found
    }

    /// A program failed: the segment is emptied first of all, the block is never used again, the data goes elsewhere.
    fn data_failed(&mut self, die: Die, segment: Segment, offset: u32, failed: u32, units: Units) {
        for index in 0..units.len() {
            let location = self.shape.location(segment, offset, index as u32);
            self.invalidate(location);
        }
        self.block_failed(segment, failed % self.shape.width());
        self.cancel_waiting_job();
        self.stats.redriven += 1;
        // Relocations can be made again from their source; host data is only here.
        let mut kept = Units::new();
        for unit in &units {
            match unit.origin {
                Origin::Relocation { source } => self.groom.dropped(self.shape.segment(source)),
                _ => {
                    let _ = kept.push(*unit);
                }
            }
        }
        if !kept.is_empty() {
            if self.shape.units() > 1 {
                // The payloads lie at fixed places of the page: keep them all.
                kept = units;
            }
            let level = self.segments.level(segment);
            self.dies[usize::from(die.0)].flight = Flight::Redrive(kept, level);
        }
    }

    /// A block failed: no stream goes on in its segment, which is emptied and loses the block.
    pub(super) fn block_failed(&mut self, segment: Segment, column: u32) {
        let number = self.shape.block_number(self.shape.block(segment, column));
        self.set_bad(number);
        self.stats.retired += 1;
        let _ = self.pending.bad_blocks.push(number as u32);
        self.pending.wanted = true;
        for stream in 0..self.appends.len() {
            if self.appends[stream].is_some_and(|append| append.segment == segment) {
                self.close(stream as u8);
            }
        }
        if matches!(
            self.segments.state(segment),
            State::Open | State::Closed | State::Ailing | State::Failing
        ) {
            self.segments.set_state(segment, State::Failing);
            self.ailing = true;
        }
    }

    /// Starts failed programs again, in another segment.
    pub(super) fn redrive(&mut self) -> Result<(), Error> {
        let mut waits = None;
        for at in 0..self.dies.len() {
            let Flight::Redrive(units, level) = &self.dies[at].flight else {
                continue;
            };
            let (units, level) = (units.clone(), *level);
            let from = Die(at as u16);
            let Some(stream) = self.stream_for_failed(level)? else {
                continue;
            };
            let Some(to) = self.ready_die(stream, Some(from)) else {
                waits = Some((stream, from));
                continue;
            };
            if to != from {
                self.copy_page_between(from, to);
            }
            self.dies[at].flight = Flight::None;
            self.program_units(stream, to, units)?;
            return Ok(());
        }
        if let Some((stream, from)) = waits {
            self.make_way(stream, from)?;
        }
        match self.failed_stage() {
            Some(stream) => self.redrive_stage(stream),
            None => Ok(()),
        }
    }

    /// A stream of a level for data of a failed program; none while a segment is being opened for it.
    pub(super) fn stream_for_failed(&mut self, level: u8) -> Result<Option<u8>, Error> {
        let top = self.parameters.classes - 1;
        let stream = self.stream_for(level, top, 0);
        let stream = stream.or_else(|| self.stream_straight_through(level));
        match (stream, self.want_open) {
            // Nowhere to go: the volume takes no more writes.
            (None, None) => Err(Error::NoSpace),
            (stream, _) => Ok(stream),
        }
    }

    /// A stream of a level for data of a failed program, where no job opens one: a job that waits for the die of that data is in the way, or blocks have
    /// failed one after the other until no names were left, and a record page with new ones waits for the data of the last. `None`, and no segment
    /// asked for, if there is nothing to go on with.
    fn stream_straight_through(&mut self, level: u8) -> Option<u8> {
        let wanted = self.want_open?;
        let held = |flight: &Flight| matches!(flight, Flight::None | Flight::Redrive(..));
        let quiet = self.dies.iter().all(|die| held(&die.flight));
        if !quiet || matches!(self.job, Job::Open { .. }) {
            return None;
        }
        if self.named_for(wanted).is_some() {
            if !self.job.is_some() {
                return None;
            }
            if self.open_fresh(wanted).is_ok() {
                self.want_open = None;
                return Some(wanted);
            }
        }
        self.want_open = None;
        self.shape
            .streams
            .of_level(level)
            .find(|&stream| self.appends[usize::from(stream)].is_some())
    }

    /// Data of a failed program on `from` waits for dies that other such data, or a journal page, may hold for ever: where nothing else is
    /// in flight, pages of its stream are left out until its stripe has dies that are free.
    fn make_way(&mut self, stream: u8, from: Die) -> Result<(), Error> {
        let held = |flight: &Flight| matches!(flight, Flight::None | Flight::Redrive(..));
        if self.dies.iter().any(|die| !held(&die.flight)) {
            return Ok(());
        }
        self.groom.let_go();
        let Some((segment, next)) = self.append_page(stream) else {
            return Ok(());
        };
        for _ in 0..self.shape.width() {
            if self.ready_die(stream, Some(from)).is_some() {
                return Ok(());
            }
            let open = &mut self.appends[usize::from(stream)];
            *open = open.map(|open| AppendPoint {
                next: open.next + 1,
                ..open
            });
        }
        // No luck in this segment: nothing is left out, and the write fails.
        self.appends[usize::from(stream)] = Some(AppendPoint { segment, next });
        Err(Error::NoSpace)
    }

    /// The NAND is gone: everything in flight on the die fails.
    fn fail_flight(&mut self, die: Die, error: Error) -> Option<Outcome> {
        match core::mem::take(&mut self.dies[usize::from(die.0)].flight) {
            Flight::HostRead(slot) => {
                let ticket = self.slots[usize::from(slot)].ticket;
                self.free_slot(usize::from(slot));
                Some(Outcome::Failed(ticket, error))
            }
            Flight::Data { units, .. } => {
                self.dies[usize::from(die.0)].flight = Flight::Redrive(units, 0);
                self.fail_writes(error)
            }
            _ => None,
        }
    }

    /// Fails a write that is not on the media and for which there is no other place, one a call.
    pub(super) fn fail_redriven(&mut self) -> Option<Outcome> {
        for stream in 0..self.shape.streams.count() as u8 {
            let at = self.first_stage(stream);
            if self.stages.get(at).is_none_or(|stage| stage.flying > 0) {
                continue;
            }
            let depth = self.stage_depth();
            for stage in &mut self.stages[at..at + depth] {
                while let Some(unit) = stage.units.pop() {
                    if let Origin::Host { ticket, .. } | Origin::Batch { ticket, .. } = unit.origin
                    {
                        return Some(Outcome::Failed(ticket, Error::NoSpace));
                    }
                }
            }
        }
        for die in self.dies.iter_mut() {
            let Flight::Redrive(units, _) = &mut die.flight else {
                continue;
            };
            while let Some(unit) = units.pop() {
                if let Origin::Host { ticket, .. } | Origin::Batch { ticket, .. } = unit.origin {
                    return Some(Outcome::Failed(ticket, Error::NoSpace));
                }
            }
            die.flight = Flight::None;
        }
        None
    }

    /// Fails an accepted write, one a call: the NAND is gone.
    pub(super) fn fail_writes(&mut self, error: Error) -> Option<Outcome> {
        let flights = self
            .dies
            .iter_mut()
            .filter_map(|die| match &mut die.flight {
                Flight::Redrive(units, _) | Flight::Settled(units) | Flight::Data { units, .. } => {
                    Some(units)
                }
                _ => None,
            });
        let stages = self.stages.iter_mut().map(|stage| &mut stage.units);
        for units in flights.chain(stages) {
            while let Some(unit) = units.pop() {
                if let Origin::Host { ticket, .. } | Origin::Batch { ticket, .. } = unit.origin {
                    return Some(Outcome::Failed(ticket, error));
                }
            }
        }
        None
    }
}
