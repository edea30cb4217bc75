//! S3-FIFO: a small queue that most pages leave soon, a main one that gives second chances, and ghosts of what left the small one.

use std::collections::{HashMap, HashSet, VecDeque};

use super::Cached;

pub(super) struct S3Fifo {
    pages: usize,
    small_pages: usize,
    small: VecDeque<u32>,
    main: VecDeque<u32>,
    ghosts: VecDeque<u32>,
    is_ghost: HashSet<u32>,
    uses: HashMap<u32, u8>,
}

impl S3Fifo {
    pub fn new(pages: usize) -> Self {
        Self {
            pages,
            small_pages: (pages / 10).max(1),
            small: VecDeque::new(),
            main: VecDeque::new(),
            ghosts: VecDeque::new(),
            is_ghost: HashSet::new(),
            uses: HashMap::new(),
        }
    }

    fn evict(&mut self) {
        if self.small.len() >= self.small_pages {
            self.evict_small();
        } else {
            self.evict_main();
        }
    }

    fn evict_small(&mut self) {
        while let Some(page) = self.small.pop_front() {
            if self.uses.get(&page).is_some_and(|&uses| uses > 1) {
                self.uses.insert(page, 0);
                self.main.push_back(page);
                if self.small.len() + self.main.len() < self.pages {
                    return;
                }
                if self.main.len() > self.pages - self.small_pages {
                    return self.evict_main();
                }
                continue;
            }
            self.uses.remove(&page);
            self.ghosts.push_back(page);
            self.is_ghost.insert(page);
            while self.ghosts.len() > self.pages - self.small_pages {
                if let Some(gone) = self.ghosts.pop_front() {
                    self.is_ghost.remove(&gone);
                }
            }
            return;
        }
        self.evict_main();
    }

    fn evict_main(&mut self) {
        while let Some(page) = self.main.pop_front() {
            let uses = self.uses.get(&page).copied().unwrap_or(0);
            if uses == 0 {
                self.uses.remove(&page);
                return;
            }
            self.uses.insert(page, uses - 1);
            self.main.push_back(page);
        }
    }
}

impl Cached for S3Fifo {
    fn ask(&mut self, page: u32) -> bool {
        if let Some(uses) = self.uses.get_mut(&page) {
            *uses = (*uses + 1).min(3);
            return true;
        }
        while self.small.len() + self.main.len() >= self.pages {
            self.evict();
        }
        if self.is_ghost.remove(&page) {
            self.ghosts.retain(|&ghost| ghost != page);
            self.main.push_back(page);
        } else {
            self.small.push_back(page);
        }
        self.uses.insert(page, 0);
        false
    }
}
