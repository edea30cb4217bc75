//! A host with many requests in flight, which judges every answer.

use std::collections::{BTreeMap, BTreeSet};

use cuesta::volume::{Event, Sector, Ticket, Volume};
use cuesta_sim::{EmulatedNand, SplitMix64};

use cuesta_sim::campaign::model::{fill, Model, Version};

/// The volume of a rig.
pub type RigVolume<'r> = Volume<'r, &'r mut EmulatedNand>;

/// Turns without an event after which a volume counts as stuck.
pub const TURNS_MAX: u32 = 200_000;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A read.
    Read {
        /// Its sector.
        sector: u32,
        /// The oldest version it may return.
        from: Version,
        /// The newest.
        to: Version,
    },
    /// A write.
    Write {
        /// Its sector.
        sector: u32,
        /// What is written.
        version: Version,
    },
    /// A trim.
    Trim {
        /// The first sector.
        first: u32,
        /// How many.
        count: u32,
        /// The version that reads as unwritten.
        version: Version,
    },
    /// A flush.
    Flush,
}

/// A sector's past: versions in the order in which they were submitted. A trim is a version that reads as unwritten.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// The newest that was acknowledged.
    pub acknowledged: Version,
    /// The newest that was submitted.
    pub submitted: Version,
    /// Those that read as unwritten.
    pub trims: BTreeSet<Version>,
}

/// The host.
#[derive(Debug)]
pub struct Host<'v, 'r> {
    volume: &'v mut RigVolume<'r>,
    /// What the host does next.
    pub random: SplitMix64,
    next: Version,
    /// What it waits for.
    pub asked: BTreeMap<u32, Asked>,
    done: BTreeSet<u32>,
    /// Tickets whose answers it does not want.
    pub forgotten: BTreeSet<u32>,
    /// What it knows of each sector.
    pub sectors: BTreeMap<u32, Past>,
    data: Vec<u8>,
    /// Reads answered.
    pub reads: u64,
    /// Writes answered.
    pub writes: u64,
    /// Most requests in flight at once.
    pub in_flight_max: usize,
}

impl<'v, 'r> Host<'v, 'r> {
    /// A host that has done nothing.
    #[must_use]
    pub fn new(volume: &'v mut RigVolume<'r>, seed: u64) -> Self {
        let data = vec![0; volume.sector_bytes()];
        Self {
            volume,
            random: SplitMix64::new(seed),
            next: 0,
            asked: BTreeMap::new(),
            done: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            sectors: BTreeMap::new(),
            data,
            reads: 0,
            writes: 0,
            in_flight_max: 0,
        }
    }

    fn any_sector(&mut self) -> u32 {
        // A few sectors get most of the requests, so that requests for one sector meet.
        let of = if self.random.chance(1, 2) {
            16
        } else {
            self.volume.capacity()
        };
        self.random.below(u64::from(of)) as u32
    }

    fn note(&mut self, ticket: Ticket, asked: Asked) {
        assert!(
            !self.asked.contains_key(&ticket.0) && !self.done.contains(&ticket.0),
            "ticket {} names two requests",
            ticket.0
        );
        self.asked.insert(ticket.0, asked);
        self.in_flight_max = self.in_flight_max.max(self.asked.len());
    }

    /// Submits a read; false when it has to wait.
    ///
    /// # Panics
    /// When it is refused.
    pub fn ask_to_read(&mut self, sector: u32) -> bool {
        match self.volume.submit_read(Sector(sector)) {
            Ok(ticket) => {
                let past = self.sectors.entry(sector).or_default();
                let (from, to) = (past.acknowledged, past.submitted);
                self.note(ticket, Asked::Read { sector, from, to });
                true
            }
            Err(nb::Error::WouldBlock) => false,
            Err(nb::Error::Other(error)) => panic!("a read is refused: {error}"),
        }
    }

    /// Submits a write; false when it has to wait.
    ///
    /// # Panics
    /// When it is refused.
    pub fn ask_to_write(&mut self, sector: u32) -> bool {
        let version = self.next + 1;
        fill(sector, version, &mut self.data);
        match self.volume.submit_write(Sector(sector), &self.data) {
            Ok(ticket) => {
                self.next = version;
                self.sectors.entry(sector).or_default().submitted = version;
                self.note(ticket, Asked::Write { sector, version });
                true
            }
            Err(nb::Error::WouldBlock) => false,
            Err(nb::Error::Other(error)) => panic!("a write is refused: {error}"),
        }
    }

    /// Submits a trim of a few sectors; false when it has to wait.
    ///
    /// # Panics
    /// When it is refused.
    pub fn ask_to_trim(&mut self, first: u32) -> bool {
        let count = (1 + self.random.below(4) as u32).min(self.volume.capacity() - first);
        match self.volume.submit_trim(Sector(first), count) {
            Ok(ticket) => {
                self.next += 1;
                let version = self.next;
                for sector in first..first + count {
                    let past = self.sectors.entry(sector).or_default();
                    past.submitted = version;
                    past.trims.insert(version);
                }
                let asked = Asked::Trim {
                    first,
                    count,
                    version,
                };
                self.note(ticket, asked);
                true
            }
            Err(nb::Error::WouldBlock) => false,
            Err(nb::Error::Other(error)) => panic!("a trim is refused: {error}"),
        }
    }

