//! The first change after a mount: what an unclean end has left is made good in one transaction, and a new session begins.

use cuesta_hal::{Buffer, Die, Nand};

use super::address::{Location, MapIndex, Sector, Segment};
use super::anchor::TIME_END;
use super::error::Error;
use super::flight::{Origin, Unit};
use super::index::Lookup;
use super::job::Job;
use super::map_page::FrameState;
use super::ring::{Opened, RINGS_LEAST};
use super::segment_table::State;
use super::stream::JOURNAL;
use super::write::Source;
use super::{Session, Volume, TIME_JUMP};
use crate::codec::{Header, Kind};

/// Free segments that a new session looks at before it takes one.
const CANDIDATES: usize = 16;

/// The die whose buffer holds a unit, and its header.
type Found = (Die, Header);

/// What a cut has touched, that could be read and cannot be any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decayed {
    /// The page at a place of the log.
    Page(Location),
    /// A page of a checkpoint that had too few copies.
    Checkpoint,
}

/// What became of a unit of a suspect page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Renewed {
    /// Nothing in it is valid there, or not any more.
    Nothing,
    /// It was to be programmed elsewhere.
    Tried,
    /// It cannot be read any more.
    Unreadable,
}

/// What is at the place of a suspect journal page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// A map page that the directory names; it is in its frame.
    Map(MapIndex),
    /// Nothing that the directory names.
    NoMap,
    /// A map page that the directory names and that cannot be read.
    Unreadable,
}

impl Held {
    /// False when what the directory names cannot be read.
    pub(super) fn is_readable(self) -> bool {
        self != Self::Unreadable
    }
}

impl<'m, N: Nand> Volume<'m, N> {
    /// True when the sector is in a page that the last cut may have touched.
    pub(super) fn is_suspect(&self, sector: Sector) -> bool {
        match self.lookup(sector) {
            Lookup::Known(location) if location.is_mapped() => self
                .dies
                .iter()
                .any(|die| self.may_share_stripe(location, die.suspect)),
            Lookup::Known(_) => false,
            // A suspect data page is among the deltas; a suspect map page concerns every sector of its range.
            Lookup::Need(map) => {
                let location = self.directory[map.0 as usize].location;
                self.dies
                    .iter()
                    .any(|die| self.may_share_stripe(location, die.suspect))
            }
        }
    }

    /// Begins the session: recovers if the last one did not end cleanly, then says on the media that pages follow.
    ///
    /// One transaction, committed by the checkpoint at its end; see the recovery argument in the design document. Straight through: it owns the part.
    pub(super) fn begin_session(&mut self) -> Result<(), Error> {
        let mut opened = None;
        for _ in 0..=self.void.capacity() {
            let clean = match self.session {
                Session::Mounted { clean } => clean,
                Session::Active => return Ok(()),
                Session::ReadOnly => return Err(Error::ReadOnly),
                Session::Failed(error) => return Err(error),
            };
            self.session = Session::Active;
            let result = match self.recover(clean, &mut opened) {
                Ok(None) => return Ok(()),
                // The state that is left may be an older one, which did not end cleanly.
                Ok(Some(decayed)) => self.load_without(decayed).map_err(Error::from),
                Err(error) => Err(error),
            };
            result.map_err(|error| self.fail(error))?;
        }
        Err(self.fail(Error::NoSpace))
    }

