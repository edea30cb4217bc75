//! The checkpoint that mounting starts from: the newest one that is complete in the pages of its two copies.

use cuesta_hal::{Buffer, Nand, PageAddress};

use crate::volume::address::Location;
use crate::volume::anchor_scan::{self, Anchors, Start};
use crate::volume::checkpoint::Head;
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
    pub(super) fn sanitise(&mut self, head: &Head) {
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
}
