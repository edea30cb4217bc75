//! Carries changes out on a volume, several in flight at once, and tells the model what was accepted and what acknowledged.

use crate::EmulatedNand;
use cuesta::volume::{Error, Event, LevelIndex, Sector, Ticket, Volume};
use cuesta_hal::{Nand, NandErrorKind};

use crate::campaign::change::Change;
use crate::campaign::model::{fill, Model, Version};
use crate::campaign::verdict::describe;
use crate::campaign::witness::Witness;

/// Calls of `poll` without an event after which a volume counts as stuck.
const POLLS_MAX: u32 = 100_000;

/// Turns for which a host is idle.
const TURNS_IDLE: u32 = 500;

/// The power is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerLost;

/// The volume of a rig.
pub type RigVolume<'r> = Volume<'r, &'r mut EmulatedNand>;

/// A host with writes in flight.
#[derive(Debug)]
pub struct Driver<'d, 'r, N: Nand> {
    volume: &'d mut Volume<'r, N>,
    model: &'d mut Model,
    /// Writes in flight at most.
    depth: usize,
    in_flight: Vec<(Ticket, u32, Version)>,
    data: Vec<u8>,
    witness: Option<&'d mut Witness>,
}

/// The volume has run: moments have passed in which the model did not know more than it does now.
fn look(witness: &mut Option<&mut Witness>, model: &Model) {
    if let Some(witness) = witness {
        witness.look(model);
    }
}

fn lost<N: Nand>(volume: &Volume<'_, N>, error: Error) -> PowerLost {
    match error {
        Error::Nand(NandErrorKind::PowerLost) => PowerLost,
        error => panic!("the volume says: {error}\n{}", describe(volume)),
    }
}

impl<'d, 'r, N: Nand> Driver<'d, 'r, N> {
    /// A host with at most `depth` writes in flight.
    pub fn new(volume: &'d mut Volume<'r, N>, model: &'d mut Model, depth: usize) -> Self {
        let data = vec![0; volume.sector_bytes()];
        Self {
            volume,
            model,
            depth,
            in_flight: Vec::new(),
            data,
            witness: None,
        }
    }

    /// The same host, with a witness of every moment.
    #[must_use]
    pub fn before(self, witness: Option<&'d mut Witness>) -> Self {
        Self { witness, ..self }
    }

