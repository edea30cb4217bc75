//! The same disk at every RAM budget: from the least that works to everything.

use cuesta::volume::{
    Budget, BudgetError, FormatOptions, MountError, Parameters, Plan, Sector, Volume,
};
use cuesta_hal::Nand;
use cuesta_sim::campaign::model::Model;
use cuesta_sim::campaign::oracle::{self, expect_current, within};
use cuesta_sim::campaign::rig::{memory, Rig, RigDisk};
use cuesta_sim::{EmulatedNand, SplitMix64};

/// Bytes of the volume itself.
const VOLUME_BYTES: usize = std::mem::size_of::<Volume<'_, &mut EmulatedNand>>();
/// Reads that a rig's memory accepts at once.
const READ_SLOTS: usize = 8;

fn plan(chip: &str, budget: Budget) -> Result<Plan, BudgetError> {
    let nand = EmulatedNand::of(chip).expect("a chip of the table");
    let parameters =
        Parameters::choose(nand.geometry(), &FormatOptions::default()).expect("parameters");
    Plan::new(
        nand.geometry(),
        &parameters,
        budget,
        READ_SLOTS,
        VOLUME_BYTES,
    )
    .expect("a fit")
}

/// All that a plan costs, page buffers and the volume included.
fn bytes(chip: &str, budget: Budget) -> usize {
    let nand = EmulatedNand::of(chip).expect("a chip of the table");
    let geometry = nand.geometry();
    let buffers = usize::from(geometry.dies) * usize::from(geometry.buffers_per_die);
    let plan = plan(chip, budget).expect("a budget that suffices");
    plan.bytes() + VOLUME_BYTES + buffers * geometry.raw_page_bytes() as usize
}

fn overwrite(disk: &mut RigDisk<'_>, model: &mut Model, random: &mut SplitMix64, count: u32) {
    let capacity = disk.volume().capacity();
    for _ in 0..count {
        let sector = random.below(u64::from(capacity)) as u32;
        if random.chance(1, 12) {
            model.started(sector, 0);
            disk.trim(Sector(sector), 1).expect("a trim");
        } else {
            oracle::write(disk, model, sector).expect("room");
        }
    }
    disk.flush().expect("a flush");
    model.flushed();
}

/// Some of the sectors of a large disk, all of a small one.
fn check(disk: &mut RigDisk<'_>, model: &Model, what: &str) {
    if disk.volume().capacity() < 4096 {
        expect_current(disk, model, what);
        return;
    }
    let step = 61;
    for sector in (0..disk.volume().capacity()).step_by(step) {
        let found = oracle::read(disk, model, sector, what);
        assert_eq!(found, oracle::Reading::Current, "{what}: sector {sector}");
    }
}

fn live_at(chip: &str, budget: Budget, fill: u32, changes: u32) {
    let what = format!("{chip} {budget:?}");
    let mut rig = Rig::of(chip, 51, budget);
    let mut model = Model::new();
    let mut random = SplitMix64::new(51);
    let mut disk = rig.mount().expect("a formatted part");
    let capacity = disk.volume().capacity();
    for sector in 0..capacity.min(fill) {
        // Spread over all map pages.
        let sector = (u64::from(sector) * 7919 % u64::from(capacity)) as u32;
        oracle::write(&mut disk, &mut model, sector).expect("room");
    }
    overwrite(&mut disk, &mut model, &mut random, changes);
    check(&mut disk, &model, &what);
    disk.unmount().map_err(|(_, error)| error).expect("an end");
    let mut disk = rig.mount().expect("a volume");
    check(&mut disk, &model, &what);
    overwrite(&mut disk, &mut model, &mut random, changes / 4);
    drop(disk);
    rig.nand.power_cycle();
    let mut disk = rig.mount().expect("a volume");
    check(&mut disk, &model, &what);
    overwrite(&mut disk, &mut model, &mut random, changes / 4);
    check(&mut disk, &model, &what);
    assert_eq!(rig.nand.violation_count(), 0);
}

fn steps(chip: &str, count: usize) -> Vec<Budget> {
    let least = bytes(chip, Budget::Minimum);
    let most = bytes(chip, Budget::Full);
    (0..=count)
        .map(|step| Budget::Bytes(least + (most - least) * step / count))
        .chain([Budget::Minimum, Budget::Full])
        .collect()
}

#[test]
fn every_budget_of_a_small_part_works() {
    within(200, "budgets", || {
        for chip in ["tiny4", "tiny-multi"] {
            for budget in steps(chip, 12) {
                live_at(chip, budget, u32::MAX, 1500);
            }
        }
    });
}

