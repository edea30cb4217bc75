//! From bytes to pages and back: checks, error correction, page layout.
//!
//! Knows geometry and buffers; knows nothing of logs, indexes or what a sector is for.

pub mod bch;
pub mod crc;
mod gf;
pub mod header;
pub mod page;

pub use header::{Header, Kind};
pub use page::{HeaderState, LayoutError, PageError, PageLayout};
