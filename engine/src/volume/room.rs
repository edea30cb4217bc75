//! Room: what sectors of each level take up, and how much of it there is.

use cuesta_hal::Nand;

use super::address::{Location, Segment};
use super::level::Redundancy;
use super::parameters::{cost_of, SLOT_COST};
use super::Volume;
use crate::codec::PageLayout;

impl<N: Nand> Volume<'_, N> {
    /// The layout of pages of a level; of metadata if there is no such level.
    pub(super) fn layout_of(&self, level: u8) -> PageLayout {
        let layout = self.shape.layout;
        let own = self.levels.ecc(level).map(|ecc| layout.with(ecc));
        own.and_then(Result::ok).unwrap_or(layout)
    }

    /// What there is of a page of a level beside the page itself.
    pub(super) fn redundancy_of(&self, level: u8) -> Redundancy {
        match self.parameters.copies() {
            1 => Redundancy::Single,
            _ => self.levels.redundancy(level),
        }
    }

    /// What the mapped sectors may take up.
    pub(super) fn room(&self) -> u64 {
        u64::from(self.quota.capacity_max) * u64::from(SLOT_COST)
    }

    /// What a sector of a level takes up.
    pub(super) fn cost(&self, level: u8) -> u64 {
        cost_of(&self.layout_of(level), self.redundancy_of(level)).into()
    }

    /// What the sector at a location takes up. One that is lost counts as one of one copy, whether its mapping was lost or its data.
    pub(super) fn cost_at(&self, location: Location) -> u64 {
        match location {
            Location::UNMAPPED => 0,
            Location::LOST => SLOT_COST.into(),
            location => self.cost(self.segments.level(self.shape.segment(location))),
        }
    }

    /// Sectors that a segment has room for, at the level that it has.
    pub(super) fn slots_of(&self, segment: Segment) -> u32 {
        let columns = match self.shape.width() {
            1 => 1,
            _ => self.good_columns(segment),
        };
        let level = self.segments.level(segment);
        let pages = columns * self.shape.rows;
        let data = match self.redundancy_of(level) {
            Redundancy::Single => pages,
            Redundancy::Mirror(copies) => pages / u32::from(copies),
            // The last of each stripe, which may have to be shorter, and one for a first stripe that is.
            Redundancy::Parity(data) => {
                let stripe = (u32::from(data) + 1).min(columns).max(1);
                (pages - pages.div_ceil(stripe)).saturating_sub(1)
            }
        };
        data * self.layout_of(level).sectors()
    }
}
