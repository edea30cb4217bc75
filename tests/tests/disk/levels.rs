//! Levels: what is written at each of them is protected as it says, survives what it says, and stays readable whatever comes after.

use cuesta::codec::Ecc;
use cuesta::volume::{
    Budget, Error, FormatOptions, Level, LevelChangeError, LevelIndex, ParameterError, Parameters,
    Redundancy, Sector,
};
use cuesta_hal::{Die, Geometry};
use cuesta_sim::campaign::aftermath::lives;
use cuesta_sim::campaign::aged::Making;
use cuesta_sim::campaign::model::fill;
use cuesta_sim::campaign::oracle::within;
use cuesta_sim::campaign::rig::{Rig, RigDisk};
use cuesta_sim::campaign::verdict;
use cuesta_sim::{chip, CutPlan, EmulatedNand, SplitMix64};

fn levels(texts: &[&str]) -> Vec<Level> {
    let level = |text: &&str| Level::parse(text, Ecc::Bch4).map_err(|error| error.to_string());
    texts
        .iter()
        .map(|text| level(text).expect("a level"))
        .collect()
}

/// Four dies with room for a few levels.
const FOUR: Making = Making::of("tiny4", Budget::Full);

fn write_at(disk: &mut RigDisk<'_>, sector: u32, version: u64, level: u8) -> Result<(), Error> {
    let mut data = vec![0; disk.volume().sector_bytes()];
    fill(sector, version, &mut data);
    disk.write_with(Sector(sector), &data, LevelIndex(level).into())
}

fn reads(disk: &mut RigDisk<'_>, sector: u32, version: u64) -> Result<(), Error> {
    let bytes = disk.volume().sector_bytes();
    let (mut data, mut expected) = (vec![0; bytes], vec![0; bytes]);
    fill(sector, version, &mut expected);
    assert!(
        disk.read(Sector(sector), &mut data)?,
        "sector {sector} is unwritten"
    );
    assert!(data == expected, "sector {sector} reads as something else");
    Ok(())
}

const fn multi(budget: Budget) -> Making {
    Making {
        page_bytes: Some(8192),
        depth: 5,
        ..Making::of("tiny-multi", budget)
    }
}

/// Level tables, and parts that have room for them.
const MAKINGS: [Making; 11] = [
    Making::of("tiny", Budget::Full).with_levels(72, &["plain", "safe=mirror=2"]),
    Making::of("tiny", Budget::Minimum).with_levels(96, &["plain=crc", "safe=bch4,mirror=3"]),
    Making::of("tiny2", Budget::Full).with_levels(40, &["safe=mirror=2", "fast=secded"]),
    Making::of("tiny4", Budget::Minimum)
        .with_levels(24, &["a=crc", "b=mirror=2", "c=secded,mirror=2"]),
    Making::of("tiny4", Budget::Full).with_levels(32, &["a", "b=mirror=3"]),
    Making::of("tiny4", Budget::Full).with_levels(32, &["a=parity=3"]),
    Making::of("tiny4", Budget::Minimum).with_levels(40, &["a=crc", "b=parity=2", "c=mirror=3"]),
    Making {
        depth: 8,
        ..Making::of("tiny4", Budget::Full).with_levels(40, &["a=crc,parity=3", "b=parity=2"])
    },
    multi(Budget::Full).with_levels(40, &["a=bch4", "b=parity=2"]),
    multi(Budget::Full).with_levels(24, &["a=bch8", "b=mirror=2", "c=crc"]),
    multi(Budget::Minimum).with_levels(20, &["a=bch4", "b=bch16"]),
];

#[test]
fn disks_with_several_levels_live_and_are_recovered() {
    within(300, "lives with levels", || lives(&MAKINGS, 3, 12, |_| {}));
}

