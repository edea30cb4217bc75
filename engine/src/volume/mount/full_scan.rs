//! Mounting without a checkpoint: the journal is looked for in every segment, and tells what the checkpoint would have told.
//!
//! For a volume that has lost all its anchors. Every record page says where replaying starts, and carries a check of the directory: the state
//! found is exact, or the mount fails.

use cuesta_hal::{Buffer, Geometry, Nand, NandErrorKind};

use super::erases_told;
use super::journal::Covers;
use super::SEQUENCES_SKIPPED;
use crate::codec::crc::Seed;
use crate::codec::{Header, HeaderState, Kind, PageLayout};
use crate::volume::address::Segment;
use crate::volume::anchor::Head;
use crate::volume::anchor_scan::Anchors;
use crate::volume::error::LoadError;
use crate::volume::journal::Identity;
use crate::volume::level::COPIES_MAX;
use crate::volume::parameters::{default_sector_bytes, width_fits, Parameters};
use crate::volume::quota::{Quota, SLOTS_MAX};
use crate::volume::ring::RINGS_LEAST;
use crate::volume::segment_table::State;
use crate::volume::shape::Shape;
use crate::volume::stream::JOURNAL;
use crate::volume::{io, Session, Volume};

/// Finds a record page, which says what a volume without anchors was made with.
pub(in crate::volume) fn find_parameters<N: Nand>(
    nand: &mut N,
) -> Result<Option<Parameters>, NandErrorKind> {
    let geometry = *nand.geometry();
    let Ok(layout) = PageLayout::new(&geometry, default_sector_bytes(&geometry)) else {
        return Ok(None);
    };
    if geometry.pages() * u64::from(layout.units()) > u64::from(SLOTS_MAX) {
        return Ok(None);
    }
    let mut best: Option<(u64, Parameters)> = None;
    let widths = 1..=geometry.dies.max(COPIES_MAX.into());
    for width in widths.filter(|&width| width_fits(&geometry, width)) {
        let assumed = Parameters {
            volume_id: 0,
            capacity: 1,
            sector_bytes: layout.sector_bytes(),
            width,
            classes: 1,
            levels: 1,
            system: 0,
            copies: 1,
            parity: 0,
        };
        let Ok(shape) = Shape::new(&geometry, &assumed) else {
            continue;
        };
        for segment in (0..shape.segments).map(Segment) {
            if let Some((time, parameters)) = identity_in(nand, &geometry, &shape, segment)? {
                if best.is_none_or(|(newest, _)| time > newest) {
                    best = Some((time, parameters));
                }
            }
        }
    }
    Ok(best.map(|(_, parameters)| parameters))
}

/// The first readable record page of a segment, if the segment belongs to a journal.
fn identity_in<N: Nand>(
    nand: &mut N,
    geometry: &Geometry,
    shape: &Shape,
    segment: Segment,
) -> Result<Option<(u64, Parameters)>, NandErrorKind> {
    let layout = shape.layout;
    for offset in 0..shape.pages_per_segment() {
        let page = shape.page(segment, offset);
        let place = shape.location(segment, offset, 0);
        io::read(nand, page, layout.header_columns())?;
        let header = match layout.read_header(nand.buffer(page.die(), Buffer::First), 0, place.0) {
            HeaderState::Valid(header) if header.stream == JOURNAL => header,
            // One unreadable page, or a row of bad blocks, may come first.
            _ if offset <= shape.width() => continue,
            _ => return Ok(None),
        };
        if header.kind != Kind::Record {
            continue;
        }
        io::read(nand, page, layout.page_columns())?;
        let seed = Seed {
            volume: 0,
            place: place.0,
        };
        let buffer = nand.buffer_mut(page.die(), Buffer::First);
        if layout.decode_unit(buffer, 0, seed).is_err() {
            continue;
        }
        let Some(identity) = Identity::decode(layout.payload(buffer, 0)) else {
            continue;
        };
        let (copies, parity) = Parameters::split_redundancy(identity.redundancy);
        let parameters = Parameters {
            volume_id: identity.volume_id,
            capacity: identity.capacity,
            sector_bytes: layout.sector_bytes(),
            width: identity.width,
            classes: identity.classes,
            levels: identity.levels,
            system: identity.system,
            copies,
            parity,
        };
        let fits = u32::from(identity.width) == shape.width()
            && parameters.are_possible()
            && Quota::new(geometry, &parameters).is_ok_and(|quota| parameters.fit(&quota));
        if fits {
            return Ok(Some((header.time, parameters)));
        }
    }
    Ok(None)
}

