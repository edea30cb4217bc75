//! Stripes with parity: pages of sector data that are programmed together, with one that holds their exclusive or.
//!
//! The data pages are filled in the stage of their stream, which keeps them until all programs have settled. Only then does the index name them, so
//! no page of sector data is ever without what it can be made again from.

use cuesta_hal::{Buffer, Die, Nand};

use super::address::Segment;
use super::error::Error;
use super::event::Outcome;
use super::flight::{Flight, Member, Progress};
use super::Volume;
use crate::codec::{Header, HeaderSum, Kind};

/// Pages before a parity page that may be in it: as many as its header has bits for.
const REACH: u32 = 24;

/// Where the header of a page of data has the erase count, that of its parity page has a bit for each page that is summed: the lowest for the page before it.
pub(super) const fn bit_of(parity: u32, offset: u32) -> u32 {
    if offset < parity && parity - offset <= REACH {
        1 << (parity - offset - 1)
    } else {
        0
    }
}

/// The pages that a parity page sums, the first one first.
pub(super) fn summed(parity: u32, mask: u32) -> impl Iterator<Item = u32> {
    (0..REACH)
        .rev()
        .filter(move |bit| mask >> bit & 1 != 0)
        .filter_map(move |bit| parity.checked_sub(bit + 1))
}

/// The log time of a page of a stripe: those of its pages follow each other, that of the parity page is the last.
pub(super) fn time_of(offset: u32, parity: u32, header: &Header) -> u64 {
    let behind = header.erases & (bit_of(parity, offset) * 2).wrapping_sub(1);
    header.time.wrapping_sub(u64::from(behind.count_ones()))
}

