//! Bytes from the server, cut into pieces of replies, each checked against the request that it answers.

use core::fmt;
use core::ops::Range;

use super::super::protocol::{ChunkKind, ErrorCode, Fields, ReplyHead, BLOCK_BYTES_MAX};

/// Longest data of a chunk: the longest read, and its place.
const CHUNK_DATA_BYTES_MAX: u32 = BLOCK_BYTES_MAX + 8;
/// Bytes that were used up are moved away when there are so many.
const SPENT_BYTES_MAX: usize = 256 << 10;

/// What the server did that it may not. Nothing that comes after can be made sense of: hang up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// Bytes that begin no reply, or a chunk of an unknown kind.
    Head,
    /// A reply to what nobody asked for.
    Cookie(u64),
    /// A chunk where replies in chunks were not agreed on, or data in a simple reply where they were.
    Form,
    /// A chunk of another length than its kind has, or than was asked for.
    Length(u32),
    /// Data of a place that was not asked for, or twice.
    Place(u64),
    /// A read that ended before all of its data came.
    Missing,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("bytes that begin no reply"),
            Self::Cookie(cookie) => {
                write!(f, "a reply to request {cookie:#x}, which was not made")
            }
            Self::Form => f.write_str("a reply of the form that was not agreed on"),
            Self::Length(bytes) => write!(f, "a reply with {bytes} bytes of data"),
            Self::Place(offset) => write!(f, "data of place {offset}, which was not asked for"),
            Self::Missing => f.write_str("a reply that ends before its data"),
        }
    }
}

impl std::error::Error for Violation {}

/// Why a server did not do what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerError {
    /// There is no room.
    NoSpace,
    /// The disk takes no writes.
    ReadOnly,
    /// The server stops: ask again when it is back.
    Shutdown,
    /// Anything else.
    Failed,
}

impl From<ErrorCode> for ServerError {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::ENOSPC => Self::NoSpace,
            ErrorCode::EPERM => Self::ReadOnly,
            ErrorCode::ESHUTDOWN => Self::Shutdown,
            _ => Self::Failed,
        }
    }
}

/// A request that waits for its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Awaited {
    /// Where its data is from.
    pub offset: u64,
    /// Bytes of data that must come; none unless it is a read.
    pub data_bytes: u32,
}

/// A piece of a reply.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'b> {
    /// Data, from a place within the request on.
    Data {
        /// Whose.
        cookie: u64,
        /// Where within the data of the request.
        within: u32,
        /// The bytes.
        bytes: &'b [u8],
        /// The reply is complete.
        last: bool,
    },
    /// Zeros, from a place within the request on.
    Zeros {
        /// Whose.
        cookie: u64,
        /// Where within the data of the request.
        within: u32,
        /// How many.
        count: u32,
        /// The reply is complete.
        last: bool,
    },
    /// Nothing more to say. The reply is complete.
    Done {
        /// Whose.
        cookie: u64,
    },
    /// It was not done, or not all of it.
    Failed {
        /// Whose.
        cookie: u64,
        /// Why.
        error: ServerError,
        /// The reply is complete.
        last: bool,
    },
}

/// Cuts what a server says into pieces of replies.
#[derive(Debug)]
pub struct Replies {
    structured: bool,
    bytes: Vec<u8>,
    /// Of which so many were used up.
    spent: usize,
}

impl Replies {
    /// Nothing came yet. `structured` as it was agreed on.
    #[must_use]
    pub const fn new(structured: bool) -> Self {
        Self {
            structured,
            bytes: Vec::new(),
            spent: 0,
        }
    }

