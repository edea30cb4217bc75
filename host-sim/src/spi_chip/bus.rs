//! The bus to an emulated part, with wires that can be bad.

use super::model::SpiChip;
use crate::media::Media;
use crate::prng::SplitMix64;
use core::cell::RefCell;
use embedded_hal::delay::DelayNs;
use embedded_hal::spi::{Error, ErrorKind, ErrorType, Operation, SpiDevice};
use std::rc::Rc;

/// Rise and fall of chip select, and the pause between two frames: tSHSL of the Winbond W25N01GV data sheet, 50 ns (unchecked), on both sides.
const SELECT_NS: u64 = 100;

/// What is wrong with the wires. Nothing by default.
///
/// Rates are one in so many, 0 for never. A serial bus has no checksum, so a part and a host can only notice what makes no sense; how often wires fail
/// is no figure of a data sheet but the test's to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WireFaults {
    /// What faults follow from.
    pub seed: u64,
    /// A bit on its way to the part is flipped.
    pub flip_to_chip_one_in: u64,
    /// A bit on its way from the part is flipped.
    pub flip_from_chip_one_in: u64,
    /// A frame does not reach the part: chip select stays up.
    pub lose_one_in: u64,
    /// Chip select rises before the end of a frame.
    pub cut_short_one_in: u64,
    /// The bus controller reports a failure, before or after the frame.
    pub fail_one_in: u64,
    /// The line from the part is stuck: every byte reads this.
    pub stuck: Option<u8>,
}

/// The bus controller reports a failure, because [`WireFaults`] says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireError;

impl std::fmt::Display for WireError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the bus controller failed, as it was told to")
    }
}

impl std::error::Error for WireError {}

impl Error for WireError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

/// A bus with one emulated part on it. Clones are the same bus, for tests that keep a hand on it while a driver owns it.
#[derive(Debug)]
pub struct ChipBus<M> {
    chip: Rc<RefCell<SpiChip<M>>>,
    wires: Rc<RefCell<Wires>>,
}

#[derive(Debug)]
struct Wires {
    faults: WireFaults,
    prng: SplitMix64,
    /// Clock of the bus.
    hz: u64,
    /// Frames and bytes so far.
    frames: u64,
    bytes: u64,
    /// Numbers of frames that will not reach the part.
    lost: Vec<u64>,
}

impl<M> Clone for ChipBus<M> {
    fn clone(&self) -> Self {
        Self {
            chip: Rc::clone(&self.chip),
            wires: Rc::clone(&self.wires),
        }
    }
}

impl<M: Media> ChipBus<M> {
    /// Wires a part up, at 104 MHz (the highest clock of the Winbond W25N01GV data sheet).
    #[must_use]
    pub fn new(chip: SpiChip<M>) -> Self {
        let wires = Wires {
            faults: WireFaults::default(),
            prng: SplitMix64::new(0),
            hz: 104_000_000,
            frames: 0,
            bytes: 0,
            lost: Vec::new(),
        };
        Self {
            chip: Rc::new(RefCell::new(chip)),
            wires: Rc::new(RefCell::new(wires)),
        }
    }

    /// A delay that lets the part's time pass.
    #[must_use]
    pub fn delay(&self) -> ChipDelay<M> {
        ChipDelay {
            chip: Rc::clone(&self.chip),
        }
    }

    /// Does something to the part, or asks it something.
    pub fn with_chip<T>(&self, f: impl FnOnce(&mut SpiChip<M>) -> T) -> T {
        f(&mut self.chip.borrow_mut())
    }

    /// Takes the part off the bus and puts another one on, as it is.
    pub fn replace_chip(&self, chip: SpiChip<M>) -> SpiChip<M> {
        self.chip.replace(chip)
    }

    /// What is wrong with the wires from now on.
    pub fn set_faults(&self, faults: WireFaults) {
        let mut wires = self.wires.borrow_mut();
        wires.prng = SplitMix64::derive(faults.seed, 0x3A);
        wires.faults = faults;
    }

    /// The frame that comes after `behind` others from now on does not reach the part.
    pub fn lose_frame(&self, behind: u64) {
        let mut wires = self.wires.borrow_mut();
        let number = wires.frames + 1 + behind;
        wires.lost.push(number);
    }

    /// Another clock.
    pub fn set_hz(&self, hz: u32) {
        self.wires.borrow_mut().hz = u64::from(hz.max(1));
    }

