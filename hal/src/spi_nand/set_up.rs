//! From power to a part that is known and does as it is told.

use super::cache;
use super::chip::{IdAnswer, JedecId, SpiNandChip, ID_BYTES};
use super::chips::CHIPS;
use super::ecc_status::EccStatus;
use super::error::SpiNandError;
use super::feature;
use super::frame::{CacheAddress, Column, Frame};
use super::options::{SpiNandOptions, UnknownChips};
use super::parameter_page::{
    ParameterPage, ParameterPageError, PARAMETER_PAGE_BYTES, PARAMETER_PAGE_COPIES,
    PARAMETER_PAGE_ROW,
};
use super::register;
use super::wire::Wire;
use super::{opcode, Part, PartSource};

/// Between two looks at the status while a reset or the read of a parameter page goes on.
const PAUSE_NS: u32 = 10_000;

/// Readings of an identity before the last one is believed.
const READINGS_MAX: u32 = 6;

/// What the registers have to read while the part is as it was set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) protection: u8,
    pub(super) configuration: u8,
}

impl Settings {
    /// What they read now.
    pub(super) async fn read<W: Wire>(wire: &mut W) -> Result<Self, W::Error> {
        Ok(Self {
            protection: feature::get(wire, register::PROTECTION).await?,
            configuration: feature::get(wire, register::CONFIGURATION).await?,
        })
    }

    /// True when a line that is stuck at 0 would read the same.
    pub(super) fn are_all_zero(self) -> bool {
        self.protection == 0 && self.configuration == 0
    }
}

/// The level that a silent line has, if this is no answer.
fn level_of_silence(answer: &IdAnswer) -> Option<u8> {
    let [_, level, rest @ ..] = answer;
    let is_level = (*level == 0x00 || *level == 0xFF) && rest.iter().all(|byte| byte == level);
    is_level.then_some(*level)
}

/// Asks for the identity until two answers in a row agree.
pub(super) async fn identity<W: Wire>(wire: &mut W) -> Result<IdAnswer, W::Error> {
    let mut found = None;
    for _ in 0..READINGS_MAX {
        let mut answer = [0; ID_BYTES + 1];
        // Zeros behind the opcode: GigaDevice takes the first for an address (Linux `drivers/mtd/nand/spi/gigadevice.c`).
        let sent = [opcode::READ_ID, 0, 0, 0, 0];
        wire.exchange(&sent, &mut answer).await?;
        let [_, id @ ..] = answer;
        if found.replace(id) == Some(id) {
            break;
        }
    }
    Ok(found.unwrap_or_default())
}

/// Waits until the part is ready. False when it is not within the deadline.
async fn is_ready_within<W: Wire>(wire: &mut W, deadline_us: u32) -> Result<bool, W::Error> {
    let looks = deadline_us.saturating_mul(1000) / PAUSE_NS;
    for _ in 0..=looks {
        if feature::get_agreed(wire, register::STATUS).await? & register::BUSY == 0 {
            return Ok(true);
        }
        wire.pause_ns(PAUSE_NS).await;
    }
    Ok(false)
}

/// Resets the part and asks who it is.
pub(super) async fn reset<W: Wire>(
    wire: &mut W,
    options: &SpiNandOptions,
) -> Result<IdAnswer, SpiNandError<W::Error>> {
    let spi = SpiNandError::Spi;
    wire.write(Frame::reset(), &[]).await.map_err(spi)?;
    let is_ready = is_ready_within(wire, options.deadlines.reset_us)
        .await
        .map_err(spi)?;
    let id = identity(wire).await.map_err(spi)?;
    match level_of_silence(&id) {
        Some(line) => Err(SpiNandError::NoChip { line }),
        None if !is_ready => Err(SpiNandError::Timeout),
        None => Ok(id),
    }
}

