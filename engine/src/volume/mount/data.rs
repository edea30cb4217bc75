//! Data pages behind the last record page: found by their headers, applied in the order of log time.

use cuesta_hal::{Buffer, Die, Nand};
use heapless::Vec;

use super::journal::{Covers, Replayed};
use super::{erases_told, insert_delta};
use crate::codec::header::FLAG_BATCH;
use crate::codec::{Header, HeaderState, Kind, PageError};
use crate::volume::address::{MapIndex, Sector, Segment};
use crate::volume::error::LoadError;
use crate::volume::parameters::UNITS_MAX;
use crate::volume::segment_table::State;
use crate::volume::stream::{JOURNAL, STREAMS_MAX};
use crate::volume::{bits, Volume};

/// Segments that may hold data pages behind the last record page: named or open.
const CURSORS_MAX: usize = 16 + STREAMS_MAX;

/// What the header of a page says of one of its units. The rest of the header is the same for all of them, and dozens of pages are held at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    kind: Kind,
    flags: u8,
    id: u32,
    birth: u32,
}

impl Own {
    pub(super) const fn of(header: &Header) -> Self {
        Self {
            kind: header.kind,
            flags: header.flags,
            id: header.id,
            birth: header.birth,
        }
    }

    /// The whole header, with what `common` says of the page.
    pub(super) const fn with(self, common: &Header) -> Header {
        Header {
            kind: self.kind,
            flags: self.flags,
            id: self.id,
            birth: self.birth,
            ..*common
        }
    }
}

/// What each unit of a page holds.
pub(super) type Units = Vec<Option<Own>, UNITS_MAX>;

/// Where the scan of a segment is: its next page, which was read.
#[derive(Debug, Clone)]
pub(super) struct Cursor {
    pub(super) segment: Segment,
    /// The page that was read.
    pub(super) offset: u32,
    /// The first page of its stripe.
    first: u32,
    pub(super) header: Header,
    /// What each unit holds.
    pub(super) units: Units,
    /// It cannot be read, though it was finished.
    lost: bool,
    /// All that it holds could be read.
    intact: bool,
    /// Which of the pages before it, in its segment, were read: the lowest bit is for the last one.
    pub(super) seen: u32,
}

impl Cursor {
    /// A page that was not read, but made again from others.
    pub(super) fn made(segment: Segment, offset: u32, header: Header, units: Units) -> Self {
        Self {
            segment,
            offset,
            first: offset,
            header,
            units,
            lost: false,
            intact: true,
            seen: 0,
        }
    }

    /// True when all of the page could be read.
    pub(super) fn was_read(&self) -> bool {
        self.intact && self.units.iter().any(Option::is_some)
    }

    /// Learns which pages before this one were read, from the cursor before it in the same segment.
    fn see_behind(&mut self, before: &Self) {
        let seen = u64::from(before.seen) << 1 | u64::from(before.was_read());
        let by = self.offset.saturating_sub(before.offset + 1);
        self.seen = seen.checked_shl(by).unwrap_or(0) as u32;
    }
}

