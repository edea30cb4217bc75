//! A cut tears what all dies are programming: a page behind such ones, in the order of the segment, may have been finished and acknowledged.

use cuesta::volume::{Budget, StreamId, WriteOptions};
use cuesta_hal::PageAddress;
use cuesta_sim::campaign::aged::Making;
use cuesta_sim::campaign::damage::{flip_bits, programmed_pages};
use cuesta_sim::campaign::model::{fill, Model};
use cuesta_sim::campaign::oracle::{read, write_with, Reading};
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::SplitMix64;

/// Segments on four dies: each page of a row is on another one.
const WIDE: Making = Making {
    width: Some(4),
    blocks_per_die: Some(24),
    ..Making::of("tiny4", Budget::Full)
};
const DIES: u32 = 4;

/// All of them side by side.
const STREAM: WriteOptions = WriteOptions {
    level: cuesta::volume::LevelIndex(0),
    stream: Some(StreamId(0)),
};

/// The page that holds the current version of a sector.
fn page_of(rig: &Rig, model: &Model, sector: u32) -> PageAddress {
    let mut version = vec![0; rig.parameters.sector_bytes as usize];
    fill(sector, model.current(sector), &mut version);
    let mut pages = programmed_pages(&rig.nand).into_iter();
    let holds = |page: &PageAddress| rig.nand.true_bytes(*page).starts_with(&version);
    pages.find(holds).expect("it was written")
}

/// Segment and offset.
fn place_of(page: PageAddress) -> (u32, u32) {
    let offset = u32::from(page.page.0) * DIES + u32::from(page.block.die.0);
    (page.block.block.0, offset)
}

#[test]
fn torn_pages_in_a_row_hide_no_page_behind_them() {
    let mut tried = [0; DIES as usize];
    for torn in 1..DIES {
        for count in 8..48 {
            let mut rig = WIDE.make(1);
            let mut model = Model::new();
            {
                let mut disk = rig.mount().expect("a formatted part");
                for sector in 0..count {
                    write_with(&mut disk, &mut model, sector, STREAM).expect("room");
                }
            }
            rig.nand.power_cycle();
            let last = (count - 1 - torn..count).map(|sector| page_of(&rig, &model, sector));
            let last: Vec<PageAddress> = last.collect();
            let in_a_row = |two: &[PageAddress]| {
                let (segment, offset) = place_of(two[0]);
                place_of(two[1]) == (segment, offset + 1)
            };
            if !last.windows(2).all(in_a_row) {
                continue;
            }
            let bits = rig.nand.true_bytes(last[0]).len() as u32 / 2;
            for &page in &last[..torn as usize] {
                flip_bits(&mut rig.nand, page, bits, &mut SplitMix64::new(1));
            }
            let what = format!("{torn} torn pages before the last of {count}");
            let mut disk = rig.mount().expect("a volume");
            for sector in (0..count - 1 - torn).chain([count - 1]) {
                let found = read(&mut disk, &model, sector, &what);
                assert_eq!(found, Reading::Current, "{what}: sector {sector}");
            }
            tried[torn as usize] += 1;
        }
    }
    assert!(tried[1..].iter().all(|&tried| tried > 10), "{tried:?}");
}
