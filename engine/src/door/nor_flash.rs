//! The NOR flash door: a volume as `embedded_storage::nor_flash` flash, blocking and, with `embedded-storage-async`, asynchronous.

use cuesta_hal::Nand;
use embedded_storage::nor_flash::{
    check_erase, check_read, check_write, ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError,
    NorFlashErrorKind, ReadNorFlash,
};

use crate::volume::Sector;

use super::door_error::{DoorError, DoorShapeError};
use super::sector_buffer::{now, Cells, SectorBuffer, Waiting};

impl NorFlashError for DoorError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::NotAligned => NorFlashErrorKind::NotAligned,
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            _ => NorFlashErrorKind::Other,
        }
    }
}

impl From<NorFlashErrorKind> for DoorError {
    fn from(kind: NorFlashErrorKind) -> Self {
        match kind {
            NorFlashErrorKind::NotAligned => Self::NotAligned,
            // The checks that this comes from say nothing else.
            _ => Self::OutOfBounds,
        }
    }
}

/// A volume behind the traits of `embedded_storage::nor_flash`: what was written for NOR flash runs on it as it is.
///
/// Reads are of any size, writes of `WRITE` bytes, erases of `ERASE` bytes, which must be a whole number of sectors. A write clears bits
/// and sets none. What was erased, and every sector that holds nothing, reads as 0xFF.
///
/// Both forms of each trait, the blocking and the asynchronous one, are implemented by this type. The asynchronous one calls
/// [`Nand::wait`] and lets other tasks run whenever the part works; it is woken at once, as nothing says when the part has ended.
/// A call that is dropped half-way has been done, in part or not at all, as one that a power cut ends.
///
/// # Guarantees
///
/// * When a write or an erase returns, it is on the media and survives a power cut.
/// * A write or an erase that a power cut ends is done in each sector, or not: never in part, and in a later sector only if it is in those before (of an
///   erase any sectors may be done). That is more than the traits ask for. All other bytes are unchanged.
/// * No call panics.
///
/// # What it costs
///
/// A write programs a page for each sector it touches, however small it is: those who write small records should gather them. It reads the sector
/// unless it was the last one touched; that one is served from the buffer. An erase erases nothing, but programs a journal page.
#[derive(Debug)]
pub struct NorFlashDisk<'m, N: Nand, const WRITE: usize, const ERASE: usize> {
    sectors: SectorBuffer<'m, N>,
}

impl<'m, N: Nand, const WRITE: usize, const ERASE: usize> NorFlashDisk<'m, N, WRITE, ERASE> {
    /// Puts the door in front of a volume.
    ///
    /// # Errors
    /// `ERASE` is no multiple of `WRITE` and of the sector. The volume is given up then, as by [`abandon`](crate::volume::Volume::abandon).
    pub fn new(sectors: SectorBuffer<'m, N>) -> Result<Self, DoorShapeError> {
        let sector = sectors.volume().sector_bytes();
        let fits = |part| part > 0 && ERASE.is_multiple_of(part);
        if ERASE == 0 || !fits(WRITE) || !fits(sector) {
            return Err(DoorShapeError::EraseSize {
                erase: ERASE,
                write: WRITE,
                sector,
            });
        }
        let sectors = sectors.with(Cells::Flash);
        Ok(Self { sectors })
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

    /// Bytes that offsets of 32 bits reach, in whole erases.
    fn reach(&self) -> usize {
        let bytes = self.sectors.capacity().min(u64::from(u32::MAX));
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        bytes - bytes % ERASE
    }

    /// Sectors of a range that was checked: the first, and how many.
    fn range(&self, from: u32, to: u32) -> (Sector, u32) {
        let sector_bytes = self.sectors.volume().sector_bytes() as u32;
        (Sector(from / sector_bytes), (to - from) / sector_bytes)
    }

    async fn read_bytes(
        &mut self,
        offset: u32,
        bytes: &mut [u8],
        waiting: Waiting,
    ) -> Result<(), DoorError> {
        check_read(self, offset, bytes.len())?;
        Ok(self.sectors.read(u64::from(offset), bytes, waiting).await?)
    }

    async fn write_bytes(
        &mut self,
        offset: u32,
        bytes: &[u8],
        waiting: Waiting,
    ) -> Result<(), DoorError> {
        check_write(self, offset, bytes.len())?;
        let give = |done, into: &mut [u8]| {
            for (bits, written) in into.iter_mut().zip(&bytes[done..]) {
                *bits &= written;
            }
        };
        let (offset, len) = (u64::from(offset), bytes.len());
        Ok(self.sectors.write(offset, len, waiting, give).await?)
    }

    async fn erase_bytes(&mut self, from: u32, to: u32, waiting: Waiting) -> Result<(), DoorError> {
        check_erase(self, from, to)?;
        let (first, count) = self.range(from, to);
        Ok(self.sectors.erase(first, count, waiting).await?)
    }
}

impl<N: Nand, const WRITE: usize, const ERASE: usize> ErrorType
    for NorFlashDisk<'_, N, WRITE, ERASE>
{
    type Error = DoorError;
}

impl<N: Nand, const WRITE: usize, const ERASE: usize> ReadNorFlash
    for NorFlashDisk<'_, N, WRITE, ERASE>
{
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), DoorError> {
        now(self.read_bytes(offset, bytes, Waiting::Here))
    }

    fn capacity(&self) -> usize {
        self.reach()
    }
}

impl<N: Nand, const WRITE: usize, const ERASE: usize> NorFlash
    for NorFlashDisk<'_, N, WRITE, ERASE>
{
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), DoorError> {
        now(self.erase_bytes(from, to, Waiting::Here))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), DoorError> {
        now(self.write_bytes(offset, bytes, Waiting::Here))
    }
}

impl<N: Nand, const WRITE: usize, const ERASE: usize> MultiwriteNorFlash
    for NorFlashDisk<'_, N, WRITE, ERASE>
{
}

#[cfg(feature = "embedded-storage-async")]
mod asynchronous {
    use cuesta_hal::Nand;
    use embedded_storage_async::nor_flash::{MultiwriteNorFlash, NorFlash, ReadNorFlash};

    use super::{DoorError, NorFlashDisk, Waiting};

    impl<N: Nand, const WRITE: usize, const ERASE: usize> ReadNorFlash
        for NorFlashDisk<'_, N, WRITE, ERASE>
    {
        const READ_SIZE: usize = 1;

        async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), DoorError> {
            self.read_bytes(offset, bytes, Waiting::OtherTasks).await
        }

        fn capacity(&self) -> usize {
            self.reach()
        }
    }

    impl<N: Nand, const WRITE: usize, const ERASE: usize> NorFlash
        for NorFlashDisk<'_, N, WRITE, ERASE>
    {
        const WRITE_SIZE: usize = WRITE;
        const ERASE_SIZE: usize = ERASE;

        async fn erase(&mut self, from: u32, to: u32) -> Result<(), DoorError> {
            self.erase_bytes(from, to, Waiting::OtherTasks).await
        }

        async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), DoorError> {
            self.write_bytes(offset, bytes, Waiting::OtherTasks).await
        }
    }

    impl<N: Nand, const WRITE: usize, const ERASE: usize> MultiwriteNorFlash
        for NorFlashDisk<'_, N, WRITE, ERASE>
    {
    }
}
