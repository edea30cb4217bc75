//! The part: frames in, answers out.

use super::breach::Breach;
use super::controller_fault::ControllerFault;
use super::ecc_code::EccCode;
use super::frame::{self, COLUMN_MASK, PLANE_BIT};
use super::parameter_page::parameter_pages;
use super::registers::Registers;
use super::work::{Task, Work};
use crate::chips::{chip, Timing};
use crate::emulator::Emulator;
use crate::media::Media;
use crate::prng::SplitMix64;
use cuesta_hal::spi_nand::{opcode, register, JedecId, SpiNandChip};
use cuesta_hal::Nand as _;

/// The level of a line that nobody drives: pulled up.
const IDLE: u8 = 0xFF;

/// How long a reset takes: Winbond W25N01GV data sheet, tRST at most 5 µs when idle and while reading, 10 µs while programming, 500 µs while erasing;
/// unchecked.
const RESET_IDLE_NS: u64 = 5_000;
const RESET_PROGRAM_NS: u64 = 10_000;
const RESET_ERASE_NS: u64 = 500_000;

/// Breaches kept; further ones are only counted.
const BREACHES_KEPT_MAX: usize = 64;

/// The emulated part is not a serial one, or was given another shape than it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSerial {
    /// Its name in the table.
    pub name: &'static str,
}

impl std::fmt::Display for NotSerial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\" is not a serial NAND of the table", self.name)
    }
}

impl std::error::Error for NotSerial {}

/// A serial NAND part over an emulated array.
#[derive(Debug, Clone)]
pub struct SpiChip<M> {
    pub(super) chip: &'static SpiNandChip,
    pub(super) nand: Emulator<M>,
    pub(super) registers: Registers,
    /// A raw page for each plane that has a cache of its own.
    pub(super) caches: Vec<Vec<u8>>,
    /// The plane whose cache was filled last.
    pub(super) filled: usize,
    pub(super) is_write_enabled: bool,
    pub(super) failed: u8,
    pub(super) ecc: EccCode,
    pub(super) work: Option<Work>,
    pub(super) frame: Vec<u8>,
    pub(super) breaches: Vec<Breach>,
    pub(super) breach_count: u64,
    pub(super) identity: Vec<u8>,
    pub(super) parameter_pages: Vec<u8>,
    pub(super) is_write_protected: bool,
    pub(super) is_continuous_at_power_up: bool,
    pub(super) is_stuck: bool,
    pub(super) faults: Vec<(u64, ControllerFault)>,
    pub(super) operations: u64,
    pub(super) brown_out_at_ns: Option<u64>,
}

impl<M: Media> SpiChip<M> {
    /// Puts the pins of its row of the table on an emulated array, and powers it up.
    ///
    /// From now on the array takes no time for what happens on the bus; [`ChipBus`](super::ChipBus) does.
    ///
    /// # Errors
    /// The part has no such pins, or another shape than its row.
    pub fn new(mut nand: Emulator<M>) -> Result<Self, NotSerial> {
        let not_serial = NotSerial {
            name: nand.chip_name(),
        };
        let row = chip(nand.chip_name()).ok().and_then(|chip| chip.spi_nand);
        let mut geometry = *nand.geometry();
        if let Some(ecc) = &mut geometry.chip_ecc {
            ecc.enabled = false;
        }
        let chip = row
            .filter(|row| row.geometry == geometry)
            .ok_or(not_serial)?;
        nand.timing = Timing {
            command_ns: 0,
            // A tick a byte.
            bus_bytes_per_us: 52_000,
            ..nand.timing
        };
        let planes = if chip.has_plane_select {
            usize::from(geometry.planes_per_die)
        } else {
            1
        };
        let identity = match chip.id {
            JedecId::AfterDummy(ids) | JedecId::AtOnce(ids) => ids[0].to_vec(),
        };
        let mut this = Self {
            chip,
            nand,
            registers: Registers::at_power_up(chip),
            caches: vec![vec![0; geometry.raw_page_bytes() as usize]; planes],
            filled: 0,
            is_write_enabled: false,
            failed: 0,
            ecc: EccCode::default(),
            work: None,
            frame: Vec::new(),
            breaches: Vec::new(),
            breach_count: 0,
            identity,
            parameter_pages: parameter_pages(chip),
            is_write_protected: false,
            is_continuous_at_power_up: false,
            is_stuck: false,
            faults: Vec::new(),
            operations: 0,
            brown_out_at_ns: None,
        };
        this.power_up();
        Ok(this)
    }

