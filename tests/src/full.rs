//! Disks that were full before something failed, and what they must go on doing.

use cuesta::volume::{Budget, Error, Sector};
use cuesta_sim::SplitMix64;

use cuesta_sim::campaign::model::Model;
use cuesta_sim::campaign::oracle::{self, expect_current};
use cuesta_sim::campaign::rig::{Rig, RigDisk};

/// A disk that has been filled and partly overwritten, so that grooming goes on.
///
/// # Panics
/// When a sound part fails.
#[must_use]
pub fn full(chip: &str, seed: u64, budget: Budget) -> (Rig, Model) {
    let mut rig = Rig::of(chip, seed, budget);
    let model = fill_up(&mut rig, seed);
    (rig, model)
}

/// Fills and partly overwrites a disk.
///
/// # Panics
/// When a sound part fails.
pub fn fill_up(rig: &mut Rig, seed: u64) -> Model {
    let mut model = Model::new();
    let mut random = SplitMix64::new(seed);
    let mut disk = rig.mount().expect("a formatted part");
    for sector in 0..disk.volume().capacity() {
        oracle::write(&mut disk, &mut model, sector).expect("room");
    }
    let count = disk.volume().capacity();
    overwrite(&mut disk, &mut model, &mut random, count).expect("room");
    disk.unmount().map_err(|(_, error)| error).expect("an end");
    model
}

/// Overwrites random sectors.
///
/// # Errors
/// Those of a write.
pub fn overwrite(
    disk: &mut RigDisk<'_>,
    model: &mut Model,
    random: &mut SplitMix64,
    count: u32,
) -> Result<(), Error> {
    for _ in 0..count {
        let sector = random.below(u64::from(disk.volume().capacity())) as u32;
        oracle::write(disk, model, sector)?;
    }
    Ok(())
}

/// Uses a disk, unmounts it, mounts it again, and finds everything as it was written.
///
/// # Panics
/// When it does not.
pub fn use_and_check(rig: &mut Rig, model: &mut Model, count: u32, what: &str) {
    let mut random = SplitMix64::new(7);
    let mut disk = rig
        .mount()
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    overwrite(&mut disk, model, &mut random, count)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    disk.trim(Sector(3), 2)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    model.started(3, 0);
    model.started(4, 0);
    disk.flush()
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    model.flushed();
    expect_current(&mut disk, model, what);
    let ended = disk.unmount().map_err(|(_, error)| error);
    ended.unwrap_or_else(|error| panic!("{what}: unmount: {error}"));
    let mut disk = rig
        .mount()
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    expect_current(&mut disk, model, &format!("{what}, mounted again"));
}
