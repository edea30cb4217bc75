//! The engine on the driver on an emulated part: down to the array it does what it does on the emulator.

use std::collections::BTreeMap;

use crate::bench::{bus, open, serial_chips, PAGES};
use cuesta::door::Disk;
use cuesta::volume::{
    Budget, Error, FormatError, FormatOptions, MountError, ParameterError, Parameters, Plan,
    Sector, Volume,
};
use cuesta_hal::spi_nand::{register, SpiNandChip, SpiNandOptions};
use cuesta_hal::{Geometry, Nand};
use cuesta_sim::footprint::Footprint;
use cuesta_sim::memory::OwnedMemory;
use cuesta_sim::spi_chip::{ControllerFault, SpiChip, WireFaults};
use cuesta_sim::{Access, Builder, Chip, RamMedia, SplitMix64, Timing};

/// Sectors that a run touches; small, so that grooming and map pages have something to do.
const SECTORS: u64 = 300;
const STEPS: u32 = 900;
/// Bytes of a sector on pages of 2 KiB.
const SECTOR_BYTES: usize = 2048;

fn options() -> FormatOptions<'static> {
    FormatOptions {
        volume_id: 0x00C0_E57A,
        ..FormatOptions::default()
    }
}

fn plan(geometry: &Geometry) -> Plan {
    let parameters = Parameters::choose(geometry, &options()).expect("a volume fits");
    let footprint = Footprint::new(geometry, &parameters, Budget::Bytes(24 * 1024), 1);
    footprint.expect("24 KiB are enough").plan
}

/// Formats, then twice mounts, writes, trims, reads and ends: once in good order, once without; then mounts and reads everything.
fn life<N: Nand>(mut nand: N, seed: u64) -> N {
    let plan = plan(nand.geometry());
    let mut memory = OwnedMemory::new(&plan);
    nand = Volume::format(nand, memory.lend(), &options()).expect("formats");
    let mut prng = SplitMix64::new(seed);
    let mut durable = BTreeMap::new();
    for ends_well in [true, false] {
        let volume = Volume::mount(nand, memory.lend()).expect("mounts");
        let mut disk = Disk::new(volume);
        for step in 0..STEPS {
            let sector = prng.below(SECTORS);
            match prng.below(20) {
                0 => {
                    disk.trim(Sector(sector as u32), 1).expect("trims");
                    durable.remove(&sector);
                }
                1..8 => assert_holds(&mut disk, &durable, sector),
                _ => {
                    let mark = u64::from(step) << 32 | sector;
                    disk.write(Sector(sector as u32), &filled(mark))
                        .expect("writes");
                    durable.insert(sector, mark);
                }
            }
        }
        nand = match ends_well {
            true => disk
                .unmount()
                .map_err(|(_, error)| error)
                .expect("unmounts"),
            false => {
                disk.flush().expect("flushes");
                disk.into_volume().abandon()
            }
        };
    }
    let mut disk = Disk::new(Volume::mount(nand, memory.lend()).expect("mounts"));
    for sector in 0..SECTORS {
        assert_holds(&mut disk, &durable, sector);
    }
    disk.unmount()
        .map_err(|(_, error)| error)
        .expect("unmounts")
}

fn filled(mark: u64) -> Vec<u8> {
    let mut bytes = vec![0; SECTOR_BYTES];
    SplitMix64::new(mark).fill(&mut bytes);
    bytes
}

fn assert_holds<N: Nand>(disk: &mut Disk<'_, N>, durable: &BTreeMap<u64, u64>, sector: u64) {
    let mut bytes = vec![0xEE; SECTOR_BYTES];
    let is_mapped = disk.read(Sector(sector as u32), &mut bytes).expect("reads");
    let expected = durable.get(&sector);
    assert_eq!(is_mapped, expected.is_some(), "sector {sector}");
    let expected = expected.map_or_else(|| vec![0; SECTOR_BYTES], |&mark| filled(mark));
    assert_eq!(bytes, expected, "sector {sector}");
}

/// Parts and whether their own error correction is on, but for the one whose spare has no room for a code of the strength that its data sheet asks for.
fn usable() -> impl Iterator<Item = (&'static Chip, &'static SpiNandChip, bool)> {
    serial_chips()
        .flat_map(|(chip, row)| [false, true].map(|chip_ecc| (chip, row, chip_ecc)))
        .filter(|(chip, ..)| chip.name != TOO_LITTLE_SPARE)
}

const TOO_LITTLE_SPARE: &str = "gd5f1gq4xa";

#[test]
fn a_part_with_too_little_spare_is_refused_when_formatting() {
    for chip_ecc in [false, true] {
        let bus = bus(TOO_LITTLE_SPARE);
        let mut pages = PAGES;
        let options = SpiNandOptions {
            chip_ecc,
            ..SpiNandOptions::default()
        };
        let driver = open(&bus, &options, &mut pages).expect("set up");
        let mut memory = OwnedMemory::new(&plan(&cuesta_hal::spi_nand::W25N01GV.geometry));
        let refused = Volume::format(driver, memory.lend(), &self::options()).err();
        let is_layout = matches!(
            refused,
            Some(FormatError::Parameters(ParameterError::Layout(_)))
        );
        assert!(is_layout, "{refused:?}");
    }
}

