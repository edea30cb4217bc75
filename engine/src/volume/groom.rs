//! The groomer: relocates what is valid in a victim, page by page, and frees it.
//!
//! One page is looked at (headers), its sectors are looked up, and what the index still names is fetched and appended elsewhere. All of
//! this can stop between any two steps, and whatever else is due goes first.

use cuesta_hal::{Buffer, Die, Nand};

use super::address::{Location, MapIndex, Sector, Segment};
use super::credit::{HEADER_US, PROGRAM_US, READ_US};
use super::flight::{Origin, Unit};
use super::index::Lookup;
use super::job::{Job, Step};
use super::parameters::UNITS_MAX;
use super::segment_table::State;
use super::stream::LEVELING;
use super::write::Source;
use super::Volume;
use crate::codec::{HeaderState, Kind};

/// Passes over a victim before what is left in it is given up: a page may read as erased, or as another one, once.
const PASSES_MAX: u8 = 3;

/// A sector found in the victim.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    unit: u32,
    sector: Sector,
    birth: u32,
    /// Where the index has it, once that is known.
    at: Option<Location>,
}

/// Where the groomer is with the current page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// To be looked at.
    #[default]
    Look,
    /// Its headers are being read, or its sectors looked up.
    Resolve,
    /// Its payload is to be fetched.
    Fetch,
    /// It cannot be read, and is to be made again: for its headers, or for the payloads of its candidates.
    Rebuild,
    /// Its sectors are to be appended elsewhere.
    Append,
    /// Its headers cannot be read, or nothing tells of it: the index is searched for whatever names it.
    Search(MapIndex),
    /// All pages are done.
    Finish,
}

/// Progress of the groomer.
#[derive(Debug, Default)]
pub(super) struct Groom {
    victim: Option<Segment>,
    leveling: bool,
    offset: u32,
    stage: Stage,
    /// The page behind the stripe of the current one.
    behind: u32,
    candidates: heapless::Vec<Candidate, UNITS_MAX>,
    /// The die whose buffer holds the whole current page, decoded.
    holds: Option<Die>,
    tries: u8,
    /// The current page cannot be made again.
    hopeless: bool,
    passes: u8,
    /// A relocation out of the victim failed: another pass is needed.
    dropped: bool,
    /// The headers do not tell of everything that counts in the victim: the index is searched for what names any of its pages.
    unaccounted: bool,
    /// The victim must be freed at once.
    urgent: bool,
    /// No segment can be reclaimed.
    pub exhausted: bool,
}

impl Groom {
    /// The segment being reclaimed.
    pub(super) const fn victim(&self) -> Option<Segment> {
        self.victim
    }

    /// True when the buffer of the die holds a page that is still needed.
    pub(super) fn holds_buffer(&self, die: Die) -> bool {
        self.holds == Some(die)
    }

    /// True when a buffer is held for the current page.
    pub(super) const fn holding(&self) -> bool {
        self.holds.is_some()
    }

    /// Lets the buffer go: the page is fetched again later.
    pub(super) fn let_go(&mut self) {
        if self.holds.take().is_some() {
            self.stage = Stage::Fetch;
        }
    }

    /// Pages of the victim that are done with.
    pub(super) const fn looked_at(&self) -> u32 {
        self.offset
    }

    /// True when grooming must not wait for debt.
    pub(super) const fn urgent(&self) -> bool {
        self.urgent
    }

    /// The index has a sector elsewhere now.
    pub(super) fn moved(&mut self, sector: Sector, location: Location) {
        for candidate in &mut self.candidates {
            if candidate.sector == sector {
                candidate.at = Some(location);
            }
        }
        self.exhausted = false;
    }

    /// A relocation out of a segment failed.
    pub(super) fn dropped(&mut self, segment: Segment) {
        if self.victim == Some(segment) {
            self.dropped = true;
        }
    }
}

