//! Volumes on emulated NAND below a cache, and the power cut at every program and erase.

use std::collections::{BTreeMap, BTreeSet};

use cuesta::cache::{Cache, CacheOptions, Mode, Persistence};
use cuesta::door::{CachedDisk, Disk};
use cuesta::exec::Context;
use cuesta::resource::{RamStore, Resource};
use cuesta::volume::{Budget, Sector, Volume};
use cuesta_sim::cache_memory::OwnedCacheMemory;
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::{CutPlan, SplitMix64};

use crate::rig::{BACK, BYPASS, EPHEMERAL, THROUGH};

const PAGES: usize = 6;
const OPTIONS: CacheOptions = CacheOptions {
    page_sectors: 2,
    dirty_permille: 400,
    keep_paging: true,
    ephemeral_permille: 500,
    replacement: cuesta::cache::Replacement::CLOCK,
    spill: cuesta::cache::Spill::Refuse,
};

type Below<'r> = &'r mut dyn Resource;

/// What each sector may read as after a restart, and what it reads as now.
#[derive(Debug, Default)]
struct Model {
    later: BTreeMap<u32, BTreeSet<u32>>,
    now: BTreeMap<u32, u32>,
}

impl Model {
    fn later(&mut self, sector: u32) -> &mut BTreeSet<u32> {
        self.later.entry(sector).or_insert_with(|| [0].into())
    }
}

fn fill(version: u32, bytes: usize) -> Vec<u8> {
    let word = version.to_le_bytes();
    word.iter().copied().cycle().take(bytes).collect()
}

/// Requests until one fails: the power has gone.
fn play(
    disk: &mut CachedDisk<'_, Below<'_>, Below<'_>>,
    model: &mut Model,
    modes: &[Persistence],
    durable: bool,
) {
    let mut random = SplitMix64::new(5);
    let bytes = disk.sector_bytes();
    let context = Context::default();
    for version in 1..60 {
        let at = modes[random.below(modes.len() as u64) as usize];
        let sector = random.below(16) as u32;
        if random.chance(1, 8) {
            if disk.flush().is_err() {
                return;
            }
            for (sector, &now) in &model.now {
                model.later.insert(*sector, [now].into());
            }
            continue;
        }
        if random.chance(1, 12) && at.mode != Mode::Ephemeral {
            let done = disk.trim(Sector(sector), 2, &at, context);
            for sector in [sector, sector + 1] {
                model.now.remove(&sector);
                // It is durable at the next flush only.
                model.later(sector).insert(0);
            }
            if done.is_err() {
                return;
            }
            for sector in [sector, sector + 1] {
                model.now.insert(sector, 0);
            }
            continue;
        }
        let done = disk.write(Sector(sector), &fill(version, bytes), &at, context);
        let full = done.is_err_and(|error| format!("{error}").contains("no room"));
        match (at.mode, done.is_ok()) {
            (Mode::Ephemeral, true) => {
                // What a flush makes durable of it is what was there before.
                if let Some(now) = model.now.remove(&sector) {
                    model.later(sector).insert(now);
                }
            }
            (Mode::Ephemeral, false) if full => {}
            (Mode::WriteBack, true) if !durable => {
                model.later(sector).insert(version);
                model.now.insert(sector, version);
            }
            (_, true) => {
                *model.later(sector) = [version].into();
                model.now.insert(sector, version);
            }
            (Mode::Ephemeral, false) => return,
            (_, false) => {
                model.later(sector).insert(version);
                return;
            }
        }
        if at.mode == Mode::Ephemeral && !full {
            let mut data = vec![0; bytes];
            match disk.read(Sector(sector), &mut data, &at, context) {
                Ok(()) => assert_eq!(data, fill(version, bytes)),
                Err(_) => return,
            }
        }
    }
}

fn check(disk: &mut CachedDisk<'_, Below<'_>, Below<'_>>, model: &mut Model, what: &str) {
    let bytes = disk.sector_bytes();
    let mut data = vec![0; bytes];
    for sector in 0..18 {
        disk.read(Sector(sector), &mut data, &THROUGH, Context::default())
            .unwrap_or_else(|error| panic!("{what}: sector {sector}: {error}"));
        let found = u32::from_le_bytes([data[0], data[1], data[2], data[3]]);
        assert_eq!(data, fill(found, bytes), "{what}: sector {sector}");
        let later = model.later(sector);
        assert!(
            later.contains(&found),
            "{what}: sector {sector} reads as {found}, not one of {later:?}"
        );
    }
}

