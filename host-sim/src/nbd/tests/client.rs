//! A client that says whatever a test wants, and a server to say it to.
//!
//! The numbers of the wire are written out here once more on purpose: a wrong one in `protocol` is to be found.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::disk::Disk;
use crate::nbd::{Counters, Listen, RunError, Server};

pub(super) const EXPORT_NAME: u32 = 1;
pub(super) const ABORT: u32 = 2;
pub(super) const LIST: u32 = 3;
pub(super) const INFO: u32 = 6;
pub(super) const GO: u32 = 7;
pub(super) const STRUCTURED_REPLY: u32 = 8;

pub(super) const REP_ACK: u32 = 1;
pub(super) const REP_SERVER: u32 = 2;
pub(super) const REP_INFO: u32 = 3;
pub(super) const ERR_UNSUP: u32 = 0x8000_0001;
pub(super) const ERR_INVALID: u32 = 0x8000_0003;
pub(super) const ERR_UNKNOWN: u32 = 0x8000_0006;
pub(super) const ERR_TOO_BIG: u32 = 0x8000_0009;

pub(super) const READ: u16 = 0;
pub(super) const WRITE: u16 = 1;
pub(super) const DISC: u16 = 2;
pub(super) const FLUSH: u16 = 3;
pub(super) const TRIM: u16 = 4;
pub(super) const CACHE: u16 = 5;
pub(super) const WRITE_ZEROES: u16 = 6;

pub(super) const FUA: u16 = 1;
pub(super) const NO_HOLE: u16 = 2;
pub(super) const DF: u16 = 4;

pub(super) const EPERM: u32 = 1;
pub(super) const EIO: u32 = 5;
pub(super) const EINVAL: u32 = 22;
pub(super) const ENOSPC: u32 = 28;
pub(super) const EOVERFLOW: u32 = 75;
pub(super) const ENOTSUP: u32 = 95;
pub(super) const ESHUTDOWN: u32 = 108;

/// A directory of its own, removed at the end.
pub(super) struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "cuesta-nbd-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running server.
pub(super) struct Bench {
    pub socket: PathBuf,
    pub counters: Arc<Counters>,
    pub stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Disk, RunError>>>,
    _folder: Folder,
}

impl Bench {
    /// Serves `disk` as "store".
    pub fn new(disk: &Disk) -> Self {
        let folder = Folder::new();
        let socket = folder.0.join("s");
        let server = Server::bind(&Listen::Unix(socket.clone()), "store").unwrap();
        let counters = server.counters();
        let stop = Arc::new(AtomicBool::new(false));
        let (disk, flag) = (disk.clone(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || server.run(disk, &flag));
        Self {
            socket,
            counters,
            stop,
            thread: Some(thread),
            _folder: folder,
        }
    }

    pub fn connect(&self) -> Client {
        let stream = UnixStream::connect(&self.socket).unwrap();
        Client::new(stream)
    }

    /// A client past the greeting.
    pub fn negotiating(&self) -> Client {
        let mut client = self.connect();
        client.greet(3);
        client
    }

    /// A client that chose the export by `GO`.
    pub fn ready(&self) -> Client {
        let mut client = self.negotiating();
        client.go();
        client
    }

    /// The same with structured replies.
    pub fn structured(&self) -> Client {
        let mut client = self.negotiating();
        client.option(STRUCTURED_REPLY, &[]);
        assert_eq!(client.option_reply(STRUCTURED_REPLY), (REP_ACK, vec![]));
        client.go();
        client
    }

    pub fn stop(&mut self) -> Result<Disk, RunError> {
        self.stop.store(true, Ordering::Relaxed);
        self.wait()
    }

    pub fn wait(&mut self) -> Result<Disk, RunError> {
        self.thread.take().unwrap().join().unwrap()
    }

    /// Waits until the server thinks so too.
    pub fn until(&self, happened: impl Fn(&Counters) -> bool) {
        for _ in 0..1000 {
            if happened(&self.counters) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("did not happen: {}", self.counters.served());
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A chunk of a structured reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub last: bool,
    pub kind: u16,
    pub cookie: u64,
    pub data: Vec<u8>,
}

pub(super) struct Client {
    stream: Box<dyn Socket>,
    cookie: u64,
}

pub(super) trait Socket: Read + Write + Send {
    fn half_close(&self);
}

impl Socket for UnixStream {
    fn half_close(&self) {
        self.shutdown(Shutdown::Write).unwrap();
    }
}

impl Socket for std::net::TcpStream {
    fn half_close(&self) {
        self.shutdown(Shutdown::Write).unwrap();
    }
}

impl Client {
    pub fn new(stream: UnixStream) -> Self {
        // A test that waits for nothing is to fail, not to hang.
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self::over(stream)
    }

    pub fn over(stream: impl Socket + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            cookie: 0x1122_3344_5566_0000,
        }
    }

    pub fn half_close(&self) {
        self.stream.half_close();
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub fn receive(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.receive(2).try_into().unwrap())
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.receive(4).try_into().unwrap())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.receive(8).try_into().unwrap())
    }

