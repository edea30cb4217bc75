//! NBD spoken byte by byte, so that it can be spoken wrongly.
//!
//! Source of the numbers: `doc/proto.md` of the `NetworkBlockDevice/nbd` project.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

pub const EXPORT_NAME: u32 = 1;
pub const ABORT: u32 = 2;
pub const LIST: u32 = 3;
pub const INFO: u32 = 6;
pub const GO: u32 = 7;

pub const ACK: u32 = 1;
pub const SERVER: u32 = 2;
pub const ERR_UNSUP: u32 = (1 << 31) + 1;
pub const ERR_INVALID: u32 = (1 << 31) + 3;
pub const ERR_UNKNOWN: u32 = (1 << 31) + 6;
pub const ERR_TOO_BIG: u32 = (1 << 31) + 9;

pub const READ: u16 = 0;
pub const WRITE: u16 = 1;
pub const FLUSH: u16 = 3;
pub const TRIM: u16 = 4;
pub const WRITE_ZEROES: u16 = 6;

pub const EINVAL: u32 = 22;
pub const ENOSPC: u32 = 28;

/// Sent back with each answer.
const COOKIE: u64 = 0x0123_4567_89AB_CDEF;
/// A server that says nothing for so long hangs.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// A connection.
pub struct Wire(UnixStream);

impl Wire {
    /// Connects, and reads the greeting.
    pub fn greeted(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(ANSWER_TIME_MAX)).unwrap();
        let mut wire = Self(stream);
        assert_eq!(&wire.take::<16>(), b"NBDMAGICIHAVEOPT");
        assert_eq!(wire.take(), 3_u16.to_be_bytes());
        wire
    }

    /// Connects, and answers the greeting.
    pub fn negotiating(socket: &Path) -> Self {
        let mut wire = Self::greeted(socket);
        wire.send(&3_u32.to_be_bytes());
        wire
    }

    /// Connects to the export, with simple replies; gives its size too.
    pub fn transmitting(socket: &Path) -> (Self, u64) {
        let mut wire = Self::negotiating(socket);
        wire.option(EXPORT_NAME, &[]);
        let size_bytes = u64::from_be_bytes(wire.take());
        wire.take::<2>();
        (wire, size_bytes)
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    pub fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    pub fn option(&mut self, option: u32, data: &[u8]) {
        self.option_header(option, u32::try_from(data.len()).unwrap());
        self.send(data);
    }

    pub fn option_header(&mut self, option: u32, data_bytes: u32) {
        self.send(b"IHAVEOPT");
        self.send(&option.to_be_bytes());
        self.send(&data_bytes.to_be_bytes());
    }

    /// Reads an answer to `option`; gives its kind.
    pub fn option_reply(&mut self, option: u32) -> u32 {
        assert_eq!(self.take(), 0x0003_E889_0455_65A9_u64.to_be_bytes());
        assert_eq!(u32::from_be_bytes(self.take()), option);
        let kind = u32::from_be_bytes(self.take());
        let mut data = vec![0; u32::from_be_bytes(self.take()) as usize];
        self.0.read_exact(&mut data).unwrap();
        kind
    }

    /// Sends what precedes the data of a request.
    pub fn request(&mut self, flags: u16, command: u16, offset: u64, len: u32) {
        let mut bytes = 0x2560_9513_u32.to_be_bytes().to_vec();
        bytes.extend(flags.to_be_bytes());
        bytes.extend(command.to_be_bytes());
        bytes.extend(COOKIE.to_be_bytes());
        bytes.extend(offset.to_be_bytes());
        bytes.extend(len.to_be_bytes());
        self.send(&bytes);
    }

    /// Reads the head of a reply; gives its error.
    pub fn reply(&mut self) -> u32 {
        assert_eq!(self.take(), 0x6744_6698_u32.to_be_bytes());
        let error = u32::from_be_bytes(self.take());
        assert_eq!(u64::from_be_bytes(self.take()), COOKIE);
        error
    }

    /// Sends no more.
    pub fn half_close(&mut self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }

    /// The server has nothing more to say, and hangs up.
    pub fn assert_closed(mut self) {
        match self.0.read(&mut [0]) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("not closed: {other:?}"),
        }
    }
}
