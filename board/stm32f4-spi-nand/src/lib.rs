//! Pins and clocks that the images for STM32F405, F407 and F411 share. The same pins on all of them:
//!
//! | pin | is |
//! |---|---|
//! | PB12 | chip select of the part |
//! | PB13, PB14, PB15 | clock, data from the part, data to the part (SPI2) |
//! | PA2, PA3 | serial line to a terminal, out and in (USART2, 115 200 bit/s) |
//! | PA11, PA12 | USB, D− and D+ |

#![no_std]

use cortex_m::peripheral::{NVIC, SCB};
use cuesta_application::ledger::{self, Kept};
use cuesta_application::Board;
use embedded_hal_bus::spi::ExclusiveDevice;
use stm32f4xx_hal::gpio::{Output, Pin, Pull, Speed};
use stm32f4xx_hal::pac::{self, interrupt, Interrupt, SPI2, TIM2, TIM3, TIM5, USART2};
use stm32f4xx_hal::prelude::*;
use stm32f4xx_hal::rcc::Config;
use stm32f4xx_hal::serial::{Rx, Tx};
use stm32f4xx_hal::spi::{Mode, Phase, Polarity, Spi};
use stm32f4xx_hal::timer::{CounterUs, DelayUs, Event, SysDelay};
use stm32f4xx_hal::Listen;

/// System clock: what the microcontroller takes at most, or the next frequency below from which 48 MHz for USB can be made.
#[cfg(feature = "f411")]
const SYSTEM_MHZ: u32 = 96;
#[cfg(not(feature = "f411"))]
const SYSTEM_MHZ: u32 = 168;

/// Crystal that USB needs: of a Black Pill (F411), an STM32F4DISCOVERY (F407), and an Adafruit Feather (F405).
#[cfg(feature = "f411")]
const CRYSTAL_MHZ: u32 = 25;
#[cfg(feature = "f407")]
const CRYSTAL_MHZ: u32 = 8;
#[cfg(feature = "f405")]
const CRYSTAL_MHZ: u32 = 12;

/// Clock of the part at most: what jumper wires carry. It would take ten times as much, SPI2 about twice.
const PART_MHZ: u32 = 12;

/// Bits per second of the serial line.
const BAUD: u32 = 115_200;

/// A reset that the command `cut` asks for comes after so many microseconds at most: some hundred writes.
const RESET_US_MAX: u32 = 300_000;

/// The bus of the part.
pub type PartBus = ExclusiveDevice<Spi<SPI2>, Pin<'B', 12, Output>, DelayUs<TIM3>>;

/// What the command `cut` remembers.
#[link_section = ".uninit.KEPT"]
#[used]
static KEPT: Kept = ledger::blank();

/// The microcontroller, set up.
pub struct Microcontroller {
    /// The bus of the part.
    pub bus: PartBus,
    /// Pauses for its driver.
    pub delay: SysDelay,
    /// The terminal, out.
    pub tx: Tx<USART2>,
    /// The terminal, in.
    pub rx: Rx<USART2>,
    /// What the application asks for.
    pub timers: Timers,
    /// The USB peripheral, if it was asked for.
    #[cfg(feature = "usb-stick")]
    pub usb: Option<stm32f4xx_hal::otg_fs::USB>,
}

