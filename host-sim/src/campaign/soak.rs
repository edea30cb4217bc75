//! Whole lives of disks, at accelerated wear, until they take no more writes.
//!
//! A disk lives in power sessions: it is mounted, written, trimmed, flushed, idle now and then, put away for weeks, and its session ends with an
//! unmount, or with a cut at any operation. Its blocks wear out: bits fade within what the code corrects, then programs and erases fail. After each session
//! every sector must read as the model says; when the disk has become read-only, everything must still be there.

use std::fmt;
use std::str::FromStr;

use cuesta::volume::{Error, LevelIndex, Outlook, Sector};
use cuesta_hal::NandErrorKind;

use crate::campaign::attempt::attempt;
use crate::campaign::crash::CaseError;
use crate::campaign::model::{fill, Model};
use crate::campaign::report::{Finding, Tally};
use crate::campaign::rig::{Rig, RigDisk};
use crate::campaign::subject::{named, Subject};
use crate::campaign::verdict;
use crate::{AgingModel, Arrhenius, CutPlan, SplitMix64};

/// Cycles that blocks are rated for.
const RATED: u32 = 60;
/// Bits of the smallest codeword that is in use: 512 bytes and the parity of four bits.
const CODEWORD_BITS: f64 = 4148.0;

/// Blocks fail between once and one and a half times their rated cycles. A block at its rated cycles has `wrong` bits in a codeword, half as many when it is
/// new, and twice as many after half a year in storage.
const fn aging(wrong: f64) -> AgingModel {
    AgingModel {
        fresh: wrong / 2.0 / CODEWORD_BITS,
        worn: wrong / CODEWORD_BITS,
        retention_per_day: wrong / CODEWORD_BITS / 180.0,
        disturb_per_read: wrong / CODEWORD_BITS / 100_000.0,
        spread: 1.2,
        noise: 0.1,
        life: (1.0, 1.5),
    }
}

/// Wrong bits in a codeword where four are corrected: of a million, twenty have three, none five.
const WRONG: f64 = 0.05;
/// Where the part itself corrects one bit: of a million, five have two after half a year without refresh.
const WRONG_CHIP_ECC: f64 = 0.0001;

/// Sessions after which a disk counts as immortal.
const SESSIONS_MAX: u32 = 100_000;
/// Days in storage at most, and how warm it is.
const DAYS_MAX: u64 = 60;
const CELSIUS: f64 = 40.0;

/// One life: `DISK:SEED`.
#[derive(Debug, Clone, Copy)]
pub struct Life {
    /// The disk.
    pub subject: &'static Subject,
    /// What happens to it follows from it.
    pub seed: u64,
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.subject.name, self.seed)
    }
}

impl FromStr for Life {
    type Err = CaseError;

    fn from_str(text: &str) -> Result<Self, CaseError> {
        let form = || CaseError::Form(text.to_owned());
        let (name, seed) = text.split_once(':').ok_or_else(form)?;
        Ok(Self {
            subject: named(name).ok_or_else(|| CaseError::Disk(name.to_owned()))?,
            seed: seed.parse().map_err(|_| form())?,
        })
    }
}

/// What happened in a life.
#[derive(Debug, Default)]
struct Diary {
    sessions: u32,
    cuts: u64,
    writes: u64,
    erases: u64,
    operations: u64,
}

/// How a session ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// With more to come.
    Done,
    /// The power went.
    Cut,
    /// The disk takes no more writes: what it said.
    Over(Error),
}

