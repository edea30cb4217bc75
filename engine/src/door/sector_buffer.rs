//! Bytes at any place of a volume, through a buffer of one sector: what the byte-addressed doors share.
//!
//! Knows the volume; knows nothing of the traits that the doors implement.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use cuesta_hal::Nand;

use crate::volume::{Error, Sector, Ticket, Volume, WriteOptions};

use super::door_error::DoorShapeError;
use super::turn::{self, Submission, Turn};

/// How a caller waits while the part works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// Within the call; the part may let the processor sleep.
    Here,
    /// By letting other tasks run. The task asks to be woken at once: nothing tells it when the part has ended.
    OtherTasks,
}

/// What a byte is before it was written, and whether writing it depends on what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cells {
    /// Unwritten bytes are 0; a byte becomes what is written, whatever it was.
    Disk,
    /// Unwritten bytes are 0xFF; writing clears bits, so that what was there always counts.
    Flash,
}

impl Cells {
    const fn unwritten(self) -> u8 {
        match self {
            Self::Disk => 0,
            Self::Flash => 0xFF,
        }
    }
}

/// A volume and a buffer for the sector that was touched last: what stands behind a door that addresses bytes or blocks.
#[derive(Debug)]
pub struct SectorBuffer<'m, N: Nand> {
    volume: Volume<'m, N>,
    bytes: &'m mut [u8],
    /// The sector whose content on the media is in the buffer.
    held: Option<Sector>,
    cells: Cells,
    options: WriteOptions,
}

