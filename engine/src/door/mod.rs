//! Doors: how callers reach a volume. They wait, copy and translate; they decide nothing.

mod blocking;

pub use blocking::Disk;
