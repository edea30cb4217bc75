//! Stores and primaries that fail while they are used: what is permanent is never lost, and whatever cannot be done is told.

use std::collections::{BTreeMap, BTreeSet};

use cuesta::cache::{Bypass, CacheOptions, Mode, Persistence, Spill};
use cuesta::exec::{Context, ExecError};
use cuesta::resource::ResourceError;
use cuesta::volume::Sector;
use cuesta_sim::SplitMix64;

use crate::rig::{
    bytes, read, version, write, Rig, RigDisk, BACK, BYPASS, EPHEMERAL, SECTOR, THROUGH,
};

const OPTIONS: CacheOptions = CacheOptions {
    page_sectors: 4,
    replacement: cuesta::cache::Replacement::CLOCK,
    ephemeral_permille: 700,
    spill: Spill::Refuse,
    dirty_permille: 1000,
    keep_paging: true,
};

fn put(
    disk: &mut RigDisk<'_>,
    sector: u32,
    version: u32,
    at: &Persistence,
) -> Result<(), ResourceError> {
    let written = disk.write(Sector(sector), &bytes(version), at, Context::default());
    written.map_err(resource)
}

fn get(disk: &mut RigDisk<'_>, sector: u32, at: &Persistence) -> Result<u32, ResourceError> {
    let mut data = vec![0xa5; SECTOR];
    let read = disk.read(Sector(sector), &mut data, at, Context::default());
    read.map(|()| version(&data)).map_err(resource)
}

fn resource(error: ExecError) -> ResourceError {
    match error {
        ExecError::Resource(error) => error,
        ExecError::Refused(refusal) => panic!("refused: {refusal}"),
    }
}

#[test]
fn m42_m43_a_store_that_takes_no_more_writes_costs_nothing_that_is_permanent() {
    for durable in [false, true] {
        for good in 0..12 {
            let mut rig = match durable {
                true => Rig::durable(8, OPTIONS),
                false => Rig::with(8, OPTIONS),
            };
            let mut disk = match durable {
                true => rig.open().expect("a new one").0,
                false => rig.disk(),
            };
            disk.cache_mut().store_mut().will.writes_left = Some(good);
            let mut kept = BTreeMap::new();
            for sector in 0..12 {
                let level = [THROUGH, BACK, BYPASS][sector as usize % 3];
                let what = format!("durable {durable}, {good} writes, sector {sector}");
                match put(&mut disk, sector, 1 + sector, &level) {
                    Ok(()) => assert!(kept.insert(sector, 1 + sector).is_none()),
                    // The table of a store that survives restarts could not be written: it is not acknowledged.
                    Err(error) => {
                        assert!(
                            durable && level == BACK && error == ResourceError::Device,
                            "{what}: {error}"
                        );
                    }
                }
                assert!(
                    put(&mut disk, 40 + sector, 9, &EPHEMERAL) != Err(ResourceError::NoSpace),
                    "{what}"
                );
                for (sector, version) in &kept {
                    assert_eq!(get(&mut disk, *sector, &THROUGH), Ok(*version), "{what}");
                }
            }
            assert!(disk.cache().counters().bypassed_for(Bypass::Store) > 0);
            let flushed = disk.flush();
            assert!(flushed.is_ok() || durable, "{flushed:?}");
            for (sector, version) in &kept {
                let primary = &disk.cache().primaries()[0].sectors;
                assert_eq!(
                    primary.get(sector),
                    Some(&bytes(*version)),
                    "durable {durable}, {good} writes"
                );
            }
            assert!(
                (40..52).all(|sector| !disk.cache().primaries()[0].sectors.contains_key(&sector))
            );
        }
    }
}

