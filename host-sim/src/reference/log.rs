//! A log of sectors in segments, cleaned as soon as too few are free.

use std::collections::VecDeque;

use super::placement::{placement, Moment, Placement, Version};
use super::victims::Closed;
use super::{Ground, Scheme, Victims};

/// Where a sector is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    segment: u32,
    number: u32,
}

#[derive(Debug, Clone, Default)]
struct Segment {
    stream: u8,
    open: bool,
    opened: u64,
    /// What was appended, valid or not.
    sectors: Vec<u32>,
    valid: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sector {
    at: Option<Slot>,
    /// Host writes before it was written last.
    birth: u64,
}

/// Sectors appended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// By the host.
    pub host: u64,
    /// From one segment to another.
    pub moved: u64,
}

impl Written {
    pub const fn since(&self, earlier: &Self) -> Self {
        Self {
            host: self.host - earlier.host,
            moved: self.moved - earlier.moved,
        }
    }
}

pub(super) struct Log {
    slots: u32,
    free_min: usize,
    victims: Victims,
    placement: Box<dyn Placement>,
    segments: Vec<Segment>,
    sectors: Vec<Sector>,
    mapped: u32,
    free: VecDeque<u32>,
    /// The open segment of each stream.
    open: Vec<Option<u32>>,
    closed: Closed,
    written: Written,
}

impl Log {
    pub fn new(ground: &Ground, sectors: u32, scheme: Scheme) -> Self {
        let placement = placement(scheme, ground.segments);
        let segments = ground.segments.saturating_sub(ground.reserved);
        Self {
            slots: ground.slots,
            free_min: ground.free_min as usize,
            victims: ground.victims,
            open: vec![None; usize::from(placement.streams())],
            placement,
            segments: vec![Segment::default(); segments as usize],
            sectors: vec![Sector::default(); sectors as usize],
            mapped: 0,
            free: (0..segments).collect(),
            closed: Closed::new(ground.slots),
            written: Written::default(),
        }
    }

    pub const fn written(&self) -> Written {
        self.written
    }

    const fn moment(&self) -> Moment {
        Moment {
            now: self.written.host,
            mapped: self.mapped,
        }
    }

    fn version(&self, sector: u32) -> Option<Version> {
        let Sector { at, birth } = self.sectors[sector as usize];
        let segment = &self.segments[at?.segment as usize];
        Some(Version {
            stream: segment.stream,
            opened: segment.opened,
            open: segment.open,
            birth,
        })
    }

    /// The host writes a sector; `None` when the log is full.
    pub fn write(&mut self, sector: u32) -> Option<()> {
        self.written.host += 1;
        let old = self.version(sector);
        let stream = self.placement.write(self.moment(), old);
        self.trim(sector);
        self.sectors[sector as usize].birth = self.written.host;
        self.append(sector, stream)?;
        // Cleaning every segment once would have freed all that can be.
        for _ in 0..self.segments.len() {
            if self.free.len() >= self.free_min {
                return Some(());
            }
            self.clean()?;
        }
        None
    }

    /// The host gives up a sector.
    pub fn trim(&mut self, sector: u32) {
        let Some(slot) = self.sectors[sector as usize].at.take() else {
            return;
        };
        self.mapped -= 1;
        let segment = &mut self.segments[slot.segment as usize];
        if !segment.open {
            self.closed
                .remove(slot.segment, segment.opened, segment.valid);
            self.closed
                .insert(slot.segment, segment.opened, segment.valid - 1);
        }
        segment.valid -= 1;
    }

    /// Appends a sector to a stream; to the nearest one that is open where no segment is free for it. `None` when there is neither.
    fn append(&mut self, sector: u32, stream: u8) -> Option<()> {
        let stream = match self.open[usize::from(stream)] {
            Some(_) => stream,
            None => self.open_stream(stream).or_else(|| self.nearest(stream))?,
        };
        let number = self.open[usize::from(stream)]?;
        let segment = &mut self.segments[number as usize];
        self.sectors[sector as usize].at = Some(Slot {
            segment: number,
            number: segment.sectors.len() as u32,
        });
        self.mapped += 1;
        segment.sectors.push(sector);
        segment.valid += 1;
        if segment.sectors.len() == self.slots as usize {
            segment.open = false;
            self.closed.insert(number, segment.opened, segment.valid);
            self.open[usize::from(stream)] = None;
        }
        Some(())
    }

    fn open_stream(&mut self, stream: u8) -> Option<u8> {
        let number = self.free.pop_front()?;
        let now = self.written.host;
        let segment = &mut self.segments[number as usize];
        segment.sectors.clear();
        (segment.stream, segment.opened, segment.open) = (stream, now, true);
        self.open[usize::from(stream)] = Some(number);
        Some(stream)
    }

    fn nearest(&self, stream: u8) -> Option<u8> {
        (0..self.placement.streams())
            .filter(|&other| self.open[usize::from(other)].is_some())
            .min_by_key(|other| other.abs_diff(stream))
    }

    /// Relocates what is valid in a victim and frees it; `None` when there is no victim, or no room.
    fn clean(&mut self) -> Option<()> {
        let victim = self.closed.choose(self.victims, self.written.host)?;
        let segment = &mut self.segments[victim as usize];
        let (stream, opened) = (segment.stream, segment.opened);
        self.closed.remove(victim, opened, segment.valid);
        let sectors = std::mem::take(&mut segment.sectors);
        self.placement.clean(self.moment(), stream, opened);
        for (number, &sector) in (0..).zip(&sectors) {
            let here = Slot {
                segment: victim,
                number,
            };
            if self.sectors[sector as usize].at != Some(here) {
                continue;
            }
            let birth = self.sectors[sector as usize].birth;
            let version = Version {
                stream,
                opened,
                open: false,
                birth,
            };
            let to = self.placement.relocate(self.moment(), version);
            self.mapped -= 1;
            self.append(sector, to)?;
            self.written.moved += 1;
        }
        self.segments[victim as usize] = Segment {
            // Keeps its memory.
            sectors,
            ..Segment::default()
        };
        self.free.push_back(victim);
        Some(())
    }

    /// Holds what is counted against what the sectors say; the first segment whose count is wrong.
    #[cfg(test)]
    pub fn miscounted(&self) -> Option<u32> {
        let mut valid = vec![0; self.segments.len()];
        for at in self.sectors.iter().filter_map(|sector| sector.at) {
            valid[at.segment as usize] += 1;
        }
        (0..self.segments.len() as u32)
            .find(|&number| self.segments[number as usize].valid != valid[number as usize])
    }
}
