//! The memory a volume works in: lent by the caller, sized by a plan.

use cuesta_hal::Geometry;

use super::append_point::AppendPoint;
use super::delta;
use super::error::MountError;
use super::flight::DieState;
use super::journal::delta_bits;
use super::level;
use super::map_page::{DirectoryEntry, FrameState};
use super::parameter_error::ParameterError;
use super::parameters::{record_room, staged_beyond, Parameters};
use super::quota::Quota;
use super::read::Slot;
use super::segment_table;
use super::shape::Shape;
use super::stage::Stage;

/// How much memory a volume of some shape uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Plan {
    /// Bytes of the level table.
    pub level_bytes: usize,
    /// Bytes of the segment table.
    pub segment_bytes: usize,
    /// Append points.
    pub append_points: usize,
    /// Entries of the directory.
    pub directory_entries: usize,
    /// Bytes of the delta table.
    pub delta_bytes: usize,
    /// Frames.
    pub frames: usize,
    /// Bytes of one frame.
    pub frame_bytes: usize,
    /// Reads that can be accepted at once.
    pub read_slots: usize,
    /// Dies.
    pub dies: usize,
    /// Staging pages: one for each stream where a page holds several sectors; as many as one of parity may protect where levels have it.
    pub stages: usize,
    /// Bytes of one staging page.
    pub stage_bytes: usize,
    /// Bytes in which pages are summed up to make one again; none where no level has parity or three copies.
    pub sum_bytes: usize,
    /// Bytes of the bad-block bitmap.
    pub bad_block_bytes: usize,
}

/// What the caller wants to spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Budget {
    /// As little as works.
    Minimum,
    /// Everything in RAM: one frame for each map page.
    Full,
    /// Bytes in all, page buffers and the volume itself included.
    Bytes(usize),
}

/// The budget is below what the part needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BudgetError {
    /// Bytes offered.
    pub offered: usize,
    /// Bytes needed at least.
    pub minimum: usize,
}

impl core::fmt::Display for BudgetError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{} bytes of RAM are too few, this part needs at least {}",
            self.offered, self.minimum
        )
    }
}

impl core::error::Error for BudgetError {}

/// Entries the smallest delta table holds for each die: the journal interval and what can be in flight.
const DELTAS_MIN: usize = 96;
/// Entries of the delta table with the full index.
const DELTAS_FULL: usize = 8192;

/// Bytes of a delta table with so many entries.
fn table_bytes(shape: &Shape, entries: usize) -> usize {
    (entries + entries / 15 + 2) * delta::entry_bytes(shape)
}

/// Entries that can be dumped while the journal grows by as much as it may: more would hold checkpoints up until the journal has outgrown its quota.
fn deltas_most(shape: &Shape, parameters: &Parameters, quota: &Quota) -> usize {
    let page_bytes = shape.layout.page_bytes();
    let page = record_room(
        page_bytes,
        &shape.streams,
        parameters.levels(),
        delta_bits(shape),
    );
    page * (quota.checkpoint_interval / 2) as usize
}

/// Bytes of a delta table beyond which more memory is of no use, nor used.
pub(super) fn delta_bytes_most(shape: &Shape, parameters: &Parameters, quota: &Quota) -> usize {
    table_bytes(shape, deltas_most(shape, parameters, quota))
}

