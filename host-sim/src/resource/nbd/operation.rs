//! One request, from its acceptance to its answer.

use core::ops::Range;
use std::sync::Arc;

use cuesta::volume::{Sector, Ticket};

use crate::nbd::client::{Assembly, Awaited, Piece, ServerError};

use super::link::Broken;

/// What is to be done.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    Read(Sector),
    Write(Sector, Arc<[u8]>),
    Trim(Sector, u32),
    Flush,
}

impl Deed {
    /// The sectors it touches.
    pub fn sectors(&self) -> Range<u32> {
        match *self {
            Self::Read(sector) | Self::Write(sector, _) => sector.0..sector.0 + 1,
            Self::Trim(first, count) => first.0..first.0 + count,
            Self::Flush => 0..0,
        }
    }

    const fn changes(&self) -> bool {
        matches!(self, Self::Write(..) | Self::Trim(..))
    }
}

/// A request.
#[derive(Debug)]
pub(super) struct Operation {
    /// Its own, for ever.
    pub id: u64,
    /// Who waits for it; nobody if it is on our own account.
    pub ticket: Option<Ticket>,
    pub deed: Deed,
    /// Names it to the server, once it was sent.
    pub cookie: u64,
    /// What a read has got so far.
    pub assembly: Assembly,
    /// What went wrong first.
    pub error: Option<ServerError>,
    /// Sectors that are trimmed by the request under way.
    pub part: u32,
    /// All that was to be trimmed.
    whole: Option<(Sector, u32)>,
    /// Of a flush: what was settled when it was sent.
    pub mark: u64,
}

impl Operation {
    pub fn new(id: u64, ticket: Option<Ticket>, deed: Deed) -> Self {
        let whole = match deed {
            Deed::Trim(first, count) => Some((first, count)),
            _ => None,
        };
        Self {
            id,
            whole,
            ticket,
            deed,
            cookie: 0,
            assembly: Assembly::default(),
            error: None,
            part: 0,
            mark: 0,
        }
    }

    pub fn sectors(&self) -> Range<u32> {
        self.deed.sectors()
    }

    /// As if it had never been sent.
    pub fn restart(&mut self) {
        self.error = None;
        self.part = 0;
        if let Some((first, count)) = self.whole {
            self.deed = Deed::Trim(first, count);
        }
    }

    /// True while one of those `before` must be answered first: it touches the same sectors, or it is written again and this is a flush.
    pub fn must_wait<'o>(&self, mut before: impl Iterator<Item = &'o Self>) -> bool {
        let range = self.sectors();
        before.any(|other| match (&self.deed, &other.deed) {
            (Deed::Flush, Deed::Flush) => false,
            (Deed::Flush, _) => other.ticket.is_none(),
            (_, Deed::Flush) => false,
            _ => {
                let theirs = other.sectors();
                (self.deed.changes() || other.deed.changes())
                    && range.start < theirs.end
                    && theirs.start < range.end
            }
        })
    }

    /// What the server owes.
    pub fn awaited(&self, sector_bytes: u32) -> Awaited {
        let data_bytes = match self.deed {
            Deed::Read(_) => sector_bytes,
            _ => 0,
        };
        Awaited {
            offset: u64::from(self.sectors().start) * u64::from(sector_bytes),
            data_bytes,
        }
    }

    /// Takes in a piece of the answer; true when that was all.
    pub fn take_in(&mut self, piece: Piece<'_>) -> Result<bool, Broken> {
        let over = match piece {
            Piece::Data {
                within,
                bytes,
                last,
                ..
            } => {
                self.assembly.data(within, bytes)?;
                last
            }
            Piece::Zeros {
                within,
                count,
                last,
                ..
            } => {
                self.assembly.zeros(within, count)?;
                last
            }
            Piece::Done { .. } => true,
            Piece::Failed { error, last, .. } => {
                self.error.get_or_insert(error);
                last
            }
        };
        Ok(over)
    }

    /// Steps to what is left of a trim; false when nothing is.
    pub fn has_more(&mut self) -> bool {
        match &mut self.deed {
            Deed::Trim(first, count) if *count > self.part => {
                first.0 += self.part;
                *count -= self.part;
                self.part = 0;
                true
            }
            _ => false,
        }
    }
}