impl Life {
    /// Lives of these disks, in turn. Disks with a level that corrects nothing are left out: bits fade.
    #[must_use]
    pub fn all(subjects: &[&'static Subject], seed: u64, lifetimes: u64) -> Vec<Self> {
        let subjects: Vec<_> = subjects
            .iter()
            .filter(|subject| {
                !subject
                    .making
                    .levels
                    .iter()
                    .any(|level| level.contains("crc"))
            })
            .collect();
        if subjects.is_empty() {
            return Vec::new();
        }
        let count = subjects.len() as u64;
        (0..lifetimes)
            .map(|number| Self {
                subject: subjects[(number % count) as usize],
                seed: seed.wrapping_add(number / count),
            })
            .collect()
    }

    /// Lives it.
    #[must_use]
    pub fn run(&self) -> Tally {
        let mut tally = Tally::default();
        match attempt(|| self.live()) {
            Ok(diary) => {
                tally.count("lifetime to read-only", 1);
                tally.note("sessions", u64::from(diary.sessions));
                tally.note("power cuts", diary.cuts);
                tally.note("acknowledged changes", diary.writes);
                tally.note("erases", diary.erases);
                tally.operations += diary.operations;
            }
            Err(what) => {
                tally.count("lifetime to read-only", 1);
                tally.find(Finding {
                    replay: format!("cuesta soak --life {self}"),
                    shorter: None,
                    what,
                });
            }
        }
        tally
    }

    fn live(&self) -> Diary {
        let making = &self.subject.making;
        let wrong = if making.chip_ecc {
            WRONG_CHIP_ECC
        } else {
            WRONG
        };
        let mut rig = making.make_mortal(self.seed, RATED, aging(wrong));
        let mut model = Model::new();
        let mut random = SplitMix64::derive(self.seed, 0x50AC);
        let mut diary = Diary::default();
        let mut told = false;
        loop {
            diary.sessions += 1;
            assert!(diary.sessions < SESSIONS_MAX, "the disk does not wear out");
            let what = format!("session {}", diary.sessions);
            model.moment(what.clone());
            if random.chance(1, 2) {
                let at = random.below(u64::from(rig.parameters.capacity) * 2);
                rig.nand.plan_cut(CutPlan::during(at, random.next()));
            }
            let end = session(&mut rig, &mut model, &mut random, &mut diary);
            rig.nand.power_cycle();
            model.power_cycled();
            diary.cuts += u64::from(end == End::Cut);
            let mut disk = mount(&mut rig, &what);
            let before = model.clone();
            verdict::settles(&mut disk, &mut model, &what);
            if disk.volume().info().read_only {
                // What the last cut touched cannot be programmed anew any more: it stays undecided.
                model = before;
            }
            told |= disk.volume().life().outlook() > Outlook::Good;
            drop(disk);
            if let End::Over(error) = end {
                // With everything there, and told.
                let mut disk = mount(&mut rig, &what);
                let text = verdict::describe(disk.volume());
                assert!(told, "{what}: {error}\n{text}");
                verdict::settles(&mut disk, &mut model, "at the end of its life");
                drop(disk);
                let counters = rig.nand.counters();
                diary.erases = counters.erases;
                diary.operations = counters.operations();
                return diary;
            }
            if random.chance(1, 8) {
                let days = random.below(DAYS_MAX) as f64;
                rig.nand.store(days, CELSIUS, &Arrhenius::AT_30);
            }
        }
    }
}

fn mount<'r>(rig: &'r mut Rig, what: &str) -> RigDisk<'r> {
    rig.mount()
        .unwrap_or_else(|error| panic!("{what}: mount: {error}"))
}

/// A session, until a random number of changes is made, the power goes, or the disk takes no more.
fn session(rig: &mut Rig, model: &mut Model, random: &mut SplitMix64, diary: &mut Diary) -> End {
    let mut disk = match rig.mount() {
        Ok(disk) => disk,
        Err(cuesta::volume::MountError::Nand(NandErrorKind::PowerLost)) => return End::Cut,
        Err(error) => panic!("mount: {error}"),
    };
    // What it was put away for has faded.
    disk.volume_mut().time_passed();
    let capacity = disk.volume().capacity();
    let mut data = vec![0; disk.volume().sector_bytes()];
    let levels = u64::from(disk.volume().info().parameters.levels());
    let count = 1 + random.below(u64::from(capacity) * 2);
    for _ in 0..count {
        let hot = random.chance(3, 4);
        let of = if hot { capacity.div_ceil(4) } else { capacity };
        let sector = random.below(u64::from(of)) as u32;
        let done = match random.below(64) {
            0 => {
                let len = (1 + random.below(4) as u32).min(capacity - sector);
                (sector..sector + len).for_each(|at| model.started(at, 0));
                let done = disk.trim(Sector(sector), len);
                if done.as_ref().is_err_and(is_over) {
                    (sector..sector + len).for_each(|at| model.refused(at));
                }
                done
            }
            1 => disk.flush().map(|()| model.flushed()),
            2 => disk.idle(12, 400).map(|_| ()),
            _ => {
                let version = model.fresh();
                fill(sector, version, &mut data);
                model.started(sector, version);
                // Levels are taken in turn.
                let level = LevelIndex((version % levels) as u8);
                let done = disk.write_with(Sector(sector), &data, level.into());
                match &done {
                    Ok(()) => model.acknowledged(sector, version),
                    // What is refused is not there.
                    Err(error) if is_over(error) => model.refused(sector),
                    Err(_) => {}
                }
                done
            }
        };
        match done {
            Ok(()) => diary.writes += 1,
            Err(Error::Nand(NandErrorKind::PowerLost)) => return End::Cut,
            Err(error) if is_over(&error) => return End::Over(error),
            Err(error) => panic!("{error}\n{}", verdict::describe(disk.volume())),
        }
    }
    if random.chance(1, 2) {
        return End::Done;
    }
    match disk.unmount() {
        Ok(_) => {
            model.flushed();
            End::Done
        }
        Err((_, Error::Nand(NandErrorKind::PowerLost))) => End::Cut,
        Err((_, error)) if is_over(&error) => End::Over(error),
        Err((_, error)) => panic!("unmount: {error}"),
    }
}

const fn is_over(error: &Error) -> bool {
    matches!(error, Error::ReadOnly | Error::NoSpace)
}
