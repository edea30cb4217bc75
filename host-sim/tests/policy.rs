//! `cuesta policy` as people use it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory of its own for a test; gone at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("cuesta-policy-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn cuesta(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_cuesta"))
            .current_dir(&self.0)
            .args(arguments)
            .output()
            .unwrap()
    }

    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.cuesta(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "cuesta {arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The one line of an error, and the exit code.
    fn fails(&self, arguments: &[&str]) -> (String, i32) {
        let output = self.cuesta(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(errors.lines().count(), 1, "{errors}");
        (errors, output.status.code().unwrap())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const TEXT: &str = r#"level vital = mirror=2 verify
level scratch = ephemeral
rule path "/tmp/**" | ext "tmp" & app "cc*" -> scratch
rule path "/tmp/x/**" -> vital
default -> write-through
"#;

#[test]
fn m13_a_policy_is_checked_set_shown_and_explained() {
    let scratch = Scratch::new();
    scratch.file("p.policy", TEXT);
    let checked = scratch.succeeds(&["policy", "check", "p.policy"]);
    let warning = "warning: rule 2 never decides: whatever it matches, rule 1 matches before";
    assert!(checked.starts_with(warning), "{checked}");
    assert!(
        checked.contains("3 levels, 2 rules, default write-through"),
        "{checked}"
    );
    let levels = ["--level", "plain=bch4", "--level", "safe=bch4,mirror=2"];
    let format = ["format", "d.nand", "--chip", "tiny2"];
    scratch.succeeds(&[&format[..], &levels[..]].concat());
    let none = scratch.succeeds(&["policy", "show", "d.nand"]);
    assert_eq!(none, "# no policy is set\ndefault -> write-through\n");
    scratch.succeeds(&["policy", "check", "p.policy", "--disk", "d.nand"]);
    scratch.succeeds(&["policy", "set", "d.nand", "p.policy"]);
    let shown = scratch.succeeds(&["policy", "show", "d.nand"]);
    let vital = "level vital = write-through mirror=2 storage:1 verify\n";
    assert!(shown.starts_with(vital), "{shown}");
    // What is shown can be set again, and is the same.
    scratch.file("q.policy", &shown);
    scratch.succeeds(&["policy", "set", "d.nand", "q.policy"]);
    assert_eq!(scratch.succeeds(&["policy", "show", "d.nand"]), shown);
    let explained = scratch.succeeds(&["policy", "explain", "d.nand", "--path", "/tmp/a"]);
    assert!(
        explained.contains("rule 1: yes (path \"/tmp/**\": yes)"),
        "{explained}"
    );
    scratch.succeeds(&["check", "d.nand"]);
    scratch.succeeds(&["policy", "set", "d.nand", "--none"]);
    assert_eq!(scratch.succeeds(&["policy", "show", "d.nand"]), none);
}

#[test]
fn m13_a_bad_file_changes_nothing_and_is_told_in_one_line_with_its_place() {
    let scratch = Scratch::new();
    scratch.file("p.policy", "rule app \"a\" -> bypass\n");
    scratch.file("bad.policy", "\nrule app \"a\" -> lost\n");
    scratch.file("bad.toml", "[[rule]]\nwhen = 'app 3'\nlevel = 'bypass'\n");
    scratch.file("mirror.policy", "level a = mirror=2\n");
    scratch.succeeds(&["format", "d.nand", "--chip", "tiny"]);
    scratch.succeeds(&["policy", "set", "d.nand", "p.policy"]);
    let before = scratch.succeeds(&["policy", "show", "d.nand"]);
    for (file, part) in [
        (
            "bad.policy",
            "bad.policy: line 2, column 17: there is no level \"lost\"",
        ),
        (
            "bad.toml",
            "bad.toml: line 2, column 13: \"3\" was found, a pattern",
        ),
        (
            "mirror.policy",
            "line 1, column 11: no level of the volume has mirror=2",
        ),
        ("missing", "missing: "),
    ] {
        let (line, code) = scratch.fails(&["policy", "set", "d.nand", file]);
        assert!(line.contains(part) && code == 1, "{line}");
        assert_eq!(scratch.succeeds(&["policy", "show", "d.nand"]), before);
    }
    let large: String = (0..128)
        .map(|number| format!("rule path \"/a/folder/with/a/longer/name/{number}/**\" -> bypass\n"))
        .collect();
    scratch.file("large.policy", &large);
    let (line, _) = scratch.fails(&["policy", "set", "d.nand", "large.policy"]);
    assert!(
        line.contains("more than the 3584 of the volume's system sectors"),
        "{line}"
    );
    let without = [
        "format",
        "e.nand",
        "--chip",
        "tiny",
        "--system-sectors",
        "0",
    ];
    scratch.succeeds(&without);
    let (line, _) = scratch.fails(&["policy", "set", "e.nand", "p.policy"]);
    assert!(line.contains("formatted without system sectors"), "{line}");
}

#[test]
fn m13_toml_says_what_the_text_says() {
    let scratch = Scratch::new();
    scratch.file(
        "p.policy",
        "level scratch = ephemeral\nrule path \"/tmp/**\" & size 64K.. -> scratch\n",
    );
    scratch.file(
        "p.toml",
        "[[level]]\nname = 'scratch'\nis = 'ephemeral'\n[[rule]]\npath = '/tmp/**'\nsize = '64K..'\nlevel = 'scratch'\n",
    );
    scratch.succeeds(&["format", "d.nand", "--chip", "tiny"]);
    let shown = ["p.policy", "p.toml"].map(|file| {
        scratch.succeeds(&["policy", "set", "d.nand", file]);
        scratch.succeeds(&["policy", "show", "d.nand"])
    });
    assert_eq!(shown[0], shown[1]);
    let request = [
        "--path", "/tmp/a", "--size", "64K", "--app", "cc", "--op", "write",
    ];
    for from in ["p.policy", "p.toml", "d.nand"] {
        let told = scratch.succeeds(&[&["policy", "explain", from], &request[..]].concat());
        assert!(told.contains("level scratch = ephemeral"), "{told}");
    }
}

#[test]
fn m6_what_is_asked_for_in_vain_is_told_with_the_reason() {
    let scratch = Scratch::new();
    scratch.file("p.policy", "level secret = ephemeral closed\n");
    let ask = |what| ["policy", "explain", "p.policy", "--ask", what];
    let (line, code) = scratch.fails(&ask("ephemeral"));
    assert!(
        line.contains("no level that may be asked for is ephemeral") && code == 1,
        "{line}"
    );
    let (line, _) = scratch.fails(&ask("level:secret"));
    assert!(line.contains("given by rules only"), "{line}");
    let (line, code) = scratch.fails(&ask("speed"));
    assert!(line.contains("--ask speed") && code == 2, "{line}");
    let told = scratch.succeeds(&ask("write-through"));
    assert!(told.contains("level write-through"), "{told}");
}
