//! Where in a page everything lies.
//!
//! The main area holds the sectors one after another. The spare holds, clear of the bad-block marker, one header for all of them,
//! a codeword of its own, and the parities of the sectors: those of the first half before the header, the others behind it. So the header lies at the same place
//! whatever the code, and can be read, corrected and trusted before anyone knows what protects the rest. Parities for which the spare has no room take the place of
//! the last sectors.
//!
//! While the part's own error correction is on, the spare is what it leaves free, in pieces; sectors have no parities then unless they are to be protected twice. Where
//! the pieces are too few for a header, it is packed.
//!
//! **Positions** count the bytes of the main area and, after them, those of the spare that are ours, wherever they lie.

use core::ops::Range;

use cuesta_hal::{Columns, Geometry, SpareRuns};

use super::code::Code;
use super::ecc::Ecc;
use super::header::{header_bytes, UNITS_MAX};
use super::implementations::{CodesFn, Implementations, OtherCode};
use super::packed_header::{self, PACKED_BYTES};
use super::protection::{
    chip_ecc, code_for, code_of_header, is_built, repairs_itself, sizes, CODES,
};

pub use super::layout_error::LayoutError;
pub use super::protection::SECTOR_UNIT;

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
    /// The bytes of the spare that are ours.
    room: SpareRuns,
    /// How many they are.
    room_bytes: u16,
    /// The part's own error correction is on.
    chip_ecc: bool,
    /// The header is packed.
    packed: bool,
    header_ecc: Ecc,
    ecc: Ecc,
    implementations: Implementations,
    /// Position of the header.
    header_at: u32,
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
        if chip_ecc(geometry).is_some_and(|ecc| ecc.free.len == 0) {
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

    /// The weakest code that repairs what the part's data sheet asks for: what data is protected by unless a level says otherwise. The check alone, where the
    /// part repairs that by itself.
    ///
    /// # Errors
    /// [`LayoutError::Strength`].
    pub fn required(geometry: &Geometry) -> Result<Ecc, LayoutError> {
        if repairs_itself(geometry) {
            return Ok(Ecc::Crc);
        }
        Self::asked_for(geometry)
    }

    /// The weakest code that repairs what the part's data sheet asks for, whatever the part does by itself.
    fn asked_for(geometry: &Geometry) -> Result<Ecc, LayoutError> {
        let need = geometry.ecc_need;
        code_for(need).ok_or(LayoutError::Strength {
            bits: need.bits,
            per_bytes: need.per_bytes,
        })
    }

    /// The layout with a code for header and payload as metadata has it.
    fn solve(geometry: &Geometry, sector_bytes: u32, ecc: Ecc) -> Result<Self, LayoutError> {
        let page_bytes = geometry.page_bytes;
        let (room, room_bytes) = room_of(geometry);
        let asked_for = Self::asked_for(geometry)?;
        let strongest = if sizes(ecc).2 > sizes(asked_for).2 {
            ecc
        } else {
            asked_for
        };
        let mut layout = Self {
            page_bytes,
            raw_bytes: geometry.raw_page_bytes(),
            sector_bytes,
            units: page_bytes / sector_bytes,
            sectors: 0,
            room,
            room_bytes,
            chip_ecc: chip_ecc(geometry).is_some(),
            packed: false,
            header_at: 0,
            // Bytes of the spare that the part leaves free it need not protect.
            header_ecc: code_of_header(strongest),
            ecc,
            implementations: Implementations::PORTABLE,
            codeword_bytes: SECTOR_UNIT,
            parity_bytes: 0,
        };
        if layout.chip_ecc && layout.header_unit() > u32::from(room_bytes) {
            layout = layout.with_packed_header(geometry)?;
        }
        let spare = u32::from(room_bytes).saturating_sub(layout.header_unit());
        layout.header_at = page_bytes + spare * layout.units_before() / layout.units();
        let layout = layout.with(ecc)?;
        if layout.sectors < layout.units() {
            return Err(layout.too_small());
        }
        Ok(layout)
    }

    /// The same with a packed header, where all numbers of the part fit one.
    fn with_packed_header(self, geometry: &Geometry) -> Result<Self, LayoutError> {
        let need = geometry.ecc_need;
        let packed = Self {
            packed: true,
            header_ecc: Ecc::Secded,
            ..self
        };
        // One bit of the header is repaired, which has to be as much as the data sheet asks for.
        if self.units() > 1
            || need.bits > 1
            || u32::from(need.per_bytes) < PACKED_BYTES as u32
            || packed.header_unit() > u32::from(self.room_bytes)
        {
            return Err(self.too_small());
        }
        if !packed_header::fits(geometry) {
            return Err(LayoutError::Packed {
                pages: geometry.pages(),
                dies: geometry.dies,
            });
        }
        Ok(packed)
    }

    /// The same layout, with codes that the caller computes by better means than the portable ones.
    ///
    /// # Errors
    /// [`OtherCode`]: one of them computes something else.
    pub fn with_codes(&self, codes: CodesFn) -> Result<Self, OtherCode> {
        Ok(Self {
            implementations: Implementations::of(codes)?,
            ..*self
        })
    }

    /// The implementation of a code; `None` if this build has none, or none is needed.
    pub(super) fn implementation(&self, ecc: Ecc) -> Option<&'static dyn Code> {
        self.implementations.get(ecc)
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
            sectors: self.units(),
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
        let (start, end) = (self.page_bytes, self.end());
        let fits = start + self.units_before() * parity <= self.header_at
            && self.header_end() + (self.units() - self.units_before()) * parity <= end;
        if !fits {
            // As many sectors as leave their parities the room of the others.
            while layout.sectors * parity > (self.units() - layout.sectors) * self.sector_bytes {
                layout.sectors -= 1;
            }
            if layout.sectors == 0 || self.header_end() > end {
                return Err(layout.too_small());
            }
        }
        Ok(layout)
    }

    fn too_small(&self) -> LayoutError {
        let (header, parity, sectors) = (self.header_unit(), self.unit_parity(), self.units());
        if self.chip_ecc {
            return LayoutError::Free {
                ecc: self.ecc,
                header,
                parity,
                sectors,
                available: self.room_bytes.into(),
            };
        }
        LayoutError::Spare {
            ecc: self.ecc,
            marker: self.raw_bytes - self.page_bytes - u32::from(self.room_bytes),
            header,
            parity,
            sectors,
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
        if UNITS_MAX > 1 {
            self.units
        } else {
            1
        }
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
        self.units() / 2
    }

    /// True when the header is packed.
    #[must_use]
    pub const fn has_packed_header(&self) -> bool {
        self.packed
    }

    /// Bytes of a header without its parity.
    #[must_use]
    pub const fn header_bytes(&self) -> u32 {
        if self.packed {
            PACKED_BYTES as u32
        } else {
            header_bytes(self.units()) as u32
        }
    }

    /// Bytes of a header with its parity, which follows it.
    #[must_use]
    pub const fn header_unit(&self) -> u32 {
        self.header_bytes() + sizes(self.header_ecc).1
    }

    const fn header_end(&self) -> u32 {
        self.header_at + self.header_unit()
    }

    /// The position behind the last.
    const fn end(&self) -> u32 {
        self.page_bytes + self.room_bytes as u32
    }

    /// Where in the page a position lies.
    const fn column(&self, at: u32) -> u32 {
        if at < self.page_bytes {
            at
        } else {
            self.page_bytes + self.room.nth(at - self.page_bytes)
        }
    }

    /// Where in the page so many bytes from a position on lie, piece by piece.
    pub fn pieces(&self, at: u32, bytes: u32) -> impl Iterator<Item = Range<u32>> + use<> {
        let layout = *self;
        let end = at + bytes;
        let mut next = at;
        core::iter::from_fn(move || {
            if next >= end {
                return None;
            }
            let left = match next.checked_sub(layout.page_bytes) {
                None => layout.page_bytes - next,
                // A run is not empty where there are positions in the spare.
                Some(index) => {
                    u32::from(layout.room.len) - index % u32::from(layout.room.len.max(1))
                }
            };
            let start = layout.column(next);
            let len = left.min(end - next).max(1);
            next += len;
            Some(start..start + len)
        })
    }

    /// The position at which the header begins.
    #[must_use]
    pub const fn header_at(&self) -> u32 {
        self.header_at
    }

    /// Where in the page the payload of a unit begins.
    #[must_use]
    pub const fn payload_at(&self, unit: u32) -> u32 {
        unit * self.sector_bytes
    }

    /// The position at which the parities of a unit begin.
    #[must_use]
    pub const fn parity_at(&self, unit: u32) -> u32 {
        let before = self.units_before();
        if self.sectors < self.units() {
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
        if self.units() == 1 {
            // One transfer: the marker lies between, and costs less than a second command.
            return self.page_columns();
        }
        let parity_at = self.parity_at(unit);
        let parity_end = parity_at + self.unit_parity();
        if self.sectors < self.units() {
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
            ..self.spare_columns(start, end)
        }
    }

    /// Columns to read for the header.
    #[must_use]
    pub const fn header_columns(&self) -> Columns {
        self.spare_columns(self.header_at, self.header_end())
    }

    /// Columns of the spare from a position to the one before another, with whatever lies between them.
    const fn spare_columns(&self, start: u32, end: u32) -> Columns {
        let first = self.column(start);
        Columns {
            main_start: 0,
            main_len: 0,
            spare_start: first,
            spare_len: self.column(end - 1) + 1 - first,
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

/// The bytes of the spare that are ours, and how many: what the part's own error correction leaves free, else what lies behind the bad-block marker or before it.
fn room_of(geometry: &Geometry) -> (SpareRuns, u16) {
    if let Some(ecc) = chip_ecc(geometry) {
        let bytes = u32::from(ecc.free.len) * geometry.chip_codewords();
        return (ecc.free, u16::try_from(bytes).unwrap_or(0));
    }
    let marker = geometry.bad_block_marker;
    let behind = marker.spare_offset.saturating_add(marker.len);
    let len_behind = geometry.spare_bytes.saturating_sub(behind);
    let (first, len) = if len_behind >= marker.spare_offset {
        (behind, len_behind)
    } else {
        (0, marker.spare_offset)
    };
    (
        SpareRuns {
            first,
            len,
            stride: 0,
        },
        len,
    )
}