    /// Takes in more bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.spent > SPENT_BYTES_MAX || self.spent == self.bytes.len() {
            self.bytes.drain(..self.spent);
            self.spent = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next piece; `None` until more bytes came. `awaited` tells what a cookie was used for, and `None` if for nothing.
    ///
    /// # Errors
    /// See [`Violation`].
    pub fn next(
        &mut self,
        awaited: impl FnOnce(u64) -> Option<Awaited>,
    ) -> Result<Option<Piece<'_>>, Violation> {
        let unread = self.bytes.get(self.spent..).unwrap_or_default();
        let Some((form, _)) = unread.split_first_chunk() else {
            return Ok(None);
        };
        let head_bytes = ReplyHead::bytes(*form).ok_or(Violation::Head)?;
        let Some((head, rest)) = unread.split_at_checked(head_bytes) else {
            return Ok(None);
        };
        let (cookie, data_bytes, chunk) = match ReplyHead::decode(head).ok_or(Violation::Head)? {
            ReplyHead::Simple { cookie, error } => {
                let request = awaited(cookie).ok_or(Violation::Cookie(cookie))?;
                if let Some(error) = error {
                    self.spent += head_bytes;
                    let error = error.into();
                    let last = true;
                    return Ok(Some(Piece::Failed {
                        cookie,
                        error,
                        last,
                    }));
                }
                if request.data_bytes == 0 {
                    self.spent += head_bytes;
                    return Ok(Some(Piece::Done { cookie }));
                }
                if self.structured {
                    return Err(Violation::Form);
                }
                (cookie, request.data_bytes, None)
            }
            ReplyHead::Chunk {
                cookie,
                kind,
                last,
                data_bytes,
            } => {
                if !self.structured {
                    return Err(Violation::Form);
                }
                let request = awaited(cookie).ok_or(Violation::Cookie(cookie))?;
                if data_bytes > CHUNK_DATA_BYTES_MAX {
                    return Err(Violation::Length(data_bytes));
                }
                (cookie, data_bytes, Some((kind, last, request)))
            }
        };
        if rest.len() < data_bytes as usize {
            return Ok(None);
        }
        let start = self.spent + head_bytes;
        let data = start..start + data_bytes as usize;
        self.spent = data.end;
        let data = self.bytes.get(data).unwrap_or_default();
        match chunk {
            None => Ok(Some(Piece::Data {
                cookie,
                within: 0,
                bytes: data,
                last: true,
            })),
            Some((kind, last, request)) => piece(cookie, kind, last, data, request).map(Some),
        }
    }
}

/// A chunk as a piece.
fn piece(
    cookie: u64,
    kind: ChunkKind,
    last: bool,
    data: &[u8],
    request: Awaited,
) -> Result<Piece<'_>, Violation> {
    let data_bytes = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let length = Violation::Length(data_bytes);
    let mut fields = Fields(data);
    match kind {
        // A reply ends with it, or it would say nothing at all.
        ChunkKind::None if last && data.is_empty() => Ok(Piece::Done { cookie }),
        ChunkKind::None => Err(length),
        ChunkKind::OffsetData => {
            let offset = fields.u64().ok_or(length)?;
            let count = data_bytes - 8;
            let within = place(offset, count, request)?;
            let bytes = fields.bytes(count).ok_or(length)?;
            Ok(Piece::Data {
                cookie,
                within,
                bytes,
                last,
            })
        }
        ChunkKind::OffsetHole => {
            let offset = fields.u64().ok_or(length)?;
            let count = fields.u32().ok_or(length)?;
            fields.end().ok_or(length)?;
            let within = place(offset, count, request)?;
            Ok(Piece::Zeros {
                cookie,
                within,
                count,
                last,
            })
        }
        ChunkKind::Error | ChunkKind::ErrorOffset | ChunkKind::OtherError => {
            let code = fields.u32().ok_or(length)?;
            Ok(Piece::Failed {
                cookie,
                // An error that says it is none is one all the same.
                error: ErrorCode::of(code).map_or(ServerError::Failed, ServerError::from),
                last,
            })
        }
    }
}

/// Where within its request data lies.
fn place(offset: u64, count: u32, request: Awaited) -> Result<u32, Violation> {
    let within = offset
        .checked_sub(request.offset)
        .and_then(|within| u32::try_from(within).ok())
        .filter(|within| {
            within
                .checked_add(count)
                .is_some_and(|end| end <= request.data_bytes)
        });
    match within {
        Some(within) if count > 0 => Ok(within),
        _ => Err(Violation::Place(offset)),
    }
}

/// The data of a read while it arrives, in any order.
#[derive(Debug, Default)]
pub struct Assembly {
    bytes: Vec<u8>,
    /// What came, in order of place, no two of them adjacent.
    covered: Vec<Range<u32>>,
}

impl Assembly {
    /// Waits for so many bytes.
    #[must_use]
    pub fn new(data_bytes: u32) -> Self {
        Self {
            bytes: vec![0; data_bytes as usize],
            covered: Vec::new(),
        }
    }

    /// Takes in data.
    ///
    /// # Errors
    /// It came before, or lies outside.
    pub fn data(&mut self, within: u32, bytes: &[u8]) -> Result<(), Violation> {
        let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.cover(within, count)?;
        if let Some(place) = self
            .bytes
            .get_mut(within as usize..within as usize + bytes.len())
        {
            place.copy_from_slice(bytes);
        }
        Ok(())
    }

    /// Takes in zeros.
    ///
    /// # Errors
    /// They came before, or lie outside.
    pub fn zeros(&mut self, within: u32, count: u32) -> Result<(), Violation> {
        // That is what the bytes are from the start.
        self.cover(within, count)
    }

    /// All of the data.
    ///
    /// # Errors
    /// Some is missing.
    pub fn finish(self) -> Result<Vec<u8>, Violation> {
        let complete = match self.covered.as_slice() {
            [] => self.bytes.is_empty(),
            [all] => all.start == 0 && all.end as usize == self.bytes.len(),
            _ => false,
        };
        if complete {
            Ok(self.bytes)
        } else {
            Err(Violation::Missing)
        }
    }

