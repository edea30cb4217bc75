//! A die goes, whichever it is: the volume goes on with the others, checkpoints, cuts and recoveries included. A die that comes back holds nothing that counts.

use cuesta::codec::Ecc;
use cuesta::volume::{Budget, Error, FormatOptions, Level, MountError, Sector};
use cuesta_hal::{Die, Geometry, NandErrorKind};
use cuesta_sim::campaign::aftermath::{holds, Replay};
use cuesta_sim::campaign::aged::Making;
use cuesta_sim::campaign::change::{filling, mixture, Change};
use cuesta_sim::campaign::driver::Driver;
use cuesta_sim::campaign::model::{fill, Model};
use cuesta_sim::campaign::oracle::within;
use cuesta_sim::campaign::rig::{Rig, RigDisk};
use cuesta_sim::campaign::session::session;
use cuesta_sim::campaign::verdict;
use cuesta_sim::{chip, CutPlan, EmulatedNand, SplitMix64};

/// Sectors of a disk.
const SECTORS: u32 = 60;
/// How a host writes.
const ONE: Making = Making::of("tiny4", Budget::Full);
const FIVE: Making = Making { depth: 5, ..ONE };

/// How a die is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// Its logic answers: reads give garbage, programs and erases fail.
    Answering,
    /// No operation ends.
    Silent,
}

impl Loss {
    const ALL: [Self; 2] = [Self::Answering, Self::Silent];

    fn strike(self, nand: &mut EmulatedNand, die: u16) {
        match self {
            Self::Answering => nand.lose_die(Die(die)),
            Self::Silent => nand.lose_die_silently(Die(die)),
        }
    }
}

/// An empty disk of so many dies, with segments on so many of them.
fn disk_of(dies: u16, width: u16, levels: &[&str], seed: u64) -> Rig {
    let levels: Vec<Level> = levels
        .iter()
        .map(|text| Level::parse(text, Ecc::Bch4).expect("a level"))
        .collect();
    let geometry = Geometry {
        dies,
        blocks_per_die: 48,
        page_bytes: 1024,
        pages_per_block: 8,
        ..chip("tiny4").expect("a chip").geometry
    };
    let builder = EmulatedNand::builder("tiny4")
        .expect("a chip")
        .seed(seed)
        .strict(true)
        .geometry(geometry);
    let options = FormatOptions {
        volume_id: seed | 1,
        levels: &levels,
        width: Some(width),
        capacity: Some(SECTORS),
        ..FormatOptions::default()
    };
    let budget = [Budget::Full, Budget::Minimum][(seed % 2) as usize];
    Rig::new(builder, &options, budget)
}

/// Sessions with and without cuts, during which dies are lost.
fn life(rig: &mut Rig, losses: &[(u32, u16, Loss)], making: &Making, seed: u64) {
    let mut model = Model::new();
    let mut random = SplitMix64::new(seed);
    let mut changes = filling(SECTORS);
    for turn in 0..10 {
        rig.nand.power_cycle();
        model.power_cycled();
        let due: Vec<_> = losses.iter().filter(|(at, ..)| *at == turn).collect();
        if !due.is_empty() && random.chance(1, 2) {
            // In the middle of a session.
            let mut disk = rig.mount().expect("a volume");
            verdict::settles(&mut disk, &mut model, "before the loss");
            let (before, after) = changes.split_at(changes.len() / 2);
            let mut driver = Driver::new(disk.volume_mut(), &mut model, making.depth);
            driver.run(before).expect("power");
            drop(driver);
            for (_, die, loss) in due {
                loss.strike(disk.volume_mut().nand_mut(), *die);
            }
            let mut driver = Driver::new(disk.volume_mut(), &mut model, making.depth);
            driver.run(after).expect("power");
            drop(driver);
            verdict::agrees(&mut disk, &model, "after the loss");
        } else {
            for (_, die, loss) in due {
                loss.strike(&mut rig.nand, *die);
            }
            if turn % 3 > 0 {
                let plan = CutPlan::during(random.below(150), random.next());
                rig.nand.plan_cut(plan);
            }
            // The cut may come too late.
            let _ = session(rig, &mut model, making.depth, &changes);
        }
        holds(rig, &mut model, making, &mut random);
        changes = mixture(&mut random, SECTORS, SECTORS);
    }
}

#[test]
fn whichever_die_is_lost_lives_with_cuts_go_on() {
    within(300, "lives with a lost die", || {
        // Where segments lie on two dies, a lost one makes half of them useless.
        let disks = [
            (["a=mirror=2", "b=mirror=3"], 4),
            (["a=mirror=2", "b=mirror=2"], 4),
            (["a=mirror=2", "b=mirror=2"], 2),
            (["a=parity=2", "b=mirror=2"], 4),
            (["a=parity=3", "b=parity=2"], 4),
        ];
        for seed in 0..80 {
            let (die, loss) = ((seed % 4) as u16, Loss::ALL[(seed / 4 % 2) as usize]);
            let (levels, width) = disks[(seed / 8 % 5) as usize];
            let making = [ONE, FIVE][(seed / 40 % 2) as usize];
            let at = 1 + SplitMix64::new(seed).below(6) as u32;
            eprintln!("seed {seed}: {levels:?}, die {die} lost, {loss:?}, in session {at}");
            let mut rig = disk_of(4, width, &levels, seed);
            life(&mut rig, &[(at, die, loss)], &making, seed);
        }
    });
}

