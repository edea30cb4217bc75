//! `cuesta serve`: the disk as a network block device.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use cuesta::volume::{Budget, Error, LevelIndex, Sector};
use cuesta_sim::nbd::{Counters, ExportError, Listen, SectorExport, Server};
use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::arguments;
use crate::disk::{level_named, unmount, DiskArguments, DiskFile, ImageDisk};
use crate::failure::{tell, Failure};

const AFTER_HELP: &str = "\
Prints the address for clients as soon as they can connect. A write is on the media when it is answered, a trim when a \
flush behind it is. Killing the server is a power cut: what was answered is there at the next start.

Example:
  cuesta serve disk.nand --socket disk.sock
  nbdcopy image.ext4 'nbd+unix:///?socket=disk.sock'";

/// How often the status line is renewed.
const STATUS_INTERVAL: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(flatten)]
    disk: DiskArguments,
    /// Listen at a Unix socket of this name; one that a killed server left behind is replaced
    #[arg(long, value_name = "PATH", required_unless_present = "tcp")]
    socket: Option<PathBuf>,
    /// Listen at a loopback address, such as 127.0.0.1:10809; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "socket")]
    tcp: Option<SocketAddr>,
    /// Name of the export; clients that ask for none get it too [default: none]
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    /// Memory for the engine, all included: full, minimum, or bytes such as 16K
    #[arg(long, value_name = "BYTES", default_value = "full", value_parser = arguments::budget)]
    ram: Budget,
    /// Level of the disk at which what clients write is stored, by its name [default: the first]
    #[arg(long, value_name = "NAME")]
    level: Option<String>,
    /// Refuse every change that clients ask for; recovery after a cut runs all the same
    #[arg(long)]
    read_only: bool,
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let mut file = DiskFile::open(&arguments.disk, arguments.ram)?;
    let disk = file.mount()?;
    let level = match &arguments.level {
        Some(name) => level_named(disk.volume(), name)?,
        None => LevelIndex(0),
    };
    let listen = match (&arguments.socket, arguments.tcp) {
        (Some(path), _) => Listen::Unix(path.clone()),
        (None, Some(address)) => Listen::Tcp(address),
        (None, None) => {
            return Err(Failure::usage(
                "where to listen? --socket or --tcp is needed",
            ))
        }
    };
    let server = Server::bind(&listen, &arguments.name)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| Failure::new(format!("cannot handle signal {signal}: {error}")))?;
    }
    // Whoever started this may wait for the line: it says that clients can connect. A server goes on when nobody reads it.
    let _ = writeln!(out, "{}", server.uri()).and_then(|()| out.flush());

    let counters = server.counters();
    let export = Export {
        disk,
        path: &arguments.disk.path,
        level,
        read_only: arguments.read_only,
        told: None,
    };
    let ended = AtomicBool::new(false);
    let export = std::thread::scope(|scope| {
        if std::io::stderr().is_terminal() {
            scope.spawn(|| show_status(&counters, &ended));
        }
        let export = server.run(export, &stop);
        ended.store(true, Ordering::Relaxed);
        export
    })?;
    unmount(&arguments.disk.path, export.disk)?;
    let _ = writeln!(out, "stopped: {}", counters.served()).and_then(|()| out.flush());
    Ok(())
}

/// One line at the bottom of the terminal, until the server has ended.
fn show_status(counters: &Counters, ended: &AtomicBool) {
    let line = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
        line.set_style(style);
    }
    while !ended.load(Ordering::Relaxed) {
        line.set_message(counters.served().to_string());
        line.tick();
        std::thread::sleep(STATUS_INTERVAL);
    }
    line.finish_and_clear();
}

/// The disk as the server sees it.
struct Export<'d> {
    disk: ImageDisk<'d>,
    path: &'d Path,
    level: LevelIndex,
    read_only: bool,
    /// The last failure that was told: the same one over and over helps nobody.
    told: Option<Error>,
}

impl Export<'_> {
    fn failed(&mut self, error: Error) -> ExportError {
        if self.told != Some(error) {
            self.told = Some(error);
            tell(&format!("{}: {error}", self.path.display()));
        }
        match error {
            Error::OutOfRange { .. } | Error::Length { .. } => ExportError::Invalid,
            Error::ReadOnly => ExportError::ReadOnly,
            Error::NoSpace => ExportError::NoSpace,
            _ => ExportError::Io,
        }
    }

    /// A sector number as the engine counts; the server keeps it within the disk.
    fn sector(number: u64) -> Result<Sector, ExportError> {
        u32::try_from(number)
            .map(Sector)
            .map_err(|_| ExportError::Invalid)
    }
}

impl SectorExport for Export<'_> {
    fn sector_bytes(&self) -> u32 {
        self.disk.volume().shape().layout.sector_bytes()
    }

    fn sectors(&self) -> u64 {
        u64::from(self.disk.volume().capacity())
    }

    fn read_only(&self) -> bool {
        self.read_only || self.disk.volume().info().read_only
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), ExportError> {
        let sector_bytes = self.disk.volume().sector_bytes();
        for (number, data) in (first..).zip(into.chunks_mut(sector_bytes)) {
            let sector = Self::sector(number)?;
            self.disk
                .read(sector, data)
                .map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    fn write(&mut self, first: u64, data: &[u8]) -> Result<(), ExportError> {
        let sector_bytes = self.disk.volume().sector_bytes();
        for (number, data) in (first..).zip(data.chunks(sector_bytes)) {
            let sector = Self::sector(number)?;
            self.disk
                .write_with(sector, data, self.level.into())
                .map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    fn trim(&mut self, first: u64, count: u64) -> Result<(), ExportError> {
        let count = u32::try_from(count).map_err(|_| ExportError::Invalid)?;
        self.disk
            .trim(Self::sector(first)?, count)
            .map_err(|error| self.failed(error))
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        if self.read_only {
            return Ok(());
        }
        self.disk.flush().map_err(|error| self.failed(error))
    }
}
