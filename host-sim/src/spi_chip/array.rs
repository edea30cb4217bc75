//! What commands on the array do, and how long they keep the part busy.

use super::breach::Breach;
use super::controller_fault::ControllerFault;
use super::ecc_code::EccCode;
use super::frame::{self, COLUMN_MASK};
use super::model::SpiChip;
use super::work::{Task, Work};
use crate::error::SimError;
use crate::media::Media;
use cuesta_hal::spi_nand::{opcode, register, PARAMETER_PAGE_ROW};
use cuesta_hal::{
    BlockAddress, Buffer, Columns, Completion, Die, Nand, PageAddress, ReadOutcome, ReadStatus,
};

impl<M: Media> SpiChip<M> {
    pub(super) fn begin(&mut self, task: Task, takes_ns: u64, fault: Option<ControllerFault>) {
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
    pub(super) fn is_busy(&mut self) -> bool {
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
            Some(ControllerFault::SettingsLost) => self.lose_settings(),
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

    pub(super) fn start_read(&mut self, row: u32) {
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

    pub(super) fn load(&mut self, opcode: u8, bytes: &[u8]) {
        // Winbond W25N01GV data sheet, on the instructions 02h and 84h; unchecked.
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

    pub(super) fn start_program(&mut self, row: u32) {
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

    pub(super) fn start_erase(&mut self, row: u32) {
        let failed = register::ERASE_FAILED;
        let Some(page) = self.admit(opcode::BLOCK_ERASE, row, failed) else {
            return;
        };
        let started = self.nand.start_erase(page.block);
        self.begin_in_array(Task::Erase, started);
    }
}
