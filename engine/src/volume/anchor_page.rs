//! What anchor pages hold, and how they are encoded.

use cuesta_hal::{Buffer, Die, Nand, PageAddress};
use heapless::Vec;

use super::anchor::{anchor_place, page_at, Head, RingBlocks, CONFIRMING, OPENING};
use super::parameters::{HEAD_BYTES, RINGS_MAX, RING_BLOCKS_MAX};
use super::segment_table::State;
use super::{Volume, JOURNAL};
use crate::codec::header::{FLAG_ATTEMPT, FLAG_FORMATTING};
use crate::codec::{Header, Kind};

/// The most opened places of a ring that a header tells: it has three bytes for them.
const OPENINGS_MAX: u32 = 0xFF_FFFF;

impl<N: Nand> Volume<'_, N> {
    /// Encodes the `page`-th page of the checkpoint into the buffer of `die`.
    pub(super) fn fill_anchor(&mut self, die: Die, copy: u8, page: u32) {
        let bytes = self.shape.layout.page_bytes();
        let mut head_bytes = [0u8; HEAD_BYTES as usize];
        self.head().encode(&mut head_bytes);
        self.mark_unrecorded(State::Closed);
        let start = match page {
            OPENING => 0,
            page => page.saturating_mul(bytes),
        };
        let main = &mut self.nand.buffer_mut(die, Buffer::First)[..bytes as usize];
        main.fill(0);
        let directory = self.directory.len() as u32 * 4;
        let table = self.segments.bytes();
        let levels = self.levels.bytes();
        let directory_start = HEAD_BYTES + levels.len() as u32;
        let table_start = directory_start + directory;
        let bad_start = table_start + table.len() as u32;
        // A confirming page has nothing to say but that it is there.
        let filled = if page == CONFIRMING { 0 } else { main.len() };
        for (index, byte) in main[..filled].iter_mut().enumerate() {
            let at = start + index as u32;
            *byte = if at < HEAD_BYTES {
                head_bytes[at as usize]
            } else if at < directory_start {
                levels[(at - HEAD_BYTES) as usize]
            } else if at < table_start {
                let at = (at - directory_start) as usize;
                self.directory[at / 4].location.0.to_le_bytes()[at % 4]
            } else if at < bad_start {
                table[(at - table_start) as usize]
            } else {
                self.bad_blocks
                    .get((at - bad_start) as usize)
                    .copied()
                    .unwrap_or(0)
            };
        }
        self.mark_unrecorded(State::Free);
        if let Some(address) = self.anchor_page(copy, page_at(page)) {
            self.encode_anchor(address, page, self.checkpoint.sequence.wrapping_add(1));
        }
    }

    /// Encodes the page that says that the part is being formatted.
    pub(super) fn fill_formatting(&mut self, page: PageAddress) {
        let bytes = self.shape.layout.page_bytes() as usize;
        let mut head_bytes = [0u8; HEAD_BYTES as usize];
        self.head().encode(&mut head_bytes);
        let main = &mut self.nand.buffer_mut(page.die(), Buffer::First)[..bytes];
        main.fill(0);
        for (byte, head) in main.iter_mut().zip(head_bytes) {
            *byte = head;
        }
        self.encode_anchor_as(page, OPENING, 0, FLAG_FORMATTING);
    }

    /// Encodes the anchor page whose payload is in the buffer of its die.
    fn encode_anchor(&mut self, page: PageAddress, id: u32, sequence: u32) {
        let flags = if self.recovering && id == OPENING {
            FLAG_ATTEMPT
        } else {
            0
        };
        self.encode_anchor_as(page, id, sequence, flags);
    }

    pub(super) fn encode_anchor_as(
        &mut self,
        page: PageAddress,
        id: u32,
        sequence: u32,
        flags: u8,
    ) {
        let place = anchor_place(self.nand.geometry(), page, self.shape.units());
        let header = Header {
            kind: Kind::Anchor,
            level: 0,
            flags,
            span: 0,
            time: self.take_time(),
            id,
            birth: sequence,
            stream: JOURNAL,
            erases: match id {
                OPENING => self.openings_at(page.block).min(OPENINGS_MAX),
                _ => 0,
            },
        };
        self.encode_meta(page.die(), place, &header);
    }

    /// What was freed since the last record page is not free for whoever mounts: the trims that emptied it may be lost.
    fn mark_unrecorded(&mut self, state: State) {
        for index in 0..self.pending.freed.len() {
            self.segments.set_state(self.pending.freed[index], state);
        }
        for index in 0..self.pending.freeing.len() {
            self.segments.set_state(self.pending.freeing[index], state);
        }
    }

    fn head(&self) -> Head {
        let geometry = self.nand.geometry();
        Head {
            parameters: self.parameters,
            dies: geometry.dies,
            blocks_per_die: geometry.blocks_per_die,
            pages_per_block: geometry.pages_per_block,
            page_bytes: geometry.page_bytes,
            spare_bytes: geometry.spare_bytes,
            clean: self.checkpoint.clean,
            sequence: self.checkpoint.sequence.wrapping_add(1),
            from: self.checkpoint.next_from,
            time: self.time,
            void_from: self.void_from,
            host_writes: self.host_writes,
            wear_base: self.wear_base,
            mapped: self.mapped,
            used: self.used,
            rings: self.ring_numbers(),
        }
    }

    /// The blocks of each ring, by their numbers.
    fn ring_numbers(&self) -> Vec<RingBlocks, RINGS_MAX> {
        let numbers = |ring: u8| {
            (0..RING_BLOCKS_MAX as u32)
                .map_while(|index| self.ring_block(ring, index))
                .map(|block| self.shape.block_number(block) as u32)
                .collect()
        };
        (0..self.parameters.rings(self.shape.dies()))
            .map(numbers)
            .collect()
    }
}
