//! The application on an STM32H743 (Nucleo-H743ZI2), among the tasks of Embassy.
//!
//! | pin | is |
//! |---|---|
//! | PD14 | chip select of the part |
//! | PA5, PA6, PB5 | clock, data from the part, data to the part (SPI1) |
//! | PD8, PD9 | serial line to a terminal, out and in (USART3, 115 200 bit/s: the debug probe's) |
//! | PB0 | a light that blinks every half second, whatever the disk is doing |
//!
//! The engine polls its part and never waits for a bus, so that volumes need the blocking driver: its transfers, and pauses of some microseconds, are not
//! shared with other tasks of the same executor. What must not wait for them runs in an executor of its own, at the priority of an interrupt. The asynchronous driver
//! has no such need. It sets the part up first, and reads for the command `scan`, by DMA, with nobody waiting but the task itself.

#![no_std]
#![no_main]

mod line;
mod raw;
mod timers;

use core::fmt::{self, Display, Write};

use cuesta_application::{ledger, resume, run, Failure, LineEditor, Room, Terminal};
use cuesta_hal::spi_nand::{SpiNand, SpiNandOptions, RAW_PAGE_BYTES_MAX};
use defmt_rtt as _;
use embassy_executor::{InterruptExecutor, Spawner};
use embassy_stm32::gpio::{Level, Output, Speed};
use embassy_stm32::interrupt::{self, InterruptExt, Priority};
use embassy_stm32::mode::Async;
use embassy_stm32::spi::mode::Master;
use embassy_stm32::spi::{self, Spi};
use embassy_stm32::time::Hertz;
use embassy_stm32::usart::{self, BufferedUart, BufferedUartRx};
use embassy_stm32::{bind_interrupts, dma, peripherals, Config};
use embassy_time::{Delay, Timer};
use embedded_hal_bus::spi::ExclusiveDevice;
use embedded_io_async::Read;
use panic_probe as _;
use static_cell::{ConstStaticCell, StaticCell};

use line::Line;
use timers::{reset_when_asked, Timers};

bind_interrupts!(struct Interrupts {
    USART3 => usart::BufferedInterruptHandler<peripherals::USART3>;
    DMA1_STREAM0 => dma::InterruptHandler<peripherals::DMA1_CH0>;
    DMA1_STREAM1 => dma::InterruptHandler<peripherals::DMA1_CH1>;
});

/// Clock of the part at most: what jumper wires carry.
const PART_CLOCK: Hertz = Hertz(12_500_000);

/// Bytes that may be typed while a command runs.
const TYPED_BYTES: usize = 256;

/// The bus of the part: blocking and asynchronous.
type PartBus = ExclusiveDevice<Spi<'static, Async, Master>, Output<'static>, Delay>;

/// The part behind the blocking driver.
type BlockingPart<'a> = SpiNand<'a, &'a mut PartBus, Delay>;

static PAGE: ConstStaticCell<[u8; RAW_PAGE_BYTES_MAX]> =
    ConstStaticCell::new([0; RAW_PAGE_BYTES_MAX]);
static ROOM: StaticCell<Room> = StaticCell::new();
static TOLD: ConstStaticCell<[u8; TYPED_BYTES]> = ConstStaticCell::new([0; TYPED_BYTES]);
static TYPED: ConstStaticCell<[u8; TYPED_BYTES]> = ConstStaticCell::new([0; TYPED_BYTES]);

/// Tasks that the disk must not hold up.
static URGENT: InterruptExecutor = InterruptExecutor::new();

/// An interrupt that no peripheral in use has.
#[embassy_stm32::interrupt]
unsafe fn UART4() {
    // SAFETY: this is the interrupt that the executor was started with.
    unsafe { URGENT.on_interrupt() }
}

#[embassy_executor::main]
async fn main(_spawner: Spawner) -> ! {
    if !timers::was_reset_by_software() {
        ledger::forget(timers::kept());
    }
    let device = embassy_stm32::init(clocks());

    interrupt::UART4.set_priority(Priority::P6);
    let urgent = URGENT.start(interrupt::UART4);
    let light = Output::new(device.PB0, Level::Low, Speed::Low);
    urgent.spawn(defmt::unwrap!(blink(light)));
    urgent.spawn(defmt::unwrap!(reset_when_asked()));

    let mut settings = spi::Config::default();
    settings.frequency = PART_CLOCK;
    // A part that is not there reads FF.
    settings.miso_pull = embassy_stm32::gpio::Pull::Up;
    let spi = Spi::new(
        device.SPI1,
        device.PA5,
        device.PB5,
        device.PA6,
        device.DMA1_CH0,
        device.DMA1_CH1,
        Interrupts,
        settings,
    );
    let select = Output::new(device.PD14, Level::High, Speed::High);
    let Ok(mut bus) = ExclusiveDevice::new(spi, select, Delay);

    let uart = BufferedUart::new(
        device.USART3,
        device.PD9,
        device.PD8,
        TOLD.take(),
        TYPED.take(),
        Interrupts,
        usart::Config::default(),
    );
    let (tx, mut typed) = defmt::unwrap!(uart).split();
    let mut out = Terminal(Line(tx));
    let page = PAGE.take();
    let room = ROOM.init_with(Room::new);
    loop {
        if serve(&mut bus, page, room, &mut out, &mut typed)
            .await
            .is_err()
        {
            defmt::warn!("the serial line cannot be written");
        }
    }
}

