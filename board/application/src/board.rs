//! What the application asks of a board, apart from the part.

use crate::ledger::Kept;

/// A board: a clock, a way to be reset, and memory that a reset leaves alone.
pub trait Board {
    /// Microseconds since some moment; wraps around.
    fn now_us(&mut self) -> u32;

    /// Has the processor reset at a moment of the near future that `draw` chooses, whatever it is doing then. A later call replaces an earlier one.
    fn reset_soon(&mut self, draw: u32);

    /// Words that hold after a reset what they held before it.
    fn kept(&self) -> &'static Kept;
}
