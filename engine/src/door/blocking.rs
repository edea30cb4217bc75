//! The blocking door: one request at a time, finished when the call returns.

use cuesta_hal::Nand;

use crate::volume::{Error, Event, Sector, Ticket, Volume, WriteOptions};

use super::turn::{self, Submission, Turn};

/// A volume behind blocking calls.
///
/// Each call drives the volume's own work as far as the request needs, and returns when the request is done. The first
/// change after a mount recovers, if the last session did not end with [`unmount`](Self::unmount).
#[derive(Debug)]
pub struct Disk<'m, N: Nand> {
    volume: Volume<'m, N>,
}

impl<'m, N: Nand> Disk<'m, N> {
    /// Puts the door in front of a volume. Requests submitted before are forgotten.
    #[must_use]
    pub const fn new(volume: Volume<'m, N>) -> Self {
        Self { volume }
    }

    /// The volume.
    #[must_use]
    pub const fn volume(&self) -> &Volume<'m, N> {
        &self.volume
    }

    /// The volume, for requests of its own.
    pub const fn volume_mut(&mut self) -> &mut Volume<'m, N> {
        &mut self.volume
    }

    /// The volume without the door.
    #[must_use]
    pub fn into_volume(self) -> Volume<'m, N> {
        self.volume
    }

    /// Takes turns until one brings what is waited for.
    fn drive<T>(
        &mut self,
        mut turn: impl FnMut(&mut Volume<'m, N>) -> Result<Turn<T>, Error>,
    ) -> Result<T, Error> {
        loop {
            match turn(&mut self.volume)? {
                Turn::Done(brought) => return Ok(brought),
                Turn::Again => {}
                Turn::Wait => self.volume.wait(),
            }
        }
    }

    fn submit<T>(
        &mut self,
        mut request: impl FnMut(&mut Volume<'m, N>) -> nb::Result<T, Error>,
    ) -> Result<T, Error> {
        let mut submission = Submission::default();
        self.drive(|volume| submission.turn(volume, &mut request))
    }

    fn finish(&mut self, wanted: Ticket) -> Result<(), Error> {
        self.drive(|volume| turn::finish(volume, wanted))
    }

    /// Reads a sector into `data`. False when it was never written or was trimmed: `data` is zeros then.
    ///
    /// # Errors
    /// [`Error::Lost`], [`Error::OutOfRange`], [`Error::Length`], [`Error::Nand`].
    pub fn read(&mut self, sector: Sector, data: &mut [u8]) -> Result<bool, Error> {
        if data.len() != self.volume.sector_bytes() {
            return Err(Error::Length {
                found: data.len(),
                expected: self.volume.sector_bytes(),
            });
        }
        let wanted = self.submit(|volume| volume.submit_read(sector))?;
        self.drive(|volume| turn::fetch(volume, wanted, data, 0))
    }

    /// Writes a sector: when the call returns it is on the media and survives a power cut.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::Length`], [`Error::ReadOnly`], [`Error::NoSpace`], [`Error::Nand`].
    pub fn write(&mut self, sector: Sector, data: &[u8]) -> Result<(), Error> {
        let ticket = self.submit(|volume| volume.submit_write(sector, data))?;
        self.finish(ticket)
    }

    /// Writes a sector as asked for: at a level, with a placement hint.
    ///
    /// # Errors
    /// [`Error::NoLevel`], and those of [`write`](Self::write).
    pub fn write_with(
        &mut self,
        sector: Sector,
        data: &[u8],
        options: WriteOptions,
    ) -> Result<(), Error> {
        let ticket = self.submit(|volume| volume.submit_write_with(sector, data, options))?;
        self.finish(ticket)
    }

    /// Makes `count` sectors from `first` on read as unwritten; durable at the next flush.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub fn trim(&mut self, first: Sector, count: u32) -> Result<(), Error> {
        let ticket = self.submit(|volume| volume.submit_trim(first, count))?;
        self.finish(ticket)
    }

    /// Makes everything done before durable.
    ///
    /// # Errors
    /// [`Error::Nand`].
    pub fn flush(&mut self) -> Result<(), Error> {
        let ticket = self.submit(Volume::submit_flush)?;
        self.finish(ticket)
    }

    /// Opens an atomic batch.
    ///
    /// # Errors
    /// As for [`write`](Self::write); [`Error::NoBatch`] when one is open already.
    pub fn begin_batch(&mut self) -> Result<(), Error> {
        if self.volume.batch_is_open() {
            return Err(Error::NoBatch);
        }
        self.submit(Volume::begin_batch)
    }

    /// Writes a member of the open batch.
    ///
    /// # Errors
    /// As for [`write`](Self::write); [`Error::NoBatch`], [`Error::BatchTooLarge`].
    pub fn batch_write(&mut self, sector: Sector, data: &[u8]) -> Result<(), Error> {
        let ticket = self.submit(|volume| volume.submit_batch_write(sector, data))?;
        self.finish(ticket)
    }

    /// Commits the open batch: when the call returns, all of it is there and survives a power cut; before, none of it is.
    ///
    /// # Errors
    /// [`Error::NoBatch`], [`Error::Nand`].
    pub fn commit_batch(&mut self) -> Result<(), Error> {
        let ticket = self.submit(Volume::submit_commit)?;
        self.finish(ticket)
    }

    /// Uses idle time to bring the free segments up to `free`, for at most `steps` turns. True while there is more to do.
    ///
    /// # Errors
    /// [`Error::Nand`].
    pub fn idle(&mut self, free: u32, steps: u32) -> Result<bool, Error> {
        for _ in 0..steps {
            if !self.volume.idle(free)? {
                return Ok(false);
            }
            match self.volume.poll() {
                Event::Pending => self.volume.wait(),
                Event::Failed(_, error) => return Err(error),
                _ => {}
            }
        }
        Ok(true)
    }

    /// Ends the session cleanly and gives the NAND back.
    ///
    /// # Errors
    /// The NAND with what stopped the unmount.
    pub fn unmount(self) -> Result<N, (N, Error)> {
        self.volume.unmount()
    }
}
