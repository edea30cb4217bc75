//! A cache over recorded resources.

use cuesta::cache::{
    Cache, CacheOptions, Mode, OnLoss, OpenError, Persistence, Recovered, ResourceSet,
};
use cuesta::door::CachedDisk;
use cuesta::exec::Context;
use cuesta::volume::Sector;
use cuesta_sim::cache_memory::OwnedCacheMemory;
use cuesta_tests::recorded::{Log, Power, Recorded};

/// Bytes of a sector.
pub const SECTOR: usize = 128;

/// What a cache is made of.
pub struct Rig {
    pub log: Log,
    pub store: Recorded,
    pub primaries: Vec<Recorded>,
    pub memory: OwnedCacheMemory,
    pub options: CacheOptions,
    pub power: Power,
}

pub type RigDisk<'r> = CachedDisk<'r, &'r mut Recorded, Recorded>;

impl Rig {
    /// A cache of so many pages of four sectors before two primaries of 1000 sectors.
    pub fn new(pages: u32) -> Self {
        let options = CacheOptions {
            page_sectors: 4,
            ..CacheOptions::default()
        };
        Self::with(pages, options)
    }

    pub fn with(pages: u32, options: CacheOptions) -> Self {
        let log = Log::new();
        let bytes = SECTOR as u32;
        let mut store = Recorded::new("store", pages * options.page_sectors, bytes, 4, &log);
        store.status_mut().volatile = true;
        let power = Power::default();
        store.power = power.clone();
        let primary = |name| Recorded::new(name, 1000, bytes, 4, &log).on(&power);
        Self {
            store,
            primaries: vec![primary("first"), primary("second")],
            power: power.clone(),
            memory: OwnedCacheMemory::new(pages as usize, SECTOR, 8, &options),
            options,
            log,
        }
    }

    /// The same, its store not volatile: with room for the cache's own table, and a cache made on it.
    pub fn durable(pages: u32, options: CacheOptions) -> Self {
        let mut rig = Self::with(pages, options);
        let sectors = pages * options.page_sectors + 2 + 2 * pages.div_ceil(8) + 8;
        let power = rig.power.clone();
        rig.store = Recorded::new("store", sectors, SECTOR as u32, 4, &rig.log).on(&power);
        let memory = rig.memory.lend();
        Cache::create(
            &mut rig.store,
            &mut rig.primaries,
            memory,
            options,
            0x1234_5678_9abc,
        )
        .expect("room");
        let _ = rig.log.take();
        rig
    }

    /// The cache that is on the store.
    pub fn open(&mut self) -> Result<(RigDisk<'_>, Recovered), OpenError> {
        let memory = self.memory.lend();
        Cache::open(&mut self.store, &mut self.primaries, memory, self.options)
            .map(|(cache, recovered)| (CachedDisk::new(cache), recovered))
    }

    /// The power goes and comes back.
    pub fn restart(&mut self) {
        self.power.lasts(None);
        self.store.restart();
        for primary in &mut self.primaries {
            primary.restart();
        }
    }

    pub fn disk(&mut self) -> RigDisk<'_> {
        let memory = self.memory.lend();
        let cache = Cache::new(&mut self.store, &mut self.primaries, memory, self.options);
        CachedDisk::new(cache.expect("memory of the planned size"))
    }
}

pub const THROUGH: Persistence = of(Mode::WriteThrough);
pub const BACK: Persistence = of(Mode::WriteBack);
pub const EPHEMERAL: Persistence = of(Mode::Ephemeral);
pub const BYPASS: Persistence = of(Mode::Bypass);

const fn of(mode: Mode) -> Persistence {
    Persistence {
        mode,
        resources: ResourceSet::FIRST,
        storage: cuesta::volume::LevelIndex(0),
        verify: false,
        atomic: false,
        on_loss: OnLoss::Revert,
    }
}

/// The bytes of a sector's version.
pub fn bytes(version: u32) -> Vec<u8> {
    let word = version.to_le_bytes();
    word.iter().copied().cycle().take(SECTOR).collect()
}

/// The version that bytes are of; 0 for zeros.
pub fn version(bytes: &[u8]) -> u32 {
    assert!(bytes.chunks(4).all(|word| *word == bytes[..4]), "{bytes:?}");
    u32::from_le_bytes(bytes[..4].try_into().expect("four bytes"))
}

pub fn write(disk: &mut RigDisk<'_>, sector: u32, version: u32, at: &Persistence) {
    disk.write(Sector(sector), &bytes(version), at, Context::default())
        .unwrap_or_else(|error| panic!("sector {sector}: {error}"));
}

pub fn read(disk: &mut RigDisk<'_>, sector: u32, at: &Persistence) -> u32 {
    let mut data = vec![0xa5; SECTOR];
    disk.read(Sector(sector), &mut data, at, Context::default())
        .unwrap_or_else(|error| panic!("sector {sector}: {error}"));
    version(&data)
}
