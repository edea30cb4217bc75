//! The other end: what it takes to use a disk that somebody else serves.
//!
//! | file | what it does |
//! |---|---|
//! | `uri` | where a server is |
//! | `handshake` | options, up to the choice of the export |
//! | `replies` | bytes from the server, cut into replies and checked |
//!
//! None of it waits, reconnects or keeps requests: that is for who uses it, [`NbdResource`](crate::resource::NbdResource).
//! Whatever a server says is checked before it is believed: lengths, places, cookies.

mod handshake;
mod replies;
mod uri;

pub use handshake::{greet, Exported, HandshakeError};
pub use replies::{Assembly, Awaited, Piece, Replies, ServerError, Violation};
pub use uri::{Uri, UriError};

use super::protocol::{command_flag, Command, Request};

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// So many bytes from a place.
    Read {
        /// The place.
        offset: u64,
        /// Bytes.
        len: u32,
    },
    /// To take so many bytes, which follow.
    Write {
        /// The place.
        offset: u64,
        /// Bytes.
        len: u32,
        /// Durable before it is answered.
        durable: bool,
    },
    /// To let so many bytes read as zeros, and to keep no room for them.
    Zero {
        /// The place.
        offset: u64,
        /// Bytes.
        len: u32,
    },
    /// To make durable what was answered.
    Flush,
    /// To hang up; there is no answer.
    Disconnect,
}

impl Ask {
    /// The bytes that go to the server before the data of a write.
    #[must_use]
    pub fn encode(self, cookie: u64) -> Option<[u8; Request::BYTES]> {
        let (command, flags, offset, len) = match self {
            Self::Read { offset, len } => (Command::Read, 0, offset, len),
            Self::Write {
                offset,
                len,
                durable,
            } => {
                let flags = if durable { command_flag::FUA } else { 0 };
                (Command::Write, flags, offset, len)
            }
            Self::Zero { offset, len } => (Command::WriteZeroes, 0, offset, len),
            Self::Flush => (Command::Flush, 0, 0, 0),
            Self::Disconnect => (Command::Disconnect, 0, 0, 0),
        };
        Request {
            flags,
            command,
            cookie,
            offset,
            len,
        }
        .encode()
    }
}
