//! Mounting: the newest checkpoint, the journal behind it, and the data pages behind that. Writes nothing.

use cuesta_hal::{Buffer, Nand, PageAddress};
use heapless::Vec;

use super::address::{Location, MapIndex, Sector, Segment};
use super::anchor_scan::{self, Anchors, Start};
use super::append_point::Append;
use super::checkpoint::{Checkpoint, Head, Position, Ring};
use super::delta::{Delta, DeltaTable};
use super::error::MountError;
use super::flight::{DieState, Stage, UNITS_MAX};
use super::io;
use super::journal::Record;
use super::map_page::{DirectoryEntry, Frames};
use super::memory::{Memory, Plan, STREAMS};
use super::parameters::{ParameterError, Parameters, HEAD_BYTES};
use super::read::Slot;
use super::segment_table::{SegmentTable, State};
use super::shape::Shape;
use super::{Budget, Pending, Session, Volume, JOURNAL};
use crate::codec::crc::Seed;
use crate::codec::header::FLAG_BATCH;
use crate::codec::{Header, HeaderState, Kind, PageError};

/// Segments that may hold data pages behind the last record page: named or open.
const CURSORS_MAX: usize = 16 + STREAMS;

/// Where the scan of a segment is: its next page, which was read.
#[derive(Debug, Clone)]
struct Cursor {
    segment: Segment,
    offset: u32,
    header: Header,
    /// What each unit holds.
    units: Vec<Option<Header>, UNITS_MAX>,
}

/// What the journal told.
#[derive(Debug, Clone, Copy)]
struct Replayed {
    /// Log time of the last record page.
    record_time: u64,
    /// Pages after the checkpoint's own dump.
    changed: bool,
}

/// Map pages behind the last record page, and the log time up to which each covers its range.
type Covers = Vec<(MapIndex, u64), 64>;

impl<'m, N: Nand> Volume<'m, N> {
    /// Reads the parameters of the volume on a part, so that memory for it can be planned.
    ///
    /// # Errors
    /// As for [`mount`](Self::mount).
    pub fn probe(nand: &mut N) -> Result<Parameters, MountError> {
        Ok(anchor_scan::find(nand)?.head.parameters)
    }

    /// Mounts the volume on a part.
    ///
    /// Writes and erases nothing; the first change, or the first read of a sector that the last power cut may have touched, recovers what an
    /// unclean end has left.
    ///
    /// # Errors
    /// What was found instead of a volume, or what is missing.
    pub fn mount(mut nand: N, memory: Memory<'m>) -> Result<Self, MountError> {
        let anchors = anchor_scan::find(&mut nand)?;
        let parameters = anchors.head.parameters;
        let mut volume = Self::assemble(nand, memory, parameters)?;
        volume.load(&anchors)?;
        Ok(volume)
    }

    /// Reads the state of the volume into its memory.
    fn load(&mut self, anchors: &Anchors) -> Result<(), MountError> {
        let head = self.load_checkpoint(anchors)?;
        self.sanitise(&head);
        let mut covers = Covers::new();
        let replayed = self.replay_journal(&head, &mut covers)?;
        let found = self.scan_data(replayed.record_time, &covers)?;
        let clean = head.clean && !replayed.changed && !found && self.void.is_empty();
        self.conclude(clean);
        Ok(())
    }

    /// Reads the state of the volume again, as if what lies at `void` had never been written.
    ///
    /// For a page that a cut has touched, that could be read when it was first looked at and cannot be any more.
    pub(super) fn load_without(&mut self, void: Location) -> Result<(), MountError> {
        self.void.push(void).map_err(|_| MountError::Damaged)?;
        let anchors = anchor_scan::find(&mut self.nand)?;
        self.segments.clear();
        self.bad_blocks.fill(0);
        self.directory.fill(DirectoryEntry::default());
        self.deltas.clear();
        self.frames.clear();
        self.appends = [None; STREAMS];
        self.want_open = None;
        self.pending = Pending::default();
        self.checkpoint = Checkpoint::default();
        self.groom = super::Groom::default();
        self.credit = super::Credit::default();
        self.job = super::Job::None;
        for die in self.dies.iter_mut() {
            *die = DieState::default();
        }
        for stage in self.stages.iter_mut() {
            *stage = Stage::default();
        }
        self.load(&anchors)
    }

