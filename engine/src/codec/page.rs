//! The layout of a page: which bytes hold what.
//!
//! The main area holds the sectors one after another. The spare holds, for each sector (a *unit*), its header, the header's parity and
//! the parities of its codewords, one unit after another, clear of the bad-block marker. A header is a codeword of
//! its own: it can be read, corrected and trusted without the payload. The code follows from what the part's data sheet asks for.

use cuesta_hal::{Columns, EccNeed, Geometry};

use super::code::Code;
use super::crc::Seed;
use super::ecc::Ecc;
use super::header::{Header, HEADER_BYTES};

/// What a sector is a multiple of.
pub const SECTOR_UNIT: u32 = 512;
/// The codes that a page may be protected by, the weakest first. A feature leaves all but the first out.
#[cfg(feature = "strong-codes")]
const CODES: &[Ecc] = &[
    Ecc::Bch4,
    Ecc::Bch8,
    Ecc::Bch16,
    Ecc::Bch24,
    Ecc::Bch40,
    Ecc::Bch64,
];
#[cfg(not(feature = "strong-codes"))]
const CODES: &[Ecc] = &[Ecc::Bch4];
/// Parity bytes of a header at most: those of BCH with 16 bits.
const HEADER_PARITY_MAX: usize = 26;

fn implementation(ecc: Ecc) -> &'static dyn Code {
    #[cfg(feature = "strong-codes")]
    return ecc.portable();
    #[cfg(not(feature = "strong-codes"))]
    {
        let _ = ecc;
        &<super::bch::Bch4>::PORTABLE
    }
}

/// The weakest code that repairs what a data sheet asks for. Over shorter stretches than it counts, errors are less even: there a code has to repair
/// as many.
fn code_for(need: EccNeed) -> Option<Ecc> {
    let bits = u32::from(need.bits);
    let per_bytes = u32::from(need.per_bytes).max(1);
    CODES.iter().copied().find(|&ecc| {
        let code = implementation(ecc);
        let over = (code.data_bytes() as u32).max(per_bytes);
        code.strength() * per_bytes >= bits * over
    })
}

/// The code of a header: it is short, and has to survive what the payload survives.
fn code_of_header(payload: Ecc) -> Ecc {
    match payload {
        Ecc::Bch4 => Ecc::Bch4,
        Ecc::Bch8 | Ecc::Bch16 => Ecc::Bch8,
        _ => Ecc::Bch16,
    }
}

