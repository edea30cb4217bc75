//! What a cache does with a write, and what its loss leaves.

/// Where a write goes, and what acknowledges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Mode {
    /// To the cache and to the primary; acknowledged by the primary.
    #[default]
    WriteThrough,
    /// To the cache, which acknowledges it; to the primary later.
    WriteBack,
    /// To the cache, which acknowledges it; never to the primary.
    Ephemeral,
    /// To the primary only.
    Bypass,
}

/// How ephemeral data reads when a restart has lost it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum OnLoss {
    /// As the last durable version, if there is one.
    #[default]
    Revert,
    /// As unwritten: the durable version is trimmed, once, before the first ephemeral write is acknowledged.
    Unwritten,
}
