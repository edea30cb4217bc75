//! The policy of a volume: in its system sectors, replaced as a whole.

use core::fmt;

use cuesta_hal::Nand;

use crate::volume::{Error, Event, Ticket, Volume};

use super::form::{u32_at, HEAD_BYTES, MAGIC};
use super::table::{PolicyFault, PolicyTable};

/// Why the policy of a volume cannot be read or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StoreError {
    /// The volume failed.
    Volume(Error),
    /// What is stored is no policy, or was damaged. The volume serves; everything is to be write-through.
    Fault(PolicyFault),
    /// The volume's system sectors are too few, or it has none.
    Place {
        /// Bytes of the policy.
        needed: usize,
        /// Bytes of the system sectors.
        room: usize,
    },
    /// The caller's buffer is too small.
    Buffer {
        /// Bytes that are needed.
        needed: usize,
        /// Bytes of the buffer.
        room: usize,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Volume(error) => error.fmt(f),
            Self::Fault(fault) => write!(
                f,
                "{fault}. The volume serves at write-through until a policy is set"
            ),
            Self::Place { needed, room: 0 } => write!(
                f,
                "the volume has no place for a policy ({needed} bytes): it was formatted without system sectors"
            ),
            Self::Place { needed, room } => write!(
                f,
                "the policy needs {needed} bytes, {} more than the {room} of the volume's system sectors",
                needed.saturating_sub(*room)
            ),
            Self::Buffer { needed, room } => write!(
                f,
                "a buffer of {needed} bytes is needed, {} more than the {room} there are",
                needed.saturating_sub(*room)
            ),
        }
    }
}

impl core::error::Error for StoreError {}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        Self::Volume(error)
    }
}

/// Asks again until the volume takes the request.
fn submit<'m, N: Nand>(
    volume: &mut Volume<'m, N>,
    mut request: impl FnMut(&mut Volume<'m, N>) -> nb::Result<Ticket, Error>,
) -> Result<Ticket, Error> {
    loop {
        match request(volume) {
            Ok(ticket) => return Ok(ticket),
            Err(nb::Error::Other(error)) => return Err(error),
            Err(nb::Error::WouldBlock) => {
                if matches!(volume.poll(), Event::Pending) {
                    volume.wait();
                }
            }
        }
    }
}

/// Polls until a request of ours has settled; `into` takes the bytes of a read. True if there were any.
fn settle<N: Nand>(
    volume: &mut Volume<'_, N>,
    ours: Ticket,
    into: &mut [u8],
) -> Result<bool, Error> {
    loop {
        match volume.poll() {
            Event::Data(ticket, data) if ticket == ours => {
                for (to, from) in into.iter_mut().zip(data) {
                    *to = *from;
                }
                return Ok(true);
            }
            Event::Unwritten(ticket) if ticket == ours => return Ok(false),
            Event::Written(ticket) | Event::Committed(ticket) if ticket == ours => return Ok(true),
            Event::Failed(ticket, error) if ticket == ours => return Err(error),
            Event::Pending => volume.wait(),
            Event::Idle => return Err(Error::Nand(cuesta_hal::NandErrorKind::Other)),
            _ => {}
        }
    }
}

fn read<N: Nand>(
    volume: &mut Volume<'_, N>,
    number: u32,
    into: &mut [u8],
) -> Result<bool, StoreError> {
    let ticket = submit(volume, |volume| volume.submit_system_read(number))?;
    Ok(settle(volume, ticket, into)?)
}

/// Reads the policy of a volume into a buffer; `None` if none was ever set, or it was removed. Nothing may be in flight: what settles meanwhile is forgotten.
///
/// # Errors
/// What is stored is damaged, the buffer is too small, or the volume failed.
pub fn load<'b, N: Nand>(
    volume: &mut Volume<'_, N>,
    buffer: &'b mut [u8],
) -> Result<Option<PolicyTable<&'b mut [u8]>>, StoreError> {
    let sector_bytes = volume.sector_bytes();
    let room = buffer.len();
    if volume.system_sectors() == 0 {
        return Ok(None);
    }
    if room < HEAD_BYTES {
        let needed = HEAD_BYTES;
        return Err(StoreError::Buffer { needed, room });
    }
    let there = read(volume, 0, buffer)?;
    if !there || buffer.starts_with(&[0; MAGIC.len()]) {
        return Ok(None);
    }
    if !buffer.starts_with(&MAGIC) {
        return Err(StoreError::Fault(PolicyFault::NoPolicy));
    }
    let needed = u32_at(buffer, HEAD_BYTES - 8).unwrap_or(0) as usize;
    let sectors = needed.div_ceil(sector_bytes);
    if sectors > volume.system_sectors() as usize {
        let found = volume.system_sectors() as usize * sector_bytes;
        return Err(StoreError::Fault(PolicyFault::Length { found }));
    }
    if needed > room {
        return Err(StoreError::Buffer { needed, room });
    }
    for (number, into) in (0..).zip(buffer.chunks_mut(sector_bytes)).take(sectors) {
        if !read(volume, number, into)? {
            return Err(StoreError::Fault(PolicyFault::Length {
                found: number as usize * sector_bytes,
            }));
        }
    }
    PolicyTable::accept(buffer)
        .map(Some)
        .map_err(StoreError::Fault)
}

/// Replaces the policy of a volume, or removes it: durable when it returns. Whatever happens before, the one before or the new one is there, whole. `scratch`
/// is a sector long. Nothing may be in flight, no batch may be open: what settles meanwhile is forgotten.
///
/// # Errors
/// There is no place for it, the scratch is too small, or the volume failed.
pub fn save<N: Nand, B: AsRef<[u8]>>(
    volume: &mut Volume<'_, N>,
    policy: Option<&PolicyTable<B>>,
    scratch: &mut [u8],
) -> Result<(), StoreError> {
    let sector_bytes = volume.sector_bytes();
    let bytes = policy.map_or(&[0; HEAD_BYTES][..], |policy| policy.bytes());
    let (needed, room) = (bytes.len(), scratch.len());
    let place = volume.system_sectors() as usize * sector_bytes;
    if needed > place {
        let room = place;
        return Err(StoreError::Place { needed, room });
    }
    let Some(scratch) = scratch.get_mut(..sector_bytes) else {
        let needed = sector_bytes;
        return Err(StoreError::Buffer { needed, room });
    };
    submit(volume, |volume| volume.begin_batch().map(|()| Ticket(0)))?;
    let written = write(volume, bytes, scratch);
    if written.is_err() {
        volume.abort_batch();
    }
    Ok(written?)
}

fn write<N: Nand>(
    volume: &mut Volume<'_, N>,
    bytes: &[u8],
    scratch: &mut [u8],
) -> Result<(), Error> {
    for (number, part) in (0..).zip(bytes.chunks(scratch.len())) {
        let (own, rest) = scratch.split_at_mut(part.len());
        own.copy_from_slice(part);
        rest.fill(0);
        let ticket = submit(volume, |volume| volume.submit_system_write(number, scratch))?;
        settle(volume, ticket, &mut [])?;
    }
    let ticket = submit(volume, Volume::submit_commit)?;
    settle(volume, ticket, &mut []).map(|_| ())
}