    /// Submits a flush; false when it has to wait.
    ///
    /// # Panics
    /// When it is refused.
    pub fn ask_to_flush(&mut self) -> bool {
        match self.volume.submit_flush() {
            Ok(ticket) => {
                self.note(ticket, Asked::Flush);
                true
            }
            Err(nb::Error::WouldBlock) => false,
            Err(nb::Error::Other(error)) => panic!("a flush is refused: {error}"),
        }
    }

    fn take(&mut self, ticket: Ticket) -> Option<Asked> {
        assert!(self.done.insert(ticket.0), "ticket {} twice", ticket.0);
        if self.forgotten.remove(&ticket.0) {
            return None;
        }
        let asked = self.asked.remove(&ticket.0);
        Some(asked.unwrap_or_else(|| panic!("nobody has ticket {}", ticket.0)))
    }

    /// One turn; true when something was told.
    ///
    /// # Panics
    /// When it is not what was asked for.
    pub fn turn(&mut self) -> bool {
        let (ticket, found) = match self.volume.poll() {
            Event::Pending => {
                self.volume.wait();
                return false;
            }
            Event::Idle => return false,
            Event::Data(ticket, bytes) => {
                self.data.copy_from_slice(bytes);
                (ticket, Some(true))
            }
            Event::Unwritten(ticket) => (ticket, Some(false)),
            Event::Written(ticket) | Event::Trimmed(ticket) | Event::Flushed(ticket) => {
                (ticket, None)
            }
            Event::Failed(ticket, error) => panic!("ticket {}: {error}", ticket.0),
            event => panic!("nobody asked for {event:?}"),
        };
        let Some(asked) = self.take(ticket) else {
            return true;
        };
        match (asked, found) {
            (Asked::Read { sector, from, to }, Some(written)) => {
                if !written {
                    self.data.fill(0);
                }
                let data = std::mem::take(&mut self.data);
                let version = Model::identify(sector, written, &data);
                self.data = data;
                self.judge(sector, version, from, to);
            }
            (Asked::Write { sector, version }, None) => {
                self.writes += 1;
                self.acknowledge(sector, version);
            }
            (
                Asked::Trim {
                    first,
                    count,
                    version,
                },
                None,
            ) => {
                for sector in first..first + count {
                    self.acknowledge(sector, version);
                }
            }
            (Asked::Flush, None) => {}
            (asked, _) => panic!("{asked:?} got the wrong kind of answer"),
        }
        true
    }

    fn acknowledge(&mut self, sector: u32, version: Version) {
        let past = self.sectors.entry(sector).or_default();
        past.acknowledged = past.acknowledged.max(version);
    }

    fn judge(&mut self, sector: u32, version: Option<Version>, from: Version, to: Version) {
        self.reads += 1;
        let trims = &self.sectors.entry(sector).or_default().trims;
        let legal = match version {
            // Unwritten: from the start, or by a trim in the window.
            Some(0) => from == 0 || trims.range(from..=to).next().is_some(),
            Some(version) => (from..=to).contains(&version),
            None => false,
        };
        assert!(
            legal,
            "sector {sector} reads as {version:?}, only {from} to {to} are legal; trims {trims:?}"
        );
    }

    /// Until nothing that was asked for is open.
    ///
    /// # Panics
    /// When that never happens.
    pub fn drain(&mut self) {
        for _ in 0..TURNS_MAX {
            if self.asked.is_empty() && self.forgotten.is_empty() {
                return;
            }
            self.turn();
        }
        panic!("never answered: {:?} {:?}", self.asked, self.forgotten);
    }

    /// Many requests of all kinds, in bursts.
    ///
    /// # Panics
    /// When they are not accepted.
    pub fn storm(&mut self, requests: u32) {
        let mut accepted = 0;
        let mut writes = 20;
        for turn in 0..TURNS_MAX {
            if turn % 32 == 0 {
                // Now mostly reads, now mostly writes.
                writes = 3 + self.random.below(36);
            }
            let burst = self.random.below(12);
            for _ in 0..burst {
                let sector = self.any_sector();
                let taken = match self.random.below(40) {
                    0 => self.ask_to_trim(sector),
                    1 => self.ask_to_flush(),
                    kind if kind <= writes => self.ask_to_write(sector),
                    _ => self.ask_to_read(sector),
                };
                accepted += u32::from(taken);
            }
            let turns = 1 + self.random.below(4);
            for _ in 0..turns {
                self.turn();
            }
            if accepted >= requests {
                return;
            }
        }
        panic!("only {accepted} requests were accepted");
    }

    /// Every sector reads as its last version.
    pub fn check_all(&mut self) {
        self.drain();
        for sector in 0..self.volume.capacity() {
            while !self.ask_to_read(sector) {
                self.turn();
            }
        }
        self.drain();
    }
}
