//! Keys of pages that have left a queue: what comes back soon shows that it was too short.

/// Ghosts of a row: the oldest of a row makes room.
pub(super) const ROW: usize = 16;

/// 16 bits of the hash of each key, in rows by the rest of it. A ghost stays about as long as the table has places; a row of 16 makes that
/// length vary by a quarter. A key is taken for another one's ghost with a probability of 16/65 536.
#[derive(Debug)]
pub(super) struct Ghosts<'m> {
    entries: &'m mut [u16],
    rows: usize,
}

/// Entries for so many ghosts.
pub(super) const fn entries(ghosts: usize) -> usize {
    ghosts.div_ceil(ROW) * ROW
}

const fn print(hash: u32) -> u16 {
    // 0 is for none.
    (hash & 0xffff) as u16 | ((hash & 0xffff) == 0) as u16
}

impl<'m> Ghosts<'m> {
    pub fn new(entries: &'m mut [u16]) -> Self {
        entries.fill(0);
        Self {
            rows: entries.len() / ROW,
            entries,
        }
    }

    /// Forgets all, and has places for so many, if there is memory for them.
    pub fn reset(&mut self, ghosts: usize) {
        self.entries.fill(0);
        self.rows = (entries(ghosts) / ROW).min(self.entries.len() / ROW);
    }

    fn row(&mut self, hash: u32) -> Option<&mut [u16]> {
        let row = ((u64::from(hash) * self.rows as u64) >> 32) as usize;
        self.entries.get_mut(row * ROW..(row + 1) * ROW)
    }

    /// A key has left.
    pub fn insert(&mut self, hash: u32) {
        if let Some(row) = self.row(hash) {
            row.copy_within(..ROW - 1, 1);
            row[0] = print(hash);
        }
    }

    /// How many of its row have left since, where the key has left lately; it is no ghost from then on.
    pub fn take(&mut self, hash: u32) -> Option<usize> {
        let row = self.row(hash)?;
        let at = row.iter().position(|&ghost| ghost == print(hash))?;
        row.copy_within(at + 1.., at);
        row[ROW - 1] = 0;
        Some(at)
    }
}
