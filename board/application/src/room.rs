//! The memory of the volume: arrays of fixed size, lent as a plan asks for them.

use core::array::from_fn;
use core::fmt;

use cuesta::hal::Geometry;
use cuesta::volume::{
    AppendPoint, Budget, BudgetError, DieState, DirectoryEntry, FrameState, Memory, ParameterError,
    Parameters, Plan, Slot, Stage,
};

/// Memory to plan with, page buffers and the volume's own fields left out.
const BUDGET_BYTES: usize = 32 * 1024;

/// Bytes of a sector and of a frame: pages of serial NAND have 2 KiB.
pub(crate) const SECTOR_BYTES: usize = 2048;

const LEVEL_BYTES: usize = 256;
const SEGMENT_BYTES: usize = 16 * 1024;
const APPEND_POINTS: usize = 16;
const DIRECTORY_ENTRIES: usize = 256;
const DELTA_BYTES: usize = 16 * 1024;
const FRAMES: usize = 12;
const BAD_BLOCK_BYTES: usize = 256;

/// Memory for a volume on a serial NAND part of up to 2 Gbit with pages of 2 KiB, and for two sectors.
#[derive(Debug)]
pub struct Room {
    levels: [u8; LEVEL_BYTES],
    segments: [u8; SEGMENT_BYTES],
    appends: [Option<AppendPoint>; APPEND_POINTS],
    directory: [DirectoryEntry; DIRECTORY_ENTRIES],
    deltas: [u8; DELTA_BYTES],
    frames: [u8; FRAMES * SECTOR_BYTES],
    frame_states: [FrameState; FRAMES],
    slots: [Slot; 1],
    dies: [DieState; 1],
    stages: [Stage; 0],
    bad_blocks: [u8; BAD_BLOCK_BYTES],
}

/// The volume does not fit the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomError {
    /// The part is not one for a volume.
    Parameters(ParameterError),
    /// The budget is too small.
    Budget(BudgetError),
    /// One of the arrays is too short for this plan.
    Plan(Plan),
}

impl fmt::Display for RoomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameters(error) => error.fmt(f),
            Self::Budget(error) => error.fmt(f),
            Self::Plan(plan) => write!(f, "the image has not the memory for {plan:?}"),
        }
    }
}

impl core::error::Error for RoomError {}

impl Default for Room {
    fn default() -> Self {
        Self::new()
    }
}

impl Room {
    /// Memory, not used yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            levels: [0; LEVEL_BYTES],
            segments: [0; SEGMENT_BYTES],
            appends: [None; APPEND_POINTS],
            directory: from_fn(|_| DirectoryEntry::default()),
            deltas: [0; DELTA_BYTES],
            frames: [0; FRAMES * SECTOR_BYTES],
            frame_states: from_fn(|_| FrameState::default()),
            slots: from_fn(|_| Slot::default()),
            dies: from_fn(|_| DieState::default()),
            stages: [],
            bad_blocks: [0; BAD_BLOCK_BYTES],
        }
    }

    /// Lends what a volume with these parameters needs.
    ///
    /// # Errors
    /// The part is none for a volume, or the room is too small for it.
    pub fn lend(
        &mut self,
        geometry: &Geometry,
        parameters: &Parameters,
    ) -> Result<Memory<'_>, RoomError> {
        let plan = Plan::new(geometry, parameters, Budget::Bytes(BUDGET_BYTES), 1, 0)
            .map_err(RoomError::Parameters)?
            .map_err(RoomError::Budget)?;
        self.cut(&plan).ok_or(RoomError::Plan(plan))
    }

    fn cut(&mut self, plan: &Plan) -> Option<Memory<'_>> {
        let frame_bytes = plan.frames.checked_mul(plan.frame_bytes)?;
        if plan.sum_bytes != 0 {
            return None;
        }
        Some(Memory {
            levels: self.levels.get_mut(..plan.level_bytes)?,
            segments: self.segments.get_mut(..plan.segment_bytes)?,
            appends: self.appends.get_mut(..plan.append_points)?,
            directory: self.directory.get_mut(..plan.directory_entries)?,
            deltas: self.deltas.get_mut(..plan.delta_bytes)?,
            frames: self.frames.get_mut(..frame_bytes)?,
            frame_states: self.frame_states.get_mut(..plan.frames)?,
            slots: self.slots.get_mut(..plan.read_slots)?,
            dies: self.dies.get_mut(..plan.dies)?,
            stages: self.stages.get_mut(..plan.stages)?,
            stage_pages: &mut [],
            sum: &mut [],
            bad_blocks: self.bad_blocks.get_mut(..plan.bad_block_bytes)?,
        })
    }
}
