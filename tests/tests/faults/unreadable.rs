//! Pages that cannot be read, or not as they were written: corrected, rebuilt, or lost, and never another sector's data.

use cuesta::volume::{Budget, Error, MountError, Sector, State};
use cuesta_hal::{BlockAddress, Nand, PageAddress};
use cuesta_sim::campaign::damage::{
    block_of, flip_bits, flip_within, overwrite_page, programmed_pages,
};
use cuesta_sim::campaign::model::{fill, Model};
use cuesta_sim::campaign::oracle::{self, expect_current, tally, within, Legal, Reading};
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::campaign::verdict;
use cuesta_sim::{EmulatedNand, Fault, SplitMix64, Trigger};
use cuesta_tests::full::{full, overwrite, use_and_check};

const CHIPS: [&str; 4] = ["tiny", "tiny2", "tiny4", "tiny-multi"];

#[test]
fn bit_errors_within_the_strength_of_the_code_are_corrected_on_every_read() {
    within(200, "bit errors", || {
        for chip in CHIPS {
            let (mut rig, mut model) = full(chip, 34, Budget::Minimum);
            // 0.08 wrong bits a codeword: one read in 10^7 has more than four.
            rig.nand.faults().bit_error_rate(2e-5);
            use_and_check(&mut rig, &mut model, 600, chip);
            let mut disk = rig.mount().expect("a volume");
            expect_current(&mut disk, &model, chip);
            assert!(disk.volume().stats().corrected_bits_max > 0, "{chip}");
            assert_eq!(disk.volume().stats().lost, 0, "{chip}");
        }
    });
}

#[test]
fn four_wrong_bits_in_the_same_codeword_of_every_page_are_corrected() {
    within(200, "four bits", || {
        for chip in CHIPS {
            let (mut rig, mut model) = full(chip, 35, Budget::Full);
            let geometry = *rig.nand.geometry();
            let mut random = SplitMix64::new(35);
            for number in 0..geometry.blocks() {
                for page in 0..geometry.pages_per_block {
                    let at = block_of(&rig.nand, number).page(page);
                    let codeword = random.below(u64::from(geometry.page_bytes / 512)) as u32;
                    for _ in 0..4 {
                        let bit = codeword * 4096 + random.below(4096) as u32;
                        rig.nand.faults().flip(at, bit);
                    }
                }
            }
            use_and_check(&mut rig, &mut model, 400, chip);
        }
    });
}

/// Makes a page unreadable until its block is erased.
fn destroy(nand: &mut EmulatedNand, page: PageAddress) {
    let bits = nand.geometry().raw_page_bytes() / 2;
    flip_bits(nand, page, bits, &mut SplitMix64::new(1));
}

/// Where the part holds the current version of a sector: looked up in the media, not asked of the engine. Several pages when
/// it was relocated.
fn pages_of(nand: &EmulatedNand, model: &Model, sector: u32, bytes: usize) -> Vec<PageAddress> {
    let mut version = vec![0; bytes];
    fill(sector, model.current(sector), &mut version);
    let mut pages = programmed_pages(nand);
    pages.retain(|&page| {
        let raw = nand.true_bytes(page);
        let main = &raw[..nand.geometry().page_bytes as usize];
        main.chunks_exact(bytes).any(|unit| unit == version)
    });
    pages
}

