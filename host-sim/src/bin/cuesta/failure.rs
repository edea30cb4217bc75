//! Why a command could not be done, in one line.

use std::io;
use std::process::ExitCode;

use cuesta_sim::bench::BenchError;
use cuesta_sim::footprint::FootprintError;
use cuesta_sim::nbd::{BindError, RunError};
use cuesta_sim::{ImageError, UnknownChip};

/// Exit code of a command that could not be done.
const FAILED: u8 = 1;
/// Exit code of a command that makes no sense.
const USAGE: u8 = 2;

/// Why a command could not be done.
#[derive(Debug)]
pub enum Failure {
    /// The line for people, and the exit code.
    Told { line: String, exit: u8 },
    /// Whoever reads our output has left.
    NobodyReads,
}

impl Failure {
    /// What was asked for makes sense and cannot be done.
    pub fn new(line: impl Into<String>) -> Self {
        Self::Told {
            line: line.into(),
            exit: FAILED,
        }
    }

    /// What was asked for makes no sense.
    pub fn usage(line: impl Into<String>) -> Self {
        Self::Told {
            line: line.into(),
            exit: USAGE,
        }
    }

    /// About a file.
    pub fn of(path: &std::path::Path, what: impl std::fmt::Display) -> Self {
        Self::new(format!("{}: {what}", path.display()))
    }

    /// The line for people.
    pub fn line(self) -> String {
        match self {
            Self::Told { line, .. } => line,
            Self::NobodyReads => "nobody reads".to_owned(),
        }
    }

    /// Tells the person at the terminal.
    pub fn report(&self) -> ExitCode {
        match self {
            Self::Told { line, exit } => {
                tell(line);
                ExitCode::from(*exit)
            }
            Self::NobodyReads => {
                // As every filter does: end by the signal, so that a shell's pipeline sees it. It ends the process.
                let _ =
                    signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGPIPE);
                ExitCode::from(FAILED)
            }
        }
    }
}

/// Prints the one line of an error; lines within it are joined.
pub fn tell(line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    // Nothing can be done when even that fails.
    let _ = std::io::Write::write_fmt(
        &mut io::stderr(),
        format_args!("cuesta: {}\n", words.join(" ")),
    );
}

/// Characters of a panic's message that are told.
const MISTAKE_MAX: usize = 300;

/// A mistake of the program itself: one line too, with the place, for whoever gets the report.
pub fn tell_mistake(panic: &str) {
    let start: String = panic.chars().take(MISTAKE_MAX).collect();
    tell(&format!(
        "a mistake in the program, please report it: {start}"
    ));
}

impl From<io::Error> for Failure {
    /// Of our own output: files are reported with their names.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::NobodyReads
        } else {
            Self::new(format!("cannot write the output: {error}"))
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        io::Error::from(error).into()
    }
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<UnknownChip> for Failure {
    fn from(error: UnknownChip) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::new(error.to_string())
    }
}

#[cfg(target_os = "linux")]
impl From<cuesta_sim::agent::AgentError> for Failure {
    fn from(error: cuesta_sim::agent::AgentError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<FootprintError> for Failure {
    fn from(error: FootprintError) -> Self {
        match error {
            FootprintError::Budget(budget) => Self::new(format!(
                "{budget}: ask for --ram {} or more",
                budget.minimum
            )),
            FootprintError::Parameters(_) => Self::new(error.to_string()),
        }
    }
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        match error {
            BenchError::Footprint(error) => error.into(),
            BenchError::Utilization { .. } => Self::usage(error.to_string()),
            _ => Self::new(error.to_string()),
        }
    }
}
