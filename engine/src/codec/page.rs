//! Pages into bytes and back.

use super::code::Code;
use super::crc::Seed;
use super::header::{self, Decoded, Header, HEADER_BYTES_MAX};
use super::layout::PageLayout;
use super::packed_header;
use super::repaired::Repaired;

/// Parity bytes of a header at most: those of BCH with 24 bits.
const HEADER_PARITY_MAX: usize = 39;
/// Parity bytes of a codeword at most: those of BCH with 64 bits.
const PARITY_MAX: usize = 112;

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
    repaired: Repaired,
}

impl Corrected {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Its bytes as those of a packed header.
    fn packed(&self) -> Option<&[u8; packed_header::PACKED_BYTES]> {
        self.bytes.first_chunk()
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

    /// Copies what lies from a position on; `None` where the page is too short.
    fn gather(&self, page: &[u8], at: u32, bytes: &mut [u8]) -> Option<()> {
        let mut rest = bytes;
        for piece in self.pieces(at, rest.len() as u32) {
            let found = page.get(piece.start as usize..piece.end as usize)?;
            let (these, others) = rest.split_at_mut_checked(found.len())?;
            these.copy_from_slice(found);
            rest = others;
        }
        Some(())
    }

    /// Puts bytes where they lie from a position on; nothing where the page is too short.
    fn scatter(&self, page: &mut [u8], at: u32, bytes: &[u8]) {
        let mut rest = bytes;
        for piece in self.pieces(at, rest.len() as u32) {
            let place = page.get_mut(piece.start as usize..piece.end as usize);
            let (Some(place), Some((these, others))) = (place, rest.split_at_checked(piece.len()))
            else {
                return;
            };
            place.copy_from_slice(these);
            rest = others;
        }
    }

    /// Encodes a page whose payloads are already in the buffer: header, checks and parities of its first units, one for each of `headers`.
    ///
    /// What the units have in common is taken from the first. `seed` is the seed of the first unit. Does nothing to a buffer of another length.
    ///
    /// Where there is a header the page is not blank, whatever its payload is: no kind of page is all ones.
    pub fn encode(&self, page: &mut [u8], headers: &[Header], seed: Seed) {
        if page.len() < self.raw_bytes() as usize {
            return;
        }
        self.clear_spare(page);
        // What holds nothing stays unprogrammed, whatever is in the buffer.
        let rest = self.payload_at(headers.len() as u32).min(self.page_bytes());
        page[rest as usize..self.page_bytes() as usize].fill(0xFF);
        if let Some(code) = self.implementation(self.ecc()) {
            for unit in (0..self.sectors()).take(headers.len()) {
                self.encode_payload(code, page, unit);
            }
        }
        let mut bytes = [0; HEADER_BYTES_MAX];
        let bytes = &mut bytes[..self.header_bytes() as usize];
        match headers.first() {
            Some(only) if self.has_packed_header() => {
                let packed = packed_header::encode(only, seed, self.payload(page, 0));
                bytes.copy_from_slice(&packed);
            }
            None if self.has_packed_header() => return,
            _ => header::encode(headers, seed, |unit| self.payload(page, unit), bytes),
        }
        let mut parity = [0xFF; HEADER_PARITY_MAX];
        let parity = &mut parity[..(self.header_unit() - self.header_bytes()) as usize];
        if let Some(code) = self.implementation(self.header_ecc()) {
            // Both have the lengths that the code asks for.
            let _ = code.encode(bytes, parity);
        }
        self.scatter(page, self.header_at(), bytes);
        self.scatter(page, self.header_at() + self.header_bytes(), parity);
    }

    fn encode_payload(&self, code: &dyn Code, page: &mut [u8], unit: u32) {
        let mut parity = [0; PARITY_MAX];
        let parity = &mut parity[..self.parity_bytes() as usize];
        for (codeword, parity_at) in self.codewords(unit) {
            if let Some(data) = page.get(codeword) {
                let _ = code.encode(data, parity);
                self.scatter(page, parity_at, parity);
            }
        }
    }

    /// The codewords of a unit: where their data lies, and at which position their parities begin.
    fn codewords(&self, unit: u32) -> impl Iterator<Item = (core::ops::Range<usize>, u32)> + use<> {
        let (start, parity_at) = (self.payload_at(unit), self.parity_at(unit));
        let (data, parity) = (self.codeword_bytes(), self.parity_bytes());
        (0..self.sector_bytes() / data).map(move |index| {
            let start = (start + index * data) as usize;
            (start..start + data as usize, parity_at + index * parity)
        })
    }

    /// Decodes the header of a unit that belongs to `place`; needs no more of the page than [`header_columns`](Self::header_columns).
    #[must_use]
    pub fn read_header(&self, page: &[u8], unit: u32, place: u32) -> HeaderState {
        match self.corrected_header(page) {
            Ok(header) => match self.decode_header(&header, unit, place.wrapping_sub(unit)) {
                Decoded::Valid(header) => HeaderState::Valid(header),
                Decoded::Nothing => HeaderState::Erased,
                Decoded::Foreign => HeaderState::Bad,
            },
            Err(PageError::Erased) => HeaderState::Erased,
            Err(PageError::Uncorrectable) => HeaderState::Bad,
        }
    }

    fn corrected_header(&self, page: &[u8]) -> Result<Corrected, PageError> {
        let code = self
            .implementation(self.header_ecc())
            .ok_or(PageError::Uncorrectable)?;
        let mut area = [0; HEADER_BYTES_MAX + HEADER_PARITY_MAX];
        let area = &mut area[..self.header_unit() as usize];
        self.gather(page, self.header_at(), area)
            .ok_or(PageError::Uncorrectable)?;
        let zeros: u32 = area.iter().map(|byte| byte.count_zeros()).sum();
        if zeros <= code.strength() {
            return Err(PageError::Erased);
        }
        let (own, parity) = area.split_at_mut(self.header_bytes() as usize);
        let bits = code
            .decode(own, parity)
            .map_err(|_| PageError::Uncorrectable)?
            .count();
        let mut header = Corrected {
            bytes: [0; HEADER_BYTES_MAX],
            len: own.len(),
            repaired: Repaired::of(bits, code.strength()),
        };
        header.bytes[..own.len()].copy_from_slice(own);
        Ok(header)
    }

    /// What a header says of a unit; `place` is that of the page's first.
    fn decode_header(&self, header: &Corrected, unit: u32, place: u32) -> Decoded {
        match header.packed() {
            Some(bytes) if self.has_packed_header() && unit == 0 => {
                packed_header::decode(bytes, place)
            }
            _ if self.has_packed_header() => Decoded::Foreign,
            _ => header::decode(header.bytes(), unit, place),
        }
    }

    /// True when the payload is the one that the header of its unit was made for.
    fn header_matches(&self, header: &Corrected, unit: u32, seed: Seed, payload: &[u8]) -> bool {
        match header.packed() {
            Some(bytes) if self.has_packed_header() => packed_header::matches(bytes, seed, payload),
            _ => header::matches(header.bytes(), unit, seed, payload),
        }
    }

    /// Corrects and checks a unit in place; gives its header and what it took. `seed` is the unit's.
    ///
    /// # Errors
    /// [`PageError`]: the bytes are not to be used.
    pub fn decode_unit(
        &self,
        page: &mut [u8],
        unit: u32,
        seed: Seed,
    ) -> Result<(Header, Repaired), PageError> {
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
    ) -> Result<(Header, Repaired), PageError> {
        let corrected = self.corrected_header(page)?;
        let first = seed.place.wrapping_sub(unit);
        let header = match self.decode_header(&corrected, unit, first) {
            Decoded::Valid(header) => header,
            Decoded::Nothing => return Err(PageError::Erased),
            Decoded::Foreign => return Err(PageError::Uncorrectable),
        };
        let layout = layout_of(header.level).ok_or(PageError::Uncorrectable)?;
        if page.len() < layout.raw_bytes() as usize || unit >= layout.sectors() {
            return Err(PageError::Uncorrectable);
        }
        let mut worst = corrected.repaired;
        if let Some(code) = self.implementation(layout.ecc()) {
            worst = worst.and(layout.correct_payload(code, page, unit)?);
        }
        if !self.header_matches(&corrected, unit, seed, layout.payload(page, unit)) {
            return Err(PageError::Uncorrectable);
        }
        Ok((header, worst))
    }

    fn correct_payload(
        &self,
        code: &dyn Code,
        page: &mut [u8],
        unit: u32,
    ) -> Result<Repaired, PageError> {
        let mut parity = [0; PARITY_MAX];
        let parity = &mut parity[..self.parity_bytes() as usize];
        let mut worst = Repaired::default();
        for (codeword, parity_at) in self.codewords(unit) {
            self.gather(page, parity_at, parity)
                .ok_or(PageError::Uncorrectable)?;
            let data = page.get_mut(codeword).ok_or(PageError::Uncorrectable)?;
            let corrected = code
                .decode(data, parity)
                .map_err(|_| PageError::Uncorrectable)?;
            if corrected.count() > 0 {
                self.scatter(page, parity_at, parity);
            }
            worst = worst.and(Repaired::of(corrected.count(), code.strength()));
        }
        Ok(worst)
    }
}
