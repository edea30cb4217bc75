//! A disk image with the volume in it.

use std::path::{Path, PathBuf};

use cuesta::door::Disk;
use cuesta::hal::Nand;
use cuesta::volume::{Budget, Error, LevelIndex, Parameters, Volume};
use cuesta_sim::footprint::Footprint;
use cuesta_sim::memory::OwnedMemory;
use cuesta_sim::{Builder, Chip, ImageNand};

use crate::arguments;
use crate::failure::Failure;

/// Which disk.
#[derive(Debug, clap::Args)]
pub struct DiskArguments {
    /// The image file
    #[arg(value_name = "DISK")]
    pub path: PathBuf,
    /// Refuse an image of another chip than this
    #[arg(long, value_name = "NAME", value_parser = arguments::chip_named)]
    pub chip: Option<&'static Chip>,
}

/// A mounted disk image.
pub type ImageDisk<'d> = Disk<'d, &'d mut ImageNand>;

/// A locked disk image, and memory for the volume in it.
#[derive(Debug)]
pub struct DiskFile {
    path: PathBuf,
    nand: ImageNand,
    memory: OwnedMemory,
    pub parameters: Parameters,
}

impl DiskFile {
    /// Opens the image and finds the volume. Nothing is written.
    pub fn open(disk: &DiskArguments, budget: Budget) -> Result<Self, Failure> {
        let path = &disk.path;
        let asked = disk.chip.map(Builder::new);
        let mut nand = ImageNand::open(path, asked.as_ref())?;
        let geometry = *cuesta::hal::Nand::geometry(&nand);
        let parameters = Volume::probe(&mut nand).map_err(|error| Failure::of(path, error))?;
        let footprint = Footprint::new(&geometry, &parameters, budget, 1)?;
        Ok(Self {
            path: path.to_owned(),
            memory: OwnedMemory::new(&footprint.plan),
            nand,
            parameters,
        })
    }

    /// The part.
    pub const fn nand(&self) -> &ImageNand {
        &self.nand
    }

    /// Mounts the volume. Nothing is written.
    pub fn mount(&mut self) -> Result<ImageDisk<'_>, Failure> {
        match Volume::mount(&mut self.nand, self.memory.lend()) {
            Ok(mut volume) => {
                volume
                    .use_codes(cuesta_accelerator::code)
                    .map_err(|error| Failure::of(&self.path, error))?;
                Ok(Disk::new(volume))
            }
            Err(error) => Err(Failure::of(&self.path, error)),
        }
    }
}

/// Ends the session cleanly.
pub fn unmount(path: &Path, disk: ImageDisk<'_>) -> Result<(), Failure> {
    match disk.unmount() {
        Ok(nand) => nand
            .media()
            .sync_all()
            .map_err(|error| Failure::of(path, error)),
        Err((_, error)) => Err(failed(path, error)),
    }
}

/// A request failed.
pub fn failed(path: &Path, error: Error) -> Failure {
    Failure::of(path, error)
}

/// The level of a volume that has this name.
pub fn level_named<N: Nand>(volume: &Volume<'_, N>, name: &str) -> Result<LevelIndex, Failure> {
    let levels = (0..volume.info().parameters.levels())
        .map(LevelIndex)
        .filter_map(|index| Some((index, volume.level(index)?)));
    let mut names = Vec::new();
    for (index, level) in levels {
        if level.name() == name {
            return Ok(index);
        }
        names.push(level.name().to_owned());
    }
    Err(Failure::usage(format!(
        "--level {name}: the disk has no such level, but {}",
        names.join(", ")
    )))
}
