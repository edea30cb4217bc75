//! Making a volume: factory-bad blocks are found, old anchors erased, the first checkpoint written.

use cuesta_hal::{BlockAddress, Buffer, Columns, Geometry, MarkerPages, Nand};

use super::anchor_scan::{anchor_dies, probe_blocks};
use super::error::{Error, FormatError, MountError};
use super::io;
use super::memory::Memory;
use super::parameters::{FormatOptions, Parameters};
use super::segment_table::State;
use super::{Session, Volume, JOURNAL};

/// True when the factory marked the block bad.
fn is_factory_bad<N: Nand>(
    nand: &mut N,
    geometry: &Geometry,
    block: BlockAddress,
) -> Result<bool, FormatError> {
    let marker = geometry.bad_block_marker;
    let last = geometry.pages_per_block - 1;
    let pages: &[u16] = match marker.pages {
        MarkerPages::First => &[0],
        MarkerPages::FirstOrSecond => &[0, 1],
        MarkerPages::FirstOrLast => &[0, last],
    };
    if marker.len == 0 {
        return Ok(false);
    }
    for &page in pages {
        let columns = Columns::spare(geometry, u32::from(marker.spare_offset), 1);
        io::read(nand, block.page(page), columns).map_err(FormatError::Nand)?;
        let at = geometry.page_bytes as usize + usize::from(marker.spare_offset);
        let byte = nand.buffer(block.die, Buffer::First).get(at).copied();
        // A good block's marker may have flipped bits: it is bad when most of them are zero.
        if byte.is_some_and(|byte| byte.count_ones() < 4) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl<'m, N: Nand> Volume<'m, N> {
    /// Makes an empty volume on the part and gives the part back.
    ///
    /// Everything on it is lost. Factory-bad blocks are read from their markers before anything is erased, and are never touched. A power cut
    /// leaves a part that mounts as the old volume, as blank, foreign or damaged: format again.
    ///
    /// # Errors
    /// What does not fit, or what the part failed at.
    pub fn format(
        mut nand: N,
        memory: Memory<'m>,
        options: &FormatOptions,
    ) -> Result<N, FormatError> {
        let geometry = *nand.geometry();
        let parameters = Parameters::choose(&geometry, options).map_err(FormatError::Parameters)?;
        let known_bad = super::anchor_scan::find(&mut nand).ok();
        let mut volume = Self::assemble(nand, memory, parameters).map_err(FormatError::Memory)?;
        // Blocks that failed under an earlier volume stay out of use, if it can still be read.
        if let Some(anchors) = known_bad.filter(|anchors| {
            let old = anchors.head.parameters;
            old.width == parameters.width && old.capacity == parameters.capacity
        }) {
            volume.adopt_bad_blocks(&anchors);
        }
        volume.find_bad_blocks(&geometry)?;
        volume.clear_anchors(&geometry)?;
        volume.place_rings(&geometry)?;
        volume.start().map_err(FormatError::Volume)?;
        Ok(volume.nand)
    }

    fn adopt_bad_blocks(&mut self, anchors: &super::anchor_scan::Anchors) {
        if self.load_checkpoint(anchors).is_ok() {
            // The wear of an earlier volume still counts; nothing else of it does.
            for segment in self.segments.iter() {
                self.segments.set_state(segment, State::Free);
                self.segments.set_stream(segment, 0);
                self.segments.set_stamp(segment, 0);
                self.segments.set_valid(segment, 0);
            }
            self.wear_base = anchors.head.wear_base;
        } else {
            self.segments.clear();
            self.bad_blocks.fill(0);
        }
        self.directory.fill(super::DirectoryEntry::default());
        self.checkpoint = super::Checkpoint::default();
        self.rings = [super::Ring::default(), super::Ring::default()];
    }

    fn find_bad_blocks(&mut self, geometry: &Geometry) -> Result<(), FormatError> {
        for die in 0..geometry.dies {
            let mut found = 0;
            for block in 0..geometry.blocks_per_die {
                let block = BlockAddress::new(die, block);
                if is_factory_bad(&mut self.nand, geometry, block)? {
                    self.set_bad(self.shape.block_number(block));
                }
                found += u32::from(self.is_bad(self.shape.block_number(block)));
            }
            if found > geometry.bad_blocks_max_per_die {
                return Err(FormatError::BadBlocks {
                    found,
                    max: geometry.bad_blocks_max_per_die,
                });
            }
        }
        for segment in self.segments.iter() {
            if self.good_columns(segment) == 0 {
                self.segments.set_state(segment, State::Retired);
            }
        }
        Ok(())
    }

    /// The rings are the first good blocks: of two dies where there are several, else one behind the other.
    fn place_rings(&mut self, geometry: &Geometry) -> Result<(), FormatError> {
        let need = self.quota.ring_slots * self.quota.blocks_per_slot;
        let dies = anchor_dies(geometry);
        let mut from = 0;
        for copy in 0..2usize {
            let die = copy as u16 % dies;
            if dies > 1 {
                from = 0;
            }
            while from < probe_blocks(geometry) && (self.rings[copy].blocks.len() as u32) < need {
                let block = BlockAddress::new(die, from);
                from += 1;
                let number = self.shape.block_number(block);
                if self.is_bad(number) {
                    continue;
                }
                let _ = self.rings[copy].blocks.push(number as u32);
                let segment = self.shape.segment_of(block);
                self.segments.set_state(segment, State::Reserved);
            }
            if self.rings[copy].blocks.len() as u32 != need {
                return Err(FormatError::Memory(MountError::Damaged));
            }
        }
        Ok(())
    }

    /// Erases every block where mounting would look for an anchor.
    fn clear_anchors(&mut self, geometry: &Geometry) -> Result<(), FormatError> {
        for die in 0..anchor_dies(geometry) {
            for block in 0..probe_blocks(geometry) {
                let block = BlockAddress::new(die, block);
                let number = self.shape.block_number(block);
                if self.is_bad(number) {
                    continue;
                }
                let good = io::erase(&mut self.nand, block).map_err(FormatError::Nand)?;
                if !good {
                    self.set_bad(number);
                }
                let segment = self.shape.segment_of(block);
                if self.segments.state(segment) == State::Free {
                    self.wear(segment);
                }
            }
        }
        Ok(())
    }

    /// Opens the journal and writes the first checkpoint.
    fn start(&mut self) -> Result<(), Error> {
        self.session = Session::Active;
        self.time = 1;
        self.free = self.count(State::Free);
        let Some(first) = self
            .segments
            .iter()
            .find(|&segment| self.segments.state(segment) == State::Free)
        else {
            return Err(Error::NoSpace);
        };
        for column in 0..self.shape.width {
            let block = self.shape.block(first, column);
            if !self.is_bad(self.shape.block_number(block)) {
                let good = io::erase(&mut self.nand, block).map_err(Error::Nand)?;
                if !good {
                    self.block_failed(first, column);
                }
            }
        }
        if self.good_columns(first) == 0 {
            self.segments.set_state(first, State::Retired);
            self.free -= 1;
            return self.start();
        }
        self.wear(first);
        self.install(JOURNAL, first);
        for copy in 0..2 {
            let slots = self.rings[copy].blocks.len() as u32 / self.quota.blocks_per_slot;
            self.rings[copy].slot = slots - 1;
            self.rings[copy].committed = u32::MAX;
        }
        for ring in &mut self.rings {
            ring.next = u32::MAX / 2;
        }
        self.make_checkpoint(true)
    }
}
