//! The rings of anchor blocks: which place of a ring is written next, which rings are given up, and the traces of attempts.

use cuesta_hal::{BlockAddress, Nand, PageAddress};

use super::anchor::{page_at, CONFIRMING, OPENING};
use super::error::Error;
use super::io;
use super::parameters::{ANCHOR_PREFIX, RINGS_MAX, RING_BLOCKS_MAX};
use super::Volume;

/// Rings that a checkpoint needs: while one copy is being written, another is on the media.
pub(super) const RINGS_LEAST: usize = 2;
/// No place of a ring.
pub(super) const NO_PLACE: u8 = u8::MAX;

/// No page of a place.
pub(super) const FULL: u16 = u16::MAX;
/// The page of a place at which its first checkpoint starts.
pub(super) const BEHIND_OPENING: u16 = ANCHOR_PREFIX as u16;

/// The anchor blocks of one copy.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    /// Blocks of its die, in order of use; none where the volume has fewer rings.
    pub blocks: heapless::Vec<u16, RING_BLOCKS_MAX, u8>,
    /// The place in use.
    pub slot: u8,
    /// The place that holds the last complete checkpoint: not to be erased.
    pub committed: u8,
    /// The place that holds the last confirmed trace of an attempt that nothing has committed: not to be erased either. So a ring has three
    /// places at least.
    pub trace: u8,
    /// Places of it that were opened since the format, as far as it is known: each of its blocks was erased so often, divided by the places.
    pub openings: u32,
    /// Nothing can be written to it any more, as far as this session knows.
    pub out: bool,
    /// Its next page; [`FULL`] when the next checkpoint has to start in a fresh place.
    pub next: u16,
}

impl Default for Ring {
    fn default() -> Self {
        Self {
            blocks: heapless::Vec::new(),
            slot: 0,
            committed: NO_PLACE,
            trace: NO_PLACE,
            openings: 0,
            out: false,
            next: FULL,
        }
    }
}

impl Ring {
    /// True when copies of checkpoints are written to it.
    pub(super) fn in_use(&self) -> bool {
        !self.out && !self.blocks.is_empty()
    }

    /// Its places, of so many blocks each.
    fn places(&self, blocks: u32) -> u32 {
        self.blocks.len() as u32 / blocks.max(1)
    }

    /// The page behind a checkpoint of so many pages that starts at the next one, if a place of so many has room for it.
    pub(super) fn behind(&self, checkpoint_pages: u32, place_pages: u32) -> Option<u16> {
        let end = u32::from(self.next).checked_add(checkpoint_pages)?;
        let fits = self.next != FULL && end <= place_pages;
        fits.then(|| u16::try_from(end).unwrap_or(FULL))
    }

    /// The next checkpoint starts in a fresh place.
    pub(super) fn leave_place(&mut self) {
        self.next = FULL;
    }

    /// Goes on behind the opening page of a place that was opened in this session.
    fn reopen(&mut self, slot: u8) {
        self.slot = slot;
        self.next = BEHIND_OPENING;
    }
}

/// The places that a session has opened, ring by ring.
pub(super) type Opened = [u8; RINGS_MAX];

/// The die of a ring.
pub(super) const fn ring_die(dies: u16, ring: u8) -> u16 {
    if dies > 1 {
        ring as u16
    } else {
        0
    }
}

