//! An agent in the path of files: a directory is mounted over, every call passes through.
//!
//! | file | what it does |
//! |---|---|
//! | `filesystem` | what the kernel asks for, call by call |
//! | `nodes` | files that the kernel knows, and where they are in the source |
//! | `metadata` | names, attributes and everything else that is not data: done on the source |
//! | `handles` | files and directories that programs have open |
//!
//! Files of the source are reached through descriptors, never by path: renames do not lose them, and a directory can be mounted over itself.
//!
//! Linux only: the protocol is FUSE, spoken with the kernel by way of `/dev/fuse`; no library or helper program is needed by root.

mod filesystem;
mod handles;
mod metadata;
mod nodes;

use core::fmt;
use std::io;
use std::path::{Path, PathBuf};

use fuser::{BackgroundSession, Config, MountOption, Session, SessionACL};
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};

use filesystem::Passthrough;

/// Requests of the kernel that are served at a time.
const THREADS: usize = 4;

/// Why a directory could not be mounted over.
#[derive(Debug)]
#[non_exhaustive]
pub enum AgentError {
    /// The kernel cannot, or this user may not.
    NoFuse(io::Error),
    /// The source is no directory, or cannot be reached.
    Source {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It could not be mounted.
    Mount {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFuse(error) => write!(
                f,
                "/dev/fuse cannot be used: {error}; the kernel needs FUSE, and mounting needs root"
            ),
            Self::Source { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Mount { path, source } => {
                write!(f, "{} cannot be mounted over: {source}", path.display())
            }
        }
    }
}

impl std::error::Error for AgentError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoFuse(source) | Self::Source { source, .. } | Self::Mount { source, .. } => {
                Some(source)
            }
        }
    }
}

/// A directory that is mounted over; unmounted when this is dropped.
#[derive(Debug)]
pub struct Agent {
    mount: PathBuf,
    session: BackgroundSession,
}

impl Agent {
    /// Mounts `source` over `mount`; both may be the same.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub fn mount(source: &Path, mount: &Path) -> Result<Self, AgentError> {
        let fuse = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/fuse");
        drop(fuse.map_err(AgentError::NoFuse)?);
        raise_descriptors();
        // What programs ask for is what files get: theirs was taken into account by the kernel.
        rustix::process::umask(rustix::fs::Mode::empty());
        let filesystem = Passthrough::new(source).map_err(|error| AgentError::Source {
            path: source.to_owned(),
            source: error,
        })?;
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::FSName("cuesta".to_owned()),
            MountOption::Subtype("cuesta".to_owned()),
            MountOption::DefaultPermissions,
        ];
        config.acl = SessionACL::All;
        config.n_threads = Some(THREADS);
        let session = Session::new(filesystem, mount, &config)
            .and_then(Session::spawn)
            .map_err(|error| AgentError::Mount {
                path: mount.to_owned(),
                source: error,
            })?;
        Ok(Self {
            mount: mount.to_owned(),
            session,
        })
    }

    /// True once it was unmounted, by whomever.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.session.guard.is_finished()
    }

    /// Unmounts it. Programs that have files open keep it from being unmounted.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub fn unmount(self) -> Result<(), AgentError> {
        let path = self.mount;
        self.session
            .umount_and_join()
            .map_err(|source| AgentError::Mount { path, source })
    }
}

/// Each file that the kernel knows takes a descriptor: as many as this process may have.
fn raise_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    // What there is has to do.
    let _ = setrlimit(Resource::Nofile, limit);
}
