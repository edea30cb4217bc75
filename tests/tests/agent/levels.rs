//! Files that rules name: their data is the engine's, at the level that the rule gives.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use cuesta_sim::SplitMix64;
use cuesta_tests::tools;

use crate::mounted::{cannot_run, write, Mounted};
use crate::passing::SQLITE;

const SCRATCH: &str = r#"rule path "/tmp/**" -> ephemeral"#;

fn len(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

#[test]
fn m7_m44_m92_what_a_compiler_throws_away_never_reaches_the_source() {
    let test = "m7_m44_m92_what_a_compiler_throws_away_never_reaches_the_source";
    if cannot_run(test, &["gcc"]) {
        return;
    }
    let mut mounted = Mounted::with_rules(SCRATCH);
    let said = mounted.shell(
        &mounted.mount(),
        "mkdir tmp out; export TMPDIR=$PWD/tmp
         printf '#include <stdio.h>\\nint main(void) { puts(\"compiled\"); return 0; }\\n' > a.c
         gcc -O1 -E a.c -o tmp/a.i; gcc -S tmp/a.i -o tmp/a.s; gcc -c tmp/a.s -o tmp/a.o
         gcc tmp/a.o -o out/a; out/a
         gcc -save-temps=obj a.c -o tmp/b; tmp/b",
    );
    assert_eq!(said, "compiled\ncompiled\n");
    for name in ["a.i", "a.s", "a.o", "b"] {
        assert!(len(&mounted.mount().join("tmp").join(name)) > 100, "{name}");
        assert_eq!(len(&mounted.source().join("tmp").join(name)), 0, "{name}");
    }
    let source = mounted.stop();
    let compiled = tools::succeeds(&mut tools::command(&source, "out/a"));
    assert_eq!(compiled, "compiled\n");
    assert_eq!(len(&source.join("tmp/a.o")), 0);
}

#[test]
fn m7_m52_a_file_that_is_renamed_to_where_it_is_durable_is() {
    if cannot_run(
        "m7_m52_a_file_that_is_renamed_to_where_it_is_durable_is",
        &[],
    ) {
        return;
    }
    let mut mounted = Mounted::with_rules(r#"rule ext "tmp" | path "/scratch/**" -> ephemeral"#);
    let (mount, source) = (mounted.mount(), mounted.source());
    let mut bytes = vec![0; 2_500_001];
    SplitMix64::new(7).fill(&mut bytes);
    write(&mount.join("a.tmp"), &bytes);
    assert_eq!(len(&source.join("a.tmp")), 0);
    write(&mount.join("a"), b"the older one");
    fs::rename(mount.join("a.tmp"), mount.join("a")).unwrap();
    assert!(fs::read(source.join("a")).unwrap() == bytes);
    assert!(fs::read(mount.join("a")).unwrap() == bytes);
    // A whole directory.
    fs::create_dir(mount.join("scratch")).unwrap();
    write(&mount.join("scratch/b"), &bytes[..70_000]);
    assert_eq!(len(&source.join("scratch/b")), 0);
    fs::rename(mount.join("scratch"), mount.join("kept")).unwrap();
    assert!(fs::read(source.join("kept/b")).unwrap() == bytes[..70_000]);
    // And back.
    fs::rename(mount.join("kept"), mount.join("scratch")).unwrap();
    write(&mount.join("scratch/c"), b"lost");
    let source = mounted.stop();
    assert_eq!(len(&source.join("scratch/c")), 0);
    assert!(fs::read(source.join("scratch/b")).unwrap() == bytes[..70_000]);
}

#[test]
fn m54_a_truncate_is_flushed_passed_and_admitted_again() {
    if cannot_run("m54_a_truncate_is_flushed_passed_and_admitted_again", &[]) {
        return;
    }
    let mut mounted = Mounted::with_rules(SCRATCH);
    let (mount, source) = (
        mounted.mount().join("tmp/a"),
        mounted.source().join("tmp/a"),
    );
    fs::create_dir(mounted.mount().join("tmp")).unwrap();
    let mut bytes = vec![0; 100_000];
    SplitMix64::new(54).fill(&mut bytes);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&mount)
        .unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    assert_eq!((len(&mount), len(&source)), (100_000, 0));
    // What is left of it goes to the source, and the source is cut.
    file.set_len(50_001).unwrap();
    assert!(fs::read(&source).unwrap() == bytes[..50_001]);
    // From then on it is as ephemeral as before, and what was cut off stays away.
    file.write_all_at(b"new", 10).unwrap();
    file.write_all_at(b"far", 60_000).unwrap();
    assert!(fs::read(&source).unwrap() == bytes[..50_001]);
    let mut expected = bytes[..50_001].to_vec();
    expected[10..13].copy_from_slice(b"new");
    expected.resize(60_000, 0);
    expected.extend(b"far");
    assert!(fs::read(&mount).unwrap() == expected);
    file.sync_all().unwrap();
    assert!(fs::read(&source).unwrap() == bytes[..50_001]);
    file.set_len(0).unwrap();
    file.write_all_at(b"again", 0).unwrap();
    assert_eq!(fs::read(&mount).unwrap(), b"again");
    assert_eq!(len(&source), 0);
    drop(file);
    mounted.stop();
    assert_eq!(len(&source), 0);
}

#[test]
fn m57_direct_requests_bypass_and_see_nothing_stale() {
    let test = "m57_direct_requests_bypass_and_see_nothing_stale";
    if cannot_run(test, &["python3"]) {
        return;
    }
    let mut mounted = Mounted::with_rules(SCRATCH);
    let source = mounted.source().join("tmp/a");
    fs::create_dir(mounted.mount().join("tmp")).unwrap();
    write(&mounted.mount().join("tmp/a"), &[b'x'; 8192]);
    assert_eq!(len(&source), 0);
    let found = mounted.python(
        "import os, mmap
fd = os.open('tmp/a', os.O_RDONLY | os.O_DIRECT)
page = mmap.mmap(-1, 4096)
os.preadv(fd, [page], 4096)
print(page[:] == b'x' * 4096)",
        &[],
    );
    assert_eq!(found, "True\n");
    assert_eq!(len(&source), 0);
    mounted.python(
        "import os, mmap
fd = os.open('tmp/a', os.O_WRONLY | os.O_DIRECT)
page = mmap.mmap(-1, 4096); page[:] = b'd' * 4096
os.pwritev(fd, [page], 4096)",
        &[],
    );
    let both = [[b'x'; 4096], [b'd'; 4096]].concat();
    assert!(fs::read(&source).unwrap() == both);
    assert!(fs::read(mounted.mount().join("tmp/a")).unwrap() == both);
    mounted.stop();
}

#[test]
fn m8_m9_the_same_file_by_two_programs_has_two_levels() {
    let test = "m8_m9_the_same_file_by_two_programs_has_two_levels";
    if cannot_run(test, &["python3", "git"]) {
        return;
    }
    let mut mounted = Mounted::with_rules(r#"rule path "/data/*" & app "python3*" -> ephemeral"#);
    fs::create_dir(mounted.mount().join("data")).unwrap();
    let source = mounted.source().join("data/a");
    let writes = "open('data/a', 'r+b' if __import__('os').path.exists('data/a') else 'wb').write(b'by python')";
    mounted.python(writes, &[]);
    assert_eq!(len(&source), 0);
    // Neither the program alone is enough, nor the file.
    mounted.python("open('a', 'wb').write(b'elsewhere')", &[]);
    assert_eq!(fs::read(mounted.source().join("a")).unwrap(), b"elsewhere");
    mounted.shell(
        &mounted.mount(),
        "printf 'by shell ' | dd of=data/a conv=notrunc status=none",
    );
    assert_eq!(fs::read(&source).unwrap(), b"by shell ");
    mounted.python(writes, &[]);
    assert_eq!(
        fs::read(mounted.mount().join("data/a")).unwrap(),
        b"by python"
    );
    assert_eq!(fs::read(&source).unwrap(), b"by shell ");
    mounted.stop();
}

#[test]
fn m13_the_next_request_obeys_new_rules_and_wrong_ones_change_nothing() {
    let test = "m13_the_next_request_obeys_new_rules_and_wrong_ones_change_nothing";
    if cannot_run(test, &[]) {
        return;
    }
    let mut mounted = Mounted::with_rules(SCRATCH);
    let (mount, source) = (mounted.mount(), mounted.source());
    let file = fs::File::create_new(mount.join("a")).unwrap();
    file.write_all_at(b"one", 0).unwrap();
    assert_eq!(fs::read(source.join("a")).unwrap(), b"one");
    mounted.replace_rules(r#"rule name "a" -> ephemeral"#);
    file.write_all_at(b"two", 0).unwrap();
    assert_eq!(fs::read(source.join("a")).unwrap(), b"one");
    assert_eq!(fs::read(mount.join("a")).unwrap(), b"two");
    let told = mounted.offer_rules("rule nam \"a\" -> ephemeral");
    assert!(
        told.contains("rules") && told.contains("line 1, column 6"),
        "{told}"
    );
    file.write_all_at(b"3", 4).unwrap();
    assert_eq!(fs::read(source.join("a")).unwrap(), b"one");
    mounted.replace_rules("");
    file.write_all_at(b"4", 5).unwrap();
    assert_eq!(fs::read(source.join("a")).unwrap(), b"two\x0034");
    drop(file);
    mounted.stop();
}

#[test]
fn an_agent_whose_files_are_in_use_ends_when_they_are_not() {
    let test = "an_agent_whose_files_are_in_use_ends_when_they_are_not";
    if cannot_run(test, &[]) {
        return;
    }
    let mut mounted = Mounted::with_rules(SCRATCH);
    let file = fs::File::create_new(mounted.mount().join("a")).unwrap();
    mounted.ask_to_stop();
    mounted.wait_for_complaint();
    file.write_all_at(b"still", 0).unwrap();
    drop(file);
    let source = mounted.stop();
    assert_eq!(fs::read(source.join("a")).unwrap(), b"still");
}

#[test]
fn m46_a_killed_agent_loses_what_is_ephemeral_and_nothing_else() {
    let test = "m46_a_killed_agent_loses_what_is_ephemeral_and_nothing_else";
    if cannot_run(test, &[]) {
        return;
    }
    let mut mounted = Mounted::with_rules(
        "rule path \"/tmp/**\" -> ephemeral\nrule ext \"db\" -> write-through\nrule ext \"wb\" -> write-back",
    );
    let mount = mounted.mount();
    fs::create_dir(mount.join("tmp")).unwrap();
    write(&mount.join("tmp/a"), b"lost");
    write(&mount.join("tmp/b"), b"kept");
    fs::rename(mount.join("tmp/b"), mount.join("b")).unwrap();
    write(&mount.join("c.db"), b"through");
    let back = fs::File::create_new(mount.join("d.wb")).unwrap();
    back.write_all_at(b"back", 0).unwrap();
    back.sync_all().unwrap();
    back.write_all_at(b"-----", 4).unwrap();
    mounted.kill_and_mount_again();
    assert_eq!(fs::read(mount.join("tmp/a")).unwrap(), b"");
    assert_eq!(fs::read(mount.join("b")).unwrap(), b"kept");
    assert_eq!(fs::read(mount.join("c.db")).unwrap(), b"through");
    assert_eq!(fs::read(mount.join("d.wb")).unwrap()[..4], *b"back");
    mounted.stop();
}

#[test]
fn m40_what_is_ephemeral_and_has_no_room_is_durable_and_right() {
    let test = "m40_what_is_ephemeral_and_has_no_room_is_durable_and_right";
    if cannot_run(test, &[]) {
        return;
    }
    let mut mounted = Mounted::on("ram:1M", SCRATCH);
    fs::create_dir(mounted.mount().join("tmp")).unwrap();
    let mut bytes = vec![0; 5_000_000];
    SplitMix64::new(40).fill(&mut bytes);
    write(&mounted.mount().join("tmp/small"), &bytes[..200_000]);
    write(&mounted.mount().join("tmp/large"), &bytes);
    assert!(fs::read(mounted.mount().join("tmp/large")).unwrap() == bytes);
    assert!(fs::read(mounted.mount().join("tmp/small")).unwrap() == bytes[..200_000]);
    let source = mounted.stop();
    assert!(fs::read(source.join("tmp/large")).unwrap() == bytes);
    assert_eq!(len(&source.join("tmp/small")), 0);
}

/// Calls at random on a file at each level and on a plain one: what is read is the same, and what must be durable is.
#[test]
fn m39_a_file_at_any_level_holds_what_was_written() {
    if cannot_run("m39_a_file_at_any_level_holds_what_was_written", &[]) {
        return;
    }
    for (on, level) in [
        ("ram:64M", "write-through"),
        ("ram:2M", "write-back"),
        ("ram:64M", "ephemeral"),
        ("ram:300K", "ephemeral"),
        ("ram:64M", "bypass"),
        ("disk.nand", "ephemeral"),
        ("disk.nand", "write-through"),
    ] {
        let mut mounted = Mounted::on(on, &format!("rule name \"served\" -> {level}"));
        let path = mounted.mount().join("served");
        let plain = mounted.source().join("../plain");
        let open = |path: &Path| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            options.open(path).unwrap()
        };
        let mut random = SplitMix64::new(39);
        let mut bytes = vec![0; 60_000];
        for _ in 0..12 {
            let (served, beside) = (open(&path), open(&plain));
            for _ in 0..25 {
                let start = random.below(1_500_000);
                let len = 1 + random.below(60_000) as usize;
                random.fill(&mut bytes[..len]);
                match random.below(12) {
                    0 => {
                        served.set_len(start).unwrap();
                        beside.set_len(start).unwrap();
                    }
                    1 => served.sync_all().unwrap(),
                    2..6 => {
                        let mut other = vec![0; len];
                        let read = served.read_at(&mut bytes[..len], start).unwrap();
                        assert_eq!(beside.read_at(&mut other, start).unwrap(), read);
                        assert!(bytes[..read] == other[..read], "{level} on {on}");
                    }
                    _ => {
                        served.write_all_at(&bytes[..len], start).unwrap();
                        beside.write_all_at(&bytes[..len], start).unwrap();
                    }
                }
            }
            drop(served);
            assert!(
                fs::read(&path).unwrap() == fs::read(&plain).unwrap(),
                "{level} on {on}"
            );
        }
        let source = mounted.stop();
        if level != "ephemeral" {
            assert!(fs::read(source.join("served")).unwrap() == fs::read(plain).unwrap());
        }
    }
}

#[test]
fn m2_sqlite_and_git_work_at_every_level() {
    let test = "m2_sqlite_and_git_work_at_every_level";
    if cannot_run(test, &["python3", "git"]) {
        return;
    }
    for level in ["write-through", "write-back", "ephemeral"] {
        let mut mounted = Mounted::with_rules(&format!("rule path \"/**\" -> {level}"));
        for journal in ["delete", "wal"] {
            mounted.python(SQLITE, &[journal]);
        }
        mounted.shell(
            &mounted.mount(),
            "export HOME=$PWD; git init -q project; cd project
             git config user.name A; git config user.email a@b
             for i in $(seq 10); do seq $i $((i * 50)) > file$i; done
             git add .; git commit -qm one; git gc -q; git fsck --strict
             git clone -q . ../clone; diff -r --exclude .git . ../clone",
        );
        let source = mounted.stop();
        if level == "ephemeral" {
            // What SQLite truncates it has flushed.
            assert_eq!(len(&source.join("project/file1")), 0);
        } else {
            let clone = ["-C", "clone", "fsck", "--strict"];
            tools::succeeds(tools::command(&source, "git").args(clone));
            let check = "import sqlite3; print(sqlite3.connect('wal.db').execute('pragma integrity_check').fetchall())";
            let told = tools::succeeds(tools::command(&source, "python3").args(["-c", check]));
            assert_eq!(told, "[('ok',)]\n");
        }
    }
}
