//! Patrol: pages are read only to see how they are.
//!
//! Nobody may ask for a page for years, hosts read the first copy of a page only and no parity, and reading a page harms the others of its block. So there are
//! two kinds of looks: a walk through all pages, in idle time and, slowly, under load; and looks at the pages of a block one after the other, of which there are more the
//! more it is read. Where one shows that a page is weak, all of its block are looked at: one of them may be worse. None of it needs memory for each segment.

use cuesta_hal::{BlockAddress, Buffer, Die, Nand, PageAddress};

use super::address::{Location, Segment};
use super::anchor::anchor_place;
use super::job::{Job, Step};
use super::segment_table::State;
use super::{Session, Volume};
use crate::codec::crc::Seed;
use crate::codec::{Header, HeaderState, Kind, PageError, Repaired};

/// Where the walk begins.
const START: Location = Location(0);
/// Segments without anything to look at that are passed at a time.
const PASSED_MAX: u32 = 8;
/// Of so many looks at blocks that are read, one comes with a step of the walk.
const LOOKS_PER_STEP: u16 = 4;
/// A session begins with a look after so many reads at most: it may be a short one.
const FIRST_READS: u32 = 64;
/// Reads that pay for a page of a segment that ails: hosts that only read get it done.
const READ_PAYS_US: i32 = 30;

/// Reads to a page of a block that is looked through.
const READS_PER_ROW: u8 = 16;

/// Polls of one read: a part that needs more has lost its deadline.
const POLLS_MAX: u32 = 1 << 28;

/// Progress of the patrol.
#[derive(Debug)]
pub(super) struct Patrol {
    /// The next page of the walk.
    next: Location,
    /// A page of a block that is being read; unmapped for none.
    beside: Location,
    /// The next page of a block that is looked through from end to end; unmapped for none.
    through: Location,
    /// Host writes when the last pass began.
    begun: Option<u32>,
    /// Array reads until the next look; 0 where they are not counted yet.
    reads_left: u32,
    random: u32,
    /// Writes until the next step of the walk.
    writes_left: u16,
    /// Looks at blocks that are read.
    looks: u16,
    /// Looks after which a block may be looked through again.
    through_from: u16,
    /// Reads since the last page of the block that is looked through.
    reads: u8,
    /// Pages of the walk that requests have paid for.
    owed: u8,
    /// The walk goes on in idle time until all pages were looked at.
    pass: bool,
}

impl Default for Patrol {
    fn default() -> Self {
        Self {
            next: START,
            beside: Location::UNMAPPED,
            through: Location::UNMAPPED,
            begun: None,
            reads_left: 0,
            random: 0,
            writes_left: 0,
            looks: 0,
            through_from: 0,
            reads: 0,
            owed: 0,
            pass: false,
        }
    }
}

impl Patrol {
    /// True during a pass.
    pub(super) const fn under_way(&self) -> bool {
        self.pass
    }

    /// Counts begin anew.
    pub(super) fn forget_counts(&mut self) {
        self.reads_left = 0;
        self.writes_left = 0;
    }

    /// A number from 1 to `most`: xorshift, no claim beyond that.
    fn draw(&mut self, most: u32) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        1 + self.random % most.max(1)
    }

    /// A page is read; true when it is time to look at another one of its block. The gaps are drawn, so that no order of reads escapes.
    fn read_counts(&mut self, reads_per_look: u16, seed: u32) -> bool {
        let reads_per_look = u32::from(reads_per_look);
        if reads_per_look == 0 {
            return false;
        }
        if self.reads_left == 0 {
            self.random = seed | 1;
            self.reads_left = self.draw(reads_per_look.min(FIRST_READS));
        }
        self.reads_left -= 1;
        let now = self.reads_left == 0;
        if now {
            // One look in `reads_per_look` reads on average.
            self.reads_left = self.draw(2 * reads_per_look - 1);
        }
        now
    }
}

