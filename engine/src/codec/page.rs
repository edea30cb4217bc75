//! Pages into bytes and back.

use super::code::Code;
use super::crc::Seed;
use super::header::{self, Decoded, Header, HEADER_BYTES_MAX};
use super::layout::{implementation, PageLayout};

/// Parity bytes of a header at most: those of BCH with 24 bits.
const HEADER_PARITY_MAX: usize = 39;

/// What a header says of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderState {
    /// A header that belongs here, of a unit that holds something.
    Valid(Header),
    /// The page looks erased (which after a cut proves nothing), or its header says that the unit holds nothing.
    Erased,
    /// Neither.
    Bad,
}

/// Why a unit cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageError {
    /// It holds nothing, or looks erased.
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

/// A header whose bits were corrected.
struct Corrected {
    bytes: [u8; HEADER_BYTES_MAX],
    len: usize,
    bits: u32,
}

impl Corrected {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl PageLayout {
    /// The payload of a unit within a page buffer.
    #[must_use]
    pub fn payload<'b>(&self, page: &'b [u8], unit: u32) -> &'b [u8] {
        let start = self.payload_at(unit) as usize;
        page.get(start..start + self.sector_bytes() as usize)
            .unwrap_or(&[])
    }

    /// Sets the spare to `0xFF`: what nothing is encoded into stays unprogrammed.
    fn clear_spare(&self, page: &mut [u8]) {
        if let Some(spare) = page.get_mut(self.page_bytes() as usize..) {
            spare.fill(0xFF);
        }
    }

    /// Encodes a page whose payloads are already in the buffer: header, checks and parities of its first units, one for each of `headers`.
    ///
    /// What the units have in common is taken from the first. `seed` is the seed of the first unit. Does nothing to a buffer of another length.
    pub fn encode(&self, page: &mut [u8], headers: &[Header], seed: Seed) {
        if page.len() < self.raw_bytes() as usize {
            return;
        }
        self.clear_spare(page);
        // What holds nothing stays unprogrammed, whatever is in the buffer.
        let rest = self.payload_at(headers.len() as u32).min(self.page_bytes());
        page[rest as usize..self.page_bytes() as usize].fill(0xFF);
        if let Some(code) = implementation(self.ecc()) {
            for unit in (0..self.sectors()).take(headers.len()) {
                self.encode_payload(code, page, unit);
            }
        }
        let mut bytes = [0; HEADER_BYTES_MAX];
        let bytes = &mut bytes[..self.header_bytes() as usize];
        header::encode(headers, seed, |unit| self.payload(page, unit), bytes);
        let at = self.header_at() as usize;
        let (area, parity) = page[at..at + self.header_unit() as usize].split_at_mut(bytes.len());
        area.copy_from_slice(bytes);
        if let Some(code) = implementation(self.header_ecc()) {
            // Both have the lengths that the code asks for.
            let _ = code.encode(area, parity);
        }
    }

    fn encode_payload(&self, code: &dyn Code, page: &mut [u8], unit: u32) {
        let (start, parity_at) = self.places(unit);
        // Parities lie behind all payloads.
        let (payloads, rest) = page.split_at_mut(parity_at.min(self.page_bytes() as usize));
        let parities = &mut rest[parity_at - payloads.len()..];
        for (codeword, parity) in payloads[start..start + self.sector_bytes() as usize]
            .chunks_exact(self.codeword_bytes() as usize)
            .zip(parities.chunks_exact_mut(self.parity_bytes() as usize))
        {
            let _ = code.encode(codeword, parity);
        }
    }

    /// Where a unit's payload and its parities begin.
    const fn places(&self, unit: u32) -> (usize, usize) {
        (
            self.payload_at(unit) as usize,
            self.parity_at(unit) as usize,
        )
    }

    /// Decodes the header of a unit that belongs to `place`; needs no more of the page than [`header_columns`](Self::header_columns).
    #[must_use]
    pub fn read_header(&self, page: &[u8], unit: u32, place: u32) -> HeaderState {
        match self.corrected_header(page) {
            Ok(header) => match header::decode(header.bytes(), unit, place.wrapping_sub(unit)) {
                Decoded::Valid(header) => HeaderState::Valid(header),
                Decoded::Nothing => HeaderState::Erased,
                Decoded::Foreign => HeaderState::Bad,
            },
            Err(PageError::Erased) => HeaderState::Erased,
            Err(PageError::Uncorrectable) => HeaderState::Bad,
        }
    }

    fn corrected_header(&self, page: &[u8]) -> Result<Corrected, PageError> {
        let at = self.header_at() as usize;
        let area = page
            .get(at..at + self.header_unit() as usize)
            .ok_or(PageError::Uncorrectable)?;
        let code = implementation(self.header_ecc()).ok_or(PageError::Uncorrectable)?;
        let zeros: u32 = area.iter().map(|byte| byte.count_zeros()).sum();
        if zeros <= code.strength() {
            return Err(PageError::Erased);
        }
        let (own, own_parity) = area.split_at(self.header_bytes() as usize);
        let mut header = Corrected {
            bytes: [0; HEADER_BYTES_MAX],
            len: own.len(),
            bits: 0,
        };
        header.bytes[..own.len()].copy_from_slice(own);
        let mut parity = [0; HEADER_PARITY_MAX];
        let parity = &mut parity[..own_parity.len()];
        parity.copy_from_slice(own_parity);
        header.bits = code
            .decode(&mut header.bytes[..own.len()], parity)
            .map_err(|_| PageError::Uncorrectable)?
            .count();
        Ok(header)
    }

    /// Corrects and checks a unit in place; gives its header and the bits corrected in its worst codeword. `seed` is the unit's.
    ///
    /// # Errors
    /// [`PageError`]: the bytes are not to be used.
    pub fn decode_unit(
        &self,
        page: &mut [u8],
        unit: u32,
        seed: Seed,
    ) -> Result<(Header, u32), PageError> {
        self.decode_unit_with(page, unit, seed, |_| Some(*self))
    }

    /// As [`decode_unit`](Self::decode_unit), for a page whose header tells by its level what the layout is.
    ///
    /// # Errors
    /// [`PageError`]: the bytes are not to be used.
    pub fn decode_unit_with(
        &self,
        page: &mut [u8],
        unit: u32,
        seed: Seed,
        layout_of: impl Fn(u8) -> Option<Self>,
    ) -> Result<(Header, u32), PageError> {
        let corrected = self.corrected_header(page)?;
        let first = seed.place.wrapping_sub(unit);
        let header = match header::decode(corrected.bytes(), unit, first) {
            Decoded::Valid(header) => header,
            Decoded::Nothing => return Err(PageError::Erased),
            Decoded::Foreign => return Err(PageError::Uncorrectable),
        };
        let layout = layout_of(header.level).ok_or(PageError::Uncorrectable)?;
        if page.len() < layout.raw_bytes() as usize || unit >= layout.sectors() {
            return Err(PageError::Uncorrectable);
        }
        let mut worst = corrected.bits;
        if let Some(code) = implementation(layout.ecc()) {
            worst = worst.max(layout.correct_payload(code, page, unit)?);
        }
        if !header::matches(corrected.bytes(), unit, seed, layout.payload(page, unit)) {
            return Err(PageError::Uncorrectable);
        }
        Ok((header, worst))
    }

    fn correct_payload(
        &self,
        code: &dyn Code,
        page: &mut [u8],
        unit: u32,
    ) -> Result<u32, PageError> {
        let (start, parity_at) = self.places(unit);
        let (payloads, rest) = page.split_at_mut(parity_at.min(self.page_bytes() as usize));
        let parities = &mut rest[parity_at - payloads.len()..];
        let mut worst = 0;
        for (codeword, parity) in payloads[start..start + self.sector_bytes() as usize]
            .chunks_exact_mut(self.codeword_bytes() as usize)
            .zip(parities.chunks_exact_mut(self.parity_bytes() as usize))
        {
            let corrected = code
                .decode(codeword, parity)
                .map_err(|_| PageError::Uncorrectable)?;
            worst = worst.max(corrected.count());
        }
        Ok(worst)
    }
}
