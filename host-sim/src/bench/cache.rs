//! The cache: how many requests find their page, beside other rules of replacement on the same requests; and what temporary files cost the primary.

use cuesta::cache::{
    Cache, CacheOptions, CachePlan, Mode, OnLoss, Persistence, Replacement, Source, Terms,
};
use cuesta::resource::{Completion, RamStore, Resource, ResourceError, Status};
use cuesta::volume::{Sector, Ticket, WriteOptions};
use serde::Serialize;

use crate::cache_memory::OwnedCacheMemory;
use crate::prng::SplitMix64;
use crate::reference::replacement::Rule;
use crate::workload::{Pattern, Request};

/// Bytes of a sector: what is in them does not matter here.
const SECTOR_BYTES: usize = 16;

/// Which pages are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trace {
    /// A few often, most hardly ever: weights (rank + 1)^-0.8.
    Zipf,
    /// The same, and again and again a long run of pages that are used once.
    Scan,
    /// Round and round, a fifth more pages than the cache has.
    Loop,
    /// One half zipf, a quarter round and round in a third of the cache, a quarter what is used once.
    Mixed,
    /// Pages that are new, used three times within a while and never again; and zipf.
    Temporary,
    /// The same, within a while that is twice as long.
    Lasting,
    /// Round and round, a twentieth more pages than the cache has.
    Tight,
    /// Zipf, and other pages are popular every five times as many requests as the cache has pages.
    Shifting,
}

impl Trace {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Zipf,
        Self::Scan,
        Self::Loop,
        Self::Mixed,
        Self::Temporary,
        Self::Lasting,
        Self::Tight,
        Self::Shifting,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zipf => "zipf",
            Self::Scan => "scan",
            Self::Loop => "loop",
            Self::Mixed => "mixed",
            Self::Temporary => "temporary",
            Self::Lasting => "lasting",
            Self::Tight => "tight",
            Self::Shifting => "shifting",
        }
    }

    /// The pages asked for, one after another, before a cache of so many.
    #[must_use]
    pub fn requests(self, pages: u32, count: usize, seed: u64) -> Vec<u32> {
        let mut popular = Pattern::Zipf { theta: 0.8 }.with(seed).over(10 * pages);
        let mut zipf = || match popular.next_request() {
            Request::Write(page) | Request::Trim(page) => page,
        };
        let mut random = SplitMix64::derive(seed, 1);
        // Beyond what is popular.
        let mut fresh = 20 * pages;
        let mut around = 0;
        let mut requests = Vec::with_capacity(count);
        while requests.len() < count {
            match self {
                Self::Zipf => requests.push(zipf()),
                Self::Loop | Self::Tight => {
                    let more = if self == Self::Loop { 5 } else { 20 };
                    requests.push(around);
                    around = (around + 1) % (pages + pages / more);
                }
                Self::Shifting => {
                    let moved = requests.len() as u32 / (5 * pages) * (pages / 2);
                    requests.push((zipf() + moved) % (10 * pages));
                }
                Self::Scan => {
                    requests.extend((0..4 * pages).map(|_| zipf()));
                    requests.extend(fresh..fresh + 2 * pages);
                    fresh += 2 * pages;
                }
                Self::Mixed => match random.below(4) {
                    0 => {
                        requests.push(10 * pages + around);
                        around = (around + 1) % (pages / 3);
                    }
                    1 => {
                        requests.push(fresh);
                        fresh += 1;
                    }
                    _ => requests.push(zipf()),
                },
                Self::Temporary | Self::Lasting => {
                    let part = if self == Self::Temporary { 8 } else { 4 };
                    if random.chance(1, 2) {
                        requests.push(zipf());
                    } else if random.chance(1, 3) {
                        requests.push(fresh);
                        fresh += 1;
                    } else {
                        // One of those that came of late.
                        let back = 1 + random.below(u64::from(pages / part)) as u32;
                        requests.push(fresh.saturating_sub(back).max(20 * pages));
                    }
                }
            }
        }
        requests.truncate(count);
        requests
    }
}

/// A primary that holds the same everywhere, and has it at once.
#[derive(Debug)]
struct Plain {
    ticket: u32,
    reads: bool,
    done: bool,
    bytes: [u8; SECTOR_BYTES],
}