#[test]
fn whichever_two_dies_are_lost_lives_with_three_copies_and_cuts_go_on() {
    within(300, "lives with two lost dies", || {
        let pairs = (0..4).flat_map(|first| (0..4).map(move |second| (first, second)));
        for (seed, (first, second)) in pairs.filter(|(first, second)| first != second).enumerate() {
            let seed = seed as u64;
            let (one, other) = (
                Loss::ALL[(seed % 2) as usize],
                Loss::ALL[(seed / 2 % 2) as usize],
            );
            let at = 1 + SplitMix64::new(seed).below(4) as u32;
            // At once, or one after the other.
            let later = at + SplitMix64::new(seed + 1).below(3) as u32;
            eprintln!("seed {seed}: die {first} lost, {one:?}, in session {at}, die {second}, {other:?}, in {later}");
            let mut rig = disk_of(6, 6, &["a=mirror=3"], seed);
            let losses = [(at, first, one), (later, second, other)];
            life(&mut rig, &losses, &[ONE, FIVE][(seed % 2) as usize], seed);
        }
    });
}

/// A part in the middle of its life, its power gone.
fn lived(seed: u64) -> (Rig, Model) {
    let mut rig = disk_of(4, 4, &["a=mirror=2", "b=mirror=3"], seed);
    let mut model = Model::new();
    session(&mut rig, &mut model, 1, &filling(SECTORS)).expect("power");
    let mut disk = rig.mount().expect("a volume");
    let changes = mixture(&mut SplitMix64::new(seed), SECTORS, SECTORS);
    let mut driver = Driver::new(disk.volume_mut(), &mut model, 1);
    driver.run(&changes).expect("power");
    drop(driver);
    drop(disk);
    rig.nand.power_cycle();
    model.power_cycled();
    (rig, model)
}

#[test]
fn what_a_die_holds_that_was_away_for_some_sessions_brings_nothing_old_back() {
    within(300, "dies that come back", || {
        let mut random = SplitMix64::new(5);
        let (lived, model) = lived(6);
        for die in 0..4 {
            // So many recoveries are cut, at the same operation, before the die goes.
            for attempts in [1, 2, 4] {
                for at in 0.. {
                    let (mut rig, mut model) = (lived.clone(), model.clone());
                    eprintln!("die {die} goes after {attempts} recoveries cut at operation {at}");
                    let mut cut = Ok(());
                    for attempt in 0..attempts {
                        rig.nand.plan_cut(CutPlan::during(at, attempt));
                        cut = session(&mut rig, &mut model, 1, &[Change::Write(1)]).map(|_| ());
                        rig.nand.power_cycle();
                        model.power_cycled();
                    }
                    rig.nand.faults().kill_die(Die(die));
                    for sessions in 0..1 + random.below(2) {
                        let mut disk = rig.mount().expect("a volume");
                        verdict::settles(&mut disk, &mut model, "without the die");
                        let changes =
                            mixture(&mut random, SECTORS, SECTORS / (1 + sessions as u32));
                        let mut driver = Driver::new(disk.volume_mut(), &mut model, 1);
                        driver.run(&changes).expect("power");
                        drop(driver);
                        if random.chance(1, 2) {
                            disk.unmount().map_err(|(_, error)| error).expect("an end");
                            model.flushed();
                        } else {
                            drop(disk);
                            rig.nand.power_cycle();
                            model.power_cycled();
                        }
                    }
                    rig.nand.faults().revive_die(Die(die));
                    holds(&mut rig, &mut model, &ONE, &mut random);
                    if cut.is_ok() {
                        break;
                    }
                }
            }
        }
    });
}

#[test]
fn a_die_lost_after_cuts_of_checkpoints_and_recoveries_takes_nothing_along() {
    within(300, "dies lost after cuts", || {
        let disks: Vec<_> = (0..4).map(lived).collect();
        for seed in 0..1200 {
            let mut random = SplitMix64::new(seed);
            let (mut rig, mut model) = disks[(seed % 4) as usize].clone();
            let cuts: Vec<u64> = (0..2 + random.below(3)).map(|_| random.below(64)).collect();
            let die = random.below(3) as u16;
            let _replay = Replay(format!("seed {seed}: cut at {cuts:?}, then die {die} lost"));
            for &at in &cuts {
                rig.nand.plan_cut(CutPlan::during(at, random.next()));
                let _ = session(&mut rig, &mut model, 1, &[Change::Write(1)]);
                rig.nand.power_cycle();
                model.power_cycled();
            }
            rig.nand.lose_die(Die(die));
            holds(&mut rig, &mut model, &ONE, &mut random);
        }
    });
}

