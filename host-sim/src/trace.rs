//! What was done to the array, in order.

use crate::access::Access;
use crate::emulator::{Emulator, Operation};

impl Access {
    pub(crate) const fn of(operation: &Operation) -> Self {
        match operation {
            Operation::Read { page, .. } => Self::Read(*page),
            Operation::Program { page, .. } => Self::Program(*page),
            Operation::Erase { block } => Self::Erase(*block),
        }
    }
}

impl<M> Emulator<M> {
    /// From now on, or anew, writes down every array operation that is started.
    pub fn record_accesses(&mut self) {
        self.accesses = Some(Vec::new());
    }

    /// What was written down, in order; nothing unless [`record_accesses`](Self::record_accesses) said so.
    #[must_use]
    pub fn accesses(&self) -> &[Access] {
        self.accesses.as_deref().unwrap_or_default()
    }
}
