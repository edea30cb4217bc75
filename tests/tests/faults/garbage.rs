//! Parts that hold no volume, half of one, or one that somebody tampered with: typed errors, lost sectors, never wrong data.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use cuesta::codec::crc::Seed;
use cuesta::codec::{HeaderState, PageLayout};
use cuesta::volume::{Budget, MountError, Sector, Volume, FORMAT_VERSION};
use cuesta_hal::{Geometry, Nand, Pairing};
use cuesta_sim::campaign::aftermath::goes_on;
use cuesta_sim::campaign::damage::{
    blank_block, block_of, flip_bits, overwrite_block, programmed_pages, scramble_block,
    transplant_block,
};
use cuesta_sim::campaign::model::{Model, Version};
use cuesta_sim::campaign::oracle::{self, within, Legal};
use cuesta_sim::campaign::rig::{Rig, RigDisk};
use cuesta_sim::{EmulatedNand, Media, PageState, Place, SplitMix64};

const CHIPS: [&str; 4] = ["tiny", "tiny2", "tiny4", "tiny-multi"];

/// Versions of a volume that is not the one under test start here.
const ELSEWHERE: Version = 1 << 40;

/// A disk with a past: full, partly overwritten and trimmed.
struct Past {
    rig: Rig,
    /// The part some time before.
    before: EmulatedNand,
    model: Model,
}

fn churn(disk: &mut RigDisk<'_>, model: &mut Model, random: &mut SplitMix64, base: Version) {
    let capacity = disk.volume().capacity();
    for _ in 0..capacity / 2 {
        let sector = random.below(u64::from(capacity)) as u32;
        let version = base + model.fresh();
        oracle::write_version(disk, model, sector, version).expect("a sound part");
    }
    let first = random.below(u64::from(capacity) - 8) as u32;
    for sector in first..first + 8 {
        model.started(sector, 0);
    }
    disk.trim(Sector(first), 8).expect("a sound part");
    disk.flush().expect("a sound part");
    model.flushed();
}

fn live(chip: &str, seed: u64, base: Version, cleanly: bool) -> Past {
    let mut rig = Rig::of(chip, seed, Budget::Full);
    let mut model = Model::new();
    let mut random = SplitMix64::new(seed);
    let mut disk = rig.mount().expect("a formatted part");
    for sector in 0..disk.volume().capacity() {
        let version = base + model.fresh();
        oracle::write_version(&mut disk, &mut model, sector, version).expect("a sound part");
    }
    churn(&mut disk, &mut model, &mut random, base);
    disk.unmount().map_err(|(_, error)| error).expect("an end");
    let before = rig.nand.clone();
    let mut disk = rig.mount().expect("a sound part");
    churn(&mut disk, &mut model, &mut random, base);
    if cleanly {
        disk.unmount().map_err(|(_, error)| error).expect("an end");
    } else {
        drop(disk);
        rig.nand.power_cycle();
    }
    Past { rig, before, model }
}

fn mount_error(rig: &mut Rig) -> MountError {
    match rig.mount() {
        Ok(_) => panic!("there is no volume to mount"),
        Err(error) => error,
    }
}

#[test]
fn a_blank_part_is_told_to_be_blank() {
    for chip in CHIPS.into_iter().chain(["w25n01gv", "w25n02kv"]) {
        let mut nand = EmulatedNand::of(chip).expect("a chip of the table");
        let found = Volume::probe(&mut nand);
        assert_eq!(found.err(), Some(MountError::Blank), "{chip}");
        assert_eq!(nand.counters().programs + nand.counters().erases, 0);
    }
}

#[test]
fn random_bytes_are_foreign() {
    within(120, "random bytes", || {
        for chip in CHIPS {
            for seed in 0..20 {
                let mut rig = Rig::of(chip, seed, Budget::Minimum);
                let mut random = SplitMix64::new(seed);
                for block in 0..rig.nand.geometry().blocks() {
                    scramble_block(&mut rig.nand, block, &mut random);
                }
                assert_eq!(mount_error(&mut rig), MountError::Foreign, "{chip} {seed}");
            }
        }
    });
}

#[test]
fn bytes_that_are_all_the_same_are_foreign_and_ones_are_blank() {
    for chip in CHIPS {
        for byte in [0x00, 0x55, 0xAA, 0xFE, 0xFF] {
            let mut rig = Rig::of(chip, 1, Budget::Minimum);
            for block in 0..rig.nand.geometry().blocks() {
                overwrite_block(&mut rig.nand, block, |_, raw| raw.fill(byte));
            }
            let expected = if byte == 0xFF {
                MountError::Blank
            } else {
                MountError::Foreign
            };
            assert_eq!(mount_error(&mut rig), expected, "{chip} {byte:#x}");
        }
    }
}

