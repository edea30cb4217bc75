//! One host write and one relocation of the same sector, in all ten orders, each cut at every step.
//!
//! A write has two steps: it is accepted, it settles. A relocation has three: its source is fetched, its program starts, its program settles.
//! The order is forced by keeping programs and completions back. Of every order, [`Scene::is_lawful`] says which steps the volume takes in
//! their turn and which it has to refuse, and why. What is seen at the part must be just that: the steps that were taken, and a refusal after
//! asking again and again. On one die and on two, a busy die is reason enough to refuse. On four, source, relocation and write have a die each,
//! and another sector is written while the one in question is refused. A write that was refused follows at the end.

use std::collections::BTreeSet;

use cuesta::volume::{Budget, Error, Event, Sector, Shape, Ticket, Volume};
use cuesta_hal::{Nand, NandError, NandErrorKind, PageAddress};
use cuesta_sim::campaign::aftermath::{holds, Replay};
use cuesta_sim::campaign::aged::Making;
use cuesta_sim::campaign::change::{filling, mixture, Change};
use cuesta_sim::campaign::driver::{Driver, PowerLost};
use cuesta_sim::campaign::model::{fill, Model, Version};
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::campaign::tear::{OF_ERASE, OF_PROGRAM};
use cuesta_sim::{CutPlan, SplitMix64};
use cuesta_tests::gate::{Changing, Deed, Gate, Moment, Programmed};

/// Calls of `poll` in which a step that has to be refused is asked for.
const PATIENCE: u32 = 120;
/// Calls of `poll` after which a volume counts as stuck, and a step as refused that should have been taken.
const POLLS_MAX: u32 = 10_000;
/// Disks tried until one has what is needed.
const SEEDS: u64 = 60;
/// Free segments from which on hosts do not pay for grooming: the engine's trigger.
const PLENTY: u32 = 10;
/// Segments that the groomer is to free: more than its next victim.
const MORE: u32 = 2;

/// A step of the write or the relocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Accept,
    Settle,
    /// The read of the source begins. It does so at [`Step::Fetch`] where the order does not say otherwise.
    Begin,
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
    scene: &'s Scene,
    volume: Volume<'m, Gate<'n>>,
    model: &'s mut Model,
    writes: Vec<(Ticket, u32, Version)>,
    accepted: bool,
    acknowledged: bool,
    /// Whether there is time for the groomer.
    groom: bool,
    /// Free segments that it is to bring about.
    goal: u32,
    /// Nothing was in flight after the last turn.
    idle: bool,
    held: Vec<Deed>,
}

fn lost(error: Error) -> PowerLost {
    assert_eq!(error, Error::Nand(NandErrorKind::PowerLost));
    PowerLost
}

