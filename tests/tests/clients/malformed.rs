//! Requests that break the protocol are answered as it says, and nobody else notices.

use std::path::Path;
use std::process::Stdio;

use crate::fio::{fio, VERIFIED};
use crate::nbd_wire::*;
use cuesta_tests::program::Scratch;
use cuesta_tests::tools;

/// Where nobody else reads or writes.
const PLACE: u64 = 64 << 20;

/// The data of an INFO or GO that asks for nothing in particular.
fn export_named(name: &str) -> Vec<u8> {
    let length = u32::try_from(name.len()).unwrap();
    [&length.to_be_bytes(), name.as_bytes(), &[0, 0]].concat()
}

/// Options that make no sense are refused, and the negotiation goes on.
fn options(socket: &Path) {
    let mut wire = Wire::negotiating(socket);
    let absurd_name = [0xFF, 0xFF, 0xFF, 0xFF, b'x', 0, 0];
    for (option, data, kind) in [
        (0x7FFF_0001, &b"whatever"[..], ERR_UNSUP),
        (5, b"", ERR_UNSUP), // STARTTLS
        (0, b"", ERR_UNSUP),
        (u32::MAX, &[0; 8192], ERR_UNSUP),
        (0x7FFF_0001, &[0; 9000], ERR_TOO_BIG),
        (INFO, &[0; 1 << 20], ERR_TOO_BIG),
        (LIST, b"data", ERR_INVALID),
        (INFO, b"", ERR_INVALID),
        (GO, &absurd_name, ERR_INVALID),
        (GO, &export_named("nobody"), ERR_UNKNOWN),
    ] {
        wire.option(option, data);
        assert_eq!(wire.option_reply(option), kind, "option {option}");
    }
    wire.option(LIST, &[]);
    assert_eq!(wire.option_reply(LIST), SERVER);
    assert_eq!(wire.option_reply(LIST), ACK);
    wire.option(ABORT, &[]);
    assert_eq!(wire.option_reply(ABORT), ACK);
    wire.assert_closed();
}

/// Who does not speak the protocol is hung up on.
fn no_protocol(socket: &Path) {
    let mut wire = Wire::greeted(socket);
    wire.send(&u32::MAX.to_be_bytes());
    wire.assert_closed();

    let mut wire = Wire::greeted(socket);
    wire.send(b"GET / HTTP/1.1\r\n\r\n\r\n\r\n");
    wire.assert_closed();

    let mut wire = Wire::negotiating(socket);
    wire.send(&[0x5A; 16]);
    wire.assert_closed();

    let mut wire = Wire::negotiating(socket);
    wire.option(EXPORT_NAME, b"nobody");
    wire.assert_closed();

    let mut wire = Wire::negotiating(socket);
    wire.option_header(EXPORT_NAME, u32::MAX);
    wire.assert_closed();

    let (mut wire, _) = Wire::transmitting(socket);
    wire.send(&[0x5A; 28]);
    wire.assert_closed();
}

