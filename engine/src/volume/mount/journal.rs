//! The journal behind the checkpoint, replayed page by page.

use cuesta_hal::{Buffer, Nand};
use heapless::Vec;

use super::insert_delta;
use crate::codec::{Header, HeaderState, Kind};
use crate::volume::address::{MapIndex, Sector, Segment};
use crate::volume::anchor::{Head, Position};
use crate::volume::anchor_scan;
use crate::volume::append_point::Append;
use crate::volume::error::MountError;
use crate::volume::journal::{Identity, Record};
use crate::volume::segment_table::State;
use crate::volume::{io, Volume, JOURNAL};

/// What the journal told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replayed {
    /// Log time of the last record page.
    pub record_time: u64,
    /// Pages after the checkpoint's own dump.
    pub changed: bool,
    /// Whether the directory was as the last record page says when that page was replayed.
    pub exact: bool,
}

/// Map pages behind the last record page, and the log time up to which each covers its range.
pub(super) type Covers = Vec<(MapIndex, u64), 64>;

impl<N: Nand> Volume<'_, N> {
    /// Reads and checks a journal page into the buffer of its die.
    pub(in crate::volume) fn read_journal(
        &mut self,
        segment: Segment,
        offset: u32,
        header: &Header,
    ) -> Result<bool, MountError> {
        let page = self.shape.page(segment, offset);
        let place = self.shape.location(segment, offset, 0);
        io::read(&mut self.nand, page, self.shape.layout.page_columns())
            .map_err(MountError::Nand)?;
        Ok(self.decode_journal_page(page.die(), place, header.kind, header.id))
    }

    fn journal_header(
        &mut self,
        segment: Segment,
        offset: u32,
        after: u64,
    ) -> Result<Option<Header>, MountError> {
        if self.is_void(segment, offset) {
            return Ok(None);
        }
        Ok(match self.header_at(segment, offset)? {
            HeaderState::Valid(header)
                if matches!(header.kind, Kind::Map | Kind::Record | Kind::Parity)
                    && header.stream == JOURNAL
                    && header.time > after
                    && header.time < self.void_from =>
            {
                Some(header)
            }
            state => {
                self.unsettled |= state == HeaderState::Bad && !self.in_bad_block(segment, offset);
                None
            }
        })
    }

    /// The next journal page: in the same segment, or the first one of a named segment that was opened for the journal.
    fn next_journal_page(
        &mut self,
        segment: Segment,
        offset: u32,
        after: u64,
    ) -> Result<Option<(Segment, u32, Header)>, MountError> {
        // One page that cannot be read does not end the journal in this segment: two do, and a failed program ends it too.
        let mut missed = 0;
        for next in offset + 1..self.shape.pages_per_segment() {
            if let Some(header) = self.journal_header(segment, next, after)? {
                return Ok(Some((segment, next, header)));
            }
            missed += u32::from(!self.in_bad_block(segment, next));
            if missed > 1 {
                break;
            }
        }
        let named = self.pending.named.clone();
        let mut best: Option<(Segment, u32, Header)> = None;
        for candidate in named {
            if candidate == segment {
                continue;
            }
            for first in 0..self.shape.pages_per_segment() {
                if let Some(header) = self.journal_header(candidate, first, after)? {
                    if best.is_none_or(|(_, _, found)| header.time < found.time) {
                        best = Some((candidate, first, header));
                    }
                    break;
                }
                if !self.in_bad_block(candidate, first) {
                    break;
                }
            }
        }
        Ok(best)
    }

    pub(super) fn replay_journal(
        &mut self,
        head: &Head,
        covers: &mut Covers,
    ) -> Result<Replayed, MountError> {
        let from = head.from;
        if from.segment.0 >= self.shape.segments || from.offset >= self.shape.pages_per_segment() {
            return Err(MountError::Damaged);
        }
        self.journal_sequence = from.sequence;
        self.enter_journal(from.segment, from.sequence, None);
        let mut replayed = Replayed {
            record_time: 0,
            changed: false,
            exact: false,
        };
        let Some(first) = self.journal_header(from.segment, from.offset, 0)? else {
            return Err(MountError::Damaged);
        };
        let mut at = Some((from.segment, from.offset, first));
        let mut position = from.segment;
        let mut end = from;
        let limit = self.shape.segments * self.shape.pages_per_segment();
        for _ in 0..limit {
            let Some((segment, offset, header)) = at else {
                break;
            };
            if segment != position {
                position = segment;
                self.journal_sequence = self.journal_sequence.wrapping_add(1);
                self.enter_journal(segment, self.journal_sequence, Some(&header));
            }
            replayed.changed |= header.time >= head.time;
            // A record page comes first: it may name the segment in which the journal goes on.
            let mut record = false;
            if header.kind == Kind::Record && self.read_journal(segment, offset, &header)? {
                let exact = self.directory_checks(segment, offset);
                record = self.take_record(segment, offset)?;
                if record {
                    replayed.exact = exact;
                }
            }
            let next = self.next_journal_page(segment, offset, header.time)?;
            let good = match header.kind {
                Kind::Record => {
                    if record {
                        covers.clear();
                        replayed.record_time = header.time;
                    }
                    record
                }
                // Only the last page can be torn; what others hold is checked when it is used.
                Kind::Map => {
                    let good = next.is_some() || self.read_journal(segment, offset, &header)?;
                    if good {
                        let map = MapIndex(header.id);
                        self.doubt_superseded(map);
                        self.take_map(map, segment, offset);
                        covers.retain(|(covered, _)| *covered != map);
                        let until = header.time.saturating_sub(u64::from(header.birth));
                        // A cover that finds no room costs an entry of the delta table, no more.
                        let _ = covers.push((map, until));
                    }
                    good
                }
                _ => {
                    self.doubtful.clear();
                    true
                }
            };
            self.unsettled |= !good;
            if good {
                self.note_newest(segment, offset, header.time);
                end = Position {
                    segment,
                    offset,
                    sequence: self.journal_sequence,
                };
            } else if next.is_some() && header.kind == Kind::Record {
                self.rebuild_record(segment, offset)?;
            }
            at = next;
        }
        let next = self.usable_from(end.segment, end.offset + 1);
        self.appends[usize::from(JOURNAL)] = next.map(|next| Append {
            segment: end.segment,
            next,
        });
        Ok(replayed)
    }

    /// A record page in the middle of the journal cannot be read: it is rebuilt from its group.
    fn rebuild_record(&mut self, segment: Segment, offset: u32) -> Result<(), MountError> {
        match self.rebuild_journal_page(segment, offset) {
            Ok(Some(true)) => {
                let frame = 0;
                let bytes = self.shape.layout.page_bytes() as usize;
                let die = self.shape.page(segment, offset).die();
                let page = self.nand.buffer_mut(die, Buffer::First);
                page[..bytes].copy_from_slice(self.frames.bytes(frame));
                self.take_record(segment, offset)?;
                Ok(())
            }
            _ => Err(MountError::Damaged),
        }
    }

    /// True when the directory is as the record page in the buffer of its die says.
    fn directory_checks(&mut self, segment: Segment, offset: u32) -> bool {
        let die = self.shape.page(segment, offset).die();
        let bytes = self.shape.layout.page_bytes() as usize;
        let payload = &self.nand.buffer(die, Buffer::First)[..bytes];
        Identity::decode(payload).is_some_and(|identity| identity.directory == self.directory_crc())
    }

    /// A segment belongs to the journal.
    fn enter_journal(&mut self, segment: Segment, sequence: u16, header: Option<&Header>) {
        self.segments.set_state(segment, State::Journal);
        self.segments.set_stamp(segment, sequence);
        self.segments.set_stream(segment, JOURNAL);
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

    /// Takes the record page in the buffer of its die; false when it is none of this volume.
    fn take_record(&mut self, segment: Segment, offset: u32) -> Result<bool, MountError> {
        let shape = self.shape;
        let die = shape.page(segment, offset).die();
        let bytes = shape.layout.page_bytes() as usize;
        let payload = &self.nand.buffer(die, Buffer::First)[..bytes];
        let Some(record) = Record::decode(payload, &shape) else {
            return Ok(false);
        };
        if record.identity.volume_id != self.parameters.volume_id {
            return Ok(false);
        }
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
        for (segment, stream) in closed {
            if self.segments.state(segment) == State::Free {
                self.segments.set_valid(segment, unknown);
            }
            if matches!(self.segments.state(segment), State::Free | State::Open) {
                self.segments.set_state(segment, State::Closed);
                self.segments.set_stream(segment, stream);
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
            match self.segments.state(segment) {
                State::Open | State::Closed => self.segments.set_state(segment, State::Failing),
                State::Free if self.good_columns(segment) == 0 => {
                    self.segments.set_state(segment, State::Retired);
                }
                _ => {}
            }
        }
        for (stream, append) in appends.iter().enumerate() {
            let Some(append) = append else { continue };
            if stream as u8 == JOURNAL {
                continue;
            }
            if self.segments.state(append.segment) != State::Failing {
                self.segments.set_state(append.segment, State::Open);
            }
            self.segments.set_stream(append.segment, stream as u8);
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
        self.appends = appends;
        Ok(true)
    }
}
