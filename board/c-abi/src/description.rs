//! What C passes and gets: the structures of the header, and what they stand for.

use core::ffi::{c_char, CStr};
use core::ptr;

use cuesta::hal::{
    BlockAddress, Columns, EccNeed, Geometry, MarkerPages, MarkerPlace, NandErrorKind, PageAddress,
    Pairing,
};
use cuesta::volume::{Error, Event, FormatError, MountError, Ticket};

/// `cuesta_status`.
pub type Status = u32;

pub const OK: Status = 0;
pub const WOULD_BLOCK: Status = 1;
pub const INVALID: Status = 2;
pub const BATCH_TOO_LARGE: Status = 14;
pub const MEMORY: Status = 26;
pub const PARAMETERS: Status = 27;
const NAND_OTHER: Status = 47;

/// The kinds of errors of a part, in the order of their numbers from 40 on.
const NAND_KINDS: [NandErrorKind; 8] = [
    NandErrorKind::OutOfBounds,
    NandErrorKind::Busy,
    NandErrorKind::Forbidden,
    NandErrorKind::PowerLost,
    NandErrorKind::Timeout,
    NandErrorKind::Reset,
    NandErrorKind::Bus,
    NandErrorKind::Other,
];
const NAND_FIRST: Status = 40;

/// The status of a part's error.
fn of_nand(kind: NandErrorKind) -> Status {
    (NAND_FIRST..)
        .zip(NAND_KINDS)
        .find(|&(_, other)| other == kind)
        .map_or(NAND_OTHER, |(status, _)| status)
}

/// The error that a status of a part's function stands for.
pub fn nand_error(status: Status) -> NandErrorKind {
    (status.checked_sub(NAND_FIRST))
        .and_then(|index| NAND_KINDS.get(index as usize).copied())
        .unwrap_or(NandErrorKind::Other)
}

/// The status of a request that failed.
pub fn of_error(error: Error) -> Status {
    match error {
        Error::OutOfRange { .. } => 10,
        // Lengths are the engine's own here.
        Error::Length { .. } => INVALID,
        Error::Lost(_) => 11,
        Error::ReadOnly => 12,
        Error::NoSpace => 13,
        Error::BatchTooLarge { .. } => BATCH_TOO_LARGE,
        Error::NoLevel(_) => 15,
        Error::NoBatch => 16,
        Error::Nand(kind) => of_nand(kind),
        _ => NAND_OTHER,
    }
}

/// The status of a mount that failed.
pub fn of_mount_error(error: MountError) -> Status {
    match error {
        MountError::Blank => 20,
        MountError::Foreign => 21,
        MountError::Damaged => 22,
        MountError::HalfFormatted => 23,
        MountError::Version { .. } => 24,
        MountError::Geometry => 25,
        MountError::Memory { .. } => MEMORY,
        MountError::Parameters(_) => PARAMETERS,
        MountError::Nand(kind) => of_nand(kind),
        _ => NAND_OTHER,
    }
}

/// The status of a format that failed.
pub fn of_format_error(error: FormatError) -> Status {
    match error {
        FormatError::Parameters(_) => PARAMETERS,
        FormatError::Memory(error) => of_mount_error(error),
        FormatError::BadBlocks { .. } => 28,
        FormatError::Nand(kind) => of_nand(kind),
        FormatError::Volume(error) => of_error(error),
        _ => NAND_OTHER,
    }
}

/// What a status says.
pub const fn text(status: Status) -> &'static CStr {
    match status {
        OK => c"done",
        WOULD_BLOCK => c"not now: poll, then try again",
        INVALID => c"a null pointer, or a value or geometry that there cannot be",
        10 => c"a sector beyond the end of the volume",
        11 => c"the sector can no longer be read; writing it makes it usable again",
        12 => c"the volume is read-only",
        13 => c"no room: no segment can be freed, or the sectors written at levels with copies fill the volume",
        BATCH_TOO_LARGE => c"more sectors than a batch can have at the moment",
        15 => c"the volume has no level of this number",
        16 => c"no batch is open",
        20 => c"the part is blank: format it first",
        21 => c"the part holds data that is no Cuesta volume",
        22 => c"the part holds a Cuesta volume whose state cannot be told",
        23 => c"the part was being formatted when the power went: format it again",
        24 => c"the volume has another format version",
        25 => c"the volume was made for a part of another geometry",
        MEMORY => c"too little memory: ask how much is needed",
        PARAMETERS => c"the options do not fit the part",
        28 => c"more bad blocks than the part may have",
        40 => c"address outside the part",
        41 => c"the die is busy",
        42 => c"the array forbids the operation",
        43 => c"power lost",
        44 => c"the part did not become ready in time",
        45 => c"the part was reset",
        46 => c"bus failure",
        NAND_OTHER => c"NAND failure",
        _ => c"no status",
    }
}