    fn cover(&mut self, start: u32, count: u32) -> Result<(), Violation> {
        let twice = Violation::Place(u64::from(start));
        let end = start.checked_add(count).ok_or(twice)?;
        if end as usize > self.bytes.len() {
            return Err(twice);
        }
        let at = self.covered.partition_point(|range| range.end < start);
        match self.covered.get_mut(at) {
            Some(next) if next.end == start => {
                next.end = end;
                let grown = next.clone();
                let after = self.covered.get(at + 1).cloned();
                match after {
                    Some(after) if after.start < grown.end => return Err(twice),
                    Some(after) if after.start == grown.end => {
                        self.covered[at].end = after.end;
                        self.covered.remove(at + 1);
                    }
                    _ => {}
                }
            }
            Some(next) if next.start < end => return Err(twice),
            Some(next) if next.start == end => next.start = start,
            _ => self.covered.insert(at, start..end),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(offset: u64, data_bytes: u32) -> impl Fn(u64) -> Option<Awaited> {
        move |cookie| (cookie == 7).then_some(Awaited { offset, data_bytes })
    }

    fn chunk(kind: u16, last: bool, data: &[u8]) -> Vec<u8> {
        let mut bytes = 0x668e_33ef_u32.to_be_bytes().to_vec();
        bytes.extend(u16::from(last).to_be_bytes());
        bytes.extend(kind.to_be_bytes());
        bytes.extend(7_u64.to_be_bytes());
        bytes.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn a_reply_is_found_wherever_the_bytes_are_cut() {
        let mut said = chunk(1, false, &[&100_u64.to_be_bytes()[..], &[1, 2]].concat());
        let hole = [&102_u64.to_be_bytes()[..], &2_u32.to_be_bytes()].concat();
        said.extend(chunk(2, false, &hole));
        said.extend(chunk(0, true, &[]));
        for cut in 0..said.len() {
            let mut replies = Replies::new(true);
            let mut assembly = Assembly::new(4);
            let mut done = false;
            for part in [&said[..cut], &said[cut..]] {
                replies.push(part);
                while let Some(piece) = replies.next(ask(100, 4)).unwrap() {
                    assert!(!done);
                    match piece {
                        Piece::Data { within, bytes, .. } => assembly.data(within, bytes).unwrap(),
                        Piece::Zeros { within, count, .. } => {
                            assembly.zeros(within, count).unwrap();
                        }
                        Piece::Done { .. } => done = true,
                        Piece::Failed { .. } => panic!(),
                    }
                }
            }
            assert!(done);
            assert_eq!(assembly.finish(), Ok(vec![1, 2, 0, 0]));
        }
    }

    #[test]
    fn what_was_not_asked_for_is_a_violation() {
        let data = |offset: u64, count| [&offset.to_be_bytes()[..], &vec![1; count]].concat();
        for (said, violation) in [
            (vec![0; 4], Violation::Head),
            (chunk(3, true, &[]), Violation::Head),
            (chunk(1, true, &data(99, 1)), Violation::Place(99)),
            (chunk(1, true, &data(103, 2)), Violation::Place(103)),
            (chunk(1, true, &data(100, 0)), Violation::Place(100)),
            (chunk(1, true, &[0; 7]), Violation::Length(7)),
            (chunk(2, true, &[0; 13]), Violation::Length(13)),
            (chunk(0, false, &[]), Violation::Length(0)),
        ] {
            let mut replies = Replies::new(true);
            replies.push(&said);
            assert_eq!(replies.next(ask(100, 4)), Err(violation), "{said:?}");
        }
        let mut replies = Replies::new(false);
        replies.push(&chunk(0, true, &[]));
        assert_eq!(replies.next(ask(0, 0)), Err(Violation::Form));
        let mut replies = Replies::new(true);
        replies.push(&chunk(0, true, &[]));
        assert_eq!(replies.next(|_| None), Err(Violation::Cookie(7)));
    }

    #[test]
    fn data_is_complete_when_every_byte_came_once_in_any_order() {
        let ranges = [(0_u32, 2_u32), (2, 1), (3, 4), (7, 1)];
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
            let mut assembly = Assembly::new(8);
            for (count, &which) in order.iter().enumerate() {
                let (start, len) = ranges[which];
                let mut before = Assembly::new(8);
                before.covered.clone_from(&assembly.covered);
                assert!(before.finish().is_err(), "{count}");
                assembly.data(start, &vec![9; len as usize]).unwrap();
                assert!(assembly.zeros(start, 1).is_err());
            }
            assert_eq!(assembly.finish(), Ok(vec![9; 8]));
        }
    }
}