impl Plain {
    fn take(&mut self, reads: bool) -> nb::Result<Ticket, ResourceError> {
        if self.done {
            return Err(nb::Error::WouldBlock);
        }
        self.ticket = self.ticket.wrapping_add(1);
        self.reads = reads;
        self.done = true;
        Ok(Ticket(self.ticket))
    }
}

impl Resource for Plain {
    fn status(&self) -> Status {
        Status {
            identity: 1,
            sector_bytes: SECTOR_BYTES as u32,
            sectors: u32::MAX,
            volatile: false,
            read_only: false,
            ready: true,
        }
    }

    fn submit_read(&mut self, _: Sector) -> nb::Result<Ticket, ResourceError> {
        self.take(true)
    }

    fn submit_write(
        &mut self,
        _: Sector,
        _: &[u8],
        _: WriteOptions,
    ) -> nb::Result<Ticket, ResourceError> {
        self.take(false)
    }

    fn submit_trim(&mut self, _: Sector, _: u32) -> nb::Result<Ticket, ResourceError> {
        self.take(false)
    }

    fn submit_flush(&mut self) -> nb::Result<Ticket, ResourceError> {
        self.take(false)
    }

    fn poll(&mut self) -> Completion<'_> {
        if !std::mem::take(&mut self.done) {
            return Completion::Idle;
        }
        match self.reads {
            true => Completion::Data(Ticket(self.ticket), &self.bytes),
            false => Completion::Written(Ticket(self.ticket)),
        }
    }

    fn wait(&mut self) {}
}

/// What a trace has shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CacheReport {
    /// Its name.
    pub trace: &'static str,
    /// Pages of the cache.
    pub pages: u32,
    /// Requests.
    pub requests: u64,
    /// Of a hundred requests, those that found their page in the engine's cache.
    pub hits_percent: f64,
    /// The same of other rules.
    pub others: Vec<(&'static str, f64)>,
    /// Requests that were not kept because no page could be found in time.
    pub not_admitted: u32,
    /// Bytes of memory for a tag, all that finds and orders it included.
    pub tag_bytes: f64,
}

/// Plays a trace against the engine's cache and against the others.
///
/// # Panics
/// When the cache is stuck.
#[must_use]
pub fn run_cache(
    trace: Trace,
    pages: u32,
    requests: usize,
    seed: u64,
    replacement: Replacement,
) -> CacheReport {
    let asked = trace.requests(pages, requests, seed);
    let options = CacheOptions {
        page_sectors: 1,
        replacement,
        ..CacheOptions::default()
    };
    let (hits, not_admitted) = play(&asked, pages, options);
    let percent = |hits: u64| 100.0 * hits as f64 / asked.len() as f64;
    let plan = CachePlan::new(pages as usize, SECTOR_BYTES, 2, &replacement);
    CacheReport {
        trace: trace.name(),
        pages,
        requests: asked.len() as u64,
        hits_percent: percent(hits),
        others: Rule::ALL
            .into_iter()
            .map(|rule| (rule.name(), percent(rule.hits(pages as usize, &asked))))
            .collect(),
        not_admitted,
        tag_bytes: plan.tag_bytes() as f64 / f64::from(pages),
    }
}

fn play(asked: &[u32], pages: u32, options: CacheOptions) -> (u64, u32) {
    let mut bytes = vec![0; pages as usize * SECTOR_BYTES];
    let mut written = vec![0; RamStore::map_bytes(pages as usize)];
    let store = RamStore::new(&mut bytes, &mut written, SECTOR_BYTES).expect("sectors");
    let mut primaries = [plain()];
    let mut memory = OwnedCacheMemory::new(pages as usize, SECTOR_BYTES, 2, &options);
    let mut cache =
        Cache::new(store, &mut primaries, memory.lend(), options).expect("memory as planned");
    for &page in asked {
        let terms = Terms::default();
        cache
            .submit_read(Source::Primary(0), Sector(page), terms)
            .expect("a free slot");
        while !matches!(cache.poll(), Completion::Data(..)) {}
    }
    let counters = cache.counters();
    let not_admitted = counters.bypassed_for(cuesta::cache::Bypass::NoPage);
    (u64::from(counters.read_hits), not_admitted)
}

