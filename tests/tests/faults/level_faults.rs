//! What goes wrong with pages of different levels: each repairs what its code repairs, reports what is more, and has its copies when a page is gone.

use std::collections::BTreeMap;

use cuesta::codec::{Ecc, HeaderState, Kind};
use cuesta::volume::{Budget, Error, Event, Level, LevelIndex, Sector, Shape, Ticket};
use cuesta_hal::{BlockAddress, Die, Nand, PageAddress};
use cuesta_sim::campaign::aged::Making;
use cuesta_sim::campaign::change::{filling, mixture};
use cuesta_sim::campaign::damage::{programmed_pages, scramble_block};
use cuesta_sim::campaign::model::{fill, Model};
use cuesta_sim::campaign::oracle::within;
use cuesta_sim::campaign::rig::{Rig, RigDisk};
use cuesta_sim::campaign::session::session;
use cuesta_sim::campaign::verdict;
use cuesta_sim::{EmulatedNand, Fault, SplitMix64, Trigger};

/// Pages of 2 KiB with much spare: every code has room.
const ROOMY: Making = Making {
    spare_bytes: Some(512),
    page_bytes: Some(2048),
    ..Making::of("tiny4", Budget::Full)
};

/// Such a part with one level.
fn roomy(level: &str) -> Making {
    let level: &'static str = String::from(level).leak();
    Making {
        levels: vec![level].leak(),
        blocks_per_die: Some(40),
        ..ROOMY
    }
}

fn write_at(disk: &mut RigDisk<'_>, sector: u32, level: u8) {
    let mut data = vec![0; disk.volume().sector_bytes()];
    fill(sector, 1, &mut data);
    disk.write_with(Sector(sector), &data, LevelIndex(level).into())
        .expect("room");
}

/// Whether a sector reads as what was written; it never reads as anything else.
fn is_read(disk: &mut RigDisk<'_>, sector: u32) -> bool {
    let bytes = disk.volume().sector_bytes();
    let (mut data, mut expected) = (vec![0; bytes], vec![0; bytes]);
    fill(sector, 1, &mut expected);
    match disk.read(Sector(sector), &mut data) {
        Ok(written) => {
            assert!(
                written && data == expected,
                "sector {sector} reads as something else"
            );
            true
        }
        Err(Error::Lost(lost)) if lost == Sector(sector) => false,
        Err(error) => panic!("sector {sector}: {error}"),
    }
}

/// The pages programmed since `before` was taken.
fn new_pages(rig: &Rig, before: &[PageAddress]) -> Vec<PageAddress> {
    let mut pages = programmed_pages(&rig.nand);
    pages.retain(|page| !before.contains(page));
    pages
}

/// Sectors of each level.
const EACH: u32 = 6;

#[test]
fn each_level_repairs_what_its_code_repairs_and_reports_what_is_more() {
    within(200, "a matrix of levels", || {
        let codes = [
            "crc", "secded", "bch4", "bch8", "bch16", "bch24", "bch40", "bch64",
        ];
        for name in codes {
            let ecc = Ecc::from_name(name).expect("a code");
            let making = roomy(&format!("a={name}"));
            let code = ecc.portable();
            let strength = if name == "crc" { 0 } else { code.strength() };
            let stretch = code.data_bytes() as u32;
            for (wrong, cleanly) in [0, 1, strength / 2, strength, strength + 1, 2 * strength + 2]
                .into_iter()
                .flat_map(|wrong| [(wrong, false), (wrong, true)])
            {
                let mut rig = making.make(9);
                let formatted = programmed_pages(&rig.nand);
                let mut disk = rig.mount().expect("a volume");
                for sector in 0..EACH {
                    write_at(&mut disk, sector, 0);
                }
                let shape = *disk.volume().shape();
                if cleanly {
                    disk.unmount().map_err(|(_, error)| error).expect("an end");
                } else {
                    // The last page of each die might be torn, as far as can be told then: it is not looked at.
                    for sector in EACH..EACH + 4 {
                        write_at(&mut disk, sector, 0);
                    }
                    drop(disk);
                }
                // The same bits of every codeword of every page of sector data.
                for page in new_pages(&rig, &formatted) {
                    let segment = shape.segment_of(page.block);
                    let offset = u32::from(page.page.0) * shape.width()
                        + u32::from(page.block.die.0) % shape.width();
                    let place = shape.location(segment, offset, 0);
                    let raw = rig.nand.true_bytes(page);
                    let header = shape.layout.read_header(&raw, 0, place.0);
                    let is_data = matches!(header, cuesta::codec::HeaderState::Valid(header)
                        if header.kind == cuesta::codec::Kind::Data && header.id < EACH);
                    if !is_data {
                        continue;
                    }
                    for at in (0..2048).step_by(stretch as usize) {
                        let seed = u64::from(at) + 77;
                        rig.nand.flip_bits(page, at..at + stretch, wrong, seed);
                    }
                }
                let mut disk = rig.mount().expect("metadata is not touched");
                let read = (0..EACH)
                    .filter(|&sector| is_read(&mut disk, sector))
                    .count() as u32;
                let expected = if wrong <= strength { EACH } else { 0 };
                // What is beyond the strength may be repaired by another voltage, never by luck: all of it is reported.
                assert_eq!(read, expected, "{name}: {wrong} wrong bits of {strength}");
            }
        }
    });
}

