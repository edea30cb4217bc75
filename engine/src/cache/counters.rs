//! What a cache counts.

/// Why a request was not kept in the cache, or a page not found for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Bypass {
    /// Its level says so.
    Level,
    /// The request is for a caller who keeps the data himself.
    Direct,
    /// No page could be given up for it within the steps of a sweep.
    NoPage,
    /// Ephemeral pages are at their quota.
    Quota,
    /// The store failed.
    Store,
    /// A write has passed the read by.
    Passed,
    /// A host's own cache keeps it.
    Paging,
}

impl Bypass {
    /// All of them, as [`Counters::bypassed`] has them.
    pub const ALL: [Self; BYPASSES] = [
        Self::Level,
        Self::Direct,
        Self::NoPage,
        Self::Quota,
        Self::Store,
        Self::Passed,
        Self::Paging,
    ];

    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Level => "level",
            Self::Direct => "direct",
            Self::NoPage => "no-page",
            Self::Quota => "quota",
            Self::Store => "store",
            Self::Passed => "passed",
            Self::Paging => "paging",
        }
    }
}

/// Reasons of a bypass.
pub const BYPASSES: usize = 7;

/// Requests by what became of them, wrapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Counters {
    /// Reads served by the store.
    pub read_hits: u32,
    /// Reads served by a primary.
    pub read_misses: u32,
    /// Writes to pages that had a tag.
    pub write_hits: u32,
    /// Writes to pages that had none.
    pub write_misses: u32,
    /// Pages that were given to a key.
    pub admitted: u32,
    /// Pages that were taken from one for another.
    pub stolen: u32,
    /// Requests that had to wait for another one.
    pub deferred: u32,
    /// Pages whose newer units were written to the primary.
    pub cleaned: u32,
    /// Attempts at that which failed; they are repeated.
    pub clean_failures: u32,
    /// Bypasses, by [`Bypass`].
    pub bypassed: [u32; BYPASSES],
    /// Requests of a host's own cache.
    pub paging: u32,
    /// Requests of callers who keep the data themselves.
    pub direct: u32,
    /// All others: of applications, or of nobody knows whom.
    pub others: u32,
}

impl Counters {
    /// Bypasses for a reason.
    #[must_use]
    pub const fn bypassed_for(&self, reason: Bypass) -> u32 {
        self.bypassed[reason as usize]
    }

    pub(super) const fn asked(&mut self, direct: bool, paging: bool) {
        let count = match (direct, paging) {
            (true, _) => &mut self.direct,
            (_, true) => &mut self.paging,
            _ => &mut self.others,
        };
        *count = count.wrapping_add(1);
    }

    pub(super) const fn bypass(&mut self, reason: Bypass) {
        let count = &mut self.bypassed[reason as usize];
        *count = count.wrapping_add(1);
    }
}
