//! `cuesta layout`: what every byte of a page holds.

use std::io::Write;

use cuesta::codec::PageLayout;
use cuesta::hal::Geometry;
use cuesta::volume::{FormatOptions, ParameterError, Parameters, Redundancy, Shape};
use serde_json::{json, Value};

use crate::arguments;
use crate::failure::Failure;
use crate::level_page::{level_pages, repairs};
use crate::page_ranges::{page_ranges, Content, PageRange};

#[derive(Debug, clap::Args)]
#[command(after_help = arguments::chips_help())]
pub struct Arguments {
    #[command(flatten)]
    part: arguments::Part,
    #[command(flatten)]
    levels: arguments::Levels,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let chip = arguments.part.chip()?;
    let geometry = chip.geometry;
    let impossible = |error: ParameterError| Failure::new(format!("{}: {error}", chip.name));
    let levels = arguments.levels.on(&geometry)?;
    // What cannot be formatted has no pages to be drawn.
    let options = FormatOptions {
        levels: &levels,
        ..FormatOptions::default()
    };
    let parameters = Parameters::choose(&geometry, &options).map_err(impossible)?;
    let metadata = Shape::new(&geometry, &parameters)
        .map_err(|error| impossible(ParameterError::Layout(error)))?
        .layout;
    let pages = level_pages(&geometry, &metadata, &levels)?;
    if arguments.json {
        let levels: Vec<_> = pages
            .iter()
            .map(|page| {
                let mut object = page_json(&page.layout, &page.ranges);
                object["name"] = page.level.name().into();
                object
            })
            .collect();
        let object = json!({
            "chip": chip.name,
            "raw_page_bytes": geometry.raw_page_bytes(),
            "page_bytes": geometry.page_bytes,
            "spare_bytes": geometry.spare_bytes,
            "levels": levels,
            "metadata": page_json(&metadata, &page_ranges(&geometry, &metadata)),
        });
        writeln!(out, "{object}")?;
        return Ok(());
    }
    writeln!(
        out,
        "{}: a page is {} + {} = {} B",
        chip.name,
        geometry.page_bytes,
        geometry.spare_bytes,
        geometry.raw_page_bytes()
    )?;
    for page in &pages {
        draw(
            out,
            &format!("level {}", page.level),
            &geometry,
            &page.layout,
            &page.ranges,
        )?;
        match page.level.redundancy {
            Redundancy::Mirror(copies) => writeln!(out, "There are {copies} such pages.")?,
            Redundancy::Parity(pages) => writeln!(
                out,
                "Up to {pages} such pages have another one that holds their exclusive or."
            )?,
            _ => {}
        }
    }
    if let Some(same) = pages.iter().find(|page| page.layout == metadata) {
        let name = same.level.name();
        writeln!(out, "\nA page of metadata is as one of level {name}.")?;
        return Ok(());
    }
    let title = format!("metadata ({})", metadata.ecc().name());
    let ranges = page_ranges(&geometry, &metadata);
    draw(out, &title, &geometry, &metadata, &ranges)
}

/// A page for programs.
fn page_json(layout: &PageLayout, ranges: &[PageRange]) -> Value {
    json!({
        "ecc": layout.ecc().name(),
        "header_ecc": layout.header_ecc().name(),
        "header_packed": layout.has_packed_header(),
        "sectors_per_page": layout.sectors(),
        "slots_per_page": layout.units(),
        "sector_bytes": layout.sector_bytes(),
        "repaired_bits": layout.strength(),
        "repaired_in_bytes": layout.codeword_bytes(),
        "ranges": ranges.iter().map(PageRange::json).collect::<Vec<_>>(),
    })
}

/// A page for people.
fn draw(
    out: &mut dyn Write,
    title: &str,
    geometry: &Geometry,
    layout: &PageLayout,
    ranges: &[PageRange],
) -> Result<(), Failure> {
    let (sectors, units) = (layout.sectors(), layout.units());
    writeln!(
        out,
        "\nA page of {title}, bits repaired: {}",
        repairs(geometry, layout)
    )?;
    if sectors < units {
        writeln!(
            out,
            "Parities take the place of {} of {units} sectors.",
            units - sectors
        )?;
    }
    writeln!(out, "  {:>6}  {:>6}  {:>6}", "offset", "end", "bytes")?;
    for range in ranges {
        writeln!(
            out,
            "  {:>6}  {:>6}  {:>6}  {}",
            range.offset,
            range.end(),
            range.bytes,
            tell(range.content, layout)
        )?;
    }
    let bytes_of = |unused: bool| -> u32 {
        ranges
            .iter()
            .filter(|range| (range.content == Content::Unused) == unused)
            .map(|range| range.bytes)
            .sum()
    };
    let (used, unused) = (bytes_of(false), bytes_of(true));
    let sum = used + unused;
    writeln!(out, "  {:>6}  {:>6}  {sum:>6}  {unused} unused", "", "sum")?;
    Ok(())
}

/// What bytes hold, for people.
fn tell(content: Content, layout: &PageLayout) -> String {
    match content {
        Content::Sector(sector) => format!("sector {sector}"),
        Content::Parities(sector) => format!(
            "parities of sector {sector}: {} x {} B",
            layout.sector_bytes() / layout.codeword_bytes(),
            layout.parity_bytes(),
        ),
        Content::Marker => "bad-block marker".to_owned(),
        Content::ChipEcc => "the part's own error correction".to_owned(),
        Content::Header if layout.has_packed_header() => "header, packed".to_owned(),
        Content::Header => "header".to_owned(),
        Content::HeaderParity => format!("parity of the header ({})", layout.header_ecc().name()),
        Content::Unused => "unused".to_owned(),
    }
}
