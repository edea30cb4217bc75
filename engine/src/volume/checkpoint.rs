//! The checkpoint: directory, segment table, bad blocks and parameters in two copies of anchor blocks.
//!
//! It is fuzzy: taken page by page while work goes on. Everything younger than the position at which its dump of the delta table started
//! is in the journal too, so that replaying makes it whole.

use cuesta_hal::{BlockAddress, Buffer, Completion, Die, Nand, PageAddress};

use super::address::Segment;
use super::anchor::{anchor_place, page_at, Head, Position, CONFIRMING, OPENING};
use super::anchor_scan::{self, Anchors};
use super::error::{reload_failed, Error};
use super::flight::Flight;
use super::io;
use super::job::{Job, Step};
use super::parameters::{ANCHOR_PREFIX, HEAD_BYTES, RING_BLOCKS_MAX};
use super::segment_table::State;
use super::{Session, Volume, JOURNAL};
use crate::codec::header::{FLAG_ATTEMPT, FLAG_COPIED, FLAG_FORMATTING};
use crate::codec::{Header, Kind};

/// Where the volume is in making a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// It is not.
    #[default]
    Idle,
    /// What no record page holds yet goes to the journal.
    Prepare,
    /// The whole delta table goes to the journal.
    Dump,
    /// Blocks of a copy's next place are erased.
    Erase { copy: u8, block: u32 },
    /// The opening page of a copy's place is programmed, then the one that confirms it.
    Opening { copy: u8, id: u32 },
    /// Pages of a copy are programmed.
    Write { copy: u8, page: u32 },
}

/// Progress of the checkpoint.
#[derive(Debug, Default)]
pub(super) struct Checkpoint {
    phase: Phase,
    /// Number of the last complete checkpoint.
    pub sequence: u32,
    /// Where mounting starts to replay.
    pub from: Position,
    next_from: Position,
    /// Journal pages since the last one.
    pub journal_pages: u32,
    /// The volume is being unmounted: the checkpoint says that nothing follows.
    clean: bool,
    /// The page at which replaying is to start could not be programmed.
    moving: bool,
}

impl Checkpoint {
    /// True between the start of the dump and the last page.
    pub(super) fn active(&self) -> bool {
        self.phase != Phase::Idle
    }

    /// A journal page could not be programmed.
    pub(super) fn page_failed(&mut self, segment: Segment, offset: u32) {
        self.moving |= self.phase == Phase::Dump
            && self.next_from.segment == segment
            && self.next_from.offset == offset;
    }

    /// A journal page is programmed here; if it is the one at which replaying is to start, that is here now.
    pub(super) fn page_moved(&mut self, segment: Segment, offset: u32, sequence: u16) {
        if core::mem::take(&mut self.moving) {
            self.next_from = Position {
                segment,
                offset,
                sequence,
            };
        }
    }

    /// True while record pages are written for it: the delta table must not change.
    pub(super) fn dumping(&self) -> bool {
        matches!(self.phase, Phase::Prepare | Phase::Dump)
    }

    /// True when mounting would replay a journal segment opened as the `sequence`-th.
    pub(super) const fn replays(&self, sequence: u16) -> bool {
        sequence.wrapping_sub(self.from.sequence) < 0x8000
    }
}

