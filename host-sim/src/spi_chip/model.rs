//! The part: frames in, answers out.

use super::breach::Breach;
use super::controller_fault::ControllerFault;
use super::ecc_code::EccCode;
use super::frame;
use super::parameter_page::parameter_pages;
use super::registers::Registers;
use crate::chips::{chip, Timing};
use crate::emulator::Emulator;
use crate::error::SimError;
use crate::media::Media;
use crate::prng::SplitMix64;
use cuesta_hal::spi_nand::{opcode, register, JedecId, SpiNandChip, PARAMETER_PAGE_ROW};
use cuesta_hal::{
    BlockAddress, Buffer, Columns, Completion, Die, Nand, PageAddress, ReadOutcome, ReadStatus,
};

/// The level of a line that nobody drives: pulled up.
const IDLE: u8 = 0xFF;

/// The bit of a column that names the plane, on parts with two (Micron MT29F2G01ABAGD data sheet, on plane select).
const PLANE_BIT: u16 = 1 << 12;
/// Columns have as many bits below it.
const COLUMN_MASK: u16 = PLANE_BIT - 1;

/// How long a reset takes: Winbond W25N01GV data sheet, tRST at most 5 µs when idle and while reading, 10 µs while programming, 500 µs while erasing.
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Read { plane: usize },
    ParameterPage,
    Program,
    Erase,
    Reset,
}

/// What keeps the part busy.
#[derive(Debug, Clone, Copy)]
struct Work {
    task: Task,
    /// Not over before this.
    until_ns: u64,
    /// The array has done its share.
    is_settled: bool,
    fault: Option<ControllerFault>,
}

/// A serial NAND part over an emulated array.
#[derive(Debug, Clone)]
pub struct SpiChip<M> {
    chip: &'static SpiNandChip,
    nand: Emulator<M>,
    registers: Registers,
    /// A raw page for each plane that has a cache of its own.
    caches: Vec<Vec<u8>>,
    /// The plane whose cache was filled last.
    filled: usize,
    is_write_enabled: bool,
    failed: u8,
    ecc: EccCode,
    work: Option<Work>,
    frame: Vec<u8>,
    breaches: Vec<Breach>,
    breach_count: u64,
    identity: Vec<u8>,
    parameter_pages: Vec<u8>,
    is_write_protected: bool,
    is_stuck: bool,
    faults: Vec<(u64, ControllerFault)>,
    operations: u64,
    brown_out_at_ns: Option<u64>,
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

    /// Takes the power away, if it is there, and gives it back: what was in progress is torn, and the registers are as after power-up.
    pub fn power_cycle(&mut self) {
        self.nand.power_cycle();
        self.power_up();
    }