impl<N: Nand> Volume<'_, N> {
    /// Tells that much time has passed: pages fade with it. The next idle time looks at all of them.
    pub fn time_passed(&mut self) {
        self.patrol.begun = None;
    }

    /// There is time: a pass begins, the first one after a mount and then one for each time that as many sectors were written as there are.
    pub(super) fn patrol_begin(&mut self) {
        let due = match self.patrol.begun {
            None => true,
            Some(begun) => self.host_writes.wrapping_sub(begun) >= self.mapped.max(1),
        };
        if due && !self.patrol.pass {
            self.patrol.next = START;
            self.patrol.pass = true;
            self.patrol.begun = Some(self.host_writes);
            self.begin_round();
        }
    }

    /// The array reads `page` for a host.
    pub(super) fn patrol_for_read(&mut self, page: PageAddress) {
        self.refresh.requested();
        if self.ailing && matches!(self.session, Session::Active) && self.credit.debt_us <= 0 {
            self.credit.debt_us += READ_PAYS_US;
        }
        self.patrol_through();
        let reads_per_look = self.refresh.care.reads_per_look;
        if !self.patrol.read_counts(reads_per_look, self.random) {
            return;
        }
        let rows = self.shape.rows;
        self.patrol.looks = self.patrol.looks.wrapping_add(1);
        let looks = u32::from(self.patrol.looks);
        if looks.is_multiple_of(2 * rows) {
            self.begin_round();
        }
        let step = self.patrol.looks.is_multiple_of(LOOKS_PER_STEP);
        self.patrol.owed = self.patrol.owed.saturating_add(u8::from(step));
        if let Some((segment, column)) = self.column_of(page.block) {
            // Row after row: a block that is read again and again is looked at from end to end.
            let row = looks % rows;
            let offset = row * self.shape.width() + column;
            self.patrol.beside = self.shape.location(segment, offset, 0);
        }
    }

    /// A page is weak: others of its block may be worse. Of twice as many looks as a block has pages, four lead to that at most.
    pub(super) fn patrol_block_of(&mut self, location: Location) {
        let ahead = self.patrol.through_from.wrapping_sub(self.patrol.looks);
        if self.refresh.care.reads_per_look == 0
            || self.patrol.through.is_mapped()
            || (1..=self.shape.rows).contains(&u32::from(ahead))
        {
            return;
        }
        let (segment, offset, _) = self.shape.split(location);
        self.patrol.through = self.shape.location(segment, offset % self.shape.width(), 0);
        let gap = u16::try_from(self.shape.rows / 2)
            .unwrap_or(u16::MAX)
            .max(1);
        self.patrol.through_from = self.patrol.looks.wrapping_add(gap);
    }

    /// Goes on with such a block.
    fn patrol_through(&mut self) {
        if !self.patrol.through.is_mapped() {
            return;
        }
        self.patrol.reads += 1;
        if self.patrol.reads < READS_PER_ROW || self.patrol.beside.is_mapped() {
            self.patrol.reads = self.patrol.reads.min(READS_PER_ROW);
            return;
        }
        self.patrol.reads = 0;
        self.patrol.beside = self.patrol.through;
        let (segment, offset, _) = self.shape.split(self.patrol.through);
        let next = offset + self.shape.width();
        self.patrol.through = match next < self.shape.pages_per_segment() {
            true => self.shape.location(segment, next, 0),
            false => Location::UNMAPPED,
        };
    }

    /// A host's write was accepted.
    pub(super) fn patrol_for_write(&mut self) {
        self.refresh.requested();
        let writes_per_look = self.refresh.care.writes_per_look;
        if writes_per_look == 0 {
            return;
        }
        if self.patrol.writes_left == 0 {
            self.patrol.writes_left = writes_per_look;
        }
        self.patrol.writes_left -= 1;
        let step = self.patrol.writes_left == 0;
        self.patrol.owed = self.patrol.owed.saturating_add(u8::from(step));
    }

    /// A change waits for what is in flight: nothing more is looked at before it.
    pub(super) fn patrol_waits(&mut self) {
        self.credit.idle_free = 0;
        self.patrol.owed = 0;
        self.patrol.beside = Location::UNMAPPED;
    }

    /// True when writes that follow each other closely have left no time for a look that they have paid for: they wait for it.
    pub(super) const fn patrol_overdue(&self) -> bool {
        self.patrol.owed > 1
    }

    /// Waits for a look that is in flight.
    pub(super) fn finish_look(&mut self) {
        for _ in 0..POLLS_MAX {
            let Job::Patrol { segment, offset } = self.job else {
                return;
            };
            let die = self.shape.page(segment, offset).die();
            let (settled, _) = self.settle(die);
            if settled || self.check_alive().is_err() {
                return;
            }
            self.nand.wait();
        }
    }

    fn column_of(&self, block: BlockAddress) -> Option<(Segment, u32)> {
        let segment = self.shape.segment_of(block);
        let column = (0..self.shape.width()).find(|&at| self.shape.block(segment, at) == block)?;
        (segment.0 < self.shape.segments).then_some((segment, column))
    }

    /// True when a page is to be looked at.
    pub(super) fn patrol_due(&self) -> bool {
        let wanted = self.patrol.beside.is_mapped()
            || self.patrol.owed > 0
            || (self.patrol.pass && self.credit.idle_free > 0);
        wanted && !self.recovering
    }

    /// Looks at pages before the first change, when there is no other work.
    pub(super) fn patrol_before_changes(&mut self) {
        for _ in 0..PASSED_MAX {
            let goes_on = !self.job.is_some() && self.patrol_due();
            if !goes_on || self.patrol_step() == Step::Wait {
                return;
            }
        }
    }

    /// Reads the next page.
    pub(super) fn patrol_step(&mut self) -> Step {
        if self.patrol.beside.is_mapped() {
            let (segment, offset, _) = self.shape.split(self.patrol.beside);
            let page = self.shape.page(segment, offset);
            if !self.is_watched(segment, page.block) {
                self.patrol.beside = Location::UNMAPPED;
                return Step::Again;
            }
            if self.die_free(page.die()) {
                self.patrol.beside = Location::UNMAPPED;
                self.look_at(segment, offset);
            }
            return Step::Wait;
        }
        let (segment, offset, _) = self.shape.split(self.patrol.next);
        if segment.0 >= self.shape.segments {
            self.patrol.next = START;
            if !core::mem::take(&mut self.patrol.pass) {
                self.begin_round();
            }
            return Step::Wait;
        }
        let next = self.usable_from(segment, offset);
        let Some(offset) = next.filter(|_| self.is_watched_in_part(segment)) else {
            self.patrol.next = self.shape.location(Segment(segment.0 + 1), 0, 0);
            return Step::Again;
        };
        let page = self.shape.page(segment, offset);
        let behind = self.shape.location(segment, offset + 1, 0);
        if !self.is_watched(segment, page.block) {
            self.patrol.next = behind;
            return Step::Again;
        }
        if self.die_free(page.die()) {
            self.patrol.next = behind;
            self.patrol.owed = self.patrol.owed.saturating_sub(1);
            self.look_at(segment, offset);
        }
        Step::Wait
    }

    fn look_at(&mut self, segment: Segment, offset: u32) {
        let page = self.shape.page(segment, offset);
        let columns = self.shape.layout.page_columns();
        if self.start_job_read(page, columns).is_ok() {
            self.stats.patrol_reads += 1;
            self.job = Job::Patrol { segment, offset };
        }
    }

    /// True when there is something in a segment that is worth a look.
    fn is_watched_in_part(&self, segment: Segment) -> bool {
        let state = self.segments.state(segment);
        matches!(
            state,
            State::Open | State::Closed | State::Journal | State::Reserved
        )
    }

    /// True when what is in a block of a segment is worth a look.
    fn is_watched(&self, segment: Segment, block: BlockAddress) -> bool {
        match self.segments.state(segment) {
            State::Reserved => self.holds_checkpoint(block),
            _ => self.is_watched_in_part(segment),
        }
    }

    /// True when a block belongs to a place that holds the last complete checkpoint.
    fn holds_checkpoint(&self, block: BlockAddress) -> bool {
        (0u8..).zip(&self.rings).any(|(index, ring)| {
            let first = u32::from(ring.committed) * self.quota.blocks_per_slot;
            (first..first + self.quota.blocks_per_slot)
                .any(|at| self.ring_block(index, at) == Some(block))
        })
    }

    /// The page is in the buffer of `die`.
    pub(super) fn patrol_read(&mut self, die: Die, segment: Segment, offset: u32) {
        match self.segments.state(segment) {
            State::Reserved => self.look_at_anchor(die, self.shape.page(segment, offset)),
            State::Journal => {
                if let Ok((first, header)) = self.owner(segment, offset) {
                    let place = self.shape.location(segment, first, 0);
                    // Notes by itself how it was read. One that cannot be read is no news to whoever needs it.
                    self.decode_journal_page(die, place, header.kind, header.id);
                }
            }
            State::Open | State::Closed => self.look_at_data(die, segment, offset),
            _ => {}
        }
    }

    fn look_at_anchor(&mut self, die: Die, page: PageAddress) {
        let place = anchor_place(self.nand.geometry(), page, self.shape.units());
        let layout = self.shape.layout;
        for unit in 0..self.shape.units() {
            let seed = Seed {
                volume: 0,
                place: place + unit,
            };
            let buffer = self.nand.buffer_mut(die, Buffer::First);
            match layout.decode_unit(buffer, unit, seed) {
                Ok((header, repaired)) if header.kind == Kind::Anchor => {
                    self.anchor_was_read(repaired);
                }
                _ => return,
            }
        }
    }

    fn look_at_data(&mut self, die: Die, segment: Segment, offset: u32) {
        let spare = self.copies_in(segment) > 1 || self.parity_in(segment) > 0;
        let good = match self.owner(segment, offset) {
            Ok((first, header)) if matches!(header.kind, Kind::Data | Kind::Parity) => {
                self.look_at_units(die, segment, first, &header)
            }
            Ok(_) | Err(HeaderState::Erased | HeaderState::Valid(_)) => true,
            // Torn by a cut, or lost: without a copy it makes no difference any more.
            Err(HeaderState::Bad) => !spare,
        };
        if !good {
            self.fades(self.shape.location(segment, offset, 0));
        }
    }

    /// Notes how the units of a page of sector data are read; false when one cannot be.
    fn look_at_units(&mut self, die: Die, segment: Segment, first: u32, header: &Header) -> bool {
        let mut worst = Repaired::default();
        for unit in 0..self.layout_of(header.level).sectors() {
            let location = self.shape.location(segment, first, unit);
            match self.decode_data(die, location) {
                Ok((_, repaired)) => worst = worst.and(repaired),
                Err(PageError::Erased) => {}
                Err(PageError::Uncorrectable) => return false,
            }
        }
        self.was_read(self.shape.location(segment, first, 0), worst);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Patrol;

    #[test]
    fn one_look_comes_in_so_many_reads_and_the_first_one_soon() {
        for reads_per_look in [64, 130, 1953, 4096] {
            for seed in 0..20 {
                let mut patrol = Patrol::default();
                let mut looks = (0..).filter(|_| patrol.read_counts(reads_per_look, seed));
                let first: u32 = looks.next().expect("it goes on for ever");
                assert!(first < 64, "{first} reads");
                let last = looks.nth(2000 - 1).expect("it goes on for ever");
                let each = f64::from(last - first) / 2000.0 / f64::from(reads_per_look);
                assert!((0.95..1.05).contains(&each), "{each} of {reads_per_look}");
            }
        }
        assert!(!(0..100_000).any(|_| Patrol::default().read_counts(0, 1)));
    }
}
