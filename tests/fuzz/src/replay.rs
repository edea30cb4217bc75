//! Inputs from files, through a target, without a fuzzer.

use std::io;
use std::path::{Path, PathBuf};

use crate::Target;

/// Runs a target on each file that the command line names.
///
/// # Errors
/// A file cannot be read.
pub fn arguments(target: Target) -> io::Result<()> {
    for path in std::env::args_os().skip(1) {
        println!("{}", path.to_string_lossy());
        target(&std::fs::read(path)?);
    }
    Ok(())
}

/// The files of a folder, in the order of their names.
///
/// # Errors
/// The folder or a file cannot be read.
pub fn inputs(folder: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut inputs = std::fs::read_dir(folder)?
        .map(|entry| {
            let path = entry?.path();
            std::fs::read(&path).map(|bytes| (path, bytes))
        })
        .collect::<io::Result<Vec<_>>>()?;
    inputs.sort();
    Ok(inputs)
}

/// Runs a target on each file of a folder. How many there are.
///
/// # Errors
/// The folder or a file cannot be read.
pub fn folder(target: Target, folder: &Path) -> io::Result<usize> {
    let inputs = inputs(folder)?;
    for (path, bytes) in &inputs {
        println!("{}", path.display());
        target(bytes);
    }
    Ok(inputs.len())
}
