//! `cuesta serve` with caches before primaries, and rules between them.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use cuesta::resource::Resource;
use cuesta_sim::content;
use cuesta_sim::resource::{NbdOptions, NbdResource};
use cuesta_tests::program::Scratch;
use cuesta_tests::resource_contract::{all, holds, is, Ask, End};

use crate::served::Remote;

const SECTORS: u64 = 256;

/// A server in the background; killed when it is dropped.
pub struct Pairs {
    child: Child,
    pub output: BufReader<ChildStdout>,
    uris: Vec<String>,
}

impl Pairs {
    pub fn serve(scratch: &Scratch, exports: usize, arguments: &[&str]) -> Self {
        let errors = File::create(scratch.path("pairs.err")).unwrap();
        let mut command = scratch.command(&["serve", "--socket", "pairs"]);
        let mut child = command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let uris = (0..exports).map(|_| line(&mut output)).collect();
        let said = || fs::read_to_string(scratch.path("pairs.err")).unwrap();
        assert!(child.try_wait().unwrap().is_none(), "{}", said());
        Self {
            child,
            output,
            uris,
        }
    }

    pub fn connect(&self, export: usize) -> NbdResource {
        let uri = self.uris[export].parse().unwrap();
        NbdResource::connect(&uri, NbdOptions::default()).unwrap()
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Ends it; what it said.
    pub fn stop(mut self) -> String {
        self.signal("TERM");
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        assert!(self.child.wait().unwrap().success());
        text
    }
}

impl Drop for Pairs {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn line(output: &mut impl BufRead) -> String {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

pub fn image(scratch: &Scratch, name: &str) {
    let file = File::create(scratch.path(name)).unwrap();
    file.set_len(4096 * SECTORS).unwrap();
}

/// The version of a sector that a file has.
pub fn holds_version(path: &Path, sector: u32, version: u32) -> bool {
    let bytes = fs::read(path).unwrap();
    content::is(sector, version, &bytes[sector as usize * 4096..][..4096])
}

#[test]
fn m12_m42_what_no_rule_names_is_on_the_primary_when_it_is_acknowledged() {
    let scratch = Scratch::empty();
    image(&scratch, "a.img");
    let arguments = ["--cache", "ram:200K", "--primary", "file:a.img"];
    let pairs = Pairs::serve(&scratch, 1, &arguments);
    let mut client = pairs.connect(0);
    holds(&mut client);
    all(&mut client, &[Ask::Write(9, 5)]);
    assert!(holds_version(&scratch.path("a.img"), 9, 5));
    drop(client);
    assert!(pairs.stop().contains("stopped: "));
}

#[test]
fn m13_m44_rules_decide_by_export_and_the_next_request_obeys_new_ones() {
    let scratch = Scratch::empty();
    for name in ["a.img", "b.img"] {
        image(&scratch, name);
    }
    fs::write(
        scratch.path("rules"),
        "rule volume \"scratch\" -> ephemeral",
    )
    .unwrap();
    let arguments = [
        "--export",
        "kept,primary=file:a.img,cache=ram:4M,policy=rules",
        "--export",
        "scratch,primary=file:b.img,cache=ram:4M,policy=rules",
    ];
    let mut pairs = Pairs::serve(&scratch, 2, &arguments);
    assert!(pairs.uris[0].contains("kept") && pairs.uris[1].contains("scratch"));
    let (mut kept, mut thrown) = (pairs.connect(0), pairs.connect(1));
    let asks = [Ask::Write(9, 5), Ask::Write(200, 6), Ask::Flush];
    all(&mut kept, &asks);
    all(&mut thrown, &asks);
    for client in [&mut kept, &mut thrown] {
        let ends = all(client, &[Ask::Read(9), Ask::Read(200)]);
        assert!(is(&ends[0], 9, 5) && is(&ends[1], 200, 6));
    }
    let (a, b) = (scratch.path("a.img"), scratch.path("b.img"));
    assert!(holds_version(&a, 9, 5) && holds_version(&a, 200, 6));
    assert!(fs::read(&b).unwrap().iter().all(|&byte| byte == 0));
    // Zeroes are zeros at a level where a trim would bring back what the primary has.
    let ends = all(&mut thrown, &[Ask::Trim(200, 1), Ask::Read(200)]);
    assert!(is(&ends[1], 200, 0));

    fs::write(scratch.path("rules"), "rule volume \"kept\" -> ephemeral").unwrap();
    pairs.signal("HUP");
    assert_eq!(line(&mut pairs.output), "policy: rules");
    assert_eq!(line(&mut pairs.output), "policy: rules");
    all(&mut kept, &[Ask::Write(9, 7)]);
    all(&mut thrown, &[Ask::Write(10, 8)]);
    assert!(holds_version(&a, 9, 5) && holds_version(&b, 10, 8));
    assert!(is(&all(&mut kept, &[Ask::Read(9)])[0], 9, 7));
    drop((kept, thrown));
    pairs.stop();
    assert!(holds_version(&a, 9, 5) && holds_version(&b, 9, 0));
}

#[test]
fn m43_what_is_written_back_is_on_the_primary_at_the_end() {
    let scratch = Scratch::with_disk();
    image(&scratch, "a.img");
    scratch.cuesta_succeeds(&["format", "cache.nand", "--chip", "tiny"]);
    fs::write(scratch.path("rules"), "default -> write-back").unwrap();
    let arguments = [
        "--cache",
        "ram:512K",
        "--primary",
        "disk.nand",
        "--policy",
        "rules",
        "--name",
        "d",
    ];
    let pairs = Pairs::serve(&scratch, 1, &arguments);
    let mut client = pairs.connect(0);
    holds(&mut client);
    all(
        &mut client,
        &(0..60).map(|at| Ask::Write(at, 3)).collect::<Vec<_>>(),
    );
    drop(client);
    pairs.stop();
    scratch.check();
    let serving = scratch.serve(&[]);
    let uri = serving.uri().parse().unwrap();
    let mut client = NbdResource::connect(&uri, NbdOptions::default()).unwrap();
    let ends = all(&mut client, &(0..60).map(Ask::Read).collect::<Vec<_>>());
    assert!((0..).zip(&ends).all(|(at, end)| is(end, at, 3)));
    drop(client);
    serving.stop();
}

#[test]
fn m17_a_remote_primary_that_loses_its_power_loses_nothing() {
    let scratch = Scratch::empty();
    let remote = Remote::new(SECTORS);
    let primary = format!("nbd:{}", remote.uri());
    let pairs = Pairs::serve(&scratch, 1, &["--cache", "ram:100K", "--primary", &primary]);
    let mut client = pairs.connect(0);
    for round in 1..8 {
        let writes: Vec<Ask> = (0..100).map(|at| Ask::Write(at, round)).collect();
        all(&mut client, &writes[..50]);
        remote.vanish();
        remote.come_back();
        assert!(all(&mut client, &writes[50..])
            .iter()
            .all(|end| *end == End::Done));
    }
    all(&mut client, &[Ask::Flush]);
    remote.vanish();
    remote.come_back();
    let ends = all(&mut client, &(0..100).map(Ask::Read).collect::<Vec<_>>());
    assert!((0..).zip(&ends).all(|(at, end)| is(end, at, 7)));
    drop(client);
    pairs.stop();
    let mut direct = remote.connect(NbdOptions::default());
    assert!(is(&all(&mut direct, &[Ask::Read(99)])[0], 99, 7));
    assert_eq!(direct.status().sectors, 256);
}

#[test]
fn m43_what_was_written_back_to_a_cache_on_a_file_survives_a_killed_server() {
    let scratch = Scratch::empty();
    for name in ["a.img", "b.img", "cache.img", "other.img"] {
        image(&scratch, name);
    }
    fs::write(
        scratch.path("rules"),
        "rule sector 40..49 -> ephemeral\ndefault -> write-back\n",
    )
    .unwrap();
    let serve = |cache: &'static str, primary: &'static str| {
        ["--cache", cache, "--primary", primary, "--policy", "rules"]
    };
    let ours = serve("file:cache.img", "file:a.img");
    let said = || fs::read_to_string(scratch.path("pairs.err")).unwrap();
    let pairs = Pairs::serve(&scratch, 1, &ours);
    assert_eq!(said(), "", "it is durable: there is nothing to warn of");
    let mut client = pairs.connect(0);
    let writes = (0..60).map(|at| Ask::Write(at, 3)).collect::<Vec<_>>();
    all(&mut client, &writes);
    drop(client);
    drop(pairs);
    let a = scratch.path("a.img");
    let below = (0..60).filter(|&at| holds_version(&a, at, 3)).count();
    assert!(below < 50, "{below} were written back before");

    let pairs = Pairs::serve(&scratch, 1, &ours);
    assert!(
        said().contains("pages of the cache are still to be written back"),
        "{}",
        said()
    );
    let mut client = pairs.connect(0);
    let ends = all(&mut client, &(0..60).map(Ask::Read).collect::<Vec<_>>());
    for (at, end) in (0..).zip(&ends) {
        let version = if (40..50).contains(&at) { 0 } else { 3 };
        assert!(is(end, at, version), "sector {at}");
    }
    drop(client);
    // A cache of another primary, and what is no cache, are left alone.
    drop(pairs);
    let before = fs::read(scratch.path("cache.img")).unwrap();
    let refused = |arguments: &[&str], what: &str| {
        let output = scratch.cuesta(&[&["serve", "--socket", "s"], arguments].concat());
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && errors.contains(what),
            "{errors}"
        );
    };
    refused(
        &serve("file:cache.img", "file:b.img"),
        "belongs to another primary 0",
    );
    assert!(before == fs::read(scratch.path("cache.img")).unwrap());
    fs::write(scratch.path("other.img"), vec![7; 4096 * 64]).unwrap();
    refused(
        &serve("file:other.img", "file:a.img"),
        "holds something else",
    );
    assert!(fs::read(scratch.path("other.img")).unwrap() == vec![7; 4096 * 64]);

    Pairs::serve(&scratch, 1, &ours).stop();
    assert!((0..40).chain(50..60).all(|at| holds_version(&a, at, 3)));
    assert!((40..50).all(|at| holds_version(&a, at, 0)));
    let anew = [&serve("file:cache.img", "file:b.img")[..], &["--new-cache"]].concat();
    let pairs = Pairs::serve(&scratch, 1, &anew);
    assert!(is(&all(&mut pairs.connect(0), &[Ask::Read(5)])[0], 5, 0));
    pairs.stop();
}
