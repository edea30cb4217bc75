//! The checkpoint that mounting starts from: the newest one that is complete in the pages of its copies.

use cuesta_hal::{Buffer, Nand, PageAddress};

use crate::codec::header::FLAG_COPIED;
use crate::codec::{Header, HeaderState};
use crate::volume::address::Location;
use crate::volume::anchor::{anchor_place, Head, OPENING};
use crate::volume::anchor_scan::{self, Anchors, Start};
use crate::volume::error::LoadError;
use crate::volume::parameters::{HEAD_BYTES, RINGS_MAX};
use crate::volume::ring::{ring_die, NO_PLACE, RINGS_LEAST};
use crate::volume::segment_table::State;
use crate::volume::{Volume, TIME_JUMP};

use super::SEQUENCES_SKIPPED;

impl<N: Nand> Volume<'_, N> {
    /// Loads the newest checkpoint of which every page can be read from one of its copies.
    pub(in crate::volume) fn load_checkpoint(
        &mut self,
        anchors: &Anchors,
    ) -> Result<Head, LoadError> {
        self.take_rings(anchors);
        let mut tried = None;
        for start in &anchors.starts {
            if tried == Some(start.sequence) {
                continue;
            }
            tried = Some(start.sequence);
            let Some(head) = self.load_sequence(anchors, start.sequence)? else {
                continue;
            };
            self.protect_places(anchors, start.sequence);
            self.checkpoint.from = head.from;
            self.checkpoint.sequence = anchors.sequence;
            self.time = self.time.max(anchors.time + 1);
            if self.rings_expected() > RINGS_LEAST && self.is_ring_absent(anchors) {
                // The ring may come back, with numbers that nobody sees now.
                let beyond = start.sequence.saturating_add(SEQUENCES_SKIPPED);
                self.checkpoint.sequence = self.checkpoint.sequence.max(beyond);
                let times = u64::from(SEQUENCES_SKIPPED) * TIME_JUMP;
                self.time = self.time.max(head.time + times);
            }
            let settled = self.is_settled(anchors, start.sequence)?;
            self.unsettled |= !settled;
            self.unfinished = (!settled).then_some(start.sequence);
            self.void_from = self.void_since(anchors, start.sequence)?;
            return Ok(head);
        }
        Err(LoadError::Damaged)
    }

    /// Takes over the rings that a head names. What its places hold is not known yet.
    pub(super) fn take_rings(&mut self, anchors: &Anchors) {
        let geometry = *self.nand.geometry();
        for (index, ring) in (0u8..).zip(&mut self.rings) {
            let numbers = anchors.head.rings.get(usize::from(index));
            ring.blocks = numbers
                .into_iter()
                .flatten()
                .map(|&number| anchor_scan::block_of(&geometry, number))
                .filter(|block| block.die.0 == ring_die(geometry.dies, index))
                .filter_map(|block| u16::try_from(block.block.0).ok())
                .collect();
            if numbers.is_some_and(|numbers| numbers.len() != ring.blocks.len()) {
                // No format has chosen these.
                ring.blocks.clear();
            }
            ring.slot = anchors.opened[usize::from(index)].unwrap_or(0);
            ring.openings = ring.openings.max(anchors.openings[usize::from(index)]);
            ring.committed = NO_PLACE;
            ring.trace = NO_PLACE;
            ring.leave_place();
        }
    }

    /// Finds the places that must not be erased, and the rings that have no others.
    fn protect_places(&mut self, anchors: &Anchors, sequence: u32) {
        for (index, ring) in (0u8..).zip(&mut self.rings) {
            let newest = anchors
                .starts
                .iter()
                .filter(|at| at.ring == index && at.sequence <= sequence)
                .max_by_key(|at| at.sequence);
            ring.committed = newest.map_or(NO_PLACE, |at| at.slot);
            let trace = anchors
                .attempts
                .iter()
                .filter(|at| at.ring == index && at.confirmed && at.sequence > sequence)
                .max_by_key(|at| at.sequence);
            ring.trace = trace.map_or(NO_PLACE, |at| at.slot);
        }
        self.leave_out_used_up();
    }

    /// Rings that the volume was made with.
    fn rings_expected(&self) -> usize {
        self.parameters.rings(self.shape.dies()).into()
    }

    /// True when nothing can be read of a ring that is in use.
    fn is_ring_absent(&self, anchors: &Anchors) -> bool {
        let rings = self.rings.iter().zip(&anchors.opened);
        rings
            .into_iter()
            .any(|(ring, opened)| ring.in_use() && opened.is_none())
    }

    fn load_sequence(
        &mut self,
        anchors: &Anchors,
        sequence: u32,
    ) -> Result<Option<Head>, LoadError> {
        let mut head = None;
        for id in 0..self.quota.checkpoint_pages {
            let Some(page) = self.find_anchor(anchors, sequence, id)? else {
                return Ok(None);
            };
            if let Some(loaded) = self.take_anchor(page, id) {
                head = Some(loaded);
            }
        }
        Ok(head.filter(|head| head.parameters == self.parameters))
    }

    /// Reads the `id`-th page of a checkpoint from whichever copy has it, into the buffer of its die.
    pub(in crate::volume) fn find_anchor(
        &mut self,
        anchors: &Anchors,
        sequence: u32,
        id: u32,
    ) -> Result<Option<PageAddress>, LoadError> {
        let layout = self.shape.layout;
        for start in &anchors.starts {
            let page = match self.anchor_address(start, id) {
                Some(page) if start.sequence == sequence => page,
                _ => continue,
            };
            if anchor_scan::read_anchor(&mut self.nand, &layout, page, id, Some(sequence))? {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }

    /// True when so many copies of a checkpoint are known to be finished that one of them is left when all rings in use but two are lost: all but one of those that
    /// can be read. Of the copies written with it the last one may be what the cut has hit, the others were finished before that was begun; one that a later session has
    /// made was finished if there is something behind it.
    fn is_settled(&mut self, anchors: &Anchors, sequence: u32) -> Result<bool, LoadError> {
        let rings = self.rings.iter().zip(&anchors.opened);
        let there = rings
            .filter(|(ring, opened)| ring.in_use() && opened.is_some())
            .count();
        let needed = there.saturating_sub(1).max(1);
        let mut written = [false; RINGS_MAX];
        let mut copied = [false; RINGS_MAX];
        for start in anchors.starts.iter().filter(|at| at.sequence == sequence) {
            let Some(last) = self.last_anchor(start)? else {
                continue;
            };
            let ring = usize::from(start.ring);
            if last.flags & FLAG_COPIED == 0 {
                written[ring] = true;
            } else {
                copied[ring] |= last.time < anchors.time;
            }
            let newest = written.iter().rposition(|&written| written);
            let finished =
                (0..RINGS_MAX).filter(|&at| copied[at] || (written[at] && Some(at) != newest));
            if finished.count() >= needed {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The header of the last page of a copy of a checkpoint, if it is there. Pages are programmed in order.
    fn last_anchor(&mut self, start: &Start) -> Result<Option<Header>, LoadError> {
        let id = self.quota.checkpoint_pages - 1;
        let layout = self.shape.layout;
        let Some(page) = self.anchor_address(start, id) else {
            return Ok(None);
        };
        if !anchor_scan::read_anchor(&mut self.nand, &layout, page, id, Some(start.sequence))? {
            return Ok(None);
        }
        let place = anchor_place(self.nand.geometry(), page, self.shape.units());
        let buffer = self.nand.buffer(page.die(), Buffer::First);
        Ok(match layout.read_header(buffer, 0, place) {
            HeaderState::Valid(header) => Some(header),
            HeaderState::Erased | HeaderState::Bad => None,
        })
    }

    /// The first log time of attempts to begin a session that checkpoint `sequence` or an older one was to be followed by.
    pub(super) fn void_since(
        &mut self,
        anchors: &Anchors,
        sequence: u32,
    ) -> Result<u64, LoadError> {
        let layout = self.shape.layout;
        let bytes = layout.page_bytes() as usize;
        let mut since = u64::MAX;
        for attempt in &anchors.attempts {
            let at = u32::from(attempt.slot) * self.quota.blocks_per_slot;
            let Some(block) = self.ring_block(attempt.ring, at) else {
                continue;
            };
            let (page, number) = (block.page(0), Some(attempt.sequence));
            if attempt.sequence > sequence
                && anchor_scan::read_anchor(&mut self.nand, &layout, page, OPENING, number)?
            {
                let payload = &self.nand.buffer(page.die(), Buffer::First)[..bytes];
                if let Some(head) = Head::decode(payload) {
                    since = since.min(head.void_from);
                }
            }
        }
        Ok(since)
    }

    fn anchor_address(&self, start: &Start, id: u32) -> Option<PageAddress> {
        let at = start.page + id;
        let block = u32::from(start.slot) * self.quota.blocks_per_slot + at / self.shape.rows;
        Some(
            self.ring_block(start.ring, block)?
                .page((at % self.shape.rows) as u16),
        )
    }

    /// Takes what an anchor page in the buffer of its die holds: a part of head, directory, segment table and bad blocks.
    fn take_anchor(&mut self, page: PageAddress, id: u32) -> Option<Head> {
        let bytes = self.shape.layout.page_bytes();
        let start = id * bytes;
        let payload = &self.nand.buffer(page.die(), Buffer::First)[..bytes as usize];
        let head = if id == 0 { Head::decode(payload) } else { None };
        let directory_start = HEAD_BYTES + self.levels.bytes().len() as u32;
        let table_start = directory_start + 4 * self.directory.len() as u32;
        let bad_start = table_start + self.segments.bytes().len() as u32;
        for (index, &byte) in payload.iter().enumerate() {
            let at = start + index as u32;
            if at < HEAD_BYTES {
                continue;
            } else if at < directory_start {
                self.levels.bytes_mut()[(at - HEAD_BYTES) as usize] = byte;
            } else if at < table_start {
                let at = (at - directory_start) as usize;
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
    pub(super) fn sanitise(&mut self, head: &Head) {
        self.time = self.time.max(head.time);
        self.host_writes = head.host_writes;
        self.wear_base = head.wear_base;
        self.mapped = head.mapped.min(self.shape.capacity);
        self.used = head.used.min(self.room());
        self.random ^= head.time as u32 | 1;
        self.segments.all_old();
        let slots = self.shape.slots();
        for entry in self.directory.iter_mut() {
            if entry.location != Location::UNMAPPED && entry.location.0 >= slots {
                entry.location = Location::LOST;
            }
        }
        for segment in self.segments.iter() {
            if self.segments.level(segment) >= self.parameters.levels() {
                self.segments.set_level(segment, 0);
            }
            let valid = self.segments.valid(segment);
            if valid > self.shape.slots_per_segment() {
                self.segments
                    .set_valid(segment, self.shape.slots_per_segment());
            }
            // What the bad blocks say of a segment counts: a free one without enough good blocks cannot be opened, another cannot be written to.
            if self.is_used_up(segment) {
                match self.segments.state(segment) {
                    State::Free => self.segments.set_state(segment, State::Retired),
                    State::Open | State::Closed => {
                        self.segments.set_state(segment, State::Failing);
                    }
                    _ => {}
                }
            }
        }
    }
}
