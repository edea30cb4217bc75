//! The server, and connections to it.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use cuesta_sim::nbd::{Listen, Server};

use super::disk::Disk;

/// Name of the export.
pub const NAME: &str = "disk";
/// Connections that are made at a time: half as many as the server serves, as it may not have noticed yet that the last ones have ended.
const CONNECTIONS: usize = 14;

/// The server of this process.
#[derive(Debug)]
struct Running {
    socket: PathBuf,
    disk: Disk,
    /// Connections that nobody has used yet.
    fresh: Mutex<Vec<UnixStream>>,
}

fn running() -> &'static Running {
    static RUNNING: OnceLock<Running> = OnceLock::new();
    RUNNING.get_or_init(|| {
        let name = format!("cuesta-fuzz-{}", std::process::id());
        let socket = std::env::temp_dir().join(name);
        let disk = Disk::new();
        let server = Server::bind(&Listen::Unix(socket.clone()), NAME).expect("a socket");
        let export = disk.clone();
        thread::spawn(move || {
            static STOP: AtomicBool = AtomicBool::new(false);
            let ended = server.run(export, &STOP);
            // It is never told to.
            eprintln!("the server ends: {ended:?}");
            std::process::abort();
        });
        Running {
            socket,
            disk,
            fresh: Mutex::new(Vec::new()),
        }
    })
}

/// The disk that is served.
pub fn disk() -> &'static Disk {
    &running().disk
}

/// Says something to the server, and then that this was all. What it answers until it closes.
pub fn converse(said: &[u8]) -> Vec<u8> {
    let running = running();
    let mut fresh = running.fresh.lock().unwrap_or_else(PoisonError::into_inner);
    if fresh.is_empty() {
        for _ in 0..CONNECTIONS {
            fresh.push(UnixStream::connect(&running.socket).expect("a server"));
        }
    }
    let stream = fresh.pop().expect("a connection");
    drop(fresh);
    let mut answer = Vec::new();
    thread::scope(|scope| {
        // Who does not read what the server says keeps it from reading on. The server may hang up before it has read all.
        scope.spawn(|| {
            let _ = (&stream).write_all(said);
            let _ = stream.shutdown(Shutdown::Write);
        });
        let _ = (&stream).read_to_end(&mut answer);
    });
    answer
}
