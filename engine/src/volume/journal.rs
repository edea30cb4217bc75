//! Record pages: what the journal says beside map pages.

use cuesta_hal::{Die, Nand};

use super::address::{Location, Sector, Segment};
use super::anchor::Position;
use super::append_point::AppendPoint;
use super::delta::Delta;
use super::level::ENTRY_BYTES;
use super::parameters::record_room;
use super::segment_table::State;
use super::shape::Shape;
use super::stream::{JOURNAL, STREAMS_MAX};
use super::wire::{Reader, Writer};
use super::{bits, Volume};
use crate::codec::crc::words_crc;

/// First bytes of a record page.
const MAGIC: u32 = 0x4352_4331;
/// Names kept ready.
const NAMED_TARGET: usize = 12;

/// Bits of one delta on flash: sector, then location.
pub(super) const fn delta_bits(shape: &Shape) -> u32 {
    bits::width(shape.capacity) + shape.location_bits
}

/// What a mount would doubt after a cut at this moment: that segments are free which only the last record page says are, as long as that page may be what the
/// cut has touched.
#[derive(Debug, Default)]
pub(super) struct Doubted {
    /// How many of them there are.
    pub segments: u32,
    /// Where the page was programmed.
    pub die: Die,
}

impl Doubted {
    /// A program on a die has settled: what is before it there was finished.
    pub(super) fn programmed(&mut self, die: Die) {
        if self.die == die {
            self.segments = 0;
        }
    }
}

