//! `cuesta check`: the media verified against themselves.

use std::io::Write;

use cuesta::volume::{Budget, Finding};
use serde_json::json;

use crate::disk::{failed, DiskArguments, DiskFile};
use crate::failure::Failure;
use crate::progress::Progress;

/// Findings that are listed one by one.
const LISTED_MAX: usize = 20;

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
    let mut disk = file.mount()?;
    let clean = disk.volume().info().clean;
    let mut progress = Progress::new("checking", arguments.json);
    let mut findings: Vec<Finding> = Vec::new();
    let verified = disk
        .volume_mut()
        .verify(&mut |finding| findings.push(finding), &mut |done, total| {
            progress.set(u64::from(done), u64::from(total))
        })
        .map_err(|error| failed(&arguments.disk.path, error))?;
    drop(progress);
    if arguments.json {
        let object = json!({
            "disk": arguments.disk.path.display().to_string(),
            "clean": clean,
            "sectors": verified.sectors,
            "unwritten": verified.unwritten,
            "undecided": verified.undecided,
            "segments": verified.segments,
            "corrected_bits_max": verified.corrected_bits_max,
            "findings": findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        writeln!(out, "{object}")?;
    } else {
        for finding in findings.iter().take(LISTED_MAX) {
            writeln!(out, "{finding}")?;
        }
        if findings.len() > LISTED_MAX {
            writeln!(out, "... and {} more", findings.len() - LISTED_MAX)?;
        }
        if verified.undecided > 0 {
            writeln!(
                out,
                "{} sectors were being written when the power went; the next session takes the versions before",
                verified.undecided
            )?;
        }
        writeln!(
            out,
            "{}: {} sectors read and checked, {} unwritten; {} segments counted; at most {} bits corrected in a codeword; \
             the last session ended {}",
            arguments.disk.path.display(),
            verified.sectors,
            verified.unwritten,
            verified.segments,
            verified.corrected_bits_max,
            if clean { "cleanly" } else { "by a cut" }
        )?;
    }
    if findings.is_empty() {
        Ok(())
    } else {
        Err(Failure::of(
            &arguments.disk.path,
            format!(
                "{} findings; export what can be read, then format again",
                findings.len()
            ),
        ))
    }
}
