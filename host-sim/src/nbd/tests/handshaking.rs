//! Options, well-formed and not.

use super::client::*;
use super::disk::Disk;

fn bench() -> Bench {
    Bench::new(&Disk::new(100))
}

#[test]
fn go_describes_the_export_and_info_lets_the_client_go_on() {
    let bench = bench();
    let mut client = bench.negotiating();
    for option in [INFO, INFO, GO] {
        client.option(option, &info_request("", &[1, 3, 77]));
        let infos = client.infos(option);
        let export = &infos.iter().find(|(code, _)| *code == 0).unwrap().1;
        assert_eq!(export[..8], 204_800_u64.to_be_bytes());
        // HAS_FLAGS, FLUSH, FUA, TRIM, WRITE_ZEROES, CAN_MULTI_CONN.
        assert_eq!(export[8..], 0b1_0110_1101_u16.to_be_bytes());
        let sizes = &infos.iter().find(|(code, _)| *code == 3).unwrap().1;
        let wanted: Vec<u8> = [512_u32, 4096, 32 << 20]
            .iter()
            .flat_map(|bytes| bytes.to_be_bytes())
            .collect();
        assert_eq!(*sizes, wanted);
        let name = &infos.iter().find(|(code, _)| *code == 1).unwrap().1;
        assert_eq!(name, b"store");
        assert_eq!(infos.len(), 3);
    }
    assert_eq!(client.read(0, 512), [0; 512]);
}

#[test]
fn large_sectors_are_preferred_and_small_ones_are_the_minimum() {
    for (sector_bytes, min, preferred) in [(16384, 512, 16384_u32), (256, 256_u32, 4096)] {
        let mut disk = Disk::new(64);
        disk.sector_bytes = sector_bytes;
        let bench = Bench::new(&disk);
        let mut client = bench.negotiating();
        client.option(GO, &info_request("store", &[]));
        let sizes = client.infos(GO).remove(1).1;
        assert_eq!(sizes[..4], min.to_be_bytes());
        assert_eq!(sizes[4..8], preferred.to_be_bytes());
        assert_eq!(client.write(0, 512, &[3; 512]), 0);
        assert_eq!(client.read(512, 1024), [[3; 512], [0; 512]].concat());
    }
}

#[test]
fn an_unknown_name_is_refused_and_another_can_be_tried() {
    let bench = bench();
    let mut client = bench.negotiating();
    for option in [INFO, GO] {
        client.option(option, &info_request("stor", &[3]));
        client.assert_refused(option, ERR_UNKNOWN);
    }
    client.go();
    assert_eq!(client.ask(FLUSH, 0, 0, 0), 0);
}

#[test]
fn export_name_leads_to_transmission_with_and_without_padding() {
    let bench = bench();
    for (flags, padding) in [(3, 0), (1, 124), (0, 124), (2, 0)] {
        let mut client = bench.connect();
        client.greet(flags);
        client.option(EXPORT_NAME, b"store");
        assert_eq!(client.u64(), 204_800);
        assert_eq!(client.u16(), 0b1_0110_1101);
        assert_eq!(client.receive(padding), vec![0; padding]);
        assert_eq!(client.read(2048, 512), [0; 512]);
    }
}

#[test]
fn export_name_of_another_export_closes_the_connection() {
    let bench = bench();
    let mut client = bench.negotiating();
    client.option(EXPORT_NAME, b"nothing");
    client.assert_closed();
}

#[test]
fn list_names_the_export() {
    let bench = bench();
    let mut client = bench.negotiating();
    client.option(LIST, &[]);
    assert_eq!(
        client.option_reply(LIST),
        (REP_SERVER, b"\0\0\0\x05store".to_vec())
    );
    assert_eq!(client.option_reply(LIST), (REP_ACK, vec![]));
    client.option(LIST, &[1]);
    client.assert_refused(LIST, ERR_INVALID);
    client.go();
}

#[test]
fn abort_is_acknowledged() {
    let bench = bench();
    let mut client = bench.negotiating();
    client.option(ABORT, &[]);
    assert_eq!(client.option_reply(ABORT), (REP_ACK, vec![]));
    client.assert_closed();
    bench.until(|counters| counters.served().connections_open == 0);
    assert_eq!(bench.counters.served().violations, 0);
}

