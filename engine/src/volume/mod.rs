//! A durable disk on raw NAND: forward index, log, journal, groomer.
//!
//! One synchronous state machine: requests are *submitted*, work is *polled*. Nothing of a caller is ever borrowed while an operation is in
//! flight, and all progress lives in the fields of [`Volume`], so that forgetting a ticket is always safe.
//!
//! Knows codec and HAL below; knows nothing of policies, caches or doors above.

mod address;
mod anchor;
mod anchor_page;
mod anchor_scan;
mod append_point;
mod bits;
mod checkpoint;
mod choice;
mod control;
mod copied_checkpoint;
mod copies;
mod credit;
mod data_parity;
mod delta;
mod error;
mod event;
mod flight;
mod format;
mod groom;
mod index;
mod info;
mod io;
mod job;
mod journal;
mod journal_write;
mod level;
mod level_change;
mod life;
mod map_page;
mod memory;
mod merge;
mod mount;
mod options;
mod parameter_error;
mod parameters;
mod parity;
mod patrol;
mod placement;
mod poll;
mod quota;
mod read;
mod rebuild;
mod recover;
mod refresh;
mod ring;
mod room;
mod segment_table;
mod settle;
mod shape;
mod silence;
mod stage;
mod stats;
mod stream;
mod stripe;
mod system;
mod verify;
mod victim;
mod wire;
mod write;

use cuesta_hal::Nand;
use heapless::Vec;

use crate::codec::{CodesFn, OtherCode};

pub use address::{Location, MapIndex, Sector, Segment, Ticket};
pub use append_point::AppendPoint;
pub use choice::FormatOptions;
pub use credit::WriteBound;
pub use error::{Error, FormatError, MountError};
pub use event::Event;
pub use flight::DieState;
pub use info::{Info, SegmentInfo};
pub use level::{Level, LevelError, LevelIndex, Redundancy, COPIES_MAX, LEVELS_MAX, PARITY_MAX};
pub use level_change::LevelChangeError;
pub use life::{Life, Outlook};
pub use map_page::{DirectoryEntry, FrameState};
pub use memory::{Budget, BudgetError, Memory, Plan};
pub use options::{StreamId, WriteOptions};
pub use parameter_error::ParameterError;
pub use parameters::{
    cost_of, default_sector_bytes, Parameters, FORMAT_VERSION, SLOT_COST, SYSTEM_MAX,
};
pub use quota::{Quota, MOVES_PER_WRITE_MAX};
pub use read::Slot;
pub use refresh::Care;
pub use segment_table::State;
pub use shape::Shape;
pub use stage::Stage;
pub use stats::Stats;
pub use verify::{Finding, Verified};

use checkpoint::Checkpoint;
use control::Control;
use credit::Credit;
use delta::DeltaTable;
use groom::Groom;
use job::Job;
use journal::Doubted;
use level::LevelTable;
use map_page::Frames;
use parameters::RINGS_MAX;
use patrol::Patrol;
use placement::Placement;
use read::Patience;
use rebuild::Rebuild;
use refresh::Refresh;
use ring::Ring;
use segment_table::SegmentTable;
use silence::Attended;
use stage::Stages;
use stream::JOURNAL;
use victim::Victims;
use write::Intent;

/// Log times are skipped in steps of this after an unclean restart.
const TIME_JUMP: u64 = 1 << 16;

/// Where the volume stands between mount and unmount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Session {
    /// Nothing was written since the mount. `clean`: the last session ended with a clean unmount.
    Mounted { clean: bool },
    /// Writing.
    Active,
    /// No more writes; reads go on.
    ReadOnly,
    /// The NAND failed; nothing goes on.
    Failed(Error),
}

/// Positions and lists that the next record page will hold.
#[derive(Debug, Default)]
struct Pending {
    /// Segments that may be opened once a record page with their names is on the media: mounting looks into them.
    named: Vec<Segment, 16>,
    /// How many of them, from the first, are in such a page.
    durable: usize,
    /// Where others are looked for next.
    names_from: u32,
    closed: Vec<Segment, 16>,
    /// Segments of sector data that were freed since the last record page was encoded.
    freed: Vec<Segment, 16>,
    /// Those that the record page being programmed holds.
    freeing: Vec<Segment, 16>,
    /// Those that the last record page holds, as long as a mount would doubt it: nothing was programmed behind it.
    doubted: Doubted,
    bad_blocks: Vec<u32, 8>,
    /// Trims that no record page holds.
    trims: bool,
    /// A record page is wanted for another reason (names used up, a list filling up, a block failed).
    wanted: bool,
}

