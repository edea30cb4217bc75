//! The memory of the volume, lent as a plan asks for it: bytes in one piece, of which each plan makes another use, and arrays of what is not bytes.

use core::array::from_fn;
use core::fmt;

use cuesta::hal::Geometry;
use cuesta::volume::{
    AppendPoint, Budget, BudgetError, DieState, DirectoryEntry, FrameState, Memory, ParameterError,
    Parameters, Plan, Slot,
};

/// Memory to plan with, page buffers included, the volume's own fields left out.
const BUDGET_BYTES: usize = 32 * 1024;

/// The least that a page buffer takes of it.
const PAGE_BUFFER_BYTES: usize = 2048 + 64;

/// Bytes of a sector and of a frame: pages of serial NAND have 2 KiB.
pub(crate) const SECTOR_BYTES: usize = 2048;

/// What a plan leaves for bytes, at most.
const BYTES: usize = BUDGET_BYTES - PAGE_BUFFER_BYTES;
const APPEND_POINTS: usize = 16;
const DIRECTORY_ENTRIES: usize = 256;
const FRAMES: usize = BYTES / SECTOR_BYTES;

/// Memory for a volume on a serial NAND part of up to 2 Gbit with pages of 2 KiB, and for two sectors.
#[derive(Debug)]
pub struct Room {
    bytes: [u8; BYTES],
    appends: [Option<AppendPoint>; APPEND_POINTS],
    directory: [DirectoryEntry; DIRECTORY_ENTRIES],
    frame_states: [FrameState; FRAMES],
    slots: [Slot; 1],
    dies: [DieState; 1],
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
            bytes: [0; BYTES],
            appends: [None; APPEND_POINTS],
            directory: from_fn(|_| DirectoryEntry::default()),
            frame_states: from_fn(|_| FrameState::default()),
            slots: from_fn(|_| Slot::default()),
            dies: from_fn(|_| DieState::default()),
        }
    }

    /// What a volume with these parameters needs of the room.
    ///
    /// # Errors
    /// The part is none for a volume, or the budget is too small for it.
    pub fn plan(geometry: &Geometry, parameters: &Parameters) -> Result<Plan, RoomError> {
        Plan::new(geometry, parameters, Budget::Bytes(BUDGET_BYTES), 1, 0)
            .map_err(RoomError::Parameters)?
            .map_err(RoomError::Budget)
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
        let plan = Self::plan(geometry, parameters)?;
        self.cut(&plan).ok_or(RoomError::Plan(plan))
    }

    fn cut(&mut self, plan: &Plan) -> Option<Memory<'_>> {
        if plan.stages != 0 || plan.sum_bytes != 0 {
            return None;
        }
        let frame_bytes = plan.frames.checked_mul(plan.frame_bytes)?;
        let mut left = self.bytes.as_mut_slice();
        let mut piece = |len: usize| {
            let (piece, rest) = core::mem::take(&mut left).split_at_mut_checked(len)?;
            left = rest;
            Some(piece)
        };
        Some(Memory {
            levels: piece(plan.level_bytes)?,
            segments: piece(plan.segment_bytes)?,
            appends: self.appends.get_mut(..plan.append_points)?,
            directory: self.directory.get_mut(..plan.directory_entries)?,
            deltas: piece(plan.delta_bytes)?,
            frames: piece(frame_bytes)?,
            frame_states: self.frame_states.get_mut(..plan.frames)?,
            slots: self.slots.get_mut(..plan.read_slots)?,
            dies: self.dies.get_mut(..plan.dies)?,
            stages: &mut [],
            stage_pages: &mut [],
            sum: &mut [],
            bad_blocks: piece(plan.bad_block_bytes)?,
        })
    }
}
