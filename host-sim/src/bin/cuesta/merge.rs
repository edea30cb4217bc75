//! `cuesta merge`: reports of shards, added up.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use cuesta_sim::campaign::report::Report;

use crate::campaign;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What crash, soak or fuzz printed with --json, for each shard
    #[arg(required = true, value_name = "FILE")]
    reports: Vec<PathBuf>,
    /// A JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let reports: Result<Vec<Report>, Failure> = arguments
        .reports
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).map_err(|error| Failure::of(path, error))?;
            serde_json::from_str(&text)
                .map_err(|error| Failure::of(path, format!("this is no report: {error}")))
        })
        .collect();
    let sum = Report::merge(reports?).map_err(|error| Failure::new(error.to_string()))?;
    campaign::tell(&sum, arguments.json, out)
}
