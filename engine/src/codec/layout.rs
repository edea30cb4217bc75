//! Where in a page everything lies.
//!
//! The main area holds the sectors one after another. The spare holds, clear of the bad-block marker, one header for all of them,
//! a codeword of its own, and the parities of the sectors: those of the first half before the header, the others behind it. So the header lies at the same place
//! whatever the code, and can be read, corrected and trusted before anyone knows what protects the rest. Parities for which the spare has no room take the place of
//! the last sectors.

use cuesta_hal::{Columns, EccNeed, Geometry};

use super::code::Code;
use super::ecc::Ecc;
use super::header::{header_bytes, UNITS_MAX};

/// What a sector is a multiple of.
pub const SECTOR_UNIT: u32 = 512;

/// The codes that metadata may be protected by, the weakest first.
const CODES: [Ecc; 6] = [
    Ecc::Bch4,
    Ecc::Bch8,
    Ecc::Bch16,
    Ecc::Bch24,
    Ecc::Bch40,
    Ecc::Bch64,
];

/// What is known of a code without its tables: stretch, parity bytes of a stretch, strength.
const fn sizes(ecc: Ecc) -> (u32, u32, u32) {
    match ecc {
        // The check in the header does it.
        Ecc::Crc => (SECTOR_UNIT, 0, 0),
        Ecc::Secded => (512, 2, 1),
        Ecc::Bch4 => (512, 7, 4),
        Ecc::Bch8 => (512, 13, 8),
        Ecc::Bch16 => (512, 26, 16),
        Ecc::Bch24 => (512, 39, 24),
        Ecc::Bch40 => (1024, 70, 40),
        Ecc::Bch64 => (1024, 112, 64),
    }
}

/// The implementation of a code; `None` if this build has none, or none is needed.
pub(super) fn implementation(ecc: Ecc) -> Option<&'static dyn Code> {
    match ecc {
        Ecc::Crc => None,
        Ecc::Bch4 => Some(&<super::bch::Bch4>::PORTABLE),
        #[cfg(feature = "strong-codes")]
        other => Some(other.portable()),
        #[cfg(not(feature = "strong-codes"))]
        _ => None,
    }
}

/// True when this build has what the code needs.
fn is_built(ecc: Ecc) -> bool {
    ecc == Ecc::Crc || implementation(ecc).is_some()
}

/// The weakest code that repairs what a data sheet asks for. Over shorter stretches than it counts, errors are less even: there a code has to repair
/// as many.
fn code_for(need: EccNeed) -> Option<Ecc> {
    let bits = u32::from(need.bits);
    let per_bytes = u32::from(need.per_bytes).max(1);
    CODES.iter().copied().find(|&ecc| {
        let (stretch, _, strength) = sizes(ecc);
        strength * per_bytes >= bits * stretch.max(per_bytes)
    })
}

/// The code of the header where metadata has this one: a header is short, and has to survive what its payload survives.
const fn code_of_header(metadata: Ecc) -> Ecc {
    match metadata {
        Ecc::Bch8 | Ecc::Bch16 => Ecc::Bch8,
        Ecc::Bch24 | Ecc::Bch40 | Ecc::Bch64 => Ecc::Bch24,
        _ => Ecc::Bch4,
    }
}

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
    /// The part's own error correction is on: its bytes of the spare are not ours.
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
            Self::ChipEcc => f.write_str(
                "the part's own error correction is on and keeps the spare for itself; switch it off",
            ),
        }
    }
}

impl core::error::Error for LayoutError {}

/// Where header, sectors and parities lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLayout {
    page_bytes: u32,
    raw_bytes: u32,
    sector_bytes: u32,
    /// Slots of a page.
    units: u32,
    /// Those that hold sectors.
    sectors: u32,
    /// The bytes of the page that we may use beyond the main area.
    room: (u32, u32),
    header_at: u32,
    header_ecc: Ecc,
    ecc: Ecc,
    codeword_bytes: u32,
    /// Parity bytes of a codeword.
    parity_bytes: u32,
}

