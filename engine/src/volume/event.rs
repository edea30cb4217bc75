//! What `poll` hands out.

use cuesta_hal::Die;

use super::address::Ticket;
use super::error::Error;

/// The outcome of a request, or the lack of one.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'b> {
    /// The sector is on the media and will be there after a power cut.
    Written(Ticket),
    /// The sector's bytes, in the die's buffer until the next call: copy them.
    Data(Ticket, &'b [u8]),
    /// The sector was never written, or was trimmed: it reads as zeros.
    Unwritten(Ticket),
    /// The sectors read as unwritten from now on; durable at the next flush.
    Trimmed(Ticket),
    /// Everything completed before the flush was submitted is durable.
    Flushed(Ticket),
    /// All members of the batch took effect, durably.
    Committed(Ticket),
    /// The request failed.
    Failed(Ticket, Error),
    /// Operations are in flight, none has settled: wait for the part, then poll again.
    Pending,
    /// Nothing is in flight and nothing has to be done.
    Idle,
}

/// An event before the buffer it points into is borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Written(Ticket),
    Data(Ticket, Die, u32),
    Unwritten(Ticket),
    Trimmed(Ticket),
    Flushed(Ticket),
    Committed(Ticket),
    Failed(Ticket, Error),
}
