//! The driver on an asynchronous bus.

use embedded_hal_async::delay::DelayNs;
use embedded_hal_async::spi::{Operation, SpiDevice};

use super::driver::Driver;
use super::error::SpiNandError;
use super::frame::Frame;
use super::options::SpiNandOptions;
use super::wire::Wire;
use super::{feature, Part};
use crate::{BlockAddress, Buffer, Columns, Completion, Die, Geometry, PageAddress};

#[derive(Debug)]
struct AsyncWire<S, D> {
    spi: S,
    delay: D,
}

impl<S: SpiDevice, D: DelayNs> Wire for AsyncWire<S, D> {
    type Error = S::Error;

    async fn write(&mut self, frame: Frame, data: &[u8]) -> Result<(), S::Error> {
        let frame = Operation::Write(frame.bytes());
        match data {
            [] => self.spi.transaction(&mut [frame]).await,
            _ => {
                let mut operations = [frame, Operation::Write(data)];
                self.spi.transaction(&mut operations).await
            }
        }
    }

    async fn read(&mut self, frame: Frame, data: &mut [u8]) -> Result<(), S::Error> {
        let frame = Operation::Write(frame.bytes());
        let mut operations = [frame, Operation::Read(data)];
        self.spi.transaction(&mut operations).await
    }

    async fn exchange(&mut self, sent: &[u8], received: &mut [u8]) -> Result<(), S::Error> {
        let mut operations = [Operation::Transfer(received, sent)];
        self.spi.transaction(&mut operations).await
    }

    async fn pause_ns(&mut self, ns: u32) {
        self.delay.delay_ns(ns).await;
    }
}

/// The twin of [`SpiNand`](super::SpiNand) for an asynchronous bus: the same commands, decisions and errors, from operation to completion in one
/// future. While the part is busy the delay is awaited, so others run.
///
/// It is no [`Nand`](crate::Nand), whose operations are polled and whose engine never waits for a bus.
///
/// A future that is dropped leaves the part at work; the next operation waits for its end first, and its completion is lost.
#[derive(Debug)]
pub struct AsyncSpiNand<'m, S, D> {
    driver: Driver<'m, AsyncWire<S, D>>,
}

impl<'m, S: SpiDevice, D: DelayNs> AsyncSpiNand<'m, S, D> {
    /// Sets the part up, as [`SpiNand::new`](super::SpiNand::new) does.
    ///
    /// # Errors
    /// What stands in the way.
    pub async fn new(
        spi: S,
        delay: D,
        options: &SpiNandOptions,
        memory: &'m mut [u8],
    ) -> Result<Self, SpiNandError<S::Error>> {
        let wire = AsyncWire { spi, delay };
        let driver = Driver::open(wire, options, memory).await?;
        Ok(Self { driver })
    }

    /// The part, and how it was recognised.
    #[must_use]
    pub const fn part(&self) -> &Part {
        self.driver.part()
    }

    /// Describes the part. Never changes.
    #[must_use]
    pub const fn geometry(&self) -> &Geometry {
        self.driver.geometry()
    }

    /// A page buffer: the main area, then the spare. One that does not exist is empty.
    #[must_use]
    pub fn buffer(&self, buffer: Buffer) -> &[u8] {
        self.driver.buffer(Die(0), buffer)
    }

    /// A page buffer for encoding into.
    pub fn buffer_mut(&mut self, buffer: Buffer) -> &mut [u8] {
        self.driver.buffer_mut(Die(0), buffer)
    }

    /// Reads columns of a page into the same columns of `buffer`. Settles as [`Completion::Read`].
    ///
    /// # Errors
    /// As [`Nand::start_read`](crate::Nand::start_read) and [`Nand::poll`](crate::Nand::poll).
    pub async fn read(
        &mut self,
        page: PageAddress,
        columns: Columns,
        buffer: Buffer,
    ) -> Result<Completion, SpiNandError<S::Error>> {
        self.leave_abandoned().await;
        self.driver.start_read(page, columns, buffer).await?;
        self.settle().await
    }

    /// Programs a page with the whole of `buffer`. Settles as [`Completion::Programmed`] or [`Completion::ProgramFailed`].
    ///
    /// # Errors
    /// As [`Nand::start_program`](crate::Nand::start_program) and [`Nand::poll`](crate::Nand::poll).
    pub async fn program(
        &mut self,
        page: PageAddress,
        buffer: Buffer,
    ) -> Result<Completion, SpiNandError<S::Error>> {
        self.leave_abandoned().await;
        self.driver.start_program(page, buffer).await?;
        self.settle().await
    }

    /// Erases a block. Settles as [`Completion::Erased`] or [`Completion::EraseFailed`].
    ///
    /// # Errors
    /// As [`Nand::start_erase`](crate::Nand::start_erase) and [`Nand::poll`](crate::Nand::poll).
    pub async fn erase(
        &mut self,
        block: BlockAddress,
    ) -> Result<Completion, SpiNandError<S::Error>> {
        self.leave_abandoned().await;
        self.driver.start_erase(block).await?;
        self.settle().await
    }

    /// Reads a feature register back.
    ///
    /// # Errors
    /// The bus fails.
    pub async fn feature(&mut self, register: u8) -> Result<u8, SpiNandError<S::Error>> {
        let value = feature::get_agreed(self.driver.wire(), register).await;
        value.map_err(SpiNandError::Spi)
    }

    /// Gives bus, delay and memory back. The part finishes what is in flight by itself.
    #[must_use]
    pub fn release(self) -> (S, D, &'m mut [u8]) {
        let (wire, memory) = self.driver.into_parts();
        (wire.spi, wire.delay, memory)
    }

    /// Waits for the operation in flight.
    async fn settle(&mut self) -> Result<Completion, SpiNandError<S::Error>> {
        loop {
            match self.driver.look().await {
                Ok(completion) => return Ok(completion),
                Err(nb::Error::Other(error)) => return Err(error),
                // Bounded by the deadline, which each look and pause brings nearer.
                Err(nb::Error::WouldBlock) => self.driver.pause().await,
            }
        }
    }

    /// Waits for an operation whose future was dropped. How it went is nobody's any more; the part is in doubt if it did not end.
    async fn leave_abandoned(&mut self) {
        if self.driver.is_busy() {
            self.settle().await.ok();
        }
    }
}
