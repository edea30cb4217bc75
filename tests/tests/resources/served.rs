//! Servers: ours, in this process, with a disk whose cache is lost in a power cut; and those of others.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use cuesta_sim::nbd::client::Uri;
use cuesta_sim::nbd::{ExportError, Listen, SectorExport, Server};
use cuesta_sim::resource::{NbdOptions, NbdResource};
use cuesta_tests::program::Scratch;
use cuesta_tests::tools;

const SECTOR_BYTES: usize = 4096;
/// A server that is not there after so long does not come.
const START_MAX: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct Media {
    /// What a reader sees.
    bytes: Vec<u8>,
    /// What a cut leaves.
    durable: Vec<u8>,
    flushes: u32,
}

/// A disk that keeps what it is told in a cache until it is flushed.
#[derive(Debug, Clone)]
struct Disk(Arc<Mutex<Media>>);

impl Disk {
    fn media<T>(&self, deed: impl FnOnce(&mut Media) -> T) -> T {
        deed(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl SectorExport for Disk {
    fn sector_bytes(&self) -> u32 {
        SECTOR_BYTES as u32
    }

    fn sectors(&self) -> u64 {
        self.media(|media| (media.bytes.len() / SECTOR_BYTES) as u64)
    }

    fn read_only(&self) -> bool {
        false
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), ExportError> {
        let start = first as usize * SECTOR_BYTES;
        self.media(|media| into.copy_from_slice(&media.bytes[start..start + into.len()]));
        Ok(())
    }

    fn write(&mut self, first: u64, data: &[u8]) -> Result<(), ExportError> {
        let start = first as usize * SECTOR_BYTES;
        self.media(|media| media.bytes[start..start + data.len()].copy_from_slice(data));
        Ok(())
    }

    fn trim(&mut self, first: u64, count: u64) -> Result<(), ExportError> {
        let (start, len) = (first as usize * SECTOR_BYTES, count as usize * SECTOR_BYTES);
        self.media(|media| media.bytes[start..start + len].fill(0));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        self.media(|media| {
            media.durable.clone_from(&media.bytes);
            media.flushes += 1;
        });
        Ok(())
    }
}

/// Our server, with such a disk; it can vanish, and come back after a power cut.
#[derive(Debug)]
pub struct Remote {
    scratch: Scratch,
    disk: Disk,
    running: Mutex<Option<(Arc<AtomicBool>, JoinHandle<()>)>>,
}

impl Remote {
    /// Serves an empty disk.
    pub fn new(sectors: u64) -> Self {
        let bytes = vec![0; sectors as usize * SECTOR_BYTES];
        let remote = Self {
            scratch: Scratch::empty(),
            disk: Disk(Arc::new(Mutex::new(Media {
                durable: bytes.clone(),
                bytes,
                flushes: 0,
            }))),
            running: Mutex::new(None),
        };
        remote.come_back();
        remote
    }

    fn socket(&self) -> PathBuf {
        self.scratch.path("socket")
    }

    /// Where it is.
    pub fn uri(&self) -> Uri {
        Uri::Unix {
            socket: self.socket(),
            name: String::new(),
        }
    }

    /// A client of it.
    pub fn connect(&self, options: NbdOptions) -> NbdResource {
        NbdResource::connect(&self.uri(), options).unwrap()
    }

    /// The server ends, and with it the power: what was not flushed is gone.
    pub fn vanish(&self) {
        if let Some((stop, thread)) = self.running.lock().unwrap().take() {
            stop.store(true, Ordering::Relaxed);
            thread.join().unwrap();
        }
        self.disk
            .media(|media| media.bytes.clone_from(&media.durable));
    }

    /// Serves again.
    pub fn come_back(&self) {
        let stop = Arc::new(AtomicBool::new(false));
        let server = Server::bind(&Listen::Unix(self.socket()), "").unwrap();
        let (disk, told) = (self.disk.clone(), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            server.run(disk, &told).unwrap();
        });
        *self.running.lock().unwrap() = Some((stop, thread));
    }

    /// Makes the disk this large, while nobody is served.
    pub fn resize(&self, sectors: u64) {
        let bytes = sectors as usize * SECTOR_BYTES;
        self.disk.media(|media| {
            media.bytes.resize(bytes, 0);
            media.durable.resize(bytes, 0);
        });
    }

    /// Flushes that it was asked for.
    pub fn flushes(&self) -> u32 {
        self.disk.media(|media| media.flushes)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.vanish();
    }
}

/// A server of other people; killed when it is dropped.
#[derive(Debug)]
pub struct QemuNbd {
    child: Child,
    uri: Uri,
}

impl QemuNbd {
    /// Serves a raw image by `qemu-nbd`.
    pub fn start(scratch: &Scratch, image: &str) -> Self {
        let mut command = tools::command(scratch.directory(), "qemu-nbd");
        command.args(["--persistent", "--shared=4", "--format=raw", "--socket"]);
        command.arg(scratch.path("qemu")).arg(image);
        Self::of(scratch, "qemu", &mut command)
    }

    /// Serves memory of so many bytes by `nbdkit`.
    pub fn nbdkit(scratch: &Scratch, bytes: &str) -> Self {
        let mut command = tools::command(scratch.directory(), "nbdkit");
        command.args(["--foreground", "--unix"]);
        command.arg(scratch.path("nbdkit")).args(["memory", bytes]);
        Self::of(scratch, "nbdkit", &mut command)
    }

    fn of(scratch: &Scratch, socket: &str, command: &mut Command) -> Self {
        let child = command.stderr(Stdio::null()).spawn().unwrap();
        let uri = Uri::Unix {
            socket: scratch.path(socket),
            name: String::new(),
        };
        Self { child, uri }
    }

    /// A client of it, once it is there.
    pub fn connect(&self, options: NbdOptions) -> NbdResource {
        let asked = Instant::now();
        loop {
            match NbdResource::connect(&self.uri, options) {
                Ok(resource) => return resource,
                Err(error) => assert!(asked.elapsed() < START_MAX, "{error}"),
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl QemuNbd {
    /// Ends it, between any two of its instructions.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // `timeout` passes this on; it would not survive to pass on SIGKILL.
        let id = self.child.id().to_string();
        let _ = Command::new("sh")
            .args(["-c", "kill -TERM $0", &id])
            .status();
        let _ = self.child.wait();
    }
}

impl Drop for QemuNbd {
    fn drop(&mut self) {
        self.end();
    }
}
