//! A copy of the project with all mistakes built in.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::sites::Site;

/// Which mistake is made is asked at every place where one could be. With `MUTANTS_REACHED` set to a file, none is made and the file tells which places were come to.
const SWITCH: &str = r#"
//! Which mistake is made.
extern crate std;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::io::Write;
const UNKNOWN: u32 = u32::MAX;
const NONE: u32 = u32::MAX - 1;
const WATCH: u32 = u32::MAX - 2;
static CHOSEN: AtomicU32 = AtomicU32::new(UNKNOWN);
static REACHED: [AtomicBool; SITES] = [const { AtomicBool::new(false) }; SITES];
static LOG: std::sync::Mutex<Option<std::fs::File>> = std::sync::Mutex::new(None);
#[inline]
pub fn on(site: u32) -> bool {
    let chosen = CHOSEN.load(Ordering::Relaxed);
    chosen == site || (chosen >= WATCH && slow(site, chosen))
}
#[cold]
#[inline(never)]
fn slow(site: u32, mut chosen: u32) -> bool {
    if chosen == NONE { return false; }
    let mut log = match LOG.lock() { Ok(log) => log, Err(_) => return false };
    if chosen == UNKNOWN {
        chosen = match (std::env::var("MUTANT"), std::env::var("MUTANTS_REACHED")) {
            (Ok(number), _) => number.parse().unwrap_or(NONE),
            (_, Ok(path)) => { *log = std::fs::File::create(path).ok(); WATCH }
            _ => NONE,
        };
        CHOSEN.store(chosen, Ordering::Relaxed);
    }
    if chosen == WATCH && !REACHED[site as usize].swap(true, Ordering::Relaxed) {
        if let Some(log) = log.as_mut() { let _ = std::writeln!(log, "{site}"); }
    }
    chosen == site
}
"#;

/// Where a campaign counts a case that failed: with a mistake, the first one is enough.
const FINDING: (&str, &str, &str) = (
    "host-sim/src/campaign/report.rs",
    "self.failed += 1;",
    "self.failed += 1; if std::env::var_os(\"MUTANT\").is_some() { std::process::exit(1) }",
);

/// The tests that are run, as `cargo test` is told.
const TESTS: [&str; 2] = [
    "-p cuesta --lib",
    "-p cuesta-tests --test power --test faults --test disk",
];

/// A copy of what is committed.
#[derive(Debug)]
pub struct Copy {
    root: PathBuf,
    target: PathBuf,
    /// The files of the engine as they were.
    original: PathBuf,
}

impl Copy {
    /// Makes it in a directory.
    pub fn new(scratch: &Path) -> Result<Self, String> {
        let copy = Self {
            root: scratch.join("copy"),
            target: scratch.join("target"),
            original: scratch.join("original"),
        };
        for directory in [&copy.root, &copy.original] {
            let _ = fs::remove_dir_all(directory);
            fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
            let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
            let made = Command::new("sh")
                .arg("-c")
                .arg("git -C \"$0\" archive HEAD | tar -x -m -C \"$1\"")
                .args([&here, directory])
                .status();
            if !made.is_ok_and(|status| status.success()) {
                return Err(format!(
                    "cannot copy what is committed to {}",
                    directory.display()
                ));
            }
        }
        Ok(copy)
    }

    fn volume(root: &Path) -> PathBuf {
        root.join("engine/src/volume")
    }

    /// A file of the volume, as it was.
    pub fn source(&self, file: &str) -> Result<String, String> {
        let path = Self::volume(&self.original).join(file);
        fs::read_to_string(&path).map_err(|error| failed(&path, &error))
    }

    /// Writes all files with their mistakes, but for some.
    pub fn write(&self, sites: &[Site], refused: &BTreeSet<u32>) -> Result<(), String> {
        let put =
            |path: &Path, text: &str| fs::write(path, text).map_err(|error| failed(path, &error));
        let engine = self.root.join("engine/src");
        let switch = SWITCH.replace("SITES", &sites.len().to_string());
        put(&engine.join("mutant.rs"), &switch)?;
        let library = fs::read_to_string(self.original.join("engine/src/lib.rs"))
            .map_err(|error| failed(&engine, &error))?;
        put(&engine.join("lib.rs"), &format!("{library}\nmod mutant;\n"))?;
        let (file, there, instead) = FINDING;
        let path = self.original.join(file);
        let report = fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
        if report.matches(there).count() != 1 {
            return Err(format!("{file}: `{there}` should be there once"));
        }
        put(&self.root.join(file), &report.replace(there, instead))?;
        let files: BTreeSet<&str> = sites.iter().map(|site| site.file).collect();
        for file in files {
            let mut edits = Vec::new();
            for (number, site) in (0u32..).zip(sites) {
                if site.file != file || refused.contains(&number) {
                    continue;
                }
                // Of those that begin at one place the outer ones come first, of those that end there the inner ones.
                let order = i64::from(number);
                edits.push((site.range.start, 1, order, site.before.text(number)));
                edits.push((site.range.end, 0, -order, site.behind.to_owned()));
            }
            edits.sort();
            let source = self.source(file)?;
            let mut out = String::new();
            let mut at = 0;
            for (place, _, _, text) in edits {
                out.push_str(&source[at..place]);
                out.push_str(&text);
                at = place;
            }
            out.push_str(&source[at..]);
            put(&Self::volume(&self.root).join(file), &out)?;
        }
        Ok(())
    }

    /// Builds the program; the places of the volume that the compiler does not take.
    pub fn build(&self) -> Result<BTreeSet<(String, usize)>, String> {
        let output = self.cargo(&[
            "build",
            "-p",
            "cuesta-sim",
            "--bin",
            "cuesta",
            "--message-format",
            "short",
        ])?;
        if output.status.success() {
            return Ok(BTreeSet::new());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let places: BTreeSet<_> = text.lines().filter_map(place).collect();
        if places.is_empty() {
            return Err(text.into_owned());
        }
        Ok(places)
    }

    /// Builds the engine's own tests and those of the volume, and tells where they are.
    pub fn tests(&self) -> Result<Vec<PathBuf>, String> {
        let mut programs = Vec::new();
        for of in TESTS {
            let mut arguments = vec!["test", "--no-run", "--message-format", "json"];
            arguments.extend(of.split(' '));
            let output = self.cargo(&arguments)?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned());
            }
            let text = String::from_utf8_lossy(&output.stdout);
            let places = text
                .lines()
                .filter_map(|line| line.split_once("\"executable\":\""));
            programs
                .extend(places.filter_map(|(_, rest)| rest.split('"').next().map(PathBuf::from)));
        }
        Ok(programs)
    }

    fn cargo(&self, arguments: &[&str]) -> Result<Output, String> {
        Command::new("cargo")
            .args(arguments)
            .arg("--release")
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true")
            .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
            .env("RUSTFLAGS", "-Awarnings")
            .output()
            .map_err(|error| format!("cargo: {error}"))
    }

    /// Where the copy is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The program.
    pub fn program(&self) -> PathBuf {
        self.target.join("release/cuesta")
    }
}

/// The place that an error of the compiler is about.
fn place(line: &str) -> Option<(String, usize)> {
    let rest = line.strip_prefix("engine/src/volume/")?;
    let mut parts = rest.split(':');
    let file = parts.next()?;
    let number = parts.next()?.parse().ok()?;
    rest.contains(" error").then(|| (file.to_owned(), number))
}

fn failed(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