#[test]
fn m36_what_a_store_cannot_read_comes_from_the_primary_or_is_told() {
    let mut rig = Rig::with(8, OPTIONS);
    let mut disk = rig.disk();
    write(&mut disk, 0, 1, &THROUGH);
    write(&mut disk, 4, 2, &BACK);
    write(&mut disk, 8, 3, &EPHEMERAL);
    let places: Vec<u32> = disk.cache().store().sectors.keys().copied().collect();
    disk.cache_mut().store_mut().will.lost = places;
    assert_eq!(get(&mut disk, 0, &THROUGH), Ok(1));
    for (sector, level) in [(4, BACK), (8, EPHEMERAL)] {
        let lost = get(&mut disk, sector, &level);
        assert!(matches!(lost, Err(ResourceError::Lost(_))), "{lost:?}");
    }
    // Nothing older takes its place, and the flush says that there is something it cannot write.
    let flushed = disk.flush().map_err(resource);
    assert!(
        matches!(flushed, Err(ResourceError::Lost(_))),
        "{flushed:?}"
    );
    assert_eq!(disk.cache().primaries()[0].sectors.get(&4), None);
    write(&mut disk, 4, 5, &BACK);
    write(&mut disk, 8, 6, &EPHEMERAL);
    assert_eq!(
        (read(&mut disk, 4, &BACK), read(&mut disk, 8, &EPHEMERAL)),
        (5, 6)
    );
    disk.flush().unwrap();
    assert_eq!(disk.cache().primaries()[0].sectors[&4], bytes(5));
}

#[test]
fn m43_a_primary_that_shrinks_is_told_and_what_lies_beyond_its_end_is_kept() {
    let mut rig = Rig::with(8, OPTIONS);
    let mut disk = rig.disk();
    write(&mut disk, 10, 1, &BACK);
    write(&mut disk, 500, 2, &BACK);
    write(&mut disk, 600, 3, &EPHEMERAL);
    disk.cache_mut().primaries_mut()[0].status_mut().sectors = 100;
    let beyond = |error| matches!(error, ResourceError::OutOfRange { .. });
    assert!(beyond(disk.flush().map_err(resource).unwrap_err()));
    assert!(disk.cache().dirty_pages() > 0, "it is not given up");
    assert!(beyond(put(&mut disk, 500, 4, &THROUGH).unwrap_err()));
    assert!(beyond(put(&mut disk, 700, 4, &THROUGH).unwrap_err()));
    assert!(beyond(get(&mut disk, 710, &THROUGH).unwrap_err()));
    write(&mut disk, 11, 5, &THROUGH);
    assert_eq!(read(&mut disk, 600, &EPHEMERAL), 3);
    // It is as large as before again.
    disk.cache_mut().primaries_mut()[0].status_mut().sectors = 1000;
    assert_eq!(read(&mut disk, 500, &BACK), 2);
    disk.flush().unwrap();
    let primary = &disk.cache().primaries()[0].sectors;
    assert_eq!((&primary[&10], &primary[&500]), (&bytes(1), &bytes(2)));
}

#[test]
fn m46_an_ephemeral_write_over_what_is_dirty_fails_where_the_table_cannot_be_written() {
    let mut rig = Rig::durable(8, OPTIONS);
    let (mut disk, _) = rig.open().expect("a new one");
    write(&mut disk, 4, 1, &BACK);
    disk.cache_mut().store_mut().will.writes_left = Some(0);
    // What is below it has to reach the primary first, and the table would say for ever that it has not.
    assert_eq!(put(&mut disk, 5, 2, &EPHEMERAL), Err(ResourceError::Device));
    assert_eq!(
        (read(&mut disk, 4, &BACK), read(&mut disk, 5, &BACK)),
        (1, 0)
    );
    disk.cache_mut().store_mut().will.writes_left = None;
    write(&mut disk, 5, 2, &EPHEMERAL);
    assert_eq!(
        (read(&mut disk, 4, &BACK), read(&mut disk, 5, &BACK)),
        (1, 2)
    );
    rig.restart();
    let (mut disk, _) = rig.open().expect("a sound store");
    assert_eq!(
        (read(&mut disk, 4, &BACK), read(&mut disk, 5, &BACK)),
        (1, 0)
    );
}

/// Versions that a sector may have, and whether the newest of them must not be lost.
#[derive(Debug, Default, Clone)]
struct Past {
    /// The last that was acknowledged, or what a failure may have left in its place.
    now: BTreeSet<u32>,
    /// What the primary must have after a flush, if nothing fails.
    permanent: BTreeSet<u32>,
}

