//! Merging: a map page is brought up to date with its deltas and programmed anew.

use cuesta_hal::{Buffer, Die, Nand};

use super::address::{Location, MapIndex, Segment};
use super::credit::READ_US;
use super::error::Error;
use super::job::{Job, Step};
use super::map_page::FrameState;
use super::parameters::UNITS_MAX;
use super::segment_table::State;
use super::stream::JOURNAL;
use super::Volume;
use crate::codec::crc::Seed;
use crate::codec::{Header, Kind};

impl<N: Nand> Volume<'_, N> {
    pub(super) fn frames_len(&self) -> usize {
        self.frames.len()
    }

    /// The map page with most deltas.
    pub(super) fn fullest_map(&self) -> Option<MapIndex> {
        let (index, entry) = self
            .directory
            .iter()
            .enumerate()
            .max_by_key(|(_, entry)| entry.deltas)?;
        (entry.deltas > 0).then_some(MapIndex(index as u32))
    }

    pub(super) fn merge_step(&mut self, map: MapIndex) -> Result<Step, Error> {
        let frame = self.frames.frame_of(map);
        match self.frames.state(frame) {
            FrameState::Merging(held) if held == map => {}
            FrameState::Holds(held) if held == map => {
                self.frames.set_state(frame, FrameState::Merging(map));
            }
            FrameState::Loading(_) | FrameState::Merging(_) => return Ok(Step::Wait),
            FrameState::Empty | FrameState::Holds(_) => {
                match self.directory[map.0 as usize].location {
                    Location::UNMAPPED => self.frames.bytes_mut(frame).fill(0xFF),
                    Location::LOST => self.fill_lost(frame),
                    Location(_) => {
                        if self.load_map(map) {
                            self.credit.spend(READ_US);
                        }
                        return Ok(Step::Wait);
                    }
                }
                self.frames.set_state(frame, FrameState::Merging(map));
            }
        }
        let Some(die) = self.ready_die(JOURNAL, None) else {
            return Ok(Step::Wait);
        };
        for place in 0..self.deltas.places() {
            let Some(delta) = self.deltas.entry(place) else {
                continue;
            };
            let (of, index) = self.shape.map_of(delta.sector);
            if of == map {
                let code = self.shape.to_code(delta.location);
                self.frames.set_code(frame, index, code);
            }
        }
        let bytes = self.shape.layout.page_bytes() as usize;
        self.nand.buffer_mut(die, Buffer::First)[..bytes].copy_from_slice(self.frames.bytes(frame));
        self.program_journal(Kind::Map, map.0, die, self.settled_until())
    }

    /// A frame that says of every sector that it is lost.
    pub(super) fn fill_lost(&mut self, frame: usize) {
        let code = self.shape.to_code(Location::LOST);
        for index in 0..self.shape.map_entries as usize {
            self.frames.set_code(frame, index, code);
        }
    }

    /// A map page is on the media: the directory names it, and the deltas it holds are done with.
    pub(super) fn map_written(&mut self, map: MapIndex, segment: Segment, offset: u32) {
        let frame = self.frames.frame_of(map);
        let old = self.directory[map.0 as usize].location;
        let new = self.shape.location(segment, offset, 0);
        self.invalidate(old);
        self.validate(new);
        self.directory[map.0 as usize].location = new;
        let (first, end) = self.shape.map_range(map);
        for sector in first.0..end.0 {
            let sector = super::Sector(sector);
            let Some(location) = self.deltas.get(sector) else {
                continue;
            };
            let (_, index) = self.shape.map_of(sector);
            // A mapping that changed while the page was being programmed stays.
            if self.frames.code(frame, index) == Some(self.shape.to_code(location))
                && self.deltas.remove(sector)
            {
                let entry = &mut self.directory[map.0 as usize];
                entry.deltas = entry.deltas.saturating_sub(1);
            }
        }
        self.frames.set_state(frame, FrameState::Holds(map));
        if old.is_mapped() {
            self.release_if_empty(self.shape.segment(old));
        }
    }

    /// Encodes the units of a metadata page whose payload is in the buffer of `die`.
    pub(super) fn encode_meta(&mut self, die: Die, place: u32, header: &Header) {
        let volume = match header.kind {
            Kind::Record | Kind::Anchor => 0,
            _ => self.parameters.volume_id,
        };
        let seed = Seed { volume, place };
        let headers = [*header; UNITS_MAX];
        let page = self.nand.buffer_mut(die, Buffer::First);
        self.shape
            .layout
            .encode(page, &headers[..self.shape.units() as usize], seed);
    }

    /// True when a journal segment holds nothing that counts: no live map page, nothing that mounting would replay, no append point.
    pub(super) fn journal_is_dead(&self, segment: Segment) -> bool {
        self.segments.state(segment) == State::Journal
            && self.segments.valid(segment) == 0
            && self
                .append_page(JOURNAL)
                .is_none_or(|(open, _)| open != segment)
            && !self.checkpoint.replays(self.segments.stamp(segment))
    }

    /// Frees journal segments that hold nothing that counts.
    pub(super) fn release_journal(&mut self) {
        for segment in self.segments.iter() {
            if self.journal_is_dead(segment) {
                self.release(segment);
            }
        }
    }

    /// Work that brings the journal back to its quota.
    pub(super) fn journal_quota_job(&mut self) -> Option<Job> {
        if self.journal_segments <= self.quota.journal_segments {
            return None;
        }
        let open = self.append_page(JOURNAL).map(|(segment, _)| segment);
        let victim = self
            .segments
            .iter()
            .filter(|&segment| {
                self.segments.state(segment) == State::Journal
                    && Some(segment) != open
                    && !self.checkpoint.replays(self.segments.stamp(segment))
            })
            .min_by_key(|&segment| self.segments.valid(segment));
        if let Some(victim) = victim {
            let live = self.directory.iter().position(|entry| {
                entry.location.is_mapped() && self.shape.segment(entry.location) == victim
            });
            return match live {
                Some(map) => Some(Job::Merge(MapIndex(map as u32))),
                None => {
                    self.segments.set_valid(victim, 0);
                    self.release(victim);
                    None
                }
            };
        }
        self.start_checkpoint(true);
        None
    }
}
