//! Several sectors as a whole: by a volume below the cache, at every cut; refused where nothing can do it.

use cuesta::cache::{Cache, CacheOptions, Persistence, ResourceSet, Spill};
use cuesta::door::CachedDisk;
use cuesta::exec::{Context, ExecError, Refusal};
use cuesta::resource::{RamStore, Resource, ResourceError};
use cuesta::volume::{Budget, Sector};
use cuesta_sim::cache_memory::OwnedCacheMemory;
use cuesta_sim::campaign::rig::Rig as Part;
use cuesta_sim::CutPlan;

use crate::rig::{bytes, Rig, BACK, EPHEMERAL, SECTOR, THROUGH};

const PAGES: usize = 6;
const OPTIONS: CacheOptions = CacheOptions {
    page_sectors: 2,
    dirty_permille: 1000,
    ephemeral_permille: 500,
    replacement: cuesta::cache::Replacement::CLOCK,
    spill: Spill::Refuse,
    keep_paging: true,
};
const WHOLE: Persistence = Persistence {
    atomic: true,
    verify: true,
    ..THROUGH
};
/// Sectors that are written as a whole: from 3 on.
const FIRST: u32 = 3;
const COUNT: u32 = 5;

type Below<'r> = &'r mut dyn Resource;

fn fill(version: u32, bytes: usize) -> Vec<u8> {
    let word = version.to_le_bytes();
    word.iter().copied().cycle().take(bytes).collect()
}

/// The version of each sector.
fn versions(disk: &mut CachedDisk<'_, Below<'_>, Below<'_>>) -> Vec<u32> {
    let bytes = disk.sector_bytes();
    let mut data = vec![0; bytes];
    let read = |sector| {
        let read = disk.read(Sector(sector), &mut data, &THROUGH, Context::default());
        read.unwrap_or_else(|error| panic!("sector {sector}: {error}"));
        let version = u32::from_le_bytes([data[0], data[1], data[2], data[3]]);
        assert_eq!(data, fill(version, bytes));
        version
    };
    (FIRST - 1..FIRST + COUNT + 1).map(read).collect()
}

/// Old versions of all kinds, then the write: true when it was acknowledged.
fn play(disk: &mut CachedDisk<'_, Below<'_>, Below<'_>>) -> bool {
    let bytes = disk.sector_bytes();
    let context = Context::default();
    let old = fill(1, bytes);
    let done = (FIRST - 1..FIRST + COUNT + 1).all(|sector| {
        let first = disk.write(Sector(sector), &old, &THROUGH, context).is_ok();
        let at = match sector {
            4 => BACK,
            6 => EPHEMERAL,
            _ => return first,
        };
        first && disk.write(Sector(sector), &old, &at, context).is_ok()
    });
    done && {
        let data = fill(2, COUNT as usize * bytes);
        disk.write(Sector(FIRST), &data, &WHOLE, context).is_ok()
    }
}

/// Cuts the power of the volume, or of the store, during its `index`-th change of the write itself. False when there are not as many.
fn cut(formatted: &Part, durable: bool, of_store: bool, index: u64) -> bool {
    let (mut primary, mut second) = (formatted.clone(), formatted.clone());
    let sector_bytes = formatted.parameters.sector_bytes as usize;
    let mut memory = OwnedCacheMemory::new(PAGES, sector_bytes, 4, &OPTIONS);
    let mut ram_bytes = vec![0; 2 * PAGES * sector_bytes];
    let mut written = vec![0; RamStore::map_bytes(2 * PAGES)];
    let what = format!("durable {durable} store {of_store} cut {index}");
    let (mut happened, mut acknowledged) = (false, false);
    for session in 0..2 {
        let mut below = primary.mount().expect("a sound part").into_volume();
        let mut flash = second.mount().expect("a sound part").into_volume();
        let mut ram = RamStore::new(&mut ram_bytes, &mut written, sector_bytes).expect("sectors");
        if session == 0 {
            if durable {
                let mut primaries: [Below<'_>; 1] = [&mut below];
                let store: Below<'_> = &mut flash;
                Cache::create(store, &mut primaries, memory.lend(), OPTIONS, 77).expect("room");
            }
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
                Ok((cache, _)) => Some(cache),
                Err(_) if session == 0 => None,
                Err(error) => panic!("{what}: {error}"),
            }
        } else {
            let store: Below<'_> = &mut ram;
            Some(Cache::new(store, &mut primaries, memory.lend(), OPTIONS).expect("memory"))
        };
        if let Some(cache) = cache {
            let mut disk = CachedDisk::new(cache);
            if session == 0 {
                acknowledged = play(&mut disk);
                if acknowledged {
                    assert_eq!(versions(&mut disk), [1, 2, 2, 2, 2, 2, 1], "{what}");
                }
            } else {
                // What is to be written back may not come over it afterwards.
                for _ in 0..2 {
                    let found = versions(&mut disk);
                    let inside = &found[1..=COUNT as usize];
                    let one = inside.iter().all(|version| *version == inside[0]);
                    let begun = inside.iter().all(|version| *version <= 1);
                    assert!(one || begun, "{what}: {found:?}");
                    assert!(!acknowledged || inside[0] == 2, "{what}: {found:?}");
                    disk.flush().expect("room");
                }
            }
        }
        let _: [&mut cuesta_sim::EmulatedNand; 2] = [below.abandon(), flash.abandon()];
        happened |= primary.nand.is_power_lost() || second.nand.is_power_lost();
        primary.nand.power_cycle();
        second.nand.power_cycle();
    }
    happened
}

