//! Geometries and options: the layout, parameters, quotas and memory that follow from them, or what is said against them.

use cuesta::codec::{Ecc, PageLayout};
use cuesta::volume::{
    cost_of, Budget, FormatOptions, Level, Parameters, Plan, Quota, Redundancy, Sector, Segment,
    Shape,
};
use cuesta_hal::{ChipEcc, EccNeed, Geometry, MarkerPages, MarkerPlace, Pairing, SpareRuns};

use crate::input::Input;

/// Sizes that parts have, beside any others.
fn size(input: &mut Input<'_>) -> u32 {
    match input.u8() {
        shift @ 0..=31 => 1 << shift,
        32 => input.u32(),
        33 => u32::from(input.u16()),
        small => u32::from(small - 34),
    }
}

fn size16(input: &mut Input<'_>) -> u16 {
    size(input).min(u16::MAX.into()) as u16
}

fn runs(input: &mut Input<'_>) -> SpareRuns {
    SpareRuns {
        first: size16(input),
        len: size16(input),
        stride: size16(input),
    }
}

fn part(input: &mut Input<'_>) -> Geometry {
    Geometry {
        dies: size16(input),
        blocks_per_die: size(input),
        pages_per_block: size16(input),
        page_bytes: size(input),
        spare_bytes: size16(input),
        buffers_per_die: 1 + input.u8() % 2,
        planes_per_die: 1,
        partial_programs_max: 1,
        bad_blocks_max_per_die: size(input),
        endurance_cycles: size(input),
        reads_per_block_max: size(input),
        bad_block_marker: MarkerPlace {
            pages: input.of(&[
                MarkerPages::First,
                MarkerPages::FirstOrSecond,
                MarkerPages::FirstOrLast,
            ]),
            spare_offset: size16(input),
            len: size16(input),
        },
        chip_ecc: input.flag().then(|| ChipEcc {
            strength: input.u8(),
            codeword_bytes: size16(input),
            enabled: input.flag(),
            free: runs(input),
            protected: runs(input),
            owned: runs(input),
        }),
        ecc_need: EccNeed {
            bits: input.u8(),
            per_bytes: size16(input),
        },
        pairing: Pairing::None,
    }
}

fn level(input: &mut Input<'_>, number: usize) -> Option<Level> {
    let redundancy = match input.u8() {
        0 => Redundancy::Single,
        other @ 1..=127 => Redundancy::Mirror(other),
        other => Redundancy::Parity(other - 128),
    };
    Level::new(&format!("level-{number}"), input.of(&Ecc::ALL), redundancy)
}

fn option<T>(input: &mut Input<'_>, of: impl FnOnce(&mut Input<'_>) -> T) -> Option<T> {
    input.flag().then(|| of(input))
}

/// A part and what is asked of a volume on it.
pub fn geometry(input: &mut Input<'_>) {
    let geometry = part(input);
    let sector_bytes = size(input);
    let count = usize::from(input.u8()) % 18;
    let levels: Vec<Level> = (0..count)
        .filter_map(|number| level(input, number))
        .collect();
    let options = FormatOptions {
        volume_id: 1,
        capacity: option(input, size),
        width: option(input, size16),
        levels: &levels,
        level_places: option(input, |input| input.u8()),
        level_copies: option(input, |input| input.u8()),
        level_parity: option(input, |input| input.u8()),
        classes: option(input, |input| input.u8()),
        system: (sector_bytes % 11) as u8,
    };
    if geometry.validate().is_ok() {
        if let Ok(layout) = PageLayout::new(&geometry, sector_bytes) {
            lies_within(&geometry, &layout);
        }
    }
    match Parameters::choose(&geometry, &options) {
        Ok(parameters) => follows(&geometry, &parameters, &levels),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Everything of a page is in the page, and nothing in what belongs to others, with every code that it can have.
fn lies_within(geometry: &Geometry, metadata: &PageLayout) {
    let raw = geometry.raw_page_bytes();
    let marker = geometry.bad_block_marker;
    let marker_at = geometry.page_bytes + u32::from(marker.spare_offset);
    let marked = marker_at..marker_at + u32::from(marker.len);
    for ecc in Ecc::ALL {
        let Ok(layout) = metadata.with(ecc) else {
            continue;
        };
        assert!(layout.sectors() >= 1 && layout.sectors() <= layout.units());
        assert_eq!(layout.header_at(), metadata.header_at());
        let mut parts = vec![(layout.header_at(), layout.header_unit())];
        for unit in 0..layout.sectors() {
            parts.push((layout.payload_at(unit), layout.sector_bytes()));
            parts.push((layout.parity_at(unit), layout.unit_parity()));
            let columns = layout.unit_columns(unit);
            assert!(columns.fits(geometry), "{columns:?} {geometry:?} {ecc:?}");
        }
        assert!(layout.header_columns().fits(geometry));
        assert!(layout.page_columns().fits(geometry));
        // One behind the other, none in another.
        parts.sort_unstable();
        for pair in parts.windows(2) {
            assert!(pair[0].0 + pair[0].1 <= pair[1].0, "{layout:?}");
        }
        for (at, len) in parts {
            let mut found = 0;
            for piece in layout.pieces(at, len) {
                assert!(piece.start < piece.end && piece.end <= raw, "{layout:?}");
                assert!(
                    piece.end <= marked.start || piece.start >= marked.end,
                    "{piece:?} {layout:?} {geometry:?}"
                );
                found += piece.end - piece.start;
            }
            assert_eq!(found, len);
        }
    }
}

/// Parameters that were chosen lead to quotas, a shape and a plan.
fn follows(geometry: &Geometry, parameters: &Parameters, levels: &[Level]) {
    let quota = Quota::new(geometry, parameters).expect("chosen parameters");
    assert!(parameters.capacity > 0 && parameters.capacity <= quota.capacity_max);
    let shape = Shape::new(geometry, parameters).expect("chosen parameters");
    assert!(u64::from(shape.slots()) <= geometry.pages() * u64::from(shape.units()));
    assert!(u64::from(quota.capacity_max) <= u64::from(shape.slots()));
    for level in levels {
        assert!(level.redundancy.is_possible());
        if let Ok(layout) = shape.layout.with(level.ecc) {
            assert!(cost_of(&layout, level.redundancy) > 0);
        }
    }
    for segment in [0, shape.segments - 1] {
        for offset in [0, shape.pages_per_segment() - 1] {
            let at = shape.location(Segment(segment), offset, shape.units() - 1);
            assert_eq!(shape.split(at).0, Segment(segment));
            assert!(geometry.has_page(shape.page(Segment(segment), offset)));
            assert_eq!(shape.from_code(shape.to_code(at)), at);
            let (page, _) = shape.address(at);
            assert_eq!(shape.segment_of(page.block), Segment(segment));
        }
    }
    let (map, _) = shape.map_of(Sector(parameters.capacity - 1));
    assert!(map.0 < shape.map_pages);
    let bytes = |budget| {
        Plan::new(geometry, parameters, budget, 1, 4096)
            .expect("chosen parameters")
            .map(|plan| plan.bytes())
    };
    let least = bytes(Budget::Minimum).expect("no budget");
    let most = bytes(Budget::Full).expect("no budget");
    assert!(least <= most);
    if let Err(error) = bytes(Budget::Bytes(least)) {
        assert!(error.minimum >= least);
    }
}
