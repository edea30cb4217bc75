//! The part without a volume, through the asynchronous driver.

use core::fmt::{self, Write};

use cuesta_application::Terminal;
use cuesta_hal::spi_nand::{AsyncSpiNand, SpiNandError, SpiNandOptions};
use cuesta_hal::{BlockAddress, BlockIndex, Buffer, Columns, Die, PageAddress, PageIndex};
use embassy_time::{Delay, Instant};
use embedded_hal::spi::ErrorType;

use crate::line::Line;
use crate::PartBus;

/// An error of the part or its bus.
pub type PartError = SpiNandError<<PartBus as ErrorType>::Error>;

/// Sets the part up, and tells which it is.
///
/// # Errors
/// What stands in the way.
pub async fn greet(
    bus: &mut PartBus,
    page: &mut [u8],
    out: &mut Terminal<Line>,
) -> Result<(), PartError> {
    let nand = AsyncSpiNand::new(bus, Delay, &SpiNandOptions::default(), page).await?;
    let name = nand.part().chip.name;
    defmt::info!("part: {}", name);
    // The next line to be written will tell.
    writeln!(out, "Cuesta on {name}").ok();
    Ok(())
}

/// Reads the first page of every block while other tasks run, and tells how many are erased and how long it took.
///
/// # Errors
/// The serial line cannot be written.
pub async fn scan(bus: &mut PartBus, page: &mut [u8], out: &mut Terminal<Line>) -> fmt::Result {
    let began = Instant::now();
    match count_erased(bus, page).await {
        Ok((blocks, erased)) => writeln!(
            out,
            "{erased} of {blocks} blocks begin with an erased page; {} us",
            began.elapsed().as_micros()
        ),
        Err(error) => crate::tell(&error, out),
    }
}

/// Blocks, and those whose first page reads erased, bit errors apart.
async fn count_erased(bus: &mut PartBus, page: &mut [u8]) -> Result<(u32, u32), PartError> {
    let mut nand = AsyncSpiNand::new(bus, Delay, &SpiNandOptions::default(), page).await?;
    let geometry = *nand.geometry();
    let columns = Columns::whole(&geometry);
    let mut erased = 0;
    for index in 0..geometry.blocks_per_die {
        let block = BlockAddress {
            die: Die(0),
            block: BlockIndex(index),
        };
        let page = PageIndex(0);
        nand.read(PageAddress { block, page }, columns, Buffer::First)
            .await?;
        let zeros: u32 = nand
            .buffer(Buffer::First)
            .iter()
            .map(|byte| byte.count_zeros())
            .sum();
        // Written pages have thousands.
        erased += u32::from(zeros <= ZERO_BITS_MAX);
    }
    Ok((geometry.blocks_per_die, erased))
}

/// Bits of an erased page that may read as zeros.
const ZERO_BITS_MAX: u32 = 32;