/// What the part was asked to do, by kind, and the pages that were programmed for it.
fn traffic(level: &str, writes: u32) -> (BTreeMap<&'static str, u64>, Vec<PageAddress>) {
    let making = roomy(level);
    let mut rig = making.make(5);
    let mut disk = rig.mount().expect("a volume");
    // The session begins.
    write_at(&mut disk, 0, 0);
    let before = disk.volume().nand().counters();
    let pages = programmed_pages(disk.volume().nand());
    let own = *disk.volume().stats();
    for sector in 1..=writes {
        write_at(&mut disk, sector, 0);
    }
    let did = disk.volume().nand().counters().since(&before);
    let stats = *disk.volume().stats();
    drop(disk);
    let did = BTreeMap::from([
        ("data pages", u64::from(stats.data_pages - own.data_pages)),
        (
            "metadata pages",
            did.programs - u64::from(stats.data_pages - own.data_pages),
        ),
        ("erases", did.erases),
        ("bytes to the part", did.bytes_in),
    ]);
    (did, new_pages(&rig, &pages))
}

#[test]
fn levels_that_differ_in_one_thing_differ_on_the_part_in_that_alone() {
    within(100, "traffic of levels", || {
        let writes = 20;
        let plain = traffic("a=bch4", writes);
        // Another code is the same operations on the same pages and as many bytes: only the bytes themselves differ.
        for other in ["a=crc", "a=secded", "a=bch8", "a=bch40"] {
            assert_eq!(traffic(other, writes), plain, "{other}");
        }
        let strong = traffic("a=bch16", writes);
        assert_eq!(strong, plain);
        // Copies are so many more pages.
        for (level, copies) in [
            ("a=bch4,mirror=2", 2),
            ("a=bch4,mirror=3", 3),
            // One at a time, each has parity of its own.
            ("a=bch4,parity=3", 2),
        ] {
            let (mirrored, _) = traffic(level, writes);
            assert_eq!(
                mirrored["data pages"],
                copies * plain.0["data pages"],
                "{level}"
            );
        }
    });
}

/// Disks on which every program and erase of a short life fails once.
const FAILING: [Making; 6] = [
    Making {
        pages_per_block: Some(8),
        ..Making::of("tiny", Budget::Full).with_levels(92, &["a", "b=mirror=2"])
    },
    Making {
        pages_per_block: Some(8),
        depth: 3,
        ..Making::of("tiny2", Budget::Minimum).with_levels(52, &["a=mirror=2", "b=secded"])
    },
    Making {
        pages_per_block: Some(8),
        depth: 4,
        ..Making::of("tiny4", Budget::Full).with_levels(44, &["a=mirror=3", "b", "c=mirror=2"])
    },
    Making {
        page_bytes: Some(8192),
        depth: 5,
        ..Making::of("tiny-multi", Budget::Full).with_levels(20, &["a=bch8", "b=mirror=2"])
    },
    Making {
        pages_per_block: Some(8),
        depth: 4,
        ..Making::of("tiny4", Budget::Minimum).with_levels(44, &["a=parity=3", "b", "c=parity=2"])
    },
    Making {
        page_bytes: Some(8192),
        depth: 9,
        ..Making::of("tiny-multi", Budget::Full).with_levels(40, &["a=parity=3"])
    },
];

