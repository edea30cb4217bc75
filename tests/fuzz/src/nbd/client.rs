//! What a client says, and what it makes of the answers.
//!
//! Source of every constant: `doc/proto.md` of the `NetworkBlockDevice/nbd` project.

use crate::input::Input;

use super::disk::{Disk, SECTORS, SECTOR_BYTES};
use super::server::NAME;

const OPTION_MAGIC: u64 = 0x4948_4156_454f_5054;
const OPTION_REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
const REQUEST_MAGIC: u32 = 0x2560_9513;
const SIMPLE_REPLY_MAGIC: u32 = 0x6744_6698;
const CHUNK_MAGIC: u32 = 0x668e_33ef;

const GO: u32 = 7;
const STRUCTURED_REPLY: u32 = 8;
const ACK: u32 = 1;

const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const TRIM: u16 = 4;
const WRITE_ZEROES: u16 = 6;

const CHUNK_DATA: u16 = 1;
const CHUNK_ERRORS: u16 = 1 << 15;

/// Requests of an input at most.
const REQUESTS_MAX: usize = 32;
/// Longest data that is sent for a write.
const PAYLOAD_MAX: usize = 4 * SECTOR_BYTES;

/// Bytes of the disk.
const DISK_BYTES: u64 = (SECTORS * SECTOR_BYTES) as u64;

/// The flags of a client that reads answers to options and wants no padding.
pub fn greeting() -> Vec<u8> {
    3_u32.to_be_bytes().to_vec()
}

fn option(code: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = OPTION_MAGIC.to_be_bytes().to_vec();
    bytes.extend(code.to_be_bytes());
    bytes.extend((data.len() as u32).to_be_bytes());
    bytes.extend(data);
    bytes
}

/// Everything up to the requests.
pub fn handshake(structured: bool) -> Vec<u8> {
    let mut said = greeting();
    if structured {
        said.extend(option(STRUCTURED_REPLY, &[]));
    }
    said.extend(option(GO, &[0, 0, 0, 0, 0, 0]));
    said
}

/// Options whose lengths are right, with a name that may be.
pub fn options(input: &mut Input<'_>, said: &mut Vec<u8>) {
    while !input.is_empty() {
        let code = u32::from(input.u8());
        let data = match input.u8() {
            0 => [
                &(NAME.len() as u32).to_be_bytes(),
                NAME.as_bytes(),
                &[0, 1, 0, 1],
            ]
            .concat(),
            1 => NAME.as_bytes().to_vec(),
            2 => Vec::new(),
            _ => input.string().to_vec(),
        };
        said.extend(option(code, &data));
    }
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    flags: u16,
    command: u16,
    offset: u64,
    len: u32,
    /// What is written.
    fill: u8,
}

/// Requests near the disk and its limits.
pub fn requests(input: &mut Input<'_>) -> Vec<Request> {
    let mut requests = Vec::new();
    while !input.is_empty() && requests.len() < REQUESTS_MAX {
        let command = u16::from(input.u8());
        let flags = u16::from(input.u8() & 0x0F);
        let near = |value: u8| u64::from(value) * 512;
        let offset = match input.u8() {
            255 => input.u64(),
            254 => DISK_BYTES.wrapping_add(input.u64() % 4096) - 2048,
            value => near(value & 63).wrapping_add(u64::from(value >> 7)),
        };
        let mut len = match input.u8() {
            255 => input.u32(),
            254 => 32 << 20,
            value => near(value & 31) as u32 + u32::from(value >> 7),
        };
        if command == WRITE {
            len = len.min(PAYLOAD_MAX as u32);
        }
        requests.push(Request {
            flags,
            command,
            offset,
            len,
            fill: requests.len() as u8 + 1,
        });
    }
    requests
}

/// The requests as they are sent; the cookie of each is its number.
pub fn encode(requests: &[Request]) -> Vec<u8> {
    let mut said = Vec::new();
    for (cookie, request) in (0u64..).zip(requests) {
        said.extend(REQUEST_MAGIC.to_be_bytes());
        said.extend(request.flags.to_be_bytes());
        said.extend(request.command.to_be_bytes());
        said.extend(cookie.to_be_bytes());
        said.extend(request.offset.to_be_bytes());
        said.extend(request.len.to_be_bytes());
        if request.command == WRITE {
            said.resize(said.len() + request.len as usize, request.fill);
        }
    }
    said
}

