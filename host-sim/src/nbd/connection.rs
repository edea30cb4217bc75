//! Buffered bytes of one client.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Bytes buffered each way; longer pieces pass by.
const BUFFER_BYTES: usize = 64 << 10;

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The client said so, went away, or the server stops.
    Closed,
    /// The client does not speak the protocol: nothing after this can be made sense of.
    Violation,
}

impl From<io::Error> for Ending {
    /// A socket fails when its client went away.
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

/// A connected socket of either family.
#[derive(Debug)]
pub(crate) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    pub fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Unix(stream) => stream.try_clone().map(Self::Unix),
            Self::Tcp(stream) => stream.try_clone().map(Self::Tcp),
        }
    }

    /// Makes it block, and send small replies at once: a listener that does not block hands that down on some
    /// systems.
    pub fn prepare(&self) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_nonblocking(false),
            Self::Tcp(stream) => {
                stream.set_nonblocking(false)?;
                stream.set_nodelay(true)
            }
        }
    }

    /// Makes reads and writes return at once.
    pub fn never_block(&self) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_nonblocking(true),
            Self::Tcp(stream) => stream.set_nonblocking(true),
        }
    }

    /// How long a read or a write may take.
    pub fn limit(&self, time: Duration) -> io::Result<()> {
        match self {
            Self::Unix(stream) => {
                stream.set_read_timeout(Some(time))?;
                stream.set_write_timeout(Some(time))
            }
            Self::Tcp(stream) => {
                stream.set_read_timeout(Some(time))?;
                stream.set_write_timeout(Some(time))
            }
        }
    }

    /// Ends one or both directions, also for whoever waits in them.
    pub fn shutdown(&self, how: Shutdown) {
        // Fails only if the client was faster.
        let _ = match self {
            Self::Unix(stream) => stream.shutdown(how),
            Self::Tcp(stream) => stream.shutdown(how),
        };
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(into),
            Self::Tcp(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(data),
            Self::Tcp(stream) => stream.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client's socket, read and written through buffers.
#[derive(Debug)]
pub(super) struct Connection {
    reader: BufReader<Stream>,
    writer: BufWriter<Stream>,
}

impl Connection {
    pub fn new(stream: Stream) -> io::Result<Self> {
        Ok(Self {
            reader: BufReader::with_capacity(BUFFER_BYTES, stream.try_clone()?),
            writer: BufWriter::with_capacity(BUFFER_BYTES, stream),
        })
    }

    pub fn read_array<const N: usize>(&mut self) -> Result<[u8; N], Ending> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Replaces the contents of `into` by the next `count` bytes. Memory grows with what arrives, not with what was
    /// promised.
    pub fn read_payload(&mut self, count: u32, into: &mut Vec<u8>) -> Result<(), Ending> {
        into.clear();
        let read = (&mut self.reader)
            .take(u64::from(count))
            .read_to_end(into)?;
        complete(read.try_into(), count)
    }

    /// Reads `count` bytes and forgets them.
    pub fn discard(&mut self, count: u32) -> Result<(), Ending> {
        let read = io::copy(
            &mut (&mut self.reader).take(u64::from(count)),
            &mut io::sink(),
        )?;
        complete(read.try_into(), count)
    }

    /// Adds to what the next [`flush`](Self::flush) sends at the latest.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Ending> {
        Ok(self.writer.write_all(bytes)?)
    }

    pub fn flush(&mut self) -> Result<(), Ending> {
        Ok(self.writer.flush()?)
    }

    /// Tells the client that nothing more will come, whoever else holds a copy of the socket.
    pub fn close(self) {
        self.writer.get_ref().shutdown(Shutdown::Both);
    }
}

/// Whether everything arrived before the client closed its end.
fn complete<T>(read: Result<u32, T>, wanted: u32) -> Result<(), Ending> {
    match read {
        Ok(read) if read == wanted => Ok(()),
        _ => Err(Ending::Closed),
    }
}
