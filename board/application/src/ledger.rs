//! What has been acknowledged, where a reset of the processor does not reach it.

use core::sync::atomic::{AtomicU32, Ordering};

/// Sectors that are written while the processor may be reset, from the first on: few, so that each is written often.
pub(crate) const SECTORS: u32 = 40;

const HEADER_WORDS: usize = 10;

/// Words that a reset leaves alone; in a section that is not initialised. Whoever provides them has to [`forget`] after anything but a reset by the
/// processor itself: what memory holds after a loss of power is neither right nor recognisably wrong.
pub type Kept = [AtomicU32; HEADER_WORDS + SECTORS as usize];

/// Words that nobody has written yet.
#[must_use]
pub const fn blank() -> Kept {
    [const { AtomicU32::new(0) }; HEADER_WORDS + SECTORS as usize]
}

/// Makes the words mean nothing.
pub fn forget(kept: &Kept) {
    Ledger(kept).close();
}

/// Two words that are in the ledger while it means something.
const OPEN: [u32; 2] = [0x4355_4553, 0x5441_4C47];

/// Words of the header.
#[derive(Clone, Copy)]
enum Field {
    Open,
    OpenToo,
    Seed,
    Rounds,
    Resets,
    NextMark,
    Acknowledged,
    Draws,
    PendingSector,
    PendingMark,
}

/// What sectors may read as, through any number of resets. Mark 0 stands for none.
///
/// Stores are made in the order of the calls: a reset between any two of them leaves a ledger that allows what is true.
pub(crate) struct Ledger<'k>(pub(crate) &'k Kept);

impl Ledger<'_> {
    fn get(&self, field: Field) -> u32 {
        self.0[field as usize].load(Ordering::SeqCst)
    }

    fn set(&self, field: Field, value: u32) {
        self.0[field as usize].store(value, Ordering::SeqCst);
    }

    fn mark(&self, sector: u32) -> Option<&AtomicU32> {
        let index = usize::try_from(sector).ok()?;
        self.0.get(HEADER_WORDS..)?.get(index)
    }

    /// Begins anew.
    pub(crate) fn open(&self, rounds: u32, seed: u32) {
        self.close();
        for word in self.0 {
            word.store(0, Ordering::SeqCst);
        }
        self.set(Field::Seed, seed);
        self.set(Field::Rounds, rounds);
        self.set(Field::OpenToo, OPEN[1]);
        self.set(Field::Open, OPEN[0]);
    }

    /// Means nothing from now on.
    pub(crate) fn close(&self) {
        self.set(Field::Open, 0);
    }

    /// True between [`open`](Self::open) and [`close`](Self::close).
    pub(crate) fn is_open(&self) -> bool {
        [self.get(Field::Open), self.get(Field::OpenToo)] == OPEN
    }

    /// Resets to be made.
    pub(crate) fn rounds(&self) -> u32 {
        self.get(Field::Rounds)
    }

    /// Resets that were made.
    pub(crate) fn resets(&self) -> u32 {
        self.get(Field::Resets)
    }

    /// One more was made.
    pub(crate) fn count_reset(&self) {
        self.set(Field::Resets, self.resets().saturating_add(1));
    }

    /// Writes that were acknowledged.
    pub(crate) fn acknowledged(&self) -> u32 {
        self.get(Field::Acknowledged)
    }

    /// A number that was not drawn before.
    pub(crate) fn draw(&self) -> u32 {
        let draws = self.get(Field::Draws).wrapping_add(1);
        self.set(Field::Draws, draws);
        crate::mark::random(self.get(Field::Seed).wrapping_add(draws))
    }

    /// A sector is going to be written; tells with which mark.
    pub(crate) fn begin_write(&self, sector: u32) -> u32 {
        let mark = self.get(Field::NextMark).wrapping_add(1).max(1);
        self.set(Field::NextMark, mark);
        self.set(Field::PendingSector, sector);
        self.set(Field::PendingMark, mark);
        mark
    }

    /// That write was acknowledged.
    pub(crate) fn end_write(&self) {
        let sector = self.get(Field::PendingSector);
        if let Some(word) = self.mark(sector) {
            word.store(self.get(Field::PendingMark), Ordering::SeqCst);
        }
        self.set(Field::PendingMark, 0);
        self.set(Field::Acknowledged, self.acknowledged().wrapping_add(1));
    }

    /// The last mark of a sector that was acknowledged, and the one in progress; 0 where there is none.
    pub(crate) fn allowed(&self, sector: u32) -> (u32, u32) {
        let last = self
            .mark(sector)
            .map_or(0, |word| word.load(Ordering::SeqCst));
        let pending = match self.get(Field::PendingSector) == sector {
            true => self.get(Field::PendingMark),
            false => 0,
        };
        (last, pending)
    }

    /// What a sector reads as after a reset it has to stay.
    pub(crate) fn settle(&self, sector: u32, mark: u32) {
        if let Some(word) = self.mark(sector) {
            word.store(mark, Ordering::SeqCst);
        }
        if self.get(Field::PendingSector) == sector {
            self.set(Field::PendingMark, 0);
        }
    }
}
