//! Cuts at every program and erase, in every phase and with every kind of tear, each recovered from and judged.
//!
//! A workload is run once. Every moment of it in which a cut would leave something else is kept as a copy of the part that shares what
//! has not changed, with what was known to be durable then. Each copy is cut in every way that differs, comes back without anything but its media, and
//! is judged.

use crate::campaign::aftermath::{holds, survives};
use crate::campaign::attempt::attempt;
use crate::campaign::change::{filling, mixture, Change};
use crate::campaign::driver::Driver;
use crate::campaign::model::Model;
use crate::campaign::report::{Finding, Tally};
use crate::campaign::rig::Rig;
use crate::campaign::session::{session, witnessed};
use crate::campaign::subject::Subject;
use crate::campaign::tear::Tear;
use crate::campaign::witness::Branch;
use crate::SplitMix64;

/// Changes of a workload.
const CHANGES: u32 = 120;
/// One case in so many is looked at for longer.
const LONG_EVERY: u64 = 16;

/// A disk with a past, and what is done to it while its power is cut.
#[derive(Debug, Clone)]
pub struct Stage {
    subject: &'static Subject,
    seed: u64,
    /// Not mounted.
    rig: Rig,
    model: Model,
    changes: Vec<Change>,
}

/// One cut of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// The moment, counted from the beginning of the session.
    pub moment: usize,
    /// The tear, of those that differ at this moment.
    pub tear: usize,
}

impl Stage {
    /// A disk in the middle of its life. Even seeds end with an unmount, odd ones with the power gone.
    ///
    /// # Panics
    /// When the disk fails.
    #[must_use]
    pub fn new(subject: &'static Subject, seed: u64) -> Self {
        let making = &subject.making;
        let mut rig = making.make(seed);
        let mut model = Model::new();
        model.moment("ageing".to_owned());
        let mut random = SplitMix64::new(seed);
        let capacity = rig.parameters.capacity;
        let mut changes = filling(capacity);
        changes.extend(mixture(&mut random, capacity, capacity * 2));
        changes.push(Change::Flush);
        if seed.is_multiple_of(2) {
            session(&mut rig, &mut model, making.depth, &changes).expect("power");
        } else {
            let mut disk = rig.mount().expect("a formatted part");
            Driver::new(disk.volume_mut(), &mut model, making.depth)
                .run(&changes)
                .expect("power");
        }
        rig.nand.power_cycle();
        model.power_cycled();
        model.moment("workload".to_owned());
        let mut changes = mixture(&mut random, capacity, CHANGES);
        changes.push(Change::Groom);
        Self {
            subject,
            seed,
            rig,
            model,
            changes,
        }
    }

    /// All moments of the workload.
    fn branches(&self) -> Vec<Branch> {
        let (mut rig, mut model) = (self.rig.clone(), self.model.clone());
        let depth = self.subject.making.depth;
        let (branches, ended) = witnessed(&mut rig, &mut model, depth, &self.changes, self.seed);
        ended.expect("power");
        branches
    }

    fn random(&self, case: Case) -> SplitMix64 {
        SplitMix64::derive(self.seed, (case.moment as u64) << 8 | case.tear as u64)
    }

    /// Cuts the power at a moment, and judges.
    fn judge(&self, rig: &mut Rig, branch: &Branch, tear: Tear, case: Case) {
        let making = &self.subject.making;
        let mut random = self.random(case);
        rig.nand = branch.moment.cut(tear.at(0, random.next()));
        let mut model = (*branch.model).clone();
        if random.chance(1, LONG_EVERY) {
            holds(rig, &mut model, making, &mut random);
        } else {
            survives(rig, &mut model, making.depth, &mut random);
        }
    }

    /// Cuts the power everywhere, in every way, or in one case only.
    pub fn cut_everywhere(&self, only: Option<Case>) -> Tally {
        let mut tally = Tally::default();
        let branches = match attempt(|| self.branches()) {
            Ok(branches) => branches,
            Err(what) => {
                tally.find(self.finding(None, what));
                return tally;
            }
        };
        let mut rig = self.rig.clone();
        for (moment, branch) in branches.iter().enumerate() {
            let class = branch.moment.class;
            for (tear, way) in Tear::of(branch.moment.phase, class).into_iter().enumerate() {
                let case = Case { moment, tear };
                if only.is_some_and(|only| only != case) {
                    continue;
                }
                let before = branch.moment.operation;
                let judged = attempt(|| self.judge(&mut rig, branch, way, case));
                tally.count(&way.kind(class), 1);
                tally.operations += rig.nand.operations() - before.min(rig.nand.operations());
                if let Err(what) = judged {
                    tally.find(self.finding(Some(case), what));
                }
            }
        }
        tally
    }

    fn finding(&self, case: Option<Case>, what: String) -> Finding {
        let (name, seed) = (self.subject.name, self.seed);
        let case = case.map_or_else(String::new, |case| {
            format!(":{}:{}", case.moment, case.tear)
        });
        Finding {
            replay: format!("cuesta crash --case {name}:{seed}{case}"),
            what,
        }
    }
}
