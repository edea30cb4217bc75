//! `poll`: settles what has ended, starts what can be started, hands out one event.

use cuesta_hal::{Buffer, Die, Nand};

use super::error::Error;
use super::event::Event;
use super::event::Outcome;
use super::{Session, Volume};

impl<N: Nand> Volume<'_, N> {
    /// Settles operations that have ended, starts others, and hands out at most one event.
    ///
    /// Does a bounded amount of work: it starts at most one operation a die, and one piece of the volume's own work.
    pub fn poll(&mut self) -> Event<'_> {
        let outcome = self.turn();
        match outcome {
            Some(Outcome::Data(ticket, die, unit)) => {
                let page = self.nand.buffer(die, Buffer::First);
                Event::Data(ticket, self.shape.layout.payload(page, unit))
            }
            Some(Outcome::Written(ticket)) => Event::Written(ticket),
            Some(Outcome::Unwritten(ticket)) => Event::Unwritten(ticket),
            Some(Outcome::Trimmed(ticket)) => Event::Trimmed(ticket),
            Some(Outcome::Flushed(ticket)) => Event::Flushed(ticket),
            Some(Outcome::Committed(ticket)) => Event::Committed(ticket),
            Some(Outcome::Failed(ticket, error)) => Event::Failed(ticket, error),
            None if self.busy() => Event::Pending,
            None => Event::Idle,
        }
    }

    fn turn(&mut self) -> Option<Outcome> {
        for die in 0..self.dies.len() {
            let (_, outcome) = self.settle(Die(die as u16));
            if outcome.is_some() {
                return outcome;
            }
        }
        if let Session::Failed(error) = self.session {
            return self
                .fail_reads(error)
                .or_else(|| self.fail_writes(error))
                .or_else(|| self.fail_control(error));
        }
        if matches!(self.session, Session::ReadOnly) {
            if let Some(outcome) = self.fail_redriven() {
                return Some(outcome);
            }
        }
        if matches!(self.session, Session::Mounted { .. }) && self.session_for_refresh() {
            return None;
        }
        self.patience.turn();
        if self.patience.work_first() {
            self.work_or_look();
        }
        if let Err(error) = self.rebuild_step() {
            self.fail(error);
        }
        if let Some(outcome) = self.start_reads() {
            return Some(outcome);
        }
        if let Some(outcome) = self.run_control() {
            return Some(outcome);
        }
        self.work_or_look();
        None
    }

    /// The volume's own work; before the first change it does nothing but look at pages.
    fn work_or_look(&mut self) {
        match self.session {
            Session::Active => {
                if let Err(error) = self.work() {
                    self.fail(error);
                }
            }
            Session::Mounted { .. } => self.patrol_before_changes(),
            Session::ReadOnly | Session::Failed(_) => {}
        }
    }

    fn work(&mut self) -> Result<(), Error> {
        self.redrive()?;
        self.run_job()?;
        let idle = !self.is_in_flight();
        self.age_stages(idle)
    }

    /// True while a die has something to do, or holds something that has not been dealt with.
    pub(super) fn is_in_flight(&self) -> bool {
        self.dies.iter().any(|die| die.flight.is_some())
    }

    /// True while something is in flight or asked for.
    fn busy(&self) -> bool {
        if matches!(self.session, Session::Failed(_)) {
            return self.reads_waiting() || !self.control.is_idle();
        }
        self.is_in_flight()
            || self.reads_waiting()
            || self.stages.iter().any(|stage| !stage.units.is_empty())
            || (matches!(self.session, Session::Active) && !self.control.is_idle())
    }

    /// Tells that there is time: from now until the next write, polling brings the free segments up to `free`, and looks at all pages, to write anew what
    /// fades and what has lost a copy. It looks once after a mount, then each time that as many sectors were written as there are, and after
    /// [`time_passed`](Self::time_passed).
    ///
    /// True while there is something to do.
    ///
    /// # Errors
    /// The NAND failed.
    pub fn idle(&mut self, free: u32) -> Result<bool, Error> {
        self.check_alive()?;
        let groom = match self.session {
            Session::Active => (self.free < free || self.ailing) && !self.groom.exhausted,
            Session::Mounted { .. } => false,
            Session::ReadOnly | Session::Failed(_) => return Ok(false),
        };
        self.patrol_begin();
        if !groom && !self.patrol.under_way() && !self.refresh_goes_on() {
            return Ok(false);
        }
        // What ails is seen to in any case.
        self.credit.idle_free = free.max(1);
        Ok(true)
    }
}
