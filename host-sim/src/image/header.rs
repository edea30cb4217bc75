//! The header of an image file: what it is, and of which part.
//!
//! | bytes | |
//! |---|---|
//! | 0..16 | magic |
//! | 16..20 | version of the format |
//! | 20..24 | CRC-32 of bytes 24..4096 |
//! | 24..56 | name of the chip, padded with zeros |
//! | 56.. | the geometry, a `u32` each, in the order of its fields; the runs of its own ECC in the spare and the reads that a block stands come last: images made before there were any hold zeros there, which is none |
//!
//! A reader of any version finds magic and version in the same place.

use super::entry::{crc, BLOCK_ENTRY_BYTES, PAGE_ENTRY_BYTES};
use cuesta_hal::{ChipEcc, EccNeed, Geometry, MarkerPages, MarkerPlace, Pairing, SpareRuns};

pub(super) const HEADER_BYTES: usize = 4096;
pub(super) const VERSION: u32 = 1;

const MAGIC: &[u8; 16] = b"Cuesta NAND img\0";
const CRC_AT: usize = 20;
const NAME_AT: usize = 24;
const NAME_BYTES: usize = 32;
const GEOMETRY_AT: usize = NAME_AT + NAME_BYTES;

/// What an image is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) chip_name: String,
    pub(super) geometry: Geometry,
}

/// Why bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderError {
    Foreign,
    Short,
    Newer(u32),
    Damaged,
}

/// Where things are in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    page_entries: u64,
    bytes: u64,
    raw_page_bytes: u64,
    pages: u64,
}

impl Layout {
    pub(super) const fn block_entry(&self, block: u32) -> u64 {
        HEADER_BYTES as u64 + block as u64 * BLOCK_ENTRY_BYTES as u64
    }

    pub(super) const fn page_entry(&self, page: usize) -> u64 {
        self.page_entries + page as u64 * PAGE_ENTRY_BYTES as u64
    }

    pub(super) const fn page_bytes(&self, page: usize) -> u64 {
        self.bytes + page as u64 * self.raw_page_bytes
    }

    pub(super) const fn file_bytes(&self) -> u64 {
        self.bytes + self.pages * self.raw_page_bytes
    }
}

impl Header {
    pub(super) fn layout(&self) -> Layout {
        let blocks = u64::from(self.geometry.blocks());
        let page_entries = HEADER_BYTES as u64 + blocks * BLOCK_ENTRY_BYTES as u64;
        let end = page_entries + self.geometry.pages() * PAGE_ENTRY_BYTES as u64;
        Layout {
            page_entries,
            bytes: end.next_multiple_of(HEADER_BYTES as u64),
            raw_page_bytes: u64::from(self.geometry.raw_page_bytes()),
            pages: self.geometry.pages(),
        }
    }

    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..16].copy_from_slice(MAGIC);
        bytes[16..20].copy_from_slice(&VERSION.to_le_bytes());
        let name = self.chip_name.as_bytes();
        let name = &name[..name.len().min(NAME_BYTES)];
        bytes[NAME_AT..NAME_AT + name.len()].copy_from_slice(name);
        let words = geometry_words(&self.geometry);
        for (place, word) in bytes[GEOMETRY_AT..].chunks_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        let crc = crc(&bytes[NAME_AT..]);
        bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        if bytes.get(..16) != Some(MAGIC) {
            return Err(HeaderError::Foreign);
        }
        let word = |at: usize| {
            bytes
                .get(at..at + 4)
                .and_then(|bytes| bytes.try_into().ok())
                .map(u32::from_le_bytes)
                .ok_or(HeaderError::Short)
        };
        let version = word(16)?;
        if version > VERSION {
            return Err(HeaderError::Newer(version));
        }
        if bytes.len() < HEADER_BYTES {
            return Err(HeaderError::Short);
        }
        if version == 0 || crc(&bytes[NAME_AT..HEADER_BYTES]) != word(CRC_AT)? {
            return Err(HeaderError::Damaged);
        }
        let name = &bytes[NAME_AT..GEOMETRY_AT];
        let end = name
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(NAME_BYTES);
        let words = bytes[GEOMETRY_AT..]
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        let geometry = geometry_of(words).ok_or(HeaderError::Damaged)?;
        geometry.validate().map_err(|_| HeaderError::Damaged)?;
        Ok(Self {
            chip_name: String::from_utf8(name[..end].to_vec()).map_err(|_| HeaderError::Damaged)?,
            geometry,
        })
    }
}

