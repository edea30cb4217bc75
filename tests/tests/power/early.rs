//! What is acknowledged is on the media in that very moment, however often a host polls before any time has passed.

use cuesta::volume::{Budget, Error, Event, Sector, Ticket};
use cuesta_sim::campaign::model::{fill, Model};
use cuesta_sim::campaign::rig::{Rig, RigDisk};
use cuesta_sim::campaign::verdict::settles;
use cuesta_sim::SplitMix64;
use cuesta_tests::full::full;

/// Calls of `poll` before time passes.
const POLLS: u32 = 8;
const TURNS_MAX: u32 = 100_000;

/// Polls until a request is done, or accepted.
fn until<T>(disk: &mut RigDisk<'_>, mut turn: impl FnMut(&mut RigDisk<'_>) -> Option<T>) -> T {
    for _ in 0..TURNS_MAX {
        for _ in 0..POLLS {
            if let Some(done) = turn(disk) {
                return done;
            }
        }
        disk.volume_mut().wait();
    }
    panic!("no end: {:?}", disk.volume().stats());
}

fn submitted<T>(
    disk: &mut RigDisk<'_>,
    mut request: impl FnMut(&mut RigDisk<'_>) -> nb::Result<T, Error>,
) -> T {
    until(disk, |disk| match request(disk) {
        Ok(accepted) => Some(accepted),
        Err(nb::Error::Other(error)) => panic!("refused: {error}"),
        Err(nb::Error::WouldBlock) => {
            assert!(!matches!(disk.volume_mut().poll(), Event::Failed(..)));
            None
        }
    })
}

fn finished(disk: &mut RigDisk<'_>, wanted: Ticket) {
    until(disk, |disk| match disk.volume_mut().poll() {
        Event::Written(done)
        | Event::Trimmed(done)
        | Event::Flushed(done)
        | Event::Committed(done) => (done == wanted).then_some(()),
        Event::Failed(_, error) => panic!("failed: {error}"),
        _ => None,
    });
}

/// A change that is acknowledged. The power goes at once.
fn change(disk: &mut RigDisk<'_>, model: &mut Model, random: &mut SplitMix64, kind: u64) {
    let capacity = disk.volume().capacity();
    let mut data = vec![0; disk.volume().sector_bytes()];
    let first = random.below(u64::from(capacity) - 4) as u32;
    match kind {
        0 => {
            let version = model.fresh();
            fill(first, version, &mut data);
            let ticket = submitted(disk, |disk| {
                disk.volume_mut().submit_write(Sector(first), &data)
            });
            model.started(first, version);
            finished(disk, ticket);
            model.acknowledged(first, version);
        }
        1 => {
            let ticket = submitted(disk, |disk| disk.volume_mut().submit_trim(Sector(first), 3));
            (first..first + 3).for_each(|sector| model.started(sector, 0));
            finished(disk, ticket);
            let ticket = submitted(disk, |disk| disk.volume_mut().submit_flush());
            finished(disk, ticket);
            model.flushed();
        }
        _ => {
            submitted(disk, |disk| disk.volume_mut().begin_batch());
            let mut members = Vec::new();
            for sector in first..first + 3 {
                let version = model.fresh();
                fill(sector, version, &mut data);
                let ticket = submitted(disk, |disk| {
                    disk.volume_mut().submit_batch_write(Sector(sector), &data)
                });
                finished(disk, ticket);
                members.push((sector, version));
            }
            let ticket = submitted(disk, |disk| disk.volume_mut().submit_commit());
            model.batch_started(&members);
            finished(disk, ticket);
            model.batch_acknowledged();
        }
    }
    disk.volume_mut().nand_mut().cut();
}

#[test]
fn what_is_acknowledged_survives_a_cut_in_that_moment() {
    for chip in ["tiny", "tiny2", "tiny4", "tiny-multi"] {
        for budget in [Budget::Full, Budget::Minimum] {
            let (mut rig, mut model): (Rig, Model) = full(chip, 51, budget);
            let mut random = SplitMix64::new(51);
            for turn in 0..60 {
                let mut disk = rig.mount().expect("a volume");
                change(&mut disk, &mut model, &mut random, turn % 3);
                drop(disk);
                rig.nand.power_cycle();
                model.power_cycled();
                let mut disk = rig.mount().expect("a volume");
                settles(
                    &mut disk,
                    &mut model,
                    &format!("{chip} {budget:?}, change {turn}"),
                );
            }
        }
    }
}
