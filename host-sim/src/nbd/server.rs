//! The server: one thread a connection, until told to stop.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Instant;

use super::byte_export::{ByteExport, ShapeError};
use super::connection::{Connection, Ending, Stream};
use super::counters::{count, Counters};
use super::export::SectorExport;
use super::handshake::{negotiate, Offer, Offered};
use super::listen::{BindError, Listen, Listener};
use super::protocol::STRING_BYTES_MAX;
use super::transmission::Transmission;

/// Connections served at a time; each may hold one request of 32 MiB in memory.
const CONNECTIONS_MAX: usize = 32;
/// How often the server looks for new clients and for the wish to stop.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// How long a client may take to fetch its last answer once the server stops.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Why a server could not give its disk back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunError {
    /// The disk cannot be offered to NBD clients. No client was served.
    Shape(ShapeError),
    /// The disk panicked while it was used and is in an unknown state.
    ExportPanicked,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(error) => error.fmt(f),
            Self::ExportPanicked => f.write_str(
                "the disk failed in a way it should not: its last requests were not finished; open it again",
            ),
        }
    }
}

impl std::error::Error for RunError {}

/// An NBD server with one export, or [several](Self::also).
///
/// Binding and running are two steps, so that a program can tell its user of a socket in use before it opens the
/// disk. Clients that connect in between wait.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    names: Vec<String>,
    counters: Arc<Counters>,
}

impl Server {
    /// Opens the socket for an export called `name`. Clients that ask for no name get it too.
    ///
    /// # Errors
    ///
    /// See [`BindError`]. A socket file that nobody listens at is replaced; nothing else is ever removed.
    pub fn bind(listen: &Listen, name: &str) -> Result<Self, BindError> {
        if name.len() > STRING_BYTES_MAX {
            return Err(BindError::NameTooLong(name.len()));
        }
        Ok(Self {
            listener: Listener::bind(listen)?,
            names: vec![name.to_owned()],
            counters: Arc::default(),
        })
    }

    /// Another export of the same server, of another name.
    ///
    /// # Errors
    ///
    /// [`BindError::NameTooLong`].
    pub fn also(mut self, name: &str) -> Result<Self, BindError> {
        if name.len() > STRING_BYTES_MAX {
            return Err(BindError::NameTooLong(name.len()));
        }
        self.names.push(name.to_owned());
        Ok(self)
    }

    /// What to tell a client of the first export: `nbd+unix:///?socket=…` or `nbd://…`.
    #[must_use]
    pub fn uri(&self) -> String {
        self.uris().next().unwrap_or_default()
    }

    /// What to tell clients of each export.
    pub fn uris(&self) -> impl Iterator<Item = String> + '_ {
        self.names.iter().map(|name| self.listener.uri(name))
    }

    /// The address over TCP, with the port that was chosen; `None` for a Unix socket.
    #[must_use]
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.listener.tcp_address()
    }

    /// The counts, to be looked at while the server runs.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Serves `export` until `stop` is set; then gives it back.
    ///
    /// When `stop` is set, the socket is closed and its file removed, requests in progress are finished and
    /// answered, requests that arrive after that are answered with `ESHUTDOWN`, and clients that do not fetch their
    /// answer within two seconds are dropped. The export is not flushed: that is for the caller, who knows how to
    /// close it.
    ///
    /// # Errors
    ///
    /// The export cannot be served, or it panicked; a panic ends the server at once.
    pub fn run<E: SectorExport>(self, export: E, stop: &AtomicBool) -> Result<E, RunError> {
        let mut exports = self.run_all(vec![export], stop)?;
        exports.pop().ok_or(RunError::ExportPanicked)
    }

    /// Serves several exports, in the order of their names; what [`run`](Self::run) says of one holds for each. Names without an export are not offered, nor is
    /// an export without a name.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run), by the first of them that fails.
    pub fn run_all<E: SectorExport>(
        self,
        exports: Vec<E>,
        stop: &AtomicBool,
    ) -> Result<Vec<E>, RunError> {
        let exports = exports
            .into_iter()
            .map(|export| ByteExport::new(export).map(Mutex::new))
            .collect::<Result<Vec<_>, _>>()
            .map_err(RunError::Shape)?;
        let ending = AtomicBool::new(false);
        let service = Service {
            exports: &exports,
            names: &self.names,
            counters: &self.counters,
            stop: &ending,
        };
        let listener = self.listener;
        thread::scope(|scope| {
            let mut clients = Vec::new();
            let poisoned = || exports.iter().any(Mutex::is_poisoned);
            while !stop.load(Ordering::Relaxed) && !poisoned() {
                match listener.accept() {
                    Ok(Some(stream)) => {
                        reap(&mut clients);
                        service.admit(scope, stream, &mut clients);
                    }
                    // No client, or one that the system has no room for at the moment.
                    Ok(None) | Err(_) => {
                        thread::sleep(POLL_INTERVAL);
                        reap(&mut clients);
                    }
                }
            }
            drop(listener);
            ending.store(true, Ordering::Relaxed);
            dismiss(clients);
        });
        exports
            .into_iter()
            .map(|export| export.into_inner().map(ByteExport::into_inner))
            .collect::<Result<_, _>>()
            .map_err(|_| RunError::ExportPanicked)
    }
}

