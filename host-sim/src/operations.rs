//! The NAND trait: checking, starting and waiting. What operations do when they end is in `settle`.

use crate::access::Access;
use crate::emulator::{Emulator, Flight, Operation};
use crate::error::SimError;
use crate::media::{Media, Place};
use crate::moments::within;
use crate::on_die_ecc;
use crate::power::{Hit, OperationClass};
use crate::referee::{Deed, Record, Rule};
use cuesta_hal::{BlockAddress, Buffer, Columns, Completion, Die, Geometry, Nand, PageAddress};

/// What a strict emulator fills a buffer with while a read is in flight, so that nobody uses it early.
const IN_FLIGHT_FILL: u8 = 0xA5;

impl<M: Media> Emulator<M> {
    fn object(&mut self, rule: Rule, deed: Deed, block: BlockAddress) -> SimError {
        let tried = Record {
            operation: self.counts.operations() + 1,
            deed,
        };
        let index = self.index(block);
        SimError::Forbidden(self.referee.object(rule, tried, block, index))
    }

    /// What every start checks: supply, die, nothing in flight.
    fn check_die(&mut self, deed: Deed, block: BlockAddress) -> Result<(), SimError> {
        if self.power.lost {
            return Err(SimError::PowerLost);
        }
        if self.flights[usize::from(block.die.0)].is_some() {
            return Err(self.object(Rule::DieBusy, deed, block));
        }
        Ok(())
    }

    /// Counts the operation for the cut plan and starts it, or loses power before.
    fn launch(
        &mut self,
        die: Die,
        class: OperationClass,
        operation: Operation,
    ) -> Result<(), SimError> {
        assert!(
            self.operations() < self.operations_max,
            "more than {} operations: it goes on for ever",
            self.operations_max
        );
        let target = match &operation {
            Operation::Read { page, .. } | Operation::Program { page, .. } => *page,
            Operation::Erase { block } => block.page(0),
        };
        self.before_operation(target, class);
        let hit = self.power.count(class);
        if hit == Hit::Before {
            self.cut();
            return Err(SimError::PowerLost);
        }
        let (block, page) = match &operation {
            Operation::Read { page, .. } | Operation::Program { page, .. } => {
                (page.block, Some(*page))
            }
            Operation::Erase { block } => (*block, None),
        };
        let raw = self.geometry.raw_page_bytes();
        let course = match &operation {
            Operation::Read { columns, .. } => {
                let commands = if columns.is_contiguous() { 1 } else { 2 };
                self.counts.reads += 1;
                self.counts.commands += u64::from(commands);
                self.counts.bytes_out += u64::from(columns.len());
                self.timing.read(columns.len(), commands)
            }
            Operation::Program { .. } => {
                self.counts.programs += 1;
                self.counts.commands += 1;
                self.counts.bytes_in += u64::from(raw);
                self.timing.program(raw)
            }
            Operation::Erase { .. } => {
                self.counts.erases += 1;
                self.counts.commands += 1;
                self.timing.erase()
            }
        };
        if let Some(accesses) = &mut self.accesses {
            accesses.push(Access::of(&operation));
        }
        let fault = self.faults.draw(class, block, page);
        let array = self.clock.start(die, course);
        self.operation_started(target, class, array);
        match hit {
            Hit::No | Hit::Before => {}
            Hit::During => {
                let seed = self.power.plan.map_or(0, |plan| plan.seed);
                self.power.target = Some(die.0);
                self.power.cut_at = Some(within(array, seed));
            }
            Hit::After => {
                self.power.target = Some(die.0);
                self.power.cut_at = Some(array.1);
            }
        }
        self.flights[usize::from(die.0)] = Some(Flight {
            operation,
            number: self.counts.operations(),
            fault,
        });
        Ok(())
    }

    fn check_program(&self, place: Place) -> Result<(), Rule> {
        let block = self.media.block(place.block);
        if block.factory_bad {
            return Err(Rule::FactoryBad);
        }
        if !block.erased {
            return Err(Rule::NotErased);
        }
        let page = self.media.page(place);
        if page.condition.is_torn() {
            return Err(Rule::TornPage);
        }
        if page.programs >= self.geometry.partial_programs_max {
            return Err(Rule::Overprogrammed);
        }
        if place.page + 1 < block.next_page {
            return Err(Rule::OutOfOrder);
        }
        if self.referee.watch_after_torn
            && (0..place.page)
                .any(|page| self.media.page(Place { page, ..place }).condition.is_torn())
        {
            return Err(Rule::AfterTornPage);
        }
        Ok(())
    }

    /// Lets time pass up to `target`, or up to the planned cut if that comes first.
    pub(crate) fn pass_to(&mut self, target: crate::Ticks) {
        match self.power.cut_at {
            Some(cut_at) if cut_at <= target && !self.power.lost => {
                self.pass_moments(cut_at);
                self.clock.advance_to(cut_at);
                self.cut();
                self.clock.advance_to(target);
            }
            _ => {
                self.pass_moments(target);
                self.clock.advance_to(target);
            }
        }
    }
}

