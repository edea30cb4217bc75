//! Stages: pages of a stream that are being filled in memory, where a page holds several sectors or a stripe several pages of them.

use core::ops::{Deref, DerefMut};

use cuesta_hal::{Buffer, Die, Nand};

use super::error::Error;
use super::flight::{Origin, Unit, Units};
use super::shape::WIDE;
use super::stream::LEVELING;
use super::write::Source;
use super::Volume;

/// Calls of `poll` after which a page that is not full is programmed all the same.
const AGE_MAX: u16 = 256;

/// A page being filled. Its bytes are in the staging page of the same number; those of a stream follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stage {
    /// Sectors so far.
    pub(super) units: Units,
    /// Of the first page of a stream: the level of the sectors in its pages.
    pub(super) level: u8,
    /// Of the first page of a stream: calls of `poll` since the last sector was added to any.
    pub(super) age: u16,
    /// Of the first page of a stream: program them as soon as possible, full or not.
    pub(super) push: bool,
    /// Of the first page of a stream: so many of them are being programmed, and nothing is added.
    pub(super) flying: u8,
    /// Of the first page of a stream: their programs failed, or there is no segment for them; they come before anything else.
    pub(super) failed: bool,
}

/// The stages of a volume; none where each page is programmed as soon as a sector is there for it.
#[derive(Debug)]
pub(super) struct Stages<'m>(pub &'m mut [Stage]);

impl Deref for Stages<'_> {
    type Target = [Stage];

    fn deref(&self) -> &[Stage] {
        if WIDE {
            self.0
        } else {
            &[]
        }
    }
}

impl DerefMut for Stages<'_> {
    fn deref_mut(&mut self) -> &mut [Stage] {
        if WIDE {
            self.0
        } else {
            &mut []
        }
    }
}

