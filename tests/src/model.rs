//! What a disk should hold: a map beside the engine, with what a power cut may leave.

use std::collections::BTreeMap;

use cuesta_sim::SplitMix64;

/// A version of a sector's contents: 0 is unwritten.
pub type Version = u64;

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

/// The versions a sector may have after a cut.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Versions {
    /// Durable, or the newest that was read after a cut.
    durable: Version,
    /// Later ones, in order, that need not have survived.
    later: Vec<Version>,
}

/// The model of a disk.
#[derive(Debug, Clone, Default)]
pub struct Model {
    sectors: BTreeMap<u32, Versions>,
    next: Version,
    history: BTreeMap<u32, Vec<String>>,
    moment: String,
}

impl Model {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A version that no sector ever had.
    pub fn fresh(&mut self) -> Version {
        self.next += 1;
        self.next
    }

    fn entry(&mut self, sector: u32) -> &mut Versions {
        self.sectors.entry(sector).or_insert(Versions {
            durable: 0,
            later: Vec::new(),
        })
    }

    /// Names the moment, for the history.
    pub fn moment(&mut self, moment: String) {
        self.moment = moment;
    }

    fn note(&mut self, sector: u32, what: &str) {
        let line = format!("{}: {what}", self.moment);
        self.history.entry(sector).or_default().push(line);
    }

    /// A change was started: it may survive a cut.
    pub fn started(&mut self, sector: u32, version: Version) {
        self.note(sector, &format!("started {version}"));
        self.entry(sector).later.push(version);
    }

    /// The last change of the sector was acknowledged as durable.
    pub fn durable(&mut self, sector: u32) {
        self.note(sector, "durable");
        let versions = self.entry(sector);
        if let Some(&newest) = versions.later.last() {
            versions.durable = newest;
            versions.later.clear();
        }
    }

    /// Everything started was acknowledged and flushed.
    pub fn flushed(&mut self) {
        let sectors: Vec<u32> = self.sectors.keys().copied().collect();
        for sector in sectors {
            self.durable(sector);
        }
    }

    /// What the sector reads as while the power is on.
    #[must_use]
    pub fn current(&self, sector: u32) -> Version {
        self.sectors.get(&sector).map_or(0, |versions| {
            versions.later.last().copied().unwrap_or(versions.durable)
        })
    }

    /// Whether the sector may read as this version after a cut; from then on it must.
    pub fn settle(&mut self, sector: u32, version: Version) -> bool {
        self.note(sector, &format!("read {version}"));
        let versions = self.entry(sector);
        let legal = versions.durable == version || versions.later.contains(&version);
        if legal {
            versions.durable = version;
            versions.later.clear();
        }
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
        let history = self.history.get(&sector).cloned().unwrap_or_default();
        let recent: Vec<String> = history.into_iter().rev().take(12).rev().collect();
        match self.sectors.get(&sector) {
            Some(versions) => format!(
                "durable {} later {:?}; history:\n{}",
                versions.durable,
                versions.later,
                recent.join("\n")
            ),
            None => "unwritten".to_owned(),
        }
    }
}
