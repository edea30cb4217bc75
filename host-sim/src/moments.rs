//! Every moment at which a cut would leave something else, taken in one run: copies of the part, to be cut each in its own way.

use std::sync::{Arc, Mutex, PoisonError};

use cuesta_hal::PageAddress;

use crate::clock::Ticks;
use crate::counters::Counters;
use crate::emulator::Emulator;
use crate::media::Media;
use crate::power::{CutPhase, CutPlan, OperationClass};
use crate::prng::SplitMix64;

/// A part at a moment in which its power may go.
#[derive(Debug, Clone)]
pub struct Moment<M> {
    part: Emulator<M>,
    /// Number of the operation over the life of the part.
    pub operation: u64,
    /// A program or an erase.
    pub class: OperationClass,
    /// Where in the operation.
    pub phase: CutPhase,
    /// The page that is programmed, or the first of the block that is erased.
    pub page: PageAddress,
}

impl<M: Media + Clone> Moment<M> {
    /// What the part was made to do so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.part.counters()
    }

    /// The operation, and what was done before to its block.
    #[must_use]
    pub fn describe(&self) -> String {
        let PageAddress { block, page } = self.page;
        let mut text = format!(
            "{:?} operation {}, a {:?} of die {} block {} page {}; before it to that block:",
            self.phase, self.operation, self.class, block.die.0, block.block.0, page.0
        );
        for record in self.part.history(block) {
            text += &format!(" #{} {:?};", record.operation, record.deed);
        }
        text
    }

    /// The part as a cut of this moment leaves it, the power still off.
    ///
    /// Of the plan count what becomes of the operation, and the seed.
    #[must_use]
    pub fn cut(&self, plan: CutPlan) -> Emulator<M> {
        let mut part = self.part.clone();
        part.power.plan = Some(plan);
        part.power.target = Some(self.page.die().0);
        part.cut();
        part
    }
}

/// The moments of a part that is watched, in order.
#[derive(Debug)]
pub struct Moments<M>(Arc<Mutex<Vec<Moment<M>>>>);

impl<M> Clone for Moments<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> Moments<M> {
    /// Those that have come since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<Moment<M>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, moment: Moment<M>) {
        let mut moments = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        moments.push(moment);
    }
}

/// A moment that comes when the clock gets there.
#[derive(Debug, Clone, Copy)]
struct Due {
    at: Ticks,
    operation: u64,
    class: OperationClass,
    phase: CutPhase,
    page: PageAddress,
}

/// Takes the moments of a part.
#[derive(Debug)]
struct Watch<M> {
    /// Draws the moment within an operation.
    seed: u64,
    due: Vec<Due>,
    copy: fn(&Emulator<M>) -> Emulator<M>,
    moments: Moments<M>,
}

/// Whether a part is watched. A copy of it is not.
#[derive(Debug)]
pub(crate) struct Watching<M>(Option<Box<Watch<M>>>);

impl<M> Default for Watching<M> {
    fn default() -> Self {
        Self(None)
    }
}

impl<M> Clone for Watching<M> {
    fn clone(&self) -> Self {
        Self(None)
    }
}

impl<M: Media + Clone> Emulator<M> {
    /// From now on, takes every moment of every program and erase: before it, somewhere within its array time (by `seed`), and when
    /// the array has ended but nobody was told. Nothing else changes.
    pub fn watch_moments(&mut self, seed: u64) -> Moments<M> {
        let moments = Moments(Arc::default());
        self.watching = Watching(Some(Box::new(Watch {
            seed,
            due: Vec::new(),
            copy: Self::clone,
            moments: moments.clone(),
        })));
        moments
    }
}

impl<M: Media> Emulator<M> {
    /// Takes moments no more.
    pub fn unwatch_moments(&mut self) {
        self.watching = Watching(None);
    }

    /// The power is gone: what is still due will never be.
    pub(crate) fn forget_moments(&mut self) {
        if let Some(watch) = &mut self.watching.0 {
            watch.due.clear();
        }
    }

    fn take_moment(&mut self, due: Due) {
        if let Some(watch) = &self.watching.0 {
            watch.moments.push(Moment {
                part: (watch.copy)(self),
                operation: due.operation,
                class: due.class,
                phase: due.phase,
                page: due.page,
            });
        }
    }

    /// An operation is about to start.
    pub(crate) fn before_operation(&mut self, page: PageAddress, class: OperationClass) {
        if self.watching.0.is_some() && OperationClass::Changing.covers(class) {
            self.take_moment(Due {
                at: self.clock.now(),
                operation: self.counts.operations() + 1,
                class,
                phase: CutPhase::Before,
                page,
            });
        }
    }

    /// An operation has started; its array works in this span.
    pub(crate) fn operation_started(
        &mut self,
        page: PageAddress,
        class: OperationClass,
        array: (Ticks, Ticks),
    ) {
        let operation = self.counts.operations();
        if let Some(watch) = &mut self.watching.0 {
            if OperationClass::Changing.covers(class) {
                let within = within(array, watch.seed ^ operation);
                for (at, phase) in [(within, CutPhase::During), (array.1, CutPhase::After)] {
                    watch.due.push(Due {
                        at,
                        operation,
                        class,
                        phase,
                        page,
                    });
                }
            }
        }
    }

    /// Lets time pass up to `target`, moment by moment.
    pub(crate) fn pass_moments(&mut self, target: Ticks) {
        while let Some(due) = self.next_due(target) {
            self.clock.advance_to(due.at);
            self.take_moment(due);
        }
    }

    /// The earliest moment up to `target`, which is due no more.
    fn next_due(&mut self, target: Ticks) -> Option<Due> {
        let watch = self.watching.0.as_mut()?;
        let earliest = (0..watch.due.len()).min_by_key(|&index| watch.due[index].at)?;
        (watch.due[earliest].at <= target).then(|| watch.due.remove(earliest))
    }
}

/// A moment strictly inside a span, by a seed.
pub(crate) fn within((start, end): (Ticks, Ticks), seed: u64) -> Ticks {
    let part = 1 + SplitMix64::derive(seed, 0xC7).below(62);
    start + Ticks((end - start).0 * u128::from(part) / 64)
}
