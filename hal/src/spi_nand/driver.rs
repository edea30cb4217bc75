//! Array operations on a part that is set up: what is sent when, and what the answers mean. Knows nothing of who waits for the wire.

use super::chip::SpiNandChip;
use super::ecc_status::{EccQuestion, EccVerdict};
use super::error::SpiNandError;
use super::frame::{Column, Frame};
use super::options::SpiNandOptions;
use super::set_up::{self, Settings};
use super::wire::Wire;
use super::{cache, feature, register, Part};
use crate::{
    BlockAddress, Buffer, Columns, Completion, Die, Geometry, PageAddress, PageIndex, ReadOutcome,
    ReadStatus,
};

/// The least that a look at the status can take: three bytes at 133 MHz, the highest clock of the table's parts (Micron MT29F2G01ABAGD data
/// sheet, "Array performance").
const LOOK_NS: u32 = 180;

/// How often a command is sent that the part does not take, and a load that arrives wrong.
const SENDINGS_MAX: u8 = 3;

#[derive(Debug, Clone, Copy)]
enum Deed {
    Read(PageAddress, Columns, Buffer),
    Program,
    Erase,
}

/// An operation in flight.
#[derive(Debug, Clone, Copy)]
struct Flight {
    deed: Deed,
    /// What started it.
    frame: Frame,
    sendings: u8,
    waited_ns: u32,
}

/// A part behind a wire, and the page buffers lent to it.
#[derive(Debug)]
pub(super) struct Driver<'m, W> {
    wire: W,
    options: SpiNandOptions,
    part: Part,
    geometry: Geometry,
    raw_page_bytes: usize,
    memory: &'m mut [u8],
    settings: Settings,
    flight: Option<Flight>,
    /// Something went wrong whose traces only a reset takes away.
    is_in_doubt: bool,
}

impl<'m, W: Wire> Driver<'m, W> {
    pub(super) async fn open(
        mut wire: W,
        options: &SpiNandOptions,
        memory: &'m mut [u8],
    ) -> Result<Self, SpiNandError<W::Error>> {
        let id = set_up::reset(&mut wire, options).await?;
        let part = set_up::recognise(&mut wire, id, options, memory).await?;
        let mut geometry = part.chip.geometry;
        match &mut geometry.chip_ecc {
            Some(ecc) => ecc.enabled = options.chip_ecc,
            None if options.chip_ecc => return Err(SpiNandError::NoChipEcc),
            None => {}
        }
        let raw_page_bytes = usize::try_from(geometry.raw_page_bytes()).unwrap_or(usize::MAX);
        geometry.buffers_per_die = match memory.len() / raw_page_bytes {
            0 => {
                return Err(SpiNandError::BufferTooSmall {
                    found: memory.len(),
                    needed: raw_page_bytes,
                })
            }
            1 => 1,
            _ => 2,
        };
        let settings = set_up::configure(&mut wire, &part.chip, options).await?;
        Ok(Self {
            wire,
            options: *options,
            part,
            geometry,
            raw_page_bytes,
            memory,
            settings,
            flight: None,
            is_in_doubt: false,
        })
    }

    pub(super) fn into_parts(self) -> (W, &'m mut [u8]) {
        (self.wire, self.memory)
    }

    pub(super) const fn part(&self) -> &Part {
        &self.part
    }

    pub(super) const fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    pub(super) const fn wire(&mut self) -> &mut W {
        &mut self.wire
    }

    #[cfg(feature = "spi-nand-async")]
    pub(super) const fn is_busy(&self) -> bool {
        self.flight.is_some()
    }

    pub(super) fn buffer(&self, die: Die, buffer: Buffer) -> &[u8] {
        if die != Die(0) {
            return &[];
        }
        self.memory
            .chunks_exact(self.raw_page_bytes)
            .nth(buffer.index())
            .unwrap_or_default()
    }

    pub(super) fn buffer_mut(&mut self, die: Die, buffer: Buffer) -> &mut [u8] {
        if die != Die(0) {
            return &mut [];
        }
        self.memory
            .chunks_exact_mut(self.raw_page_bytes)
            .nth(buffer.index())
            .unwrap_or_default()
    }

