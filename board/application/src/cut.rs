//! Resets in the middle of writes, and what they must not have changed.
//!
//! A reset of the processor is no loss of power: the part keeps its supply. But the first thing that its driver does is to reset it as well,
//! which ends a program or an erase half-way.

use core::fmt::Write;

use cuesta::door::Disk;
use cuesta::hal::Nand;
use cuesta::volume::Sector;

use crate::board::Board;
use crate::ledger::{Ledger, SECTORS};
use crate::mark;
use crate::room::{Room, SECTOR_BYTES};
use crate::session::{self, look, Failure};

/// More writes than are made before a reset.
const WRITES_MAX: u32 = 100_000;

/// In one of so many rounds the next reset may strike while the volume is mounted, read and recovered.
const EARLY_SHARE: u32 = 3;

/// Writes one sector of the ledger.
fn write<'t, N: Nand>(
    disk: &mut Disk<'_, N>,
    ledger: &Ledger<'_>,
    sector: u32,
) -> Result<(), Failure<'t>> {
    let mut bytes = [0; SECTOR_BYTES];
    let mark = ledger.begin_write(sector);
    mark::fill(&mut bytes, sector, mark);
    disk.write(Sector(sector), &bytes)?;
    ledger.end_write();
    Ok(())
}

/// Writes all sectors, then at random until the board is reset. Does not return but with a failure.
pub(crate) fn begin<'t, N: Nand>(
    nand: &mut N,
    room: &mut Room,
    board: &mut dyn Board,
    rounds: u32,
    seed: u32,
    out: &mut dyn Write,
) -> Result<(), Failure<'t>> {
    let ledger = Ledger(board.kept());
    session::with_disk(nand, room, |disk| {
        ledger.open(rounds, seed);
        (0..SECTORS).try_for_each(|sector| write(disk, &ledger, sector))
    })?;
    writeln!(
        out,
        "{rounds} resets among writes to sectors 0 to {}",
        SECTORS - 1
    )?;
    go_on(nand, room, board, &ledger)
}

/// Goes on after a reset that [`begin`] has led to; does nothing after any other.
///
/// # Errors
/// What is wrong; there are no further resets then.
pub fn resume<'t, N: Nand>(
    nand: &mut N,
    room: &mut Room,
    board: &mut dyn Board,
    out: &mut dyn Write,
) -> Result<bool, Failure<'t>> {
    let ledger = Ledger(board.kept());
    if !ledger.is_open() {
        return Ok(false);
    }
    let done = look_and_go_on(nand, room, board, &ledger, out);
    ledger.close();
    done.map(|()| true)
}

fn look_and_go_on<'t, N: Nand>(
    nand: &mut N,
    room: &mut Room,
    board: &mut dyn Board,
    ledger: &Ledger<'_>,
    out: &mut dyn Write,
) -> Result<(), Failure<'t>> {
    ledger.count_reset();
    let (resets, rounds) = (ledger.resets(), ledger.rounds());
    let last = resets >= rounds;
    let draw = ledger.draw();
    if !last && draw.is_multiple_of(EARLY_SHARE) {
        board.reset_soon(ledger.draw());
    }
    session::with_disk(nand, room, |disk| {
        (0..SECTORS).try_for_each(|sector| {
            let found = look(disk, sector)?.unwrap_or(0);
            let (acknowledged, pending) = ledger.allowed(sector);
            if found != acknowledged && (pending == 0 || found != pending) {
                return Err(Failure::NotKept {
                    sector,
                    found,
                    acknowledged,
                });
            }
            ledger.settle(sector, found);
            Ok(())
        })
    })?;
    let kept = ledger.acknowledged();
    writeln!(
        out,
        "reset {resets} of {rounds}: all of {kept} acknowledged writes kept"
    )?;
    if last {
        return Ok(());
    }
    go_on(nand, room, board, ledger)
}

fn go_on<'t, N: Nand>(
    nand: &mut N,
    room: &mut Room,
    board: &mut dyn Board,
    ledger: &Ledger<'_>,
) -> Result<(), Failure<'t>> {
    let written = session::with_disk(nand, room, |disk| {
        board.reset_soon(ledger.draw());
        (0..WRITES_MAX).try_for_each(|_| write(disk, ledger, ledger.draw() % SECTORS))
    });
    ledger.close();
    written.and(Err(Failure::NoReset))
}
