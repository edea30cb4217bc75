//! Requests, well-formed and not.

use super::client::*;
use super::disk::{Call, Disk, Fault, SECTOR_BYTES};
use crate::nbd::ExportError;

const SIZE: u64 = 100 * 2048;

#[test]
fn every_range_of_blocks_reads_back_what_was_written_trimmed_and_zeroed() {
    let disk = Disk::new(4);
    let bench = Bench::new(&disk);
    let mut client = bench.ready();
    let mut model = vec![0_u8; 4 * SECTOR_BYTES];
    let mut fill = 0_u8;
    for command in [WRITE, TRIM, WRITE, WRITE_ZEROES] {
        for first in 0..16_usize {
            for end in first + 1..=16 {
                fill = fill.wrapping_add(1).max(1);
                let (from, to) = (first * 512, end * 512);
                let (offset, len) = (from as u64, (to - from) as u32);
                match command {
                    WRITE => {
                        model[from..to].fill(fill);
                        assert_eq!(client.write(0, offset, &vec![fill; to - from]), 0);
                    }
                    TRIM => {
                        // Inwards to whole sectors.
                        let from = from.next_multiple_of(SECTOR_BYTES);
                        let to = to / SECTOR_BYTES * SECTOR_BYTES;
                        if from < to {
                            model[from..to].fill(0);
                        }
                        assert_eq!(client.ask(TRIM, 0, offset, len), 0);
                    }
                    _ => {
                        model[from..to].fill(0);
                        let flags = if first % 2 == 0 { 0 } else { NO_HOLE };
                        assert_eq!(client.ask(WRITE_ZEROES, flags, offset, len), 0);
                    }
                }
                assert_eq!(client.read(0, 8192), model);
                assert_eq!(client.read(offset, len), model[from..to]);
                // What follows has something to trim.
                model[from..to].fill(fill);
                assert_eq!(client.write(0, offset, &vec![fill; to - from]), 0);
            }
        }
    }
}

#[test]
fn whole_sectors_are_written_without_being_read() {
    let disk = Disk::new(100);
    let bench = Bench::new(&disk);
    let mut client = bench.ready();
    assert_eq!(client.write(0, 4096, &[1; 4096]), 0);
    assert_eq!(disk.take_calls(), [Call::Write(2, 2)]);
    assert_eq!(client.write(0, 512, &[1; 4096]), 0);
    assert_eq!(
        disk.take_calls(),
        [
            Call::Read(0, 1),
            Call::Write(0, 1),
            Call::Write(1, 1),
            Call::Read(2, 1),
            Call::Write(2, 1)
        ]
    );
}

#[test]
fn zeroes_leave_no_sector_behind_unless_asked_to() {
    let disk = Disk::new(2000);
    let bench = Bench::new(&disk);
    let mut client = bench.ready();
    assert_eq!(
        client.ask(WRITE_ZEROES, NO_HOLE, 512, 2_100_000 / 512 * 512),
        0
    );
    assert_eq!(disk.mapped(), (0..=1025).collect::<Vec<_>>());
    assert_eq!(client.ask(WRITE_ZEROES, 0, 512, 4096), 0);
    assert_eq!(client.ask(TRIM, 0, 9 * 2048 + 512, 1536 + 2048), 0);
    let mapped = disk.mapped();
    for (sector, is_mapped) in [(0, true), (1, false), (2, true), (9, true), (10, false)] {
        assert_eq!(mapped.contains(&sector), is_mapped, "sector {sector}");
    }
}

#[test]
fn fua_flushes_before_the_answer_and_nothing_else_does() {
    let disk = Disk::new(100);
    let bench = Bench::new(&disk);
    let mut client = bench.ready();
    for (flags, last) in [(0, false), (FUA, true)] {
        let flushed = || disk.take_calls().last() == Some(&Call::Flush);
        assert_eq!(client.write(flags, 0, &[1; 512]), 0);
        assert_eq!(flushed(), last);
        assert_eq!(client.ask(TRIM, flags, 0, 4096), 0);
        assert_eq!(flushed(), last);
        assert_eq!(client.ask(WRITE_ZEROES, flags, 0, 512), 0);
        assert_eq!(flushed(), last);
        assert_eq!(client.ask(READ, flags, 0, 512), 0);
        client.receive(512);
        assert!(!flushed());
    }
    assert_eq!(client.ask(FLUSH, 0, 0, 0), 0);
    assert_eq!(disk.take_calls(), [Call::Flush]);
}