/// Where header, payload and parity lie.
#[derive(Debug, Clone, Copy)]
pub struct PageLayout {
    page_bytes: u32,
    raw_bytes: u32,
    sector_bytes: u32,
    sectors: u32,
    unit_spare: u32,
    spare_start: u32,
    ecc: Ecc,
    codeword_bytes: u32,
    parity_bytes: u32,
    header_ecc: Ecc,
    /// Bytes of a header with its parity.
    header_unit: u32,
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
    /// No code here repairs what the data sheet asks for.
    Strength {
        /// Bits it asks for.
        bits: u8,
        /// In so many bytes.
        per_bytes: u16,
    },
    /// The spare is too small.
    Spare {
        /// The code that the data sheet asks for.
        ecc: Ecc,
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
                "a page of {page_bytes} B cannot be divided into sectors of {sector_bytes} B (a multiple of {SECTOR_UNIT} B, and of the code's stretch)"
            ),
            Self::Strength { bits, per_bytes } => write!(
                f,
                "the data sheet asks for {bits} bits in {per_bytes} B to be repaired, which no code of this build does"
            ),
            Self::Spare {
                ecc,
                needed,
                available,
            } => write!(
                f,
                "the data sheet asks for {}, which needs {needed} spare bytes a page (marker, headers and parity); the part has {available}",
                ecc.name()
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
            || !sector_bytes.is_multiple_of(SECTOR_UNIT)
            || !page_bytes.is_multiple_of(sector_bytes)
        {
            return Err(LayoutError::SectorSize {
                page_bytes,
                sector_bytes,
            });
        }
        let need = geometry.ecc_need;
        let ecc = code_for(need).ok_or(LayoutError::Strength {
            bits: need.bits,
            per_bytes: need.per_bytes,
        })?;
        let code = implementation(ecc);
        let codeword_bytes = code.data_bytes() as u32;
        if !sector_bytes.is_multiple_of(codeword_bytes) {
            return Err(LayoutError::SectorSize {
                page_bytes,
                sector_bytes,
            });
        }
        let header_ecc = code_of_header(ecc);
        let header_unit = (HEADER_BYTES + implementation(header_ecc).parity_bytes()) as u32;
        let parity_bytes = code.parity_bytes() as u32;
        let sectors = page_bytes / sector_bytes;
        let unit_spare = header_unit + sector_bytes / codeword_bytes * parity_bytes;
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
                ecc,
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
            ecc,
            codeword_bytes,
            parity_bytes,
            header_ecc,
            header_unit,
        })
    }

    /// The code that payloads are protected by.
    #[must_use]
    pub const fn ecc(&self) -> Ecc {
        self.ecc
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
            spare_len: self.unit_spare * (self.sectors - 1) + self.header_unit,
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

    /// Where the parities of a unit's payload begin in the spare.
    const fn parity_at(&self, unit: u32) -> usize {
        (self.spare_start + unit * self.unit_spare + self.header_unit - self.page_bytes) as usize
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
        let parity_at = self.parity_at(unit);
        let code = implementation(self.ecc);
        let (main, spare) = page.split_at_mut(self.page_bytes as usize);
        for (codeword, parity) in main[start..end]
            .chunks_exact(self.codeword_bytes as usize)
            .zip(spare[parity_at..].chunks_exact_mut(self.parity_bytes as usize))
        {
            // Both have the lengths that the code asks for.
            let _ = code.encode(codeword, parity);
        }
    }

    /// Encodes the header alone: for a unit whose payload and parities were read, corrected and stay as they are.
    pub fn encode_header(&self, page: &mut [u8], unit: u32, header: &Header, seed: Seed) {
        let (start, end) = self.payload_range(unit);
        let bytes = header.encode(seed, &page[start..end]);
        let at = self.spare_at(unit);
        let (area, parity) = page[at..at + self.header_unit as usize].split_at_mut(HEADER_BYTES);
        area.copy_from_slice(&bytes);
        let _ = implementation(self.header_ecc).encode(area, parity);
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
            .get(at..at + self.header_unit as usize)
            .ok_or(PageError::Uncorrectable)?;
        let code = implementation(self.header_ecc);
        let zeros: u32 = area.iter().map(|byte| byte.count_zeros()).sum();
        if zeros <= code.strength() {
            return Err(PageError::Erased);
        }
        let mut bytes = [0u8; HEADER_BYTES];
        bytes.copy_from_slice(&area[..HEADER_BYTES]);
        let mut parity = [0u8; HEADER_PARITY_MAX];
        let parity = parity
            .get_mut(..area.len() - HEADER_BYTES)
            .ok_or(PageError::Uncorrectable)?;
        parity.copy_from_slice(&area[HEADER_BYTES..]);
        let corrected = code
            .decode(&mut bytes, parity)
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
        let parity_at = self.parity_at(unit);
        if page.len() < self.raw_bytes as usize {
            return Err(PageError::Uncorrectable);
        }
        let code = implementation(self.ecc);
        let (main, spare) = page.split_at_mut(self.page_bytes as usize);
        for (codeword, parity) in main[start..end]
            .chunks_exact_mut(self.codeword_bytes as usize)
            .zip(spare[parity_at..].chunks_exact_mut(self.parity_bytes as usize))
        {
            let corrected = code
                .decode(codeword, parity)
                .map_err(|_| PageError::Uncorrectable)?;
            worst = worst.max(corrected.count());
        }
        if !Header::matches(&bytes, seed, &main[start..end]) {
            return Err(PageError::Uncorrectable);
        }
        Ok((header, worst))
    }
}