impl Microcontroller {
    /// Sets clocks and pins up. What the command `cut` remembers counts only if the processor was reset by itself.
    #[must_use]
    pub fn new(source: ClockSource) -> Self {
        let (Some(device), Some(core)) = (pac::Peripherals::take(), cortex_m::Peripherals::take())
        else {
            defmt::panic!("the microcontroller is set up already");
        };
        forget_unless_reset_by_software(&device.RCC);
        let clocks = match source {
            ClockSource::Internal => Config::hsi(),
            ClockSource::Crystal => Config::hse(CRYSTAL_MHZ.MHz()).require_pll48clk(),
        };
        let mut rcc = device.RCC.freeze(clocks.sysclk(SYSTEM_MHZ.MHz()));
        let gpioa = device.GPIOA.split(&mut rcc);
        let gpiob = device.GPIOB.split(&mut rcc);

        let sck = gpiob.pb13.into_alternate().speed(Speed::High);
        // A part that is not there reads FF.
        let miso = gpiob.pb14.into_alternate().internal_resistor(Pull::Up);
        let mosi = gpiob.pb15.into_alternate().speed(Speed::High);
        let mode = Mode {
            polarity: Polarity::IdleLow,
            phase: Phase::CaptureOnFirstTransition,
        };
        let pins = (Some(sck), Some(miso), Some(mosi));
        let spi = device.SPI2.spi(pins, mode, PART_MHZ.MHz(), &mut rcc);
        let select = gpiob
            .pb12
            .into_push_pull_output_in_state(stm32f4xx_hal::gpio::PinState::High);
        let Ok(bus) = ExclusiveDevice::new(spi, select, device.TIM3.delay_us(&mut rcc));

        let line = (gpioa.pa2, gpioa.pa3);
        let Ok(serial) = device.USART2.serial(line, BAUD.bps(), &mut rcc) else {
            defmt::panic!("{} bit/s cannot be made", BAUD);
        };
        let (tx, rx) = serial.split();

        let mut clock = device.TIM2.counter_us(&mut rcc);
        if clock.start(u32::MAX.micros()).is_err() {
            defmt::panic!("the timer has 32 bits");
        }
        let alarm = device.TIM5.counter_us(&mut rcc);
        #[cfg(feature = "usb-stick")]
        let usb = (source == ClockSource::Crystal).then(|| {
            stm32f4xx_hal::otg_fs::USB::new(
                (
                    device.OTG_FS_GLOBAL,
                    device.OTG_FS_DEVICE,
                    device.OTG_FS_PWRCLK,
                ),
                (gpioa.pa11, gpioa.pa12),
                &rcc.clocks,
            )
        });
        Self {
            bus,
            delay: core.SYST.delay(&rcc.clocks),
            tx,
            rx,
            timers: Timers { clock, alarm },
            #[cfg(feature = "usb-stick")]
            usb,
        }
    }
}

/// Memory holds what it held before only through a reset by software; RM0090, 7.3.21 and RM0383, 6.3.20, "RCC clock control & status register".
fn forget_unless_reset_by_software(rcc: &pac::RCC) {
    let flags = rcc.csr().read();
    let by_software = flags.sftrstf().bit_is_set();
    let by_power = flags.porrstf().bit_is_set() || flags.borrstf().bit_is_set();
    if by_power || !by_software {
        ledger::forget(&KEPT);
    }
    // The flags of this reset must not be found after the next.
    rcc.csr().modify(|_, w| w.rmvf().set_bit());
}

/// Where the clock comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockSource {
    /// The internal oscillator: the image runs on any board.
    Internal,
    /// The crystal, without which USB does not keep its time; see [`Microcontroller`].
    Crystal,
}

/// A clock, and a timer that resets the processor.
pub struct Timers {
    clock: CounterUs<TIM2>,
    alarm: CounterUs<TIM5>,
}

impl Board for Timers {
    fn now_us(&mut self) -> u32 {
        self.clock.now().ticks()
    }

    fn reset_soon(&mut self, draw: u32) {
        let us = 1 + draw % RESET_US_MAX;
        self.alarm.listen(Event::Update);
        if self.alarm.start(us.micros()).is_err() {
            defmt::panic!("{} us are too long for the timer", us);
        }
        // SAFETY: no code relies on this interrupt being masked.
        unsafe { NVIC::unmask(Interrupt::TIM5) };
    }

    fn kept(&self) -> &'static Kept {
        &KEPT
    }
}

#[interrupt]
fn TIM5() {
    SCB::sys_reset();
}