const fn plain() -> Plain {
    Plain {
        ticket: 0,
        reads: false,
        done: false,
        bytes: [0xa5; SECTOR_BYTES],
    }
}

/// What temporary files have cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TemporaryReport {
    /// Sectors that were to be permanent, written.
    pub permanent: u64,
    /// Sectors of temporary files, written.
    pub temporary: u64,
    /// Writes that the primary got.
    pub primary_writes: u64,
    /// Those it would have got without levels, with write-through.
    pub without_levels: u64,
}

/// A primary that counts.
#[derive(Debug)]
struct Counted {
    inner: Plain,
    writes: u64,
}

impl Resource for Counted {
    fn status(&self) -> Status {
        self.inner.status()
    }

    fn submit_read(&mut self, sector: Sector) -> nb::Result<Ticket, ResourceError> {
        self.inner.submit_read(sector)
    }

    fn submit_write(
        &mut self,
        sector: Sector,
        data: &[u8],
        options: WriteOptions,
    ) -> nb::Result<Ticket, ResourceError> {
        let ticket = self.inner.submit_write(sector, data, options)?;
        self.writes += 1;
        Ok(ticket)
    }

    fn submit_trim(&mut self, first: Sector, count: u32) -> nb::Result<Ticket, ResourceError> {
        self.inner.submit_trim(first, count)
    }

    fn submit_flush(&mut self) -> nb::Result<Ticket, ResourceError> {
        self.inner.submit_flush()
    }

    fn poll(&mut self) -> Completion<'_> {
        self.inner.poll()
    }

    fn wait(&mut self) {}
}

/// Temporary files that are written, read, overwritten and deleted, 9 of 10 writes, beside files that stay.
///
/// # Panics
/// When the cache is stuck.
#[must_use]
pub fn run_temporary(pages: u32, requests: u64, seed: u64) -> TemporaryReport {
    let options = CacheOptions::default();
    let sectors = pages * options.page_sectors;
    let mut bytes = vec![0; sectors as usize * SECTOR_BYTES];
    let mut written = vec![0; RamStore::map_bytes(sectors as usize)];
    let store = RamStore::new(&mut bytes, &mut written, SECTOR_BYTES).expect("sectors");
    let mut primaries = [Counted {
        inner: plain(),
        writes: 0,
    }];
    let mut memory = OwnedCacheMemory::new(pages as usize, SECTOR_BYTES, 2, &options);
    let mut cache =
        Cache::new(store, &mut primaries, memory.lend(), options).expect("memory as planned");
    cache.set_level(
        1,
        Persistence {
            mode: Mode::Ephemeral,
            on_loss: OnLoss::Revert,
            ..Persistence::default()
        },
    );
    let mut random = SplitMix64::new(seed);
    // Temporary files of 64 sectors, as many as half of the cache holds, behind the permanent ones.
    let files = sectors / 2 / 64;
    let data = [7; SECTOR_BYTES];
    let (mut permanent, mut temporary) = (0, 0);
    let source = Source::Primary(0);
    let temporary_terms = Terms {
        level: 1,
        ..Terms::default()
    };
    while permanent + temporary < requests {
        let file = 100 * sectors + 64 * random.below(u64::from(files)) as u32;
        match random.below(40) {
            0..=3 => {
                let sector = Sector(random.below(u64::from(50 * sectors)) as u32);
                cache
                    .submit_write(source, sector, &data, Terms::default())
                    .expect("a free slot");
                permanent += 1;
            }
            4..=36 => {
                let sector = Sector(file + random.below(64) as u32);
                cache
                    .submit_write(source, sector, &data, temporary_terms)
                    .expect("a free slot");
                temporary += 1;
            }
            37 => {
                cache
                    .submit_trim(source, Sector(file), 64, temporary_terms)
                    .expect("a free slot");
            }
            _ => {
                let sector = Sector(file + random.below(64) as u32);
                cache
                    .submit_read(source, sector, temporary_terms)
                    .expect("a free slot");
            }
        }
        while matches!(cache.poll(), Completion::Pending) {}
    }
    let primary_writes = cache.primaries()[0].writes;
    TemporaryReport {
        permanent,
        temporary,
        primary_writes,
        without_levels: permanent + temporary,
    }
}
