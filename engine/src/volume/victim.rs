//! Which segment is reclaimed next.

use cuesta_hal::Nand;

use super::address::{Location, Segment};
use super::credit::PROGRAM_US;
use super::flight::Flight;
use super::segment_table::State;
use super::{Session, Volume};

/// Erases by which a segment may lag before static wear leveling takes it.
const LAG_MAX: u8 = 40;
/// Of so many victims, one may be a leveling one.
const LEVELING_SHARE: u32 = 4;

impl<N: Nand> Volume<'_, N> {
    /// Chooses a victim; true with it when it is one of wear leveling.
    ///
    /// Failing segments first; then, now and then, a segment that lags in wear; else the largest (1 − u) / u · age.
    pub(super) fn choose_victim(&mut self) -> Option<(Segment, bool)> {
        for state in [State::Failing, State::Ailing] {
            let found = self
                .segments
                .iter()
                .find(|&segment| self.eligible(segment, state));
            if let Some(segment) = found {
                return Some((segment, false));
            }
        }
        if core::mem::take(&mut self.ailing) && !self.is_room_wanted() {
            // There was nothing else to be done.
            return None;
        }
        if self.stats.victims % LEVELING_SHARE == LEVELING_SHARE - 1 {
            if let Some(lagging) = self.lagging() {
                return Some((lagging, true));
            }
        }
        let short = self.headroom_is_short();
        let mut best = None;
        let mut best_score = 0u64;
        for segment in self.segments.iter() {
            if !self.eligible(segment, State::Closed) {
                continue;
            }
            let good = self.slots_of(segment);
            let valid = self.segments.valid(segment).min(good);
            if valid == good {
                continue;
            }
            if valid == 0 {
                return Some((segment, false));
            }
            let age = u64::from(self.age(segment)) + 1;
            let age = if short { 1 } else { age };
            let score = ((u64::from(good - valid) * age) << 16) / u64::from(valid);
            if score > best_score {
                best_score = score;
                best = Some(segment);
            }
        }
        best.map(|segment| (segment, false))
    }

    /// True when segments are to be freed, not for what is in them.
    fn is_room_wanted(&self) -> bool {
        self.headroom_is_low() || self.credit.starved || self.free < self.credit.idle_free
    }

    /// A page of a segment could not be read at once, though it could in the end: its segment is to be emptied soon.
    pub(super) fn ails(&mut self, location: Location) {
        let segment = self.shape.segment(location);
        if self.session != Session::Active {
            return;
        }
        for stream in 0..self.appends.len() {
            if self.appends[stream].is_some_and(|open| open.segment == segment) {
                self.close(stream as u8);
            }
        }
        if self.segments.state(segment) == State::Closed {
            self.segments.set_state(segment, State::Ailing);
        }
        if self.segments.state(segment) == State::Ailing {
            self.ailing = true;
            self.groom.exhausted = false;
            // Reads alone get it done, too.
            self.credit.debt_us = self.credit.debt_us.saturating_add(PROGRAM_US as i32);
        }
    }

    fn eligible(&self, segment: Segment, state: State) -> bool {
        self.segments.state(segment) == state
            && !self.writing_to(segment)
            && !self.relocating_from(segment)
            && !self.control.batch_in(&self.shape, segment)
    }

    /// True while a page of the segment is being programmed.
    pub(super) fn writing_to(&self, segment: Segment) -> bool {
        self.dies.iter().any(|die| match &die.flight {
            Flight::Data { segment: at, .. } => *at == segment,
            Flight::Member(member) => member.segment == segment,
            _ => false,
        })
    }

    /// The least worn closed segment of long-lived data, if it lags.
    fn lagging(&self) -> Option<Segment> {
        let most = self
            .segments
            .wearing()
            .map(|segment| self.segments.wear(segment))
            .max()?;
        let old = (u64::from(self.mapped) * 2) >> self.stamp_shift();
        self.segments
            .iter()
            .filter(|&segment| {
                self.eligible(segment, State::Closed)
                    && most.saturating_sub(self.segments.wear(segment)) >= LAG_MAX
                    && u64::from(self.age(segment)) > old
            })
            .min_by_key(|&segment| self.segments.wear(segment))
    }
}