    /// Gives back what was readable at the mount and is not any more: the state has to be read again without it. By itself, so that its stack is
    /// free when that is done.
    #[inline(never)]
    fn recover(
        &mut self,
        clean: bool,
        opened: &mut Option<Opened>,
    ) -> Result<Option<Decayed>, Error> {
        if self.rings_in_use() < RINGS_LEAST || self.time >= TIME_END {
            return Err(Error::NoSpace);
        }
        // Nothing that becomes free before the commit may be erased before the commit.
        self.recovering = true;
        self.time = (self.time / TIME_JUMP + 1) * TIME_JUMP;
        // Before the trace: what lies behind a copy says that the copy was finished.
        if let Some(sequence) = self.unfinished.take() {
            if !self.complete_copies(sequence)? {
                return Ok(Some(Decayed::Checkpoint));
            }
        }
        match opened {
            Some(opened) => self.reopen_places(opened),
            None => *opened = Some(self.open_places()?),
        }
        self.pending.named = self.choose_fresh();
        self.pending.durable = self.pending.named.len();
        self.open_fresh(JOURNAL)?;
        if !clean {
            // Sector data first: until a map page is merged, every page behind the last record page is known by its delta.
            for journal in [false, true] {
                for die in 0..self.dies.len() {
                    let suspect = self.dies[die].suspect;
                    if !suspect.is_mapped() {
                        continue;
                    }
                    let (segment, offset, _) = self.shape.split(suspect);
                    if (self.segments.state(segment) == State::Journal) != journal {
                        continue;
                    }
                    let good = if journal {
                        self.renew_map(suspect)?
                    } else {
                        self.copy_suspect(segment, offset)?
                    };
                    if !good {
                        return Ok(Some(Decayed::Page(suspect)));
                    }
                }
            }
        }
        for die in self.dies.iter_mut() {
            die.suspect = Location::UNMAPPED;
        }
        self.settle_everything()?;
        // Committing must not cost a segment, or sessions that are cut early would use them up: what is opened here is freed here.
        if !clean {
            self.recount()?;
            self.credit.idle_free = self.host_reserve() + 2;
            self.settle_until(&|volume| {
                volume.free + volume.journal_freed_by_commit() >= volume.credit.idle_free
                    || volume.groom.exhausted
                    || (volume.want_open.is_some() && volume.pending.named.is_empty())
            })?;
            self.groom.let_go();
            self.settle_everything()?;
        }
        self.make_checkpoint(false)?;
        self.doubtful.clear();
        self.recovering = false;
        Ok(None)
    }

    /// Free segments in the order in which they should be tried: the least worn, beginning with another one at each attempt. Every attempt has
    /// a multiple of [`TIME_JUMP`] to itself.
    fn choose_fresh(&self) -> heapless::Vec<Segment, CANDIDATES> {
        let mut free: heapless::Vec<Segment, CANDIDATES> = heapless::Vec::new();
        for _ in 0..CANDIDATES {
            let next = self
                .segments
                .iter()
                .filter(|&segment| {
                    self.segments.state(segment) == State::Free
                        && !self.doubtful.contains(&segment)
                        && !free.contains(&segment)
                })
                .min_by_key(|&segment| self.segments.wear(segment));
            match next {
                Some(segment) => {
                    let at = free.partition_point(|&other| other < segment);
                    let _ = free.insert(at, segment);
                }
                None => break,
            }
        }
        if !free.is_empty() {
            let by = (self.time / TIME_JUMP) % free.len() as u64;
            free.rotate_left(by as usize);
        }
        // Taken from the end.
        free.reverse();
        free
    }

    /// Erases the next fresh segment and makes it a stream's append point.
    pub(super) fn open_fresh(&mut self, stream: u8) -> Result<(), Error> {
        while let Some(segment) = self.take_named(stream) {
            for column in 0..self.shape.width() {
                let block = self.shape.block(segment, column);
                if self.is_bad(self.shape.block_number(block)) {
                    continue;
                }
                if !self.erase_now(block)? {
                    self.block_failed(segment, column);
                }
            }
            if self.is_used_up(segment) {
                self.segments.set_state(segment, State::Retired);
                self.free -= 1;
                continue;
            }
            self.wear(segment);
            self.install(stream, segment);
            return Ok(());
        }
        Err(Error::NoSpace)
    }