impl<N: Nand> Volume<'_, N> {
    /// Does what the groomer can do next.
    pub(super) fn groom_step(&mut self) -> Step {
        let Some(victim) = self.groom.victim else {
            return self.start_victim();
        };
        match self.groom.stage {
            Stage::Look => self.look(victim),
            Stage::Resolve => self.resolve_page(victim),
            Stage::Fetch => self.fetch(victim),
            Stage::Rebuild => {
                // What has failed needs the dies first.
                if !self.redriving() {
                    self.rebuild_for_groom(victim, self.groom.offset);
                }
                Step::Wait
            }
            Stage::Append => self.append_candidates(victim),
            Stage::Search(map) => self.search(victim, map),
            Stage::Finish => self.finish_victim(victim),
        }
    }

    fn start_victim(&mut self) -> Step {
        let Some((victim, leveling)) = self.choose_victim() else {
            self.groom.exhausted = true;
            return Step::Wait;
        };
        self.groom = Groom {
            victim: Some(victim),
            leveling,
            urgent: self.segments.state(victim) == State::Failing,
            ..Groom::default()
        };
        Step::Again
    }

    /// Nothing valid can be left in the victim.
    fn emptied(&self, victim: Segment) -> bool {
        self.segments.valid(victim) == 0
    }

    fn next_page(&mut self) -> Step {
        self.groom.candidates.clear();
        self.groom.holds = None;
        self.groom.tries = 0;
        self.groom.hopeless = false;
        self.groom.offset = self.groom.behind.max(self.groom.offset + 1);
        self.groom.stage = Stage::Look;
        Step::Again
    }

    fn look(&mut self, victim: Segment) -> Step {
        let next = self.usable_from_all(victim, self.groom.offset);
        let Some(offset) = next.filter(|_| !self.emptied(victim)) else {
            self.groom.stage = Stage::Finish;
            return Step::Again;
        };
        self.groom.offset = offset;
        let first = self.shape.location(victim, offset, 0);
        let Some(page) = self.attempt(first, self.groom.tries) else {
            self.groom.stage = match self.can_be_made(victim) {
                true => Stage::Rebuild,
                false => Stage::Search(MapIndex(0)),
            };
            return Step::Again;
        };
        if !self.die_free(page.die()) {
            return Step::Wait;
        }
        if self
            .start_job_read(page, self.shape.layout.header_columns())
            .is_err()
        {
            return Step::Wait;
        }
        self.pay(HEADER_US);
        self.job = Job::GroomLook;
        Step::Wait
    }

    /// Pages of a victim: those of a block that failed after they were written are looked at too.
    fn usable_from_all(&self, victim: Segment, offset: u32) -> Option<u32> {
        if matches!(self.segments.state(victim), State::Failing | State::Ailing) {
            (offset < self.shape.pages_per_segment()).then_some(offset)
        } else {
            self.usable_from(victim, offset)
        }
    }

    /// The headers of the current page are in the buffer of `die`.
    pub(super) fn groom_looked(&mut self, die: Die) {
        let Some(victim) = self.groom.victim else {
            return;
        };
        self.groom.candidates.clear();
        self.groom.stage = Stage::Resolve;
        if self.groom.tries == 0 {
            match self.owner(victim, self.groom.offset) {
                Ok((first, header)) => {
                    self.groom.behind = self.behind(first, &header);
                    if first < self.groom.offset {
                        // A copy of a page that could not be read, or the whole stripe was done with.
                        return;
                    }
                }
                Err(_) => self.groom.behind = 0,
            }
        }
        let mut bad = false;
        for unit in 0..self.shape.units() {
            let location = self.shape.location(victim, self.groom.offset, unit);
            let page = self.nand.buffer(die, Buffer::First);
            match self.shape.layout.read_header(page, unit, location.0) {
                HeaderState::Valid(header)
                    if header.kind == Kind::Data && header.id < self.shape.capacity =>
                {
                    self.groom.behind = self.behind(self.groom.offset, &header);
                    let _ = self.groom.candidates.push(Candidate {
                        unit,
                        sector: Sector(header.id),
                        birth: header.birth,
                        at: None,
                    });
                }
                HeaderState::Valid(_) | HeaderState::Erased => {}
                HeaderState::Bad => bad = true,
            }
        }
        if bad {
            self.groom.tries = self.groom.tries.saturating_add(1);
            self.groom.stage = Stage::Look;
        }
    }

    fn resolve_page(&mut self, victim: Segment) -> Step {
        self.resolve_candidates();
        let unresolved = self
            .groom
            .candidates
            .iter()
            .find(|candidate| candidate.at.is_none());
        if let Some(candidate) = unresolved {
            if let Lookup::Need(map) = self.lookup(candidate.sector) {
                if self.load_map(map) {
                    self.pay(READ_US);
                }
            }
            return Step::Wait;
        }
        self.drop_stale(victim);
        if self.groom.candidates.is_empty() {
            return self.next_page();
        }
        self.groom.stage = Stage::Fetch;
        Step::Again
    }

    /// Looks up what can be looked up without a read.
    pub(super) fn resolve_candidates(&mut self) {
        for index in 0..self.groom.candidates.len() {
            if self.groom.candidates[index].at.is_none() {
                if let Lookup::Known(at) = self.lookup(self.groom.candidates[index].sector) {
                    self.groom.candidates[index].at = Some(at);
                }
            }
        }
    }

    /// Forgets the candidates that the index has elsewhere.
    fn drop_stale(&mut self, victim: Segment) {
        let shape = self.shape;
        let offset = self.groom.offset;
        self.groom.candidates.retain(|candidate| {
            candidate.at == Some(shape.location(victim, offset, candidate.unit))
        });
    }

    /// The current page was made again, into the buffer of a die, or cannot be.
    pub(super) fn groom_rebuilt(&mut self, segment: Segment, offset: u32, made: Option<Die>) {
        let awaited = self.groom.victim == Some(segment)
            && self.groom.offset == offset
            && self.groom.stage == Stage::Rebuild;
        if !awaited {
            return;
        }
        match made {
            Some(die) if self.groom.candidates.is_empty() => {
                self.groom_looked(die);
                if self.groom.stage == Stage::Look {
                    // Copies have voted, for nothing.
                    self.groom.stage = Stage::Search(MapIndex(0));
                }
            }
            Some(die) => {
                // What this is not cannot be found anywhere.
                self.groom.hopeless = true;
                self.groom_fetched(die);
                self.groom.hopeless = false;
            }
            None if self.groom.candidates.is_empty() => {
                self.groom.stage = Stage::Search(MapIndex(0));
            }
            None => {
                self.groom.hopeless = true;
                self.groom.stage = Stage::Fetch;
            }
        }
    }

    fn fetch(&mut self, victim: Segment) -> Step {
        self.drop_stale(victim);
        if self.groom.candidates.is_empty() {
            return self.next_page();
        }
        if self.record_due() {
            return Step::Wait;
        }
        // A stream for each sector must be open before the page is fetched: opening may need the buffer.
        for index in 0..self.groom.candidates.len() {
            let candidate = self.groom.candidates[index];
            if self.stream_of(victim, candidate.birth).is_none() {
                if self.want_open.is_some() {
                    return Step::Again;
                }
                // Nowhere to go, and nothing that a record page would give back.
                self.groom.exhausted =
                    self.erasable() == self.free || self.free <= self.groom_reserve();
                return Step::Wait;
            }
        }
        let first = self.shape.location(victim, self.groom.offset, 0);
        let page = self.attempt(first, self.groom.tries);
        if page.is_none() && self.can_be_made(victim) && !self.groom.hopeless {
            self.groom.stage = Stage::Rebuild;
            return Step::Again;
        }
        let page = page.unwrap_or_else(|| self.shape.page(victim, self.groom.offset));
        if !self.die_free(page.die()) {
            return Step::Wait;
        }
        if self
            .start_job_read(page, self.shape.layout.page_columns())
            .is_err()
        {
            return Step::Wait;
        }
        self.pay(READ_US);
        self.job = Job::GroomFetch;
        Step::Wait
    }

    /// The stream for a sector of the victim that a host last wrote at `birth`, and the class that was wanted.
    fn stream_of(&mut self, victim: Segment, birth: u32) -> Option<(u8, u8)> {
        let level = self.segments.level(victim);
        if self.groom.leveling {
            match self.appends[usize::from(LEVELING)] {
                Some(open) if self.segments.level(open.segment) == level => {
                    return Some((LEVELING, LEVELING));
                }
                None if self.erasable() > self.host_reserve()
                    && self.level_of_stream(LEVELING) == level =>
                {
                    self.want_open = Some(LEVELING);
                    return None;
                }
                _ => {}
            }
        }
        // While recovering, one open segment has to do.
        let class = if self.recovering {
            self.parameters.classes - 1
        } else {
            self.class_for_relocation(victim, birth)
        };
        let filling = self.filling(level, class);
        let stream = self.stream_for(level, filling, self.groom_reserve())?;
        Some((stream, class))
    }

    /// The current page is in the buffer of `die`.
    pub(super) fn groom_fetched(&mut self, die: Die) {
        let Some(victim) = self.groom.victim else {
            return;
        };
        let mut index = 0;
        let mut unreadable = false;
        while index < self.groom.candidates.len() {
            let candidate = self.groom.candidates[index];
            let location = self
                .shape
                .location(victim, self.groom.offset, candidate.unit);
            match self.decode_data(die, location) {
                // Should it fade, it is being written anew already.
                Ok((header, repaired)) if header.id == candidate.sector.0 => {
                    self.stats.repaired(repaired);
                    index += 1;
                }
                _ if self
                    .attempt(location, self.groom.tries.saturating_add(1))
                    .is_some()
                    || (self.can_be_made(victim) && !self.groom.hopeless) =>
                {
                    unreadable = true;
                    index += 1;
                }
                _ if self.lose(candidate.sector, location) => {
                    self.groom.candidates.swap_remove(index);
                }
                _ => {
                    unreadable = true;
                    index += 1;
                }
            }
        }
        if unreadable {
            self.groom.tries = self.groom.tries.saturating_add(1);
            self.groom.stage = Stage::Fetch;
            return;
        }
        self.groom.holds = Some(die);
        self.groom.stage = Stage::Append;
    }

    /// A sector's only copy cannot be read: from now on reading it says so. False when a merge has to make room first.
    fn lose(&mut self, sector: Sector, location: Location) -> bool {
        if self.deltas.room() <= self.deltas_promised() || self.record_is_full() {
            return false;
        }
        self.stats.lost += 1;
        self.set_mapping(sector, location, Location::LOST);
        true
    }

    fn append_candidates(&mut self, victim: Segment) -> Step {
        self.drop_stale(victim);
        let Some(&candidate) = self.groom.candidates.first() else {
            return self.next_page();
        };
        let Some(die) = self.groom.holds else {
            self.groom.stage = Stage::Fetch;
            return Step::Again;
        };
        if self.record_due()
            || self.record_is_full()
            || self.deltas.room() <= self.deltas_promised()
        {
            // Both may need the buffer: the page is fetched again afterwards.
            self.groom.holds = None;
            self.groom.stage = Stage::Fetch;
            return Step::Wait;
        }
        if self.sector_busy(candidate.sector) {
            // What is on its way may need the buffer.
            self.groom.let_go();
            return Step::Wait;
        }
        let Some((stream, class)) = self.stream_of(victim, candidate.birth) else {
            self.groom.holds = None;
            self.groom.stage = Stage::Fetch;
            return Step::Again;
        };
        // The buffer held is the target's on the same die, and free for programming from.
        self.groom.holds = None;
        let ready = self.can_append(stream)
            && (self.append_die(stream) == Some(die)
                || !self.stages.is_empty()
                || self.die_free(die));
        if !ready {
            self.groom.holds = Some(die);
            if !self.stages.is_empty() && self.next_stripe_needs(stream, die) {
                // The staged pages have to go through this buffer first.
                self.groom.let_go();
            }
            return Step::Wait;
        }
        let unit = Unit {
            sector: candidate.sector,
            birth: candidate.birth,
            origin: Origin::Relocation {
                source: self
                    .shape
                    .location(victim, self.groom.offset, candidate.unit),
            },
        };
        self.groom.candidates.swap_remove(0);
        let more = !self.groom.candidates.is_empty();
        // Staged pages are programmed from another die's buffer or later: what is held stays.
        if more {
            self.groom.holds = Some(die);
        }
        self.pay(PROGRAM_US / self.shape.units());
        self.credit.moves += 1;
        self.count_relocation(class, victim);
        self.stats.leveling_relocations += u32::from(class == LEVELING);
        if self
            .append_unit(stream, unit, Source::Buffer(die, candidate.unit))
            .is_err()
        {
            self.groom.dropped = true;
        }
        if more {
            Step::Again
        } else {
            self.next_page()
        }
    }

    /// Looks through the index for sectors that are in the current, unreadable page, or anywhere in the victim.
    fn search(&mut self, victim: Segment, map: MapIndex) -> Step {
        if self.emptied(victim) || map.0 >= self.shape.map_pages {
            if self.groom.unaccounted {
                self.groom.stage = Stage::Finish;
                return Step::Again;
            }
            return self.next_page();
        }
        let location = self.directory[map.0 as usize].location;
        if location.is_mapped() && !self.frames.holds(map) {
            self.load_map(map);
            return Step::Wait;
        }
        let first = self.shape.location(victim, self.groom.offset, 0);
        let (start, end) = self.shape.map_range(map);
        for sector in start.0..end.0 {
            let sector = Sector(sector);
            if let Lookup::Known(at) = self.lookup(sector) {
                let here = if self.groom.unaccounted {
                    at.is_mapped() && self.shape.segment(at) == victim
                } else {
                    at.0 >= first.0 && at.0 < first.0 + self.shape.units()
                };
                if here && !self.sector_busy(sector) && !self.lose(sector, at) {
                    return Step::Wait;
                }
            }
        }
        self.groom.stage = Stage::Search(MapIndex(map.0 + 1));
        Step::Again
    }

    fn finish_victim(&mut self, victim: Segment) -> Step {
        if self.relocating_from(victim) && !self.stages.is_empty() && !self.credit.starved {
            // What is staged need not be padded: the victim becomes free when the last relocation is on the media.
            self.stats.victims += 1;
            self.groom = Groom::default();
            return Step::Wait;
        }
        if self.relocating_from(victim) {
            self.want_stages_pushed();
            return Step::Wait;
        }
        if self.pending.freed.is_full() {
            self.pending.wanted = true;
            return Step::Again;
        }
        let left = !self.emptied(victim);
        if (self.groom.dropped || left) && self.groom.passes < PASSES_MAX {
            self.groom.passes += 1;
            self.groom.dropped = false;
            self.groom.offset = 0;
            self.groom.stage = Stage::Look;
            return Step::Again;
        }
        if left && !self.groom.dropped && !self.groom.unaccounted {
            self.groom.unaccounted = true;
            self.groom.stage = Stage::Search(MapIndex(0));
            return Step::Again;
        }
        let level = self.groom.leveling;
        let dropped = self.groom.dropped;
        self.groom = Groom::default();
        self.stats.victims += 1;
        self.stats.leveling_victims += u32::from(level);
        if dropped {
            // Programs keep failing: it is tried again as any other victim.
            return Step::Wait;
        }
        // Every page was held against the index, and the index against the victim. A count that is left belongs to mappings that were lost with their map page.
        self.release(victim);
        Step::Wait
    }
}
