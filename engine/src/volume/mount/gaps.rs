//! Journal pages that were written and cannot be found: their headers cannot be read, but others lie behind them.
//!
//! A map page that is missing costs nothing that is not found out: the deltas that it covers are in the record pages, and whoever asks the page before it gets that or
//! an error. A record page that is missing would make old data pass for new: it is made again from its group, or the volume is damaged.

use core::ops::Range;

use cuesta_hal::{Buffer, Die, Nand};

use crate::codec::{HeaderState, Kind};
use crate::volume::address::Segment;
use crate::volume::anchor::Position;
use crate::volume::error::LoadError;
use crate::volume::stream::JOURNAL;
use crate::volume::{io, Volume};

/// What is missing of a journal.
#[derive(Debug)]
pub(super) struct Gaps {
    /// Log time of the first page that counts.
    since: u64,
    /// The newest record page was made again, and nobody knows its log time.
    pub untimed: bool,
}

impl Gaps {
    /// None so far, in a journal whose first page has this log time.
    pub(super) const fn since(since: u64) -> Self {
        Self {
            since,
            untimed: false,
        }
    }

    /// A page was replayed.
    pub(super) fn passed(&mut self, kind: Kind) {
        self.untimed &= kind != Kind::Record;
    }
}

impl<N: Nand> Volume<'_, N> {
    /// Replays what can be made again of the pages at some offsets, none of which could be read, and another one behind them.
    ///
    /// # Errors
    /// A page cannot be made again, though it was written: it may have been a record page.
    pub(super) fn fill_gap(
        &mut self,
        segment: Segment,
        offsets: Range<u32>,
        gaps: &mut Gaps,
    ) -> Result<(), LoadError> {
        for offset in offsets {
            let place = self.shape.location(segment, offset, 0);
            let is_known_map = self.directory.iter().any(|entry| entry.location == place);
            if self.in_bad_block(segment, offset)
                || self.is_void(segment, offset)
                || self.is_parity(segment, offset)
                || is_known_map
            {
                continue;
            }
            match self.make_record(segment, offset)? {
                Some(die) => {
                    let taken = self.take_record(die)?;
                    self.enter_journal(segment, self.journal_sequence, None);
                    gaps.untimed |= taken;
                }
                // A block whose erase has failed when the segment was opened has none; which blocks are bad stands further on.
                None if self.is_journal_block(segment, offset, gaps.since)? => {
                    return Err(LoadError::Damaged);
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Makes a journal page again, in the buffer of its die, from its group; `None` if that cannot be. It is a record page if it looks like one.
    pub(super) fn make_record(
        &mut self,
        segment: Segment,
        offset: u32,
    ) -> Result<Option<Die>, LoadError> {
        match self.rebuild_journal_page(segment, offset) {
            Ok(Some(true)) => {}
            Ok(_) => return Ok(None),
            Err(_) => return Err(LoadError::Damaged),
        }
        let frame = 0;
        let bytes = self.shape.layout.page_bytes() as usize;
        let die = self.shape.page(segment, offset).die();
        let page = self.nand.buffer_mut(die, Buffer::First);
        page[..bytes].copy_from_slice(self.frames.bytes(frame));
        Ok(Some(die))
    }

    /// True when the page behind the last one that was found was programmed, though nothing can have torn it: the volume was ended cleanly.
    pub(super) fn is_cut_short(&mut self, end: &Position, gaps: &Gaps) -> Result<bool, LoadError> {
        let Some(next) = self.usable_from(end.segment, end.offset + 1) else {
            return Ok(false);
        };
        if self.parameters.copies() > 1 || self.is_void(end.segment, next) {
            return Ok(false);
        }
        Ok(self.owner_at(end.segment, next)? == Err(HeaderState::Bad)
            && self.is_written(end.segment, next)?
            && self.is_journal_block(end.segment, next, gaps.since)?)
    }

    /// True when so many bits of a page are 0 that no erased one could have them.
    fn is_written(&mut self, segment: Segment, offset: u32) -> Result<bool, LoadError> {
        let page = self.shape.page(segment, offset);
        io::read(&mut self.nand, page, self.shape.layout.page_columns())?;
        let bytes = self.shape.layout.page_bytes() as usize;
        let main = &self.nand.buffer(page.die(), Buffer::First)[..bytes];
        let zeros: u32 = main.iter().map(|byte| byte.count_zeros()).sum();
        Ok(zeros as usize >= bytes / 2)
    }

    /// True when the block of a page holds a journal page of this log time or later: it was erased for the journal, and its die answers.
    fn is_journal_block(
        &mut self,
        segment: Segment,
        offset: u32,
        since: u64,
    ) -> Result<bool, LoadError> {
        let width = self.shape.width() as usize;
        for at in (offset % self.shape.width()..self.shape.pages_per_segment()).step_by(width) {
            if let Ok((_, header)) = self.owner_at(segment, at)? {
                if header.stream == JOURNAL && header.time >= since {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}
