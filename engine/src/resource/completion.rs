//! What a resource hands out when it is polled.

use crate::volume::Ticket;

use super::error::ResourceError;

/// The outcome of a request, or the lack of one.
#[derive(Debug, PartialEq, Eq)]
pub enum Completion<'b> {
    /// The sector is in the resource, as durably as the resource keeps anything.
    Written(Ticket),
    /// The sector's bytes, until the next call: copy them.
    Data(Ticket, &'b [u8]),
    /// The sector holds nothing: it reads as zeros.
    Unwritten(Ticket),
    /// The sectors read as unwritten from now on; durable at the next flush.
    Trimmed(Ticket),
    /// Everything completed before the flush was submitted is durable.
    Flushed(Ticket),
    /// The request failed.
    Failed(Ticket, ResourceError),
    /// Requests are under way, none has settled: [`wait`](super::Resource::wait), then poll again.
    Pending,
    /// Nothing is under way.
    Idle,
}