/// Numbers of an answer, one after another.
struct Answer<'a>(&'a [u8]);

impl<'a> Answer<'a> {
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        assert!(count <= self.0.len(), "the answer ends early");
        let (bytes, rest) = self.0.split_at(count);
        self.0 = rest;
        bytes
    }

    fn number(&mut self, bytes: usize) -> u64 {
        let number = self.bytes(bytes).iter();
        number.fold(0, |number, &byte| number << 8 | u64::from(byte))
    }
}

/// Every request is answered, in order, and reads return what was written.
pub fn check(answer: &[u8], requests: &[Request], structured: bool, disk: &Disk) {
    let mut answer = Answer(answer);
    answer.bytes(18);
    for code in [STRUCTURED_REPLY, GO] {
        if code == STRUCTURED_REPLY && !structured {
            continue;
        }
        loop {
            assert_eq!(answer.number(8), OPTION_REPLY_MAGIC);
            assert_eq!(answer.number(4), u64::from(code));
            let kind = answer.number(4);
            let len = answer.number(4) as usize;
            answer.bytes(len);
            if kind == u64::from(ACK) {
                break;
            }
        }
    }
    let mut expected = vec![0; DISK_BYTES as usize];
    // What a change that failed half-way has left is not known.
    let mut known = true;
    for (cookie, request) in (0u64..).zip(requests) {
        if request.command == DISCONNECT {
            break;
        }
        let read = reply(&mut answer, cookie, request, structured);
        match read {
            Some(bytes) if request.command == READ => {
                assert!(!known || bytes == expected[range(request)], "{request:?}");
            }
            Some(_) => change(&mut expected, request),
            None => known &= !disk.has_bad(),
        }
    }
    assert!(answer.0.is_empty(), "answers that nobody asked for");
    assert!(!known || disk.bytes() == expected);
}

fn range(request: &Request) -> std::ops::Range<usize> {
    let start = usize::try_from(request.offset).expect("a request that was granted");
    start..start + request.len as usize
}

/// What a request that was granted makes of the disk.
fn change(expected: &mut [u8], request: &Request) {
    match request.command {
        WRITE => expected[range(request)].fill(request.fill),
        WRITE_ZEROES => expected[range(request)].fill(0),
        TRIM => {
            // Whole sectors inside.
            let range = range(request);
            let start = range.start.next_multiple_of(SECTOR_BYTES);
            let end = range.end - range.end % SECTOR_BYTES;
            if start < end {
                expected[start..end].fill(0);
            }
        }
        _ => {}
    }
}

/// The answer to a request: the bytes of a read, none of any other; `None` if it was refused.
fn reply(
    answer: &mut Answer<'_>,
    cookie: u64,
    request: &Request,
    structured: bool,
) -> Option<Vec<u8>> {
    let len = match request.command {
        READ => u64::from(request.len).min(DISK_BYTES) as usize,
        _ => 0,
    };
    let mut read = vec![0; len];
    let mut filled = 0;
    loop {
        let magic = answer.number(4) as u32;
        if magic == SIMPLE_REPLY_MAGIC {
            let error = answer.number(4);
            assert_eq!(answer.number(8), cookie);
            assert!(!structured || (error == 0 && request.command != READ));
            if error != 0 {
                return None;
            }
            return Some(answer.bytes(len).to_vec());
        }
        assert_eq!(magic, CHUNK_MAGIC);
        assert!(structured);
        let (flags, kind) = (answer.number(2), answer.number(2) as u16);
        assert_eq!(answer.number(8), cookie);
        let body_len = answer.number(4) as usize;
        let mut body = Answer(answer.bytes(body_len));
        if kind & CHUNK_ERRORS != 0 {
            assert_eq!(flags, 1);
            return None;
        }
        assert_eq!(kind, CHUNK_DATA);
        let at = (body.number(8) - request.offset) as usize;
        read[at..at + body.0.len()].copy_from_slice(body.0);
        filled += body.0.len();
        if flags & 1 != 0 {
            assert_eq!(filled, read.len());
            return Some(read);
        }
    }
}