    const fn chip(&self) -> &SpiNandChip {
        &self.part.chip
    }

    fn row(&self, page: PageAddress) -> u32 {
        // Within 24 bits, by the geometry.
        page.block.block.0 * u32::from(self.geometry.pages_per_block) + u32::from(page.page.0)
    }

    fn column(&self, block: BlockAddress, byte: u32) -> Column {
        Column {
            // Within 13 bits, by the geometry.
            byte: u16::try_from(byte).unwrap_or(u16::MAX),
            plane: u8::from(self.chip().has_plane_select && block.block.0 % 2 == 1),
        }
    }

    /// Checks what any start does, and sets a part in doubt up anew.
    async fn ready(&mut self, exists: bool) -> Result<(), SpiNandError<W::Error>> {
        if !exists {
            return Err(SpiNandError::OutOfBounds);
        }
        if self.flight.is_some() {
            return Err(SpiNandError::Busy);
        }
        if self.is_in_doubt {
            let id = set_up::reset(&mut self.wire, &self.options).await?;
            if !self.part.answers_as(&id) {
                return Err(SpiNandError::AnotherChip { id });
            }
            self.settings =
                set_up::configure(&mut self.wire, &self.part.chip, &self.options).await?;
            self.is_in_doubt = false;
        }
        Ok(())
    }

    /// Sends what starts an operation. From the first bit on it counts as in flight.
    async fn launch(&mut self, deed: Deed, frame: Frame) -> Result<(), SpiNandError<W::Error>> {
        self.flight = Some(Flight {
            deed,
            frame,
            sendings: 1,
            waited_ns: 0,
        });
        let sent = self.wire.write(frame, &[]).await;
        sent.map_err(|error| self.lost(SpiNandError::Spi(error)))
    }

    /// Ends an operation whose fate is unknown.
    fn lost(&mut self, error: SpiNandError<W::Error>) -> SpiNandError<W::Error> {
        self.flight = None;
        self.is_in_doubt = true;
        error
    }

    pub(super) async fn start_read(
        &mut self,
        page: PageAddress,
        columns: Columns,
        buffer: Buffer,
    ) -> Result<(), SpiNandError<W::Error>> {
        let exists = self.geometry.has_page(page)
            && self.geometry.has_buffer(buffer)
            && columns.fits(&self.geometry);
        self.ready(exists).await?;
        let frame = Frame::page_read(self.row(page));
        self.launch(Deed::Read(page, columns, buffer), frame).await
    }

    pub(super) async fn start_program(
        &mut self,
        page: PageAddress,
        buffer: Buffer,
    ) -> Result<(), SpiNandError<W::Error>> {
        let exists = self.geometry.has_page(page) && self.geometry.has_buffer(buffer);
        self.ready(exists).await?;
        // Before the load: Winbond takes none without (W25N01GV data sheet, on the instruction 02h; unchecked). Linux sends it first to all parts.
        self.enable_write().await?;
        if let Err(error) = self.load(page.block, buffer).await {
            self.is_in_doubt = true;
            return Err(error);
        }
        let frame = Frame::program_execute(self.row(page));
        self.launch(Deed::Program, frame).await
    }

    pub(super) async fn start_erase(
        &mut self,
        block: BlockAddress,
    ) -> Result<(), SpiNandError<W::Error>> {
        self.ready(self.geometry.has_block(block)).await?;
        self.enable_write().await?;
        let first = PageAddress {
            block,
            page: PageIndex(0),
        };
        self.launch(Deed::Erase, Frame::block_erase(self.row(first)))
            .await
    }

    /// Allows a program or erase, and sees that the part has taken it.
    async fn enable_write(&mut self) -> Result<(), SpiNandError<W::Error>> {
        for _ in 0..SENDINGS_MAX {
            let status = match self.wire.write(Frame::write_enable(), &[]).await {
                Ok(()) => feature::get_agreed(&mut self.wire, register::STATUS).await,
                Err(error) => Err(error),
            };
            match status {
                Err(error) => return Err(self.lost(SpiNandError::Spi(error))),
                Ok(status)
                    if status & (register::WRITE_ENABLED | register::BUSY)
                        == register::WRITE_ENABLED =>
                {
                    return Ok(())
                }
                Ok(_) => {}
            }
        }
        Err(self.lost(SpiNandError::NotTaken))
    }

