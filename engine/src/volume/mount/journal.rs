//! The journal behind the checkpoint, replayed page by page.

use cuesta_hal::{Buffer, Die, Nand};
use heapless::Vec;

use super::gaps::Gaps;
use super::insert_delta;
use crate::codec::{Header, HeaderState, Kind};
use crate::volume::address::{MapIndex, Sector, Segment};
use crate::volume::anchor::{Head, Position};
use crate::volume::anchor_scan;
use crate::volume::append_point::AppendPoint;
use crate::volume::error::LoadError;
use crate::volume::journal::{Identity, Record};
use crate::volume::segment_table::State;
use crate::volume::stream::JOURNAL;
use crate::volume::Volume;

/// What the journal told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replayed {
    /// Log time up to which the last record page covers all sector data.
    pub record_time: u64,
    /// Pages after the checkpoint's own dump.
    pub changed: bool,
    /// Whether the directory was as the last record page says when that page was replayed.
    pub exact: bool,
    /// A record page behind which nothing was found and that cannot be read: its die, its log time. If the die has programmed anything since, it was not torn.
    pub torn: Option<(Die, u64)>,
}

/// A journal page that was found.
#[derive(Debug, Clone, Copy)]
struct Found {
    segment: Segment,
    offset: u32,
    /// The page of its stripe that was read.
    at: u32,
    header: Header,
}

/// What is where a journal page may begin.
#[derive(Debug)]
enum Slot {
    /// A journal page: where it was read, itself or a copy of it, and its header.
    Page(u32, Header),
    /// Something that cannot be read.
    Unreadable,
    /// Nothing that belongs there.
    Empty,
}

/// Map pages behind the last record page, and the log time up to which each covers its range.
pub(super) type Covers = Vec<(MapIndex, u64), 64>;

