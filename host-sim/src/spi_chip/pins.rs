//! An emulated part at the end of a pair of streams: for firmware in an emulated microcontroller, whose bus forwards what it does.
//!
//! The firmware sends requests, each an opcode byte and what belongs to it, numbers in little-endian order:
//!
//! | request | bytes behind it | answer |
//! |---|---|---|
//! | `W` | 16-bit count, so many bytes to the part | none |
//! | `R` | 16-bit count | so many bytes from the part |
//! | `X` | 16-bit count, so many bytes to the part | as many from the part, at the same time |
//! | `D` | 32-bit nanoseconds that pass | none |
//! | `E` | none: chip select rises | none |
//!
//! Chip select falls with the first `W`, `R` or `X` after an `E`.

use super::model::SpiChip;
use crate::media::Media;
use std::io::{self, Read, Write};

/// The time that a byte takes: 104 MHz.
const BYTE_NS: u64 = 77;

/// Why serving ended before its time.
#[derive(Debug)]
pub enum ServeError {
    /// A stream failed.
    Io(io::Error),
    /// A request that there is none of.
    Request(u8),
}

impl std::fmt::Display for ServeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the stream to the part failed: {error}"),
            Self::Request(opcode) => write!(f, "{opcode:02X} is no request to a part"),
        }
    }
}

impl std::error::Error for ServeError {}

impl From<io::Error> for ServeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Answers for the part until the requests end. A request that is cut off in the middle ends them, too: so does a machine that is killed.
///
/// # Errors
/// A stream fails, or something else than a request arrives.
pub fn serve<M: Media>(
    chip: &mut SpiChip<M>,
    mut requests: impl Read,
    mut answers: impl Write,
) -> Result<(), ServeError> {
    let mut is_selected = false;
    let mut bytes = Vec::new();
    while let Some([opcode]) = next(&mut requests)? {
        match opcode {
            b'W' | b'R' | b'X' => {
                let Some(count) = next(&mut requests)?.map(u16::from_le_bytes) else {
                    break;
                };
                bytes.clear();
                bytes.resize(usize::from(count), 0);
                if opcode != b'R' && !fill(&mut requests, &mut bytes)? {
                    break;
                }
                if !is_selected {
                    chip.select();
                    is_selected = true;
                }
                for byte in &mut bytes {
                    *byte = chip.exchange(*byte);
                }
                chip.pass_ns(BYTE_NS * u64::from(count));
                if opcode != b'W' {
                    match answers.write_all(&bytes).and_then(|()| answers.flush()) {
                        // The machine was killed before it could hear the answer.
                        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                        result => result?,
                    }
                }
            }
            b'D' => {
                let Some(ns) = next(&mut requests)?.map(u32::from_le_bytes) else {
                    break;
                };
                chip.pass_ns(u64::from(ns));
            }
            b'E' => {
                chip.deselect();
                is_selected = false;
            }
            other => return Err(ServeError::Request(other)),
        }
    }
    Ok(())
}

/// The next bytes; `None` when there are not so many.
fn next<const N: usize>(requests: &mut impl Read) -> Result<Option<[u8; N]>, ServeError> {
    let mut bytes = [0; N];
    Ok(fill(requests, &mut bytes)?.then_some(bytes))
}

fn fill(requests: &mut impl Read, bytes: &mut [u8]) -> Result<bool, ServeError> {
    match requests.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error.into()),
    }
}
