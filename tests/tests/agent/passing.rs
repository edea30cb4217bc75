//! What no rule names passes, byte for byte.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{symlink, FileExt, MetadataExt, PermissionsExt};

use cuesta_sim::SplitMix64;
use cuesta_tests::tools;

use crate::mounted::{cannot_run, write, Mounted};

/// The same calls on a mounted directory and on a plain one leave the same files.
#[test]
fn m2_unrelated_files_pass_byte_identical() {
    let test = "m2_unrelated_files_pass_byte_identical";
    if cannot_run(test, &["diff"]) {
        return;
    }
    let mut mounted = Mounted::new(&[]);
    let plain = mounted.source().parent().unwrap().join("plain");
    fs::create_dir(&plain).unwrap();
    for directory in [mounted.mount(), plain.clone()] {
        let mut random = SplitMix64::new(2);
        let mut bytes = vec![0; 300_000];
        for name in ["a", "b", "c"] {
            random.fill(&mut bytes);
            write(&directory.join(name), &bytes);
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(directory.join("a"))
            .unwrap();
        for _ in 0..300 {
            let start = random.below(400_000);
            let len = random.below(9000) as usize;
            random.fill(&mut bytes[..len]);
            match random.below(8) {
                0 => file.set_len(start).unwrap(),
                1 => {
                    let read = file.read_at(&mut bytes[..len], start).unwrap();
                    assert!(read <= len);
                }
                _ => file.write_all_at(&bytes[..len], start).unwrap(),
            }
        }
        let mut log = OpenOptions::new()
            .append(true)
            .open(directory.join("b"))
            .unwrap();
        log.write_all(b"at the end").unwrap();
        log.sync_all().unwrap();
        fs::rename(directory.join("c"), directory.join("d")).unwrap();
        fs::hard_link(directory.join("d"), directory.join("e")).unwrap();
        symlink("d", directory.join("f")).unwrap();
        fs::create_dir_all(directory.join("g/h")).unwrap();
        fs::rename(directory.join("e"), directory.join("g/h/e")).unwrap();
        assert!(fs::remove_dir(directory.join("g")).is_err());
        fs::create_dir(directory.join("i")).unwrap();
        fs::remove_dir(directory.join("i")).unwrap();
        fs::set_permissions(directory.join("b"), PermissionsExt::from_mode(0o640)).unwrap();
        assert_eq!(fs::metadata(directory.join("f")).unwrap().nlink(), 2);
        assert_eq!(
            fs::metadata(directory.join("b")).unwrap().mode() & 0o777,
            0o640
        );
        // A file without a name lives while it is open.
        let mut nameless = File::create_new(directory.join("j")).unwrap();
        fs::remove_file(directory.join("j")).unwrap();
        nameless.write_all(b"still here").unwrap();
        let mut found = OpenOptions::new()
            .read(true)
            .open(directory.join("d"))
            .unwrap();
        found.seek(SeekFrom::End(-4)).unwrap();
        let mut last = Vec::new();
        found.read_to_end(&mut last).unwrap();
        assert_eq!(last.len(), 4);
    }
    let differs = |directory: &std::path::Path| {
        let mut diff = tools::command(directory, "diff");
        tools::succeeds(
            diff.args(["--recursive", "--no-dereference", "."])
                .arg(&plain),
        )
    };
    assert_eq!(differs(&mounted.mount()), "");
    assert_eq!(differs(&mounted.stop()), "");
}

#[test]
fn m2_git_and_cp_work_in_a_mounted_directory() {
    let test = "m2_git_and_cp_work_in_a_mounted_directory";
    if cannot_run(test, &["git", "diff"]) {
        return;
    }
    let mut mounted = Mounted::new(&[]);
    let mount = mounted.mount();
    mounted.shell(
        &mount,
        "export HOME=$PWD GIT_CONFIG_NOSYSTEM=1
         git init -q -b main project; cd project
         git config user.name A; git config user.email a@b
         for i in $(seq 40); do seq $i $((i * 50)) > file$i; done
         git add .; git commit -qm one
         git checkout -q -b other; seq 9 > file3; git mv file4 dir4 ; git commit -qam two
         git checkout -q main; seq 7 > file5; git commit -qam three
         git merge -q --no-edit other; git gc -q --aggressive; git fsck --strict
         test \"$(git log --oneline | wc -l)\" = 4
         git clone -q . ../clone; cp -a file1 ../copy; cp -r . ../all
         ln file1 ../hard; find .. -type f | wc -l",
    );
    let source = mounted.stop();
    tools::succeeds(tools::command(&source, "git").args(["-C", "clone", "fsck", "--strict"]));
    tools::succeeds(tools::command(&source, "diff").args(["-r", "project", "all"]));
}

#[test]
fn m2_sqlite_works_in_a_mounted_directory_with_its_locks_and_maps() {
    let test = "m2_sqlite_works_in_a_mounted_directory_with_its_locks_and_maps";
    if cannot_run(test, &["python3"]) {
        return;
    }
    let mut mounted = Mounted::new(&[]);
    for journal in ["delete", "truncate", "persist", "wal"] {
        mounted.python(SQLITE, &[journal]);
    }
    let source = mounted.stop();
    for journal in ["delete", "truncate", "persist", "wal"] {
        assert!(
            source
                .join(format!("{journal}.db"))
                .metadata()
                .unwrap()
                .len()
                > 100_000
        );
    }
}

/// Two connections, transactions, a roll back, a map of the file; then the file is checked by SQLite itself.
pub const SQLITE: &str = r#"
import sqlite3, sys, os, hashlib
name = sys.argv[1]
a = sqlite3.connect(name + ".db", timeout=30, isolation_level=None)
a.execute("pragma journal_mode=" + name); a.execute("pragma mmap_size=1000000")
a.execute("create table t (k integer primary key, v blob)")
b = sqlite3.connect(name + ".db", timeout=30, isolation_level=None)
value = lambda k: hashlib.sha256(b"%d" % k).digest() * 20
for start in range(0, 400, 40):
    a.execute("begin immediate")
    for k in range(start, start + 40):
        a.execute("insert into t values (?, ?)", (k, value(k)))
    a.execute("commit")
    b.execute("begin immediate")
    b.execute("delete from t where k = ?", (start,))
    b.execute("rollback" if start % 80 else "commit")
try:
    a.execute("begin immediate"); b.execute("pragma busy_timeout=1"); b.execute("begin immediate")
    sys.exit("two writers at a time")
except sqlite3.OperationalError:
    a.execute("rollback")
a.execute("vacuum")
gone = {k for k in range(0, 400, 80)}
found = dict(b.execute("select k, v from t"))
assert set(found) == set(range(400)) - gone
assert all(found[k] == value(k) for k in found)
assert a.execute("pragma integrity_check").fetchall() == [("ok",)]
a.close(); b.close()
"#;

#[test]
fn m2_a_compiler_works_in_a_mounted_directory() {
    let test = "m2_a_compiler_works_in_a_mounted_directory";
    if cannot_run(test, &["gcc"]) {
        return;
    }
    let mut mounted = Mounted::new(&[]);
    let said = mounted.shell(
        &mounted.mount(),
        "mkdir tmp; export TMPDIR=$PWD/tmp
         printf '#include <stdio.h>\\nint main(void) { puts(\"compiled\"); return 0; }\\n' > a.c
         gcc -O1 -save-temps=obj -o a a.c; ./a; test -z \"$(ls tmp)\"",
    );
    assert_eq!(said, "compiled\n");
    mounted.stop();
}
