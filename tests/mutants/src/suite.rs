//! The campaigns and the tests that should find a mistake.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::engine::Copy;

/// The campaigns.
const CAMPAIGNS: [&str; 16] = [
    "crash --part cuts --disk one-die-min",
    "crash --part cuts --disk one-die-full",
    "crash --part cuts --disk two-dies-min",
    "crash --part cuts --disk chip-ecc",
    "crash --part cuts --disk two-wide-min",
    "crash --part cuts --disk four-dies-full",
    "crash --part cuts --disk four-dies-mirror",
    "crash --part cuts --disk four-dies-parity",
    "crash --part cuts --disk multi-min",
    "crash --part cuts --disk multi-parity",
    "crash --part second --disk one-die-min",
    "soak --lifetimes 8",
    "fuzz --executions 4000 --disk one-die-min,two-dies-min,four-dies-min,chip-ecc",
    "crash --part faults --disk one-die-min",
    "crash --part faults --disk two-dies-min",
    "crash --part faults --disk chip-ecc",
];
/// So many times as long as without a mistake, and this much more, a campaign may take: it found something that goes on for ever.
const PATIENCE: (u32, Duration) = (5, Duration::from_secs(20));

/// What became of a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A campaign or a test failed.
    Found,
    /// None did.
    Missed,
    /// None came to the place.
    Unreached,
}

/// All that is run, the shortest first, with what each comes to.
#[derive(Debug)]
pub struct Suite {
    judges: Vec<Judge>,
}

/// A campaign, or the tests of a module.
#[derive(Debug)]
struct Judge {
    program: PathBuf,
    arguments: Vec<String>,
    directory: PathBuf,
    takes: Duration,
    reaches: BTreeSet<u32>,
}

impl Suite {
    /// Runs all of it without a mistake. What takes longer than `longest` is left out.
    pub fn new(copy: &Copy, longest: Duration) -> Result<Self, String> {
        let mut all: Vec<_> = CAMPAIGNS
            .map(|line| Judge::campaign(copy, line))
            .into_iter()
            .collect();
        for program in copy.tests()? {
            all.extend(Judge::tests(copy, &program)?);
        }
        let mut judges = Vec::new();
        for mut judge in all {
            if judge.measure(copy, longest)? {
                judges.push(judge);
            }
        }
        judges.sort_by_key(|judge| judge.takes);
        Ok(Self { judges })
    }

    /// Makes a mistake and runs what comes to its place, until something fails.
    pub fn judge(&self, number: u32) -> Result<Verdict, String> {
        let mut verdict = Verdict::Unreached;
        for judge in &self.judges {
            if !judge.reaches.contains(&number) {
                continue;
            }
            verdict = Verdict::Missed;
            let mut child = judge
                .command()
                .env("MUTANT", number.to_string())
                .spawn()
                .map_err(|error| error.to_string())?;
            let limit = judge.takes * PATIENCE.0 + PATIENCE.1;
            // What does not end was found as well.
            if end(&mut child, limit).map_err(|error| error.to_string())? != Some(true) {
                return Ok(Verdict::Found);
            }
        }
        Ok(verdict)
    }
}

impl Judge {
    fn new(program: PathBuf, directory: PathBuf, arguments: Vec<String>) -> Self {
        Self {
            program,
            arguments,
            directory,
            takes: Duration::ZERO,
            reaches: BTreeSet::new(),
        }
    }

    fn campaign(copy: &Copy, line: &str) -> Self {
        let mut arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        arguments.push("--json".to_owned());
        if line.starts_with("crash") {
            arguments.push("--no-shrink".to_owned());
        }
        Self::new(copy.program(), copy.root().to_owned(), arguments)
    }

    /// One for each module of a program of tests.
    fn tests(copy: &Copy, program: &Path) -> Result<Vec<Self>, String> {
        let output = Command::new(program)
            .args(["--list", "--format", "terse"])
            .output()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
        // With the colons behind a module's name; a test outside all modules is for itself.
        let modules: BTreeSet<&str> = names
            .map(|name| name.rfind("::").map_or(name, |colons| &name[..colons + 2]))
            .collect();
        // The tests of a module's children are run for themselves.
        let judge = |module: &&str| {
            let children = modules
                .iter()
                .filter(|other| other.starts_with(module) && other != &module)
                .flat_map(|child| ["--skip".to_owned(), (*child).to_owned()]);
            let arguments = std::iter::once((*module).to_owned()).chain(children);
            Self::new(
                program.to_owned(),
                copy.root().join("tests"),
                arguments.collect(),
            )
        };
        Ok(modules.iter().map(judge).collect())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Runs it without a mistake; whether it took less than `longest`.
    fn measure(&mut self, copy: &Copy, longest: Duration) -> Result<bool, String> {
        let name = self.program.file_name().unwrap_or_default().display();
        let line = format!("{name} {}", self.arguments.join(" "));
        let reached = copy.program().with_extension("reached");
        let _ = std::fs::remove_file(&reached);
        let begun = Instant::now();
        let mut child = self
            .command()
            .env("MUTANTS_REACHED", &reached)
            .spawn()
            .map_err(|error| error.to_string())?;
        match end(&mut child, longest).map_err(|error| error.to_string())? {
            Some(true) => {}
            Some(false) => return Err(format!("without any mistake this fails: {line}")),
            None => {
                eprintln!("too long: {line}");
                return Ok(false);
            }
        }
        self.takes = begun.elapsed();
        // A program that comes to none of the places leaves no file.
        let text = std::fs::read_to_string(&reached).unwrap_or_default();
        self.reaches = text.lines().filter_map(|line| line.parse().ok()).collect();
        eprintln!(
            "{:5.1} s, {} places: {line}",
            self.takes.as_secs_f64(),
            self.reaches.len()
        );
        Ok(!self.reaches.is_empty())
    }
}

/// Whether a program succeeded; nothing if it had to be killed.
fn end(child: &mut Child, limit: Duration) -> std::io::Result<Option<bool>> {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}
