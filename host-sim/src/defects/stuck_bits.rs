//! Single cells that hold one value whatever is programmed or erased.
//!
//! A program onto one reports success: that a part lets some bits fail the verification of a program is an assumption of this emulator, the
//! worse one for who reads.

use crate::media::Place;
use std::collections::BTreeMap;

/// Stuck cells of each page, with what they hold.
#[derive(Debug, Clone, Default)]
pub(super) struct StuckBits {
    pages: BTreeMap<Place, BTreeMap<u32, bool>>,
}

impl StuckBits {
    /// Sticks a cell; false if it was stuck before, and now holds `value`.
    pub(super) fn stick(&mut self, place: Place, bit: u32, value: bool) -> bool {
        let page = self.pages.entry(place).or_default();
        page.insert(bit, value).is_none()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Appends the stuck cells of a page.
    pub(super) fn held(&self, place: Place, held: &mut Vec<(u32, bool)>) {
        if let Some(page) = self.pages.get(&place) {
            held.extend(page.iter().map(|(&bit, &value)| (bit, value)));
        }
    }
}
