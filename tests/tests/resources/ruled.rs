//! `cuesta serve` with rules and without a cache, and calls to it while it serves.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use cuesta_tests::program::{Scratch, CHIP};
use cuesta_tests::resource_contract::{all, is, submit, Ask, End};
use cuesta_tests::tools::told;

use crate::pairs::{holds_version, image, Pairs};

/// Sectors of each level of a disk.
fn sectors_of_levels(scratch: &Scratch) -> Vec<u32> {
    let json = scratch.cuesta_succeeds(&["levels", "disk.nand", "--json"]);
    let counts = json.split("\"sectors\":").skip(1);
    let number = |text: &str| {
        let digits = text.trim_start();
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
        digits[..end].parse().unwrap()
    };
    counts.map(number).collect()
}

/// A disk with two levels, and rules that tell sectors apart: its own, of which two are one of the client's.
fn two_levels() -> Scratch {
    let scratch = Scratch::empty();
    let levels = ["--level", "plain=bch4", "--level", "safe=bch4,mirror=2"];
    let format = ["format", "disk.nand", "--chip", CHIP];
    scratch.cuesta_succeeds(&[&format[..], &levels[..]].concat());
    let rules = "level vital = write-through mirror=2 verify\nrule sector 0..31 -> vital\n";
    fs::write(scratch.path("rules"), rules).unwrap();
    scratch
}

fn writes(first: u32, count: u32, version: u32) -> Vec<Ask> {
    (first..first + count)
        .map(|at| Ask::Write(at, version))
        .collect()
}

#[test]
fn m14_rules_give_requests_their_level_of_the_volume_without_a_cache() {
    for stored in [false, true] {
        let scratch = two_levels();
        let mut arguments = vec!["disk.nand"];
        if stored {
            scratch.cuesta_succeeds(&["policy", "set", "disk.nand", "rules"]);
        } else {
            arguments.extend(["--policy", "rules"]);
        }
        let before = sectors_of_levels(&scratch);
        let pairs = Pairs::serve(&scratch, 1, &arguments);
        let mut client = pairs.connect(0);
        let asks = [writes(0, 16, 3), writes(20, 9, 4), vec![Ask::Flush]].concat();
        all(&mut client, &asks);
        assert!(is(&all(&mut client, &[Ask::Read(15)])[0], 15, 3));
        drop(client);
        pairs.stop();
        let after = sectors_of_levels(&scratch);
        assert_eq!(after[1] - before[1], 32, "{before:?} {after:?}");
        assert!(after[0] >= before[0] + 18, "{before:?} {after:?}");
        scratch.check();
        // The option goes before what is stored.
        let pairs = Pairs::serve(&scratch, 1, &["disk.nand", "--level", "plain"]);
        let mut client = pairs.connect(0);
        assert!(is(&all(&mut client, &[Ask::Read(28)])[0], 28, 4));
        all(&mut client, &[writes(0, 16, 5), vec![Ask::Flush]].concat());
        drop(client);
        pairs.stop();
        assert_eq!(sectors_of_levels(&scratch)[1], before[1]);
    }
}

#[test]
fn m14_m20_rules_say_on_which_resources_data_is_without_a_cache() {
    let scratch = Scratch::empty();
    for name in ["a.img", "b.img"] {
        image(&scratch, name);
    }
    let rules = "level both = write-through resources:0,1 verify\nrule sector 0..99 -> both\n";
    fs::write(scratch.path("rules"), rules).unwrap();
    let primaries = ["--primary", "file:a.img", "--primary", "file:b.img"];
    let pairs = Pairs::serve(
        &scratch,
        1,
        &[&primaries[..], &["--policy", "rules"]].concat(),
    );
    let mut client = pairs.connect(0);
    all(&mut client, &[Ask::Write(9, 5), Ask::Write(200, 6)]);
    let (a, b) = (scratch.path("a.img"), scratch.path("b.img"));
    assert!(holds_version(&a, 9, 5) && holds_version(&b, 9, 5));
    assert!(holds_version(&a, 200, 6) && holds_version(&b, 200, 0));
    let ends = all(&mut client, &[Ask::Read(9), Ask::Read(200)]);
    assert!(is(&ends[0], 9, 5) && is(&ends[1], 200, 6));
    drop(client);
    pairs.stop();
}

