//! The parameter page, in which a part describes itself.
//!
//! Source: Open NAND Flash Interface Specification, revision 1.0, 5.4 "Read Parameter Page Definition". Offsets are those of its table.

use crate::{EccNeed, Geometry, MarkerPages, MarkerPlace, Pairing};

/// Bytes of a parameter page; at least three copies follow each other.
pub const PARAMETER_PAGE_BYTES: usize = 256;

/// Copies that are looked at.
pub const PARAMETER_PAGE_COPIES: u16 = 3;

/// Where parts keep it: this row, while the one-time area stands in for the array (Winbond W25N01GV and Micron MT29F2G01ABAGD data sheets).
pub const PARAMETER_PAGE_ROW: u32 = 1;

/// Pages of more bytes have columns in which no bit is left for planes.
const PAGE_BYTES_MAX: u32 = 4096;

/// What a part says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ParameterPage {
    /// Maker, padded with blanks.
    pub manufacturer: [u8; 12],
    /// Name, padded with blanks.
    pub model: [u8; 20],
    /// Shape, without the part's own error correction, of which the page does not say enough.
    pub geometry: Geometry,
}

/// Why a parameter page is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ParameterPageError {
    /// It does not begin as such a page does.
    Signature,
    /// Its checksum is wrong.
    Checksum,
    /// The counts in it cannot be a part's, or not one that this driver can address.
    Shape,
    /// Several dies: how one is selected differs from part to part.
    Dies,
    /// Several planes: whether columns name them differs from part to part.
    Planes,
    /// More than one bit a cell: which pages share cells is not said.
    Cells,
    /// It does not say how many wrong bits must be corrected.
    Ecc,
}

impl core::fmt::Display for ParameterPageError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Signature => "it has no parameter page",
            Self::Checksum => "the checksum of every copy of its parameter page is wrong",
            Self::Shape => "the counts in its parameter page cannot be used",
            Self::Dies => "it has several dies, which this driver does not know how to select",
            Self::Planes => "it has several planes, which this driver does not know how to select",
            Self::Cells => "its cells hold more than one bit",
            Self::Ecc => "its parameter page does not say how many wrong bits must be corrected",
        })
    }
}

impl core::error::Error for ParameterPageError {}

/// CRC-16 of the specification: polynomial `0x8005`, initial value `0x4F4E`, bits neither reflected nor inverted.
#[must_use]
pub fn parameter_page_checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0x4F4E, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => crc << 1 ^ 0x8005,
        })
    })
}

fn field<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    bytes
        .get(offset..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .unwrap_or([0; N])
}

impl ParameterPage {
    /// Reads one copy.
    ///
    /// # Errors
    /// The first reason why it is of no use.
    pub fn decode(bytes: &[u8; PARAMETER_PAGE_BYTES]) -> Result<Self, ParameterPageError> {
        if field(bytes, 0) != *b"ONFI" {
            return Err(ParameterPageError::Signature);
        }
        let (covered, checksum) = bytes.split_at(PARAMETER_PAGE_BYTES - 2);
        if parameter_page_checksum(covered) != u16::from_le_bytes(field(checksum, 0)) {
            return Err(ParameterPageError::Checksum);
        }
        let byte = |offset| u8::from_le_bytes(field(bytes, offset));
        let word = |offset| u16::from_le_bytes(field(bytes, offset));
        let double = |offset| u32::from_le_bytes(field(bytes, offset));
        match byte(100) {
            0 => return Err(ParameterPageError::Shape),
            1 => {}
            _ => return Err(ParameterPageError::Dies),
        }
        if byte(102) != 1 {
            return Err(ParameterPageError::Cells);
        }
        if byte(113) & 0x0F != 0 {
            return Err(ParameterPageError::Planes);
        }
        // 0xFF: "see the extended parameter page"; 0: none with the part's own correction on, which this description goes without.
        let bits = match byte(112) {
            0 | 0xFF => return Err(ParameterPageError::Ecc),
            bits => bits,
        };
        // Both are a value and a power of ten.
        let exponent = |offset| 10u32.checked_pow(u32::from(byte(offset)));
        let endurance = exponent(106).and_then(|power| power.checked_mul(u32::from(byte(105))));
        let geometry = Geometry {
            dies: 1,
            blocks_per_die: double(96),
            pages_per_block: u16::try_from(double(92)).map_err(|_| ParameterPageError::Shape)?,
            page_bytes: double(80),
            spare_bytes: word(84),
            buffers_per_die: 1,
            planes_per_die: 1,
            partial_programs_max: byte(110).max(1),
            bad_blocks_max_per_die: u32::from(word(103)),
            endurance_cycles: endurance.ok_or(ParameterPageError::Shape)?,
            // Not in the page: the rule of thumb for SLC of Micron TN-29-17.
            reads_per_block_max: 1_000_000,
            // Not in the page: where every part of the table has it.
            bad_block_marker: MarkerPlace {
                pages: MarkerPages::First,
                spare_offset: 0,
                len: 2,
            },
            chip_ecc: None,
            ecc_need: EccNeed {
                bits,
                per_bytes: 512,
            },
            pairing: Pairing::None,
        };
        let rows = u64::from(geometry.blocks_per_die) * u64::from(geometry.pages_per_block);
        // A row's block is taken from its upper bits, so a block has a power of two of pages.
        let can_be_addressed = geometry.page_bytes <= PAGE_BYTES_MAX
            && geometry.pages_per_block.is_power_of_two()
            && rows <= 1 << 24
            && geometry.bad_blocks_max_per_die < geometry.blocks_per_die;
        if geometry.validate().is_err() || !can_be_addressed {
            return Err(ParameterPageError::Shape);
        }
        Ok(Self {
            manufacturer: field(bytes, 32),
            model: field(bytes, 44),
            geometry,
        })
    }
}

#[cfg(test)]
mod tests;
