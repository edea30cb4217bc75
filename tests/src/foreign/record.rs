//! What a crate has done through a door, beside every moment at which the power could have gone.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use cuesta_sim::{Moment, Moments, RamMedia};

/// A record that a door and whoever looks on share.
pub type Recording = Rc<RefCell<Record>>;

/// A sector's bytes.
type Bytes = Arc<[u8]>;

/// What a part holds, by sector.
pub type Image = BTreeMap<u32, Bytes>;

/// A write or an erase, as what it leaves in each sector.
#[derive(Debug, Clone)]
pub struct Change {
    /// A cut leaves later sectors unchanged where it leaves one unchanged.
    pub in_order: bool,
    /// Sectors and their bytes.
    pub sectors: Vec<(u32, Bytes)>,
}

/// A point at which a run can go on with a cut instead.
#[derive(Debug)]
pub struct Branch {
    /// The part.
    pub moment: Moment<RamMedia>,
    /// Changes that were told to be done.
    pub changes: usize,
    /// One more had been asked for.
    pub in_flight: bool,
    /// Steps that were told to be done.
    pub steps: u32,
}

/// The record.
#[derive(Debug)]
pub struct Record {
    sector_bytes: usize,
    unwritten: u8,
    /// What a plain part would hold; sectors that were never touched are missing.
    pub image: Image,
    /// Everything that was done.
    pub changes: Vec<Change>,
    /// The moments.
    pub branches: Vec<Branch>,
    moments: Option<Moments<RamMedia>>,
    steps: u32,
}

impl Record {
    /// A record from a state of the part on.
    #[must_use]
    pub fn new(
        sector_bytes: usize,
        unwritten: u8,
        image: Image,
        moments: Option<Moments<RamMedia>>,
    ) -> Recording {
        Rc::new(RefCell::new(Self {
            sector_bytes,
            unwritten,
            image,
            changes: Vec::new(),
            branches: Vec::new(),
            moments,
            steps: 0,
        }))
    }

    /// A sector as a plain part would give it.
    #[must_use]
    pub fn sector(&self, sector: u32) -> Bytes {
        let blank = || vec![self.unwritten; self.sector_bytes].into();
        self.image.get(&sector).cloned().unwrap_or_else(blank)
    }

    /// The sectors of a range of bytes, with the part of the range and of the sector that each has.
    fn pieces(&self, offset: u64, len: usize) -> Vec<(u32, Range<usize>, Range<usize>)> {
        let mut done = 0;
        let mut pieces = Vec::new();
        while done < len {
            let at = offset as usize + done;
            let start = at % self.sector_bytes;
            let part = (self.sector_bytes - start).min(len - done);
            let sector = (at / self.sector_bytes) as u32;
            pieces.push((sector, done..done + part, start..start + part));
            done += part;
        }
        pieces
    }

    /// A write that is about to be asked for; `mix` gives a byte from the old and the new one.
    #[must_use]
    pub fn write(&self, offset: u64, bytes: &[u8], mix: impl Fn(u8, u8) -> u8) -> Change {
        let pieces = self.pieces(offset, bytes.len()).into_iter();
        let sectors = pieces.map(|(sector, given, within)| {
            let mut after = self.sector(sector).to_vec();
            for (old, new) in after[within].iter_mut().zip(&bytes[given]) {
                *old = mix(*old, *new);
            }
            (sector, after.into())
        });
        Change {
            in_order: true,
            sectors: sectors.collect(),
        }
    }

    /// An erase that is about to be asked for.
    #[must_use]
    pub fn erase(&self, from: u32, to: u32) -> Change {
        let blank: Bytes = vec![self.unwritten; self.sector_bytes].into();
        let bytes = self.sector_bytes as u32;
        Change {
            in_order: false,
            sectors: (from / bytes..to / bytes)
                .map(|sector| (sector, Arc::clone(&blank)))
                .collect(),
        }
    }

    /// The change was done, and told to be.
    pub fn done(&mut self, change: Change) {
        self.look(true);
        for (sector, after) in &change.sectors {
            self.image.insert(*sector, Arc::clone(after));
        }
        self.changes.push(change);
    }

    /// These bytes were read.
    ///
    /// # Panics
    /// When a plain part would have given others.
    pub fn read(&mut self, offset: u64, bytes: &[u8]) {
        self.look(false);
        for (sector, given, within) in self.pieces(offset, bytes.len()) {
            let plain = self.sector(sector);
            assert!(
                bytes[given] == plain[within],
                "{} bytes read at {offset}: sector {sector} is not as in plain memory",
                bytes.len()
            );
        }
    }

    /// Moments may have come, in which no more was known than now.
    pub fn look(&mut self, in_flight: bool) {
        let Some(moments) = &self.moments else {
            return;
        };
        let (changes, steps) = (self.changes.len(), self.steps);
        let branches = moments.take().into_iter().map(|moment| Branch {
            moment,
            changes,
            in_flight,
            steps,
        });
        self.branches.extend(branches);
    }

    /// A step was done, and told to be.
    pub fn step(&mut self) {
        self.look(false);
        self.steps += 1;
    }
}
