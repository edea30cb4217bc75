//! An array operation, as one writes it down.

use cuesta_hal::{BlockAddress, PageAddress};

/// An array operation that was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// A read of some columns of a page.
    Read(PageAddress),
    /// A program of a page.
    Program(PageAddress),
    /// An erase of a block.
    Erase(BlockAddress),
}
