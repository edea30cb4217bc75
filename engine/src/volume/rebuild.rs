//! Pages that are made again. With parity, one that cannot be read is the exclusive or of the other pages of its stripe; of three copies none of which can be
//! read, each bit is what it is in two of them.
//!
//! What comes out is as it would be at the place of the page that was asked for, and lies in the buffer of the die that was read last, as if it had been read
//! there.

use cuesta_hal::{Buffer, Die, Nand};
use heapless::Vec;

use super::address::Segment;
use super::credit::READ_US;
use super::data_parity::{add, bit_of, summed, time_of};
use super::error::Error;
use super::event::Outcome;
use super::flight::Flight;
use super::io;
use super::job::Job;
use super::parameters::UNITS_MAX;
use super::shape::WIDE;
use super::Volume;
use crate::codec::{Header, HeaderState, HeaderSum, Kind, PageError};

/// Who has asked for the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    /// A read, by its slot.
    Read(u8),
    /// The groomer.
    Groom,
}

/// Copies that it takes for a majority.
const VOTERS: usize = 3;

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Looking for the parity page, by headers: at this offset.
    Search(u32),
    /// The parity page was found; the pages of a mask are still to be added.
    Add {
        parity: u32,
        header: Header,
        waiting: u32,
    },
    /// The parity page itself is to be added.
    Last { parity: u32, header: Header },
    /// Three copies vote; so many have done so.
    Vote { copies: [u32; VOTERS], taken: u8 },
}

/// A page on its way to be made again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rebuild {
    /// Tells reads for this one from late ones for another.
    number: u8,
    client: Client,
    segment: Segment,
    offset: u32,
    stage: Stage,
    sum: HeaderSum,
}

/// What follows when a page has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Others are needed.
    More,
    /// The page is in the buffer of the die.
    Done,
    /// It cannot be made again.
    Failed,
}

impl Rebuild {
    /// The pages to be read next, in any order, and whether their headers will do.
    fn wanted(&self) -> (Vec<u32, 24>, bool) {
        match self.stage {
            Stage::Search(at) => (Vec::from_iter([at]), true),
            Stage::Add {
                parity, waiting, ..
            } => (summed(parity, waiting).collect(), false),
            Stage::Last { parity, .. } => (Vec::from_iter([parity]), false),
            Stage::Vote { copies, taken } => {
                let next = copies.get(usize::from(taken)).copied();
                (Vec::from_iter(next), false)
            }
        }
    }
}

