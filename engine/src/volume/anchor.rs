//! What anchor pages have in common: their places, the fixed part of a checkpoint, and the rings of blocks they lie in.

use cuesta_hal::{Geometry, PageAddress};
use heapless::Vec;

use super::address::Segment;
use super::parameters::{Parameters, FORMAT_VERSION, RINGS_MAX, RING_BLOCKS_MAX};
use super::wire::{Reader, Writer};

/// First bytes of a checkpoint.
const MAGIC: [u8; 8] = *b"CUESTA\x1A\n";

/// Log times there can be: headers have 48 bits for them.
const TIMES: u64 = 1 << 48;
/// No session begins at or behind this log time: it might run out of times.
pub(super) const TIME_END: u64 = TIMES / 2;
/// Most erases of a block: headers have 24 bits for them.
const ERASES_MAX: u32 = (1 << 24) - 1;

/// Number of an opening page, where others have the number of their part of the checkpoint.
pub(super) const OPENING: u32 = 0xFFFF;
/// Number of the page behind it, which holds nothing: when it is there, the program of the opening page was finished.
pub(super) const CONFIRMING: u32 = 0xFFFE;

/// Where in a place a page is, counted from the place's start for the first two, from the checkpoint's start for others.
pub(super) const fn page_at(id: u32) -> u32 {
    match id {
        OPENING => 0,
        CONFIRMING => 1,
        page => page,
    }
}

/// A position in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Position {
    pub segment: Segment,
    pub offset: u32,
    /// How many segments the journal had opened by then, wrapping.
    pub sequence: u16,
    /// Number of the first record page from there on.
    pub record: u16,
}

impl Position {
    pub(super) fn encode(&self, out: &mut Writer<'_>) {
        out.u32(self.segment.0);
        out.u32(self.offset);
        out.u16(self.sequence);
        out.u16(self.record);
    }

    pub(super) fn take(input: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            segment: Segment(input.u32()?),
            offset: input.u32()?,
            sequence: input.u16()?,
            record: input.u16()?,
        })
    }
}

/// The blocks of a ring, by their numbers.
pub(super) type RingBlocks = Vec<u32, RING_BLOCKS_MAX>;

/// The fixed part of a checkpoint.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub parameters: Parameters,
    pub dies: u16,
    pub blocks_per_die: u32,
    pub pages_per_block: u16,
    pub page_bytes: u32,
    pub spare_bytes: u16,
    pub clean: bool,
    pub sequence: u32,
    pub from: Position,
    pub time: u64,
    /// Log time from which on pages belong to attempts to begin a session that no checkpoint has committed; `u64::MAX` for none.
    pub void_from: u64,
    pub host_writes: u32,
    pub wear_base: u32,
    pub mapped: u32,
    /// What the mapped sectors take up.
    pub used: u64,
    pub rings: Vec<RingBlocks, RINGS_MAX>,
}

impl Head {
    /// What is known of a volume without anchors.
    pub(super) fn lost(geometry: &Geometry, parameters: Parameters) -> Self {
        Self {
            parameters,
            dies: geometry.dies,
            blocks_per_die: geometry.blocks_per_die,
            pages_per_block: geometry.pages_per_block,
            page_bytes: geometry.page_bytes,
            spare_bytes: geometry.spare_bytes,
            clean: false,
            sequence: 0,
            from: Position::default(),
            time: 0,
            void_from: u64::MAX,
            host_writes: 0,
            wear_base: 0,
            mapped: 0,
            used: 0,
            rings: Vec::new(),
        }
    }

    pub(super) fn encode(&self, out: &mut [u8]) {
        let mut out = Writer::new(out);
        out.bytes(&MAGIC);
        out.u16(FORMAT_VERSION);
        out.u16(u16::from(self.clean));
        out.u16(self.dies);
        out.u32(self.blocks_per_die);
        out.u16(self.pages_per_block);
        out.u32(self.page_bytes);
        out.u16(self.spare_bytes);
        out.u64(self.parameters.volume_id);
        out.u32(self.parameters.capacity);
        out.u32(self.parameters.sector_bytes);
        out.u16(self.parameters.width());
        out.u8(self.parameters.classes);
        out.u8(self.parameters.places());
        out.u8(self.parameters.redundancy());
        out.u32(self.sequence);
        self.from.encode(&mut out);
        out.u64(self.time);
        out.u64(self.void_from);
        out.u32(self.host_writes);
        out.u32(self.wear_base);
        out.u32(self.mapped);
        out.u64(self.used);
        for ring in &self.rings {
            out.u8(ring.len() as u8);
            for block in ring {
                out.u32(*block);
            }
        }
    }

    /// Format version of a head, whatever its version; `None` when it is none.
    pub(super) fn version(bytes: &[u8]) -> Option<u16> {
        let mut input = Reader::new(bytes);
        (input.bytes(8)? == MAGIC).then(|| input.u16())?
    }

    /// Decodes a head of this format version.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::new(bytes);
        if input.bytes(8)? != MAGIC || input.u16()? != FORMAT_VERSION {
            return None;
        }
        let clean = input.u16()? & 1 != 0;
        let dies = input.u16()?;
        let blocks_per_die = input.u32()?;
        let pages_per_block = input.u16()?;
        let page_bytes = input.u32()?;
        let spare_bytes = input.u16()?;
        let mut parameters = Parameters {
            volume_id: input.u64()?,
            capacity: input.u32()?,
            sector_bytes: input.u32()?,
            width: input.u16()?,
            classes: input.u8()?,
            levels: 0,
            copies: 0,
            parity: 0,
            system: 0,
        };
        (parameters.levels, parameters.system) = Parameters::split_places(input.u8()?);
        (parameters.copies, parameters.parity) = Parameters::split_redundancy(input.u8()?);
        let sequence = input.u32()?;
        let from = Position::take(&mut input)?;
        let time = input.u64()?;
        if time >= TIMES {
            return None;
        }
        let void_from = input.u64()?;
        let host_writes = input.u32()?;
        let wear_base = input.u32()?.min(ERASES_MAX);
        let mapped = input.u32()?;
        let used = input.u64()?;
        let mut rings = Vec::new();
        for _ in 0..parameters.rings(dies) {
            let mut ring = RingBlocks::new();
            for _ in 0..input.u8()? {
                ring.push(input.u32()?).ok()?;
            }
            rings.push(ring).ok()?;
        }
        Some(Self {
            parameters,
            dies,
            blocks_per_die,
            pages_per_block,
            page_bytes,
            spare_bytes,
            clean,
            sequence,
            from,
            time,
            void_from,
            host_writes,
            wear_base,
            mapped,
            used,
            rings,
        })
    }
}

/// The place that an anchor page's checks start from: its number among all pages, which does not depend on parameters that only
/// the anchor tells.
pub(super) const fn anchor_place(geometry: &Geometry, page: PageAddress, units: u32) -> u32 {
    let block = page.block.die.0 as u32 * geometry.blocks_per_die + page.block.block.0;
    // Parts so large that it wraps hold no volume.
    (block * geometry.pages_per_block as u32 + page.page.0 as u32).wrapping_mul(units)
}
