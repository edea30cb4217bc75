//! The transmission phase: requests, each checked, executed and answered before the next is read.

use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::byte_export::{ByteExport, Shape};
use super::connection::{Connection, Ending};
use super::counters::{count, Counters};
use super::export::{ExportError, SectorExport};
use super::protocol::{
    chunk_header, command_flag, error_chunk, simple_reply, ChunkKind, Command, ErrorCode, Refusal,
    Request, BLOCK_BYTES_MAX,
};

/// Longest data of a write that is read past to answer it with an error. Who sends more is dropped.
const PAYLOAD_BYTES_DISCARDED_MAX: u32 = 64 << 20;
/// A read is answered in chunks that end at multiples of this.
const CHUNK_BYTES: u64 = 1 << 20;
/// Trims and zeroes of any length give way to other connections at multiples of this.
const TURN_BYTES: u64 = 32 << 20;

/// One client in the transmission phase.
pub(super) struct Transmission<'a, E> {
    pub connection: &'a mut Connection,
    pub export: &'a Mutex<ByteExport<E>>,
    pub shape: Shape,
    /// As the client was told.
    pub read_only: bool,
    /// As agreed on in the handshake.
    pub structured: bool,
    pub counters: &'a Counters,
    /// Set once the server stops.
    pub stop: &'a AtomicBool,
}

