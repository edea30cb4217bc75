//! `cuesta import`: a raw image becomes the contents of the disk.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use cuesta::volume::{Budget, LevelIndex, Sector};

use crate::disk::{failed, level_named, unmount, DiskArguments, DiskFile, ImageDisk};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{arguments, size};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    disk: DiskArguments,
    /// The raw image; what it does not cover reads as zeros afterwards
    raw: PathBuf,
    /// The level to write at, by its name [default: the first]
    #[arg(long, value_name = "NAME")]
    level: Option<String>,
    /// Memory for the engine, all included: full, minimum, or bytes such as 16K
    #[arg(long, value_name = "BYTES", default_value = "full", value_parser = arguments::budget)]
    ram: Budget,
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let raw = &arguments.raw;
    let mut source = File::open(raw).map_err(|error| Failure::of(raw, error))?;
    let metadata = source.metadata().map_err(|error| Failure::of(raw, error))?;
    if !metadata.is_file() {
        return Err(Failure::of(
            raw,
            "this is no regular file; import needs one",
        ));
    }
    let raw_bytes = metadata.len();
    let mut file = DiskFile::open(&arguments.disk, arguments.ram)?;
    let parameters = file.parameters;
    let sector_bytes = u64::from(parameters.sector_bytes);
    let disk_bytes = u64::from(parameters.capacity) * sector_bytes;
    if raw_bytes > disk_bytes {
        return Err(Failure::of(
            raw,
            format!(
                "{raw_bytes} bytes do not fit the disk of {disk_bytes} bytes; nothing was imported: \
                 shrink the image or format a larger part"
            ),
        ));
    }
    let mut disk = file.mount()?;
    let level = match &arguments.level {
        Some(name) => level_named(disk.volume(), name)?,
        None => LevelIndex(0),
    };
    let written = copy(arguments, &mut source, raw_bytes, &mut disk, level)?;
    unmount(&arguments.disk.path, disk)?;
    writeln!(
        out,
        "{}: {} imported, {written} sectors written, the rest zeros",
        arguments.disk.path.display(),
        size::show(raw_bytes)
    )?;
    Ok(())
}

/// Writes what is not zeros, trims what is.
fn copy(
    arguments: &Arguments,
    source: &mut File,
    raw_bytes: u64,
    disk: &mut ImageDisk<'_>,
    level: LevelIndex,
) -> Result<u64, Failure> {
    let path: &Path = &arguments.disk.path;
    let sector_bytes = disk.volume().sector_bytes();
    let capacity = disk.volume().capacity();
    let used = raw_bytes.div_ceil(sector_bytes as u64) as u32;
    let mut progress = Progress::new("importing", false);
    let mut data = vec![0; sector_bytes];
    let mut written = 0;
    // First sector of the zeros that end here.
    let mut zeros_from = None;
    for sector in 0..used {
        progress.set(u64::from(sector), u64::from(used));
        fill(source, &mut data).map_err(|error| Failure::of(&arguments.raw, error))?;
        if data.iter().all(|&byte| byte == 0) {
            zeros_from = zeros_from.or(Some(sector));
            continue;
        }
        if let Some(first) = zeros_from.take() {
            disk.trim(Sector(first), sector - first)
                .map_err(|error| failed(path, error))?;
        }
        disk.write_with(Sector(sector), &data, level.into())
            .map_err(|error| failed(path, error))?;
        written += 1;
    }
    let first = zeros_from.unwrap_or(used);
    if first < capacity {
        disk.trim(Sector(first), capacity - first)
            .map_err(|error| failed(path, error))?;
    }
    disk.flush().map_err(|error| failed(path, error))?;
    Ok(written)
}

/// Reads one sector, zeros behind the end of the file.
fn fill(source: &mut File, data: &mut [u8]) -> std::io::Result<()> {
    let mut filled = 0;
    while filled < data.len() {
        match source.read(&mut data[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    data[filled..].fill(0);
    Ok(())
}
