//! Many requests in flight: what each read may return, whose ticket is told when, and when grooming is done.

use std::collections::{BTreeMap, BTreeSet};

use cuesta::volume::{Budget, Error, Event, FormatOptions, Sector, Ticket, Volume};
use cuesta_hal::{Geometry, Pairing};
use cuesta_sim::{chip, EmulatedNand, SplitMix64};
use cuesta_tests::model::{fill, Model, Version};
use cuesta_tests::oracle::within;
use cuesta_tests::rig::Rig;

type RigVolume<'r> = Volume<'r, &'r mut EmulatedNand>;

/// Turns without an event after which a volume counts as stuck.
const TURNS_MAX: u32 = 200_000;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Versions the read may return: from the first to the last.
    Read {
        sector: u32,
        from: Version,
        to: Version,
    },
    Write {
        sector: u32,
        version: Version,
    },
    Trim {
        first: u32,
        count: u32,
        version: Version,
    },
    Flush {
        /// Trims completed before it was asked for.
        trims: Version,
    },
}

/// A sector's past: versions in the order in which they were submitted. A trim is a version that reads as unwritten.
#[derive(Debug, Clone, Default)]
struct Past {
    acknowledged: Version,
    submitted: Version,
    trims: BTreeSet<Version>,
}

/// A host that has many requests in flight and judges every answer.
struct Host<'v, 'r> {
    volume: &'v mut RigVolume<'r>,
    random: SplitMix64,
    next: Version,
    asked: BTreeMap<u32, Asked>,
    done: BTreeSet<u32>,
    forgotten: BTreeSet<u32>,
    sectors: BTreeMap<u32, Past>,
    data: Vec<u8>,
    reads: u64,
    writes: u64,
    in_flight_max: usize,
}

