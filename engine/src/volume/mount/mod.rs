//! Mounting: the newest checkpoint, the journal behind it, and the data pages behind that. Writes nothing.

mod anchors;
mod data;
mod full_scan;
mod gaps;
mod journal;
mod parity;

use cuesta_hal::Nand;
use heapless::Vec;

use super::address::{Location, Sector, Segment};
use super::anchor::Head;
use super::anchor_scan::{self, Anchors};
use super::append_point::AppendPoint;
use super::checkpoint::Checkpoint;
use super::delta::{Delta, DeltaTable};
use super::error::{LoadError, MountError};
use super::flight::DieState;
use super::level::LevelTable;
use super::map_page::{DirectoryEntry, Frames};
use super::memory::{delta_bytes_most, Memory, Plan};
use super::parameter_error::ParameterError;
use super::parameters::Parameters;
use super::read::Slot;
use super::recover::Decayed;
use super::ring::Ring;
use super::segment_table::{SegmentTable, State};
use super::shape::Shape;
use super::silence::Attended;
use super::stage::{Stage, Stages};
use super::stream::JOURNAL;
use super::{Budget, Pending, Session, Volume};
use crate::codec::{Header, HeaderState, Kind};

use journal::Covers;

/// Checkpoints that attempts nobody knows of any more may have numbered.
const SEQUENCES_SKIPPED: u32 = 1 << 16;

/// Finds the volume on a part: its anchors, or what its journal says if they are lost.
fn locate<N: Nand>(nand: &mut N, anchors: &mut Anchors) -> Result<(), MountError> {
    let found = anchor_scan::find(nand, anchors);
    if let Err(MountError::Blank | MountError::Foreign | MountError::Damaged) = found {
        if let Some(parameters) = full_scan::find_parameters(nand)? {
            anchors.clear(Head::lost(nand.geometry(), parameters));
            return Ok(());
        }
    }
    found
}

impl<'m, N: Nand> Volume<'m, N> {
    /// Reads the parameters of the volume on a part, so that memory for it can be planned.
    ///
    /// # Errors
    /// As for [`mount`](Self::mount).
    pub fn probe(nand: &mut N) -> Result<Parameters, MountError> {
        let mut nand = Attended::new(nand);
        let mut anchors = Anchors::unknown(nand.geometry());
        locate(&mut nand, &mut anchors)?;
        Ok(anchors.head.parameters)
    }

    /// Mounts the volume on a part.
    ///
    /// Writes and erases nothing; the first change, or the first read of a sector that the last power cut may have touched, recovers what an
    /// unclean end has left.
    ///
    /// # Errors
    /// What was found instead of a volume, or what is missing.
    pub fn mount(nand: N, memory: Memory<'m>) -> Result<Self, MountError> {
        let mut nand = Attended::new(nand);
        let mut anchors = Anchors::unknown(nand.geometry());
        locate(&mut nand, &mut anchors)?;
        let parameters = anchors.head.parameters;
        if parameters.copies() == 1 {
            nand.be_strict()?;
        }
        Self::loaded(nand, memory, &anchors)
    }

    /// The volume that the anchors tell of. By itself, and with one way out, so that the volume is made where the caller wants it and not copied there.
    #[inline(never)]
    fn loaded(
        nand: Attended<N>,
        memory: Memory<'m>,
        anchors: &Anchors,
    ) -> Result<Self, MountError> {
        let mut mounted = Self::assemble(nand, memory, anchors.head.parameters);
        let failed = match &mut mounted {
            Ok(volume) => volume
                .load(anchors)
                .err()
                .map(|error| volume.not_loaded(error)),
            Err(_) => None,
        };
        if let Some(error) = failed {
            mounted = Err(error);
        }
        mounted
    }

    /// What a mount says when the state cannot be read.
    fn not_loaded(&self, error: LoadError) -> MountError {
        match error {
            LoadError::Damaged => MountError::Damaged,
            LoadError::HalfFormatted => MountError::HalfFormatted,
            LoadError::Deltas => MountError::Memory {
                what: "the delta table (entries; the volume was last used with a larger one)",
                found: self.deltas.limit(),
                needed: self.deltas.limit() + 1,
            },
            LoadError::Nand(kind) => MountError::Nand(kind),
        }
    }

    /// Reads the state of the volume into its memory: from the newest checkpoint, or from the journal alone where there is none.
    fn load(&mut self, anchors: &Anchors) -> Result<(), LoadError> {
        let head = match self.load_checkpoint(anchors) {
            Err(LoadError::Damaged) => {
                if anchor_scan::half_formatted(&mut self.nand)? {
                    return Err(LoadError::HalfFormatted);
                }
                self.forget();
                return self.load_by_scan(anchors);
            }
            loaded => loaded?,
        };
        self.sanitise(&head);
        let mut covers = Covers::new();
        let replayed = self.replay_journal(&head, &mut covers)?;
        let found = self.scan_data(&replayed, &covers)?;
        let clean = head.clean && !replayed.changed && !found && self.void.is_empty();
        self.conclude(clean);
        Ok(())
    }