impl<N: Nand> Volume<'_, N> {
    /// Reads the state of the volume without a checkpoint.
    ///
    /// The newest record page says where replaying starts. A first replay finds the last record page that counts; what map pages there were
    /// then is the directory, and the check in that page tells whether none of them is missing. The second replay is the one of any mount.
    pub(super) fn load_by_scan(&mut self, anchors: &Anchors) -> Result<(), LoadError> {
        let identity = self.newest_record()?.ok_or(LoadError::Damaged)?;
        let mut head = Head::lost(self.nand.geometry(), self.parameters);
        head.from = identity.from;
        self.prepare(anchors, &identity, u64::MAX)?;
        let first = self.replay_journal(&head, &mut Covers::new())?;
        self.forget();
        let placed = self.prepare(anchors, &identity, first.record_time)?;
        let mut covers = Covers::new();
        let replayed = self.replay_journal(&head, &mut covers)?;
        if !replayed.exact {
            return Err(LoadError::Damaged);
        }
        self.scan_data(&replayed, &covers)?;
        self.scanned = true;
        self.unsettled = true;
        self.conclude(false);
        if !placed {
            // Without a place for anchors nothing can be begun; everything can be read.
            self.session = Session::ReadOnly;
        }
        Ok(())
    }

    /// What a checkpoint would have told, as of log time `until`; false when there is no place for the anchors to come.
    fn prepare(
        &mut self,
        anchors: &Anchors,
        identity: &Identity,
        until: u64,
    ) -> Result<bool, LoadError> {
        let geometry = *self.nand.geometry();
        self.find_bad_blocks(&geometry)?;
        self.void_from = self.void_since(anchors, identity.sequence)?;
        self.checkpoint.from = identity.from;
        self.checkpoint.sequence = anchors
            .sequence
            .max(identity.sequence.saturating_add(SEQUENCES_SKIPPED));
        self.time = self.time.max(anchors.time + 1);
        self.classify_segments(until)?;
        self.take_rings(anchors);
        Ok(self.rings_in_use() >= RINGS_LEAST || self.place_rings(&geometry) >= RINGS_LEAST)
    }

    /// What the newest record page says about the volume.
    fn newest_record(&mut self) -> Result<Option<Identity>, LoadError> {
        self.void_from = u64::MAX;
        let mut newest: Option<(u64, Identity)> = None;
        for segment in self.segments.iter() {
            let Some((from, _)) = self
                .first_header(segment)?
                .filter(|(_, at)| at.stream == JOURNAL)
            else {
                continue;
            };
            for at in from..self.shape.pages_per_segment() {
                let Some((offset, header)) = self.log_header(segment, at)? else {
                    continue;
                };
                if header.kind != Kind::Record
                    || newest.is_some_and(|(time, _)| time >= header.time)
                {
                    continue;
                }
                let Some(die) = self.read_journal(segment, offset, &header)? else {
                    continue;
                };
                let bytes = self.shape.layout.page_bytes() as usize;
                let payload = &self.nand.buffer(die, Buffer::First)[..bytes];
                let identity = Identity::decode(payload)
                    .filter(|identity| identity.volume_id == self.parameters.volume_id);
                if let Some(identity) = identity {
                    let levels = Identity::levels(payload).unwrap_or(&[]);
                    let table = self.levels.bytes_mut();
                    if levels.len() == table.len() {
                        table.copy_from_slice(levels);
                    }
                    newest = Some((header.time, identity));
                }
            }
        }
        Ok(newest.map(|(_, identity)| identity))
    }

    /// What each segment holds, and the newest map page of each range before log time `until`.
    fn classify_segments(&mut self, until: u64) -> Result<(), LoadError> {
        self.wear_base = u32::MAX;
        for segment in self.segments.iter() {
            if let Some((_, header)) = self.first_header(segment)? {
                let erases = erases_told(&header).unwrap_or(u32::MAX);
                self.wear_base = self.wear_base.min(erases);
            }
        }
        let (mut worn, mut known) = (0u64, 0u64);
        for segment in self.segments.iter() {
            // Blocks may have gone bad behind what was written to them; a lost die looks as if all of its blocks had.
            let Some((offset, first)) = self.first_header(segment)? else {
                continue;
            };
            if let Some(erases) = erases_told(&first) {
                self.set_erases(segment, erases);
            }
            self.segments.set_class(segment, first.stream);
            let level = self.levels.ecc(first.level).map_or(0, |_| first.level);
            self.segments.set_level(segment, level);
            worn += u64::from(self.segments.wear(segment));
            known += 1;
            if first.stream == JOURNAL {
                self.segments.set_state(segment, State::Journal);
                // Older than the one in which replaying starts.
                let stamp = self.checkpoint.from.sequence.wrapping_sub(1);
                self.segments.set_stamp(segment, stamp);
                self.take_map_pages(segment, offset, until)?;
            } else {
                self.segments.set_state(segment, State::Closed);
                let stamp = (first.birth >> self.stamp_shift()) as u16;
                self.segments.set_stamp(segment, stamp);
            }
        }
        // An erase count that nothing tells goes on at the mean.
        let mean = worn.checked_div(known).map_or(0, |mean| mean + 1).min(255) as u8;
        for segment in self.segments.iter() {
            if self.segments.state(segment) == State::Free {
                self.segments.set_wear(segment, mean);
            }
        }
        if self.wear_base == u32::MAX {
            self.wear_base = 0;
        }
        Ok(())
    }

    /// The first page of a segment that holds something of a log, looking no further than past one torn page on each die.
    fn first_header(&mut self, segment: Segment) -> Result<Option<(u32, Header)>, LoadError> {
        let mut missed = 0;
        for offset in 0..self.shape.pages_per_segment() {
            if missed > self.shape.width() {
                break;
            }
            if let Some((_, header)) = self.log_header(segment, offset)? {
                return Ok(Some((offset, header)));
            }
            missed += u32::from(!self.in_bad_block(segment, offset));
        }
        Ok(None)
    }

    /// The header of a page of data or of the journal, and the first page of its stripe.
    fn log_header(
        &mut self,
        segment: Segment,
        offset: u32,
    ) -> Result<Option<(u32, Header)>, LoadError> {
        if self.is_void(segment, offset) {
            return Ok(None);
        }
        Ok(self
            .owner_at(segment, offset)?
            .ok()
            .filter(|(_, header)| header.kind != Kind::Anchor && header.time < self.void_from))
    }

    /// Takes the map pages of a journal segment into the directory, where they are newer than what it names.
    fn take_map_pages(&mut self, segment: Segment, from: u32, until: u64) -> Result<(), LoadError> {
        for at in from..self.shape.pages_per_segment() {
            let Some((offset, header)) = self.log_header(segment, at)? else {
                continue;
            };
            if header.kind != Kind::Map || header.time >= until {
                continue;
            }
            let known = match self.directory.get(header.id as usize) {
                Some(entry) => entry.location,
                None => continue,
            };
            if known.is_mapped() {
                let (segment, offset, _) = self.shape.split(known);
                let mut newer = false;
                for page in self.stripe_pages(segment, offset) {
                    if let Some((first, known)) = self.log_header(segment, page)? {
                        newer |= first == offset && known.time >= header.time;
                    }
                }
                if newer {
                    continue;
                }
            }
            self.directory[header.id as usize].location = self.shape.location(segment, offset, 0);
        }
        Ok(())
    }
}