impl<N: Nand> Volume<'_, N> {
    /// Deltas that fit into a record page whose lists are full.
    pub(super) fn record_room(&self) -> usize {
        let width = delta_bits(&self.shape);
        let levels = self.parameters.levels();
        record_room(
            self.shape.layout.page_bytes(),
            &self.shape.streams,
            levels,
            width,
        )
    }

    /// Deltas after which a record page is due: what is in flight by then must fit into it too.
    pub(super) fn record_interval(&self) -> usize {
        let in_flight = self.dies.len() * self.shape.units() as usize;
        self.record_room().saturating_sub(in_flight).clamp(8, 192)
    }

    /// True when one more delta might not fit into the next record page: but for the dump of a checkpoint, one page holds all of
    /// them (invariant I2).
    pub(super) fn record_is_full(&self) -> bool {
        let promised = self.deltas_promised() + self.shape.units() as usize;
        self.deltas.unjournaled() + promised > self.record_room()
    }

    /// Check of where all map pages are.
    pub(super) fn directory_crc(&self) -> u32 {
        words_crc(self.directory.iter().map(|entry| entry.location.0))
    }

    /// Chooses which free segments may be opened next, on large parts from one window of segments after the other.
    pub(super) fn name_segments(&mut self) {
        for _ in 0..self.segments.windows() {
            if self.pending.named.len() >= NAMED_TARGET {
                break;
            }
            let first = self.pending.names_from;
            self.pending.names_from = self.segments.behind_window(first);
            self.name_in_window(first);
        }
    }

    /// Chooses from the group of dies that has most free segments in a window, so that what is written together can be read together: the least worn for hot streams,
    /// the most worn for cold ones.
    fn name_in_window(&mut self, first: u32) {
        for turn in 0..NAMED_TARGET {
            if self.pending.named.len() >= NAMED_TARGET {
                break;
            }
            let Some(group) = self.freest_group(first) else {
                break;
            };
            let choice = self
                .unnamed_in(first, group)
                .min_by_key(|&segment| self.wear_for(segment, turn % 2 == 0));
            let Some(segment) = choice else {
                break;
            };
            let _ = self.pending.named.push(segment);
        }
    }

    /// The group of dies with most free segments of a window that are not named; segments of one group lie on the same dies.
    fn freest_group(&self, first: u32) -> Option<u32> {
        (0..self.shape.groups())
            .map(|group| {
                (
                    self.unnamed_in(first, group).count(),
                    core::cmp::Reverse(group),
                )
            })
            .filter(|&(free, _)| free > 0)
            .max()
            .map(|(_, core::cmp::Reverse(group))| group)
    }

    fn unnamed_in(&self, first: u32, group: u32) -> impl Iterator<Item = Segment> + '_ {
        let groups = self.shape.groups();
        self.segments.window(first).filter(move |segment| {
            segment.0 % groups == group
                && self.segments.state(*segment) == State::Free
                && !self.pending.named.contains(segment)
        })
    }

    /// Order in which free segments are taken for short lives, or for long ones. Among named ones of several groups small differences in
    /// wear do not count.
    fn wear_for(&self, segment: Segment, hot: bool) -> i32 {
        let several = self.shape.groups() > 1;
        let wear = i32::from(self.segments.wear(segment)) >> if several { 2 } else { 0 };
        if hot {
            wear
        } else {
            -wear
        }
    }

    /// The named segment that a stream is to open next: the least worn one for streams of short lives and those of which much is written, the most worn one for
    /// others.
    ///
    /// While recovering, the list is in the order in which the segments are to be used.
    pub(super) fn named_for(&self, stream: u8) -> Option<Segment> {
        if self.recovering {
            return self.pending.named.last().copied();
        }
        let streams = self.shape.streams;
        let classes = streams.classes(streams.level(stream));
        let hot = stream == JOURNAL
            || streams.class(stream) * 2 < classes
            || self.is_written_much(stream);
        self.pending.named[..self.pending.durable]
            .iter()
            .copied()
            .min_by_key(|&segment| self.wear_for(segment, hot))
    }

    /// Takes a segment off the list: it is going to be opened.
    pub(super) fn take_name(&mut self, segment: Segment) {
        if let Some(index) = self
            .pending
            .named
            .iter()
            .position(|&named| named == segment)
        {
            self.pending.named.remove(index);
            self.pending.durable = self.pending.durable.saturating_sub(1);
        }
    }

    /// Takes the named segment that a stream is to open next.
    pub(super) fn take_named(&mut self, stream: u8) -> Option<Segment> {
        let segment = self.named_for(stream)?;
        self.take_name(segment);
        Some(segment)
    }

    /// Encodes a record page into the buffer of `die`; marks what it holds as journaled.
    ///
    /// Where the deltas need several pages, only the last one names segments: what is named may be erased, so the deltas that
    /// emptied it must be down before (invariant I3).
    pub(super) fn encode_record(&mut self, die: Die) {
        self.checkpoint_records();
        if !self.recovering && self.deltas.unjournaled() <= self.record_room() {
            self.name_segments();
        }
        let shape = self.shape;
        let directory = self.directory_crc();
        let page = self.nand.buffer_mut(die, cuesta_hal::Buffer::First);
        let Some(main) = page.get_mut(..shape.layout.page_bytes() as usize) else {
            return;
        };
        main.fill(0);
        let mut out = Writer::new(main);
        out.u32(MAGIC);
        out.u64(self.parameters.volume_id);
        out.u32(self.parameters.capacity);
        out.u16(self.parameters.width());
        out.u8(self.parameters.classes);
        out.u8(self.parameters.places());
        out.u8(self.parameters.redundancy());
        out.u32(self.checkpoint.sequence);
        self.checkpoint.from.encode(&mut out);
        out.u16(self.next_record);
        self.next_record = self.next_record.wrapping_add(1);
        out.u32(directory);
        out.u32(self.host_writes);
        out.bytes(self.levels.bytes());
        let open = self.appends.iter().flatten().count();
        out.u8(open as u8);
        let stream_of =
            |segment: Segment| self.segments.class(segment) | self.segments.level(segment) << 4;
        for append in self.appends.iter().flatten() {
            out.u8(stream_of(append.segment));
            out.u32(append.segment.0);
            out.u32(append.next);
        }
        let segments = |out: &mut Writer, list: &[Segment]| {
            out.u8(list.len() as u8);
            for segment in list {
                out.u32(segment.0);
            }
        };
        segments(&mut out, &self.pending.named);
        out.u8(self.pending.closed.len() as u8);
        for segment in &self.pending.closed {
            out.u32(segment.0);
            out.u8(stream_of(*segment));
        }
        segments(&mut out, &self.pending.freed);
        out.u8(self.pending.bad_blocks.len() as u8);
        for block in &self.pending.bad_blocks {
            out.u32(*block);
        }
        let count_at = out.position();
        out.u16(0);
        let start = out.position();
        let room = (main.len() - start) * 8 / delta_bits(&shape) as usize;
        let area = &mut main[start..];
        let mut count = 0;
        // What room is left beside the new ones takes the dump of a checkpoint on.
        for _ in self.deltas.unjournaled()..room {
            let Some(delta) = self.deltas.next_dumped() else {
                break;
            };
            put_delta(area, count, &shape, &delta);
            count += 1;
        }
        for place in 0..self.deltas.places() {
            if count == room {
                break;
            }
            let Some(delta) = self.deltas.entry(place) else {
                continue;
            };
            if delta.journaled {
                continue;
            }
            put_delta(area, count, &shape, &delta);
            self.deltas.mark(place);
            count += 1;
        }
        main[count_at..count_at + 2].copy_from_slice(&(count as u16).to_le_bytes());
        self.pending.closed.clear();
        self.pending.freeing = core::mem::take(&mut self.pending.freed);
        self.pending.bad_blocks.clear();
        if self.deltas.unjournaled() == 0 {
            self.pending.wanted = false;
        }
    }
}

