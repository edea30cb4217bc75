//! Straight-line access to the NAND: for format, mount, recovery and verification, which own the part.

use cuesta_hal::{
    BlockAddress, Buffer, Columns, Completion, Die, Nand, NandError, NandErrorKind, PageAddress,
};

use super::address::Segment;
use super::error::Error;
use super::read::TRIES_MAX;
use super::{Session, Volume};
use crate::codec::{Header, HeaderState};

/// Reads of a header that is not there, or cannot be read, before that is believed.
pub(super) const HEADER_READS: u8 = 2;

/// Polls of one operation: a part that needs more has lost its deadline.
const POLLS_MAX: u32 = 1 << 28;

fn settle<N: Nand>(nand: &mut N, die: Die) -> Result<Completion, NandErrorKind> {
    for _ in 0..POLLS_MAX {
        match nand.poll(die) {
            Ok(completion) => return Ok(completion),
            Err(nb::Error::WouldBlock) => nand.wait(),
            Err(nb::Error::Other(error)) => return Err(error.kind()),
        }
    }
    Err(NandErrorKind::Timeout)
}

/// Starts an operation, after the end of what an earlier user of the part may have left in flight on the die: a `wait` that returns early has not let
/// [`quiesce`] see it.
fn begin<N: Nand>(
    nand: &mut N,
    die: Die,
    start: impl Fn(&mut N) -> Result<(), N::Error>,
) -> Result<(), NandErrorKind> {
    match start(nand).map_err(|error| error.kind()) {
        Err(NandErrorKind::Busy) => {
            // Whatever it was, its fate is found on the media.
            let _ = settle(nand, die);
            start(nand).map_err(|error| error.kind())
        }
        started => started,
    }
}

/// Settles what an earlier user of the part has left in flight, where that has ended or `wait` waits for it.
pub(super) fn quiesce<N: Nand>(nand: &mut N) {
    let dies = nand.geometry().dies;
    for _ in 0..=dies {
        for die in 0..dies {
            // Whatever it was, its fate is found on the media.
            let _ = nand.poll(Die(die));
        }
        nand.wait();
    }
}

/// Reads columns of a page into the first buffer of its die.
///
/// What the part's own ECC could not correct is in the buffer all the same: checks above decide.
pub(super) fn read<N: Nand>(
    nand: &mut N,
    page: PageAddress,
    columns: Columns,
) -> Result<(), NandErrorKind> {
    begin(nand, page.die(), |nand| {
        nand.start_read(page, columns, Buffer::First)
    })?;
    settle(nand, page.die()).map(|_| ())
}

/// Reads until `take` finds in the buffer what it wants, so many `times` at most: any single read may return what the page does not hold.
pub(super) fn read_until<S, T>(
    subject: &mut S,
    times: u8,
    read: impl Fn(&mut S) -> Result<(), NandErrorKind>,
    mut take: impl FnMut(&mut S) -> Option<T>,
) -> Result<Option<T>, NandErrorKind> {
    let mut taken = None;
    for _ in 0..times {
        read(subject)?;
        taken = take(subject);
        if taken.is_some() {
            break;
        }
    }
    Ok(taken)
}

/// Programs a page from the first buffer of its die; false when the part reports failure.
pub(super) fn program<N: Nand>(nand: &mut N, page: PageAddress) -> Result<bool, NandErrorKind> {
    begin(nand, page.die(), |nand| {
        nand.start_program(page, Buffer::First)
    })?;
    Ok(settle(nand, page.die())? == Completion::Programmed)
}

/// Erases a block; false when the part reports failure.
pub(super) fn erase<N: Nand>(nand: &mut N, block: BlockAddress) -> Result<bool, NandErrorKind> {
    begin(nand, block.die, |nand| nand.start_erase(block))?;
    Ok(settle(nand, block.die)? == Completion::Erased)
}

impl<N: Nand> Volume<'_, N> {
    /// Reads a whole page until `take` finds what it wants in the first buffer of its die, [`TRIES_MAX`] times at most.
    pub(super) fn read_page_until<T>(
        &mut self,
        page: PageAddress,
        take: impl FnMut(&mut Self) -> Option<T>,
    ) -> Result<Option<T>, NandErrorKind> {
        let columns = self.shape.layout.page_columns();
        let whole = |volume: &mut Self| read(&mut volume.nand, page, columns);
        read_until(self, TRIES_MAX, whole, take)
    }

    /// What the page at an offset of a segment is, by its headers, which are read [`HEADER_READS`] times at most: see [`owner`](Self::owner).
    pub(super) fn read_headers(
        &mut self,
        segment: Segment,
        offset: u32,
    ) -> Result<Result<(u32, Header), HeaderState>, NandErrorKind> {
        let page = self.shape.page(segment, offset);
        let columns = self.shape.layout.header_columns();
        let headers = |volume: &mut Self| read(&mut volume.nand, page, columns);
        let mut found = Err(HeaderState::Bad);
        read_until(self, HEADER_READS, headers, |volume| {
            found = volume.owner(segment, offset);
            found.is_ok().then_some(())
        })?;
        Ok(found)
    }

    /// Erases a block, straight through; false when the part reports failure.
    pub(super) fn erase_now(&mut self, block: BlockAddress) -> Result<bool, Error> {
        self.stats.erases += 1;
        erase(&mut self.nand, block).map_err(|kind| self.fail(Error::Nand(kind)))
    }

    /// Remembers that the NAND failed: nothing goes on until the next mount.
    pub(super) fn nand_failed(&mut self, error: &N::Error) -> Error {
        self.fail(Error::Nand(error.kind()))
    }

    /// The failure that stopped the volume, if one did.
    ///
    /// # Errors
    /// That failure.
    pub fn check_alive(&self) -> Result<(), Error> {
        match self.session {
            Session::Failed(error) => Err(error),
            _ => Ok(()),
        }
    }
}
