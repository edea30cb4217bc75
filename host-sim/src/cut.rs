//! The moment of a power cut, and the power coming back.

use crate::clock::Progress;
use crate::emulator::{Emulator, Flight, Operation};
use crate::media::{BlockState, Condition, Media, PageState, Place};
use crate::power::{
    ruin, tear_program, CutPlan, PairDamage, Power, TornErase, TornPage, TornProgram,
};
use crate::prng::SplitMix64;
use crate::referee::Deed;
use cuesta_hal::{BlockAddress, Die, PageAddress, Pairing};
use std::io;
use std::sync::Arc;

impl<M: Media> Emulator<M> {
    /// Cuts the power now: whatever is in flight on any die is torn, and every further call says so.
    ///
    /// An operation whose array work had ended is in the array though nobody was told; one whose command or data were still on
    /// the channel has changed nothing.
    pub fn cut(&mut self) {
        if self.power.lost {
            return;
        }
        let plan = match self.power.plan {
            Some(plan) => plan,
            None => CutPlan::during(0, self.draw_seed()),
        };
        let mut target = self.power.target;
        for die in 0..self.geometry.dies {
            let Some(flight) = self.flights[usize::from(die)].take() else {
                continue;
            };
            let progress = self.clock.progress(Die(die));
            self.clock.finish(Die(die));
            // The file of an image may be unwritable; then the cut leaves what it left.
            let _ = match progress {
                Progress::Arriving => Ok(()),
                _ if self.is_silent(Die(die)) => Ok(()),
                Progress::Done => {
                    if !matches!(flight.operation, Operation::Read { .. }) {
                        let _ = self.settle(flight);
                    }
                    Ok(())
                }
                Progress::InArray => {
                    let mut prng = SplitMix64::derive(plan.seed, 0x70 + u64::from(die));
                    let planned = *target.get_or_insert(die) == die;
                    self.tear(flight, &plan, planned, &mut prng)
                }
            };
        }
        self.clock.release_channels();
        self.forget_moments();
        self.power = Power {
            lost: true,
            ..Power::default()
        };
    }

    /// Switches the supply off, if it is on, and on again.
    ///
    /// Operations in flight are torn as by [`cut`](Self::cut), the buffers hold noise, and the cut plan is gone. The array keeps its
    /// state, the clock and the counters go on, faults stay.
    pub fn power_cycle(&mut self) {
        self.cut();
        self.power = Power::default();
        let mut prng = SplitMix64::new(self.draw_seed());
        for buffer in &mut self.buffers {
            prng.fill(buffer);
        }
    }

    fn tear(
        &mut self,
        flight: Flight,
        plan: &CutPlan,
        planned: bool,
        prng: &mut SplitMix64,
    ) -> io::Result<()> {
        match flight.operation {
            Operation::Read { .. } => Ok(()),
            Operation::Program { page, bytes, .. } => {
                let variant = if planned {
                    plan.program
                } else {
                    TornProgram::Drawn
                };
                self.tear_page(page, &bytes, variant, flight.number, prng)?;
                self.tear_pairs(page, plan.pairs, flight.number, prng)
            }
            Operation::Erase { block } => {
                let variant = if planned {
                    plan.erase
                } else {
                    TornErase::Drawn
                };
                self.tear_block(block, variant, flight.number, prng)
            }
        }
    }

    fn tear_page(
        &mut self,
        page: PageAddress,
        intended: &Arc<[u8]>,
        variant: TornProgram,
        number: u64,
        prng: &mut SplitMix64,
    ) -> io::Result<()> {
        let Some(block) = self.index(page.block) else {
            return Ok(());
        };
        let place = Place {
            block,
            page: page.page.0,
        };
        let mut old = vec![0xFF; intended.len()];
        self.media.load(place, 0, &mut old)?;
        let TornPage { bytes, condition } = tear_program(variant, &old, intended, prng);
        let state = self.media.page(place);
        let torn = PageState {
            programs: state.programs.saturating_add(1),
            condition,
        };
        let block_state = self.media.block(block);
        self.media.set_block(
            block,
            BlockState {
                next_page: block_state.next_page.max(place.page + 1),
                ..block_state
            },
        )?;
        self.note(number, block, Deed::ProgramTorn(page.page));
        match bytes {
            Some(bytes) => self.media.store(place, &bytes, torn),
            None => self.media.set_page(place, torn),
        }
    }

