//! The connection to a server: bytes both ways without waiting, and a new connection when it breaks.

use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Instant;

use rustix::event::{poll, PollFd, PollFlags, Timespec};

use crate::nbd::client::{
    greet, Ask, Awaited, Exported, HandshakeError, Piece, Replies, Uri, Violation,
};
use crate::nbd::Stream;

/// How long a server may take to accept a connection, and for each message of the handshake.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// Between two attempts to connect again.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);
/// Bytes read with one call.
const READ_BYTES: usize = 256 << 10;
/// Calls to read in one round: work is bounded.
const READS_MAX: u32 = 4;

/// The connection is of no more use.
#[derive(Debug)]
pub(super) struct Broken;

impl From<Violation> for Broken {
    fn from(_: Violation) -> Self {
        Self
    }
}

type Connected = Result<(Stream, Exported), HandshakeError>;

#[derive(Debug)]
enum State {
    Up(Session),
    /// A thread of its own connects: that may take seconds.
    Connecting(Receiver<Connected>),
    /// Not before then.
    Down(Instant),
}

#[derive(Debug)]
struct Session {
    stream: Stream,
    replies: Replies,
    out: Vec<u8>,
    /// Of `out`, so many bytes are gone.
    sent: usize,
    /// When something was last heard, or asked after silence.
    heard: Instant,
}

impl Session {
    fn new(stream: Stream, exported: &Exported) -> Self {
        Self {
            stream,
            replies: Replies::new(exported.structured),
            out: Vec::new(),
            sent: 0,
            heard: Instant::now(),
        }
    }
}

/// The connection to a server, as it is at the moment.
#[derive(Debug)]
pub(super) struct Link {
    uri: Uri,
    state: State,
    buffer: Vec<u8>,
}

impl Link {
    /// Makes the first connection, and waits for it.
    pub fn connect(uri: &Uri) -> Result<(Self, Exported), HandshakeError> {
        let (stream, exported) = connect(uri)?;
        let link = Self {
            uri: uri.clone(),
            state: State::Up(Session::new(stream, &exported)),
            buffer: vec![0; READ_BYTES],
        };
        Ok((link, exported))
    }

    pub const fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    /// Tries to connect again if need be; says so once when it has come about.
    pub fn connected(&mut self) -> Option<Exported> {
        match &self.state {
            State::Up(_) => None,
            State::Down(not_before) => {
                if Instant::now() >= *not_before {
                    self.begin();
                }
                None
            }
            State::Connecting(outcome) => match outcome.try_recv() {
                Ok(Ok((stream, exported))) => {
                    self.state = State::Up(Session::new(stream, &exported));
                    Some(exported)
                }
                Ok(Err(_)) | Err(TryRecvError::Disconnected) => {
                    self.state = State::Down(Instant::now() + RETRY_INTERVAL);
                    None
                }
                Err(TryRecvError::Empty) => None,
            },
        }
    }

    fn begin(&mut self) {
        let (sender, receiver) = mpsc::channel();
        let uri = self.uri.clone();
        let began = thread::Builder::new()
            .name("nbd-connect".to_owned())
            .spawn(move || {
                // Nobody may be there any more to hear it.
                let _ = sender.send(connect(&uri));
            });
        self.state = match began {
            Ok(_) => State::Connecting(receiver),
            Err(_) => State::Down(Instant::now() + RETRY_INTERVAL),
        };
    }

    /// Hangs up.
    pub fn lose(&mut self) {
        if let State::Up(session) = &self.state {
            session.stream.shutdown(Shutdown::Both);
        }
        self.state = State::Down(Instant::now());
    }

    /// How long nothing was heard.
    pub fn silent_for(&self) -> Duration {
        match &self.state {
            State::Up(session) => session.heard.elapsed(),
            _ => Duration::ZERO,
        }
    }

    /// Puts a request where [`send`](Self::send) finds it.
    pub fn ask(&mut self, ask: Ask, cookie: u64, data: &[u8]) -> Result<(), Broken> {
        let State::Up(session) = &mut self.state else {
            return Err(Broken);
        };
        let head = ask.encode(cookie).ok_or(Broken)?;
        if session.sent == session.out.len() {
            session.out.clear();
            session.sent = 0;
        }
        session.out.extend_from_slice(&head);
        session.out.extend_from_slice(data);
        Ok(())
    }

    /// Sends what the connection takes.
    pub fn send(&mut self) -> Result<(), Broken> {
        let State::Up(session) = &mut self.state else {
            return Err(Broken);
        };
        while let Some(rest) = session.out.get(session.sent..).filter(|r| !r.is_empty()) {
            match session.stream.write(rest) {
                Ok(0) => return Err(Broken),
                Ok(sent) => session.sent += sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Broken),
            }
        }
        Ok(())
    }

    /// Takes in what has come.
    pub fn receive(&mut self) -> Result<(), Broken> {
        let State::Up(session) = &mut self.state else {
            return Err(Broken);
        };
        for _ in 0..READS_MAX {
            match session.stream.read(&mut self.buffer) {
                Ok(0) => return Err(Broken),
                Ok(read) => {
                    session.heard = Instant::now();
                    session
                        .replies
                        .push(self.buffer.get(..read).unwrap_or_default());
                    if read < self.buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Broken),
            }
        }
        Ok(())
    }

    /// The next piece of a reply.
    pub fn next(
        &mut self,
        awaited: impl FnOnce(u64) -> Option<Awaited>,
    ) -> Result<Option<Piece<'_>>, Broken> {
        match &mut self.state {
            State::Up(session) => Ok(session.replies.next(awaited)?),
            _ => Err(Broken),
        }
    }

    /// Nothing is owed: silence does not count from before.
    pub fn hear(&mut self) {
        if let State::Up(session) = &mut self.state {
            session.heard = Instant::now();
        }
    }

    /// Sleeps until something may have come, or can be sent; for so long at most.
    pub fn wait(&self, time: Duration) {
        let State::Up(session) = &self.state else {
            thread::sleep(time.min(Duration::from_millis(2)));
            return;
        };
        let mut events = PollFlags::IN;
        if session.sent < session.out.len() {
            events |= PollFlags::OUT;
        }
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: time.subsec_nanos().into(),
        };
        // An error shows when the connection is used.
        let _ = poll(&mut [PollFd::new(&session.stream, events)], Some(&timeout));
    }
}

/// Connects and shakes hands.
fn connect(uri: &Uri) -> Connected {
    let mut stream = match uri {
        Uri::Unix { socket, .. } => Stream::Unix(UnixStream::connect(socket)?),
        Uri::Tcp { host, port, .. } => {
            let mut failure = io::Error::from(io::ErrorKind::NotFound);
            let mut stream = None;
            for address in (host.as_str(), *port).to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, CONNECT_MAX) {
                    Ok(connected) => {
                        stream = Some(connected);
                        break;
                    }
                    Err(error) => failure = error,
                }
            }
            Stream::Tcp(stream.ok_or(failure)?)
        }
    };
    stream.prepare()?;
    stream.limit(CONNECT_MAX)?;
    let exported = greet(&mut stream, uri.name())?;
    stream.never_block()?;
    Ok((stream, exported))
}
