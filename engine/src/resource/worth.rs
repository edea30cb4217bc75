//! What a sector's data is worth.

/// What it would cost to lose a sector. Told by a cache to its store, of each page's sectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Worth {
    /// Nothing is there that anybody wants.
    Nothing,
    /// Another resource has it too.
    Copy,
    /// Nobody else has it, and it must not be lost.
    Only,
    /// Nobody else has it; a restart may lose it.
    Ephemeral,
}
