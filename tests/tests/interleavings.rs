//! One host write and one relocation of the same sector, in all ten orders, each cut at every step.
//!
//! A write has two steps: it is accepted, it settles. A relocation has three: its source is read, its program starts, its program settles.
//! The order is forced by keeping completions back. Where the volume refuses an order, because it lets one of the two wait for the other
//! or drops the relocation, the next steps follow in turn.

use cuesta::volume::{Budget, Error, Event, Sector, Ticket, Volume};
use cuesta_hal::{Die, NandErrorKind, PageAddress};
use cuesta_sim::{CutPlan, SplitMix64};
use cuesta_tests::aftermath::{holds, Replay};
use cuesta_tests::aged::{Aged, Making};
use cuesta_tests::driver::PowerLost;
use cuesta_tests::gate::{Deed, Gate, Moment};
use cuesta_tests::model::{fill, Model, Version};
use cuesta_tests::rig::Rig;
use cuesta_tests::tear::OF_PROGRAM;

/// Calls of `poll` in which a step has to be taken, or the volume refuses it.
const PATIENCE: u32 = 80;
/// Disks for each chip.
const SCENES: u64 = 2;

/// A step of the write or the relocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Accept,
    Settle,
    Fetch,
    Move,
    Moved,
}

/// Every order of the two steps of the write among the three of the relocation.
fn orders() -> Vec<Vec<Step>> {
    let mut orders = Vec::new();
    for first in 0..5 {
        for second in first + 1..5 {
            let mut order = vec![Step::Fetch, Step::Move, Step::Moved];
            order.insert(first, Step::Accept);
            order.insert(second, Step::Settle);
            orders.push(order);
        }
    }
    orders
}

/// A volume on a gate, and what has happened to the sector.
struct Stage<'s, 'm, 'n> {
    volume: Volume<'m, Gate<'n>>,
    model: &'s mut Model,
    sector: u32,
    writes: Vec<(Ticket, u32, Version)>,
    accepted: bool,
    acknowledged: bool,
    groom: bool,
    held: Vec<Deed>,
}

fn lost(error: Error) -> PowerLost {
    assert_eq!(error, Error::Nand(NandErrorKind::PowerLost));
    PowerLost
}

impl<'s, 'm, 'n> Stage<'s, 'm, 'n> {
    /// Mounts, and begins the session by a write of another sector.
    fn new(rig: &'n mut Rig, model: &'s mut Model, sector: u32) -> Self
    where
        'n: 'm,
    {
        let version = model.current(sector);
        let gate = Gate::new(&mut rig.nand, sector, version);
        let volume = Volume::mount(gate, rig.memory.lend()).expect("a mount");
        let mut stage = Self {
            volume,
            model,
            sector,
            writes: Vec::new(),
            accepted: false,
            acknowledged: false,
            groom: false,
            held: Vec::new(),
        };
        assert!(stage.write(stage.other()).expect("power"));
        stage.settle_all().expect("power");
        stage
    }

    /// A sector that is not the one in question.
    fn other(&self) -> u32 {
        (self.sector + 1) % self.volume.capacity()
    }

    /// One turn.
    fn turn(&mut self) -> Result<(), PowerLost> {
        if self.groom {
            self.volume.idle(64).map_err(lost)?;
        }
        match self.volume.poll() {
            Event::Pending => self.volume.wait(),
            Event::Idle => self.volume.check_alive().map_err(lost)?,
            Event::Written(done) => {
                let at = self.writes.iter().position(|&(ticket, ..)| ticket == done);
                let (_, sector, version) = self.writes.swap_remove(at.expect("a write"));
                self.acknowledged |= sector == self.sector;
                self.model.acknowledged(sector, version);
            }
            Event::Failed(_, error) => return Err(lost(error)),
            // A read that kept a die busy.
            Event::Data(..) | Event::Unwritten(_) => {}
            event => panic!("nobody asked for {event:?}"),
        }
        Ok(())
    }

    /// Turns until it is so; false when it never is.
    fn until(&mut self, so: impl Fn(&Self) -> bool) -> Result<bool, PowerLost> {
        for _ in 0..PATIENCE {
            if so(self) {
                return Ok(true);
            }
            self.turn()?;
        }
        Ok(so(self))
    }

    fn saw(&self, moment: Moment) -> bool {
        self.volume.nand().log().contains(&moment)
    }

    fn release(&mut self, deed: Deed) {
        self.held.retain(|&held| held != deed);
        let held = self.held.clone();
        self.volume.nand_mut().hold(&held);
    }

    fn hold(&mut self, deeds: &[Deed]) {
        self.held = deeds.to_vec();
        self.volume.nand_mut().hold(deeds);
    }

    /// Asks for a write until it is accepted; false when it never is.
    fn write(&mut self, sector: u32) -> Result<bool, PowerLost> {
        let version = self.model.fresh();
        let mut data = vec![0; self.volume.sector_bytes()];
        fill(sector, version, &mut data);
        for _ in 0..PATIENCE {
            match self.volume.submit_write(Sector(sector), &data) {
                Ok(ticket) => {
                    self.model.started(sector, version);
                    self.writes.push((ticket, sector, version));
                    return Ok(true);
                }
                Err(nb::Error::WouldBlock) => self.turn()?,
                Err(nb::Error::Other(error)) => return Err(lost(error)),
            }
        }
        Ok(false)
    }

