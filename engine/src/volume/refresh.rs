//! Refresh: what fades is written anew while it can still be read.
//!
//! A page fades when a codeword of it has three quarters of the wrong bits that its code repairs, or when the part advises so. Whoever reads a page tells; the
//! patrol sees to it that pages are read. Sector data moves with its whole segment, which ails then; map pages are merged; record pages and anchors are done with
//! when there is a new checkpoint. A block is not to blame: it is erased and used like any other.
//!
//! No segment is emptied twice in one round for what fades: see [`Care`].

use cuesta_hal::{Completion, Geometry, Nand, ReadStatus};

use super::address::{Location, MapIndex, Segment};
use super::job::{Job, Step};
use super::segment_table::State;
use super::stream::JOURNAL;
use super::{Session, Volume};
use crate::codec::Repaired;

/// Looks at every page of a block while it is read as often as its maker reckons with.
const LOOKS_AT_A_PAGE: u32 = 8;
/// Reads to a look, whatever the part stands.
const READS_PER_LOOK: core::ops::RangeInclusive<u16> = 64..=4096;
/// Writes to a look.
const WRITES_PER_LOOK: u16 = 128;
/// Host requests to a step of work on journal or anchors.
const REQUESTS_PER_STEP: u8 = 32;

/// How a volume looks after what it holds, while it is mounted. Nothing of it is stored.
///
/// # Bounds
///
/// A *round* ends when all pages were looked at, when blocks were looked at twice as often as a block has pages because they were read, and with a mount. What a round has
/// written is not refreshed before the next one. So a round refreshes no data twice, and erases no block twice for it, however many bits are stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Care {
    /// What fades is written anew.
    pub refresh: bool,
    /// Of so many array reads for hosts, one is followed by a look at another page of its block; 0 for none. Every fourth look comes with one at
    /// the next of all pages.
    pub reads_per_look: u16,
    /// Of so many writes of hosts, one is followed by a look at the next of all pages; 0 for none.
    pub writes_per_look: u16,
}

impl Care {
    /// None at all, but for what cannot be read at once.
    pub const NONE: Self = Self {
        refresh: false,
        reads_per_look: 0,
        writes_per_look: 0,
    };

    /// What a volume does unless told otherwise: as many looks at each page of a block as make it likely that one of them fades before any is
    /// beyond repair, at less than one read in a hundred; and all pages in turn.
    #[must_use]
    pub fn of(geometry: &Geometry) -> Self {
        let looks = LOOKS_AT_A_PAGE * u32::from(geometry.pages_per_block.max(1));
        let reads = match geometry.reads_per_block_max {
            0 => 0,
            most => u16::try_from(most / looks)
                .unwrap_or(u16::MAX)
                .clamp(*READS_PER_LOOK.start(), *READS_PER_LOOK.end()),
        };
        Self {
            refresh: true,
            reads_per_look: reads,
            writes_per_look: WRITES_PER_LOOK,
        }
    }
}

/// What is to be written anew, beside segments that ail.
#[derive(Debug)]
pub(super) struct Refresh {
    pub(super) care: Care,
    /// A place in a journal segment; unmapped for none.
    journal: Location,
    /// Sector data that was found before the first change, in a segment that was open; unmapped for none.
    data: Location,
    /// The last complete checkpoint, until there is another one elsewhere.
    anchors: bool,
    /// One was begun for that in this round.
    anchors_young: bool,
    /// A session has to begin for it.
    session: bool,
    /// The part says that what has just been read fades.
    part_fading: bool,
    /// And that it is weak.
    part_weak: bool,
    /// Host requests since the last step.
    requests: u8,
}

impl Refresh {
    pub(super) fn new(geometry: &Geometry) -> Self {
        Self {
            care: Care::of(geometry),
            journal: Location::UNMAPPED,
            data: Location::UNMAPPED,
            anchors: false,
            anchors_young: false,
            session: false,
            part_fading: false,
            part_weak: false,
            requests: 0,
        }
    }

    /// What the part itself says of a page that has just been read.
    pub(super) fn part_says(&mut self, completion: &Completion) {
        if let Completion::Read(ReadStatus::Ok(outcome)) = completion {
            let (bits, strength) = (outcome.corrected_bits_max, outcome.strength);
            let said = Repaired::of(bits.into(), strength.into());
            self.part_fading = said.fading || outcome.refresh_advised;
            self.part_weak = said.weak;
        }
    }

    /// What the part has said is not about what is read next.
    pub(super) const fn part_said_nothing(&mut self) {
        self.part_fading = false;
        self.part_weak = false;
    }

    /// A host has asked for something.
    pub(super) const fn requested(&mut self) {
        self.requests = self.requests.saturating_add(1);
    }

    fn wanted(&self) -> bool {
        self.anchors || self.journal.is_mapped() || self.data.is_mapped()
    }
}