#[test]
fn m23_a_sector_takes_the_level_that_it_is_written_at_and_keeps_it() {
    within(100, "the level of a sector", || {
        let making = FOUR.with_levels(32, &["a=crc", "b=bch4,mirror=2", "c=secded"]);
        let mut rig = making.make(7);
        let mut disk = rig.mount().expect("a volume");
        for sector in 0..60 {
            write_at(&mut disk, sector, 1, (sector % 3) as u8).expect("room");
        }
        let refused = write_at(&mut disk, 5, 2, 3);
        assert_eq!(refused, Err(Error::NoLevel(LevelIndex(3))));
        let mut random = SplitMix64::new(1);
        for _ in 0..4000 {
            let sector = 60 + random.below(40) as u32;
            write_at(&mut disk, sector, 1, 0).expect("room");
        }
        for turn in 0..2 {
            for sector in 0..60 {
                reads(&mut disk, sector, 1).expect("data");
                let level = disk
                    .volume_mut()
                    .level_of(Sector(sector))
                    .expect("an index");
                assert_eq!(
                    level,
                    Some(LevelIndex((sector % 3) as u8)),
                    "sector {sector}, {turn}"
                );
            }
            assert_eq!(disk.volume_mut().level_of(Sector(200)), Ok(None));
            disk.unmount().map_err(|(_, error)| error).expect("an end");
            disk = rig.mount().expect("a volume");
        }
    });
}

