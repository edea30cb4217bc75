//! Sectors of a disk that an NBD server offers, over a connection that may break.
//!
//! # Order, durability, and a server that goes away
//!
//! Requests go out as they are accepted, up to the depth at a time; one that touches the sectors of another waits for its answer. What was written is kept here
//! until a flush has covered it ([`unflushed`](self)): when the connection breaks, the server may have been cut, and what it answered and had not flushed may be
//! gone. So after a new connection all of that is written again, and then what was under way, and then what came since. A flush completes when all of it is on
//! the server's media. Nothing that was acknowledged is dropped, for as long as this process lives.
//!
//! While the server is away requests wait, for [`NbdOptions::patience`] at most; then they fail with [`ResourceError::Gone`], as does what is submitted until it
//! is back. A write that failed so may take effect all the same: before anything later does.
//!
//! Trims are `WRITE_ZEROES`, which says what the range reads as, and lets the server forget it; `TRIM` does not say. Where a server has no `WRITE_ZEROES`, zeros
//! are written.

mod link;
mod operation;
mod unflushed;

use core::fmt;
use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

use cuesta::resource::{Completion, Resource, ResourceError, Status};
use cuesta::volume::{Sector, Ticket, WriteOptions};

use crate::nbd::client::{Ask, Assembly, Exported, HandshakeError, Piece, ServerError, Uri};

use super::file::{check_length, check_range};
use super::tickets::Tickets;
use link::Link;
use operation::{Deed, Operation};
use unflushed::Unflushed;

/// Bytes of zeros at most in one request, where ranges cannot be zeroed by their length.
const ZEROS_BYTES_MAX: u32 = 1 << 20;
/// Bytes of a range at most that is zeroed by one request.
const RANGE_BYTES_MAX: u32 = 1 << 30;
/// Sleep at most while nothing is heard.
const WAIT_MAX: Duration = Duration::from_millis(50);

/// How an export is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NbdOptions {
    /// Bytes of a sector.
    pub sector_bytes: u32,
    /// Requests accepted at a time.
    pub depth: usize,
    /// How long requests wait for a server that is away.
    pub patience: Duration,
    /// A server that owes an answer and says nothing for so long is away.
    pub silence_max: Duration,
    /// Writes are durable before they complete, where the server can do that.
    pub durable_writes: bool,
    /// Bytes written and not flushed that are kept; then there is a flush.
    pub unflushed_bytes_max: usize,
    /// What [`Status::identity`] says.
    pub identity: u64,
}

impl Default for NbdOptions {
    fn default() -> Self {
        Self {
            sector_bytes: 4096,
            depth: 64,
            patience: Duration::from_secs(5),
            silence_max: Duration::from_secs(30),
            durable_writes: false,
            unflushed_bytes_max: 16 << 20,
            identity: 0,
        }
    }
}

/// Why an export cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum NbdResourceError {
    /// There is no server, or it does not give the export.
    Unreachable {
        /// Where.
        uri: Uri,
        /// Why.
        source: HandshakeError,
    },
    /// The sectors cannot be those of the export.
    Shape {
        /// Bytes of a sector.
        sector_bytes: u32,
        /// What the server says.
        exported: Exported,
    },
}

impl fmt::Display for NbdResourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { uri, source } => write!(f, "{uri}: {source}"),
            Self::Shape {
                sector_bytes,
                exported,
            } => write!(
                f,
                "sectors of {sector_bytes} bytes do not go with an export of {} bytes in blocks of {} to {}",
                exported.size_bytes, exported.block_bytes_min, exported.block_bytes_max
            ),
        }
    }
}

impl std::error::Error for NbdResourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable { source, .. } => Some(source),
            Self::Shape { .. } => None,
        }
    }
}

/// A completion to be handed out.
#[derive(Debug)]
enum Done {
    Written(Ticket),
    Data(Ticket, Vec<u8>),
    Trimmed(Ticket),
    Flushed(Ticket),
    Failed(Ticket, ResourceError),
}

