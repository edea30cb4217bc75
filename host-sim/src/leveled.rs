//! A cache with its primaries, behind a policy: requests get their level, and are served as it says.

use core::fmt;

use cuesta::cache::{Cache, CacheOptions, CacheShapeError};
use cuesta::door::{CachedDisk, PolicyDisk};
use cuesta::policy::PolicyTable;
use cuesta::request::{Classifier, Context, ContextTable, Counters};
use cuesta::resource::Resource;

use crate::cache_memory::OwnedCacheMemory;

/// A resource of any kind, lent.
pub type Lent<'m> = &'m mut (dyn Resource + Send + 'm);

/// A policy as programs of a host keep it.
pub type Policy = PolicyTable<Vec<u8>>;

/// How much there is room for.
#[derive(Debug, Clone, Copy)]
pub struct LeveledOptions {
    /// How the cache works.
    pub cache: CacheOptions,
    /// Requests for sectors under way at a time.
    pub slots: usize,
    /// Contexts that are open at a time.
    pub contexts: usize,
    /// Bytes of the texts of each.
    pub context_bytes: usize,
    /// Rules that are counted.
    pub rules: usize,
    /// There is memory for pages as small as a sector: see [`Cache::adjust_page_sectors`].
    pub small_pages: bool,
}

impl Default for LeveledOptions {
    fn default() -> Self {
        Self {
            cache: CacheOptions::default(),
            slots: 33,
            contexts: 1024,
            context_bytes: 1024,
            rules: 256,
            small_pages: false,
        }
    }
}

/// Why there is no such disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeveledError {
    /// Cache and primary do not go together.
    Shape(CacheShapeError),
    /// Sectors of the two differ.
    SectorBytes {
        /// Of the cache.
        store: u32,
        /// Of the primary.
        primary: u32,
    },
}

impl fmt::Display for LeveledError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(error) => write!(f, "cache and primary do not go together: {error:?}"),
            Self::SectorBytes { store, primary } => write!(
                f,
                "the cache has sectors of {store} bytes, the primary of {primary}"
            ),
        }
    }
}

impl std::error::Error for LeveledError {}

/// A cache with its primaries, and the policy that requests are given their levels by.
pub type LeveledDisk<'m> = PolicyDisk<'m, Vec<u8>, Lent<'m>, Lent<'m>>;

/// Makes such a disk, for as long as `run` runs.
///
/// # Errors
/// See [`LeveledError`].
pub fn with_leveled<T>(
    store: Lent<'_>,
    primary: Lent<'_>,
    policy: Option<Policy>,
    options: &LeveledOptions,
    run: impl FnOnce(&mut LeveledDisk<'_>) -> T,
) -> Result<T, LeveledError> {
    with_leveled_over(store, vec![primary], policy, options, run)
}

/// The same with several primaries, which levels name by their numbers in this order.
///
/// # Errors
/// See [`LeveledError`].
pub fn with_leveled_over<T>(
    store: Lent<'_>,
    primaries: Vec<Lent<'_>>,
    policy: Option<Policy>,
    options: &LeveledOptions,
    run: impl FnOnce(&mut LeveledDisk<'_>) -> T,
) -> Result<T, LeveledError> {
    let status = store.status();
    let sector_bytes = status.sector_bytes;
    for primary in &primaries {
        let primary = primary.status().sector_bytes;
        if primary != sector_bytes {
            return Err(LeveledError::SectorBytes {
                store: sector_bytes,
                primary,
            });
        }
    }
    let smallest = if options.small_pages {
        1
    } else {
        options.cache.page_sectors.max(1)
    };
    let pages = status.sectors / smallest;
    let mut memory = OwnedCacheMemory::new(
        pages as usize,
        sector_bytes as usize,
        options.slots,
        &options.cache,
    );
    let mut contexts = vec![Context::default(); options.contexts];
    let mut texts = vec![0; options.contexts * options.context_bytes];
    let mut counts = vec![0; options.rules];
    // Both for as long as what is made here.
    let store: Lent<'_> = &mut *store;
    let mut primaries: Vec<Lent<'_>> = primaries.into_iter().map(shorter).collect();
    let cache = Cache::new(store, &mut primaries, memory.lend(), options.cache)
        .map_err(LeveledError::Shape)?;
    let classifier = Classifier::new(
        policy,
        ContextTable::new(&mut contexts, &mut texts),
        Counters::new(&mut counts),
        sector_bytes,
    );
    let mut leveled = PolicyDisk::new(classifier, CachedDisk::new(cache));
    Ok(run(&mut leveled))
}

/// What is lent may be lent on for a shorter time.
pub fn shorter<'short, 'long: 'short>(lent: Lent<'long>) -> Lent<'short> {
    lent
}
