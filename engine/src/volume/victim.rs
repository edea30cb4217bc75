//! Which segment is reclaimed next.

use cuesta_hal::Nand;

use super::address::{Location, Segment};
use super::credit::PROGRAM_US;
use super::flight::Flight;
use super::segment_table::State;
use super::{Session, Volume};

/// Erases by which a segment may lag before static wear leveling takes it.
const LAG_MAX: u8 = 30;
/// Of so many victims, one may be a leveling one.
const LEVELING_SHARE: u32 = 4;

/// Where the search for victims goes on.
#[derive(Debug, Default)]
pub(super) struct Victims {
    /// The first segment of the next window.
    next: u32,
    /// The second best of the last one.
    runner_up: Option<Segment>,
}

impl<N: Nand> Volume<'_, N> {
    /// Chooses a victim; true with it when it is one of wear leveling.
    ///
    /// Failing segments first; then, now and then, a segment that lags in wear; else the largest (1 − u) / u · age. On parts with more
    /// segments than a [window](super::SegmentTable::window) it is the best of one, and of those that were second best before: with ten to choose from greedy choice is all but reached (Van Houdt,
    /// *A mean field model for a class of garbage collection algorithms in flash-based solid state drives*, 2013).
    pub(super) fn choose_victim(&mut self) -> Option<(Segment, bool)> {
        if self.ailing {
            for state in [State::Failing, State::Ailing] {
                let found = self
                    .segments
                    .iter()
                    .find(|&segment| self.eligible(segment, state));
                if let Some(segment) = found {
                    return Some((segment, false));
                }
            }
            self.ailing = self.count(State::Failing) + self.count(State::Ailing) > 0;
            if !self.is_room_wanted() {
                // There was nothing else to be done.
                return None;
            }
        }
        if self.stats.victims % LEVELING_SHARE == LEVELING_SHARE - 1 {
            if let Some(lagging) = self.lagging(self.victims.next) {
                return Some((lagging, true));
            }
        }
        (0..self.segments.windows()).find_map(|_| {
            let first = self.victims.next;
            self.victims.next = self.segments.behind_window(first);
            self.best_of(first).map(|segment| (segment, false))
        })
    }

    /// The segment of a window that is most worth its while, or the one that was left over.
    fn best_of(&mut self, first: u32) -> Option<Segment> {
        let short = self.headroom_is_gone();
        let mut best: Option<(u64, Segment)> = None;
        let mut second = None;
        for segment in self.segments.window(first).chain(self.victims.runner_up) {
            let Some(score) = self.score(segment, short) else {
                continue;
            };
            if best.is_none_or(|(most, _)| score > most) {
                second = best.map(|(_, segment)| segment);
                best = Some((score, segment));
            }
        }
        self.victims.runner_up = second;
        best.map(|(_, segment)| segment)
    }

    /// What reclaiming a segment is worth: (1 − u) / u · age, without the age where room is short; none if nothing is to be gained.
    fn score(&self, segment: Segment, short: bool) -> Option<u64> {
        if !self.eligible(segment, State::Closed) {
            return None;
        }
        let good = self.slots_of(segment);
        let valid = self.segments.valid(segment).min(good);
        let age = if short {
            1
        } else {
            u64::from(self.age(segment)) + 1
        };
        match valid {
            0 => Some(u64::MAX),
            valid if valid == good => None,
            valid => Some(((u64::from(good - valid) * age) << 16) / u64::from(valid)),
        }
    }

    /// True when segments are to be freed, not for what is in them.
    fn is_room_wanted(&self) -> bool {
        self.headroom_is_low() || self.credit.starved || self.free < self.credit.idle_free
    }

    /// A page of a segment could not be read at once, though it could in the end: its segment is to be emptied soon.
    pub(super) fn ails(&mut self, location: Location) {
        let segment = self.shape.segment(location);
        if !matches!(self.session, Session::Active) {
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

    /// The least worn closed segment of long-lived data of a window, if it lags.
    fn lagging(&self, first: u32) -> Option<Segment> {
        let most = self
            .segments
            .window(first)
            .filter(|&segment| self.segments.wears(segment))
            .map(|segment| self.segments.wear(segment))
            .max()?;
        let old = (u64::from(self.mapped) * 2) >> self.stamp_shift();
        self.segments
            .window(first)
            .filter(|&segment| {
                self.eligible(segment, State::Closed)
                    && most.saturating_sub(self.segments.wear(segment)) >= LAG_MAX
                    && u64::from(self.age(segment)) > old
            })
            .min_by_key(|&segment| self.segments.wear(segment))
    }
}
