//! The delta table: mappings newer than their map page.
//!
//! A hash with linear probing over packed entries (sector, location, one bit that tells whether a record page holds it).
//! Lookup, insertion and removal take expected constant time at the load the table allows.

use super::address::{Location, Sector};
use super::shape::Shape;

/// Bytes of one entry.
#[must_use]
pub const fn entry_bytes(shape: &Shape) -> usize {
    sector_width(shape) + location_width(shape)
}

const fn sector_width(shape: &Shape) -> usize {
    // One code is kept for an empty entry.
    super::bits::width(shape.capacity).div_ceil(8) as usize
}

const fn location_width(shape: &Shape) -> usize {
    (shape.location_bits + 1).div_ceil(8) as usize
}

/// Places from which on speed is worth more than room.
const LARGE: usize = 2048;

/// An entry of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delta {
    /// The sector.
    pub sector: Sector,
    /// Where it is now.
    pub location: Location,
    /// A record page that counts holds this entry.
    pub journaled: bool,
}

/// The table is full: merge a map page first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// The table, in memory lent by the caller.
#[derive(Debug)]
pub struct DeltaTable<'m> {
    bytes: &'m mut [u8],
    slots: usize,
    sector_width: usize,
    location_width: usize,
    location_bits: u32,
    media_slots: u32,
    len: usize,
    unjournaled: usize,
    /// While a checkpoint is prepared: entries at places below are in its record pages.
    dumped: usize,
}

impl<'m> DeltaTable<'m> {
    /// An empty table.
    #[must_use]
    pub fn new(bytes: &'m mut [u8], shape: &Shape) -> Self {
        bytes.fill(0xFF);
        let slots = bytes.len() / entry_bytes(shape);
        Self {
            bytes,
            slots,
            sector_width: sector_width(shape),
            location_width: location_width(shape),
            location_bits: shape.location_bits,
            media_slots: shape.slots(),
            len: 0,
            unjournaled: 0,
            dumped: slots,
        }
    }

    /// Empties the table.
    pub fn clear(&mut self) {
        self.bytes.fill(0xFF);
        self.len = 0;
        self.unjournaled = 0;
        self.dumped = self.slots;
    }

    /// Entries it may hold: fifteen of sixteen places where every byte counts, three of four in large tables.
    #[must_use]
    pub const fn limit(&self) -> usize {
        if self.slots > LARGE {
            self.slots / 4 * 3
        } else {
            self.slots - self.slots / 16 - 1
        }
    }