/// What happened that nobody asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct NbdHistory {
    /// Connections that were made after the first.
    pub reconnections: u32,
    /// Writes and trims that were sent again as the server may have lost them.
    pub resent: u64,
    /// Flushes that nobody asked for, as much was unflushed.
    pub own_flushes: u64,
    /// Sectors that were written, acknowledged, and not flushed when the export lost them by becoming smaller.
    pub cut_off: u64,
}

/// Sectors of an NBD export. The [module](self) says what holds when the server goes away.
#[derive(Debug)]
pub struct NbdResource {
    options: NbdOptions,
    link: Link,
    exported: Exported,
    tickets: Tickets,
    /// Accepted, not sent; in order.
    queue: VecDeque<Operation>,
    /// Sent, not answered; in order.
    flight: Vec<Operation>,
    next_cookie: u64,
    next_id: u64,
    unflushed: Unflushed,
    done: VecDeque<Done>,
    /// What the last completion lends.
    lent: Vec<u8>,
    /// When the connection broke, if there is none.
    away_since: Option<Instant>,
    /// What was acknowledged could not be written again: the next flush fails, and says why.
    owed: Option<ResourceError>,
    /// A flush of our own has failed: another one is for somebody who waits for it.
    flush_failed: bool,
    history: NbdHistory,
}

impl NbdResource {
    /// Connects to an export.
    ///
    /// # Errors
    /// See [`NbdResourceError`].
    pub fn connect(uri: &Uri, options: NbdOptions) -> Result<Self, NbdResourceError> {
        let unreachable = |source| NbdResourceError::Unreachable {
            uri: uri.clone(),
            source,
        };
        let (link, exported) = Link::connect(uri).map_err(unreachable)?;
        let sector_bytes = options.sector_bytes;
        let fits = sector_bytes > 0
            && sector_bytes.is_multiple_of(exported.block_bytes_min.max(1))
            && sector_bytes <= exported.block_bytes_max
            && exported.size_bytes >= u64::from(sector_bytes);
        if !fits {
            return Err(NbdResourceError::Shape {
                sector_bytes,
                exported,
            });
        }
        Ok(Self {
            options,
            link,
            exported,
            tickets: Tickets::default(),
            queue: VecDeque::new(),
            flight: Vec::new(),
            next_cookie: 0,
            next_id: 0,
            unflushed: Unflushed::default(),
            done: VecDeque::new(),
            lent: Vec::new(),
            away_since: None,
            owed: None,
            flush_failed: false,
            history: NbdHistory::default(),
        })
    }

    /// What the server said of the export, the last time.
    #[must_use]
    pub const fn exported(&self) -> Exported {
        self.exported
    }

    /// What happened that nobody asked about.
    #[must_use]
    pub const fn history(&self) -> NbdHistory {
        self.history
    }

    fn sectors(&self) -> u32 {
        let sectors = self.exported.size_bytes / u64::from(self.options.sector_bytes);
        u32::try_from(sectors).unwrap_or(u32::MAX)
    }

    /// A write that is answered is durable.
    fn writes_durably(&self) -> bool {
        self.options.durable_writes && self.exported.durable_writes
    }

    /// It may be worth keeping what was written: a flush will say when it is not any more.
    fn keeps(&self) -> bool {
        self.exported.flushes && !self.writes_durably()
    }

    /// The server is away, and was for longer than anybody waits.
    fn gone(&self) -> bool {
        self.away_since
            .is_some_and(|since| since.elapsed() >= self.options.patience)
    }