/// Encodes the delta of a number; [`DeltaArea::get`] is the other way.
fn put_delta(area: &mut [u8], index: usize, shape: &Shape, delta: &Delta) {
    let field = bits::width(shape.capacity);
    let at = index * delta_bits(shape) as usize;
    bits::set_at(area, at, field, delta.sector.0);
    let code = shape.to_code(delta.location);
    bits::set_at(area, at + field as usize, shape.location_bits, code);
}

/// What every record page says about its volume, for whoever has no anchor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
    pub volume_id: u64,
    pub capacity: u32,
    pub width: u16,
    pub classes: u8,
    pub levels: u8,
    pub system: u8,
    /// Copies and parity, as they are stored.
    pub redundancy: u8,
    /// Number of the last complete checkpoint.
    pub sequence: u32,
    /// Where mounting starts to replay behind that checkpoint.
    pub from: Position,
    /// The page's own number: they are counted, so that none can be missing unnoticed.
    pub number: u16,
    /// Check of the directory as it was when the page was encoded.
    pub directory: u32,
}

impl Identity {
    fn take(input: &mut Reader<'_>) -> Option<Self> {
        if input.u32()? != MAGIC {
            return None;
        }
        let (volume_id, capacity) = (input.u64()?, input.u32()?);
        let (width, classes) = (input.u16()?, input.u8()?);
        let (levels, system) = super::Parameters::split_places(input.u8()?);
        Some(Self {
            volume_id,
            capacity,
            width,
            classes,
            levels,
            system,
            redundancy: input.u8()?,
            sequence: input.u32()?,
            from: Position::take(input)?,
            number: input.u16()?,
            directory: input.u32()?,
        })
    }

    /// Decodes the first bytes of a payload; `None` when it is no record page.
    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        Self::take(&mut Reader::new(payload))
    }

    /// The volume's level table, from the same payload.
    pub(super) fn levels(payload: &[u8]) -> Option<&[u8]> {
        let mut input = Reader::new(payload);
        let identity = Self::take(&mut input)?;
        input.u32()?;
        input.bytes(usize::from(identity.levels) * ENTRY_BYTES)
    }
}