/// Requests that make no sense are refused, and the connection goes on.
fn requests(socket: &Path) {
    let (mut wire, size) = Wire::transmitting(socket);
    let far = u64::MAX - 511;
    for (flags, command, offset, len, error) in [
        (0, READ, size, 512, EINVAL),
        (0, READ, size - 512, 1024, EINVAL),
        (0, READ, far, 512, EINVAL),
        (0, READ, far, 1024, EINVAL), // past the end of numbers
        (0, READ, PLACE, 0, EINVAL),
        (0, READ, PLACE, u32::MAX, EINVAL),
        (0, READ, PLACE, (32 << 20) + 512, EINVAL),
        (0, READ, PLACE + 1, 512, EINVAL),
        (0, READ, PLACE, 100, EINVAL),
        (0x8000, READ, PLACE, 512, EINVAL),
        (0, TRIM, size, 512, EINVAL),
        (0, TRIM, 0x7FFF_FFFF_FFFF_FE00, u32::MAX - 511, EINVAL),
        (0, TRIM, PLACE, 0, EINVAL),
        (0, TRIM, PLACE + 100, 512, EINVAL),
        (0, WRITE_ZEROES, size, 512, ENOSPC),
        (0, WRITE_ZEROES, far, 1024, ENOSPC),
        (0, WRITE_ZEROES, PLACE, 0, EINVAL),
        (0, WRITE, PLACE, 0, EINVAL),
        (0, FLUSH, PLACE, 512, EINVAL),
        (0, 77, PLACE, 512, EINVAL),
        (0, u16::MAX, PLACE, u32::MAX, EINVAL),
    ] {
        wire.request(flags, command, offset, len);
        assert_eq!(wire.reply(), error, "{flags} {command} {offset} {len}");
    }
    for (offset, len, error) in [
        (size, 512, ENOSPC),
        (size - 512, 4096, ENOSPC),
        (far, 1024, ENOSPC),
        (PLACE + 100, 512, EINVAL),
        (PLACE, 100, EINVAL),
        (PLACE, (32 << 20) + 512, EINVAL),
    ] {
        wire.request(0, WRITE, offset, len);
        wire.send(&vec![1; len as usize]);
        assert_eq!(wire.reply(), error, "write {offset} {len}");
    }
    wire.request(0, READ, PLACE, 512);
    assert_eq!(wire.reply(), 0);
    assert_eq!(wire.take::<512>(), [0; 512]);

    // Nobody can be expected to send so much: one answer, and the end.
    wire.request(0, WRITE, PLACE, u32::MAX);
    assert_eq!(wire.reply(), EINVAL);
    wire.assert_closed();
}

/// Who stops half-way gets what was asked for in full, and the half is forgotten.
fn halves(socket: &Path) {
    let mut wire = Wire::greeted(socket);
    wire.half_close();
    wire.assert_closed();

    let mut wire = Wire::negotiating(socket);
    wire.option_header(GO, 100);
    wire.half_close();
    wire.assert_closed();

    let (mut wire, _) = Wire::transmitting(socket);
    wire.request(0, READ, PLACE, 512);
    wire.send(&[0x25, 0x60]);
    wire.half_close();
    assert_eq!(wire.reply(), 0);
    wire.take::<512>();
    wire.assert_closed();

    let (mut wire, _) = Wire::transmitting(socket);
    wire.request(0, WRITE, PLACE, 4096);
    wire.send(&[1; 4095]);
    wire.half_close();
    wire.assert_closed();

    // Gone with all of the answer unread.
    let (mut wire, _) = Wire::transmitting(socket);
    wire.request(0, READ, 0, 32 << 20);
    drop(wire);

    let (mut wire, _) = Wire::transmitting(socket);
    wire.request(0, READ, PLACE, 4096);
    assert_eq!(wire.reply(), 0);
    assert_eq!(wire.take::<4096>(), [0; 4096], "half a write was done");
}

#[test]
fn malformed_requests_are_answered_while_fio_goes_on() {
    let test = "malformed_requests_are_answered_while_fio_goes_on";
    if tools::are_missing(test, &["fio"]) {
        return;
    }
    let scratch = Scratch::with_disk();
    let serving = scratch.serve(&[]);
    let socket = scratch.path("socket");
    // Held all the time: somebody who connected, and says nothing.
    let silent = [Wire::greeted(&socket), Wire::negotiating(&socket)];

    let job = [
        "--size=32m",
        "--rw=randwrite",
        "--bs=4k",
        "--iodepth=8",
        "--loops=2",
        VERIFIED,
    ];
    let mut other = fio(&serving, 1, &[&job]);
    let other = other.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut other = other.spawn().unwrap();
    let mut rounds = 0;
    while other.try_wait().unwrap().is_none() {
        options(&socket);
        no_protocol(&socket);
        requests(&socket);
        halves(&socket);
        rounds += 1;
    }
    let output = other.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", tools::told(&output));
    assert!(rounds >= 3, "fio was done after {rounds} rounds");
    drop(silent);
    let served = serving.stop();
    assert_eq!(served.count("errors") % rounds, 0, "{served:?}");
    assert!(served.count("errors") / rounds > 20, "{served:?}");
    scratch.check();
}