    fn accept(&mut self, deed: Deed) -> nb::Result<Ticket, ResourceError> {
        self.drive_link();
        if self.gone() {
            return Err(nb::Error::Other(ResourceError::Gone));
        }
        let busy = self.queue.len() + self.flight.len() + self.done.len();
        // A flush is on its way.
        let full = self.unflushed.bytes() / 2 > self.options.unflushed_bytes_max;
        if busy >= self.options.depth.max(1) || full && !self.flush_failed && busy > 0 {
            return Err(nb::Error::WouldBlock);
        }
        let ticket = self.tickets.next();
        let operation = self.operation(Some(ticket), deed);
        self.queue.push_back(operation);
        Ok(ticket)
    }

    fn operation(&mut self, ticket: Option<Ticket>, deed: Deed) -> Operation {
        self.next_id += 1;
        Operation::new(self.next_id, ticket, deed)
    }

    fn check_writable(&self) -> Result<(), ResourceError> {
        if self.exported.read_only {
            Err(ResourceError::ReadOnly)
        } else {
            Ok(())
        }
    }

    /// Looks after the connection: notices that there is a new one.
    fn drive_link(&mut self) {
        if let Some(exported) = self.link.connected() {
            self.come_back(exported);
        }
    }

    /// There is a new connection: what the server may have lost goes first.
    fn come_back(&mut self, exported: Exported) {
        self.away_since = None;
        self.history.reconnections += 1;
        let before = self.sectors();
        self.exported = exported;
        let sectors = self.sectors();
        if sectors < before {
            self.shrink(sectors);
        }
        let mut again = self.unflushed.settled();
        if exported.read_only && !again.is_empty() {
            self.owed = Some(ResourceError::ReadOnly);
            again.clear();
        }
        self.history.resent += again.len() as u64;
        for deed in again.into_iter().rev() {
            let operation = self.operation(None, deed);
            self.queue.push_front(operation);
        }
    }

    /// The export has become smaller: tells whoever is concerned.
    fn shrink(&mut self, sectors: u32) {
        let lost = self.unflushed.cut(sectors);
        self.history.cut_off += u64::from(lost);
        let error = ResourceError::OutOfRange {
            sector: Sector(sectors),
            sectors,
        };
        if lost > 0 {
            self.owed = Some(error);
        }
        let beyond = |operation: &Operation| {
            let range = operation.sectors();
            !range.is_empty() && range.end > sectors
        };
        for operation in std::mem::take(&mut self.queue) {
            if beyond(&operation) {
                self.unflushed.failed(&operation);
                self.fail(&operation, error);
            } else {
                self.queue.push_back(operation);
            }
        }
    }

    fn fail(&mut self, operation: &Operation, error: ResourceError) {
        if let Some(ticket) = operation.ticket {
            self.done.push_back(Done::Failed(ticket, error));
        }
    }

    /// The connection is of no more use: what was under way waits for the next.
    fn lose(&mut self) {
        self.link.lose();
        self.away_since.get_or_insert_with(Instant::now);
        for mut operation in std::mem::take(&mut self.flight).into_iter().rev() {
            // What was sent again, or on our own account, is found again when there is a connection.
            if operation.ticket.is_some() {
                operation.restart();
                self.queue.push_front(operation);
            }
        }
        self.queue.retain(|operation| operation.ticket.is_some());
    }

    /// Nobody waits any longer.
    fn give_up(&mut self) {
        for operation in std::mem::take(&mut self.queue) {
            // It may have been sent: it is sent again, so that what it left is not some older version.
            self.unflushed.settle(&operation);
            self.fail(&operation, ResourceError::Gone);
        }
    }

    /// Does what can be done without waiting.
    fn work(&mut self) {
        self.drive_link();
        if self.gone() {
            self.give_up();
            return;
        }
        if !self.link.is_up() {
            return;
        }
        let silent = !self.flight.is_empty() && self.link.silent_for() > self.options.silence_max;
        if silent || self.send().is_err() || self.receive().is_err() {
            self.lose();
        }
    }

