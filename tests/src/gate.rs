//! A part whose programs and completions can be kept back, one kind at a time, so that a test decides in which order things happen.

use cuesta::codec::{HeaderState, Kind};
use cuesta::volume::Shape;
use cuesta_hal::{BlockAddress, Buffer, Columns, Completion, Die, Geometry, Nand, PageAddress};
use cuesta_sim::{CutPlan, EmulatedNand, SimError};

use cuesta_sim::campaign::model::{Model, Version};

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
    /// Something else.
    Other,
}

/// A deed that began, or of which the volume was told that it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The volume accepted the write of a later version: whoever asked for it says so.
    Accepted,
    /// It began.
    Started(Deed),
    /// It ended.
    Settled(Deed),
}

/// An operation that changes the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changing {
    /// A page was programmed.
    Program,
    /// A block was erased.
    Erase,
}

/// A program of sector data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Programmed {
    /// Where.
    pub die: Die,
    /// What.
    pub sector: u32,
    /// Which version of it.
    pub version: Version,
    /// The page that was read last before, payload and all.
    pub read_before: Option<PageAddress>,
}

/// What the volume believes to be in flight on a die.
#[derive(Debug, Clone, Copy)]
struct Flight {
    deed: Deed,
    /// A program that the part has not been told of.
    kept_back: Option<(PageAddress, Buffer)>,
}

/// A part, watched for one sector.
#[derive(Debug)]
pub struct Gate<'n> {
    nand: &'n mut EmulatedNand,
    shape: Shape,
    sector: u32,
    first: Version,
    /// Where the sector is at first.
    home: Option<PageAddress>,
    flights: Vec<Option<Flight>>,
    last_read: Option<PageAddress>,
    programs: Vec<Programmed>,
    changing: Vec<Changing>,
    log: Vec<Moment>,
    held: Vec<Deed>,
}

impl<'n> Gate<'n> {
    /// Watches a sector of a volume of this shape that has the version `first`.
    pub fn new(nand: &'n mut EmulatedNand, shape: Shape, sector: u32, first: Version) -> Self {
        let dies = usize::from(nand.geometry().dies);
        Self {
            nand,
            shape,
            sector,
            first,
            home: None,
            flights: vec![None; dies],
            last_read: None,
            programs: Vec::new(),
            changing: Vec::new(),
            log: Vec::new(),
            held: Vec::new(),
        }
    }

    /// The part below.
    pub fn nand_mut(&mut self) -> &mut EmulatedNand {
        self.nand
    }

    /// From now on `home` is where the sector was at first, and what happened before is forgotten.
    pub fn watch(&mut self, home: Option<PageAddress>) {
        self.home = home;
        self.log.clear();
        self.programs.clear();
        self.changing.clear();
    }

    /// Keeps these back: programs before they begin, the completions of reads. Whatever is not named is let through.
    ///
    /// # Errors
    /// The part does not take a program that was kept back.
    pub fn hold(&mut self, held: &[Deed]) -> Result<(), SimError> {
        self.held = held.to_vec();
        for die in 0..self.flights.len() {
            if !self.holds(die) {
                self.let_through(die)?;
            }
        }
        Ok(())
    }

    /// True while the die has a flight that is kept back.
    fn holds(&self, die: usize) -> bool {
        self.flights[die].is_some_and(|flight| self.held.contains(&flight.deed))
    }

    fn let_through(&mut self, die: usize) -> Result<(), SimError> {
        let kept_back = self.flights[die].as_mut().map(|it| it.kept_back.take());
        match kept_back.flatten() {
            Some((page, buffer)) => self.nand.start_program(page, buffer),
            None => Ok(()),
        }
    }

    /// True while a program is kept back.
    #[must_use]
    pub fn keeps_a_program(&self) -> bool {
        self.flights
            .iter()
            .flatten()
            .any(|flight| flight.kept_back.is_some())
    }