impl<N: Nand> Volume<'_, N> {
    /// Pages of data to one of parity, at a level; 0 where there is no parity.
    pub(super) fn parity_of(&self, level: u8) -> u32 {
        match self.parameters.parity() {
            0 => 0,
            _ => self.redundancy_of(level).parity().into(),
        }
    }

    /// Pages of data to one of parity, in a segment of sector data; 0 where there is no parity.
    pub(super) fn parity_in(&self, segment: Segment) -> u32 {
        match self.segments.state(segment) {
            super::State::Journal => 0,
            _ => self.parity_of(self.segments.level(segment)),
        }
    }

    /// Offsets among which the pages of any stripe with parity lie.
    pub(super) fn parity_reach(&self) -> u32 {
        self.shape.width().min(REACH + 1)
    }

    /// Pages of data in a stripe that begins at a usable page: as many as its level has, fewer at both ends of a segment. The first stripe is shorter by the
    /// number of the segment, so that parity is not always on the same die.
    pub(super) fn data_pages_at(&self, segment: Segment, first: u32) -> usize {
        let most = self.parity_in(segment);
        let most = match self.usable_from(segment, 0) {
            Some(begin) if begin == first && most > 0 => 1 + segment.0 / self.shape.groups() % most,
            _ => most,
        };
        let pages = self.usable_pages(segment, first, most as usize + 1);
        let near = |&at: &u32| at - first < self.parity_reach();
        let pages = pages.iter().copied().filter(near).count();
        pages.saturating_sub(1)
    }

    /// Pages of data in the next stripe of a stream at a level with parity.
    pub(super) fn next_data_pages(&self, stream: u8) -> usize {
        match self.append_page(stream) {
            Some((segment, offset)) => self
                .usable_from(segment, offset)
                .map_or(0, |first| self.data_pages_at(segment, first))
                .max(1),
            None => self.parity_of(self.level_of_stream(stream)) as usize,
        }
    }

    /// Programs the staged pages of a stream whose dies are free, as many as the next stripe takes, and their parity.
    pub(super) fn program_stripe(&mut self, stream: u8) -> Result<(), Error> {
        let Some((segment, offsets)) = self.take_stripe(stream) else {
            return Err(Error::NoSpace);
        };
        let Some((&parity, data)) = offsets.split_last() else {
            return Err(Error::NoSpace);
        };
        let first = self.first_stage(stream);
        let parity_die = self.shape.page(segment, parity).die();
        let bytes = self.shape.layout.page_bytes() as usize;
        self.nand.buffer_mut(parity_die, Buffer::First)[..bytes].fill(0);
        let mut sum = HeaderSum::default();
        let mut mask = 0;
        for (page, &offset) in (0u8..).zip(data) {
            let at = first + usize::from(page);
            let time = self.take_time();
            let common = self.data_header(segment, 0, time);
            let units = &self.stages[at].units;
            let headers = super::write::headers_of(units, &common);
            let filled = units.len() * self.sector_bytes();
            self.stats.padding += self.shape.units() - units.len() as u32;
            let staged = &self.stage_pages[at * bytes..at * bytes + filled];
            add(self.nand.buffer_mut(parity_die, Buffer::First), staged);
            for (unit, header) in (0..).zip(&headers) {
                sum.add(unit, header);
                let location = self.shape.location(segment, offset, unit);
                self.validate(location);
            }
            mask |= bit_of(parity, offset);
            let die = self.shape.page(segment, offset).die();
            self.load_staged(at, die);
            self.encode_data(die, segment, offset, &headers);
            self.start_member(Member {
                stream,
                page: Some(page),
                segment,
                offset,
                time,
                progress: Progress::Flying,
            })?;
        }
        let time = self.take_time();
        let common = Header {
            kind: Kind::Parity,
            erases: mask,
            ..self.data_header(segment, 0, time)
        };
        let headers: heapless::Vec<Header, { super::parameters::UNITS_MAX }> =
            (0..self.stages[first].units.len() as u32)
                .map(|unit| sum.parity(unit, &common))
                .collect();
        self.encode_data(parity_die, segment, parity, &headers);
        self.start_member(Member {
            stream,
            page: None,
            segment,
            offset: parity,
            time,
            progress: Progress::Flying,
        })?;
        self.stats.data_pages += offsets.len() as u32;
        let stage = &mut self.stages[first];
        stage.push = false;
        stage.flying = data.len() as u8;
        Ok(())
    }

    /// Encodes the page of sector data whose payloads are in the buffer of a die for its place.
    pub(super) fn encode_data(
        &mut self,
        die: Die,
        segment: Segment,
        offset: u32,
        headers: &[Header],
    ) {
        let seed = self.seed(self.shape.location(segment, offset, 0));
        let layout = self.layout_of(self.segments.level(segment));
        layout.encode(self.nand.buffer_mut(die, Buffer::First), headers, seed);
    }

    fn start_member(&mut self, member: Member) -> Result<(), Error> {
        let page = self.shape.page(member.segment, member.offset);
        self.start_own(page)?;
        self.dies[usize::from(page.die().0)].flight = Flight::Member(member);
        Ok(())
    }

    /// The program of a page of a stripe has settled.
    pub(super) fn member_settled(
        &mut self,
        die: Die,
        member: Member,
        good: bool,
    ) -> Option<Outcome> {
        self.dies[usize::from(die.0)].flight = Flight::Member(Member {
            progress: Progress::Settled { good },
            ..member
        });
        let (mut flying, mut failed) = (false, false);
        for (_, other) in self.members_of(member.stream) {
            flying |= other.progress == Progress::Flying;
            failed |= other.progress == Progress::Settled { good: false };
        }
        match (flying, failed) {
            (true, _) => None,
            (false, true) => {
                self.stripe_failed(member.stream);
                None
            }
            (false, false) => self.settle_stripe(member.stream),
        }
    }

    /// The pages of the stripe that a stream has in flight.
    fn members_of(&self, stream: u8) -> impl Iterator<Item = (Die, Member)> + '_ {
        (0u16..)
            .zip(self.dies.iter())
            .filter_map(move |(die, state)| match state.flight {
                Flight::Member(member) if member.stream == stream => Some((Die(die), member)),
                _ => None,
            })
    }

    /// Gives the dies of the stripe that a stream has in flight back, one a call.
    fn take_member(&mut self, stream: u8) -> Option<(Die, Member)> {
        let next = self.members_of(stream).next();
        next.inspect(|(die, _)| self.dies[usize::from(die.0)].flight = Flight::None)
    }

    /// All pages of a stripe are on the media.
    fn settle_stripe(&mut self, stream: u8) -> Option<Outcome> {
        let first = self.first_stage(stream);
        let programmed = usize::from(self.stages[first].flying);
        let mut outcome = None;
        while let Some((die, member)) = self.take_member(stream) {
            let Some(page) = member.page else {
                continue;
            };
            let units = core::mem::take(&mut self.stages[first + usize::from(page)].units);
            self.settle_units(die, member.segment, member.offset, units);
            outcome = outcome.or_else(|| self.next_settled(die));
        }
        self.shift_staged(stream, programmed);
        outcome
    }

    /// A program of a stripe failed: all of it is programmed anew elsewhere.
    fn stripe_failed(&mut self, stream: u8) {
        let first = self.first_stage(stream);
        while let Some((_, member)) = self.take_member(stream) {
            if let Some(page) = member.page {
                for unit in 0..self.stages[first + usize::from(page)].units.len() as u32 {
                    let location = self.shape.location(member.segment, member.offset, unit);
                    self.invalidate(location);
                }
            }
            if member.progress == (Progress::Settled { good: false }) {
                self.block_failed(member.segment, member.offset % self.shape.width());
            }
        }
        self.cancel_waiting_job();
        self.stats.redriven += 1;
        let stage = &mut self.stages[first];
        stage.flying = 0;
        stage.failed = true;
    }
}

/// Adds bytes to a sum.
pub(super) fn add(sum: &mut [u8], bytes: &[u8]) {
    for (sum, byte) in sum.iter_mut().zip(bytes) {
        *sum ^= byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parity_page_names_its_pages_and_their_log_times() {
        let (parity, pages) = (40, [30, 33, 38, 39]);
        let mask = pages
            .iter()
            .fold(0, |mask, &page| mask | bit_of(parity, page));
        assert!(summed(parity, mask).eq(pages));
        let header = Header {
            kind: Kind::Parity,
            level: 0,
            span: 0,
            time: 1004,
            stream: 0,
            erases: mask,
            id: 0,
            birth: 0,
            flags: 0,
        };
        let times = pages.map(|page| time_of(page, parity, &header));
        assert_eq!(times, [1000, 1001, 1002, 1003]);
        assert_eq!(bit_of(40, 40), 0);
        assert_eq!((bit_of(40, 16), bit_of(40, 15)), (1 << 23, 0));
        assert!(summed(2, 0b111).eq([0, 1]));
    }
}