    /// A volume without contents in the memory lent.
    pub(super) fn assemble(
        nand: N,
        memory: Memory<'m>,
        parameters: Parameters,
    ) -> Result<Self, MountError> {
        let geometry = *nand.geometry();
        let shape = Shape::new(&geometry, &parameters)
            .map_err(|error| MountError::Parameters(ParameterError::Layout(error)))?;
        let quota = super::Quota::new(&geometry, &parameters).map_err(MountError::Parameters)?;
        let least = Plan::new(&geometry, &parameters, Budget::Minimum, 1, 0)
            .map_err(MountError::Parameters)?
            .map_err(|error| MountError::Memory {
                what: "the volume",
                found: error.offered,
                needed: error.minimum,
            })?;
        memory.check(&least)?;
        let frame_bytes = geometry.page_bytes as usize;
        let mut segments = SegmentTable::new(
            &mut memory.segments[..least.segment_bytes],
            shape.slots_per_segment(),
        );
        segments.clear();
        let directory = &mut memory.directory[..least.directory_entries];
        directory.fill(DirectoryEntry::default());
        memory.slots.fill(Slot::default());
        let dies = &mut memory.dies[..least.dies];
        dies.fill(DieState::default());
        let stages = &mut memory.stages[..least.stages];
        stages.fill(Stage::default());
        let bad_blocks = &mut memory.bad_blocks[..least.bad_block_bytes];
        bad_blocks.fill(0);
        Ok(Self {
            nand,
            shape,
            parameters,
            quota,
            segments,
            directory,
            deltas: DeltaTable::new(memory.deltas, &shape),
            frames: Frames::new(
                memory.frames,
                memory.frame_states,
                frame_bytes,
                shape.location_bits,
            ),
            slots: memory.slots,
            dies,
            stages,
            stage_pages: memory.stage_pages,
            bad_blocks,
            session: Session::Mounted { clean: false },
            recovering: false,
            unsettled: false,
            single_copy: None,
            map_tries: 0,
            void_from: u64::MAX,
            void: Vec::new(),
            time: 0,
            host_writes: 0,
            wear_base: 0,
            mapped: 0,
            free: 0,
            journal_segments: 0,
            journal_sequence: 0,
            appends: [None; STREAMS],
            want_open: None,
            pending: Pending::default(),
            rings: [Ring::default(), Ring::default()],
            checkpoint: Checkpoint::default(),
            control: super::Control::default(),
            intent: None,
            job: super::Job::None,
            groom: super::Groom::default(),
            credit: super::Credit::default(),
            next_ticket: 0,
            next_slot: 0,
            patience: super::Patience::default(),
            random: (parameters.volume_id as u32) | 1,
            stats: super::Stats::default(),
        })
    }

    /// Loads the newest checkpoint of which every page can be read from one of its copies.
    pub(super) fn load_checkpoint(&mut self, anchors: &Anchors) -> Result<Head, MountError> {
        for copy in 0..2 {
            self.rings[copy]
                .blocks
                .clone_from(&anchors.head.rings[copy]);
        }
        let mut tried = None;
        for start in &anchors.starts {
            if tried == Some(start.sequence) {
                continue;
            }
            tried = Some(start.sequence);
            let Some(head) = self.load_sequence(anchors, start.sequence)? else {
                continue;
            };
            // A part whose first readable anchor is old may name a ring that has changed since: rings never change.
            self.checkpoint.from = head.from;
            self.checkpoint.sequence = anchors.sequence;
            self.time = self.time.max(anchors.time + 1);
            // Its last page may be the one that the cut touched, unless the other copy was begun after it and is there too.
            let both = (0..2).all(|copy| self.copy_complete(anchors, start.sequence, copy));
            self.unsettled |= !both;
            self.single_copy = (!both).then_some(start.sequence);
            self.void_from = match anchors.attempt {
                Some((sequence, from)) if sequence > start.sequence => from,
                _ => u64::MAX,
            };
            for (copy, ring) in self.rings.iter_mut().enumerate() {
                let newest = anchors
                    .starts
                    .iter()
                    .filter(|at| usize::from(at.copy) == copy && at.sequence <= start.sequence)
                    .max_by_key(|at| at.sequence);
                ring.committed = newest.map_or(u32::MAX, |at| at.slot);
                ring.slot = anchors.opened[copy];
                ring.next = u32::MAX / 2;
            }
            return Ok(head);
        }
        Err(MountError::Damaged)
    }

