//! Arguments that several commands share, and what is said about wrong ones.

use std::process::ExitCode;

use clap::error::ErrorKind;
use cuesta::codec::PageLayout;
use cuesta::hal::Geometry;
use cuesta::volume::{Budget, FormatOptions, Level, ParameterError, Parameters};
use cuesta_sim::{chip, chips, Chip};

use crate::failure::{tell, Failure};
use crate::size;

/// Sectors in use where nothing is asked for, of all that the raw pages hold.
pub const UTILIZATION: f64 = 0.70;

/// The chips there are, for the end of a command's help.
pub fn chips_help() -> String {
    let width = chips().iter().map(|chip| chip.name.len()).max();
    let width = width.unwrap_or(0);
    let lines = chips().iter().map(|chip| {
        format!(
            "\n  {:width$}  {}{}",
            chip.name,
            chip.description,
            fits(chip)
        )
    });
    format!("Chips:{}", lines.collect::<String>())
}

/// A remark where no volume can be made on a chip.
fn fits(chip: &Chip) -> &'static str {
    match Parameters::choose(&chip.geometry, &FormatOptions::default()) {
        Ok(_) => "",
        Err(ParameterError::PairedPages) => "; refused: paired pages",
        Err(_) => "; refused",
    }
}

/// Parses `--ram`: `full`, `minimum`, or bytes.
pub fn budget(text: &str) -> Result<Budget, String> {
    match text {
        "full" => Ok(Budget::Full),
        "minimum" => Ok(Budget::Minimum),
        _ => size::parse(text)
            .and_then(|bytes| usize::try_from(bytes).map_err(|_| "too large".to_owned()))
            .map(Budget::Bytes)
            .map_err(|error| format!("{error}; use full, minimum, or bytes such as 16K")),
    }
}

/// Parses `--chip`.
pub fn chip_named(text: &str) -> Result<&'static Chip, String> {
    chip(text).map_err(|error| error.to_string())
}

/// The part that a command is about.
#[derive(Debug, clap::Args)]
pub struct Part {
    /// The part
    #[arg(long, value_name = "NAME", value_parser = chip_named)]
    chip: &'static Chip,
    /// With the part's own error correction on: it protects what has no code of the engine's, and takes its share of the spare
    #[arg(long)]
    chip_ecc: bool,
}

impl Part {
    /// The chip, as it is asked for.
    pub fn chip(&self) -> Result<Chip, Failure> {
        let mut chip = *self.chip;
        if self.chip_ecc {
            match &mut chip.geometry.chip_ecc {
                Some(ecc) => ecc.enabled = true,
                None => {
                    return Err(Failure::usage(format!(
                        "--chip-ecc: {} has no error correction of its own",
                        chip.name
                    )))
                }
            }
        }
        Ok(chip)
    }
}

/// Parses `--utilization`.
pub fn utilization(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err("a share of the raw pages is above 0 and at most 1, such as 0.70".to_owned()),
    }
}

/// Levels, as `--level` gives them: the code that is left out is the one that the part's data sheet asks for.
#[derive(Debug, clap::Args)]
pub struct Levels {
    /// A level, NAME=CODE,REDUNDANCY, such as safe=bch8,mirror=2; repeat for more. The first is for writes that ask for none.
    /// Codes: crc, secded, bch4, bch8, bch16, bch24, bch40, bch64; redundancies: single, mirror=2, mirror=3
    /// [default: one level, with the code that the part's data sheet asks for]
    #[arg(long = "level", value_name = "LEVEL")]
    levels: Vec<String>,
}

impl Levels {
    /// The levels for a part.
    pub fn on(&self, geometry: &Geometry) -> Result<Vec<Level>, Failure> {
        if self.levels.is_empty() {
            return Ok(Vec::new());
        }
        let ecc = PageLayout::required(geometry)
            .map_err(|error| Failure::new(format!("--level: {error}")))?;
        self.levels
            .iter()
            .map(|text| {
                Level::parse(text, ecc)
                    .map_err(|error| Failure::usage(format!("--level {text}: {error}")))
            })
            .collect()
    }
}

/// Parses a seed: decimal, or hexadecimal after `0x`.
pub fn seed(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| "a seed is a number of 64 bits, such as 7 or 0xD5A2".to_owned())
}

/// Shows help where it was asked for; says what is wrong in one line otherwise.
pub fn refuse(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let shown = error.print().map_err(Failure::from);
            match (shown, error.exit_code()) {
                (Err(failure), _) => failure.report(),
                (Ok(()), 0) => ExitCode::SUCCESS,
                (Ok(()), _) => ExitCode::from(2),
            }
        }
        _ => {
            let text = error.render().to_string();
            // The parser adds usage and a pointer to the help behind empty lines.
            let what = text
                .split("\n\nUsage:")
                .next()
                .and_then(|text| text.split("\n\nFor more information").next())
                .unwrap_or_default();
            let what = what.strip_prefix("error: ").unwrap_or(what);
            tell(&format!("{}; --help tells more", what.trim_end()));
            ExitCode::from(2)
        }
    }
}
