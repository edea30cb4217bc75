//! The entries of blocks and pages in an image file.
//!
//! | block entry, 16 B | | page entry, 16 B | |
//! |---|---|---|---|
//! | 0..4 | erases | 0 | programs |
//! | 4 | 1 factory-bad, 2 not erased | 1 | condition: 0 sound, 1 torn, 2 unstable, 3 looks erased, 4 decaying, 5 damaged |
//! | 5..16 | 0 | 2..4 | good reads left |
//! | | | 4 | 1 has bytes, 2 in progress |
//! | | | 8..12 | CRC-32 of the bytes |

use crate::media::{BlockState, Condition, PageState};

pub(super) const BLOCK_ENTRY_BYTES: usize = 16;
pub(super) const PAGE_ENTRY_BYTES: usize = 16;

const FACTORY_BAD: u8 = 1;
const NOT_ERASED: u8 = 2;
const HAS_BYTES: u8 = 1;
const IN_PROGRESS: u8 = 2;

static CRC: crc::Crc<u32, crc::Table<16>> =
    crc::Crc::<u32, crc::Table<16>>::new(&crc::CRC_32_ISO_HDLC);

pub(super) fn crc(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}

pub(super) fn encode_block(state: BlockState) -> [u8; BLOCK_ENTRY_BYTES] {
    let mut entry = [0; BLOCK_ENTRY_BYTES];
    entry[..4].copy_from_slice(&state.erases.to_le_bytes());
    entry[4] =
        if state.factory_bad { FACTORY_BAD } else { 0 } | if state.erased { 0 } else { NOT_ERASED };
    entry
}

/// Nothing if the entry makes no sense. The next page follows from the page entries.
pub(super) fn decode_block(entry: &[u8]) -> Option<BlockState> {
    let flags = *entry.get(4)?;
    (flags & !(FACTORY_BAD | NOT_ERASED) == 0).then_some(())?;
    Some(BlockState {
        erases: u32::from_le_bytes(entry.get(..4)?.try_into().ok()?),
        factory_bad: flags & FACTORY_BAD != 0,
        erased: flags & NOT_ERASED == 0,
        next_page: 0,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PageEntry {
    pub(super) state: PageState,
    pub(super) has_bytes: bool,
    pub(super) in_progress: bool,
    pub(super) crc: u32,
}

impl PageEntry {
    pub(super) fn encode(self) -> [u8; PAGE_ENTRY_BYTES] {
        let (tag, good_reads) = match self.state.condition {
            Condition::Sound => (0, 0),
            Condition::Torn => (1, 0),
            Condition::Unstable => (2, 0),
            Condition::LooksErased => (3, 0),
            Condition::Decaying { good_reads } => (4, good_reads),
            Condition::Damaged => (5, 0),
        };
        let mut entry = [0; PAGE_ENTRY_BYTES];
        entry[0] = self.state.programs;
        entry[1] = tag;
        entry[2..4].copy_from_slice(&u16::to_le_bytes(good_reads));
        entry[4] = if self.has_bytes { HAS_BYTES } else { 0 }
            | if self.in_progress { IN_PROGRESS } else { 0 };
        entry[8..12].copy_from_slice(&self.crc.to_le_bytes());
        entry
    }

    /// Nothing if the entry makes no sense.
    pub(super) fn decode(entry: &[u8]) -> Option<Self> {
        let flags = *entry.get(4)?;
        (flags & !(HAS_BYTES | IN_PROGRESS) == 0).then_some(())?;
        let condition = match entry.get(1)? {
            0 => Condition::Sound,
            1 => Condition::Torn,
            2 => Condition::Unstable,
            3 => Condition::LooksErased,
            4 => Condition::Decaying {
                good_reads: u16::from_le_bytes(entry.get(2..4)?.try_into().ok()?),
            },
            5 => Condition::Damaged,
            _ => return None,
        };
        Some(Self {
            state: PageState {
                programs: *entry.first()?,
                condition,
            },
            has_bytes: flags & HAS_BYTES != 0,
            in_progress: flags & IN_PROGRESS != 0,
            crc: u32::from_le_bytes(entry.get(8..12)?.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_a_blank_page_of_a_fresh_block() {
        assert_eq!(PageEntry::decode(&[0; 16]), Some(PageEntry::default()));
        assert_eq!(PageEntry::default().encode(), [0; 16]);
        assert_eq!(decode_block(&[0; 16]), Some(BlockState::default()));
        assert_eq!(encode_block(BlockState::default()), [0; 16]);
    }

    #[test]
    fn every_entry_of_random_bytes_is_refused_or_reads_back() {
        let mut prng = crate::SplitMix64::new(3);
        let mut good = 0;
        for _ in 0..100_000 {
            let mut bytes = [0; 16];
            prng.fill(&mut bytes);
            bytes[1] %= 8;
            bytes[4] %= 8;
            if let Some(entry) = PageEntry::decode(&bytes) {
                good += 1;
                assert_eq!(PageEntry::decode(&entry.encode()), Some(entry));
            }
            if let Some(state) = decode_block(&bytes) {
                assert_eq!(decode_block(&encode_block(state)), Some(state));
            }
        }
        assert!(good > 10_000);
    }
}