    /// The server closed the connection and sent nothing before.
    pub fn assert_closed(&mut self) {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => assert!(rest.is_empty(), "unexpected bytes {rest:x?}"),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
    }

    pub fn greet(&mut self, flags: u32) {
        assert_eq!(self.receive(8), b"NBDMAGIC");
        assert_eq!(self.receive(8), b"IHAVEOPT");
        assert_eq!(self.u16(), 3, "fixed newstyle, no zeroes");
        self.send(&flags.to_be_bytes());
    }

    pub fn option_header(&mut self, option: u32, len: u32) {
        self.send(b"IHAVEOPT");
        self.send(&option.to_be_bytes());
        self.send(&len.to_be_bytes());
    }

    pub fn option(&mut self, option: u32, data: &[u8]) {
        self.option_header(option, u32::try_from(data.len()).unwrap());
        self.send(data);
    }

    /// The kind and the data of the next answer to an option.
    pub fn option_reply(&mut self, option: u32) -> (u32, Vec<u8>) {
        assert_eq!(self.u64(), 0x3_e889_0455_65a9);
        assert_eq!(self.u32(), option);
        let kind = self.u32();
        let len = self.u32();
        (kind, self.receive(usize::try_from(len).unwrap()))
    }

    pub fn assert_refused(&mut self, option: u32, error: u32) {
        let (kind, text) = self.option_reply(option);
        assert_eq!(kind, error);
        assert!(!text.is_empty() && String::from_utf8(text).is_ok());
    }

    /// Every answer up to the acknowledgement, each with its information type.
    pub fn infos(&mut self, option: u32) -> Vec<(u16, Vec<u8>)> {
        let mut infos = Vec::new();
        loop {
            match self.option_reply(option) {
                (REP_ACK, data) => {
                    assert!(data.is_empty());
                    return infos;
                }
                (kind, data) => {
                    assert_eq!(kind, REP_INFO);
                    let code = u16::from_be_bytes(data[..2].try_into().unwrap());
                    infos.push((code, data[2..].to_vec()));
                }
            }
        }
    }

    pub fn go(&mut self) {
        self.option(GO, &info_request("store", &[3]));
        assert_eq!(self.infos(GO).len(), 2);
    }

    /// Sends a request; returns its cookie.
    pub fn request(&mut self, command: u16, flags: u16, offset: u64, len: u32) -> u64 {
        self.cookie += 1;
        let mut bytes = 0x2560_9513_u32.to_be_bytes().to_vec();
        bytes.extend_from_slice(&flags.to_be_bytes());
        bytes.extend_from_slice(&command.to_be_bytes());
        bytes.extend_from_slice(&self.cookie.to_be_bytes());
        bytes.extend_from_slice(&offset.to_be_bytes());
        bytes.extend_from_slice(&len.to_be_bytes());
        self.send(&bytes);
        self.cookie
    }

    /// The error of the next simple reply, which must be to `cookie`.
    pub fn simple_reply(&mut self, cookie: u64) -> u32 {
        assert_eq!(self.u32(), 0x6744_6698);
        let error = self.u32();
        assert_eq!(self.u64(), cookie);
        error
    }

    /// Requests something without data and returns the error, 0 for success.
    pub fn ask(&mut self, command: u16, flags: u16, offset: u64, len: u32) -> u32 {
        let cookie = self.request(command, flags, offset, len);
        self.simple_reply(cookie)
    }

    pub fn write(&mut self, flags: u16, offset: u64, data: &[u8]) -> u32 {
        let cookie = self.request(WRITE, flags, offset, u32::try_from(data.len()).unwrap());
        self.send(data);
        self.simple_reply(cookie)
    }

    pub fn read(&mut self, offset: u64, len: u32) -> Vec<u8> {
        assert_eq!(self.ask(READ, 0, offset, len), 0);
        self.receive(usize::try_from(len).unwrap())
    }

    pub fn chunk(&mut self) -> Chunk {
        assert_eq!(self.u32(), 0x668e_33ef);
        let flags = self.u16();
        assert!(flags <= 1);
        let (kind, cookie, len) = (self.u16(), self.u64(), self.u32());
        Chunk {
            last: flags == 1,
            kind,
            cookie,
            data: self.receive(usize::try_from(len).unwrap()),
        }
    }
}

pub(super) fn info_request(name: &str, infos: &[u16]) -> Vec<u8> {
    let mut data = u32::try_from(name.len()).unwrap().to_be_bytes().to_vec();
    data.extend_from_slice(name.as_bytes());
    data.extend_from_slice(&u16::try_from(infos.len()).unwrap().to_be_bytes());
    for info in infos {
        data.extend_from_slice(&info.to_be_bytes());
    }
    data
}
