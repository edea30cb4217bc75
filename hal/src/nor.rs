//! A NOR part as a NAND.

use embedded_storage::nor_flash::{NorFlash, NorFlashError, NorFlashErrorKind};

use crate::{
    BlockAddress, Buffer, Columns, Completion, Die, Geometry, Nand, NandError, NandErrorKind,
    PageAddress, PageIndex, ReadOutcome, ReadStatus,
};

mod layout;
mod referee;

#[cfg(test)]
pub(crate) mod mock;
#[cfg(test)]
mod tests;

pub use layout::{NorLayout, NorNandError};
use referee::Referee;

/// A NOR part that behaves as a NAND of one die without bad blocks.
///
/// # Shape
///
/// [`NorLayout`] says how the part is cut up. The caller lends the page buffer; where it has room for two
/// pages with their spare, the die has a second buffer.
///
/// # Operations
///
/// The calls of a [`NorFlash`] block, so an operation is executed when it is started and settles at the first
/// [`poll`](Nand::poll). Read columns are widened to whole `READ_SIZE` units within the page. How an error of the
/// flash is understood:
///
/// | flash says | read | program | erase |
/// |---|---|---|---|
/// | `OutOfBounds`, `NotAligned` | error, `Other` | error, `Other` | error, `Other` |
/// | anything else | error, `Bus` | [`Completion::ProgramFailed`] | [`Completion::EraseFailed`] |
///
/// The first row is a fault of this adapter or of the driver and says nothing of the array. In the second a worn cell
/// cannot be told from a broken bus, as the flash says `Other` of both: no acknowledged data is lost by that, but good
/// blocks are retired while a bus fails. A driver does well to retry its bus by itself.
///
/// # Bad blocks
///
/// There are none, whatever the part was used for before: the place of the marker, the first spare byte of a block's
/// first page, always reads `0xFF`.
///
/// # What is refused
///
/// A NOR part would take a second program of a page and silently AND it into the first. The eight blocks programmed or
/// erased last in this power session are watched: in them, programming a page twice or in descending order, and
/// programming after a failed erase, is [`NandErrorKind::Forbidden`]. Other blocks are trusted; nothing is read to find
/// out.
///
/// # Power loss
///
/// As [`Nand`] says: the page or block being worked on may hold anything, everything else stays.
///
/// # Example
///
/// ```
/// use cuesta_hal::{Nand, NorLayout, NorNand, NorNandError};
/// use embedded_storage::nor_flash::NorFlash;
///
/// const LAYOUT: NorLayout = NorLayout::new(512, 16);
///
/// fn pages<F: NorFlash>(flash: F) -> Result<u64, NorNandError> {
///     let mut memory = [0; LAYOUT.buffer_bytes()];
///     let nand = NorNand::new(flash, LAYOUT, &mut memory)?;
///     Ok(nand.geometry().pages())
/// }
/// ```
#[derive(Debug)]
pub struct NorNand<'m, F> {
    flash: F,
    geometry: Geometry,
    block_bytes: u32,
    raw_page_bytes: usize,
    memory: &'m mut [u8],
    referee: Referee,
    in_flight: Option<Completion>,
}

impl<'m, F: NorFlash> NorNand<'m, F> {
    /// Cuts `flash` up as `layout` says, with page buffers in `memory`.
    ///
    /// Needs [`NorLayout::buffer_bytes`] bytes of `memory`; twice as many make a second page buffer. The flash is not
    /// accessed.
    ///
    /// # Errors
    /// The first reason why the part cannot be what was asked for. The flash is dropped then: lend it as `&mut F` to
    /// keep it.
    pub fn new(flash: F, layout: NorLayout, memory: &'m mut [u8]) -> Result<Self, NorNandError> {
        let block_bytes = layout.block_bytes::<F>()?;
        let mut geometry = layout.geometry(&flash)?;
        let raw_page_bytes = layout.buffer_bytes();
        geometry.buffers_per_die = match memory.len() / raw_page_bytes {
            0 => {
                return Err(NorNandError::BufferTooSmall {
                    found: memory.len(),
                    needed: raw_page_bytes,
                })
            }
            1 => 1,
            _ => 2,
        };
        Ok(Self {
            flash,
            geometry,
            block_bytes,
            raw_page_bytes,
            memory,
            referee: Referee::default(),
            in_flight: None,
        })
    }

    /// Gives the flash and the memory of the page buffers back. A completion that was not polled is lost; the operation
    /// it tells of has been executed.
    #[must_use]
    pub fn release(self) -> (F, &'m mut [u8]) {
        (self.flash, self.memory)
    }

    /// Offset of a block of the geometry in the flash.
    fn block_offset(&self, block: BlockAddress) -> u32 {
        // Blocks of the geometry end within the capacity, which fits 32 bits.
        block.block.0 * self.block_bytes
    }

    /// Offset of a page of the geometry in the flash.
    fn page_offset(&self, page: PageAddress) -> u32 {
        self.block_offset(page.block) + u32::from(page.page.0) * self.geometry.raw_page_bytes()
    }

    fn idle(&self) -> Result<(), NorFault<F::Error>> {
        match self.in_flight {
            None => Ok(()),
            Some(_) => Err(NorFault::Busy),
        }
    }
}

/// Why an operation of a [`NorNand`] was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NorFault<E> {
    /// An address, column range or buffer that the geometry does not have. The flash was not accessed.
    OutOfBounds,
    /// The last operation has not been polled. The flash was not accessed.
    Busy,
    /// The page, or a later one of its block, is programmed already, or the block's last erase failed: erase it first.
    /// The flash was not accessed.
    Forbidden,
    /// The flash failed, with this error.
    Flash(E),
}

