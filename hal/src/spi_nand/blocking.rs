//! The driver on a blocking bus: a [`Nand`].

use embedded_hal::delay::DelayNs;
use embedded_hal::spi::{Operation, SpiDevice};

use super::driver::Driver;
use super::error::SpiNandError;
use super::frame::Frame;
use super::options::SpiNandOptions;
use super::wire::{now, Wire};
use super::{feature, Part};
use crate::{BlockAddress, Buffer, Columns, Completion, Die, Geometry, Nand, PageAddress};

#[derive(Debug)]
struct BlockingWire<S, D> {
    spi: S,
    delay: D,
}

impl<S: SpiDevice, D: DelayNs> Wire for BlockingWire<S, D> {
    type Error = S::Error;

    async fn write(&mut self, frame: Frame, data: &[u8]) -> Result<(), S::Error> {
        let frame = Operation::Write(frame.bytes());
        match data {
            [] => self.spi.transaction(&mut [frame]),
            _ => self.spi.transaction(&mut [frame, Operation::Write(data)]),
        }
    }

    async fn read(&mut self, frame: Frame, data: &mut [u8]) -> Result<(), S::Error> {
        let frame = Operation::Write(frame.bytes());
        self.spi.transaction(&mut [frame, Operation::Read(data)])
    }

    async fn exchange(&mut self, sent: &[u8], received: &mut [u8]) -> Result<(), S::Error> {
        self.spi
            .transaction(&mut [Operation::Transfer(received, sent)])
    }

    async fn pause_ns(&mut self, ns: u32) {
        self.delay.delay_ns(ns);
    }
}

/// A serial NAND part on a [`SpiDevice`], as a [`Nand`] of one die.
///
/// # Setting up
///
/// [`new`](Self::new) resets the part, recognises it, lifts the protection of its blocks and switches its own error correction on or off as the
/// [options](SpiNandOptions) say; each register is read back. The part has to have its power for as long as its data sheet says (5 ms or less).
///
/// # Operations
///
/// [`Nand`]'s: commands of a few bytes, or of a page for a program, when an operation is started; [`poll`](Nand::poll) looks at the status, and moves
/// the columns that were asked for when a read has ended. Columns are moved by themselves: a header costs its own bytes on the bus, not a
/// page's. [`wait`](Nand::wait) pauses for a fifth or less of what the operation usually takes.
///
/// Before an operation settles, the status is asked for twice, and both registers that it was set up by are read back (12 bytes on the bus; 10 more
/// where all their bits are 0, which a dead line could be mistaken for). So a part that was reset behind the driver's back, by a dip of its supply, is
/// [`Reset`](SpiNandError::Reset), not a good or a failed program.
///
/// # On a bad wire
///
/// | what happens | what the driver does |
/// |---|---|
/// | a flipped bit in an answer about status, settings or identity | asks again |
/// | a write enable, program or erase that the part did not see | sends it again, three times in all, then [`NotTaken`](SpiNandError::NotTaken) |
/// | a flipped bit in data on its way to the part | nothing, unless [`verify_loads`](SpiNandOptions::verify_loads): loads again, then [`LoadCorrupted`](SpiNandError::LoadCorrupted) |
/// | a flipped bit in data read, or in an address; a page read that the part did not see | nothing: the layer above must know its pages by their contents |
/// | a line stuck at a level | [`Silent`](SpiNandError::Silent), or [`Timeout`](SpiNandError::Timeout) as it reads *busy* |
/// | a part that never gets ready | [`Timeout`](SpiNandError::Timeout) after the [deadline](super::Deadlines) |
///
/// After an error the next start resets the part, sees that it is the same one, and sets it up anew.
///
/// # What is refused
///
/// Addresses outside the geometry. Rules of the array (programming twice or out of order, factory-bad blocks) are the caller's to keep: the part
/// is not read to find out.
///
/// # Power loss
///
/// As [`Nand`] says.
///
/// # Example
///
/// ```
/// use cuesta_hal::spi_nand::{SpiNand, SpiNandError, SpiNandOptions, RAW_PAGE_BYTES_MAX};
/// use cuesta_hal::Nand;
/// use embedded_hal::{delay::DelayNs, spi::SpiDevice};
///
/// fn pages<S: SpiDevice>(spi: S, delay: impl DelayNs) -> Result<u64, SpiNandError<S::Error>> {
///     let mut memory = [0; RAW_PAGE_BYTES_MAX];
///     let nand = SpiNand::new(spi, delay, &SpiNandOptions::default(), &mut memory)?;
///     Ok(nand.geometry().pages())
/// }
/// ```
#[derive(Debug)]
pub struct SpiNand<'m, S, D> {
    driver: Driver<'m, BlockingWire<S, D>>,
}

impl<'m, S: SpiDevice, D: DelayNs> SpiNand<'m, S, D> {
    /// Sets the part up, with page buffers in `memory`.
    ///
    /// Needs a raw page of `memory` ([`RAW_PAGE_BYTES_MAX`](super::RAW_PAGE_BYTES_MAX) for any part of the table); twice as much makes a second
    /// buffer. The array is not changed. Takes at most the deadline of a reset longer than the bus.
    ///
    /// # Errors
    /// What stands in the way. The bus is dropped then: lend it as `&mut S` to keep it.
    pub fn new(
        spi: S,
        delay: D,
        options: &SpiNandOptions,
        memory: &'m mut [u8],
    ) -> Result<Self, SpiNandError<S::Error>> {
        let wire = BlockingWire { spi, delay };
        now(Driver::open(wire, options, memory)).map(|driver| Self { driver })
    }

    /// The part, and how it was recognised.
    #[must_use]
    pub const fn part(&self) -> &Part {
        self.driver.part()
    }

    /// Reads a feature register back.
    ///
    /// # Errors
    /// The bus fails.
    pub fn feature(&mut self, register: u8) -> Result<u8, SpiNandError<S::Error>> {
        now(feature::get_agreed(self.driver.wire(), register)).map_err(SpiNandError::Spi)
    }

    /// Gives bus, delay and memory back. The part finishes what is in flight by itself.
    #[must_use]
    pub fn release(self) -> (S, D, &'m mut [u8]) {
        let (wire, memory) = self.driver.into_parts();
        (wire.spi, wire.delay, memory)
    }
}

impl<S: SpiDevice, D: DelayNs> Nand for SpiNand<'_, S, D> {
    type Error = SpiNandError<S::Error>;

    fn geometry(&self) -> &Geometry {
        self.driver.geometry()
    }

    fn buffer(&self, die: Die, buffer: Buffer) -> &[u8] {
        self.driver.buffer(die, buffer)
    }

    fn buffer_mut(&mut self, die: Die, buffer: Buffer) -> &mut [u8] {
        self.driver.buffer_mut(die, buffer)
    }

    fn start_read(
        &mut self,
        page: PageAddress,
        columns: Columns,
        buffer: Buffer,
    ) -> Result<(), Self::Error> {
        now(self.driver.start_read(page, columns, buffer))
    }

    fn start_program(&mut self, page: PageAddress, buffer: Buffer) -> Result<(), Self::Error> {
        now(self.driver.start_program(page, buffer))
    }

    fn start_erase(&mut self, block: BlockAddress) -> Result<(), Self::Error> {
        now(self.driver.start_erase(block))
    }

    fn poll(&mut self, die: Die) -> nb::Result<Completion, Self::Error> {
        match die {
            Die(0) => now(self.driver.look()),
            _ => Err(nb::Error::WouldBlock),
        }
    }

    fn wait(&mut self) {
        now(self.driver.pause());
    }
}
