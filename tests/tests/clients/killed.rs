//! `kill -9` of the server under load: another power cut.
//!
//! Region A is written and flushed, and then left alone. Region B, full of blocks with checksums from the start, is overwritten while the
//! server is killed: each of its blocks, one sector long, must be some version that was written, whole. Region C is written and trimmed at the same
//! time, to move the log.

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use cuesta_sim::SplitMix64;

use crate::fio::{fio, VERIFIED};
use crate::nbdcopy::copy_back;
use cuesta_tests::program::{Scratch, Serving};
use cuesta_tests::tools;

const ROUNDS: u64 = 10;
/// Where region A ends; it begins at 0.
const REGION_A_BYTES: usize = 12 << 20;
const REGION_A: [&str; 5] = [
    "--offset=0",
    "--size=12m",
    "--rw=randwrite",
    "--bs=4k",
    "--iodepth=16",
];
const REGION_B: [&str; 5] = [
    "--offset=16m",
    "--size=32m",
    "--rw=randwrite",
    "--bs=2k",
    "--iodepth=16",
];
const WRITE_C: [&str; 4] = [
    "--offset=64m",
    "--size=32m",
    "--rw=randwrite",
    "--bsrange=512-16k",
];
const TRIM_C: [&str; 4] = ["--offset=64m", "--size=32m", "--rw=randtrim", "--bs=8k"];
/// Longer than any load runs before it is killed.
const FOREVER: [&str; 2] = ["--time_based", "--runtime=100"];

/// Writes, with nothing read back; all of it is flushed at the end.
fn write_and_flush(serving: &Serving<'_>, seed: u64, region: &[&str]) {
    let job = [region, &[VERIFIED, "--do_verify=0", "--end_fsync=1"]].concat();
    tools::succeeds(&mut fio(serving, seed, &[&job]));
}

fn verify(serving: &Serving<'_>, seed: u64, region: &[&str]) {
    let job = [region, &[VERIFIED, "--verify_only"]].concat();
    tools::succeeds(&mut fio(serving, seed, &[&job]));
}

/// Loads the server, and kills it after `delay`.
fn kill_under_load(serving: Serving<'_>, seed: u64, delay: Duration) {
    let write_b = [
        &REGION_B[..],
        &FOREVER,
        &[VERIFIED, "--do_verify=0", "--fsync=128"],
    ]
    .concat();
    let write_c = [
        &WRITE_C[..],
        &FOREVER,
        &["--blockalign=512", "--norandommap"],
    ]
    .concat();
    let trim_c = [&TRIM_C[..], &FOREVER].concat();
    let mut load = fio(&serving, seed, &[&write_b, &write_c, &trim_c]);
    let mut load = load
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(delay);
    assert!(
        load.try_wait().unwrap().is_none(),
        "the load ended before the kill"
    );
    let status = serving.kill();
    assert_eq!(status.code(), None, "the server ended before the kill");
    assert!(
        !load.wait().unwrap().success(),
        "fio did not miss the server"
    );
}

#[test]
fn fio_finds_what_was_flushed_before_the_server_was_killed() {
    let test = "fio_finds_what_was_flushed_before_the_server_was_killed";
    if tools::are_missing(test, &["fio", "nbdcopy"]) {
        return;
    }
    let scratch = Scratch::with_disk();
    let serving = scratch.serve(&[]);
    write_and_flush(&serving, 0, &REGION_B);
    serving.stop();
    let mut random = SplitMix64::new(9);
    for round in 1..=ROUNDS {
        let ram = if round.is_multiple_of(2) {
            "16K"
        } else {
            "full"
        };
        let serving = scratch.serve(&["--ram", ram]);
        write_and_flush(&serving, round, &REGION_A);
        let flushed = copy_back(&serving, "flushed.img");
        // fio needs about 200 ms to start: some kills hit the first writes, some a log that has come round.
        let delay = Duration::from_millis(150 + random.below(1200));
        kill_under_load(serving, round, delay);

        // Killed again while it recovers, or shortly before or after.
        for _ in 0..round % 4 {
            let mut server = scratch.start_serving(&["--ram", ram]);
            thread::sleep(Duration::from_micros(random.below(30_000)));
            server.kill().unwrap();
            server.wait().unwrap();
        }
        let told = scratch.check();
        assert!(
            told.contains("the last session ended"),
            "round {round}: {told}"
        );

        let serving = scratch.serve(&["--ram", ram]);
        verify(&serving, round, &REGION_A);
        verify(&serving, round, &REGION_B);
        // fio accepts a block of an earlier round: the bytes tell.
        let found = copy_back(&serving, "found.img");
        assert!(
            found[..REGION_A_BYTES] == flushed[..REGION_A_BYTES],
            "round {round}: region A changed"
        );
        assert_eq!(serving.stop().count("errors"), 0);
        scratch.check();
    }
}
