//! Byte ranges over a disk of sectors.
//!
//! A client may ask for half a sector. Reading that is reading the sector and handing out the half; writing it is
//! read-modify-write. Trims shrink to the whole sectors inside their range, as the protocol allows; zeroes may not,
//! so their edges are read-modify-write too.

use core::fmt;
use core::ops::Range;

use super::export::{ExportError, SectorExport};
use super::protocol::{BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, BLOCK_BYTES_PREFERRED};

/// Most bytes of zeros written with one call.
const ZEROS_BYTES_MAX: u64 = 1 << 20;

/// Why a disk cannot be served at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShapeError {
    /// The sector is not a power of two, or is larger than 32 MiB.
    SectorBytes(u32),
    /// The disk has more bytes than a client can address (2⁶³ − 1).
    TooLarge {
        /// Sectors of the disk.
        sectors: u64,
        /// Bytes of each.
        sector_bytes: u32,
    },
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SectorBytes(bytes) => write!(
                f,
                "cannot serve sectors of {bytes} bytes: a power of two up to {BLOCK_BYTES_MAX} is needed"
            ),
            Self::TooLarge {
                sectors,
                sector_bytes,
            } => write!(
                f,
                "cannot serve {sectors} sectors of {sector_bytes} bytes: clients address at most 2^63 - 1 bytes"
            ),
        }
    }
}

impl std::error::Error for ShapeError {}

/// The sizes clients are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Bytes of the disk.
    pub size_bytes: u64,
    /// Offsets and lengths are multiples of this.
    pub block_bytes_min: u32,
    /// Requests of multiples of this are served without read-modify-write.
    pub block_bytes_preferred: u32,
}

/// A [`SectorExport`] addressed in bytes, at any alignment.
#[derive(Debug)]
pub struct ByteExport<E> {
    sectors: E,
    sector_bytes: u64,
    size_bytes: u64,
    /// One sector, for what begins or ends inside of one.
    scratch: Vec<u8>,
}

/// A byte range, cut where whole sectors begin and end.
#[derive(Debug, PartialEq, Eq)]
struct Cut {
    /// Bytes that end inside or at the end of their one sector and do not fill it; may be empty.
    head: Range<u64>,
    /// Whole sectors; may be empty.
    whole: Range<u64>,
    /// Bytes that begin a sector and do not fill it; may be empty.
    tail: Range<u64>,
}

impl Cut {
    fn new(range: &Range<u64>, sector_bytes: u64) -> Self {
        let up = range.start.next_multiple_of(sector_bytes).min(range.end);
        let down = range.end - range.end % sector_bytes;
        let down = down.max(up);
        Self {
            head: range.start..up,
            whole: up..down,
            tail: down..range.end,
        }
    }
}

impl<E: SectorExport> ByteExport<E> {
    /// Puts byte addressing in front of `sectors`.
    ///
    /// # Errors
    ///
    /// The disk's sector or size cannot be offered to NBD clients.
    pub fn new(sectors: E) -> Result<Self, ShapeError> {
        let sector_bytes = sectors.sector_bytes();
        if !sector_bytes.is_power_of_two() || sector_bytes > BLOCK_BYTES_MAX {
            return Err(ShapeError::SectorBytes(sector_bytes));
        }
        let size_bytes = sectors
            .sectors()
            .checked_mul(u64::from(sector_bytes))
            .filter(|&bytes| i64::try_from(bytes).is_ok())
            .ok_or(ShapeError::TooLarge {
                sectors: sectors.sectors(),
                sector_bytes,
            })?;
        let scratch = usize::try_from(sector_bytes)
            .map(|bytes| vec![0; bytes])
            .map_err(|_| ShapeError::SectorBytes(sector_bytes))?;
        Ok(Self {
            sectors,
            sector_bytes: u64::from(sector_bytes),
            size_bytes,
            scratch,
        })
    }

    /// Gives the disk back.
    pub fn into_inner(self) -> E {
        self.sectors
    }

    /// Bytes of the disk.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// True if nothing can be written.
    pub fn read_only(&self) -> bool {
        self.sectors.read_only()
    }

    pub(super) fn shape(&self) -> Shape {
        let sector_bytes = self.sectors.sector_bytes();
        Shape {
            size_bytes: self.size_bytes,
            block_bytes_min: sector_bytes.min(BLOCK_BYTES_MIN),
            block_bytes_preferred: sector_bytes.max(BLOCK_BYTES_PREFERRED),
        }
    }