#[test]
fn m32a_sectors_at_a_level_that_takes_effect_as_a_whole_are_all_there_or_none_at_every_cut() {
    let part = Part::of("tiny4", 3, Budget::Full);
    for (durable, of_store) in [(false, false), (true, false), (true, true)] {
        let mut index = 0;
        while cut(&part, durable, of_store, index) {
            index += 1;
        }
        assert!(index > 5, "{index} cuts");
    }
}

#[test]
fn m32a_what_no_resource_can_do_as_a_whole_is_refused_with_the_reason() {
    let mut rig = Rig::new(4);
    let mut disk = rig.disk();
    let several = |set, mode: Persistence| Persistence {
        resources: ResourceSet(set),
        atomic: true,
        ..mode
    };
    let refusal = |sectors| Err(ExecError::Refused(Refusal::Atomic { sectors, most: 1 }));
    let two = [bytes(1), bytes(2)].concat();
    for level in [
        several(1, THROUGH),
        several(3, THROUGH),
        several(1, EPHEMERAL),
    ] {
        let found = disk.write(Sector(0), &two, &level, Context::default());
        assert_eq!(found, refusal(2), "{level:?}");
        let one = disk.write(Sector(0), &two[..SECTOR], &level, Context::default());
        assert_eq!(one, Ok(()), "one sector is always a whole");
    }
    assert_eq!(rig.primaries[0].sectors.get(&1), None);
    // A volume can, up to what its journal takes at once, and not beyond its end.
    let mut part = Part::of("tiny4", 3, Budget::Full);
    let mut below = part.mount().expect("a sound part").into_volume();
    let most = Resource::batch_max(&below);
    let (sectors, sector_bytes) = (below.capacity(), below.sector_bytes());
    let mut ram = RamStore::new(&mut [], &mut [], sector_bytes).expect("no sectors");
    let mut memory = OwnedCacheMemory::new(0, sector_bytes, 4, &OPTIONS);
    let mut primaries: [Below<'_>; 1] = [&mut below];
    let store: Below<'_> = &mut ram;
    let cache = Cache::new(store, &mut primaries, memory.lend(), OPTIONS).expect("no pages");
    let mut disk = CachedDisk::new(cache);
    let many = fill(1, (most + 1) as usize * sector_bytes);
    let found = disk.write(Sector(0), &many, &WHOLE, Context::default());
    let sectors_asked = most + 1;
    assert_eq!(
        found,
        Err(ExecError::Refused(Refusal::Atomic {
            sectors: sectors_asked,
            most
        }))
    );
    let fits = &many[..most as usize * sector_bytes];
    disk.write(Sector(0), fits, &WHOLE, Context::default())
        .expect("as many as it says");
    let beyond = disk.write(
        Sector(sectors - 1),
        &many[..2 * sector_bytes],
        &WHOLE,
        Context::default(),
    );
    let error = ResourceError::OutOfRange {
        sector: Sector(sectors),
        sectors,
    };
    assert_eq!(beyond, Err(error.into()));
}
