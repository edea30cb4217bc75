//! A hand goes round: what was used since it came by is left once more.

use std::collections::HashMap;

use super::Cached;

pub(super) struct Clock {
    pages: usize,
    ring: Vec<(u32, bool)>,
    places: HashMap<u32, usize>,
    hand: usize,
}

impl Clock {
    pub fn new(pages: usize) -> Self {
        Self {
            pages,
            ring: Vec::new(),
            places: HashMap::new(),
            hand: 0,
        }
    }
}

impl Cached for Clock {
    fn ask(&mut self, page: u32) -> bool {
        if let Some(&place) = self.places.get(&page) {
            self.ring[place].1 = true;
            return true;
        }
        if self.ring.len() < self.pages {
            self.places.insert(page, self.ring.len());
            self.ring.push((page, false));
            return false;
        }
        while self.ring[self.hand].1 {
            self.ring[self.hand].1 = false;
            self.hand = (self.hand + 1) % self.pages;
        }
        self.places.remove(&self.ring[self.hand].0);
        self.ring[self.hand] = (page, false);
        self.places.insert(page, self.hand);
        self.hand = (self.hand + 1) % self.pages;
        false
    }
}
