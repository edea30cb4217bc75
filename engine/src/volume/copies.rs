//! The copies of a page: where they are, how they are programmed, and which page is read when another cannot be.
//!
//! The first page of a stripe is the one that the index names. Its copies are the next usable pages of the segment: each in another column, so in
//! another block, on another die where there are several. All are programmed from the same bytes, and checks start from the place of the first one: so
//! a copy can be taken for nothing else, and wherever a page cannot be read, one of those behind it that reads as the page itself will do.

use cuesta_hal::{Buffer, Die, Nand, PageAddress};

use super::address::{Location, Segment};
use super::append_point::AppendPoint;
use super::error::Error;
use super::flight::Flight;
use super::read::TRIES_MAX;
use super::segment_table::State;
use super::stream::JOURNAL;
use super::stripe::{Offsets, Stripe};
use super::Volume;
use crate::codec::{Header, HeaderState};

impl<N: Nand> Volume<'_, N> {
    /// Copies of a page of a segment.
    pub(super) fn copies_in(&self, segment: Segment) -> u32 {
        match self.segments.state(segment) {
            State::Journal => self.parameters.copies().into(),
            _ => self
                .redundancy_of(self.segments.level(segment))
                .copies()
                .into(),
        }
    }

    /// Offsets among which the pages of any stripe lie, where its level is not known.
    pub(super) fn reach_max(&self) -> u32 {
        match self.parameters.copies() {
            1 => 1,
            _ => self.shape.width(),
        }
    }

    /// Offsets among which the pages of a stripe lie.
    fn reach(&self, segment: Segment) -> u32 {
        match self.copies_in(segment) {
            1 => 1,
            _ => self.shape.width(),
        }
    }

    /// The pages of the stripe that would begin at or behind `offset`, with so many `staged` pages to be programmed; `None` where too few are left.
    fn stripe_from(&self, segment: Segment, offset: u32, staged: usize) -> Option<Offsets> {
        let first = self.usable_from(segment, offset)?;
        if self.parity_in(segment) > 0 {
            let data = self.data_pages_at(segment, first).min(staged.max(1));
            return (data > 0).then(|| self.usable_pages(segment, first, data + 1));
        }
        let copies = self.copies_in(segment) as usize;
        let offsets = self.usable_pages(segment, first, copies);
        (offsets.len() == copies).then_some(offsets)
    }

    /// The next usable pages of a segment from `first` on: so many at most, no two of them in one block.
    pub(super) fn usable_pages(&self, segment: Segment, first: u32, most: usize) -> Offsets {
        let end = (first + self.shape.width()).min(self.shape.pages_per_segment());
        let mut offsets = Offsets::new();
        let mut from = first;
        while offsets.len() < most {
            match self.usable_from(segment, from).filter(|&at| at < end) {
                Some(at) if offsets.push(at).is_ok() => from = at + 1,
                _ => break,
            }
        }
        offsets
    }

    /// The pages where a stream goes on.
    pub(super) fn next_stripe(&self, stream: u8) -> Option<(Segment, Offsets)> {
        let (segment, offset) = self.append_page(stream)?;
        let staged = match self.parity_in(segment) {
            0 => 1,
            _ => self.staged_pages(stream),
        };
        Some((segment, self.stripe_from(segment, offset, staged)?))
    }

    /// True when a page where a stream goes on is on the die.
    pub(super) fn next_stripe_needs(&self, stream: u8, die: Die) -> bool {
        self.next_stripe(stream).is_some_and(|(segment, offsets)| {
            let on = |&offset: &u32| self.shape.page(segment, offset).die() == die;
            offsets.iter().any(on)
        })
    }

    /// The die of the first page where a stream goes on, if every die that is needed is free, or is `held` by the caller.
    pub(super) fn ready_die(&self, stream: u8, held: Option<Die>) -> Option<Die> {
        let (segment, offsets) = self.next_stripe(stream)?;
        let die = |offset: u32| self.shape.page(segment, offset).die();
        offsets
            .iter()
            .all(|&offset| Some(die(offset)) == held || self.die_free(die(offset)))
            .then(|| die(offsets[0]))
    }

    /// Takes the pages where a stream goes on, and closes the segment behind its last ones.
    pub(super) fn take_stripe(&mut self, stream: u8) -> Option<(Segment, Offsets)> {
        let (segment, offsets) = self.next_stripe(stream)?;
        let behind = offsets.last()? + 1;
        let next = self.stripe_from(segment, behind, 1);
        match next.as_ref().and_then(|next| next.first()) {
            Some(&next) => {
                self.appends[usize::from(stream)] = Some(AppendPoint { segment, next });
            }
            None => self.close(stream),
        }
        Some((segment, offsets))
    }

    /// Starts the programs of a stripe whose first page is encoded in the buffer of its die. The caller says what is in flight there.
    pub(super) fn start_stripe(
        &mut self,
        segment: Segment,
        offsets: &Offsets,
    ) -> Result<Stripe, Error> {
        let first = offsets.first().copied().unwrap_or(0);
        let page = self.shape.page(segment, first);
        let mut stripe = Stripe::started(first);
        self.start_own(page)?;
        for &offset in offsets.iter().skip(1) {
            let copy = self.shape.page(segment, offset);
            if copy.die() == page.die() {
                stripe.waits(offset);
                continue;
            }
            self.copy_raw(page.die(), copy.die());
            self.start_own(copy)?;
            self.dies[usize::from(copy.die().0)].flight = Flight::Copy {
                of: page.die(),
                offset,
            };
            stripe.started_elsewhere();
        }
        Ok(stripe)
    }

    /// Starts the program of a page from the buffer of its die.
    pub(super) fn start_own(&mut self, page: PageAddress) -> Result<(), Error> {
        match self.nand.start_program(page, Buffer::First) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.nand_failed(&error)),
        }
    }

    /// How far behind the first page of a stripe its last one lies.
    pub(super) fn span(offsets: &Offsets) -> u8 {
        let span = offsets.last().zip(offsets.first());
        span.map_or(0, |(last, first)| (last - first) as u8)
    }

    /// The page to be read at the `tries`-th try of what belongs to a location; `None` when all have been tried.
    pub(super) fn attempt(&self, location: Location, tries: u8) -> Option<PageAddress> {
        let (segment, offset, _) = self.shape.split(location);
        let ahead = match self.reach(segment) {
            1 if tries < TRIES_MAX => 0,
            1 => return None,
            reach => Some(u32::from(tries).saturating_sub(1)).filter(|&ahead| ahead < reach)?,
        };
        let at = offset + ahead;
        (at < self.shape.pages_per_segment()).then(|| self.shape.page(segment, at))
    }

    /// A copy of the page that belongs to a location, at the first try: where the die of the page is not free and that of the copy is. Nothing says that it is
    /// there: a block may have gone bad in between.
    pub(super) fn free_copy(&self, location: Location, tries: u8) -> Option<PageAddress> {
        let (segment, offset, _) = self.shape.split(location);
        let copies = self.copies_in(segment) as usize;
        if tries > 0 || copies == 1 || self.die_free(self.shape.page(segment, offset).die()) {
            return None;
        }
        let pages = self.usable_pages(segment, offset, copies);
        let mut copies = pages.iter().skip(1).map(|&at| self.shape.page(segment, at));
        copies.find(|page| self.die_free(page.die()))
    }

    /// What the page at an offset is, by the header in the buffer of its die: the first page of its stripe, and the header of its first unit.
    pub(super) fn owner(
        &self,
        segment: Segment,
        offset: u32,
    ) -> Result<(u32, Header), HeaderState> {
        let die = self.shape.page(segment, offset).die();
        let page = self.nand.buffer(die, Buffer::First);
        let mut found = HeaderState::Bad;
        for ahead in 0..self.reach_max().min(offset + 1) {
            let first = offset - ahead;
            let place = self.shape.location(segment, first, 0);
            match self.shape.layout.read_header(page, 0, place.0) {
                HeaderState::Valid(header) if u32::from(header.span) >= ahead => {
                    return Ok((first, header));
                }
                HeaderState::Erased => return Err(HeaderState::Erased),
                state => found = state,
            }
        }
        Err(match found {
            HeaderState::Valid(_) => HeaderState::Bad,
            found => found,
        })
    }

    /// The offset behind the stripe that begins at `first`, by a header of it: within the segment, whatever the header says.
    pub(super) fn behind(&self, first: u32, header: &Header) -> u32 {
        (first + u32::from(header.span) + 1).min(self.shape.pages_per_segment())
    }

    /// Offsets at which pages of the stripe that begins at `offset` may be.
    pub(super) fn stripe_pages(&self, segment: Segment, offset: u32) -> core::ops::Range<u32> {
        offset..(offset + self.reach(segment)).min(self.shape.pages_per_segment())
    }

    /// True when the page at `physical` may be one of the stripe that begins at `location`.
    pub(super) fn may_share_stripe(&self, location: Location, physical: Location) -> bool {
        if !location.is_mapped() || !physical.is_mapped() {
            return false;
        }
        let (segment, first, _) = self.shape.split(location);
        let (other, offset, _) = self.shape.split(physical);
        segment == other && (first..first + self.reach(segment)).contains(&offset)
    }

    /// Parity protects journal pages of which there is one copy.
    pub(super) fn has_journal_parity(&self) -> bool {
        self.parameters.copies() == 1
    }

    /// Pages that the journal programs at a time.
    pub(super) fn journal_copies(&self) -> u32 {
        self.appends[usize::from(JOURNAL)].map_or(1, |open| self.copies_in(open.segment))
    }

    /// Copies the whole page in a die's buffer into that of another.
    pub(super) fn copy_raw(&mut self, from: Die, to: Die) {
        self.copy_between(from, to, self.shape.layout.raw_bytes() as usize);
    }
}