#[test]
fn a_part_whose_second_half_was_erased_has_lost_sectors_and_no_wrong_ones() {
    within(120, "half a part", || {
        for chip in CHIPS {
            for cleanly in [true, false] {
                let mut past = live(chip, 3, 0, cleanly);
                let what = format!("{chip}, ended cleanly: {cleanly}, second half erased");
                eprintln!("{what}");
                let blocks = past.rig.nand.geometry().blocks_per_die;
                for number in 0..past.rig.nand.geometry().blocks() {
                    if number % blocks >= blocks / 2 {
                        blank_block(&mut past.rig.nand, number);
                    }
                }
                // The journal may have gone with its segments, its newest part first: that is older data of the same sector.
                let _ = goes_on(&mut past.rig, &mut past.model, Legal::OwnOrRefused, &what);
            }
        }
    });
}

#[test]
fn a_part_whose_first_half_was_erased_is_no_blank_part() {
    for chip in CHIPS {
        let mut past = live(chip, 3, 0, true);
        let blocks = past.rig.nand.geometry().blocks_per_die;
        for number in 0..past.rig.nand.geometry().blocks() {
            if number % blocks < blocks / 2 {
                blank_block(&mut past.rig.nand, number);
            }
        }
        // What is left may tell what it was; then it is read, and nothing in it is wrong.
        let what = format!("{chip}: first half erased");
        match goes_on(&mut past.rig, &mut past.model, Legal::OwnOrRefused, &what) {
            Ok(_) | Err(MountError::Damaged | MountError::Foreign) => {}
            Err(error) => panic!("{what}: {error}"),
        }
    }
}

/// Replaces each block of a volume in turn, and uses what is left. Where a block is believable by itself, a mount may be refused.
fn replace_each_block(
    chip: &str,
    cleanly: bool,
    legal: Legal,
    what: &str,
    replace: impl Fn(&mut EmulatedNand, u32, &EmulatedNand, &EmulatedNand),
) -> Vec<String> {
    let past = live(chip, 5, 0, cleanly);
    let other = live(chip, 6, ELSEWHERE, true);
    let mut failures = Vec::new();
    for block in 0..past.rig.nand.geometry().blocks() {
        let what = format!("{chip}, ended cleanly: {cleanly}, block {block} {what}");
        let tried = catch_unwind(AssertUnwindSafe(|| {
            let mut rig = past.rig.clone();
            let mut model = past.model.clone();
            replace(&mut rig.nand, block, &past.before, &other.rig.nand);
            let used = goes_on(&mut rig, &mut model, legal, &what);
            let whole = legal == Legal::CurrentOrRefused;
            // A lost block of the journal has no copy on a part of one die: losing it is said, not papered over.
            let said = matches!(used, Ok(_) | Err(MountError::Damaged));
            assert!(!whole || said, "one block is no volume: {used:?}");
        }));
        if tried.is_err() {
            failures.push(what);
        }
    }
    failures
}

