//! The referee: writes down what the array forbids, with the history of the block.

use cuesta_hal::{BlockAddress, PageIndex};
use std::sync::Arc;

/// A rule that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// A die, block, page or column that the part does not have.
    OutOfRange,
    /// A page buffer that the part does not have.
    NoSuchBuffer,
    /// An operation was started while the die executes another.
    DieBusy,
    /// A buffer was lent for writing while an operation in flight uses it.
    BufferInFlight,
    /// A page below the highest programmed page of its block.
    OutOfOrder,
    /// A page programmed more often than the part allows between two erases.
    Overprogrammed,
    /// A page that a power cut tore, programmed without an erase of its block.
    TornPage,
    /// A block whose last erase was torn or failed: it must be erased again.
    NotErased,
    /// A block that the factory marked bad.
    FactoryBad,
    /// A page of nothing but `0xFF` while the part's own ECC is on.
    BlankProgram,
    /// A page after a torn one of the same block (only where the referee was asked to watch it).
    AfterTornPage,
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::OutOfRange => "address outside the part",
            Self::NoSuchBuffer => "no such page buffer",
            Self::DieBusy => "the die is busy",
            Self::BufferInFlight => "the buffer is in flight",
            Self::OutOfOrder => "a later page of the block is already programmed",
            Self::Overprogrammed => "the page was programmed as often as the part allows",
            Self::TornPage => "a power cut tore the page; its block must be erased first",
            Self::NotErased => "the block's last erase did not succeed",
            Self::FactoryBad => "the factory marked the block bad",
            Self::BlankProgram => {
                "a blank page while the part's own ECC is on: it would not stay blank"
            }
            Self::AfterTornPage => "an earlier page of the block was torn by a power cut",
        })
    }
}

/// What was done to a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// A page was programmed.
    Programmed(PageIndex),
    /// A program reported failure.
    ProgramFailed(PageIndex),
    /// A power cut tore the programming of a page.
    ProgramTorn(PageIndex),
    /// A power cut damaged a page that shares cells with the one being programmed.
    PairDamaged(PageIndex),
    /// The block was erased.
    Erased,
    /// An erase reported failure.
    EraseFailed,
    /// A power cut tore the erase.
    EraseTorn,
    /// An attempt to program a page (of a violation).
    TriedProgram(PageIndex),
    /// An attempt to erase (of a violation).
    TriedErase,
    /// An attempt to read a page, or to use a buffer (of a violation).
    TriedOther,
}

/// A deed and when it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Number of the array operation, counted from 1 over the life of the part.
    pub operation: u64,
    /// What was done.
    pub deed: Deed,
}

/// A broken rule, with what led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// What was tried.
    pub tried: Record,
    /// Where.
    pub block: BlockAddress,
    /// The last deeds on that block, oldest first.
    pub history: Vec<Record>,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:?} on die {} block {} as operation {}: {}; before it:",
            self.tried.deed, self.block.die.0, self.block.block.0, self.tried.operation, self.rule
        )?;
        if self.history.is_empty() {
            f.write_str(" nothing")?;
        }
        for record in &self.history {
            write!(f, " #{} {:?};", record.operation, record.deed)?;
        }
        Ok(())
    }
}

const HISTORY_LEN: usize = 12;

/// Violations kept; further ones are only counted.
const VIOLATIONS_KEPT_MAX: usize = 64;

#[derive(Debug, Clone, Default)]
struct BlockHistory {
    ring: [Option<Record>; HISTORY_LEN],
    next: usize,
}

/// Keeps the history of every block and the violations. Cheap to clone: histories are shared until they change.
#[derive(Debug, Clone)]
pub(crate) struct Referee {
    pub(crate) strict: bool,
    pub(crate) watch_after_torn: bool,
    violations: Vec<Violation>,
    count: u64,
    histories: Vec<Arc<BlockHistory>>,
}

impl Referee {
    pub(crate) fn new(blocks: u32, strict: bool) -> Self {
        let none = Arc::new(BlockHistory::default());
        Self {
            strict,
            watch_after_torn: false,
            violations: Vec::new(),
            count: 0,
            histories: vec![none; blocks as usize],
        }
    }

    pub(crate) fn note(&mut self, block: u32, record: Record) {
        if let Some(history) = self.histories.get_mut(block as usize) {
            let history = Arc::make_mut(history);
            history.ring[history.next] = Some(record);
            history.next = (history.next + 1) % HISTORY_LEN;
        }
    }

    pub(crate) fn history(&self, block: u32) -> Vec<Record> {
        self.histories
            .get(block as usize)
            .map_or_else(Vec::new, |history| {
                let (newer, older) = history.ring.split_at(history.next);
                older.iter().chain(newer).flatten().copied().collect()
            })
    }

    /// Writes a violation down; `index` is the block's number in the whole part, if it has one.
    pub(crate) fn object(
        &mut self,
        rule: Rule,
        tried: Record,
        block: BlockAddress,
        index: Option<u32>,
    ) -> Rule {
        let violation = Violation {
            rule,
            tried,
            block,
            history: index.map_or_else(Vec::new, |index| self.history(index)),
        };
        assert!(!self.strict, "referee: {violation}");
        self.count += 1;
        if self.violations.len() < VIOLATIONS_KEPT_MAX {
            self.violations.push(violation);
        }
        rule
    }

    pub(crate) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }
}