/// Sets the part up, goes on with what a reset has interrupted, and carries lines out.
async fn serve(
    bus: &mut PartBus,
    page: &mut [u8],
    room: &mut Room,
    out: &mut Terminal<Line>,
    typed: &mut BufferedUartRx<'static>,
) -> fmt::Result {
    while let Err(error) = raw::greet(bus, page, out).await {
        tell(&error, out)?;
        out.write_str("press a key to try again\n")?;
        key(typed).await;
    }
    with_part(bus, page, out, |nand, out| {
        resume(nand, room, &mut Timers, out).map(drop)
    })?;
    out.write_str("> ")?;
    let mut editor = LineEditor::new();
    loop {
        let byte = key(typed).await;
        let Some(line) = editor.push(byte, out)? else {
            continue;
        };
        match line.trim() {
            "scan" => raw::scan(bus, page, out).await?,
            line => with_part(bus, page, out, |nand, out| {
                run(nand, room, &mut Timers, line, out)
            })?,
        }
        out.write_str("> ")?;
    }
}

/// Has something done with the part by the blocking driver, and tells what fails.
fn with_part<'t>(
    bus: &mut PartBus,
    page: &mut [u8],
    out: &mut Terminal<Line>,
    act: impl FnOnce(&mut BlockingPart<'_>, &mut Terminal<Line>) -> Result<(), Failure<'t>>,
) -> fmt::Result {
    let mut nand = match SpiNand::new(bus, Delay, &SpiNandOptions::default(), page) {
        Ok(nand) => nand,
        Err(error) => return tell(&error, out),
    };
    match act(&mut nand, out) {
        Ok(()) => Ok(()),
        Err(failure) => tell(&failure, out),
    }
}

fn tell(what: &dyn Display, out: &mut Terminal<Line>) -> fmt::Result {
    defmt::error!("{}", defmt::Display2Format(&what));
    writeln!(out, "failed: {what}")
}

/// The next byte that somebody types.
async fn key(typed: &mut BufferedUartRx<'static>) -> u8 {
    let mut byte = [0];
    loop {
        match typed.read(&mut byte).await {
            Ok(0) => {}
            Ok(_) => return byte[0],
            Err(error) => defmt::debug!("serial line: {}", defmt::Debug2Format(&error)),
        }
    }
}

/// Blinks.
#[embassy_executor::task]
async fn blink(mut light: Output<'static>) -> ! {
    loop {
        light.toggle();
        Timer::after_millis(500).await;
    }
}

/// 400 MHz from the internal oscillator, so that no crystal counts; 100 MHz for the bus of the part.
fn clocks() -> Config {
    use embassy_stm32::rcc::{
        AHBPrescaler, APBPrescaler, HSIPrescaler, Pll, PllDiv, PllMul, PllPreDiv, PllSource,
        Sysclk, VoltageScale,
    };
    let mut config = Config::default();
    let rcc = &mut config.rcc;
    rcc.hsi = Some(HSIPrescaler::DIV1);
    rcc.pll1 = Some(Pll {
        source: PllSource::HSI,
        prediv: PllPreDiv::DIV4,
        mul: PllMul::MUL50,
        fracn: None,
        divp: Some(PllDiv::DIV2),
        divq: Some(PllDiv::DIV8),
        divr: None,
    });
    rcc.sys = Sysclk::PLL1_P;
    rcc.ahb_pre = AHBPrescaler::DIV2;
    rcc.apb1_pre = APBPrescaler::DIV2;
    rcc.apb2_pre = APBPrescaler::DIV2;
    rcc.apb3_pre = APBPrescaler::DIV2;
    rcc.apb4_pre = APBPrescaler::DIV2;
    rcc.voltage_scale = VoltageScale::Scale1;
    config
}