    /// Entries.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Entries that can still be inserted.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.limit().saturating_sub(self.len)
    }

    /// Entries that no record page holds.
    #[must_use]
    pub const fn unjournaled(&self) -> usize {
        self.unjournaled
    }

    /// Places of the hash, for [`entry`](Self::entry).
    #[must_use]
    pub const fn places(&self) -> usize {
        self.slots
    }

    fn home(&self, sector: u32) -> usize {
        let hash = sector.wrapping_mul(0x9E37_79B1);
        ((u64::from(hash) * self.slots as u64) >> 32) as usize
    }

    const fn width(&self) -> usize {
        self.sector_width + self.location_width
    }

    /// The four bytes from a place on, where an entry has as many: one load, while a copy of unknown length is a call.
    fn word_at(&self, start: usize) -> Option<u32> {
        if self.width() < 4 {
            return None;
        }
        let bytes = self.bytes.get(start..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    }

    /// A number of so many bytes.
    fn number_at(&self, start: usize, width: usize) -> u32 {
        let bytes = self.bytes[start..start + width].iter();
        bytes
            .rev()
            .fold(0, |number, &byte| number << 8 | u32::from(byte))
    }

    fn sector_at(&self, place: usize) -> Option<u32> {
        let start = place * self.width();
        let empty = u32::MAX >> (32 - 8 * self.sector_width as u32);
        let sector = match self.word_at(start) {
            Some(word) => word & empty,
            None => self.number_at(start, self.sector_width),
        };
        (sector != empty).then_some(sector)
    }

    fn code_at(&self, place: usize) -> u32 {
        let end = (place + 1) * self.width();
        match self.word_at(end.wrapping_sub(4)) {
            Some(word) => word >> (32 - 8 * self.location_width as u32),
            None => self.number_at(end - self.location_width, self.location_width),
        }
    }

    const fn behind(&self, place: usize) -> usize {
        if place + 1 < self.slots {
            place + 1
        } else {
            0
        }
    }

    /// Places from one to another, along which is searched.
    const fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from {
            to - from
        } else {
            to + self.slots - from
        }
    }

    fn put(&mut self, place: usize, sector: u32, code: u32) {
        let start = place * self.width();
        let end = start + self.width();
        let entry = &mut self.bytes[start..end];
        let (sector_bytes, location_bytes) = entry.split_at_mut(self.sector_width);
        for (bytes, number) in [(sector_bytes, sector), (location_bytes, code)] {
            for (byte, value) in bytes.iter_mut().zip(number.to_le_bytes()) {
                *byte = value;
            }
        }
    }

    /// The entry at a place of the hash, if there is one.
    #[must_use]
    pub fn entry(&self, place: usize) -> Option<Delta> {
        let sector = Sector(self.sector_at(place)?);
        let code = self.code_at(place);
        let journaled = code >> self.location_bits & 1 != 0;
        let ones = (1u32 << self.location_bits) - 1;
        let code = code & ones;
        let location = if code == ones {
            Location::UNMAPPED
        } else if code < self.media_slots {
            Location(code)
        } else {
            Location::LOST
        };
        Some(Delta {
            sector,
            location,
            journaled,
        })
    }

    fn find(&self, sector: Sector) -> Result<usize, usize> {
        let mut place = self.home(sector.0);
        for _ in 0..self.slots {
            match self.sector_at(place) {
                None => return Err(place),
                Some(found) if found == sector.0 => return Ok(place),
                Some(_) => place = self.behind(place),
            }
        }
        Err(place)
    }

    /// Where a sector is, if the table knows.
    #[must_use]
    pub fn get(&self, sector: Sector) -> Option<Location> {
        let place = self.find(sector).ok()?;
        self.entry(place).map(|delta| delta.location)
    }

    /// Inserts or replaces; true when the sector was not in the table.
    ///
    /// # Errors
    /// [`Full`], when it would be a new entry and there is no room.
    pub fn insert(&mut self, delta: Delta) -> Result<bool, Full> {
        let ones = (1u32 << self.location_bits) - 1;
        let code = match delta.location {
            Location::UNMAPPED => ones,
            Location::LOST => ones - 1,
            Location(at) => at,
        } | u32::from(delta.journaled) << self.location_bits;
        let (place, new) = match self.find(delta.sector) {
            Ok(place) => {
                if self.entry(place).is_some_and(|old| !old.journaled) {
                    self.unjournaled -= 1;
                }
                (place, false)
            }
            Err(_) if self.room() == 0 => return Err(Full),
            Err(place) => {
                self.len += 1;
                (place, true)
            }
        };
        self.unjournaled += usize::from(!delta.journaled);
        self.put(place, delta.sector.0, code);
        Ok(new)
    }

    /// Removes a sector; true when it was there.
    pub fn remove(&mut self, sector: Sector) -> bool {
        let Ok(mut hole) = self.find(sector) else {
            return false;
        };
        if self.entry(hole).is_some_and(|old| !old.journaled) {
            self.unjournaled -= 1;
        }
        self.len -= 1;
        // Close the gap: move back every follower whose home does not lie behind the hole.
        let mut place = hole;
        for _ in 0..self.slots {
            place = self.behind(place);
            let Some(follower) = self.sector_at(place) else {
                break;
            };
            let home = self.home(follower);
            let distance_home = self.distance(home, place);
            let distance_hole = self.distance(hole, place);
            if distance_home >= distance_hole {
                let code = self.code_at(place);
                self.put(hole, follower, code);
                if place >= self.dumped {
                    // It is not in the dump yet, and must not be passed over.
                    self.dumped = self.dumped.min(hole);
                }
                hole = place;
            }
        }
        self.put(hole, u32::MAX, u32::MAX);
        true
    }

    /// Marks the entry at a place as held by a record page.
    pub fn mark(&mut self, place: usize) {
        let Some(sector) = self.sector_at(place) else {
            return;
        };
        let code = self.code_at(place);
        let bit = 1u32 << self.location_bits;
        if code & bit == 0 {
            self.unjournaled -= 1;
            self.put(place, sector, code | bit);
        }
    }

    /// Begins a dump: all entries are to be held by record pages from now on.
    pub fn begin_dump(&mut self) {
        self.dumped = 0;
    }

    /// True while there may be an entry that the dump has not come to.
    #[must_use]
    pub const fn dumping(&self) -> bool {
        self.dumped < self.slots
    }

    /// The next entry for the dump, of those that some record page holds already.
    pub fn next_dumped(&mut self) -> Option<Delta> {
        while self.dumped < self.slots {
            let entry = self.entry(self.dumped);
            self.dumped += 1;
            if let Some(delta) = entry.filter(|delta| delta.journaled) {
                return Some(delta);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOTS: usize = 64;

    fn delta(sector: u32) -> Delta {
        Delta {
            sector: Sector(sector),
            location: Location(sector),
            journaled: true,
        }
    }

    #[test]
    fn entries_of_every_width_are_what_was_inserted() {
        for (sector_width, location_width) in (1..=4).flat_map(|a| (1..=4).map(move |b| (a, b))) {
            let mut bytes = [0xFF; 8 * SLOTS];
            let location_bits = 8 * location_width as u32 - 1;
            let mut table = DeltaTable {
                bytes: &mut bytes[..(sector_width + location_width) * SLOTS],
                slots: SLOTS,
                sector_width,
                location_width,
                location_bits,
                media_slots: (1 << location_bits) - 1,
                len: 0,
                unjournaled: 0,
                dumped: SLOTS,
            };
            let most = u32::MAX >> (32 - 8 * sector_width);
            let deltas = (0..table.limit() as u32).map(|index| Delta {
                sector: Sector(most - 1 - index),
                location: Location(table.media_slots - 1 - index),
                journaled: index % 2 == 0,
            });
            let deltas: Vec<Delta> = deltas.collect();
            for &delta in &deltas {
                assert_eq!(table.insert(delta), Ok(true));
            }
            for &delta in &deltas {
                let place = table.find(delta.sector);
                let found = place.ok().and_then(|place| table.entry(place));
                assert_eq!(
                    found,
                    Some(delta),
                    "{sector_width} and {location_width} bytes"
                );
            }
            for &delta in &deltas {
                assert!(table.remove(delta.sector));
                assert_eq!(table.get(delta.sector), None);
            }
        }
    }

    #[test]
    fn a_dump_passes_no_entry_over_that_others_make_move() {
        let mut random = 1u32;
        let mut below = |limit: u32| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) % limit
        };
        for _ in 0..2000 {
            let mut bytes = [0xFF; SLOTS * 4];
            let mut table = DeltaTable {
                bytes: &mut bytes,
                slots: SLOTS,
                sector_width: 2,
                location_width: 2,
                location_bits: 15,
                media_slots: 1 << 14,
                len: 0,
                unjournaled: 0,
                dumped: SLOTS,
            };
            let mut held = [false; 256];
            for _ in 0..table.limit() {
                let sector = below(256);
                if table.insert(delta(sector)).is_ok() {
                    held[sector as usize] = true;
                }
            }
            table.begin_dump();
            while table.dumping() {
                for _ in 0..below(6) {
                    if let Some(delta) = table.next_dumped() {
                        held[delta.sector.0 as usize] = false;
                    }
                }
                let sector = below(256);
                if table.remove(Sector(sector)) {
                    held[sector as usize] = false;
                }
            }
            assert!(!held.contains(&true), "an entry is not in the dump");
        }
    }
}
