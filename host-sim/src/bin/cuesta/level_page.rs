//! What a level does to a page: its layout, and what that costs.

use cuesta::codec::PageLayout;
use cuesta::hal::Geometry;
use cuesta::volume::{cost_of, Level, Quota, SLOT_COST};
use serde_json::{json, Value};

use crate::failure::Failure;
use crate::page_ranges::{page_ranges, Content, PageRange};
use crate::table::Table;

/// A level on a part.
#[derive(Debug)]
pub struct LevelPage {
    pub level: Level,
    pub layout: PageLayout,
    pub ranges: Vec<PageRange>,
    /// The part.
    geometry: Geometry,
}

/// The levels that a volume is made with: those asked for, or the one that it has without any.
pub fn level_pages(
    geometry: &Geometry,
    metadata: &PageLayout,
    levels: &[Level],
) -> Result<Vec<LevelPage>, Failure> {
    let refused = |error| Failure::new(format!("{error}"));
    let plain = [Level::plain(
        PageLayout::required(geometry).map_err(refused)?,
    )];
    let levels = if levels.is_empty() { &plain } else { levels };
    levels
        .iter()
        .map(|&level| {
            let layout = metadata.with(level.ecc).map_err(refused)?;
            Ok(LevelPage {
                level,
                layout,
                ranges: page_ranges(geometry, &layout),
                geometry: *geometry,
            })
        })
        .collect()
}

impl LevelPage {
    /// Slots that a sector takes up, with its copies or its share of parity, and of what the parities of its code take the place of.
    pub fn slots(&self) -> f64 {
        f64::from(self.cost()) / f64::from(SLOT_COST)
    }

    fn cost(&self) -> u32 {
        cost_of(&self.layout, self.level.redundancy)
    }

    /// Sectors that fill so many slots.
    pub fn sectors_in(&self, slots: u32) -> u32 {
        let sectors = u64::from(slots) * u64::from(SLOT_COST) / u64::from(self.cost());
        u32::try_from(sectors).unwrap_or(slots)
    }

    /// Pages programmed for one of data, where stripes are full.
    pub fn programs(&self) -> f64 {
        let (data, pages) = self.level.redundancy.stripe();
        f64::from(pages) / f64::from(data)
    }

    /// Pages programmed for one that is flushed alone.
    pub fn programs_alone(&self) -> u8 {
        let (data, pages) = self.level.redundancy.stripe();
        1 + pages - data
    }

    /// Sectors of a volume if all are written at this level.
    pub fn capacity(&self, quota: &Quota) -> u32 {
        self.sectors_in(quota.capacity_max)
    }

    /// Bytes of the main area or of the spare that are of some kind.
    fn bytes_of(&self, in_spare: bool, of: impl Fn(Content) -> bool) -> u32 {
        self.ranges
            .iter()
            .filter(|range| (range.offset >= self.layout.page_bytes()) == in_spare)
            .filter(|range| of(range.content))
            .map(|range| range.bytes)
            .sum()
    }

    fn marker_bytes(&self) -> u32 {
        self.bytes_of(true, |content| content == Content::Marker)
    }

    fn header_bytes(&self) -> u32 {
        self.bytes_of(true, |content| {
            matches!(content, Content::Header | Content::HeaderParity)
        })
    }

    fn parity_bytes(&self, in_spare: bool) -> u32 {
        self.bytes_of(in_spare, |content| matches!(content, Content::Parities(_)))
    }

    fn chip_ecc_bytes(&self) -> u32 {
        self.bytes_of(true, |content| content == Content::ChipEcc)
    }

    fn spare_used(&self) -> u32 {
        self.bytes_of(true, |content| content != Content::Unused)
    }

    /// The level for programs.
    pub fn json(&self, quota: &Quota) -> Value {
        json!({
            "name": self.level.name(),
            "ecc": self.level.ecc.name(),
            "copies": self.level.redundancy.copies(),
            "parity": self.level.redundancy.parity(),
            "sectors_per_page": self.layout.sectors(),
            "slots_per_page": self.layout.units(),
            "spare_bytes": self.geometry.spare_bytes,
            "spare_used_bytes": self.spare_used(),
            "marker_bytes": self.marker_bytes(),
            "header_bytes": self.header_bytes(),
            "chip_ecc_bytes": self.chip_ecc_bytes(),
            "parity_spare_bytes": self.parity_bytes(true),
            "parity_main_bytes": self.parity_bytes(false),
            "repaired_bits": self.layout.strength(),
            "repaired_in_bytes": self.layout.codeword_bytes(),
            "slots_per_sector": self.slots(),
            "capacity_sectors": self.capacity(quota),
            "programs_per_write": self.programs(),
            "programs_per_flushed_write": self.programs_alone(),
        })
    }
}

/// The wrong bits that a code and the part itself repair, for people.
pub fn repairs(geometry: &Geometry, layout: &PageLayout) -> String {
    let by_code = match layout.strength() {
        0 => None,
        bits => Some(format!("{bits} in {} B", layout.codeword_bytes())),
    };
    let chip = geometry.chip_ecc.filter(|ecc| ecc.enabled);
    let by_part =
        chip.map(|ecc| format!("{} in {} B by the part", ecc.strength, ecc.codeword_bytes));
    match (by_code, by_part) {
        (None, None) => "none".to_owned(),
        (Some(repairs), None) | (None, Some(repairs)) => repairs,
        (Some(by_code), Some(by_part)) => format!("{by_code}, after {by_part}"),
    }
}

/// The level at which a sector takes up most, if there is a difference.
pub fn costliest(pages: &[LevelPage]) -> Option<&LevelPage> {
    let most = pages.iter().reduce(|most, page| {
        if page.slots() > most.slots() {
            page
        } else {
            most
        }
    });
    most.filter(|most| pages.iter().any(|page| page.slots() < most.slots()))
}

/// What each level costs and what it repairs.
pub fn costs(pages: &[LevelPage], quota: &Quota) -> Table {
    let mut table = Table::new([
        "level",
        "code",
        "repairs",
        "redundancy",
        "sectors/page",
        "slots/sector",
        "programs/write",
        "flushed alone",
        "capacity",
    ]);
    for page in pages {
        table.row(vec![
            page.level.name().to_owned(),
            page.level.ecc.name().to_owned(),
            repairs(&page.geometry, &page.layout),
            page.level.redundancy.to_string(),
            format!("{} of {}", page.layout.sectors(), page.layout.units()),
            format!("{:.2}", page.slots()),
            format!("{:.2}", page.programs()),
            page.programs_alone().to_string(),
            page.capacity(quota).to_string(),
        ]);
    }
    table
}

/// The sum of what each level puts into the spare, and what it has no room for there.
pub fn spares(pages: &[LevelPage]) -> Table {
    let mut table = Table::new([
        "level",
        "marker",
        "header",
        "parities",
        "the part's own",
        "spare bytes used",
        "parities in the main area",
    ]);
    for page in pages {
        let in_main = page.parity_bytes(false);
        let shown = |bytes: u32| match bytes {
            0 => String::new(),
            bytes => bytes.to_string(),
        };
        table.row(vec![
            page.level.name().to_owned(),
            page.marker_bytes().to_string(),
            page.header_bytes().to_string(),
            page.parity_bytes(true).to_string(),
            shown(page.chip_ecc_bytes()),
            format!("{} of {}", page.spare_used(), page.geometry.spare_bytes),
            shown(in_main),
        ]);
    }
    table.without_empty_columns()
}
