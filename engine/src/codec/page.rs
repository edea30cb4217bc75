//! The layout of a page: which bytes hold what.
//!
//! The main area holds the sectors one after another. The spare holds, for each sector (a *unit*), its header, the header's parity and
//! the parities of its 512-byte codewords, one unit after another, clear of the bad-block marker. A header is a codeword of
//! its own: it can be read, corrected and trusted without the payload.

use cuesta_hal::{Columns, Geometry};

use super::bch::Bch4;
use super::crc::Seed;
use super::header::{Header, HEADER_BYTES};

/// Bytes of payload in one codeword.
pub const CODEWORD_BYTES: usize = 512;
/// The code of headers and payloads.
const CODE: Bch4 = <Bch4>::PORTABLE;
const PARITY_BYTES: usize = <Bch4>::PARITY_BYTES;
const HEADER_UNIT: usize = HEADER_BYTES + PARITY_BYTES;
/// Zero bits up to which a header area counts as erased: the strength of its code.
const ERASED_ZEROS_MAX: u32 = 4;

/// Where header, payload and parity lie.
#[derive(Debug, Clone, Copy)]
pub struct PageLayout {
    page_bytes: u32,
    raw_bytes: u32,
    sector_bytes: u32,
    sectors: u32,
    unit_spare: u32,
    spare_start: u32,
}

/// Why a level does not fit a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LayoutError {
    /// The page is no multiple of the sector, or the sector none of 512 bytes.
    SectorSize {
        /// Main-area bytes of a page.
        page_bytes: u32,
        /// Bytes of a sector asked for.
        sector_bytes: u32,
    },
    /// The spare is too small.
    Spare {
        /// Spare bytes needed, marker included.
        needed: u32,
        /// Spare bytes there are.
        available: u32,
    },
}

impl core::fmt::Display for LayoutError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::SectorSize {
                page_bytes,
                sector_bytes,
            } => write!(
                f,
                "a page of {page_bytes} B cannot be divided into sectors of {sector_bytes} B (a multiple of {CODEWORD_BYTES} B)"
            ),
            Self::Spare { needed, available } => write!(
                f,
                "the layout needs {needed} spare bytes a page (marker, headers and parity), the part has {available}"
            ),
        }
    }
}

impl core::error::Error for LayoutError {}

/// What a header area holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderState {
    /// A header that belongs here.
    Valid(Header),
    /// It looks erased (which after a cut proves nothing).
    Erased,
    /// Neither.
    Bad,
}

/// Why a unit cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageError {
    /// It looks erased.
    Erased,
    /// More errors than the code corrects, or a page that does not belong here.
    Uncorrectable,
}

impl core::fmt::Display for PageError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Erased => "the page looks erased",
            Self::Uncorrectable => {
                "the page has more wrong bits than the code can repair, or belongs elsewhere"
            }
        })
    }
}

impl core::error::Error for PageError {}