#[test]
fn requests_that_make_no_sense_are_refused_and_touch_nothing() {
    let disk = Disk::new(100);
    let bench = Bench::new(&disk);
    let mut client = bench.ready();
    let far = u64::MAX - 511;
    let cases: &[(u16, u16, u64, u32, u32)] = &[
        // Out of range.
        (READ, 0, SIZE, 512, EINVAL),
        (READ, 0, SIZE - 512, 1024, EINVAL),
        (READ, 0, far, 512, EINVAL),
        (READ, 0, far, 32 << 20, EINVAL),
        (TRIM, 0, SIZE, 512, EINVAL),
        (TRIM, 0, 0, 0xffff_fe00, EINVAL),
        (WRITE_ZEROES, 0, SIZE, 512, ENOSPC),
        (WRITE_ZEROES, 0, far, 0xffff_fe00, ENOSPC),
        // Nothing.
        (READ, 0, 0, 0, EINVAL),
        (TRIM, 0, 0, 0, EINVAL),
        (WRITE_ZEROES, 0, 0, 0, EINVAL),
        // Too much.
        (READ, 0, 0, (32 << 20) + 512, EINVAL),
        (READ, 0, 0, u32::MAX, EINVAL),
        // Unaligned.
        (READ, 0, 1, 512, EINVAL),
        (READ, 0, 0, 511, EINVAL),
        (TRIM, 0, 256, 512, EINVAL),
        (WRITE_ZEROES, 0, 0, 1000, EINVAL),
        // Flags that are unknown, were not offered, or belong to another command.
        (READ, DF, 0, 512, EINVAL),
        (READ, 0x8000, 0, 512, EINVAL),
        (TRIM, NO_HOLE, 0, 2048, EINVAL),
        (WRITE_ZEROES, 16, 0, 2048, EINVAL),
        // A flush of something.
        (FLUSH, 0, 512, 0, EINVAL),
        (FLUSH, 0, 0, 512, EINVAL),
        // Commands that are not served: cache, block status, resize, and numbers nobody gave out.
        (CACHE, 0, 0, 512, ENOTSUP),
        (7, 0, 0, 512, EINVAL),
        (8, 0, 0, 512, EINVAL),
        (0xffff, 0, 0, 512, EINVAL),
    ];
    for &(command, flags, offset, len, error) in cases {
        assert_eq!(
            client.ask(command, flags, offset, len),
            error,
            "command {command} flags {flags} offset {offset} length {len}"
        );
    }
    assert_eq!(client.write(0, SIZE, &[0; 512]), ENOSPC);
    assert_eq!(client.write(0, SIZE - 512, &[0; 4096]), ENOSPC);
    assert_eq!(client.write(0, far, &[0; 1024]), ENOSPC);
    assert_eq!(client.write(0, 0, &[]), EINVAL);
    assert_eq!(client.write(0, 100, &[0; 512]), EINVAL);
    assert_eq!(client.write(0, 0, &[0; 100]), EINVAL);
    assert_eq!(client.write(NO_HOLE, 0, &[0; 512]), EINVAL);
    assert_eq!(disk.take_calls(), []);
    let errors = u64::try_from(cases.len()).unwrap() + 7;
    assert_eq!(bench.counters.served().errors, errors);
    assert_eq!(client.read(SIZE - 512, 512), [0; 512]);
}

#[test]
fn a_write_that_is_too_long_is_read_past() {
    let disk = Disk::new(1 << 16);
    let bench = Bench::new(&disk);
    let mut client = bench.ready();
    assert_eq!(client.write(0, 0, &vec![5; (32 << 20) + 512]), EINVAL);
    assert_eq!(disk.take_calls(), []);
    assert_eq!(client.write(0, 0, &vec![5; 32 << 20]), 0);
    assert_eq!(client.read(0, 32 << 20), vec![5; 32 << 20]);
}

#[test]
fn an_absurdly_long_write_ends_the_connection_with_an_answer() {
    let bench = Bench::new(&Disk::new(100));
    let mut other = bench.ready();
    let mut client = bench.ready();
    assert_eq!(client.ask(WRITE, 0, 0, u32::MAX), EINVAL);
    client.assert_closed();
    bench.until(|counters| counters.served().violations == 1);
    assert_eq!(other.write(0, 0, &[1; 512]), 0);
}