impl<N: Nand> Volume<'_, N> {
    /// Starts a checkpoint, unless one is being made.
    pub(super) fn start_checkpoint(&mut self, clean: bool) {
        if self.checkpoint.active() {
            return;
        }
        self.checkpoint.phase = Phase::Prepare;
        self.checkpoint.clean = clean;
        self.begin_dump();
    }

    /// Starts the dump, if it can start now.
    ///
    /// Its pages need several programs, and the first one already tells where the streams are. That is right because every delta is
    /// in an older record page by then, which counts as long as the checkpoint is not complete.
    fn begin_dump(&mut self) {
        if self.deltas.unjournaled() > 0 || self.data_in_flight() {
            return;
        }
        // Its first page is the first record page of the dump, which names the segments where the journal may go on.
        let Some((segment, offset)) = self.append_page(JOURNAL).filter(|_| self.journal_ready())
        else {
            return;
        };
        self.checkpoint.phase = Phase::Dump;
        self.checkpoint.journal_pages = 0;
        self.checkpoint.next_from = Position {
            segment,
            offset,
            sequence: self.journal_sequence,
        };
        self.deltas.unmark_all();
        self.pending.wanted = true;
    }

    /// True while a record page is needed for it.
    pub(super) fn checkpoint_wants_record(&self) -> bool {
        match self.checkpoint.phase {
            Phase::Prepare => self.deltas.unjournaled() > 0,
            Phase::Dump => true,
            _ => false,
        }
    }

    /// A record page is on the media: the dump may be complete.
    pub(super) fn checkpoint_recorded(&mut self) {
        if self.checkpoint.phase == Phase::Dump && self.deltas.unjournaled() == 0 {
            self.begin_copy(0);
        }
    }

    /// True when the checkpoint should go on, or start, now.
    pub(super) fn checkpoint_step_due(&mut self) -> bool {
        match self.checkpoint.phase {
            Phase::Idle => {
                if self.checkpoint.journal_pages >= self.quota.checkpoint_interval
                    && self.pending.named.len() > 2
                {
                    self.start_checkpoint(false);
                }
                false
            }
            Phase::Prepare => {
                self.begin_dump();
                false
            }
            Phase::Dump => false,
            Phase::Erase { .. } | Phase::Opening { .. } | Phase::Write { .. } => {
                self.credit.steps > 0
                    || self.control.unmounting()
                    || self.journal_segments > self.quota.journal_segments
            }
        }
    }

    fn slot_pages(&self) -> u32 {
        self.quota.blocks_per_slot * self.shape.rows
    }

    fn begin_copy(&mut self, copy: u8) {
        let ring = &self.rings[usize::from(copy)];
        self.checkpoint.phase = if ring.next + self.quota.checkpoint_pages <= self.slot_pages() {
            Phase::Write { copy, page: 0 }
        } else {
            self.next_ring_slot(copy);
            Phase::Erase { copy, block: 0 }
        };
    }

    /// Goes on to the next place of a ring that may be erased, one without bad blocks if there is one.
    pub(super) fn next_ring_slot(&mut self, copy: u8) {
        let blocks = self.quota.blocks_per_slot as usize;
        let ring = &self.rings[usize::from(copy)];
        let slots = (ring.blocks.len() / blocks).max(1) as u32;
        let sound = |slot: u32| {
            let from = slot as usize * blocks;
            let place = ring.blocks.get(from..from + blocks).unwrap_or(&[]);
            place.iter().all(|&block| !self.is_bad(block as usize))
        };
        let mut others = (1..=slots)
            .map(|step| (ring.slot + step) % slots)
            .filter(|&slot| slot != ring.committed && slot != ring.trace);
        let slot = others
            .clone()
            .find(|&slot| sound(slot))
            .or_else(|| others.next())
            .unwrap_or((ring.slot + 1) % slots);
        let ring = &mut self.rings[usize::from(copy)];
        ring.slot = slot;
        ring.next = 0;
    }

    /// A block of the place in use failed: it is out of use from now on.
    fn ring_block_failed(&mut self, block: BlockAddress) {
        let number = self.shape.block_number(block);
        self.stats.retired += 1;
        if !self.is_bad(number) {
            self.set_bad(number);
            let _ = self.pending.bad_blocks.push(number as u32);
        }
    }

    /// Erases the blocks of the place in use, straight through; false when one fails.
    fn erase_place(&mut self, copy: u8) -> Result<bool, Error> {
        for index in 0..self.quota.blocks_per_slot {
            let Some(block) = self.ring_block(copy, index) else {
                return Err(self.fail(Error::NoSpace));
            };
            self.stats.erases += 1;
            let good =
                io::erase(&mut self.nand, block).map_err(|kind| self.fail(Error::Nand(kind)))?;
            if !good {
                self.ring_block_failed(block);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Programs an anchor page from the buffer of its die, straight through; false when that fails.
    fn program_anchor(&mut self, page: PageAddress) -> Result<bool, Error> {
        self.stats.meta_pages += 1;
        let good =
            io::program(&mut self.nand, page).map_err(|kind| self.fail(Error::Nand(kind)))?;
        if !good {
            self.ring_block_failed(page.block);
        }
        Ok(good)
    }

    /// Opens the next place of the first copy, straight through: whoever comes after an attempt that is cut finds its trace, and
    /// numbers checkpoints and log times beyond it. Nothing else is written before.
    pub(super) fn open_place(&mut self) -> Result<(), Error> {
        self.void_from = self.void_from.min(self.time);
        for _ in 0..RING_BLOCKS_MAX {
            self.next_ring_slot(0);
            let mut good = self.erase_place(0)?;
            for id in [OPENING, CONFIRMING] {
                let Some(page) = self.anchor_page(0, page_at(id)).filter(|_| good) else {
                    break;
                };
                self.fill_anchor(page.die(), 0, id);
                good = self.program_anchor(page)?;
            }
            if good {
                self.rings[0].next = ANCHOR_PREFIX;
                return Ok(());
            }
            // There may be no other place left.
            self.rings[0].trace = u32::MAX;
        }
        Err(self.fail(Error::NoSpace))
    }

    /// The block that holds the `index`-th block of a copy's place in use.
    fn ring_block(&self, copy: u8, index: u32) -> Option<BlockAddress> {
        let ring = &self.rings[usize::from(copy)];
        let number = *ring
            .blocks
            .get((ring.slot * self.quota.blocks_per_slot + index) as usize)?;
        Some(BlockAddress::new(
            (number / self.shape.blocks_per_die) as u16,
            number % self.shape.blocks_per_die,
        ))
    }

    pub(super) fn anchor_step(&mut self) -> Result<Step, Error> {
        match self.checkpoint.phase {
            Phase::Idle | Phase::Prepare | Phase::Dump => {
                self.job = Job::None;
                Ok(Step::Again)
            }
            Phase::Erase { copy, block } => {
                let Some(address) = self.ring_block(copy, block) else {
                    return Err(self.fail(Error::NoSpace));
                };
                if self.dies[usize::from(address.die.0)].flight != Flight::None {
                    return Ok(Step::Wait);
                }
                match self.nand.start_erase(address) {
                    Ok(()) => {
                        self.stats.erases += 1;
                        self.dies[usize::from(address.die.0)].flight = Flight::Job;
                        Ok(Step::Wait)
                    }
                    Err(error) => Err(self.nand_failed(&error)),
                }
            }
            Phase::Opening { copy, id: page } | Phase::Write { copy, page } => {
                let Some(address) = self.anchor_page(copy, page_at(page)) else {
                    return Err(self.fail(Error::NoSpace));
                };
                if !self.die_free(address.die()) {
                    return Ok(Step::Wait);
                }
                self.fill_anchor(address.die(), copy, page);
                self.stats.meta_pages += 1;
                self.start_job_program(address)?;
                Ok(Step::Wait)
            }
        }
    }

    /// The page that the `page`-th of a checkpoint goes to.
    fn anchor_page(&self, copy: u8, page: u32) -> Option<PageAddress> {
        let at = self.rings[usize::from(copy)].next + page;
        Some(
            self.ring_block(copy, at / self.shape.rows)?
                .page((at % self.shape.rows) as u16),
        )
    }

    /// Encodes the `page`-th page of the checkpoint into the buffer of `die`.
    pub(super) fn fill_anchor(&mut self, die: Die, copy: u8, page: u32) {
        let bytes = self.shape.layout.page_bytes();
        let mut head_bytes = [0u8; HEAD_BYTES as usize];
        self.head().encode(&mut head_bytes);
        self.mark_unrecorded(State::Closed);
        let start = match page {
            OPENING => 0,
            page => page.saturating_mul(bytes),
        };
        let main = &mut self.nand.buffer_mut(die, Buffer::First)[..bytes as usize];
        main.fill(0);
        let directory = self.directory.len() as u32 * 4;
        let table = self.segments.bytes();
        let levels = self.levels.bytes();
        let directory_start = HEAD_BYTES + levels.len() as u32;
        let table_start = directory_start + directory;
        let bad_start = table_start + table.len() as u32;
        // A confirming page has nothing to say but that it is there.
        let filled = if page == CONFIRMING { 0 } else { main.len() };
        for (index, byte) in main[..filled].iter_mut().enumerate() {
            let at = start + index as u32;
            *byte = if at < HEAD_BYTES {
                head_bytes[at as usize]
            } else if at < directory_start {
                levels[(at - HEAD_BYTES) as usize]
            } else if at < table_start {
                let at = (at - directory_start) as usize;
                self.directory[at / 4].location.0.to_le_bytes()[at % 4]
            } else if at < bad_start {
                table[(at - table_start) as usize]
            } else {
                self.bad_blocks
                    .get((at - bad_start) as usize)
                    .copied()
                    .unwrap_or(0)
            };
        }
        self.mark_unrecorded(State::Free);
        if let Some(address) = self.anchor_page(copy, page_at(page)) {
            self.encode_anchor(address, page, self.checkpoint.sequence.wrapping_add(1));
        }
    }

    /// Encodes the page that says that the part is being formatted.
    pub(super) fn fill_formatting(&mut self, page: PageAddress) {
        let bytes = self.shape.layout.page_bytes() as usize;
        let mut head_bytes = [0u8; HEAD_BYTES as usize];
        self.head().encode(&mut head_bytes);
        let main = &mut self.nand.buffer_mut(page.die(), Buffer::First)[..bytes];
        main.fill(0);
        for (byte, head) in main.iter_mut().zip(head_bytes) {
            *byte = head;
        }
        self.encode_anchor_as(page, OPENING, 0, FLAG_FORMATTING);
    }

    /// Encodes the anchor page whose payload is in the buffer of its die.
    fn encode_anchor(&mut self, page: PageAddress, id: u32, sequence: u32) {
        let flags = if self.recovering && id == OPENING {
            FLAG_ATTEMPT
        } else {
            0
        };
        self.encode_anchor_as(page, id, sequence, flags);
    }

    fn encode_anchor_as(&mut self, page: PageAddress, id: u32, sequence: u32, flags: u8) {
        let place = anchor_place(self.nand.geometry(), page, self.shape.units);
        let header = Header {
            kind: Kind::Anchor,
            level: 0,
            flags,
            span: 0,
            time: self.take_time(),
            id,
            birth: sequence,
            stream: JOURNAL,
            erases: 0,
        };
        self.encode_meta(page.die(), place, &header);
    }

    /// What was freed since the last record page is not free for whoever mounts: the trims that emptied it may be lost.
    fn mark_unrecorded(&mut self, state: State) {
        for index in 0..self.pending.freed.len() {
            self.segments.set_state(self.pending.freed[index], state);
        }
        for index in 0..self.pending.freeing.len() {
            self.segments.set_state(self.pending.freeing[index], state);
        }
    }

    fn head(&self) -> Head {
        let geometry = self.nand.geometry();
        Head {
            parameters: self.parameters,
            dies: geometry.dies,
            blocks_per_die: geometry.blocks_per_die,
            pages_per_block: geometry.pages_per_block,
            page_bytes: geometry.page_bytes,
            spare_bytes: geometry.spare_bytes,
            clean: self.checkpoint.clean,
            sequence: self.checkpoint.sequence.wrapping_add(1),
            from: self.checkpoint.next_from,
            time: self.time,
            void_from: self.void_from,
            host_writes: self.host_writes,
            wear_base: self.wear_base,
            mapped: self.mapped,
            used: self.used,
            rings: [self.rings[0].blocks.clone(), self.rings[1].blocks.clone()],
        }
    }

    pub(super) fn anchor_settled(&mut self, completion: Completion) {
        self.job = Job::None;
        self.credit.steps = self.credit.steps.saturating_sub(1);
        let good = matches!(completion, Completion::Programmed | Completion::Erased);
        match self.checkpoint.phase {
            Phase::Idle | Phase::Prepare | Phase::Dump => {}
            Phase::Erase { copy, .. } | Phase::Opening { copy, .. } | Phase::Write { copy, .. }
                if !good =>
            {
                // The next place is tried; the last complete checkpoint is elsewhere.
                let index = match self.checkpoint.phase {
                    Phase::Erase { block, .. } => block,
                    Phase::Opening { id: page, .. } | Phase::Write { page, .. } => {
                        let ring = &self.rings[usize::from(copy)];
                        (ring.next + page_at(page)) / self.shape.rows
                    }
                    Phase::Idle | Phase::Prepare | Phase::Dump => 0,
                };
                if let Some(block) = self.ring_block(copy, index) {
                    self.ring_block_failed(block);
                }
                let ring = &self.rings[usize::from(copy)].blocks;
                if ring.iter().all(|&block| self.is_bad(block as usize)) {
                    // The die of this copy is gone. What is on the media stays readable.
                    self.fail(Error::NoSpace);
                    return;
                }
                self.next_ring_slot(copy);
                self.checkpoint.phase = Phase::Erase { copy, block: 0 };
            }
            Phase::Erase { copy, block } => {
                self.checkpoint.phase = if block + 1 < self.quota.blocks_per_slot {
                    Phase::Erase {
                        copy,
                        block: block + 1,
                    }
                } else {
                    Phase::Opening { copy, id: OPENING }
                };
            }
            Phase::Opening { copy, id: OPENING } => {
                self.checkpoint.phase = Phase::Opening {
                    copy,
                    id: CONFIRMING,
                };
            }
            Phase::Opening { copy, .. } => {
                self.rings[usize::from(copy)].next = ANCHOR_PREFIX;
                self.checkpoint.phase = Phase::Write { copy, page: 0 };
            }
            Phase::Write { copy, page } => {
                if page + 1 < self.quota.checkpoint_pages {
                    self.checkpoint.phase = Phase::Write {
                        copy,
                        page: page + 1,
                    };
                    return;
                }
                let ring = &mut self.rings[usize::from(copy)];
                ring.next += self.quota.checkpoint_pages;
                ring.committed = ring.slot;
                if copy == 0 {
                    self.begin_copy(1);
                } else {
                    self.checkpoint_complete();
                }
            }
        }
    }

    fn checkpoint_complete(&mut self) {
        self.checkpoint.phase = Phase::Idle;
        self.checkpoint.sequence = self.checkpoint.sequence.wrapping_add(1);
        self.credit.steps = 0;
        self.void_from = u64::MAX;
        self.rings[0].trace = u32::MAX;
        self.checkpoint.from = self.checkpoint.next_from;
        self.stats.checkpoints += 1;
        self.release_journal();
    }

    /// Writes the mounted checkpoint into a fresh place of the second copy, straight through and page by page as it stands: its only
    /// copy ended with a page that the cut may have touched. False when one of its pages cannot be read any more.
    pub(super) fn complete_copies(&mut self, sequence: u32) -> Result<bool, Error> {
        let anchors = anchor_scan::find(&mut self.nand).map_err(reload_failed)?;
        for _ in 0..RING_BLOCKS_MAX {
            self.next_ring_slot(1);
            let mut good = self.erase_place(1)?;
            for id in [OPENING, CONFIRMING]
                .into_iter()
                .chain(0..self.quota.checkpoint_pages)
            {
                let Some(to) = self.anchor_page(1, page_at(id)).filter(|_| good) else {
                    break;
                };
                if id == OPENING || id == CONFIRMING {
                    self.fill_anchor(to.die(), 1, id);
                    self.encode_anchor_as(to, id, sequence, FLAG_COPIED);
                } else if !self.copy_anchor(&anchors, sequence, id, to)? {
                    return Ok(false);
                }
                good = self.program_anchor(to)?;
                if id == CONFIRMING {
                    self.rings[1].next = ANCHOR_PREFIX;
                }
            }
            if good {
                let ring = &mut self.rings[1];
                ring.committed = ring.slot;
                ring.next = u32::MAX / 2;
                return Ok(true);
            }
        }
        Err(self.fail(Error::NoSpace))
    }

    /// Reads a page of a checkpoint and encodes it for another place, in the buffer of that place's die; false when it cannot be read.
    fn copy_anchor(
        &mut self,
        anchors: &Anchors,
        sequence: u32,
        id: u32,
        to: PageAddress,
    ) -> Result<bool, Error> {
        let from = self
            .find_anchor(anchors, sequence, id)
            .map_err(reload_failed)?;
        let Some(from) = from else {
            return Ok(false);
        };
        if from.die() != to.die() {
            self.copy_page_between(from.die(), to.die());
        }
        self.encode_anchor_as(to, id, sequence, FLAG_COPIED);
        Ok(true)
    }

    /// Makes a whole checkpoint straight through.
    pub(super) fn make_checkpoint(&mut self, clean: bool) -> Result<(), Error> {
        self.settle_until(|volume| !volume.checkpoint.active() && volume.journal_ready())?;
        self.start_checkpoint(clean);
        self.settle_until(|volume| !volume.checkpoint.active())
    }

    /// True when the next journal page may be a record page.
    fn journal_ready(&self) -> bool {
        self.append_page(JOURNAL)
            .is_some_and(|(segment, offset)| !self.is_parity(segment, offset))
    }

    /// Runs jobs until `done`, hosts waiting.
    pub(super) fn settle_until(&mut self, done: impl Fn(&Self) -> bool) -> Result<(), Error> {
        let limit = 64 * (self.shape.segments * self.shape.pages_per_segment()).max(1024);
        for _ in 0..limit {
            if done(self) && self.job == Job::None {
                return Ok(());
            }
            self.credit.steps = 1;
            self.redrive()?;
            self.run_job()?;
            if self.dies.iter().all(|die| die.flight == Flight::None) {
                self.push_stages()?;
            }
            self.rebuild_for_work()?;
            for die in 0..self.dies.len() {
                let (_, outcome) = self.settle(Die(die as u16));
                if let Some(super::event::Outcome::Failed(_, error)) = outcome {
                    return Err(error);
                }
            }
            if let Session::Failed(error) = self.session {
                return Err(error);
            }
            if self.dies.iter().any(|die| die.flight != Flight::None) {
                self.nand.wait();
            }
        }
        Err(self.fail(Error::NoSpace))
    }
}
