//! `cuesta levels`: the levels of a disk, and how much is stored at each; a place that is not used may get another.

use std::io::Write;

use cuesta::codec::PageLayout;
use cuesta::hal::Nand;
use cuesta::volume::{Budget, Level, LevelIndex};
use serde_json::json;

use crate::disk::{unmount, DiskArguments, DiskFile};
use crate::failure::Failure;
use crate::table::Table;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    disk: DiskArguments,
    /// Put a level into a place of the table that nothing is stored at, PLACE:LEVEL such as 1:safe=bch8,mirror=2
    #[arg(long, value_name = "PLACE:LEVEL")]
    set: Option<String>,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Puts a level into the table of a disk.
fn set(arguments: &Arguments, file: &mut DiskFile, text: &str) -> Result<(), Failure> {
    let wrong = || {
        Failure::usage(format!(
            "--set {text}: PLACE:LEVEL is needed, such as 1:safe=bch8,mirror=2"
        ))
    };
    let (place, level) = text.split_once(':').ok_or_else(wrong)?;
    let place = LevelIndex(place.parse().map_err(|_| wrong())?);
    let path = &arguments.disk.path;
    let ecc =
        PageLayout::required(file.nand().geometry()).map_err(|error| Failure::of(path, error))?;
    let level = Level::parse(level, ecc)
        .map_err(|error| Failure::usage(format!("--set {text}: {error}")))?;
    let mut disk = file.mount()?;
    disk.volume_mut()
        .set_level(place, &level)
        .map_err(|error| Failure::of(path, error))?;
    unmount(path, disk)
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let mut file = DiskFile::open(&arguments.disk, Budget::Full)?;
    if let Some(text) = &arguments.set {
        set(arguments, &mut file, text)?;
    }
    let disk = file.mount()?;
    let volume = disk.volume();
    let info = volume.info();
    let segments: Vec<_> = (0..info.segments)
        .filter_map(|index| volume.segment_info(index))
        .filter(|segment| segment.holds_data())
        .collect();
    let levels = (0..info.parameters.levels()).map(LevelIndex).map(|index| {
        let own = segments.iter().filter(|segment| segment.level == index);
        let (count, sectors) = own.fold((0u32, 0u32), |(count, sectors), segment| {
            (count + 1, sectors + segment.valid)
        });
        (index, volume.level(index), count, sectors)
    });
    if arguments.json {
        let levels: Vec<_> = levels
            .map(|(index, level, segments, sectors)| {
                json!({
                    "level": index.0,
                    "name": level.map(|level| level.name().to_owned()),
                    "ecc": level.map(|level| level.ecc.name()),
                    "copies": level.map(|level| level.redundancy.copies()),
                    "parity": level.map(|level| level.redundancy.parity()),
                    "segments": segments,
                    "sectors": sectors,
                })
            })
            .collect();
        writeln!(out, "{}", json!({ "exact": info.clean, "levels": levels }))?;
        return Ok(());
    }
    let mut table = Table::new(["level", "name", "code", "redundancy", "segments", "sectors"]);
    for (index, level, segments, sectors) in levels {
        let known = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        table.row(vec![
            index.0.to_string(),
            known(level.map(|level| level.name().to_owned())),
            known(level.map(|level| level.ecc.name().to_owned())),
            known(level.map(|level| level.redundancy.to_string())),
            segments.to_string(),
            sectors.to_string(),
        ]);
    }
    table.print(out)?;
    if !info.clean {
        writeln!(
            out,
            "The last session ended by a cut: sectors are counted before the next change."
        )?;
    }
    Ok(())
}
