//! The log as hosts and the part see it: nothing is overwritten in place, a trim costs no erase, and what is programmed was erased before.

use std::collections::BTreeMap;

use cuesta::volume::{Budget, Sector};
use cuesta_hal::PageAddress;
use cuesta_sim::campaign::damage::programmed_pages;
use cuesta_sim::campaign::rig::{Rig, RigDisk};
use cuesta_sim::{EmulatedNand, SplitMix64};

fn fill(disk: &RigDisk<'_>, version: u32) -> Vec<u8> {
    let word = version.to_le_bytes();
    let bytes = disk.volume().sector_bytes();
    word.iter().copied().cycle().take(bytes).collect()
}

/// What every programmed page of the part holds.
fn pages(nand: &EmulatedNand) -> BTreeMap<PageAddress, Vec<u8>> {
    let pages = programmed_pages(nand).into_iter();
    pages.map(|page| (page, nand.true_bytes(page))).collect()
}

#[test]
fn m24_an_overwrite_leaves_the_old_copy_as_it_was_until_its_block_is_erased() {
    let mut rig = Rig::of("tiny4", 24, Budget::Full);
    let mut disk = rig.mount().expect("a sound part");
    let mut before = pages(disk.volume().nand());
    let mut erases = disk.volume().nand().counters().erases;
    let (mut kept, mut erased) = (0, 0);
    for version in 1..600 {
        let data = fill(&disk, version);
        disk.write(Sector(version % 20), &data).expect("room");
        let now = pages(disk.volume().nand());
        let erases_now = disk.volume().nand().counters().erases;
        let changed: Vec<_> = before
            .iter()
            .filter(|(page, bytes)| now.get(page) != Some(bytes))
            .map(|(page, _)| page.block)
            .collect();
        if erases_now == erases {
            assert!(changed.is_empty(), "version {version}: {changed:?}");
            assert!(now.len() > before.len(), "it is programmed elsewhere");
            kept += 1;
        } else {
            // Of a block that was erased, no page is what it was.
            for block in changed {
                let same = |(page, bytes): (&PageAddress, &Vec<u8>)| {
                    page.block == block && now.get(page) == Some(bytes)
                };
                assert!(!before.iter().any(same), "version {version}: {block:?}");
                erased += 1;
            }
        }
        (before, erases) = (now, erases_now);
    }
    assert!(kept > 400 && erased > 0, "{kept} writes, {erased} pages");
}

#[test]
fn m25_a_trim_erases_nothing_reads_as_unwritten_and_survives_a_restart() {
    let mut rig = Rig::of("tiny4", 25, Budget::Full);
    for cleanly in [false, true] {
        let mut disk = rig.mount().expect("a sound part");
        let data = fill(&disk, 7);
        for sector in 0..40 {
            disk.write(Sector(sector), &data).expect("room");
        }
        disk.flush().expect("a flush");
        let erases = disk.volume().nand().counters().erases;
        disk.trim(Sector(5), 30).expect("a trim");
        disk.flush().expect("a flush");
        assert_eq!(disk.volume().nand().counters().erases, erases);
        let mut found = vec![0; data.len()];
        let check = |disk: &mut RigDisk<'_>, found: &mut Vec<u8>| {
            for sector in 0..40 {
                let written = disk.read(Sector(sector), found).expect("a read");
                assert_eq!(written, !(5..35).contains(&sector), "sector {sector}");
                let expected = if written { 7 } else { 0 };
                assert!(*found == fill(disk, expected), "sector {sector}");
            }
        };
        check(&mut disk, &mut found);
        if cleanly {
            disk.unmount().map_err(|(_, error)| error).expect("an end");
        } else {
            drop(disk);
        }
        rig.nand.power_cycle();
        let mut disk = rig.mount().expect("a sound part");
        check(&mut disk, &mut found);
    }
}

#[test]
fn m28_the_next_place_is_found_again_after_every_restart_and_was_erased_before() {
    // The part refuses to program what is not erased, out of order, or behind what a cut has torn.
    let mut rig = Rig::of("tiny4", 28, Budget::Full);
    let mut random = SplitMix64::new(28);
    let mut version = 0;
    for session in 0..40 {
        let mut disk = rig.mount().expect("a sound part");
        let before = disk.volume().nand().counters().programs;
        let writes = 1 + random.below(30);
        for _ in 0..writes {
            version += 1;
            let data = fill(&disk, version);
            disk.write(Sector(random.below(60) as u32), &data)
                .expect("room");
        }
        let programs = disk.volume().nand().counters().programs - before;
        assert!(
            programs >= writes,
            "session {session}: {programs} of {writes}"
        );
        if random.chance(1, 2) {
            disk.unmount().map_err(|(_, error)| error).expect("an end");
        } else {
            drop(disk);
            rig.nand.power_cycle();
        }
    }
}
