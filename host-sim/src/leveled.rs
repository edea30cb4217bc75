//! A cache with its primaries, behind a policy: requests get their level, and are served as it says.

use core::fmt;

use cuesta::cache::{Cache, CacheOptions, CacheShapeError, OpenError, Recovered};
use cuesta::door::{CachedDisk, PolicyDisk};
use cuesta::policy::PolicyTable;
use cuesta::request::{Classifier, Context, ContextTable, Counters};
use cuesta::resource::{Completion, Resource, ResourceError};
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
    /// There is memory for pages as small as a sector: see [`Cache::adjust_page_sectors`].
    pub small_pages: bool,
    /// What is to be written back survives a restart, where the cache's resource does.
    pub durable: Option<Durable>,
}

/// How a cache on a resource that survives restarts is found there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durable {
    /// Of one that has to be made: a number that was never used before.
    pub identity: u64,
    /// Whatever is there is given up, and a new one is made.
    pub anew: bool,
    /// That what was to be written back is lost in part is known: see [`Cache::accept_losses`].
    pub accept_losses: bool,
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
            durable: None,
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
    /// The cache on the resource cannot be opened, or be made there.
    Open(OpenError),
    /// There is no cache on the resource, or a damaged one, but something else: it is left alone.
    Foreign,
}

impl fmt::Display for LeveledError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(error) => write!(f, "cache and primary do not go together: {error:?}"),
            Self::SectorBytes { store, primary } => write!(
                f,
                "the cache has sectors of {store} bytes, the primary of {primary}"
            ),
            Self::Open(error) => error.fmt(f),
            Self::Foreign => f.write_str(
                "what is to be the cache holds something else, or a damaged one: it was left alone",
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
    with_leveled_over(store, vec![primary], policy, options, |disk, _| run(disk))
}

/// The same with several primaries, which levels name by their numbers in this order; what was found of a cache that survives restarts is told.
///
/// # Errors
/// See [`LeveledError`].
pub fn with_leveled_over<T>(
    store: Lent<'_>,
    primaries: Vec<Lent<'_>>,
    policy: Option<Policy>,
    options: &LeveledOptions,
    run: impl FnOnce(&mut LeveledDisk<'_>, Option<Recovered>) -> T,
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
    let durable = options.durable.filter(|_| !status.volatile && pages > 0);
    let (cache, recovered) = match durable {
        None => {
            let cache = Cache::new(store, &mut primaries, memory.lend(), options.cache);
            (cache.map_err(LeveledError::Shape)?, None)
        }
        Some(durable) => {
            let found = prepare(
                &mut *store,
                &mut primaries,
                &mut memory,
                options.cache,
                durable,
            );
            let options = found.map_err(|error| match error {
                OpenError::NoHeader => LeveledError::Foreign,
                error => LeveledError::Open(error),
            })?;
            let opened = Cache::open(store, &mut primaries, memory.lend(), options);
            let (mut cache, recovered) = opened.map_err(LeveledError::Open)?;
            if durable.accept_losses {
                cache.accept_losses();
            }
            (cache, Some(recovered))
        }
    };
    let classifier = Classifier::new(
        policy,
        ContextTable::new(&mut contexts, &mut texts),
        Counters::new(&mut counts),
        sector_bytes,
    );
    let mut leveled = PolicyDisk::new(classifier, CachedDisk::new(cache));
    Ok(run(&mut leveled, recovered))
}

/// Sees to it that there is a cache on a resource that survives restarts; how it is to be opened.
fn prepare(
    store: Lent<'_>,
    primaries: &mut [Lent<'_>],
    memory: &mut OwnedCacheMemory,
    mut options: CacheOptions,
    durable: Durable,
) -> Result<CacheOptions, OpenError> {
    if !durable.anew {
        let mut primaries: Vec<Lent<'_>> = primaries
            .iter_mut()
            .map(|one| &mut **one as Lent<'_>)
            .collect();
        let lent: Lent<'_> = &mut *store;
        match Cache::open(lent, &mut primaries, memory.lend(), options) {
            Ok(_) => return Ok(options),
            Err(OpenError::OtherShape { page_sectors, .. }) => {
                options.page_sectors = page_sectors;
                return Ok(options);
            }
            Err(OpenError::NoHeader) => {}
            Err(error) => return Err(error),
        }
        for sector in 0..2 {
            if !is_blank(&mut *store, Sector(sector)).map_err(OpenError::Store)? {
                return Err(OpenError::NoHeader);
            }
        }
    }
    let mut primaries: Vec<Lent<'_>> = primaries
        .iter_mut()
        .map(|one| &mut **one as Lent<'_>)
        .collect();
    let store: Lent<'_> = &mut *store;
    let identity = durable.identity;
    Cache::create(store, &mut primaries, memory.lend(), options, identity)?;
    Ok(options)
}

/// True when a sector holds nothing, or zeros.
fn is_blank(resource: Lent<'_>, sector: Sector) -> Result<bool, ResourceError> {
    loop {
        match resource.submit_read(sector) {
            Ok(_) => break,
            Err(nb::Error::Other(error)) => return Err(error),
            Err(nb::Error::WouldBlock) => {
                let _ = resource.poll();
            }
        }
    }
    loop {
        match resource.poll() {
            Completion::Data(_, bytes) => return Ok(bytes.iter().all(|&byte| byte == 0)),
            Completion::Unwritten(_) => return Ok(true),
            Completion::Failed(_, error) => return Err(error),
            Completion::Idle => return Err(ResourceError::Device),
            Completion::Pending => resource.wait(),
            _ => {}
        }
    }
}

/// What is lent may be lent on for a shorter time.
pub fn shorter<'short, 'long: 'short>(lent: Lent<'long>) -> Lent<'short> {
    lent
}