impl<N: Nand> Volume<'_, N> {
    /// Applies the data pages behind the last record page, in the order of log time; true when there are any.
    ///
    /// # Errors
    /// One of them shows that a record page was finished which cannot be read.
    pub(super) fn scan_data(
        &mut self,
        replayed: &Replayed,
        covers: &Covers,
    ) -> Result<bool, LoadError> {
        let record_time = replayed.record_time;
        let mut cursors: Vec<Cursor, CURSORS_MAX> = Vec::new();
        let unsettled = core::mem::replace(&mut self.unsettled, false);
        for stream in 0..self.appends.len() {
            let Some(append) = self.appends[stream].filter(|_| stream != usize::from(JOURNAL))
            else {
                continue;
            };
            let at = self.owner_at(append.segment, append.next)?;
            let erased = matches!(at, Err(HeaderState::Erased));
            self.unsettled |= !erased;
            let from = append.next + u32::from(erased);
            if let Some(cursor) = self.cursor(append.segment, from, record_time, erased.into())? {
                let _ = cursors.push(cursor);
            }
        }
        // What lies at an append point and does not look erased was not left by a clean end.
        let mut found = self.unsettled;
        self.unsettled |= unsettled;
        let mut opened: Vec<Segment, 16> = Vec::new();
        for segment in self.pending.named.clone() {
            if let Some(cursor) = self.cursor(segment, 0, record_time, 0)? {
                let _ = opened.push(segment);
                self.segments.set_state(segment, State::Open);
                self.segments.set_class(segment, cursor.header.stream);
                self.segments.set_level(segment, cursor.header.level);
                if let Some(erases) = erases_told(&cursor.header) {
                    self.set_erases(segment, erases);
                }
                let stamp = self.stamp_now();
                self.segments.set_stamp(segment, stamp);
                let _ = cursors.push(cursor);
            }
        }
        self.pending
            .named
            .retain(|segment| !opened.contains(segment));
        let starts: Vec<(Segment, u32), CURSORS_MAX> = cursors
            .iter()
            .map(|cursor| (cursor.segment, cursor.offset))
            .collect();
        let limit = self.shape.segments * self.shape.pages_per_segment();
        for _ in 0..limit {
            let Some(index) = (0..cursors.len()).min_by_key(|&index| cursors[index].header.time)
            else {
                break;
            };
            found = true;
            let mut cursor = cursors[index].clone();
            let behind = self.behind(cursor.first, &cursor.header);
            let next = self.cursor(cursor.segment, behind, cursor.header.time, 0)?;
            // Behind a page of the same block it was finished; the last one may be torn.
            if next.is_none() || self.shape.width() > 1 {
                self.check_data(&mut cursor, &starts)?;
            }
            self.take_data(&cursor, covers)?;
            if let Some(made) = self.made_by_parity(&cursor)? {
                self.take_data(&made, covers)?;
            }
            match next {
                Some(mut next) => {
                    next.see_behind(&cursor);
                    cursors[index] = next;
                }
                None => {
                    cursors.swap_remove(index);
                }
            }
        }
        for segment in opened {
            if self.pending.closed.is_full() {
                break;
            }
            let _ = self.pending.closed.push(segment);
        }
        let followed = |(die, time): (Die, u64)| self.dies[usize::from(die.0)].suspect_time > time;
        if replayed.torn.is_some_and(followed) {
            return Err(LoadError::Damaged);
        }
        Ok(found)
    }

    /// The next page of sector data at or behind `offset`, by its headers; so many pages were `missed` before.
    fn cursor(
        &mut self,
        segment: Segment,
        offset: u32,
        after: u64,
        mut missed: u32,
    ) -> Result<Option<Cursor>, LoadError> {
        let layout = self.shape.layout;
        for offset in offset..self.shape.pages_per_segment() {
            // A torn page on one die does not hide the pages of the others; one page beyond is looked at as well.
            if missed > self.shape.width() {
                break;
            }
            let page = self.shape.page(segment, offset);
            match self.owner_at(segment, offset)? {
                Ok((first, header))
                    if matches!(header.kind, Kind::Data | Kind::Parity)
                        && header.time > after
                        && header.time < self.void_from
                        && header.stream < JOURNAL
                        && self.levels.ecc(header.level).is_some()
                        && !self.is_void(segment, offset) =>
                {
                    let place = self.shape.location(segment, first, 0);
                    let buffer = self.nand.buffer(page.die(), Buffer::First);
                    let mut units = Vec::new();
                    for unit in 0..self.shape.units() {
                        let header = match layout.read_header(buffer, unit, place.0 + unit) {
                            HeaderState::Valid(header) => Some(Own::of(&header)),
                            HeaderState::Erased | HeaderState::Bad => None,
                        };
                        let _ = units.push(header);
                    }
                    return Ok(Some(Cursor {
                        segment,
                        offset,
                        first,
                        header,
                        units,
                        lost: false,
                        intact: true,
                        seen: 0,
                    }));
                }
                // The block has not been erased since.
                Ok((_, header)) if self.shape.width() == 1 && header.time <= after => break,
                state if !self.in_bad_block(segment, offset) => {
                    self.unsettled |= state == Err(HeaderState::Bad);
                    missed += 1;
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Reads and checks the whole page of a cursor: what was torn is not there. A page behind which the die has programmed another one was not torn, whatever
    /// it reads as: it is there, and lost.
    fn check_data(
        &mut self,
        cursor: &mut Cursor,
        starts: &[(Segment, u32)],
    ) -> Result<(), LoadError> {
        let page = self.shape.page(cursor.segment, cursor.offset);
        let mut units = Vec::new();
        let read = self.read_page_until(page, |volume| {
            units.clear();
            let mut readable = true;
            for unit in 0..cursor.units.len() as u32 {
                let location = volume.shape.location(cursor.segment, cursor.first, unit);
                let decoded = volume.decode_data(page.die(), location);
                readable &= !matches!(decoded, Err(PageError::Uncorrectable));
                let _ = units.push(decoded.ok().map(|(header, _)| Own::of(&header)));
            }
            readable.then_some(())
        });
        let readable = read?.is_some();
        cursor.intact = readable;
        if readable || !self.is_followed(page.die(), cursor.header.time, starts)? {
            self.unsettled |= !readable;
            cursor.units = units;
        } else {
            cursor.lost = true;
        }
        Ok(())
    }

    /// True when a die holds a page of the log with a later log time.
    fn is_followed(
        &mut self,
        die: Die,
        time: u64,
        starts: &[(Segment, u32)],
    ) -> Result<bool, LoadError> {
        if self.dies[usize::from(die.0)].suspect_time > time {
            return Ok(true);
        }
        for &(segment, start) in starts {
            let mut after = 0;
            let mut from = start;
            while let Some(cursor) = self.cursor(segment, from, after, 0)? {
                let page = self.shape.page(segment, cursor.offset);
                if page.die() == die && cursor.header.time > time {
                    return Ok(true);
                }
                after = cursor.header.time;
                from = cursor.offset + 1;
            }
        }
        Ok(false)
    }

    fn take_data(&mut self, cursor: &Cursor, covers: &Covers) -> Result<(), LoadError> {
        let shape = self.shape;
        let mut readable = false;
        for (unit, header) in cursor.units.iter().enumerate() {
            let Some(header) = header else { continue };
            readable = true;
            let sector = Sector(header.id);
            if header.kind != Kind::Data {
                continue;
            }
            self.host_writes = self.host_writes.max(header.birth);
            if header.flags & FLAG_BATCH != 0 || sector.0 >= shape.capacity {
                continue;
            }
            let (map, _) = shape.map_of(sector);
            if covers
                .iter()
                .any(|&(covered, until)| covered == map && cursor.header.time <= until)
            {
                continue;
            }
            if self.deltas.room() == 0 && self.deltas.get(sector).is_none() {
                self.drop_redundant()?;
            }
            insert_delta(
                &mut self.deltas,
                self.directory,
                &shape,
                sector,
                shape.location(cursor.segment, cursor.first, unit as u32),
                false,
            )?;
        }
        if readable && !cursor.lost {
            self.note_newest(cursor.segment, cursor.offset, cursor.header.time);
        }
        self.time = self.time.max(cursor.header.time + 1);
        Ok(())
    }

    /// Removes deltas that say what their map page says: pages behind the last record page that a later map page covers.
    fn drop_redundant(&mut self) -> Result<(), LoadError> {
        for map in 0..self.shape.map_pages {
            let map = MapIndex(map);
            let entry = self.directory[map.0 as usize];
            if entry.deltas == 0 || !entry.location.is_mapped() {
                continue;
            }
            let (page, _) = self.shape.address(entry.location);
            let decoded = self.read_page_until(page, |volume| {
                volume
                    .decode_journal_page(page.die(), entry.location, Kind::Map, map.0)
                    .then_some(())
            });
            if decoded?.is_none() {
                continue;
            }
            let (first, end) = self.shape.map_range(map);
            for sector in first.0..end.0 {
                let sector = Sector(sector);
                let Some(location) = self.deltas.get(sector) else {
                    continue;
                };
                let (_, index) = self.shape.map_of(sector);
                let payload = self.nand.buffer(page.die(), Buffer::First);
                let code = bits::get(payload, self.shape.location_bits, index);
                if code == Some(self.shape.to_code(location)) && self.deltas.remove(sector) {
                    self.directory[map.0 as usize].deltas -= 1;
                }
            }
        }
        Ok(())
    }
}
