//! `cuesta format`: a new disk image with an empty volume.

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::path::PathBuf;

use cuesta::volume::{default_sector_bytes, Budget, FormatOptions, Parameters, Volume, SYSTEM_MAX};
use cuesta_sim::footprint::Footprint;
use cuesta_sim::memory::OwnedMemory;
use cuesta_sim::{Builder, Existing, ImageNand};

use crate::failure::Failure;
use crate::{arguments, size};

/// Bytes that a policy has room for by default: some 60 rules.
const POLICY_BYTES: u64 = 4096;

#[derive(Debug, clap::Args)]
#[command(after_help = arguments::chips_help())]
pub struct Arguments {
    /// The image file to make; it is sparse
    disk: PathBuf,
    #[command(flatten)]
    part: arguments::Part,
    /// Size of the disk: sectors, or bytes with a unit such as 64M [default: all that fits]
    #[arg(long, value_name = "N", value_parser = capacity)]
    capacity: Option<Capacity>,
    /// Blocks of a segment, one on each of so many dies: a divisor of their number [default: by the part]
    #[arg(long, value_name = "W")]
    width: Option<u16>,
    /// Classes of lifetime that are kept apart, 1 to 8 [default: by the part]
    #[arg(long, value_name = "K")]
    classes: Option<u8>,
    #[command(flatten)]
    levels: arguments::Levels,
    /// Places of the level table, for levels to be added later [default: as many as there are levels]
    #[arg(long, value_name = "N")]
    level_places: Option<u8>,
    /// Copies that levels to be added later may have at most [default: as many as the levels here have]
    #[arg(long, value_name = "N")]
    level_copies: Option<u8>,
    /// Pages of data to one of parity that levels to be added later may have at most [default: as many as the levels here have]
    #[arg(long, value_name = "N")]
    level_parity: Option<u8>,
    /// Sectors kept for the policy, 0 to 7: hosts have so many fewer [default: 4 KiB of them, where there are 7 at most]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=7))]
    system_sectors: Option<u8>,
    /// Replace a file that is there already
    #[arg(long)]
    force: bool,
    /// Blocks of each die that the factory has marked bad, drawn by a seed: 7/20 marks 20
    #[arg(long, value_name = "SEED/COUNT", value_parser = bad_blocks)]
    bad_blocks: Option<BadBlocks>,
}

/// A size of the disk.
#[derive(Debug, Clone, Copy)]
enum Capacity {
    Sectors(u32),
    Bytes(u64),
}

fn capacity(text: &str) -> Result<Capacity, String> {
    match text.parse() {
        Ok(sectors) => Ok(Capacity::Sectors(sectors)),
        Err(_) => size::parse(text).map(Capacity::Bytes),
    }
}

#[derive(Debug, Clone, Copy)]
struct BadBlocks {
    seed: u64,
    per_die: u32,
}

fn bad_blocks(text: &str) -> Result<BadBlocks, String> {
    let wrong = || "a seed and the bad blocks of each die are needed, such as 7/20".to_owned();
    let (seed, count) = text.split_once('/').ok_or_else(wrong)?;
    Ok(BadBlocks {
        seed: arguments::seed(seed)?,
        per_die: count.parse().map_err(|_| wrong())?,
    })
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let chip = arguments.part.chip()?;
    let geometry = chip.geometry;
    let sector_bytes = u64::from(default_sector_bytes(&geometry));
    let capacity = match arguments.capacity {
        None => None,
        Some(Capacity::Sectors(sectors)) => Some(sectors),
        Some(Capacity::Bytes(bytes)) => Some(
            u32::try_from(bytes / sector_bytes)
                .map_err(|_| Failure::usage(format!("--capacity: {bytes} bytes are too many")))?,
        ),
    };
    let levels = arguments.levels.on(&geometry)?;
    let options = FormatOptions {
        volume_id: RandomState::new().hash_one(&arguments.disk),
        capacity,
        width: arguments.width,
        classes: arguments.classes,
        levels: &levels,
        level_places: arguments.level_places,
        level_copies: arguments.level_copies,
        level_parity: arguments.level_parity,
        system: arguments
            .system_sectors
            .unwrap_or(POLICY_BYTES.div_ceil(sector_bytes).min(SYSTEM_MAX.into()) as u8),
    };
    // All that can be wrong with the wishes is found before a file is touched.
    let impossible = |error| Failure::new(format!("{}: {error}", chip.name));
    let parameters = Parameters::choose(&geometry, &options).map_err(impossible)?;
    let footprint = Footprint::new(&geometry, &parameters, Budget::Full, 1)?;
    let mut builder = Builder::new(&chip);
    if let Some(BadBlocks { seed, per_die }) = arguments.bad_blocks {
        if per_die > geometry.bad_blocks_max_per_die {
            return Err(Failure::usage(format!(
                "--bad-blocks: {per_die} bad blocks a die asked for, {} has at most {}",
                chip.name, geometry.bad_blocks_max_per_die
            )));
        }
        builder = builder.seed(seed).random_bad_blocks(per_die);
    }

    let existing = if arguments.force {
        Existing::Replace
    } else {
        Existing::Refuse
    };
    let nand = ImageNand::create(&arguments.disk, &builder, existing)?;
    let mut memory = OwnedMemory::new(&footprint.plan);
    let nand = Volume::format(nand, memory.lend(), &options)
        .map_err(|error| Failure::of(&arguments.disk, error))?;
    nand.media()
        .sync_all()
        .map_err(|error| Failure::of(&arguments.disk, error))?;
    let bytes = u64::from(parameters.capacity) * u64::from(parameters.sector_bytes);
    writeln!(
        out,
        "{}: {}, {} sectors of {} B ({}, {:.1} % of the raw pages)",
        arguments.disk.display(),
        chip.name,
        parameters.capacity,
        parameters.sector_bytes,
        size::show(bytes),
        100.0 * bytes as f64 / geometry.main_bytes() as f64
    )?;
    Ok(())
}