/// `cuesta_geometry`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct CGeometry {
    dies: u32,
    blocks_per_die: u32,
    pages_per_block: u32,
    page_bytes: u32,
    spare_bytes: u32,
    buffers_per_die: u32,
    partial_programs_max: u32,
    bad_blocks_max_per_die: u32,
    endurance_cycles: u32,
    reads_per_block_max: u32,
    marker_pages: u32,
    marker_offset: u32,
    marker_bytes: u32,
    ecc_bits: u32,
    ecc_bytes: u32,
    pairing_distance: u32,
}

impl CGeometry {
    /// The geometry, if each number has the size that it may have.
    pub fn geometry(&self) -> Option<Geometry> {
        let geometry = Geometry {
            dies: self.dies.try_into().ok()?,
            blocks_per_die: self.blocks_per_die,
            pages_per_block: self.pages_per_block.try_into().ok()?,
            page_bytes: self.page_bytes,
            spare_bytes: self.spare_bytes.try_into().ok()?,
            buffers_per_die: self.buffers_per_die.try_into().ok()?,
            planes_per_die: 1,
            partial_programs_max: self.partial_programs_max.try_into().ok()?,
            bad_blocks_max_per_die: self.bad_blocks_max_per_die,
            endurance_cycles: self.endurance_cycles,
            reads_per_block_max: self.reads_per_block_max,
            bad_block_marker: MarkerPlace {
                pages: match self.marker_pages {
                    0 => MarkerPages::First,
                    1 => MarkerPages::FirstOrSecond,
                    2 => MarkerPages::FirstOrLast,
                    _ => return None,
                },
                spare_offset: self.marker_offset.try_into().ok()?,
                len: self.marker_bytes.try_into().ok()?,
            },
            chip_ecc: None,
            ecc_need: EccNeed {
                bits: self.ecc_bits.try_into().ok()?,
                per_bytes: self.ecc_bytes.try_into().ok()?,
            },
            pairing: match self.pairing_distance {
                0 => Pairing::None,
                distance => Pairing::Distance(distance.try_into().ok()?),
            },
        };
        geometry.validate().ok()?;
        Some(geometry)
    }
}

/// `cuesta_block`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct CBlock {
    die: u32,
    block: u32,
}

impl From<BlockAddress> for CBlock {
    fn from(block: BlockAddress) -> Self {
        Self {
            die: block.die.0.into(),
            block: block.block.0,
        }
    }
}

/// `cuesta_page`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct CPage {
    block: CBlock,
    page: u32,
}

impl From<PageAddress> for CPage {
    fn from(page: PageAddress) -> Self {
        Self {
            block: page.block.into(),
            page: page.page.0.into(),
        }
    }
}

/// `cuesta_columns`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct CColumns {
    main_start: u32,
    main_bytes: u32,
    spare_start: u32,
    spare_bytes: u32,
}

impl From<Columns> for CColumns {
    fn from(columns: Columns) -> Self {
        Self {
            main_start: columns.main_start,
            main_bytes: columns.main_len,
            spare_start: columns.spare_start,
            spare_bytes: columns.spare_len,
        }
    }
}

/// `cuesta_options`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct COptions {
    pub volume_id: u64,
    pub capacity: u32,
    pub levels: *const *const c_char,
    pub level_count: u32,
}

/// `cuesta_info`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct CInfo {
    pub capacity: u32,
    pub sector_bytes: u32,
    pub mapped: u32,
    pub bad_blocks: u32,
    pub wear_min: u32,
    pub wear_max: u32,
    pub batch_max: u32,
    pub clean: u32,
    pub read_only: u32,
}

/// `cuesta_event`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct CEvent {
    kind: u32,
    ticket: u32,
    status: Status,
    data: *const u8,
    bytes: usize,
}

impl From<Event<'_>> for CEvent {
    fn from(event: Event<'_>) -> Self {
        let plain = |kind, Ticket(ticket)| Self {
            kind,
            ticket,
            status: OK,
            data: ptr::null(),
            bytes: 0,
        };
        let nobody = Ticket(0);
        match event {
            Event::Idle => plain(0, nobody),
            Event::Pending => plain(1, nobody),
            Event::Written(ticket) => plain(2, ticket),
            Event::Data(ticket, data) => Self {
                data: data.as_ptr(),
                bytes: data.len(),
                ..plain(3, ticket)
            },
            Event::Unwritten(ticket) => plain(4, ticket),
            Event::Trimmed(ticket) => plain(5, ticket),
            Event::Flushed(ticket) => plain(6, ticket),
            Event::Committed(ticket) => plain(7, ticket),
            Event::Failed(ticket, error) => Self {
                status: of_error(error),
                ..plain(8, ticket)
            },
            _ => plain(9, nobody),
        }
    }
}
