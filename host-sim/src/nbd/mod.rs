//! A network block device server: any disk of sectors, offered to the block clients of other people; and what a client of other people's servers needs.
//!
//! The server speaks the *fixed newstyle* NBD protocol over a Unix socket or loopback TCP and knows nothing of
//! the disk behind it but [`SectorExport`]: sectors that are read, written, trimmed and flushed. What belongs to
//! NAND, logs or the engine stays out of this folder; the engine never hears of it.
//!
//! | file | what it does |
//! |---|---|
//! | `export` | the trait a disk implements, and its errors |
//! | `byte_export` | byte ranges over sectors: read-modify-write, rounding of trims |
//! | `protocol` | numbers and fixed structures of the wire |
//! | `handshake` | options, up to the choice of the export |
//! | `transmission` | requests and replies |
//! | `connection` | buffered bytes of one client |
//! | `listen` | the socket clients connect to, and its file |
//! | `server` | one thread a connection, until told to stop |
//! | `counters` | what has been served so far |
//! | `client` | the other end |
//!
//! # What is served
//!
//! * Handshake: `EXPORT_NAME`, `GO`, `INFO`, `LIST`, `ABORT`, `STRUCTURED_REPLY`, `NO_ZEROES`. Anything else, TLS
//!   included, is answered with `ERR_UNSUP`.
//! * Commands: `READ`, `WRITE`, `FLUSH`, `TRIM`, `WRITE_ZEROES` (with `NO_HOLE`), `DISC`, each with `FUA`; `DF` on
//!   reads.
//! * Requests aligned to 512 bytes whatever the sector of the disk (to the sector where that is smaller); up to
//!   32 MiB for reads and writes, any length for trims and zeroes.
//! * Structured replies: reads in chunks, the error with its offset when a read fails half-way, and a text with
//!   every error.
//!
//! **Not supported**: TLS, metadata contexts (`BLOCK_STATUS`), extended headers, resizing, `CACHE`, `FAST_ZERO`,
//! addresses other than loopback.
//!
//! # Order and durability
//!
//! The requests of a connection are executed one after another in order of arrival; those of different
//! connections exclude each other. There is one disk behind all of them, so a flush on one connection covers
//! every write that was answered on any other (`CAN_MULTI_CONN`).
//!
//! Source: the protocol description of the `NetworkBlockDevice/nbd` project, `doc/proto.md`.

mod byte_export;
pub mod client;
mod connection;
mod counters;
mod export;
mod handshake;
mod listen;
mod protocol;
mod server;
#[cfg(test)]
mod tests;
mod transmission;

pub(crate) use connection::Stream;

pub use byte_export::{ByteExport, ShapeError};
pub use counters::{Counters, Served};
pub use export::{ExportError, SectorExport};
pub(crate) use listen::{bind_unix, SocketFile};
pub use listen::{BindError, Listen};
pub use server::{RunError, Server};
