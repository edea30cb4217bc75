//! The `cuesta` program, built from this workspace and run as people run it.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::tools;

/// The part that is served.
pub const CHIP: &str = "w25n01gv";
/// Bytes of its main area.
pub const CHIP_BYTES: u64 = 1024 * 64 * 2048;
/// A server that needs longer to stop hangs: it has one checkpoint to write.
const STOP_TIME_MAX: Duration = Duration::from_secs(60);

/// The program. Cargo tells the path of a binary to the tests of its own package only, so it is built here, with the profile of the tests and
/// into their target directory: after `cargo test` at the root of the workspace that is no work.
fn cuesta() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // TARGET/PROFILE/deps/THIS
        let this = env::current_exe().unwrap();
        let directory = this.parent().and_then(Path::parent).unwrap();
        let target = directory.parent().unwrap();
        let profile = match directory.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "test",
            Some(name) => name,
        };
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--workspace", "--bin", "cuesta"])
            // With a target that has dev-dependencies, features are chosen as `cargo test` chooses them.
            .args(["--test", "small_build"])
            .args(["--profile", profile, "--target-dir"])
            .arg(target)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "cuesta cannot be built: {errors}");
        directory.join("cuesta")
    })
}

/// A directory of its own for a test, with one disk in it; gone at its end.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes the directory and an empty disk, `disk.nand`.
    pub fn with_disk() -> Self {
        let scratch = Self::empty();
        scratch.cuesta_succeeds(&["format", "disk.nand", "--chip", CHIP]);
        scratch
    }

    /// Makes the directory.
    pub fn empty() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("cuesta-clients-{}-{number}", std::process::id());
        let scratch = Self(env::temp_dir().join(name));
        fs::create_dir_all(&scratch.0).unwrap();
        scratch
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The program with these arguments, in the directory.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(cuesta());
        command
            .current_dir(&self.0)
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command.
    pub fn cuesta(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed; gives its standard output.
    pub fn cuesta_succeeds(&self, arguments: &[&str]) -> String {
        let output = self.cuesta(arguments);
        let clean = output.status.success() && output.stderr.is_empty();
        assert!(clean, "cuesta {arguments:?}: {}", tools::told(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Has the whole media verified against itself. When something is found, all of it is told, and the image is kept as it was before: a page
    /// that a cut has torn may read differently the next time.
    pub fn check(&self) -> String {
        let name = self.0.file_name().unwrap().to_string_lossy();
        let kept = env::temp_dir().join(format!("{name}.nand"));
        fs::copy(self.path("disk.nand"), &kept).unwrap();
        let output = self.cuesta(&["check", "disk.nand"]);
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "cuesta check: {}the image is kept: {}",
            tools::told(&output),
            kept.display()
        );
        fs::remove_file(kept).unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts a server for the disk, and does not wait for it. Only one at a time: it listens at the socket `socket`.
    pub fn start_serving(&self, more: &[&str]) -> Child {
        let errors = File::create(self.path("serve.err")).unwrap();
        let mut command = self.command(&["serve", "disk.nand", "--socket"]);
        command.arg(self.path("socket")).args(more);
        command.stdout(Stdio::piped()).stderr(errors);
        command.spawn().unwrap()
    }

    /// Serves the disk, and waits until clients can connect.
    pub fn serve(&self, more: &[&str]) -> Serving<'_> {
        let mut child = self.start_serving(more);
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut uri = String::new();
        output.read_line(&mut uri).unwrap();
        let serving = Serving {
            scratch: self,
            child,
            output,
            uri: format!("nbd+unix:///?socket={}", self.path("socket").display()),
        };
        assert_eq!(
            uri.trim_end(),
            serving.uri,
            "serve says: {}",
            serving.errors()
        );
        serving
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What a failed test left is worth a look.
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A server in the background; killed when it is dropped.
pub struct Serving<'s> {
    scratch: &'s Scratch,
    child: Child,
    output: BufReader<ChildStdout>,
    uri: String,
}

impl Serving<'_> {
    /// Where clients find the disk.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Where the disk is.
    pub fn scratch(&self) -> &Scratch {
        self.scratch
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.scratch.path("serve.err")).unwrap()
    }

    /// Tells the server to stop by SIGTERM, and what it served. It must not have complained about anything.
    pub fn stop(mut self) -> Served {
        let id = self.child.id().to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill -TERM $0", &id])
            .status();
        assert!(sent.unwrap().success());
        let asked = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                asked.elapsed() < STOP_TIME_MAX,
                "SIGTERM does not stop the server"
            );
            thread::sleep(Duration::from_millis(5));
        };
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        assert_eq!(self.errors(), "");
        assert!(status.success(), "{status}");
        assert!(text.starts_with("stopped: "), "{text}");
        assert!(!self.scratch.path("socket").exists());
        Served(text)
    }

    /// Ends the server by SIGKILL, between any two of its instructions.
    pub fn kill(mut self) -> ExitStatus {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(self.errors(), "");
        status
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last line of a server.
#[derive(Debug)]
pub struct Served(String);

impl Served {
    /// How many requests of a kind there were: `reads`, `writes`, `flushes`, `trims`, `zeroes`, `errors`.
    pub fn count(&self, kind: &str) -> u64 {
        let words: Vec<_> = self.0.split([' ', ';', '\n']).collect();
        words
            .windows(2)
            .find(|pair| pair[1] == kind)
            .and_then(|pair| pair[0].parse().ok())
            .unwrap_or_else(|| panic!("no {kind} in {}", self.0))
    }
}