    fn load_sequence(
        &mut self,
        anchors: &Anchors,
        sequence: u32,
    ) -> Result<Option<Head>, MountError> {
        let starts: Vec<Start, { 4 * super::parameters::RING_BLOCKS_MAX }> = anchors
            .starts
            .iter()
            .filter(|start| start.sequence == sequence)
            .copied()
            .collect();
        let mut head = None;
        for id in 0..self.quota.checkpoint_pages {
            let mut found = None;
            for start in &starts {
                let Some(page) = self.anchor_address(start, id) else {
                    continue;
                };
                let layout = self.shape.layout;
                if anchor_scan::read_anchor(&mut self.nand, &layout, page, id, Some(sequence))? {
                    found = Some(page);
                    break;
                }
            }
            let Some(page) = found else {
                return Ok(None);
            };
            if let Some(loaded) = self.take_anchor(page, id) {
                head = Some(loaded);
            }
        }
        Ok(head.filter(|head| head.parameters == self.parameters))
    }

    /// True when a copy of a checkpoint has its last page. Pages are programmed in order.
    fn copy_complete(&mut self, anchors: &Anchors, sequence: u32, copy: u8) -> bool {
        let id = self.quota.checkpoint_pages - 1;
        let layout = self.shape.layout;
        let start = anchors
            .starts
            .iter()
            .find(|start| start.sequence == sequence && start.copy == copy);
        start
            .and_then(|start| self.anchor_address(start, id))
            .is_some_and(|page| {
                anchor_scan::read_anchor(&mut self.nand, &layout, page, id, Some(sequence))
                    .unwrap_or(false)
            })
    }

    fn anchor_address(&self, start: &Start, id: u32) -> Option<PageAddress> {
        anchor_scan::ring_page(
            self.nand.geometry(),
            &self.rings[usize::from(start.copy)].blocks,
            self.quota.blocks_per_slot,
            start.slot,
            start.page + id,
        )
    }

    /// Takes what an anchor page in the buffer of its die holds: a part of head, directory, segment table and bad blocks.
    fn take_anchor(&mut self, page: PageAddress, id: u32) -> Option<Head> {
        let bytes = self.shape.layout.page_bytes();
        let start = id * bytes;
        let payload = &self.nand.buffer(page.die(), Buffer::First)[..bytes as usize];
        let head = if id == 0 { Head::decode(payload) } else { None };
        let table_start = HEAD_BYTES + 4 * self.directory.len() as u32;
        let bad_start = table_start + self.segments.bytes().len() as u32;
        for (index, &byte) in payload.iter().enumerate() {
            let at = start + index as u32;
            if at < HEAD_BYTES {
                continue;
            } else if at < table_start {
                let at = (at - HEAD_BYTES) as usize;
                let entry = &mut self.directory[at / 4].location;
                let mut le = entry.0.to_le_bytes();
                le[at % 4] = byte;
                *entry = Location(u32::from_le_bytes(le));
            } else if at < bad_start {
                self.segments.bytes_mut()[(at - table_start) as usize] = byte;
            } else if let Some(bits) = self.bad_blocks.get_mut((at - bad_start) as usize) {
                *bits = byte;
            }
        }
        head
    }

    /// Makes sure that nothing loaded names what the part does not have.
    fn sanitise(&mut self, head: &Head) {
        self.time = self.time.max(head.time);
        self.host_writes = head.host_writes;
        self.wear_base = head.wear_base;
        self.mapped = head.mapped;
        self.random ^= head.time as u32 | 1;
        let slots = self.shape.slots();
        for entry in self.directory.iter_mut() {
            if entry.location != Location::UNMAPPED && entry.location.0 >= slots {
                entry.location = Location::LOST;
            }
        }
        for segment in self.segments.iter() {
            let valid = self.segments.valid(segment);
            if valid > self.shape.slots_per_segment() {
                self.segments
                    .set_valid(segment, self.shape.slots_per_segment());
            }
        }
    }

    /// Reads the header of a page's first unit.
    fn header_at(&mut self, segment: Segment, offset: u32) -> Result<HeaderState, MountError> {
        let page = self.shape.page(segment, offset);
        let place = self.shape.location(segment, offset, 0);
        io::read(&mut self.nand, page, self.shape.layout.header_columns())
            .map_err(MountError::Nand)?;
        let buffer = self.nand.buffer(page.die(), Buffer::First);
        Ok(self.shape.layout.read_header(buffer, 0, place.0))
    }

