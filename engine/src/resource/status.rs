//! What a resource tells of itself.

/// What a resource is at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Status {
    /// Whose data it holds: what was kept of another resource's must not be taken for it. 0 where it has no identity.
    pub identity: u64,
    /// Bytes of a sector.
    pub sector_bytes: u32,
    /// Sectors that can be addressed.
    pub sectors: u32,
    /// A restart loses everything.
    pub volatile: bool,
    /// It takes no writes.
    pub read_only: bool,
    /// It answers at the moment.
    pub ready: bool,
}
