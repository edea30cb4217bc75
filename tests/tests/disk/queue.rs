//! Many requests in flight: what each read may return, whose ticket is told when, and when grooming is done.

use cuesta::volume::{Budget, Error, Event, FormatOptions, Sector};
use cuesta_hal::{Geometry, Pairing};
use cuesta_sim::campaign::model::fill;
use cuesta_sim::campaign::oracle::within;
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::{chip, EmulatedNand, SplitMix64};
use cuesta_tests::host::{Asked, Host, TURNS_MAX};

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
    assert!(
        host.writes > u64::from(requests) / 20,
        "{} writes",
        host.writes
    );
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
fn z6_reads_return_what_was_acknowledged_or_submitted_later_whatever_is_in_flight() {
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
fn z6_a_part_of_eight_dies_keeps_the_order_of_every_sector() {
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
                        Asked::Read { .. } | Asked::Flush => {
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
        refused(
            volume
                .submit_read(Sector(sector))
                .expect_err("no such sector"),
        );
        refused(
            volume
                .submit_write(Sector(sector), &data)
                .expect_err("no such sector"),
        );
        refused(
            volume
                .submit_trim(Sector(sector), 1)
                .expect_err("no such sector"),
        );
    }
    refused(
        volume
            .submit_trim(Sector(0), u32::MAX)
            .expect_err("too many"),
    );
    refused(
        volume
            .submit_trim(Sector(u32::MAX), u32::MAX)
            .expect_err("too many"),
    );
    for wrong in [0, 1, data.len() - 1, data.len() + 1] {
        let error = volume
            .submit_write(Sector(0), &vec![0; wrong])
            .expect_err("the length");
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
fn m30_idle_time_brings_free_segments_back_and_load_uses_them_up_before_it_grooms() {
    within(200, "idle time", || {
        for chip in ["tiny", "tiny4", "tiny-multi"] {
            let mut rig = Rig::of(chip, 8, Budget::Full);
            worn_in(&mut rig);
            let mut disk = rig.mount().expect("a sound part");
            let mut data = vec![0; disk.volume().sector_bytes()];
            fill(0, 3, &mut data);
            disk.write(Sector(0), &data).expect("room");
            let before = disk.volume().info().free;
            // A burst may open a segment for each stream.
            let wanted = before + 6;
            let mut calls = 0;
            while disk.idle(wanted, 64).expect("a sound part") && calls < 4000 {
                calls += 1;
            }
            let after = disk.volume().info().free;
            assert!(
                after >= wanted,
                "{chip}: {before} free, {after} after idle time"
            );
            // A burst right after is not groomed for. What is on its way has been before it.
            while disk.volume_mut().poll() != Event::Idle {
                disk.volume_mut().wait();
            }
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