    /// The volume.
    #[must_use]
    pub const fn volume(&self) -> &Volume<'r, N> {
        self.volume
    }

    /// Carries the changes out and waits for all of them.
    ///
    /// # Errors
    /// The power was lost.
    ///
    /// # Panics
    /// When the volume refuses a change or is stuck.
    pub fn run(&mut self, changes: &[Change]) -> Result<(), PowerLost> {
        for change in changes {
            self.make(change)?;
        }
        self.drain()
    }

    fn make(&mut self, change: &Change) -> Result<(), PowerLost> {
        match change {
            Change::Write(sector) => self.write(*sector),
            Change::Trim { first, len } => self.trim(*first, *len),
            Change::Flush => self.flush(),
            Change::Batch(sectors) => self.batch(sectors, true),
            Change::Abort(sectors) => self.batch(sectors, false),
            Change::Groom => self.groom(),
        }
    }

    /// The host is idle for a while, and wants more free segments than there are.
    fn groom(&mut self) -> Result<(), PowerLost> {
        self.drain()?;
        let wanted = self.volume.info().free + 1;
        for _ in 0..TURNS_IDLE {
            let more = self.volume.idle(wanted);
            look(&mut self.witness, self.model);
            match more {
                Ok(true) => self.step(None).map(|_| ())?,
                Ok(false) => break,
                Err(error) => return Err(lost(self.volume, error)),
            }
        }
        Ok(())
    }

    fn write(&mut self, sector: u32) -> Result<(), PowerLost> {
        let version = self.model.fresh();
        fill(sector, version, &mut self.data);
        let data = std::mem::take(&mut self.data);
        let level = self.level(version);
        let ticket =
            self.submit(|volume| volume.submit_write_with(Sector(sector), &data, level.into()));
        self.data = data;
        // Refused because the power went: nothing of it can be there.
        let ticket = ticket?;
        self.model.started(sector, version);
        self.in_flight.push((ticket, sector, version));
        while self.in_flight.len() >= self.depth {
            self.step(None)?;
        }
        Ok(())
    }

    /// Levels are taken in turn.
    fn level(&self, version: Version) -> LevelIndex {
        let levels = self.volume.info().parameters.levels();
        LevelIndex((version % u64::from(levels)) as u8)
    }

    fn trim(&mut self, first: u32, len: u32) -> Result<(), PowerLost> {
        let ticket = self.submit(|volume| volume.submit_trim(Sector(first), len))?;
        for sector in first..first + len {
            self.model.started(sector, 0);
        }
        self.finish(ticket)
    }

    fn flush(&mut self) -> Result<(), PowerLost> {
        let ticket = self.submit(Volume::submit_flush)?;
        let in_flight: Vec<u32> = self
            .in_flight
            .iter()
            .map(|&(_, sector, _)| sector)
            .collect();
        self.finish(ticket)?;
        self.model.flushed_but(&in_flight);
        Ok(())
    }

    fn batch(&mut self, sectors: &[u32], commit: bool) -> Result<(), PowerLost> {
        // The members' tickets are told from those of plain writes by there being no others.
        self.drain()?;
        self.submit(Volume::begin_batch)?;
        let mut members: Vec<(u32, Version)> = Vec::new();
        for &sector in sectors {
            let version = self.model.fresh();
            let mut data = std::mem::take(&mut self.data);
            fill(sector, version, &mut data);
            let level = self.level(version);
            let ticket = self.submit(|volume| {
                volume.submit_batch_write_with(Sector(sector), &data, level.into())
            });
            self.data = data;
            self.in_flight.push((ticket?, sector, 0));
            members.retain(|&(earlier, _)| earlier != sector);
            members.push((sector, version));
            while self.in_flight.len() >= self.depth {
                self.step(None)?;
            }
        }
        self.drain()?;
        if commit {
            let ticket = self.submit(Volume::submit_commit)?;
            self.model.batch_started(&members);
            self.finish(ticket)?;
            self.model.batch_acknowledged();
        } else {
            self.volume.abort_batch();
            look(&mut self.witness, self.model);
        }
        Ok(())
    }

    fn submit<T>(
        &mut self,
        mut request: impl FnMut(&mut Volume<'r, N>) -> nb::Result<T, Error>,
    ) -> Result<T, PowerLost> {
        for _ in 0..POLLS_MAX {
            let answer = request(self.volume);
            look(&mut self.witness, self.model);
            match answer {
                Ok(accepted) => return Ok(accepted),
                Err(nb::Error::Other(error)) => return Err(lost(self.volume, error)),
                Err(nb::Error::WouldBlock) => self.step(None).map(|_| ())?,
            }
        }
        panic!("the volume accepts nothing: {}", describe(self.volume));
    }

    fn finish(&mut self, wanted: Ticket) -> Result<(), PowerLost> {
        for _ in 0..POLLS_MAX {
            if self.step(Some(wanted))? {
                return Ok(());
            }
        }
        panic!("a request is never finished: {}", describe(self.volume));
    }

    /// Waits for every write in flight.
    ///
    /// # Errors
    /// The power was lost.
    ///
    /// # Panics
    /// When the volume is stuck.
    pub fn drain(&mut self) -> Result<(), PowerLost> {
        for _ in 0..POLLS_MAX {
            if self.in_flight.is_empty() {
                return Ok(());
            }
            self.step(None)?;
        }
        panic!("writes are never finished: {}", describe(self.volume));
    }

    /// One turn; true when the wanted request is done.
    fn step(&mut self, wanted: Option<Ticket>) -> Result<bool, PowerLost> {
        let event = self.volume.poll();
        look(&mut self.witness, self.model);
        let done = match event {
            Event::Pending => {
                self.volume.wait();
                look(&mut self.witness, self.model);
                return Ok(false);
            }
            Event::Idle => {
                let alive = self.volume.check_alive();
                return match alive {
                    Ok(()) => Ok(false),
                    Err(error) => Err(lost(self.volume, error)),
                };
            }
            Event::Failed(_, error) => return Err(lost(self.volume, error)),
            Event::Written(ticket)
            | Event::Trimmed(ticket)
            | Event::Flushed(ticket)
            | Event::Committed(ticket) => ticket,
            event => panic!("nobody asked for {event:?}"),
        };
        let at = self
            .in_flight
            .iter()
            .position(|&(ticket, ..)| ticket == done);
        if let Some(at) = at {
            let (_, sector, version) = self.in_flight.swap_remove(at);
            if version != 0 {
                self.model.acknowledged(sector, version);
            }
            return Ok(false);
        }
        assert_eq!(Some(done), wanted, "an event for a request that is done");
        Ok(true)
    }
}