/// Runs what waits by [`Waiting::Here`], and so is ready when it is asked first.
pub(super) fn now<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// Lets other tasks run once.
async fn other_tasks() {
    let mut asked = false;
    core::future::poll_fn(|context| {
        if asked {
            return Poll::Ready(());
        }
        asked = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Takes turns until one brings what is waited for.
async fn drive<'m, N: Nand, T>(
    volume: &mut Volume<'m, N>,
    waiting: Waiting,
    mut turn: impl FnMut(&mut Volume<'m, N>) -> Result<Turn<T>, Error>,
) -> Result<T, Error> {
    loop {
        match turn(volume)? {
            Turn::Done(brought) => return Ok(brought),
            Turn::Again => {}
            Turn::Wait => {
                // In a simulator time passes here, and nowhere else.
                volume.wait();
                if waiting == Waiting::OtherTasks {
                    other_tasks().await;
                }
            }
        }
    }
}

async fn submit<'m, N: Nand>(
    volume: &mut Volume<'m, N>,
    waiting: Waiting,
    mut request: impl FnMut(&mut Volume<'m, N>) -> nb::Result<Ticket, Error>,
) -> Result<Ticket, Error> {
    let mut submission = Submission::default();
    drive(volume, waiting, |volume| {
        submission.turn(volume, &mut request)
    })
    .await
}

/// Part of a range of bytes that lies in one sector.
struct Piece {
    sector: Sector,
    /// First byte within the sector.
    start: usize,
    len: usize,
}

impl<'m, N: Nand> SectorBuffer<'m, N> {
    /// Puts a buffer in front of a volume. It must have a sector's bytes; more are not used.
    ///
    /// # Errors
    /// It is too short. The volume is given up then, as by [`Volume::abandon`].
    pub fn new(volume: Volume<'m, N>, buffer: &'m mut [u8]) -> Result<Self, DoorShapeError> {
        let (found, needed) = (buffer.len(), volume.sector_bytes());
        let Some(bytes) = buffer.get_mut(..needed) else {
            return Err(DoorShapeError::Buffer { found, needed });
        };
        Ok(Self {
            volume,
            bytes,
            held: None,
            cells: Cells::Disk,
            options: WriteOptions::default(),
        })
    }

    /// From now on sectors are written like this: at a level, with a placement hint.
    pub const fn set_options(&mut self, options: WriteOptions) {
        self.options = options;
    }

    /// The volume.
    #[must_use]
    pub const fn volume(&self) -> &Volume<'m, N> {
        &self.volume
    }

    /// The volume, for requests of its own. Events that nobody has waited for are gone after the door's next call.
    pub const fn volume_mut(&mut self) -> &mut Volume<'m, N> {
        // What the buffer holds may change behind it.
        self.held = None;
        &mut self.volume
    }

    /// The volume without the buffer.
    #[must_use]
    pub fn into_volume(self) -> Volume<'m, N> {
        self.volume
    }

    /// The same for a door of this kind.
    pub(super) fn with(self, cells: Cells) -> Self {
        // What the buffer holds was read for another kind.
        Self {
            cells,
            held: None,
            ..self
        }
    }

    /// Bytes of the volume.
    pub(super) fn capacity(&self) -> u64 {
        u64::from(self.volume.capacity()) * self.volume.sector_bytes() as u64
    }

    /// What of `len` bytes from `offset` on lies in the first sector.
    fn piece(&self, offset: u64, len: usize) -> Result<Piece, Error> {
        let sector_bytes = self.bytes.len();
        let within = offset % sector_bytes as u64;
        let start = within as usize;
        let sector = u32::try_from(offset / sector_bytes as u64).map(Sector);
        Ok(Piece {
            sector: sector.map_err(|_| Error::OutOfRange {
                sector: Sector(u32::MAX),
                capacity: self.volume.capacity(),
            })?,
            start,
            len: len.min(sector_bytes - start),
        })
    }

    /// Reads a sector that need not be kept.
    async fn fetch(
        volume: &mut Volume<'m, N>,
        sector: Sector,
        data: &mut [u8],
        unwritten: u8,
        waiting: Waiting,
    ) -> Result<bool, Error> {
        let wanted = submit(volume, waiting, |volume| volume.submit_read(sector)).await?;
        drive(volume, waiting, |volume| {
            turn::fetch(volume, wanted, data, unwritten)
        })
        .await
    }

    /// Sees to it that the buffer holds a sector.
    async fn hold(&mut self, sector: Sector, waiting: Waiting) -> Result<(), Error> {
        if self.held == Some(sector) {
            return Ok(());
        }
        // Until it is done the buffer holds nothing: the call may fail, or never be polled again.
        self.held = None;
        let unwritten = self.cells.unwritten();
        Self::fetch(&mut self.volume, sector, self.bytes, unwritten, waiting).await?;
        self.held = Some(sector);
        Ok(())
    }

    /// Reads from `offset` on. The range must lie within the volume.
    ///
    /// # Errors
    /// Those of reading a sector; what is in `data` then is not said.
    pub(super) async fn read(
        &mut self,
        offset: u64,
        data: &mut [u8],
        waiting: Waiting,
    ) -> Result<(), Error> {
        let mut done = 0;
        while let Some(rest) = data.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let piece = self.piece(offset + done as u64, rest.len())?;
            let into = &mut rest[..piece.len];
            if self.held != Some(piece.sector) && piece.len == self.bytes.len() {
                let unwritten = self.cells.unwritten();
                Self::fetch(&mut self.volume, piece.sector, into, unwritten, waiting).await?;
            } else {
                self.hold(piece.sector, waiting).await?;
                into.copy_from_slice(&self.bytes[piece.start..][..piece.len]);
            }
            done += piece.len;
        }
        Ok(())
    }

    /// Writes `len` bytes from `offset` on, sector by sector: each is on the media before the next is begun. `give` is told how many bytes it has
    /// given before, and writes the next into what it gets. The range must lie within the volume.
    ///
    /// # Errors
    /// Those of reading and writing a sector; those before it are written.
    pub(super) async fn write(
        &mut self,
        offset: u64,
        len: usize,
        waiting: Waiting,
        mut give: impl FnMut(usize, &mut [u8]),
    ) -> Result<(), Error> {
        let mut done = 0;
        while done < len {
            let piece = self.piece(offset + done as u64, len - done)?;
            // Where whatever was there counts for nothing it need not be read: it may be lost.
            let whole = piece.len == self.bytes.len() && self.cells == Cells::Disk;
            if !whole {
                self.hold(piece.sector, waiting).await?;
            }
            // From here on the buffer is ahead of the media.
            self.held = None;
            give(done, &mut self.bytes[piece.start..][..piece.len]);
            let (bytes, options) = (&*self.bytes, self.options);
            let ticket = submit(&mut self.volume, waiting, |volume| {
                volume.submit_write_with(piece.sector, bytes, options)
            })
            .await?;
            drive(&mut self.volume, waiting, |volume| {
                turn::finish(volume, ticket)
            })
            .await?;
            self.held = Some(piece.sector);
            done += piece.len;
        }
        Ok(())
    }

    /// Makes whole sectors read as unwritten, durably.
    ///
    /// # Errors
    /// Those of trims and flushes.
    pub(super) async fn erase(
        &mut self,
        first: Sector,
        count: u32,
        waiting: Waiting,
    ) -> Result<(), Error> {
        if count == 0 {
            return Ok(());
        }
        self.held = None;
        let volume = &mut self.volume;
        let ticket = submit(volume, waiting, |volume| volume.submit_trim(first, count)).await?;
        drive(volume, waiting, |volume| turn::finish(volume, ticket)).await?;
        let ticket = submit(volume, waiting, Volume::submit_flush).await?;
        drive(volume, waiting, |volume| turn::finish(volume, ticket)).await
    }
}
