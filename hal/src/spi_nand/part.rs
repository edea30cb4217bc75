//! The part that answers.

use super::chip::{IdAnswer, SpiNandChip};

/// How a part was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartSource {
    /// By its identity, in [`CHIPS`](super::CHIPS).
    Table,
    /// By its parameter page, which names it.
    ParameterPage {
        /// Maker, padded with blanks.
        manufacturer: [u8; 12],
        /// Name, padded with blanks.
        model: [u8; 20],
    },
}

/// The part that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// What the driver goes by.
    pub chip: SpiNandChip,
    /// Its identity.
    pub id: IdAnswer,
    /// How it was recognised.
    pub source: PartSource,
}

impl Part {
    /// True when the identity is this part's. Of most parts the first byte means nothing, so it is not looked at.
    #[must_use]
    pub fn answers_as(&self, id: &IdAnswer) -> bool {
        self.id.get(1..) == id.get(1..)
    }
}
