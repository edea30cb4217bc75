//! Resources: whatever holds sectors, by one interface.
//!
//! A level may ask for RAM, for NAND, for a file or for a disk on another machine; what serves it is the same code. Sectors are read, written and trimmed
//! as a [`Volume`](crate::volume::Volume) does it: requests are *submitted* and named by a ticket, work is *polled*.
//!
//! Knows the volume below, which is one of them; knows nothing of caches, policies or requests above.

mod completion;
mod error;
mod now;
mod part;
mod ram_store;
mod status;
mod volume;
mod worth;

use crate::volume::{Sector, Ticket, WriteOptions};

pub use completion::Completion;
pub use error::ResourceError;
pub(crate) use now::{read_now, verify_now, write_now, write_whole_now};
pub use part::Part;
pub use ram_store::{RamStore, StoreShapeError};
pub use status::Status;
pub use worth::Worth;

/// A number of sectors of the same size, each readable, writable and trimmable by itself.
///
/// # Contract
///
/// * `submit_*` accepts a request, or says [`nb::Error::WouldBlock`]: poll, and submit it again. A request that is refused with an error has done nothing.
/// * A write's bytes are taken when it is accepted; a read's are lent by [`poll`](Self::poll) until the next call.
/// * Each accepted request completes exactly once, in any order; requests for the same sector take effect in order of acceptance.
/// * A ticket may be forgotten: its request is served all the same.
/// * A sector that was never written, or was trimmed, reads as [`Completion::Unwritten`]. Where a resource cannot tell, it reads as zeros.
/// * [`Completion::Flushed`] says that what was completed before the flush was submitted survives whatever [`Status::volatile`] leaves: a cut, if it is
///   false; nothing, if it is true.
pub trait Resource {
    /// What it is at the moment. A remote one may change: [`Status::sectors`] may shrink, and it may be gone for a while.
    fn status(&self) -> Status;

    /// Asks for a sector's bytes.
    ///
    /// # Errors
    /// [`ResourceError`]; nothing was done.
    fn submit_read(&mut self, sector: Sector) -> nb::Result<Ticket, ResourceError>;

    /// Writes a sector. What of `options` the resource has no use for is ignored.
    ///
    /// # Errors
    /// [`ResourceError`]; nothing was done.
    fn submit_write(
        &mut self,
        sector: Sector,
        data: &[u8],
        options: WriteOptions,
    ) -> nb::Result<Ticket, ResourceError>;

    /// Makes `count` sectors from `first` on read as unwritten; durable at the next flush.
    ///
    /// # Errors
    /// [`ResourceError`]; nothing was done.
    fn submit_trim(&mut self, first: Sector, count: u32) -> nb::Result<Ticket, ResourceError>;

    /// Makes durable what was completed before.
    ///
    /// # Errors
    /// [`ResourceError`]; nothing was done.
    fn submit_flush(&mut self) -> nb::Result<Ticket, ResourceError>;

    /// Does a bounded amount of work, and hands out at most one completion.
    fn poll(&mut self) -> Completion<'_>;

    /// What is about to be written to a sector, or what became of what is there, is worth this much: a hint for where and how to keep it.
    fn mark(&mut self, _sector: Sector, _worth: Worth) {}

    /// To be called after [`Completion::Pending`]: lets the caller sleep until something may have settled. May return early.
    fn wait(&mut self);

    /// Sectors that can be written as a whole: all of them, or none, whenever the power goes. 1 where that cannot be done.
    fn batch_max(&self) -> u32 {
        1
    }

    /// Begins to write sectors as a whole. Nothing else may be under way until that has ended.
    ///
    /// # Errors
    /// [`ResourceError::NoBatch`], or what the resource fails with; nothing was done.
    fn begin_batch(&mut self) -> nb::Result<(), ResourceError> {
        Err(nb::Error::Other(ResourceError::NoBatch))
    }

    /// Writes one of them: it takes effect with [`submit_commit`](Self::submit_commit), or not at all.
    ///
    /// # Errors
    /// [`ResourceError`]; nothing was done.
    fn submit_member(
        &mut self,
        _sector: Sector,
        _data: &[u8],
        _options: WriteOptions,
    ) -> nb::Result<Ticket, ResourceError> {
        Err(nb::Error::Other(ResourceError::NoBatch))
    }

    /// All that was written since [`begin_batch`](Self::begin_batch) takes effect: durably, when [`Completion::Written`] says so.
    ///
    /// # Errors
    /// [`ResourceError`]; nothing was done.
    fn submit_commit(&mut self) -> nb::Result<Ticket, ResourceError> {
        Err(nb::Error::Other(ResourceError::NoBatch))
    }

    /// Gives up what was begun.
    fn abort_batch(&mut self) {}
}

impl<R: Resource + ?Sized> Resource for &mut R {
    fn status(&self) -> Status {
        (**self).status()
    }

    fn submit_read(&mut self, sector: Sector) -> nb::Result<Ticket, ResourceError> {
        (**self).submit_read(sector)
    }

    fn submit_write(
        &mut self,
        sector: Sector,
        data: &[u8],
        options: WriteOptions,
    ) -> nb::Result<Ticket, ResourceError> {
        (**self).submit_write(sector, data, options)
    }

    fn submit_trim(&mut self, first: Sector, count: u32) -> nb::Result<Ticket, ResourceError> {
        (**self).submit_trim(first, count)
    }

    fn submit_flush(&mut self) -> nb::Result<Ticket, ResourceError> {
        (**self).submit_flush()
    }

    fn poll(&mut self) -> Completion<'_> {
        (**self).poll()
    }

    fn mark(&mut self, sector: Sector, worth: Worth) {
        (**self).mark(sector, worth);
    }

    fn wait(&mut self) {
        (**self).wait();
    }

    fn batch_max(&self) -> u32 {
        (**self).batch_max()
    }

    fn begin_batch(&mut self) -> nb::Result<(), ResourceError> {
        (**self).begin_batch()
    }

    fn submit_member(
        &mut self,
        sector: Sector,
        data: &[u8],
        options: WriteOptions,
    ) -> nb::Result<Ticket, ResourceError> {
        (**self).submit_member(sector, data, options)
    }

    fn submit_commit(&mut self) -> nb::Result<Ticket, ResourceError> {
        (**self).submit_commit()
    }

    fn abort_batch(&mut self) {
        (**self).abort_batch();
    }
}
