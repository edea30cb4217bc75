//! Protection of the journal: the last page of each group holds the XOR of the others.
//!
//! On one die a group is 16 pages of a block; on a segment of several dies it has no two pages on one die as far as its width allows, so that a
//! lost die costs each group one page. No memory is set aside: the pages are read again into a frame.

use cuesta_hal::{Buffer, Completion, Die, Nand};

use super::address::{MapIndex, Segment};
use super::error::Error;
use super::flight::Flight;
use super::io;
use super::job::{Job, Step};
use super::map_page::FrameState;
use super::{Volume, JOURNAL};
use crate::codec::Kind;

/// Frame used to sum up.
const FRAME: usize = 0;
/// Marks that frame as taken.
const SUMMING: FrameState = FrameState::Merging(MapIndex(u32::MAX));

impl<N: Nand> Volume<'_, N> {
    pub(super) fn parity_step(
        &mut self,
        segment: Segment,
        at: u32,
        end: u32,
    ) -> Result<Step, Error> {
        match self.frames.state(FRAME) {
            SUMMING => {}
            FrameState::Loading(_) | FrameState::Merging(_) => return Ok(Step::Wait),
            FrameState::Empty | FrameState::Holds(_) => {
                self.frames.set_state(FRAME, SUMMING);
                self.frames.bytes_mut(FRAME).fill(0);
            }
        }
        let next = self.usable_from(segment, at).unwrap_or(end);
        let page = self.shape.page(segment, next);
        if !self.die_free(page.die()) {
            return Ok(Step::Wait);
        }
        if next < end {
            self.job = Job::Parity {
                segment,
                at: next,
                end,
            };
            self.start_job_read(page, self.shape.layout.page_columns())?;
            return Ok(Step::Wait);
        }
        let bytes = self.shape.layout.page_bytes() as usize;
        self.nand.buffer_mut(page.die(), Buffer::First)[..bytes]
            .copy_from_slice(self.frames.bytes(FRAME));
        self.frames.set_state(FRAME, FrameState::Empty);
        self.program_journal(Kind::Parity, 0, page.die())
    }

    pub(super) fn parity_settled(
        &mut self,
        die: Die,
        segment: Segment,
        at: u32,
        end: u32,
        _completion: Completion,
    ) {
        self.add_journal_page(die, segment, at);
        self.job = Job::Parity {
            segment,
            at: at + 1,
            end,
        };
    }

    /// XORs the page in the buffer of `die` to the sum, if it can be read; true when it could.
    fn add_journal_page(&mut self, die: Die, segment: Segment, offset: u32) -> bool {
        let place = self.shape.location(segment, offset, 0);
        let page = self.nand.buffer(die, Buffer::First);
        let crate::codec::HeaderState::Valid(header) =
            self.shape.layout.read_header(page, 0, place.0)
        else {
            return false;
        };
        if !self.decode_journal_page(die, place, header.kind, header.id) {
            return false;
        }
        let bytes = self.shape.layout.page_bytes() as usize;
        let page = self.nand.buffer(die, Buffer::First);
        for (sum, byte) in self.frames.bytes_mut(FRAME).iter_mut().zip(&page[..bytes]) {
            *sum ^= byte;
        }
        true
    }

    /// Rebuilds an unreadable journal page into frame 0 from the rest of its group, straight through.
    ///
    /// True when every other page of the group could be read. The payload cannot be checked against a CRC of its own; its content is.
    pub(super) fn rebuild_journal_page(
        &mut self,
        segment: Segment,
        offset: u32,
    ) -> Result<bool, Error> {
        let group = self.quota.journal_group;
        let start = offset / group * group;
        let end = (start + group).min(self.shape.pages_per_segment());
        self.frames.set_state(FRAME, FrameState::Empty);
        self.frames.bytes_mut(FRAME).fill(0);
        let mut at = self.usable_from(segment, start);
        let mut parity = false;
        while let Some(next) = at.filter(|&next| next < end) {
            if next != offset {
                let page = self.shape.page(segment, next);
                if self.dies[usize::from(page.die().0)].flight != Flight::None {
                    return Ok(false);
                }
                io::read(&mut self.nand, page, self.shape.layout.page_columns())
                    .map_err(|kind| self.fail(Error::Nand(kind)))?;
                if !self.add_journal_page(page.die(), segment, next) {
                    return Ok(false);
                }
                parity |= self.is_parity(segment, next);
            }
            at = self.usable_from(segment, next + 1);
        }
        Ok(parity)
    }

    /// A map page could not be read: it is rebuilt, or its sectors are lost.
    pub(super) fn map_unreadable(&mut self, map: MapIndex, frame: usize) {
        let location = self.directory[map.0 as usize].location;
        let (segment, offset, _) = self.shape.split(location);
        let open = self
            .append_page(JOURNAL)
            .is_some_and(|(open, _)| open == segment);
        let free = matches!(
            self.frames.state(FRAME),
            FrameState::Empty | FrameState::Holds(_)
        );
        let rebuilt = free
            && !(open && !self.group_closed(segment, offset))
            && self.rebuild_journal_page(segment, offset).unwrap_or(false);
        if rebuilt {
            self.move_sum_to(frame);
            self.frames.set_state(frame, FrameState::Holds(map));
        } else {
            self.fill_lost(frame);
            self.frames.set_state(frame, FrameState::Holds(map));
            self.stats.lost += 1;
        }
    }

    fn group_closed(&self, segment: Segment, offset: u32) -> bool {
        let end = (offset / self.quota.journal_group + 1) * self.quota.journal_group;
        self.append_page(JOURNAL)
            .is_none_or(|(open, next)| open != segment || next >= end)
    }

    fn move_sum_to(&mut self, frame: usize) {
        if frame == FRAME {
            return;
        }
        let mut chunk = [0u8; 128];
        let len = self.frames.bytes(FRAME).len();
        let mut at = 0;
        while at < len {
            let size = chunk.len().min(len - at);
            chunk[..size].copy_from_slice(&self.frames.bytes(FRAME)[at..at + size]);
            self.frames.bytes_mut(frame)[at..at + size].copy_from_slice(&chunk[..size]);
            at += size;
        }
    }
}