#[test]
fn structured_replies_are_agreed_on_once() {
    let bench = bench();
    let mut client = bench.negotiating();
    client.option(STRUCTURED_REPLY, &[0]);
    client.assert_refused(STRUCTURED_REPLY, ERR_INVALID);
    client.option(STRUCTURED_REPLY, &[]);
    assert_eq!(client.option_reply(STRUCTURED_REPLY), (REP_ACK, vec![]));
    client.option(STRUCTURED_REPLY, &[]);
    client.assert_refused(STRUCTURED_REPLY, ERR_INVALID);
    client.option(INFO, &info_request("", &[]));
    let flags = client.infos(INFO).remove(0).1.split_off(8);
    assert_eq!(flags, 0b1_1110_1101_u16.to_be_bytes(), "DF is offered now");
}

#[test]
fn unsupported_options_are_refused_with_and_without_data() {
    let bench = bench();
    let mut client = bench.negotiating();
    // PEEK_EXPORT, STARTTLS, LIST_META_CONTEXT, SET_META_CONTEXT, EXTENDED_HEADERS, and numbers nobody gave out.
    for option in [0, 4, 5, 9, 10, 11, 12, 0xffff_ffff] {
        for data in [&[][..], &[7; 100], &[7; 8192]] {
            client.option(option, data);
            client.assert_refused(option, ERR_UNSUP);
        }
    }
    client.go();
}

#[test]
fn an_info_request_that_contradicts_itself_is_refused() {
    let bench = bench();
    let mut client = bench.negotiating();
    let good = info_request("store", &[3]);
    let mut bad: Vec<Vec<u8>> = (0..good.len()).map(|cut| good[..cut].to_vec()).collect();
    bad.push([&good[..], &[0]].concat());
    bad.push([&[0xff; 4], &good[4..]].concat());
    for data in bad {
        for option in [INFO, GO] {
            client.option(option, &data);
            client.assert_refused(option, ERR_INVALID);
        }
    }
    client.go();
}

#[test]
fn an_option_that_is_too_long_is_read_past() {
    let bench = bench();
    let mut client = bench.negotiating();
    for option in [GO, LIST, 99] {
        client.option(option, &vec![0x49; 300_000]);
        client.assert_refused(option, ERR_TOO_BIG);
    }
    client.go();
}

#[test]
fn an_absurdly_long_option_ends_the_connection_with_an_answer() {
    let bench = bench();
    let mut client = bench.negotiating();
    client.option_header(GO, u32::MAX);
    client.assert_refused(GO, ERR_TOO_BIG);
    client.assert_closed();
    let mut client = bench.negotiating();
    client.option_header(EXPORT_NAME, 10_000);
    client.assert_closed();
    bench.until(|counters| counters.served().violations == 2);
}

#[test]
fn who_does_not_speak_the_protocol_is_dropped() {
    let bench = bench();
    let mut client = bench.connect();
    client.greet(0x8000_0003);
    client.assert_closed();
    let mut client = bench.negotiating();
    client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.assert_closed();
    // Without fixed newstyle no answer to an option could be read.
    let mut client = bench.connect();
    client.greet(2);
    client.option(LIST, &[]);
    client.assert_closed();
    let mut client = bench.negotiating();
    for _ in 0..1024 {
        client.option(LIST, &[]);
        client.option_reply(LIST);
        client.option_reply(LIST);
    }
    client.assert_closed();
    bench.until(|counters| counters.served().violations == 4);
    bench.ready();
}

#[test]
fn a_client_that_leaves_in_the_middle_of_an_option_is_forgotten() {
    let bench = bench();
    let whole = [
        &b"IHAVEOPT\0\0\0\x07\0\0\0\x0d"[..],
        &info_request("store", &[3]),
    ]
    .concat();
    for cut in 0..whole.len() {
        let mut client = bench.negotiating();
        client.send(&whole[..cut]);
        client.half_close();
        client.assert_closed();
    }
    bench.until(|counters| counters.served().connections_open == 0);
    assert_eq!(bench.counters.served().violations, 0);
}
