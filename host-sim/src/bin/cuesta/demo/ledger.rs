//! What the disk must hold, and what it may hold after a cut.
//!
//! A write that was acknowledged is durable; a trim is at the next flush. A cut leaves the request it hit done or not done, a batch done as a
//! whole or not at all, and trims that were not flushed undone at will. What was found after a cut stays.

use std::collections::BTreeMap;

use cuesta_sim::content;

use super::files::Files;

/// The contents of a sector, as they can be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Content {
    /// Never written, or trimmed.
    #[default]
    Unwritten,
    /// A piece of a file, in sectors.
    File {
        /// Which file.
        file: u32,
        /// Which of its sectors.
        piece: u32,
    },
    /// A version that no sector had before.
    Version(u32),
}

impl std::fmt::Display for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unwritten => f.write_str("nothing"),
            Self::File { file, piece } => write!(f, "piece {piece} of file {file}"),
            Self::Version(version) => write!(f, "version {version}"),
        }
    }
}

/// A stored copy of a file.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Which file.
    pub file: u32,
    /// First sector.
    pub first: u32,
    /// Sectors.
    pub count: u32,
}

/// The books.
#[derive(Debug)]
pub struct Ledger {
    sector_bytes: usize,
    files: Vec<Vec<u8>>,
    pub extents: Vec<Extent>,
    now: Vec<Content>,
    /// What sectors may hold instead, should the power be cut now.
    instead: BTreeMap<u32, Vec<Content>>,
    /// Members of a batch whose commit was cut: all of them or none.
    batch: Vec<(u32, Content)>,
    /// Sectors changed since the power came.
    recent: Vec<u32>,
    versions: u32,
    expected: Vec<u8>,
}

impl Ledger {
    /// Books of an empty disk.
    pub fn new(sectors: u32, sector_bytes: u32) -> Self {
        Self {
            sector_bytes: sector_bytes as usize,
            files: Vec::new(),
            extents: Vec::new(),
            now: vec![Content::Unwritten; sectors as usize],
            instead: BTreeMap::new(),
            batch: Vec::new(),
            recent: Vec::new(),
            versions: 0,
            expected: vec![0; sector_bytes as usize],
        }
    }

    /// Sectors the books are kept of.
    pub fn sectors(&self) -> u32 {
        self.now.len() as u32
    }

    /// Lays out copies of the files until the sectors are used up. Returns how many copies of all files there are.
    pub fn lay_out(&mut self, files: &Files) -> u32 {
        self.files.clone_from(&files.contents);
        let mut first = 0;
        let mut copies = 0;
        loop {
            for (file, content) in (0..).zip(&self.files) {
                let count = content.len().div_ceil(self.sector_bytes) as u32;
                if first + count > self.sectors() {
                    return copies;
                }
                self.extents.push(Extent { file, first, count });
                first += count;
            }
            copies += 1;
        }
    }

    /// A version that no sector had before.
    pub fn fresh(&mut self) -> Content {
        self.versions += 1;
        Content::Version(self.versions)
    }

    /// Makes the bytes of `content` in `sector`.
    pub fn fill(&self, sector: u32, content: Content, data: &mut [u8]) {
        match content {
            Content::Unwritten => data.fill(0),
            Content::Version(version) => content::fill(sector, version, data),
            Content::File { file, piece } => {
                let start = piece as usize * self.sector_bytes;
                let bytes = &self.files[file as usize][start..];
                let bytes = &bytes[..bytes.len().min(data.len())];
                data[..bytes.len()].copy_from_slice(bytes);
                data[bytes.len()..].fill(0);
            }
        }
    }

    /// True when a cut could leave the sector in more than one state.
    pub fn is_doubtful(&self, sector: u32) -> bool {
        self.instead.contains_key(&sector) || self.batch.iter().any(|&(member, _)| member == sector)
    }

    /// A write is acknowledged.
    pub fn written(&mut self, sector: u32, content: Content) {
        self.instead.remove(&sector);
        self.now[sector as usize] = content;
        self.recent.push(sector);
    }

    /// A write was cut.
    pub fn write_cut(&mut self, sector: u32, content: Content) {
        self.instead.entry(sector).or_default().push(content);
    }

    /// A trim is acknowledged, or was cut: it need not have survived in either case.
    pub fn trimmed(&mut self, first: u32, count: u32, cut: bool) {
        for sector in first..first + count {
            let now = &mut self.now[sector as usize];
            if cut {
                self.instead
                    .entry(sector)
                    .or_default()
                    .push(Content::Unwritten);
            } else {
                self.instead.entry(sector).or_default().push(*now);
                *now = Content::Unwritten;
                self.recent.push(sector);
            }
        }
    }

    /// A flush is acknowledged.
    pub fn flushed(&mut self) {
        self.instead.clear();
    }

    /// A batch is committed.
    pub fn committed(&mut self, members: &[(u32, Content)]) {
        for &(sector, content) in members {
            self.written(sector, content);
        }
    }

    /// The commit of a batch was cut.
    pub fn commit_cut(&mut self, members: Vec<(u32, Content)>) {
        self.batch = members;
    }

