//! The forward index: where a sector is, and what changes when it moves.

use cuesta_hal::{Buffer, Nand};

use super::address::{Location, MapIndex, Sector};
use super::delta::Delta;
use super::flight::{Flight, Origin};
use super::job::Job;
use super::map_page::FrameState;
use super::segment_table::State;
use super::Volume;

/// What the index knows without reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup {
    /// Where the sector is; may be unmapped or lost.
    Known(Location),
    /// The map page has to be read first.
    Need(MapIndex),
}

impl<N: Nand> Volume<'_, N> {
    /// Looks a sector up: delta table, then frame, then directory.
    pub(super) fn lookup(&self, sector: Sector) -> Lookup {
        if let Some(location) = self.deltas.get(sector) {
            return Lookup::Known(location);
        }
        let (map, index) = self.shape.map_of(sector);
        match self.directory[map.0 as usize].location {
            Location::UNMAPPED => return Lookup::Known(Location::UNMAPPED),
            Location::LOST => return Lookup::Known(Location::LOST),
            Location(_) => {}
        }
        if self.frames.holds(map) {
            let frame = self.frames.frame_of(map);
            let code = self.frames.code(frame, index);
            return Lookup::Known(code.map_or(Location::LOST, |code| self.shape.from_code(code)));
        }
        Lookup::Need(map)
    }

    /// Starts reading a map page into its frame, if frame and die are free.
    ///
    /// True when its read was started or is in flight already.
    pub(super) fn load_map(&mut self, map: MapIndex) -> bool {
        let frame = self.frames.frame_of(map);
        match self.frames.state(frame) {
            FrameState::Loading(loading) => return loading == map,
            FrameState::Merging(_) => return false,
            FrameState::Empty | FrameState::Holds(_) => {}
        }
        // A merge that waits for its page keeps the frame: nobody else's page comes in between.
        if matches!(self.job, Job::Merge(wanted) if wanted != map && self.frames.frame_of(wanted) == frame)
        {
            return false;
        }
        let location = self.directory[map.0 as usize].location;
        if !location.is_mapped() {
            return false;
        }
        let (page, _) = self.shape.address(location);
        let page = self.attempt(location, self.map_tries).unwrap_or(page);
        let die = usize::from(page.die().0);
        if self.dies[die].flight.is_some() || self.groom.holds_buffer(page.die()) {
            return false;
        }
        let columns = self.shape.layout.page_columns();
        match self.nand.start_read(page, columns, Buffer::First) {
            Ok(()) => {
                self.stats.map_reads += 1;
                self.patrol_for_read(page);
                self.frames.set_state(frame, FrameState::Loading(map));
                self.dies[die].flight = Flight::MapRead(map);
                true
            }
            Err(error) => {
                self.nand_failed(&error);
                false
            }
        }
    }

    /// Makes a mapping current. The caller has made room in the delta table.
    pub(super) fn set_mapping(&mut self, sector: Sector, old: Location, new: Location) {
        self.invalidate(old);
        let delta = Delta {
            sector,
            location: new,
            journaled: false,
        };
        if let Ok(true) = self.deltas.insert(delta) {
            let (map, _) = self.shape.map_of(sector);
            self.directory[map.0 as usize].deltas += 1;
        }
        self.used = (self.used + self.cost_at(new)).saturating_sub(self.cost_at(old));
        match (old.is_mapped(), new.is_mapped()) {
            (false, true) => self.mapped = (self.mapped + 1).min(self.shape.capacity),
            (true, false) => self.mapped = self.mapped.saturating_sub(1),
            _ => {}
        }
        if let Some(intent) = &mut self.intent {
            if intent.sector == sector {
                intent.old = Some(new);
            }
        }
        self.groom.moved(sector, new);
        self.control.moved(sector, new);
    }

    /// One valid slot less where `old` was.
    pub(super) fn invalidate(&mut self, old: Location) {
        if !old.is_mapped() {
            return;
        }
        let segment = self.shape.segment(old);
        let valid = self.segments.valid(segment).saturating_sub(1);
        self.segments.set_valid(segment, valid);
    }

    /// One valid slot more in the segment of `new`.
    pub(super) fn validate(&mut self, new: Location) {
        let segment = self.shape.segment(new);
        let valid = self.segments.valid(segment);
        self.segments.set_valid(segment, valid + 1);
    }

    /// True while a program of the sector is in flight or waiting in a stage: nothing else may touch its mapping (invariant I1).
    pub(super) fn sector_busy(&self, sector: Sector) -> bool {
        let in_flight = self.dies.iter().any(|die| match &die.flight {
            Flight::Data { units, .. } | Flight::Redrive(units, _) => {
                units.iter().any(|unit| unit.sector == sector)
            }
            _ => false,
        });
        in_flight
            || self
                .stages
                .iter()
                .any(|stage| stage.units.iter().any(|unit| unit.sector == sector))
    }

    /// True while sector data is in flight or waiting: record pages wait (invariant I2).
    pub(super) fn data_in_flight(&self) -> bool {
        self.dies.iter().any(|die| {
            matches!(
                die.flight,
                Flight::Data { .. } | Flight::Member(_) | Flight::Redrive(..)
            )
        })
    }

    /// Delta entries that programs in flight or waiting may still need.
    pub(super) fn deltas_promised(&self) -> usize {
        let in_flight: usize = self
            .dies
            .iter()
            .map(|die| match &die.flight {
                Flight::Data { units, .. } | Flight::Redrive(units, _) => units.len(),
                _ => 0,
            })
            .sum();
        let staged: usize = self.stages.iter().map(|stage| stage.units.len()).sum();
        in_flight + staged + self.control.batch_len()
    }

    /// True while a relocation out of the segment is in flight or waiting.
    pub(super) fn relocating_from(&self, segment: super::Segment) -> bool {
        let from = |origin: Origin| matches!(origin, Origin::Relocation { source } if self.shape.segment(source) == segment);
        self.dies.iter().any(|die| match &die.flight {
            Flight::Data { units, .. } | Flight::Redrive(units, _) => {
                units.iter().any(|unit| from(unit.origin))
            }
            _ => false,
        }) || self
            .stages
            .iter()
            .any(|stage| stage.units.iter().any(|unit| from(unit.origin)))
    }

    /// Frees a closed segment that is known to hold nothing.
    pub(super) fn release_if_empty(&mut self, segment: super::Segment) {
        if self.segments.valid(segment) != 0 || self.recovering {
            return;
        }
        if self.writing_to(segment)
            || self.groom.victim() == Some(segment)
            || self.pending.freed.is_full()
        {
            return;
        }
        match self.segments.state(segment) {
            State::Closed | State::Ailing | State::Failing => self.release(segment),
            State::Journal if self.journal_is_dead(segment) => self.release(segment),
            _ => {}
        }
    }
}
