//! Pages that say what nobody wrote, with checks that agree.

use cuesta::codec::crc::Seed;
use cuesta::codec::{Header, HeaderState, Kind, PageLayout};
use cuesta_hal::{Nand, PageAddress};

use crate::campaign::damage::{overwrite_page, place_of};
use crate::campaign::rig::Rig;
use crate::SplitMix64;

/// What is changed.
#[derive(Debug, Clone)]
pub enum Forgery {
    /// A field of the header, by its number.
    Header {
        /// Which.
        field: u8,
        /// Its value, of which as many bits count as the field has.
        value: u64,
    },
    /// Bytes of the payload.
    Payload {
        /// The first.
        at: u32,
        /// What they become.
        bytes: Vec<u8>,
    },
}

/// Fields of a header.
const FIELDS: u64 = 9;

impl Forgery {
    /// One of them: small and large numbers, and single bits, are where decoders go wrong.
    pub(super) fn draw(random: &mut SplitMix64) -> Self {
        let value = match random.below(4) {
            0 => random.below(16),
            1 => u64::MAX - random.below(16),
            2 => 1 << random.below(48),
            _ => random.next(),
        };
        if random.chance(1, 3) {
            return Self::Header {
                field: random.below(FIELDS) as u8,
                value,
            };
        }
        let len = 1 << random.below(4);
        let most = 2 << random.below(9);
        Self::Payload {
            at: random.below(most) as u32,
            bytes: value.to_le_bytes()[..len].to_vec(),
        }
    }
}

fn change(header: Header, field: u8, value: u64) -> Header {
    let kinds = [
        Kind::Data,
        Kind::Map,
        Kind::Record,
        Kind::Parity,
        Kind::Anchor,
        Kind::Padding,
    ];
    let mut header = header;
    match field {
        0 => header.kind = kinds[(value % kinds.len() as u64) as usize],
        1 => header.level = value as u8,
        2 => header.span = value as u8,
        3 => header.time = value & ((1 << 48) - 1),
        4 => header.stream = value as u8,
        5 => header.erases = value as u32 & 0x00FF_FFFF,
        6 => header.id = value as u32,
        7 => header.birth = value as u32,
        _ => header.flags = value as u8,
    }
    header
}

/// Changes a page of a disk with one level, if it can be read.
pub(super) fn forge(rig: &mut Rig, page: PageAddress, forgery: &Forgery) {
    let geometry = *rig.nand.geometry();
    let Ok(layout) = PageLayout::new(&geometry, rig.parameters.sector_bytes) else {
        return;
    };
    let at = place_of(&rig.nand, page);
    let number = at.block * u32::from(geometry.pages_per_block) + u32::from(at.page);
    let place = number * layout.units();
    let mut raw = rig.nand.true_bytes(page);
    let mut headers = Vec::new();
    for unit in 0..layout.units() {
        match layout.read_header(&raw, unit, place + unit) {
            HeaderState::Valid(header) => headers.push(header),
            _ => break,
        }
    }
    if headers.is_empty() {
        return;
    }
    match forgery {
        Forgery::Header { field, value } => headers[0] = change(headers[0], *field, *value),
        Forgery::Payload { at, bytes } => {
            let start = *at as usize % geometry.page_bytes as usize;
            let end = (start + bytes.len()).min(geometry.page_bytes as usize);
            raw[start..end].copy_from_slice(&bytes[..end - start]);
        }
    }
    let volume = if headers[0].kind == Kind::Anchor {
        0
    } else {
        rig.parameters.volume_id
    };
    layout.encode(&mut raw, &headers, Seed { volume, place });
    overwrite_page(&mut rig.nand, page, raw);
}