    /// Reads and checks a journal page into the buffer of its die.
    pub(super) fn read_journal(
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

    /// The page was written after everything the last cut cannot have touched: it is the newest of its die so far.
    fn note_newest(&mut self, segment: Segment, offset: u32, time: u64) {
        let page = self.shape.page(segment, offset);
        let die = &mut self.dies[usize::from(page.die().0)];
        if time >= die.suspect_time {
            die.suspect_time = time;
            die.suspect = self.shape.location(segment, offset, 0);
        }
        self.time = self.time.max(time + 1);
    }

    fn is_void(&self, segment: Segment, offset: u32) -> bool {
        self.void.contains(&self.shape.location(segment, offset, 0))
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
                self.unsettled |= state == HeaderState::Bad;
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
        if let Some(next) = self.usable_from(segment, offset + 1) {
            if let Some(header) = self.journal_header(segment, next, after)? {
                return Ok(Some((segment, next, header)));
            }
            // One page that cannot be read does not end the journal in this segment: two do, and a failed program ends it too.
            if let Some(next) = self.usable_from(segment, next + 1) {
                if let Some(header) = self.journal_header(segment, next, after)? {
                    return Ok(Some((segment, next, header)));
                }
            }
        }
        let named = self.pending.named.clone();
        let mut best: Option<(Segment, u32, Header)> = None;
        for candidate in named {
            let Some(first) = self.usable_from(candidate, 0) else {
                continue;
            };
            if candidate == segment {
                continue;
            }
            if let Some(header) = self.journal_header(candidate, first, after)? {
                if best.is_none_or(|(_, _, found)| header.time < found.time) {
                    best = Some((candidate, first, header));
                }
            }
        }
        Ok(best)
    }

    fn replay_journal(&mut self, head: &Head, covers: &mut Covers) -> Result<Replayed, MountError> {
        let from = head.from;
        if from.segment.0 >= self.shape.segments || from.offset >= self.shape.pages_per_segment() {
            return Err(MountError::Damaged);
        }
        self.journal_sequence = from.sequence;
        self.enter_journal(from.segment, from.sequence, None);
        let mut replayed = Replayed {
            record_time: 0,
            changed: false,
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
            let record = header.kind == Kind::Record
                && self.read_journal(segment, offset, &header)?
                && self.take_record(segment, offset)?;
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
                        self.take_map(map, segment, offset);
                        covers.retain(|(covered, _)| *covered != map);
                        let until = header.time.saturating_sub(u64::from(header.birth));
                        // A cover that finds no room costs an entry of the delta table, no more.
                        let _ = covers.push((map, until));
                    }
                    good
                }
                _ => true,
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

    fn set_erases(&mut self, segment: Segment, erases: u32) {
        let wear = erases.saturating_sub(self.wear_base).min(255);
        self.segments.set_wear(segment, wear as u8);
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
        if record.volume_id != self.parameters.volume_id {
            return Ok(false);
        }
        self.host_writes = record.host_writes;
        for (sector, location) in record.deltas(&shape) {
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

    /// Applies the data pages behind the last record page, in the order of log time; true when there are any.
    fn scan_data(&mut self, record_time: u64, covers: &Covers) -> Result<bool, MountError> {
        let mut cursors: Vec<Cursor, CURSORS_MAX> = Vec::new();
        let unsettled = core::mem::replace(&mut self.unsettled, false);
        for stream in 0..JOURNAL {
            let Some(append) = self.appends[usize::from(stream)] else {
                continue;
            };
            self.unsettled |= self.header_at(append.segment, append.next)? != HeaderState::Erased;
            if let Some(cursor) = self.cursor(append.segment, append.next, record_time)? {
                let _ = cursors.push(cursor);
            }
        }
        // What lies at an append point and does not look erased was not left by a clean end.
        let mut found = self.unsettled;
        self.unsettled |= unsettled;
        let mut opened: Vec<Segment, 16> = Vec::new();
        for segment in self.pending.named.clone() {
            if let Some(cursor) = self.cursor(segment, 0, record_time)? {
                let _ = opened.push(segment);
                self.segments.set_state(segment, State::Open);
                self.segments.set_stream(segment, cursor.header.stream);
                self.set_erases(segment, cursor.header.erases);
                let stamp = self.stamp_now();
                self.segments.set_stamp(segment, stamp);
                let _ = cursors.push(cursor);
            }
        }
        self.pending
            .named
            .retain(|segment| !opened.contains(segment));
        let limit = self.shape.segments * self.shape.pages_per_segment();
        for _ in 0..limit {
            let Some(index) = (0..cursors.len()).min_by_key(|&index| cursors[index].header.time)
            else {
                break;
            };
            found = true;
            let mut cursor = cursors[index].clone();
            let next = self.cursor(cursor.segment, cursor.offset + 1, cursor.header.time)?;
            // Behind a page of the same block it was finished; the last one may be torn.
            if next.is_none() || self.shape.width > 1 {
                self.check_data(&mut cursor)?;
            }
            self.take_data(&cursor, covers)?;
            match next {
                Some(next) => cursors[index] = next,
                None => {
                    cursors.swap_remove(index);
                }
            }
        }
        for segment in opened {
            if self.pending.closed.is_full() {
                break;
            }
            let stream = self.segments.stream(segment);
            let _ = self.pending.closed.push((segment, stream));
        }
        Ok(found)
    }

    /// The next page of sector data at or behind `offset`, by its headers.
    fn cursor(
        &mut self,
        segment: Segment,
        offset: u32,
        after: u64,
    ) -> Result<Option<Cursor>, MountError> {
        let layout = self.shape.layout;
        let mut at = self.usable_from(segment, offset);
        // A torn page on one die does not hide the pages of the others; one page beyond is looked at as well.
        for _ in 0..=self.shape.width {
            let Some(offset) = at else {
                return Ok(None);
            };
            let page = self.shape.page(segment, offset);
            io::read(&mut self.nand, page, layout.header_columns()).map_err(MountError::Nand)?;
            let place = self.shape.location(segment, offset, 0);
            let buffer = self.nand.buffer(page.die(), Buffer::First);
            match layout.read_header(buffer, 0, place.0) {
                HeaderState::Valid(header)
                    if header.kind == Kind::Data
                        && header.time > after
                        && header.time < self.void_from
                        && usize::from(header.stream) < STREAMS - 1
                        && !self.is_void(segment, offset) =>
                {
                    let mut units = Vec::new();
                    for unit in 0..self.shape.units {
                        let header = match layout.read_header(buffer, unit, place.0 + unit) {
                            HeaderState::Valid(header) => Some(header),
                            HeaderState::Erased | HeaderState::Bad => None,
                        };
                        let _ = units.push(header);
                    }
                    return Ok(Some(Cursor {
                        segment,
                        offset,
                        header,
                        units,
                    }));
                }
                state => {
                    self.unsettled |= state == HeaderState::Bad;
                    at = self.usable_from(segment, offset + 1);
                }
            }
        }
        Ok(None)
    }

    /// Reads and checks the whole page of a cursor: what was torn is not there.
    fn check_data(&mut self, cursor: &mut Cursor) -> Result<(), MountError> {
        let layout = self.shape.layout;
        let page = self.shape.page(cursor.segment, cursor.offset);
        io::read(&mut self.nand, page, layout.page_columns()).map_err(MountError::Nand)?;
        for (unit, header) in cursor.units.iter_mut().enumerate() {
            let location = self
                .shape
                .location(cursor.segment, cursor.offset, unit as u32);
            let seed = Seed {
                volume: self.parameters.volume_id,
                place: location.0,
            };
            let buffer = self.nand.buffer_mut(page.die(), Buffer::First);
            let decoded = layout.decode_unit(buffer, unit as u32, seed);
            self.unsettled |= matches!(decoded, Err(PageError::Uncorrectable));
            *header = decoded.ok().map(|(header, _)| header);
        }
        Ok(())
    }

    fn take_data(&mut self, cursor: &Cursor, covers: &Covers) -> Result<(), MountError> {
        let shape = self.shape;
        let mut readable = false;
        for (unit, header) in cursor.units.iter().enumerate() {
            let Some(header) = header else { continue };
            readable = true;
            self.host_writes = self.host_writes.max(header.birth);
            let sector = Sector(header.id);
            if header.kind != Kind::Data
                || header.flags & FLAG_BATCH != 0
                || sector.0 >= shape.capacity
            {
                continue;
            }
            let (map, _) = shape.map_of(sector);
            if covers
                .iter()
                .any(|&(covered, until)| covered == map && header.time <= until)
            {
                continue;
            }
            if self.deltas.room() == 0 && self.deltas.get(sector).is_none() {
                self.drop_redundant()?;
            }
            insert_delta(
                &mut self.deltas,
                self.directory,
                &shape,
                sector,
                shape.location(cursor.segment, cursor.offset, unit as u32),
                false,
            )?;
        }
        if readable {
            self.note_newest(cursor.segment, cursor.offset, cursor.header.time);
        }
        self.time = self.time.max(cursor.header.time + 1);
        Ok(())
    }

    /// Removes deltas that say what their map page says: pages behind the last record page that a later map page covers.
    fn drop_redundant(&mut self) -> Result<(), MountError> {
        for map in 0..self.shape.map_pages {
            let map = MapIndex(map);
            let entry = self.directory[map.0 as usize];
            if entry.deltas == 0 || !entry.location.is_mapped() {
                continue;
            }
            let (page, _) = self.shape.address(entry.location);
            io::read(&mut self.nand, page, self.shape.layout.page_columns())
                .map_err(MountError::Nand)?;
            if !self.decode_journal_page(page.die(), entry.location, Kind::Map, map.0) {
                continue;
            }
            let (first, end) = self.shape.map_range(map);
            for sector in first.0..end.0 {
                let sector = Sector(sector);
                let Some(location) = self.deltas.get(sector) else {
                    continue;
                };
                let (_, index) = self.shape.map_of(sector);
                let payload = self.nand.buffer(page.die(), Buffer::First);
                let code = super::bits::get(payload, self.shape.location_bits, index);
                if code == Some(self.shape.to_code(location)) && self.deltas.remove(sector) {
                    self.directory[map.0 as usize].deltas -= 1;
                }
            }
        }
        Ok(())
    }

    /// Counts, and decides what of the state can be trusted.
    fn conclude(&mut self, clean: bool) {
        for ring in 0..2 {
            for index in 0..self.rings[ring].blocks.len() {
                let number = self.rings[ring].blocks[index];
                let block = anchor_scan::block_of(self.nand.geometry(), number);
                let segment = self.shape.segment_of(block);
                if segment.0 < self.shape.segments {
                    self.segments.set_state(segment, State::Reserved);
                }
            }
        }
        for segment in self.segments.iter() {
            match self.segments.state(segment) {
                State::Journal => self.segments.set_valid(segment, 0),
                State::Free => {
                    self.segments.set_valid(segment, 0);
                }
                State::Open if !clean => {
                    self.segments.set_state(segment, State::Closed);
                    let limit = self.shape.slots_per_segment() - 1;
                    let valid = self.segments.valid(segment).min(limit);
                    self.segments.set_valid(segment, valid);
                    let stream = self.segments.stream(segment);
                    if !self.pending.closed.iter().any(|(at, _)| *at == segment) {
                        let _ = self.pending.closed.push((segment, stream));
                    }
                }
                _ => {}
            }
        }
        if !clean {
            self.appends = [None; STREAMS];
        } else {
            self.pending.closed.clear();
        }
        for index in 0..self.directory.len() {
            let location = self.directory[index].location;
            if location.is_mapped() {
                let segment = self.shape.segment(location);
                let valid = self.segments.valid(segment);
                if self.segments.state(segment) == State::Journal {
                    self.segments.set_valid(segment, valid + 1);
                }
            }
        }
        self.free = self.count(State::Free);
        self.journal_segments = self.count(State::Journal);
        self.pending
            .named
            .retain(|&segment| self.segments.state(segment) == State::Free);
        if clean {
            for die in self.dies.iter_mut() {
                die.suspect = Location::UNMAPPED;
            }
        } else {
            // A journal page concerns more sectors than can be told.
            self.unsettled |= self.dies.iter().any(|die| {
                die.suspect.is_mapped()
                    && self.segments.state(self.shape.segment(die.suspect)) == State::Journal
            });
        }
        self.pending.durable = self.pending.named.len();
        self.session = Session::Mounted { clean };
    }

    pub(super) fn count(&self, state: State) -> u32 {
        self.segments
            .iter()
            .filter(|&segment| self.segments.state(segment) == state)
            .count() as u32
    }
}

fn insert_delta(
    deltas: &mut DeltaTable<'_>,
    directory: &mut [DirectoryEntry],
    shape: &Shape,
    sector: Sector,
    location: Location,
    journaled: bool,
) -> Result<(), MountError> {
    let delta = Delta {
        sector,
        location,
        journaled,
    };
    match deltas.insert(delta) {
        Ok(new) => {
            if new {
                let (map, _) = shape.map_of(sector);
                directory[map.0 as usize].deltas += 1;
            }
            Ok(())
        }
        Err(_) => Err(MountError::Memory {
            what: "the delta table (entries; the volume was last used with a larger one)",
            found: deltas.limit(),
            needed: deltas.limit() + 1,
        }),
    }
}
