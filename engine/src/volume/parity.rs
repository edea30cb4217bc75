//! Protection of the journal: the last page of each group holds the XOR of the others.
//!
//! On one die a group is 16 pages of a block; on a segment of several dies it has no two pages on one die as far as its width allows, so that a
//! lost die costs each group one page. No memory is set aside: the pages are read again into a frame.

use cuesta_hal::{Buffer, Die, Nand};

use super::address::{MapIndex, Segment};
use super::credit::READ_US;
use super::error::Error;
use super::job::{Job, Step};
use super::map_page::FrameState;
use super::stream::JOURNAL;
use super::Volume;
use crate::codec::{Header, Kind};

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
        summed: u32,
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
                summed,
            };
            self.credit.spend(READ_US);
            self.start_job_read(page, self.shape.layout.page_columns())?;
            return Ok(Step::Wait);
        }
        let bytes = self.shape.layout.page_bytes() as usize;
        self.nand.buffer_mut(page.die(), Buffer::First)[..bytes]
            .copy_from_slice(self.frames.bytes(FRAME));
        self.frames.set_state(FRAME, FrameState::Empty);
        self.program_journal(Kind::Parity, summed, page.die(), self.settled_until())
    }

    pub(super) fn parity_settled(
        &mut self,
        die: Die,
        segment: Segment,
        at: u32,
        end: u32,
        summed: u32,
    ) {
        let readable = self.add_journal_page(die, segment, at).is_some();
        let bit = u32::from(readable) << (at % self.quota.journal_group);
        self.job = Job::Parity {
            segment,
            at: at + 1,
            end,
            summed: summed | bit,
        };
    }

    /// XORs the page in the buffer of `die` to the sum, if it can be read; gives its header.
    fn add_journal_page(&mut self, die: Die, segment: Segment, offset: u32) -> Option<Header> {
        let place = self.shape.location(segment, offset, 0);
        let page = self.nand.buffer(die, Buffer::First);
        let crate::codec::HeaderState::Valid(header) =
            self.shape.layout.read_header(page, 0, place.0)
        else {
            return None;
        };
        if !self.decode_journal_page(die, place, header.kind, header.id) {
            return None;
        }
        let bytes = self.shape.layout.page_bytes() as usize;
        let page = self.nand.buffer(die, Buffer::First);
        for (sum, byte) in self.frames.bytes_mut(FRAME).iter_mut().zip(&page[..bytes]) {
            *sum ^= byte;
        }
        Some(header)
    }

    /// Rebuilds an unreadable journal page into frame 0 from the rest of its group, straight through.
    ///
    /// `None`: not possible while others use the dies or the frame. True when every other page of the group could be read and was
    /// summed up by the parity page; each of them was checked, so the result needs no check of its own.
    pub(super) fn rebuild_journal_page(
        &mut self,
        segment: Segment,
        offset: u32,
    ) -> Result<Option<bool>, Error> {
        if !self.has_journal_parity() {
            return Ok(Some(false));
        }
        let busy = self.is_in_flight();
        let frame_free = matches!(
            self.frames.state(FRAME),
            FrameState::Empty | FrameState::Holds(_)
        );
        if busy || !frame_free || self.groom.holding() {
            return Ok(None);
        }
        let group = self.quota.journal_group;
        let start = offset / group * group;
        let end = (start + group).min(self.shape.pages_per_segment());
        self.frames.set_state(FRAME, FrameState::Empty);
        self.frames.bytes_mut(FRAME).fill(0);
        // Which pages are in the sum only the parity page tells: a block may have gone bad since.
        let mut summed = None;
        for at in (start..end).rev() {
            let page = self.shape.page(segment, at);
            let added = self.read_page_until(page, |volume| {
                volume.add_journal_page(page.die(), segment, at)
            });
            if let Some(header) = added.map_err(|kind| self.fail(Error::Nand(kind)))? {
                if header.kind == Kind::Parity {
                    summed = Some((at, header.id));
                    break;
                }
                self.frames.bytes_mut(FRAME).fill(0);
            }
        }
        let Some((parity, summed)) =
            summed.filter(|(_, summed)| summed >> (offset - start) & 1 != 0)
        else {
            return Ok(Some(false));
        };
        for at in start..parity {
            if at == offset || summed >> (at - start) & 1 == 0 {
                continue;
            }
            let page = self.shape.page(segment, at);
            let added = self.read_page_until(page, |volume| {
                volume.add_journal_page(page.die(), segment, at)
            });
            let added = added.map_err(|kind| self.fail(Error::Nand(kind)))?;
            if added.is_none() {
                return Ok(Some(false));
            }
        }
        Ok(Some(true))
    }

    /// A map page could not be read: it is read again a few times, then rebuilt, or its sectors are lost.
    pub(super) fn map_unreadable(&mut self, map: MapIndex, frame: usize) {
        self.map_tries += 1;
        let location = self.directory[map.0 as usize].location;
        if self.attempt(location, self.map_tries).is_some() {
            return;
        }
        let (segment, offset, _) = self.shape.split(location);
        if self.can_be_made(segment) {
            self.map_by_vote(map, frame);
            return;
        }
        let rebuilt = if self.group_closed(segment, offset) {
            self.rebuild_journal_page(segment, offset)
        } else {
            Ok(Some(false))
        };
        match rebuilt {
            Ok(Some(true)) => self.move_sum_to(frame),
            Ok(Some(false)) => {
                self.fill_lost(frame);
                self.stats.lost += 1;
            }
            // Whoever waits for it asks again.
            Ok(None) | Err(_) => return,
        }
        self.map_tries = 0;
        self.frames.set_state(frame, FrameState::Holds(map));
    }

    /// Makes a map page again from copies none of which can be read; its sectors are lost if that does not help either.
    fn map_by_vote(&mut self, map: MapIndex, frame: usize) {
        let location = self.directory[map.0 as usize].location;
        let (segment, offset, _) = self.shape.split(location);
        if self.is_in_flight() || self.groom.holding() {
            // Whoever waits for it asks again.
            return;
        }
        match self.rebuild_now(segment, offset) {
            Ok(Some(die)) if self.decode_journal_page(die, location, Kind::Map, map.0) => {
                let bytes = self.shape.layout.page_bytes() as usize;
                let page = self.nand.buffer(die, Buffer::First);
                self.frames.bytes_mut(frame).copy_from_slice(&page[..bytes]);
            }
            Ok(_) => {
                self.fill_lost(frame);
                self.stats.lost += 1;
            }
            Err(_) => return,
        }
        self.map_tries = 0;
        self.frames.set_state(frame, FrameState::Holds(map));
    }

    /// True when the parity page of a journal page's group was written.
    fn group_closed(&self, segment: Segment, offset: u32) -> bool {
        let end = (offset / self.quota.journal_group + 1) * self.quota.journal_group;
        self.has_journal_parity()
            && self
                .append_page(JOURNAL)
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
