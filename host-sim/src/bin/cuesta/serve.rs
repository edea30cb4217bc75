//! `cuesta serve`: disks as network block devices.

mod live;
mod pairs;

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use cuesta::exec::RESOURCES_MAX;
use cuesta::policy::load;
use cuesta::volume::{Budget, Error, LevelIndex, Sector};
use cuesta_sim::leveled::Policy;
use cuesta_sim::nbd::{Counters, ExportError, Listen, SectorExport, Server};
use cuesta_sim::Chip;
use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::arguments;
use crate::disk::{level_named, unmount, DiskArguments, DiskFile, ImageDisk};
use crate::failure::{tell, Failure};
use crate::resources::{named, Named};
use pairs::{pair, Pair};

const AFTER_HELP: &str = "\
Prints the address for clients as soon as they can connect. A write is on the media when it is answered, a trim when a \
flush behind it is. Killing the server is a power cut: what was answered is there at the next start.

Rules decide what each request is worth: write-through, write-back, ephemeral or bypass, or a level that they define; what no rule \
matches is write-through. Those of --policy, or those that are stored with the disk; without a cache they say where and how it is \
stored. With --primary, a cache is put before other disks; levels name these by their numbers, from 0 on.

SIGHUP reads the rules of --policy again; with --control, `cuesta policy` sets and shows them, and what they have decided. From the \
answer on every request obeys new ones. They are in force until the server ends: `cuesta policy set DISK` stores rules.

RESOURCE is ram:BYTES such as ram:8M, nbd:URI, file:PATH (or a block device), or a disk image.

Examples:
  cuesta serve disk.nand --socket disk.sock
  nbdcopy image.ext4 'nbd+unix:///?socket=disk.sock'
  cuesta serve disk.nand --socket s --policy rules --control control
  cuesta policy set --control control other-rules
  cuesta serve --socket s --cache ram:8M --primary nbd://localhost/disk --policy rules
  cuesta serve --socket s --export a,primary=file:a.img,cache=disk.nand --export b,primary=file:b.img";

/// How often the status line is renewed.
const STATUS_INTERVAL: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The image file
    #[arg(value_name = "DISK", required_unless_present_any = ["primary", "export"], conflicts_with_all = ["primary", "export"])]
    path: Option<PathBuf>,
    /// Refuse an image of another chip than this
    #[arg(long, value_name = "NAME", value_parser = arguments::chip_named)]
    chip: Option<&'static Chip>,
    /// A disk whose data lasts; repeat for more, that levels name as resources 1, 2 and so on
    #[arg(long, value_name = "RESOURCE", value_parser = named)]
    primary: Vec<Named>,
    /// The cache before it. In memory, what is in it is lost with the server; elsewhere what is to be written back is kept [default: none]
    #[arg(long, value_name = "RESOURCE", value_parser = named, requires = "primary")]
    cache: Option<Named>,
    /// Make caches anew where they survive the server: what is in them, or whatever is there, is given up
    #[arg(long)]
    new_cache: bool,
    /// Go on although a cache has lost something that was to be written back
    #[arg(long)]
    accept_losses: bool,
    /// Rules that give requests their levels, in a file [default: those of the disk, else all is write-through]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Take calls of `cuesta policy` at a Unix socket of this name
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// Another export: NAME,primary=RESOURCE[,primary=…][,cache=RESOURCE][,policy=FILE]; repeat for more
    #[arg(long, value_name = "EXPORT", value_parser = pair)]
    export: Vec<Pair>,
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
    /// Level of the disk at which what clients write is stored, by its name, whatever rules say [default: the first]
    #[arg(long, value_name = "NAME", requires = "path", conflicts_with_all = ["policy", "control"])]
    level: Option<String>,
    /// Refuse every change that clients ask for; recovery after a cut runs all the same
    #[arg(long, requires = "path")]
    read_only: bool,
}

