//! The socket clients connect to, and the file a Unix socket leaves.

use core::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::connection::Stream;
use super::protocol::STRING_BYTES_MAX;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A Unix socket, made at this path and removed at the end.
    Unix(PathBuf),
    /// TCP at a loopback address; port 0 lets the system choose. NBD has no passwords, so no other address is
    /// accepted.
    Tcp(SocketAddr),
}

/// Why no socket could be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum BindError {
    /// Somebody listens at this path.
    InUse(PathBuf),
    /// Something else than a socket is at this path. It was left alone.
    NotASocket(PathBuf),
    /// The address can be reached from other machines.
    NotLoopback(SocketAddr),
    /// The export's name is longer than 4096 bytes.
    NameTooLong(usize),
    /// The system refused.
    Io {
        /// Where the server was to listen.
        at: String,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path) => write!(
                f,
                "cannot listen at {}: another server listens there; stop it or choose another path",
                path.display()
            ),
            Self::NotASocket(path) => write!(
                f,
                "cannot listen at {}: a file that is no socket is there; move it or choose another path",
                path.display()
            ),
            Self::NotLoopback(address) => write!(
                f,
                "cannot listen at {address}: other machines could connect, and nothing would ask them who they \
                 are; use 127.0.0.1 or [::1], and a tunnel if need be"
            ),
            Self::NameTooLong(bytes) => write!(
                f,
                "the export's name has {bytes} bytes: at most {STRING_BYTES_MAX} are possible"
            ),
            Self::Io { at, source } => write!(f, "cannot listen at {at}: {source}"),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// An open socket. Its file goes with it.
#[derive(Debug)]
pub(super) enum Listener {
    Unix {
        listener: UnixListener,
        file: SocketFile,
    },
    Tcp {
        listener: TcpListener,
        address: SocketAddr,
    },
}

impl Listener {
    /// Opens the socket. A socket file that nobody listens at is replaced; nothing else is ever removed.
    pub fn bind(listen: &Listen) -> Result<Self, BindError> {
        match listen {
            Listen::Unix(path) => Self::bind_unix(path),
            Listen::Tcp(address) if !address.ip().is_loopback() => {
                Err(BindError::NotLoopback(*address))
            }
            Listen::Tcp(address) => Self::bind_tcp(*address).map_err(|source| BindError::Io {
                at: address.to_string(),
                source,
            }),
        }
    }

    fn bind_tcp(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self::Tcp { listener, address })
    }

    fn bind_unix(path: &Path) -> Result<Self, BindError> {
        let (listener, file) = bind_unix(path)?;
        Ok(Self::Unix { listener, file })
    }

    /// The next client; `None` if none waits.
    pub fn accept(&self) -> io::Result<Option<Stream>> {
        let accepted = match self {
            Self::Unix { listener, .. } => listener.accept().map(|(s, _)| Stream::Unix(s)),
            Self::Tcp { listener, .. } => listener.accept().map(|(s, _)| Stream::Tcp(s)),
        };
        match accepted {
            Ok(stream) => {
                stream.prepare()?;
                Ok(Some(stream))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub fn tcp_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Unix { .. } => None,
            Self::Tcp { address, .. } => Some(*address),
        }
    }

    /// What clients call the export `name` behind this socket.
    pub fn uri(&self, name: &str) -> String {
        let name = percent_encoded(name.as_bytes());
        match self {
            Self::Unix { file, .. } => {
                let path = percent_encoded(file.path.as_os_str().as_bytes());
                format!("nbd+unix:///{name}?socket={path}")
            }
            Self::Tcp { address, .. } => format!("nbd://{address}/{name}"),
        }
    }
}

/// Listens at a path. A socket file that nobody listens at is replaced; nothing else is ever removed.
pub(crate) fn bind_unix(path: &Path) -> Result<(UnixListener, SocketFile), BindError> {
    let failed = |source| BindError::Io {
        at: path.display().to_string(),
        source,
    };
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path)?;
            UnixListener::bind(path)
        }
        other => other,
    }
    .map_err(failed)?;
    let file = SocketFile::new(path).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok((listener, file))
}

/// Removes a socket file that nobody listens at.
fn remove_stale(path: &Path) -> Result<(), BindError> {
    let failed = |source| BindError::Io {
        at: path.display().to_string(),
        source,
    };
    // Of the path itself: a link is no socket, wherever it leads.
    let metadata = fs::symlink_metadata(path).map_err(failed)?;
    if !metadata.file_type().is_socket() {
        return Err(BindError::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(BindError::InUse(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// The file of a Unix socket, removed when dropped unless somebody put another in its place.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        // Absolute, so that clients elsewhere find it and a change of directory does not lose it.
        let path = std::path::absolute(path)?;
        let metadata = fs::symlink_metadata(&path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            path,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| found.dev() == self.device && found.ino() == self.inode);
        if ours {
            // Nothing is left to be done if this fails: the next server replaces the file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// `text` with everything escaped that means something in a URI.
fn percent_encoded(text: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for &byte in text {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
