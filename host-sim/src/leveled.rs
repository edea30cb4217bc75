//! A cache with its primary, behind a policy: requests get their level, and are served as it says.

use core::fmt;

use cuesta::cache::{Cache, CacheOptions, CacheShapeError, Then};
use cuesta::door::CachedDisk;
use cuesta::exec::{self, ExecError, Persistence};
use cuesta::policy::PolicyTable;
use cuesta::request::{Classifier, Context, ContextTable, Counters};
use cuesta::resource::Resource;
use cuesta::volume::Sector;

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
}

impl Default for LeveledOptions {
    fn default() -> Self {
        Self {
            cache: CacheOptions::default(),
            slots: 33,
            contexts: 1024,
            context_bytes: 1024,
            rules: 256,
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

/// A cache with its primary, and the policy that requests are given their levels by.
pub struct LeveledDisk<'m> {
    /// The policy, contexts, and what was decided.
    pub classifier: Classifier<'m, Vec<u8>>,
    /// Serves requests at levels.
    pub disk: CachedDisk<'m, Lent<'m>, Lent<'m>>,
}

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
    let status = store.status();
    let sector_bytes = primary.status().sector_bytes;
    if status.sector_bytes != sector_bytes {
        return Err(LeveledError::SectorBytes {
            store: status.sector_bytes,
            primary: sector_bytes,
        });
    }
    let pages = status.sectors / options.cache.page_sectors.max(1);
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
    let mut primaries: [Lent<'_>; 1] = [&mut *primary];
    let cache = Cache::new(store, &mut primaries, memory.lend(), options.cache)
        .map_err(LeveledError::Shape)?;
    let mut leveled = LeveledDisk {
        classifier: Classifier::new(
            policy,
            ContextTable::new(&mut contexts, &mut texts),
            Counters::new(&mut counts),
            sector_bytes,
        ),
        disk: CachedDisk::new(cache),
    };
    Ok(run(&mut leveled))
}

impl LeveledDisk<'_> {
    /// Bytes of a sector.
    #[must_use]
    pub const fn sector_bytes(&self) -> usize {
        self.disk.sector_bytes()
    }

    /// Reads at a level.
    ///
    /// # Errors
    /// Those of [`CachedDisk::read`].
    pub fn read(
        &mut self,
        first: Sector,
        data: &mut [u8],
        persistence: &Persistence,
        context: exec::Context,
    ) -> Result<(), ExecError> {
        self.disk.read(first, data, persistence, context)
    }

    /// Writes to the primary what is newer in the cache, ephemeral versions too, and gives the pages up, or keeps them.
    ///
    /// # Errors
    /// Those of [`CachedDisk::settle`].
    pub fn settle(&mut self, first: Sector, count: u32, then: Then) -> Result<(), ExecError> {
        let primary = cuesta::cache::Source::Primary(0);
        self.disk.settle(primary, first, count, then)
    }
}
