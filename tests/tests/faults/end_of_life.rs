//! Blocks wear out one after the other until the disk takes no more writes: it says so ahead of time, and everything stays readable.

use cuesta::volume::{Budget, Outlook, Sector};
use cuesta_hal::{Geometry, Nand};
use cuesta_sim::campaign::damage::block_of;
use cuesta_sim::campaign::model::Model;
use cuesta_sim::campaign::oracle::{self, expect_current, within};
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::{chip, AgingModel, CutPlan, SplitMix64};

/// Cycles that a block is rated for.
const RATED: u32 = 40;

/// Blocks fail when they were erased as often as they are rated for, or up to half as often again. No bit flips.
const MORTAL: AgingModel = AgingModel {
    fresh: 1e-12,
    worn: 1e-12,
    retention_per_day: 0.0,
    disturb_per_read: 0.0,
    spread: 1.0,
    noise: 0.0,
    life: (1.0, 1.5),
};

fn mortal(name: &str, seed: u64, blocks_per_die: u32) -> Rig {
    let geometry = Geometry {
        endurance_cycles: RATED,
        blocks_per_die,
        ..chip(name).expect("a chip of the table").geometry
    };
    Rig::aging(name, geometry, MORTAL, seed, Budget::Full)
}

#[test]
fn a_disk_says_that_its_end_is_near_and_ends_with_everything_readable() {
    within(200, "end of life", || {
        for (name, blocks) in [("tiny", 64), ("tiny2", 40), ("tiny4", 32)] {
            for seed in 0..3 {
                let what = format!("{name}, seed {seed}");
                let mut rig = mortal(name, seed, blocks);
                let mut model = Model::new();
                let mut random = SplitMix64::new(seed);
                let mut disk = rig.mount().expect("a formatted part");
                assert_eq!(
                    disk.volume().info().life.outlook(),
                    Outlook::Good,
                    "{what}: {:?}",
                    disk.volume().info().life
                );
                let capacity = disk.volume().capacity();
                for sector in 0..capacity {
                    oracle::write(&mut disk, &mut model, sector).expect("room");
                }
                let (mut writes, mut told_at) = (u64::from(capacity), None);
                let mut last = Outlook::Good;
                loop {
                    let sector = random.below(u64::from(capacity)) as u32;
                    let before = model.current(sector);
                    if oracle::write(&mut disk, &mut model, sector).is_err() {
                        assert!(model.settle(sector, before), "what is refused is not there");
                        break;
                    }
                    writes += 1;
                    if !writes.is_multiple_of(16) {
                        continue;
                    }
                    let life = disk.volume().life();
                    assert!(life.outlook() >= last, "{what}: {life:?} after {last:?}");
                    last = life.outlook();
                    if last == Outlook::EndsSoon {
                        told_at.get_or_insert(writes);
                    }
                    assert!(writes < 10_000_000, "{what}: {life:?}");
                }
                let info = disk.volume().info();
                assert!(info.bad_blocks > 0, "{what}: {info:?}");
                assert_eq!(info.life.outlook(), Outlook::Over, "{what}");
                let told_at = told_at.unwrap_or_else(|| panic!("{what}: nothing was told"));
                assert!(
                    told_at + u64::from(capacity) < writes,
                    "{what}: told after {told_at} of {writes} writes, {capacity} sectors"
                );
                expect_current(&mut disk, &model, &what);
                drop(disk);
                rig.nand.power_cycle();
                let mut disk = rig
                    .mount()
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                expect_current(&mut disk, &model, &format!("{what}, mounted again"));
            }
        }
    });
}

/// Sessions in which next to nothing is written wear out the blocks of checkpoints alone: they are counted over mounts and cuts.
#[test]
fn sessions_wear_out_the_blocks_of_checkpoints_and_that_is_told() {
    for (name, blocks) in [("tiny", 64), ("tiny4", 32)] {
        let mut rig = mortal(name, 5, blocks);
        let mut random = SplitMix64::new(5);
        for session in 0..30 * u64::from(RATED) {
            if session % 2 == 1 {
                // Somewhere between the recovery and the end of the session.
                rig.nand
                    .plan_cut(CutPlan::during(random.below(40), random.next()));
            }
            let Ok(mut disk) = rig.mount() else {
                rig.nand.power_cycle();
                continue;
            };
            let data = vec![session as u8; disk.volume().sector_bytes()];
            let _ = disk.write(Sector(session as u32 % 8), &data);
            let life = disk.volume().life();
            drop(disk);
            let most = (0..rig.nand.geometry().blocks())
                .map(|number| rig.nand.erase_count(block_of(&rig.nand, number)))
                .max()
                .expect("blocks");
            rig.nand.power_cycle();
            // A place of the ring with the most may have been opened once more, and a cut hides the last opening.
            assert!(
                life.checkpoint_erases.abs_diff(most) <= 2,
                "{name}, session {session}: {most} erases of a block, {life:?}"
            );
            assert!(life.erases < life.checkpoint_erases + 2, "{life:?}");
            if most * 10 > RATED * 9 + 10 {
                assert_eq!(life.outlook(), Outlook::EndsSoon, "{name}: {life:?}");
                break;
            }
            assert!(session + 1 < 30 * u64::from(RATED), "{name}: {life:?}");
        }
    }
}
