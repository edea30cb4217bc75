//! What an operation does to the array and to the buffers when it ends.

use crate::emulator::{Emulator, Flight, Operation};
use crate::error::SimError;
use crate::faults::Fault;
use crate::media::{BlockState, Condition, Media, PageState, Place};
use crate::on_die_ecc;
use crate::power::ruin;
use crate::referee::{Deed, Record};
use cuesta_hal::{BlockAddress, Buffer, Columns, Completion, PageAddress, ReadStatus};
use std::sync::Arc;

impl<M: Media> Emulator<M> {
    fn place(&self, page: PageAddress) -> Option<Place> {
        Place::of(&self.geometry, page)
    }

    pub(crate) fn note(&mut self, number: u64, block: u32, deed: Deed) {
        let record = Record {
            operation: number,
            deed,
        };
        self.referee.note(block, record);
    }

    /// Lets a completed operation take effect.
    pub(crate) fn settle(&mut self, flight: Flight) -> Result<Completion, SimError> {
        let Flight {
            operation,
            number,
            fault,
        } = flight;
        match operation {
            Operation::Read {
                page,
                columns,
                buffer,
            } => self
                .settle_read(page, columns, buffer, fault)
                .map(Completion::Read),
            Operation::Program { page, bytes, .. } => {
                let lost = self.is_lost(page).then_some(Fault::ProgramFails);
                let fault = lost.or(fault);
                self.settle_program(page, &bytes, number, fault)
            }
            Operation::Erase { block } => {
                let lost = self.is_lost(block.page(0)).then_some(Fault::EraseFails);
                self.settle_erase(block, number, lost.or(fault))
            }
        }
    }

    /// True when the page is lost on a die that answers.
    fn is_lost(&self, page: PageAddress) -> bool {
        self.place(page)
            .is_some_and(|place| self.losses.holds(&self.geometry, place))
    }

    fn settle_read(
        &mut self,
        page: PageAddress,
        columns: Columns,
        buffer: Buffer,
        fault: Option<Fault>,
    ) -> Result<ReadStatus, SimError> {
        if let (true, Some(index)) = (self.is_lost(page), self.buffer_index(page.die(), buffer)) {
            for (start, len) in ranges(columns) {
                self.losses
                    .fill(&mut self.buffers[index][start..start + len]);
            }
            return Ok(on_die_ecc::gave_up(&self.geometry));
        }
        let clean = ReadStatus::Ok(on_die_ecc::clean(&self.geometry));
        let source = match fault {
            Some(Fault::StaleRead) => return Ok(clean),
            Some(Fault::WrongPageRead(other)) if self.geometry.has_page(other) => other,
            _ => page,
        };
        let (Some(place), Some(index)) =
            (self.place(source), self.buffer_index(page.die(), buffer))
        else {
            return Ok(clean);
        };
        let beyond_ecc = self.age_by_read(place)?;
        for (start, len) in ranges(columns) {
            let bytes = &mut self.buffers[index][start..start + len];
            self.media.load(place, start, bytes)?;
        }
        let bits = self.geometry.raw_page_bytes() * 8;
        let mut wrong = Vec::new();
        self.flips_of_condition(place, bits, &mut wrong);
        self.bit_flips.of_read(place, &mut wrong);
        let factor = self.defects.rate_factor(place);
        self.faults.flips_of_read(place, factor, bits, &mut wrong);
        if let Some(aging) = &mut self.aging {
            let erases = self.media.block(place.block).erases;
            aging.flips_of_read(place, erases, self.clock.now(), factor, bits, &mut wrong);
        }
        self.defects
            .flips_of_interference(place, &self.media, bits, &mut wrong);
        if fault == Some(Fault::Uncorrectable) {
            wrong.extend((0..bits / 16).map(|_| self.noise.below(u64::from(bits)) as u32));
        }
        self.defects.flips_of_columns(place, &mut wrong);
        self.defects.stick_in_read(place, &self.media, &mut wrong)?;
        let status = on_die_ecc::correct(&self.geometry, &mut wrong, beyond_ecc);
        if fault == Some(Fault::Miscorrected) {
            on_die_ecc::miscorrect(&self.geometry, &mut wrong, &mut self.noise);
        }
        for bit in wrong {
            let at = (bit / 8) as usize;
            if ranges(columns)
                .iter()
                .any(|&(start, len)| (start..start + len).contains(&at))
            {
                self.buffers[index][at] ^= 1 << (bit % 8);
            }
        }
        let has_ecc = self.geometry.chip_ecc.is_some_and(|ecc| ecc.enabled);
        Ok(match fault {
            Some(Fault::FalseUncorrectable) if has_ecc => ReadStatus::Uncorrectable,
            Some(Fault::FalseClean) if has_ecc => clean,
            Some(Fault::FalseCorrected | Fault::Miscorrected) => {
                on_die_ecc::at_strength(&self.geometry)
            }
            _ => status,
        })
    }

    /// Reads of a page that only looks valid use up its good reads. True when the stored bytes are no codeword.
    fn age_by_read(&mut self, place: Place) -> Result<bool, SimError> {
        let state = self.media.page(place);
        match state.condition {
            Condition::Sound | Condition::LooksErased => Ok(false),
            Condition::Torn | Condition::Unstable | Condition::Damaged => Ok(true),
            Condition::Decaying { good_reads: 0 } => {
                let mut bytes = vec![0; self.geometry.raw_page_bytes() as usize];
                self.media.load(place, 0, &mut bytes)?;
                let ruined = ruin(&bytes, &mut self.noise);
                let condition = Condition::Torn;
                self.media
                    .store(place, &ruined, PageState { condition, ..state })?;
                Ok(true)
            }
            Condition::Decaying { good_reads } => {
                let condition = Condition::Decaying {
                    good_reads: good_reads - 1,
                };
                self.media
                    .set_page(place, PageState { condition, ..state })?;
                Ok(false)
            }
        }
    }