/// A mounted volume.
///
/// # Guarantees
///
/// * What was acknowledged ([`Event::Written`], [`Event::Committed`], [`Event::Flushed`] for trims) is there after a power cut at any moment, as
///   long as the part keeps its data within the strength of the code.
/// * What was not acknowledged is there or not; a sector never reads as anything but one of its own versions.
/// * Mounting writes nothing.
/// * No method panics on whatever the media hold.
#[derive(Debug)]
pub struct Volume<'m, N: Nand> {
    nand: Attended<N>,
    shape: Shape,
    parameters: Parameters,
    quota: Quota,

    levels: LevelTable<'m>,
    segments: SegmentTable<'m>,
    directory: &'m mut [DirectoryEntry],
    deltas: DeltaTable<'m>,
    frames: Frames<'m>,
    slots: &'m mut [Slot],
    dies: &'m mut [DieState],
    stages: Stages<'m>,
    stage_pages: &'m mut [u8],
    /// The sum of the pages from which one is being made again.
    sum: &'m mut [u8],
    bad_blocks: &'m mut [u8],

    session: Session,
    /// Between the first change after a mount and the checkpoint that commits what it needed.
    recovering: bool,
    /// The mount met a page that the last cut may have touched and that could not be read: it may be readable the next time.
    unsettled: bool,
    /// The journal was found without a checkpoint.
    scanned: bool,
    /// The mounted checkpoint, if too few copies of it are known to be complete.
    unfinished: Option<u32>,
    /// Log time from which on pages belong to uncommitted attempts to begin a session.
    void_from: u64,
    /// Pages that a cut has touched and that have decayed since: never written, as far as this mount is concerned.
    void: Vec<Location, 8>,
    /// Segments that are free, or dead, only because of the last journal page, which the cut may have touched: not to be erased before the
    /// session is committed.
    doubtful: Vec<Segment, 16>,
    /// Log time of the next program.
    time: u64,
    /// Host writes over the volume's life, wrapping: the unit of age.
    host_writes: u32,
    /// Erases that every segment has had at least.
    wear_base: u32,
    /// Sectors that are mapped; a hint after a cut.
    mapped: u32,
    /// What they take up, in parts of a slot ([`SLOT_COST`](parameters::SLOT_COST)).
    used: u64,
    /// Segments in state free.
    free: u32,
    /// There may be segments to be emptied although space is not short: failing and ailing ones.
    ailing: bool,
    /// Segments in state journal.
    journal_segments: u32,
    journal_sequence: u16,
    /// Number of the next record page, wrapping.
    next_record: u16,
    appends: &'m mut [Option<AppendPoint>],
    /// A stream that cannot go on without a segment.
    want_open: Option<u8>,
    pending: Pending,
    rings: [Ring; RINGS_MAX],
    checkpoint: Checkpoint,
    control: Control,
    intent: Option<Intent>,
    /// Reads of a map page that failed in a row.
    map_tries: u8,
    job: Job,
    groom: Groom,
    victims: Victims,
    credit: Credit,
    placement: Placement,
    patrol: Patrol,
    refresh: Refresh,
    rebuild: Option<Rebuild>,
    /// Pages that were to be made again so far, wrapping.
    rebuilds: u8,
    next_ticket: u32,
    /// Slot to be looked at first: all get their turn.
    next_slot: usize,
    patience: Patience,
    random: u32,
    stats: Stats,
}

impl<N: Nand> Volume<'_, N> {
    /// The shape of the volume.
    #[must_use]
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Sectors hosts can address.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        self.parameters.capacity
    }

    /// Bytes of a sector.
    #[must_use]
    pub const fn sector_bytes(&self) -> usize {
        self.shape.layout.sector_bytes() as usize
    }

    /// The NAND below, to look at.
    #[must_use]
    pub const fn nand(&self) -> &N {
        self.nand.part()
    }

    /// The NAND below. Touching its array while the volume is mounted breaks the volume; a simulator's clock and counters may be used.
    pub const fn nand_mut(&mut self) -> &mut N {
        self.nand.part_mut()
    }

    /// Gives the NAND back without writing anything: what is not on the media is lost, as with a power cut.
    #[must_use]
    pub fn abandon(self) -> N {
        self.nand.into_part()
    }

    /// From now on the codes are computed by what `codes` gives: a processor may have better means than tables.
    ///
    /// # Errors
    /// [`OtherCode`]: one of them computes something else. Nothing was changed.
    pub fn use_codes(&mut self, codes: CodesFn) -> Result<(), OtherCode> {
        self.shape.layout = self.shape.layout.with_codes(codes)?;
        Ok(())
    }

    /// To be called after [`Event::Pending`]: lets the part sleep until something settles.
    pub fn wait(&mut self) {
        self.nand.wait();
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket = self.next_ticket.wrapping_add(1);
        Ticket(self.next_ticket)
    }

    /// A small generator for dithering between classes: xorshift, no claim beyond that.
    fn random_byte(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random >> 24
    }

    fn is_bad(&self, number: usize) -> bool {
        self.bad_blocks
            .get(number / 8)
            .is_some_and(|byte| byte >> (number % 8) & 1 != 0)
    }

    fn set_bad(&mut self, number: usize) {
        if let Some(byte) = self.bad_blocks.get_mut(number / 8) {
            *byte |= 1 << (number % 8);
        }
    }

    /// Good blocks of a segment.
    fn good_columns(&self, segment: Segment) -> u32 {
        (0..self.shape.width())
            .filter(|&column| {
                let block = self.shape.block(segment, column);
                !self.is_bad(self.shape.block_number(block))
            })
            .count() as u32
    }

    /// True when a segment has too few good blocks for the copies of a page, or for a page and its parity.
    fn is_used_up(&self, segment: Segment) -> bool {
        self.good_columns(segment) < u32::from(self.parameters.copies())
    }

    /// The level of a number, if the volume has it.
    #[must_use]
    pub fn level(&self, index: LevelIndex) -> Option<Level> {
        self.levels.get(index.0)
    }

    /// The next log time: taken when a program starts, with nothing in between.
    fn take_time(&mut self) -> u64 {
        let time = self.time;
        self.time += 1;
        time
    }

    fn erases_of(&self, segment: Segment) -> u32 {
        self.wear_base + u32::from(self.segments.wear(segment))
    }

    /// Stops what cannot go on: everything when the NAND failed, changes only for any other reason.
    fn fail(&mut self, error: Error) -> Error {
        self.session = match error {
            Error::Nand(_) => Session::Failed(error),
            _ => {
                self.give_up_work();
                Session::ReadOnly
            }
        };
        error
    }

    /// Nothing of the volume's own work goes on: what it holds is needed for reading.
    fn give_up_work(&mut self) {
        self.give_up_rebuild();
        self.job = Job::None;
        self.groom.let_go();
        self.frames.give_up_merges();
    }
}
