//! The storage door: a volume as `embedded_storage::Storage`, blocking and, with `embedded-storage-async`, asynchronous.

use cuesta_hal::Nand;
use embedded_storage::{ReadStorage, Storage};

use super::door_error::DoorError;
use super::sector_buffer::{now, Cells, SectorBuffer, Waiting};

/// A volume behind `embedded_storage::{ReadStorage, Storage}`: any bytes at any place may be read and written, again and again.
///
/// Sectors that hold nothing read as zeros. A write that does not cover a sector reads it, changes it and writes it back.
///
/// Both forms of each trait, the blocking and the asynchronous one, are implemented by this type. The asynchronous one calls
/// [`Nand::wait`] and lets other tasks run whenever the part works; it is woken at once, as nothing says when the part has ended.
/// A call that is dropped half-way has been done, in part or not at all, as one that a power cut ends.
///
/// # Guarantees
///
/// * When a write returns, it is on the media and survives a power cut.
/// * A write that a power cut ends is done up to the end of some sector, or not at all: no sector is written in part. All other bytes are unchanged.
/// * No call panics.
#[derive(Debug)]
pub struct StorageDisk<'m, N: Nand> {
    sectors: SectorBuffer<'m, N>,
}

impl<'m, N: Nand> StorageDisk<'m, N> {
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

    /// Bytes that offsets of 32 bits reach.
    fn reach(&self) -> usize {
        let bytes = self.sectors.capacity().min(u64::from(u32::MAX));
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    fn check(&self, offset: u32, len: usize) -> Result<(), DoorError> {
        let end = (offset as usize).checked_add(len);
        if end.is_some_and(|end| end <= self.reach()) {
            Ok(())
        } else {
            Err(DoorError::OutOfBounds)
        }
    }

    async fn read_bytes(
        &mut self,
        offset: u32,
        bytes: &mut [u8],
        waiting: Waiting,
    ) -> Result<(), DoorError> {
        self.check(offset, bytes.len())?;
        Ok(self.sectors.read(u64::from(offset), bytes, waiting).await?)
    }

    async fn write_bytes(
        &mut self,
        offset: u32,
        bytes: &[u8],
        waiting: Waiting,
    ) -> Result<(), DoorError> {
        self.check(offset, bytes.len())?;
        let give = |done, into: &mut [u8]| into.copy_from_slice(&bytes[done..][..into.len()]);
        let (offset, len) = (u64::from(offset), bytes.len());
        Ok(self.sectors.write(offset, len, waiting, give).await?)
    }
}

impl<N: Nand> ReadStorage for StorageDisk<'_, N> {
    type Error = DoorError;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), DoorError> {
        now(self.read_bytes(offset, bytes, Waiting::Here))
    }

    fn capacity(&self) -> usize {
        self.reach()
    }
}

impl<N: Nand> Storage for StorageDisk<'_, N> {
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), DoorError> {
        now(self.write_bytes(offset, bytes, Waiting::Here))
    }
}

#[cfg(feature = "embedded-storage-async")]
mod asynchronous {
    use cuesta_hal::Nand;
    use embedded_storage_async::{ReadStorage, Storage};

    use super::{DoorError, StorageDisk, Waiting};

    impl<N: Nand> ReadStorage for StorageDisk<'_, N> {
        type Error = DoorError;

        async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), DoorError> {
            self.read_bytes(offset, bytes, Waiting::OtherTasks).await
        }

        fn capacity(&self) -> usize {
            self.reach()
        }
    }

    impl<N: Nand> Storage for StorageDisk<'_, N> {
        async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), DoorError> {
            self.write_bytes(offset, bytes, Waiting::OtherTasks).await
        }
    }
}
