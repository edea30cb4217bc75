//! The block door: a volume as a `block_device_driver::BlockDevice`, asynchronous.

use aligned::{Aligned, A1};
use block_device_driver::{blocks_to_slice, blocks_to_slice_mut, BlockDevice};
use cuesta_hal::Nand;

use super::door_error::DoorError;
use super::sector_buffer::{Cells, SectorBuffer, Waiting};

/// A volume as blocks of any size that its user asks for, 512 bytes say.
///
/// Blocks that hold nothing read as zeros. Sectors may be of another size than blocks: a write that does not cover a sector reads it, changes it and writes
/// it back. What is left of the volume behind the last whole block is out of reach.
///
/// A call runs [`Nand::wait`] and lets other tasks run whenever the part works; it is woken at once, as nothing says when the part has ended.
/// A call that is dropped half-way has been done, in part or not at all, as one that a power cut ends.
///
/// # Guarantees
///
/// * When a write returns, it is on the media and survives a power cut.
/// * A write that a power cut ends is done up to the end of some sector, or not at all: no sector is written in part. All other blocks are unchanged.
/// * No call panics.
#[derive(Debug)]
pub struct BlockDisk<'m, N: Nand> {
    sectors: SectorBuffer<'m, N>,
}

impl<'m, N: Nand> BlockDisk<'m, N> {
    /// Puts the door in front of a volume.
    #[must_use]
    pub fn new(sectors: SectorBuffer<'m, N>) -> Self {
        let sectors = sectors.with(Cells::Disk);
        Self { sectors }
    }

    /// What is behind the door: the volume, how sectors are written.
    pub const fn sectors_mut(&mut self) -> &mut SectorBuffer<'m, N> {
        &mut self.sectors
    }

    /// What is behind the door, without it.
    #[must_use]
    pub fn into_sectors(self) -> SectorBuffer<'m, N> {
        self.sectors
    }

    /// The offset of a block, if there are so many from it on.
    fn offset(&self, first: u32, count: usize, block: usize) -> Result<u64, DoorError> {
        let offset = u64::from(first) * block as u64;
        let end = offset.checked_add(count as u64 * block as u64);
        end.filter(|&end| end <= self.sectors.capacity())
            .map(|_| offset)
            .ok_or(DoorError::OutOfBounds)
    }
}

impl<N: Nand, const SIZE: usize> BlockDevice<SIZE> for BlockDisk<'_, N> {
    type Error = DoorError;
    type Align = A1;

    async fn read(
        &mut self,
        first: u32,
        blocks: &mut [Aligned<A1, [u8; SIZE]>],
    ) -> Result<(), DoorError> {
        let offset = self.offset(first, blocks.len(), SIZE)?;
        let bytes = blocks_to_slice_mut(blocks);
        Ok(self
            .sectors
            .read(offset, bytes, Waiting::OtherTasks)
            .await?)
    }

    async fn write(
        &mut self,
        first: u32,
        blocks: &[Aligned<A1, [u8; SIZE]>],
    ) -> Result<(), DoorError> {
        let offset = self.offset(first, blocks.len(), SIZE)?;
        let bytes = blocks_to_slice(blocks);
        let give = |done, into: &mut [u8]| into.copy_from_slice(&bytes[done..][..into.len()]);
        let (len, waiting) = (bytes.len(), Waiting::OtherTasks);
        Ok(self.sectors.write(offset, len, waiting, give).await?)
    }

    async fn size(&mut self) -> Result<u64, DoorError> {
        let bytes = self.sectors.capacity();
        Ok(bytes - bytes.checked_rem(SIZE as u64).unwrap_or(0))
    }
}
