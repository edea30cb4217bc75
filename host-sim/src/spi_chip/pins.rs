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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EmulatedNand, RamMedia};

    fn chip() -> SpiChip<RamMedia> {
        let nand = EmulatedNand::of("w25n01gv").expect("in the table");
        SpiChip::new(nand).expect("a serial part")
    }

    fn answers_to(requests: &[u8]) -> Result<Vec<u8>, ServeError> {
        let mut answers = Vec::new();
        serve(&mut chip(), requests, &mut answers).map(|()| answers)
    }

    #[test]
    fn frames_are_what_lies_between_two_ends() {
        let identity = b"W\x01\0\x9FR\x05\0EX\x05\0\x9F\0\0\0\0E";
        let expected = [0xFF, 0xEF, 0xAA, 0x21, 0, 0xFF, 0xFF, 0xEF, 0xAA, 0x21];
        assert_eq!(answers_to(identity).expect("served"), expected);
    }

    #[test]
    fn pauses_pass_time_and_bytes_do_too() {
        let mut chip = chip();
        let requests = b"D\x10\x27\0\0W\x02\0\0\0E";
        serve(&mut chip, &requests[..], io::sink()).expect("served");
        assert_eq!(chip.nand().now_ns(), 10_000 + 2 * 77);
    }

    /// Wherever a machine is killed in the middle of what it says, the part goes no further than that.
    #[test]
    fn requests_that_are_cut_off_end_the_service() {
        // Unprotect, enable, erase block 0.
        let requests = b"W\x03\0\x1F\xA0\0EW\x01\0\x06EW\x04\0\xD8\0\0\0E";
        for len in 0..=requests.len() {
            let mut chip = chip();
            serve(&mut chip, &requests[..len], io::sink()).expect("served");
            assert_eq!(chip.breaches(), []);
            let erases = chip.nand().counters().erases;
            assert_eq!(erases, u64::from(len == requests.len()), "{len}");
        }
    }

    #[test]
    fn what_is_no_request_is_told() {
        let refused = answers_to(b"E?").expect_err("no request");
        assert_eq!(refused.to_string(), "3F is no request to a part");
    }
}