    /// Sends all that may be sent now.
    fn send(&mut self) -> Result<(), link::Broken> {
        let full = self.unflushed.bytes() > self.options.unflushed_bytes_max;
        let mut all = self.flight.iter().chain(&self.queue);
        let flushing = all.any(|operation| matches!(operation.deed, Deed::Flush));
        if full && !flushing && !self.flush_failed && self.keeps() {
            self.history.own_flushes += 1;
            let operation = self.operation(None, Deed::Flush);
            self.queue.push_front(operation);
        }
        let mut waiting = VecDeque::new();
        while let Some(operation) = self.queue.pop_front() {
            let before = self.flight.iter().chain(&waiting);
            if operation.must_wait(before) {
                waiting.push_back(operation);
            } else {
                self.start(operation)?;
            }
        }
        self.queue = waiting;
        self.link.send()
    }

    /// Sends one request.
    fn start(&mut self, mut operation: Operation) -> Result<(), link::Broken> {
        if let Deed::Flush = operation.deed {
            if let (Some(error), Some(_)) = (self.owed, operation.ticket) {
                self.owed = None;
                self.fail(&operation, error);
                return Ok(());
            }
            if !self.exported.flushes || self.exported.read_only {
                // Nothing can be done, and nothing is known to be needed.
                self.finish(operation, None);
                return Ok(());
            }
            operation.mark = self.unflushed.mark();
        }
        let sector_bytes = self.options.sector_bytes;
        self.next_cookie += 1;
        operation.cookie = self.next_cookie;
        let zeros;
        let (ask, data): (Ask, &[u8]) = match &operation.deed {
            Deed::Read(sector) => {
                operation.assembly = Assembly::new(sector_bytes);
                let offset = u64::from(sector.0) * u64::from(sector_bytes);
                let len = sector_bytes;
                (Ask::Read { offset, len }, &[])
            }
            Deed::Write(sector, data) => (
                Ask::Write {
                    offset: u64::from(sector.0) * u64::from(sector_bytes),
                    len: sector_bytes,
                    durable: self.writes_durably(),
                },
                data,
            ),
            Deed::Trim(first, count) => {
                let most = if self.exported.zeroes {
                    RANGE_BYTES_MAX
                } else {
                    ZEROS_BYTES_MAX.min(self.exported.block_bytes_max)
                };
                let now = (*count).min((most / sector_bytes).max(1));
                let offset = u64::from(first.0) * u64::from(sector_bytes);
                let len = now * sector_bytes;
                operation.part = now;
                if self.exported.zeroes {
                    (Ask::Zero { offset, len }, &[])
                } else {
                    zeros = vec![0; len as usize];
                    let durable = self.writes_durably();
                    (
                        Ask::Write {
                            offset,
                            len,
                            durable,
                        },
                        &zeros,
                    )
                }
            }
            Deed::Flush => (Ask::Flush, &[]),
        };
        if self.flight.is_empty() {
            self.link.hear();
        }
        self.link.ask(ask, operation.cookie, data)?;
        if self.keeps() && operation.ticket.is_some() {
            self.unflushed.started(&operation);
        }
        self.flight.push(operation);
        Ok(())
    }

    /// Takes in what the server said.
    fn receive(&mut self) -> Result<(), link::Broken> {
        self.link.receive()?;
        loop {
            let flight = &mut self.flight;
            let awaited = |cookie| {
                let operation = flight.iter().find(|sent| sent.cookie == cookie)?;
                Some(operation.awaited(self.options.sector_bytes))
            };
            let Some(piece) = self.link.next(awaited)? else {
                return Ok(());
            };
            let (Piece::Data { cookie, .. }
            | Piece::Zeros { cookie, .. }
            | Piece::Done { cookie }
            | Piece::Failed { cookie, .. }) = piece;
            let Some(at) = flight.iter().position(|sent| sent.cookie == cookie) else {
                return Err(link::Broken);
            };
            let over = flight[at].take_in(piece)?;
            if over {
                let operation = self.flight.remove(at);
                if operation.error == Some(ServerError::Shutdown) {
                    // The server stops; it may be back.
                    self.flight.insert(at, operation);
                    return Err(link::Broken);
                }
                let error = operation.error;
                self.finish(operation, error);
            }
        }
    }

