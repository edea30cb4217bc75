//! Commands carried out, each in a session of its own.

use core::fmt::{self, Write};

use cuesta::door::Disk;
use cuesta::hal::Nand;
use cuesta::volume::{
    Error, FormatError, FormatOptions, MountError, Parameters, Sector, Verified, Volume,
};

use crate::board::Board;
use crate::command::{Command, CommandError};
use crate::room::{Room, RoomError, SECTOR_BYTES};
use crate::{bench, cut, mark, wear};

/// Why a line was not carried out to its end.
#[derive(Debug)]
pub enum Failure<'t> {
    /// A command cannot be read.
    Command(CommandError<'t>),
    /// There is too little memory.
    Room(RoomError),
    /// The volume cannot be mounted.
    Mount(MountError),
    /// The volume cannot be made.
    Format(FormatError),
    /// A request failed.
    Request(Error),
    /// What was read is not what was written there.
    Wrong(u32),
    /// After a reset a sector does not hold its last acknowledged write, nor the one that was in progress.
    NotKept {
        /// The sector.
        sector: u32,
        /// Its mark; 0 if it is blank.
        found: u32,
        /// The mark of its last acknowledged write.
        acknowledged: u32,
    },
    /// The board was to be reset, and was not.
    NoReset,
    /// The volume contradicts itself.
    Findings(Verified),
    /// Nothing can be told any more.
    Output,
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(error) => error.fmt(f),
            Self::Room(error) => error.fmt(f),
            Self::Mount(error) => error.fmt(f),
            Self::Format(error) => error.fmt(f),
            Self::Request(error) => error.fmt(f),
            Self::Wrong(sector) => write!(f, "sector {sector} holds what nobody wrote there"),
            Self::NotKept {
                sector,
                found,
                acknowledged,
            } => write!(
                f,
                "sector {sector} reads {found} after the reset; {acknowledged} was acknowledged"
            ),
            Self::NoReset => f.write_str("the board was not reset"),
            Self::Findings(verified) => {
                write!(f, "the volume contradicts itself: {verified:?}")
            }
            Self::Output => f.write_str("nobody listens"),
        }
    }
}

impl core::error::Error for Failure<'_> {}

impl From<fmt::Error> for Failure<'_> {
    fn from(_: fmt::Error) -> Self {
        Self::Output
    }
}

impl From<Error> for Failure<'_> {
    fn from(error: Error) -> Self {
        Self::Request(error)
    }
}

/// Carries out the commands of a line, which semicolons keep apart. Stops at the first that fails.
///
/// What it tells is a line for each event: `written SECTOR MARK` as soon as a write is on the media, `sector SECTOR MARK` or `sector SECTOR blank` for
/// what was read. `cut` does not return: what it finds after the reset is told by [`resume`](crate::resume).
///
/// # Errors
/// Why it stopped.
pub fn run<'t, N: Nand>(
    nand: &mut N,
    room: &mut Room,
    board: &mut dyn Board,
    line: &'t str,
    out: &mut dyn Write,
) -> Result<(), Failure<'t>> {
    for text in line.split(';') {
        match Command::parse(text).map_err(Failure::Command)? {
            None => {}
            Some(Command::Format { volume_id }) => format(nand, room, volume_id, out)?,
            Some(Command::Cut { rounds, seed }) => {
                cut::begin(nand, room, board, rounds, seed, out)?;
            }
            Some(command) => with_disk(nand, room, |disk| obey(disk, command, board, out))?,
        }
    }
    Ok(())
}

fn format<'t, N: Nand>(
    nand: &mut N,
    room: &mut Room,
    volume_id: u64,
    out: &mut dyn Write,
) -> Result<(), Failure<'t>> {
    let options = FormatOptions {
        volume_id,
        ..FormatOptions::default()
    };
    let geometry = *nand.geometry();
    let parameters = Parameters::choose(&geometry, &options)
        .map_err(|error| Failure::Room(RoomError::Parameters(error)))?;
    let memory = room.lend(&geometry, &parameters).map_err(Failure::Room)?;
    Volume::format(nand, memory, &options).map_err(Failure::Format)?;
    writeln!(
        out,
        "formatted: {} sectors of {} bytes",
        parameters.capacity, parameters.sector_bytes
    )?;
    Ok(())
}