    /// Damages programmed pages that share cells with `page`.
    fn tear_pairs(
        &mut self,
        page: PageAddress,
        damage: PairDamage,
        number: u64,
        prng: &mut SplitMix64,
    ) -> io::Result<()> {
        let (Pairing::Distance(distance), Some(block)) =
            (self.geometry.pairing, self.index(page.block))
        else {
            return Ok(());
        };
        for earlier in page.page.0.saturating_sub(distance)..page.page.0 {
            let hit = match damage {
                PairDamage::None => false,
                PairDamage::All => true,
                PairDamage::Drawn if earlier + distance == page.page.0 => prng.chance(1, 2),
                PairDamage::Drawn => prng.chance(1, 8),
            };
            let place = Place {
                block,
                page: earlier,
            };
            let state = self.media.page(place);
            if !hit || self.media.is_blank(place) {
                continue;
            }
            let mut bytes = vec![0; self.geometry.raw_page_bytes() as usize];
            self.media.load(place, 0, &mut bytes)?;
            let ruined = ruin(&bytes, prng);
            let condition = if state.condition.is_torn() {
                state.condition
            } else {
                Condition::Damaged
            };
            self.media
                .store(place, &ruined, PageState { condition, ..state })?;
            let deed = Deed::PairDamaged(cuesta_hal::PageIndex(earlier));
            self.note(number, block, deed);
        }
        Ok(())
    }

    fn tear_block(
        &mut self,
        block: BlockAddress,
        variant: TornErase,
        number: u64,
        prng: &mut SplitMix64,
    ) -> io::Result<()> {
        let Some(index) = self.index(block) else {
            return Ok(());
        };
        let state = self.media.block(index);
        let torn = BlockState {
            erases: state.erases.saturating_add(1),
            erased: false,
            ..state
        };
        self.note(number, index, Deed::EraseTorn);
        let variant = match variant {
            TornErase::Drawn => match prng.below(3) {
                0 => TornErase::OldData,
                1 => TornErase::Mixture,
                _ => TornErase::LooksErasedButWeak,
            },
            chosen => chosen,
        };
        match variant {
            TornErase::OldData => self.media.set_block(index, torn),
            TornErase::LooksErasedButWeak | TornErase::Drawn => {
                self.bit_flips.erased(index);
                self.media.erase(
                    index,
                    BlockState {
                        next_page: 0,
                        ..torn
                    },
                )
            }
            TornErase::Mixture => {
                self.media.set_block(index, torn)?;
                for page in 0..self.geometry.pages_per_block {
                    self.half_erase(Place { block: index, page }, prng)?;
                }
                Ok(())
            }
        }
    }

    /// One page of a block whose erase was cut: as before, with a random part of its bits set, or all of them.
    fn half_erase(&mut self, place: Place, prng: &mut SplitMix64) -> io::Result<()> {
        let fate = prng.below(3);
        if fate == 0 || self.media.is_blank(place) {
            return Ok(());
        }
        let mut bytes = vec![0; self.geometry.raw_page_bytes() as usize];
        self.media.load(place, 0, &mut bytes)?;
        let mut mask = vec![0xFF; bytes.len()];
        if fate == 1 {
            prng.fill(&mut mask);
        }
        for (byte, set) in bytes.iter_mut().zip(&mask) {
            *byte |= set;
        }
        let state = PageState {
            condition: Condition::Unstable,
            ..self.media.page(place)
        };
        self.media.store(place, &Arc::from(bytes), state)
    }
}

#[cfg(test)]
mod tests;
