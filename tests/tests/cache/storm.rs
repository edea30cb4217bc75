//! Many requests at once, for few sectors, at all levels: what each read may return.

use std::collections::{BTreeMap, BTreeSet};

use cuesta::cache::{Cache, CacheOptions, Mode, Persistence, Replacement, Source, Terms};
use cuesta::resource::Completion;
use cuesta::volume::Sector;
use cuesta_sim::SplitMix64;
use cuesta_tests::recorded::Recorded;

use crate::rig::{bytes, version, Rig};

#[derive(Debug, Clone, Copy)]
enum Asked {
    Read {
        sector: u32,
        from: u32,
    },
    Write {
        sector: u32,
        version: u32,
    },
    Trim {
        first: u32,
        count: u32,
        version: u32,
    },
    Flush,
}

#[derive(Debug, Default)]
struct Past {
    acknowledged: u32,
    submitted: u32,
    trims: BTreeSet<u32>,
}

const MODES: [Mode; 4] = [
    Mode::WriteThrough,
    Mode::WriteBack,
    Mode::Ephemeral,
    Mode::Bypass,
];

fn storm(seed: u64, requests: u32) {
    let mut random = SplitMix64::new(seed);
    let options = CacheOptions {
        page_sectors: 1 << random.below(4),
        dirty_permille: [0, 300, 1000][random.below(3) as usize],
        replacement: [Replacement::CLOCK, Replacement::default()][random.below(2) as usize],
        ..CacheOptions::default()
    };
    let mut rig = Rig::with(1 + random.below(6) as u32, options);
    let memory = rig.memory.lend();
    let mut cache: Cache<'_, &mut Recorded, Recorded> =
        Cache::new(&mut rig.store, &mut rig.primaries, memory, options).expect("memory");
    for (level, mode) in (0..).zip(MODES) {
        let persistence = Persistence {
            mode,
            verify: random.chance(1, 3),
            ..Persistence::default()
        };
        cache.set_level(level, persistence);
    }
    let mut sectors: BTreeMap<u32, Past> = BTreeMap::new();
    let mut asked: BTreeMap<u32, Asked> = BTreeMap::new();
    let (mut next, mut accepted, mut turns) = (0, 0, 0u64);
    let source = Source::Primary(0);
    while accepted < requests || !asked.is_empty() {
        turns += 1;
        assert!(turns < 200_000, "seed {seed}: never answered: {asked:?}");
        if accepted < requests {
            for _ in 0..random.below(6) {
                let sector = random.below(24) as u32;
                let terms = Terms {
                    level: random.below(4) as u8,
                    direct: random.chance(1, 10),
                    ..Terms::default()
                };
                let (kind, result) = match random.below(20) {
                    0 => {
                        // A trim of an overlay shows older versions again: not of this test.
                        let terms = Terms { level: 0, ..terms };
                        let count = 1 + random.below(5) as u32;
                        let version = next + 1;
                        let trim = Asked::Trim {
                            first: sector,
                            count,
                            version,
                        };
                        let result = cache.submit_trim(source, Sector(sector), count, terms);
                        (trim, result)
                    }
                    1 => (Asked::Flush, cache.submit_flush()),
                    2..=10 => {
                        let version = next + 1;
                        let data = bytes(version);
                        let result = cache.submit_write(source, Sector(sector), &data, terms);
                        (Asked::Write { sector, version }, result)
                    }
                    _ => {
                        let from = sectors.entry(sector).or_default().acknowledged;
                        let result = cache.submit_read(source, Sector(sector), terms);
                        (Asked::Read { sector, from }, result)
                    }
                };
                let ticket = match result {
                    Ok(ticket) => ticket,
                    Err(nb::Error::WouldBlock) => continue,
                    Err(nb::Error::Other(error)) => panic!("seed {seed}: {error}"),
                };
                accepted += 1;
                match kind {
                    Asked::Write { sector, version } => {
                        next = version;
                        sectors.entry(sector).or_default().submitted = version;
                    }
                    Asked::Trim {
                        first,
                        count,
                        version,
                    } => {
                        next = version;
                        for sector in first..first + count {
                            let past = sectors.entry(sector).or_default();
                            past.submitted = version;
                            past.trims.insert(version);
                        }
                    }
                    _ => {}
                }
                assert!(asked.insert(ticket.0, kind).is_none(), "ticket twice");
            }
        }
        for held in [0, 1] {
            let hold = random.chance(1, 8);
            cache.primaries_mut()[held].will.held = hold && accepted < requests;
        }
        for _ in 0..1 + random.below(4) {
            let (ticket, found) = match cache.poll() {
                Completion::Pending => {
                    cache.wait();
                    continue;
                }
                Completion::Idle => break,
                Completion::Data(ticket, data) => (ticket, Some(version(data))),
                Completion::Unwritten(ticket) => (ticket, Some(0)),
                Completion::Written(ticket)
                | Completion::Trimmed(ticket)
                | Completion::Flushed(ticket) => (ticket, None),
                Completion::Failed(_, error) => panic!("seed {seed}: {error}"),
            };
            let kind = asked.remove(&ticket.0).expect("somebody asked");
            match (kind, found) {
                (Asked::Read { sector, from }, Some(found)) => {
                    let past = sectors.entry(sector).or_default();
                    let legal = match found {
                        0 => from == 0 || past.trims.range(from..=past.submitted).next().is_some(),
                        found => (from..=past.submitted).contains(&found),
                    };
                    assert!(
                        legal,
                        "seed {seed}: sector {sector} reads as {found}, not {from}.. {past:?}"
                    );
                }
                (Asked::Write { sector, version }, None) => {
                    let past = sectors.entry(sector).or_default();
                    past.acknowledged = past.acknowledged.max(version);
                }
                (
                    Asked::Trim {
                        first,
                        count,
                        version,
                    },
                    None,
                ) => {
                    for sector in first..first + count {
                        let past = sectors.entry(sector).or_default();
                        past.acknowledged = past.acknowledged.max(version);
                    }
                }
                (Asked::Flush, None) => {}
                (kind, _) => panic!("seed {seed}: {kind:?} got the wrong kind of answer"),
            }
        }
    }
}

#[test]
fn c4_requests_for_the_same_page_are_served_in_order_whatever_is_under_way() {
    for seed in 0..600 {
        storm(seed, 300);
    }
}