/// Mounts the volume of a part, with a blocking door in front.
///
/// # Errors
/// There is none, or it does not fit the room.
pub fn mount<'r, N: Nand>(
    nand: &'r mut N,
    room: &'r mut Room,
) -> Result<Disk<'r, &'r mut N>, Failure<'static>> {
    let geometry = *nand.geometry();
    let parameters = Volume::probe(nand).map_err(Failure::Mount)?;
    let memory = room.lend(&geometry, &parameters).map_err(Failure::Room)?;
    Ok(Disk::new(
        Volume::mount(nand, memory).map_err(Failure::Mount)?,
    ))
}

/// A session: from the mount to the unmount. A failure ends it as a cut would.
pub(crate) fn with_disk<'t, N: Nand>(
    nand: &mut N,
    room: &mut Room,
    act: impl FnOnce(&mut Disk<'_, &mut N>) -> Result<(), Failure<'t>>,
) -> Result<(), Failure<'t>> {
    let mut disk = mount(nand, room)?;
    act(&mut disk)?;
    disk.unmount().map_err(|(_, error)| error)?;
    Ok(())
}

fn obey<'t, N: Nand>(
    disk: &mut Disk<'_, N>,
    command: Command,
    board: &mut dyn Board,
    out: &mut dyn Write,
) -> Result<(), Failure<'t>> {
    let write = |disk: &mut Disk<'_, N>, sector: u32, mark: u32, out: &mut dyn Write| {
        let mut bytes = [0; SECTOR_BYTES];
        mark::fill(&mut bytes, sector, mark);
        disk.write(Sector(sector), &bytes)?;
        writeln!(out, "written {sector} {mark}").map_err(Failure::from)
    };
    match command {
        // Done without a session, or with several.
        Command::Format { .. } | Command::Cut { .. } => {}
        Command::Info => info(disk, out)?,
        Command::Write { first, count, mark } => {
            for sector in first..first.saturating_add(count) {
                write(disk, sector, mark, out)?;
            }
        }
        Command::Churn {
            seed,
            count,
            span,
            mark,
        } => {
            for index in 0..count {
                let sector = mark::random(seed.wrapping_add(index)) % span.max(1);
                write(disk, sector, mark.wrapping_add(index), out)?;
            }
        }
        Command::Trim { first, count } => {
            disk.trim(Sector(first), count)?;
            disk.flush()?;
            writeln!(out, "trimmed {first} {count}")?;
        }
        Command::Read { first, count } => {
            for sector in first..first.saturating_add(count) {
                match look(disk, sector)? {
                    Some(mark) => writeln!(out, "sector {sector} {mark}")?,
                    None => writeln!(out, "sector {sector} blank")?,
                }
            }
        }
        Command::Bench { count } => bench::run(disk, board, count, out)?,
        Command::Wear => wear::tell(disk, out)?,
        Command::Verify => {
            let mut told = Ok(());
            let mut report = |finding| {
                if told.is_ok() {
                    told = writeln!(out, "finding: {finding}");
                }
            };
            let verified = disk.volume_mut().verify(&mut report, &mut |_, _| {})?;
            told?;
            if verified.findings > 0 {
                return Err(Failure::Findings(verified));
            }
            writeln!(
                out,
                "verified: {} sectors hold data, {} do not",
                verified.sectors, verified.unwritten
            )?;
        }
    }
    Ok(())
}

/// The mark of a sector; `None` if it is blank.
pub(crate) fn look<'t, N: Nand>(
    disk: &mut Disk<'_, N>,
    sector: u32,
) -> Result<Option<u32>, Failure<'t>> {
    let mut bytes = [0; SECTOR_BYTES];
    if !disk.read(Sector(sector), &mut bytes)? {
        return Ok(None);
    }
    let mut scratch = [0; SECTOR_BYTES];
    match mark::of(&bytes, sector, &mut scratch) {
        Some(mark) => Ok(Some(mark)),
        None => Err(Failure::Wrong(sector)),
    }
}

fn info<'t, N: Nand>(disk: &mut Disk<'_, N>, out: &mut dyn Write) -> Result<(), Failure<'t>> {
    let info = disk.volume().info();
    writeln!(
        out,
        "volume {:x}: {} of {} sectors hold data, {} of {} segments free, {} bad blocks, wear {} to {}, {}",
        info.parameters.volume_id,
        info.mapped,
        info.parameters.capacity,
        info.free,
        info.segments,
        info.bad_blocks,
        info.wear_min,
        info.wear_max,
        if info.clean { "ended well" } else { "was cut" }
    )?;
    Ok(())
}
