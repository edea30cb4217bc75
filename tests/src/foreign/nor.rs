//! Crates that want NOR flash, on a volume through its door, or on plain memory.

use std::ops::Range;

use cuesta::door::{DoorError, NorFlashDisk};
use cuesta_sim::EmulatedNand;
use embedded_storage::nor_flash::{self, ErrorType};
use embedded_storage_async::nor_flash::{MultiwriteNorFlash, NorFlash, ReadNorFlash};

use super::record::{Change, Image, Recording};
use super::run::finished;
use super::{Sectors, Subject};

/// Bytes written at once.
pub const WRITE: usize = 4;
/// Bytes erased at once.
pub const ERASE: usize = 1024;

/// Flash, on a volume or not.
pub trait Flash: MultiwriteNorFlash + ErrorType<Error = DoorError> {}

impl<F: MultiwriteNorFlash + ErrorType<Error = DoorError>> Flash for F {}

/// A crate that wants NOR flash.
#[allow(async_fn_in_trait)]
pub trait NorClient {
    /// What it promises to keep.
    type Model: Clone + PartialEq + std::fmt::Debug;

    /// Bytes of flash that it uses, from the first on.
    const BYTES: u32;

    /// As in [`Subject`].
    fn initial(&self) -> Self::Model;
    /// As in [`Subject`].
    fn steps(&self) -> u32;
    /// As in [`Subject`].
    fn play(&self, model: &mut Self::Model, step: u32);
    /// As in [`Subject`], the flash holding `bytes`.
    fn may_leave(
        &self,
        before: &Self::Model,
        step: u32,
        found: &Self::Model,
        _bytes: &[u8],
    ) -> bool {
        let mut after = before.clone();
        self.play(&mut after, step);
        *found == *before || *found == after
    }
    /// Formats erased flash.
    async fn format<F: Flash>(&self, _flash: F) {}
    /// Mounts it, and calls `done` after each step.
    async fn run<F: Flash>(
        &self,
        flash: F,
        model: &Self::Model,
        steps: Range<u32>,
        done: impl FnMut(),
    );
    /// Mounts it and reads all.
    async fn contents<F: Flash>(&self, flash: F) -> Self::Model;
}

/// The door of a trial.
type Door<'a> = NorFlashDisk<'a, &'a mut EmulatedNand, WRITE, ERASE>;

/// A door beside which somebody writes down what is done through it.
#[derive(Debug)]
pub struct FlashRecord<'a> {
    door: Door<'a>,
    recording: Recording,
}

impl<'a> FlashRecord<'a> {
    /// A volume as flash.
    ///
    /// # Panics
    /// When its sectors are longer than [`ERASE`].
    #[must_use]
    pub fn new(sectors: Sectors<'a>, recording: &Recording) -> Self {
        Self {
            door: NorFlashDisk::new(sectors).expect("whole sectors are erased"),
            recording: Recording::clone(recording),
        }
    }

    /// What is behind the door.
    #[must_use]
    pub fn into_sectors(self) -> Sectors<'a> {
        self.door.into_sectors()
    }

    fn erasing(&self, from: u32, to: u32) -> Change {
        self.recording.borrow().erase(from, to)
    }

    fn writing(&self, offset: u32, bytes: &[u8]) -> Change {
        let clear = |old, new| old & new;
        let record = self.recording.borrow();
        record.write(u64::from(offset), bytes, clear)
    }
}

impl ErrorType for FlashRecord<'_> {
    type Error = DoorError;
}

impl ReadNorFlash for FlashRecord<'_> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), DoorError> {
        ReadNorFlash::read(&mut self.door, offset, bytes).await?;
        self.recording.borrow_mut().read(u64::from(offset), bytes);
        Ok(())
    }

    fn capacity(&self) -> usize {
        ReadNorFlash::capacity(&self.door)
    }
}

impl NorFlash for FlashRecord<'_> {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), DoorError> {
        let change = self.erasing(from, to);
        NorFlash::erase(&mut self.door, from, to).await?;
        self.recording.borrow_mut().done(change);
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), DoorError> {
        let change = self.writing(offset, bytes);
        NorFlash::write(&mut self.door, offset, bytes).await?;
        self.recording.borrow_mut().done(change);
        Ok(())
    }
}

impl MultiwriteNorFlash for FlashRecord<'_> {}

impl nor_flash::ReadNorFlash for FlashRecord<'_> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), DoorError> {
        nor_flash::ReadNorFlash::read(&mut self.door, offset, bytes)?;
        self.recording.borrow_mut().read(u64::from(offset), bytes);
        Ok(())
    }

    fn capacity(&self) -> usize {
        nor_flash::ReadNorFlash::capacity(&self.door)
    }
}

impl nor_flash::NorFlash for FlashRecord<'_> {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), DoorError> {
        let change = self.erasing(from, to);
        nor_flash::NorFlash::erase(&mut self.door, from, to)?;
        self.recording.borrow_mut().done(change);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), DoorError> {
        let change = self.writing(offset, bytes);
        nor_flash::NorFlash::write(&mut self.door, offset, bytes)?;
        self.recording.borrow_mut().done(change);
        Ok(())
    }
}

/// A crate on the door of a volume.
#[derive(Debug)]
pub struct OnFlash<C>(pub C);

impl<C: NorClient> Subject for OnFlash<C> {
    type Model = C::Model;

    const UNWRITTEN: u8 = 0xFF;

    fn initial(&self) -> C::Model {
        self.0.initial()
    }

    fn steps(&self) -> u32 {
        self.0.steps()
    }

    fn play(&self, model: &mut C::Model, step: u32) {
        self.0.play(model, step);
    }

    fn may_leave(&self, before: &C::Model, step: u32, found: &C::Model, image: &Image) -> bool {
        let bytes = image.values().flat_map(|bytes| bytes.iter().copied());
        let bytes: Vec<u8> = bytes.take(C::BYTES as usize).collect();
        self.0.may_leave(before, step, found, &bytes)
    }

    fn prepare<'a>(&self, sectors: Sectors<'a>, recording: &Recording) -> Sectors<'a> {
        let mut flash = FlashRecord::new(sectors, recording);
        finished(flash.erase(0, C::BYTES)).expect("an erase");
        finished(self.0.format(&mut flash));
        flash.door.into_sectors()
    }

    fn run<'a>(
        &self,
        sectors: Sectors<'a>,
        recording: &Recording,
        model: &C::Model,
        steps: Range<u32>,
    ) -> Sectors<'a> {
        let mut flash = FlashRecord::new(sectors, recording);
        let done = || recording.borrow_mut().step();
        finished(self.0.run(&mut flash, model, steps, done));
        flash.door.into_sectors()
    }

    fn contents<'a>(&self, sectors: Sectors<'a>, recording: &Recording) -> (C::Model, Sectors<'a>) {
        let mut flash = FlashRecord::new(sectors, recording);
        let model = finished(self.0.contents(&mut flash));
        (model, flash.door.into_sectors())
    }
}