/// A connection as the server's own thread sees it.
struct Client<'scope> {
    stream: Stream,
    thread: ScopedJoinHandle<'scope, ()>,
}

/// What every connection shares.
struct Service<'a, E> {
    exports: &'a [Mutex<ByteExport<E>>],
    names: &'a [String],
    counters: &'a Counters,
    stop: &'a AtomicBool,
}

impl<E> Clone for Service<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Service<'_, E> {}

impl<'a, E: SectorExport> Service<'a, E> {
    /// Begins to serve a client, or closes its socket if there are too many.
    fn admit<'scope, 'env>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        stream: Stream,
        clients: &mut Vec<Client<'scope>>,
    ) where
        'a: 'scope,
        E: 'scope,
    {
        let counters = self.counters;
        let copy = stream.try_clone();
        let (true, Ok(copy)) = (clients.len() < CONNECTIONS_MAX, copy) else {
            count(&counters.connections_refused, 1);
            return;
        };
        let builder = thread::Builder::new().name("nbd-client".to_owned());
        match builder.spawn_scoped(scope, move || self.serve(stream)) {
            Ok(thread) => {
                count(&counters.connections, 1);
                clients.push(Client {
                    stream: copy,
                    thread,
                });
            }
            Err(_) => count(&counters.connections_refused, 1),
        }
    }

    /// Serves one client from its first byte to its last.
    fn serve(self, stream: Stream) {
        let _open = Open::new(self.counters);
        let Ok(mut connection) = Connection::new(stream) else {
            return;
        };
        if self.converse(&mut connection) == Ending::Violation {
            count(&self.counters.violations, 1);
        }
        connection.close();
    }

    fn converse(self, connection: &mut Connection) -> Ending {
        let mut offered = Vec::with_capacity(self.exports.len());
        for (name, export) in self.names.iter().zip(self.exports) {
            let Ok(export) = export.lock() else {
                return Ending::Closed;
            };
            offered.push(Offered {
                name,
                shape: export.shape(),
                read_only: export.read_only(),
            });
        }
        let offer = Offer {
            exports: &offered,
            stop: self.stop,
        };
        match negotiate(connection, &offer) {
            Ok(agreement) => {
                let chosen = agreement.export;
                let (Some(export), Some(found)) = (self.exports.get(chosen), offered.get(chosen))
                else {
                    return Ending::Closed;
                };
                Transmission {
                    connection,
                    export,
                    shape: found.shape,
                    read_only: found.read_only,
                    structured: agreement.structured,
                    counters: self.counters,
                    stop: self.stop,
                }
                .serve()
            }
            Err(ending) => ending,
        }
    }
}

/// Counts a connection as open while it lives, however it ends.
struct Open<'a>(&'a Counters);

impl<'a> Open<'a> {
    fn new(counters: &'a Counters) -> Self {
        count(&counters.connections_open, 1);
        Self(counters)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.connections_open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Forgets the clients that are gone, and closes the server's copy of their sockets.
fn reap(clients: &mut Vec<Client<'_>>) {
    for client in clients.extract_if(.., |client| client.thread.is_finished()) {
        client.stream.shutdown(Shutdown::Both);
        // A thread that panicked did so in the disk, which is poisoned now.
        let _ = client.thread.join();
    }
}

/// Ends every connection: those that wait for a request at once, the others after the answer.
fn dismiss(mut clients: Vec<Client<'_>>) {
    for client in &clients {
        client.stream.shutdown(Shutdown::Read);
    }
    let deadline = Instant::now() + STOP_GRACE;
    while !clients.is_empty() && Instant::now() < deadline {
        reap(&mut clients);
        thread::sleep(POLL_INTERVAL);
    }
    for client in clients {
        client.stream.shutdown(Shutdown::Both);
        let _ = client.thread.join();
    }
}
