//! Media that somebody or something has tampered with: mounted, read, written, groomed.
//!
//! An execution takes a disk in the middle of its life, changes what is on it by a few random [edits](Edit), and uses it. Whatever the
//! media hold, nothing may panic, and no call may go on for ever: the part stops the case after [`FUEL_PER_PAGE`](crate::campaign::rig::FUEL_PER_PAGE) operations a page. Where no
//! edit forged a check, every sector reads as something that was once written to it or as an error, and what is written afterwards stays.

mod edit;
mod forge;

pub use edit::Edit;

use std::fmt;
use std::str::FromStr;

use cuesta::volume::{Sector, State};
use cuesta_hal::PageAddress;

use crate::campaign::aftermath::goes_on;
use crate::campaign::attempt::attempt;
use crate::campaign::change::{filling, mixture, Change};
use crate::campaign::crash::CaseError;
use crate::campaign::damage::programmed_pages;
use crate::campaign::driver::Driver;
use crate::campaign::model::Model;
use crate::campaign::oracle::Legal;
use crate::campaign::report::{Finding, Tally};
use crate::campaign::rig::Rig;
use crate::campaign::session::session;
use crate::campaign::subject::{named, Subject};
use crate::{EmulatedNand, SplitMix64};

/// Edits of an execution at most.
const EDITS_MAX: u64 = 8;
/// Writes to a disk that may refuse anything.
const WRITES: u32 = 24;

/// Executions on one disk.
#[derive(Debug, Clone, Copy)]
pub struct Job {
    /// The disk.
    pub subject: &'static Subject,
    /// What its past and the edits follow from.
    pub seed: u64,
    /// How many executions.
    pub count: u64,
}

/// An execution: `DISK:SEED:NUMBER`.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// The disk.
    pub subject: &'static Subject,
    /// What its past and the edits follow from.
    pub seed: u64,
    /// Number of the execution.
    pub number: u64,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.subject.name, self.seed, self.number)
    }
}

impl FromStr for Case {
    type Err = CaseError;

    fn from_str(text: &str) -> Result<Self, CaseError> {
        let form = || CaseError::Form(text.to_owned());
        let parts: Vec<&str> = text.split(':').collect();
        let [name, seed, number] = parts[..] else {
            return Err(form());
        };
        Ok(Self {
            subject: named(name).ok_or_else(|| CaseError::Disk(name.to_owned()))?,
            seed: seed.parse().map_err(|_| form())?,
            number: number.parse().map_err(|_| form())?,
        })
    }
}

/// A disk with a past, and the part as it was some time before.
#[derive(Debug)]
pub struct Past {
    rig: Rig,
    model: Model,
    before: EmulatedNand,
    /// That were programmed.
    pages: Vec<PageAddress>,
}

impl Past {
    /// Even seeds end with an unmount, odd ones with the power gone.
    ///
    /// # Panics
    /// When the disk fails.
    #[must_use]
    pub fn new(subject: &Subject, seed: u64) -> Self {
        let making = &subject.making;
        let mut rig = making.make(seed);
        let mut model = Model::new();
        let mut random = SplitMix64::new(seed);
        let capacity = rig.parameters.capacity;
        let mut changes = filling(capacity);
        changes.extend(mixture(&mut random, capacity, capacity));
        changes.push(Change::Flush);
        session(&mut rig, &mut model, making.depth, &changes).expect("power");
        let before = rig.nand.clone();
        let changes = mixture(&mut random, capacity, capacity);
        if seed.is_multiple_of(2) {
            session(&mut rig, &mut model, making.depth, &changes).expect("power");
        } else {
            let mut disk = rig.mount().expect("a formatted part");
            let mut driver = Driver::new(disk.volume_mut(), &mut model, making.depth);
            driver.run(&changes).expect("power");
            driver.run(&[Change::Flush]).expect("power");
        }
        rig.nand.power_cycle();
        model.power_cycled();
        rig.nand.set_strict(false);
        let pages = programmed_pages(&rig.nand);
        Self {
            rig,
            model,
            before,
            pages,
        }
    }
}

impl Case {
    /// Its edits.
    #[must_use]
    pub fn edits(&self, past: &Past) -> Vec<Edit> {
        let mut random = SplitMix64::derive(self.seed, self.number);
        let count = 1 + random.below(EDITS_MAX);
        // In half of the executions checks are forged.
        let forged = random.chance(1, 2) && self.subject.making.levels.is_empty();
        (0..count)
            .map(|_| Edit::draw(&past.rig.nand, &past.pages, forged, &mut random))
            .collect()
    }

