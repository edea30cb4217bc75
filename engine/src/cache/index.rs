//! Which tag has a key: a table of tag numbers, searched from the place that the key's hash gives.

use super::key::Key;
use super::tag::Tag;

/// Most pages of a cache: an entry has 24 bits for one, and 0 for none.
pub const PAGES_MAX: u32 = (1 << 24) - 2;

/// Open addressing with linear probing, at a load of 4/5. An entry holds 8 bits of the hash, so that a search looks into few tags that are not
/// the one. What is taken out leaves no gap: those behind it move up (Knuth, TAOCP 3, 6.4, algorithm R).
#[derive(Debug)]
pub(super) struct Index<'m> {
    entries: &'m mut [u32],
}

/// Entries for so many pages.
pub(super) const fn entries(pages: usize) -> usize {
    pages + pages.div_ceil(4) + 1
}

impl<'m> Index<'m> {
    pub fn new(entries: &'m mut [u32]) -> Self {
        entries.fill(0);
        Self { entries }
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.entries.fill(0);
    }

    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.entries.len() as u64) >> 32) as usize
    }

    const fn entry(hash: u32, tag: u32) -> u32 {
        (tag + 1) << 8 | hash & 0xff
    }

    /// The tag of a key. Looks at no more entries than there are; about three if it is there, a dozen if not.
    #[inline]
    pub fn find(&self, tags: &[Tag], key: Key) -> Option<u32> {
        let hash = key.hash();
        let (before, from) = self.entries.split_at_checked(self.home(hash))?;
        for part in [from, before] {
            for &entry in part {
                if (entry ^ hash) & 0xff == 0 && entry != 0 {
                    let tag = (entry >> 8) - 1;
                    let found = tags.get(tag as usize)?;
                    if found.page == key.page && found.source == key.source {
                        return Some(tag);
                    }
                } else if entry == 0 {
                    return None;
                }
            }
        }
        None
    }

    /// Enters a tag; it must not be there.
    pub fn insert(&mut self, key: Key, tag: u32) {
        let hash = key.hash();
        let len = self.entries.len();
        let mut at = self.home(hash);
        for _ in 0..len {
            if self.entries[at] == 0 {
                self.entries[at] = Self::entry(hash, tag);
                return;
            }
            at = if at + 1 == len { 0 } else { at + 1 };
        }
    }

    /// Takes a tag out, while `tags` still says its key.
    pub fn remove(&mut self, tags: &[Tag], key: Key, tag: u32) {
        let len = self.entries.len();
        let entry = Self::entry(key.hash(), tag);
        let mut gap = self.home(key.hash());
        for _ in 0..len {
            match self.entries[gap] {
                0 => return,
                found if found == entry => break,
                _ => gap = if gap + 1 == len { 0 } else { gap + 1 },
            }
        }
        let mut at = gap;
        for _ in 0..len {
            at = if at + 1 == len { 0 } else { at + 1 };
            let entry = self.entries[at];
            if entry == 0 {
                break;
            }
            let Some(tag) = tags.get((entry >> 8) as usize - 1) else {
                break;
            };
            let home = self.home(tag.key().hash());
            // May it lie in the gap? Only if its home is not between the gap and where it lies.
            let stays = if gap < at {
                gap < home && home <= at
            } else {
                gap < home || home <= at
            };
            if !stays {
                self.entries[gap] = entry;
                gap = at;
            }
        }
        self.entries[gap] = 0;
    }
}
