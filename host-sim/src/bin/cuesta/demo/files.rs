//! The files that are stored: those of the directory the program was started in, or made-up ones.

use std::fs;
use std::path::{Path, PathBuf};

use cuesta_sim::SplitMix64;

/// Files that are looked at.
const FILES_MAX: usize = 4000;
/// Directories below each other.
const DEPTH_MAX: usize = 12;
/// Bytes of a file; longer ones are left out.
const FILE_BYTES_MAX: u64 = 2 << 20;
/// Bytes of all files.
const TOTAL_BYTES_MAX: u64 = 48 << 20;
/// With fewer bytes than this the directory is not worth storing.
const TOTAL_BYTES_MIN: u64 = 64 << 10;
/// Made-up files.
const GENERATED: u32 = 300;

/// Some files, and where they come from.
#[derive(Debug)]
pub struct Files {
    /// For people.
    pub source: String,
    /// Contents.
    pub contents: Vec<Vec<u8>>,
}

/// Finds files.
pub fn collect() -> Files {
    let mut found = Found::default();
    if let Ok(start) = std::env::current_dir() {
        found.walk(&start, 0);
        if found.bytes >= TOTAL_BYTES_MIN {
            return Files {
                source: format!("files below {}", start.display()),
                contents: found.contents,
            };
        }
    }
    Files {
        source: "made-up files".to_owned(),
        contents: generate(),
    }
}

#[derive(Default)]
struct Found {
    contents: Vec<Vec<u8>>,
    bytes: u64,
}

impl Found {
    fn walk(&mut self, directory: &Path, depth: usize) {
        let Ok(entries) = fs::read_dir(directory) else {
            return;
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        // The order of a directory is nobody's promise; a demonstration should be the same every time.
        paths.sort();
        for path in paths {
            if self.contents.len() >= FILES_MAX {
                return;
            }
            let name = path.file_name().and_then(|name| name.to_str());
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                continue;
            };
            if name.is_none_or(|name| name.starts_with('.') || name == "target") {
                continue;
            }
            if metadata.is_dir() && depth < DEPTH_MAX {
                self.walk(&path, depth + 1);
            } else if metadata.is_file() {
                self.take(&path, metadata.len());
            }
        }
    }

    fn take(&mut self, path: &Path, bytes: u64) {
        if bytes == 0 || bytes > FILE_BYTES_MAX || self.bytes + bytes > TOTAL_BYTES_MAX {
            return;
        }
        if let Ok(content) = fs::read(path) {
            self.bytes += content.len() as u64;
            self.contents.push(content);
        }
    }
}

/// Files of random words, up to 64 KiB long.
fn generate() -> Vec<Vec<u8>> {
    let mut prng = SplitMix64::new(0xF11E);
    (0..GENERATED)
        .map(|number| {
            let bytes = 1 + prng.below(64 << 10) as usize;
            let mut content = Vec::with_capacity(bytes + 32);
            while content.len() < bytes {
                content.extend(format!("file {number}: {:016x}\n", prng.next()).into_bytes());
            }
            content.truncate(bytes);
            content
        })
        .collect()
}