#[test]
fn a_program_or_erase_that_fails_at_any_moment_loses_nothing_of_any_level() {
    within(300, "failures at every level", || {
        for making in FAILING {
            let mut rig = making.make(3);
            let mut model = Model::new();
            let mut random = SplitMix64::new(3);
            let capacity = rig.parameters.capacity;
            let changes = [filling(capacity), mixture(&mut random, capacity, capacity)].concat();
            session(&mut rig, &mut model, making.depth, &changes).expect("power");
            let changes = mixture(&mut random, capacity, 80);
            let mut dry = rig.clone();
            let before = dry.nand.counters();
            session(&mut dry, &mut model.clone(), making.depth, &changes).expect("power");
            let did = dry.nand.counters().since(&before);
            for (fault, operations) in [
                (Fault::ProgramFails, did.programs),
                (Fault::ProgramFailsPartly, did.programs),
                (Fault::EraseFails, did.erases),
            ] {
                for index in (0..operations).step_by((operations / 40).max(1) as usize) {
                    let what = format!("{making:?}, {fault:?} at {index} of {operations}");
                    eprintln!("{what}");
                    let (mut rig, mut model) = (rig.clone(), model.clone());
                    rig.nand.faults().once(Trigger::Nth(index), fault);
                    session(&mut rig, &mut model, making.depth, &changes).expect("power");
                    let mut disk = rig
                        .mount()
                        .unwrap_or_else(|error| panic!("{what}: {error}"));
                    verdict::agrees(&mut disk, &model, &what);
                    verdict::verifies(&mut disk, &what);
                    assert_eq!(rig.nand.violation_count(), 0, "{what}");
                }
            }
        }
    });
}

#[test]
fn a_block_that_becomes_garbage_costs_nothing_of_what_has_copies_or_parity() {
    within(200, "garbage blocks", || {
        for making in [FAILING[0], FAILING[2], FAILING[4]] {
            let mut rig = making.make(11);
            let mut model = Model::new();
            let capacity = rig.parameters.capacity;
            session(&mut rig, &mut model, making.depth, &filling(capacity)).expect("power");
            let geometry = *rig.nand.geometry();
            let survives: Vec<u8> = {
                let mut disk = rig.mount().expect("a volume");
                let mut survives = |sector| {
                    let level = disk.volume_mut().level_of(Sector(sector)).expect("a level");
                    let level = level.and_then(|level| disk.volume().level(level));
                    level.map_or(0, |level: Level| level.redundancy.survives())
                };
                (0..capacity).map(&mut survives).collect()
            };
            for number in 0..geometry.blocks() {
                let mut rig = rig.clone();
                let what = format!("{making:?}, block {number}");
                let block = BlockAddress::new(
                    (number / geometry.blocks_per_die) as u16,
                    number % geometry.blocks_per_die,
                );
                let held = programmed_pages(&rig.nand)
                    .iter()
                    .any(|page| page.block == block);
                if !held {
                    continue;
                }
                scramble_block(&mut rig.nand, number, &mut SplitMix64::new(number.into()));
                let mut disk = rig
                    .mount()
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                let mut data = vec![0; disk.volume().sector_bytes()];
                for sector in 0..capacity {
                    let survives = survives[sector as usize];
                    match disk.read(Sector(sector), &mut data) {
                        Ok(written) => assert_eq!(
                            Model::identify(sector, written, &data),
                            Some(model.current(sector)),
                            "{what}: sector {sector}"
                        ),
                        Err(Error::Lost(_)) if survives == 0 => {}
                        Err(error) => panic!("{what}: sector {sector}: {error}"),
                    }
                }
            }
        }
    });
}

/// Four dies with small blocks.
const fn small(levels: &'static [&'static str]) -> Making {
    Making {
        pages_per_block: Some(8),
        ..Making::of("tiny4", Budget::Full).with_levels(44, levels)
    }
}

/// The same with pages of several sectors.
const fn several(levels: &'static [&'static str]) -> Making {
    Making {
        page_bytes: Some(8192),
        pages_per_block: Some(8),
        ..Making::of("tiny-multi", Budget::Full).with_levels(44, levels)
    }
}