    async fn load(
        &mut self,
        block: BlockAddress,
        buffer: Buffer,
    ) -> Result<(), SpiNandError<W::Error>> {
        let column = self.column(block, 0);
        let address = self.chip().cache_address;
        let most = self.options.transfer_bytes_max;
        let bytes = self
            .memory
            .chunks_exact(self.raw_page_bytes)
            .nth(buffer.index())
            .ok_or(SpiNandError::OutOfBounds)?;
        for _ in 0..SENDINGS_MAX {
            cache::load(&mut self.wire, column, bytes, most)
                .await
                .map_err(SpiNandError::Spi)?;
            let is_right = !self.options.verify_loads
                || cache::holds(&mut self.wire, address, column, bytes, most)
                    .await
                    .map_err(SpiNandError::Spi)?;
            if is_right {
                return Ok(());
            }
        }
        Err(SpiNandError::LoadCorrupted)
    }

    /// Looks at the operation in flight once, and ends it if the part has.
    pub(super) async fn look(&mut self) -> nb::Result<Completion, SpiNandError<W::Error>> {
        let Some(flight) = self.flight else {
            return Err(nb::Error::WouldBlock);
        };
        match self.settle(flight).await {
            Ok(None) => Err(nb::Error::WouldBlock),
            Ok(Some(completion)) => {
                self.flight = None;
                Ok(completion)
            }
            Err(error) => Err(nb::Error::Other(self.lost(error))),
        }
    }

    async fn settle(
        &mut self,
        flight: Flight,
    ) -> Result<Option<Completion>, SpiNandError<W::Error>> {
        let spi = SpiNandError::Spi;
        let status = feature::get(&mut self.wire, register::STATUS)
            .await
            .map_err(spi)?;
        // What says that it is ready, or how it went, is asked twice: a bit may have flipped on the wire.
        let is_over = status & register::BUSY == 0
            && feature::get(&mut self.wire, register::STATUS)
                .await
                .map_err(spi)?
                == status;
        if !is_over {
            self.passed(LOOK_NS);
            return match self.is_overdue() {
                true => Err(SpiNandError::Timeout),
                false => Ok(None),
            };
        }
        let failed = match flight.deed {
            Deed::Read(..) => 0,
            Deed::Program => register::PROGRAM_FAILED,
            Deed::Erase => register::ERASE_FAILED,
        };
        let has_failed = status & failed != 0;
        let was_taken = matches!(flight.deed, Deed::Read(..))
            || has_failed
            || status & register::WRITE_ENABLED == 0;
        if !was_taken {
            return self.send_again(flight).await;
        }
        self.check_settings().await?;
        Ok(Some(match flight.deed {
            Deed::Read(page, columns, buffer) => {
                let read_status = self.ecc_status(status).await.map_err(spi)?;
                self.fetch(page, columns, buffer).await?;
                Completion::Read(read_status)
            }
            Deed::Program if has_failed => Completion::ProgramFailed,
            Deed::Program => Completion::Programmed,
            Deed::Erase if has_failed => Completion::EraseFailed,
            Deed::Erase => Completion::Erased,
        }))
    }

    /// The part is ready, and a program or erase is still allowed: it never saw the command, or another one in its place.
    async fn send_again(
        &mut self,
        flight: Flight,
    ) -> Result<Option<Completion>, SpiNandError<W::Error>> {
        if flight.sendings == SENDINGS_MAX {
            return Err(SpiNandError::NotTaken);
        }
        self.flight = Some(Flight {
            sendings: flight.sendings + 1,
            waited_ns: 0,
            ..flight
        });
        let sent = self.wire.write(flight.frame, &[]).await;
        sent.map_err(SpiNandError::Spi).map(|()| None)
    }

