//! What is in use by another process is refused in one line, and left alone.

use std::fs;

use cuesta_tests::program::Scratch;
use cuesta_tests::tools;

/// Runs a command that must fail; gives the line that says why.
fn refuses(scratch: &Scratch, arguments: &[&str]) -> String {
    let output = scratch.cuesta(arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "cuesta {arguments:?}");
    assert_eq!(errors.lines().count(), 1, "cuesta {arguments:?}: {errors}");
    assert_eq!(output.stdout, b"");
    errors
}

#[test]
fn a_disk_that_is_served_is_refused_to_others_and_its_client_does_not_notice() {
    let test = "a_disk_that_is_served_is_refused_to_others_and_its_client_does_not_notice";
    if tools::are_missing(test, &["qemu-io"]) {
        return;
    }
    let scratch = Scratch::with_disk();
    let serving = scratch.serve(&[]);
    let qemu_io = |request: &str| {
        let mut qemu_io = tools::command(scratch.directory(), "qemu-io");
        tools::succeeds(qemu_io.args(["-f", "raw", "-c", request, serving.uri()]))
    };
    qemu_io("write -f -P 7 0 64k");
    fs::write(scratch.path("raw"), [1; 4096]).unwrap();
    let before = fs::read(scratch.path("disk.nand")).unwrap();
    for command in [
        &["serve", "disk.nand", "--socket", "other"][..],
        &["check", "disk.nand"],
        &["import", "disk.nand", "raw"],
        &["export", "disk.nand", "other"],
        &["format", "disk.nand", "--chip", "tiny", "--force"],
    ] {
        let told = refuses(&scratch, command);
        assert!(
            told.contains("disk.nand") && told.contains("another process"),
            "{told}"
        );
        assert!(!scratch.path("other").exists());
    }
    assert!(fs::read(scratch.path("disk.nand")).unwrap() == before);
    let told = qemu_io("read -P 7 0 64k");
    assert!(!told.contains("failed"), "{told}");
    assert_eq!(serving.stop().count("errors"), 0);
    scratch.check();
}

#[test]
fn a_socket_in_use_is_refused_to_others_and_its_client_does_not_notice() {
    let test = "a_socket_in_use_is_refused_to_others_and_its_client_does_not_notice";
    if tools::are_missing(test, &["nbdinfo"]) {
        return;
    }
    let scratch = Scratch::with_disk();
    scratch.cuesta_succeeds(&["format", "second.nand", "--chip", "tiny"]);
    let serving = scratch.serve(&[]);
    let before = fs::read(scratch.path("second.nand")).unwrap();
    let told = refuses(&scratch, &["serve", "second.nand", "--socket", "socket"]);
    assert!(
        told.contains("socket") && told.contains("another server"),
        "{told}"
    );
    assert!(fs::read(scratch.path("second.nand")).unwrap() == before);
    let mut nbdinfo = tools::command(scratch.directory(), "nbdinfo");
    tools::succeeds(nbdinfo.arg(serving.uri()));
    serving.stop();

    // A socket that a killed server left is in nobody's use.
    scratch.serve(&[]).kill();
    assert!(scratch.path("socket").exists());
    scratch.serve(&[]).stop();
}