    /// Programs a suspect map page anew; false when it cannot be read any more.
    fn renew_map(&mut self, suspect: Location) -> Result<bool, Error> {
        match self.hold_map(suspect)? {
            Held::Map(map) => {
                // The bytes just checked are the ones programmed: the page may read differently the next time.
                self.job = Job::Merge(map);
                self.settle_until(&|_| true)?;
                Ok(true)
            }
            Held::NoMap => Ok(true),
            Held::Unreadable => Ok(false),
        }
    }

    /// Reads the current map page whose stripe has a page at a location, if there is one, from there into its frame.
    pub(super) fn hold_map(&mut self, at: Location) -> Result<Held, Error> {
        let (segment, offset, _) = self.shape.split(at);
        let page = self.shape.page(segment, offset);
        let held = self.read_page_until(page, |volume| {
            let named = match volume.owner(segment, offset) {
                Ok((first, _)) => {
                    let first = volume.shape.location(segment, first, 0);
                    volume
                        .directory
                        .iter()
                        .position(|entry| entry.location == first)
                }
                // What it was cannot be told.
                Err(_) => volume
                    .directory
                    .iter()
                    .position(|entry| volume.may_share_stripe(entry.location, at)),
            };
            let Some(map) = named else {
                return Some(Held::NoMap);
            };
            let named = volume.directory[map].location;
            let map = MapIndex(map as u32);
            volume
                .decode_journal_page(page.die(), named, Kind::Map, map.0)
                .then_some(Held::Map(map))
        });
        let held = held.map_err(|kind| self.fail(Error::Nand(kind)))?;
        if let Some(Held::Map(map)) = held {
            let frame = self.frames.frame_of(map);
            let bytes = self.shape.layout.page_bytes() as usize;
            let page = self.nand.buffer(page.die(), Buffer::First);
            self.frames.bytes_mut(frame).copy_from_slice(&page[..bytes]);
            self.frames.set_state(frame, FrameState::Holds(map));
        }
        Ok(held.unwrap_or(Held::Unreadable))
    }

    /// Copies what is valid in a suspect page of sector data into a fresh segment; false when it cannot be read any more.
    fn copy_suspect(&mut self, segment: Segment, offset: u32) -> Result<bool, Error> {
        for unit in 0..self.shape.units() {
            loop {
                match self.copy_suspect_unit(segment, offset, unit)? {
                    Renewed::Nothing => break,
                    // Its program may have failed.
                    Renewed::Tried => {}
                    Renewed::Unreadable => return Ok(false),
                }
            }
        }
        Ok(true)
    }

    /// Copies what a unit of a suspect page holds, if it is valid there.
    fn copy_suspect_unit(
        &mut self,
        segment: Segment,
        offset: u32,
        unit: u32,
    ) -> Result<Renewed, Error> {
        let level = self.segments.level(segment);
        let stream = self.shape.streams.of_level(level).end - 1;
        let (location, found) = self.suspect_unit(segment, offset, unit)?;
        let Some((die, header)) = found else {
            // A unit that holds nothing is as it should be; one that the index names is not.
            let page = self.shape.location(segment, offset, 0);
            let named = match location {
                Some(location) => self.names(|named| named == location),
                None => self.names(|named| self.may_share_stripe(named, page)),
            };
            return Ok(if named {
                Renewed::Unreadable
            } else {
                Renewed::Nothing
            });
        };
        let source = location.unwrap_or(Location::UNMAPPED);
        if header.kind != Kind::Data
            || header.id >= self.shape.capacity
            || self.lookup(Sector(header.id)) != Lookup::Known(source)
        {
            return Ok(Renewed::Nothing);
        }
        if self.appends[usize::from(stream)].is_none() {
            self.open_fresh(stream)?;
        }
        let unit_record = Unit {
            sector: Sector(header.id),
            birth: header.birth,
            origin: Origin::Relocation { source },
        };
        self.append_unit(stream, unit_record, Source::Buffer(die, unit))?;
        self.settle_stream(stream)?;
        Ok(Renewed::Tried)
    }

