//! What the driver has to know of a part.

use super::ecc_status::EccStatus;
use super::frame::CacheAddress;
use crate::Geometry;

/// Bytes that are asked for of a part's identity.
pub const ID_BYTES: usize = 4;

/// A part's answer to [`READ_ID`](super::opcode::READ_ID). Of most parts the first byte means nothing.
pub type IdAnswer = [u8; ID_BYTES];

/// How a part tells who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JedecId {
    /// Behind a byte that means nothing: maker, device, and on some parts more. Each is one variant of the part, as for other supply voltages.
    AfterDummy(&'static [&'static [u8]]),
    /// At once.
    AtOnce(&'static [&'static [u8]]),
}

impl JedecId {
    /// True when `answer` begins as this part's does.
    #[must_use]
    pub fn is_in(&self, answer: &IdAnswer) -> bool {
        let (bytes, ids) = match self {
            Self::AfterDummy(ids) => (answer.get(1..), ids),
            Self::AtOnce(ids) => (answer.get(..), ids),
        };
        bytes.is_some_and(|bytes| ids.iter().any(|id| bytes.starts_with(id)))
    }
}

/// A serial NAND part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpiNandChip {
    /// Name of the part, with `x` where variants differ.
    pub name: &'static str,
    /// Where the figures come from.
    pub sources: &'static str,
    /// How it is recognised.
    pub id: JedecId,
    /// Shape, with its own error correction off. One buffer; the driver says how many it was lent.
    pub geometry: Geometry,
    /// How columns of the cache are sent for reads.
    pub cache_address: CacheAddress,
    /// Each plane has a cache of its own, which commands on columns have to name: the block's lowest bit.
    pub has_plane_select: bool,
    /// Reads have to be told to end with the page ([`BUFFER_MODE`](super::register::BUFFER_MODE)).
    pub has_buffer_mode: bool,
    /// How it codes what its error correction did.
    pub ecc_status: EccStatus,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_stands_where_it_belongs_and_nowhere_else() {
        let behind = JedecId::AfterDummy(&[&[0xEF, 0xAA, 0x21], &[0xEF, 0xBA]]);
        assert!(behind.is_in(&[0xFF, 0xEF, 0xAA, 0x21]));
        assert!(behind.is_in(&[0, 0xEF, 0xBA, 0x77]));
        assert!(!behind.is_in(&[0xEF, 0xAA, 0x21, 0]));
        assert!(!behind.is_in(&[0xFF, 0xEF, 0xAA, 0x22]));
        let at_once = JedecId::AtOnce(&[&[0xC8, 0xB1, 0x48]]);
        assert!(at_once.is_in(&[0xC8, 0xB1, 0x48, 0]));
        assert!(!at_once.is_in(&[0, 0xC8, 0xB1, 0x48]));
    }
}
