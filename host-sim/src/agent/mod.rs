//! An agent in the path of files: a directory is mounted over, every call passes through, and the data of files that a policy names is served by the
//! engine.
//!
//! | file | what it does |
//! |---|---|
//! | `filesystem` | what the kernel asks for, call by call |
//! | `passthrough` | what these calls have in common |
//! | `nodes` | files that the kernel knows, and where they are in the source |
//! | `metadata` | names, attributes and everything else that is not data: done on the source |
//! | `handles` | files and directories that programs have open |
//! | `serving` | which files the engine serves, and at which level |
//! | `served` | the data of one of them |
//! | `source_files` | all of them as one resource: the primary behind the cache |
//! | `engine` | cache, levels and policy, in a thread of their own |
//! | `caller` | which program asks |
//!
//! Files of the source are reached through descriptors, never by path: renames do not lose them, and a directory can be mounted over itself.
//!
//! Linux only: the protocol is FUSE, spoken with the kernel by way of `/dev/fuse`; no library or helper program is needed by root.

mod caller;
mod engine;
mod filesystem;
mod handles;
mod metadata;
mod nodes;
mod passthrough;
mod served;
mod serving;
mod source_files;

use core::fmt;
use std::io;
use std::path::{Path, PathBuf};

use fuser::{BackgroundSession, Config, MountOption, Session, SessionACL};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};

pub use engine::{Engine, EngineRoom, Served};
use passthrough::Passthrough;
use serving::Serving;

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
    /// Mounts `source` over `mount`; both may be the same. Without an engine, everything passes.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub fn mount(source: &Path, mount: &Path, engine: Option<Engine>) -> Result<Self, AgentError> {
        let fuse = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/fuse");
        drop(fuse.map_err(AgentError::NoFuse)?);
        raise_descriptors();
        // What programs ask for is what files get: theirs was taken into account by the kernel.
        rustix::process::umask(rustix::fs::Mode::empty());
        let volume = mount.to_string_lossy().into_owned();
        let serving = engine.map(|engine| Serving::new(engine, volume));
        let filesystem = Passthrough::new(source, serving).map_err(|error| AgentError::Source {
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

    /// Unmounts it. False while programs use what is in it: all of it goes on then.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub fn unmount(&self) -> Result<bool, AgentError> {
        match rustix::mount::unmount(&self.mount, UnmountFlags::empty()) {
            // Somebody else was faster.
            Ok(()) | Err(Errno::INVAL) => Ok(true),
            Err(Errno::BUSY) => Ok(false),
            Err(error) => Err(self.failed(error.into())),
        }
    }

    /// Waits for the end of what was unmounted.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub fn join(self) -> Result<(), AgentError> {
        let path = self.mount;
        self.session
            .join()
            .map_err(|source| AgentError::Mount { path, source })
    }

    fn failed(&self, source: io::Error) -> AgentError {
        AgentError::Mount {
            path: self.mount.clone(),
            source,
        }
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
