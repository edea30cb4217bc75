//! Host reads: slots, lookups, and the start of a page's read.

use cuesta_hal::{Buffer, Die, Nand};

use super::address::{Location, Sector, Ticket};
use super::error::Error;
use super::event::Outcome;
use super::flight::Flight;
use super::index::Lookup;
use super::{Session, Volume};

/// Reads of one page before its data is given up.
pub(super) const TRIES_MAX: u8 = 3;

/// Places to which a sector may move while it is being read.
const MOVES_MAX: u8 = 8;

/// Where an accepted read stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// No request.
    #[default]
    Free,
    /// Waiting for its map page, its die, or a program of its sector.
    Waiting,
    /// Its page is being read.
    Reading,
    /// Its page cannot be read, and is to be made again from others.
    Rebuild,
}

/// Reads that may start while the volume's own work waits, or a write that asks again and again.
const READS_IN_A_ROW: u8 = 8;
/// Calls of `poll` for which a die is kept for a write that does not ask again.
const KEPT_POLLS: u8 = 64;

/// How long reads have gone first: they do so, but not for ever.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Patience {
    reads: u8,
    tries: u8,
    die: Option<Die>,
    polls: u8,
}

impl Patience {
    /// `poll` is called.
    pub(super) fn turn(&mut self) {
        self.polls = self.polls.saturating_add(1);
        if self.polls > KEPT_POLLS {
            self.write_goes();
        }
    }

    /// A read was started.
    pub(super) fn read_started(&mut self) {
        self.reads = self.reads.saturating_add(1);
    }

    /// True when it is the turn of the volume's own work.
    pub(super) fn work_first(&mut self) -> bool {
        let first = self.reads >= READS_IN_A_ROW;
        if first {
            self.reads = 0;
        }
        first
    }

    /// A write was refused because its die is busy.
    pub(super) fn write_waits(&mut self, die: Option<Die>) {
        self.tries = if self.die == die {
            self.tries.saturating_add(1)
        } else {
            0
        };
        self.die = die;
        self.polls = 0;
    }

    /// A write was accepted, or nobody asks any more.
    pub(super) fn write_goes(&mut self) {
        self.die = None;
        self.tries = 0;
    }

    /// True when the die is kept for a write.
    fn keeps(&self, die: Die) -> bool {
        self.tries >= READS_IN_A_ROW && self.die == Some(die)
    }
}

/// An accepted read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slot {
    stage: Stage,
    tries: u8,
    rebuilt: bool,
    /// How often the sector had moved when its page could not be read.
    moves: u8,
    /// A copy was read first, as the die of the page was not free.
    copy: bool,
    pub(super) sector: Sector,
    pub(super) ticket: Ticket,
    pub(super) location: Option<Location>,
}

impl Slot {
    pub(super) fn retry(&mut self) {
        self.stage = Stage::Waiting;
        self.tries += 1;
    }

    /// The sector is elsewhere by now: it is read there, as if for the first time. False if that has happened too often.
    pub(super) fn begin_again(&mut self) -> bool {
        let again = self.moves < MOVES_MAX;
        if again {
            *self = Self {
                stage: Stage::Waiting,
                sector: self.sector,
                ticket: self.ticket,
                moves: self.moves + 1,
                ..Self::default()
            };
        }
        again
    }

    pub(super) const fn tries(&self) -> u8 {
        self.tries
    }

    /// True when the page could not be read at once.
    pub(super) const fn had_to_try_again(&self) -> bool {
        self.tries > self.copy as u8
    }

    /// Its page is to be made again.
    pub(super) fn rebuild(&mut self) {
        self.stage = Stage::Rebuild;
        self.rebuilt = true;
    }

    /// True once its page was to be made again.
    pub(super) const fn rebuilt(&self) -> bool {
        self.rebuilt
    }

    /// True while its page is to be made again.
    pub(super) fn awaits_rebuild(&self) -> bool {
        self.stage == Stage::Rebuild
    }
}

