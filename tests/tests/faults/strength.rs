//! A part is protected by the code that its data sheet asks for: that many wrong bits are repaired, more are an error.

use cuesta::codec::{CodesFn, Ecc, LayoutError, PageLayout};
use cuesta::volume::{
    default_sector_bytes, Budget, Error, FormatOptions, Level, LevelIndex, Parameters, Sector,
};
use cuesta_hal::{EccNeed, Geometry, Nand, Pairing};
use cuesta_sim::campaign::damage::{flip_within, programmed_pages};
use cuesta_sim::campaign::model::fill;
use cuesta_sim::campaign::oracle::within;
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::{chip, chips, EmulatedNand, SplitMix64};

/// Bytes of a code's stretch and bits it repairs there, by the name of the code.
const REPAIRS: [(&str, u32, u32); 6] = [
    ("bch4", 512, 4),
    ("bch8", 512, 8),
    ("bch16", 512, 16),
    ("bch24", 512, 24),
    ("bch40", 1024, 40),
    ("bch64", 1024, 64),
];

fn repairs(layout: &PageLayout) -> (u32, u32) {
    let name = layout.ecc().name();
    let found = REPAIRS.iter().find(|(code, ..)| *code == name);
    let (_, stretch, bits) = found.expect("a code of pages");
    (*stretch, *bits)
}

#[test]
fn every_part_gets_a_code_that_repairs_what_its_data_sheet_asks_for() {
    for chip in chips() {
        let geometry = &chip.geometry;
        // Parts with paired pages are refused, whatever their code.
        if geometry.pairing != Pairing::None {
            continue;
        }
        let layout = PageLayout::new(geometry, default_sector_bytes(geometry));
        // The spare is too short for a code of 8 bits.
        if chip.name == "gd5f1gq4xa" {
            assert!(
                matches!(layout, Err(LayoutError::Spare { .. })),
                "{layout:?}"
            );
            continue;
        }
        let Ok(metadata) = layout else {
            panic!("{}: {}", chip.name, layout.unwrap_err());
        };
        let data = metadata
            .with(PageLayout::required(geometry).expect("a code"))
            .expect("the weaker one fits where the stronger does");
        for layout in [data, metadata] {
            let (stretch, bits) = repairs(&layout);
            let need = geometry.ecc_need;
            let stretches = u32::from(need.per_bytes).div_ceil(stretch);
            assert!(stretches * bits >= u32::from(need.bits), "{}", chip.name);
        }
    }
}

/// The geometry of a chip with another spare and another need.
fn changed(name: &str, spare_bytes: u16, bits: u8, per_bytes: u16) -> Geometry {
    Geometry {
        spare_bytes,
        ecc_need: EccNeed { bits, per_bytes },
        ..chip(name).expect("a chip of the table").geometry
    }
}

#[test]
fn what_fits_into_the_spare_is_what_the_sum_says() {
    // Marker 2, header 27 and its parity, and the parities of the payload.
    for (spare, bits, per_bytes, code, needed) in [
        (64, 1, 512, "bch4", 2 + 27 + 7 + 4 * 7),
        (128, 8, 512, "bch8", 2 + 27 + 13 + 4 * 13),
        (192, 12, 512, "bch16", 2 + 27 + 13 + 4 * 26),
        (224, 24, 512, "bch24", 2 + 27 + 39 + 4 * 39),
        (224, 40, 1024, "bch40", 2 + 27 + 39 + 2 * 70),
        (320, 60, 1024, "bch64", 2 + 27 + 39 + 2 * 112),
    ] {
        let geometry = changed("w25n01gv", spare, bits, per_bytes);
        assert!(PageLayout::new(&geometry, 2048).is_ok(), "{code}");
        let required = PageLayout::required(&geometry).expect("a code");
        assert_eq!(required.name(), code);
        let least = changed("w25n01gv", needed as u16, bits, per_bytes);
        assert!(PageLayout::new(&least, 2048).is_ok(), "{code}");
        let short = changed("w25n01gv", needed as u16 - 1, bits, per_bytes);
        let error = PageLayout::new(&short, 2048).expect_err("one byte too few");
        let LayoutError::Spare {
            marker,
            header,
            parity,
            sectors,
            available,
            ..
        } = error
        else {
            panic!("{error}");
        };
        let sum = marker + header + parity * sectors;
        assert_eq!((sum, available), (needed, needed - 1), "{code}");
        assert!(error.to_string().contains(code), "{error}");
    }
    let geometry = changed("w25n01gv", 1024, 100, 512);
    let error = PageLayout::new(&geometry, 2048).expect_err("no such code");
    assert!(matches!(error, LayoutError::Strength { bits: 100, .. }));
    assert!(Parameters::choose(&geometry, &FormatOptions::default()).is_err());
}