    /// Reads a unit of a suspect page, or makes it again; gives where it belongs, if that can be told, and the die whose buffer holds it.
    fn suspect_unit(
        &mut self,
        segment: Segment,
        offset: u32,
        unit: u32,
    ) -> Result<(Option<Location>, Option<Found>), Error> {
        let page = self.shape.page(segment, offset);
        let mut first = None;
        let decoded = self.read_page_until(page, |volume| {
            first = volume.owner(segment, offset).map(|(first, _)| first).ok();
            let location = volume.shape.location(segment, first?, unit);
            volume.decode_data(page.die(), location).ok()
        });
        let decoded = decoded.map_err(|kind| self.fail(Error::Nand(kind)))?;
        let location = first.map(|first| self.shape.location(segment, first, unit));
        if let Some((header, _)) = decoded {
            return Ok((location, Some((page.die(), header))));
        }
        let first = first.unwrap_or(offset);
        let made = self.shape.location(segment, first, unit);
        if let Some(die) = self.rebuild_now(segment, first)? {
            if let Ok((header, _)) = self.decode_data(die, made) {
                return Ok((Some(made), Some((die, header))));
            }
        }
        Ok((location, None))
    }

    /// Programs what waits in the stage of a stream, elsewhere if programs fail, and settles what is in flight.
    fn settle_stream(&mut self, stream: u8) -> Result<(), Error> {
        loop {
            self.push_stages()?;
            self.settle_everything()?;
            if self.stages.is_empty() || self.staged_pages(stream) == 0 {
                return Ok(());
            }
            if self.appends[usize::from(stream)].is_none() {
                self.open_fresh(stream)?;
            }
        }
    }

    /// True when a delta names such a location: pages behind the last record page are known by their deltas only.
    fn names(&self, such: impl Fn(Location) -> bool) -> bool {
        (0..self.deltas.places())
            .filter_map(|place| self.deltas.entry(place))
            .any(|delta| such(delta.location))
    }

    /// Settles what is in flight.
    fn settle_everything(&mut self) -> Result<(), Error> {
        let limit = 1u32 << 20;
        for _ in 0..limit {
            for die in 0..self.dies.len() {
                let _ = self.settle(Die(die as u16));
            }
            self.check_alive()?;
            self.redrive()?;
            if !self.is_in_flight() {
                return Ok(());
            }
            self.nand.wait();
        }
        Err(Error::NoSpace)
    }

    /// Journal segments that will hold nothing that counts once the new session is committed.
    fn journal_freed_by_commit(&self) -> u32 {
        let open = self.append_page(JOURNAL).map(|(segment, _)| segment);
        self.segments
            .iter()
            .filter(|&segment| {
                self.segments.state(segment) == State::Journal
                    && self.segments.valid(segment) == 0
                    && Some(segment) != open
            })
            .count() as u32
    }

    /// Counts what is valid in every segment, map page by map page, and frees segments that hold nothing: sessions that end
    /// early leave nothing behind.
    fn recount(&mut self) -> Result<(), Error> {
        self.mapped = 0;
        self.used = 0;
        for segment in self.segments.iter() {
            if self.segments.state(segment) != State::Journal {
                self.segments.set_valid(segment, 0);
            }
        }
        for map in 0..self.shape.map_pages {
            let (first, end) = self.shape.map_range(MapIndex(map));
            for sector in first.0..end.0 {
                let location = self.lookup_now(Sector(sector))?;
                self.used += self.cost_at(location);
                if location.is_mapped() {
                    self.mapped += 1;
                    self.validate(location);
                }
            }
        }
        for segment in self.segments.iter() {
            if self.segments.state(segment) == State::Closed && self.segments.valid(segment) == 0 {
                self.release(segment);
            }
        }
        // The others have to be in a record page, though the checkpoint will have them: for a mount that finds none, an older page calls them free.
        let segments = &self.segments;
        let kept = |segment: &Segment| segments.state(*segment) != State::Free;
        self.pending.closed.retain(kept);
        Ok(())
    }
}