/// Writes until one is refused, or often enough; the error, and the sector that may be old or new by then.
fn written_until_refused(disk: &mut RigDisk<'_>, model: &mut Model) -> Option<(Error, u32)> {
    let mut random = SplitMix64::new(9);
    let mut data = vec![0; disk.volume().sector_bytes()];
    for _ in 0..1000 {
        let sector = random.below(u64::from(SECTORS)) as u32;
        let version = model.fresh();
        fill(sector, version, &mut data);
        if let Err(error) = disk.write(Sector(sector), &data) {
            return Some((error, sector));
        }
        model.started(sector, version);
        model.acknowledged(sector, version);
    }
    None
}

/// Every sector reads as the model says, but for one of which a write was refused.
fn reads_all(disk: &mut RigDisk<'_>, model: &Model, but: Option<u32>, what: &str) {
    let mut data = vec![0; disk.volume().sector_bytes()];
    for sector in (0..SECTORS).filter(|&sector| Some(sector) != but) {
        let written = disk
            .read(Sector(sector), &mut data)
            .unwrap_or_else(|error| panic!("{what}, sector {sector}: {error}"));
        let version = Model::identify(sector, written, &data);
        assert_eq!(
            version,
            Some(model.current(sector)),
            "{what}, sector {sector}"
        );
    }
}

#[test]
fn with_too_few_dies_left_everything_can_be_read_and_writes_are_refused() {
    within(300, "too few dies", || {
        // Of four dies, checkpoints go to the first three, or to all.
        for (levels, copies) in [(["a=mirror=2"], 2), (["a=mirror=3"], 3)] {
            for (first, second) in
                (0..4).flat_map(|first| (0..4).map(move |second| (first, second)))
            {
                for loss in Loss::ALL.into_iter().filter(|_| first != second) {
                    let what = format!("{copies} copies, die {first}, then {second}, {loss:?}");
                    eprintln!("{what}");
                    let mut rig = disk_of(4, 4, &levels, 1);
                    let mut model = Model::new();
                    session(&mut rig, &mut model, 1, &filling(SECTORS)).expect("power");
                    let mut disk = rig.mount().expect("a volume");
                    loss.strike(disk.volume_mut().nand_mut(), first);
                    let refused = written_until_refused(&mut disk, &mut model);
                    assert_eq!(refused, None, "{what}");
                    while disk.idle(0, 10_000).expect("a part") {}
                    loss.strike(disk.volume_mut().nand_mut(), second);
                    reads_all(&mut disk, &model, None, &what);
                    let refused = written_until_refused(&mut disk, &mut model);
                    // Two copies fit on the dies that are left, and two rings are left where one of the lost dies had none.
                    let goes_on = copies == 2 && (first == 3 || second == 3);
                    assert_eq!(refused.is_none(), goes_on, "{what}: {refused:?}");
                    let (error, sector) = refused.unzip();
                    assert!(
                        matches!(error, None | Some(Error::NoSpace | Error::ReadOnly)),
                        "{what}: {error:?}"
                    );
                    reads_all(&mut disk, &model, sector, &what);
                    drop(disk);
                    rig.nand.power_cycle();
                    let mut disk = rig
                        .mount()
                        .unwrap_or_else(|error| panic!("{what}: {error}"));
                    reads_all(&mut disk, &model, sector, &what);
                }
            }
        }
    });
}

#[test]
fn a_silent_die_is_not_waited_for_again_and_again() {
    let (mut rig, model) = lived(3);
    rig.nand.lose_die_silently(Die(1));
    let mut disk = rig.mount().expect("a volume");
    verdict::agrees(&mut disk, &model, "with a silent die");
    let before = disk.volume().nand().counters();
    for _ in 0..10 {
        verdict::agrees(&mut disk, &model, "with a silent die");
    }
    let reads = disk.volume().nand().counters().since(&before).reads;
    assert!(reads <= 10 * 2 * u64::from(SECTORS), "{reads} reads");
}

#[test]
fn a_part_of_which_no_die_answers_has_failed() {
    let (rig, _) = lived(4);
    let timeout = NandErrorKind::Timeout;
    {
        let mut rig = rig.clone();
        for die in 0..4 {
            rig.nand.lose_die_silently(Die(die));
        }
        assert_eq!(rig.mount().err(), Some(MountError::Nand(timeout)));
    }
    let mut rig = rig;
    let mut disk = rig.mount().expect("a volume");
    for die in 0..4 {
        disk.volume_mut().nand_mut().lose_die_silently(Die(die));
    }
    let mut data = vec![0; disk.volume().sector_bytes()];
    let failed = (0..SECTORS).find_map(|sector| match disk.read(Sector(sector), &mut data) {
        Err(Error::Nand(kind)) => Some(kind),
        _ => None,
    });
    assert_eq!(failed, Some(timeout));
}