impl PageLayout {
    /// The layout of metadata: the strongest code that the spare has room for, which follows from the part alone. Only a level whose parities take the place of
    /// sectors can have a stronger one.
    ///
    /// # Errors
    /// The sum that does not work out.
    pub fn new(geometry: &Geometry, sector_bytes: u32) -> Result<Self, LayoutError> {
        if geometry.chip_ecc.is_some_and(|ecc| ecc.enabled) {
            return Err(LayoutError::ChipEcc);
        }
        let page_bytes = geometry.page_bytes;
        if sector_bytes == 0
            || !sector_bytes.is_multiple_of(SECTOR_UNIT)
            || !page_bytes.is_multiple_of(sector_bytes)
        {
            return Err(LayoutError::SectorSize {
                page_bytes,
                sector_bytes,
            });
        }
        let units = page_bytes / sector_bytes;
        if units > UNITS_MAX as u32 {
            return Err(LayoutError::SectorsPerPage(units));
        }
        let least = Self::required(geometry)?;
        let mut found = Self::solve(geometry, sector_bytes, least)?;
        for &ecc in &CODES {
            if sizes(ecc).2 > sizes(least).2 {
                if let Ok(stronger) = Self::solve(geometry, sector_bytes, ecc) {
                    found = stronger;
                }
            }
        }
        for ecc in [found.ecc, found.header_ecc] {
            if !is_built(ecc) {
                return Err(LayoutError::NotBuilt(ecc));
            }
        }
        Ok(found)
    }

    /// The weakest code that repairs what the part's data sheet asks for: what data is protected by unless a level says otherwise.
    ///
    /// # Errors
    /// [`LayoutError::Strength`].
    pub fn required(geometry: &Geometry) -> Result<Ecc, LayoutError> {
        let need = geometry.ecc_need;
        code_for(need).ok_or(LayoutError::Strength {
            bits: need.bits,
            per_bytes: need.per_bytes,
        })
    }

    /// The layout with a code for header and payload as metadata has it.
    fn solve(geometry: &Geometry, sector_bytes: u32, ecc: Ecc) -> Result<Self, LayoutError> {
        let page_bytes = geometry.page_bytes;
        let marker = geometry.bad_block_marker;
        let before = (0, u32::from(marker.spare_offset));
        let behind = (
            u32::from(marker.spare_offset) + u32::from(marker.len),
            u32::from(geometry.spare_bytes),
        );
        let room = if behind.1 - behind.0 >= before.1 {
            behind
        } else {
            before
        };
        let mut layout = Self {
            page_bytes,
            raw_bytes: geometry.raw_page_bytes(),
            sector_bytes,
            units: page_bytes / sector_bytes,
            sectors: 0,
            room: (page_bytes + room.0, page_bytes + room.1),
            header_at: 0,
            header_ecc: code_of_header(ecc),
            ecc,
            codeword_bytes: SECTOR_UNIT,
            parity_bytes: 0,
        };
        let spare = (room.1 - room.0).saturating_sub(layout.header_unit());
        layout.header_at = layout.room.0 + spare * layout.units_before() / layout.units;
        let layout = layout.with(ecc)?;
        if layout.sectors < layout.units {
            return Err(layout.too_small());
        }
        Ok(layout)
    }

    /// The layout of data with another code: the same header at the same place.
    ///
    /// # Errors
    /// The sum that does not work out; [`LayoutError::NotBuilt`].
    pub fn with(&self, ecc: Ecc) -> Result<Self, LayoutError> {
        let (codeword_bytes, parity_bytes, _) = sizes(ecc);
        let mut layout = Self {
            ecc,
            codeword_bytes,
            parity_bytes,
            sectors: self.units,
            ..*self
        };
        if !self.sector_bytes.is_multiple_of(codeword_bytes) {
            return Err(LayoutError::Stretch {
                ecc,
                stretch: codeword_bytes,
                sector_bytes: self.sector_bytes,
            });
        }
        let parity = layout.unit_parity();
        let (start, end) = self.room;
        let fits = start + self.units_before() * parity <= self.header_at
            && self.header_end() + (self.units - self.units_before()) * parity <= end;
        if !fits {
            // As many sectors as leave their parities the room of the others.
            while layout.sectors * parity > (self.units - layout.sectors) * self.sector_bytes {
                layout.sectors -= 1;
            }
            if layout.sectors == 0 || self.header_end() > end {
                return Err(layout.too_small());
            }
        }
        Ok(layout)
    }

    fn too_small(&self) -> LayoutError {
        let (start, end) = self.room;
        LayoutError::Spare {
            ecc: self.ecc,
            marker: self.raw_bytes - self.page_bytes - (end - start),
            header: self.header_unit(),
            parity: self.unit_parity(),
            sectors: self.units,
            available: self.raw_bytes - self.page_bytes,
        }
    }

    /// True when this build has the code.
    #[must_use]
    pub fn is_built(&self) -> bool {
        is_built(self.ecc)
    }

