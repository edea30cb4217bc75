//! `cuesta agent`: in the path of files.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use cuesta_sim::agent::Agent;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::failure::Failure;

const AFTER_HELP: &str = "\
Prints the directory as soon as it is mounted. What is there before stays there: every call passes through to the source, \
by default to the directory itself. Needs root, and a kernel with FUSE.

Example:
  cuesta agent --mount /srv/build";

/// How often the agent looks whether it is to end.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The directory that programs use
    #[arg(long, value_name = "DIRECTORY")]
    mount: PathBuf,
    /// The directory in which the files are [default: the one that is mounted over]
    #[arg(long, value_name = "DIRECTORY")]
    source: Option<PathBuf>,
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let source = arguments.source.as_ref().unwrap_or(&arguments.mount);
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| Failure::new(format!("cannot handle signal {signal}: {error}")))?;
    }
    let agent = Agent::mount(source, &arguments.mount)?;
    // Whoever started this may wait for the line.
    let _ = writeln!(out, "{}", arguments.mount.display()).and_then(|()| out.flush());
    while !stop.load(Ordering::Relaxed) && !agent.has_ended() {
        std::thread::sleep(LOOK_INTERVAL);
    }
    agent.unmount()?;
    Ok(())
}