    /// Cuts the power, and hits the program that is kept back in the way that `plan`, for the next operation, says.
    pub fn cut(&mut self, plan: CutPlan) {
        if self.keeps_a_program() {
            self.nand.plan_cut(plan);
            for die in 0..self.flights.len() {
                // It says that the power is gone.
                let _ = self.let_through(die);
            }
            self.nand.wait();
        }
        self.nand.cut();
    }

    /// Adds what the part cannot see.
    pub fn note(&mut self, moment: Moment) {
        self.log.push(moment);
    }

    /// What happened to the sector, in order.
    #[must_use]
    pub fn log(&self) -> &[Moment] {
        &self.log
    }

    /// What sector data was programmed, in order.
    #[must_use]
    pub fn programs(&self) -> &[Programmed] {
        &self.programs
    }

    /// What changed the array, in order.
    #[must_use]
    pub fn changing(&self) -> &[Changing] {
        &self.changing
    }

    fn note_flight(&mut self, die: Die, deed: Deed, kept_back: Option<(PageAddress, Buffer)>) {
        self.log.push(Moment::Started(deed));
        self.flights[usize::from(die.0)] = Some(Flight { deed, kept_back });
    }

    /// Notes the sectors that are in a buffer to be programmed; what that means for the one that is watched.
    fn note_sectors(&mut self, page: PageAddress, buffer: Buffer) -> Deed {
        let shape = self.shape;
        let segment = shape.segment_of(page.block);
        let offset = (0..shape.pages_per_segment()).find(|&it| shape.page(segment, it) == page);
        let offset = offset.expect("a page of its segment");
        let bytes = self.nand.buffer(page.die(), buffer);
        let mut deed = Deed::Other;
        for unit in 0..shape.units() {
            let place = shape.location(segment, offset, unit).0;
            let HeaderState::Valid(header) = shape.layout.read_header(bytes, unit, place) else {
                continue;
            };
            let payload = shape.layout.payload(bytes, unit);
            let version = Model::identify(header.id, true, payload);
            let Some(version) = version.filter(|_| header.kind == Kind::Data) else {
                continue;
            };
            self.programs.push(Programmed {
                die: page.die(),
                sector: header.id,
                version,
                read_before: self.last_read,
            });
            if header.id == self.sector {
                let first = version == self.first;
                deed = if first { Deed::Move } else { Deed::Write };
            }
        }
        deed
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
        if payload {
            self.last_read = Some(page);
        }
        let home = payload && self.home == Some(page);
        let deed = if home { Deed::Fetch } else { Deed::Other };
        self.note_flight(page.die(), deed, None);
        Ok(())
    }

    fn start_program(&mut self, page: PageAddress, buffer: Buffer) -> Result<(), SimError> {
        let deed = self.note_sectors(page, buffer);
        let kept_back = self.held.contains(&deed).then_some((page, buffer));
        if kept_back.is_none() {
            self.nand.start_program(page, buffer)?;
        }
        self.changing.push(Changing::Program);
        self.note_flight(page.die(), deed, kept_back);
        Ok(())
    }

    fn start_erase(&mut self, block: BlockAddress) -> Result<(), SimError> {
        self.nand.start_erase(block)?;
        self.changing.push(Changing::Erase);
        self.note_flight(block.die, Deed::Other, None);
        Ok(())
    }

    fn poll(&mut self, die: Die) -> nb::Result<Completion, SimError> {
        if self.holds(usize::from(die.0)) {
            return Err(nb::Error::WouldBlock);
        }
        let completion = self.nand.poll(die)?;
        if let Some(flight) = self.flights[usize::from(die.0)].take() {
            self.log.push(Moment::Settled(flight.deed));
        }
        Ok(completion)
    }

    fn wait(&mut self) {
        if (0..self.flights.len()).any(|die| self.holds(die)) {
            // What is kept back is nothing to wait for: time goes on all the same.
            self.nand.advance(STEP_NS);
        } else {
            self.nand.wait();
        }
    }
}