    /// The server has answered.
    fn finish(&mut self, mut operation: Operation, error: Option<ServerError>) {
        if let Some(error) = error {
            let error = match error {
                ServerError::NoSpace => ResourceError::NoSpace,
                ServerError::ReadOnly => ResourceError::ReadOnly,
                ServerError::Shutdown | ServerError::Failed => ResourceError::Device,
            };
            self.unflushed.failed(&operation);
            match (operation.ticket, &operation.deed) {
                (None, Deed::Flush) => self.flush_failed = true,
                (None, _) => self.owed = Some(error),
                (Some(_), _) => self.fail(&operation, error),
            }
            return;
        }
        if operation.has_more() {
            self.queue.push_front(operation);
            return;
        }
        self.unflushed.settle(&operation);
        if let Deed::Flush = operation.deed {
            self.unflushed.flushed(operation.mark);
            self.flush_failed = false;
        }
        let Some(ticket) = operation.ticket else {
            return;
        };
        self.done.push_back(match operation.deed {
            Deed::Read(_) => match operation.assembly.finish() {
                Ok(bytes) => Done::Data(ticket, bytes),
                Err(_) => Done::Failed(ticket, ResourceError::Device),
            },
            Deed::Write(..) => Done::Written(ticket),
            Deed::Trim(..) => Done::Trimmed(ticket),
            Deed::Flush => Done::Flushed(ticket),
        });
    }
}

impl Resource for NbdResource {
    fn status(&self) -> Status {
        Status {
            identity: self.options.identity,
            sector_bytes: self.options.sector_bytes,
            sectors: self.sectors(),
            volatile: false,
            read_only: self.exported.read_only,
            ready: self.away_since.is_none(),
        }
    }

    fn submit_read(&mut self, sector: Sector) -> nb::Result<Ticket, ResourceError> {
        check_range(sector, 1, self.sectors())?;
        self.accept(Deed::Read(sector))
    }

    fn submit_write(
        &mut self,
        sector: Sector,
        data: &[u8],
        _options: WriteOptions,
    ) -> nb::Result<Ticket, ResourceError> {
        check_range(sector, 1, self.sectors())?;
        check_length(data, self.options.sector_bytes)?;
        self.check_writable()?;
        self.accept(Deed::Write(sector, data.into()))
    }

    fn submit_trim(&mut self, first: Sector, count: u32) -> nb::Result<Ticket, ResourceError> {
        check_range(first, count, self.sectors())?;
        self.check_writable()?;
        self.accept(Deed::Trim(first, count))
    }

    fn submit_flush(&mut self) -> nb::Result<Ticket, ResourceError> {
        self.accept(Deed::Flush)
    }

    fn poll(&mut self) -> Completion<'_> {
        if self.done.is_empty() {
            self.work();
        }
        match self.done.pop_front() {
            Some(Done::Written(ticket)) => Completion::Written(ticket),
            Some(Done::Data(ticket, bytes)) => {
                self.lent = bytes;
                Completion::Data(ticket, &self.lent)
            }
            Some(Done::Trimmed(ticket)) => Completion::Trimmed(ticket),
            Some(Done::Flushed(ticket)) => Completion::Flushed(ticket),
            Some(Done::Failed(ticket, error)) => Completion::Failed(ticket, error),
            None if self.queue.is_empty() && self.flight.is_empty() => Completion::Idle,
            None => Completion::Pending,
        }
    }

    fn wait(&mut self) {
        if self.done.is_empty() {
            self.link.wait(WAIT_MAX);
        }
    }
}

impl Drop for NbdResource {
    fn drop(&mut self) {
        // A server that is not told sees the connection break.
        if self.link.is_up() && self.link.ask(Ask::Disconnect, 0, &[]).is_ok() {
            let _ = self.link.send();
        }
    }
}
