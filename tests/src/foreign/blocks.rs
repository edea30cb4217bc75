//! The card door of a volume, beside which somebody writes down what is done through it.

use cuesta::door::{DoorError, SdmmcDisk};
use cuesta_sim::EmulatedNand;
use embedded_sdmmc::{Block, BlockCount, BlockDevice, BlockIdx};

use super::record::Recording;
use super::Sectors;

/// A card.
#[derive(Debug)]
pub struct CardRecord<'a> {
    door: SdmmcDisk<'a, &'a mut EmulatedNand>,
    recording: Recording,
}

impl<'a> CardRecord<'a> {
    /// A volume as a card.
    ///
    /// # Panics
    /// When it is too large for one.
    #[must_use]
    pub fn new(sectors: Sectors<'a>, recording: &Recording) -> Self {
        Self {
            door: SdmmcDisk::new(sectors).expect("a small volume"),
            recording: Recording::clone(recording),
        }
    }

    /// What is behind the door.
    #[must_use]
    pub fn into_sectors(self) -> Sectors<'a> {
        self.door.into_sectors()
    }
}

impl BlockDevice for CardRecord<'_> {
    type Error = DoorError;

    fn read(&self, blocks: &mut [Block], first: BlockIdx) -> Result<(), DoorError> {
        self.door.read(blocks, first)?;
        let bytes: Vec<u8> = blocks.iter().flat_map(|block| block.contents).collect();
        let mut record = self.recording.borrow_mut();
        record.read(first.into_bytes(), &bytes);
        Ok(())
    }

    fn write(&self, blocks: &[Block], first: BlockIdx) -> Result<(), DoorError> {
        let bytes: Vec<u8> = blocks.iter().flat_map(|block| block.contents).collect();
        let replace = |_, new| new;
        let change = self
            .recording
            .borrow()
            .write(first.into_bytes(), &bytes, replace);
        self.door.write(blocks, first)?;
        self.recording.borrow_mut().done(change);
        Ok(())
    }

    fn num_blocks(&self) -> Result<BlockCount, DoorError> {
        self.door.num_blocks()
    }
}
