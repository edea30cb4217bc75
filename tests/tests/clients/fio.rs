//! fio: it writes blocks that carry a checksum, their place and a seed, and verifies them.
//!
//! fio 3.33 trims nothing in its `randtrimwrite` mode over NBD, and aborts on `trim_percentage`; so trims come from jobs of their own, at the
//! same time, over connections of their own.

use std::process::Command;

use cuesta_tests::program::{Scratch, Serving, CHIP_BYTES};
use cuesta_tests::tools;

/// A job that verifies what it writes.
pub const VERIFIED: &str = "--verify=crc32c";

/// fio with several jobs at once, each with its own name and options.
pub fn fio(serving: &Serving<'_>, seed: u64, jobs: &[&[&str]]) -> Command {
    let mut command = tools::command(serving.scratch().directory(), "fio");
    command
        .arg("--ioengine=nbd")
        .arg(format!("--uri={}", serving.uri()))
        .arg(format!("--randseed={seed}"))
        .args(["--verify_state_save=0", "--output-format=terse"]);
    for (number, job) in jobs.iter().enumerate() {
        command.arg(format!("--name=job{number}")).args(*job);
    }
    command
}

#[test]
fn m3_fio_finds_what_it_wrote_while_others_trim_and_sync() {
    let test = "m3_fio_finds_what_it_wrote_while_others_trim_and_sync";
    if tools::are_missing(test, &["fio"]) {
        return;
    }
    for ram in ["full", "16K"] {
        let scratch = Scratch::with_disk();
        // Enough rounds for the log to come round the part several times.
        for seed in 1..=4 {
            let serving = scratch.serve(&["--ram", ram]);
            let odd = [
                "--offset=0",
                "--size=16m",
                "--rw=randwrite",
                "--iodepth=16",
                VERIFIED,
            ];
            let odd = [&odd[..], &["--bsrange=512-32k", "--blockalign=512"]].concat();
            let synced = [
                "--offset=16m",
                "--size=16m",
                "--rw=randwrite",
                "--iodepth=8",
                VERIFIED,
            ];
            let synced = [&synced[..], &["--bs=4k", "--fsync=64"]].concat();
            let trimmed = [
                "--offset=32m",
                "--size=16m",
                "--rw=randtrim",
                "--bsrange=512-64k",
            ];
            let trimmed = [&trimmed[..], &["--blockalign=512"]].concat();
            tools::succeeds(&mut fio(&serving, seed, &[&odd, &synced, &trimmed]));

            // What was written is trimmed, and reads as zeros, beside what is not.
            let trim = ["--offset=16m", "--size=16m", "--rw=randtrim", "--bs=64k"];
            tools::succeeds(&mut fio(&serving, seed, &[&trim]));
            let zeros = ["--offset=16m", "--size=16m", "--rw=read", "--bs=64k"];
            let zeros = [&zeros[..], &["--verify=pattern", "--verify_pattern=0"]].concat();
            tools::succeeds(&mut fio(&serving, seed, &[&zeros]));

            // And what will be trimmed in the next round is written.
            let fill = [
                "--offset=32m",
                "--size=16m",
                "--rw=randwrite",
                "--bs=8k",
                VERIFIED,
            ];
            tools::succeeds(&mut fio(&serving, seed, &[&fill]));

            let served = serving.stop();
            assert!(served.count("trims") > 256, "{served:?}");
            assert!(served.count("flushes") >= 64, "{served:?}");
            assert_eq!(served.count("errors"), 0);
            let told = scratch.check();
            assert!(told.contains("the last session ended cleanly"), "{told}");
        }
    }
}

#[test]
fn fio_finds_what_it_wrote_on_a_disk_that_is_full() {
    let test = "fio_finds_what_it_wrote_on_a_disk_that_is_full";
    if tools::are_missing(test, &["fio", "nbdinfo"]) {
        return;
    }
    let scratch = Scratch::with_disk();
    let serving = scratch.serve(&[]);
    let mut nbdinfo = tools::command(scratch.directory(), "nbdinfo");
    let size = tools::succeeds(nbdinfo.args(["--size", serving.uri()]));
    let size: u64 = size.trim().parse().unwrap();
    assert!(
        size >= CHIP_BYTES / 10 * 9,
        "{size} of {CHIP_BYTES} bytes are usable"
    );

    let size = format!("--size={}", size / 4096 * 4096);
    let fill = [&size, "--rw=write", "--bs=4k", "--iodepth=16", VERIFIED];
    tools::succeeds(&mut fio(&serving, 1, &[&fill]));
    let over = [
        &size,
        "--io_size=64m",
        "--rw=randwrite",
        "--bs=4k",
        "--iodepth=16",
        VERIFIED,
    ];
    tools::succeeds(&mut fio(&serving, 2, &[&over]));
    assert_eq!(serving.stop().count("errors"), 0);
    scratch.check();

    // All of it, old and new, with the least memory; then none of it.
    let serving = scratch.serve(&["--ram", "minimum"]);
    let again = [&fill[..], &["--verify_only"]].concat();
    tools::succeeds(&mut fio(&serving, 1, &[&again]));
    let trim = [&size, "--rw=trim", "--bs=4k"];
    tools::succeeds(&mut fio(&serving, 1, &[&trim]));
    let zeros = [
        &size,
        "--rw=read",
        "--bs=4k",
        "--verify=pattern",
        "--verify_pattern=0",
    ];
    tools::succeeds(&mut fio(&serving, 1, &[&zeros]));
    assert_eq!(serving.stop().count("errors"), 0);
    scratch.check();
}
