//! One piece of memory, cut into slices of what a volume needs.

use core::mem::{align_of, size_of};
use core::ptr::NonNull;
use core::slice;

use cuesta::volume::{
    AppendPoint, DieState, DirectoryEntry, FrameState, Memory, Plan, Slot, Stage,
};

/// Alignment of whatever a volume holds, and what is lost by it at each of the cuts.
const ALIGN_MAX: usize = 16;
/// Cuts of [`Arena::cut`], and one for the volume itself.
const CUTS: usize = 14;
/// Bytes that aligning may cost.
pub const SLACK: usize = CUTS * ALIGN_MAX;

/// What is left of the memory.
#[derive(Debug)]
pub struct Arena {
    next: NonNull<u8>,
    left: usize,
}

impl Arena {
    /// # Safety
    /// So many bytes there belong to whoever has the arena, for as long as anything that is cut from it is used.
    pub const unsafe fn new(memory: NonNull<u8>, bytes: usize) -> Self {
        Self {
            next: memory,
            left: bytes,
        }
    }

    /// Room for so many values, not initialised.
    pub fn room<T>(&mut self, count: usize) -> Option<NonNull<T>> {
        const { assert!(align_of::<T>() <= ALIGN_MAX) };
        let pad = self.next.as_ptr().align_offset(align_of::<T>());
        let taken = size_of::<T>().checked_mul(count)?.checked_add(pad)?;
        self.left = self.left.checked_sub(taken)?;
        // SAFETY: both steps stay within the memory, as there were so many bytes left.
        let (room, next) = unsafe { (self.next.add(pad), self.next.add(taken)) };
        self.next = next;
        Some(room.cast())
    }

    fn slice<T>(&mut self, count: usize, make: impl Fn() -> T) -> Option<&'static mut [T]> {
        let room = self.room::<T>(count)?;
        // SAFETY: the room is aligned, large enough and nobody else's; every value is written before the slice exists.
        unsafe {
            for index in 0..count {
                room.add(index).write(make());
            }
            Some(slice::from_raw_parts_mut(room.as_ptr(), count))
        }
    }

    /// Cuts off what a plan asks for; nothing if there is too little.
    pub fn cut(&mut self, plan: &Plan) -> Option<Memory<'static>> {
        let frame_bytes = plan.frames.checked_mul(plan.frame_bytes)?;
        let stage_bytes = plan.stages.checked_mul(plan.stage_bytes)?;
        Some(Memory {
            levels: self.slice(plan.level_bytes, u8::default)?,
            segments: self.slice(plan.segment_bytes, u8::default)?,
            appends: self.slice(plan.append_points, Option::<AppendPoint>::default)?,
            directory: self.slice(plan.directory_entries, DirectoryEntry::default)?,
            deltas: self.slice(plan.delta_bytes, u8::default)?,
            frames: self.slice(frame_bytes, u8::default)?,
            frame_states: self.slice(plan.frames, FrameState::default)?,
            slots: self.slice(plan.read_slots, Slot::default)?,
            dies: self.slice(plan.dies, DieState::default)?,
            stages: self.slice(plan.stages, Stage::default)?,
            stage_pages: self.slice(stage_bytes, u8::default)?,
            sum: self.slice(plan.sum_bytes, u8::default)?,
            bad_blocks: self.slice(plan.bad_block_bytes, u8::default)?,
        })
    }
}