    fn power_up(&mut self) {
        self.registers = Registers::at_power_up(self.chip);
        self.is_stuck = false;
        self.forget_work();
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

    fn apply_ecc(&mut self) {
        if let Some(ecc) = &mut self.nand.geometry.chip_ecc {
            ecc.enabled = self.registers.has_ecc();
        }
    }

    fn breach(&mut self, breach: Breach) {
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
        let at = usize::from(column & COLUMN_MASK) + index;
        match self.caches[plane].get(at) {
            Some(byte) => *byte,
            None => {
                self.breach(Breach::Column(u16::try_from(at).unwrap_or(u16::MAX)));
                IDLE
            }
        }
    }

    fn plane_of(&self, column: u16) -> usize {
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

    fn begin(&mut self, task: Task, takes_ns: u64, fault: Option<ControllerFault>) {
        self.work = Some(Work {
            task,
            until_ns: self.nand.now_ns() + takes_ns,
            is_settled: matches!(task, Task::Reset | Task::ParameterPage),
            fault,
        });
    }

    /// Begins what the array has been told, with the fault that is laid for it.
    fn begin_in_array(&mut self, task: Task, started: Result<(), SimError>) {
        match started {
            Ok(()) => {}
            Err(SimError::PowerLost) => return,
            Err(SimError::Forbidden(_)) => {
                self.breach(Breach::Array);
                self.settle(Completion::ProgramFailed);
                self.failed = register::PROGRAM_FAILED | register::ERASE_FAILED;
                return;
            }
            Err(SimError::Timeout | SimError::Io(_)) => {
                self.is_stuck = true;
                return;
            }
        }
        let now = self.operations;
        self.operations += 1;
        let laid = self.faults.iter().position(|&(at, _)| at == now);
        let fault = laid.map(|index| self.faults.swap_remove(index).1);
        let usual_ns = 1000
            * u64::from(match task {
                Task::Program => self.nand.timing.program_us,
                Task::Erase => self.nand.timing.erase_us,
                _ => self.nand.timing.read_us,
            });
        let takes_ns = match fault {
            Some(ControllerFault::Slow(times)) => usual_ns.saturating_mul(u64::from(times)),
            _ => 0,
        };
        if fault == Some(ControllerFault::BrownOut) {
            self.brown_out_at_ns = Some(self.nand.now_ns() + usual_ns / 2);
        }
        self.begin(task, takes_ns, fault);
    }

    /// Looks at how far the work is.
    fn is_busy(&mut self) -> bool {
        if self.is_stuck {
            return true;
        }
        let Some(work) = self.work else {
            return false;
        };
        if !work.is_settled {
            match self.nand.poll(Die(0)) {
                Ok(completion) => self.settle(completion),
                Err(nb::Error::WouldBlock) => return true,
                Err(nb::Error::Other(SimError::PowerLost)) => return false,
                Err(nb::Error::Other(_)) => {
                    self.is_stuck = true;
                    return true;
                }
            }
        }
        self.work = Some(Work {
            is_settled: true,
            ..work
        });
        match work.fault {
            Some(ControllerFault::BusyForEver) => self.is_stuck = true,
            Some(ControllerFault::BusyUntilReset) => return true,
            _ if self.nand.now_ns() < work.until_ns => return true,
            Some(ControllerFault::SettingsLost) => {
                self.registers = Registers::at_power_up(self.chip);
                self.apply_ecc();
            }
            _ => {}
        }
        if work.task == Task::ParameterPage {
            self.caches[0].clone_from(&self.parameter_pages);
            self.filled = 0;
        }
        self.work = None;
        self.brown_out_at_ns = None;
        self.is_stuck
    }

    /// What the array says becomes bits of the registers.
    fn settle(&mut self, completion: Completion) {
        match completion {
            Completion::Read(status) => {
                if let Some(Task::Read { plane }) = self.work.map(|work| work.task) {
                    self.caches[plane].copy_from_slice(self.nand.buffer(Die(0), Buffer::First));
                    self.filled = plane;
                }
                let status = match self.registers.has_ecc() {
                    true => status,
                    false => ReadStatus::Ok(ReadOutcome::RAW),
                };
                self.ecc = EccCode::of(self.chip.ecc_status, status);
            }
            Completion::Programmed | Completion::Erased => {
                self.is_write_enabled = false;
                self.failed = 0;
            }
            Completion::ProgramFailed => {
                self.is_write_enabled = false;
                self.failed = register::PROGRAM_FAILED;
            }
            Completion::EraseFailed => {
                self.is_write_enabled = false;
                self.failed = register::ERASE_FAILED;
            }
        }
    }

    fn page(&self, row: u32) -> Option<PageAddress> {
        let pages = u32::from(self.chip.geometry.pages_per_block);
        let page = u16::try_from(row % pages).ok()?;
        let page = BlockAddress::new(0, row / pages).page(page);
        self.chip.geometry.has_page(page).then_some(page)
    }

    fn plane(&self, block: BlockAddress) -> usize {
        block.block.0 as usize % self.caches.len()
    }

    fn start_read(&mut self, row: u32) {
        if self.registers.shows_one_time_area() {
            if row != PARAMETER_PAGE_ROW {
                self.breach(Breach::Row(row));
            }
            let takes_ns = 1000 * u64::from(self.nand.timing.read_us);
            return self.begin(Task::ParameterPage, takes_ns, None);
        }
        let Some(page) = self.page(row) else {
            return self.breach(Breach::Row(row));
        };
        let whole = Columns::whole(&self.chip.geometry);
        let started = self.nand.start_read(page, whole, Buffer::First);
        let plane = self.plane(page.block);
        self.begin_in_array(Task::Read { plane }, started);
    }

    fn load(&mut self, opcode: u8, bytes: &[u8]) {
        // Winbond W25N01GV data sheet, on the instructions 02h and 84h.
        if self.chip.has_buffer_mode && !self.is_write_enabled {
            return self.breach(Breach::NotEnabled { opcode });
        }
        let column = frame::column_of_load(bytes);
        let plane = self.plane_of(column);
        let cache = &mut self.caches[plane];
        if opcode == opcode::PROGRAM_LOAD {
            cache.fill(0xFF);
        }
        self.filled = plane;
        let start = usize::from(column & COLUMN_MASK).min(cache.len());
        let data = &bytes[3..];
        let fitting = data.len().min(cache.len() - start);
        cache[start..start + fitting].copy_from_slice(&data[..fitting]);
        if fitting < data.len() {
            self.breach(Breach::Column(column & COLUMN_MASK));
        }
    }

    /// What programs and erases ask for. `None` when the command is ignored, or fails at once.
    fn admit(&mut self, opcode: u8, row: u32, failed: u8) -> Option<PageAddress> {
        if !self.is_write_enabled {
            self.breach(Breach::NotEnabled { opcode });
            return None;
        }
        if self.registers.shows_one_time_area() {
            self.breach(Breach::OneTimeArea { opcode });
            return None;
        }
        if self.registers.is_protected() {
            self.breach(Breach::Protected { opcode });
            self.is_write_enabled = false;
            self.failed = failed;
            return None;
        }
        let page = self.page(row);
        if page.is_none() {
            self.breach(Breach::Row(row));
        }
        page
    }

    fn start_program(&mut self, row: u32) {
        let failed = register::PROGRAM_FAILED;
        let Some(page) = self.admit(opcode::PROGRAM_EXECUTE, row, failed) else {
            return;
        };
        let plane = self.plane(page.block);
        if plane != self.filled {
            self.breach(Breach::Plane);
        }
        self.nand
            .buffer_mut(Die(0), Buffer::First)
            .copy_from_slice(&self.caches[plane]);
        let started = self.nand.start_program(page, Buffer::First);
        self.begin_in_array(Task::Program, started);
    }

    fn start_erase(&mut self, row: u32) {
        let failed = register::ERASE_FAILED;
        let Some(page) = self.admit(opcode::BLOCK_ERASE, row, failed) else {
            return;
        };
        let started = self.nand.start_erase(page.block);
        self.begin_in_array(Task::Erase, started);
    }
}
