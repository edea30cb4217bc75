//! Storage crates of other people on a volume: what they do is recorded, cut at every moment, and judged beside plain memory.

mod blocks;
mod cuts;
pub mod doors;
mod nor;
mod ram_flash;
mod record;
mod run;

pub use blocks::CardRecord;
pub use cuts::{cuts_wanted, Trial, Tried};
pub use nor::{Flash, FlashRecord, NorClient, OnFlash, ERASE, WRITE};
pub use ram_flash::RamFlash;
pub use record::{Branch, Change, Image, Record, Recording};
pub use run::{finished, yields};

use cuesta::door::SectorBuffer;
use cuesta_sim::EmulatedNand;

/// What stands behind the door of a trial.
pub type Sectors<'a> = SectorBuffer<'a, &'a mut EmulatedNand>;

/// A crate at work on a volume, behind a door of its choice.
pub trait Subject {
    /// What it promises to keep.
    type Model: Clone + PartialEq + std::fmt::Debug;

    /// What a byte reads as before it was written.
    const UNWRITTEN: u8;

    /// What it holds in the beginning, after [`prepare`](Self::prepare).
    fn initial(&self) -> Self::Model;

    /// Steps there are.
    fn steps(&self) -> u32;

    /// What a step makes of what it holds.
    fn play(&self, model: &mut Self::Model, step: u32);

    /// Whether a cut in a step may leave this, the part holding `image`: what was before, or after, unless it promises less.
    fn may_leave(
        &self,
        before: &Self::Model,
        step: u32,
        found: &Self::Model,
        _image: &Image,
    ) -> bool {
        let mut after = before.clone();
        self.play(&mut after, step);
        *found == *before || *found == after
    }

    /// Formats it.
    fn prepare<'a>(&self, sectors: Sectors<'a>, recording: &Recording) -> Sectors<'a>;

    /// Mounts it, takes steps from what `model` says it holds, and tells the recording of each that is done.
    fn run<'a>(
        &self,
        sectors: Sectors<'a>,
        recording: &Recording,
        model: &Self::Model,
        steps: std::ops::Range<u32>,
    ) -> Sectors<'a>;

    /// Mounts it and reads all that it holds.
    fn contents<'a>(
        &self,
        sectors: Sectors<'a>,
        recording: &Recording,
    ) -> (Self::Model, Sectors<'a>);
}
