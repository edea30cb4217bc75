//! `cuesta export`: the contents of the disk as a raw image.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use cuesta::volume::{Budget, Sector};

use crate::disk::{failed, unmount, DiskArguments, DiskFile, ImageDisk};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{arguments, size};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    disk: DiskArguments,
    /// The raw image to make; zeros become holes
    raw: PathBuf,
    /// Replace a file that is there already
    #[arg(long)]
    force: bool,
    /// Memory for the engine, all included: full, minimum, or bytes such as 16K
    #[arg(long, value_name = "BYTES", default_value = "full", value_parser = arguments::budget)]
    ram: Budget,
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let raw = &arguments.raw;
    let mut file = DiskFile::open(&arguments.disk, arguments.ram)?;
    let mut disk = file.mount()?;
    let mut options = OpenOptions::new();
    options.write(true);
    if arguments.force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let target = options.open(raw).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::of(
            raw,
            "the file is there already; choose another name, or use --force to replace it",
        ),
        _ => Failure::of(raw, error),
    })?;
    let copied = copy(arguments, &mut disk, &target);
    if copied.is_err() && !arguments.force {
        // Half an image is of no use to anyone, and the file was not there before.
        let _ = std::fs::remove_file(raw);
    }
    let sectors = copied?;
    let bytes = u64::from(disk.volume().capacity()) * disk.volume().sector_bytes() as u64;
    unmount(&arguments.disk.path, disk)?;
    writeln!(
        out,
        "{}: {} exported, {sectors} sectors with data, the rest zeros",
        raw.display(),
        size::show(bytes)
    )?;
    Ok(())
}

fn copy(arguments: &Arguments, disk: &mut ImageDisk<'_>, target: &File) -> Result<u32, Failure> {
    let capacity = disk.volume().capacity();
    let sector_bytes = disk.volume().sector_bytes() as u64;
    let io = |error| Failure::of(&arguments.raw, error);
    target
        .set_len(u64::from(capacity) * sector_bytes)
        .map_err(io)?;
    let mut progress = Progress::new("exporting", false);
    let mut data = vec![0; sector_bytes as usize];
    let mut sectors = 0;
    for sector in 0..capacity {
        progress.set(u64::from(sector), u64::from(capacity));
        let written = disk
            .read(Sector(sector), &mut data)
            .map_err(|error| failed(&arguments.disk.path, error))?;
        if written {
            target
                .write_all_at(&data, u64::from(sector) * sector_bytes)
                .map_err(io)?;
            sectors += 1;
        }
    }
    target.sync_all().map_err(io)?;
    Ok(sectors)
}
