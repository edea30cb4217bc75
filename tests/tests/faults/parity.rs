//! Levels with parity: any die may go, whatever is being done; what a stripe costs; what is lost when two pages of one are.

use cuesta::codec::Ecc;
use cuesta::volume::{Budget, Error, Event, Level, LevelIndex, Sector};
use cuesta_hal::Die;
use cuesta_sim::campaign::aged::Making;
use cuesta_sim::campaign::model::fill;
use cuesta_sim::campaign::oracle::within;
use cuesta_sim::campaign::rig::{Rig, RigDisk};
use cuesta_sim::campaign::verdict;
use cuesta_sim::SplitMix64;

/// Four dies, and parity over three of them.
const THREE: Making = Making::of("tiny4", Budget::Full).with_levels(40, &["a=parity=3", "b=bch4"]);
/// The same, and a die to spare.
const TWO: Making = Making::of("tiny4", Budget::Full).with_levels(40, &["a=parity=2", "b=bch4"]);
/// Pages of several sectors.
const MULTI: Making = Making {
    page_bytes: Some(8192),
    ..Making::of("tiny-multi", Budget::Full).with_levels(40, &["a=parity=3", "b=bch4"])
};
const MAKINGS: [Making; 3] = [THREE, TWO, MULTI];

/// Sectors that are written.
const SECTORS: u32 = 180;

fn data(disk: &RigDisk<'_>, sector: u32, version: u64) -> Vec<u8> {
    let mut data = vec![0; disk.volume().sector_bytes()];
    fill(sector, version, &mut data);
    data
}

/// Writes sectors of the first level, so many at a time that stripes become full.
fn write_all(disk: &mut RigDisk<'_>, sectors: impl Iterator<Item = u32>, version: u64) {
    let mut open = 0;
    let volume_done = |disk: &mut RigDisk<'_>, open: &mut u32, most: u32| {
        while *open > most {
            match disk.volume_mut().poll() {
                Event::Written(_) => *open -= 1,
                Event::Failed(_, error) => panic!("{error}"),
                Event::Pending => disk.volume_mut().wait(),
                _ => {}
            }
        }
    };
    for sector in sectors {
        let data = data(disk, sector, version);
        while let Err(error) = disk.volume_mut().submit_write(Sector(sector), &data) {
            assert!(matches!(error, nb::Error::WouldBlock), "{error:?}");
            match disk.volume_mut().poll() {
                Event::Written(_) => open -= 1,
                Event::Pending => disk.volume_mut().wait(),
                _ => {}
            }
        }
        open += 1;
    }
    volume_done(disk, &mut open, 0);
}

/// A disk all of whose sectors were written at the first level.
fn written(making: &Making, seed: u64) -> Rig {
    let mut rig = making.make(seed);
    let mut disk = rig.mount().expect("a volume");
    write_all(&mut disk, 0..SECTORS, 1);
    disk.unmount().map_err(|(_, error)| error).expect("an end");
    rig
}

/// How many sectors can be read, and how many are lost. Wrong data ends the test.
fn tally(disk: &mut RigDisk<'_>, version: u64) -> (u32, u32) {
    let (mut good, mut lost) = (0, 0);
    let mut found = vec![0; disk.volume().sector_bytes()];
    for sector in 0..SECTORS {
        match disk.read(Sector(sector), &mut found) {
            Ok(written) => {
                assert!(written, "sector {sector} is unwritten");
                assert!(found == data(disk, sector, version), "sector {sector}");
                good += 1;
            }
            Err(Error::Lost(_)) => lost += 1,
            Err(error) => panic!("sector {sector}: {error}"),
        }
    }
    (good, lost)
}

#[test]
fn any_one_die_may_go_before_the_mount_or_behind_it_and_two_cost_what_they_held() {
    within(200, "lost dies", || {
        for making in MAKINGS {
            for first in 0..4 {
                for at_mount in [false, true] {
                    let what = format!("{making:?}, die {first}, at mount: {at_mount}");
                    eprintln!("{what}");
                    let mut rig = written(&making, u64::from(first));
                    if at_mount {
                        rig.nand.lose_die(Die(first));
                    }
                    let mut disk = rig.mount().expect("a volume");
                    disk.volume_mut().nand_mut().lose_die(Die(first));
                    assert_eq!(tally(&mut disk, 1), (SECTORS, 0), "{what}");
                    verdict::verifies(&mut disk, &what);
                    let second = Die((first + 1) % 4);
                    disk.volume_mut().nand_mut().lose_die(second);
                    let (good, lost) = tally(&mut disk, 1);
                    assert!(good > 0 && lost > 0, "{what}: {good} and {lost}");
                }
            }
        }
    });
}