impl<'v, 'r> Host<'v, 'r> {
    fn new(volume: &'v mut RigVolume<'r>, seed: u64) -> Self {
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

    fn ask_to_read(&mut self, sector: u32) -> bool {
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

    fn ask_to_write(&mut self, sector: u32) -> bool {
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

    fn ask_to_trim(&mut self, first: u32) -> bool {
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

    fn ask_to_flush(&mut self) -> bool {
        match self.volume.submit_flush() {
            Ok(ticket) => {
                let trims = self.next;
                self.note(ticket, Asked::Flush { trims });
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
    fn turn(&mut self) -> bool {
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
            (Asked::Flush { .. }, None) => {}
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
    fn drain(&mut self) {
        for _ in 0..TURNS_MAX {
            if self.asked.is_empty() && self.forgotten.is_empty() {
                return;
            }
            self.turn();
        }
        panic!("never answered: {:?} {:?}", self.asked, self.forgotten);
    }

    fn storm(&mut self, requests: u32) {
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
    fn check_all(&mut self) {
        self.drain();
        for sector in 0..self.volume.capacity() {
            while !self.ask_to_read(sector) {
                self.turn();
            }
        }
        self.drain();
    }
}

/// A controller-scale part with several sectors in a page, scaled down to test size.
fn wide_rig(seed: u64, budget: Budget) -> Rig {
    let row = chip("ssd-tlc").expect("a chip of the table");
    let geometry = Geometry {
        dies: 8,
        blocks_per_die: 32,
        pages_per_block: 16,
        pairing: Pairing::None,
        ..row.geometry
    };
    let builder = EmulatedNand::builder("ssd-tlc")
        .expect("a chip of the table")
        .geometry(geometry)
        .seed(seed)
        .strict(true);
    let options = FormatOptions {
        volume_id: seed | 1,
        width: Some(4),
        ..FormatOptions::default()
    };
    Rig::new(builder, &options, budget)
}

fn storm_on(mut rig: Rig, seed: u64, requests: u32) {
    let mut disk = rig.mount().expect("a formatted part");
    let mut host = Host::new(disk.volume_mut(), seed);
    for _ in 0..4 {
        host.storm(requests / 4);
        host.check_all();
    }
    assert!(host.reads > u64::from(requests) / 8, "{} reads", host.reads);
    assert!(host.writes > u64::from(requests) / 8, "{} writes", host.writes);
    assert!(host.in_flight_max >= 4, "{} in flight", host.in_flight_max);
    let sectors = host.sectors.clone();
    disk.unmount().map_err(|(_, error)| error).expect("an end");
    let mut disk = rig.mount().expect("a sound part");
    let mut host = Host::new(disk.volume_mut(), seed);
    host.sectors = sectors;
    host.check_all();
    assert_eq!(rig.nand.violation_count(), 0);
}

#[test]
fn reads_return_what_was_acknowledged_or_submitted_later_whatever_is_in_flight() {
    within(200, "storms", || {
        for chip in ["tiny", "tiny2", "tiny4", "tiny-multi"] {
            for (seed, budget) in [(1, Budget::Full), (2, Budget::Minimum), (3, Budget::Full)] {
                eprintln!("{chip} {budget:?} seed {seed}");
                storm_on(Rig::of(chip, seed, budget), seed, 6000);
            }
        }
    });
}

#[test]
fn a_part_of_eight_dies_keeps_the_order_of_every_sector() {
    within(200, "eight dies", || {
        for (seed, budget) in [(1, Budget::Full), (2, Budget::Minimum)] {
            storm_on(wide_rig(seed, budget), seed, 8000);
        }
    });
}

#[test]
fn forgotten_tickets_do_no_harm() {
    within(200, "forgotten tickets", || {
        for chip in ["tiny4", "tiny-multi"] {
            let mut rig = Rig::of(chip, 5, Budget::Full);
            let mut disk = rig.mount().expect("a formatted part");
            let mut host = Host::new(disk.volume_mut(), 5);
            for _ in 0..40 {
                host.storm(60);
                // The host goes away; whatever it had written may be there or not, whatever it had read is told to nobody.
                let asked = std::mem::take(&mut host.asked);
                for (ticket, asked) in asked {
                    match asked {
                        Asked::Read { .. } | Asked::Flush { .. } => {
                            host.forgotten.insert(ticket);
                        }
                        kept => {
                            host.asked.insert(ticket, kept);
                        }
                    }
                }
            }
            host.check_all();
        }
    });
}

#[test]
fn a_read_after_a_submitted_write_of_the_same_sector_sees_it() {
    let mut rig = Rig::of("tiny4", 6, Budget::Full);
    let mut disk = rig.mount().expect("a formatted part");
    let mut host = Host::new(disk.volume_mut(), 6);
    for round in 0..200 {
        let sector = round % 7;
        for _ in 0..TURNS_MAX {
            if host.ask_to_write(sector) {
                break;
            }
            host.turn();
        }
        // Accepted after the write: it must not overtake it.
        let newest = host.sectors[&sector].submitted;
        for _ in 0..TURNS_MAX {
            if host.ask_to_read(sector) {
                break;
            }
            host.turn();
        }
        for asked in host.asked.values_mut() {
            if let Asked::Read { from, to, .. } = asked {
                if *to == newest {
                    *from = newest;
                }
            }
        }
        if host.random.chance(1, 3) {
            host.drain();
        }
    }
    host.drain();
}

#[test]
fn what_was_acknowledged_before_a_flush_survives_the_power() {
    for chip in ["tiny4", "tiny-multi"] {
        for seed in 0..12 {
            let mut rig = Rig::of(chip, seed, Budget::Full);
            let mut disk = rig.mount().expect("a formatted part");
            let mut host = Host::new(disk.volume_mut(), seed);
            host.storm(300 + 40 * seed as u32);
            host.drain();
            while !host.ask_to_flush() {
                host.turn();
            }
            host.drain();
            let mut sectors = host.sectors.clone();
            // More goes on when the power goes.
            host.storm(40);
            for (sector, past) in &host.sectors {
                let kept = sectors.entry(*sector).or_default();
                kept.submitted = past.submitted;
                kept.trims.clone_from(&past.trims);
                // Acknowledged writes are durable without a flush.
                if !past.trims.contains(&past.acknowledged) {
                    kept.acknowledged = kept.acknowledged.max(past.acknowledged);
                }
            }
            drop(disk);
            rig.nand.power_cycle();
            let mut disk = rig.mount().expect("a volume");
            let mut host = Host::new(disk.volume_mut(), seed);
            host.sectors = sectors;
            host.check_all();
        }
    }
}

#[test]
fn requests_beyond_the_end_are_refused_and_the_rest_goes_on() {
    let mut rig = Rig::of("tiny4", 7, Budget::Full);
    let mut disk = rig.mount().expect("a formatted part");
    let volume = disk.volume_mut();
    let capacity = volume.capacity();
    let data = vec![0; volume.sector_bytes()];
    let refused = |error| {
        assert!(
            matches!(error, nb::Error::Other(Error::OutOfRange { .. })),
            "{error:?}"
        );
    };
    for sector in [capacity, capacity + 1, u32::MAX] {
        refused(volume.submit_read(Sector(sector)).expect_err("no such sector"));
        refused(volume.submit_write(Sector(sector), &data).expect_err("no such sector"));
        refused(volume.submit_trim(Sector(sector), 1).expect_err("no such sector"));
    }
    refused(volume.submit_trim(Sector(0), u32::MAX).expect_err("too many"));
    refused(volume.submit_trim(Sector(u32::MAX), u32::MAX).expect_err("too many"));
    for wrong in [0, 1, data.len() - 1, data.len() + 1] {
        let error = volume.submit_write(Sector(0), &vec![0; wrong]).expect_err("the length");
        assert!(
            matches!(error, nb::Error::Other(Error::Length { .. })),
            "{error:?}"
        );
    }
    let mut host = Host::new(disk.volume_mut(), 7);
    host.storm(200);
    host.check_all();
}

/// Fills a disk and overwrites it until grooming has begun.
fn worn_in(rig: &mut Rig) -> u32 {
    let mut disk = rig.mount().expect("a formatted part");
    let mut random = SplitMix64::new(3);
    let mut data = vec![0; disk.volume().sector_bytes()];
    let capacity = disk.volume().capacity();
    for sector in 0..capacity * 7 / 10 {
        fill(sector, 1, &mut data);
        disk.write(Sector(sector), &data).expect("room");
    }
    for _ in 0..capacity {
        let sector = random.below(u64::from(capacity * 7 / 10)) as u32;
        fill(sector, 2, &mut data);
        disk.write(Sector(sector), &data).expect("room");
    }
    let free = disk.volume().info().free;
    disk.unmount().map_err(|(_, error)| error).expect("an end");
    free
}

#[test]
fn idle_time_brings_free_segments_back_and_load_uses_them_up_before_it_grooms() {
    within(200, "idle time", || {
        for chip in ["tiny", "tiny4", "tiny-multi"] {
            let mut rig = Rig::of(chip, 8, Budget::Full);
            worn_in(&mut rig);
            let mut disk = rig.mount().expect("a sound part");
            let mut data = vec![0; disk.volume().sector_bytes()];
            fill(0, 3, &mut data);
            disk.write(Sector(0), &data).expect("room");
            let before = disk.volume().info().free;
            let wanted = before + 3;
            let mut calls = 0;
            while disk.idle(wanted, 64).expect("a sound part") && calls < 4000 {
                calls += 1;
            }
            let after = disk.volume().info().free;
            assert!(after >= wanted, "{chip}: {before} free, {after} after idle time");
            // A burst right after is not groomed for.
            let relocations = disk.volume().stats().relocations;
            let burst = 8;
            for sector in 0..burst {
                fill(sector, 4, &mut data);
                disk.write(Sector(sector), &data).expect("room");
            }
            let moved = disk.volume().stats().relocations - relocations;
            assert_eq!(moved, 0, "{chip}: a burst after idle time was groomed for");
            // Without idle time the free segments go down, and then writes groom.
            let mut least = after;
            let mut random = SplitMix64::new(9);
            for _ in 0..disk.volume().capacity() {
                let sector = random.below(u64::from(disk.volume().capacity() * 7 / 10)) as u32;
                fill(sector, 5, &mut data);
                disk.write(Sector(sector), &data).expect("room");
                least = least.min(disk.volume().info().free);
            }
            assert!(least < after, "{chip}: load used no free segment");
            assert!(least > 0, "{chip}: nothing was free");
            assert!(
                disk.volume().stats().relocations > relocations,
                "{chip}: exhaustion forced no grooming"
            );
        }
    });
}