    /// Carries it out with these edits. Operations that this took.
    ///
    /// # Panics
    /// When something does not hold.
    #[must_use]
    pub fn execute(&self, past: &Past, edits: &[Edit]) -> u64 {
        let mut rig = past.rig.with(past.rig.nand.clone());
        for edit in edits {
            edit.make(&mut rig, &past.before);
        }
        let began = rig.nand.operations();
        if edits.iter().any(Edit::is_forged) {
            use_somehow(&mut rig, self.number);
        } else {
            let mut model = past.model.clone();
            let _ = goes_on(&mut rig, &mut model, Legal::OwnOrRefused, "after the edits");
        }
        rig.nand.operations() - began
    }

    /// Of the edits those that are enough for it to fail.
    fn shorten(&self, past: &Past, mut edits: Vec<Edit>) -> Vec<Edit> {
        let mut index = 0;
        while index < edits.len() {
            let mut fewer = edits.clone();
            fewer.remove(index);
            if attempt(|| self.execute(past, &fewer)).is_err() {
                edits = fewer;
            } else {
                index += 1;
            }
        }
        edits
    }

    fn run(&self, past: &Past, tally: &mut Tally) {
        let edits = self.edits(past);
        let kind = if edits.iter().any(Edit::is_forged) {
            "edited, checks forged"
        } else {
            "edited"
        };
        tally.count(kind, 1);
        match attempt(|| self.execute(past, &edits)) {
            Ok(operations) => tally.operations += operations,
            Err(_) => {
                let edits = self.shorten(past, edits);
                let what = attempt(|| self.execute(past, &edits))
                    .err()
                    .unwrap_or_default();
                tally.find(Finding {
                    replay: format!("cuesta fuzz --case {self}"),
                    shorter: None,
                    what: format!("{what}\nedits that are enough: {edits:#?}"),
                });
            }
        }
    }

    /// Runs it alone.
    #[must_use]
    pub fn alone(&self) -> Tally {
        let mut tally = Tally::default();
        self.run(&Past::new(self.subject, self.seed), &mut tally);
        tally
    }
}

/// Uses a disk that may refuse anything.
fn use_somehow(rig: &mut Rig, seed: u64) {
    let mut random = SplitMix64::new(seed);
    for _ in 0..2 {
        let Ok(mut disk) = rig.mount() else { return };
        let mut data = vec![0; disk.volume().sector_bytes()];
        let capacity = disk.volume().capacity().min(1 << 16);
        for sector in 0..capacity {
            let _ = disk.read(Sector(sector), &mut data);
        }
        for _ in 0..WRITES {
            let sector = random.below(u64::from(capacity.max(1))) as u32;
            let _ = disk.write(Sector(sector), &data);
        }
        let _ = disk.trim(Sector(0), 3);
        let _ = disk.flush();
        let _ = disk.idle(8, 500);
        let _ = disk.volume_mut().verify(&mut |_| {}, &mut |_, _| {});
        let segments = disk.volume().info().segments;
        let states = (0..segments).filter_map(|index| disk.volume().segment_info(index));
        // All of them can be asked for.
        let _ = states
            .filter(|segment| segment.state == State::Reserved)
            .count();
        if disk.unmount().is_err() {
            rig.nand.power_cycle();
        }
    }
}

impl Job {
    /// Executions that share a disk.
    const CHUNK: u64 = 1000;

    /// So many executions, spread over the disks.
    #[must_use]
    pub fn all(subjects: &[&'static Subject], seed: u64, executions: u64) -> Vec<Self> {
        let jobs = executions.div_ceil(Self::CHUNK);
        (0..jobs)
            .map(|number| Self {
                subject: subjects[(number % subjects.len() as u64) as usize],
                seed: seed.wrapping_add(number / subjects.len() as u64),
                count: Self::CHUNK.min(executions - number * Self::CHUNK),
            })
            .collect()
    }

    /// Does it.
    #[must_use]
    pub fn run(&self) -> Tally {
        let mut tally = Tally::default();
        let (subject, seed) = (self.subject, self.seed);
        match attempt(|| Past::new(subject, seed)) {
            Ok(past) => (0..self.count).for_each(|number| {
                Case {
                    subject,
                    seed,
                    number,
                }
                .run(&past, &mut tally);
            }),
            Err(what) => tally.find(Finding {
                replay: format!("cuesta fuzz --case {}:{seed}:0", subject.name),
                shorter: None,
                what,
            }),
        }
        tally
    }
}
