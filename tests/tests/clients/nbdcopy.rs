//! nbdcopy: a file system of real files, to the disk and back.

use std::fs;
use std::path::Path;

use cuesta_tests::program::{Scratch, Serving};
use cuesta_tests::tools;

/// Size of the file system.
const IMAGE_BYTES: u64 = 48 << 20;

/// Makes `fs.img`, an ext4 of the workspace's own files, which are put into `files`.
fn make_ext4(scratch: &Scratch, block_bytes: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut copy = tools::command(root, "cp");
    copy.args(["-r", "engine", "hal", "host-sim", "tests", "docs"]);
    fs::create_dir_all(scratch.path("files")).unwrap();
    tools::succeeds(copy.arg(scratch.path("files")));
    let image = fs::File::create(scratch.path("fs.img")).unwrap();
    image.set_len(IMAGE_BYTES).unwrap();
    let mut mke2fs = tools::command(scratch.directory(), "mke2fs");
    mke2fs.args([
        "-q",
        "-t",
        "ext4",
        "-b",
        block_bytes,
        "-d",
        "files",
        "fs.img",
    ]);
    tools::succeeds(&mut mke2fs);
}

/// Copies the whole disk to a file.
pub fn copy_back(serving: &Serving<'_>, name: &str) -> Vec<u8> {
    let scratch = serving.scratch();
    let _ = fs::remove_file(scratch.path(name));
    let mut nbdcopy = tools::command(scratch.directory(), "nbdcopy");
    tools::succeeds(nbdcopy.args([serving.uri(), name]));
    fs::read(scratch.path(name)).unwrap()
}

fn copy_there(serving: &Serving<'_>, name: &str) {
    let mut nbdcopy = tools::command(serving.scratch().directory(), "nbdcopy");
    tools::succeeds(nbdcopy.args(["--flush", name, serving.uri()]));
}

/// The file system in `name` is sound, and holds the files it was made of.
fn is_whole(scratch: &Scratch, name: &str) {
    let mut e2fsck = tools::command(scratch.directory(), "e2fsck");
    tools::succeeds(e2fsck.args(["-fn", name]));
    let _ = fs::remove_dir_all(scratch.path("back"));
    fs::create_dir_all(scratch.path("back")).unwrap();
    let mut debugfs = tools::command(scratch.directory(), "debugfs");
    tools::succeeds(debugfs.args(["-R", "rdump / back", name]));
    let mut diff = tools::command(scratch.directory(), "diff");
    tools::succeeds(diff.args(["-r", "-x", "lost+found", "files", "back"]));
}

#[test]
fn nbdcopy_takes_a_file_system_there_and_back() {
    let test = "nbdcopy_takes_a_file_system_there_and_back";
    let needed = ["nbdcopy", "mke2fs", "e2fsck", "debugfs", "diff"];
    if tools::are_missing(test, &needed) {
        return;
    }
    let scratch = Scratch::with_disk();
    // Blocks of half a sector, and of two; the second over the first, the third over the second.
    for block_bytes in ["1024", "4096", "1024"] {
        make_ext4(&scratch, block_bytes);
        let there = fs::read(scratch.path("fs.img")).unwrap();
        let serving = scratch.serve(&[]);
        copy_there(&serving, "fs.img");
        let back = copy_back(&serving, "back.img");
        assert!(back[..there.len()] == there);
        assert_eq!(serving.stop().count("errors"), 0);
        scratch.check();

        let serving = scratch.serve(&["--read-only"]);
        let again = copy_back(&serving, "again.img");
        assert!(again == back);
        serving.stop();
        is_whole(&scratch, "again.img");

        scratch.cuesta_succeeds(&["export", "disk.nand", "export.img", "--force"]);
        assert!(fs::read(scratch.path("export.img")).unwrap() == back);
    }
}

#[test]
fn a_file_system_that_nbdcopy_flushed_is_there_after_a_kill() {
    let test = "a_file_system_that_nbdcopy_flushed_is_there_after_a_kill";
    let needed = ["nbdcopy", "mke2fs", "e2fsck", "debugfs", "diff"];
    if tools::are_missing(test, &needed) {
        return;
    }
    let scratch = Scratch::with_disk();
    make_ext4(&scratch, "4096");
    let there = fs::read(scratch.path("fs.img")).unwrap();
    let serving = scratch.serve(&[]);
    copy_there(&serving, "fs.img");
    serving.kill();
    let told = scratch.check();
    assert!(told.contains("the last session ended by a cut"), "{told}");
    let serving = scratch.serve(&[]);
    let back = copy_back(&serving, "back.img");
    assert!(back[..there.len()] == there);
    serving.stop();
    is_whole(&scratch, "back.img");
    scratch.check();
}
