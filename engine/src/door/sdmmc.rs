//! The card door: a volume as an `embedded_sdmmc::BlockDevice`, on which that crate keeps FAT file systems.

use core::cell::RefCell;

use cuesta_hal::Nand;
use embedded_sdmmc_types::{Block, BlockCount, BlockDevice, BlockIdx};

use super::door_error::{DoorError, DoorShapeError};
use super::sector_buffer::{now, Cells, SectorBuffer, Waiting};

/// A volume as blocks of 512 bytes, with which `embedded-sdmmc` works as with a memory card.
///
/// Blocks that hold nothing read as zeros. Sectors may be of any size: a write that does not cover one reads it, changes it and writes it back.
///
/// # Guarantees
///
/// * When a write returns, it is on the media and survives a power cut.
/// * A write that a power cut ends is done up to the end of some sector, or not at all: no block is written in part. All other blocks are unchanged.
///   FAT itself makes no such promise: a file that is being changed may be left with clusters that belong to nobody.
/// * No call panics.
#[derive(Debug)]
pub struct SdmmcDisk<'m, N: Nand> {
    sectors: RefCell<SectorBuffer<'m, N>>,
    blocks: BlockCount,
}

impl<'m, N: Nand> SdmmcDisk<'m, N> {
    /// Puts the door in front of a volume.
    ///
    /// # Errors
    /// It is too large for 32-bit numbers of blocks. The volume is given up then, as by [`abandon`](crate::volume::Volume::abandon).
    pub fn new(sectors: SectorBuffer<'m, N>) -> Result<Self, DoorShapeError> {
        let (block, volume) = (Block::LEN, sectors.capacity());
        let blocks = u32::try_from(volume / block as u64)
            .map_err(|_| DoorShapeError::Blocks { block, volume })?;
        Ok(Self {
            sectors: RefCell::new(sectors.with(Cells::Disk)),
            blocks: BlockCount(blocks),
        })
    }

    /// What is behind the door: the volume, how sectors are written.
    pub fn sectors_mut(&mut self) -> &mut SectorBuffer<'m, N> {
        self.sectors.get_mut()
    }

    /// What is behind the door, without it.
    #[must_use]
    pub fn into_sectors(self) -> SectorBuffer<'m, N> {
        self.sectors.into_inner()
    }

    /// The offset of a block, if there are so many from it on.
    fn offset(&self, first: BlockIdx, count: usize) -> Result<u64, DoorError> {
        let end = u64::from(first.0) + count as u64;
        if end > u64::from(self.blocks.0) {
            return Err(DoorError::OutOfBounds);
        }
        Ok(first.into_bytes())
    }
}

impl<N: Nand> BlockDevice for SdmmcDisk<'_, N> {
    type Error = DoorError;

    fn read(&self, blocks: &mut [Block], first: BlockIdx) -> Result<(), DoorError> {
        let mut offset = self.offset(first, blocks.len())?;
        let mut sectors = self
            .sectors
            .try_borrow_mut()
            .map_err(|_| DoorError::InUse)?;
        for block in blocks {
            now(sectors.read(offset, &mut block.contents, Waiting::Here))?;
            offset += Block::LEN as u64;
        }
        Ok(())
    }

    fn write(&self, blocks: &[Block], first: BlockIdx) -> Result<(), DoorError> {
        let offset = self.offset(first, blocks.len())?;
        let mut sectors = self
            .sectors
            .try_borrow_mut()
            .map_err(|_| DoorError::InUse)?;
        let mut rest = blocks.iter().flat_map(|block| block.contents);
        let give = |_, into: &mut [u8]| {
            for (byte, written) in into.iter_mut().zip(&mut rest) {
                *byte = written;
            }
        };
        let len = blocks.len() * Block::LEN;
        Ok(now(sectors.write(offset, len, Waiting::Here, give))?)
    }

    fn num_blocks(&self) -> Result<BlockCount, DoorError> {
        Ok(self.blocks)
    }
}
