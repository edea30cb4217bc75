//! What was done to the array, in order.

use crate::emulator::{Emulator, Operation};
use cuesta_hal::{BlockAddress, PageAddress};

/// An array operation that was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// A read of some columns of a page.
    Read(PageAddress),
    /// A program of a page.
    Program(PageAddress),
    /// An erase of a block.
    Erase(BlockAddress),
}

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
