//! The budgets of memory that are compared where none is asked for.

use cuesta::hal::Geometry;
use cuesta::volume::{Budget, Parameters};
use cuesta_sim::footprint::{Footprint, FootprintError};

use crate::failure::Failure;

/// Between the least and everything, in KiB.
const BETWEEN_KIB: [usize; 6] = [12, 16, 24, 32, 64, 128];

/// What each budget of `asked` comes to; where none is asked for, the least, everything, and what makes a difference between them.
pub fn footprints(
    asked: &[Budget],
    geometry: &Geometry,
    parameters: &Parameters,
) -> Result<Vec<(Budget, Footprint)>, Failure> {
    let plan = |budget| Footprint::new(geometry, parameters, budget, 1);
    if !asked.is_empty() {
        return asked
            .iter()
            .map(|&budget| Ok((budget, plan(budget)?)))
            .collect();
    }
    let full = plan(Budget::Full)?;
    let mut footprints = vec![(Budget::Minimum, plan(Budget::Minimum)?)];
    for kib in BETWEEN_KIB {
        let budget = Budget::Bytes(kib * 1024);
        match plan(budget) {
            Ok(footprint) if footprint.bytes() < full.bytes() => {
                footprints.push((budget, footprint));
            }
            Ok(_) | Err(FootprintError::Budget(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    footprints.push((Budget::Full, full));
    Ok(footprints)
}