/// Finds the part in the table, or else in its parameter page if the options allow that. `scratch` is overwritten then.
pub(super) async fn recognise<W: Wire>(
    wire: &mut W,
    id: IdAnswer,
    options: &SpiNandOptions,
    scratch: &mut [u8],
) -> Result<Part, SpiNandError<W::Error>> {
    if let Some(chip) = CHIPS.iter().find(|chip| chip.id.is_in(&id)) {
        return Ok(Part {
            chip: *chip,
            id,
            source: PartSource::Table,
        });
    }
    if options.unknown_chips == UnknownChips::Refuse {
        return Err(SpiNandError::UnknownChip { id });
    }
    let found = scratch.len();
    let scratch = scratch
        .first_chunk_mut()
        .ok_or(SpiNandError::BufferTooSmall {
            found,
            needed: PARAMETER_PAGE_BYTES,
        })?;
    let page = parameter_page(wire, options, scratch).await?;
    let page = page.map_err(|error| SpiNandError::ParameterPage { id, error })?;
    Ok(Part {
        chip: SpiNandChip {
            name: "described by its parameter page",
            sources: "the parameter page",
            id: JedecId::AfterDummy(&[]),
            geometry: page.geometry,
            cache_address: CacheAddress::Two,
            has_plane_select: false,
            has_buffer_mode: false,
            ecc_status: EccStatus::Corrected,
        },
        id,
        source: PartSource::ParameterPage {
            manufacturer: page.manufacturer,
            model: page.model,
        },
    })
}

/// Reads copies of the parameter page until one is whole. The one-time area stays in place of the array: [`configure`] puts it back.
async fn parameter_page<W: Wire>(
    wire: &mut W,
    options: &SpiNandOptions,
    bytes: &mut [u8; PARAMETER_PAGE_BYTES],
) -> Result<Result<ParameterPage, ParameterPageError>, SpiNandError<W::Error>> {
    let spi = SpiNandError::Spi;
    let configuration = feature::get_agreed(wire, register::CONFIGURATION)
        .await
        .map_err(spi)?;
    let with_otp = configuration | register::OTP_ENABLE;
    feature::set(wire, register::CONFIGURATION, with_otp)
        .await
        .map_err(spi)?;
    let load = Frame::page_read(PARAMETER_PAGE_ROW);
    wire.write(load, &[]).await.map_err(spi)?;
    if !is_ready_within(wire, options.deadlines.read_us)
        .await
        .map_err(spi)?
    {
        return Err(SpiNandError::Timeout);
    }
    let mut last = Err(ParameterPageError::Signature);
    for copy in 0..PARAMETER_PAGE_COPIES {
        // 256 bytes a copy.
        let column = Column {
            byte: copy << 8,
            plane: 0,
        };
        let most = options.transfer_bytes_max;
        cache::read(wire, CacheAddress::Two, column, bytes, most)
            .await
            .map_err(spi)?;
        last = ParameterPage::decode(bytes);
        if last.is_ok() {
            break;
        }
    }
    Ok(last)
}

/// Lifts the protection of all blocks, leaves the one-time area, and switches the part's own error correction on or off.
pub(super) async fn configure<W: Wire>(
    wire: &mut W,
    chip: &SpiNandChip,
    options: &SpiNandOptions,
) -> Result<Settings, SpiNandError<W::Error>> {
    let spi = SpiNandError::Spi;
    let protection = feature::set(wire, register::PROTECTION, 0)
        .await
        .map_err(spi)?;
    if protection != 0 {
        return Err(SpiNandError::Locked { protection });
    }
    // Its other bits are the vendor's, or locks that cannot be undone: they stay as they are.
    let as_is = feature::get_agreed(wire, register::CONFIGURATION)
        .await
        .map_err(spi)?;
    let mut wanted = as_is & !(register::OTP_ENABLE | register::ECC_ENABLE);
    if options.chip_ecc {
        wanted |= register::ECC_ENABLE;
    }
    if chip.has_buffer_mode {
        wanted |= register::BUFFER_MODE;
    }
    let configuration = feature::set(wire, register::CONFIGURATION, wanted)
        .await
        .map_err(spi)?;
    if configuration != wanted {
        return Err(SpiNandError::Configuration {
            wanted,
            found: configuration,
        });
    }
    Ok(Settings {
        protection,
        configuration,
    })
}
