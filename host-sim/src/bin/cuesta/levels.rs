//! `cuesta levels`: the levels of a disk, and how much is stored at each.

use std::io::Write;

use cuesta::volume::{Budget, LevelIndex};
use serde_json::json;

use crate::disk::{DiskArguments, DiskFile};
use crate::failure::Failure;
use crate::table::Table;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    disk: DiskArguments,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let mut file = DiskFile::open(&arguments.disk, Budget::Full)?;
    let disk = file.mount()?;
    let volume = disk.volume();
    let info = volume.info();
    let segments: Vec<_> = (0..info.segments)
        .filter_map(|index| volume.segment_info(index))
        .filter(|segment| segment.holds_data())
        .collect();
    let levels = (0..info.parameters.levels).map(LevelIndex).map(|index| {
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
                    "copies": level.map(|level| level.copies()),
                    "segments": segments,
                    "sectors": sectors,
                })
            })
            .collect();
        writeln!(out, "{}", json!({ "exact": info.clean, "levels": levels }))?;
        return Ok(());
    }
    let mut table = Table::new(["level", "name", "code", "copies", "segments", "sectors"]);
    for (index, level, segments, sectors) in levels {
        let known = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        table.row(vec![
            index.0.to_string(),
            known(level.map(|level| level.name().to_owned())),
            known(level.map(|level| level.ecc.name().to_owned())),
            known(level.map(|level| level.copies().to_string())),
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
