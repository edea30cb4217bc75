//! What a volume costs in RAM: all the memory lent to it, the page buffers and the volume itself.

use cuesta::volume::{Budget, BudgetError, ParameterError, Parameters, Plan, Volume};
use cuesta_hal::Geometry;

use crate::emulator::EmulatedNand;

/// A plan of memory with its sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// What is lent.
    pub plan: Plan,
    /// Page buffers of the part.
    pub buffer_bytes: usize,
    /// The volume's own fields.
    pub volume_bytes: usize,
}

/// Why there is no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FootprintError {
    /// The parameters do not fit the part.
    Parameters(ParameterError),
    /// The budget is too small.
    Budget(BudgetError),
}

impl std::fmt::Display for FootprintError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Parameters(error) => error.fmt(f),
            Self::Budget(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FootprintError {}

impl From<ParameterError> for FootprintError {
    fn from(error: ParameterError) -> Self {
        Self::Parameters(error)
    }
}

impl From<BudgetError> for FootprintError {
    fn from(error: BudgetError) -> Self {
        Self::Budget(error)
    }
}

impl Footprint {
    /// Plans a volume that can accept `read_slots` reads at once, for a part behind a reference.
    ///
    /// # Errors
    /// The parameters do not fit, or the budget is too small; the latter says how much is needed.
    pub fn new(
        geometry: &Geometry,
        parameters: &Parameters,
        budget: Budget,
        read_slots: usize,
    ) -> Result<Self, FootprintError> {
        let volume_bytes = size_of::<Volume<'_, &mut EmulatedNand>>();
        let plan = Plan::new(geometry, parameters, budget, read_slots, volume_bytes)??;
        let buffers = usize::from(geometry.dies) * usize::from(geometry.buffers_per_die);
        Ok(Self {
            plan,
            buffer_bytes: buffers * geometry.raw_page_bytes() as usize,
            volume_bytes,
        })
    }

    /// All of it.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.plan.bytes() + self.buffer_bytes + self.volume_bytes
    }
}

/// The name of a budget: `full`, `minimum`, `16K`, or bytes.
#[must_use]
pub fn budget_name(budget: Budget) -> String {
    match budget {
        Budget::Full => "full".to_owned(),
        Budget::Minimum => "minimum".to_owned(),
        Budget::Bytes(bytes) if bytes % 1024 == 0 => format!("{}K", bytes / 1024),
        Budget::Bytes(bytes) => bytes.to_string(),
    }
}