/// Requests of all kinds over resources that fail now and then, and are whole again at the end.
fn storm(seed: u64, durable: bool) {
    let mut random = SplitMix64::new(seed);
    let mut rig = match durable {
        true => Rig::durable(1 + random.below(8) as u32, OPTIONS),
        false => Rig::with(1 + random.below(8) as u32, OPTIONS),
    };
    let mut past: BTreeMap<u32, Past> = BTreeMap::new();
    let zero = || Past {
        now: [0].into(),
        permanent: [0].into(),
    };
    {
        let mut disk = match durable {
            true => rig.open().expect("a new one").0,
            false => rig.disk(),
        };
        for version in 1..250 {
            if random.chance(1, 6) {
                let (gone, left) = (random.chance(1, 3), random.chance(1, 3));
                let store = &mut disk.cache_mut().store_mut().will;
                store.gone = gone;
                store.writes_left = left.then(|| random.below(4) as u32);
                let gone = random.chance(1, 4);
                let left = random.chance(1, 4).then(|| random.below(4) as u32);
                let primary = &mut disk.cache_mut().primaries_mut()[0].will;
                (primary.gone, primary.writes_left) = (gone, left);
            }
            let sector = random.below(32) as u32;
            let level = [THROUGH, BACK, EPHEMERAL, BYPASS][random.below(4) as usize];
            let what =
                format!("seed {seed}, durable {durable}, version {version}, sector {sector}");
            let known = past.entry(sector).or_insert_with(zero);
            match random.below(10) {
                0 => {
                    let _ = disk.flush();
                }
                1..4 => {
                    if let Ok(found) = get(&mut disk, sector, &level) {
                        assert!(
                            known.now.contains(&found),
                            "{what}: {found}, not {:?}",
                            known.now
                        );
                    }
                }
                _ => match (put(&mut disk, sector, version, &level), level.mode) {
                    (Ok(()), Mode::Ephemeral) => known.now = [version].into(),
                    (Ok(()), _) => {
                        known.now = [version].into();
                        known.permanent = [version].into();
                    }
                    (Err(_), Mode::Ephemeral) => {
                        known.now.insert(version);
                    }
                    (Err(_), _) => {
                        // It may be anywhere, and nowhere.
                        known.now.insert(version);
                        known.permanent.insert(version);
                        let below = known.permanent.clone();
                        known.now.extend(below);
                    }
                },
            }
        }
        disk.cache_mut().store_mut().will = Default::default();
        disk.cache_mut().primaries_mut()[0].will = Default::default();
        for (sector, known) in &mut past {
            let found = get(&mut disk, *sector, &THROUGH);
            let what = format!("seed {seed}, durable {durable}, sector {sector}: {known:?}");
            assert!(
                found.is_ok_and(|found| known.now.contains(&found)),
                "{what}: {found:?}"
            );
        }
        if !durable || random.chance(1, 2) {
            disk.flush()
                .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            for (sector, known) in &past {
                let found = disk.cache().primaries()[0].sectors.get(sector);
                let found = found.map_or(0, |bytes| version(bytes));
                assert!(
                    known.permanent.contains(&found),
                    "seed {seed}, durable {durable}, sector {sector}: {found}, not {known:?}"
                );
            }
        }
    }
    if durable {
        rig.restart();
        let (mut disk, recovered) = rig.open().expect("a sound store");
        assert_eq!(recovered.damaged, 0, "seed {seed}");
        for (sector, known) in &past {
            let found = get(&mut disk, *sector, &THROUGH);
            let kept = found.is_ok_and(|found| known.permanent.contains(&found));
            assert!(
                kept,
                "seed {seed}, sector {sector}: {found:?}, not {known:?}"
            );
        }
    }
}

#[test]
fn m46_whatever_fails_in_between_permanent_data_is_there_and_no_older_version_is_read() {
    for seed in 0..400 {
        storm(seed, seed % 2 == 0);
    }
}
