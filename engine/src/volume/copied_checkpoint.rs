//! A checkpoint that a cut has left with too few copies is copied by the next session, as it stands.

use cuesta_hal::{Nand, PageAddress};

use super::anchor::{page_at, CONFIRMING, OPENING};
use super::anchor_scan::{self, Anchors};
use super::error::{Error, LoadError};
use super::parameters::RING_BLOCKS_MAX;
use super::ring::BEHIND_OPENING;
use super::Volume;
use crate::codec::header::FLAG_COPIED;

/// How copying a checkpoint into a ring has ended.
enum Copied {
    /// The copy is there.
    Complete,
    /// A page of the checkpoint cannot be read any more.
    Unreadable,
    /// No place of the ring could be written.
    NoPlace,
}

impl<N: Nand> Volume<'_, N> {
    /// Writes the mounted checkpoint into a fresh place of every ring in use but the first, straight through and page by page as it stands: of the copies
    /// there are, the cut may have touched one, and those that are left are too few. False when one of its pages cannot be read any more.
    pub(super) fn complete_copies(&mut self, sequence: u32) -> Result<bool, Error> {
        let mut anchors = Anchors::unknown(self.nand.geometry());
        anchor_scan::find(&mut self.nand, &mut anchors).map_err(LoadError::from)?;
        let mut from = self.ring_from(0).map_or(0, |first| first + 1);
        while let Some(ring) = self.ring_from(from) {
            from = ring + 1;
            match self.copy_into(ring, &anchors, sequence)? {
                Copied::Complete => {}
                Copied::Unreadable => return Ok(false),
                Copied::NoPlace => self.give_up_ring(ring)?,
            }
        }
        Ok(true)
    }

    /// Copies a checkpoint into a fresh place of a ring.
    fn copy_into(&mut self, ring: u8, anchors: &Anchors, sequence: u32) -> Result<Copied, Error> {
        for _ in 0..RING_BLOCKS_MAX {
            if !self.next_place(ring) {
                break;
            }
            let mut good = self.erase_place(ring)?;
            for id in [OPENING, CONFIRMING]
                .into_iter()
                .chain(0..self.quota.checkpoint_pages)
            {
                let Some(to) = self.anchor_page(ring, page_at(id)).filter(|_| good) else {
                    break;
                };
                if id == OPENING || id == CONFIRMING {
                    self.fill_anchor(to.die(), ring, id);
                    self.encode_anchor_as(to, id, sequence, FLAG_COPIED);
                } else if !self.copy_anchor(anchors, sequence, id, to)? {
                    return Ok(Copied::Unreadable);
                }
                good = self.program_anchor(to)?;
                if id == CONFIRMING {
                    self.rings[usize::from(ring)].next = BEHIND_OPENING;
                }
            }
            if good {
                let ring = &mut self.rings[usize::from(ring)];
                ring.committed = ring.slot;
                ring.leave_place();
                return Ok(Copied::Complete);
            }
        }
        Ok(Copied::NoPlace)
    }

    /// Reads a page of a checkpoint and encodes it for another place, in the buffer of that place's die; false when it cannot be read.
    fn copy_anchor(
        &mut self,
        anchors: &Anchors,
        sequence: u32,
        id: u32,
        to: PageAddress,
    ) -> Result<bool, Error> {
        let from = self.find_anchor(anchors, sequence, id)?;
        let Some(from) = from else {
            return Ok(false);
        };
        if from.die() != to.die() {
            self.copy_page_between(from.die(), to.die());
        }
        self.encode_anchor_as(to, id, sequence, FLAG_COPIED);
        Ok(true)
    }
}