    /// Reads the state of the volume again, as if what has decayed had never been written.
    pub(super) fn load_without(&mut self, decayed: Decayed) -> Result<(), LoadError> {
        if let Decayed::Page(page) = decayed {
            self.void.push(page).map_err(|_| LoadError::Damaged)?;
        }
        let mut anchors = Anchors::unknown(self.nand.geometry());
        locate(&mut self.nand, &mut anchors)?;
        self.forget();
        self.load(&anchors)
    }

    /// Forgets what was read so far.
    fn forget(&mut self) {
        self.segments.clear();
        self.bad_blocks.fill(0);
        self.directory.fill(DirectoryEntry::default());
        self.deltas.clear();
        self.frames.clear();
        self.appends.fill(None);
        self.want_open = None;
        self.pending = Pending::default();
        self.doubtful.clear();
        self.checkpoint = Checkpoint::default();
        self.groom = super::Groom::default();
        self.credit = super::Credit::default();
        self.patrol = super::Patrol::default();
        self.rebuild = None;
        self.job = super::Job::None;
        for die in self.dies.iter_mut() {
            *die = DieState::default();
        }
        for stage in self.stages.iter_mut() {
            *stage = Stage::default();
        }
    }

    /// A volume without contents in the memory lent.
    pub(super) fn assemble(
        nand: Attended<N>,
        memory: Memory<'m>,
        parameters: Parameters,
    ) -> Result<Self, MountError> {
        let geometry = *nand.geometry();
        let quota = super::Quota::new(&geometry, &parameters).map_err(MountError::Parameters)?;
        let shape = Shape::new(&geometry, &parameters)
            .map_err(|error| MountError::Parameters(ParameterError::Layout(error)))?;
        let least = Plan::new(&geometry, &parameters, Budget::Minimum, 1, 0)
            .map_err(MountError::Parameters)?
            .map_err(|error| MountError::Memory {
                what: "the volume",
                found: error.offered,
                needed: error.minimum,
            })?;
        memory.check(&least)?;
        let frame_bytes = geometry.page_bytes as usize;
        let mut segments = SegmentTable::new(
            &mut memory.segments[..least.segment_bytes],
            shape.slots_per_segment(),
            parameters.levels(),
        );
        segments.clear();
        let appends = &mut memory.appends[..least.append_points];
        appends.fill(None);
        let directory = &mut memory.directory[..least.directory_entries];
        directory.fill(DirectoryEntry::default());
        memory.slots.fill(Slot::default());
        let dies = &mut memory.dies[..least.dies];
        dies.fill(DieState::default());
        let stages = &mut memory.stages[..least.stages];
        stages.fill(Stage::default());
        let bad_blocks = &mut memory.bad_blocks[..least.bad_block_bytes];
        bad_blocks.fill(0);
        let delta_bytes = delta_bytes_most(&shape, &parameters, &quota)
            .max(least.delta_bytes)
            .min(memory.deltas.len());
        Ok(Self {
            nand,
            shape,
            parameters,
            quota,
            levels: LevelTable::new(&mut memory.levels[..least.level_bytes]),
            segments,
            directory,
            deltas: DeltaTable::new(&mut memory.deltas[..delta_bytes], &shape),
            frames: Frames::new(
                memory.frames,
                memory.frame_states,
                frame_bytes,
                shape.location_bits,
            ),
            slots: memory.slots,
            dies,
            stages: Stages(stages),
            stage_pages: memory.stage_pages,
            sum: &mut memory.sum[..least.sum_bytes],
            bad_blocks,
            session: Session::Mounted { clean: false },
            recovering: false,
            unsettled: false,
            scanned: false,
            unfinished: None,
            map_tries: 0,
            void_from: u64::MAX,
            void: Vec::new(),
            doubtful: Vec::new(),
            time: 0,
            host_writes: 0,
            wear_base: 0,
            mapped: 0,
            used: 0,
            free: 0,
            ailing: false,
            journal_segments: 0,
            journal_sequence: 0,
            next_record: 0,
            appends,
            want_open: None,
            pending: Pending::default(),
            rings: core::array::from_fn(|_| Ring::default()),
            checkpoint: Checkpoint::default(),
            control: super::Control::default(),
            intent: None,
            job: super::Job::None,
            groom: super::Groom::default(),
            victims: super::Victims::default(),
            credit: super::Credit::default(),
            placement: super::Placement::default(),
            patrol: super::Patrol::default(),
            refresh: super::Refresh::new(&geometry),
            rebuild: None,
            rebuilds: 0,
            next_ticket: 0,
            next_slot: 0,
            patience: super::Patience::default(),
            random: (parameters.volume_id as u32) | 1,
            stats: super::Stats::default(),
        })
    }

