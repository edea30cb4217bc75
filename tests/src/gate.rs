//! A part whose completions can be kept back, one kind at a time, so that a test decides in which order things happen.

use cuesta_hal::{BlockAddress, Buffer, Columns, Completion, Die, Geometry, Nand, PageAddress};
use cuesta_sim::{EmulatedNand, SimError};

use crate::model::Version;

/// How far time goes in one wait while something is kept back.
const STEP_NS: u64 = 20_000;

/// An operation, as far as it concerns one sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// The page where the sector was at first is read, payload and all.
    Fetch,
    /// The first version of the sector is programmed once more.
    Move,
    /// A later version of the sector is programmed.
    Write,
    /// The payload of the other page watched is read.
    Occupy,
    /// Something else.
    Other,
}

/// A deed that began, or of which the volume was told that it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It began.
    Started(Deed),
    /// It ended.
    Settled(Deed),
}

/// A part, watched for one sector.
#[derive(Debug)]
pub struct Gate<'n> {
    nand: &'n mut EmulatedNand,
    sector: u32,
    first: Version,
    /// Where the sector is at first; the volume knows, the gate learns it from a read.
    home: Option<PageAddress>,
    other: Option<PageAddress>,
    flights: Vec<Option<Deed>>,
    last_read: Option<PageAddress>,
    programs: Vec<(Die, u32, Version)>,
    log: Vec<Moment>,
    held: Vec<Deed>,
}

impl<'n> Gate<'n> {
    /// Watches a sector that has the version `first`.
    pub fn new(nand: &'n mut EmulatedNand, sector: u32, first: Version) -> Self {
        let dies = usize::from(nand.geometry().dies);
        Self {
            nand,
            sector,
            first,
            home: None,
            other: None,
            flights: vec![None; dies],
            last_read: None,
            programs: Vec::new(),
            log: Vec::new(),
            held: Vec::new(),
        }
    }

    /// The part below.
    pub fn nand_mut(&mut self) -> &mut EmulatedNand {
        self.nand
    }

    /// The page that was read last, payload and all.
    #[must_use]
    pub const fn last_read(&self) -> Option<PageAddress> {
        self.last_read
    }

    /// From now on `home` is where the sector was at first, reads of `other` are told apart, and what happened before is forgotten.
    pub fn watch(&mut self, home: Option<PageAddress>, other: Option<PageAddress>) {
        self.home = home;
        self.other = other;
        self.log.clear();
        self.programs.clear();
    }

    /// Keeps the completions of these back; whatever is not named is let through.
    pub fn hold(&mut self, held: &[Deed]) {
        self.held = held.to_vec();
    }

    /// What happened, in order.
    #[must_use]
    pub fn log(&self) -> &[Moment] {
        &self.log
    }

    /// What was programmed, in order: die, sector and version, if it was sector data at all.
    #[must_use]
    pub fn programs(&self) -> &[(Die, u32, Version)] {
        &self.programs
    }

    fn holds(&self, deed: Deed) -> bool {
        self.held.contains(&deed)
    }

    fn note(&mut self, die: Die, deed: Deed) {
        self.log.push(Moment::Started(deed));
        self.flights[usize::from(die.0)] = Some(deed);
    }
}

impl Nand for Gate<'_> {
    type Error = SimError;

    fn geometry(&self) -> &Geometry {
        self.nand.geometry()
    }

    fn buffer(&self, die: Die, buffer: Buffer) -> &[u8] {
        self.nand.buffer(die, buffer)
    }

    fn buffer_mut(&mut self, die: Die, buffer: Buffer) -> &mut [u8] {
        self.nand.buffer_mut(die, buffer)
    }

    fn start_read(
        &mut self,
        page: PageAddress,
        columns: Columns,
        buffer: Buffer,
    ) -> Result<(), SimError> {
        let payload = columns.len() > self.geometry().page_bytes / 2;
        self.nand.start_read(page, columns, buffer)?;
        let deed = match payload {
            true if self.home == Some(page) => Deed::Fetch,
            true if self.other == Some(page) => Deed::Occupy,
            _ => Deed::Other,
        };
        if payload {
            self.last_read = Some(page);
        }
        self.note(page.die(), deed);
        Ok(())
    }

    fn start_program(&mut self, page: PageAddress, buffer: Buffer) -> Result<(), SimError> {
        let bytes = self.nand.buffer(page.die(), buffer);
        let version = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
        let sector = u32::from_le_bytes(bytes[8..12].try_into().expect("four bytes"));
        let deed = match version {
            _ if sector != self.sector => Deed::Other,
            version if version == self.first => Deed::Move,
            _ => Deed::Write,
        };
        self.nand.start_program(page, buffer)?;
        self.programs.push((page.die(), sector, version));
        self.note(page.die(), deed);
        Ok(())
    }

    fn start_erase(&mut self, block: BlockAddress) -> Result<(), SimError> {
        self.nand.start_erase(block)?;
        self.note(block.die, Deed::Other);
        Ok(())
    }

    fn poll(&mut self, die: Die) -> nb::Result<Completion, SimError> {
        let flight = self.flights[usize::from(die.0)];
        if flight.is_some_and(|deed| self.holds(deed)) {
            return Err(nb::Error::WouldBlock);
        }
        let completion = self.nand.poll(die)?;
        if let Some(deed) = self.flights[usize::from(die.0)].take() {
            self.log.push(Moment::Settled(deed));
        }
        Ok(completion)
    }

    fn wait(&mut self) {
        if self.flights.iter().flatten().any(|&deed| self.holds(deed)) {
            // What is kept back may have ended long ago: time goes on all the same.
            self.nand.advance(STEP_NS);
        } else {
            self.nand.wait();
        }
    }
}
