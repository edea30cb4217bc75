//! One turn of a volume, for a caller who waits for one request: what all doors that wait are made of.

use cuesta_hal::Nand;

use crate::volume::{Error, Event, Ticket, Volume};

/// Turns without anything in flight after which a request that is still refused cannot be served.
const IDLE_MAX: u32 = 1 << 16;

/// What a turn has brought.
pub(super) enum Turn<T> {
    /// What the caller waits for.
    Done(T),
    /// Nothing yet; there is more to do at once.
    Again,
    /// Nothing yet, and nothing can be done before an operation in flight ends.
    Wait,
}

/// A request that the volume has not accepted yet.
#[derive(Debug, Default)]
pub(super) struct Submission {
    idle: u32,
}

impl Submission {
    /// Offers the request; if it has to wait, takes a turn.
    ///
    /// # Errors
    /// Those of the request; [`Error::NoSpace`] when it is refused for ever.
    pub(super) fn turn<'m, N: Nand, T>(
        &mut self,
        volume: &mut Volume<'m, N>,
        request: &mut impl FnMut(&mut Volume<'m, N>) -> nb::Result<T, Error>,
    ) -> Result<Turn<T>, Error> {
        match request(volume) {
            Ok(accepted) => return Ok(Turn::Done(accepted)),
            Err(nb::Error::Other(error)) => return Err(error),
            Err(nb::Error::WouldBlock) => {}
        }
        match volume.poll() {
            Event::Pending => return Ok(Turn::Wait),
            Event::Idle => self.idle += 1,
            _ => {}
        }
        if self.idle < IDLE_MAX {
            Ok(Turn::Again)
        } else {
            Err(Error::NoSpace)
        }
    }
}

/// A turn for a write, a trim, a flush or a commit.
///
/// # Errors
/// What the request has failed with, or the volume.
pub(super) fn finish<N: Nand>(
    volume: &mut Volume<'_, N>,
    wanted: Ticket,
) -> Result<Turn<()>, Error> {
    match volume.poll() {
        Event::Written(ticket)
        | Event::Trimmed(ticket)
        | Event::Flushed(ticket)
        | Event::Committed(ticket)
            if ticket == wanted =>
        {
            Ok(Turn::Done(()))
        }
        Event::Failed(ticket, error) if ticket == wanted => Err(error),
        Event::Pending => Ok(Turn::Wait),
        Event::Idle => volume.check_alive().map(|()| Turn::Again),
        _ => Ok(Turn::Again),
    }
}

/// A turn for a read: its bytes are copied to `data`, as long as a sector. False when the sector holds nothing: `data` is `unwritten` then.
///
/// # Errors
/// What the read has failed with, or the volume.
pub(super) fn fetch<N: Nand>(
    volume: &mut Volume<'_, N>,
    wanted: Ticket,
    data: &mut [u8],
    unwritten: u8,
) -> Result<Turn<bool>, Error> {
    match volume.poll() {
        Event::Data(ticket, bytes) if ticket == wanted => {
            data.copy_from_slice(bytes);
            Ok(Turn::Done(true))
        }
        Event::Unwritten(ticket) if ticket == wanted => {
            data.fill(unwritten);
            Ok(Turn::Done(false))
        }
        Event::Failed(ticket, error) if ticket == wanted => Err(error),
        Event::Pending => Ok(Turn::Wait),
        Event::Idle => volume.check_alive().map(|()| Turn::Again),
        _ => Ok(Turn::Again),
    }
}