#[test]
fn a_read_only_disk_says_so_and_refuses_every_change() {
    let mut disk = Disk::new(100);
    disk.read_only = true;
    let bench = Bench::new(&disk);
    let mut client = bench.negotiating();
    client.option(GO, &info_request("", &[]));
    let flags = client.infos(GO).remove(0).1.split_off(8);
    assert_eq!(flags, 0b1_0000_1111_u16.to_be_bytes());
    assert_eq!(client.write(0, 0, &[1; 512]), EPERM);
    assert_eq!(client.write(0, SIZE, &[1; 512]), EPERM);
    assert_eq!(client.ask(TRIM, 0, 0, 2048), EPERM);
    assert_eq!(client.ask(WRITE_ZEROES, 0, 0, 2048), EPERM);
    assert_eq!(client.read(0, 512), [0; 512]);
    assert_eq!(client.ask(FLUSH, 0, 0, 0), 0);
}

#[test]
fn what_the_disk_says_reaches_the_client() {
    let disk = Disk::new(100);
    let bench = Bench::new(&disk);
    let mut client = bench.ready();
    for (error, code) in [
        (ExportError::NoSpace, ENOSPC),
        (ExportError::Io, EIO),
        (ExportError::ReadOnly, EPERM),
        (ExportError::Invalid, EINVAL),
        (ExportError::Shutdown, ESHUTDOWN),
    ] {
        disk.fail_at(7, Fault::Error(error));
        assert_eq!(client.write(0, 7 * 2048 + 512, &[1; 512]), code);
        assert_eq!(client.write(0, 0, &[1; 8 * 2048]), code);
        assert_eq!(client.ask(READ, 0, 7 * 2048, 512), code);
        assert_eq!(client.ask(TRIM, 0, 0, 8 * 2048), code);
        assert_eq!(client.ask(WRITE_ZEROES, NO_HOLE, 0, 8 * 2048), code);
        assert_eq!(client.write(0, 0, &[1; 512]), 0);
    }
}

#[test]
fn a_structured_read_comes_in_chunks_that_add_up() {
    let disk = Disk::new(4096);
    let bench = Bench::new(&disk);
    let mut client = bench.structured();
    let data: Vec<u8> = (0..3_u32 << 20).map(|at| (at / 512 % 251) as u8).collect();
    let cookie = client.request(WRITE, 0, 512, 3 << 20);
    client.send(&data);
    assert_eq!(client.simple_reply(cookie), 0);
    for (flags, chunks) in [(0, 4), (DF, 1)] {
        let cookie = client.request(READ, flags, 512, 3 << 20);
        let mut seen = vec![None; data.len()];
        for left in (0..chunks).rev() {
            let chunk = client.chunk();
            assert_eq!((chunk.kind, chunk.cookie), (1, cookie));
            assert_eq!(chunk.last, left == 0);
            let (at, bytes) = chunk.data.split_first_chunk::<8>().unwrap();
            let at = usize::try_from(u64::from_be_bytes(*at)).unwrap() - 512;
            for (place, &byte) in seen[at..at + bytes.len()].iter_mut().zip(bytes) {
                assert_eq!(place.replace(byte), None);
            }
        }
        assert!(seen
            .iter()
            .zip(&data)
            .all(|(seen, byte)| *seen == Some(*byte)));
    }
}

#[test]
fn a_structured_read_that_fails_half_way_tells_where() {
    let disk = Disk::new(4096);
    let bench = Bench::new(&disk);
    let mut client = bench.structured();
    disk.fail_at(600, Fault::Error(ExportError::Io));
    let cookie = client.request(READ, 0, 0, 4 << 20);
    let chunk = client.chunk();
    assert_eq!((chunk.kind, chunk.last), (1, false));
    assert_eq!(chunk.data.len(), 8 + (1 << 20));
    let chunk = client.chunk();
    assert_eq!((chunk.kind, chunk.last), (0x8002, true));
    assert_eq!(chunk.cookie, cookie);
    assert_eq!(chunk.data[..4], EIO.to_be_bytes());
    let text_bytes = u16::from_be_bytes(chunk.data[4..6].try_into().unwrap());
    let end = 6 + usize::from(text_bytes);
    assert_eq!(chunk.data[6..end], *b"the medium failed");
    assert_eq!(chunk.data[end..], (1_u64 << 20).to_be_bytes());
    // The connection goes on.
    client.request(READ, 0, 0, 512);
    assert_eq!(client.chunk().data.len(), 520);
}