impl<N: Nand> Volume<'_, N> {
    /// Reads a sector: [`Event::Data`](super::Event::Data) or [`Event::Unwritten`](super::Event::Unwritten) brings it.
    ///
    /// # Errors
    /// `WouldBlock`: all slots are taken; call [`poll`](Self::poll) and try again. Any other error: refused.
    pub fn submit_read(&mut self, sector: Sector) -> nb::Result<Ticket, Error> {
        self.check_sector(sector)?;
        self.accept_read(sector)
    }

    /// The same for any sector, also one of the volume's own.
    pub(super) fn accept_read(&mut self, sector: Sector) -> nb::Result<Ticket, Error> {
        if let Session::Failed(error) = self.session {
            return Err(nb::Error::Other(error));
        }
        if matches!(self.session, Session::Mounted { clean: false })
            && (self.unsettled || self.is_suspect(sector))
        {
            // What the last cut touched is copied before anyone relies on it. A volume that cannot be recovered can be read all the same.
            match self.ready_to_write() {
                Err(nb::Error::Other(_)) if matches!(self.session, Session::ReadOnly) => {}
                other => other?,
            }
        }
        if self.trim_is_to_come(sector) {
            return Err(nb::Error::WouldBlock);
        }
        let Some(index) = self.slots.iter().position(|slot| slot.stage == Stage::Free) else {
            return Err(nb::Error::WouldBlock);
        };
        let ticket = self.ticket();
        self.slots[index] = Slot {
            stage: Stage::Waiting,
            tries: 0,
            rebuilt: false,
            moves: 0,
            copy: false,
            sector,
            ticket,
            location: None,
        };
        self.stats.host_reads += 1;
        Ok(ticket)
    }

    /// Gives a slot back.
    pub(super) fn free_slot(&mut self, index: usize) {
        self.slots[index] = Slot::default();
    }

    /// True when an accepted read of the sector has not reached the media: a later write must not overtake it.
    pub(super) fn read_waits_for(&self, sector: Sector) -> bool {
        self.slots
            .iter()
            .any(|slot| slot.stage != Stage::Free && slot.sector == sector)
    }

    /// Moves waiting reads on; hands out the first that needs no media.
    pub(super) fn start_reads(&mut self) -> Option<Outcome> {
        let count = self.slots.len();
        for turn in 0..count {
            let index = (self.next_slot + turn) % count;
            let slot = self.slots[index];
            if slot.stage != Stage::Waiting || self.sector_busy(slot.sector) {
                continue;
            }
            match self.lookup(slot.sector) {
                Lookup::Need(map) => {
                    self.load_map(map);
                }
                Lookup::Known(Location::UNMAPPED) => {
                    self.free_slot(index);
                    return Some(Outcome::Unwritten(slot.ticket));
                }
                Lookup::Known(Location::LOST) => {
                    self.free_slot(index);
                    return Some(Outcome::Failed(slot.ticket, Error::Lost(slot.sector)));
                }
                Lookup::Known(location) => {
                    // It may have moved since the last try.
                    if slot.location.is_some_and(|last| last != location) {
                        self.slots[index].begin_again();
                    }
                    let slot = self.slots[index];
                    let (page, unit) = self.shape.address(location);
                    let copy = self.free_copy(location, slot.tries);
                    let page = copy
                        .or_else(|| self.attempt(location, slot.tries))
                        .unwrap_or(page);
                    if !self.die_free(page.die()) || self.patience.keeps(page.die()) {
                        continue;
                    }
                    let level = self.segments.level(self.shape.segment(location));
                    let columns = self.layout_of(level).unit_columns(unit);
                    if let Err(error) = self.nand.start_read(page, columns, Buffer::First) {
                        let error = self.nand_failed(&error);
                        self.free_slot(index);
                        return Some(Outcome::Failed(slot.ticket, error));
                    }
                    self.slots[index].stage = Stage::Reading;
                    self.slots[index].location = Some(location);
                    self.slots[index].copy |= copy.is_some();
                    self.patience.read_started();
                    self.dies[usize::from(page.die().0)].flight = Flight::HostRead(index as u8);
                    self.patrol_for_read(page);
                    self.next_slot = (index + 1) % count;
                }
            }
        }
        None
    }

    /// Fails every accepted read, one a call: the NAND is gone.
    pub(super) fn fail_reads(&mut self, error: Error) -> Option<Outcome> {
        let index = self
            .slots
            .iter()
            .position(|slot| slot.stage != Stage::Free)?;
        let ticket = self.slots[index].ticket;
        self.free_slot(index);
        Some(Outcome::Failed(ticket, error))
    }

    /// True while a read is accepted and not handed out.
    pub(super) fn reads_waiting(&self) -> bool {
        self.slots.iter().any(|slot| slot.stage != Stage::Free)
    }
}
