//! Every moment of a run in which the power could have gone, and what the disk was known to hold then.

use std::sync::Arc;

use crate::campaign::model::Model;
use crate::moments::{Moment, Moments};
use crate::{EmulatedNand, RamMedia};

/// A point at which a run can go on with a cut instead.
#[derive(Debug, Clone)]
pub struct Branch {
    /// The part.
    pub moment: Moment<RamMedia>,
    /// What it must hold, and what it may.
    pub model: Arc<Model>,
}

/// Looks at a part while it is used.
#[derive(Debug)]
pub struct Witness {
    moments: Moments<RamMedia>,
    branches: Vec<Branch>,
}

impl Witness {
    /// From now on, of this part.
    #[must_use]
    pub fn new(nand: &mut EmulatedNand, seed: u64) -> Self {
        Self {
            moments: nand.watch_moments(seed),
            branches: Vec::new(),
        }
    }

    /// Moments may have come, in which `model` was all that was known.
    pub fn look(&mut self, model: &Model) {
        let moments = self.moments.take();
        if moments.is_empty() {
            return;
        }
        let model = Arc::new(model.clone());
        self.branches
            .extend(moments.into_iter().map(|moment| Branch {
                moment,
                model: Arc::clone(&model),
            }));
    }

    /// All of them, in order.
    #[must_use]
    pub fn into_branches(self) -> Vec<Branch> {
        self.branches
    }
}
