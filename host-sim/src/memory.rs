//! The memory a volume works in, owned by a program of a host.

use cuesta::volume::{
    AppendPoint, DieState, DirectoryEntry, FrameState, Memory, Plan, Slot, Stage,
};

/// Memory as a plan asks for it. It outlives the volume it is lent to and can be lent again.
#[derive(Debug, Clone)]
pub struct OwnedMemory {
    levels: Vec<u8>,
    segments: Vec<u8>,
    appends: Vec<Option<AppendPoint>>,
    directory: Vec<DirectoryEntry>,
    deltas: Vec<u8>,
    frames: Vec<u8>,
    frame_states: Vec<FrameState>,
    slots: Vec<Slot>,
    dies: Vec<DieState>,
    stages: Vec<Stage>,
    stage_pages: Vec<u8>,
    sum: Vec<u8>,
    bad_blocks: Vec<u8>,
}

impl OwnedMemory {
    /// Memory of the sizes that `plan` names.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            levels: vec![0; plan.level_bytes],
            segments: vec![0; plan.segment_bytes],
            appends: vec![None; plan.append_points],
            directory: vec![DirectoryEntry::default(); plan.directory_entries],
            deltas: vec![0; plan.delta_bytes],
            frames: vec![0; plan.frames * plan.frame_bytes],
            frame_states: vec![FrameState::default(); plan.frames],
            slots: vec![Slot::default(); plan.read_slots],
            dies: vec![DieState::default(); plan.dies],
            stages: vec![Stage::default(); plan.stages],
            stage_pages: vec![0; plan.stages * plan.stage_bytes],
            sum: vec![0; plan.sum_bytes],
            bad_blocks: vec![0; plan.bad_block_bytes],
        }
    }

    /// Lends it to a volume.
    pub fn lend(&mut self) -> Memory<'_> {
        Memory {
            levels: &mut self.levels,
            segments: &mut self.segments,
            appends: &mut self.appends,
            directory: &mut self.directory,
            deltas: &mut self.deltas,
            frames: &mut self.frames,
            frame_states: &mut self.frame_states,
            slots: &mut self.slots,
            dies: &mut self.dies,
            stages: &mut self.stages,
            stage_pages: &mut self.stage_pages,
            sum: &mut self.sum,
            bad_blocks: &mut self.bad_blocks,
        }
    }
}
