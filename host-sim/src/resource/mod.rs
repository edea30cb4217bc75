//! Resources that only a host has, by the interface of [`cuesta::resource::Resource`]: what a level may name beside RAM and a volume.
//!
//! | file | what it is |
//! |---|---|
//! | `file` | sectors in a file or on a block device |
//! | `nbd` | sectors of a disk that somebody else serves, over a network that may fail |
//!
//! Knows the client of [`nbd`](crate::nbd); knows nothing of caches, policies or requests.

mod file;
pub mod nbd;
mod tickets;

pub use file::{FileOptions, FileResource, FileResourceError};
pub use nbd::{NbdOptions, NbdResource, NbdResourceError};
