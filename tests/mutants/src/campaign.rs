//! The campaigns that should find a mistake.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::engine::Copy;

/// What is run, the shortest first.
const CAMPAIGNS: [&str; 16] = [
    "crash --part cuts --disk one-die-min",
    "crash --part cuts --disk one-die-full",
    "crash --part cuts --disk two-dies-min",
    "crash --part cuts --disk chip-ecc",
    "crash --part cuts --disk two-wide-min",
    "crash --part cuts --disk four-dies-full",
    "crash --part cuts --disk four-dies-mirror",
    "crash --part cuts --disk four-dies-parity",
    "crash --part cuts --disk multi-min",
    "crash --part cuts --disk multi-parity",
    "crash --part second --disk one-die-min",
    "soak --lifetimes 8",
    "fuzz --executions 4000 --disk one-die-min,two-dies-min,four-dies-min,chip-ecc",
    "crash --part faults --disk one-die-min",
    "crash --part faults --disk two-dies-min",
    "crash --part faults --disk chip-ecc",
];
/// So many times as long as without a mistake, and this much more, a campaign may take: it found something that goes on for ever.
const PATIENCE: (u32, Duration) = (5, Duration::from_secs(20));

/// What became of a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A campaign failed.
    Found,
    /// None did.
    Missed,
    /// None came to the place.
    Unreached,
}

/// The campaigns, with what each of them comes to.
#[derive(Debug)]
pub struct Suite {
    campaigns: Vec<Campaign>,
    program: std::path::PathBuf,
}

#[derive(Debug)]
struct Campaign {
    line: &'static str,
    takes: Duration,
    reaches: BTreeSet<u32>,
}

impl Suite {
    /// Runs all of them without a mistake. Those that take longer than `longest` are left out.
    pub fn new(copy: &Copy, longest: Duration) -> Result<Self, String> {
        let program = copy.program();
        let reached = program.with_extension("reached");
        let mut campaigns = Vec::new();
        for line in CAMPAIGNS {
            let _ = std::fs::remove_file(&reached);
            let begun = Instant::now();
            let mut child = command(&program, line)
                .env("MUTANTS_REACHED", &reached)
                .spawn()
                .map_err(|error| error.to_string())?;
            match end(&mut child, longest).map_err(|error| error.to_string())? {
                Some(true) => {}
                Some(false) => {
                    return Err(format!("without any mistake this fails: cuesta {line}"));
                }
                None => {
                    eprintln!("too long: cuesta {line}");
                    continue;
                }
            }
            let text = std::fs::read_to_string(&reached).map_err(|error| error.to_string())?;
            let campaign = Campaign {
                line,
                takes: begun.elapsed(),
                reaches: text.lines().filter_map(|line| line.parse().ok()).collect(),
            };
            eprintln!(
                "{:5.1} s, {} places: cuesta {line}",
                campaign.takes.as_secs_f64(),
                campaign.reaches.len()
            );
            campaigns.push(campaign);
        }
        campaigns.sort_by_key(|campaign| campaign.takes);
        Ok(Self { campaigns, program })
    }

    /// Makes a mistake and runs the campaigns that come to its place, until one fails.
    pub fn judge(&self, number: u32) -> Result<Verdict, String> {
        let mut verdict = Verdict::Unreached;
        for campaign in &self.campaigns {
            if !campaign.reaches.contains(&number) {
                continue;
            }
            verdict = Verdict::Missed;
            let mut child = command(&self.program, campaign.line)
                .env("MUTANT", number.to_string())
                .spawn()
                .map_err(|error| error.to_string())?;
            let limit = campaign.takes * PATIENCE.0 + PATIENCE.1;
            // What does not end was found as well.
            if end(&mut child, limit).map_err(|error| error.to_string())? != Some(true) {
                return Ok(Verdict::Found);
            }
        }
        Ok(verdict)
    }
}

fn command(program: &std::path::Path, line: &str) -> Command {
    let mut command = Command::new(program);
    command
        .args(line.split(' '))
        .args(["--json"])
        .args(line.starts_with("crash").then_some("--no-shrink"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Whether a program succeeded; nothing if it had to be killed.
fn end(child: &mut Child, limit: Duration) -> std::io::Result<Option<bool>> {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}