#[test]
fn structured_errors_carry_a_sentence() {
    let bench = Bench::new(&Disk::new(100));
    let mut client = bench.structured();
    for (command, flags, offset, len, error) in [
        (READ, 0, SIZE, 512, EINVAL),
        (READ, DF, 0, 1 << 30, EOVERFLOW),
        (TRIM, DF, 0, 512, EINVAL),
        (WRITE_ZEROES, 0, SIZE, 512, ENOSPC),
        (99, 0, 0, 0, EINVAL),
    ] {
        let cookie = client.request(command, flags, offset, len);
        let chunk = client.chunk();
        assert_eq!((chunk.kind, chunk.last), (0x8001, true));
        assert_eq!(chunk.cookie, cookie);
        assert_eq!(chunk.data[..4], error.to_be_bytes());
        let text_bytes = u16::from_be_bytes(chunk.data[4..6].try_into().unwrap());
        assert_eq!(chunk.data.len(), 6 + usize::from(text_bytes));
        assert!(text_bytes > 10);
    }
}

#[test]
fn requests_sent_ahead_are_answered_in_order() {
    let bench = Bench::new(&Disk::new(100));
    let mut client = bench.ready();
    let mut cookies = Vec::new();
    for at in 0..50_u8 {
        let offset = u64::from(at) * 512;
        cookies.push(client.request(WRITE, 0, offset, 512));
        client.send(&[at; 512]);
        cookies.push(client.request(READ, 0, offset, 512));
    }
    for (at, pair) in (0..50_u8).zip(cookies.chunks(2)) {
        assert_eq!(client.simple_reply(pair[0]), 0);
        assert_eq!(client.simple_reply(pair[1]), 0);
        assert_eq!(client.receive(512), [at; 512]);
    }
}

#[test]
fn a_client_that_closed_its_half_still_gets_its_answers() {
    let bench = Bench::new(&Disk::new(100));
    let mut client = bench.ready();
    let write = client.request(WRITE, 0, 0, 512);
    client.send(&[9; 512]);
    let read = client.request(READ, 0, 0, 512);
    client.half_close();
    assert_eq!(client.simple_reply(write), 0);
    assert_eq!(client.simple_reply(read), 0);
    assert_eq!(client.receive(512), [9; 512]);
    client.assert_closed();
}

#[test]
fn a_client_that_fails_in_the_middle_of_a_request_does_not_disturb_the_others() {
    let disk = Disk::new(100);
    let bench = Bench::new(&disk);
    let mut steady = bench.ready();
    // A request cut after each of its bytes, and a write cut in its data.
    let request = [
        &0x2560_9513_u32.to_be_bytes()[..],
        &[
            0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0,
        ],
        &[7; 511],
    ]
    .concat();
    for cut in (0..28).chain([28, 29, 300, request.len()]) {
        let mut client = bench.ready();
        client.send(&request[..cut]);
        assert_eq!(steady.write(0, 1024, &[1; 512]), 0);
        if cut % 2 == 0 {
            client.half_close();
            client.assert_closed();
        }
    }
    bench.until(|counters| counters.served().connections_open == 1);
    assert_eq!(bench.counters.served().violations, 0);
    // Bytes that are no request.
    let mut client = bench.ready();
    client.send(&[0x42; 28]);
    client.assert_closed();
    bench.until(|counters| counters.served().violations == 1);
    // None of the halves of a write was written.
    assert_eq!(steady.read(0, 1024), [0; 1024]);
    assert_eq!(steady.read(1024, 512), [1; 512]);
}

#[test]
fn a_client_that_never_fetches_its_answers_does_not_hold_up_the_others() {
    let bench = Bench::new(&Disk::new(1 << 14));
    let mut greedy = bench.ready();
    let mut steady = bench.ready();
    for _ in 0..8 {
        greedy.request(READ, 0, 0, 32 << 20);
    }
    for _ in 0..20 {
        assert_eq!(steady.write(FUA, 0, &[1; 4096]), 0);
    }
}

#[test]
fn m3_connections_see_what_was_answered_on_others_and_do_not_mix_partial_sectors() {
    let disk = Disk::new(16);
    let bench = Bench::new(&disk);
    // Four clients, each writing its own quarter of every sector over and over.
    std::thread::scope(|scope| {
        for quarter in 0..4_u8 {
            let mut client = bench.ready();
            scope.spawn(move || {
                for round in 0..20_u8 {
                    for sector in 0..16_u64 {
                        let offset = sector * 2048 + u64::from(quarter) * 512;
                        let fill = [round * 4 + quarter; 512];
                        assert_eq!(client.write(0, offset, &fill), 0);
                        assert_eq!(client.read(offset, 512), fill);
                    }
                }
            });
        }
    });
    let mut client = bench.ready();
    for sector in client.read(0, 32768).chunks(SECTOR_BYTES) {
        let wanted = [[76; 512], [77; 512], [78; 512], [79; 512]].concat();
        assert_eq!(sector, wanted);
    }
    assert_eq!(client.request(DISC, 0, 0, 0) & 0xffff, 2);
    client.assert_closed();
}