impl<'s, 'm, 'n> Stage<'s, 'm, 'n> {
    /// Mounts, begins the session by a write of another sector, and frees segments until hosts need not wait for the groomer.
    fn new(scene: &'s Scene, rig: &'n mut Rig, model: &'s mut Model) -> Self
    where
        'n: 'm,
    {
        let first = model.current(scene.sector);
        let shape = Shape::new(rig.nand.geometry(), &rig.parameters).expect("parameters that fit");
        let gate = Gate::new(&mut rig.nand, shape, scene.sector, first);
        let volume = Volume::mount(gate, rig.memory.lend()).expect("a mount");
        let mut stage = Self {
            scene,
            volume,
            model,
            writes: Vec::new(),
            accepted: false,
            acknowledged: false,
            groom: false,
            goal: 0,
            idle: false,
            held: Vec::new(),
        };
        stage.begin().expect("power");
        stage
    }

    fn begin(&mut self) -> Result<(), PowerLost> {
        assert!(self.write(self.scene.other, POLLS_MAX)?);
        self.settle_all()?;
        for _ in 0..POLLS_MAX {
            if !self.volume.idle(PLENTY).map_err(lost)? {
                break;
            }
            self.turn()?;
        }
        // Now it is the host's turn again, and no victim is half done.
        assert!(self.write(self.scene.other, POLLS_MAX)?);
        self.settle_all()?;
        // Its map page is in memory from now on.
        self.volume
            .submit_read(Sector(self.scene.blank))
            .expect("a slot");
        self.settle_all()?;
        self.volume.nand_mut().watch(self.scene.home);
        Ok(())
    }

    /// One turn.
    fn turn(&mut self) -> Result<(), PowerLost> {
        if self.groom {
            self.volume.idle(self.goal).map_err(lost)?;
        }
        self.idle = false;
        match self.volume.poll() {
            Event::Pending => self.volume.wait(),
            Event::Idle => {
                self.idle = true;
                self.volume.check_alive().map_err(lost)?;
            }
            Event::Written(done) => {
                let at = self.writes.iter().position(|&(ticket, ..)| ticket == done);
                let (_, sector, version) = self.writes.swap_remove(at.expect("a write"));
                self.acknowledged |= sector == self.scene.sector;
                self.model.acknowledged(sector, version);
            }
            Event::Failed(_, error) => return Err(lost(error)),
            Event::Unwritten(_) => {}
            event => panic!("nobody asked for {event:?}"),
        }
        Ok(())
    }

    /// One turn in which operations settle, but none is begun: the answer of a read comes first.
    fn turn_without_work(&mut self) -> Result<(), PowerLost> {
        match self.volume.submit_read(Sector(self.scene.blank)) {
            Ok(_) => {}
            Err(nb::Error::WouldBlock) => panic!("all slots are taken"),
            Err(nb::Error::Other(error)) => return Err(lost(error)),
        }
        self.turn()
    }

    /// Turns until it is so; false when it never is.
    fn until(&mut self, polls: u32, so: impl Fn(&Self) -> bool) -> Result<bool, PowerLost> {
        for _ in 0..polls {
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

    fn hold(&mut self, deeds: &[Deed]) -> Result<(), PowerLost> {
        self.held = deeds.to_vec();
        let held = self.volume.nand_mut().hold(deeds);
        held.map_err(|error| lost(Error::Nand(error.kind())))
    }

    fn release(&mut self, deed: Deed) -> Result<(), PowerLost> {
        let mut held = self.held.clone();
        held.retain(|&held| held != deed);
        self.hold(&held)
    }

    /// Asks for a write; false when it has to wait.
    fn submit(&mut self, sector: u32) -> Result<bool, PowerLost> {
        let version = self.model.fresh();
        let mut data = vec![0; self.volume.sector_bytes()];
        fill(sector, version, &mut data);
        match self.volume.submit_write(Sector(sector), &data) {
            Ok(ticket) => {
                self.model.started(sector, version);
                self.writes.push((ticket, sector, version));
                Ok(true)
            }
            Err(nb::Error::WouldBlock) => Ok(false),
            Err(nb::Error::Other(error)) => Err(lost(error)),
        }
    }

    /// Asks for a write until it is accepted; false when it never is.
    fn write(&mut self, sector: u32, polls: u32) -> Result<bool, PowerLost> {
        for _ in 0..polls {
            if self.submit(sector)? {
                return Ok(true);
            }
            self.turn()?;
        }
        Ok(false)
    }

    /// Asks for the write in question; nothing else begins in the turns between, if so wished.
    fn accept(&mut self, without_work: bool, polls: u32) -> Result<bool, PowerLost> {
        self.groom = false;
        let mut others = 0;
        for poll in 0..polls {
            if self.submit(self.scene.sector)? {
                self.volume.nand_mut().note(Moment::Accepted);
                self.accepted = true;
                return Ok(true);
            }
            if others == 0 && self.moving() {
                // Some sector or other goes to another die.
                let other = poll % self.scene.blank;
                let other = if other == self.scene.sector { 0 } else { other };
                others += u32::from(self.submit(other)?);
            }
            if without_work {
                self.turn_without_work()?;
            } else {
                self.turn()?;
            }
        }
        // Nothing but the relocation was in the way.
        let proven = others > 0 || !self.scene.roomy;
        assert!(proven, "all writes are refused");
        Ok(false)
    }

    /// True while the relocation is in flight.
    fn moving(&self) -> bool {
        self.saw(Moment::Started(Deed::Move)) && !self.saw(Moment::Settled(Deed::Move))
    }

    /// Takes a step, asked for in so many polls; false when the volume refuses to.
    fn take(&mut self, step: Step, next: Option<Step>, polls: u32) -> Result<bool, PowerLost> {
        match step {
            Step::Accept => {
                let fetched = self.saw(Moment::Settled(Deed::Fetch));
                let moving = self.saw(Moment::Started(Deed::Move));
                self.accept(fetched && !moving, polls)
            }
            Step::Settle if !self.accepted => Ok(false),
            Step::Settle => {
                self.release(Deed::Write)?;
                self.until(polls, |stage| stage.acknowledged)
            }
            Step::Begin => {
                self.grooms();
                let begun = self.until(polls, |stage| stage.saw(Moment::Started(Deed::Fetch)));
                self.groom = false;
                begun
            }
            Step::Fetch => {
                self.grooms();
                if !self.until(polls, |stage| stage.saw(Moment::Started(Deed::Fetch)))? {
                    return Ok(false);
                }
                if next != Some(Step::Accept) {
                    self.release(Deed::Fetch)?;
                } else if !self.fetch_and_leave_it()? {
                    return Ok(false);
                }
                self.until(polls, |stage| stage.saw(Moment::Settled(Deed::Fetch)))
            }
            Step::Move => {
                self.grooms();
                self.until(polls, |stage| stage.saw(Moment::Started(Deed::Move)))
            }
            Step::Moved if !self.saw(Moment::Started(Deed::Move)) => Ok(false),
            Step::Moved => {
                self.release(Deed::Move)?;
                self.until(polls, |stage| stage.saw(Moment::Settled(Deed::Move)))
            }
        }
    }

    /// Gives the groomer time, and something to do.
    fn grooms(&mut self) {
        self.groom = true;
        self.goal = self.volume.info().free + MORE;
    }

    /// Lets the fetch settle, but the program not begin in the same turn; false when another write would have to wait.
    fn fetch_and_leave_it(&mut self) -> Result<bool, PowerLost> {
        self.groom = false;
        if self.scene.dies > 1 {
            // Hosts wait for idle work, until a write is accepted while it waits for the part.
            if !self.write(self.scene.other, PATIENCE)? {
                return Ok(false);
            }
            assert!(self.until(POLLS_MAX, |stage| stage.writes.is_empty())?);
        }
        self.release(Deed::Fetch)?;
        for _ in 0..PATIENCE {
            if self.saw(Moment::Settled(Deed::Fetch)) {
                break;
            }
            self.turn_without_work()?;
        }
        assert!(!self.saw(Moment::Started(Deed::Move)), "it did begin");
        Ok(true)
    }

    /// Lets everything go on to its end.
    fn finish(&mut self) -> Result<(), PowerLost> {
        self.hold(&[])?;
        if !self.accepted {
            assert!(
                self.accept(false, POLLS_MAX)?,
                "the write is never accepted"
            );
        }
        self.groom = false;
        self.settle_all()
    }

    /// Turns until nothing is in flight and nothing is asked for.
    fn settle_all(&mut self) -> Result<(), PowerLost> {
        self.idle = false;
        let settled = self.until(POLLS_MAX, |stage| stage.idle && stage.writes.is_empty())?;
        assert!(settled, "it never ends");
        Ok(())
    }
}

/// A disk on which the groomer is about to move a sector.
struct Scene {
    rig: Rig,
    model: Model,
    making: Making,
    dies: u16,
    seed: u64,
    /// Whether other sectors can be written while one page is being programmed.
    roomy: bool,
    /// The sector in question.
    sector: u32,
    /// Where it is.
    home: Option<PageAddress>,
    /// A sector that is written in between.
    other: u32,
    /// One that is not written.
    blank: u32,
}

/// A cut.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// At the operation with this index, in this way.
    At(u64, usize),
    /// Before the step with this index; what is kept back then is hit in this way.
    Step(usize, usize),
}

/// What came of an order.
struct Played {
    /// The steps that were taken in their turn.
    taken: Vec<Step>,
    /// All steps, as the part saw them.
    seen: Vec<Step>,
    changing: Vec<Changing>,
    /// Before which steps a program of the sector was kept back.
    kept_back: Vec<bool>,
}

impl Scene {
    /// A disk that is two thirds full; none of several dies where the sector would be moved or written on the die where it is: there, the die
    /// lets nothing overlap; none where there are others in its page, for whose sake it would be fetched; and none where a segment has to be opened for
    /// the write, which waits for the groomer as all of the volume's own work does.
    fn new(making: Making, seed: u64) -> Option<Self> {
        let mut rig = making.make(seed);
        let mut model = Model::new();
        let mut random = SplitMix64::new(seed);
        let capacity = rig.parameters.capacity;
        {
            let mut disk = rig.mount().expect("a formatted part");
            let trim = Change::Trim {
                first: capacity * 2 / 3,
                len: capacity - capacity * 2 / 3,
            };
            let changes = [
                filling(capacity),
                mixture(&mut random, capacity, capacity),
                vec![trim, Change::Flush],
            ];
            Driver::new(disk.volume_mut(), &mut model, making.depth)
                .run(&changes.concat())
                .expect("power");
        }
        rig.nand.power_cycle();
        model.power_cycled();
        let dies = rig.nand.geometry().dies;
        let units = rig.nand.geometry().page_bytes / rig.parameters.sector_bytes;
        let mut scene = Self {
            rig,
            model,
            making,
            dies,
            seed,
            roomy: dies >= 4 && units == 1,
            sector: capacity,
            home: None,
            other: 0,
            blank: capacity - 1,
        };
        let moved = scene.first_program(true)?;
        scene.sector = moved.sector;
        scene.home = moved.read_before;
        let written = scene.first_program(false)?;
        let home = scene.home?.die();
        // Four dies have room for all three: then nothing but the volume's own care keeps the two programs apart.
        let three = dies < 4 || moved.die != written.die;
        let apart = moved.die != home && written.die != home && three;
        let alone = units == 1 || !scene.is_fetched_after_the_write();
        let fits = moved.sector != scene.other && (dies == 1 || apart) && alone;
        (fits && (dies == 1 || scene.is_accepted_beside_a_fetch())).then_some(scene)
    }

    /// Whether the groomer still fetches the page when the sector is no longer in it: there are others.
    fn is_fetched_after_the_write(&self) -> bool {
        let (mut rig, mut model) = (self.rig.clone(), self.model.clone());
        let mut stage = Stage::new(self, &mut rig, &mut model);
        stage.accept(false, POLLS_MAX).expect("power");
        stage.settle_all().expect("power");
        stage.grooms();
        let fetched = |stage: &Stage<'_, '_, '_>| stage.saw(Moment::Started(Deed::Fetch));
        stage.until(POLLS_MAX, fetched).expect("power")
    }

    /// Whether the write goes to a segment that is open when the groomer has fetched.
    fn is_accepted_beside_a_fetch(&self) -> bool {
        let (mut rig, mut model) = (self.rig.clone(), self.model.clone());
        let mut stage = Stage::new(self, &mut rig, &mut model);
        stage.hold(&[Deed::Fetch]).expect("power");
        let accept = Some(Step::Accept);
        stage.take(Step::Fetch, accept, POLLS_MAX).expect("power")
            && stage.take(Step::Accept, None, POLLS_MAX).expect("power")
    }

    /// What the groomer fetches last for the page that it programs first, or what is programmed when the sector in question is written.
    fn first_program(&self, groom: bool) -> Option<Programmed> {
        let (mut rig, mut model) = (self.rig.clone(), self.model.clone());
        let mut stage = Stage::new(self, &mut rig, &mut model);
        if groom {
            stage.grooms();
        } else {
            stage.accept(false, PATIENCE).expect("power");
        }
        let programs = |stage: &Stage<'_, '_, '_>| stage.volume.nand().programs().last().copied();
        stage
            .until(POLLS_MAX, |stage| programs(stage).is_some())
            .expect("power");
        programs(&stage)
    }

    /// Whether the volume takes the step after those that it has taken.
    fn is_lawful(&self, step: Step, taken: &[Step]) -> bool {
        let done = |step| taken.contains(&step);
        let overlap = self.dies > 1;
        match step {
            // A program of the sector is in flight: the write would overtake it. On one die the write waits for the groomer's buffer too.
            Step::Accept if done(Step::Moved) => true,
            Step::Accept => !done(Step::Move) && (overlap || !done(Step::Fetch)),
            Step::Settle => done(Step::Accept),
            // The index names another place by then. On one die the program is in the way.
            Step::Begin => true,
            Step::Fetch if done(Step::Begin) => true,
            Step::Fetch => !done(Step::Settle) && (overlap || !done(Step::Accept)),
            // What was fetched is old, or will be as soon as the program in flight has settled.
            Step::Move => done(Step::Fetch) && !done(Step::Accept),
            Step::Moved => done(Step::Move),
        }
    }

    /// Plays an order, cut or not.
    fn play(&self, order: &[Step], cut: Option<Cut>) -> Played {
        let (mut rig, mut model) = (self.rig.clone(), self.model.clone());
        let mut stage = Stage::new(self, &mut rig, &mut model);
        let mut played = Played {
            taken: Vec::new(),
            seen: Vec::new(),
            changing: Vec::new(),
            kept_back: Vec::new(),
        };
        if let Some(Cut::At(index, tear)) = cut {
            let plan = OF_PROGRAM[tear].at(index, index);
            stage.volume.nand_mut().nand_mut().plan_cut(plan);
        }
        let lived = self.play_on(&mut stage, order, cut, &mut played);
        assert_eq!(
            lived.is_err(),
            cut.is_some(),
            "a cut and nothing else ends it"
        );
        played.seen = steps_of(stage.volume.nand().log());
        if !order.contains(&Step::Begin) {
            played.seen.retain(|&step| step != Step::Begin);
        }
        played.changing = stage.volume.nand().changing().to_vec();
        never_both(stage.volume.nand().log());
        drop(stage);
        let mut random = SplitMix64::new(self.seed);
        holds(&mut rig, &mut model, &self.making, &mut random);
        played
    }

    fn play_on(
        &self,
        stage: &mut Stage<'_, '_, '_>,
        order: &[Step],
        cut: Option<Cut>,
        played: &mut Played,
    ) -> Result<(), PowerLost> {
        stage.hold(&[Deed::Fetch, Deed::Move, Deed::Write])?;
        for at in 0..=order.len() {
            played.kept_back.push(stage.volume.nand().keeps_a_program());
            if let Some(Cut::Step(step, tear)) = cut {
                if step == at {
                    let plan: CutPlan = OF_PROGRAM[tear].at(0, self.seed);
                    stage.volume.nand_mut().cut(plan);
                    return Err(PowerLost);
                }
            }
            let Some(&step) = order.get(at) else { break };
            let lawful = self.is_lawful(step, &played.taken);
            let polls = if lawful { POLLS_MAX } else { PATIENCE };
            let taken = stage.take(step, order.get(at + 1).copied(), polls)?;
            assert_eq!(taken, lawful, "{step:?} after {:?}", played.taken);
            if taken {
                played.taken.push(step);
            }
        }
        stage.finish()
    }

    /// Plays an order without a cut, then with every cut. How many.
    fn cut_everywhere(&self, test: &str, order: &[Step]) -> (Played, u64) {
        let case = |cut: Option<Cut>| {
            let _replay = Replay(format!(
                "cargo test -p cuesta-tests --test power interleavings::{test}   # seed {}, {order:?}, {cut:?}",
                self.seed
            ));
            self.play(order, cut)
        };
        let played = case(None);
        let mut cuts = 0;
        for (index, &changing) in played.changing.iter().enumerate() {
            let tears = match changing {
                Changing::Program => OF_PROGRAM.len(),
                Changing::Erase => OF_ERASE,
            };
            for tear in 0..tears {
                case(Some(Cut::At(index as u64, tear)));
                cuts += 1;
            }
        }
        for (step, &kept_back) in played.kept_back.iter().enumerate() {
            // Where nothing is kept back, there is nothing to be torn.
            let tears = if kept_back { OF_PROGRAM.len() } else { 1 };
            for tear in 0..tears {
                case(Some(Cut::Step(step, tear)));
                cuts += 1;
            }
        }
        (played, cuts)
    }
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
            Moment::Accepted | Moment::Started(_) => {}
        }
    }
}

