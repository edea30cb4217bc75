//! A disk with a past, and what is done to it while its power is cut.

use super::Job;
use crate::campaign::aftermath::{holds, survives};
use crate::campaign::aged::Making;
use crate::campaign::change::{filling, mixture, Change};
use crate::campaign::driver::Driver;
use crate::campaign::model::Model;
use crate::campaign::rig::Rig;
use crate::campaign::session::{session, witnessed};
use crate::campaign::witness::Branch;
use crate::{CutPlan, SplitMix64};

/// One case in so many is looked at for longer.
const LONG_EVERY: u64 = 16;

/// A disk that is not mounted, what it holds, and a workload.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    pub(super) making: Making,
    pub(super) rig: Rig,
    pub(super) model: Model,
    pub(super) changes: Vec<Change>,
    pub(super) random: SplitMix64,
    seed: u64,
}

impl Stage {
    /// An empty disk without a workload.
    pub(super) fn fresh(job: Job) -> Self {
        let making = job.subject.making;
        Self {
            making,
            rig: making.make(job.seed),
            model: Model::new(),
            changes: Vec::new(),
            random: SplitMix64::new(job.seed),
            seed: job.seed,
        }
    }

    /// A disk in the middle of its life, with a workload of so many changes. Even seeds end with an unmount, odd ones with the power gone.
    pub(super) fn aged(job: Job, count: u32) -> Self {
        let mut stage = Self::fresh(job);
        let capacity = stage.capacity();
        let mut changes = filling(capacity);
        changes.extend(mixture(&mut stage.random, capacity, capacity * 2));
        changes.push(Change::Flush);
        stage.model.moment("ageing".to_owned());
        if job.seed.is_multiple_of(2) {
            session(
                &mut stage.rig,
                &mut stage.model,
                stage.making.depth,
                &changes,
            )
            .expect("power");
        } else {
            let mut disk = stage.rig.mount().expect("a formatted part");
            Driver::new(disk.volume_mut(), &mut stage.model, stage.making.depth)
                .run(&changes)
                .expect("power");
        }
        stage.rig.nand.power_cycle();
        stage.model.power_cycled();
        stage.model.moment("workload".to_owned());
        stage.changes = mixture(&mut stage.random, capacity, count);
        stage.changes.push(Change::Groom);
        stage
    }

    /// The same with some of the changes only.
    pub(super) fn keeping(mut self, keep: Option<&[usize]>) -> Self {
        if let Some(keep) = keep {
            let changes = std::mem::take(&mut self.changes);
            let kept = changes.into_iter().enumerate();
            self.changes = kept
                .filter(|(index, _)| keep.contains(index))
                .map(|(_, change)| change)
                .collect();
        }
        self
    }

    pub(super) const fn capacity(&self) -> u32 {
        self.rig.parameters.capacity
    }

    /// All moments of the workload.
    pub(super) fn branches(&self) -> Vec<Branch> {
        let (mut rig, mut model) = (self.rig.clone(), self.model.clone());
        let depth = self.making.depth;
        let (branches, ended) = witnessed(&mut rig, &mut model, depth, &self.changes, self.seed);
        ended.expect("power");
        branches
    }

    /// What is random about a case.
    pub(super) fn random_of(&self, path: &[usize]) -> SplitMix64 {
        let mixed = path.iter().fold(self.seed, |seed, &step| {
            SplitMix64::derive(seed, step as u64).next()
        });
        SplitMix64::new(mixed)
    }

    /// Cuts the power at a moment, lets the disk come back, and judges. Operations that this took.
    pub(super) fn cut(&self, branch: &Branch, plan: CutPlan, mut random: SplitMix64) -> u64 {
        let mut rig = self.rig.with(branch.moment.cut(plan));
        let began = rig.nand.operations();
        let mut model = (*branch.model).clone();
        if random.chance(1, LONG_EVERY) {
            holds(&mut rig, &mut model, &self.making, &mut random);
        } else {
            survives(&mut rig, &mut model, self.making.depth, &mut random);
        }
        rig.nand.operations() - began
    }
}
