//! Resources as commands name them: memory, a disk image, a file or a block device, a disk that somebody serves.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use cuesta::policy::StorageLevels;
use cuesta::resource::RamStore;
use cuesta::volume::{Budget, Level, LEVELS_MAX};
use cuesta_sim::leveled::{Lent, Policy};
use cuesta_sim::nbd::client::Uri;
use cuesta_sim::policy_file::{self, PolicyFileError};
use cuesta_sim::resource::{FileOptions, FileResource, NbdOptions, NbdResource};

use crate::disk::{unmount, DiskArguments, DiskFile};
use crate::failure::Failure;
use crate::size;

/// Bytes of a sector where no disk image says otherwise.
pub const SECTOR_BYTES: u32 = 4096;

/// The levels of a volume, by their numbers.
pub type Levels = [Option<Level>; LEVELS_MAX];

/// A resource, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// Memory of so many bytes.
    Ram(u64),
    /// An export of an NBD server.
    Nbd(Uri),
    /// A file, or a block device.
    File(PathBuf),
    /// A disk image.
    Disk(PathBuf),
}

/// Parses `ram:8M`, `nbd:URI`, `file:PATH`, or the path of a disk image.
pub fn named(text: &str) -> Result<Named, String> {
    if let Some(bytes) = text.strip_prefix("ram:") {
        return size::parse(bytes).map(Named::Ram);
    }
    if let Some(path) = text.strip_prefix("file:") {
        return Ok(Named::File(path.into()));
    }
    let uri = match text.strip_prefix("nbd:") {
        // As well as the address itself, which begins so.
        Some(rest) if !rest.starts_with("//") => Some(rest),
        Some(_) => Some(text),
        None => text.starts_with("nbd+unix:").then_some(text),
    };
    match uri {
        Some(uri) => uri
            .parse()
            .map(Named::Nbd)
            .map_err(|error: cuesta_sim::nbd::client::UriError| error.to_string()),
        None => Ok(Named::Disk(text.into())),
    }
}

/// A resource that was opened, but for what is mounted on it.
#[derive(Debug)]
pub enum Opened {
    Ram(u64),
    Nbd(Uri),
    File(PathBuf),
    Disk(Box<DiskFile>, PathBuf),
}

/// Tells one place from others: a cache is of what was at this place. Never 0, which stands for nothing (FNV-1a).
fn identity(kind: &str, place: &[u8]) -> u64 {
    let add = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    let hash = kind.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, add);
    place.iter().fold(hash, add).max(1)
}

impl Opened {
    /// Opens a disk image. The others are opened when the bytes of a sector are known.
    pub fn open(named: &Named, ram: Budget) -> Result<Self, Failure> {
        Ok(match named {
            Named::Ram(bytes) => Self::Ram(*bytes),
            Named::Nbd(uri) => Self::Nbd(uri.clone()),
            Named::File(path) => Self::File(path.clone()),
            Named::Disk(path) => {
                let arguments = DiskArguments {
                    path: path.clone(),
                    chip: None,
                };
                Self::Disk(Box::new(DiskFile::open(&arguments, ram)?), path.clone())
            }
        })
    }

    /// The levels of the volume, if it is one.
    pub fn levels(&mut self) -> Result<Option<Levels>, Failure> {
        match self {
            Self::Disk(file, _) => Ok(Some(StorageLevels::of(file.mount()?.volume()))),
            _ => Ok(None),
        }
    }

    /// Bytes of a sector, if it has them already.
    pub fn sector_bytes(&self) -> Option<u32> {
        match self {
            Self::Disk(file, _) => Some(file.parameters.sector_bytes),
            _ => None,
        }
    }

    /// Uses it, as sectors of so many bytes; closes it cleanly.
    pub fn with<T>(
        &mut self,
        sector_bytes: u32,
        run: impl FnOnce(Lent<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        match self {
            Self::Ram(bytes) => {
                let sectors = *bytes / u64::from(sector_bytes);
                let sectors = usize::try_from(sectors)
                    .map_err(|_| Failure::usage("that is more memory than can be addressed"))?;
                let mut memory = vec![0; sectors * sector_bytes as usize];
                let mut written = vec![0; RamStore::map_bytes(sectors)];
                let store = RamStore::new(&mut memory, &mut written, sector_bytes as usize);
                let mut store = store.map_err(|error| Failure::new(error.to_string()))?;
                run(&mut store)
            }
            Self::Nbd(uri) => {
                let options = NbdOptions {
                    sector_bytes,
                    identity: identity("nbd", format!("{uri:?}").as_bytes()),
                    ..NbdOptions::default()
                };
                let resource = NbdResource::connect(uri, options);
                let mut resource = resource.map_err(|error| Failure::new(error.to_string()))?;
                run(&mut resource)
            }
            Self::File(path) => {
                let place = fs::canonicalize(&*path).unwrap_or_else(|_| path.clone());
                let options = FileOptions {
                    sector_bytes,
                    identity: identity("file", place.as_os_str().as_bytes()),
                    ..FileOptions::default()
                };
                let resource = FileResource::open(path, options);
                let mut resource = resource.map_err(|error| Failure::new(error.to_string()))?;
                run(&mut resource)
            }
            Self::Disk(file, path) => {
                let mut volume = file.mount()?.into_volume();
                let done = run(&mut volume);
                unmount(path, cuesta::door::Disk::new(volume))?;
                done
            }
        }
    }
}

/// The bytes of a sector that resources have in common.
pub fn sector_bytes(opened: &[&Opened]) -> u32 {
    let said = opened.iter().find_map(|opened| opened.sector_bytes());
    said.unwrap_or(SECTOR_BYTES)
}

/// The policy in a file.
pub fn policy(path: &Path) -> Result<Policy, Failure> {
    policy_with(path, StorageLevels::UNKNOWN)
}

/// The policy in a file, for volumes with these levels.
pub fn policy_with(path: &Path, storage: StorageLevels<'_>) -> Result<Policy, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::of(path, error))?;
    let policy = policy_in(policy_file::is_toml(path), &text, storage);
    policy.map_err(|error| Failure::of(path, error))
}

/// The policy in TOML or in the engine's own text.
pub fn policy_in(
    toml: bool,
    text: &str,
    storage: StorageLevels<'_>,
) -> Result<Policy, PolicyFileError> {
    match toml {
        true => policy_file::from_toml(text, storage),
        false => policy_file::from_text(text, storage),
    }
}