impl PageLayout {
    /// Solves the layout of `geometry` with sectors of `sector_bytes`.
    ///
    /// # Errors
    /// The sum that does not work out.
    pub fn new(geometry: &Geometry, sector_bytes: u32) -> Result<Self, LayoutError> {
        let page_bytes = geometry.page_bytes;
        if sector_bytes == 0
            || !sector_bytes.is_multiple_of(CODEWORD_BYTES as u32)
            || !page_bytes.is_multiple_of(sector_bytes)
        {
            return Err(LayoutError::SectorSize {
                page_bytes,
                sector_bytes,
            });
        }
        let sectors = page_bytes / sector_bytes;
        let codewords = sector_bytes / CODEWORD_BYTES as u32;
        let unit_spare = HEADER_UNIT as u32 + codewords * PARITY_BYTES as u32;
        let marker = geometry.bad_block_marker;
        let spare = u32::from(geometry.spare_bytes);
        let behind = u32::from(marker.spare_offset) + u32::from(marker.len);
        let total = unit_spare * sectors;
        let start = if behind + total <= spare {
            behind
        } else if total <= u32::from(marker.spare_offset) {
            0
        } else {
            return Err(LayoutError::Spare {
                needed: total + u32::from(marker.len),
                available: spare,
            });
        };
        Ok(Self {
            page_bytes,
            raw_bytes: geometry.raw_page_bytes(),
            sector_bytes,
            sectors,
            unit_spare,
            spare_start: page_bytes + start,
        })
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

    /// Bytes of a page's payload.
    #[must_use]
    pub const fn page_bytes(&self) -> u32 {
        self.page_bytes
    }

    /// Columns to read for one unit: its payload, header and parities.
    #[must_use]
    pub const fn unit_columns(&self, unit: u32) -> Columns {
        if self.sectors == 1 {
            // One transfer: the marker lies between, and costs less than a second command.
            return Columns {
                main_start: 0,
                main_len: self.page_bytes,
                spare_start: self.page_bytes,
                spare_len: self.raw_bytes - self.page_bytes,
            };
        }
        Columns {
            main_start: unit * self.sector_bytes,
            main_len: self.sector_bytes,
            spare_start: self.spare_start + unit * self.unit_spare,
            spare_len: self.unit_spare,
        }
    }

    /// Columns to read for the headers of all units.
    #[must_use]
    pub const fn header_columns(&self) -> Columns {
        Columns {
            main_start: 0,
            main_len: 0,
            spare_start: self.spare_start,
            spare_len: self.unit_spare * (self.sectors - 1) + HEADER_UNIT as u32,
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

    const fn payload_range(&self, unit: u32) -> (usize, usize) {
        let start = (unit * self.sector_bytes) as usize;
        (start, start + self.sector_bytes as usize)
    }

    const fn spare_at(&self, unit: u32) -> usize {
        (self.spare_start + unit * self.unit_spare) as usize
    }

    /// The payload of a unit within a page buffer.
    #[must_use]
    pub fn payload<'b>(&self, page: &'b [u8], unit: u32) -> &'b [u8] {
        let (start, end) = self.payload_range(unit);
        page.get(start..end).unwrap_or(&[])
    }

    /// Sets the spare to `0xFF`: what nothing is encoded into stays unprogrammed.
    pub fn clear_spare(&self, page: &mut [u8]) {
        if let Some(spare) = page.get_mut(self.page_bytes as usize..) {
            spare.fill(0xFF);
        }
    }

    /// Encodes header, check and parities of a unit whose payload is already in the buffer.
    pub fn encode_unit(&self, page: &mut [u8], unit: u32, header: &Header, seed: Seed) {
        self.encode_header(page, unit, header, seed);
        let (start, end) = self.payload_range(unit);
        let at = self.spare_at(unit) + HEADER_UNIT;
        let (main, spare) = page.split_at_mut(self.page_bytes as usize);
        let parity_at = at - self.page_bytes as usize;
        for (codeword, parity) in main[start..end]
            .chunks_exact(CODEWORD_BYTES)
            .zip(spare[parity_at..].chunks_exact_mut(PARITY_BYTES))
        {
            parity.copy_from_slice(&CODE.parity(codeword));
        }
    }

    /// Encodes the header alone: for a unit whose payload and parities were read, corrected and stay as they are.
    pub fn encode_header(&self, page: &mut [u8], unit: u32, header: &Header, seed: Seed) {
        let (start, end) = self.payload_range(unit);
        let bytes = header.encode(seed, &page[start..end]);
        let parity = CODE.parity(&bytes);
        let at = self.spare_at(unit);
        page[at..at + HEADER_BYTES].copy_from_slice(&bytes);
        page[at + HEADER_BYTES..at + HEADER_UNIT].copy_from_slice(&parity);
    }

    /// Decodes a header; needs no more of the page than [`header_columns`](Self::header_columns).
    #[must_use]
    pub fn read_header(&self, page: &[u8], unit: u32, place: u32) -> HeaderState {
        match self.corrected_header(page, unit) {
            Ok((bytes, _)) => match Header::decode(&bytes, place) {
                Some(header) => HeaderState::Valid(header),
                None => HeaderState::Bad,
            },
            Err(PageError::Erased) => HeaderState::Erased,
            Err(PageError::Uncorrectable) => HeaderState::Bad,
        }
    }

    fn corrected_header(
        &self,
        page: &[u8],
        unit: u32,
    ) -> Result<([u8; HEADER_BYTES], u32), PageError> {
        let at = self.spare_at(unit);
        let area = page
            .get(at..at + HEADER_UNIT)
            .ok_or(PageError::Uncorrectable)?;
        let zeros: u32 = area.iter().map(|byte| byte.count_zeros()).sum();
        if zeros <= ERASED_ZEROS_MAX {
            return Err(PageError::Erased);
        }
        let mut bytes = [0u8; HEADER_BYTES];
        let mut parity = [0u8; PARITY_BYTES];
        bytes.copy_from_slice(&area[..HEADER_BYTES]);
        parity.copy_from_slice(&area[HEADER_BYTES..]);
        let corrected = CODE
            .repair(&mut bytes, &mut parity)
            .map_err(|_| PageError::Uncorrectable)?;
        Ok((bytes, corrected.count()))
    }

    /// Corrects and checks a unit in place; gives its header and the bits corrected in its worst codeword.
    ///
    /// # Errors
    /// [`PageError`]: the bytes are not to be used.
    pub fn decode_unit(
        &self,
        page: &mut [u8],
        unit: u32,
        seed: Seed,
    ) -> Result<(Header, u32), PageError> {
        let (bytes, mut worst) = self.corrected_header(page, unit)?;
        let header = Header::decode(&bytes, seed.place).ok_or(PageError::Uncorrectable)?;
        let (start, end) = self.payload_range(unit);
        let parity_at = self.spare_at(unit) + HEADER_UNIT - self.page_bytes as usize;
        if page.len() < self.raw_bytes as usize {
            return Err(PageError::Uncorrectable);
        }
        let (main, spare) = page.split_at_mut(self.page_bytes as usize);
        for (codeword, parity) in main[start..end]
            .chunks_exact_mut(CODEWORD_BYTES)
            .zip(spare[parity_at..].chunks_exact_mut(PARITY_BYTES))
        {
            let parity = parity.try_into().map_err(|_| PageError::Uncorrectable)?;
            let corrected = CODE
                .repair(codeword, parity)
                .map_err(|_| PageError::Uncorrectable)?;
            worst = worst.max(corrected.count());
        }
        if !Header::matches(&bytes, seed, &main[start..end]) {
            return Err(PageError::Uncorrectable);
        }
        Ok((header, worst))
    }
}
