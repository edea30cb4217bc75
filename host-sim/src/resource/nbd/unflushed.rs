//! What was written and not flushed: what a server that is cut may lose, after it has acknowledged it.

use std::collections::BTreeMap;
use std::sync::Arc;

use cuesta::volume::Sector;

use super::operation::{Deed, Operation};

/// Ranges are taken for as many bytes as so many of them take in memory.
const TRIM_BYTES: usize = 1 << 10;

/// When a request was answered, as a number that grows; not yet if there is none.
type Settled = Option<u64>;

/// What was written and trimmed since the last flush, the newest of each sector. Trims are older than the writes within them: a trim ends what was written before.
#[derive(Debug, Default)]
pub(super) struct Unflushed {
    writes: BTreeMap<u32, (u64, Arc<[u8]>, Settled)>,
    trims: Vec<(u64, Sector, u32, Settled)>,
    bytes: usize,
    clock: u64,
}

impl Unflushed {
    /// Bytes that are kept.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// All that is settled at the moment is at most this.
    pub const fn mark(&self) -> u64 {
        self.clock
    }

    /// A request was sent.
    pub fn started(&mut self, operation: &Operation) {
        match &operation.deed {
            Deed::Write(sector, data) => {
                self.bytes += data.len();
                let kept = (operation.id, Arc::clone(data), None);
                if let Some((_, older, _)) = self.writes.insert(sector.0, kept) {
                    self.bytes -= older.len();
                }
            }
            Deed::Trim(first, count) => {
                if self.trims.iter().any(|(id, ..)| *id == operation.id) {
                    return;
                }
                let ended: Vec<u32> = self
                    .writes
                    .range(first.0..first.0 + count)
                    .map(|(&sector, _)| sector)
                    .collect();
                for sector in ended {
                    self.forget_write(sector);
                }
                self.bytes += TRIM_BYTES;
                self.trims.push((operation.id, *first, *count, None));
            }
            Deed::Read(_) | Deed::Flush => {}
        }
    }

    /// A request was answered, or is waited for no longer.
    pub fn settle(&mut self, operation: &Operation) {
        self.clock += 1;
        let now = self.clock;
        if let Some(place) = self.place(operation) {
            *place = Some(now);
        }
    }

    /// A request was answered with an error: nothing is known of its sectors.
    pub fn failed(&mut self, operation: &Operation) {
        match &operation.deed {
            Deed::Write(sector, _) if self.place(operation).is_some() => {
                self.forget_write(sector.0);
            }
            Deed::Trim(..) => {
                let before = self.trims.len();
                self.trims.retain(|(id, ..)| *id != operation.id);
                self.bytes -= (before - self.trims.len()) * TRIM_BYTES;
            }
            _ => {}
        }
    }

    /// A flush that was sent at `mark` was answered.
    pub fn flushed(&mut self, mark: u64) {
        let covered = |settled: &Settled| settled.is_some_and(|at| at <= mark);
        self.writes.retain(|_, (_, _, settled)| !covered(settled));
        self.trims.retain(|(.., settled)| !covered(settled));
        self.count();
    }

    /// Forgets what lies beyond so many sectors; says how many of them had been acknowledged.
    pub fn cut(&mut self, sectors: u32) -> u32 {
        let beyond = self.writes.split_off(&sectors);
        let lost = beyond.values().filter(|kept| kept.2.is_some()).count();
        // What was trimmed there reads as nothing more.
        for (_, first, count, _) in &mut self.trims {
            *count = (*count).min(sectors.saturating_sub(first.0));
        }
        self.trims.retain(|(_, _, count, _)| *count > 0);
        self.count();
        u32::try_from(lost).unwrap_or(u32::MAX)
    }

    /// All that was acknowledged, in an order in which it may be done again.
    pub fn settled(&self) -> Vec<Deed> {
        let trims = self
            .trims
            .iter()
            .filter(|(.., settled)| settled.is_some())
            .map(|&(_, first, count, _)| Deed::Trim(first, count));
        let writes = self
            .writes
            .iter()
            .filter(|(_, (_, _, settled))| settled.is_some())
            .map(|(&sector, (_, data, _))| Deed::Write(Sector(sector), Arc::clone(data)));
        trims.chain(writes).collect()
    }

    /// Where it is written down when the request was answered; nowhere if it is not kept.
    fn place(&mut self, operation: &Operation) -> Option<&mut Settled> {
        match &operation.deed {
            Deed::Write(sector, _) => self
                .writes
                .get_mut(&sector.0)
                .filter(|kept| kept.0 == operation.id)
                .map(|kept| &mut kept.2),
            Deed::Trim(..) => self
                .trims
                .iter_mut()
                .find(|kept| kept.0 == operation.id)
                .map(|kept| &mut kept.3),
            Deed::Read(_) | Deed::Flush => None,
        }
    }

    fn forget_write(&mut self, sector: u32) {
        if let Some((_, data, _)) = self.writes.remove(&sector) {
            self.bytes -= data.len();
        }
    }

    fn count(&mut self) {
        let writes: usize = self.writes.values().map(|kept| kept.1.len()).sum();
        self.bytes = writes + self.trims.len() * TRIM_BYTES;
    }
}