    /// Bits that a page touched by a cut shows wrong this time.
    fn flips_of_condition(&mut self, place: Place, bits: u32, wrong: &mut Vec<u32>) {
        let most = match self.media.page(place).condition {
            Condition::Unstable if self.noise.chance(1, 2) => 64,
            Condition::LooksErased => 3,
            _ => return,
        };
        let count = self.noise.below(most + 1);
        wrong.extend((0..count).map(|_| self.noise.below(u64::from(bits)) as u32));
    }

    fn settle_program(
        &mut self,
        page: PageAddress,
        bytes: &Arc<[u8]>,
        number: u64,
        fault: Option<Fault>,
    ) -> Result<Completion, SimError> {
        let Some(place) = self.place(page) else {
            return Ok(Completion::Programmed);
        };
        let erases = self.media.block(place.block).erases;
        let fault = match &mut self.aging {
            Some(aging) => {
                aging.programmed(place.block, self.clock.now());
                let worn_out = aging.program_fails(place.block, erases);
                fault.or(worn_out.then_some(Fault::ProgramFailsPartly))
            }
            None => fault,
        };
        let written = match fault {
            Some(Fault::ProgramFails | Fault::LostWrite) => None,
            Some(Fault::ProgramFailsPartly) => {
                let mut mask = vec![0; bytes.len()];
                self.noise.fill(&mut mask);
                Some(bytes.iter().zip(mask).map(|(b, m)| b | m).collect())
            }
            Some(Fault::MisdirectedWrite(other)) => {
                if let Some(other) = self.place(other) {
                    let state = self.media.page(other);
                    let blend = self.over_old(other, bytes)?;
                    self.media.store(other, &blend, state)?;
                }
                None
            }
            _ => Some(Arc::clone(bytes)),
        };
        let state = self.media.page(place);
        let state = PageState {
            programs: state.programs.saturating_add(1),
            ..state
        };
        let block = self.media.block(place.block);
        self.media.set_block(
            place.block,
            BlockState {
                next_page: block.next_page.max(place.page + 1),
                ..block
            },
        )?;
        match written {
            Some(bytes) => {
                let blend = self.over_old(place, &bytes)?;
                self.media.store(place, &blend, state)?;
            }
            None => self.media.set_page(place, state)?,
        }
        let failed = matches!(
            fault,
            Some(Fault::ProgramFails | Fault::ProgramFailsWritten | Fault::ProgramFailsPartly)
        );
        let deed = if failed {
            Deed::ProgramFailed(page.page)
        } else {
            Deed::Programmed(page.page)
        };
        self.note(number, place.block, deed);
        Ok(if failed {
            Completion::ProgramFailed
        } else {
            Completion::Programmed
        })
    }

    /// What programming `bytes` makes of a page: bits can only be cleared.
    fn over_old(&self, place: Place, bytes: &Arc<[u8]>) -> Result<Arc<[u8]>, SimError> {
        if self.media.is_blank(place) {
            return Ok(Arc::clone(bytes));
        }
        let mut old = vec![0; bytes.len()];
        self.media.load(place, 0, &mut old)?;
        Ok(old.iter().zip(bytes.iter()).map(|(o, n)| o & n).collect())
    }

    fn settle_erase(
        &mut self,
        block: BlockAddress,
        number: u64,
        fault: Option<Fault>,
    ) -> Result<Completion, SimError> {
        let Some(index) = self.index(block) else {
            return Ok(Completion::Erased);
        };
        let state = self.media.block(index);
        let fault = match &mut self.aging {
            Some(aging) => {
                let worn_out = aging.is_worn_out(index, state.erases);
                let fault = fault.or(worn_out.then_some(Fault::EraseFails));
                if fault.is_none() {
                    aging.erased(index);
                }
                fault
            }
            None => fault,
        };
        let fresh = BlockState {
            erases: state.erases.saturating_add(1),
            erased: true,
            next_page: 0,
            ..state
        };
        match fault {
            Some(Fault::EraseFails) => {
                let failed = BlockState {
                    erased: false,
                    ..fresh
                };
                self.media.set_block(index, failed)?;
                self.note(number, index, Deed::EraseFailed);
                Ok(Completion::EraseFailed)
            }
            Some(Fault::SilentEraseFailure) => {
                // The caller may program again, over what is still there.
                for page in 0..self.geometry.pages_per_block {
                    let place = Place { block: index, page };
                    self.media.set_page(place, PageState::default())?;
                }
                self.media.set_block(index, fresh)?;
                self.note(number, index, Deed::Erased);
                Ok(Completion::Erased)
            }
            _ => {
                self.media.erase(index, fresh)?;
                self.bit_flips.erased(index);
                self.note(number, index, Deed::Erased);
                Ok(Completion::Erased)
            }
        }
    }
}

/// The ranges of a raw page that columns name, as start and length. An empty range may name any start: it starts at 0.
pub(crate) fn ranges(columns: Columns) -> [(usize, usize); 2] {
    [
        (columns.main_start, columns.main_len),
        (columns.spare_start, columns.spare_len),
    ]
    .map(|(start, len)| (if len == 0 { 0 } else { start as usize }, len as usize))
}

#[cfg(test)]
mod tests;
