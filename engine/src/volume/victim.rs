//! Which segment is reclaimed next.

use cuesta_hal::Nand;

use super::address::Segment;
use super::credit::HOST_RESERVE;
use super::segment_table::State;
use super::Volume;

/// Erases by which a segment may lag before static wear leveling takes it.
const LAG_MAX: u8 = 40;
/// Of so many victims, one may be a leveling one.
const LEVELING_SHARE: u32 = 4;

impl<N: Nand> Volume<'_, N> {
    /// Chooses a victim; true with it when it is one of wear leveling.
    ///
    /// Failing segments first; then, now and then, a segment that lags in wear; else the largest (1 − u) / u · age.
    pub(super) fn choose_victim(&mut self) -> Option<(Segment, bool)> {
        if let Some(failing) = self
            .segments
            .iter()
            .find(|&segment| self.eligible(segment, State::Failing))
        {
            return Some((failing, false));
        }
        if self.stats.victims % LEVELING_SHARE == LEVELING_SHARE - 1 {
            if let Some(lagging) = self.lagging() {
                return Some((lagging, true));
            }
        }
        let slots = self.shape.slots_per_segment();
        let mut best = None;
        let mut best_score = 0u64;
        for segment in self.segments.iter() {
            if !self.eligible(segment, State::Closed) {
                continue;
            }
            let good = if self.shape.width == 1 {
                slots
            } else {
                self.good_columns(segment) * self.shape.rows * self.shape.units
            };
            let valid = self.segments.valid(segment).min(good);
            if valid == good {
                continue;
            }
            if valid == 0 {
                return Some((segment, false));
            }
            let age = u64::from(self.age(segment)) + 1;
            // Where little is free the emptiest segment goes first, whatever its age: its room is needed now.
            let age = if self.free <= HOST_RESERVE { 1 } else { age };
            let score = ((u64::from(good - valid) * age) << 16) / u64::from(valid);
            if score > best_score {
                best_score = score;
                best = Some(segment);
            }
        }
        best.map(|segment| (segment, false))
    }

    fn eligible(&self, segment: Segment, state: State) -> bool {
        self.segments.state(segment) == state
            && !self.writing_to(segment)
            && !self.relocating_from(segment)
            && !self.control.batch_in(&self.shape, segment)
    }

    /// True while a page of the segment is being programmed.
    fn writing_to(&self, segment: Segment) -> bool {
        self.dies.iter().any(|die| {
            matches!(&die.flight, super::flight::Flight::Data { segment: at, .. } if *at == segment)
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
