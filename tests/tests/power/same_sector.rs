//! Writes, trims and reads of one sector that overlap: in every order, with more and with less time between them, cut everywhere.

use cuesta::volume::{Budget, Error, Event, Sector, Ticket};
use cuesta_hal::NandErrorKind;
use cuesta_sim::campaign::aftermath::{holds, Replay};
use cuesta_sim::campaign::aged::{Aged, Making};
use cuesta_sim::campaign::change::Change;
use cuesta_sim::campaign::driver::{Driver, PowerLost, RigVolume};
use cuesta_sim::campaign::model::{fill, Model, Version};
use cuesta_sim::campaign::tear::OF_PROGRAM;
use cuesta_sim::{CutPlan, SplitMix64};

/// Calls of `poll` after which a request counts as stuck.
const POLLS_MAX: u32 = 10_000;

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ask {
    Write,
    Trim,
    Read,
}

/// Every order of two writes, a trim and three reads.
fn orders() -> Vec<Vec<Ask>> {
    let all = [
        Ask::Write,
        Ask::Write,
        Ask::Trim,
        Ask::Read,
        Ask::Read,
        Ask::Read,
    ];
    let mut orders = vec![Vec::new()];
    for _ in 0..all.len() {
        let mut longer = Vec::new();
        for order in orders {
            for next in [Ask::Write, Ask::Trim, Ask::Read] {
                let count = |of: &[Ask]| of.iter().filter(|&&ask| ask == next).count();
                if count(&order) < count(&all) {
                    let mut order: Vec<Ask> = order.clone();
                    order.push(next);
                    longer.push(order);
                }
            }
        }
        orders = longer;
    }
    orders
}

/// A read that was accepted.
#[derive(Debug, Clone, Copy)]
struct Read {
    ticket: Ticket,
    /// Versions accepted before.
    accepted: usize,
    /// 1 while the newest of them is a trim that is not acknowledged, else 0.
    trimming: usize,
    /// What it brought, by place in the order of acceptance.
    brought: Option<usize>,
}

/// A host with requests for one sector in flight.
struct Host<'h, 'r> {
    volume: &'h mut RigVolume<'r>,
    model: &'h mut Model,
    sector: u32,
    /// Versions in the order of acceptance; the first was there before.
    accepted: Vec<Version>,
    changes: Vec<(Ticket, Version)>,
    reads: Vec<Read>,
}

fn lost(error: Error) -> PowerLost {
    assert_eq!(error, Error::Nand(NandErrorKind::PowerLost));
    PowerLost
}

impl Host<'_, '_> {
    fn turn(&mut self) -> Result<(), PowerLost> {
        let (done, version) = match self.volume.poll() {
            Event::Pending => {
                self.volume.wait();
                return Ok(());
            }
            Event::Idle => return self.volume.check_alive().map_err(lost),
            Event::Data(ticket, data) => (ticket, Model::identify(self.sector, true, data)),
            Event::Unwritten(ticket) => (ticket, Some(0)),
            Event::Written(ticket) | Event::Trimmed(ticket) => (ticket, None),
            Event::Failed(_, error) => return Err(lost(error)),
            event => panic!("nobody asked for {event:?}"),
        };
        if let Some(at) = self.changes.iter().position(|&(ticket, _)| ticket == done) {
            let (_, version) = self.changes.swap_remove(at);
            if version != 0 {
                self.model.acknowledged(self.sector, version);
            }
            return Ok(());
        }
        let version = version.expect("a version of the sector");
        let rank = self
            .accepted
            .iter()
            .position(|&accepted| accepted == version);
        let read = self.reads.iter_mut().find(|read| read.ticket == done);
        read.expect("a request").brought = Some(rank.expect("a version that was accepted"));
        Ok(())
    }

    fn ask(&mut self, ask: Ask) -> Result<(), PowerLost> {
        let version = match ask {
            Ask::Write => self.model.fresh(),
            Ask::Trim | Ask::Read => 0,
        };
        let mut data = vec![0; self.volume.sector_bytes()];
        fill(self.sector, version, &mut data);
        let sector = Sector(self.sector);
        for _ in 0..POLLS_MAX {
            let asked = match ask {
                Ask::Write => self.volume.submit_write(sector, &data),
                Ask::Trim => self.volume.submit_trim(sector, 1),
                Ask::Read => self.volume.submit_read(sector),
            };
            match asked {
                Ok(ticket) if ask == Ask::Read => {
                    self.reads.push(Read {
                        ticket,
                        accepted: self.accepted.len(),
                        trimming: usize::from(self.changes.iter().any(|&(_, it)| it == 0)),
                        brought: None,
                    });
                    return Ok(());
                }
                Ok(ticket) => {
                    self.model.started(self.sector, version);
                    self.accepted.push(version);
                    self.changes.push((ticket, version));
                    return Ok(());
                }
                Err(nb::Error::WouldBlock) => self.turn()?,
                Err(nb::Error::Other(error)) => return Err(lost(error)),
            }
        }
        panic!("{ask:?} is never accepted");
    }

