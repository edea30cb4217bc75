//! `cuesta chip`: a serial NAND part at the end of two pipes, its array in an image file.

use std::fs::{File, OpenOptions};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use cuesta_sim::spi_chip::{serve, SpiChip};
use cuesta_sim::{Builder, Chip, Existing, ImageNand};

use crate::arguments;
use crate::failure::Failure;

const AFTER_HELP: &str = "\
Firmware that runs in an emulator forwards what it does on its bus to the one pipe and hears the part on the other; see board/README.md for the \
bytes. When the pipe ends, or this process is killed, the part loses its power: what it was doing is torn.

Example:
  mkfifo requests answers
  cuesta chip disk.nand --chip w25n01gv --requests requests --answers answers";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The image file of the array; a new part is made where there is none
    image: PathBuf,
    /// The part; what an image already holds is not changed
    #[arg(long, value_name = "NAME", value_parser = arguments::chip_named)]
    chip: &'static Chip,
    /// The pipe on which the firmware speaks
    #[arg(long, value_name = "PIPE")]
    requests: PathBuf,
    /// The pipe on which the part answers
    #[arg(long, value_name = "PIPE")]
    answers: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let path = &arguments.image;
    // Before a file is made that is of no use.
    if arguments.chip.spi_nand.is_none() {
        return Err(Failure::usage(format!(
            "--chip {}: it is no serial NAND",
            arguments.chip.name
        )));
    }
    for pipe in [&arguments.requests, &arguments.answers] {
        if !pipe.exists() {
            return Err(Failure::of(
                pipe,
                "there is no such pipe: make it with mkfifo",
            ));
        }
    }
    let builder = Builder::new(arguments.chip);
    let nand = if path.exists() {
        ImageNand::open(path, Some(&builder))?
    } else {
        ImageNand::create(path, &builder, Existing::Refuse)?
    };
    let mut chip = SpiChip::new(nand).map_err(|error| Failure::usage(error.to_string()))?;
    // In the order in which the firmware opens its ends: each waits for the other.
    let requests = pipe(&arguments.requests, OpenOptions::new().read(true))?;
    let answers = pipe(&arguments.answers, OpenOptions::new().write(true))?;
    let served = serve(&mut chip, BufReader::new(requests), answers);
    chip.power_cycle();
    let synced = chip.nand().media().sync_all();
    served.map_err(|error| Failure::of(&arguments.requests, error))?;
    synced.map_err(|error| Failure::of(path, error))
}

fn pipe(path: &Path, options: &OpenOptions) -> Result<File, Failure> {
    options.open(path).map_err(|error| Failure::of(path, error))
}
