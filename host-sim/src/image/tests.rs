use super::*;
use crate::steps::{all, at, erase, program, read};
use crate::{EmulatedNand, Rule, SimError};
use cuesta_hal::{BlockAddress, Completion};
use std::path::PathBuf;

/// A path for a test's file, which is removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let name = format!("cuesta-sim-{}-{test}.nand", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        Self(path)
    }
}

impl AsRef<Path> for Scratch {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn builder(chip: &str) -> Builder {
    EmulatedNand::builder(chip).expect("in the table")
}

fn make(file: &Scratch, chip: &str) -> ImageNand {
    ImageNand::create(file, &builder(chip), Existing::Refuse).expect("a new file")
}

fn reopen(file: &Scratch) -> ImageNand {
    ImageNand::open(file, None).expect("a good image")
}

#[test]
fn what_was_settled_is_there_after_opening_again() {
    let file = Scratch::new("round-trip");
    let bad = BlockAddress::new(1, 5);
    let made = builder("tiny2").bad_blocks(&[bad]);
    let mut nand = ImageNand::create(&file, &made, Existing::Refuse).expect("a new file");
    program(&mut nand, at(3, 0), 0x11).expect("programs");
    program(&mut nand, at(3, 2), 0x22).expect("programs");
    program(&mut nand, at(4, 0), 0x33).expect("programs");
    erase(&mut nand, BlockAddress::new(0, 4)).expect("erases");
    let other = BlockAddress::new(1, 31);
    program(&mut nand, other.page(15), 0x44).expect("programs");
    drop(nand);

    let mut nand = reopen(&file);
    assert_eq!(nand.chip_name(), "tiny2");
    assert!(all(&read(&mut nand, at(3, 0)).expect("reads"), 0x11));
    assert!(all(&read(&mut nand, at(3, 1)).expect("reads"), 0xFF));
    assert!(all(&read(&mut nand, at(3, 2)).expect("reads"), 0x22));
    assert!(all(&read(&mut nand, at(4, 0)).expect("reads"), 0xFF));
    assert!(all(&read(&mut nand, other.page(15)).expect("reads"), 0x44));
    assert_eq!(nand.erase_count(BlockAddress::new(0, 4)), 1);
    assert!(nand.is_factory_bad(bad));
    assert_eq!(read(&mut nand, bad.page(0)).expect("reads")[512], 0);
    let refused = program(&mut nand, at(3, 1), 0);
    assert_eq!(refused, Err(SimError::Forbidden(Rule::OutOfOrder)));
    let refused = program(&mut nand, at(3, 2), 0);
    assert_eq!(refused, Err(SimError::Forbidden(Rule::Overprogrammed)));
}

#[test]
fn a_new_image_of_a_big_part_takes_little_of_the_disk() {
    use std::os::unix::fs::MetadataExt;
    let file = Scratch::new("sparse");
    drop(make(&file, "w25n01gv"));
    let metadata = std::fs::metadata(&file).expect("there");
    assert!(metadata.len() > 135_000_000);
    assert!(metadata.blocks() * 512 < 1 << 20);
    assert_eq!(reopen(&file).wear().max, 0);
}

#[test]
fn the_file_and_the_memory_behave_alike_cuts_included() {
    let file = Scratch::new("alike");
    let mut ram = builder("tiny").seed(9).build();
    let made = builder("tiny").seed(9);
    let mut image = ImageNand::create(&file, &made, Existing::Refuse).expect("a new file");
    fn run<M: Media>(nand: &mut Emulator<M>) -> Vec<Vec<u8>> {
        let mut prng = SplitMix64::new(4);
        let mut seen = Vec::new();
        for _ in 0..400 {
            let block = prng.below(4) as u32;
            let page = prng.below(16) as u16;
            let _ = match prng.below(8) {
                0 => erase(nand, BlockAddress::new(0, block)),
                1 => {
                    nand.plan_cut(crate::CutPlan::during(prng.below(3), prng.next()));
                    Ok(Completion::Erased)
                }
                _ => program(nand, at(block, page), prng.next() as u8),
            };
            if nand.is_power_lost() {
                nand.power_cycle();
            }
            if let Ok(bytes) = read(nand, at(block, page)) {
                seen.push(bytes);
            }
        }
        seen
    }
    assert_eq!(run(&mut ram), run(&mut image));
    for block in 0..4 {
        for page in 0..16 {
            assert_eq!(
                ram.true_bytes(at(block, page)),
                image.true_bytes(at(block, page))
            );
        }
    }
    // Opening again changes no state: all that happened had settled.
    let blocks = image.media().blocks.clone();
    let pages = image.media().pages.clone();
    drop(image);
    let image = reopen(&file);
    assert_eq!(image.media().blocks, blocks);
    assert_eq!(image.media().pages, pages);
}

/// Runs a script on an image whose process is killed after so many writes. True when it came to its end.
fn killed_run(file: &Scratch, writes: u64, acknowledged: &mut Vec<(u32, u16, u8)>) -> bool {
    let mut nand = make(file, "tiny");
    nand.media_mut().kill_after(writes);
    for round in 0..3u8 {
        for block in 0..2 {
            let address = BlockAddress::new(0, block);
            if round > 0 {
                // Its contents are in doubt from here on.
                acknowledged.retain(|(b, ..)| *b != block);
                match erase(&mut nand, address) {
                    Ok(_) => {}
                    Err(_) => return false,
                }
            }
            for page in 0..3 {
                let fill = 0x10 + round * 0x10 + page as u8;
                match program(&mut nand, at(block, page), fill) {
                    Ok(_) => acknowledged.push((block, page, fill)),
                    Err(_) => return false,
                }
            }
        }
    }
    true
}

#[test]
fn a_kill_between_any_two_writes_is_a_power_cut() {
    let mut torn = 0;
    let mut writes = 0;
    loop {
        let file = Scratch::new("kill");
        let mut acknowledged = Vec::new();
        let ended = killed_run(&file, writes, &mut acknowledged);
        let mut nand = reopen(&file);
        for &(block, page, fill) in &acknowledged {
            assert!(
                all(&read(&mut nand, at(block, page)).expect("reads"), fill),
                "killed after {writes} writes: block {block} page {page}"
            );
        }
        for block in 0..2 {
            let state = nand.media().block(block);
            for page in 0..16 {
                let place = Place { block, page };
                if nand.media().page(place).condition.is_torn() {
                    torn += 1;
                    let refused = program(&mut nand, at(block, page), 0);
                    assert!(matches!(refused, Err(SimError::Forbidden(_))));
                }
                let stale = |fill: &u8| !acknowledged.iter().any(|(.., f)| f == fill);
                // Bytes of an earlier round do not come back once their block has been erased.
                if state.erased && state.erases > 0 {
                    let bytes = nand.true_bytes(at(block, page));
                    let oldest = 0x10 + page as u8;
                    assert!(!(all(&bytes, oldest) && stale(&oldest)));
                }
            }
            if !state.erased {
                torn += 1;
                let refused = program(&mut nand, at(block, 15), 0);
                assert_eq!(refused, Err(SimError::Forbidden(Rule::NotErased)));
            }
            erase(&mut nand, BlockAddress::new(0, block)).expect("always allowed");
            program(&mut nand, at(block, 0), 0).expect("programs");
        }
        if ended {
            break;
        }
        writes += 1;
    }
    assert!(writes > 60, "{writes} writes");
    assert!(torn > 20, "{torn} torn operations");
}

#[test]
fn a_missing_file_is_named() {
    let file = Scratch::new("missing");
    let error = ImageNand::open(&file, None).expect_err("missing");
    assert!(matches!(error, ImageError::NotFound { .. }));
    assert!(error.to_string().contains("there is no such file"));
    assert!(!file.0.exists());
}

#[test]
fn a_file_in_the_way_is_replaced_only_if_asked() {
    let file = Scratch::new("exists");
    let mut nand = make(&file, "tiny");
    program(&mut nand, at(0, 0), 0x11).expect("programs");
    drop(nand);
    let before = std::fs::read(&file).expect("there");
    let error = ImageNand::create(&file, &builder("tiny2"), Existing::Refuse);
    assert!(matches!(error, Err(ImageError::Exists { .. })));
    assert_eq!(std::fs::read(&file).expect("there"), before);

    let replaced = ImageNand::create(&file, &builder("tiny2"), Existing::Replace);
    let mut nand = replaced.expect("asked for");
    assert!(all(&read(&mut nand, at(0, 0)).expect("reads"), 0xFF));
    drop(nand);
    assert_eq!(reopen(&file).chip_name(), "tiny2");
}

#[test]
fn a_locked_image_is_left_to_the_one_who_has_it() {
    let file = Scratch::new("locked");
    let nand = make(&file, "tiny");
    let open = ImageNand::open(&file, None);
    assert!(matches!(open, Err(ImageError::Locked { .. })));
    let replace = ImageNand::create(&file, &builder("tiny"), Existing::Replace);
    assert!(matches!(replace, Err(ImageError::Locked { .. })));
    drop(nand);
    reopen(&file);
}

#[test]
fn every_cut_of_the_file_is_foreign_or_truncated() {
    let file = Scratch::new("truncated");
    drop(make(&file, "tiny"));
    let bytes = std::fs::read(&file).expect("there");
    for len in [0, 1, 15, 16, 20, 4095, 4096, 5000, bytes.len() - 1] {
        std::fs::write(&file, &bytes[..len]).expect("writes");
        match ImageNand::open(&file, None).expect_err("cut short") {
            ImageError::Foreign { .. } if len < 16 => {}
            ImageError::Truncated {
                found, expected, ..
            } if len >= 16 => {
                assert_eq!(found, len as u64);
                let known = if len < HEADER_BYTES {
                    HEADER_BYTES
                } else {
                    bytes.len()
                };
                assert_eq!(expected, known as u64);
            }
            other => panic!("{len} bytes: {other}"),
        }
        assert_eq!(std::fs::read(&file).expect("there"), bytes[..len]);
    }
}

#[test]
fn a_foreign_file_is_left_untouched() {
    let file = Scratch::new("foreign");
    let text = "not an image at all, but long enough to be one".repeat(200);
    std::fs::write(&file, &text).expect("writes");
    let error = ImageNand::open(&file, None).expect_err("foreign");
    assert!(matches!(error, ImageError::Foreign { .. }));
    assert_eq!(std::fs::read(&file).expect("there"), text.as_bytes());
}

#[test]
fn a_newer_version_and_a_damaged_header_are_told_apart() {
    let file = Scratch::new("version");
    drop(make(&file, "tiny"));
    let good = std::fs::read(&file).expect("there");
    let mut newer = good.clone();
    newer[16] = 2;
    std::fs::write(&file, &newer).expect("writes");
    let error = ImageNand::open(&file, None).expect_err("newer");
    assert!(matches!(
        error,
        ImageError::NewerVersion {
            found: 2,
            known: 1,
            ..
        }
    ));
    let mut damaged = good;
    damaged[60] ^= 1;
    std::fs::write(&file, &damaged).expect("writes");
    let error = ImageNand::open(&file, None).expect_err("damaged");
    assert!(matches!(error, ImageError::Damaged { .. }));
}

#[test]
fn senseless_entries_are_damage() {
    let file = Scratch::new("entries");
    drop(make(&file, "tiny"));
    let good = std::fs::read(&file).expect("there");
    for at in [HEADER_BYTES + 4, HEADER_BYTES + 32 * 16 + 1] {
        let mut bytes = good.clone();
        bytes[at] = 0x80;
        std::fs::write(&file, &bytes).expect("writes");
        let error = ImageNand::open(&file, None).expect_err("damaged");
        assert!(matches!(error, ImageError::Damaged { .. }));
        assert_eq!(std::fs::read(&file).expect("there"), bytes);
    }
}

#[test]
fn another_chip_or_shape_than_asked_is_told() {
    let file = Scratch::new("other");
    drop(make(&file, "tiny"));
    let error = ImageNand::open(&file, Some(&builder("tiny2"))).expect_err("other chip");
    assert!(error
        .to_string()
        .ends_with("the image is of chip tiny, not tiny2; leave the chip out or ask for tiny"));
    let mut geometry = chip("tiny").expect("in the table").geometry;
    geometry.blocks_per_die = 48;
    let bigger = builder("tiny").geometry(geometry);
    let error = ImageNand::open(&file, Some(&bigger)).expect_err("other shape");
    assert!(matches!(error, ImageError::OtherGeometry { .. }));
    assert!(error.to_string().ends_with(
        "the image has 1 x 32 blocks x 16 pages x 512 + 64 B, not 1 x 48 blocks x 16 pages x 512 + 64 B"
    ));
    assert!(ImageNand::open(&file, Some(&builder("tiny"))).is_ok());
}

#[test]
fn conforms() {
    let file = Scratch::new("conforms");
    let made = builder("tiny4").bad_blocks(&[BlockAddress::new(2, 1)]);
    let mut nand = ImageNand::create(&file, &made, Existing::Refuse).expect("a new file");
    cuesta_hal::conformance::run(&mut nand);
    drop(nand);
    cuesta_hal::conformance::run(&mut reopen(&file));
}

#[test]
fn the_own_ecc_of_a_part_is_on_if_the_file_says_so_whatever_is_asked() {
    let file = Scratch::new("ecc");
    let on = builder("w25n01gv").chip_ecc(true);
    drop(ImageNand::create(&file, &on, Existing::Refuse).expect("a new file"));
    for asked in [None, Some(builder("w25n01gv")), Some(on)] {
        let nand = ImageNand::open(&file, asked.as_ref()).expect("the same chip");
        let ecc = nand.geometry.chip_ecc.expect("it has one");
        assert!(ecc.enabled);
    }
}