/// On every chip.
fn replace_each_block_of_all(
    cleanly: bool,
    legal: Legal,
    what: &str,
    replace: impl Fn(&mut EmulatedNand, u32, &EmulatedNand, &EmulatedNand) + Copy,
) {
    let failures: Vec<String> = CHIPS
        .into_iter()
        .flat_map(|chip| replace_each_block(chip, cleanly, legal, what, replace))
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn a_block_of_random_bytes_costs_its_sectors_and_brings_nothing_old_back() {
    within(200, "garbage blocks", || {
        let legal = Legal::CurrentOrRefused;
        replace_each_block_of_all(true, legal, "scrambled", |nand, block, _, _| {
            scramble_block(nand, block, &mut SplitMix64::new(u64::from(block)));
        });
    });
}

#[test]
fn an_erased_block_costs_its_sectors_and_brings_nothing_old_back() {
    within(200, "erased blocks", || {
        let legal = Legal::CurrentOrRefused;
        replace_each_block_of_all(true, legal, "erased", |nand, block, _, _| {
            blank_block(nand, block);
        });
    });
}

#[test]
fn a_block_of_another_volume_brings_no_sector_of_it() {
    within(200, "foreign blocks", || {
        let legal = Legal::OwnOrRefused;
        replace_each_block_of_all(true, legal, "another volume's", |nand, block, _, other| {
            transplant_block(nand, block, other);
        });
    });
}

#[test]
fn an_older_copy_of_a_block_brings_back_nothing_but_versions_of_the_same_sectors() {
    within(200, "stale blocks", || {
        for cleanly in [true, false] {
            let legal = Legal::OwnOrRefused;
            replace_each_block_of_all(cleanly, legal, "as it was", |nand, block, before, _| {
                transplant_block(nand, block, before);
            });
        }
    });
}

#[test]
fn a_damaged_block_after_an_unclean_end_never_yields_a_third_value() {
    within(200, "garbage and a cut", || {
        let legal = Legal::OwnOrRefused;
        replace_each_block_of_all(false, legal, "scrambled", |nand, block, _, _| {
            scramble_block(nand, block, &mut SplitMix64::new(u64::from(block)));
        });
    });
}

#[test]
fn bits_flipped_beyond_correction_are_never_returned() {
    within(200, "flipped bits", || {
        for chip in CHIPS {
            let past = live(chip, 9, 0, true);
            let pages = programmed_pages(&past.rig.nand);
            for seed in 0..30 {
                let mut random = SplitMix64::new(seed);
                let mut rig = past.rig.clone();
                let mut model = past.model.clone();
                for _ in 0..12 {
                    let page = pages[random.below(pages.len() as u64) as usize];
                    let bits = 4 + random.below(200) as u32;
                    flip_bits(&mut rig.nand, page, bits, &mut random);
                }
                let what = format!("{chip}, seed {seed}, flipped bits in 12 pages");
                let _ = goes_on(&mut rig, &mut model, Legal::CurrentOrRefused, &what);
            }
        }
    });
}

/// The part's contents, block by block, on a part of another shape.
fn reshape(from: &EmulatedNand, geometry: Geometry) -> EmulatedNand {
    let builder = EmulatedNand::builder(from.chip_name()).expect("a chip of the table");
    let mut nand = builder.geometry(geometry).build();
    let old = *from.geometry();
    for number in 0..old.blocks().min(geometry.blocks()) {
        for page in 0..old.pages_per_block.min(geometry.pages_per_block) {
            let place = Place {
                block: number,
                page,
            };
            let mut raw = from.true_bytes(block_of(from, number).page(page));
            raw.resize(geometry.raw_page_bytes() as usize, 0xFF);
            let bytes: Arc<[u8]> = raw.into();
            let stored = nand.media_mut().store(place, &bytes, PageState::default());
            stored.expect("memory does not fail");
        }
    }
    nand
}

#[test]
fn a_volume_on_a_part_of_another_geometry_is_refused() {
    let past = live("tiny", 11, 0, true);
    let own = *past.rig.nand.geometry();
    let more_blocks = Geometry {
        blocks_per_die: own.blocks_per_die * 2,
        ..own
    };
    let more_dies = Geometry { dies: 2, ..own };
    let fewer_pages = Geometry {
        pages_per_block: own.pages_per_block - 2,
        ..own
    };
    let more_pages = Geometry {
        pages_per_block: own.pages_per_block * 2,
        ..own
    };
    let more_spare = Geometry {
        spare_bytes: own.spare_bytes * 2,
        ..own
    };
    for other in [more_blocks, more_dies, fewer_pages, more_pages] {
        let mut nand = reshape(&past.rig.nand, other);
        let found = Volume::probe(&mut nand);
        assert_eq!(found.err(), Some(MountError::Geometry), "{other:?}");
    }
    let larger_pages = Geometry {
        page_bytes: own.page_bytes * 2,
        spare_bytes: own.spare_bytes * 2,
        pairing: Pairing::None,
        ..own
    };
    // Of these even the headers lie elsewhere, or have another code.
    for other in [larger_pages, more_spare] {
        let found = Volume::probe(&mut reshape(&past.rig.nand, other)).err();
        assert!(
            matches!(
                found,
                Some(MountError::Geometry | MountError::Foreign | MountError::Damaged)
            ),
            "{found:?}"
        );
    }
}

/// Rewrites a version number wherever a page begins with the volume's mark.
fn pretend_version(nand: &mut EmulatedNand, sector_bytes: u32, version: u16) -> u32 {
    let geometry = *nand.geometry();
    let layout = PageLayout::new(&geometry, sector_bytes).expect("a layout that fits");
    let mut changed = 0;
    for page in programmed_pages(nand) {
        let mut raw = nand.true_bytes(page);
        let block = u32::from(page.block.die.0) * geometry.blocks_per_die + page.block.block.0;
        let place =
            (block * u32::from(geometry.pages_per_block) + u32::from(page.page.0)) * layout.units();
        let HeaderState::Valid(header) = layout.read_header(&raw, 0, place) else {
            continue;
        };
        if !raw.starts_with(b"CUESTA") {
            continue;
        }
        raw[8..10].copy_from_slice(&version.to_le_bytes());
        let seed = Seed { volume: 0, place };
        layout.encode(&mut raw, &vec![header; layout.units() as usize], seed);
        let at = Place {
            block,
            page: page.page.0,
        };
        let state = nand.media().page(at);
        let bytes: Arc<[u8]> = raw.into();
        let stored = nand.media_mut().store(at, &bytes, state);
        stored.expect("memory does not fail");
        changed += 1;
    }
    changed
}

#[test]
fn a_volume_of_a_newer_format_is_named_as_such_and_left_alone() {
    for chip in CHIPS {
        let mut past = live(chip, 12, 0, true);
        let bytes = past.rig.parameters.sector_bytes;
        assert!(pretend_version(&mut past.rig.nand, bytes, FORMAT_VERSION + 1) > 0);
        let before = past.rig.nand.counters();
        let expected = MountError::Version {
            found: FORMAT_VERSION + 1,
            supported: FORMAT_VERSION,
        };
        assert_eq!(mount_error(&mut past.rig), expected, "{chip}");
        let did = past.rig.nand.counters().since(&before);
        assert_eq!((did.programs, did.erases), (0, 0), "{chip}");
        assert!(pretend_version(&mut past.rig.nand, bytes, FORMAT_VERSION) > 0);
        assert!(past.rig.mount().is_ok(), "{chip}");
    }
}
