//! What the engine decodes, a decoder at a time. The first byte of an input chooses which.
//!
//! What is crate-private (head, record page, map page, level and segment table) is reached through a mount of a page that holds it: [`payload`].

mod codeword;
mod geometry;
mod header;
mod page;
mod payload;

use crate::input::Input;

/// Runs one of the decoders.
pub fn decoders(data: &[u8]) {
    let mut input = Input(data);
    match input.u8() % 6 {
        0 => header::header(&mut input),
        1 => header::packed(&mut input),
        2 => codeword::codeword(&mut input),
        3 => page::page(&mut input),
        4 => geometry::geometry(&mut input),
        _ => payload::payload(&mut input),
    }
}
