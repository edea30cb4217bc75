//! What the application asks of the board.

use cortex_m::peripheral::SCB;
use cuesta_application::ledger::{self, Kept};
use cuesta_application::Board;
use embassy_futures::select::{select, Either};
use embassy_stm32::pac;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Instant, Timer};

/// A reset that the command `cut` asks for comes after so many microseconds at most: some hundred writes.
const RESET_US_MAX: u32 = 300_000;

/// What the command `cut` remembers.
#[link_section = ".kept"]
#[used]
static KEPT: Kept = ledger::blank();

/// Microseconds until a reset that is asked for. Tasks of two executors share it.
static RESET_IN_US: Signal<CriticalSectionRawMutex, u32> = Signal::new();

/// Embassy's clock, and a task that resets the processor.
pub struct Timers;

impl Board for Timers {
    fn now_us(&mut self) -> u32 {
        Instant::now().as_micros() as u32
    }

    fn reset_soon(&mut self, draw: u32) {
        RESET_IN_US.signal(1 + draw % RESET_US_MAX);
    }

    fn kept(&self) -> &'static Kept {
        &KEPT
    }
}

/// What the command `cut` remembers.
pub fn kept() -> &'static Kept {
    &KEPT
}

/// Memory holds what it held before only through a reset by software; RM0433, 8.7.39, "RCC reset status register". To be asked once: clears the flags.
pub fn was_reset_by_software() -> bool {
    let flags = pac::RCC.rsr().read();
    pac::RCC.rsr().modify(|w| w.set_rmvf(true));
    flags.sftrstf() && !flags.porrstf() && !flags.borrstf()
}

/// Resets the processor when that was asked for and the time has come; another request in the meantime counts instead.
#[embassy_executor::task]
pub async fn reset_when_asked() -> ! {
    let mut us = RESET_IN_US.wait().await;
    loop {
        match select(RESET_IN_US.wait(), Timer::after_micros(u64::from(us))).await {
            Either::First(other) => us = other,
            Either::Second(()) => SCB::sys_reset(),
        }
    }
}