#[test]
fn the_spare_of_usual_parts_has_room_for_the_codes_that_the_design_names() {
    for (page_bytes, spare, sector_bytes, fits, does_not) in [
        (2048, 64, 2048, "bch4", "bch8"),
        (2048, 128, 2048, "bch8", "bch16"),
        (4096, 256, 4096, "bch16", "bch24"),
        (16_384, 1952, 4096, "bch64", ""),
    ] {
        let geometry = Geometry {
            page_bytes,
            ..changed("w25n01gv", spare, 1, 512)
        };
        let metadata = PageLayout::new(&geometry, sector_bytes).expect("a layout");
        assert_eq!(metadata.ecc().name(), fits, "{page_bytes} + {spare}");
        assert_eq!(metadata.sectors(), page_bytes / sector_bytes);
        if let Some(ecc) = Ecc::from_name(does_not) {
            let refused = metadata.with(ecc);
            assert!(
                matches!(refused, Err(LayoutError::Spare { .. })),
                "{does_not}"
            );
        }
    }
}

#[test]
fn as_many_wrong_bits_as_the_code_repairs_are_repaired_everywhere_and_more_are_an_error() {
    within(200, "wrong bits", || {
        for name in ["w25n01gv", "w25n02kv", "ssd-tlc"] {
            let mut rig = Rig::of(name, 3, Budget::Full);
            let sectors = 96;
            let mut disk = rig.mount().expect("a formatted part");
            let level = disk.volume().level(LevelIndex(0)).expect("a level");
            let layout = disk.volume().shape().layout.with(level.ecc);
            let layout = layout.expect("the level's code fits");
            let mut data = vec![0; disk.volume().sector_bytes()];
            for sector in 0..sectors {
                fill(sector, 1, &mut data);
                disk.write(Sector(sector), &data).expect("room");
            }
            disk.unmount().map_err(|(_, error)| error).expect("an end");
            let (stretch, bits) = repairs(&layout);
            let mut random = SplitMix64::new(3);
            let pages = programmed_pages(&rig.nand);
            let stretches = rig.nand.geometry().page_bytes / stretch;
            for &page in &pages {
                for index in 0..stretches {
                    let at = (index * stretch) as usize;
                    flip_within(
                        &mut rig.nand,
                        page,
                        at..at + stretch as usize,
                        bits,
                        &mut random,
                    );
                }
            }
            let mut found = vec![0; data.len()];
            let mut disk = rig.mount().expect("a part with bits to repair");
            for sector in 0..sectors {
                fill(sector, 1, &mut data);
                disk.read(Sector(sector), &mut found)
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
                assert!(found == data, "{name}: sector {sector}");
            }
            assert_eq!(disk.volume().stats().corrected_bits_max, bits, "{name}");
            drop(disk);
            // A few more in each page: nothing is read as what it is not.
            for &page in &pages {
                flip_within(
                    &mut rig.nand,
                    page,
                    0..stretch as usize,
                    3 * bits,
                    &mut random,
                );
            }
            if let Ok(mut disk) = rig.mount() {
                for sector in 0..sectors {
                    fill(sector, 1, &mut data);
                    match disk.read(Sector(sector), &mut found) {
                        Ok(true) => assert!(found == data, "{name}: sector {sector}"),
                        Ok(false) => panic!("{name}: sector {sector} reads as unwritten"),
                        Err(Error::Lost(_) | Error::ReadOnly | Error::NoSpace) => {}
                        Err(error) => panic!("{name}: {error}"),
                    }
                }
            }
        }
    });
}

#[test]
fn whichever_means_compute_the_codes_the_bytes_on_the_part_are_the_same() {
    let part = |codes: Option<CodesFn>| {
        let levels = ["a=bch4", "b=bch8", "c=bch40,mirror=2"]
            .map(|text| Level::parse(text, Ecc::Bch4).expect("a level"));
        let options = FormatOptions {
            levels: &levels,
            ..FormatOptions::default()
        };
        let geometry = Geometry {
            blocks_per_die: 40,
            page_bytes: 2048,
            spare_bytes: 256,
            ..chip("tiny4").expect("a chip").geometry
        };
        let builder = EmulatedNand::builder("tiny4").expect("a chip");
        let mut rig = Rig::new(builder.geometry(geometry), &options, Budget::Full);
        let mut disk = rig.mount().expect("a volume");
        if let Some(codes) = codes {
            disk.volume_mut().use_codes(codes).expect("the same codes");
        }
        let mut data = vec![0; disk.volume().sector_bytes()];
        for sector in 0..60 {
            fill(sector, 1, &mut data);
            let level = LevelIndex((sector % 3) as u8);
            disk.write_with(Sector(sector), &data, level.into())
                .expect("room");
        }
        disk.unmount().map_err(|(_, error)| error).expect("an end");
        let pages = programmed_pages(&rig.nand);
        let bytes: Vec<_> = pages
            .iter()
            .map(|&page| (page, rig.nand.true_bytes(page)))
            .collect();
        bytes
    };
    let portable = part(None);
    assert!(portable.len() > 60);
    assert!(part(Some(cuesta_accelerator::code)) == portable);
}
