//! The checkpoint that mounting starts from: the newest one that is complete in the pages of its two copies.

use cuesta_hal::{Buffer, Nand, PageAddress};

use crate::codec::header::FLAG_COPIED;
use crate::codec::{Header, HeaderState};
use crate::volume::address::Location;
use crate::volume::anchor::{anchor_place, Head, OPENING};
use crate::volume::anchor_scan::{self, Anchors, Start};
use crate::volume::error::MountError;
use crate::volume::parameters::HEAD_BYTES;
use crate::volume::Volume;

impl<N: Nand> Volume<'_, N> {
    /// Loads the newest checkpoint of which every page can be read from one of its copies.
    pub(in crate::volume) fn load_checkpoint(
        &mut self,
        anchors: &Anchors,
    ) -> Result<Head, MountError> {
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
            let settled = self.is_settled(anchors, start.sequence)?;
            self.unsettled |= !settled;
            self.single_copy = (!settled).then_some(start.sequence);
            self.void_from = self.void_since(anchors, start.sequence)?;
            for (copy, ring) in self.rings.iter_mut().enumerate() {
                let newest = anchors
                    .starts
                    .iter()
                    .filter(|at| usize::from(at.copy) == copy && at.sequence <= start.sequence)
                    .max_by_key(|at| at.sequence);
                ring.committed = newest.map_or(u32::MAX, |at| at.slot);
                let trace = anchors
                    .attempts
                    .iter()
                    .filter(|at| copy == 0 && at.confirmed && at.sequence > start.sequence)
                    .max_by_key(|at| at.sequence);
                ring.trace = trace.map_or(u32::MAX, |at| at.slot);
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
    ) -> Result<Option<PageAddress>, MountError> {
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

    /// True when the cut cannot have touched both copies of a checkpoint: the second was written behind the first, or there is
    /// something behind one that a later session has copied.
    fn is_settled(&mut self, anchors: &Anchors, sequence: u32) -> Result<bool, MountError> {
        let mut complete = [false; 2];
        for start in anchors.starts.iter().filter(|at| at.sequence == sequence) {
            let Some(last) = self.last_anchor(start)? else {
                continue;
            };
            if last.flags & FLAG_COPIED != 0 {
                if last.time < anchors.time {
                    return Ok(true);
                }
            } else {
                complete[usize::from(start.copy)] = true;
            }
        }
        Ok(complete == [true; 2])
    }

    /// The header of the last page of a copy of a checkpoint, if it is there. Pages are programmed in order.
    fn last_anchor(&mut self, start: &Start) -> Result<Option<Header>, MountError> {
        let id = self.quota.checkpoint_pages - 1;
        let layout = self.shape.layout;
        let Some(page) = self.anchor_address(start, id) else {
            return Ok(None);
        };
        if !anchor_scan::read_anchor(&mut self.nand, &layout, page, id, Some(start.sequence))? {
            return Ok(None);
        }
        let place = anchor_place(self.nand.geometry(), page, self.shape.units);
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
    ) -> Result<u64, MountError> {
        let layout = self.shape.layout;
        let bytes = layout.page_bytes() as usize;
        let mut since = u64::MAX;
        for attempt in &anchors.attempts {
            let (page, number) = (attempt.opening, Some(attempt.sequence));
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
        self.mapped = head.mapped;
        self.used = head.used;
        self.random ^= head.time as u32 | 1;
        let slots = self.shape.slots();
        for entry in self.directory.iter_mut() {
            if entry.location != Location::UNMAPPED && entry.location.0 >= slots {
                entry.location = Location::LOST;
            }
        }
        for segment in self.segments.iter() {
            if self.segments.level(segment) >= self.parameters.levels {
                self.segments.set_level(segment, 0);
            }
            let valid = self.segments.valid(segment);
            if valid > self.shape.slots_per_segment() {
                self.segments
                    .set_valid(segment, self.shape.slots_per_segment());
            }
        }
    }
}