#[test]
fn an_unreadable_page_costs_its_own_sectors_and_grooming_goes_on() {
    within(200, "unreadable pages", || {
        for chip in CHIPS {
            let mut rig = Rig::of(chip, 36, Budget::Full);
            let mut model = Model::new();
            let mut disk = rig.mount().expect("a formatted part");
            let capacity = disk.volume().capacity();
            let bytes = disk.volume().sector_bytes();
            for sector in 0..capacity {
                oracle::write(&mut disk, &mut model, sector).expect("room");
            }
            disk.unmount().map_err(|(_, error)| error).expect("an end");
            let victim = capacity / 3;
            let what = format!("{chip}, sector {victim} unreadable");
            eprintln!("{what}");
            for page in pages_of(&rig.nand, &model, victim, bytes) {
                destroy(&mut rig.nand, page);
            }
            let mut disk = rig.mount().expect("a volume");
            let shared = disk.volume().shape().units();
            let found = tally(&mut disk, &model, Legal::CurrentOrRefused, chip);
            assert!((1..=shared).contains(&found.refused), "{chip}: {found:?}");
            assert_eq!(
                oracle::read(&mut disk, &model, victim, chip),
                Reading::Refused(Error::Lost(Sector(victim)))
            );
            // Overwrites around it: its segment is groomed, and its page with it.
            let mut random = SplitMix64::new(36);
            for _ in 0..4 * capacity {
                let sector = random.below(u64::from(capacity)) as u32;
                if sector.abs_diff(victim) > shared {
                    oracle::write(&mut disk, &mut model, sector).expect("grooming goes on");
                }
            }
            let found = tally(&mut disk, &model, Legal::CurrentOrRefused, chip);
            assert!(
                (1..=shared).contains(&found.refused),
                "{what}, groomed: {found:?}"
            );
            oracle::write(&mut disk, &mut model, victim).expect("a write makes it good");
            assert_eq!(
                oracle::read(&mut disk, &model, victim, chip),
                Reading::Current
            );
            disk.unmount().map_err(|(_, error)| error).expect("an end");
            let mut disk = rig.mount().expect("a volume");
            assert_eq!(
                oracle::read(&mut disk, &model, victim, chip),
                Reading::Current
            );
            tally(&mut disk, &model, Legal::CurrentOrRefused, chip);
        }
    });
}

/// The programmed pages of the journal.
fn journal_pages(rig: &mut Rig) -> Vec<PageAddress> {
    let mut blocks: Vec<BlockAddress> = Vec::new();
    let disk = rig.mount().expect("a volume");
    let volume = disk.volume();
    for index in 0..volume.info().segments {
        let info = volume.segment_info(index).expect("a segment");
        if info.state == State::Journal {
            let segment = cuesta::volume::Segment(index);
            blocks.extend(
                (0..volume.shape().width()).map(|column| volume.shape().block(segment, column)),
            );
        }
    }
    drop(disk);
    let mut pages = programmed_pages(&rig.nand);
    pages.retain(|page| blocks.contains(&page.block));
    pages
}

/// Makes what a page says unreadable until its block is erased: its header can still be read.
fn destroy_payload(nand: &mut EmulatedNand, page: PageAddress) {
    let payload = 0..nand.geometry().page_bytes as usize;
    flip_within(nand, page, payload, 200, &mut SplitMix64::new(1));
}

/// Mounts a disk on which a page of the journal cannot be read: no old data may come back, then or later. False where the mount says why it cannot.
fn goes_on_without_a_journal_page(rig: &mut Rig, model: &mut Model, what: &str) -> bool {
    eprintln!("{what}");
    let mut disk = match rig.mount() {
        Ok(disk) => disk,
        // A record page whose group has no parity page yet cannot be rebuilt: that is said, no old data comes back. A map page of which is not known which it is leaves
        // the deltas that it covers.
        Err(MountError::Damaged | MountError::Memory { .. }) => return false,
        Err(error) => panic!("{what}: {error}"),
    };
    tally(&mut disk, model, Legal::CurrentOrRefused, what);
    let mut random = SplitMix64::new(1);
    overwrite(&mut disk, model, &mut random, 150).unwrap_or_else(|error| panic!("{what}: {error}"));
    tally(&mut disk, model, Legal::CurrentOrRefused, what);
    true
}