/// Cuts the power of the primary, or of the store, during its `index`-th change. False when there are not as many.
fn cut(formatted: &Rig, modes: &[Persistence], durable: bool, of_store: bool, index: u64) -> bool {
    let mut primary = formatted.clone();
    let mut second = formatted.clone();
    let sector_bytes = formatted.parameters.sector_bytes as usize;
    let mut memory = OwnedCacheMemory::new(PAGES, sector_bytes, 4, &OPTIONS);
    let mut bytes = vec![0; 2 * PAGES * sector_bytes];
    let mut written = vec![0; RamStore::map_bytes(2 * PAGES)];
    let mut model = Model::default();
    let what = format!(
        "{:?} durable {durable} store {of_store} cut {index}",
        modes.last().map(|level| level.mode)
    );
    let mut happened = false;
    for session in 0..2 {
        let mut below = primary.mount().expect("a sound part").into_volume();
        let mut flash = second.mount().expect("a sound part").into_volume();
        let mut ram = RamStore::new(&mut bytes, &mut written, sector_bytes).expect("sectors");
        let first = session == 0;
        if first && durable {
            let mut primaries: [Below<'_>; 1] = [&mut below];
            let store: Below<'_> = &mut flash;
            Cache::create(store, &mut primaries, memory.lend(), OPTIONS, 77).expect("room");
        }
        if first {
            let cut = CutPlan::during(index, index);
            match of_store {
                true => flash.nand_mut().plan_cut(cut),
                false => below.nand_mut().plan_cut(cut),
            }
        }
        let mut primaries: [Below<'_>; 1] = [&mut below];
        let cache = if durable {
            let store: Below<'_> = &mut flash;
            match Cache::open(store, &mut primaries, memory.lend(), OPTIONS) {
                Ok((cache, recovered)) => {
                    assert_eq!(recovered.damaged, 0, "{what}");
                    Some(cache)
                }
                Err(_) if first => None,
                Err(error) => panic!("{what}: {error}"),
            }
        } else {
            let store: Below<'_> = &mut ram;
            Some(Cache::new(store, &mut primaries, memory.lend(), OPTIONS).expect("memory"))
        };
        if let Some(cache) = cache {
            let mut disk = CachedDisk::new(cache);
            if first {
                play(&mut disk, &mut model, modes, durable);
            } else {
                check(&mut disk, &mut model, &what);
                disk.flush().expect("room for what is dirty");
                check(&mut disk, &mut model, &what);
            }
        }
        let _: [&mut cuesta_sim::EmulatedNand; 2] = [below.abandon(), flash.abandon()];
        happened |= primary.nand.is_power_lost() || second.nand.is_power_lost();
        primary.nand.power_cycle();
        second.nand.power_cycle();
    }
    happened
}

fn enumerate(modes: &[Persistence], durable: bool, of_store: bool) {
    let rig = Rig::of("tiny4", 3, Budget::Full);
    let mut index = 0;
    while cut(&rig, modes, durable, of_store, index) {
        index += 1;
    }
    assert!(index > 5, "{index} cuts");
}

#[test]
fn m42_what_the_primary_has_acknowledged_is_there_after_a_cut_at_any_change() {
    enumerate(&[THROUGH], false, false);
    enumerate(&[BYPASS, THROUGH], false, false);
}

#[test]
fn m43_what_was_written_back_is_there_after_a_cut_at_any_change_of_store_or_primary() {
    for of_store in [false, true] {
        enumerate(&[BACK], true, of_store);
    }
    enumerate(&[BACK], false, false);
}

#[test]
fn m46_a_cut_at_any_change_leaves_the_last_durable_version_below_ephemeral_data() {
    let modes = [THROUGH, EPHEMERAL, BACK, BYPASS];
    for of_store in [false, true] {
        enumerate(&modes, true, of_store);
    }
    enumerate(&modes, false, false);
}

#[test]
fn m16_the_door_serves_a_volume_on_nand_as_it_serves_memory() {
    let mut rig = Rig::of("tiny4", 3, Budget::Full);
    let disk: Disk<'_, _> = rig.mount().expect("a sound part");
    let mut below: Volume<'_, _> = disk.into_volume();
    let bytes = below.sector_bytes();
    let mut memory = OwnedCacheMemory::new(PAGES, bytes, 4, &OPTIONS);
    let mut ram = vec![0; 2 * PAGES * bytes];
    let mut written = vec![0; RamStore::map_bytes(2 * PAGES)];
    let mut ram = RamStore::new(&mut ram, &mut written, bytes).expect("sectors");
    let store: Below<'_> = &mut ram;
    let mut primaries: [Below<'_>; 1] = [&mut below];
    let cache = Cache::new(store, &mut primaries, memory.lend(), OPTIONS).expect("memory");
    let mut disk = CachedDisk::new(cache);
    let data: Vec<u8> = (0..40).flat_map(|sector| fill(sector + 1, bytes)).collect();
    for at in [THROUGH, BACK, BYPASS] {
        disk.write(Sector(0), &data, &at, Context::default())
            .unwrap();
        let mut found = vec![0; data.len()];
        disk.read(Sector(0), &mut found, &at, Context::default())
            .unwrap();
        assert_eq!(found, data, "{:?}", at.mode);
        disk.flush().unwrap();
    }
}
