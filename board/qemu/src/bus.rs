//! A bus whose other end is a process of the host: `cuesta chip` reads what happens on it from one pipe and answers on another.
//!
//! The bytes are those of `cuesta_sim::spi_chip::serve`: `W` with a count and so many bytes for a write, `R` with a count for a read, `X` for both at the same
//! time, `D` with nanoseconds for a pause, `E` when chip select rises.

use core::cell::Cell;

use cortex_m::peripheral::SCB;
use embedded_hal::delay::DelayNs;
use embedded_hal::spi::{ErrorType, Operation, SpiDevice};

use crate::host::{File, HostError, Mode};

/// Most data bytes of a request: more is sent in several, while chip select stays down.
const REQUEST_BYTES_MAX: usize = u16::MAX as usize;

/// The pipes to the part, in the working folder of the emulator.
#[derive(Debug)]
pub struct Pipes {
    requests: File,
    answers: File,
    /// Pieces of transactions until the processor is reset; `None` if it is not to be.
    pieces_left: Cell<Option<u32>>,
}

impl Pipes {
    /// Opens both; each waits for the part to open its end.
    pub fn open() -> Result<Self, HostError> {
        Ok(Self {
            requests: File::open(c"requests", Mode::Write)?,
            answers: File::open(c"answers", Mode::Read)?,
            pieces_left: Cell::new(None),
        })
    }

    /// Has the processor reset after so many more pieces of transactions. Between them, as what is under way in a pipe outlives a reset; within
    /// a transaction as well as at its end.
    pub fn reset_after(&self, pieces: u32) {
        self.pieces_left.set(Some(pieces));
    }

    /// A piece of a transaction has been done.
    fn count_piece(&self) -> Result<(), HostError> {
        match self.pieces_left.get() {
            None => Ok(()),
            Some(0) => {
                // The pin is no longer driven, and its pull-up deselects the part.
                self.requests.write(b"E")?;
                SCB::sys_reset();
            }
            Some(left) => {
                self.pieces_left.set(Some(left - 1));
                Ok(())
            }
        }
    }

    fn request(&self, opcode: u8, count: usize) -> Result<(), HostError> {
        let [low, high, ..] = count.to_le_bytes();
        self.requests.write(&[opcode, low, high])
    }

    fn write(&self, bytes: &[u8]) -> Result<(), HostError> {
        for bytes in bytes.chunks(REQUEST_BYTES_MAX) {
            self.request(b'W', bytes.len())?;
            self.requests.write(bytes)?;
        }
        Ok(())
    }

    fn read(&self, bytes: &mut [u8]) -> Result<(), HostError> {
        for bytes in bytes.chunks_mut(REQUEST_BYTES_MAX) {
            self.request(b'R', bytes.len())?;
            self.answers.read(bytes)?;
        }
        Ok(())
    }

    fn transfer_in_place(&self, bytes: &mut [u8]) -> Result<(), HostError> {
        for bytes in bytes.chunks_mut(REQUEST_BYTES_MAX) {
            self.request(b'X', bytes.len())?;
            self.requests.write(bytes)?;
            self.answers.read(bytes)?;
        }
        Ok(())
    }

    /// Sends and receives; the longer side goes on alone.
    fn transfer(&self, received: &mut [u8], sent: &[u8]) -> Result<(), HostError> {
        let both = received.len().min(sent.len());
        let (received, only_received) = received.split_at_mut(both);
        let (sent, only_sent) = sent.split_at(both);
        received.copy_from_slice(sent);
        self.transfer_in_place(received)?;
        self.write(only_sent)?;
        self.read(only_received)
    }

    fn pause(&self, ns: u32) -> Result<(), HostError> {
        let [a, b, c, d] = ns.to_le_bytes();
        self.requests.write(&[b'D', a, b, c, d])
    }
}

/// The bus.
#[derive(Debug)]
pub struct PipedBus<'p> {
    pipes: &'p Pipes,
}

impl<'p> PipedBus<'p> {
    /// The bus at the end of these pipes.
    pub const fn new(pipes: &'p Pipes) -> Self {
        Self { pipes }
    }
}

impl ErrorType for PipedBus<'_> {
    type Error = HostError;
}

impl SpiDevice for PipedBus<'_> {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), HostError> {
        for operation in operations {
            match operation {
                Operation::Read(bytes) => self.pipes.read(bytes)?,
                Operation::Write(bytes) => self.pipes.write(bytes)?,
                Operation::Transfer(received, sent) => self.pipes.transfer(received, sent)?,
                Operation::TransferInPlace(bytes) => self.pipes.transfer_in_place(bytes)?,
                Operation::DelayNs(ns) => self.pipes.pause(*ns)?,
            }
            self.pipes.count_piece()?;
        }
        self.pipes.requests.write(b"E")
    }
}

/// A delay in the part's time.
#[derive(Debug)]
pub struct PipedDelay<'p> {
    pipes: &'p Pipes,
}

impl<'p> PipedDelay<'p> {
    /// The delay at the end of these pipes.
    pub const fn new(pipes: &'p Pipes) -> Self {
        Self { pipes }
    }
}

impl DelayNs for PipedDelay<'_> {
    fn delay_ns(&mut self, ns: u32) {
        // A delay has no way to fail; the next transaction will.
        let _ = self.pipes.pause(ns);
    }
}