#[test]
fn an_unreadable_page_of_the_journal_brings_no_old_data_back() {
    within(200, "unreadable journal pages", || {
        for chip in CHIPS {
            for budget in [Budget::Full, Budget::Minimum] {
                let (ended, model) = full(chip, 37, budget);
                let mut cut = (ended.clone(), model.clone());
                {
                    let mut disk = cut.0.mount().expect("a volume");
                    overwrite(&mut disk, &mut cut.1, &mut SplitMix64::new(37), 150).expect("room");
                }
                cut.0.nand.power_cycle();
                for (mut rig, model, end) in [(ended, model, "ended"), (cut.0, cut.1, "cut")] {
                    for page in journal_pages(&mut rig) {
                        for unreadable in [destroy, destroy_payload] {
                            let (mut rig, mut model) = (rig.clone(), model.clone());
                            unreadable(&mut rig.nand, page);
                            let what = format!("{chip} {budget:?} {end}, {page:?} of the journal");
                            goes_on_without_a_journal_page(&mut rig, &mut model, &what);
                        }
                    }
                }
            }
        }
    });
}

/// Makes a page read as if it had not been programmed, until its block is erased.
fn blank(nand: &mut EmulatedNand, page: PageAddress) {
    let raw = vec![0xFF; nand.geometry().raw_page_bytes() as usize];
    overwrite_page(nand, page, raw);
}

/// But for the last page of its block, behind which nothing tells that it was there.
#[test]
fn a_page_of_the_journal_that_reads_as_erased_brings_no_old_data_back() {
    within(200, "erased journal pages", || {
        for chip in CHIPS {
            let (mut rig, mut model) = full(chip, 37, Budget::Full);
            let mut disk = rig.mount().expect("a volume");
            overwrite(&mut disk, &mut model, &mut SplitMix64::new(37), 150).expect("room");
            drop(disk);
            rig.nand.power_cycle();
            let mut blanks = 0;
            for page in journal_pages(&mut rig) {
                let next = page.page.0 + 1;
                let geometry = rig.nand.geometry();
                if next == geometry.pages_per_block
                    || !programmed_pages(&rig.nand).contains(&page.block.page(next))
                {
                    continue;
                }
                let (mut rig, mut model) = (rig.clone(), model.clone());
                blank(&mut rig.nand, page);
                let what = format!("{chip}, {page:?} of the journal reads as erased");
                goes_on_without_a_journal_page(&mut rig, &mut model, &what);
                blanks += 1;
            }
            assert!(blanks > 0, "{chip}");
        }
    });
}

/// Sessions of many lengths: some end with a record page whose group is complete.
#[test]
fn a_record_page_that_its_group_makes_again_counts_like_one_that_was_read() {
    within(200, "record pages made again", || {
        let mut made = 0;
        for chip in ["tiny", "tiny2"] {
            let (mut rig, mut model) = full(chip, 39, Budget::Full);
            let mut random = SplitMix64::new(39);
            for session in 0..40 {
                let mut disk = rig.mount().expect("a volume");
                overwrite(&mut disk, &mut model, &mut random, 8 * session).expect("room");
                disk.unmount().map_err(|(_, error)| error).expect("an end");
                for page in journal_pages(&mut rig) {
                    let (mut rig, mut model) = (rig.clone(), model.clone());
                    destroy_payload(&mut rig.nand, page);
                    let what = format!("{chip}, session {session}, {page:?} of the journal");
                    made += u32::from(goes_on_without_a_journal_page(&mut rig, &mut model, &what));
                }
            }
        }
        assert!(made > 0);
    });
}

#[test]
fn pages_behind_a_parity_page_are_rebuilt_in_full() {
    within(200, "parity", || {
        let mut rebuilt = 0;
        let mut lost = 0;
        for chip in CHIPS {
            let (mut rig, model) = full(chip, 38, Budget::Minimum);
            for page in journal_pages(&mut rig) {
                let mut rig = rig.clone();
                destroy(&mut rig.nand, page);
                let Ok(mut disk) = rig.mount() else { continue };
                let found = tally(&mut disk, &model, Legal::CurrentOrRefused, chip);
                if found.refused == 0 {
                    rebuilt += 1;
                } else {
                    lost += 1;
                }
            }
        }
        assert!(rebuilt > lost, "{rebuilt} pages rebuilt, {lost} lost");
    });
}

