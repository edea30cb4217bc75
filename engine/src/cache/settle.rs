//! What becomes of a page whose newer units were written to the primary.

/// What a range's pages are after they were flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Then {
    /// They stay, clean.
    Keep,
    /// They are given up.
    Evict,
    /// They stay, at another level: from now on what is written there is kept as that one says.
    Level(u8),
}
