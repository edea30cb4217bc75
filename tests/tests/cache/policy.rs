//! A policy, the cache below it, and volumes on emulated NAND whose levels the policy's levels name.

use std::collections::BTreeMap;

use cuesta::cache::{Cache, CacheOptions};
use cuesta::codec::{HeaderState, Kind};
use cuesta::door::{CachedDisk, Disk, PolicyDisk, ServeError};
use cuesta::exec::ExecError;
use cuesta::policy::{compile, Flags, Operation, PolicyTable, StorageLevels};
use cuesta::request::{
    Classifier, Context, ContextHandle, ContextTable, Counters, Hints, Origin, Request,
    SectorRange, Source,
};
use cuesta::resource::{RamStore, Resource, ResourceError};
use cuesta::volume::{Budget, Sector, Shape};
use cuesta_hal::{Die, PageAddress};
use cuesta_sim::cache_memory::OwnedCacheMemory;
use cuesta_sim::campaign::aged::Making;
use cuesta_sim::campaign::damage::programmed_pages;
use cuesta_sim::campaign::rig::Rig as Part;
use cuesta_tests::recorded::Recorded;

use crate::rig::{bytes, version, Rig, SECTOR};

type Below<'r> = &'r mut dyn Resource;

/// Places for contexts and counts.
struct Places {
    contexts: Vec<Context>,
    texts: Vec<u8>,
    rules: Vec<u32>,
}

impl Places {
    fn new() -> Self {
        Self {
            contexts: vec![Context::default(); 8],
            texts: vec![0; 8 * 64],
            rules: vec![0; 16],
        }
    }

    fn classifier(
        &mut self,
        policy: PolicyTable<Vec<u8>>,
        sector_bytes: usize,
    ) -> Classifier<'_, Vec<u8>> {
        Classifier::new(
            Some(policy),
            ContextTable::new(&mut self.contexts, &mut self.texts),
            Counters::new(&mut self.rules),
            sector_bytes as u32,
        )
    }
}

fn policy(text: &str, storage: StorageLevels<'_>) -> PolicyTable<Vec<u8>> {
    let mut buffer = vec![0; 64 * 1024];
    let made = compile(text, storage, &mut buffer).expect("a policy");
    made.to_owned_bytes(made.bytes().to_vec())
}

fn application(name: &str) -> Source<'_> {
    Source {
        application: Some(name),
        ..Source::default()
    }
}

fn request(
    context: ContextHandle,
    operation: Operation,
    sector: u32,
    count: u32,
) -> Request<'static> {
    Request {
        tenant: 0,
        range: SectorRange {
            first: Sector(sector),
            count,
        },
        operation,
        origin: Origin::Context(context),
        hints: Hints::default(),
    }
}

/// Sectors of each application.
const EACH: u32 = 8;

/// What one sector was read as: its version, or that it is lost.
fn read<S: Resource, P: Resource>(
    disk: &mut PolicyDisk<'_, Vec<u8>, S, P>,
    context: ContextHandle,
    sector: u32,
) -> Result<u32, ResourceError> {
    let mut data = vec![0; disk.sector_bytes()];
    match disk.read(&request(context, Operation::Read, sector, 1), &mut data) {
        Ok(()) => Ok(u32::from_le_bytes(
            data[..4].try_into().expect("four bytes"),
        )),
        Err(ServeError::Exec(ExecError::Resource(error))) => Err(error),
        Err(error) => panic!("sector {sector}: {error}"),
    }
}