#[test]
fn m14_rules_that_resources_cannot_do_are_refused_and_what_should_be_known_is_told() {
    let scratch = two_levels();
    image(&scratch, "a.img");
    let refuses = |rules: &str, arguments: &[&str], what: &str| {
        fs::write(scratch.path("rules"), rules).unwrap();
        let serve = ["serve", "--socket", "s", "--policy", "rules"];
        let output = scratch.cuesta(&[&serve[..], arguments].concat());
        let said = told(&output);
        assert!(!output.status.success() && said.contains(what), "{said}");
    };
    let of_disk = ["disk.nand"];
    let of_file = ["--primary", "file:a.img"];
    refuses(
        "level far = resources:3\n",
        &of_file,
        "resources that there are not: 3",
    );
    refuses(
        "level far = resources:0,1\n",
        &of_disk,
        "resources that there are not: 1",
    );
    refuses(
        "\nlevel three = mirror=3\n",
        &of_disk,
        "line 2, column 15: no level of the volume has mirror=3",
    );
    let rules = "level back = write-back\nlevel fast = ephemeral\nrule size 1 -> back\nrule size 2 -> fast\n";
    fs::write(scratch.path("rules"), rules).unwrap();
    let checked = scratch.cuesta_succeeds(&["policy", "check", "rules"]);
    assert!(
        checked.contains("warning: level back: ") && checked.contains("volatile"),
        "{checked}"
    );
    for (cache, what) in [
        (Some("ram:1M"), "warning: level back: the cache is volatile"),
        (None, "warning: level fast: there is no cache"),
    ] {
        let mut arguments = vec!["--primary", "file:a.img", "--policy", "rules"];
        arguments.extend(cache.iter().flat_map(|cache| ["--cache", cache]));
        let pairs = Pairs::serve(&scratch, 1, &arguments);
        pairs.stop();
        let said = fs::read_to_string(scratch.path("pairs.err")).unwrap();
        assert!(said.contains(what), "{said}");
    }
}

/// Each request of the client is two sectors of the disk: one whole, wherever the server is killed.
#[test]
fn m32a_requests_at_a_level_that_takes_effect_as_a_whole_are_whole_when_the_server_is_killed() {
    let scratch = two_levels();
    fs::write(
        scratch.path("rules"),
        "level whole = write-through atomic\ndefault -> whole\n",
    )
    .unwrap();
    let mut newest = [0; 24];
    for round in 0..6 {
        let pairs = Pairs::serve(&scratch, 1, &["disk.nand", "--policy", "rules"]);
        let mut client = pairs.connect(0);
        for (sector, newest) in (0..).zip(&mut newest) {
            let end = &all(&mut client, &[Ask::Read(sector)])[0];
            let found = (*newest..=round).find(|&version| is(end, sector, version));
            *newest = found.unwrap_or_else(|| {
                panic!("round {round}, sector {sector}: torn, or older than {newest}")
            });
        }
        let written = 4 * round as usize;
        let asks = writes(0, 24, round + 1);
        assert!(all(&mut client, &asks[..written])
            .iter()
            .all(|end| *end == End::Done));
        newest[..written].fill(round + 1);
        // The others are under way, or not yet.
        for ask in &asks[written..] {
            submit(&mut client, ask, &mut Vec::new()).unwrap();
        }
        drop(pairs);
    }
    scratch.check();
}

