//! Patrol: in idle time, pages of which there are copies or parity are read, so that what is gone is replaced before the rest is needed.
//!
//! Hosts read the first copy of a page only, and no parity. One pass looks at every page of every segment whose level has any; what cannot be read, or
//! only just, makes its segment ail.

use cuesta_hal::{Die, Nand};

use super::address::Segment;
use super::job::{Job, Step};
use super::segment_table::State;
use super::Volume;
use crate::codec::{HeaderState, Kind};

/// A page ails when a codeword needs so many quarters of what its code repairs.
const QUARTERS: u32 = 3;

/// Progress of the patrol.
#[derive(Debug, Default)]
pub(super) struct Patrol {
    /// The next page, while there is a pass.
    at: Option<(Segment, u32)>,
    /// Host writes when the last pass began.
    begun: Option<u32>,
}

impl Patrol {
    /// True during a pass.
    pub(super) const fn under_way(&self) -> bool {
        self.at.is_some()
    }
}

impl<N: Nand> Volume<'_, N> {
    /// There is time: a pass begins, the first one after a mount and then one for each time that as many sectors were written as there are.
    pub(super) fn patrol_begin(&mut self) {
        let due = match self.patrol.begun {
            None => true,
            Some(begun) => self.host_writes.wrapping_sub(begun) >= self.mapped.max(1),
        };
        if due && self.parameters.copies > 1 && !self.patrol.under_way() {
            self.patrol = Patrol {
                at: Some((Segment(0), 0)),
                begun: Some(self.host_writes),
            };
        }
    }

    /// True when the patrol may go on.
    pub(super) fn patrol_due(&self) -> bool {
        self.patrol.under_way() && self.credit.idle_free > 0
    }

    /// Reads the next page.
    pub(super) fn patrol_step(&mut self) -> Step {
        let Some((segment, offset)) = self.patrol.at else {
            return Step::Wait;
        };
        if segment.0 >= self.shape.segments {
            self.patrol.at = None;
            return Step::Wait;
        }
        let state = self.segments.state(segment);
        let held = matches!(state, State::Closed | State::Open);
        let watched = held && (self.copies_in(segment) > 1 || self.parity_in(segment) > 0);
        let Some(offset) = self.usable_from(segment, offset).filter(|_| watched) else {
            self.patrol.at = Some((Segment(segment.0 + 1), 0));
            return Step::Again;
        };
        let page = self.shape.page(segment, offset);
        if !self.die_free(page.die()) {
            return Step::Wait;
        }
        let columns = self.shape.layout.page_columns();
        if self.start_job_read(page, columns).is_ok() {
            self.job = Job::Patrol { segment, offset };
        }
        Step::Wait
    }

    /// The page is in the buffer of `die`.
    pub(super) fn patrol_read(&mut self, die: Die, segment: Segment, offset: u32) {
        self.patrol.at = Some((segment, offset + 1));
        let good = match self.owner(segment, offset) {
            Ok((first, header)) if matches!(header.kind, Kind::Data | Kind::Parity) => {
                let layout = self.layout_of(header.level);
                (0..layout.sectors()).all(|unit| {
                    let location = self.shape.location(segment, first, unit);
                    match self.decode_data(die, location) {
                        Ok((_, corrected)) => {
                            corrected == 0 || corrected * 4 < layout.strength() * QUARTERS
                        }
                        Err(crate::codec::PageError::Erased) => true,
                        Err(crate::codec::PageError::Uncorrectable) => false,
                    }
                })
            }
            Ok(_) | Err(HeaderState::Erased | HeaderState::Valid(_)) => true,
            Err(HeaderState::Bad) => false,
        };
        if !good {
            self.ails(self.shape.location(segment, offset, 0));
        }
    }
}