impl<N: Nand> Volume<'_, N> {
    /// Staging pages of each stream.
    pub(super) fn stage_depth(&self) -> usize {
        usize::from(self.parameters.parity()).max(1)
    }

    /// The number of a stream's first staging page.
    pub(super) fn first_stage(&self, stream: u8) -> usize {
        usize::from(stream) * self.stage_depth()
    }

    /// Staging pages of a stream in which there is something; they are the first ones.
    pub(super) fn staged_pages(&self, stream: u8) -> usize {
        let first = self.first_stage(stream);
        self.stages[first..first + self.stage_depth()]
            .iter()
            .take_while(|stage| !stage.units.is_empty())
            .count()
    }

    /// The level that a stream writes at; sectors that wait in its stage are of it.
    pub(super) fn level_of_stream(&self, stream: u8) -> u8 {
        if let Some(open) = self.appends[usize::from(stream)] {
            return self.segments.level(open.segment);
        }
        match self.stages.get(self.first_stage(stream)) {
            Some(stage) if !stage.units.is_empty() => stage.level,
            _ if stream == LEVELING => self
                .groom
                .victim()
                .map_or(0, |victim| self.segments.level(victim)),
            _ => self.shape.streams.level(stream),
        }
    }

    /// Staging pages that a stream fills before they are programmed: as many as the next stripe has.
    fn pages_wanted(&self, stream: u8) -> usize {
        match self.parity_of(self.level_of_stream(stream)) {
            0 => 1,
            _ => self.next_data_pages(stream),
        }
    }

    /// The staging page of a stream that takes the next sector; none while they are full or being programmed.
    fn stage_with_room(&self, stream: u8) -> Option<usize> {
        let first = self.first_stage(stream);
        let sectors = self.layout_of(self.level_of_stream(stream)).sectors() as usize;
        (first..first + self.pages_wanted(stream))
            .find(|&at| self.stages[at].units.len() < sectors)
            .filter(|_| self.stages[first].flying == 0)
    }

    /// True when a unit can be appended to the stream now.
    pub(super) fn can_append(&self, stream: u8) -> bool {
        if self.stages.is_empty() {
            return self.ready_die(stream, None).is_some();
        }
        self.stage_with_room(stream).is_some()
    }

    /// Appends a unit to a stream for which [`can_append`](Self::can_append) holds, and starts programming when that is full.
    pub(super) fn append_unit(
        &mut self,
        stream: u8,
        unit: Unit,
        source: Source<'_>,
    ) -> Result<(), Error> {
        if self.stages.is_empty() {
            return self.append_at_once(stream, unit, source);
        }
        let level = self.level_of_stream(stream);
        let Some(at) = self.stage_with_room(stream) else {
            return Err(Error::NoSpace);
        };
        let bytes = self.sector_bytes();
        let start =
            at * self.shape.layout.page_bytes() as usize + self.stages[at].units.len() * bytes;
        let to = &mut self.stage_pages[start..start + bytes];
        match source {
            Source::Host(data) => to.copy_from_slice(data),
            Source::Buffer(from, index) => {
                let page = self.nand.buffer(from, Buffer::First);
                to.copy_from_slice(self.shape.layout.payload(page, index));
            }
        }
        let _ = self.stages[at].units.push(unit);
        let full = self.stage_with_room(stream).is_none();
        let first = self.first_stage(stream);
        let stage = &mut self.stages[first];
        stage.level = level;
        stage.age = 0;
        stage.push |= full;
        self.push_stage(stream)
    }

    /// Programs a sector without waiting for others.
    fn append_at_once(&mut self, stream: u8, unit: Unit, source: Source<'_>) -> Result<(), Error> {
        let Some(die) = self.append_die(stream) else {
            return Err(Error::NoSpace);
        };
        match source {
            Source::Host(data) => {
                self.nand.buffer_mut(die, Buffer::First)[..data.len()].copy_from_slice(data);
            }
            Source::Buffer(from, _) if from == die => {}
            Source::Buffer(from, _) => self.copy_page_between(from, die),
        }
        let mut units = Units::new();
        let _ = units.push(unit);
        self.program_units(stream, die, units)
    }

    /// Programs the staged pages of a stream, if they should be and their dies are free.
    pub(super) fn push_stage(&mut self, stream: u8) -> Result<(), Error> {
        let at = self.first_stage(stream);
        match self.stages.get(at) {
            Some(stage) if stage.push && stage.flying == 0 && !stage.units.is_empty() => {}
            _ => return Ok(()),
        }
        if self.append_die(stream).is_none() && !self.take_over(stream) {
            self.want_open = Some(stream);
            let stuck = self.groom.exhausted && self.erasable() <= self.groom_reserve();
            self.stages[at].failed |= stuck;
            return Ok(());
        }
        let Some(die) = self.ready_die(stream, None) else {
            return Ok(());
        };
        self.stages[at].failed = false;
        if self.parity_of(self.level_of_stream(stream)) > 0 {
            return self.program_stripe(stream);
        }
        self.load_staged(at, die);
        let stage = &mut self.stages[at];
        stage.push = false;
        let units = core::mem::take(&mut stage.units);
        self.stats.padding += self.shape.units() - units.len() as u32;
        self.program_units(stream, die, units)
    }

    /// Where no segment may be opened, a stream goes on in the open segment of another one of the level; false if there is none.
    fn take_over(&mut self, stream: u8) -> bool {
        if self.erasable() > self.groom_reserve() {
            return false;
        }
        let mut streams = self.shape.streams.of_level(self.level_of_stream(stream));
        let open = streams.find(|&other| self.appends[usize::from(other)].is_some());
        if let Some(other) = open {
            self.hand_over(other, stream);
        }
        open.is_some()
    }

    /// Copies a staging page into the buffer of a die.
    pub(super) fn load_staged(&mut self, at: usize, die: Die) {
        let bytes = self.shape.layout.page_bytes() as usize;
        self.nand.buffer_mut(die, Buffer::First)[..bytes]
            .copy_from_slice(&self.stage_pages[at * bytes..(at + 1) * bytes]);
    }

    /// Staged pages of a stream were programmed: what is behind them comes to the front.
    pub(super) fn shift_staged(&mut self, stream: u8, programmed: usize) {
        let (first, depth) = (self.first_stage(stream), self.stage_depth());
        let bytes = self.shape.layout.page_bytes() as usize;
        for at in first..first + depth {
            let from = at + programmed;
            let units = match from < first + depth {
                true => core::mem::take(&mut self.stages[from].units),
                false => Units::new(),
            };
            if !units.is_empty() {
                self.stage_pages
                    .copy_within(from * bytes..(from + 1) * bytes, at * bytes);
            }
            self.stages[at].units = units;
        }
        let full = self.stage_with_room(stream).is_none();
        let stage = &mut self.stages[first];
        stage.flying = 0;
        stage.push &= !stage.units.is_empty() && full;
    }

    /// Lets staged pages age; called by `poll`. With `idle`, pages that a host waits for are to be programmed.
    pub(super) fn age_stages(&mut self, idle: bool) -> Result<(), Error> {
        for stream in 0..self.shape.streams.count() as u8 {
            let first = self.first_stage(stream);
            if self
                .stages
                .get(first)
                .is_none_or(|stage| stage.units.is_empty())
            {
                continue;
            }
            let waited_for = idle && self.host_waits(stream);
            let stage = &mut self.stages[first];
            stage.age = stage.age.saturating_add(1);
            stage.push |= waited_for || stage.age > AGE_MAX;
            self.push_stage(stream)?;
        }
        Ok(())
    }

    /// All staged pages are to be programmed as soon as possible, at the next turn.
    pub(super) fn want_stages_pushed(&mut self) {
        let depth = self.stage_depth();
        for stage in self.stages.iter_mut().step_by(depth) {
            stage.push = !stage.units.is_empty();
        }
    }

    /// All staged pages are to be programmed as soon as possible.
    pub(super) fn push_stages(&mut self) -> Result<(), Error> {
        self.want_stages_pushed();
        self.age_stages(false)
    }

    /// True while the staged pages of a stream have failed, and are not being programmed.
    fn stage_failed(&self, stream: u8) -> bool {
        let stage = self.stages.get(self.first_stage(stream));
        stage.is_some_and(|stage| stage.failed && stage.flying == 0 && !stage.units.is_empty())
    }

    /// The first stream whose staged pages have failed.
    pub(super) fn failed_stage(&self) -> Option<u8> {
        (0..self.shape.streams.count() as u8).find(|&stream| self.stage_failed(stream))
    }

    /// Programs staged pages that have failed, where their stream goes on or another one of their level.
    pub(super) fn redrive_stage(&mut self, stream: u8) -> Result<(), Error> {
        if self.append_page(stream).is_none() {
            let level = self.level_of_stream(stream);
            let Some(other) = self.stream_for_failed(level)? else {
                return Ok(());
            };
            self.hand_over(other, stream);
        }
        let at = self.first_stage(stream);
        self.stages[at].push = true;
        self.push_stage(stream)
    }

    /// True while a sector that a host has written waits in a stage of the stream.
    fn host_waits(&self, stream: u8) -> bool {
        let first = self.first_stage(stream);
        self.stages[first..first + self.stage_depth()]
            .iter()
            .flat_map(|stage| &stage.units)
            .any(|unit| !matches!(unit.origin, Origin::Relocation { .. }))
    }
}
