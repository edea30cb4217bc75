//! Parts whose own error correction is on: what it leaves of the spare holds a header, what it repairs nobody sees, and what it says is not relied on.

use cuesta::codec::{Ecc, LayoutError, PageLayout};
use cuesta::volume::{Budget, Error, FormatOptions, Sector};
use cuesta_hal::{ChipEcc, Die, EccNeed, Geometry, Nand, PageAddress, SpareRuns};
use cuesta_sim::campaign::aftermath::lives;
use cuesta_sim::campaign::aged::Making;
use cuesta_sim::campaign::damage::programmed_pages;
use cuesta_sim::campaign::model::fill;
use cuesta_sim::campaign::oracle::within;
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::{chip, chips, EmulatedNand, Fault, Trigger};

/// A chip of the table with its own error correction on.
fn with_ecc_on(name: &str) -> Geometry {
    let mut geometry = chip(name).expect("a chip of the table").geometry;
    let ecc = geometry.chip_ecc.as_mut().expect("a part that has one");
    ecc.enabled = true;
    geometry
}

/// The part with another need and, for each of its codewords, so many free bytes of the spare.
fn changed(bits: u8, free: u16) -> Geometry {
    let part = with_ecc_on("w25n01gv");
    let free = SpareRuns {
        first: 2,
        len: free,
        stride: free,
    };
    Geometry {
        spare_bytes: 256,
        ecc_need: EccNeed {
            bits,
            per_bytes: 512,
        },
        chip_ecc: part.chip_ecc.map(|ecc| ChipEcc {
            strength: bits,
            free,
            protected: free,
            owned: SpareRuns::NONE,
            ..ecc
        }),
        ..part
    }
}

#[test]
fn a_header_takes_what_the_part_leaves_free_to_the_last_byte() {
    let geometry = with_ecc_on("w25n01gv");
    let layout = PageLayout::new(&geometry, 2048).expect("a layout");
    assert_eq!(PageLayout::required(&geometry), Ok(Ecc::Crc));
    assert_eq!((layout.ecc(), layout.sectors()), (Ecc::Crc, 1));
    assert!(layout.has_packed_header());
    assert_eq!(layout.header_unit(), 22 + 2);
    let places: Vec<u32> = layout
        .pieces(layout.header_at(), layout.header_unit())
        .flatten()
        .collect();
    let free: Vec<u32> = (0..64).filter(|at| (2..8).contains(&(at % 16))).collect();
    let expected: Vec<u32> = free.iter().map(|at| 2048 + at).collect();
    assert_eq!(places, expected);
}