/// Many writes in flight at two levels in turn, while `strike` hits the part: they end, and nothing reads as what it is not. How many sectors were
/// acknowledged afterwards.
fn under_load(
    making: &Making,
    seeds: u64,
    strike: fn(&mut EmulatedNand),
    single: bool,
    one_die: bool,
) -> u32 {
    let mut written_since = 0;
    for seed in 0..seeds {
        let mut rig = making.make(seed);
        let mut random = SplitMix64::new(seed);
        let mut disk = rig.mount().expect("a volume");
        let volume = disk.volume_mut();
        let sectors = volume.capacity() / 3;
        let mut data = vec![0; volume.sector_bytes()];
        let mut waiting: Vec<(Ticket, u32, u64)> = Vec::new();
        // The last version acknowledged, and those that may be there instead.
        let mut acknowledged = vec![0; sectors as usize];
        let mut possible: Vec<Vec<u64>> = vec![vec![0]; sectors as usize];
        let (mut version, mut turns, mut refused) = (0, 0, 0);
        let lost_at = 40 + random.below(200);
        while version < 400 || !waiting.is_empty() {
            turns += 1;
            assert!(
                turns < 200_000,
                "seed {seed}: nothing goes on: {}",
                verdict::describe(volume)
            );
            if version == lost_at {
                strike(volume.nand_mut());
            }
            if version < 400 && waiting.len() < 6 && refused < 50 {
                let sector = random.below(u64::from(sectors)) as u32;
                fill(sector, version + 1, &mut data);
                let level = LevelIndex([0, 2][(version % 2) as usize]);
                match volume.submit_write_with(Sector(sector), &data, level.into()) {
                    Ok(ticket) => {
                        version += 1;
                        possible[sector as usize].push(version);
                        waiting.push((ticket, sector, version));
                    }
                    Err(nb::Error::WouldBlock) => {}
                    Err(nb::Error::Other(_)) => refused += 1,
                }
            } else if refused >= 50 {
                version = 400;
            }
            match volume.poll() {
                Event::Written(ticket) => {
                    let index = waiting.iter().position(|(own, ..)| *own == ticket);
                    let (_, sector, version) = waiting.remove(index.expect("a write"));
                    acknowledged[sector as usize] = version;
                }
                Event::Failed(ticket, _) => waiting.retain(|(own, ..)| *own != ticket),
                Event::Pending => volume.wait(),
                _ => {}
            }
        }
        if one_die {
            // The power goes: what was acknowledged is found again.
            drop(disk);
            rig.nand.power_cycle();
            disk = rig.mount().expect("a volume");
        }
        for sector in 0..sectors {
            let written = match disk.read(Sector(sector), &mut data) {
                Ok(written) => written,
                // Both of its copies may have been there, if it was written before.
                Err(Error::Lost(_)) if single || acknowledged[sector as usize] <= lost_at => {
                    continue
                }
                Err(error) => panic!("seed {seed}, sector {sector}: {error}"),
            };
            let found = Model::identify(sector, written, &data).expect("a version");
            let least = acknowledged[sector as usize];
            written_since += u32::from(least > lost_at);
            assert!(
                found >= least && possible[sector as usize].contains(&found),
                "seed {seed}, sector {sector}: version {found}, {least} was acknowledged"
            );
        }
    }
    written_since
}

#[test]
fn two_dies_lost_in_the_middle_of_many_writes_stop_nothing_for_ever() {
    within(200, "dies lost under load", || {
        let lose = |nand: &mut EmulatedNand| {
            nand.lose_die(Die(2));
            nand.lose_die(Die(3));
        };
        let written = under_load(
            &small(&["a=mirror=2", "b", "c=mirror=2"]),
            24,
            lose,
            false,
            false,
        );
        assert!(written > 0, "nothing was written to the dies that are left");
        let written = under_load(
            &small(&["a=parity=3", "b", "c=parity=2"]),
            24,
            lose,
            false,
            false,
        );
        assert!(written > 0, "nothing was written to the dies that are left");
    });
}

#[test]
fn a_die_lost_in_the_middle_of_many_writes_costs_nothing_that_has_parity() {
    within(200, "a die lost under load", || {
        let lose = |nand: &mut EmulatedNand| nand.lose_die(Die(2));
        let written = under_load(
            &small(&["a=parity=3", "b", "c=parity=2"]),
            60,
            lose,
            false,
            true,
        );
        assert!(written > 0, "nothing was written to the dies that are left");
    });
}

#[test]
fn programs_that_fail_one_after_the_other_under_load_stop_nothing_for_ever() {
    within(200, "failures under load", || {
        let fail = |nand: &mut EmulatedNand| {
            nand.lose_die(Die(3));
            nand.faults().every(Trigger::OneIn(6), Fault::ProgramFails);
        };
        for making in [
            small(&["a=mirror=2", "b", "c"]),
            small(&["a=parity=3", "b", "c"]),
            several(&["a=bch4", "b", "c=mirror=2"]),
            several(&["a=parity=2", "b", "c"]),
        ] {
            let written = under_load(&making, 100, fail, true, false);
            assert!(written > 0, "nothing was written afterwards");
        }
    });
}

/// Flips bits all over a page: each whose number leaves a remainder in `of` when divided by three has a chance of one in `chance`.
fn spoil(rig: &mut Rig, page: PageAddress, of: &[u64], chance: u64, random: &mut SplitMix64) {
    let bits = rig.nand.true_bytes(page).len() as u64 * 8;
    for bit in (0..bits).filter(|bit| of.contains(&(bit % 3))) {
        if random.below(chance) == 0 {
            rig.nand.faults().flip(page, bit as u32);
        }
    }
}