#[test]
fn lost_and_misdirected_writes_are_never_returned_as_data() {
    within(200, "lost writes", || {
        for chip in CHIPS {
            let (rig, model) = full(chip, 40, Budget::Full);
            for index in 0..40 {
                for misdirected in [false, true] {
                    let mut rig = rig.clone();
                    let mut model = model.clone();
                    rig.nand.set_strict(false);
                    let far = rig.nand.geometry().blocks() - 1;
                    let to = block_of(&rig.nand, far).page(0);
                    let fault = if misdirected {
                        Fault::MisdirectedWrite(to)
                    } else {
                        Fault::LostWrite
                    };
                    rig.nand.faults().once(Trigger::Nth(index), fault);
                    let what = format!("{chip}, {fault:?} at {index}");
                    let mut disk = rig.mount().expect("a volume");
                    let mut random = SplitMix64::new(40);
                    let end = overwrite(&mut disk, &mut model, &mut random, 60);
                    assert!(end.is_ok(), "{what}: {end:?}");
                    tally(&mut disk, &model, Legal::CurrentOrRefused, &what);
                }
            }
        }
    });
}

#[test]
fn stale_and_wrong_reads_are_never_returned_as_data() {
    within(200, "wrong reads", || {
        for chip in CHIPS {
            let (rig, model) = full(chip, 41, Budget::Minimum);
            let other = programmed_pages(&rig.nand)[7];
            for fault in [
                Fault::StaleRead,
                Fault::WrongPageRead(other),
                Fault::Uncorrectable,
            ] {
                let mut rig = rig.clone();
                let mut model = model.clone();
                let mut disk = rig.mount().expect("a volume");
                disk.volume_mut()
                    .nand_mut()
                    .faults()
                    .every(Trigger::OneIn(20), fault);
                let what = format!("{chip}, one read in 20 is a {fault:?}");
                tally(&mut disk, &model, Legal::CurrentOrRefused, &what);
                let mut random = SplitMix64::new(41);
                overwrite(&mut disk, &mut model, &mut random, 300)
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                tally(&mut disk, &model, Legal::CurrentOrRefused, &what);
            }
        }
    });
}

/// A page that holds nothing.
fn blank_page(nand: &EmulatedNand) -> PageAddress {
    let geometry = *nand.geometry();
    (0..geometry.blocks())
        .flat_map(|block| (0..geometry.pages_per_block).map(move |page| (block, page)))
        .map(|(block, page)| block_of(nand, block).page(page))
        .find(|&page| nand.true_bytes(page).iter().all(|&byte| byte == 0xFF))
        .expect("a page that was not programmed")
}

#[test]
fn pages_that_read_as_erased_once_in_a_while_lose_nothing_to_the_groomer() {
    within(200, "blank reads", || {
        for chip in CHIPS {
            for seed in 43..47 {
                let (mut rig, mut model) = full(chip, seed, Budget::Full);
                let blank = Fault::WrongPageRead(blank_page(&rig.nand));
                let mut disk = rig.mount().expect("a volume");
                let mut random = SplitMix64::new(seed);
                overwrite(&mut disk, &mut model, &mut random, 1).expect("room");
                let faults = disk.volume_mut().nand_mut().faults();
                faults.every(Trigger::OneIn(40), blank);
                overwrite(&mut disk, &mut model, &mut random, 400).expect("room");
                disk.volume_mut().nand_mut().faults().clear();
                verdict::agrees(&mut disk, &model, chip);
                verdict::verifies(&mut disk, chip);
            }
        }
    });
}

#[test]
fn an_erase_that_fails_silently_never_yields_wrong_data() {
    within(200, "silent erase failures", || {
        for chip in CHIPS {
            let (rig, model) = full(chip, 42, Budget::Full);
            for index in 0..24 {
                let mut rig = rig.clone();
                let mut model = model.clone();
                rig.nand.set_strict(false);
                rig.nand
                    .faults()
                    .once(Trigger::Nth(index), Fault::SilentEraseFailure);
                let what = format!("{chip}, erase {index} does nothing");
                let mut disk = rig.mount().expect("a volume");
                let mut random = SplitMix64::new(42);
                overwrite(&mut disk, &mut model, &mut random, 200)
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                tally(&mut disk, &model, Legal::CurrentOrRefused, &what);
            }
        }
    });
}
