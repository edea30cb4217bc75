//! One sector at a time, done when the call returns: for what is read or written while nothing else is under way.

use crate::volume::{Sector, Ticket, WriteOptions};

use super::{Completion, Resource, ResourceError};

/// Turns in which a resource may have nothing to tell of a request.
const IDLE_MAX: u32 = 1 << 16;

/// Writes a sector.
///
/// # Errors
/// What the resource has failed with.
pub(crate) fn write_now<R: Resource + ?Sized>(
    resource: &mut R,
    sector: Sector,
    data: &[u8],
) -> Result<(), ResourceError> {
    let submit = |resource: &mut R| resource.submit_write(sector, data, WriteOptions::default());
    let ticket = submit_now(resource, submit)?;
    finish(resource, ticket, &mut []).map(|_| ())
}

/// Reads a sector. False where there is nothing, or nothing that can be read.
///
/// # Errors
/// What the resource has failed with.
pub(crate) fn read_now<R: Resource + ?Sized>(
    resource: &mut R,
    sector: Sector,
    data: &mut [u8],
) -> Result<bool, ResourceError> {
    let found = submit_now(resource, |resource: &mut R| resource.submit_read(sector))
        .and_then(|ticket| finish(resource, ticket, data));
    match found {
        Err(ResourceError::Lost(_)) => Ok(false),
        found => found,
    }
}

fn submit_now<R: Resource + ?Sized>(
    resource: &mut R,
    submit: impl Fn(&mut R) -> nb::Result<Ticket, ResourceError>,
) -> Result<Ticket, ResourceError> {
    for _ in 0..IDLE_MAX {
        match submit(resource) {
            Ok(ticket) => return Ok(ticket),
            Err(nb::Error::Other(error)) => return Err(error),
            Err(nb::Error::WouldBlock) => {
                if resource.poll() == Completion::Pending {
                    resource.wait();
                }
            }
        }
    }
    Err(ResourceError::Device)
}

fn finish<R: Resource + ?Sized>(
    resource: &mut R,
    wanted: Ticket,
    data: &mut [u8],
) -> Result<bool, ResourceError> {
    let mut idle = 0;
    while idle < IDLE_MAX {
        match resource.poll() {
            Completion::Written(ticket) if ticket == wanted => return Ok(true),
            Completion::Unwritten(ticket) if ticket == wanted => return Ok(false),
            Completion::Data(ticket, bytes) if ticket == wanted => {
                if bytes.len() != data.len() {
                    return Err(ResourceError::Device);
                }
                data.copy_from_slice(bytes);
                return Ok(true);
            }
            Completion::Failed(ticket, error) if ticket == wanted => return Err(error),
            Completion::Pending => resource.wait(),
            Completion::Idle => idle += 1,
            _ => {}
        }
    }
    Err(ResourceError::Device)
}