/// Times so short that one wait of the driver is enough for any operation, as it is on the emulator: what the volume does in the background is paced by
/// polls.
fn one_wait(timing: Timing) -> Timing {
    Timing {
        read_us: 1,
        program_us: 1,
        erase_us: 1,
        ..timing
    }
}

/// The same requests reach the array as the same operations on the same pages, whether they come through commands on a bus or not.
#[test]
fn the_trace_in_the_array_is_the_emulators() {
    for (chip, row, chip_ecc) in usable() {
        let builder = || {
            Builder::new(chip)
                .seed(5)
                .random_bad_blocks(11)
                .timing(one_wait(chip.timing))
        };
        let mut emulated = builder().chip_ecc(chip_ecc).strict(true).build();
        emulated.record_accesses();
        let emulated = life(emulated, 1);

        let bus = crate::bench::bus_with(builder().strict(true));
        bus.with_chip(|chip| chip.nand_mut().record_accesses());
        let mut memory = PAGES;
        let raw = row.geometry.raw_page_bytes() as usize;
        let options = SpiNandOptions {
            chip_ecc,
            ..SpiNandOptions::default()
        };
        let driver = open(&bus, &options, &mut memory[..raw]).expect(row.name);
        assert_eq!(driver.geometry(), emulated.geometry());
        life(driver, 1);

        bus.with_chip(|chip| {
            assert_eq!(chip.breaches(), [], "{}", row.name);
            assert_same(chip.nand().accesses(), emulated.accesses(), row.name);
        });
    }
}

fn assert_same(found: &[Access], expected: &[Access], name: &str) {
    let programs = |accesses: &[Access]| {
        accesses
            .iter()
            .filter(|access| matches!(access, Access::Program(_)))
            .count()
    };
    // More than what hosts write, so that there is something to compare.
    assert!(programs(expected) > 1100, "{name}: {}", programs(expected));
    let first = found
        .iter()
        .zip(expected)
        .position(|(one, other)| one != other);
    assert_eq!(first, None, "{name}: the first access that differs");
    assert_eq!(found.len(), expected.len(), "{name}");
}

/// With the times of the data sheets the engine polls more often, and what it reads in the background comes at other moments; nothing is lost by it.
#[test]
fn a_volume_lives_on_every_part_at_its_own_speed() {
    for (chip, row, chip_ecc) in usable() {
        let builder = Builder::new(chip)
            .seed(5)
            .random_bad_blocks(11)
            .strict(true);
        let bus = crate::bench::bus_with(builder);
        let mut memory = PAGES;
        let options = SpiNandOptions {
            chip_ecc,
            verify_loads: chip_ecc,
            ..SpiNandOptions::default()
        };
        life(open(&bus, &options, &mut memory).expect(row.name), 2);
        assert_eq!(
            bus.with_chip(|chip| chip.breaches().to_vec()),
            [],
            "{}",
            row.name
        );
    }
}

/// A volume that is given up while its write is in the part: the next mount waits for the end of it, however often it has to look.
#[test]
fn a_mount_waits_for_what_a_volume_before_it_left_in_flight() {
    let bus = bus("w25n01gv");
    let mut pages = PAGES;
    let mut driver = open(&bus, &SpiNandOptions::default(), &mut pages).expect("set up");
    let mut memory = OwnedMemory::new(&plan(driver.geometry()));
    Volume::format(&mut driver, memory.lend(), &options()).expect("formats");
    for _ in 0..20 {
        let mut volume = Volume::mount(&mut driver, memory.lend()).expect("mounts");
        // The first one has to wait for a recovery.
        while volume.submit_write(Sector(1), &filled(9)).is_err() {
            volume.poll();
            volume.wait();
        }
        // Accepted, and sent to the part at once.
        let _ = volume.abandon();
        let is_busy = bus.with_chip(|chip| {
            chip.select();
            let answer = [0x0F, 0xC0, 0].map(|byte| chip.exchange(byte));
            chip.deselect();
            answer[2] & register::BUSY != 0
        });
        assert!(is_busy);
    }
    assert_eq!(bus.with_chip(|chip| chip.breaches().to_vec()), []);
}

/// Reads give what was written or an error, whatever the wire does to answers and to frames as a whole; with the power taken away after each error, all that
/// was acknowledged is there. (Flipped addresses would write to pages that nobody asked for: no driver can notice those.)
#[test]
fn a_volume_on_a_bad_wire_gives_no_wrong_data() {
    let mut errors = 0;
    for seed in 0..6 {
        let bus = bus("gd5f1gq5");
        let faults = WireFaults {
            seed,
            flip_from_chip_one_in: 300_000,
            lose_one_in: 900,
            ..WireFaults::default()
        };
        errors += harried(&bus, seed, faults, |_| {});
    }
    // Most are made good before anybody sees them.
    println!("{errors} sessions ended by an error");
}