impl<E: SectorExport> Transmission<'_, E> {
    /// Serves requests until the connection is over.
    pub fn serve(&mut self) -> Ending {
        let mut data = Vec::new();
        loop {
            if let Err(ending) = self.step(&mut data) {
                return ending;
            }
        }
    }

    /// Serves one request. `data` is memory to be used again.
    fn step(&mut self, data: &mut Vec<u8>) -> Result<(), Ending> {
        let header = self.connection.read_array()?;
        let request = Request::decode(&header).ok_or(Ending::Violation)?;
        if request.command == Command::Disconnect {
            return Err(Ending::Closed);
        }
        let payload = self.take_payload(&request, data)?;
        let stopping = self.stop.load(Ordering::Relaxed);
        let verdict = if stopping {
            Err(ExportError::Shutdown.into())
        } else {
            payload.and_then(|()| self.check(&request))
        };
        match (verdict, request.command) {
            (Err(refusal), _) => self.refuse(&request, refusal, None)?,
            (Ok(()), Command::Read) if self.structured => self.read_in_chunks(&request, data)?,
            (Ok(()), Command::Read) => self.read_at_once(&request, data)?,
            (Ok(()), _) => match self.change(&request, data) {
                Ok(()) => self.connection.send(&simple_reply(request.cookie, None))?,
                Err(error) => self.refuse(&request, error.into(), None)?,
            },
        }
        self.connection.flush()?;
        if stopping {
            return Err(Ending::Closed);
        }
        Ok(())
    }

    /// Reads the data that follows a write, so that the next request is found whatever becomes of this one.
    fn take_payload(
        &mut self,
        request: &Request,
        data: &mut Vec<u8>,
    ) -> Result<Result<(), Refusal>, Ending> {
        if request.command != Command::Write {
            return Ok(Ok(()));
        }
        if request.len <= BLOCK_BYTES_MAX {
            self.connection.read_payload(request.len, data)?;
            return Ok(Ok(()));
        }
        let refusal = Refusal::new(ErrorCode::EINVAL, "the write is too long");
        if request.len <= PAYLOAD_BYTES_DISCARDED_MAX {
            self.connection.discard(request.len)?;
            return Ok(Err(refusal));
        }
        self.refuse(request, refusal, None)?;
        self.connection.flush()?;
        Err(Ending::Violation)
    }

    /// Whether the protocol allows the request, before the disk is asked.
    fn check(&self, request: &Request) -> Result<(), Refusal> {
        let invalid = |text| Err(Refusal::new(ErrorCode::EINVAL, text));
        let (flags, changes) = match request.command {
            Command::Read if self.structured => (command_flag::DF, false),
            Command::Read | Command::Flush => (0, false),
            Command::Write | Command::Trim => (0, true),
            Command::WriteZeroes => (command_flag::NO_HOLE, true),
            Command::Cache => {
                return Err(Refusal::new(
                    ErrorCode::ENOTSUP,
                    "there is no cache to fill",
                ))
            }
            Command::Disconnect | Command::Unknown => return invalid("the command is unknown"),
        };
        if request.flags & !(flags | command_flag::FUA) != 0 {
            return invalid("a flag does not go with the command");
        }
        if request.command == Command::Flush {
            return if request.offset == 0 && request.len == 0 {
                Ok(())
            } else {
                invalid("a flush has no range")
            };
        }
        if changes && self.read_only {
            return Err(ExportError::ReadOnly.into());
        }
        if request.len == 0 {
            return invalid("the length is zero");
        }
        if request.command == Command::Read && request.len > BLOCK_BYTES_MAX {
            let code = if request.has(command_flag::DF) {
                ErrorCode::EOVERFLOW
            } else {
                ErrorCode::EINVAL
            };
            return Err(Refusal::new(code, "the read is too long"));
        }
        self.check_range(request)
    }

    fn check_range(&self, request: &Request) -> Result<(), Refusal> {
        let inside = request
            .offset
            .checked_add(u64::from(request.len))
            .is_some_and(|end| end <= self.shape.size_bytes);
        if !inside {
            // What the protocol asks for: data that has no place finds no space.
            let code = match request.command {
                Command::Write | Command::WriteZeroes => ErrorCode::ENOSPC,
                _ => ErrorCode::EINVAL,
            };
            return Err(Refusal::new(code, "the range is outside the disk"));
        }
        let block_bytes = self.shape.block_bytes_min;
        if !request.offset.is_multiple_of(u64::from(block_bytes))
            || !request.len.is_multiple_of(block_bytes)
        {
            return Err(Refusal::new(
                ErrorCode::EINVAL,
                "the range is not aligned to the minimum block size",
            ));
        }
        Ok(())
    }

    /// The disk, once no other connection uses it.
    fn export(&self) -> Result<MutexGuard<'_, ByteExport<E>>, ExportError> {
        // Whoever panicked with the disk in hand left it in an unknown state.
        self.export.lock().map_err(|_| ExportError::Io)
    }

    /// Executes a checked request other than a read.
    fn change(&self, request: &Request, data: &[u8]) -> Result<(), ExportError> {
        let range = range(request);
        let durable = request.has(command_flag::FUA);
        let counters = self.counters;
        match request.command {
            Command::Write => {
                let mut export = self.export()?;
                export.write(request.offset, data)?;
                if durable {
                    export.flush()?;
                }
                count(&counters.writes, 1);
                count(&counters.write_bytes, u64::from(request.len));
            }
            Command::Flush => {
                self.export()?.flush()?;
                count(&counters.flushes, 1);
            }
            Command::Trim => {
                for turn in pieces(range, TURN_BYTES) {
                    self.export()?.trim(turn.start, turn.end - turn.start)?;
                }
                if durable {
                    self.export()?.flush()?;
                }
                count(&counters.trims, 1);
            }
            Command::WriteZeroes => {
                let allocate = request.has(command_flag::NO_HOLE);
                for turn in pieces(range, TURN_BYTES) {
                    self.export()?
                        .write_zeroes(turn.start, turn.end - turn.start, allocate)?;
                }
                if durable {
                    self.export()?.flush()?;
                }
                count(&counters.zeroes, 1);
            }
            Command::Read | Command::Disconnect | Command::Cache | Command::Unknown => {
                return Err(ExportError::Invalid)
            }
        }
        Ok(())
    }

    /// Answers a read with a simple reply: the data, or the error alone.
    fn read_at_once(&mut self, request: &Request, data: &mut Vec<u8>) -> Result<(), Ending> {
        match self.fill(&range(request), data) {
            Ok(()) => {
                self.connection.send(&simple_reply(request.cookie, None))?;
                self.connection.send(data)?;
                self.count_read(request);
                Ok(())
            }
            Err(error) => self.refuse(request, error.into(), None),
        }
    }

    /// Answers a read with a structured reply. A chunk that was sent stays good when a later one fails.
    fn read_in_chunks(&mut self, request: &Request, data: &mut Vec<u8>) -> Result<(), Ending> {
        let range = range(request);
        let chunk_bytes = if request.has(command_flag::DF) {
            u64::MAX
        } else {
            CHUNK_BYTES
        };
        for piece in pieces(range.clone(), chunk_bytes) {
            if let Err(error) = self.fill(&piece, data) {
                return self.refuse(request, error.into(), Some(piece.start));
            }
            let last = piece.end == range.end;
            // At most the length of the request, which is a `u32` and a small one.
            let data_bytes = u32::try_from(piece.end - piece.start + 8).unwrap_or(u32::MAX);
            let header = chunk_header(request.cookie, ChunkKind::OffsetData, last, data_bytes);
            self.connection.send(&header)?;
            self.connection.send(&piece.start.to_be_bytes())?;
            self.connection.send(data)?;
        }
        self.count_read(request);
        Ok(())
    }

    /// Replaces `data` by what the disk holds at `range`.
    fn fill(&self, range: &Range<u64>, data: &mut Vec<u8>) -> Result<(), ExportError> {
        let bytes = usize::try_from(range.end - range.start).map_err(|_| ExportError::Invalid)?;
        data.resize(bytes, 0);
        self.export()?.read(range.start, data)
    }

    fn count_read(&self, request: &Request) {
        count(&self.counters.reads, 1);
        count(&self.counters.read_bytes, u64::from(request.len));
    }

    /// Answers with an error, and the place of it if it is known.
    fn refuse(
        &mut self,
        request: &Request,
        refusal: Refusal,
        offset: Option<u64>,
    ) -> Result<(), Ending> {
        count(&self.counters.errors, 1);
        if self.structured {
            let chunk = error_chunk(request.cookie, refusal, offset);
            self.connection.send(&chunk)
        } else {
            self.connection
                .send(&simple_reply(request.cookie, Some(refusal.code)))
        }
    }
}

/// The bytes a checked request is for.
fn range(request: &Request) -> Range<u64> {
    request.offset..request.offset.saturating_add(u64::from(request.len))
}

/// Cuts `range` at the multiples of `step`.
fn pieces(range: Range<u64>, step: u64) -> impl Iterator<Item = Range<u64>> {
    let mut at = range.start;
    core::iter::from_fn(move || {
        let start = at;
        let next = (start / step).saturating_add(1).saturating_mul(step);
        at = next.min(range.end);
        (start < range.end).then_some(start..at)
    })
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn pieces_cover_a_range_and_meet_at_multiples_of_the_step() {
        let cut = |range, step| -> Vec<(u64, u64)> {
            pieces(range, step)
                .map(|piece| (piece.start, piece.end))
                .collect()
        };
        assert_eq!(cut(3..17, 8), [(3, 8), (8, 16), (16, 17)]);
        assert_eq!(cut(8..16, 8), [(8, 16)]);
        assert_eq!(cut(8..16, u64::MAX), [(8, 16)]);
        assert_eq!(cut(8..8, 8), []);
    }
}