/// Has each application write its own sectors by way of the policy, the cache off; what was programmed for each. Then `strike`s the part, and reads everything: how
/// many sectors of each application are there. What is not is told as lost, never read as something else.
fn survivors(
    making: &Making,
    text: &str,
    applications: &[&str],
    restart: bool,
    strike: impl FnOnce(&mut Part, &[PageAddress], &Shape),
) -> BTreeMap<String, u32> {
    let mut part = making.make(11);
    let formatted = programmed_pages(&part.nand);
    let mut found = BTreeMap::new();
    let mut strike = Some(strike);
    let mut shape = None;
    for session in 0..2 {
        if session == 1 {
            let mut pages = programmed_pages(&part.nand);
            pages.retain(|page| !formatted.contains(page));
            if let (Some(strike), Some(shape)) = (strike.take(), shape) {
                strike(&mut part, &pages, &shape);
            }
            if restart {
                part.nand.power_cycle();
            }
        }
        let mut volume = part.mount().expect("metadata survives").into_volume();
        shape = Some(*volume.shape());
        let levels = StorageLevels::of(&volume);
        let sector_bytes = volume.sector_bytes();
        let policy = policy(text, StorageLevels::new(&levels));
        let options = CacheOptions::default();
        let mut memory = OwnedCacheMemory::new(0, sector_bytes, 4, &options);
        let mut none = RamStore::new(&mut [], &mut [], sector_bytes).expect("no sectors");
        let mut primaries: [Below<'_>; 1] = [&mut volume];
        let store: Below<'_> = &mut none;
        let cache = Cache::new(store, &mut primaries, memory.lend(), options).expect("no pages");
        let mut places = Places::new();
        let classifier = places.classifier(policy, sector_bytes);
        let mut disk = PolicyDisk::new(classifier, CachedDisk::new(cache));
        for (number, name) in (0..).zip(applications) {
            let context = disk.classifier.open(&application(name)).expect("a place");
            for sector in number * EACH..(number + 1) * EACH {
                if session == 0 {
                    let word = (sector + 1).to_le_bytes();
                    let data: Vec<u8> = word.iter().copied().cycle().take(sector_bytes).collect();
                    let request = request(context, Operation::Write, sector, 1);
                    disk.write(&request, &data).expect("room");
                } else {
                    let count = found.entry((*name).to_owned()).or_insert(0);
                    match read(&mut disk, context, sector) {
                        Ok(version) => {
                            assert_eq!(version, sector + 1, "{name}: sector {sector}");
                            *count += 1;
                        }
                        Err(error) => {
                            assert_eq!(error, ResourceError::Lost(Sector(sector)), "{name}");
                        }
                    }
                }
            }
        }
        disk.flush().expect("a flush");
        drop(disk);
        if session == 0 {
            let ended = Disk::new(volume).unmount();
            ended.map_err(|(_, error)| error).expect("an end");
        }
    }
    found
}

/// True for a page of sectors.
fn holds_data(part: &Part, page: PageAddress, shape: &Shape) -> bool {
    let segment = shape.segment_of(page.block);
    let offset =
        u32::from(page.page.0) * shape.width() + u32::from(page.block.die.0) % shape.width();
    let place = shape.location(segment, offset, 0);
    let raw = part.nand.true_bytes(page);
    let header = shape.layout.read_header(&raw, 0, place.0);
    matches!(header, HeaderState::Valid(header) if header.kind == Kind::Data)
}

#[test]
fn m18_the_same_bit_errors_are_corrected_or_told_as_the_level_of_the_rule_says() {
    let making = Making {
        spare_bytes: Some(512),
        page_bytes: Some(2048),
        blocks_per_die: Some(40),
        levels: &["weak=secded", "strong=bch16"],
        ..Making::of("tiny4", Budget::Full)
    };
    let text =
        "level cheap = write-through storage:weak\nlevel safe = write-through storage:strong\n\
                rule app \"cc*\" -> cheap\nrule app \"sql*\" -> safe\n";
    for (wrong, weak, strong) in [(0, EACH, EACH), (1, EACH, EACH), (6, 0, EACH), (40, 0, 0)] {
        let found = survivors(
            &making,
            text,
            &["cc1", "sqlite"],
            false,
            |part, pages, shape| {
                let mut pages = pages.to_vec();
                pages.retain(|page| holds_data(part, *page, shape));
                for page in &pages {
                    for at in (0..2048).step_by(512) {
                        part.nand
                            .flip_bits(*page, at..at + 512, wrong, u64::from(at) + 5);
                    }
                }
            },
        );
        assert_eq!(
            (found["cc1"], found["sqlite"]),
            (weak, strong),
            "{wrong} wrong bits"
        );
    }
}

#[test]
fn m19_only_what_rules_made_redundant_survives_a_die() {
    let making = Making {
        blocks_per_die: Some(48),
        page_bytes: Some(2048),
        levels: &["one=bch4", "two=bch4,mirror=2", "rest=bch4,parity=3"],
        ..Making::of("tiny4", Budget::Full)
    };
    let text = "level copied = write-through mirror=2\nlevel striped = write-through parity=3\n\
                rule app \"db\" -> copied\nrule app \"log\" -> striped\nlevel once = write-through storage:one\n\
                default -> once\n";
    let mut lost = 0;
    for die in 0..4 {
        let found = survivors(&making, text, &["db", "log", "tmp"], true, |part, _, _| {
            part.nand.lose_die(Die(die));
        });
        assert_eq!((found["db"], found["log"]), (EACH, EACH), "die {die}");
        lost += EACH - found["tmp"];
    }
    assert_eq!(lost, EACH, "each single copy lies on one of the dies");
}

const SCRATCH: &str =
    "level scratch = ephemeral\nrule app \"cc\" -> scratch\nrule app \"raw\" -> bypass\n";

/// A policy over a cache of recorded resources.
fn over_cache<T>(
    run: impl FnOnce(&mut PolicyDisk<'_, Vec<u8>, &mut Recorded, Recorded>) -> T,
) -> T {
    let mut rig = Rig::new(8);
    for sector in 0..64 {
        rig.primaries[0].sectors.insert(sector, bytes(sector + 1));
    }
    let disk = rig.disk();
    let mut places = Places::new();
    let classifier = places.classifier(policy(SCRATCH, StorageLevels::UNKNOWN), SECTOR);
    run(&mut PolicyDisk::new(classifier, disk))
}

/// Requests that were classified.
fn decided(counters: &Counters<'_>) -> u32 {
    let by_rules: u32 = counters.rules().iter().sum();
    by_rules + counters.default + counters.asked + counters.refused + counters.no_policy
}

#[test]
fn m41_a_read_of_what_is_kept_is_served_at_the_level_of_its_tag_without_the_policy() {
    over_cache(|disk| {
        let context = disk
            .classifier
            .open(&application("editor"))
            .expect("a place");
        let other = disk.classifier.open(&application("cc")).expect("a place");
        let mut data = vec![0; 4 * SECTOR];
        let reads = request(context, Operation::Read, 4, 4);
        disk.read(&reads, &mut data).unwrap();
        assert_eq!((decided(disk.classifier.counters()), disk.reused()), (1, 0));
        for _ in 0..10 {
            disk.read(&reads, &mut data).unwrap();
            assert_eq!(version(&data[SECTOR..2 * SECTOR]), 6);
        }
        assert_eq!(
            (decided(disk.classifier.counters()), disk.reused()),
            (1, 10)
        );
        // Where a part of it is missing the policy is asked.
        disk.read(&request(context, Operation::Read, 6, 4), &mut data)
            .unwrap();
        assert_eq!(
            (decided(disk.classifier.counters()), disk.reused()),
            (2, 10)
        );
        // A write is always classified: what it is worth another program's read does not say.
        let write = request(other, Operation::Write, 4, 1);
        disk.write(&write, &bytes(99)).unwrap();
        assert_eq!(disk.classifier.counters().rules()[0], 1);
        assert_eq!(disk.disk.cache().primaries()[0].sectors[&4], bytes(5));
        // A new policy does not make old data unreadable, and holds for the next request that it is asked about.
        let counted = disk.reused();
        let newer = policy("default -> bypass", StorageLevels::UNKNOWN);
        disk.classifier.replace(Some(newer));
        disk.read(&reads, &mut data).unwrap();
        assert_eq!(version(&data[..SECTOR]), 99);
        assert_eq!(
            (decided(disk.classifier.counters()), disk.reused()),
            (0, counted + 1)
        );
        disk.write(&request(other, Operation::Write, 8, 1), &bytes(7))
            .unwrap();
        assert_eq!(decided(disk.classifier.counters()), 1);
        assert_eq!(disk.disk.cache().primaries()[0].sectors[&8], bytes(7));
    });
}

#[test]
fn m41_what_asks_or_goes_around_caches_or_names_no_context_is_looked_at_all_the_same() {
    over_cache(|disk| {
        let context = disk
            .classifier
            .open(&application("editor"))
            .expect("a place");
        let mut data = vec![0; SECTOR];
        let reads = request(context, Operation::Read, 4, 1);
        disk.read(&reads, &mut data).unwrap();
        let mut direct = reads;
        direct.hints.flags = Flags::DIRECT;
        disk.read(&direct, &mut data).unwrap();
        let mut asks = reads;
        asks.hints.asked.mode = Some(cuesta::cache::Mode::WriteBack);
        let refused = disk.read(&asks, &mut data);
        assert!(refused.is_err() || decided(disk.classifier.counters()) == 3);
        assert_eq!(disk.reused(), 0);
        disk.classifier.end(context).expect("it was open");
        assert!(matches!(
            disk.read(&reads, &mut data),
            Err(ServeError::Classify(_))
        ));
        let mut foreign = reads;
        foreign.tenant = 1;
        assert!(disk.read(&foreign, &mut data).is_err());
    });
}

#[test]
fn m57_a_write_out_of_a_hosts_cache_is_paging_and_a_direct_request_is_not_kept() {
    over_cache(|disk| {
        let file = Source {
            object: Some(7),
            flags: Flags::DIRECT,
            ..application("editor")
        };
        let context = disk.classifier.open(&file).expect("a place");
        let mut data = vec![0; SECTOR];
        disk.read(&request(context, Operation::Read, 4, 1), &mut data)
            .unwrap();
        let mut out = request(context, Operation::Write, 20, 1);
        out.origin = Origin::Object(7);
        disk.write(&out, &bytes(3)).unwrap();
        let mut plain = request(context, Operation::Read, 30, 1);
        plain.origin = Origin::Unknown;
        disk.read(&plain, &mut data).unwrap();
        let counters = disk.disk.cache().counters();
        assert_eq!(
            (counters.direct, counters.paging, counters.others),
            (1, 1, 1)
        );
        let kept = |sector| {
            let cache = disk.disk.cache();
            cache
                .find(cuesta::cache::Source::Primary(0), Sector(sector))
                .is_some()
        };
        assert!(!kept(4) && kept(20) && kept(30));
    });
}