#[test]
fn every_budget_of_a_gigabit_part_works() {
    within(300, "budgets", || {
        for budget in steps("w25n01gv", 4) {
            live_at("w25n01gv", budget, 3000, 3000);
        }
    });
}

#[test]
fn a_budget_below_the_minimum_is_refused_with_the_minimum() {
    for chip in ["tiny", "tiny4", "tiny-multi", "w25n01gv", "w25n02kv"] {
        let minimum = bytes(chip, Budget::Minimum);
        for offered in [0, 1, minimum / 2, minimum - 1] {
            let refused = plan(chip, Budget::Bytes(offered));
            assert_eq!(
                refused.err(),
                Some(BudgetError { offered, minimum }),
                "{chip}"
            );
        }
        let message = plan(chip, Budget::Bytes(1))
            .expect_err("too little")
            .to_string();
        assert!(message.contains(&minimum.to_string()), "{message}");
        assert!(plan(chip, Budget::Bytes(minimum)).is_ok(), "{chip}");
    }
}

#[test]
fn a_plan_never_costs_more_than_its_budget() {
    for chip in ["tiny", "tiny4", "tiny-multi", "w25n01gv"] {
        let least = bytes(chip, Budget::Minimum);
        let most = bytes(chip, Budget::Full);
        for step in 0..500 {
            let offered = least + (most - least) * step / 400;
            let cost = bytes(chip, Budget::Bytes(offered));
            assert!(
                cost <= offered,
                "{chip}: {cost} bytes for a budget of {offered}"
            );
        }
    }
}

/// The same part with memory of another budget.
fn with_budget(rig: &Rig, budget: Budget) -> Rig {
    Rig {
        nand: rig.nand.clone(),
        memory: memory(&rig.nand, &rig.parameters, budget),
        parameters: rig.parameters,
    }
}

#[test]
fn after_a_clean_end_any_other_budget_goes_on() {
    within(200, "changing budgets", || {
        for chip in ["tiny", "tiny2", "tiny4", "tiny-multi"] {
            let mut rig = Rig::of(chip, 52, Budget::Full);
            let mut model = Model::new();
            let mut random = SplitMix64::new(52);
            let middle = (bytes(chip, Budget::Minimum) + bytes(chip, Budget::Full)) / 2;
            let budgets = [Budget::Minimum, Budget::Full, Budget::Bytes(middle)];
            for turn in 0..9 {
                let mut disk = rig.mount().expect("a volume");
                expect_current(&mut disk, &model, &format!("{chip}, turn {turn}"));
                let count = disk.volume().capacity();
                overwrite(&mut disk, &mut model, &mut random, count);
                disk.unmount().map_err(|(_, error)| error).expect("an end");
                rig = with_budget(&rig, budgets[turn % 3]);
            }
        }
    });
}

#[test]
fn after_a_cut_less_memory_either_works_or_is_named_as_too_little() {
    within(200, "less memory after a cut", || {
        for chip in ["tiny", "tiny2", "tiny4", "tiny-multi"] {
            for seed in 0..12 {
                let mut rig = Rig::of(chip, seed, Budget::Full);
                let mut model = Model::new();
                let mut random = SplitMix64::new(seed);
                let mut disk = rig.mount().expect("a volume");
                let count = disk.volume().capacity() / 2 + 40 * seed as u32;
                overwrite(&mut disk, &mut model, &mut random, count);
                drop(disk);
                rig.nand.power_cycle();
                let what = format!("{chip}, seed {seed}");
                let mut less = with_budget(&rig, Budget::Minimum);
                match less.mount() {
                    Ok(mut disk) => {
                        expect_current(&mut disk, &model, &what);
                        let mut model = model.clone();
                        overwrite(&mut disk, &mut model, &mut random, 100);
                        expect_current(&mut disk, &model, &what);
                    }
                    Err(MountError::Memory { found, needed, .. }) => {
                        assert!(found < needed, "{what}: {found} of {needed}");
                    }
                    Err(error) => panic!("{what}: {error}"),
                }
                // Refused or not: with the old memory it is all there.
                let mut disk = rig.mount().expect("a volume");
                expect_current(&mut disk, &model, &what);
            }
        }
    });
}

#[test]
fn memory_that_is_too_small_for_the_part_is_refused_by_name() {
    let small = Rig::of("tiny", 1, Budget::Minimum);
    let mut large = Rig::of("w25n01gv", 1, Budget::Minimum);
    large.memory = small.memory;
    let error = match large.mount() {
        Ok(_) => panic!("the memory of a tiny part suffices"),
        Err(error) => error,
    };
    assert!(
        matches!(error, MountError::Memory { found, needed, .. } if found < needed),
        "{error}"
    );
    let before = large.nand.counters();
    assert_eq!(before.since(&before).programs, 0);
}
