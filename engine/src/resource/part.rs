//! A range of another resource's sectors.

use crate::volume::{Sector, Ticket, WriteOptions};

use super::{Completion, Resource, ResourceError, Status, Worth};

/// A range of sectors as a resource of its own: the rest of it is somebody else's.
#[derive(Debug)]
pub struct Part<R> {
    whole: R,
    first: u32,
    sectors: u32,
}

impl<R: Resource> Part<R> {
    /// `sectors` of them from `first` on; `None` where the resource has not as many.
    pub fn new(whole: R, first: Sector, sectors: u32) -> Option<Self> {
        let end = first.0.checked_add(sectors)?;
        (end <= whole.status().sectors).then_some(Self {
            whole,
            first: first.0,
            sectors,
        })
    }

    /// The whole resource.
    pub fn into_whole(self) -> R {
        self.whole
    }

    /// The whole resource, to look after it.
    pub const fn whole_mut(&mut self) -> &mut R {
        &mut self.whole
    }

    fn place(&self, sector: Sector, count: u32) -> Result<Sector, ResourceError> {
        match sector.0.checked_add(count) {
            Some(end) if end <= self.sectors => Ok(Sector(self.first + sector.0)),
            _ => Err(ResourceError::OutOfRange {
                sector: Sector(sector.0.max(self.sectors)),
                sectors: self.sectors,
            }),
        }
    }
}

impl<R: Resource> Resource for Part<R> {
    fn status(&self) -> Status {
        let status = self.whole.status();
        let left = status.sectors.saturating_sub(self.first);
        Status {
            sectors: self.sectors.min(left),
            ..status
        }
    }

    fn submit_read(&mut self, sector: Sector) -> nb::Result<Ticket, ResourceError> {
        let sector = self.place(sector, 1)?;
        self.whole.submit_read(sector)
    }

    fn submit_write(
        &mut self,
        sector: Sector,
        data: &[u8],
        options: WriteOptions,
    ) -> nb::Result<Ticket, ResourceError> {
        let sector = self.place(sector, 1)?;
        self.whole.submit_write(sector, data, options)
    }

    fn submit_trim(&mut self, first: Sector, count: u32) -> nb::Result<Ticket, ResourceError> {
        let first = self.place(first, count)?;
        self.whole.submit_trim(first, count)
    }

    fn submit_flush(&mut self) -> nb::Result<Ticket, ResourceError> {
        self.whole.submit_flush()
    }

    fn poll(&mut self) -> Completion<'_> {
        self.whole.poll()
    }

    fn mark(&mut self, sector: Sector, worth: Worth) {
        if let Ok(sector) = self.place(sector, 1) {
            self.whole.mark(sector, worth);
        }
    }

    fn wait(&mut self) {
        self.whole.wait();
    }

    fn batch_max(&self) -> u32 {
        self.whole.batch_max()
    }

    fn begin_batch(&mut self) -> nb::Result<(), ResourceError> {
        self.whole.begin_batch()
    }

    fn submit_member(
        &mut self,
        sector: Sector,
        data: &[u8],
        options: WriteOptions,
    ) -> nb::Result<Ticket, ResourceError> {
        let sector = self.place(sector, 1)?;
        self.whole.submit_member(sector, data, options)
    }

    fn submit_commit(&mut self) -> nb::Result<Ticket, ResourceError> {
        self.whole.submit_commit()
    }

    fn abort_batch(&mut self) {
        self.whole.abort_batch();
    }
}