impl<N: Nand> Volume<'_, N> {
    /// The first ring in use from a number on.
    pub(super) fn ring_from(&self, from: u8) -> Option<u8> {
        (from..RINGS_MAX as u8).find(|&ring| self.rings[usize::from(ring)].in_use())
    }

    /// The last ring in use.
    fn last_ring(&self) -> Option<u8> {
        (0..RINGS_MAX as u8)
            .rev()
            .find(|&ring| self.rings[usize::from(ring)].in_use())
    }

    /// Rings to which checkpoints are written.
    pub(super) fn rings_in_use(&self) -> usize {
        self.rings.iter().filter(|ring| ring.in_use()).count()
    }

    /// A block of a ring.
    pub(super) fn ring_block(&self, ring: u8, index: u32) -> Option<BlockAddress> {
        let blocks = &self.rings[usize::from(ring)].blocks;
        let block = *blocks.get(index as usize)?;
        Some(BlockAddress::new(
            ring_die(self.shape.dies(), ring),
            u32::from(block),
        ))
    }

    /// The block that holds the `index`-th block of the place in use.
    pub(super) fn place_block(&self, ring: u8, index: u32) -> Option<BlockAddress> {
        let slot = u32::from(self.rings[usize::from(ring)].slot);
        self.ring_block(ring, slot * self.quota.blocks_per_slot + index)
    }

    /// The page that the `page`-th of a checkpoint goes to.
    pub(super) fn anchor_page(&self, ring: u8, page: u32) -> Option<PageAddress> {
        let at = u32::from(self.rings[usize::from(ring)].next) + page;
        // Never 0, which the compiler cannot know.
        let rows = self.shape.rows.max(1);
        Some(self.place_block(ring, at / rows)?.page((at % rows) as u16))
    }

    pub(super) fn place_pages(&self) -> u32 {
        self.quota.blocks_per_slot * self.shape.rows
    }

    /// The place of a ring to be tried next: one that may be erased, without bad blocks.
    fn sound_place(&self, ring: u8) -> Option<u8> {
        self.erasable_places(ring)
            .find(|&slot| self.is_sound(ring, slot))
    }

    /// True when a place has no bad blocks.
    fn is_sound(&self, ring: u8, slot: u8) -> bool {
        let from = u32::from(slot) * self.quota.blocks_per_slot;
        (from..from + self.quota.blocks_per_slot).all(|index| {
            self.ring_block(ring, index)
                .is_some_and(|block| !self.is_bad(self.shape.block_number(block)))
        })
    }

    /// Places without bad blocks in the ring with the fewest of those that are needed.
    pub(super) fn sound_places(&self) -> u32 {
        let mut places: heapless::Vec<u32, RINGS_MAX> = heapless::Vec::new();
        for ring in 0..RINGS_MAX as u8 {
            let of = &self.rings[usize::from(ring)];
            if of.in_use() {
                let slots = of.places(self.quota.blocks_per_slot);
                let sound = (0..slots).filter(|&slot| self.is_sound(ring, slot as u8));
                let sound = sound.count() as u32;
                let at = places.partition_point(|&other| other < sound);
                let _ = places.insert(at, sound);
            }
        }
        let spare = places.len().saturating_sub(RINGS_LEAST);
        places.get(spare).copied().unwrap_or(0)
    }

    /// Erases of an anchor block, on the average over the ring in use with the most.
    pub(super) fn ring_erases(&self) -> u32 {
        let rings = self.rings.iter().filter(|ring| ring.in_use());
        let erases = rings.map(|ring| {
            let places = ring.places(self.quota.blocks_per_slot);
            ring.openings.div_ceil(places.max(1))
        });
        erases.max().unwrap_or(0)
    }

    /// Places opened of the ring that a block belongs to; 0 where it belongs to none.
    pub(super) fn openings_at(&self, block: BlockAddress) -> u32 {
        let ring = (0u8..).zip(&self.rings).find(|(index, ring)| {
            ring_die(self.shape.dies(), *index) == block.die.0
                && ring
                    .blocks
                    .iter()
                    .any(|&number| u32::from(number) == block.block.0)
        });
        ring.map_or(0, |(_, ring)| ring.openings)
    }

    /// The places of a ring that may be erased, from the one behind the place in use on.
    fn erasable_places(&self, ring: u8) -> impl Iterator<Item = u8> + '_ {
        let ring = &self.rings[usize::from(ring)];
        let places = ring.places(self.quota.blocks_per_slot);
        (1..=places)
            .map(move |step| ((u32::from(ring.slot) + step) % places) as u8)
            .filter(|&slot| slot != ring.committed && slot != ring.trace)
    }

    /// Goes on to the next place of a ring that may be erased, one without bad blocks if there is one; false when the ring has none. As long as there are
    /// rings enough, a place with a bad block is none.
    pub(super) fn next_place(&mut self, ring: u8) -> bool {
        let needed = self.rings_in_use() <= RINGS_LEAST;
        let blocks = self.rings[usize::from(ring)].blocks.len() as u32;
        let some_good = (0..blocks)
            .filter_map(|index| self.ring_block(ring, index))
            .any(|block| !self.is_bad(self.shape.block_number(block)));
        let any = || self.erasable_places(ring).next();
        let found = self
            .sound_place(ring)
            .or_else(|| any().filter(|_| needed && some_good));
        let Some(slot) = found else {
            return false;
        };
        let ring = &mut self.rings[usize::from(ring)];
        ring.slot = slot;
        ring.next = 0;
        ring.openings = ring.openings.saturating_add(1);
        true
    }

    /// Leaves a ring out to which nothing can be written, unless too few are left.
    ///
    /// # Errors
    /// The volume takes no more writes.
    pub(super) fn give_up_ring(&mut self, ring: u8) -> Result<(), Error> {
        if self.rings_in_use() <= RINGS_LEAST {
            return Err(self.fail(Error::NoSpace));
        }
        self.rings[usize::from(ring)].out = true;
        Ok(())
    }

    /// Leaves out the rings that a mount finds without a place to be written, as long as there are others.
    pub(super) fn leave_out_used_up(&mut self) {
        for ring in 0..RINGS_MAX as u8 {
            let used_up =
                self.rings[usize::from(ring)].in_use() && self.sound_place(ring).is_none();
            if used_up && self.rings_in_use() > RINGS_LEAST {
                self.rings[usize::from(ring)].out = true;
            }
        }
    }

    /// A block of the place in use failed: it is out of use from now on.
    pub(super) fn ring_block_failed(&mut self, block: BlockAddress) {
        let number = self.shape.block_number(block);
        self.stats.retired += 1;
        if !self.is_bad(number) {
            self.set_bad(number);
            let _ = self.pending.bad_blocks.push(number as u32);
        }
    }

    /// Erases the blocks of the place in use, straight through; false when one fails.
    pub(super) fn erase_place(&mut self, ring: u8) -> Result<bool, Error> {
        for index in 0..self.quota.blocks_per_slot {
            let Some(block) = self.place_block(ring, index) else {
                return Err(self.fail(Error::NoSpace));
            };
            if !self.erase_now(block)? {
                self.ring_block_failed(block);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Programs an anchor page from the buffer of its die, straight through; false when that fails.
    pub(super) fn program_anchor(&mut self, page: PageAddress) -> Result<bool, Error> {
        self.stats.meta_pages += 1;
        let good =
            io::program(&mut self.nand, page).map_err(|kind| self.fail(Error::Nand(kind)))?;
        if !good {
            self.ring_block_failed(page.block);
        }
        Ok(good)
    }

    /// Opens the next place of every ring in use but the last, straight through: whoever comes after an attempt that is cut finds its trace, and
    /// numbers checkpoints and log times beyond it, even if all rings but two are lost by then. Nothing else is written before.
    pub(super) fn open_places(&mut self) -> Result<Opened, Error> {
        self.void_from = self.void_from.min(self.time);
        let mut opened = [NO_PLACE; RINGS_MAX];
        let mut from = 0;
        while let Some(ring) = self.ring_from(from) {
            if Some(ring) == self.last_ring() {
                break;
            }
            if self.open_place(ring)? {
                opened[usize::from(ring)] = self.rings[usize::from(ring)].slot;
            } else {
                self.give_up_ring(ring)?;
            }
            from = ring + 1;
        }
        Ok(opened)
    }

    /// Goes on in the places that were opened before the state was read again: it was told that there was nothing in them to go on with.
    pub(super) fn reopen_places(&mut self, opened: &Opened) {
        for (ring, &slot) in self.rings.iter_mut().zip(opened) {
            if slot != NO_PLACE {
                ring.reopen(slot);
            }
        }
    }

    /// Opens the next place of a ring; false when none can be opened.
    fn open_place(&mut self, ring: u8) -> Result<bool, Error> {
        for _ in 0..RING_BLOCKS_MAX {
            if !self.next_place(ring) {
                return Ok(false);
            }
            let mut good = self.erase_place(ring)?;
            for id in [OPENING, CONFIRMING] {
                let Some(page) = self.anchor_page(ring, page_at(id)).filter(|_| good) else {
                    break;
                };
                self.fill_anchor(page.die(), ring, id);
                good = self.program_anchor(page)?;
            }
            if good {
                self.rings[usize::from(ring)].next = BEHIND_OPENING;
                return Ok(true);
            }
            if self.rings_in_use() <= RINGS_LEAST {
                // There may be no other place left.
                self.rings[usize::from(ring)].trace = NO_PLACE;
            }
        }
        Ok(false)
    }
}