    /// Asks for the write in question.
    fn accept(&mut self) -> Result<bool, PowerLost> {
        if !self.accepted {
            self.accepted = self.write(self.sector)?;
        }
        Ok(self.accepted)
    }

    /// Takes a step, if the volume lets it.
    fn take(&mut self, step: Step, next: Option<Step>, neighbour: u32) -> Result<bool, PowerLost> {
        match step {
            Step::Accept => self.accept(),
            Step::Settle => {
                self.release(Deed::Write);
                self.until(|stage| stage.acknowledged)
            }
            Step::Fetch => {
                self.groom = true;
                let fetched = self.until(|stage| stage.saw(Moment::Started(Deed::Fetch)))?;
                if fetched && next != Some(Step::Move) {
                    // The die to which the sector will be moved is kept busy, so that its program cannot start yet.
                    let _ = self.volume.submit_read(Sector(neighbour));
                    self.until(|stage| stage.saw(Moment::Started(Deed::Occupy)))?;
                }
                if fetched && next == Some(Step::Accept) {
                    // Hosts wait for a groomer that is at work, until a write is accepted while it waits for its read.
                    self.groom = false;
                    self.write(self.other())?;
                }
                self.release(Deed::Fetch);
                self.until(|stage| stage.saw(Moment::Settled(Deed::Fetch)))
            }
            Step::Move => {
                self.groom = true;
                self.release(Deed::Occupy);
                self.until(|stage| stage.saw(Moment::Started(Deed::Move)))
            }
            Step::Moved => {
                self.release(Deed::Move);
                self.until(|stage| stage.saw(Moment::Settled(Deed::Move)))
            }
        }
    }

    /// Lets everything go on to its end.
    fn finish(&mut self) -> Result<(), PowerLost> {
        self.hold(&[]);
        self.groom = false;
        assert!(self.accept()?, "the write is never accepted");
        self.settle_all()
    }

    fn settle_all(&mut self) -> Result<(), PowerLost> {
        let settled = self.until(|stage| stage.writes.is_empty())?;
        assert!(settled, "a write is never finished");
        for _ in 0..PATIENCE {
            self.turn()?;
        }
        Ok(())
    }
}

/// A disk on which the groomer is about to move a sector.
struct Scene {
    rig: Rig,
    model: Model,
    making: Making,
    sector: u32,
    /// Where the sector is.
    home: PageAddress,
    /// Another sector, on the die to which the first is moved.
    neighbour: (u32, PageAddress),
}

/// The page of a sector.
fn page_of(rig: &Rig, model: &Model, watched: u32, sector: u32) -> Option<PageAddress> {
    let (mut rig, mut model) = (rig.clone(), model.clone());
    let mut stage = Stage::new(&mut rig, &mut model, watched);
    stage.volume.submit_read(Sector(sector)).expect("a slot");
    for _ in 0..PATIENCE {
        match stage.volume.poll() {
            Event::Data(..) => return stage.volume.nand().last_read(),
            Event::Unwritten(_) => return None,
            Event::Pending => stage.volume.wait(),
            _ => {}
        }
    }
    None
}

impl Scene {
    /// Looks what the groomer moves first, and where to. None where the two dies are one.
    fn new(making: Making, seed: u64) -> Option<Self> {
        let Aged { rig, model, .. } = Aged::new(&making, seed);
        // The session is begun in the same way as later on, with the sector next to the one that will be watched: this takes two looks.
        let guess = Self::first_moved(&rig, &model, 0)?;
        let (sector, to) = Self::first_moved(&rig, &model, guess.0)?;
        if sector != guess.0 {
            return None;
        }
        let home = page_of(&rig, &model, sector, sector)?;
        let neighbour = (0..rig.parameters.capacity).rev().find_map(|other| {
            let page = page_of(&rig, &model, sector, other)?;
            (page.die() == to).then_some((other, page))
        })?;
        (home.die() != to).then_some(Self {
            rig,
            model,
            making,
            sector,
            home,
            neighbour,
        })
    }

