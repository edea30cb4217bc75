//! What every byte of a page holds, as the engine's layout says.

use cuesta::codec::PageLayout;
use cuesta::hal::Geometry;
use serde_json::{json, Value};

/// What some bytes of a page hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A sector, by its slot.
    Sector(u32),
    /// The parities of a sector.
    Parities(u32),
    /// The factory's bad-block marker: in pages that hold something it is left alone.
    Marker,
    /// The header of the page.
    Header,
    /// What the header is repaired by.
    HeaderParity,
    /// What the part's own error correction writes by itself.
    ChipEcc,
    /// Nothing: never programmed.
    Unused,
}

impl Content {
    /// Its name for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sector(_) => "sector",
            Self::Parities(_) => "parities",
            Self::Marker => "marker",
            Self::Header => "header",
            Self::HeaderParity => "header_parity",
            Self::ChipEcc => "chip_ecc",
            Self::Unused => "unused",
        }
    }

    /// The sector it is or belongs to.
    pub const fn sector(self) -> Option<u32> {
        match self {
            Self::Sector(sector) | Self::Parities(sector) => Some(sector),
            _ => None,
        }
    }
}

/// Bytes of a page that lie together and belong together.
#[derive(Debug, Clone, Copy)]
pub struct PageRange {
    /// Where they begin.
    pub offset: u32,
    /// How many they are.
    pub bytes: u32,
    /// What they hold.
    pub content: Content,
}

impl PageRange {
    /// One past the last of them.
    pub const fn end(&self) -> u32 {
        self.offset + self.bytes
    }

    /// The range for programs.
    pub fn json(&self) -> Value {
        let mut object = json!({
            "offset": self.offset,
            "bytes": self.bytes,
            "holds": self.content.name(),
        });
        if let Some(sector) = self.content.sector() {
            object["sector"] = sector.into();
        }
        object
    }
}

/// The whole page, range by range: each begins where the one before it ends, the first at 0, and the last ends with the raw page.
pub fn page_ranges(geometry: &Geometry, layout: &PageLayout) -> Vec<PageRange> {
    let marker = geometry.bad_block_marker;
    let header_parity = layout.header_unit() - layout.header_bytes();
    let mut used = vec![(
        layout.page_bytes() + u32::from(marker.spare_offset),
        u32::from(marker.len),
        Content::Marker,
    )];
    if let Some(ecc) = geometry.chip_ecc.filter(|ecc| ecc.enabled) {
        let bytes = u32::from(ecc.owned.len);
        used.extend((0..geometry.chip_codewords()).map(|word| {
            let offset = layout.page_bytes() + ecc.owned.nth(word * bytes);
            (offset, bytes, Content::ChipEcc)
        }));
    }
    let mut place = |at, bytes, content| {
        let pieces = layout.pieces(at, bytes);
        used.extend(pieces.map(|piece| (piece.start, piece.end - piece.start, content)));
    };
    let header_at = layout.header_at();
    place(header_at, layout.header_bytes(), Content::Header);
    let parity_at = header_at + layout.header_bytes();
    place(parity_at, header_parity, Content::HeaderParity);
    for unit in 0..layout.sectors() {
        let sector = Content::Sector(unit);
        place(layout.payload_at(unit), layout.sector_bytes(), sector);
        let parities = Content::Parities(unit);
        place(layout.parity_at(unit), layout.unit_parity(), parities);
    }
    used.retain(|&(_, bytes, _)| bytes > 0);
    used.sort_by_key(|&(offset, ..)| offset);

    let mut ranges = Vec::with_capacity(2 * used.len() + 1);
    let mut at = 0;
    // An end of nothing, for what is unused behind the last.
    let end = (layout.raw_bytes(), 0, Content::Unused);
    for (offset, bytes, content) in used.into_iter().chain([end]) {
        assert!(offset >= at, "{content:?} at byte {offset} overlaps others");
        if offset > at {
            ranges.push(PageRange {
                offset: at,
                bytes: offset - at,
                content: Content::Unused,
            });
        }
        if bytes > 0 {
            ranges.push(PageRange {
                offset,
                bytes,
                content,
            });
        }
        at = offset + bytes;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuesta::codec::Ecc;
    use cuesta::volume::default_sector_bytes;
    use cuesta_sim::chips;

    #[test]
    fn the_ranges_of_every_chip_and_code_are_the_raw_page_without_gap_or_overlap() {
        let (mut drawn, mut taking_payload, mut in_pieces) = (0, 0, 0);
        let mut parts = chips().to_vec();
        for chip in chips() {
            let mut part = *chip;
            if let Some(ecc) = &mut part.geometry.chip_ecc {
                ecc.enabled = true;
                parts.push(part);
            }
        }
        for chip in &parts {
            let geometry = &chip.geometry;
            let Ok(metadata) = PageLayout::new(geometry, default_sector_bytes(geometry)) else {
                continue;
            };
            for layout in Ecc::ALL.iter().filter_map(|&ecc| metadata.with(ecc).ok()) {
                let ranges = page_ranges(geometry, &layout);
                let mut at = 0;
                for range in &ranges {
                    assert_eq!(range.offset, at, "{}", chip.name);
                    assert!(range.bytes > 0, "{}", chip.name);
                    at = range.end();
                }
                assert_eq!(at, geometry.raw_page_bytes(), "{}", chip.name);
                let of_sectors: u32 = ranges
                    .iter()
                    .filter(|range| matches!(range.content, Content::Sector(_)))
                    .map(|range| range.bytes)
                    .sum();
                assert_eq!(of_sectors, layout.sectors() * layout.sector_bytes());
                let headers = ranges
                    .iter()
                    .filter(|range| range.content == Content::Header);
                in_pieces += u32::from(headers.count() > 1);
                drawn += 1;
                taking_payload += u32::from(layout.sectors() < layout.units());
            }
        }
        assert!(taking_payload > 0 && in_pieces > 0 && drawn > chips().len());
    }
}