    /// Frames and bytes so far.
    #[must_use]
    pub fn traffic(&self) -> (u64, u64) {
        let wires = self.wires.borrow();
        (wires.frames, wires.bytes)
    }

    fn transact(&self, operations: &mut [Operation<'_, u8>]) -> Result<(), WireError> {
        let wires = &mut *self.wires.borrow_mut();
        let chip = &mut *self.chip.borrow_mut();
        wires.frames += 1;
        let fails = wires.one_in(wires.faults.fail_one_in);
        if fails && wires.prng.chance(1, 2) {
            return Err(WireError);
        }
        let is_lost = wires.lost.contains(&wires.frames);
        let reaches_chip = !wires.one_in(wires.faults.lose_one_in) && !is_lost;
        let len = operations.iter().map(bytes_of).sum::<u64>();
        let mut left = match wires.one_in(wires.faults.cut_short_one_in) {
            true => wires.prng.below(len),
            false => u64::MAX,
        };
        if reaches_chip {
            chip.select();
        }
        let mut exchange = |sent: u8| {
            wires.bytes += 1;
            let sent = sent ^ wires.flips(wires.faults.flip_to_chip_one_in);
            let received = match left {
                0 => 0xFF,
                _ if reaches_chip => chip.exchange(sent),
                _ => 0xFF,
            };
            left = left.saturating_sub(1);
            let received = received ^ wires.flips(wires.faults.flip_from_chip_one_in);
            wires.faults.stuck.unwrap_or(received)
        };
        let mut ns = SELECT_NS;
        for operation in operations {
            match operation {
                Operation::Read(bytes) => bytes.iter_mut().for_each(|byte| *byte = exchange(0)),
                Operation::Write(bytes) => bytes.iter().for_each(|&byte| {
                    exchange(byte);
                }),
                Operation::Transfer(received, sent) => {
                    for index in 0..received.len().max(sent.len()) {
                        let byte = exchange(sent.get(index).copied().unwrap_or(0));
                        if let Some(place) = received.get_mut(index) {
                            *place = byte;
                        }
                    }
                }
                Operation::TransferInPlace(bytes) => {
                    bytes.iter_mut().for_each(|byte| *byte = exchange(*byte));
                }
                Operation::DelayNs(pause) => ns += u64::from(*pause),
            }
        }
        chip.pass_ns(ns + len * 8 * 1_000_000_000 / wires.hz);
        if reaches_chip {
            chip.deselect();
        }
        if fails {
            return Err(WireError);
        }
        Ok(())
    }
}

/// Bytes that an operation moves.
fn bytes_of(operation: &Operation<'_, u8>) -> u64 {
    let len = match operation {
        Operation::Read(bytes) | Operation::TransferInPlace(bytes) => bytes.len(),
        Operation::Write(bytes) => bytes.len(),
        Operation::Transfer(received, sent) => received.len().max(sent.len()),
        Operation::DelayNs(_) => 0,
    };
    len as u64
}

impl Wires {
    fn one_in(&mut self, rate: u64) -> bool {
        rate != 0 && self.prng.chance(1, rate)
    }

    /// Bits of a byte that arrive wrong.
    fn flips(&mut self, rate: u64) -> u8 {
        if rate == 0 {
            return 0;
        }
        (0..8).fold(0, |flips, bit| {
            flips | u8::from(self.prng.chance(1, rate)) << bit
        })
    }
}

impl<M> ErrorType for ChipBus<M> {
    type Error = WireError;
}

impl<M: Media> SpiDevice for ChipBus<M> {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), WireError> {
        self.transact(operations)
    }
}

impl<M: Media> embedded_hal_async::spi::SpiDevice for ChipBus<M> {
    async fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), WireError> {
        self.transact(operations)
    }
}

/// A delay in the time of an emulated part.
#[derive(Debug)]
pub struct ChipDelay<M> {
    chip: Rc<RefCell<SpiChip<M>>>,
}

impl<M: Media> DelayNs for ChipDelay<M> {
    fn delay_ns(&mut self, ns: u32) {
        self.chip.borrow_mut().pass_ns(u64::from(ns));
    }
}

impl<M: Media> embedded_hal_async::delay::DelayNs for ChipDelay<M> {
    async fn delay_ns(&mut self, ns: u32) {
        self.chip.borrow_mut().pass_ns(u64::from(ns));
    }
}
