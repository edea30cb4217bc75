//! A volume on NAND as a resource.

use cuesta_hal::Nand;

use crate::volume::{Event, Sector, Ticket, Volume, WriteOptions};

use super::{Completion, Resource, ResourceError, Status};

impl<N: Nand> Resource for Volume<'_, N> {
    fn status(&self) -> Status {
        Status {
            identity: self.parameters().volume_id,
            sector_bytes: self.parameters().sector_bytes,
            sectors: self.capacity(),
            volatile: false,
            read_only: self.is_read_only(),
            ready: self.check_alive().is_ok(),
        }
    }

    fn submit_read(&mut self, sector: Sector) -> nb::Result<Ticket, ResourceError> {
        Self::submit_read(self, sector).map_err(refused)
    }

    fn submit_write(
        &mut self,
        sector: Sector,
        data: &[u8],
        options: WriteOptions,
    ) -> nb::Result<Ticket, ResourceError> {
        self.submit_write_with(sector, data, options)
            .map_err(refused)
    }

    fn submit_trim(&mut self, first: Sector, count: u32) -> nb::Result<Ticket, ResourceError> {
        Self::submit_trim(self, first, count).map_err(refused)
    }

    fn submit_flush(&mut self) -> nb::Result<Ticket, ResourceError> {
        Self::submit_flush(self).map_err(refused)
    }

    fn poll(&mut self) -> Completion<'_> {
        match Self::poll(self) {
            Event::Written(ticket) | Event::Committed(ticket) => Completion::Written(ticket),
            Event::Data(ticket, bytes) => Completion::Data(ticket, bytes),
            Event::Unwritten(ticket) => Completion::Unwritten(ticket),
            Event::Trimmed(ticket) => Completion::Trimmed(ticket),
            Event::Flushed(ticket) => Completion::Flushed(ticket),
            Event::Failed(ticket, error) => Completion::Failed(ticket, error.into()),
            Event::Pending => Completion::Pending,
            Event::Idle => Completion::Idle,
        }
    }

    fn wait(&mut self) {
        Self::wait(self);
    }

    fn batch_max(&self) -> u32 {
        u32::try_from(Self::batch_max(self)).unwrap_or(u32::MAX)
    }

    fn begin_batch(&mut self) -> nb::Result<(), ResourceError> {
        Self::begin_batch(self).map_err(refused)
    }

    fn submit_member(
        &mut self,
        sector: Sector,
        data: &[u8],
        options: WriteOptions,
    ) -> nb::Result<Ticket, ResourceError> {
        self.submit_batch_write_with(sector, data, options)
            .map_err(refused)
    }

    fn submit_commit(&mut self) -> nb::Result<Ticket, ResourceError> {
        Self::submit_commit(self).map_err(refused)
    }

    fn abort_batch(&mut self) {
        Self::abort_batch(self);
    }
}

fn refused(error: nb::Error<crate::volume::Error>) -> nb::Error<ResourceError> {
    error.map(ResourceError::from)
}
