//! Crates on NOR flash: on plain memory, then on a volume.

use cuesta::volume::Budget;
use cuesta_sim::campaign::rig::Rig;
use cuesta_tests::foreign::{
    cuts_wanted, finished, NorClient, OnFlash, RamFlash, Trial, ERASE, WRITE,
};

/// Cuts of each test.
pub const CUTS: usize = 1200;

/// The crate does the same on both, and keeps its promises when the power of the second is cut.
pub fn judge<C: NorClient>(client: C, name: &'static str, chip: &str, seed: u64) {
    let mut flash = RamFlash::<WRITE, ERASE>::new(C::BYTES as usize);
    finished(client.format(&mut flash));
    let mut model = client.initial();
    // In as many sessions, as some crates do something else after each mount.
    for session in 0..Trial::<OnFlash<C>>::SESSIONS {
        let steps = Trial::<OnFlash<C>>::session(session, client.steps());
        finished(client.run(&mut flash, &model, steps.clone(), || {}));
        steps.for_each(|step| client.play(&mut model, step));
    }
    let contents = finished(client.contents(&mut flash));
    assert!(contents == model, "{name} on plain memory: {contents:?}");

    let trial = Trial {
        subject: OnFlash(client),
        name,
        seed,
    };
    let tried = trial.judge(Rig::of(chip, seed, Budget::Minimum), cuts_wanted(CUTS));
    let sectors = tried.image.values();
    let bytes: Vec<u8> = sectors.flat_map(|bytes| bytes.to_vec()).collect();
    assert!(
        bytes[..flash.bytes.len()] == flash.bytes,
        "{name} leaves something else than in plain memory"
    );
    assert!(tried.kept.iter().all(|&count| count > 0), "{tried:?}");
}
