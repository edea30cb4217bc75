//! What must hold after a power cut, from the first mount to the writes of the sessions after it.

use cuesta::volume::{Error, MountError, Sector};
use cuesta_hal::NandErrorKind;

use crate::{CutPlan, EmulatedNand, SplitMix64};

use crate::campaign::aged::Making;
use crate::campaign::change::{filling, mixture};
use crate::campaign::driver::Driver;
use crate::campaign::model::{fill, Model, Version};
use crate::campaign::oracle::{self, tally, Legal};
use crate::campaign::rig::{Rig, RigDisk};
use crate::campaign::session::session;
use crate::campaign::verdict;

/// Changes made after a recovery.
const CHANGES_AFTER: u32 = 8;

/// Prints the line that replays a case, when the case fails.
#[derive(Debug)]
pub struct Replay(pub String);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay: {}", self.0);
        }
    }
}

fn mount<'r>(rig: &'r mut Rig, what: &str) -> RigDisk<'r> {
    rig.mount()
        .unwrap_or_else(|error| panic!("{what}: mount: {error}"))
}

/// Disks live for so many sessions, two of three of them cut, each of which must leave what [`holds`]. `prepare` is told the part before each.
///
/// # Panics
/// When something of that does not hold.
pub fn lives(makings: &[Making], seeds: u64, sessions: u32, prepare: impl Fn(&mut EmulatedNand)) {
    for making in makings {
        for seed in 0..seeds {
            let mut rig = making.make(seed);
            let mut model = Model::new();
            let mut random = SplitMix64::new(seed);
            let capacity = rig.parameters.capacity;
            let mut changes = filling(capacity);
            for turn in 0..sessions {
                let _replay = Replay(format!("{making:?}, seed {seed}, session {turn}"));
                rig.nand.power_cycle();
                model.power_cycled();
                prepare(&mut rig.nand);
                if turn % 3 > 0 {
                    let at = random.below(u64::from(capacity));
                    rig.nand.plan_cut(CutPlan::during(at, random.next()));
                }
                // The cut may come too late.
                let _ = session(&mut rig, &mut model, making.depth, &changes);
                holds(&mut rig, &mut model, making, &mut random);
                changes = mixture(&mut random, capacity, capacity);
            }
        }
    }
}

/// The part comes back after a cut: what was durable is there, what was read stays, without the memory of the first mount as well; and
/// changes made then survive a cut too, whatever of them was durable.
///
/// The power is off when this is called; the disk is not mounted when it returns. [`holds`] looks longer.
///
/// # Panics
/// When something of that does not hold.
pub fn survives(rig: &mut Rig, model: &mut Model, depth: usize, random: &mut SplitMix64) {
    rig.nand.power_cycle();
    model.power_cycled();
    {
        let mut disk = mount(rig, "first mount");
        verdict::settles(&mut disk, model, "first mount");
        verdict::agrees(&mut disk, model, "first mount, again");
    }
    {
        let mut disk = mount(rig, "second mount");
        let changes = mixture(random, disk.volume().capacity(), CHANGES_AFTER);
        Driver::new(disk.volume_mut(), model, depth)
            .run(&changes)
            .expect("power");
    }
    rig.nand.power_cycle();
    model.power_cycled();
    verdict::settles(&mut mount(rig, "third mount"), model, "third mount");
}

/// The part comes back after a cut: nothing durable is missing, nothing seen changes again, the disk takes changes and keeps them.
///
/// The power is off when this is called; the disk is not mounted when it returns.
///
/// # Panics
/// When something of that does not hold.
pub fn holds(rig: &mut Rig, model: &mut Model, making: &Making, random: &mut SplitMix64) {
    rig.nand.power_cycle();
    model.power_cycled();
    model.moment("after the cut".to_owned());
    {
        let mut disk = mount(rig, "first mount");
        verdict::settles(&mut disk, model, "first mount");
        verdict::agrees(&mut disk, model, "first mount, again");
    }
    verdict::agrees(&mut mount(rig, "second mount"), model, "second mount");
    rig.nand.power_cycle();
    {
        let mut disk = mount(rig, "mount after another cycle");
        verdict::verifies(&mut disk, "mount after another cycle");
        verdict::agrees(&mut disk, model, "mount after another cycle");
        let changes = mixture(random, disk.volume().capacity(), CHANGES_AFTER);
        Driver::new(disk.volume_mut(), model, making.depth)
            .run(&changes)
            .expect("power");
        verdict::verifies(&mut disk, "after more changes");
        verdict::agrees(&mut disk, model, "after more changes");
    }
    // Half of the disks see one more session, and a clean end.
    if random.chance(1, 2) {
        rig.nand.power_cycle();
        model.power_cycled();
        verdict::settles(&mut mount(rig, "third session"), model, "third session");
        let changes = mixture(random, rig.parameters.capacity, CHANGES_AFTER);
        session(rig, model, making.depth, &changes).expect("power");
        verdict::agrees(&mut mount(rig, "at the end"), model, "at the end");
    }
}

/// Whatever is on the media, every sector reads as `legal` says, and what is written from now on stays written: at once, after an idle time,
/// and after a mount.
///
/// # Errors
/// The volume cannot be mounted.
///
/// # Panics
/// When something of that does not hold.
pub fn goes_on(
    rig: &mut Rig,
    model: &mut Model,
    legal: Legal,
    what: &str,
) -> Result<(), MountError> {
    let mut random = SplitMix64::new(1);
    let mut disk = rig.mount()?;
    tally(&mut disk, model, legal, what);
    // Behind the last page of a block that was set back the part may take none.
    let set_back =
        |error| legal == Legal::OwnOrRefused && error == Error::Nand(NandErrorKind::Forbidden);
    let mut written = Vec::new();
    for _ in 0..60 {
        let sector = random.below(u64::from(disk.volume().capacity())) as u32;
        match oracle::write(&mut disk, model, sector) {
            Ok(version) => {
                written.retain(|&(other, _)| other != sector);
                written.push((sector, version));
            }
            Err(Error::ReadOnly | Error::NoSpace) => break,
            Err(error) if set_back(error) => break,
            Err(error) => panic!("{what}: a write fails: {error}"),
        }
    }
    let _ = disk.idle(12, 2000);
    if !disk.flush().is_err_and(set_back) {
        assert_holds(&mut disk, &written, what);
    }
    if disk.unmount().is_err() {
        rig.nand.power_cycle();
    }
    let mut disk = rig.mount()?;
    assert_holds(&mut disk, &written, &format!("{what}, mounted again"));
    Ok(())
}

fn assert_holds(disk: &mut RigDisk<'_>, written: &[(u32, Version)], what: &str) {
    let mut data = vec![0; disk.volume().sector_bytes()];
    let mut expected = data.clone();
    for &(sector, version) in written {
        let found = disk.read(Sector(sector), &mut data);
        fill(sector, version, &mut expected);
        assert_eq!(found, Ok(true), "{what}: sector {sector}");
        assert!(data == expected, "{what}: sector {sector} is another one");
    }
}