    /// Counts, and decides what of the state can be trusted.
    fn conclude(&mut self, clean: bool) {
        for ring in 0..self.parameters.rings(self.shape.dies()) {
            let mut index = 0;
            while let Some(block) = self.ring_block(ring, index) {
                index += 1;
                let segment = self.shape.segment_of(block);
                if segment.0 < self.shape.segments {
                    self.segments.set_state(segment, State::Reserved);
                }
            }
        }
        for segment in self.segments.iter() {
            match self.segments.state(segment) {
                State::Journal => self.segments.set_valid(segment, 0),
                State::Free => {
                    self.segments.set_valid(segment, 0);
                }
                State::Open if !clean => {
                    self.segments.set_state(segment, State::Closed);
                    let limit = self.shape.slots_per_segment() - 1;
                    let valid = self.segments.valid(segment).min(limit);
                    self.segments.set_valid(segment, valid);
                    if !self.pending.closed.contains(&segment) {
                        let _ = self.pending.closed.push(segment);
                    }
                }
                _ => {}
            }
        }
        if !clean {
            self.appends.fill(None);
        } else {
            self.pending.closed.clear();
            // No stream goes on in a segment that is to be emptied.
            for (stream, open) in self.appends.iter_mut().enumerate() {
                let goes_on = |open: &AppendPoint| {
                    stream == usize::from(JOURNAL)
                        || self.segments.state(open.segment) == State::Open
                };
                *open = open.filter(goes_on);
            }
        }
        for index in 0..self.directory.len() {
            let location = self.directory[index].location;
            if location.is_mapped() {
                let segment = self.shape.segment(location);
                let valid = self.segments.valid(segment);
                if self.segments.state(segment) == State::Journal {
                    self.segments.set_valid(segment, valid + 1);
                }
            }
        }
        let finished = |die: &DieState| {
            !die.suspect.is_mapped()
                || self.segments.state(self.shape.segment(die.suspect)) != State::Journal
        };
        if !clean && self.dies.iter().all(finished) {
            // Something lies behind the last journal page: it was finished, and stays.
            self.doubtful.clear();
        } else if !clean {
            // A journal page concerns more sectors than can be told.
            self.unsettled = true;
        }
        self.free_dead_journal();
        self.free = self.count(State::Free);
        self.journal_segments = self.count(State::Journal);
        self.ailing = self.count(State::Failing) + self.count(State::Ailing) > 0;
        self.pending
            .named
            .retain(|&segment| self.segments.state(segment) == State::Free);
        if clean {
            for die in self.dies.iter_mut() {
                die.suspect = Location::UNMAPPED;
            }
        }
        self.pending.durable = self.pending.named.len();
        self.session = Session::Mounted { clean };
    }

    /// Journal segments that hold nothing that counts are free, unless that is so only because of a page that the cut may have touched.
    fn free_dead_journal(&mut self) {
        for segment in self.segments.iter() {
            if self.journal_is_dead(segment) && !self.doubtful.contains(&segment) {
                self.segments.set_state(segment, State::Free);
            }
        }
    }

    /// What the page at an offset is, by its headers.
    fn owner_at(
        &mut self,
        segment: Segment,
        offset: u32,
    ) -> Result<Result<(u32, Header), HeaderState>, LoadError> {
        Ok(self.read_headers(segment, offset)?)
    }

    /// True when the page lies in a block that is known to be bad: what was written before it failed counts all the same.
    fn in_bad_block(&self, segment: Segment, offset: u32) -> bool {
        let page = self.shape.page(segment, offset);
        self.is_bad(self.shape.block_number(page.block))
    }

    /// The page was written after everything the last cut cannot have touched: it is the newest of its die so far.
    fn note_newest(&mut self, segment: Segment, offset: u32, time: u64) {
        let page = self.shape.page(segment, offset);
        let die = &mut self.dies[usize::from(page.die().0)];
        if time >= die.suspect_time {
            die.suspect_time = time;
            die.suspect = self.shape.location(segment, offset, 0);
        }
        self.time = self.time.max(time + 1);
    }

    fn is_void(&self, segment: Segment, offset: u32) -> bool {
        self.void.contains(&self.shape.location(segment, offset, 0))
    }

    fn set_erases(&mut self, segment: Segment, erases: u32) {
        let wear = erases.saturating_sub(self.wear_base).min(255);
        self.segments.set_wear(segment, wear as u8);
    }

    pub(super) fn count(&self, state: State) -> u32 {
        self.segments
            .iter()
            .filter(|&segment| self.segments.state(segment) == state)
            .count() as u32
    }
}

/// The erase count of a segment, by the header of one of its pages; none on a parity page of sector data, which names pages there.
fn erases_told(header: &Header) -> Option<u32> {
    let names_pages = header.kind == Kind::Parity && header.stream != JOURNAL;
    (!names_pages).then_some(header.erases)
}

fn insert_delta(
    deltas: &mut DeltaTable<'_>,
    directory: &mut [DirectoryEntry],
    shape: &Shape,
    sector: Sector,
    location: Location,
    journaled: bool,
) -> Result<(), LoadError> {
    let delta = Delta {
        sector,
        location,
        journaled,
    };
    match deltas.insert(delta) {
        Ok(new) => {
            if new {
                let (map, _) = shape.map_of(sector);
                directory[map.0 as usize].deltas += 1;
            }
            Ok(())
        }
        Err(_) => Err(LoadError::Deltas),
    }
}
