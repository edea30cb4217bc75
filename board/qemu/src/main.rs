//! The application on an emulated STM32F405 (QEMU's `netduinoplus2`). The line of commands is the semihosting command line; the exit status is 0 when
//! all of it was carried out.

#![no_std]
#![no_main]

mod bus;
mod host;

use core::fmt::Write;
use core::panic::PanicInfo;

use cortex_m as _;
use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hio};
use cuesta_application::ledger::{self, Kept};
use cuesta_application::{resume, run, Board, Room};
use cuesta_hal::spi_nand::{SpiNand, SpiNandOptions, RAW_PAGE_BYTES_MAX};

use bus::{PipedBus, PipedDelay, Pipes};

/// Longest line of commands.
const LINE_BYTES: usize = 512;

/// What the command `cut` remembers. The emulator starts with zeros there, and leaves them alone when the processor is reset.
#[link_section = ".uninit.KEPT"]
#[used]
static KEPT: Kept = ledger::blank();

/// Most pieces of bus transactions until a reset; a write is a few dozen.
const PIECES_MAX: u32 = 4_000;

/// The host's clock and the pipes.
struct Emulated<'p> {
    pipes: &'p Pipes,
}

impl Board for Emulated<'_> {
    /// Time of the host, not of the part: only good to try `bench` out.
    fn now_us(&mut self) -> u32 {
        (host::clock() as u32).wrapping_mul(10_000)
    }

    fn reset_soon(&mut self, draw: u32) {
        self.pipes.reset_after(draw % PIECES_MAX);
    }

    fn kept(&self) -> &'static Kept {
        &KEPT
    }
}

#[entry]
fn main() -> ! {
    let status = match application() {
        Ok(()) => debug::EXIT_SUCCESS,
        Err(Told) => debug::EXIT_FAILURE,
    };
    debug::exit(status);
    loop {
        cortex_m::asm::wfi();
    }
}

/// What went wrong has been told.
struct Told;

fn application() -> Result<(), Told> {
    let mut out = hio::hstdout().map_err(|()| Told)?;
    let mut line = [0; LINE_BYTES];
    let line = host::command_line(&mut line).ok_or_else(|| tell(&"no line of commands"))?;
    let pipes = Pipes::open().map_err(|error| tell(&error))?;
    let mut memory = [0; RAW_PAGE_BYTES_MAX];
    let mut nand = SpiNand::new(
        PipedBus::new(&pipes),
        PipedDelay::new(&pipes),
        &SpiNandOptions::default(),
        &mut memory,
    )
    .map_err(|error| tell(&error))?;
    writeln!(out, "part: {}", nand.part().chip.name).map_err(|_| Told)?;
    let mut room = Room::new();
    let mut board = Emulated { pipes: &pipes };
    match resume(&mut nand, &mut room, &mut board, &mut out) {
        // The line was begun before the reset.
        Ok(true) => Ok(()),
        Ok(false) => {
            run(&mut nand, &mut room, &mut board, line, &mut out).map_err(|failure| tell(&failure))
        }
        Err(failure) => Err(tell(&failure)),
    }
}

/// Tells a person what went wrong.
fn tell(what: &dyn core::fmt::Display) -> Told {
    if let Ok(mut stderr) = hio::hstderr() {
        // There is nobody left to tell.
        let _ = writeln!(stderr, "{what}");
    }
    Told
}

#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    tell(info);
    debug::exit(debug::EXIT_FAILURE);
    loop {
        cortex_m::asm::wfi();
    }
}
