//! Sectors in memory that write down what they are asked for, and fail as they are told.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use cuesta::resource::{Completion, Resource, ResourceError, Status, Worth};
use cuesta::volume::{Sector, Ticket, WriteOptions};

/// What a resource was asked for, or has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Asked to read.
    Read(u32),
    /// Asked to write, at a level.
    Write(u32, u8),
    /// Asked to trim.
    Trim(u32, u32),
    /// Asked to flush.
    Flush,
    /// Told what a sector is worth.
    Mark(u32, Worth),
    /// The request before was acknowledged, or has failed.
    Done,
}

/// What several resources were asked for, in order; shared with who looks at it.
#[derive(Debug, Clone, Default)]
pub struct Log(Rc<RefCell<Vec<(&'static str, Deed)>>>);

impl Log {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What there is, and an empty one from then on.
    pub fn take(&self) -> Vec<(&'static str, Deed)> {
        self.0.take()
    }

    /// What was done but for being told and being done with.
    pub fn asked(&self) -> Vec<(&'static str, Deed)> {
        let mut deeds = self.take();
        deeds.retain(|(_, deed)| !matches!(deed, Deed::Mark(..) | Deed::Done));
        deeds
    }

    fn push(&self, name: &'static str, deed: Deed) {
        self.0.borrow_mut().push((name, deed));
    }
}

/// The power of several resources: it lasts for so many changes, if there is an end to it.
#[derive(Debug, Clone, Default)]
pub struct Power(Rc<Cell<Option<u32>>>);

impl Power {
    /// It goes after so many changes more; never, for `None`.
    pub fn lasts(&self, changes: Option<u32>) {
        self.0.set(changes);
    }

    /// True when it has gone.
    #[must_use]
    pub fn is_out(&self) -> bool {
        self.0.get() == Some(0)
    }

    /// A change is about to be made; false when it cannot be.
    fn take(&self) -> bool {
        match self.0.get() {
            Some(0) => false,
            Some(left) => {
                self.0.set(Some(left - 1));
                true
            }
            None => true,
        }
    }
}

/// What can be done to a resource from outside.
#[derive(Debug, Clone, Default)]
pub struct Will {
    /// Requests fail: it cannot be reached.
    pub gone: bool,
    /// So many writes more, then they fail.
    pub writes_left: Option<u32>,
    /// Nothing completes.
    pub held: bool,
    /// What is read of these sectors is lost.
    pub lost: Vec<u32>,
    /// Written bytes are changed on the way.
    pub twists: bool,
}

#[derive(Debug)]
enum Answer {
    Written,
    Trimmed,
    Flushed,
    Data(Vec<u8>),
    Unwritten,
    Failed(ResourceError),
}

/// The resource.
#[derive(Debug)]
pub struct Recorded {
    name: &'static str,
    log: Log,
    status: Status,
    /// What it holds.
    pub sectors: BTreeMap<u32, Vec<u8>>,
    /// What is done to it.
    pub will: Will,
    /// What it runs on.
    pub power: Power,
    depth: usize,
    next_ticket: u32,
    under_way: VecDeque<(Ticket, Answer)>,
    told: Vec<u8>,
    /// Writes taken.
    pub writes: u64,
    /// Reads taken.
    pub reads: u64,
    /// Trims taken.
    pub trims: u64,
    /// Worth of each sector, as told.
    pub worth: BTreeMap<u32, Worth>,
}

impl Recorded {
    /// An empty resource, of which so many requests may be under way.
    #[must_use]
    pub fn new(
        name: &'static str,
        sectors: u32,
        sector_bytes: u32,
        depth: usize,
        log: &Log,
    ) -> Self {
        let identity = name.bytes().fold(7, |sum, byte| sum * 31 + u64::from(byte));
        Self {
            name,
            log: log.clone(),
            status: Status {
                identity,
                sector_bytes,
                sectors,
                volatile: false,
                read_only: false,
                ready: true,
            },
            sectors: BTreeMap::new(),
            will: Will::default(),
            power: Power::default(),
            depth,
            next_ticket: 0,
            under_way: VecDeque::new(),
            told: Vec::new(),
            writes: 0,
            reads: 0,
            trims: 0,
            worth: BTreeMap::new(),
        }
    }

    /// The same, on this power.
    #[must_use]
    pub fn on(mut self, power: &Power) -> Self {
        self.power = power.clone();
        self
    }

    /// What it says of itself.
    pub fn status_mut(&mut self) -> &mut Status {
        &mut self.status
    }

    /// A restart: what is under way is gone; what it holds is there, unless it is volatile.
    pub fn restart(&mut self) {
        self.under_way.clear();
        if self.status.volatile {
            self.sectors.clear();
        }
    }

    fn check(&self, first: Sector, count: u32) -> Result<(), ResourceError> {
        if self.will.gone || self.power.is_out() {
            return Err(ResourceError::Gone);
        }
        match first.0.checked_add(count) {
            Some(end) if end <= self.status.sectors => Ok(()),
            _ => Err(ResourceError::OutOfRange {
                sector: first,
                sectors: self.status.sectors,
            }),
        }
    }

    fn accept(&mut self, deed: Deed) -> nb::Result<Ticket, ResourceError> {
        if self.under_way.len() >= self.depth {
            return Err(nb::Error::WouldBlock);
        }
        self.log.push(self.name, deed);
        self.next_ticket += 1;
        Ok(Ticket(self.next_ticket))
    }
}

impl Resource for Recorded {
    fn status(&self) -> Status {
        Status {
            ready: !self.will.gone,
            ..self.status
        }
    }

    fn submit_read(&mut self, sector: Sector) -> nb::Result<Ticket, ResourceError> {
        self.check(sector, 1)?;
        let ticket = self.accept(Deed::Read(sector.0))?;
        self.reads += 1;
        let answer = if self.will.lost.contains(&sector.0) {
            Answer::Failed(ResourceError::Lost(sector))
        } else {
            match self.sectors.get(&sector.0) {
                Some(bytes) => Answer::Data(bytes.clone()),
                None => Answer::Unwritten,
            }
        };
        self.under_way.push_back((ticket, answer));
        Ok(ticket)
    }

    fn submit_write(
        &mut self,
        sector: Sector,
        data: &[u8],
        options: WriteOptions,
    ) -> nb::Result<Ticket, ResourceError> {
        self.check(sector, 1)?;
        assert_eq!(data.len(), self.status.sector_bytes as usize);
        let ticket = self.accept(Deed::Write(sector.0, options.level.0))?;
        let answer = match &mut self.will.writes_left {
            _ if !self.power.take() => Answer::Failed(ResourceError::Gone),
            Some(0) => Answer::Failed(ResourceError::Device),
            left => {
                if let Some(left) = left {
                    *left -= 1;
                }
                self.writes += 1;
                let mut bytes = data.to_vec();
                if self.will.twists {
                    bytes[0] ^= 1;
                }
                self.sectors.insert(sector.0, bytes);
                self.will.lost.retain(|&lost| lost != sector.0);
                Answer::Written
            }
        };
        self.under_way.push_back((ticket, answer));
        Ok(ticket)
    }

    fn submit_trim(&mut self, first: Sector, count: u32) -> nb::Result<Ticket, ResourceError> {
        self.check(first, count)?;
        let ticket = self.accept(Deed::Trim(first.0, count))?;
        if !self.power.take() {
            self.under_way
                .push_back((ticket, Answer::Failed(ResourceError::Gone)));
            return Ok(ticket);
        }
        self.trims += 1;
        self.sectors
            .retain(|sector, _| !(first.0..first.0 + count).contains(sector));
        self.under_way.push_back((ticket, Answer::Trimmed));
        Ok(ticket)
    }

    fn submit_flush(&mut self) -> nb::Result<Ticket, ResourceError> {
        self.check(Sector(0), 0)?;
        let ticket = self.accept(Deed::Flush)?;
        self.under_way.push_back((ticket, Answer::Flushed));
        Ok(ticket)
    }

    fn poll(&mut self) -> Completion<'_> {
        if self.will.held {
            return if self.under_way.is_empty() {
                Completion::Idle
            } else {
                Completion::Pending
            };
        }
        let Some((ticket, answer)) = self.under_way.pop_front() else {
            return Completion::Idle;
        };
        self.log.push(self.name, Deed::Done);
        match answer {
            Answer::Written => Completion::Written(ticket),
            Answer::Trimmed => Completion::Trimmed(ticket),
            Answer::Flushed => Completion::Flushed(ticket),
            Answer::Unwritten => Completion::Unwritten(ticket),
            Answer::Failed(error) => Completion::Failed(ticket, error),
            Answer::Data(bytes) => {
                self.told = bytes;
                Completion::Data(ticket, &self.told)
            }
        }
    }

    fn mark(&mut self, sector: Sector, worth: Worth) {
        self.log.push(self.name, Deed::Mark(sector.0, worth));
        self.worth.insert(sector.0, worth);
    }

    fn wait(&mut self) {}
}
