//! The memory a cache works in, owned by a program of a host.

use cuesta::cache::{CacheMemory, CacheOptions, CachePlan, Slot, Tag};

/// Memory as a plan asks for it. It outlives the cache it is lent to and can be lent again.
#[derive(Debug, Clone)]
pub struct OwnedCacheMemory {
    tags: Vec<Tag>,
    index: Vec<u32>,
    queues: Vec<u32>,
    ghosts: Vec<u16>,
    slots: Vec<Slot>,
    buffers: Vec<u8>,
}

impl OwnedCacheMemory {
    /// Memory for a cache of so many pages and requests at once.
    #[must_use]
    pub fn new(pages: usize, sector_bytes: usize, slots: usize, options: &CacheOptions) -> Self {
        let plan = CachePlan::new(pages, sector_bytes, slots, &options.replacement);
        Self {
            tags: vec![Tag::default(); plan.pages],
            index: vec![0; plan.index],
            queues: vec![0; plan.queues],
            ghosts: vec![0; plan.ghosts],
            slots: vec![Slot::FREE; plan.slots],
            buffers: vec![0; plan.slots * plan.sector_bytes],
        }
    }

    /// Lends it to a cache.
    pub fn lend(&mut self) -> CacheMemory<'_> {
        CacheMemory {
            tags: &mut self.tags,
            index: &mut self.index,
            queues: &mut self.queues,
            ghosts: &mut self.ghosts,
            slots: &mut self.slots,
            buffers: &mut self.buffers,
        }
    }
}
