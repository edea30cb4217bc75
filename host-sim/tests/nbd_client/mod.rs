//! As much of an NBD client as the tests of the program need.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

const OPTION_MAGIC: u64 = 0x4948_4156_454F_5054;
const REQUEST_MAGIC: u32 = 0x2560_9513;
const REPLY_MAGIC: u32 = 0x6744_6698;
const EXPORT_NAME: u32 = 1;
const READ: u16 = 0;
const WRITE: u16 = 1;
const FLUSH: u16 = 3;
const TRIM: u16 = 4;

/// A connection in the transmission phase.
pub struct Client {
    stream: UnixStream,
    pub size_bytes: u64,
    cookie: u64,
}

impl Client {
    /// Connects to the default export.
    pub fn connect(socket: &Path) -> Self {
        let mut stream = UnixStream::connect(socket).unwrap();
        let greeting: [u8; 18] = read(&mut stream);
        assert_eq!(&greeting[..8], b"NBDMAGIC");
        // Fixed newstyle, no zeroes behind the export's size.
        stream.write_all(&3_u32.to_be_bytes()).unwrap();
        stream.write_all(&OPTION_MAGIC.to_be_bytes()).unwrap();
        stream.write_all(&EXPORT_NAME.to_be_bytes()).unwrap();
        stream.write_all(&0_u32.to_be_bytes()).unwrap();
        let size: [u8; 8] = read(&mut stream);
        let _flags: [u8; 2] = read(&mut stream);
        Self {
            stream,
            size_bytes: u64::from_be_bytes(size),
            cookie: 0,
        }
    }

    /// Sends a request and gives the error of its reply.
    fn request(&mut self, kind: u16, offset: u64, len: u32, data: &[u8]) -> u32 {
        self.cookie += 1;
        let mut request = Vec::new();
        request.extend(REQUEST_MAGIC.to_be_bytes());
        request.extend(0_u16.to_be_bytes());
        request.extend(kind.to_be_bytes());
        request.extend(self.cookie.to_be_bytes());
        request.extend(offset.to_be_bytes());
        request.extend(len.to_be_bytes());
        request.extend(data);
        self.stream.write_all(&request).unwrap();
        let magic: [u8; 4] = read(&mut self.stream);
        assert_eq!(u32::from_be_bytes(magic), REPLY_MAGIC);
        let error: [u8; 4] = read(&mut self.stream);
        let cookie: [u8; 8] = read(&mut self.stream);
        assert_eq!(u64::from_be_bytes(cookie), self.cookie);
        u32::from_be_bytes(error)
    }

    pub fn read(&mut self, offset: u64, len: u32) -> (u32, Vec<u8>) {
        let error = self.request(READ, offset, len, &[]);
        let mut data = Vec::new();
        if error == 0 {
            data.resize(len as usize, 0);
            self.stream.read_exact(&mut data).unwrap();
        }
        (error, data)
    }

    pub fn write(&mut self, offset: u64, data: &[u8]) -> u32 {
        self.request(WRITE, offset, data.len() as u32, data)
    }

    pub fn trim(&mut self, offset: u64, len: u32) -> u32 {
        self.request(TRIM, offset, len, &[])
    }

    pub fn flush(&mut self) -> u32 {
        self.request(FLUSH, 0, 0, &[])
    }
}

fn read<const N: usize>(stream: &mut UnixStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}
