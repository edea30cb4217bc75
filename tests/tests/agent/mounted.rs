//! A directory with the agent over it.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cuesta_tests::program::{Scratch, CHIP};
use cuesta_tests::tools;

/// An agent that needs longer to end hangs.
const STOP_MAX: Duration = Duration::from_secs(30);

/// Whether a test must be left out, for want of FUSE or of `programs`; says so.
pub fn cannot_run(test: &str, programs: &[&str]) -> bool {
    if tools::are_missing(test, programs) {
        return true;
    }
    let fuse = OpenOptions::new().read(true).write(true).open("/dev/fuse");
    let why = match fuse {
        Ok(_) if may_mount() => return false,
        Ok(_) => "mounting is not allowed".to_owned(),
        Err(error) => format!("/dev/fuse: {error}"),
    };
    // Unlike programs, the kernel and its permissions cannot be installed: it is said, in CI too.
    tools::left_out(test, &why);
    true
}

/// Whether this process has the capability to mount, `CAP_SYS_ADMIN`.
fn may_mount() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = u64::from_str_radix(line.unwrap().trim(), 16).unwrap();
    capabilities >> 21 & 1 != 0
}

/// An agent, over a directory that is empty at first. It is ended, and the directory unmounted, when this is dropped.
pub struct Mounted {
    scratch: Scratch,
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Mounted {
    /// Mounts.
    pub fn new(more: &[&str]) -> Self {
        let scratch = Scratch::empty();
        fs::create_dir(scratch.path("mount")).unwrap();
        fs::create_dir(scratch.path("source")).unwrap();
        let (child, output) = start(&scratch, more);
        Self {
            scratch,
            child,
            output,
        }
    }

    /// Mounts, with an engine in memory and these rules.
    pub fn with_rules(rules: &str) -> Self {
        Self::on("ram:64M", rules)
    }

    /// Mounts, with an engine on this resource and these rules.
    pub fn on(resource: &str, rules: &str) -> Self {
        let scratch = Scratch::empty();
        fs::create_dir(scratch.path("mount")).unwrap();
        fs::create_dir(scratch.path("source")).unwrap();
        fs::write(scratch.path("rules"), rules).unwrap();
        if resource == "disk.nand" {
            scratch.cuesta_succeeds(&["format", resource, "--chip", CHIP]);
        }
        let (child, output) = start(&scratch, &["--on", resource, "--policy", "rules"]);
        Self {
            scratch,
            child,
            output,
        }
    }

    /// Replaces the rules by ones that are right, and waits until they are in force.
    pub fn replace_rules(&mut self, rules: &str) {
        fs::write(self.scratch.path("rules"), rules).unwrap();
        self.signal("HUP");
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line, "policy: rules\n");
    }

    /// Replaces the rules by ones that are wrong; what the agent says to that.
    pub fn offer_rules(&mut self, rules: &str) -> String {
        fs::write(self.scratch.path("rules"), rules).unwrap();
        self.signal("HUP");
        self.wait_for_complaint();
        self.errors()
    }

    /// Waits until the agent has complained.
    pub fn wait_for_complaint(&self) {
        let asked = Instant::now();
        while !self.errors().ends_with('\n') {
            assert!(asked.elapsed() < STOP_MAX, "the agent does not complain");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Tells the agent to end, and does not wait for it.
    pub fn ask_to_stop(&self) {
        self.signal("TERM");
    }

    /// Kills the agent, and mounts again.
    pub fn kill_and_mount_again(&mut self) {
        self.end();
        let (child, output) = start(&self.scratch, &["--on", "ram:64M", "--policy", "rules"]);
        self.child = child;
        self.output = output;
    }

    /// The directory that programs use.
    pub fn mount(&self) -> PathBuf {
        self.scratch.path("mount")
    }

    /// The directory behind it.
    pub fn source(&self) -> PathBuf {
        self.scratch.path("source")
    }

    /// A program in the mounted directory.
    pub fn command(&self, program: &str) -> Command {
        tools::command(&self.mount(), program)
    }

    /// Runs a line of shell in a directory, which must succeed.
    pub fn shell(&self, directory: &Path, line: &str) -> String {
        tools::succeeds(tools::command(directory, "sh").args(["-ec", line]))
    }

    /// Runs a line of Python in the mounted directory, which must succeed.
    pub fn python(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = self.command("python3");
        tools::succeeds(command.args(["-c", program]).args(arguments))
    }

    /// Ends the agent by SIGTERM; it unmounts. Gives the directory behind it.
    pub fn stop(&mut self) -> PathBuf {
        self.signal("TERM");
        let asked = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(asked.elapsed() < STOP_MAX, "SIGTERM does not end the agent");
            thread::sleep(Duration::from_millis(5));
        };
        assert!(status.success(), "{status}: {}", self.errors());
        assert_eq!(fs::read_dir(self.mount()).unwrap().count(), 0);
        self.source()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// All that the agent complained about.
    pub fn errors(&self) -> String {
        fs::read_to_string(self.scratch.path("agent.err")).unwrap()
    }
}

fn start(scratch: &Scratch, more: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let errors = File::create(scratch.path("agent.err")).unwrap();
    let mut command = scratch.command(&["agent", "--mount", "mount", "--source", "source"]);
    let mut child = command
        .args(more)
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    if line.trim_end() != "mount" {
        let _ = child.kill();
        let _ = child.wait();
        let said = fs::read_to_string(scratch.path("agent.err")).unwrap();
        panic!("the agent does not mount: {said}");
    }
    (child, output)
}

impl Mounted {
    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // An agent that was killed leaves its mount.
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.mount())
            .stderr(Stdio::null())
            .status();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.end();
    }
}

/// Writes a file.
pub fn write(path: &Path, bytes: &[u8]) {
    let mut file = File::create(path).unwrap();
    file.write_all(bytes).unwrap();
}