    /// The code that payloads are protected by.
    #[must_use]
    pub const fn ecc(&self) -> Ecc {
        self.ecc
    }

    /// The code that headers are protected by.
    #[must_use]
    pub const fn header_ecc(&self) -> Ecc {
        self.header_ecc
    }

    /// Wrong bits of a codeword that are repaired.
    #[must_use]
    pub const fn strength(&self) -> u32 {
        sizes(self.ecc).2
    }

    /// Slots of a page; sectors of a stronger code may fill fewer.
    #[must_use]
    pub const fn units(&self) -> u32 {
        self.units
    }

    /// Sectors in a page.
    #[must_use]
    pub const fn sectors(&self) -> u32 {
        self.sectors
    }

    /// Bytes of a sector.
    #[must_use]
    pub const fn sector_bytes(&self) -> u32 {
        self.sector_bytes
    }

    /// Bytes of a page's main area.
    #[must_use]
    pub const fn page_bytes(&self) -> u32 {
        self.page_bytes
    }

    /// Bytes of a page.
    #[must_use]
    pub const fn raw_bytes(&self) -> u32 {
        self.raw_bytes
    }

    /// Data bytes of a codeword.
    #[must_use]
    pub const fn codeword_bytes(&self) -> u32 {
        self.codeword_bytes
    }

    /// Parity bytes of a codeword.
    #[must_use]
    pub const fn parity_bytes(&self) -> u32 {
        self.parity_bytes
    }

    /// Parity bytes of a sector: of all its codewords.
    #[must_use]
    pub const fn unit_parity(&self) -> u32 {
        self.sector_bytes / self.codeword_bytes * self.parity_bytes
    }

    /// Sectors whose parities lie before the header.
    const fn units_before(&self) -> u32 {
        self.units / 2
    }

    /// Bytes of a header without its parity.
    #[must_use]
    pub const fn header_bytes(&self) -> u32 {
        header_bytes(self.units) as u32
    }

    /// Bytes of a header with its parity, which follows it.
    #[must_use]
    pub const fn header_unit(&self) -> u32 {
        self.header_bytes() + sizes(self.header_ecc).1
    }

    const fn header_end(&self) -> u32 {
        self.header_at + self.header_unit()
    }

    /// Where in the page the header begins.
    #[must_use]
    pub const fn header_at(&self) -> u32 {
        self.header_at
    }

    /// Where in the page the payload of a unit begins.
    #[must_use]
    pub const fn payload_at(&self, unit: u32) -> u32 {
        unit * self.sector_bytes
    }

    /// Where in the page the parities of a unit begin.
    #[must_use]
    pub const fn parity_at(&self, unit: u32) -> u32 {
        let before = self.units_before();
        if self.sectors < self.units {
            self.sectors * self.sector_bytes + unit * self.unit_parity()
        } else if unit < before {
            self.header_at - (before - unit) * self.unit_parity()
        } else {
            self.header_end() + (unit - before) * self.unit_parity()
        }
    }

    /// Columns to read for one unit: its payload, its parities and the header.
    #[must_use]
    pub const fn unit_columns(&self, unit: u32) -> Columns {
        if self.units == 1 {
            // One transfer: the marker lies between, and costs less than a second command.
            return self.page_columns();
        }
        let parity_at = self.parity_at(unit);
        let parity_end = parity_at + self.unit_parity();
        if self.sectors < self.units {
            return Columns {
                main_start: self.payload_at(unit),
                main_len: parity_end - self.payload_at(unit),
                ..self.header_columns()
            };
        }
        let (start, end) = if parity_at < self.header_at {
            (parity_at, self.header_end())
        } else if parity_end > self.header_end() {
            (self.header_at, parity_end)
        } else {
            (self.header_at, self.header_end())
        };
        Columns {
            main_start: self.payload_at(unit),
            main_len: self.sector_bytes,
            spare_start: start,
            spare_len: end - start,
        }
    }

    /// Columns to read for the header.
    #[must_use]
    pub const fn header_columns(&self) -> Columns {
        Columns {
            main_start: 0,
            main_len: 0,
            spare_start: self.header_at,
            spare_len: self.header_unit(),
        }
    }

    /// Columns of the whole page.
    #[must_use]
    pub const fn page_columns(&self) -> Columns {
        Columns {
            main_start: 0,
            main_len: self.page_bytes,
            spare_start: self.page_bytes,
            spare_len: self.raw_bytes - self.page_bytes,
        }
    }
}
