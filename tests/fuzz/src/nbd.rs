//! A client of the NBD server: its bytes as they come, or requests of which the answers are checked.
//!
//! The server runs in a thread of its own, behind a Unix socket; its protocol code takes nothing else. Connections are made some in advance, as it looks for
//! new ones only now and then.
//!
//! What must hold: nothing panics, every connection ends, the disk is never asked for what it does not have, requests are answered one by one, and reads
//! return what was written.

mod client;
mod disk;
mod server;

use crate::input::Input;

/// A conversation with the server. The first byte chooses what the client says before, and whether it goes on in bytes or in requests.
pub fn nbd(data: &[u8]) {
    let mut input = Input(data);
    let how = input.u8();
    let structured = how & 4 != 0;
    let disk = server::disk();
    disk.reset(how & 8 != 0, how & 16 != 0);
    let mut said = Vec::new();
    match how % 4 {
        0 => said.extend(input.rest()),
        1 => {
            said.extend(client::greeting());
            client::options(&mut input, &mut said);
        }
        2 => {
            said.extend(client::handshake(structured));
            said.extend(input.rest());
        }
        _ => {
            said.extend(client::handshake(structured));
            let requests = client::requests(&mut input);
            said.extend(client::encode(&requests));
            let answer = server::converse(&said);
            client::check(&answer, &requests, structured, disk);
            disk.assert_sound();
            return;
        }
    }
    let _ = server::converse(&said);
    disk.assert_sound();
}
