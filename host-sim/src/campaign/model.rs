//! What a disk should hold: a map beside the engine, with what a power cut may leave.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use crate::SplitMix64;

/// A version of a sector's contents: 0 is unwritten.
pub type Version = u64;

/// Things that happened to a sector that a message tells.
const NOTES_MAX: usize = 12;

/// The bytes of a version of a sector: any other version, or another sector, differs.
pub fn fill(sector: u32, version: Version, data: &mut [u8]) {
    if version == 0 {
        data.fill(0);
        return;
    }
    let mut random = SplitMix64::new(version ^ u64::from(sector) << 40);
    random.fill(data);
    data[..8].copy_from_slice(&version.to_le_bytes());
    data[8..12].copy_from_slice(&sector.to_le_bytes());
}

/// Something that happened to a sector.
#[derive(Debug, Clone, Copy)]
enum Note {
    Started(Version),
    Refused(Version),
    Durable(Version),
    Read(Version),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started(version) => write!(f, "started {version}"),
            Self::Refused(version) => write!(f, "refused {version}"),
            Self::Durable(version) => write!(f, "durable {version}"),
            Self::Read(version) => write!(f, "read {version}"),
        }
    }
}

/// The versions a sector may have after a cut.
#[derive(Debug, Clone, Default)]
struct Versions {
    /// Durable, or the newest that was read after a cut.
    durable: Version,
    /// Later ones, in order, that need not have survived, with the power session in which they were started.
    later: Vec<(Version, u32)>,
    notes: VecDeque<(Arc<str>, Note)>,
}

/// The model of a disk.
#[derive(Debug, Clone)]
pub struct Model {
    sectors: BTreeMap<u32, Versions>,
    next: Version,
    moment: Arc<str>,
    /// Power sessions so far.
    session: u32,
    /// The batch whose commit is not known to have happened.
    batch: Vec<(u32, Version)>,
}

impl Default for Model {
    fn default() -> Self {
        Self::new()
    }
}

impl Model {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self {
            sectors: BTreeMap::new(),
            next: 0,
            moment: Arc::from("start"),
            session: 0,
            batch: Vec::new(),
        }
    }

    /// A version that no sector ever had.
    pub fn fresh(&mut self) -> Version {
        self.next += 1;
        self.next
    }

    fn entry(&mut self, sector: u32) -> &mut Versions {
        self.sectors.entry(sector).or_default()
    }

    /// Names the moment, for the history.
    pub fn moment(&mut self, moment: String) {
        self.moment = Arc::from(moment);
    }

    fn note(&mut self, sector: u32, note: Note) {
        let moment = Arc::clone(&self.moment);
        let notes = &mut self.entry(sector).notes;
        if notes.len() == NOTES_MAX {
            notes.pop_front();
        }
        notes.push_back((moment, note));
    }

    /// The power comes back after a cut: what was not durable then may be there or not, and no flush makes that any better.
    pub fn power_cycled(&mut self) {
        self.session += 1;
    }

    /// A change was started: it may survive a cut.
    pub fn started(&mut self, sector: u32, version: Version) {
        self.note(sector, Note::Started(version));
        let session = self.session;
        // What a later change covers says nothing about the batch any more.
        self.batch.retain(|&(member, _)| member != sector);
        self.entry(sector).later.push((version, session));
    }

    /// The change of the sector that was started last was refused: it is not there, and what the sector was before it still is, decided or not.
    pub fn refused(&mut self, sector: u32) {
        let refused = self.entry(sector).later.pop();
        self.note(
            sector,
            Note::Refused(refused.map_or(0, |(version, _)| version)),
        );
    }

    /// A change of the sector was acknowledged as durable: no earlier version may come back.
    pub fn acknowledged(&mut self, sector: u32, version: Version) {
        self.note(sector, Note::Durable(version));
        let versions = self.entry(sector);
        if let Some(at) = versions
            .later
            .iter()
            .position(|&(later, _)| later == version)
        {
            versions.durable = version;
            versions.later.drain(..=at);
        }
    }

    /// The last change of the sector was acknowledged as durable, if there was one in this power session.
    pub fn durable(&mut self, sector: u32) {
        let newest = self.entry(sector).later.last().copied();
        if let Some((version, session)) = newest {
            if session == self.session {
                self.acknowledged(sector, version);
            }
        }
    }

    /// Everything started was acknowledged and flushed.
    pub fn flushed(&mut self) {
        self.flushed_but(&[]);
    }

    /// Everything started was acknowledged and flushed, except for these sectors, of which writes are in flight.
    pub fn flushed_but(&mut self, in_flight: &[u32]) {
        let sectors: Vec<u32> = self
            .sectors
            .iter()
            .filter(|(sector, versions)| !versions.later.is_empty() && !in_flight.contains(sector))
            .map(|(&sector, _)| sector)
            .collect();
        for sector in sectors {
            self.durable(sector);
        }
    }

    /// The commit of a batch was started: a cut may leave all of its members or none.
    pub fn batch_started(&mut self, members: &[(u32, Version)]) {
        for &(sector, version) in members {
            self.started(sector, version);
        }
        self.batch = members.to_vec();
    }

    /// The commit was acknowledged.
    pub fn batch_acknowledged(&mut self) {
        for (sector, version) in std::mem::take(&mut self.batch) {
            self.acknowledged(sector, version);
        }
    }

    /// Once every sector is settled after a cut: how much of the batch in question is there, if that is neither all nor nothing.
    pub fn torn_batch(&mut self) -> Option<String> {
        let batch = std::mem::take(&mut self.batch);
        let there = |&&(sector, version): &&(u32, Version)| self.current(sector) == version;
        let count = batch.iter().filter(there).count();
        (count != 0 && count != batch.len())
            .then(|| format!("{count} members of the batch {batch:?} are there"))
    }

    /// What the sector reads as while the power is on.
    #[must_use]
    pub fn current(&self, sector: u32) -> Version {
        self.sectors.get(&sector).map_or(0, |versions| {
            let newest = versions.later.last();
            newest.map_or(versions.durable, |&(version, _)| version)
        })
    }

    /// Whether the sector may read as this version after a cut; from then on it must.
    pub fn settle(&mut self, sector: u32, version: Version) -> bool {
        let versions = self.entry(sector);
        let legal = versions.durable == version
            || versions.later.iter().any(|&(later, _)| later == version);
        if legal {
            versions.durable = version;
            versions.later.clear();
        }
        self.note(sector, Note::Read(version));
        legal
    }

    /// The version that the bytes of a sector are, if they are one in full.
    #[must_use]
    pub fn identify(sector: u32, written: bool, data: &[u8]) -> Option<Version> {
        if !written {
            return data.iter().all(|&byte| byte == 0).then_some(0);
        }
        let version = u64::from_le_bytes(data[..8].try_into().ok()?);
        let mut expected = vec![0; data.len()];
        fill(sector, version, &mut expected);
        (version != 0 && expected == data).then_some(version)
    }

    /// What a sector may be, for a message.
    #[must_use]
    pub fn describe(&self, sector: u32) -> String {
        let Some(versions) = self.sectors.get(&sector) else {
            return "unwritten".to_owned();
        };
        let mut text = format!(
            "durable {} later (with session) {:?}; history:",
            versions.durable, versions.later
        );
        for (moment, note) in &versions.notes {
            text += &format!("\n{moment}: {note}");
        }
        text
    }
}