    /// The row of the table.
    #[must_use]
    pub const fn chip(&self) -> &'static SpiNandChip {
        self.chip
    }

    /// The array.
    #[must_use]
    pub const fn nand(&self) -> &Emulator<M> {
        &self.nand
    }

    /// The array, to inject faults or to cut the power.
    pub const fn nand_mut(&mut self) -> &mut Emulator<M> {
        &mut self.nand
    }

    /// The first things that no host should do, in order.
    #[must_use]
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    /// How many there were.
    #[must_use]
    pub const fn breach_count(&self) -> u64 {
        self.breach_count
    }

    /// Lets a fault befall the array operation that comes after `behind` others from now on.
    pub fn fault(&mut self, behind: u64, fault: ControllerFault) {
        self.faults.push((self.operations + behind, fault));
    }

    /// Answers with this identity in place of its own.
    pub fn set_identity(&mut self, identity: &[u8]) {
        self.identity = identity.to_vec();
    }

    /// Changes the bytes of the parameter page (three copies of 256 bytes).
    pub fn edit_parameter_pages(&mut self, edit: impl FnOnce(&mut [u8])) {
        edit(&mut self.parameter_pages);
    }

    /// With `true`, the write-protect pin holds the protection register as it is.
    pub const fn set_write_protect(&mut self, is_low: bool) {
        self.is_write_protected = is_low;
    }

    /// With `true`, a Winbond part comes up with reads that run on through the array, as the W25N01GVxxIT does where the W25N01GVxxIG comes up in buffer mode
    /// (W25N01GV data sheet, on the BUF bit). From the next power cycle on.
    pub const fn set_continuous_at_power_up(&mut self, is_continuous: bool) {
        self.is_continuous_at_power_up = is_continuous;
    }

    /// Takes the power away, if it is there, and gives it back: what was in progress is torn, and the registers are as after power-up.
    pub fn power_cycle(&mut self) {
        self.nand.power_cycle();
        self.power_up();
    }

    fn power_up(&mut self) {
        self.lose_settings();
        self.is_stuck = false;
        self.forget_work();
    }

    /// The registers are as after power-up.
    pub(super) fn lose_settings(&mut self) {
        self.registers = Registers::at_power_up(self.chip);
        if self.is_continuous_at_power_up {
            self.registers.configuration &= !register::BUFFER_MODE;
        }
        self.apply_ecc();
    }

    /// What a reset and a loss of power have in common: nothing is in progress, and the caches hold anything.
    fn forget_work(&mut self) {
        self.work = None;
        self.brown_out_at_ns = None;
        self.is_write_enabled = false;
        self.failed = 0;
        self.ecc = EccCode::default();
        let mut prng = SplitMix64::new(self.nand.draw_seed());
        for cache in &mut self.caches {
            prng.fill(cache);
        }
    }

    pub(super) fn apply_ecc(&mut self) {
        if let Some(ecc) = &mut self.nand.geometry.chip_ecc {
            ecc.enabled = self.registers.has_ecc();
        }
    }

    pub(super) fn breach(&mut self, breach: Breach) {
        self.breach_count += 1;
        if self.breaches.len() < BREACHES_KEPT_MAX {
            self.breaches.push(breach);
        }
    }

    /// Lets time pass.
    pub fn pass_ns(&mut self, ns: u64) {
        let target = self.nand.now_ns().saturating_add(ns);
        if let Some(at) = self.brown_out_at_ns.filter(|&at| at <= target) {
            self.nand.advance(at.saturating_sub(self.nand.now_ns()));
            self.power_cycle();
        }
        self.nand.advance(target.saturating_sub(self.nand.now_ns()));
    }

    /// Chip select falls.
    pub fn select(&mut self) {
        self.frame.clear();
    }

    /// A byte goes in while another one comes out.
    pub fn exchange(&mut self, sent: u8) -> u8 {
        let at = self.frame.len();
        self.frame.push(sent);
        if self.nand.is_power_lost() {
            return IDLE;
        }
        let opcode = self.frame[0];
        let id_at_once = matches!(self.chip.id, JedecId::AtOnce(_));
        match frame::answer_starts(opcode, self.chip.cache_address, id_at_once) {
            Some(start) if at >= start => self.answer(opcode, at - start),
            _ => IDLE,
        }
    }

    /// The byte that comes after `index` others of an answer.
    fn answer(&mut self, opcode: u8, index: usize) -> u8 {
        match opcode {
            opcode::READ_ID => self.identity.get(index).copied().unwrap_or(0),
            opcode::GET_FEATURE => self.feature(self.frame[1]),
            _ if self.is_busy() => IDLE,
            opcode::READ_ECC_STATUS => self.ecc.answer,
            _ => self.cached(index),
        }
    }

    /// The byte of the cache that comes after `index` others from the column of the frame on.
    fn cached(&mut self, index: usize) -> u8 {
        let column = frame::column_of_read(&self.frame, self.chip.cache_address);
        let plane = self.plane_of(column);
        if index == 0 && plane != self.filled {
            self.breach(Breach::Plane);
        }
        let is_continuous = self.registers.configuration & register::BUFFER_MODE == 0;
        if index == 0 && self.chip.has_buffer_mode && is_continuous {
            self.breach(Breach::Continuous);
        }
        let at = usize::from(column & COLUMN_MASK) + index;
        match self.caches[plane].get(at) {
            Some(byte) => *byte,
            None => {
                self.breach(Breach::Column(u16::try_from(at).unwrap_or(u16::MAX)));
                IDLE
            }
        }
    }

    pub(super) fn plane_of(&self, column: u16) -> usize {
        usize::from(self.caches.len() > 1 && column & PLANE_BIT != 0)
    }

    fn feature(&mut self, register: u8) -> u8 {
        match register {
            register::PROTECTION => self.registers.protection,
            register::CONFIGURATION => self.registers.configuration,
            register::STATUS => self.status(),
            register::CORRECTED_MAX => self.ecc.corrected_max,
            register::STATUS_2 => self.ecc.status_2,
            _ => 0,
        }
    }

    fn status(&mut self) -> u8 {
        let is_busy = self.is_busy();
        if let (true, Some(work)) = (is_busy, &mut self.work) {
            if let Some(ControllerFault::SpuriousReady(looks @ 1..)) = &mut work.fault {
                *looks -= 1;
                return 0;
            }
        }
        let enabled = if self.is_write_enabled {
            register::WRITE_ENABLED
        } else {
            0
        };
        self.ecc.status | self.failed | enabled | u8::from(is_busy)
    }

    /// Chip select rises: what was sent takes effect.
    pub fn deselect(&mut self) {
        let frame = std::mem::take(&mut self.frame);
        if let (Some(&opcode), false) = (frame.first(), self.nand.is_power_lost()) {
            self.execute(opcode, &frame);
        }
        self.frame = frame;
        self.frame.clear();
    }

    fn execute(&mut self, opcode: u8, bytes: &[u8]) {
        let is_known = opcode != opcode::READ_ECC_STATUS
            || self.chip.ecc_status == cuesta_hal::spi_nand::EccStatus::CorrectedByCommand;
        let is_always_taken = matches!(
            opcode,
            opcode::RESET | opcode::GET_FEATURE | opcode::READ_ID
        );
        match frame::has_length(opcode, bytes.len()).filter(|_| is_known) {
            None => return self.breach(Breach::UnknownOpcode(opcode)),
            Some(false) => {
                let found = bytes.len();
                return self.breach(Breach::Length { opcode, found });
            }
            Some(true) if self.is_busy() && !is_always_taken => {
                return self.breach(Breach::WhileBusy { opcode });
            }
            Some(true) => {}
        }
        match opcode {
            opcode::RESET => self.reset(),
            opcode::WRITE_ENABLE => self.is_write_enabled = true,
            opcode::WRITE_DISABLE => self.is_write_enabled = false,
            opcode::SET_FEATURE => self.set_feature(bytes[1], bytes[2]),
            opcode::PAGE_READ => self.start_read(frame::row(bytes)),
            opcode::PROGRAM_LOAD | opcode::PROGRAM_LOAD_RANDOM => self.load(opcode, bytes),
            opcode::PROGRAM_EXECUTE => self.start_program(frame::row(bytes)),
            opcode::BLOCK_ERASE => self.start_erase(frame::row(bytes)),
            _ => {}
        }
    }

    fn set_feature(&mut self, register: u8, value: u8) {
        match register {
            register::PROTECTION if self.is_write_protected => {}
            register::PROTECTION => self.registers.protection = value,
            register::CONFIGURATION => {
                self.registers.configure(self.chip, value);
                self.apply_ecc();
            }
            _ => self.breach(Breach::Register(register)),
        }
    }

    fn reset(&mut self) {
        let takes_ns = match self.work.map(|work| work.task) {
            Some(Task::Erase) => RESET_ERASE_NS,
            Some(Task::Program) => RESET_PROGRAM_NS,
            _ => RESET_IDLE_NS,
        };
        if self.is_busy() {
            // What is in progress in the array is torn, as by a loss of power.
            self.nand.power_cycle();
        }
        self.registers.reset();
        self.forget_work();
        self.begin(Task::Reset, takes_ns, None);
    }
}
