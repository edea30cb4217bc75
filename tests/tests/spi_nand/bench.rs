//! A part on a bus, and what tests do with it.

use cuesta_hal::conformance::settle;
use cuesta_hal::spi_nand::{
    SpiNand, SpiNandChip, SpiNandError, SpiNandOptions, RAW_PAGE_BYTES_MAX,
};
use cuesta_hal::{BlockAddress, Buffer, Columns, Completion, Die, Nand, PageAddress};
use cuesta_sim::spi_chip::{ChipBus, ChipDelay, SpiChip, WireError};
use cuesta_sim::{chips, Builder, Chip, EmulatedNand, RamMedia};

pub type Bus = ChipBus<RamMedia>;
pub type Driver<'m> = SpiNand<'m, Bus, ChipDelay<RamMedia>>;
pub type DriverError = SpiNandError<WireError>;

/// Memory for two page buffers of any part.
pub type Pages = [u8; 2 * RAW_PAGE_BYTES_MAX];
pub const PAGES: Pages = [0; 2 * RAW_PAGE_BYTES_MAX];

/// Every part that the driver knows, with its row of the emulator's table.
pub fn serial_chips() -> impl Iterator<Item = (&'static Chip, &'static SpiNandChip)> {
    chips()
        .iter()
        .filter_map(|chip| chip.spi_nand.map(|row| (chip, row)))
}

/// A bus with a new part on it, just powered up.
pub fn bus(chip_name: &str) -> Bus {
    bus_with(EmulatedNand::builder(chip_name).expect("in the table"))
}

/// The same with a part made to order.
pub fn bus_with(builder: Builder) -> Bus {
    ChipBus::new(SpiChip::new(builder.build()).expect("a serial part"))
}

/// Sets the part on the bus up.
pub fn open<'m>(
    bus: &Bus,
    options: &SpiNandOptions,
    memory: &'m mut [u8],
) -> Result<Driver<'m>, DriverError> {
    SpiNand::new(bus.clone(), bus.delay(), options, memory)
}

pub fn with_ecc() -> SpiNandOptions {
    SpiNandOptions {
        chip_ecc: true,
        ..SpiNandOptions::default()
    }
}

/// A page of block `block`.
pub fn at(block: u32, page: u16) -> PageAddress {
    BlockAddress::new(0, block).page(page)
}

/// Bytes that tell pages apart, as long as a raw page.
pub fn content(nand: &impl Nand, page: PageAddress) -> Vec<u8> {
    let seed = page.block.block.0 * 64 + u32::from(page.page.0);
    (0..nand.geometry().raw_page_bytes())
        .map(|index| (seed.wrapping_mul(31).wrapping_add(index * 7) % 251).to_le_bytes()[0])
        .collect()
}

pub fn erase(
    nand: &mut impl Nand<Error = DriverError>,
    block: u32,
) -> Result<Completion, DriverError> {
    nand.start_erase(BlockAddress::new(0, block))?;
    end(nand)
}

/// Programs [`content`], and leaves it in the buffer.
pub fn program(
    nand: &mut impl Nand<Error = DriverError>,
    page: PageAddress,
) -> Result<Completion, DriverError> {
    let bytes = content(nand, page);
    nand.buffer_mut(Die(0), Buffer::First)
        .copy_from_slice(&bytes);
    nand.start_program(page, Buffer::First)?;
    end(nand)
}

/// Reads a whole page, spoiling the buffer first.
pub fn read(
    nand: &mut impl Nand<Error = DriverError>,
    page: PageAddress,
) -> Result<Completion, DriverError> {
    nand.buffer_mut(Die(0), Buffer::First).fill(0x5A);
    nand.start_read(page, Columns::whole(nand.geometry()), Buffer::First)?;
    end(nand)
}

/// Polls and waits until the operation ends, one way or the other.
pub fn end(nand: &mut impl Nand<Error = DriverError>) -> Result<Completion, DriverError> {
    for _ in 0..1_000_000 {
        match nand.poll(Die(0)) {
            Ok(completion) => return Ok(completion),
            Err(nb::Error::Other(error)) => return Err(error),
            Err(nb::Error::WouldBlock) => nand.wait(),
        }
    }
    panic!("an operation neither ended nor failed");
}

/// The main area of the first buffer.
pub fn main_of(nand: &impl Nand) -> &[u8] {
    &nand.buffer(Die(0), Buffer::First)[..nand.geometry().page_bytes as usize]
}

/// Settles what must end well.
pub fn settled<N: Nand>(nand: &mut N) -> Completion {
    settle(nand, Die(0))
}
