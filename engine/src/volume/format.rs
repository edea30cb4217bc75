//! Making a volume: factory-bad blocks are found, everything is erased, the first checkpoint written.

use cuesta_hal::{BlockAddress, Buffer, Columns, Geometry, MarkerPages, Nand, NandErrorKind};

use super::anchor_scan::{anchor_dies, probe_blocks, Anchors};
use super::choice::FormatOptions;
use super::error::{Error, FormatError};
use super::io;
use super::level::Level;
use super::memory::Memory;
use super::parameters::Parameters;
use super::ring::{ring_die, Ring};
use super::segment_table::State;
use super::silence::Attended;
use super::stream::JOURNAL;
use super::{Session, Volume};
use crate::codec::PageLayout;

/// True when the factory marked the block bad.
fn is_factory_bad<N: Nand>(
    nand: &mut N,
    geometry: &Geometry,
    block: BlockAddress,
) -> Result<bool, NandErrorKind> {
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
        io::read(nand, block.page(page), columns)?;
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
    /// Everything on it is lost: every good block is erased. Factory-bad blocks are read from their markers before anything is erased, and are never
    /// touched. A power cut leaves the old volume, or a part that says that it is [`HalfFormatted`](super::MountError::HalfFormatted): format again.
    ///
    /// # Errors
    /// What does not fit, or what the part failed at.
    pub fn format(
        nand: N,
        memory: Memory<'m>,
        options: &FormatOptions<'_>,
    ) -> Result<N, FormatError> {
        let mut nand = Attended::new(nand);
        nand.be_strict().map_err(FormatError::Nand)?;
        let geometry = *nand.geometry();
        let parameters = Parameters::choose(&geometry, options).map_err(FormatError::Parameters)?;
        let mut anchors = Anchors::unknown(&geometry);
        let has_anchors = super::anchor_scan::find(&mut nand, &mut anchors).is_ok();
        let mut volume = Self::assemble(nand, memory, parameters).map_err(FormatError::Memory)?;
        // Blocks that failed under an earlier volume stay out of use, if it can still be read.
        let old = anchors.head.parameters;
        let is_alike = old.width == parameters.width()
            && old.capacity == parameters.capacity
            && old.levels == parameters.levels()
            && old.system == parameters.system;
        if has_anchors && is_alike {
            volume.adopt_bad_blocks(&anchors);
        }
        let found = volume
            .find_bad_blocks(&geometry)
            .map_err(FormatError::Nand)?;
        let max = geometry.bad_blocks_max_per_die;
        if found > max {
            return Err(FormatError::BadBlocks { found, max });
        }
        let marker = volume.mark_formatting(&geometry)?;
        volume.erase_all(&geometry, marker)?;
        if volume.place_rings(&geometry) < parameters.rings(geometry.dies).into() {
            return Err(FormatError::Volume(Error::NoSpace));
        }
        volume.set_levels(options.levels);
        volume.start().map_err(FormatError::Volume)?;
        // The first checkpoint is in other places of the rings: now the volume is there.
        let marked = super::anchor_scan::block_of(&geometry, marker as u32);
        io::erase(&mut volume.nand, marked).map_err(FormatError::Nand)?;
        Ok(volume.nand.into_part())
    }

    fn set_levels(&mut self, levels: &[Level]) {
        self.levels.bytes_mut().fill(0);
        for (index, level) in (0..).zip(levels) {
            self.levels.set(index, level);
        }
        if levels.is_empty() {
            let plain = PageLayout::required(self.nand.geometry()).map(Level::plain);
            if let Ok(plain) = plain {
                self.levels.set(0, &plain);
            }
        }
    }

    fn adopt_bad_blocks(&mut self, anchors: &Anchors) {
        let parameters = core::mem::replace(&mut self.parameters, anchors.head.parameters);
        let loaded = self.load_checkpoint(anchors);
        self.parameters = parameters;
        if let Ok(head) = loaded {
            // The wear of an earlier volume still counts; nothing else of it does.
            for segment in self.segments.iter() {
                self.segments.set_state(segment, State::Free);
                self.segments.set_class(segment, 0);
                self.segments.set_level(segment, 0);
                self.segments.set_stamp(segment, 0);
                self.segments.set_valid(segment, 0);
            }
            self.wear_base = head.wear_base;
        } else {
            self.segments.clear();
            self.bad_blocks.fill(0);
        }
        self.directory.fill(super::DirectoryEntry::default());
        self.checkpoint = super::Checkpoint::default();
        self.rings = core::array::from_fn(|_| Ring::default());
    }

    /// Reads the factory's markers; gives the number of bad blocks of the die that has most.
    pub(super) fn find_bad_blocks(&mut self, geometry: &Geometry) -> Result<u32, NandErrorKind> {
        let mut worst = 0;
        for die in 0..geometry.dies {
            let mut found = 0;
            for block in 0..geometry.blocks_per_die {
                let block = BlockAddress::new(die, block);
                if is_factory_bad(&mut self.nand, geometry, block)? {
                    self.set_bad(self.shape.block_number(block));
                }
                found += u32::from(self.is_bad(self.shape.block_number(block)));
            }
            worst = worst.max(found);
        }
        for segment in self.segments.iter() {
            if self.is_used_up(segment) {
                self.segments.set_state(segment, State::Retired);
            }
        }
        Ok(worst)
    }

    /// The rings are the first good blocks in which no log is: of a die each where there are several, else one behind the other. A ring for which there are
    /// too few has none; gives how many have them.
    pub(super) fn place_rings(&mut self, geometry: &Geometry) -> usize {
        self.rings = core::array::from_fn(|_| Ring::default());
        let need = self.quota.ring_slots * self.quota.blocks_per_slot;
        let mut from = 0;
        for ring in 0..self.parameters.rings(geometry.dies) {
            let die = ring_die(geometry.dies, ring);
            if geometry.dies > 1 {
                from = 0;
            }
            let mut blocks = Ring::default().blocks;
            while from < probe_blocks(geometry) && (blocks.len() as u32) < need {
                let block = BlockAddress::new(die, from);
                from += 1;
                let segment = self.shape.segment_of(block);
                let taken = !matches!(self.segments.state(segment), State::Free | State::Reserved);
                if taken || self.is_bad(self.shape.block_number(block)) {
                    continue;
                }
                let Ok(index) = u16::try_from(block.block.0) else {
                    break;
                };
                let _ = blocks.push(index);
                self.segments.set_state(segment, State::Reserved);
            }
            if blocks.len() as u32 == need {
                self.rings[usize::from(ring)].blocks = blocks;
            }
        }
        self.rings_in_use()
    }

    /// Says on the first good block that the part is being formatted: gives the block's number.
    fn mark_formatting(&mut self, geometry: &Geometry) -> Result<usize, FormatError> {
        for block in 0..probe_blocks(geometry) {
            let block = BlockAddress::new(0, block);
            let number = self.shape.block_number(block);
            if self.is_bad(number) {
                continue;
            }
            let good = io::erase(&mut self.nand, block).map_err(FormatError::Nand)?;
            let page = block.page(0);
            if good {
                self.fill_formatting(page);
                if io::program(&mut self.nand, page).map_err(FormatError::Nand)? {
                    return Ok(number);
                }
            }
            self.set_bad(number);
        }
        Err(FormatError::Volume(Error::NoSpace))
    }

    /// Erases every good block but the one that says that the part is being formatted: first those where mounting looks for anchors, so that
    /// an old volume is never half there.
    fn erase_all(&mut self, geometry: &Geometry, marker: usize) -> Result<(), FormatError> {
        for anchors in [true, false] {
            for die in 0..geometry.dies {
                let probed = if die < anchor_dies(geometry) {
                    probe_blocks(geometry)
                } else {
                    0
                };
                for block in 0..geometry.blocks_per_die {
                    let address = BlockAddress::new(die, block);
                    let number = self.shape.block_number(address);
                    if (block < probed) != anchors || number == marker || self.is_bad(number) {
                        continue;
                    }
                    if !io::erase(&mut self.nand, address).map_err(FormatError::Nand)? {
                        self.set_bad(number);
                    }
                }
            }
        }
        for segment in self.segments.iter() {
            if self.is_used_up(segment) {
                self.segments.set_state(segment, State::Retired);
            } else {
                self.wear(segment);
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
        for column in 0..self.shape.width() {
            let block = self.shape.block(first, column);
            if !self.is_bad(self.shape.block_number(block)) {
                let good = io::erase(&mut self.nand, block).map_err(Error::Nand)?;
                if !good {
                    self.block_failed(first, column);
                }
            }
        }
        if self.is_used_up(first) {
            self.segments.set_state(first, State::Retired);
            self.free -= 1;
            return self.start();
        }
        self.wear(first);
        self.install(JOURNAL, first);
        // Of each ring the first place, where the part may say that it is being formatted, stays as it is: the first checkpoint goes to the second.
        self.make_checkpoint(true)
    }
}