#[test]
fn what_a_lost_die_held_is_made_again_onto_the_others() {
    within(200, "healing", || {
        for making in MAKINGS {
            let pairs = (0..4).flat_map(|first| (0..4).map(move |second| (first, second)));
            for (first, second) in pairs.filter(|(first, second)| first != second) {
                let what = format!("{making:?}, die {first}, then {second}");
                eprintln!("{what}");
                let mut rig = written(&making, u64::from(second));
                let mut disk = rig.mount().expect("a volume");
                // The session has begun when the die goes.
                write_all(&mut disk, 0..1, 1);
                disk.volume_mut().nand_mut().lose_die(Die(first));
                for _ in 0..100 {
                    if !disk.idle(0, 10_000).expect("dies that answer") {
                        break;
                    }
                }
                let healed = disk.volume().stats();
                assert!(healed.relocations > 0, "{what}: {healed:?}");
                assert_eq!(tally(&mut disk, 1), (SECTORS, 0), "{what}");
                disk.volume_mut().nand_mut().lose_die(Die(second));
                assert_eq!(tally(&mut disk, 1), (SECTORS, 0), "{what}");
            }
        }
    });
}

#[test]
fn a_full_stripe_costs_one_page_in_so_many_and_a_flushed_sector_a_page() {
    within(100, "costs", || {
        for (making, pages) in [(TWO, 2), (THREE, 3)] {
            let mut rig = making.make(1);
            let mut disk = rig.mount().expect("a volume");
            write_all(&mut disk, 0..1, 1);
            let programs = |disk: &RigDisk<'_>| disk.volume().stats().data_pages;
            let before = programs(&disk);
            write_all(&mut disk, 1..121, 1);
            let cost = programs(&disk) - before;
            let least = 120 + 120 / pages;
            // The stripes at both ends of a segment are shorter.
            assert!((least..=least + 8).contains(&cost), "{cost} pages, {pages}");
            let before = programs(&disk);
            for sector in 0..40 {
                let own = data(&disk, sector, 2);
                disk.write(Sector(sector), &own).expect("room");
                disk.flush().expect("a part");
            }
            let cost = programs(&disk) - before;
            assert!((80..90).contains(&cost), "{cost} pages for 40 sectors");
            verdict::verifies(&mut disk, "what was written");
        }
    });
}

#[test]
fn a_die_goes_while_sectors_are_read_written_and_groomed() {
    within(200, "a die lost under load", || {
        for making in MAKINGS {
            for seed in 0..8 {
                let what = format!("{making:?}, seed {seed}");
                eprintln!("{what}");
                let mut rig = written(&making, seed);
                let mut disk = rig.mount().expect("a volume");
                let mut random = SplitMix64::new(seed);
                let mut versions = vec![1; SECTORS as usize];
                for turn in 0..600 {
                    if turn == 100 {
                        disk.volume_mut()
                            .nand_mut()
                            .lose_die(Die((seed % 4) as u16));
                    }
                    let sector = random.below(u64::from(SECTORS)) as u32;
                    if turn % 2 == 0 {
                        versions[sector as usize] = turn + 2;
                        let own = data(&disk, sector, turn + 2);
                        disk.write_with(Sector(sector), &own, LevelIndex(0).into())
                            .unwrap_or_else(|error| panic!("{what}, {turn}: {error}"));
                    } else {
                        let mut found = vec![0; disk.volume().sector_bytes()];
                        disk.read(Sector(sector), &mut found)
                            .unwrap_or_else(|error| panic!("{what}, {turn}: {error}"));
                        let own = data(&disk, sector, versions[sector as usize]);
                        assert!(found == own, "{what}, {turn}: sector {sector}");
                    }
                }
                drop(disk);
                rig.nand.power_cycle();
                let mut disk = rig.mount().expect("a volume");
                for sector in 0..SECTORS {
                    let mut found = vec![0; disk.volume().sector_bytes()];
                    disk.read(Sector(sector), &mut found)
                        .unwrap_or_else(|error| panic!("{what}, at the end: {error}"));
                    let own = data(&disk, sector, versions[sector as usize]);
                    assert!(found == own, "{what}, at the end: sector {sector}");
                }
            }
        }
    });
}

#[test]
fn parity_is_refused_where_there_are_too_few_dies() {
    use cuesta::volume::{FormatOptions, ParameterError, Parameters, Redundancy};
    let choose = |name: &str, text: &str| {
        let levels = [Level::parse(text, Ecc::Bch4).expect("a level")];
        let options = FormatOptions {
            levels: &levels,
            ..FormatOptions::default()
        };
        let geometry = cuesta_sim::chip(name).expect("a chip").geometry;
        Parameters::choose(&geometry, &options)
    };
    for (chip, text, redundancy, places) in [
        ("w25n01gv", "a=parity=2", Redundancy::Parity(2), 1),
        ("tiny2", "a=parity=2", Redundancy::Parity(2), 2),
        ("tiny4", "a=parity=4", Redundancy::Parity(4), 4),
    ] {
        let error = choose(chip, text).unwrap_err();
        assert_eq!(error, ParameterError::Stripe { redundancy, places });
        let said = error.to_string();
        assert!(said.contains("ask for parity over fewer pages"), "{said}");
    }
}