/// What happened, in the terms of an order, each step when it happened first: a page that cannot be moved yet may be fetched again.
fn steps_of(log: &[Moment]) -> Vec<Step> {
    let mut steps = Vec::new();
    for moment in log {
        let step = match moment {
            Moment::Accepted => Step::Accept,
            Moment::Settled(Deed::Write) => Step::Settle,
            Moment::Started(Deed::Fetch) => Step::Begin,
            Moment::Settled(Deed::Fetch) => Step::Fetch,
            Moment::Started(Deed::Move) => Step::Move,
            Moment::Settled(Deed::Move) => Step::Moved,
            _ => continue,
        };
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps
}

/// What comes about where the two can overlap: the other orders are refused at some step, and become one of these.
const OVERLAPPING: [&[Step]; 6] = [
    &[Step::Accept, Step::Settle],
    &[Step::Accept, Step::Fetch, Step::Settle],
    &[Step::Fetch, Step::Accept, Step::Settle],
    &[
        Step::Fetch,
        Step::Move,
        Step::Moved,
        Step::Accept,
        Step::Settle,
    ],
    &[Step::Begin, Step::Accept, Step::Settle, Step::Fetch],
    &[Step::Begin, Step::Accept, Step::Fetch, Step::Settle],
];

/// What comes about on one die.
const IN_TURN: [&[Step]; 2] = [OVERLAPPING[0], OVERLAPPING[3]];

/// Plays all orders on a disk, with every cut.
fn play_all(test: &str, making: Making, possible: &[&[Step]]) {
    let mut orders = orders();
    assert_eq!(orders.iter().collect::<BTreeSet<_>>().len(), 10);
    let scene = (0..SEEDS).find_map(|seed| Scene::new(making, seed));
    let scene = scene.expect("a disk on which the groomer has something to move");
    if scene.dies > 1 {
        // While one die reads, a write of another is accepted: so again, with the read begun before.
        let begun = orders.iter().filter(|order| order[0] == Step::Accept);
        let begun = begun.map(|order| [&[Step::Begin], &order[..]].concat());
        let begun: Vec<Vec<Step>> = begun.collect();
        orders.extend(begun);
    }
    let mut seen = BTreeSet::new();
    let mut cuts = 0;
    for order in &orders {
        let (played, count) = scene.cut_everywhere(test, order);
        let (taken, later) = played.seen.split_at(played.taken.len());
        assert_eq!(
            taken, played.taken,
            "{order:?}: the part saw something else"
        );
        eprintln!("{test}: {order:?}: {taken:?} in turn, then {later:?}; {count} cuts");
        seen.insert(played.seen);
        cuts += count;
    }
    eprintln!("{test}: seed {}, {cuts} cuts", scene.seed);
    let possible = possible.iter().map(|steps| steps.to_vec());
    assert_eq!(seen, possible.collect());
}

#[test]
fn m27_a_write_and_a_relocation_on_one_die_leave_the_write() {
    let making = Making::of("tiny", Budget::Full);
    let test = "m27_a_write_and_a_relocation_on_one_die_leave_the_write";
    play_all(test, making, &IN_TURN);
}

#[test]
fn m27_a_write_and_a_relocation_on_two_dies_leave_the_write() {
    let making = Making {
        blocks_per_die: Some(16),
        depth: 2,
        ..Making::of("tiny2", Budget::Full)
    };
    let test = "m27_a_write_and_a_relocation_on_two_dies_leave_the_write";
    play_all(test, making, &OVERLAPPING);
}

#[test]
fn m27_a_write_and_a_relocation_on_four_dies_leave_the_write() {
    let making = Making {
        blocks_per_die: Some(10),
        depth: 2,
        ..Making::of("tiny4", Budget::Full)
    };
    let test = "m27_a_write_and_a_relocation_on_four_dies_leave_the_write";
    play_all(test, making, &OVERLAPPING);
}

#[test]
fn m27_a_write_and_a_relocation_with_several_sectors_a_page_leave_the_write() {
    let making = Making {
        blocks_per_die: Some(10),
        depth: 5,
        ..Making::of("tiny-multi", Budget::Full)
    };
    let test = "m27_a_write_and_a_relocation_with_several_sectors_a_page_leave_the_write";
    play_all(test, making, &OVERLAPPING);
}