    fn first_moved(rig: &Rig, model: &Model, watched: u32) -> Option<(u32, Die)> {
        let (mut rig, before) = (rig.clone(), model.clone());
        let mut model = model.clone();
        let mut stage = Stage::new(&mut rig, &mut model, watched);
        stage.volume.nand_mut().watch(None, None);
        stage.groom = true;
        let moved = |stage: &Stage<'_, '_, '_>| {
            let programs = stage.volume.nand().programs();
            let old = programs
                .iter()
                .find(|&&(_, sector, version)| version != 0 && before.current(sector) == version);
            old.map(|&(die, sector, _)| (sector, die))
        };
        stage.until(|stage| moved(stage).is_some()).ok()?;
        moved(&stage)
    }

    /// Plays an order, cut at an operation or after a step, or not at all. What was seen of the sector, and the operations.
    fn play(&self, order: &[Step], plan: Option<CutPlan>, cut_after: Option<usize>) -> Played {
        let (mut rig, mut model) = (self.rig.clone(), self.model.clone());
        let mut stage = Stage::new(&mut rig, &mut model, self.sector);
        stage.volume.nand_mut().watch(Some(self.home), Some(self.neighbour.1));
        stage.hold(&[Deed::Fetch, Deed::Move, Deed::Write, Deed::Occupy]);
        let before = stage.volume.nand_mut().nand_mut().counters();
        if let Some(plan) = plan {
            stage.volume.nand_mut().nand_mut().plan_cut(plan);
        }
        let mut ended = Ok(());
        for (at, &step) in order.iter().enumerate() {
            let next = order.get(at + 1).copied();
            if stage.take(step, next, self.neighbour.0).is_err() {
                ended = Err(PowerLost);
                break;
            }
            if cut_after == Some(at) {
                stage.volume.nand_mut().nand_mut().cut();
                ended = Err(PowerLost);
                break;
            }
        }
        if ended.is_ok() {
            ended = stage.finish();
        }
        let log = stage.volume.nand().log().to_vec();
        let done = stage.volume.nand_mut().nand_mut().counters().since(&before);
        drop(stage);
        // A cut at the last operation of all may come while nobody looks any more.
        assert!(ended.is_ok() || plan.is_some() || cut_after.is_some());
        never_both(&log);
        let mut random = SplitMix64::new(self.rig.parameters.volume_id);
        holds(&mut rig, &mut model, &self.making, &mut random);
        Played {
            steps: steps_of(&log),
            changing: done.programs + done.erases,
        }
    }
}

struct Played {
    steps: Vec<Step>,
    changing: u64,
}

/// A write and a relocation of one sector are never in flight at once.
fn never_both(log: &[Moment]) {
    let mut in_flight = Vec::new();
    for moment in log {
        match moment {
            Moment::Started(deed @ (Deed::Move | Deed::Write)) => {
                in_flight.push(*deed);
                assert_eq!(in_flight.len(), 1, "two programs of one sector: {log:?}");
            }
            Moment::Settled(deed) => in_flight.retain(|other| other != deed),
            Moment::Started(_) => {}
        }
    }
}

/// What happened, in the terms of an order.
fn steps_of(log: &[Moment]) -> Vec<Step> {
    let step = |moment: &Moment| match moment {
        Moment::Started(Deed::Write) => Some(Step::Accept),
        Moment::Settled(Deed::Write) => Some(Step::Settle),
        Moment::Settled(Deed::Fetch) => Some(Step::Fetch),
        Moment::Started(Deed::Move) => Some(Step::Move),
        Moment::Settled(Deed::Move) => Some(Step::Moved),
        _ => None,
    };
    let mut steps: Vec<Step> = log.iter().filter_map(step).collect();
    // A page that cannot be moved yet is fetched again.
    steps.dedup();
    steps
}

/// Plays all orders on disks of a chip, with every cut.
fn play_all(test: &str, making: Making) {
    let orders = orders();
    assert_eq!(orders.len(), 10);
    let mut seen: Vec<Vec<Step>> = Vec::new();
    let (mut scenes, mut cuts) = (0, 0);
    for scene in (0..40).filter_map(|seed| Scene::new(making, seed)) {
        scenes += 1;
        for order in &orders {
            let _replay = Replay(format!(
                "cargo test -p cuesta-tests --test interleavings {test}   # scene {scenes}, {order:?}"
            ));
            let played = scene.play(order, None, None);
            for index in 0..played.changing {
                for tear in [0, 1, 2 + index as usize % 2, 4] {
                    let plan = OF_PROGRAM[tear].at(index, index);
                    scene.play(order, Some(plan), None);
                    cuts += 1;
                }
            }
            for after in 0..order.len() {
                scene.play(order, None, Some(after));
                cuts += 1;
            }
            eprintln!(
                "{test}: disk {scenes}: {order:?} came about as {:?}",
                played.steps
            );
            seen.push(played.steps);
        }
        if scenes == SCENES {
            break;
        }
    }
    eprintln!("{test}: {scenes} disks, {cuts} cuts");
    let saw = |start: &[Step]| seen.iter().any(|steps| steps.starts_with(start));
    for possible in [
        [Step::Accept, Step::Settle].as_slice(),
        &[Step::Accept, Step::Fetch, Step::Settle],
        &[Step::Fetch, Step::Accept, Step::Settle],
        &[
            Step::Fetch,
            Step::Move,
            Step::Moved,
            Step::Accept,
            Step::Settle,
        ],
    ] {
        assert!(saw(possible), "{possible:?} never came about");
    }
}

#[test]
fn the_host_wins_on_two_dies() {
    let making = Making {
        blocks_per_die: Some(16),
        depth: 2,
        ..Making::of("tiny2", Budget::Full)
    };
    play_all("the_host_wins_on_two_dies", making);
}

#[test]
fn the_host_wins_on_four_dies() {
    let making = Making {
        blocks_per_die: Some(10),
        depth: 2,
        ..Making::of("tiny4", Budget::Full)
    };
    play_all("the_host_wins_on_four_dies", making);
}