    /// Sectors that the last cut could have touched. Forgets which those are.
    pub fn suspects(&mut self) -> Vec<u32> {
        let mut suspects = std::mem::take(&mut self.recent);
        suspects.extend(self.instead.keys());
        suspects.extend(self.batch.iter().map(|&(sector, _)| sector));
        suspects.sort_unstable();
        suspects.dedup();
        suspects
    }

    /// Sectors that must be looked at again, because looking was interrupted.
    pub fn look_again(&mut self, sectors: &[u32]) {
        self.recent.extend_from_slice(sectors);
    }

    /// True when a sector holds what it must while the power stays.
    pub fn agrees(&mut self, sector: u32, found: &[u8]) -> bool {
        self.holds(sector, self.now[sector as usize], found)
    }

    /// After a cut: compares a sector with all that it may hold, and settles on what was found. False when it holds something else.
    pub fn settle(&mut self, sector: u32, found: &[u8]) -> bool {
        if self.holds(sector, self.now[sector as usize], found) {
            self.instead.remove(&sector);
            return true;
        }
        let others = self.instead.get(&sector).cloned().unwrap_or_default();
        for content in others {
            if self.holds(sector, content, found) {
                self.now[sector as usize] = content;
                self.instead.remove(&sector);
                return true;
            }
        }
        false
    }

    /// Tells what was found in a sector, and what it may hold.
    pub fn explain(&mut self, sector: u32, found: &[u8]) -> String {
        let stored = self.extents.iter().find_map(|extent| {
            let piece = sector.checked_sub(extent.first)?;
            let file = extent.file;
            (piece < extent.count).then_some(Content::File { file, piece })
        });
        let known = (1..=self.versions)
            .rev()
            .map(Content::Version)
            .chain([Content::Unwritten])
            .chain(stored)
            .find(|&content| self.holds(sector, content, found));
        let found = match known {
            Some(content) => content.to_string(),
            None => "foreign bytes".to_owned(),
        };
        let mut legal = vec![self.now[sector as usize].to_string()];
        if let Some(others) = self.instead.get(&sector) {
            legal.extend(others.iter().map(ToString::to_string));
        }
        format!(
            "sector {sector} holds {found} instead of {}",
            legal.join(" or ")
        )
    }

    fn holds(&mut self, sector: u32, content: Content, found: &[u8]) -> bool {
        let mut expected = std::mem::take(&mut self.expected);
        self.fill(sector, content, &mut expected);
        let same = expected == found;
        self.expected = expected;
        same
    }

    /// The members of a batch whose commit was cut.
    pub fn open_batch(&self) -> Vec<(u32, Content)> {
        self.batch.clone()
    }

    /// The batch was found to have taken effect, or not: from now on that is so.
    pub fn settle_batch(&mut self, committed: bool) {
        for (sector, content) in std::mem::take(&mut self.batch) {
            if committed {
                self.written(sector, content);
            }
        }
    }

    /// True when `found` is the new contents of a batch's member.
    pub fn is_member(&mut self, sector: u32, content: Content, found: &[u8]) -> bool {
        self.holds(sector, content, found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(ledger: &Ledger, sector: u32, content: Content) -> Vec<u8> {
        let mut data = vec![0; 512];
        ledger.fill(sector, content, &mut data);
        data
    }

    #[test]
    fn an_acknowledged_write_is_the_only_legal_state() {
        let mut ledger = Ledger::new(10, 512);
        let (old, new) = (ledger.fresh(), ledger.fresh());
        ledger.written(3, old);
        ledger.written(3, new);
        let found = bytes(&ledger, 3, old);
        assert!(!ledger.settle(3, &found));
        let found = bytes(&ledger, 3, new);
        assert!(ledger.settle(3, &found));
    }

    #[test]
    fn a_write_that_was_cut_is_there_or_not_and_then_stays_so() {
        for taken in [false, true] {
            let mut ledger = Ledger::new(10, 512);
            let (old, new) = (ledger.fresh(), ledger.fresh());
            ledger.written(3, old);
            ledger.write_cut(3, new);
            let found = bytes(&ledger, 3, if taken { new } else { old });
            assert!(ledger.settle(3, &found));
            let other = bytes(&ledger, 3, if taken { old } else { new });
            assert!(!ledger.settle(3, &other));
        }
    }

    #[test]
    fn a_trim_is_certain_after_the_flush_only() {
        let mut ledger = Ledger::new(10, 512);
        let old = ledger.fresh();
        ledger.written(3, old);
        let before = bytes(&ledger, 3, old);
        ledger.trimmed(3, 1, false);
        assert!(ledger.is_doubtful(3));
        ledger.flushed();
        assert!(!ledger.settle(3, &before));
        assert!(ledger.settle(3, &[0; 512]));
    }

    #[test]
    fn files_are_laid_out_until_the_next_one_does_not_fit() {
        let mut ledger = Ledger::new(10, 512);
        let files = Files {
            source: String::new(),
            contents: vec![vec![1; 513], vec![2; 1]],
        };
        assert_eq!(ledger.lay_out(&files), 3);
        assert_eq!(ledger.extents.len(), 6);
        let piece = Content::File { file: 0, piece: 1 };
        assert_eq!(bytes(&ledger, 1, piece)[..2], [1, 0]);
    }
}