    /// Sees that the part is still set up, and is there at all: a part that was reset meanwhile has its blocks protected again.
    async fn check_settings(&mut self) -> Result<(), SpiNandError<W::Error>> {
        let spi = SpiNandError::Spi;
        for _ in 0..SENDINGS_MAX {
            if Settings::read(&mut self.wire).await.map_err(spi)? != self.settings {
                continue;
            }
            if !self.settings.are_all_zero() {
                return Ok(());
            }
            let id = set_up::identity(&mut self.wire).await.map_err(spi)?;
            if self.part.answers_as(&id) {
                return Ok(());
            }
        }
        let id = set_up::identity(&mut self.wire).await.map_err(spi)?;
        Err(match self.part.answers_as(&id) {
            true => SpiNandError::Reset,
            false => SpiNandError::Silent,
        })
    }

    async fn ecc_status(&mut self, status: u8) -> Result<ReadStatus, W::Error> {
        let Some(ecc) = self.geometry.chip_ecc.filter(|ecc| ecc.enabled) else {
            return Ok(ReadStatus::Ok(ReadOutcome::RAW));
        };
        let code = self.chip().ecc_status;
        let bits = match code.decode(status, ecc.strength) {
            EccVerdict::Uncorrectable => return Ok(ReadStatus::Uncorrectable),
            EccVerdict::Corrected(bits) => bits,
            EccVerdict::Ask(question) => {
                let answer = match question {
                    EccQuestion::Register(register) => {
                        feature::get_agreed(&mut self.wire, register).await?
                    }
                    EccQuestion::Command => {
                        let mut answer = [0];
                        let frame = Frame::read_ecc_status();
                        self.wire.read(frame, &mut answer).await?;
                        let [answer] = answer;
                        answer
                    }
                };
                code.settle(answer, ecc.strength)
            }
        };
        Ok(ReadStatus::Ok(ReadOutcome {
            corrected_bits_max: bits,
            strength: ecc.strength,
            refresh_advised: bits > 0 && bits >= ecc.strength,
        }))
    }

    async fn fetch(
        &mut self,
        page: PageAddress,
        columns: Columns,
        buffer: Buffer,
    ) -> Result<(), SpiNandError<W::Error>> {
        for (start, len) in columns.transfers() {
            if len == 0 {
                continue;
            }
            let column = self.column(page.block, start);
            let address = self.chip().cache_address;
            let bytes = self
                .memory
                .chunks_exact_mut(self.raw_page_bytes)
                .nth(buffer.index())
                .zip(usize::try_from(start).ok().zip(usize::try_from(len).ok()))
                .and_then(|(page, (start, len))| page.get_mut(start..)?.get_mut(..len))
                .ok_or(SpiNandError::OutOfBounds)?;
            let most = self.options.transfer_bytes_max;
            cache::read(&mut self.wire, address, column, bytes, most)
                .await
                .map_err(SpiNandError::Spi)?;
        }
        Ok(())
    }

    fn passed(&mut self, ns: u32) {
        if let Some(flight) = &mut self.flight {
            flight.waited_ns = flight.waited_ns.saturating_add(ns);
        }
    }

    fn is_overdue(&self) -> bool {
        let deadlines = &self.options.deadlines;
        self.flight.is_some_and(|flight| {
            let deadline_us = match flight.deed {
                Deed::Read(..) => deadlines.read_us,
                Deed::Program => deadlines.program_us,
                Deed::Erase => deadlines.erase_us,
            };
            flight.waited_ns >= deadline_us.saturating_mul(1000)
        })
    }

    /// Lets some of the time pass that the operation in flight takes: a fifth or less of what is usual. Nothing when there is none.
    pub(super) async fn pause(&mut self) {
        let Some(flight) = self.flight else {
            return;
        };
        // Winbond W25N01GV data sheet, typical: 25 to 60 µs, 250 µs, 2 ms.
        let ns = match flight.deed {
            Deed::Read(..) => 5_000,
            Deed::Program => 25_000,
            Deed::Erase => 250_000,
        };
        self.wire.pause_ns(ns).await;
        self.passed(ns);
    }
}
