//! `cuesta report`: the figures of the documents, made again.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use cuesta_sim::bench::{run_cases, Case};
use cuesta_sim::figures::{figures, Sample};
use cuesta_sim::reference::Scheme;
use cuesta_sim::{chip, Chip};

use crate::arguments;
use crate::failure::Failure;
use crate::progress::Progress;

/// The chip where none is asked for.
const CHIP: &str = "w25n01gv";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What `cuesta bench --json` printed, instead of running the benches [default: all of them are run, which takes minutes]
    #[arg(long, value_name = "FILE", conflicts_with = "chip")]
    from: Option<PathBuf>,
    /// The part [default: w25n01gv]
    #[arg(long, value_name = "NAME", value_parser = arguments::chip_named)]
    chip: Option<&'static Chip>,
    /// Folder for the figures, one SVG file each
    #[arg(short, long, value_name = "FOLDER", default_value = "docs/figures")]
    output: PathBuf,
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    // What cannot be written to is told now and not in some minutes.
    fs::create_dir_all(&arguments.output).map_err(|error| Failure::of(&arguments.output, error))?;
    let samples = match &arguments.from {
        Some(path) => read(path)?,
        None => measure(arguments)?,
    };
    let figures = figures(&samples);
    if figures.is_empty() {
        return Err(Failure::new(
            "there is nothing to draw: no run of uniform, zipf, hotcold, shift, rand-read or wear",
        ));
    }
    for figure in figures {
        let path = arguments.output.join(figure.file);
        fs::write(&path, figure.svg).map_err(|error| Failure::of(&path, error))?;
        writeln!(out, "{}", path.display())?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<Sample>, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::of(path, error))?;
    text.lines()
        .enumerate()
        .map(|(number, line)| {
            serde_json::from_str(line).map_err(|error| {
                Failure::new(format!(
                    "{}: line {} is no run of a bench: {error}",
                    path.display(),
                    number + 1
                ))
            })
        })
        .collect()
}

fn measure(arguments: &Arguments) -> Result<Vec<Sample>, Failure> {
    let chip = match arguments.chip {
        Some(chip) => chip,
        None => chip(CHIP)?,
    };
    let mut progress = Progress::new("all workloads", false);
    let cases = Case::matrix(chip);
    let outcomes = run_cases(&cases, &Scheme::ALL, &mut |done, total| {
        progress.set(done, total);
    })?;
    drop(progress);
    outcomes
        .iter()
        .map(|outcome| {
            // The same way as through a file.
            let text = serde_json::to_string(outcome)?;
            Ok(serde_json::from_str(&text)?)
        })
        .collect()
}
