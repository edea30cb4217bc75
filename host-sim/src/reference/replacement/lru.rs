//! What was not used for the longest time goes.

use std::collections::{BTreeMap, HashMap};

use super::Cached;

/// Pages in the order of their last use.
#[derive(Debug, Default)]
pub(super) struct Recency {
    stamps: HashMap<u32, u64>,
    order: BTreeMap<u64, u32>,
    next: u64,
}

impl Recency {
    pub fn len(&self) -> usize {
        self.stamps.len()
    }

    pub fn has(&self, page: u32) -> bool {
        self.stamps.contains_key(&page)
    }

    /// Makes a page the newest.
    pub fn push(&mut self, page: u32) {
        self.remove(page);
        self.stamps.insert(page, self.next);
        self.order.insert(self.next, page);
        self.next += 1;
    }

    pub fn remove(&mut self, page: u32) -> bool {
        match self.stamps.remove(&page) {
            Some(stamp) => self.order.remove(&stamp).is_some(),
            None => false,
        }
    }

    /// Takes the oldest away.
    pub fn pop(&mut self) -> Option<u32> {
        let (_, page) = self.order.pop_first()?;
        self.stamps.remove(&page);
        Some(page)
    }
}

pub(super) struct Lru {
    pages: usize,
    kept: Recency,
}

impl Lru {
    pub fn new(pages: usize) -> Self {
        Self {
            pages,
            kept: Recency::default(),
        }
    }
}

impl Cached for Lru {
    fn ask(&mut self, page: u32) -> bool {
        let hit = self.kept.has(page);
        self.kept.push(page);
        if self.kept.len() > self.pages {
            self.kept.pop();
        }
        hit
    }
}
