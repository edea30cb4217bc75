//! Whole pages: a page that was encoded and then changed, read as what it may be.

use cuesta::codec::crc::Seed;
use cuesta::codec::{Ecc, Header, HeaderState, Kind, PageLayout};
use cuesta::volume::default_sector_bytes;
use cuesta_hal::Geometry;
use cuesta_sim::chip;

use crate::input::Input;

/// Parts whose pages are different: one and several sectors, with the part's own error correction on and off.
const CHIPS: [(&str, bool); 5] = [
    ("tiny", false),
    ("tiny-multi", false),
    ("w25n01gv", false),
    ("w25n01gv", true),
    ("tlc", false),
];

const KINDS: [Kind; 6] = [
    Kind::Data,
    Kind::Map,
    Kind::Record,
    Kind::Parity,
    Kind::Anchor,
    Kind::Padding,
];

fn part(input: &mut Input<'_>) -> Geometry {
    let (name, own_ecc) = input.of(&CHIPS);
    let mut geometry = chip(name).expect("a chip of the table").geometry;
    if let Some(ecc) = &mut geometry.chip_ecc {
        ecc.enabled = own_ecc;
    }
    geometry
}

fn header(input: &mut Input<'_>) -> Header {
    Header {
        kind: input.of(&KINDS),
        level: input.u8() & 0x0F,
        span: input.u8(),
        time: input.u64() & 0xFFFF_FFFF_FFFF,
        stream: input.u8(),
        erases: input.u32() & 0x00FF_FFFF,
        id: input.u32(),
        birth: input.u32(),
        flags: input.u8(),
    }
}

/// A page of one of the parts.
pub fn page(input: &mut Input<'_>) {
    let geometry = part(input);
    let metadata = PageLayout::new(&geometry, default_sector_bytes(&geometry))
        .expect("a part that can be used");
    let Ok(layout) = metadata.with(input.of(&Ecc::ALL)) else {
        return;
    };
    let seed = Seed {
        volume: input.u64(),
        place: input.u32(),
    };
    let mut page = vec![input.u8(); layout.raw_bytes() as usize];
    let count = u32::from(input.u8()) % (layout.units() + 1);
    let first = header(input);
    let headers: Vec<Header> = (0..count)
        .map(|unit| Header {
            id: first.id.wrapping_add(unit),
            ..first
        })
        .collect();
    if input.flag() {
        layout.encode(&mut page, &headers, seed);
    }
    while !input.is_empty() {
        let at = input.below(page.len());
        for (byte, change) in page[at..].iter_mut().zip(input.string()) {
            *byte ^= change;
        }
    }
    read(&layout, &page, seed);
    // What is too short is refused.
    for len in [0, page.len() / 2, page.len() - 1] {
        read(&layout, &page[..len], seed);
    }
}

fn read(layout: &PageLayout, page: &[u8], seed: Seed) {
    for unit in 0..layout.units() + 1 {
        let place = seed.place.wrapping_add(unit);
        let state = layout.read_header(page, unit, place);
        let mut own = page.to_vec();
        let at = Seed { place, ..seed };
        let of_level = |level: u8| Ecc::ALL.get(usize::from(level)).copied();
        let decoded = layout.decode_unit_with(&mut own, unit, at, |level| {
            layout.with(of_level(level)?).ok()
        });
        let plain = layout.decode_unit(&mut page.to_vec(), unit, at);
        for (header, _) in [decoded, plain].into_iter().flatten() {
            assert_eq!(state, HeaderState::Valid(header));
        }
        // What was corrected needs no more correction.
        if plain.is_ok() {
            let mut own = page.to_vec();
            let first = layout.decode_unit(&mut own, unit, at);
            let second = layout.decode_unit(&mut own, unit, at);
            let headers = (first.map(|found| found.0), second.map(|found| found.0));
            assert_eq!(headers.0, headers.1);
        }
    }
}