impl<M: Media> Nand for Emulator<M> {
    type Error = SimError;

    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn buffer(&self, die: Die, buffer: Buffer) -> &[u8] {
        self.buffer_index(die, buffer)
            .map_or(&[], |index| &self.buffers[index])
    }

    fn buffer_mut(&mut self, die: Die, buffer: Buffer) -> &mut [u8] {
        let Some(index) = self.buffer_index(die, buffer) else {
            let nowhere = BlockAddress {
                die,
                ..BlockAddress::default()
            };
            self.object(Rule::NoSuchBuffer, Deed::TriedOther, nowhere);
            return &mut [];
        };
        let in_flight = match &self.flights[usize::from(die.0)] {
            Some(flight) => match &flight.operation {
                Operation::Read {
                    buffer: used, page, ..
                }
                | Operation::Program {
                    buffer: used, page, ..
                } if *used == buffer => Some(page.block),
                _ => None,
            },
            None => None,
        };
        if let Some(block) = in_flight {
            self.object(Rule::BufferInFlight, Deed::TriedOther, block);
        }
        &mut self.buffers[index]
    }

    fn start_read(
        &mut self,
        page: PageAddress,
        columns: Columns,
        buffer: Buffer,
    ) -> Result<(), SimError> {
        let deed = Deed::TriedOther;
        if !self.geometry.has_page(page) || !columns.fits(&self.geometry) {
            return Err(self.object(Rule::OutOfRange, deed, page.block));
        }
        let Some(index) = self.buffer_index(page.die(), buffer) else {
            return Err(self.object(Rule::NoSuchBuffer, deed, page.block));
        };
        self.check_die(deed, page.block)?;
        self.launch(
            page.die(),
            OperationClass::Read,
            Operation::Read {
                page,
                columns,
                buffer,
            },
        )?;
        let stale = self.flights[usize::from(page.die().0)]
            .as_ref()
            .is_some_and(|flight| flight.fault == Some(crate::Fault::StaleRead));
        if self.referee.strict && !stale {
            self.buffers[index].fill(IN_FLIGHT_FILL);
        }
        Ok(())
    }

    fn start_program(&mut self, page: PageAddress, buffer: Buffer) -> Result<(), SimError> {
        let deed = Deed::TriedProgram(page.page);
        let Some(block) = self
            .index(page.block)
            .filter(|_| self.geometry.has_page(page))
        else {
            return Err(self.object(Rule::OutOfRange, deed, page.block));
        };
        let Some(index) = self.buffer_index(page.die(), buffer) else {
            return Err(self.object(Rule::NoSuchBuffer, deed, page.block));
        };
        self.check_die(deed, page.block)?;
        let place = Place {
            block,
            page: page.page.0,
        };
        if let Err(rule) = self.check_program(place) {
            return Err(self.object(rule, deed, page.block));
        }
        if on_die_ecc::refuses(&self.geometry, &self.buffers[index]) {
            return Err(self.object(Rule::BlankProgram, deed, page.block));
        }
        let bytes = on_die_ecc::as_programmed(&self.geometry, &self.buffers[index]);
        self.launch(
            page.die(),
            OperationClass::Program,
            Operation::Program {
                page,
                buffer,
                bytes,
            },
        )
    }

    fn start_erase(&mut self, block: BlockAddress) -> Result<(), SimError> {
        let deed = Deed::TriedErase;
        let Some(index) = self.index(block) else {
            return Err(self.object(Rule::OutOfRange, deed, block));
        };
        self.check_die(deed, block)?;
        if self.media.block(index).factory_bad {
            return Err(self.object(Rule::FactoryBad, deed, block));
        }
        self.launch(block.die, OperationClass::Erase, Operation::Erase { block })
    }

    fn poll(&mut self, die: Die) -> nb::Result<Completion, SimError> {
        if self.power.lost {
            return Err(nb::Error::Other(SimError::PowerLost));
        }
        if !self.clock.is_complete(die) {
            return Err(nb::Error::WouldBlock);
        }
        let Some(flight) = self.flights[usize::from(die.0)].take() else {
            return Err(nb::Error::WouldBlock);
        };
        self.clock.finish(die);
        if self.is_silent(die) {
            return Err(nb::Error::Other(SimError::Timeout));
        }
        self.settle(flight).map_err(nb::Error::Other)
    }

    fn wait(&mut self) {
        if self.power.lost || self.flights.iter().all(Option::is_none) {
            return;
        }
        if let Some(at) = self.clock.next_completion(self.power.cut_at) {
            self.pass_to(at);
        }
    }
}

#[cfg(test)]
mod tests;