/// Where the deltas of a record page are.
#[derive(Debug, Clone, Copy)]
pub(super) struct DeltaArea {
    start: usize,
    count: usize,
}

impl DeltaArea {
    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// A delta; `None` for a sector beyond the last. They are in no particular order, each sector at most once.
    pub(super) fn get(
        &self,
        payload: &[u8],
        shape: &Shape,
        index: usize,
    ) -> Option<(Sector, Location)> {
        let area = payload.get(self.start..)?;
        let field = bits::width(shape.capacity);
        let at = index * delta_bits(shape) as usize;
        let sector = bits::get_at(area, at, field)?;
        let code = bits::get_at(area, at + field as usize, shape.location_bits)?;
        (sector < shape.capacity).then(|| (Sector(sector), shape.from_code(code)))
    }
}

/// A record page being read: each part is checked as it is taken.
#[derive(Debug)]
pub(super) struct Record {
    pub identity: Identity,
    pub host_writes: u32,
    /// Open segments, with class and level.
    pub appends: heapless::Vec<(AppendPoint, u8, u8), STREAMS_MAX>,
    pub named: heapless::Vec<Segment, 16>,
    /// Segments with class and level.
    pub closed: heapless::Vec<(Segment, u8, u8), 16>,
    pub freed: heapless::Vec<Segment, 16>,
    pub bad_blocks: heapless::Vec<u32, 8>,
    pub deltas: DeltaArea,
}

impl Record {
    /// Decodes a payload; `None` when it is none, or names what the shape does not have.
    pub(super) fn decode(payload: &[u8], shape: &Shape) -> Option<Self> {
        let mut input = Reader::new(payload);
        let identity = Identity::take(&mut input)?;
        let host_writes = input.u32()?;
        input.bytes(usize::from(identity.levels) * ENTRY_BYTES)?;
        let mut appends = heapless::Vec::new();
        for _ in 0..input.u8()? {
            let stream = input.u8()?;
            let segment = segment(&mut input, shape)?;
            let next = input.u32()?;
            if next >= shape.pages_per_segment() {
                return None;
            }
            let open = AppendPoint { segment, next };
            appends.push((open, stream & 0x0F, stream >> 4)).ok()?;
        }
        let mut named = heapless::Vec::new();
        for _ in 0..input.u8()? {
            named.push(segment(&mut input, shape)?).ok()?;
        }
        let mut closed = heapless::Vec::new();
        for _ in 0..input.u8()? {
            let at = segment(&mut input, shape)?;
            let stream = input.u8()?;
            closed.push((at, stream & 0x0F, stream >> 4)).ok()?;
        }
        let mut freed = heapless::Vec::new();
        for _ in 0..input.u8()? {
            freed.push(segment(&mut input, shape)?).ok()?;
        }
        let mut bad_blocks = heapless::Vec::new();
        for _ in 0..input.u8()? {
            let block = input.u32()?;
            if block >= u32::from(shape.dies()) * shape.blocks_per_die {
                return None;
            }
            bad_blocks.push(block).ok()?;
        }
        let count = usize::from(input.u16()?);
        let start = input.position();
        if count * delta_bits(shape) as usize > payload.len().saturating_sub(start) * 8 {
            return None;
        }
        Some(Self {
            identity,
            host_writes,
            appends,
            named,
            closed,
            freed,
            bad_blocks,
            deltas: DeltaArea { start, count },
        })
    }
}

fn segment(input: &mut Reader<'_>, shape: &Shape) -> Option<Segment> {
    let segment = input.u32()?;
    (segment < shape.segments).then_some(Segment(segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_record_page_frees_is_doubted_until_its_die_has_programmed_something_else() {
        let mut doubted = Doubted {
            segments: 3,
            die: Die(1),
        };
        doubted.programmed(Die(0));
        assert_eq!(doubted.segments, 3);
        doubted.programmed(Die(1));
        assert_eq!(doubted.segments, 0);
    }
}