#[test]
fn what_cannot_be_is_refused_with_the_sum() {
    let choose = |name: &str, texts: &[&str], width, places| {
        let levels = levels(texts);
        let options = FormatOptions {
            levels: &levels,
            width,
            level_places: places,
            ..FormatOptions::default()
        };
        let geometry = chip(name).expect("a chip of the table").geometry;
        Parameters::choose(&geometry, &options)
    };
    let error = choose("tiny2", &["a=mirror=3"], None, None).unwrap_err();
    assert_eq!(
        error,
        ParameterError::Stripe {
            redundancy: Redundancy::Mirror(3),
            places: 2
        }
    );
    let error = choose("tiny4", &["a=mirror=2"], Some(1), None).unwrap_err();
    assert_eq!(
        error,
        ParameterError::Stripe {
            redundancy: Redundancy::Mirror(2),
            places: 1
        }
    );
    let error = choose("w25n01gv", &["a", "b=bch16"], None, None).unwrap_err();
    let said = error.to_string();
    for part in [
        "b=bch16",
        "2 of the marker",
        "34 of the header",
        "104 of parity",
        "64",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let error = choose("w25n01gv", &["a", "b", "a=crc"], None, None).unwrap_err();
    assert!(matches!(error, ParameterError::LevelName(level) if level.name() == "a"));
    let error = choose("w25n01gv", &["a", "b"], None, Some(1)).unwrap_err();
    assert_eq!(
        error,
        ParameterError::Levels {
            asked: 2,
            places: 1
        }
    );
    let error = choose("w25n01gv", &[], None, Some(17)).unwrap_err();
    assert_eq!(
        error,
        ParameterError::Levels {
            asked: 0,
            places: 17
        }
    );
    let all: Vec<String> = (0..16).map(|index| format!("level-{index}=crc")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert_eq!(
        choose("w25n01gv", &all, None, None).expect("room").levels(),
        16
    );
    let error = choose("tiny", &all, None, None).unwrap_err();
    assert!(
        matches!(error, ParameterError::RecordPage { levels: 16, .. }),
        "{error}"
    );
    // As many sectors as there is room for at the level that takes most of it.
    let single = choose("w25n01gv", &["a"], Some(2), None)
        .expect("room")
        .capacity;
    let mirrored = choose("w25n01gv", &["a", "b=mirror=2"], None, None)
        .expect("room")
        .capacity;
    assert!(
        mirrored * 2 <= single && mirrored * 9 / 4 > single,
        "{mirrored} of {single}"
    );
}

#[test]
fn a_disk_can_be_larger_than_what_fits_with_copies_and_says_when_it_is_full() {
    within(100, "larger disks", || {
        let geometry = Geometry {
            blocks_per_die: 24,
            page_bytes: 1024,
            ..chip("tiny4").expect("a chip").geometry
        };
        let builder = EmulatedNand::builder("tiny4").expect("a chip").strict(true);
        let builder = builder.geometry(geometry);
        let levels = levels(&["a", "b=mirror=2"]);
        let most = |capacity| FormatOptions {
            levels: &levels,
            capacity,
            ..FormatOptions::default()
        };
        let default = Parameters::choose(&geometry, &most(None))
            .expect("room")
            .capacity;
        let asked = default + default / 2;
        let mut rig = Rig::new(builder, &most(Some(asked)), Budget::Full);
        let mut disk = rig.mount().expect("a volume");
        let mut written = 0;
        let full = loop {
            match write_at(&mut disk, written, 1, 1) {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(full, Error::NoSpace);
        assert!(written >= default, "{written} of {default}");
        // What is there can be overwritten for ever, at its level, and given room by writing it at another.
        let mut random = SplitMix64::new(3);
        for turn in 0..3 * u64::from(written) {
            let sector = random.below(u64::from(written)) as u32;
            write_at(&mut disk, sector, 2 + turn, 1).expect("room");
        }
        assert_eq!(write_at(&mut disk, written, 1, 1), Err(Error::NoSpace));
        for sector in 0..written {
            write_at(&mut disk, sector, 1, 0).expect("room");
        }
        for sector in written..asked {
            write_at(&mut disk, sector, 1, 0).expect("room");
        }
        for sector in 0..asked {
            reads(&mut disk, sector, 1).expect("data");
        }
        disk.unmount().map_err(|(_, error)| error).expect("an end");
        let mut disk = rig.mount().expect("a volume");
        for sector in 0..asked {
            reads(&mut disk, sector, 1).expect("data");
        }
        verdict::verifies(&mut disk, "after a full life");
    });
}

/// Four dies, segments on all of them, and three levels.
const THREE: Making = FOUR.with_levels(40, &["a=bch4", "b=mirror=2", "c=mirror=3"]);

/// Sectors of each level that are written.
const EACH: u32 = 60;

/// A disk with sectors of three levels, in turn, none of them in a page that is still being filled.
fn three_levels(seed: u64) -> Rig {
    let mut rig = THREE.make(seed);
    let mut disk = rig.mount().expect("a volume");
    for sector in 0..3 * EACH {
        write_at(&mut disk, sector, 1, (sector % 3) as u8).expect("room");
    }
    disk.unmount().map_err(|(_, error)| error).expect("an end");
    rig
}

/// What the sectors of each level read as: readable ones, and lost ones. Wrong data ends the test.
fn tally(disk: &mut RigDisk<'_>) -> [(u32, u32); 3] {
    let mut found = [(0, 0); 3];
    for sector in 0..3 * EACH {
        let level = &mut found[(sector % 3) as usize];
        match reads(disk, sector, 1) {
            Ok(()) => level.0 += 1,
            Err(Error::Lost(_)) => level.1 += 1,
            Err(error) => panic!("sector {sector}: {error}"),
        }
    }
    found
}

/// Ways to lose a die: its logic answers, or it does not.
const LOSSES: [fn(&mut EmulatedNand, Die); 2] =
    [EmulatedNand::lose_die, EmulatedNand::lose_die_silently];

/// Every die of four, then every other.
fn pairs() -> impl Iterator<Item = (u16, u16)> {
    (0..4).flat_map(|first| {
        (0..4)
            .map(move |second| (first, second))
            .filter(|(first, second)| first != second)
    })
}

#[test]
fn a_lost_die_takes_what_has_one_copy_and_two_lost_dies_what_has_two() {
    within(200, "lost dies", || {
        for first in 0..4 {
            for second in (0..4).filter(|&second| second != first) {
                for at_mount in [false, true] {
                    let lose = LOSSES[usize::from(second / 2 % 2)];
                    let what = format!("die {first}, then {second}, at mount: {at_mount}");
                    eprintln!("{what}");
                    let mut rig = three_levels(u64::from(first));
                    if at_mount {
                        lose(&mut rig.nand, Die(first));
                    }
                    let mut disk = rig
                        .mount()
                        .unwrap_or_else(|error| panic!("{what}: {error}"));
                    lose(disk.volume_mut().nand_mut(), Die(first));
                    let [single, twice, thrice] = tally(&mut disk);
                    assert!(single.1 > 0 && single.0 > EACH / 2, "{what}: {single:?}");
                    assert_eq!((twice, thrice), ((EACH, 0), (EACH, 0)), "{what}");
                    if at_mount {
                        drop(disk);
                        lose(&mut rig.nand, Die(second));
                        disk = rig
                            .mount()
                            .unwrap_or_else(|error| panic!("{what}: {error}"));
                    }
                    lose(disk.volume_mut().nand_mut(), Die(second));
                    let [single, twice, thrice] = tally(&mut disk);
                    assert!(single.1 > 0 && single.0 > 0, "{what}: {single:?}");
                    // Their stripes are on the first two dies, or on the others.
                    let pair = first / 2 == second / 2;
                    assert_eq!(twice.1 > 0, pair, "{what}: {twice:?}");
                    assert!(twice.0 > 0, "{what}: {twice:?}");
                    assert_eq!(thrice, (EACH, 0), "{what}");
                }
            }
        }
    });
}

#[test]
fn what_a_lost_die_held_is_written_anew_onto_the_others() {
    within(200, "healing", || {
        for (number, (first, second)) in pairs().enumerate() {
            let lose = LOSSES[number % 2];
            let what = format!("die {first}, then {second}");
            eprintln!("{what}");
            let mut rig = three_levels(u64::from(second));
            let mut disk = rig.mount().expect("a volume");
            // The session has begun when the die goes.
            write_at(&mut disk, 3 * EACH, 1, 2).expect("room");
            lose(disk.volume_mut().nand_mut(), Die(first));
            let before = tally(&mut disk);
            assert_eq!((before[1], before[2]), ((EACH, 0), (EACH, 0)), "{what}");
            for _ in 0..100 {
                if !disk
                    .idle(0, 10_000)
                    .unwrap_or_else(|error| panic!("{what}: {error}"))
                {
                    break;
                }
            }
            let healed = disk.volume().stats();
            assert!(healed.relocations > 0, "{what}: {healed:?}");
            lose(disk.volume_mut().nand_mut(), Die(second));
            let after = tally(&mut disk);
            assert_eq!((after[1], after[2]), ((EACH, 0), (EACH, 0)), "{what}");
        }
    });
}

#[test]
fn m23_a_level_is_changed_while_nothing_is_stored_at_it_and_old_data_stays_readable() {
    within(100, "changes of the table", || {
        let making = FOUR.with_levels(40, &["a=bch4", "b=mirror=2", "c=crc"]);
        let mut rig = making.make(3);
        let mut disk = rig.mount().expect("a volume");
        for sector in 0..20 {
            write_at(&mut disk, sector, 1, (sector % 2) as u8).expect("room");
        }
        let level = |text| Level::parse(text, Ecc::Bch4).expect("a level");
        let volume = disk.volume_mut();
        let used = volume.set_level(LevelIndex(1), &level("d=crc"));
        let in_use = LevelChangeError::InUse {
            level: LevelIndex(1),
            segments: 1,
        };
        assert_eq!(used, Err(in_use));
        let none = volume.set_level(LevelIndex(3), &level("d=crc"));
        let no_place = LevelChangeError::NoPlace {
            level: LevelIndex(3),
            places: 3,
        };
        assert_eq!(none, Err(no_place));
        let twice = volume.set_level(LevelIndex(2), &level("a=crc"));
        assert!(matches!(
            twice,
            Err(LevelChangeError::Parameters(ParameterError::LevelName(_)))
        ));
        let copies = volume.set_level(LevelIndex(2), &level("d=mirror=3"));
        let too_many = ParameterError::Redundancy {
            redundancy: Redundancy::Mirror(3),
            copies: 2,
            parity: 0,
        };
        assert_eq!(copies, Err(LevelChangeError::Parameters(too_many)));
        let strong = volume.set_level(LevelIndex(2), &level("d=bch64"));
        assert!(matches!(
            strong,
            Err(LevelChangeError::Parameters(ParameterError::Level { .. }))
        ));
        assert_eq!(volume.level(LevelIndex(2)), Some(level("c=crc")));
        volume
            .set_level(LevelIndex(2), &level("d=secded,mirror=2"))
            .expect("nothing is stored at it");
        for sector in 20..40 {
            write_at(&mut disk, sector, 1, 2).expect("room");
        }
        // The power goes without a word: the table is there.
        drop(disk);
        rig.nand.power_cycle();
        let mut disk = rig.mount().expect("a volume");
        assert_eq!(
            disk.volume().level(LevelIndex(2)),
            Some(level("d=secded,mirror=2"))
        );
        for sector in 0..40 {
            reads(&mut disk, sector, 1).expect("data");
        }
        // What a level held is written at another, and the level can be changed.
        for sector in (1..20).step_by(2) {
            write_at(&mut disk, sector, 2, 0).expect("room");
        }
        while disk.idle(1000, 10_000).expect("a part") {}
        disk.volume_mut()
            .set_level(LevelIndex(1), &level("e=crc,mirror=2"))
            .expect("nothing is stored at it any more");
        write_at(&mut disk, 1, 3, 1).expect("room");
        disk.unmount().map_err(|(_, error)| error).expect("an end");
        let mut disk = rig.mount().expect("a volume");
        for sector in 0..40 {
            let version = match sector {
                1 => 3,
                3..=19 if sector % 2 == 1 => 2,
                _ => 1,
            };
            reads(&mut disk, sector, version).expect("data");
        }
        verdict::verifies(&mut disk, "at the end");
    });
}

#[test]
fn a_change_of_the_table_may_be_cut_anywhere() {
    within(100, "cut changes of the table", || {
        let making = FOUR.with_levels(40, &["a=bch4", "b=mirror=2", "c=crc"]);
        let level = |text| Level::parse(text, Ecc::Bch4).expect("a level");
        let mut rig = making.make(3);
        let mut disk = rig.mount().expect("a volume");
        for sector in 0..20 {
            write_at(&mut disk, sector, 1, (sector % 2) as u8).expect("room");
        }
        disk.unmount().map_err(|(_, error)| error).expect("an end");
        let (old, new) = (level("c=crc"), level("d=secded,mirror=2"));
        let (mut before, mut after) = (0, 0);
        for index in 0.. {
            let mut rig = rig.clone();
            rig.nand.plan_cut(CutPlan::during(index, index));
            let mut disk = rig.mount().expect("a volume");
            let done = disk.volume_mut().set_level(LevelIndex(2), &new);
            drop(disk);
            rig.nand.power_cycle();
            let mut disk = rig.mount().expect("a volume");
            let found = disk.volume().level(LevelIndex(2)).expect("a level");
            assert!(found == old || found == new, "{found}");
            assert!(done.is_err() || found == new, "the change was lost");
            before += u32::from(found == old);
            after += u32::from(found == new);
            write_at(&mut disk, 30, 1, 2).expect("room");
            for sector in (0..20).chain([30]) {
                reads(&mut disk, sector, 1).expect("data");
            }
            if done.is_ok() {
                break;
            }
        }
        assert!(before > 0 && after > 0, "{before} before, {after} after");
    });
}

#[test]
fn no_level_is_changed_to_a_redundancy_that_there_cannot_be() {
    let making = FOUR.with_levels(40, &["a=mirror=2", "b=parity=3"]);
    let mut rig = making.make(3);
    let mut disk = rig.mount().expect("a volume");
    for redundancy in [
        Redundancy::Mirror(0),
        Redundancy::Mirror(1),
        Redundancy::Parity(0),
        Redundancy::Parity(1),
    ] {
        let level = Level::new("c", Ecc::Bch4, redundancy).expect("a name");
        let changed = disk.volume_mut().set_level(LevelIndex(1), &level);
        assert!(
            matches!(
                changed,
                Err(LevelChangeError::Parameters(
                    ParameterError::Redundancy { .. }
                ))
            ),
            "{redundancy}: {changed:?}"
        );
    }
}
