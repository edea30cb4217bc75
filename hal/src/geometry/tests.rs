use super::*;
use crate::{BlockAddress, Buffer};

pub(crate) const SMALL: Geometry = Geometry {
    dies: 2,
    blocks_per_die: 3,
    pages_per_block: 4,
    page_bytes: 16,
    spare_bytes: 8,
    buffers_per_die: 1,
    planes_per_die: 1,
    partial_programs_max: 1,
    bad_blocks_max_per_die: 1,
    endurance_cycles: 1000,
    reads_per_block_max: 100_000,
    bad_block_marker: MarkerPlace {
        pages: MarkerPages::First,
        spare_offset: 0,
        len: 1,
    },
    chip_ecc: None,
    ecc_need: EccNeed {
        bits: 1,
        per_bytes: 16,
    },
    pairing: Pairing::None,
};

const COUNTS: [u32; 7] = [0, 1, 2, 3, 1 << 15, 1 << 16, u32::MAX];

/// Geometries of all combinations of edges.
fn edges() -> impl Iterator<Item = Geometry> {
    let narrow = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
    COUNTS.into_iter().flat_map(move |dies| {
        COUNTS.into_iter().flat_map(move |blocks_per_die| {
            COUNTS.into_iter().flat_map(move |pages_per_block| {
                COUNTS.into_iter().flat_map(move |page_bytes| {
                    COUNTS.into_iter().map(move |spare_bytes| Geometry {
                        dies: narrow(dies),
                        blocks_per_die,
                        pages_per_block: narrow(pages_per_block),
                        page_bytes,
                        spare_bytes: narrow(spare_bytes),
                        ..SMALL
                    })
                })
            })
        })
    })
}

#[test]
fn a_geometry_is_valid_exactly_when_its_counts_are_there_and_fit() {
    let mut valid = 0;
    for geometry in edges() {
        let pages = u128::from(geometry.dies)
            * u128::from(geometry.blocks_per_die)
            * u128::from(geometry.pages_per_block);
        let raw = u64::from(geometry.page_bytes) + u64::from(geometry.spare_bytes);
        let expected = if pages == 0 || geometry.page_bytes == 0 || geometry.spare_bytes == 0 {
            Err(GeometryError::Zero)
        } else if pages >= 1 << 31 {
            Err(GeometryError::TooManyPages)
        } else if raw >= 1 << 32 {
            Err(GeometryError::PageTooLarge)
        } else {
            Ok(())
        };
        assert_eq!(geometry.validate(), expected, "{geometry:?}");
        if expected.is_ok() {
            valid += 1;
            assert_eq!(u128::from(geometry.pages()), pages);
            assert_eq!(u64::from(geometry.raw_page_bytes()), raw);
            let main = u128::from(geometry.page_bytes) * pages;
            assert_eq!(u128::from(geometry.main_bytes()), main);
        }
    }
    assert!(valid > 100, "{valid}");
}

#[test]
fn the_marker_has_to_lie_in_the_spare() {
    for spare_bytes in [1, 8, u16::MAX] {
        for spare_offset in [0, 1, 7, 8, 9, u16::MAX - 1, u16::MAX] {
            for len in [0, 1, 2, 7, 8, u16::MAX] {
                let geometry = Geometry {
                    spare_bytes,
                    bad_block_marker: MarkerPlace {
                        spare_offset,
                        len,
                        ..SMALL.bad_block_marker
                    },
                    ..SMALL
                };
                let inside = u32::from(spare_offset) + u32::from(len) <= u32::from(spare_bytes);
                let expected = if inside {
                    Ok(())
                } else {
                    Err(GeometryError::Marker)
                };
                assert_eq!(geometry.validate(), expected, "{geometry:?}");
            }
        }
    }
}

#[test]
fn a_die_has_one_or_two_buffers() {
    for buffers_per_die in 0..=u8::MAX {
        let geometry = Geometry {
            buffers_per_die,
            ..SMALL
        };
        let valid = geometry.validate();
        match buffers_per_die {
            1 | 2 => assert_eq!(valid, Ok(())),
            _ => assert_eq!(valid, Err(GeometryError::Buffers)),
        }
        assert_eq!(geometry.has_buffer(Buffer::First), buffers_per_die >= 1);
        assert_eq!(geometry.has_buffer(Buffer::Second), buffers_per_die >= 2);
    }
}

#[test]
fn a_page_that_no_program_may_touch_is_refused() {
    let geometry = Geometry {
        partial_programs_max: 0,
        ..SMALL
    };
    assert_eq!(geometry.validate(), Err(GeometryError::Zero));
}

#[test]
fn as_many_pages_exist_as_are_counted() {
    let mut blocks = 0;
    let mut pages = 0;
    for die in 0..5 {
        for block in 0..5 {
            let block = BlockAddress::new(die, block);
            blocks += u32::from(SMALL.has_block(block));
            for page in 0..6 {
                let exists = SMALL.has_page(block.page(page));
                pages += u64::from(exists);
                assert!(SMALL.has_block(block) || !exists);
            }
        }
    }
    assert_eq!(blocks, SMALL.blocks());
    assert_eq!(pages, SMALL.pages());
    let last = BlockAddress::new(u16::MAX, u32::MAX).page(u16::MAX);
    assert!(!SMALL.has_page(last));
}

#[test]
fn what_the_chip_does_with_the_spare_lies_in_it_once_and_clear_of_the_marker() {
    let runs = |first, len| SpareRuns {
        first,
        len,
        stride: 4,
    };
    let two_codewords = ChipEcc {
        strength: 1,
        codeword_bytes: 8,
        enabled: true,
        free: runs(1, 2),
        protected: runs(2, 1),
        owned: runs(3, 1),
    };
    let validate = |ecc| {
        let chip_ecc = Some(ecc);
        Geometry { chip_ecc, ..SMALL }.validate()
    };
    assert_eq!(validate(two_codewords), Ok(()));
    let nothing_known = ChipEcc {
        free: SpareRuns::NONE,
        protected: SpareRuns::NONE,
        owned: SpareRuns::NONE,
        ..two_codewords
    };
    assert_eq!(validate(nothing_known), Ok(()));
    for (free, protected, owned) in [
        (runs(0, 2), runs(1, 1), runs(3, 1)), // in the marker
        (runs(1, 2), runs(2, 1), runs(0, 1)), // likewise
        (runs(1, 2), runs(2, 2), runs(3, 1)), // protected and not free
        (runs(1, 3), runs(2, 1), runs(3, 1)), // free and the chip's
        (runs(1, 2), runs(2, 1), runs(3, 2)), // beyond the spare
    ] {
        let ecc = ChipEcc {
            free,
            protected,
            owned,
            ..two_codewords
        };
        assert_eq!(validate(ecc), Err(GeometryError::ChipSpare), "{ecc:?}");
    }
    let no_codewords = ChipEcc {
        codeword_bytes: 0,
        ..two_codewords
    };
    assert_eq!(validate(no_codewords), Err(GeometryError::Zero));
}