impl<N: Nand> Volume<'_, N> {
    /// How the volume looks after what it holds.
    #[must_use]
    pub const fn care(&self) -> Care {
        self.refresh.care
    }

    /// From now on the volume looks after what it holds like this, until the next mount.
    pub fn set_care(&mut self, care: Care) {
        self.refresh.care = care;
        self.patrol.forget_counts();
    }

    /// A new round: what was written until now may be refreshed.
    pub(super) fn begin_round(&mut self) {
        self.segments.all_old();
        self.refresh.anchors_young = false;
    }

    /// A unit was read, of sector data or of the journal.
    pub(super) fn was_read(&mut self, location: Location, repaired: Repaired) {
        self.stats.repaired(repaired);
        if repaired.fading || self.refresh.part_fading {
            self.fades(location);
        } else if repaired.weak || self.refresh.part_weak {
            self.patrol_block_of(location);
        }
    }

    /// A page of the last complete checkpoint was read.
    pub(super) fn anchor_was_read(&mut self, repaired: Repaired) {
        self.stats.repaired(repaired);
        let fades = repaired.fading || self.refresh.part_fading;
        if fades && self.refresh.care.refresh && !self.refresh.anchors_young {
            self.refresh.anchors = true;
            self.refresh.session = true;
        }
    }

    /// What is in a segment is to be written anew, soon and without haste.
    pub(super) fn fades(&mut self, location: Location) {
        let segment = self.shape.segment(location);
        if !self.refresh.care.refresh || self.segments.is_young(segment) {
            return;
        }
        let before = matches!(self.session, Session::Mounted { .. });
        match self.segments.state(segment) {
            State::Journal if !self.refresh.journal.is_mapped() => {
                self.refresh.journal = location;
                self.stats.refreshed += 1;
            }
            State::Open if before => self.refresh.data = location,
            State::Closed if before => {
                self.segments.set_state(segment, State::Ailing);
                self.ailing = true;
                self.stats.refreshed += 1;
            }
            State::Open | State::Closed if matches!(self.session, Session::Active) => {
                self.ails(location);
                self.stats.refreshed += 1;
            }
            _ => return,
        }
        self.refresh.session = true;
    }

    /// Before the first change: begins the session that a refresh needs. True while reads have to wait for it.
    pub(super) fn session_for_refresh(&mut self) -> bool {
        if !self.refresh.session {
            return false;
        }
        if self.is_in_flight() {
            return true;
        }
        self.refresh.session = false;
        if self.begin_session().is_ok() {
            // It has made a checkpoint, in other places.
            self.stats.refreshed += u32::from(core::mem::take(&mut self.refresh.anchors));
        }
        // Without it, things stay as they are: the session says why.
        false
    }

    /// True when work on journal or anchors may go on: there is time, or hosts have asked for enough since the last step.
    pub(super) fn refresh_due(&self) -> bool {
        let paid = self.credit.idle_free > 0 || self.refresh.requests >= REQUESTS_PER_STEP;
        paid && self.refresh_goes_on()
    }

    /// True when there is such work, and what it needs.
    pub(super) fn refresh_goes_on(&self) -> bool {
        match self.session {
            Session::Active => {
                self.refresh.wanted()
                    && !self.recovering
                    && !self.redriving()
                    && (self.checkpoint.active()
                        || (self.pending.named.len() > 2 && self.named_for(JOURNAL).is_some()))
            }
            Session::Mounted { .. } => self.refresh.session,
            Session::ReadOnly | Session::Failed(_) => false,
        }
    }

    /// Does the next piece of it.
    pub(super) fn refresh_step(&mut self) -> Step {
        self.refresh.requests = 0;
        let data = core::mem::replace(&mut self.refresh.data, Location::UNMAPPED);
        if data.is_mapped() {
            self.fades(data);
        }
        if self.checkpoint.active() {
            self.credit.steps = self.credit.steps.max(1);
            return self.step_if_due();
        }
        if self.refresh.anchors && self.refresh.anchors_young {
            // The checkpoint that was begun for it is complete.
            self.refresh.anchors = false;
            return Step::Again;
        }
        if self.refresh.anchors {
            self.refresh.anchors_young = true;
            self.stats.refreshed += 1;
            for ring in &mut self.rings {
                ring.leave_place();
            }
            self.start_checkpoint(true);
            return self.step_if_due();
        }
        match self.refresh.journal {
            Location::UNMAPPED => Step::Wait,
            location => self.refresh_journal(self.shape.segment(location)),
        }
    }

    /// Goes on at once if a job is due now.
    fn step_if_due(&mut self) -> Step {
        match self.due_job() {
            Some(job) => {
                self.groom.let_go();
                self.job = job;
                Step::Again
            }
            None => Step::Wait,
        }
    }

    /// Writes anew what counts in a journal segment: a checkpoint does away with its record pages, merges with its map pages.
    fn refresh_journal(&mut self, segment: Segment) -> Step {
        if self.segments.state(segment) != State::Journal || self.segments.is_young(segment) {
            self.refresh.journal = Location::UNMAPPED;
            return Step::Wait;
        }
        let open = |append: Option<super::AppendPoint>| append.map(|append| append.segment);
        if open(self.appends[usize::from(JOURNAL)]) == Some(segment) {
            // It goes on in another one, as it does where a page fails.
            self.close(JOURNAL);
            return Step::Again;
        }
        if self.checkpoint.replays(self.segments.stamp(segment)) {
            self.start_checkpoint(true);
            return self.step_if_due();
        }
        let live = self.directory.iter().position(|entry| {
            entry.location.is_mapped() && self.shape.segment(entry.location) == segment
        });
        match live {
            Some(map) => {
                self.groom.let_go();
                self.job = Job::Merge(MapIndex(map as u32));
                Step::Again
            }
            None => {
                self.refresh.journal = Location::UNMAPPED;
                self.segments.set_valid(segment, 0);
                self.release(segment);
                Step::Wait
            }
        }
    }
}