/// A count that a server tells.
fn count_in(counted: &str, what: &str) -> u32 {
    let line = counted
        .lines()
        .find(|line| line.ends_with(&format!("  {what}")));
    let line = line.unwrap_or_else(|| panic!("no {what} in {counted}"));
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn m51_a_server_whose_pages_are_sparse_makes_them_smaller_and_loses_nothing() {
    let scratch = Scratch::empty();
    image(&scratch, "a.img");
    fs::write(scratch.path("rules"), "rule sector 0..127 -> ephemeral\n").unwrap();
    let arguments = [
        "--cache",
        "ram:512K",
        "--primary",
        "file:a.img",
        "--policy",
        "rules",
        "--control",
        "calls",
    ];
    let pairs = Pairs::serve(&scratch, 1, &arguments);
    let mut client = pairs.connect(0);
    let counted = || scratch.cuesta_succeeds(&["policy", "counters", "--control", "calls"]);
    assert_eq!(count_in(&counted(), "sectors of a page"), 8);
    let sparse: Vec<u32> = (0..16).map(|page| 8 * page + 3).collect();
    let write: Vec<Ask> = sparse.iter().map(|at| Ask::Write(*at, 7)).collect();
    all(&mut client, &write[..13]);
    let read: Vec<Ask> = sparse[..13].iter().map(|at| Ask::Read(*at)).collect();
    for _ in 0..500 {
        let ends = all(&mut client, &read);
        assert!(sparse.iter().zip(&ends).all(|(at, end)| is(end, *at, 7)));
    }
    let counted = counted();
    // Half of these are free now: there is no need for smaller ones.
    assert_eq!(count_in(&counted, "sectors of a page"), 4, "{counted}");
    assert_eq!(count_in(&counted, "pages"), 32, "{counted}");
    drop(client);
    pairs.stop();
    assert!(holds_version(&scratch.path("a.img"), 3, 0));
}

/// The line that a command is refused with.
fn refused(scratch: &Scratch, arguments: &[&str]) -> String {
    let output = scratch.cuesta(arguments);
    assert!(!output.status.success());
    told(&output)
}

#[test]
fn m13_a_call_sets_shows_and_explains_the_rules_of_a_server_and_counts_what_they_decide() {
    let scratch = Scratch::empty();
    for name in ["a.img", "b.img"] {
        image(&scratch, name);
    }
    fs::write(
        scratch.path("rules"),
        "rule volume \"scratch\" -> ephemeral\n",
    )
    .unwrap();
    let newer = "rule volume \"kept\" & op write -> ephemeral\nrule sector 77 -> bypass\n";
    fs::write(scratch.path("newer"), newer).unwrap();
    fs::write(
        scratch.path("bad"),
        "rule volume \"kept\" -> ephemeral\nrule sector x -> bypass\n",
    )
    .unwrap();
    let arguments = [
        "--export",
        "kept,primary=file:a.img,cache=ram:4M,policy=rules",
        "--export",
        "scratch,primary=file:b.img,cache=ram:4M,policy=rules",
        "--control",
        "calls",
    ];
    let pairs = Pairs::serve(&scratch, 2, &arguments);
    let (mut kept, a) = (pairs.connect(0), scratch.path("a.img"));
    let of = |export| ["--control", "calls", "--export", export];
    let show = |export: &'static str| {
        scratch.cuesta_succeeds(&[&["policy", "show"], &of(export)[..]].concat())
    };
    let before = show("kept");
    assert!(
        before.contains("rule volume \"scratch\" -> ephemeral"),
        "{before}"
    );
    all(&mut kept, &[Ask::Write(9, 5)]);
    assert!(holds_version(&a, 9, 5));

    // Wrong rules change nothing, and are told with their place.
    let line = refused(
        &scratch,
        &[&["policy", "set", "bad"], &of("kept")[..]].concat(),
    );
    assert!(line.contains("bad: line 2, column 13: "), "{line}");
    fs::write(scratch.path("bad"), "level far = resources:5\n").unwrap();
    let line = refused(
        &scratch,
        &[&["policy", "set", "bad"], &of("kept")[..]].concat(),
    );
    assert!(
        line.contains("level far: ") && line.contains(" 5"),
        "{line}"
    );
    assert_eq!(show("kept"), before);
    let line = refused(&scratch, &["policy", "show", "--control", "calls"]);
    assert!(
        line.contains("which export? one of \"kept\", \"scratch\""),
        "{line}"
    );
    let line = refused(&scratch, &[&["policy", "show"], &of("nobody")[..]].concat());
    assert!(line.contains("there is no export \"nobody\""), "{line}");
    refused(&scratch, &["policy", "show", "--control", "nowhere"]);

    // The very next request obeys; the other export keeps its own.
    let other = show("scratch");
    scratch.cuesta_succeeds(&[&["policy", "set", "newer"], &of("kept")[..]].concat());
    assert_eq!(show("scratch"), other);
    all(
        &mut kept,
        &[
            Ask::Write(9, 6),
            Ask::Write(10, 6),
            Ask::Read(9),
            Ask::Read(77),
        ],
    );
    assert!(holds_version(&a, 9, 5) && holds_version(&a, 10, 0));
    let explain = ["policy", "explain", "--volume", "kept", "--op", "write"];
    let explained = scratch.cuesta_succeeds(&[&explain[..], &of("kept")[..]].concat());
    assert!(
        explained.contains("level ephemeral = ephemeral"),
        "{explained}"
    );
    let counted = scratch.cuesta_succeeds(&[&["policy", "counters"], &of("kept")[..]].concat());
    let count = |what: &str| {
        let line = counted.lines().find(|line| line.ends_with(what));
        let line = line.unwrap_or_else(|| panic!("no {what} in {counted}"));
        line.split_whitespace()
            .next()
            .unwrap()
            .parse::<u32>()
            .unwrap()
    };
    assert_eq!(count("rule volume \"kept\" & op write -> ephemeral"), 2);
    assert_eq!(count("rule sector 77 -> bypass"), 1);
    assert_eq!(count("bypassed: level"), 1);
    assert_eq!(
        (
            count("at the level of what was found"),
            count("pages ephemeral")
        ),
        (1, 1)
    );

    // Whoever talks nonsense, or nothing, does not stop it.
    for nonsense in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"CuestaControl1 set 999999999 *\n",
        b"\xff\n",
        b"",
    ] {
        let mut stream = UnixStream::connect(scratch.path("calls")).unwrap();
        stream.write_all(nonsense).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("refused "), "{answer}");
    }
    assert_eq!(all(&mut kept, &[Ask::Write(11, 1)]), [End::Done]);
    drop(kept);
    pairs.stop();
    assert!(!scratch.path("calls").exists());
}