/// Dips of the supply in the middle of operations that the engine believes to be going on.
#[test]
fn a_volume_survives_dips_of_the_supply() {
    let mut errors = 0;
    for seed in 0..6 {
        let bus = bus("w25n01gv");
        errors += harried(&bus, seed, WireFaults::default(), |chip| {
            let mut prng = SplitMix64::new(seed);
            let mut behind = 0;
            for _ in 0..20 {
                behind += 1 + prng.below(150);
                chip.fault(behind, ControllerFault::BrownOut);
            }
        });
    }
    assert!(errors >= 60, "{errors} sessions ended by an error");
}

/// Writes and reads while things go wrong. Each error ends the session as a cut does, and the next one begins with a mount; a sector reads as its last
/// acknowledged write, or as the one that failed last. Counts the errors.
fn harried(
    bus: &crate::bench::Bus,
    seed: u64,
    faults: WireFaults,
    lay: impl FnOnce(&mut SpiChip<RamMedia>),
) -> u32 {
    let options = SpiNandOptions {
        verify_loads: true,
        ..SpiNandOptions::default()
    };
    let mut pages = PAGES;
    let mut driver = open(bus, &options, &mut pages).expect("set up");
    let mut memory = OwnedMemory::new(&plan(driver.geometry()));
    Volume::format(&mut driver, memory.lend(), &self::options()).expect("formats");
    bus.with_chip(lay);
    let mut prng = SplitMix64::new(seed);
    let mut allowed: BTreeMap<u64, Vec<Option<u64>>> = BTreeMap::new();
    let (mut errors, mut step) = (0, 0);
    while step < 1200 {
        bus.set_faults(WireFaults {
            seed: faults.seed << 20 | step,
            ..faults
        });
        let mut disk = match Volume::mount(&mut driver, memory.lend()) {
            Ok(volume) => Disk::new(volume),
            Err(MountError::Nand(_)) => {
                errors += 1;
                assert!(errors < 400, "it never mounts");
                step += 1;
                continue;
            }
            Err(other) => panic!("{other:?}"),
        };
        while step < 1200 {
            step += 1;
            let sector = prng.below(SECTORS);
            let may_be = allowed.entry(sector).or_insert_with(|| vec![None]);
            let ended = if prng.chance(1, 3) {
                let mut bytes = vec![0; SECTOR_BYTES];
                let read = disk.read(Sector(sector as u32), &mut bytes);
                read.map(|is_mapped| {
                    let found = may_be.iter().copied().find(|mark| match mark {
                        Some(mark) => is_mapped && bytes == filled(*mark),
                        None => !is_mapped,
                    });
                    let found = found.expect("what was written there");
                    *may_be = vec![found];
                })
            } else {
                let mark = step << 32 | sector;
                may_be.push(Some(mark));
                let written = disk.write(Sector(sector as u32), &filled(mark));
                written.map(|()| *may_be = vec![Some(mark)])
            };
            match ended {
                Ok(()) => {}
                Err(Error::Nand(_)) => {
                    errors += 1;
                    break;
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }
    bus.set_faults(WireFaults::default());
    errors
}

#[test]
fn a_volume_of_another_part_is_refused_by_its_geometry() {
    let small = bus("w25n01gv");
    let mut pages = PAGES;
    let driver = open(&small, &SpiNandOptions::default(), &mut pages).expect("set up");
    let plan = plan(driver.geometry());
    let mut memory = OwnedMemory::new(&plan);
    Volume::format(driver, memory.lend(), &options()).expect("formats");

    // The contents of the part, in one that answers as another kind: twice as many blocks, or other spare bytes.
    for name in ["mx35lf2ge4ab", "mt29f1g01"] {
        let other = bus(name);
        copy_pages(&small, &other);
        let mut pages = PAGES;
        let driver = open(&other, &SpiNandOptions::default(), &mut pages).expect("set up");
        let mut memory = OwnedMemory::new(&self::plan(driver.geometry()));
        let refused = Volume::mount(driver, memory.lend()).err();
        assert!(
            matches!(refused, Some(MountError::Geometry | MountError::Foreign)),
            "{name}: {refused:?}"
        );
    }
}

/// Copies what the first blocks hold, main area and as much of the spare as both have.
fn copy_pages(from: &crate::bench::Bus, to: &crate::bench::Bus) {
    use cuesta_sim::{Media as _, PageState, Place};
    let raw = to.with_chip(|chip| chip.chip().geometry.raw_page_bytes()) as usize;
    for block in 0..1024 {
        for page in 0..64 {
            let place = Place { block, page };
            let address = crate::bench::at(block, page);
            let Some(mut bytes) = from.with_chip(|chip| {
                let nand = chip.nand();
                (!nand.media().is_blank(place)).then(|| nand.true_bytes(address))
            }) else {
                continue;
            };
            bytes.resize(raw, 0xFF);
            to.with_chip(|chip| {
                let media = chip.nand_mut().media_mut();
                media
                    .store(place, &bytes.into(), PageState::default())
                    .expect("memory");
            });
        }
    }
}