fn geometry_words(g: &Geometry) -> [u32; 31] {
    let marker = g.bad_block_marker;
    let ecc = g.chip_ecc;
    let [free, protected, owned] = ecc.map_or([[0; 3]; 3], |ecc| {
        [ecc.free, ecc.protected, ecc.owned]
            .map(|runs| [runs.first, runs.len, runs.stride].map(u32::from))
    });
    let (paired, distance) = match g.pairing {
        Pairing::None => (0, 0),
        Pairing::Distance(distance) => (1, distance),
    };
    [
        g.dies.into(),
        g.blocks_per_die,
        g.pages_per_block.into(),
        g.page_bytes,
        g.spare_bytes.into(),
        g.buffers_per_die.into(),
        g.planes_per_die.into(),
        g.partial_programs_max.into(),
        g.bad_blocks_max_per_die,
        g.endurance_cycles,
        match marker.pages {
            MarkerPages::First => 0,
            MarkerPages::FirstOrSecond => 1,
            MarkerPages::FirstOrLast => 2,
        },
        marker.spare_offset.into(),
        marker.len.into(),
        ecc.is_some().into(),
        ecc.map_or(0, |ecc| ecc.strength).into(),
        ecc.map_or(0, |ecc| ecc.codeword_bytes).into(),
        ecc.is_some_and(|ecc| ecc.enabled).into(),
        g.ecc_need.bits.into(),
        g.ecc_need.per_bytes.into(),
        paired,
        distance.into(),
        free[0],
        free[1],
        free[2],
        protected[0],
        protected[1],
        protected[2],
        owned[0],
        owned[1],
        owned[2],
        g.reads_per_block_max,
    ]
}

fn geometry_of(mut words: impl Iterator<Item = u32>) -> Option<Geometry> {
    let mut word = || words.next();
    let mut geometry = Geometry {
        dies: word()?.try_into().ok()?,
        blocks_per_die: word()?,
        pages_per_block: word()?.try_into().ok()?,
        page_bytes: word()?,
        spare_bytes: word()?.try_into().ok()?,
        buffers_per_die: word()?.try_into().ok()?,
        planes_per_die: word()?.try_into().ok()?,
        partial_programs_max: word()?.try_into().ok()?,
        bad_blocks_max_per_die: word()?,
        endurance_cycles: word()?,
        // Among the last words.
        reads_per_block_max: 0,
        bad_block_marker: MarkerPlace {
            pages: match word()? {
                0 => MarkerPages::First,
                1 => MarkerPages::FirstOrSecond,
                2 => MarkerPages::FirstOrLast,
                _ => return None,
            },
            spare_offset: word()?.try_into().ok()?,
            len: word()?.try_into().ok()?,
        },
        chip_ecc: {
            let there = word()? != 0;
            let ecc = ChipEcc {
                strength: word()?.try_into().ok()?,
                codeword_bytes: word()?.try_into().ok()?,
                enabled: word()? != 0,
                free: SpareRuns::NONE,
                protected: SpareRuns::NONE,
                owned: SpareRuns::NONE,
            };
            there.then_some(ecc)
        },
        ecc_need: EccNeed {
            bits: word()?.try_into().ok()?,
            per_bytes: word()?.try_into().ok()?,
        },
        pairing: match (word()?, word()?) {
            (0, _) => Pairing::None,
            (1, distance) => Pairing::Distance(distance.try_into().ok()?),
            _ => return None,
        },
    };
    let mut spare = [SpareRuns::NONE; 3];
    for runs in &mut spare {
        *runs = SpareRuns {
            first: word()?.try_into().ok()?,
            len: word()?.try_into().ok()?,
            stride: word()?.try_into().ok()?,
        };
    }
    if let Some(ecc) = &mut geometry.chip_ecc {
        [ecc.free, ecc.protected, ecc.owned] = spare;
    }
    geometry.reads_per_block_max = word()?;
    Some(geometry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chips;

    #[test]
    fn the_header_of_every_chip_reads_back() {
        for chip in chips() {
            let header = Header {
                chip_name: chip.name.to_owned(),
                geometry: chip.geometry,
            };
            assert_eq!(Header::decode(&header.encode()), Ok(header));
        }
    }

    #[test]
    fn an_image_of_before_says_nothing_of_the_spare_that_the_own_ecc_of_a_part_leaves() {
        let geometry = chips()[0].geometry;
        let mut words = geometry_words(&geometry);
        words[21..].fill(0);
        let found = geometry_of(words.into_iter().chain([0; 100])).and_then(|old| old.chip_ecc);
        let known = geometry.chip_ecc.expect("a part with an ECC of its own");
        let expected = ChipEcc {
            free: SpareRuns::NONE,
            protected: SpareRuns::NONE,
            owned: SpareRuns::NONE,
            ..known
        };
        assert_eq!(found, Some(expected));
        assert_ne!(found, Some(known));
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let header = Header {
            chip_name: "tiny".to_owned(),
            geometry: chips()[0].geometry,
        };
        let good = header.encode();
        for bit in 0..200 * 8 {
            let mut bytes = good;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&bytes).is_err(), "bit {bit}");
        }
    }
}