    /// Asks for everything in this order, with some calls of `poll` in between, and waits.
    fn ask_all(&mut self, order: &[Ask], polls: u32) -> Result<(), PowerLost> {
        for &next in order {
            self.ask(next)?;
            for _ in 0..polls {
                self.turn()?;
            }
        }
        let waits = |host: &Self| {
            !host.changes.is_empty() || host.reads.iter().any(|read| read.brought.is_none())
        };
        for _ in 0..POLLS_MAX {
            if !waits(self) {
                return Ok(());
            }
            self.turn()?;
        }
        panic!("requests are never finished");
    }
}

/// A disk, and one sector of it that has been written.
struct Case {
    aged: Aged,
    making: Making,
    sector: u32,
}

impl Case {
    fn new(making: Making, seed: u64) -> Self {
        let aged = Aged::new(&making, seed);
        let capacity = aged.rig.parameters.capacity;
        let sector = (0..capacity).find(|&sector| aged.model.current(sector) != 0);
        Self {
            aged,
            making,
            sector: sector.expect("a sector that was written"),
        }
    }

    /// Plays an order; cut at an operation, or not. Programs and erases.
    fn play(&self, order: &[Ask], polls: u32, plan: Option<CutPlan>) -> u64 {
        let (mut rig, mut model) = (self.aged.rig.clone(), self.aged.model.clone());
        let mut disk = rig.mount().expect("a mount");
        let begin = [Change::Write((self.sector + 1) % disk.volume().capacity())];
        Driver::new(disk.volume_mut(), &mut model, 1)
            .run(&begin)
            .expect("power");
        let before = disk.volume().nand().counters();
        if let Some(plan) = plan {
            disk.volume_mut().nand_mut().plan_cut(plan);
        }
        let mut host = Host {
            accepted: vec![model.current(self.sector)],
            volume: disk.volume_mut(),
            model: &mut model,
            sector: self.sector,
            changes: Vec::new(),
            reads: Vec::new(),
        };
        let ended = host.ask_all(order, polls);
        assert!(ended.is_ok() || plan.is_some());
        let mut newest = 0;
        for read in host.reads.iter() {
            let Some(rank) = read.brought else { continue };
            // A trim that is not acknowledged may wait for the read.
            let legal = read.accepted - 1 - read.trimming..read.accepted;
            assert!(
                legal.contains(&rank) && rank >= newest,
                "a read brought another version than the newest accepted before it: {:?}",
                host.reads
            );
            newest = rank;
        }
        let done = disk.volume().nand().counters().since(&before);
        drop(disk);
        if plan.is_some() {
            let mut random = SplitMix64::new(1);
            holds(&mut rig, &mut model, &self.making, &mut random);
        }
        done.programs + done.erases
    }
}

fn play_all(test: &str, making: Making) {
    let orders = orders();
    assert_eq!(orders.len(), 60);
    let case = Case::new(making, 0);
    let mut cuts = 0;
    for (number, order) in orders.iter().enumerate() {
        for polls in [0, 1, 2, 3, 5] {
            let _replay = Replay(format!(
                "cargo test -p cuesta-tests --test power same_sector::{test}   # {order:?}, {polls} polls in between"
            ));
            let changing = case.play(order, polls, None);
            for index in 0..changing {
                let tear = [0, 1, 2, 4, 8][(number + polls as usize + index as usize) % 5];
                let seed = number as u64;
                case.play(order, polls, Some(OF_PROGRAM[tear].at(index, seed)));
                cuts += 1;
            }
        }
    }
    eprintln!("{test}: {} orders, {cuts} cuts", orders.len());
}

#[test]
fn reads_bring_what_was_accepted_last_on_one_die() {
    let making = Making::of("tiny", Budget::Minimum);
    play_all("reads_bring_what_was_accepted_last_on_one_die", making);
}

#[test]
fn reads_bring_what_was_accepted_last_on_two_dies() {
    let making = Making {
        blocks_per_die: Some(16),
        ..Making::of("tiny2", Budget::Full)
    };
    play_all("reads_bring_what_was_accepted_last_on_two_dies", making);
}

#[test]
fn reads_bring_what_was_accepted_last_with_several_sectors_a_page() {
    let making = Making {
        blocks_per_die: Some(8),
        ..Making::of("tiny-multi", Budget::Full)
    };
    play_all(
        "reads_bring_what_was_accepted_last_with_several_sectors_a_page",
        making,
    );
}
