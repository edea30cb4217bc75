//! Moving bytes between the part's cache and memory, in transfers that the bus can do.

use super::frame::{CacheAddress, Column, Frame};
use super::wire::Wire;

/// Bytes that are compared at a time: they lie on the stack.
const COMPARED: usize = 32;

/// A transfer of at most so many bytes: where it begins, behind `moved` others.
fn behind(column: Column, moved: usize) -> Column {
    Column {
        byte: column
            .byte
            .saturating_add(u16::try_from(moved).unwrap_or(u16::MAX)),
        ..column
    }
}

fn piece(most: u16) -> usize {
    usize::from(most.max(1))
}

/// Reads `bytes` from `column` on.
pub(super) async fn read<W: Wire>(
    wire: &mut W,
    address: CacheAddress,
    column: Column,
    bytes: &mut [u8],
    most: u16,
) -> Result<(), W::Error> {
    let mut moved = 0;
    for piece in bytes.chunks_mut(piece(most)) {
        let frame = Frame::read_cache(address, behind(column, moved));
        wire.read(frame, piece).await?;
        moved += piece.len();
    }
    Ok(())
}

/// Loads `bytes` from `column` on. What else was in the cache is lost.
pub(super) async fn load<W: Wire>(
    wire: &mut W,
    column: Column,
    bytes: &[u8],
    most: u16,
) -> Result<(), W::Error> {
    let mut moved = 0;
    for piece in bytes.chunks(piece(most)) {
        let frame = match moved {
            0 => Frame::program_load(column),
            _ => Frame::program_load_random(behind(column, moved)),
        };
        wire.write(frame, piece).await?;
        moved += piece.len();
    }
    Ok(())
}

/// True when the cache holds `bytes` from `column` on.
pub(super) async fn holds<W: Wire>(
    wire: &mut W,
    address: CacheAddress,
    column: Column,
    bytes: &[u8],
    most: u16,
) -> Result<bool, W::Error> {
    let mut moved = 0;
    for expected in bytes.chunks(COMPARED) {
        let mut found = [0; COMPARED];
        let found = found.get_mut(..expected.len()).unwrap_or_default();
        read(wire, address, behind(column, moved), found, most).await?;
        if found != expected {
            return Ok(false);
        }
        moved += expected.len();
    }
    Ok(true)
}
