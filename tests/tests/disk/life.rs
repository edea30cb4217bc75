//! A disk lives: it is written, overwritten, trimmed, cut and mounted again, beside a model.

use cuesta::volume::{Budget, Error, Sector};
use cuesta_hal::NandErrorKind;
use cuesta_sim::campaign::model::{fill, Model};
use cuesta_sim::campaign::rig::{Rig, RigDisk};
use cuesta_sim::campaign::verdict::{agrees, describe, settles};
use cuesta_sim::{CutPlan, SplitMix64};

/// Random changes until `count` are done or the power is lost.
fn change(disk: &mut RigDisk<'_>, model: &mut Model, random: &mut SplitMix64, count: u32) -> bool {
    let capacity = disk.volume().capacity();
    let mut data = vec![0; disk.volume().sector_bytes()];
    for _ in 0..count {
        let result = match random.below(20) {
            0 => {
                let first = random.below(u64::from(capacity)) as u32;
                let len = (random.below(8) as u32 + 1).min(capacity - first);
                for sector in first..first + len {
                    model.started(sector, 0);
                }
                disk.trim(Sector(first), len)
            }
            1 => disk.flush().map(|()| model.flushed()),
            _ => {
                let sector = random.below(u64::from(capacity)) as u32;
                let version = model.fresh();
                fill(sector, version, &mut data);
                model.started(sector, version);
                disk.write(Sector(sector), &data)
                    .map(|()| model.durable(sector))
            }
        };
        match result {
            Ok(()) => {}
            Err(Error::Nand(NandErrorKind::PowerLost)) => return false,
            Err(error) => panic!("{error}\n{}", describe(disk.volume())),
        }
    }
    true
}

fn live(chip: &str, budget: Budget, changes: u32) {
    let mut rig = Rig::of(chip, 7, budget);
    let mut model = Model::new();
    let mut random = SplitMix64::new(1);
    let changes: u32 = std::env::var("CH").map_or(changes, |v| v.parse().unwrap());
    for session in 0..4 {
        let mut disk = rig.mount().unwrap();
        agrees(&mut disk, &model, "after the mount");
        assert!(change(&mut disk, &mut model, &mut random, changes));
        agrees(&mut disk, &model, "at the end of the session");
        let mut findings = Vec::new();
        let verified = disk
            .volume_mut()
            .verify(&mut |finding| findings.push(finding), &mut |_, _| {})
            .unwrap();
        assert_eq!(verified.findings, 0, "session {session}: {findings:?}");
        disk.unmount().map_err(|(_, error)| error).unwrap();
        model.flushed();
    }
    let disk = rig.mount().unwrap();
    assert!(disk.volume().info().clean);
}

#[test]
fn a_disk_keeps_what_it_is_given_on_every_geometry_and_budget() {
    for chip in ["tiny", "tiny2", "tiny4", "tiny-multi"] {
        for budget in [Budget::Minimum, Budget::Full] {
            live(chip, budget, 3000);
        }
    }
}

fn cut_often(chip: &str, budget: Budget, seed: u64, cuts: u32) {
    let mut rig = Rig::of(chip, seed, budget);
    let mut model = Model::new();
    let mut random = SplitMix64::new(seed);
    for cut in 0..cuts {
        let at = random.below(120);
        rig.nand.plan_cut(CutPlan::during(at, random.next()));
        let what = format!("{chip} {budget:?} seed {seed} cut {cut}");
        model.moment(format!("cut {cut}"));
        match rig.mount() {
            Ok(mut disk) => {
                change(&mut disk, &mut model, &mut random, 200);
            }
            Err(error) => panic!("{what}: mount: {error}"),
        }
        rig.nand.power_cycle();
        let mut disk = rig
            .mount()
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        settles(&mut disk, &mut model, &what);
        agrees(&mut disk, &model, &what);
        drop(disk);
        rig.nand.power_cycle();
    }
}

#[test]
fn m26_m28_whatever_was_acknowledged_survives_cuts_at_random_moments() {
    for chip in ["tiny", "tiny2", "tiny4", "tiny-multi"] {
        for budget in [Budget::Minimum, Budget::Full] {
            cut_often(chip, budget, 3, 150);
        }
    }
}