impl<E: NorFlashError> NandError for NorFault<E> {
    fn kind(&self) -> NandErrorKind {
        match self {
            Self::OutOfBounds => NandErrorKind::OutOfBounds,
            Self::Busy => NandErrorKind::Busy,
            Self::Forbidden => NandErrorKind::Forbidden,
            Self::Flash(error) if blames_caller(error) => NandErrorKind::Other,
            Self::Flash(_) => NandErrorKind::Bus,
        }
    }
}

impl<E: NorFlashError> core::fmt::Display for NorFault<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Flash(error) => write!(f, "the NOR flash failed: {error:?}"),
            _ => self.kind().fmt(f),
        }
    }
}

impl<E: NorFlashError> core::error::Error for NorFault<E> {}

/// True when the flash complains of the call, so that the array was not touched.
fn blames_caller<E: NorFlashError>(error: &E) -> bool {
    matches!(
        error.kind(),
        NorFlashErrorKind::OutOfBounds | NorFlashErrorKind::NotAligned
    )
}

/// What a program or an erase came to.
fn settle_as<E: NorFlashError>(
    result: Result<(), E>,
    done: Completion,
    failed: Completion,
) -> Result<Completion, NorFault<E>> {
    match result {
        Ok(()) => Ok(done),
        Err(error) if blames_caller(&error) => Err(NorFault::Flash(error)),
        Err(_) => Ok(failed),
    }
}

/// The bytes of a page buffer within the memory lent; empty where there is no such buffer.
fn buffer_of(memory: &mut [u8], raw_page_bytes: usize, die: Die, buffer: Buffer) -> &mut [u8] {
    if die != Die(0) {
        return &mut [];
    }
    memory
        .chunks_exact_mut(raw_page_bytes)
        .nth(buffer.index())
        .unwrap_or_default()
}

impl<F: NorFlash> Nand for NorNand<'_, F> {
    type Error = NorFault<F::Error>;

    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn buffer(&self, die: Die, buffer: Buffer) -> &[u8] {
        if die != Die(0) {
            return &[];
        }
        self.memory
            .chunks_exact(self.raw_page_bytes)
            .nth(buffer.index())
            .unwrap_or_default()
    }

    fn buffer_mut(&mut self, die: Die, buffer: Buffer) -> &mut [u8] {
        buffer_of(self.memory, self.raw_page_bytes, die, buffer)
    }

    fn start_read(
        &mut self,
        page: PageAddress,
        columns: Columns,
        buffer: Buffer,
    ) -> Result<(), Self::Error> {
        let exists = self.geometry.has_page(page) && self.geometry.has_buffer(buffer);
        if !exists || !columns.fits(&self.geometry) {
            return Err(NorFault::OutOfBounds);
        }
        self.idle()?;

        let offset = self.page_offset(page);
        let target = buffer_of(self.memory, self.raw_page_bytes, page.die(), buffer);
        // It divides the erase size, which fits 32 bits.
        let granule = u32::try_from(F::READ_SIZE).unwrap_or(1);
        for (start, len) in columns.transfers() {
            if len == 0 {
                continue;
            }
            // A page is a whole number of granules, so widening does not leave it.
            let from = start - start % granule;
            let to = (start + len).next_multiple_of(granule);
            let bytes = usize::try_from(from)
                .ok()
                .zip(usize::try_from(to).ok())
                .and_then(|(from, to)| target.get_mut(from..to))
                .ok_or(NorFault::OutOfBounds)?;
            self.flash
                .read(offset + from, bytes)
                .map_err(NorFault::Flash)?;
        }
        if page.page == PageIndex(0) {
            let spare = self.raw_page_bytes - usize::from(self.geometry.spare_bytes);
            let marker = target[spare..].iter_mut();
            marker
                .take(usize::from(self.geometry.bad_block_marker.len))
                .for_each(|byte| *byte = 0xFF);
        }
        self.in_flight = Some(Completion::Read(ReadStatus::Ok(ReadOutcome::RAW)));
        Ok(())
    }

    fn start_program(&mut self, page: PageAddress, buffer: Buffer) -> Result<(), Self::Error> {
        if !self.geometry.has_page(page) || !self.geometry.has_buffer(buffer) {
            return Err(NorFault::OutOfBounds);
        }
        self.idle()?;
        if !self.referee.allows(page) {
            return Err(NorFault::Forbidden);
        }

        let offset = self.page_offset(page);
        let source = buffer_of(self.memory, self.raw_page_bytes, page.die(), buffer);
        let completion = settle_as(
            self.flash.write(offset, source),
            Completion::Programmed,
            Completion::ProgramFailed,
        )?;
        self.referee.programmed(page);
        self.in_flight = Some(completion);
        Ok(())
    }

    fn start_erase(&mut self, block: BlockAddress) -> Result<(), Self::Error> {
        if !self.geometry.has_block(block) {
            return Err(NorFault::OutOfBounds);
        }
        self.idle()?;

        let offset = self.block_offset(block);
        let completion = settle_as(
            self.flash.erase(offset, offset + self.block_bytes),
            Completion::Erased,
            Completion::EraseFailed,
        )?;
        match completion {
            Completion::Erased => self.referee.erased(block.block),
            _ => self.referee.not_erased(block.block),
        }
        self.in_flight = Some(completion);
        Ok(())
    }

    fn poll(&mut self, die: Die) -> nb::Result<Completion, Self::Error> {
        if die != Die(0) {
            return Err(nb::Error::WouldBlock);
        }
        self.in_flight.take().ok_or(nb::Error::WouldBlock)
    }
}
