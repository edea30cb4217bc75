//! What a server says to the NBD client: a handshake, or replies to requests that are under way.
//!
//! What must hold: nothing panics, nothing is read beyond what was said; data that was taken in lies within what was asked for, came once, and is what the server
//! sent; bytes mean the same however they are cut.

use std::io::{self, Read, Write};

use cuesta_sim::nbd::client::{greet, Assembly, Awaited, Piece, Replies, Violation};

use crate::input::Input;

/// Requests under way, by their cookies: reads, and what has no data.
const AWAITED: [(u64, u64, u32); 4] = [(1, 0, 16), (2, 4096, 512), (3, 8192, 0), (4, 1 << 40, 40)];

/// A server that says what it says, whatever it hears.
struct Deaf<'d>(&'d [u8]);

impl Read for Deaf<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Deaf<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What became of the requests.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// Data that is complete, or why it is not; nothing of what is still under way.
    ended: Vec<(u64, Result<Vec<u8>, Violation>)>,
    violation: Option<Violation>,
}

fn awaited(open: &[u64], cookie: u64) -> Option<Awaited> {
    AWAITED
        .iter()
        .find(|asked| asked.0 == cookie && open.contains(&cookie))
        .map(|&(_, offset, data_bytes)| Awaited { offset, data_bytes })
}

/// Takes in replies, in parts of so many bytes.
fn take_in(said: &[u8], structured: bool, part: usize) -> Outcome {
    let mut replies = Replies::new(structured);
    let mut open: Vec<u64> = AWAITED.iter().map(|asked| asked.0).collect();
    let mut assemblies: Vec<(u64, Assembly)> = AWAITED
        .iter()
        .map(|asked| (asked.0, Assembly::new(asked.2)))
        .collect();
    let mut outcome = Outcome {
        ended: Vec::new(),
        violation: None,
    };
    for bytes in said.chunks(part.max(1)) {
        replies.push(bytes);
        loop {
            let piece = match replies.next(|cookie| awaited(&open, cookie)) {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(violation) => {
                    outcome.violation = Some(violation);
                    return outcome;
                }
            };
            let (cookie, taken, last) = match piece {
                Piece::Data {
                    cookie,
                    within,
                    bytes,
                    last,
                } => (
                    cookie,
                    find(&mut assemblies, cookie).data(within, bytes),
                    last,
                ),
                Piece::Zeros {
                    cookie,
                    within,
                    count,
                    last,
                } => (
                    cookie,
                    find(&mut assemblies, cookie).zeros(within, count),
                    last,
                ),
                Piece::Done { cookie } => (cookie, Ok(()), true),
                Piece::Failed { cookie, last, .. } => (cookie, Ok(()), last),
            };
            if let Err(violation) = taken {
                outcome.violation = Some(violation);
                return outcome;
            }
            if last {
                open.retain(|&other| other != cookie);
                let at = assemblies.iter().position(|of| of.0 == cookie);
                let (_, assembly) = assemblies.remove(at.expect("one that is under way"));
                outcome.ended.push((cookie, assembly.finish()));
            }
        }
    }
    outcome
}

fn find(assemblies: &mut [(u64, Assembly)], cookie: u64) -> &mut Assembly {
    let found = assemblies.iter_mut().find(|of| of.0 == cookie);
    &mut found.expect("one that is under way").1
}

/// The first byte chooses between a handshake and replies, and their form.
pub fn replies(data: &[u8]) {
    let mut input = Input(data);
    let how = input.u8();
    let said = input.rest();
    if how % 2 == 0 {
        let mut server = Deaf(said);
        if let Ok(exported) = greet(&mut server, "disk") {
            assert!(!exported.structured || said.len() >= 20);
        }
        return;
    }
    let structured = how & 2 != 0;
    let whole = take_in(said, structured, said.len());
    for (cookie, data) in &whole.ended {
        let asked = AWAITED.iter().find(|asked| asked.0 == *cookie);
        let asked = asked.expect("one that was asked for").2 as usize;
        if let Ok(data) = data {
            assert_eq!(data.len(), asked);
        }
    }
    assert_eq!(whole, take_in(said, structured, 1));
    assert_eq!(whole, take_in(said, structured, 7));
}