impl<N: Nand> Volume<'_, N> {
    /// True where pages that cannot be read may be made again.
    pub(super) fn can_be_made(&self, segment: Segment) -> bool {
        self.parity_in(segment) > 0 || self.copies_in(segment) as usize == VOTERS
    }

    /// The groomer needs the page.
    pub(super) fn rebuild_for_groom(&mut self, segment: Segment, offset: u32) {
        if self.rebuild.is_none() {
            self.rebuild = Some(self.new_rebuild(Client::Groom, segment, offset));
            self.pay(READ_US * (self.parity_in(segment) + self.copies_in(segment)));
            // Others could wait for the buffer in which the page will lie.
            self.job = Job::GroomRebuild;
        }
    }

    /// Moves the page that is being made again on, or begins with the next one that a read waits for.
    pub(super) fn rebuild_step(&mut self) -> Result<(), Error> {
        if WIDE && self.rebuild.is_none() && !self.sum.is_empty() {
            self.rebuild = self.next_rebuild();
        }
        self.rebuild_reads()
    }

    /// As [`rebuild_step`](Self::rebuild_step), for the volume's own work only: reads have to wait, and begin again.
    pub(super) fn rebuild_for_work(&mut self) -> Result<(), Error> {
        self.rebuild = self
            .rebuild
            .filter(|rebuild| rebuild.client == Client::Groom);
        self.rebuild_reads()
    }

    /// Starts the reads whose dies are free.
    fn rebuild_reads(&mut self) -> Result<(), Error> {
        let Some(rebuild) = self.rebuild.filter(|_| WIDE) else {
            return Ok(());
        };
        let number = rebuild.number;
        let (wanted, headers) = rebuild.wanted();
        for offset in wanted {
            let page = self.shape.page(rebuild.segment, offset);
            if !self.die_free(page.die()) {
                continue;
            }
            let columns = match headers {
                true => self.shape.layout.header_columns(),
                false => self.shape.layout.page_columns(),
            };
            match self.nand.start_read(page, columns, Buffer::First) {
                Ok(()) => {
                    self.patience.read_started();
                    self.dies[usize::from(page.die().0)].flight =
                        Flight::Rebuild { number, offset };
                }
                Err(error) => return Err(self.nand_failed(&error)),
            }
        }
        Ok(())
    }

    /// Begins with the page of the first read that needs one.
    fn next_rebuild(&mut self) -> Option<Rebuild> {
        let slot = self.slots.iter().position(|slot| slot.awaits_rebuild())?;
        let (segment, offset, _) = self.shape.split(self.slots[slot].location?);
        Some(self.new_rebuild(Client::Read(slot as u8), segment, offset))
    }

    fn new_rebuild(&mut self, client: Client, segment: Segment, offset: u32) -> Rebuild {
        let stage = match self.parity_in(segment) {
            0 => {
                let mut copies = [offset; VOTERS];
                for (copy, at) in copies
                    .iter_mut()
                    .zip(self.usable_pages(segment, offset, VOTERS))
                {
                    *copy = at;
                }
                Stage::Vote { copies, taken: 0 }
            }
            // Behind the last page there is none: it is looked at itself.
            _ => Stage::Search((offset + 1).min(self.shape.pages_per_segment() - 1)),
        };
        self.sum.fill(0);
        self.rebuilds = self.rebuilds.wrapping_add(1);
        Rebuild {
            number: self.rebuilds,
            client,
            segment,
            offset,
            stage,
            sum: HeaderSum::new(),
        }
    }

    /// The page that is being made again is given up: whoever wants it begins again.
    pub(super) fn give_up_rebuild(&mut self) {
        self.rebuild = None;
        if matches!(self.job, Job::GroomRebuild) {
            self.job = Job::None;
        }
    }

    /// A page of a stripe is in the buffer of `die`.
    pub(super) fn rebuild_read(&mut self, die: Die, number: u8, offset: u32) -> Option<Outcome> {
        // Others are late reads for a page that was given up.
        let mut rebuild = self.rebuild.filter(|rebuild| rebuild.number == number)?;
        let next = self.rebuild_take(&mut rebuild, die, offset);
        self.rebuild = Some(rebuild).filter(|_| next == Next::More);
        if next == Next::More {
            return None;
        }
        let made = (next == Next::Done).then_some(die);
        match rebuild.client {
            Client::Read(slot) => {
                let slot = usize::from(slot);
                let location = self.slots[slot].location?;
                let (segment, at, _) = self.shape.split(location);
                let asked = self.slots[slot].awaits_rebuild();
                if !asked || (segment, at) != (rebuild.segment, rebuild.offset) {
                    return None;
                }
                match made {
                    Some(die) => self.settle_read(die, slot),
                    None => self.read_failed(slot),
                }
            }
            Client::Groom => {
                self.job = Job::None;
                self.groom_rebuilt(rebuild.segment, rebuild.offset, made);
                None
            }
        }
    }

    /// Makes a page again, straight through; gives the die whose buffer it is in, or none if it cannot be made. Nothing else may be in flight.
    pub(super) fn rebuild_now(
        &mut self,
        segment: Segment,
        offset: u32,
    ) -> Result<Option<Die>, Error> {
        if !self.can_be_made(segment) {
            return Ok(None);
        }
        self.give_up_rebuild();
        let mut rebuild = self.new_rebuild(Client::Groom, segment, offset);
        loop {
            let (wanted, headers) = rebuild.wanted();
            for at in wanted {
                let page = self.shape.page(segment, at);
                let columns = match headers {
                    true => self.shape.layout.header_columns(),
                    false => self.shape.layout.page_columns(),
                };
                io::read(&mut self.nand, page, columns)
                    .map_err(|kind| self.fail(Error::Nand(kind)))?;
                match self.rebuild_take(&mut rebuild, page.die(), at) {
                    Next::More => {}
                    Next::Done => return Ok(Some(page.die())),
                    Next::Failed => return Ok(None),
                }
            }
        }
    }

    /// Takes the page at an offset, which is in the buffer of `die`, for the one that is being made.
    fn rebuild_take(&mut self, rebuild: &mut Rebuild, die: Die, offset: u32) -> Next {
        match rebuild.stage {
            Stage::Search(at) if at == offset => self.rebuild_search(rebuild, die, at),
            Stage::Add {
                parity,
                header,
                waiting,
            } if waiting & bit_of(parity, offset) != 0 => {
                let time = time_of(offset, parity, &header);
                if !self.rebuild_add(rebuild, die, offset, Kind::Data, time) {
                    return Next::Failed;
                }
                let waiting = waiting & !bit_of(parity, offset);
                rebuild.stage = match waiting {
                    0 => Stage::Last { parity, header },
                    waiting => Stage::Add {
                        parity,
                        header,
                        waiting,
                    },
                };
                Next::More
            }
            Stage::Last { parity, header } if parity == offset => {
                if !self.rebuild_add(rebuild, die, offset, Kind::Parity, header.time) {
                    return Next::Failed;
                }
                self.rebuild_finish(rebuild, die, parity, &header);
                Next::Done
            }
            Stage::Vote { copies, taken } if copies.get(usize::from(taken)) == Some(&offset) => {
                rebuild.stage = Stage::Vote {
                    copies,
                    taken: taken + 1,
                };
                self.vote(die);
                if usize::from(taken) + 1 < VOTERS {
                    return Next::More;
                }
                let raw = self.shape.layout.raw_bytes() as usize;
                let page = self.nand.buffer_mut(die, Buffer::First);
                page[..raw].copy_from_slice(&self.sum[raw..2 * raw]);
                Next::Done
            }
            _ => Next::More,
        }
    }

    /// The page in the buffer of `die` votes: the first half of the sum has the bits that an odd number of pages have, the second those that two have.
    fn vote(&mut self, die: Die) {
        let raw = self.shape.layout.raw_bytes() as usize;
        let (odd, two) = self.sum.split_at_mut(raw);
        let page = self.nand.buffer(die, Buffer::First);
        for ((odd, two), byte) in odd.iter_mut().zip(two).zip(&page[..raw]) {
            *two |= *odd & byte;
            *odd ^= byte;
        }
    }

    /// Looks whether the page is the parity page that is wanted.
    fn rebuild_search(&self, rebuild: &mut Rebuild, die: Die, at: u32) -> Next {
        if let Some(header) = self.parity_header(die, rebuild.segment, at) {
            let wanted = bit_of(at, rebuild.offset);
            if header.erases & wanted == 0 {
                return Next::Failed;
            }
            rebuild.stage = match header.erases & !wanted {
                0 => Stage::Last { parity: at, header },
                waiting => Stage::Add {
                    parity: at,
                    header,
                    waiting,
                },
            };
            return Next::More;
        }
        let end = (rebuild.offset + self.parity_reach()).min(self.shape.pages_per_segment());
        rebuild.stage = Stage::Search(at + 1);
        match at + 1 < end {
            true => Next::More,
            false => Next::Failed,
        }
    }

    /// The header of the parity page whose header is in the buffer of `die`; none if it is something else.
    pub(super) fn parity_header(&self, die: Die, segment: Segment, at: u32) -> Option<Header> {
        let place = self.shape.location(segment, at, 0);
        let page = self.nand.buffer(die, Buffer::First);
        match self.shape.layout.read_header(page, 0, place.0) {
            HeaderState::Valid(header) if header.kind == Kind::Parity => Some(header),
            _ => None,
        }
    }

    /// Adds a page to the sum; false if it is not readable, or not the one of that log time.
    fn rebuild_add(
        &mut self,
        rebuild: &mut Rebuild,
        die: Die,
        offset: u32,
        kind: Kind,
        time: u64,
    ) -> bool {
        let bytes = self.sector_bytes();
        for unit in 0..self
            .layout_of(self.segments.level(rebuild.segment))
            .sectors()
        {
            let location = self.shape.location(rebuild.segment, offset, unit);
            match self.decode_data(die, location) {
                Ok((header, _)) if header.kind == kind && header.time == time => {
                    match kind {
                        Kind::Parity => rebuild.sum.add_parity(unit, &header),
                        _ => rebuild.sum.add(unit, &header),
                    }
                    let page = self.nand.buffer(die, Buffer::First);
                    let at = unit as usize * bytes;
                    add(
                        &mut self.sum[at..at + bytes],
                        self.shape.layout.payload(page, unit),
                    );
                }
                Err(PageError::Erased) if unit > 0 => {}
                _ => return false,
            }
        }
        true
    }

    /// Encodes what is left in the sum for its place, into the buffer of `die`.
    fn rebuild_finish(&mut self, rebuild: &Rebuild, die: Die, parity: u32, header: &Header) {
        let time = time_of(rebuild.offset, parity, header);
        let common = self.data_header(rebuild.segment, 0, time);
        let headers: Vec<Header, UNITS_MAX> = (0..self.shape.units())
            .map_while(|unit| rebuild.sum.left(unit, &common))
            .collect();
        let bytes = self.shape.layout.page_bytes() as usize;
        self.nand.buffer_mut(die, Buffer::First)[..bytes].copy_from_slice(&self.sum[..bytes]);
        self.encode_data(die, rebuild.segment, rebuild.offset, &headers);
    }
}