#[test]
fn where_more_is_free_the_header_is_whole_and_the_spare_is_shared_as_ever() {
    // Free bytes of each codeword, and the code of metadata: the header has 27 bytes and its parity 7, a sector's parity 4 · 7 or 4 · 13.
    for (free, packed, metadata) in [
        (6, true, Ecc::Crc),
        (8, true, Ecc::Crc),
        (9, false, Ecc::Crc),
        (15, false, Ecc::Crc),
        (16, false, Ecc::Bch4),
        (23, false, Ecc::Bch8),
    ] {
        let layout = PageLayout::new(&changed(1, free), 2048).expect("a layout");
        assert_eq!(layout.has_packed_header(), packed, "{free}");
        assert_eq!(layout.ecc(), metadata, "{free}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_the_sum() {
    let layout = PageLayout::new(&with_ecc_on("w25n01gv"), 2048).expect("a layout");
    for (ecc, parity) in [(Ecc::Secded, 8), (Ecc::Bch4, 28), (Ecc::Bch8, 52)] {
        let refused = layout.with(ecc).expect_err("no room");
        let expected = LayoutError::Free {
            ecc,
            header: 24,
            parity,
            sectors: 1,
            available: 24,
        };
        assert_eq!(refused, expected);
        let sum = format!("needs {} spare bytes", 24 + parity);
        assert!(refused.to_string().contains(&sum), "{refused}");
    }
    let short = PageLayout::new(&changed(1, 5), 2048).expect_err("20 bytes");
    assert!(short.to_string().ends_with("leaves 20"), "{short}");
    // One repaired bit is too few for a header in bytes that the part need not protect.
    let weak = PageLayout::new(&changed(4, 6), 2048).expect_err("24 bytes");
    assert!(
        matches!(weak, LayoutError::Free { header: 34, .. }),
        "{weak}"
    );
    let many = Geometry {
        dies: 9,
        ..changed(1, 6)
    };
    let refused = PageLayout::new(&many, 2048).expect_err("nine dies");
    assert!(matches!(refused, LayoutError::Packed { dies: 9, .. }));
    let unknown = PageLayout::new(&changed(1, 0), 2048);
    assert_eq!(unknown, Err(LayoutError::ChipEcc));
}

#[test]
fn every_chip_with_an_ecc_of_its_own_can_be_used_with_it() {
    for (name, packed, header_ecc) in [
        ("w25n01gv", true, Ecc::Secded),
        ("w25n01jw", true, Ecc::Secded),
        ("w25n01kv", false, Ecc::Bch4),
        ("w25n02kv", false, Ecc::Bch8),
        ("gd5f1gq4xe", false, Ecc::Bch8),
        ("gd5f1gq4uf", false, Ecc::Bch8),
        ("gd5f1gq5", false, Ecc::Bch4),
        ("mt29f1g01", false, Ecc::Bch8),
        ("mt29f2g01", false, Ecc::Bch8),
        ("mx35lf1ge4ab", false, Ecc::Bch4),
        ("mx35lf2ge4ab", false, Ecc::Bch4),
        ("tc58cvg0s3", false, Ecc::Bch8),
        ("tc58cvg1s3", false, Ecc::Bch8),
    ] {
        let layout = PageLayout::new(&with_ecc_on(name), 2048).expect(name);
        assert_eq!(layout.ecc(), Ecc::Crc, "{name}");
        assert_eq!(layout.has_packed_header(), packed, "{name}");
        assert_eq!(layout.header_ecc(), header_ecc, "{name}");
    }
    // A header needs a code of 8 bits there, and 24 bytes have no room for it.
    let short = PageLayout::new(&with_ecc_on("gd5f1gq4xa"), 2048);
    assert!(matches!(short, Err(LayoutError::Free { .. })), "{short:?}");
    let known = chips().iter().filter(|chip| {
        let ecc = chip.geometry.chip_ecc;
        ecc.is_some_and(|ecc| ecc.free != SpareRuns::NONE)
    });
    assert_eq!(known.count(), 14);
}

#[test]
fn a_part_that_repairs_less_than_its_data_sheet_asks_for_gets_a_code_as_well() {
    let strong = changed(4, 16);
    let weak = Geometry {
        chip_ecc: strong.chip_ecc.map(|ecc| ChipEcc { strength: 1, ..ecc }),
        ..strong
    };
    assert_eq!(PageLayout::required(&strong), Ok(Ecc::Crc));
    assert_eq!(PageLayout::required(&weak), Ok(Ecc::Bch4));
    let layout = PageLayout::new(&weak, 2048).expect("27 + 7 + 28 of 64 bytes");
    assert_eq!(layout.ecc(), Ecc::Bch4);
}

const fn multi(budget: Budget) -> Making {
    Making {
        page_bytes: Some(8192),
        depth: 5,
        ..Making::of("tiny-multi", budget).with_chip_ecc()
    }
}

/// One die and several, packed headers and whole ones, parities in pieces of the spare and in the place of sectors.
const MAKINGS: [Making; 6] = [
    Making::of("tiny", Budget::Full).with_chip_ecc(),
    Making::of("tiny", Budget::Minimum)
        .with_chip_ecc()
        .with_levels(72, &["plain", "safe=mirror=2"]),
    Making::of("tiny4", Budget::Minimum)
        .with_chip_ecc()
        .with_levels(24, &["a=crc", "b=mirror=2"]),
    Making::of("tiny4", Budget::Full)
        .with_chip_ecc()
        .with_levels(40, &["a=parity=3"]),
    multi(Budget::Full).with_levels(24, &["a=secded", "b=mirror=2"]),
    multi(Budget::Minimum).with_levels(20, &["a", "b=bch4"]),
];

#[test]
fn disks_live_and_are_recovered() {
    within(300, "lives with the part's own error correction", || {
        // Far fewer than the part repairs: two in one codeword are not to be expected.
        lives(&MAKINGS, 2, 9, |nand| {
            nand.faults().bit_error_rate(1e-7);
        });
    });
}

/// Sectors that [`filled`] writes.
const SECTORS: u32 = 96;

/// A W25N01GV with its own error correction on, and some sectors.
fn filled() -> Rig {
    filled_of("w25n01gv")
}

/// A part with its own error correction on, and some sectors.
fn filled_of(name: &str) -> Rig {
    let builder = EmulatedNand::builder(name)
        .expect("a chip of the table")
        .chip_ecc(true)
        .seed(3)
        .strict(true);
    let mut rig = Rig::new(builder, &FormatOptions::default(), Budget::Full);
    let mut disk = rig.mount().expect("a formatted part");
    for sector in 0..SECTORS {
        disk.write(Sector(sector), &content(sector)).expect("room");
    }
    disk.unmount().map_err(|(_, error)| error).expect("an end");
    rig
}

fn content(sector: u32) -> Vec<u8> {
    let mut data = vec![0; 2048];
    fill(sector, 1, &mut data);
    data
}

/// The page of a sector of a [`filled`] part.
fn page_of(rig: &Rig, sector: u32) -> PageAddress {
    let expected = content(sector);
    let mut pages = programmed_pages(&rig.nand).into_iter();
    pages
        .find(|&page| rig.nand.true_bytes(page).starts_with(&expected))
        .expect("the sector was programmed")
}

/// Mounts and reads all sectors; those that are lost. Nothing may be wrong.
fn lost(rig: &mut Rig) -> Vec<u32> {
    let mut disk = rig.mount().expect("a part that can be read");
    let mut found = vec![0; 2048];
    let mut lost = Vec::new();
    for sector in 0..SECTORS {
        match disk.read(Sector(sector), &mut found) {
            Ok(true) => assert!(found == content(sector), "sector {sector}"),
            Err(Error::Lost(_)) => lost.push(sector),
            other => panic!("sector {sector}: {other:?}"),
        }
    }
    lost
}

#[test]
fn what_the_part_repairs_nobody_sees_and_what_it_does_not_protect_the_header_repairs() {
    within(100, "wrong bits", || {
        let mut rig = filled();
        let pages = programmed_pages(&rig.nand);
        for (seed, &page) in (0..).zip(&pages) {
            for word in 0..4 {
                // Of the sector, of the header, or of the part's own code.
                let section = 2048 + 16 * word;
                let bytes = match (seed + u64::from(word)) % 3 {
                    0 => 512 * word..512 * (word + 1),
                    1 => section + 4..section + 8,
                    _ => section + 8..section + 16,
                };
                rig.nand.flip_bits(page, bytes, 1, seed);
            }
            // In two of the bytes that the part does not protect.
            let unprotected = 2048 + 16 * (seed % 4) as u32 + 2;
            rig.nand
                .flip_bits(page, unprotected..unprotected + 2, 1, seed);
        }
        assert_eq!(lost(&mut rig), []);
    });
}

#[test]
fn stronger_parts_repair_what_their_data_sheets_ask_for_and_so_does_the_header() {
    within(100, "many wrong bits", || {
        // Of the other one the part protects a share of the header, whose bits count among those of the codewords.
        for name in ["w25n02kv", "gd5f1gq5", "tc58cvg0s3"] {
            let mut rig = filled_of(name);
            let geometry = *rig.nand.geometry();
            let bits = geometry.ecc_need.bits.into();
            let layout = PageLayout::new(&geometry, 2048).expect("a layout");
            let header = layout.header_columns();
            let header = header.spare_start..header.spare_start + header.spare_len;
            for (seed, page) in (0..).zip(programmed_pages(&rig.nand)) {
                for word in 0..4 {
                    let bytes = 512 * word..512 * (word + 1);
                    rig.nand.flip_bits(page, bytes, bits, seed);
                }
                rig.nand.flip_bits(page, header.clone(), bits, seed);
            }
            assert_eq!(lost(&mut rig), [], "{name}");
        }
    });
}

#[test]
fn more_than_the_part_repairs_is_an_error_whatever_the_part_says() {
    within(100, "more wrong bits", || {
        let rig = filled();
        let page = page_of(&rig, 7);
        // A sector's codeword, its share of the header, and the bytes that only the header's own code protects.
        for (bytes, count) in [(512..1024, 2), (512..1024, 9), (2048 + 2..2048 + 4, 2)] {
            for says_clean in [false, true] {
                let mut rig = rig.clone();
                rig.nand.flip_bits(page, bytes.clone(), count, 1);
                if says_clean {
                    rig.nand
                        .faults()
                        .every(Trigger::Page(page), Fault::FalseClean);
                }
                assert_eq!(lost(&mut rig), [7], "{bytes:?}, {count}, {says_clean}");
            }
        }
        // Another codeword in place of the right one.
        let mut rig = rig.clone();
        let miscorrected = Fault::Miscorrected;
        rig.nand.faults().every(Trigger::Page(page), miscorrected);
        assert_eq!(lost(&mut rig), [7]);
        rig.nand.faults().clear();
        // Once is no loss: what is wrong is read again.
        rig.nand.faults().once(Trigger::Page(page), miscorrected);
        assert_eq!(lost(&mut rig), []);
    });
}

#[test]
fn a_part_that_gives_up_without_reason_is_not_believed() {
    within(100, "false alarms", || {
        let rig = filled();
        for fault in [Fault::FalseUncorrectable, Fault::FalseCorrected] {
            let mut rig = rig.clone();
            rig.nand.faults().every(Trigger::Always, fault);
            assert_eq!(lost(&mut rig), [], "{fault:?}");
            let mut disk = rig.mount().expect("a part that can be read");
            disk.write(Sector(1), &content(1)).expect("room");
        }
    });
}

#[test]
fn the_check_tells_a_page_of_another_place_and_an_older_one() {
    within(100, "misplaced pages", || {
        let rig = filled();
        let (page, other) = (page_of(&rig, 7), page_of(&rig, 8));
        for fault in [Fault::WrongPageRead(other), Fault::StaleRead] {
            let mut rig = rig.clone();
            rig.nand.faults().every(Trigger::Page(page), fault);
            assert_eq!(lost(&mut rig), [7], "{fault:?}");
        }
    });
}

#[test]
fn nothing_is_programmed_but_what_the_part_leaves_free() {
    let rig = filled();
    let layout = PageLayout::new(rig.nand.geometry(), 2048).expect("a layout");
    for page in programmed_pages(&rig.nand) {
        let raw = rig.nand.true_bytes(page);
        let header: Vec<u8> = layout
            .pieces(layout.header_at(), layout.header_unit())
            .flat_map(|piece| raw[piece.start as usize..piece.end as usize].to_vec())
            .collect();
        assert!(header.iter().any(|&byte| byte != 0xFF), "{page:?}");
        for section in raw[2048..].chunks(16) {
            assert_eq!(section[..2], [0xFF; 2], "{page:?}");
            assert_ne!(section[8..], [0xFF; 8], "{page:?}");
        }
    }
}

#[test]
fn what_a_lost_die_held_follows_from_packed_headers_too() {
    within(100, "a lost die", || {
        for cleanly in [true, false] {
            let making = Making::of("tiny4", Budget::Full)
                .with_chip_ecc()
                .with_levels(40, &["a=parity=3"]);
            let mut rig = making.make(5);
            let mut disk = rig.mount().expect("a formatted part");
            for sector in 0..SECTORS {
                disk.write(Sector(sector), &content(sector)).expect("room");
            }
            disk.flush().expect("room");
            if cleanly {
                disk.unmount().map_err(|(_, error)| error).expect("an end");
            } else {
                drop(disk);
            }
            rig.nand.power_cycle();
            rig.nand.lose_die(Die(2));
            assert_eq!(lost(&mut rig), [], "cleanly: {cleanly}");
        }
    });
}