    /// Reads the bytes from `offset` on until `into` is full.
    ///
    /// # Errors
    ///
    /// [`ExportError::Invalid`] outside the disk, else what the disk says; `into` is then unspecified.
    pub fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), ExportError> {
        let range = self.range(offset, length(into))?;
        let cut = Cut::new(&range, self.sector_bytes);
        let (head, rest) = into.split_at_mut(bytes(&cut.head)?);
        let (whole, tail) = rest.split_at_mut(bytes(&cut.whole)?);
        for (part, into) in [(cut.head, head), (cut.tail, tail)] {
            if !into.is_empty() {
                let within = self.load(&part)?;
                into.copy_from_slice(&self.scratch[within]);
            }
        }
        if !whole.is_empty() {
            self.sectors.read(self.sector(cut.whole.start), whole)?;
        }
        Ok(())
    }

    /// Writes `data` to the bytes from `offset` on. Sectors that `data` does not fill are read first.
    ///
    /// # Errors
    ///
    /// [`ExportError::ReadOnly`]; [`ExportError::Invalid`] outside the disk; else what the disk says. Each sector
    /// then holds its old or its new contents.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), ExportError> {
        self.writable()?;
        let range = self.range(offset, length(data))?;
        let cut = Cut::new(&range, self.sector_bytes);
        let (head, rest) = data.split_at(bytes(&cut.head)?);
        let (whole, tail) = rest.split_at(bytes(&cut.whole)?);
        if !head.is_empty() {
            self.modify(&cut.head, |sector| sector.copy_from_slice(head))?;
        }
        if !whole.is_empty() {
            self.sectors.write(self.sector(cut.whole.start), whole)?;
        }
        if !tail.is_empty() {
            self.modify(&cut.tail, |sector| sector.copy_from_slice(tail))?;
        }
        Ok(())
    }

    /// Forgets the whole sectors among `len` bytes from `offset` on; the rest keeps its contents.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn trim(&mut self, offset: u64, len: u64) -> Result<(), ExportError> {
        self.writable()?;
        let range = self.range(offset, len)?;
        let whole = Cut::new(&range, self.sector_bytes).whole;
        self.trim_whole(&whole)
    }

    /// Makes `len` bytes from `offset` on read as zeros: whole sectors are forgotten, or with `allocate` written with
    /// zeros; the edges are written.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn write_zeroes(
        &mut self,
        offset: u64,
        len: u64,
        allocate: bool,
    ) -> Result<(), ExportError> {
        self.writable()?;
        let range = self.range(offset, len)?;
        let cut = Cut::new(&range, self.sector_bytes);
        for edge in [&cut.head, &cut.tail] {
            if !edge.is_empty() {
                self.modify(edge, |sector| sector.fill(0))?;
            }
        }
        if !allocate {
            return self.trim_whole(&cut.whole);
        }
        // A multiple of the sector, as both are powers of two.
        let step = ZEROS_BYTES_MAX.max(self.sector_bytes);
        let zeros = vec![0; bytes(&(0..step.min(cut.whole.end - cut.whole.start)))?];
        let mut at = cut.whole.start;
        while at < cut.whole.end {
            let end = (at + step).min(cut.whole.end);
            self.sectors
                .write(self.sector(at), &zeros[..bytes(&(at..end))?])?;
            at = end;
        }
        Ok(())
    }

    /// Makes everything durable that was written or trimmed before.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn flush(&mut self) -> Result<(), ExportError> {
        self.sectors.flush()
    }

    fn writable(&self) -> Result<(), ExportError> {
        if self.sectors.read_only() {
            Err(ExportError::ReadOnly)
        } else {
            Ok(())
        }
    }

    fn range(&self, offset: u64, len: u64) -> Result<Range<u64>, ExportError> {
        offset
            .checked_add(len)
            .filter(|&end| end <= self.size_bytes)
            .map(|end| offset..end)
            .ok_or(ExportError::Invalid)
    }

    fn sector(&self, offset: u64) -> u64 {
        offset / self.sector_bytes
    }

    fn trim_whole(&mut self, whole: &Range<u64>) -> Result<(), ExportError> {
        if whole.is_empty() {
            return Ok(());
        }
        let (first, end) = (self.sector(whole.start), self.sector(whole.end));
        self.sectors.trim(first, end - first)
    }

    /// Reads the one sector that holds `part` into the scratch buffer; returns where in it `part` lies.
    fn load(&mut self, part: &Range<u64>) -> Result<Range<usize>, ExportError> {
        let sector = self.sector(part.start);
        let base = sector * self.sector_bytes;
        debug_assert!(part.end <= base + self.sector_bytes);
        self.sectors.read(sector, &mut self.scratch)?;
        Ok(bytes(&(base..part.start))?..bytes(&(base..part.end))?)
    }

    /// Changes a part of one sector.
    fn modify(
        &mut self,
        part: &Range<u64>,
        change: impl FnOnce(&mut [u8]),
    ) -> Result<(), ExportError> {
        let within = self.load(part)?;
        change(&mut self.scratch[within]);
        self.sectors.write(self.sector(part.start), &self.scratch)
    }
}

/// Length of a slice as the disk counts.
fn length(slice: &[u8]) -> u64 {
    // Saturates only where a slice is longer than any disk, which the range check then refuses.
    u64::try_from(slice.len()).unwrap_or(u64::MAX)
}

/// Length of a range as memory counts.
fn bytes(range: &Range<u64>) -> Result<usize, ExportError> {
    usize::try_from(range.end - range.start).map_err(|_| ExportError::Invalid)
}

#[cfg(test)]
mod tests {
    use super::Cut;

    #[test]
    fn a_cut_covers_its_range_without_gap_and_its_whole_part_is_aligned() {
        for sector in [1_u64, 2, 4, 8] {
            for start in 0..20 {
                for end in start..28 {
                    let cut = Cut::new(&(start..end), sector);
                    assert_eq!(cut.head.start, start);
                    assert_eq!(cut.head.end, cut.whole.start);
                    assert_eq!(cut.whole.end, cut.tail.start);
                    assert_eq!(cut.tail.end, end);
                    if !cut.whole.is_empty() {
                        assert!(cut.whole.start.is_multiple_of(sector));
                        assert!(cut.whole.end.is_multiple_of(sector));
                    }
                    for edge in [&cut.head, &cut.tail] {
                        if !edge.is_empty() {
                            assert!(edge.end - edge.start < sector);
                            assert_eq!(edge.start / sector, (edge.end - 1) / sector);
                        }
                    }
                }
            }
        }
    }
}