impl Plan {
    /// Plans the memory of a volume with these parameters.
    ///
    /// `volume_bytes` is the size of the `Volume` itself, `read_slots` the number of reads that can be accepted at once.
    ///
    /// # Errors
    /// The parameters do not fit (outer), or the budget is too small (inner).
    pub fn new(
        geometry: &Geometry,
        parameters: &Parameters,
        budget: Budget,
        read_slots: usize,
        volume_bytes: usize,
    ) -> Result<Result<Self, BudgetError>, ParameterError> {
        let quota = Quota::new(geometry, parameters)?;
        let shape = Shape::new(geometry, parameters).map_err(ParameterError::Layout)?;
        let table = |entries: usize| table_bytes(&shape, entries);
        let dies = usize::from(geometry.dies);
        let streams = shape.streams.count();
        let stages = match usize::from(parameters.parity()) {
            0 if shape.units() == 1 => 0,
            pages => streams * pages.max(1),
        };
        let deltas_min = DELTAS_MIN
            + 4 * dies * shape.units() as usize
            + staged_beyond(parameters, shape.units());
        let mut plan = Self {
            level_bytes: level::ENTRY_BYTES * usize::from(parameters.levels()),
            segment_bytes: segment_table::stride(shape.slots_per_segment(), parameters.levels())
                * shape.segments as usize,
            append_points: streams,
            directory_entries: shape.map_pages as usize,
            delta_bytes: table(deltas_min),
            frames: 1,
            frame_bytes: geometry.page_bytes as usize,
            read_slots: read_slots.max(1),
            dies,
            stages,
            stage_bytes: geometry.page_bytes as usize,
            sum_bytes: match (parameters.copies(), parameters.parity()) {
                // A majority takes two pages.
                (3.., _) => 2 * geometry.raw_page_bytes() as usize,
                (_, 0) => 0,
                _ => geometry.page_bytes as usize,
            },
            bad_block_bytes: (geometry.blocks() as usize).div_ceil(8),
        };
        let deltas_most = deltas_most(&shape, parameters, &quota)
            .min(shape.capacity as usize)
            .max(deltas_min);
        let buffers =
            geometry.raw_page_bytes() as usize * dies * usize::from(geometry.buffers_per_die);
        let fixed = volume_bytes + buffers;
        let deltas_full = DELTAS_FULL.max(64 * plan.directory_entries).max(deltas_min);
        match budget {
            Budget::Minimum => {}
            Budget::Full => {
                plan.frames = plan.directory_entries;
                // Merging is cheap when many deltas share a map page.
                plan.delta_bytes = table(deltas_full.min(deltas_most));
            }
            Budget::Bytes(offered) => {
                let minimum = plan.bytes() + fixed;
                let Some(spare) = offered.checked_sub(minimum) else {
                    return Ok(Err(BudgetError { offered, minimum }));
                };
                let per_frame = plan.frame_bytes + core::mem::size_of::<FrameState>();
                // Deltas first (they save programs), until a map page's worth each; then frames (they save reads).
                let wanted = (16 * plan.directory_entries)
                    .max(900)
                    .clamp(deltas_min, deltas_most);
                let wanted = table(wanted) - plan.delta_bytes;
                let for_frames = spare.saturating_sub(wanted) / per_frame;
                plan.frames += for_frames.min(plan.directory_entries.saturating_sub(1));
                let left = spare - (plan.frames - 1) * per_frame;
                let most = table(deltas_full.min(deltas_most));
                plan.delta_bytes = (plan.delta_bytes + left).min(most);
            }
        }
        Ok(Ok(plan))
    }

    /// Bytes the caller lends.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.level_bytes
            + self.segment_bytes
            + self.append_points * core::mem::size_of::<Option<AppendPoint>>()
            + self.directory_entries * core::mem::size_of::<DirectoryEntry>()
            + self.delta_bytes
            + self.frames * (self.frame_bytes + core::mem::size_of::<FrameState>())
            + self.read_slots * core::mem::size_of::<Slot>()
            + self.dies * core::mem::size_of::<DieState>()
            + self.stages * (self.stage_bytes + core::mem::size_of::<Stage>())
            + self.sum_bytes
            + self.bad_block_bytes
    }
}

/// The memory itself. Its contents do not matter: mounting initialises it.
#[derive(Debug)]
pub struct Memory<'m> {
    /// [`Plan::level_bytes`].
    pub levels: &'m mut [u8],
    /// [`Plan::segment_bytes`].
    pub segments: &'m mut [u8],
    /// [`Plan::append_points`].
    pub appends: &'m mut [Option<AppendPoint>],
    /// [`Plan::directory_entries`].
    pub directory: &'m mut [DirectoryEntry],
    /// [`Plan::delta_bytes`].
    pub deltas: &'m mut [u8],
    /// [`Plan::frames`] times [`Plan::frame_bytes`].
    pub frames: &'m mut [u8],
    /// [`Plan::frames`].
    pub frame_states: &'m mut [FrameState],
    /// [`Plan::read_slots`].
    pub slots: &'m mut [Slot],
    /// [`Plan::dies`].
    pub dies: &'m mut [DieState],
    /// [`Plan::stages`].
    pub stages: &'m mut [Stage],
    /// [`Plan::stages`] times [`Plan::stage_bytes`].
    pub stage_pages: &'m mut [u8],
    /// [`Plan::sum_bytes`].
    pub sum: &'m mut [u8],
    /// [`Plan::bad_block_bytes`].
    pub bad_blocks: &'m mut [u8],
}

impl Memory<'_> {
    /// Checks that every part is large enough.
    pub(super) fn check(&self, least: &Plan) -> Result<(), MountError> {
        let parts = [
            ("the level table", self.levels.len(), least.level_bytes),
            ("append points", self.appends.len(), least.append_points),
            (
                "the segment table",
                self.segments.len(),
                least.segment_bytes,
            ),
            (
                "the directory",
                self.directory.len(),
                least.directory_entries,
            ),
            ("the delta table", self.deltas.len(), least.delta_bytes),
            (
                "frames",
                self.frames.len(),
                self.frame_states.len().max(1) * least.frame_bytes,
            ),
            ("frame states", self.frame_states.len(), 1),
            ("read slots", self.slots.len(), 1),
            ("die states", self.dies.len(), least.dies),
            ("stages", self.stages.len(), least.stages),
            (
                "staging pages",
                self.stage_pages.len(),
                least.stages * least.stage_bytes,
            ),
            ("the summing page", self.sum.len(), least.sum_bytes),
            ("bad blocks", self.bad_blocks.len(), least.bad_block_bytes),
        ];
        for (what, found, needed) in parts {
            if found < needed {
                return Err(MountError::Memory {
                    what,
                    found,
                    needed,
                });
            }
        }
        Ok(())
    }
}
