//! Append points: the open segment of each stream, and the next page in it.

use cuesta_hal::{Die, Nand};

use super::address::Segment;
use super::segment_table::State;
use super::stream::JOURNAL;
use super::Volume;

/// An open segment, and the next page in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppendPoint {
    pub(super) segment: Segment,
    /// The next page to program.
    pub(super) next: u32,
}

impl<N: Nand> Volume<'_, N> {
    /// The first usable page of a segment from `offset` on: bad blocks are skipped.
    pub(super) fn usable_from(&self, segment: Segment, offset: u32) -> Option<u32> {
        (offset..self.shape.pages_per_segment()).find(|&at| {
            let block = self.shape.block(segment, at % self.shape.width());
            !self.is_bad(self.shape.block_number(block))
        })
    }

    /// True when a page of a journal segment is kept for the XOR of its group.
    pub(super) fn is_parity(&self, segment: Segment, offset: u32) -> bool {
        if !self.has_journal_parity() {
            return false;
        }
        let group = self.quota.journal_group;
        let end = (offset / group + 1) * group;
        match self.usable_from(segment, offset + 1) {
            Some(next) => next >= end,
            None => true,
        }
    }

    /// The page where a stream goes on.
    pub(super) fn append_page(&self, stream: u8) -> Option<(Segment, u32)> {
        let append = self.appends[usize::from(stream)]?;
        Some((append.segment, append.next))
    }

    /// The die of the page where a stream goes on.
    pub(super) fn append_die(&self, stream: u8) -> Option<Die> {
        let (segment, offset) = self.append_page(stream)?;
        Some(self.shape.page(segment, offset).die())
    }

    /// Another stream goes on in a stream's segment, which is of its class from now on: no two open segments have the same stream, by which a mount tells them.
    pub(super) fn hand_over(&mut self, from: u8, to: u8) {
        if from == to {
            return;
        }
        let append = self.appends[usize::from(from)].take();
        self.appends[usize::from(to)] = append;
        if let Some(append) = append {
            let class = self.shape.streams.class(to);
            self.segments.set_class(append.segment, class);
        }
    }

    /// Closes a stream's segment: nothing is appended to it any more.
    pub(super) fn close(&mut self, stream: u8) {
        let Some(append) = self.appends[usize::from(stream)].take() else {
            return;
        };
        if stream == JOURNAL {
            return;
        }
        if self.segments.state(append.segment) == State::Open {
            self.segments.set_state(append.segment, State::Closed);
        }
        // The list has room for every stream: a record page is due before it is full.
        let _ = self.pending.closed.push(append.segment);
    }

    /// Counts a segment as free.
    pub(super) fn release(&mut self, segment: Segment) {
        let was = self.segments.state(segment);
        if was == State::Journal {
            self.journal_segments -= 1;
        }
        self.segments.set_valid(segment, 0);
        if self.is_used_up(segment) {
            self.segments.set_state(segment, State::Retired);
            self.pending.wanted = true;
        } else {
            self.segments.set_state(segment, State::Free);
            self.free += 1;
            self.groom.exhausted = false;
            self.credit.starved = false;
            if was != State::Journal {
                let _ = self.pending.freed.push(segment);
            }
        }
    }

    /// Makes an erased segment the append point of a stream.
    pub(super) fn install(&mut self, stream: u8, segment: Segment) {
        self.free -= u32::from(self.segments.state(segment) == State::Free);
        self.segments.set_young(segment);
        self.segments.set_valid(segment, 0);
        self.segments
            .set_class(segment, self.shape.streams.class(stream));
        // Where a new session begins, the journal goes on here.
        self.close(stream);
        let level = self.level_of_stream(stream);
        self.segments.set_level(segment, level);
        if stream == JOURNAL {
            self.journal_sequence = self.journal_sequence.wrapping_add(1);
            self.segments.set_stamp(segment, self.journal_sequence);
            self.segments.set_state(segment, State::Journal);
            self.journal_segments += 1;
        } else {
            let stamp = self.stamp_now();
            self.segments.set_stamp(segment, stamp);
            self.segments.set_state(segment, State::Open);
        }
        self.appends[usize::from(stream)] = self
            .usable_from(segment, 0)
            .map(|next| AppendPoint { segment, next });
    }

    /// Counts an erase of a segment.
    pub(super) fn wear(&mut self, segment: Segment) {
        let wear = self.segments.wear(segment);
        if wear == u8::MAX {
            self.raise_wear_base();
        }
        let wear = self.segments.wear(segment);
        self.segments.set_wear(segment, wear.saturating_add(1));
    }

    fn raise_wear_base(&mut self) {
        let least = self
            .segments
            .wearing()
            .map(|segment| self.segments.wear(segment))
            .min()
            .unwrap_or(0);
        self.wear_base += u32::from(least);
        for segment in self.segments.iter() {
            let wear = self.segments.wear(segment);
            self.segments.set_wear(segment, wear.saturating_sub(least));
        }
    }
}
