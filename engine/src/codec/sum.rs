//! Sums of headers: the exclusive or of what several pages say of their units, from which what one of them said can be found again.

use super::header::{Header, UNITS_MAX};

/// Of a unit of a parity page: the number of pages that have something in this unit is odd. No header of data has it.
const FLAG_UNIT: u8 = 128;

/// What headers say of one unit, or the exclusive or of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct UnitSum {
    id: u32,
    birth: u32,
    flags: u8,
}

impl UnitSum {
    fn add(&mut self, other: Self) {
        self.id ^= other.id;
        self.birth ^= other.birth;
        self.flags ^= other.flags;
    }
}

/// The exclusive or of what the headers of several pages say of their units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeaderSum {
    units: [UnitSum; UNITS_MAX],
}

impl HeaderSum {
    /// The sum of nothing.
    #[must_use]
    pub const fn new() -> Self {
        let unit = UnitSum {
            id: 0,
            birth: 0,
            flags: 0,
        };
        Self {
            units: [unit; UNITS_MAX],
        }
    }

    /// Adds a unit of a data page, or takes it out again.
    pub fn add(&mut self, unit: u32, header: &Header) {
        self.combine(unit, header, FLAG_UNIT);
    }

    /// Adds a unit of a parity page: what is left behind all data pages but one is that one.
    pub fn add_parity(&mut self, unit: u32, header: &Header) {
        self.combine(unit, header, 0);
    }

    fn combine(&mut self, unit: u32, header: &Header, flag: u8) {
        if let Some(sum) = self.units.get_mut(unit as usize) {
            sum.add(UnitSum {
                id: header.id,
                birth: header.birth,
                flags: header.flags | flag,
            });
        }
    }

    /// The header of a unit of the parity page, with what `common` says of the page.
    #[must_use]
    pub fn parity(&self, unit: u32, common: &Header) -> Header {
        let sum = self.units.get(unit as usize).copied().unwrap_or_default();
        Header {
            id: sum.id,
            birth: sum.birth,
            flags: sum.flags,
            ..*common
        }
    }

    /// The header of a unit of the one page that is left in the sum, with what `common` says of the page; `None` if there is nothing in the unit.
    #[must_use]
    pub fn left(&self, unit: u32, common: &Header) -> Option<Header> {
        let header = self.parity(unit, common);
        (header.flags & FLAG_UNIT != 0).then_some(Header {
            flags: header.flags & !FLAG_UNIT,
            ..header
        })
    }
}

#[cfg(test)]
#[cfg(feature = "wide")]
mod tests {
    use super::super::header::{FLAG_BATCH, FLAG_RELOCATED};
    use super::super::Kind;
    use super::*;

    #[test]
    fn the_example_of_the_specification() {
        let header = |id, birth, flags| Header {
            kind: Kind::Data,
            level: 0,
            span: 0,
            time: 0,
            stream: 0,
            erases: 0,
            id,
            birth,
            flags,
        };
        let mut sum = HeaderSum::new();
        sum.add(0, &header(77, 5, 0));
        sum.add(0, &header(12, 9, 2));
        assert_eq!(sum.parity(0, &header(0, 0, 0)), header(65, 12, 2));
        sum.add(0, &header(9, 1, 1));
        assert_eq!(sum.parity(0, &header(0, 0, 0)), header(72, 13, 131));
    }

    #[test]
    fn any_page_follows_from_the_others_and_their_parity() {
        let header = |id, birth, flags| Header {
            kind: Kind::Data,
            level: 1,
            span: 0,
            time: 5,
            stream: 2,
            erases: 0,
            id,
            birth,
            flags,
        };
        let pages: [&[Header]; 3] = [
            &[header(0, 9, 0), header(7, 1, FLAG_BATCH)],
            &[header(12, 3, FLAG_RELOCATED), header(5, 2, 0)],
            &[header(1, 8, FLAG_RELOCATED)],
        ];
        let sum_of = |left_out: usize| {
            let mut sum = HeaderSum::default();
            for (_, page) in pages.iter().enumerate().filter(|(at, _)| *at != left_out) {
                for (unit, header) in (0..).zip(*page) {
                    sum.add(unit, header);
                }
            }
            sum
        };
        let all = sum_of(pages.len());
        let common = header(0, 0, 0);
        for (at, page) in pages.iter().enumerate() {
            let mut sum = sum_of(at);
            for unit in 0..2 {
                sum.add_parity(unit, &all.parity(unit, &common));
            }
            for unit in 0..2 {
                let found = sum.left(unit, &common);
                assert_eq!(found.as_ref(), page.get(unit as usize), "page {at}");
            }
        }
    }
}
