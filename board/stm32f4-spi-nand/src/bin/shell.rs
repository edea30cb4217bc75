//! The application on an STM32F405, F407 or F411: a disk on serial NAND, run by lines of text on a serial line.

#![no_std]
#![no_main]

use core::convert::Infallible;
use core::fmt::{self, Display, Write};

use cortex_m_rt::entry;
use cuesta_application::{resume, run, LineEditor, Room, Terminal};
use cuesta_hal::spi_nand::{SpiNand, SpiNandOptions, RAW_PAGE_BYTES_MAX};
use defmt_rtt as _;
use panic_probe as _;
use static_cell::{ConstStaticCell, StaticCell};
use stm32f4_spi_nand::{ClockSource, Microcontroller, PartBus, Timers};
use stm32f4xx_hal::pac::USART2;
use stm32f4xx_hal::prelude::*;
use stm32f4xx_hal::serial::{Rx, Tx};
use stm32f4xx_hal::timer::SysDelay;

static PAGE: ConstStaticCell<[u8; RAW_PAGE_BYTES_MAX]> =
    ConstStaticCell::new([0; RAW_PAGE_BYTES_MAX]);
static ROOM: StaticCell<Room> = StaticCell::new();

#[entry]
fn main() -> ! {
    let Microcontroller {
        mut bus,
        mut delay,
        tx,
        rx,
        timers,
        ..
    } = Microcontroller::new(ClockSource::Internal);
    let mut shell = Shell {
        out: Terminal(tx),
        rx,
        editor: LineEditor::new(),
        timers,
    };
    let page = PAGE.take();
    let room = ROOM.init_with(Room::new);
    loop {
        match shell.serve(&mut bus, &mut delay, page, room) {
            Ok(never) => match never {},
            // A line that nobody reads goes on when somebody does.
            Err(fmt::Error) => defmt::warn!("the serial line cannot be written"),
        }
    }
}

/// A terminal, and what commands need besides the part.
struct Shell {
    out: Terminal<Tx<USART2>>,
    rx: Rx<USART2>,
    editor: LineEditor,
    timers: Timers,
}

impl Shell {
    /// Sets the part up, goes on with what a reset has interrupted, and carries lines out; returns only when the part cannot be set up, for another attempt.
    fn serve(
        &mut self,
        bus: &mut PartBus,
        delay: &mut SysDelay,
        page: &mut [u8],
        room: &mut Room,
    ) -> Result<Infallible, fmt::Error> {
        let mut nand = loop {
            match SpiNand::new(&mut *bus, &mut *delay, &SpiNandOptions::default(), page) {
                Ok(nand) => break nand,
                Err(error) => {
                    self.tell(&error)?;
                    self.out.write_str("press a key to try again\n")?;
                    self.key();
                }
            }
        };
        let name = nand.part().chip.name;
        defmt::info!("part: {}", name);
        writeln!(self.out, "Cuesta on {name}")?;
        if let Err(failure) = resume(&mut nand, room, &mut self.timers, &mut self.out) {
            self.tell(&failure)?;
        }
        self.out.write_str("> ")?;
        loop {
            let byte = self.key();
            let Some(line) = self.editor.push(byte, &mut self.out)? else {
                continue;
            };
            if let Err(failure) = run(&mut nand, room, &mut self.timers, line, &mut self.out) {
                defmt::error!("{}", defmt::Display2Format(&failure));
                writeln!(self.out, "failed: {failure}")?;
            }
            self.out.write_str("> ")?;
        }
    }

    fn tell(&mut self, what: &dyn Display) -> fmt::Result {
        defmt::error!("{}", defmt::Display2Format(&what));
        writeln!(self.out, "failed: {what}")
    }

    /// The next byte. Those that came while a command ran are gone but for one.
    fn key(&mut self) -> u8 {
        loop {
            match nb::block!(self.rx.read()) {
                Ok(byte) => return byte,
                Err(error) => defmt::debug!("serial line: {}", defmt::Debug2Format(&error)),
            }
        }
    }
}
