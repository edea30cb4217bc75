//! Foreign programs: found, run with a limit of time, and believed.

use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Longest run of a client: one that needs more hangs.
const CLIENT_SECONDS_MAX: &str = "300";
/// The tools that tests use, each with the Debian package it is in.
const PACKAGES: [(&str, &str); 13] = [
    ("fio", "fio"),
    ("qemu-io", "qemu-utils"),
    ("qemu-nbd", "qemu-utils"),
    ("nbdkit", "nbdkit"),
    ("nbdcopy", "libnbd-bin"),
    ("nbdinfo", "libnbd-bin"),
    ("mke2fs", "e2fsprogs"),
    ("e2fsck", "e2fsprogs"),
    ("debugfs", "e2fsprogs"),
    ("diff", "diffutils"),
    ("gcc", "gcc"),
    ("git", "git"),
    ("python3", "python3"),
];

/// Where programs are: some users have no `sbin` in their path.
fn path() -> String {
    let path = env::var("PATH").unwrap_or_default();
    format!("{path}:/usr/sbin:/sbin")
}

fn is_there(tool: &str) -> bool {
    path()
        .split(':')
        .any(|directory| Path::new(directory).join(tool).is_file())
}

/// Whether a test must be left out for want of `tools`; says so.
///
/// # Panics
/// When one is missing and `CI` is set: there, all must be.
pub fn are_missing(test: &str, tools: &[&str]) -> bool {
    let missing: Vec<String> = tools
        .iter()
        .filter(|tool| !is_there(tool))
        .map(|tool| {
            let package = PACKAGES.iter().find(|(name, _)| name == tool).unwrap().1;
            format!("{tool} (Debian package {package})")
        })
        .collect();
    if missing.is_empty() {
        return false;
    }
    let why = format!("missing {}", missing.join(", "));
    let in_ci = env::var("CI").is_ok_and(|value| !["", "0", "false"].contains(&value.as_str()));
    assert!(!in_ci, "{test}: {why}");
    left_out(test, &why);
    true
}

/// Says that a test is left out, and why.
pub fn left_out(test: &str, why: &str) {
    // Past the test harness, which shows what a test printed only if it fails.
    let said = format!("NOT RUN: {test}: {why}\n");
    io::stderr().write_all(said.as_bytes()).unwrap();
}

/// A command that runs `tool` in `directory`, for a limited time.
pub fn command(directory: &Path, tool: &str) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=5", CLIENT_SECONDS_MAX, tool])
        .env("PATH", path())
        .current_dir(directory)
        .stdin(Stdio::null());
    command
}

/// Runs a command that must succeed; gives its standard output.
pub fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", told(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// All that a command said.
pub fn told(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    let status = output.status;
    format!(
        "{status}\n{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}