/// What copies are, the first of which is one of `pages`.
fn kind_of(shape: &Shape, bytes: &[u8], pages: &[PageAddress]) -> Option<Kind> {
    pages.iter().find_map(|page| {
        let segment = shape.segment_of(page.block);
        let column =
            (0..shape.width()).find(|&column| shape.block(segment, column) == page.block)?;
        let offset = u32::from(page.page.0) * shape.width() + column;
        let place = shape.location(segment, offset, 0);
        match shape.layout.read_header(bytes, 0, place.0) {
            HeaderState::Valid(header) => Some(header.kind),
            HeaderState::Erased | HeaderState::Bad => None,
        }
    })
}

#[test]
fn three_copies_none_of_which_can_be_read_vote_bit_by_bit() {
    within(100, "votes", || {
        for chip in ["tiny4", "tiny"] {
            let making = Making {
                chip,
                budget: Budget::Minimum,
                blocks_per_die: Some(if chip == "tiny" { 120 } else { 40 }),
                ..roomy("a=bch4,mirror=3")
            };
            let mut rig = making.make(5);
            let formatted = programmed_pages(&rig.nand);
            let mut disk = rig.mount().expect("a volume");
            // So many that there are map pages.
            for turn in 0..300 {
                write_at(&mut disk, EACH + turn % 150, 0);
            }
            for sector in 0..EACH {
                write_at(&mut disk, sector, 0);
            }
            let shape = *disk.volume().shape();
            disk.unmount().map_err(|(_, error)| error).expect("an end");
            let mut copies: BTreeMap<Vec<u8>, Vec<PageAddress>> = BTreeMap::new();
            for page in new_pages(&rig, &formatted) {
                copies
                    .entry(rig.nand.true_bytes(page))
                    .or_default()
                    .push(page);
            }
            // Of sector data and of the map.
            let kind = |bytes: &[u8], pages: &[PageAddress]| kind_of(&shape, bytes, pages);
            copies.retain(|bytes, pages| {
                pages.len() == 3 && matches!(kind(bytes, pages), Some(Kind::Data | Kind::Map))
            });
            let maps = copies
                .iter()
                .filter(|(bytes, pages)| kind(bytes, pages) == Some(Kind::Map))
                .count();
            assert!(copies.len() > EACH as usize && maps > 0, "{maps} of a map");
            let mut random = SplitMix64::new(1);
            for pages in copies.values() {
                for (copy, &page) in (0..).zip(pages) {
                    spoil(&mut rig, page, &[copy], 10, &mut random);
                }
            }
            let mut disk = rig.mount().expect("a volume");
            for sector in 0..EACH {
                assert!(is_read(&mut disk, sector), "{chip}: sector {sector}");
            }
            verdict::verifies(&mut disk, chip);
            // The groomer asks them, too.
            write_at(&mut disk, EACH, 0);
            while disk.idle(0, 10_000).expect("a part") {}
            drop(disk);
            for pages in copies.values() {
                for (copy, &page) in (0..).zip(pages) {
                    spoil(&mut rig, page, &[copy, (copy + 1) % 3], 2, &mut random);
                }
            }
            let mut disk = rig.mount().expect("a volume");
            for sector in 0..EACH {
                assert!(
                    is_read(&mut disk, sector),
                    "{chip}: sector {sector}, healed"
                );
            }
        }
    });
}

#[test]
fn three_copies_that_are_wrong_in_the_same_bits_are_lost() {
    within(100, "a vote that is wrong", || {
        let mut rig = roomy("a=bch4,mirror=3").make(5);
        let formatted = programmed_pages(&rig.nand);
        let mut disk = rig.mount().expect("a volume");
        for sector in 0..EACH {
            write_at(&mut disk, sector, 0);
        }
        let shape = *disk.volume().shape();
        disk.unmount().map_err(|(_, error)| error).expect("an end");
        for page in new_pages(&rig, &formatted) {
            // Its copies are behind it, or before.
            let near = programmed_pages(&rig.nand);
            if kind_of(&shape, &rig.nand.true_bytes(page), &near) == Some(Kind::Data) {
                spoil(&mut rig, page, &[0, 1, 2], 8, &mut SplitMix64::new(2));
            }
        }
        let mut disk = rig.mount().expect("a volume");
        for sector in 0..EACH {
            assert!(!is_read(&mut disk, sector), "sector {sector}");
        }
    });
}