impl Arguments {
    /// What is to be served behind caches, the first of it under the name that was asked for.
    fn pairs(&self) -> Result<Vec<Pair>, Failure> {
        if self.primary.len() > usize::from(RESOURCES_MAX) {
            return Err(Failure::usage(format!(
                "--primary: at most {RESOURCES_MAX} can be named"
            )));
        }
        let (cache, policy) = (self.cache.as_ref(), self.policy.as_ref());
        let first =
            (!self.primary.is_empty()).then(|| Pair::new(&self.name, cache, &self.primary, policy));
        if first.is_none() && policy.is_some() {
            return Err(Failure::usage(
                "--policy FILE is that of DISK or --primary: --export takes policy=FILE",
            ));
        }
        let all = first.into_iter().chain(self.export.clone());
        let caches = all.map(|pair| Pair {
            new_cache: self.new_cache,
            accept_losses: self.accept_losses,
            ..pair
        });
        Ok(caches.collect())
    }

    /// The disk behind rules.
    fn ruled(&self, path: &Path, stored: Option<Policy>) -> Pair {
        let primary = Named::Disk(path.to_owned());
        Pair {
            stored,
            read_only: self.read_only,
            ..Pair::new(&self.name, None, &[primary], self.policy.as_ref())
        }
    }
}

/// The policy that is stored with a volume. One that is damaged is told: what it said is not known, so that all is write-through.
fn stored(disk: &mut ImageDisk<'_>, path: &Path) -> Option<Policy> {
    let volume = disk.volume();
    let mut buffer = vec![0; volume.system_sectors() as usize * volume.sector_bytes()];
    match load(disk.volume_mut(), &mut buffer) {
        Ok(policy) => policy.map(|policy| policy.to_owned_bytes(policy.bytes().to_vec())),
        Err(error) => {
            tell(&format!(
                "{}: {error}: all is write-through",
                path.display()
            ));
            None
        }
    }
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let listen = match (&arguments.socket, arguments.tcp) {
        (Some(path), _) => Listen::Unix(path.clone()),
        (None, Some(address)) => Listen::Tcp(address),
        (None, None) => {
            return Err(Failure::usage(
                "where to listen? --socket or --tcp is needed",
            ))
        }
    };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| Failure::new(format!("cannot handle signal {signal}: {error}")))?;
    }
    let Some(path) = &arguments.path else {
        let pairs = arguments.pairs()?;
        let mut names = pairs.iter().map(|pair| pair.name.as_str());
        let mut server = Server::bind(&listen, names.next().unwrap_or_default())?;
        for name in names {
            server = server.also(name)?;
        }
        let control = arguments.control.as_deref();
        return pairs::serve(&pairs, arguments.ram, server, control, &stop, out);
    };
    let disk = DiskArguments {
        path: path.clone(),
        chip: arguments.chip,
    };
    let mut file = DiskFile::open(&disk, arguments.ram)?;
    let mut disk = file.mount()?;
    if arguments.level.is_none() {
        let policy = match &arguments.policy {
            Some(_) => None,
            None => stored(&mut disk, path),
        };
        if policy.is_some() || arguments.policy.is_some() || arguments.control.is_some() {
            drop(disk);
            drop(file);
            let pair = arguments.ruled(path, policy);
            let server = Server::bind(&listen, &arguments.name)?;
            let control = arguments.control.as_deref();
            return pairs::serve(&[pair], arguments.ram, server, control, &stop, out);
        }
    }
    let level = match &arguments.level {
        Some(name) => level_named(disk.volume(), name)?,
        None => LevelIndex(0),
    };
    let server = Server::bind(&listen, &arguments.name)?;
    // Whoever started this may wait for the line: it says that clients can connect. A server goes on when nobody reads it.
    let _ = writeln!(out, "{}", server.uri()).and_then(|()| out.flush());

    let counters = server.counters();
    let export = Export {
        disk,
        path,
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
    unmount(path, export.disk)?;
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
