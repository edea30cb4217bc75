//! The ranges are compared with a model: the set of bytes they name, over every small case and every edge.

use crate::{BlockAddress, Columns, Die, Geometry};

const PAGE_BYTES: u32 = 5;
const SPARE_BYTES: u16 = 3;
const END: u32 = 8;

fn geometry() -> Geometry {
    Geometry {
        page_bytes: PAGE_BYTES,
        spare_bytes: SPARE_BYTES,
        ..crate::geometry::tests::SMALL
    }
}

/// Every place in and just behind the page, and the edges of the type.
const PLACES: [u32; 13] = [
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    u32::MAX - END,
    u32::MAX - 1,
    u32::MAX,
];

fn all() -> impl Iterator<Item = Columns> {
    PLACES.into_iter().flat_map(|main_start| {
        PLACES.into_iter().flat_map(move |main_len| {
            PLACES.into_iter().flat_map(move |spare_start| {
                PLACES.into_iter().map(move |spare_len| Columns {
                    main_start,
                    main_len,
                    spare_start,
                    spare_len,
                })
            })
        })
    })
}

/// True when every byte from `start` on lies between `from` and `to`.
fn lies_within(start: u32, len: u32, from: u32, to: u32) -> bool {
    (u64::from(start)..u64::from(start) + u64::from(len))
        .take(64)
        .all(|byte| (u64::from(from)..u64::from(to)).contains(&byte))
}

#[test]
fn columns_fit_when_each_of_their_bytes_is_in_its_area() {
    for columns in all() {
        let Columns {
            main_start,
            main_len,
            spare_start,
            spare_len,
        } = columns;
        let expected = lies_within(main_start, main_len, 0, PAGE_BYTES)
            && lies_within(spare_start, spare_len, PAGE_BYTES, END);
        assert_eq!(columns.fits(&geometry()), expected, "{columns:?}");
    }
}

#[test]
fn columns_that_fit_are_contiguous_when_their_bytes_have_no_gap() {
    let mut seen = [0; 2];
    for columns in all().filter(|columns| columns.fits(&geometry())) {
        let main = columns.main_start..columns.main_start + columns.main_len;
        let spare = columns.spare_start..columns.spare_start + columns.spare_len;
        let bytes: Vec<u32> = main.chain(spare).collect();
        let expected = bytes.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        assert_eq!(columns.is_contiguous(), expected, "{columns:?}");
        assert_eq!(usize::try_from(columns.len()), Ok(bytes.len()));
        assert_eq!(columns.is_empty(), bytes.is_empty());
        seen[usize::from(expected)] += 1;
    }
    assert!(seen[0] > 20 && seen[1] > 20, "{seen:?}");
}

#[test]
fn no_columns_overflow() {
    for columns in all() {
        let len = u64::from(columns.main_len) + u64::from(columns.spare_len);
        assert_eq!(u64::from(columns.len()), len.min(u64::from(u32::MAX)));
        let touches = u64::from(columns.main_start) + u64::from(columns.main_len)
            == u64::from(columns.spare_start);
        let one_empty = columns.main_len == 0 || columns.spare_len == 0;
        assert_eq!(columns.is_contiguous(), touches || one_empty, "{columns:?}");
    }
}

#[test]
fn the_whole_page_fits_and_is_one_range_of_all_bytes() {
    for page_bytes in 1..40 {
        for spare_bytes in 1..20 {
            let geometry = Geometry {
                page_bytes,
                spare_bytes,
                ..geometry()
            };
            let whole = Columns::whole(&geometry);
            assert!(whole.fits(&geometry) && whole.is_contiguous());
            assert_eq!(whole.len(), geometry.raw_page_bytes());
        }
    }
}

#[test]
fn a_spare_range_counts_from_the_spare_and_fits_when_it_ends_there() {
    for start in PLACES {
        for len in PLACES {
            let columns = Columns::spare(&geometry(), start, len);
            let inside = lies_within(start, len, 0, u32::from(SPARE_BYTES));
            assert_eq!(columns.fits(&geometry()), inside, "{start} {len}");
            assert!(columns.is_contiguous());
            if inside && len > 0 {
                assert_eq!(columns.spare_start, PAGE_BYTES + start);
            }
        }
    }
}

#[test]
fn addresses_sort_in_the_order_of_the_part() {
    let mut previous = None;
    for die in 0..3 {
        for block in 0..3 {
            for page in 0..3 {
                let address = BlockAddress::new(die, block).page(page);
                assert_eq!(address.die(), Die(die));
                assert!(previous < Some(address));
                previous = Some(address);
            }
        }
    }
}
