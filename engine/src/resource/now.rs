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

/// Reads sectors in a row, and compares.
///
/// # Errors
/// What the resource has failed with; [`ResourceError::Device`] where something else was read.
pub(crate) fn verify_now<R: Resource + ?Sized>(
    resource: &mut R,
    first: Sector,
    data: &[u8],
    sector_bytes: usize,
) -> Result<(), ResourceError> {
    for (sector, expected) in (first.0..).zip(data.chunks(sector_bytes)) {
        let submit = |resource: &mut R| resource.submit_read(Sector(sector));
        let ticket = submit_now(resource, submit)?;
        if !same(resource, ticket, expected)? {
            return Err(ResourceError::Device);
        }
    }
    Ok(())
}

/// Writes sectors in a row as a whole: when it succeeds, all of it is durable. Nothing else may be under way.
///
/// # Errors
/// What the resource has failed with, and whether the last step had begun: none of it took effect before that, and all or none then.
pub(crate) fn write_whole_now<R: Resource + ?Sized>(
    resource: &mut R,
    first: Sector,
    data: &[u8],
    sector_bytes: usize,
    options: WriteOptions,
) -> Result<(), (ResourceError, bool)> {
    submit_now(resource, Resource::begin_batch).map_err(|error| (error, false))?;
    for (sector, bytes) in (first.0..).zip(data.chunks(sector_bytes)) {
        let submit = |resource: &mut R| resource.submit_member(Sector(sector), bytes, options);
        let written =
            submit_now(resource, submit).and_then(|ticket| finish(resource, ticket, &mut []));
        if let Err(error) = written {
            resource.abort_batch();
            return Err((error, false));
        }
    }
    match submit_now(resource, Resource::submit_commit) {
        Ok(ticket) => finish(resource, ticket, &mut [])
            .map(|_| ())
            .map_err(|error| (error, true)),
        Err(error) => {
            resource.abort_batch();
            Err((error, false))
        }
    }
}

fn submit_now<R: Resource + ?Sized, T>(
    resource: &mut R,
    submit: impl Fn(&mut R) -> nb::Result<T, ResourceError>,
) -> Result<T, ResourceError> {
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

/// True when what a read brings is this.
fn same<R: Resource + ?Sized>(
    resource: &mut R,
    wanted: Ticket,
    expected: &[u8],
) -> Result<bool, ResourceError> {
    let mut found = false;
    let take = |bytes: &[u8]| {
        found = bytes == expected;
        Ok(())
    };
    finish_with(resource, wanted, take)?;
    Ok(found)
}

fn finish<R: Resource + ?Sized>(
    resource: &mut R,
    wanted: Ticket,
    data: &mut [u8],
) -> Result<bool, ResourceError> {
    finish_with(resource, wanted, |bytes| {
        if bytes.len() != data.len() {
            return Err(ResourceError::Device);
        }
        data.copy_from_slice(bytes);
        Ok(())
    })
}

fn finish_with<R: Resource + ?Sized>(
    resource: &mut R,
    wanted: Ticket,
    mut take: impl FnMut(&[u8]) -> Result<(), ResourceError>,
) -> Result<bool, ResourceError> {
    let mut idle = 0;
    while idle < IDLE_MAX {
        match resource.poll() {
            Completion::Written(ticket) if ticket == wanted => return Ok(true),
            Completion::Unwritten(ticket) if ticket == wanted => return Ok(false),
            Completion::Data(ticket, bytes) if ticket == wanted => {
                take(bytes)?;
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