impl<N: Nand> Volume<'_, N> {
    /// Reads and checks a journal page, or one of its copies; gives the die in whose buffer it is.
    pub(in crate::volume) fn read_journal(
        &mut self,
        segment: Segment,
        offset: u32,
        header: &Header,
    ) -> Result<Option<Die>, LoadError> {
        let place = self.shape.location(segment, offset, 0);
        for at in offset..self.behind(offset, header) {
            if self.is_void(segment, at) {
                continue;
            }
            let page = self.shape.page(segment, at);
            let decoded = self.read_page_until(page, |volume| {
                volume
                    .decode_journal_page(page.die(), place, header.kind, header.id)
                    .then_some(page.die())
            });
            if let Some(die) = decoded? {
                return Ok(Some(die));
            }
        }
        Ok(None)
    }

    /// The header of the journal page that begins at an offset, from there or from one of its copies, and where it was read.
    fn journal_header(
        &mut self,
        segment: Segment,
        offset: u32,
        after: u64,
    ) -> Result<Slot, LoadError> {
        let mut slot = Slot::Empty;
        let end = (offset + self.reach_max()).min(self.shape.pages_per_segment());
        for at in offset..end {
            if self.is_void(segment, at) {
                continue;
            }
            match self.owner_at(segment, at)? {
                Ok((first, header)) if first == offset && self.follows(&header, after) => {
                    return Ok(Slot::Page(at, header));
                }
                Err(HeaderState::Bad) => {
                    self.unsettled |= !self.in_bad_block(segment, at);
                    slot = Slot::Unreadable;
                }
                _ => {}
            }
        }
        Ok(slot)
    }

    /// True when a page belongs to the journal behind a log time.
    fn follows(&self, header: &Header, after: u64) -> bool {
        matches!(header.kind, Kind::Map | Kind::Record | Kind::Parity)
            && header.stream == JOURNAL
            && header.time > after
            && header.time < self.void_from
    }

    /// The next journal page: in the same segment, or the first one of a named segment that was opened for the journal.
    fn next_journal_page(
        &mut self,
        segment: Segment,
        behind: u32,
        after: u64,
    ) -> Result<Option<Found>, LoadError> {
        // Pages that cannot be read do not end the journal in this segment, nor do the dies that stripes survive: more that are erased do, and a failed program ends it
        // too.
        let mut missed = 0;
        for offset in behind..self.shape.pages_per_segment() {
            match self.journal_header(segment, offset, after)? {
                Slot::Page(at, header) => {
                    return Ok(Some(Found {
                        segment,
                        offset,
                        at,
                        header,
                    }));
                }
                Slot::Unreadable => {}
                Slot::Empty => missed += u32::from(!self.in_bad_block(segment, offset)),
            }
            if missed > u32::from(self.parameters.copies()) {
                break;
            }
        }
        let named = self.pending.named.clone();
        let mut best: Option<Found> = None;
        for candidate in named {
            if candidate == segment {
                continue;
            }
            // Blocks whose erase has failed when it was opened may come first: that they are bad stands behind.
            for at in 0..self.shape.width() {
                if self.is_void(candidate, at) {
                    continue;
                }
                match self.owner_at(candidate, at)? {
                    Ok((offset, header)) if self.follows(&header, after) => {
                        if best.is_none_or(|found| header.time < found.header.time) {
                            best = Some(Found {
                                segment: candidate,
                                offset,
                                at,
                                header,
                            });
                        }
                        break;
                    }
                    Err(HeaderState::Bad) => {
                        self.unsettled |= !self.in_bad_block(candidate, at);
                    }
                    _ => {}
                }
            }
        }
        Ok(best)
    }

    pub(super) fn replay_journal(
        &mut self,
        head: &Head,
        covers: &mut Covers,
    ) -> Result<Replayed, LoadError> {
        let from = head.from;
        if from.segment.0 >= self.shape.segments || from.offset >= self.shape.pages_per_segment() {
            return Err(LoadError::Damaged);
        }
        self.journal_sequence = from.sequence;
        self.next_record = from.record;
        self.enter_journal(from.segment, from.sequence, None);
        let Slot::Page(at, header) = self.journal_header(from.segment, from.offset, 0)? else {
            return Err(LoadError::Damaged);
        };
        let mut replayed = Replayed {
            record_time: 0,
            changed: false,
            exact: false,
            torn: None,
        };
        let mut gaps = Gaps::since(header.time);
        let mut found = Some(Found {
            segment: from.segment,
            offset: from.offset,
            at,
            header,
        });
        let mut end = from;
        // Where the next page is, if it can be read.
        let mut expected = from.offset;
        let limit = self.shape.segments * self.shape.pages_per_segment();
        for _ in 0..limit {
            let Some(page) = found else {
                break;
            };
            let Found {
                segment,
                offset,
                at,
                header,
            } = page;
            if segment != end.segment {
                self.journal_sequence = self.journal_sequence.wrapping_add(1);
                self.enter_journal(segment, self.journal_sequence, Some(&header));
                expected = 0;
            }
            self.fill_gap(segment, expected..offset, &mut gaps)?;
            replayed.changed |= header.time >= head.time;
            // A record page comes first: it may name the segment in which the journal goes on.
            let mut good = header.kind == Kind::Record
                && match self.read_journal(segment, offset, &header)? {
                    Some(die) => self.replay_record(die, &page, &mut replayed, covers)?,
                    None => false,
                };
            let behind = self.behind(offset, &header);
            let next = self.next_journal_page(segment, behind, header.time)?;
            // Only the last page can be torn; what others hold is checked when it is used.
            let finished = next.is_some() || header.time < head.time;
            match header.kind {
                Kind::Record if !good && finished => {
                    let made = self.make_record(segment, offset)?;
                    let die = made.ok_or(LoadError::Damaged)?;
                    good = self.replay_record(die, &page, &mut replayed, covers)?;
                    if !good {
                        return Err(LoadError::Damaged);
                    }
                }
                Kind::Record => {}
                Kind::Map => {
                    good = finished || self.read_journal(segment, offset, &header)?.is_some();
                    if good {
                        self.replay_map(segment, offset, &header, covers);
                    }
                }
                _ => {
                    self.doubtful.clear();
                    good = true;
                }
            }
            if good {
                gaps.passed(header.kind);
                self.note_newest(segment, at, header.time);
                end = Position {
                    segment,
                    offset: behind - 1,
                    sequence: self.journal_sequence,
                    record: self.next_record,
                };
            } else {
                self.unsettled = true;
                replayed.torn = Some((self.shape.page(segment, at).die(), header.time));
            }
            expected = behind;
            found = next;
        }
        if gaps.untimed || (head.clean && self.is_cut_short(&end, &gaps)?) {
            return Err(LoadError::Damaged);
        }
        let next = self.usable_from(end.segment, end.offset + 1);
        self.appends[usize::from(JOURNAL)] = next.map(|next| AppendPoint {
            segment: end.segment,
            next,
        });
        Ok(replayed)
    }

    /// Replays a record page that is in the buffer of a die; false when it is none of this volume.
    fn replay_record(
        &mut self,
        die: Die,
        found: &Found,
        replayed: &mut Replayed,
        covers: &mut Covers,
    ) -> Result<bool, LoadError> {
        let exact = self.directory_checks(die);
        if !self.take_record(die)? {
            return Ok(false);
        }
        self.enter_journal(found.segment, self.journal_sequence, None);
        replayed.exact = exact;
        replayed.record_time = found.header.covers();
        covers.clear();
        Ok(true)
    }

    /// Replays a map page.
    fn replay_map(&mut self, segment: Segment, offset: u32, header: &Header, covers: &mut Covers) {
        let map = MapIndex(header.id);
        self.doubt_superseded(map);
        self.take_map(map, segment, offset);
        covers.retain(|(covered, _)| *covered != map);
        // A cover that finds no room costs an entry of the delta table, no more.
        let _ = covers.push((map, header.covers()));
    }

    /// True when the directory is as the record page in the buffer of a die says.
    fn directory_checks(&mut self, die: Die) -> bool {
        let bytes = self.shape.layout.page_bytes() as usize;
        let payload = &self.nand.buffer(die, Buffer::First)[..bytes];
        Identity::decode(payload).is_some_and(|identity| identity.directory == self.directory_crc())
    }

    fn set_stream(&mut self, segment: Segment, class: u8, level: u8) {
        self.segments.set_class(segment, class);
        let level = if level < self.parameters.levels() {
            level
        } else {
            0
        };
        self.segments.set_level(segment, level);
    }

    /// A segment belongs to the journal, whatever a record page in it says: a page whose program has failed is programmed anew as it stands, and may name
    /// the segment that was opened for it.
    pub(super) fn enter_journal(
        &mut self,
        segment: Segment,
        sequence: u16,
        header: Option<&Header>,
    ) {
        self.segments.set_state(segment, State::Journal);
        self.segments.set_stamp(segment, sequence);
        self.segments.set_class(segment, JOURNAL);
        self.segments.set_level(segment, 0);
        self.pending.named.retain(|&named| named != segment);
        if let Some(header) = header {
            self.set_erases(segment, header.erases);
        }
    }

    /// A map page that may be the last journal page replaces another: until it is known to stay, the other is needed.
    fn doubt_superseded(&mut self, map: MapIndex) {
        self.doubtful.clear();
        if let Some(entry) = self.directory.get(map.0 as usize) {
            if entry.location.is_mapped() {
                let _ = self.doubtful.push(self.shape.segment(entry.location));
            }
        }
    }

    /// Takes a map page: it covers every delta of its range so far.
    fn take_map(&mut self, map: MapIndex, segment: Segment, offset: u32) {
        let location = self.shape.location(segment, offset, 0);
        let Some(entry) = self.directory.get_mut(map.0 as usize) else {
            return;
        };
        entry.location = location;
        entry.deltas = 0;
        let (first, end) = self.shape.map_range(map);
        if self.deltas.len() > 0 {
            for sector in first.0..end.0 {
                self.deltas.remove(Sector(sector));
            }
        }
    }

    /// Takes the record page in the buffer of a die; false when it is none of this volume.
    pub(super) fn take_record(&mut self, die: Die) -> Result<bool, LoadError> {
        let shape = self.shape;
        let bytes = shape.layout.page_bytes() as usize;
        let payload = &self.nand.buffer(die, Buffer::First)[..bytes];
        let Some(record) = Record::decode(payload, &shape) else {
            return Ok(false);
        };
        if record.identity.volume_id != self.parameters.volume_id {
            return Ok(false);
        }
        // One that was programmed anew bears the number of the page whose program had failed.
        let next = record.identity.number.wrapping_add(1);
        if next != self.next_record && record.identity.number != self.next_record {
            return Err(LoadError::Damaged);
        }
        self.next_record = next;
        self.host_writes = record.host_writes;
        for index in 0..record.deltas.len() {
            let Some((sector, location)) = record.deltas.get(payload, &shape, index) else {
                continue;
            };
            insert_delta(
                &mut self.deltas,
                self.directory,
                &shape,
                sector,
                location,
                true,
            )?;
        }
        let closed = record.closed;
        let freed = record.freed;
        self.doubtful.clone_from(&freed);
        let bad_blocks = record.bad_blocks;
        let named = record.named;
        let appends = record.appends;
        let unknown = shape.slots_per_segment() - 1;
        for (segment, class, level) in closed {
            if self.segments.state(segment) == State::Free {
                self.segments.set_valid(segment, unknown);
            }
            if matches!(self.segments.state(segment), State::Free | State::Open) {
                self.segments.set_state(segment, State::Closed);
                self.set_stream(segment, class, level);
            }
        }
        for segment in freed {
            if !matches!(
                self.segments.state(segment),
                State::Reserved | State::Retired
            ) {
                self.segments.set_state(segment, State::Free);
                self.segments.set_valid(segment, 0);
            }
        }
        for block in bad_blocks {
            self.set_bad(block as usize);
            let block = anchor_scan::block_of(self.nand.geometry(), block);
            let segment = shape.segment_of(block);
            // Where a stream goes on, the block has failed before: when the segment was erased. It holds nothing of that.
            if appends.iter().any(|(open, ..)| open.segment == segment) {
                continue;
            }
            match self.segments.state(segment) {
                State::Open | State::Closed => self.segments.set_state(segment, State::Failing),
                State::Free if self.is_used_up(segment) => {
                    self.segments.set_state(segment, State::Retired);
                }
                _ => {}
            }
        }
        self.appends.fill(None);
        for (append, class, level) in appends {
            let Some(stream) = self.shape.streams.number(level, class) else {
                continue;
            };
            self.appends[usize::from(stream)] = Some(append);
            if stream == JOURNAL {
                continue;
            }
            if self.segments.state(append.segment) != State::Failing {
                self.segments.set_state(append.segment, State::Open);
            }
            self.set_stream(append.segment, class, level);
        }
        for segment in &named {
            if !matches!(
                self.segments.state(*segment),
                State::Reserved | State::Retired
            ) {
                self.segments.set_state(*segment, State::Free);
            }
        }
        self.pending.durable = named.len();
        self.pending.named = named;
        Ok(true)
    }
}
