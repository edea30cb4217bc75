//! Why a page cannot hold what it should.

use super::ecc::Ecc;
use super::header::UNITS_MAX;
use super::packed_header::{DIES_MAX, NUMBERS};
use super::protection::SECTOR_UNIT;

/// Why a code does not fit a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LayoutError {
    /// The code protects stretches that a sector is no multiple of.
    Stretch {
        /// The code.
        ecc: Ecc,
        /// Bytes of a stretch.
        stretch: u32,
        /// Bytes of a sector.
        sector_bytes: u32,
    },
    /// The page is no multiple of the sector, or the sector none of 512 bytes.
    SectorSize {
        /// Main-area bytes of a page.
        page_bytes: u32,
        /// Bytes of a sector asked for.
        sector_bytes: u32,
    },
    /// A page would hold more sectors than a header has room for.
    SectorsPerPage(u32),
    /// No code repairs what the data sheet asks for.
    Strength {
        /// Bits it asks for.
        bits: u8,
        /// In so many bytes.
        per_bytes: u16,
    },
    /// The spare is too small.
    Spare {
        /// The code.
        ecc: Ecc,
        /// Spare bytes needed: of the marker,
        marker: u32,
        /// of the header with its parity,
        header: u32,
        /// of the parities of one sector,
        parity: u32,
        /// for so many sectors.
        sectors: u32,
        /// Spare bytes there are.
        available: u32,
    },
    /// This build was made without the code.
    NotBuilt(Ecc),
    /// The part's own error correction is on, and leaves too little of the spare.
    Free {
        /// The code.
        ecc: Ecc,
        /// Spare bytes needed: of the header with its parity,
        header: u32,
        /// of the parities of one sector,
        parity: u32,
        /// for so many sectors.
        sectors: u32,
        /// Spare bytes left free.
        available: u32,
    },
    /// Only a packed header fits, and the part has more pages or dies than one can name.
    Packed {
        /// Pages of the part.
        pages: u64,
        /// Dies of the part.
        dies: u16,
    },
    /// The part's own error correction is on, and nobody says which bytes of the spare it leaves free.
    ChipEcc,
}

impl core::fmt::Display for LayoutError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Stretch {
                ecc,
                stretch,
                sector_bytes,
            } => write!(
                f,
                "{} protects stretches of {stretch} B, a sector has {sector_bytes} B; use a code of {SECTOR_UNIT} B",
                ecc.name()
            ),
            Self::SectorSize {
                page_bytes,
                sector_bytes,
            } => write!(
                f,
                "a page of {page_bytes} B cannot be divided into sectors of {sector_bytes} B (a multiple of {SECTOR_UNIT} B)"
            ),
            Self::SectorsPerPage(sectors) => write!(
                f,
                "a page would hold {sectors} sectors, at most {UNITS_MAX} are supported"
            ),
            Self::Strength { bits, per_bytes } => write!(
                f,
                "the data sheet asks for {bits} bits in {per_bytes} B to be repaired, which no code does"
            ),
            Self::Spare {
                ecc,
                marker,
                header,
                parity,
                sectors,
                available,
            } => write!(
                f,
                "{} needs {} spare bytes a page: {marker} of the marker, {header} of the header, {parity} of parity for each of {sectors} sector{}; the part has {available}",
                ecc.name(),
                marker + header + parity * sectors,
                if *sectors == 1 { "" } else { "s" },
            ),
            Self::NotBuilt(ecc) => write!(
                f,
                "this build was made without {} (feature `strong-codes`)",
                ecc.name()
            ),
            Self::Free {
                ecc,
                header,
                parity,
                sectors,
                available,
            } => write!(
                f,
                "{} needs {} spare bytes a page: {header} of the header, {parity} of parity for each of {sectors} sector{}; the part's own error correction leaves {available}",
                ecc.name(),
                header + parity * sectors,
                if *sectors == 1 { "" } else { "s" },
            ),
            Self::Packed { pages, dies } => write!(
                f,
                "the part's own error correction leaves room for a packed header only, which names fewer than {NUMBERS} pages on at most {DIES_MAX} dies; the part has {pages} on {dies}"
            ),
            Self::ChipEcc => f.write_str(
                "the part's own error correction is on, and which bytes of the spare it leaves free is not known; switch it off",
            ),
        }
    }
}

impl core::error::Error for LayoutError {}
