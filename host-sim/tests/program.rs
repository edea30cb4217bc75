//! The program as people use it: every command, and every kind of bad input.
//!
//! Bad input is answered with one line on standard error and a code other than zero, and changes no file.

mod nbd_client;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Mutex;

use cuesta::codec::crc::Seed;
use cuesta::codec::{Ecc, Header, HeaderState, Kind, PageLayout};
use cuesta::volume::{FormatOptions, Level, Parameters, Shape};
use cuesta_hal::{BlockAddress, Geometry, Nand};
use cuesta_sim::{chip, Builder, Existing, ImageNand, Media, PageState, Place, SplitMix64};
use nbd_client::Client;
use serde_json::Value;

/// A directory of its own for a test; gone at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "cuesta-program-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn cuesta(&self, arguments: &[&str]) -> Output {
        start(command(&self.0, arguments).stdin(Stdio::null()))
            .wait_with_output()
            .unwrap()
    }

    /// Runs a command that must succeed; gives its standard output.
    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.cuesta(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "cuesta {arguments:?}: {errors}");
        assert_eq!(errors, "", "cuesta {arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.succeeds(arguments);
        assert_eq!(text.lines().count(), 1);
        serde_json::from_str(&text).unwrap()
    }

    /// Runs a command that must fail with `code`, say one line and change no file. Gives the line.
    fn refuses(&self, code: i32, arguments: &[&str]) -> String {
        let before = self.contents();
        let output = self.cuesta(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "cuesta {arguments:?}: {errors}"
        );
        assert_eq!(errors.lines().count(), 1, "cuesta {arguments:?}: {errors}");
        assert!(errors.starts_with("cuesta: "), "{errors}");
        assert_eq!(output.stdout, b"");
        assert!(
            self.contents() == before,
            "cuesta {arguments:?} changed a file"
        );
        errors
    }

    fn contents(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    }

    fn format(&self, name: &str) {
        self.succeeds(&["format", name, "--chip", "tiny"]);
    }

    /// Serves a disk at a socket `socket`, and waits until clients can connect.
    fn serve(&self, disk: &str, more: &[&str]) -> Serving {
        let arguments = [&["serve", disk, "--socket", "socket"], more].concat();
        let mut child = start(&mut command(&self.0, &arguments));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.starts_with("nbd+unix:///?socket="), "{line}");
        Serving {
            child,
            socket: self.path("socket"),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cuesta"));
    command.current_dir(directory).args(arguments);
    command
}

/// Held while a process is started, and while this one has an image open: a process in the making has a copy of every open file, and of
/// the lock on it.
static STARTING: Mutex<()> = Mutex::new(());

fn start(command: &mut Command) -> Child {
    let _starting = STARTING.lock();
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Makes an image with nothing in it.
fn make_image(path: &Path, builder: &Builder) {
    let _starting = STARTING.lock();
    ImageNand::create(path, builder, Existing::Refuse).unwrap();
}

/// Changes what is in an image behind everyone's back.
fn change_image(path: &Path, change: impl FnOnce(&mut ImageNand)) {
    let _starting = STARTING.lock();
    change(&mut ImageNand::open(path, None).unwrap());
}

/// Makes a page hold `bytes`, as if it had been programmed.
fn store(nand: &mut ImageNand, place: Place, bytes: Vec<u8>) {
    let state = PageState {
        programs: 1,
        ..PageState::default()
    };
    let stored = nand.media_mut().store(place, &bytes.into(), state);
    stored.unwrap();
}

/// A server in the background.
struct Serving {
    child: Child,
    socket: PathBuf,
}

impl Serving {
    fn connect(&self) -> Client {
        Client::connect(&self.socket)
    }

    fn signal(&mut self, signal: &str) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn random_bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    SplitMix64::new(seed).fill(&mut bytes);
    bytes
}

fn disk_bytes(scratch: &Scratch, disk: &str) -> usize {
    let info = scratch.json(&["info", disk, "--json"]);
    info["bytes"].as_u64().unwrap() as usize
}

#[test]
fn a_new_disk_is_clean_empty_and_sound() {
    let scratch = Scratch::new();
    let told = scratch.succeeds(&["format", "d.nand", "--chip", "tiny"]);
    assert!(told.starts_with("d.nand: tiny, "), "{told}");
    let info = scratch.json(&["info", "d.nand", "--json"]);
    assert_eq!(info["chip"], "tiny");
    assert_eq!(info["clean"], true);
    assert_eq!(info["sectors_mapped"], 0);
    assert_eq!(info["sector_bytes"], 512);
    let told = scratch.succeeds(&["info", "d.nand"]);
    assert!(
        told.contains("last session") && told.contains("ended cleanly"),
        "{told}"
    );
    let told = scratch.succeeds(&["check", "d.nand"]);
    assert!(told.contains("0 sectors read and checked"), "{told}");
    let check = scratch.json(&["check", "d.nand", "--json"]);
    assert_eq!(check["findings"], Value::Array(Vec::new()));
}

#[test]
fn a_disk_is_formatted_as_asked() {
    let scratch = Scratch::new();
    let wishes = [
        "--capacity",
        "100",
        "--classes",
        "3",
        "--width",
        "2",
        "--bad-blocks",
        "7/2",
    ];
    let arguments = [&["format", "d.nand", "--chip", "tiny2"], &wishes[..]].concat();
    scratch.succeeds(&arguments);
    let info = scratch.json(&["info", "d.nand", "--json"]);
    assert_eq!(info["sectors"], 100);
    assert_eq!(info["classes"], 3);
    assert_eq!(info["segment_blocks"], 2);
    assert_eq!(info["bad_blocks"], 4);
    let bytes = ["format", "e.nand", "--chip", "tiny", "--capacity", "50K"];
    scratch.succeeds(&bytes);
    assert_eq!(scratch.json(&["info", "e.nand", "--json"])["sectors"], 100);
}

#[test]
fn what_is_imported_is_exported_and_the_rest_is_zeros() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    // Something is there before, so that the import has something to make zero.
    let size = disk_bytes(&scratch, "d.nand");
    fs::write(scratch.path("full"), random_bytes(1, size)).unwrap();
    scratch.succeeds(&["import", "d.nand", "full"]);
    let mut raw = random_bytes(2, 20_001);
    raw[2048..8192].fill(0);
    fs::write(scratch.path("raw"), &raw).unwrap();
    for ram in ["full", "minimum"] {
        let told = scratch.succeeds(&["import", "d.nand", "raw", "--ram", ram]);
        assert!(
            told.starts_with("d.nand: 19.5 KiB imported, 28 sectors written"),
            "{told}"
        );
        scratch.succeeds(&["export", "d.nand", "back", "--force", "--ram", ram]);
        let back = fs::read(scratch.path("back")).unwrap();
        assert_eq!(back.len(), size);
        assert!(back[..raw.len()] == raw);
        assert!(back[raw.len()..].iter().all(|&byte| byte == 0));
    }
    assert_eq!(scratch.json(&["check", "d.nand", "--json"])["sectors"], 28);
    assert_eq!(scratch.json(&["info", "d.nand", "--json"])["clean"], true);
}

#[test]
fn a_served_disk_keeps_what_was_written_and_ends_cleanly_when_told() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    let data = random_bytes(3, 8192);
    for signal in ["-TERM", "-INT"] {
        let mut server = scratch.serve("d.nand", &[]);
        let mut client = server.connect();
        assert_eq!(client.size_bytes as usize, disk_bytes_of(&client));
        assert_eq!(client.write(4096, &data), 0);
        assert_eq!(client.flush(), 0);
        assert_eq!(server.signal(signal), Some(0));
        assert!(!server.socket.exists());
        assert_eq!(scratch.json(&["info", "d.nand", "--json"])["clean"], true);
    }
    scratch.succeeds(&["export", "d.nand", "raw"]);
    let raw = fs::read(scratch.path("raw")).unwrap();
    assert!(raw[4096..12_288] == data && raw[..4096].iter().all(|&byte| byte == 0));
}

#[test]
fn what_clients_write_is_stored_at_the_level_that_the_server_is_told() {
    let scratch = Scratch::new();
    let levels = level_options(&["plain=crc", "wide=parity=2"]);
    scratch.succeeds(&[&["format", "d.nand", "--chip", "ssd-tlc"], &levels[..]].concat());
    let data = random_bytes(3, 1 << 20);
    let mut server = scratch.serve("d.nand", &["--level", "wide"]);
    let mut client = server.connect();
    assert_eq!(client.write(0, &data), 0);
    assert_eq!(client.flush(), 0);
    assert_eq!(server.signal("-TERM"), Some(0));
    let told = scratch.json(&["levels", "d.nand", "--json"]);
    let sectors = |level: usize| number(&told["levels"][level], "sectors");
    assert_eq!((sectors(0), sectors(1)), (0, 256));
    assert_eq!(number(&told["levels"][1], "parity"), 2);
    let refused = ["serve", "d.nand", "--socket", "s", "--level", "safe"];
    let line = scratch.refuses(2, &refused);
    assert!(line.contains("no such level, but plain, wide"), "{line}");
}

fn disk_bytes_of(client: &Client) -> usize {
    (client.size_bytes / 512 * 512) as usize
}

#[test]
fn a_killed_server_is_a_power_cut_and_what_was_flushed_is_there() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    for round in 0..5u8 {
        let mut server = scratch.serve("d.nand", &[]);
        let mut client = server.connect();
        for earlier in 0..round {
            let (error, found) = client.read(u64::from(earlier) * 4096, 4096);
            assert_eq!(error, 0);
            assert!(
                found == random_bytes(u64::from(earlier), 4096),
                "round {round}"
            );
        }
        let data = random_bytes(u64::from(round), 4096);
        assert_eq!(client.write(u64::from(round) * 4096, &data), 0);
        assert_eq!(client.flush(), 0);
        assert_eq!(server.signal("-KILL"), None);
    }
    assert_eq!(scratch.json(&["info", "d.nand", "--json"])["clean"], false);
    let told = scratch.succeeds(&["check", "d.nand"]);
    assert!(told.contains("ended by a cut"), "{told}");
}

#[test]
fn info_and_check_of_a_disk_whose_power_was_cut_write_nothing() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    let mut server = scratch.serve("d.nand", &[]);
    let mut client = server.connect();
    for sector in 0..40 {
        assert_eq!(client.write(sector * 512, &[7; 512]), 0);
    }
    assert_eq!(server.signal("-KILL"), None);
    let before = fs::read(scratch.path("d.nand")).unwrap();
    let info = scratch.json(&["info", "d.nand", "--json"]);
    assert_eq!(info["clean"], false);
    let check = scratch.json(&["check", "d.nand", "--json"]);
    assert_eq!(check["sectors"], 40);
    assert!(fs::read(scratch.path("d.nand")).unwrap() == before);
}

#[test]
fn a_request_beyond_the_end_is_answered_with_an_error_writes_nothing_and_the_next_one_is_served() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    let before = fs::read(scratch.path("d.nand")).unwrap();
    let mut server = scratch.serve("d.nand", &[]);
    let mut client = server.connect();
    let end = client.size_bytes;
    for beyond in [end, 1 << 40, u64::MAX - 511] {
        let (error, _) = client.read(beyond, 512);
        assert_ne!(error, 0, "{beyond}");
        assert_ne!(client.write(beyond, &[1; 512]), 0, "{beyond}");
        assert_ne!(client.trim(beyond, 512), 0, "{beyond}");
    }
    let (error, _) = client.read(end - 512, 1024);
    assert_ne!(error, 0);
    assert_ne!(client.write(end - 512, &[1; 1024]), 0);
    assert_ne!(client.trim(end - 512, 1024), 0);
    assert!(fs::read(scratch.path("d.nand")).unwrap() == before);
    assert_eq!(client.write(end - 512, &[1; 512]), 0);
    assert_eq!(client.read(end - 512, 512), (0, vec![1; 512]));
    assert_eq!(server.signal("-TERM"), Some(0));
}

#[test]
fn a_disk_served_read_only_does_not_change() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    let before = fs::read(scratch.path("d.nand")).unwrap();
    let mut server = scratch.serve("d.nand", &["--read-only"]);
    let mut client = server.connect();
    assert_ne!(client.write(0, &[1; 512]), 0);
    assert_eq!(client.read(0, 512), (0, vec![0; 512]));
    assert_eq!(client.flush(), 0);
    assert_eq!(server.signal("-TERM"), Some(0));
    assert!(fs::read(scratch.path("d.nand")).unwrap() == before);
}

/// The fields of a run, as programs rely on them.
const BENCH_FIELDS: [&str; 35] = [
    "workload",
    "chip",
    "utilization",
    "ram_budget",
    "ram_bytes",
    "host_writes",
    "host_reads",
    "programs",
    "programs_user",
    "programs_groom",
    "programs_leveling",
    "programs_map",
    "programs_meta",
    "programs_padding",
    "erases",
    "reads",
    "bytes_in",
    "bytes_out",
    "virtual_us",
    "wa",
    "mb_s",
    "op_us_mean",
    "op_us_p99",
    "op_us_max",
    "op_us_bound",
    "groom_pages_per_write_max",
    "groom_pages_per_write_bound",
    "reads_per_read",
    "mount_reads",
    "mount_us",
    "wear_min",
    "wear_max",
    "wear_mean",
    "wear_stddev",
    "wear_spread",
];

#[test]
fn bench_prints_one_object_a_run_with_the_fields_of_the_contract() {
    let scratch = Scratch::new();
    let small = ["--chip", "tiny", "--utilization", "0.2"];
    let arguments = [&["bench", "--all", "--json"], &small[..]].concat();
    let text = scratch.succeeds(&arguments);
    assert_eq!(text.lines().count(), 14);
    for line in text.lines() {
        let at = |field: &str| line.find(&format!("\"{field}\":"));
        let places: Vec<_> = BENCH_FIELDS
            .iter()
            .map(|field| at(field).unwrap())
            .collect();
        assert!(places.is_sorted(), "{line}");
        let run: Value = serde_json::from_str(line).unwrap();
        let more = ["latency_histogram", "erase_counts"];
        let known = |name: &String| BENCH_FIELDS.contains(&&**name) || more.contains(&&**name);
        assert!(run.as_object().unwrap().keys().all(known), "{line}");
    }
    let uniform = text
        .lines()
        .find(|line| line.contains("\"uniform\""))
        .unwrap();
    let arguments = [&["bench", "uniform", "--json"], &small[..]].concat();
    assert_eq!(scratch.succeeds(&arguments).trim_end(), uniform);
}

#[test]
fn bench_prints_a_table_for_people_with_the_bound_of_theory() {
    let scratch = Scratch::new();
    let text = scratch.succeeds(&[
        "bench",
        "uniform",
        "--chip",
        "tiny",
        "--utilization",
        "0.1,0.2",
        "--ram",
        "full,minimum",
    ]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 6, "{text}");
    assert!(lines[1].starts_with("workload") && lines[1].contains("bound"));
    assert!(lines[2..].iter().all(|line| line.starts_with("uniform")));
}

#[test]
fn bench_shows_references_beside_the_engine_on_any_number_of_blocks_and_any_skew() {
    let scratch = Scratch::new();
    let arguments = [
        "bench",
        "zipf",
        "--chip",
        "tiny",
        "--utilization",
        "0.2",
        "--blocks",
        "128",
        "--reference",
        "single,dac",
        "--json",
        "--theta",
    ];
    let run = |theta: &str| -> Value {
        let arguments = [&arguments[..], &[theta]].concat();
        serde_json::from_str(&scratch.succeeds(&arguments)).unwrap()
    };
    let (flat, steep) = (run("0.6"), run("1.3"));
    for run in [&flat, &steep] {
        let references = run["reference_wa"].as_object().unwrap();
        assert_eq!(references.len(), 2);
        // 20 % of 128 blocks of 16 pages.
        assert_eq!(run["host_writes"], 409);
    }
    assert_ne!(flat["virtual_us"], steep["virtual_us"]);
}

#[test]
fn report_draws_what_benches_printed_and_says_what_is_no_such_thing() {
    let scratch = Scratch::new();
    let small = ["--chip", "tiny", "--utilization", "0.1,0.2"];
    let text = scratch.succeeds(&[&["bench", "uniform", "--json"], &small[..]].concat());
    std::fs::write(scratch.path("all.json"), text).unwrap();
    let arguments = ["report", "--from", "all.json", "-o", "figures"];
    let files = scratch.succeeds(&arguments);
    assert_eq!(files.lines().count(), 2, "{files}");
    for file in files.lines() {
        let svg = std::fs::read_to_string(scratch.path(file)).unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }
    std::fs::write(scratch.path("all.json"), "{}\n").unwrap();
    let line = scratch.refuses(1, &arguments);
    assert!(line.contains("line 1 is no run of a bench"), "{line}");
}

#[test]
fn bench_queue_tells_how_busy_many_dies_are() {
    let scratch = Scratch::new();
    let run = scratch.json(&[
        "bench",
        "queue",
        "--chip",
        "tiny4",
        "--utilization",
        "0.3",
        "--depth",
        "16",
        "--json",
    ]);
    assert_eq!(run["dies"], 4);
    let (busy, bound) = (run["die_busy"].as_f64(), run["die_busy_bound"].as_f64());
    assert!(busy > Some(0.0) && bound <= Some(1.0), "{run}");
}

#[test]
fn bench_ram_table_prints_a_table_in_markdown_and_nothing_else() {
    let scratch = Scratch::new();
    let small = [
        "bench",
        "ram-table",
        "--chip",
        "tiny4",
        "--utilization",
        "0.3",
    ];
    let text = scratch.succeeds(&small);
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(text
        .lines()
        .all(|line| line.starts_with('|') && line.ends_with('|')));
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{text}");
    assert!(rows[1].iter().all(|cell| cell.contains("--")), "{text}");
    let budgets: Vec<&str> = rows[2..].iter().map(|row| row[0]).collect();
    assert_eq!(budgets.first(), Some(&"minimum"));
    assert_eq!(budgets.last(), Some(&"full"));
    // What it says of a budget is what the benches say.
    let arguments = [&small[..], &["--ram", "full", "--json"]].concat();
    let said = scratch.json(&arguments);
    for (workload, field) in [("uniform", "wa"), ("rand-read", "reads_per_read")] {
        let run = scratch.json(&[
            "bench",
            workload,
            "--chip",
            "tiny4",
            "--utilization",
            "0.3",
            "--json",
        ]);
        assert_eq!(said[field], run[field], "{said}");
        let shown = format!("{:.2}", run[field].as_f64().unwrap());
        assert!(rows[rows.len() - 1].contains(&shown.as_str()), "{text}");
    }
}

#[test]
fn plan_tells_the_minimum_and_a_volume_works_in_exactly_that() {
    let scratch = Scratch::new();
    let told = scratch.succeeds(&["plan", "--chip", "w25n01gv"]);
    assert!(
        told.contains("capacity") && told.contains("reads/read"),
        "{told}"
    );
    let plan = scratch.json(&["plan", "--chip", "tiny", "--ram", "minimum", "--json"]);
    let least = plan["budgets"][0]["ram_bytes"].as_u64().unwrap();
    let bench = |ram: u64| {
        let ram = ram.to_string();
        scratch.cuesta(&[
            "bench",
            "seq-over",
            "--chip",
            "tiny",
            "--utilization",
            "0.2",
            "--ram",
            &ram,
        ])
    };
    assert!(bench(least).status.success());
    let refused = bench(least - 1);
    assert_eq!(refused.status.code(), Some(1));
    let line = String::from_utf8(refused.stderr).unwrap();
    assert!(line.contains(&format!("at least {least}")), "{line}");
}

/// The option `--level` for each of `levels`.
fn level_options<'l>(levels: &[&'l str]) -> Vec<&'l str> {
    levels.iter().flat_map(|level| ["--level", level]).collect()
}

/// A number of a JSON object.
fn number(object: &Value, field: &str) -> u32 {
    u32::try_from(object[field].as_u64().unwrap()).unwrap()
}

/// The sum of a page in `layout --json`, after a look at what holds for every page: the ranges are the raw page without gap or overlap.
fn page_sum(page: &Value, of: impl Fn(&str) -> bool) -> u32 {
    let ranges = page["ranges"].as_array().unwrap();
    let mut at = 0;
    for range in ranges {
        assert_eq!(number(range, "offset"), at, "{page}");
        at += number(range, "bytes");
    }
    ranges
        .iter()
        .filter(|range| of(range["holds"].as_str().unwrap()))
        .map(|range| number(range, "bytes"))
        .sum()
}

#[test]
fn plan_tells_what_each_level_costs() {
    let scratch = Scratch::new();
    let fields = [
        "copies",
        "parity",
        "programs_per_flushed_write",
        "sectors_per_page",
        "marker_bytes",
        "header_bytes",
        "parity_spare_bytes",
        "parity_main_bytes",
        "spare_used_bytes",
        "spare_bytes",
        "repaired_bits",
        "repaired_in_bytes",
    ];
    for (chip, metadata, levels, rows, costs, programs, parts) in [
        // Parities of which the spare has room for one sector's, not for both.
        (
            "tiny-multi",
            "bch16",
            ["fast=crc", "hard=bch64"],
            [
                [1, 0, 1, 2, 2, 53, 0, 0, 55, 512, 0, 512],
                [1, 0, 1, 1, 2, 53, 0, 448, 55, 512, 64, 1024],
            ],
            [1.0, 2.0],
            [1.0, 1.0],
            [
                "if all is written at hard, the costliest level",
                "a parity page in every",
                "1 of 2",
                "55 of 512",
            ],
        ),
        (
            "ssd-tlc",
            "bch64",
            ["a=bch40", "safe=bch8,mirror=3"],
            [
                [1, 0, 1, 4, 2, 105, 1120, 0, 1227, 1952, 40, 1024],
                [3, 0, 3, 4, 2, 105, 416, 0, 523, 1952, 8, 512],
            ],
            [1.0, 3.0],
            [1.0, 3.0],
            [
                "if all is written at safe, the costliest level",
                "3 copies of every page",
                "4 of 4",
                "523 of 1952",
            ],
        ),
        // One page of parity to three: a flush costs as much as a copy.
        (
            "ssd-tlc",
            "bch64",
            ["a=bch40", "wide=bch8,parity=3"],
            [
                [1, 0, 1, 4, 2, 105, 1120, 0, 1227, 1952, 40, 1024],
                [1, 3, 2, 4, 2, 105, 416, 0, 523, 1952, 8, 512],
            ],
            [1.0, 4.0 / 3.0],
            [1.0, 4.0 / 3.0],
            [
                "if all is written at wide, the costliest level",
                "2 copies of every page",
                "parity=3",
                "a copy costs as much and needs no more memory: mirror=2.",
            ],
        ),
    ] {
        let options = level_options(&levels);
        let arguments = [&["plan", "--chip", chip, "--ram", "full"], &options[..]].concat();
        let object = scratch.json(&[&arguments[..], &["--json"]].concat());
        let found = object["levels"].as_array().unwrap();
        assert_eq!(found.len(), 2);
        for (index, row) in found.iter().enumerate() {
            let level = Level::parse(levels[index], Ecc::Bch4).unwrap();
            assert_eq!(row["name"], level.name());
            assert_eq!(row["ecc"], level.ecc.name());
            assert_eq!(fields.map(|field| number(row, field)), rows[index], "{row}");
            assert_eq!(row["slots_per_sector"].as_f64(), Some(costs[index]));
            assert_eq!(row["programs_per_write"].as_f64(), Some(programs[index]));
            let all = f64::from(number(&found[0], "capacity_sectors"));
            let own = number(row, "capacity_sectors");
            assert_eq!(own, (all / costs[index]) as u32);
        }
        assert_eq!(object["ecc"], found[0]["ecc"]);
        assert_eq!(object["metadata_ecc"], metadata);
        // What the engine takes by default is what the costliest level has room for.
        assert_eq!(object["sectors"], found[1]["capacity_sectors"]);

        let text = scratch.succeeds(&arguments);
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(
            text.contains(&format!("protected by {metadata}:")),
            "{text}"
        );
    }
    let plain = scratch.succeeds(&["plan", "--chip", "tiny", "--ram", "full"]);
    assert!(plain.contains("default") && !plain.contains("costliest"));
}

#[test]
fn a_volume_has_the_levels_and_the_capacity_that_were_planned() {
    let scratch = Scratch::new();
    for (chip, levels) in [
        ("tiny2", &["safe=bch8,mirror=2", "fast=crc"][..]),
        ("tiny-multi", &["a", "hard=bch40"]),
        ("tiny4", &[]),
    ] {
        let levels = level_options(levels);
        let plan = scratch.json(&[&["plan", "--json", "--chip", chip], &levels[..]].concat());
        scratch.succeeds(
            &[
                &["format", "d.nand", "--force", "--chip", chip],
                &levels[..],
            ]
            .concat(),
        );
        let info = scratch.json(&["info", "d.nand", "--json"]);
        // The policy has a few of them.
        let sectors = number(&info, "sectors") + number(&info, "system_sectors");
        assert_eq!(sectors, number(&plan, "sectors"), "{chip}");
        let stored = scratch.json(&["levels", "d.nand", "--json"]);
        let stored = stored["levels"].as_array().unwrap().iter();
        let planned = plan["levels"].as_array().unwrap().iter();
        let facts = |level: &Value| ["name", "ecc", "copies"].map(|field| level[field].clone());
        assert!(stored.map(facts).eq(planned.map(facts)), "{chip}");
    }
}

#[test]
fn the_levels_of_a_disk_are_listed_with_what_is_stored_at_each() {
    let scratch = Scratch::new();
    let levels = level_options(&["safe=bch8,mirror=2", "fast=crc"]);
    scratch.succeeds(&[&["format", "d.nand", "--chip", "tiny2"], &levels[..]].concat());
    fs::write(scratch.path("raw"), random_bytes(5, 20 * 512)).unwrap();
    scratch.succeeds(&["import", "d.nand", "raw"]);
    let told = scratch.json(&["levels", "d.nand", "--json"]);
    assert_eq!(told["exact"], true);
    let rows = told["levels"].as_array().unwrap();
    let names: Vec<_> = rows.iter().map(|row| row["name"].as_str()).collect();
    assert_eq!(names, [Some("safe"), Some("fast")]);
    assert_eq!(rows[0]["copies"], 2);
    assert_eq!(rows[1]["ecc"], "crc");
    // What asks for no level is written at the first.
    let sectors: Vec<_> = rows.iter().map(|row| number(row, "sectors")).collect();
    assert_eq!(sectors, [20, 0]);
    let text = scratch.succeeds(&["levels", "d.nand"]);
    let lines: Vec<Vec<_>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[1][..4], ["0", "safe", "bch8", "mirror=2"]);
    assert_eq!(lines[2][..4], ["1", "fast", "crc", "single"]);

    // A place without a level.
    let places = ["--level", "a=bch8", "--level-places", "2"];
    scratch.succeeds(&[&["format", "e.nand", "--chip", "tiny4"], &places[..]].concat());
    let told = scratch.json(&["levels", "e.nand", "--json"]);
    assert_eq!(told["levels"][0]["name"], "a");
    for field in ["name", "ecc", "copies"] {
        assert_eq!(told["levels"][1][field], Value::Null);
    }
}

#[test]
fn a_place_of_the_table_gets_a_level_that_data_can_be_imported_at() {
    let scratch = Scratch::new();
    let later = [
        "--level",
        "a=bch4",
        "--level-places",
        "3",
        "--level-copies",
        "2",
    ];
    scratch.succeeds(&[&["format", "d.nand", "--chip", "w25n01gv"], &later[..]].concat());
    let text = scratch.succeeds(&["levels", "d.nand", "--set", "2:safe=mirror=2"]);
    assert!(text.contains("safe"), "{text}");
    let raw = random_bytes(5, 20 * 2048);
    fs::write(scratch.path("raw"), &raw).unwrap();
    scratch.succeeds(&["import", "d.nand", "raw", "--level", "safe"]);
    let told = scratch.json(&["levels", "d.nand", "--json"]);
    assert_eq!(number(&told["levels"][2], "sectors"), 20);
    assert_eq!(told["levels"][1]["name"], Value::Null);
    scratch.succeeds(&["export", "d.nand", "back"]);
    assert!(fs::read(scratch.path("back")).unwrap().starts_with(&raw));
    for (arguments, code, says) in [
        (
            &["levels", "d.nand", "--set", "safe"][..],
            2,
            "PLACE:LEVEL is needed",
        ),
        (
            &["levels", "d.nand", "--set", "2:x=crc"],
            1,
            "hold data of level 2",
        ),
        (
            &["levels", "d.nand", "--set", "3:x=crc"],
            1,
            "there is no place 3",
        ),
        (
            &["levels", "d.nand", "--set", "1:x=mirror=3"],
            1,
            "mirror=3 is more than the volume is made for, which is 2 copies",
        ),
        (
            &["levels", "d.nand", "--set", "1:x=bch16"],
            1,
            "104 of parity",
        ),
        (
            &["import", "d.nand", "raw", "--level", "b"],
            2,
            "has no such level, but a, safe",
        ),
    ] {
        let line = scratch.refuses(code, arguments);
        assert!(line.contains(says), "{line}");
    }
}

#[test]
fn layout_draws_a_page_whose_ranges_add_up() {
    let scratch = Scratch::new();
    // Sectors, their parities in the spare and in the main area, and the codes of header and metadata.
    for (chip, levels, sectors, in_spare, in_main, header_ecc, metadata_ecc) in [
        ("w25n01gv", &[][..], 1, 28, 0, "bch4", "bch4"),
        ("w25n01gv", &["a=crc"], 1, 0, 0, "bch4", "bch4"),
        ("ssd-tlc", &[], 4, 1120, 0, "bch24", "bch64"),
        ("tiny-multi", &["a=bch16"], 2, 416, 0, "bch8", "bch16"),
        ("tiny-multi", &["a=bch24"], 1, 0, 312, "bch8", "bch16"),
        ("tiny-multi", &["a=bch64"], 1, 0, 448, "bch8", "bch16"),
    ] {
        let levels = level_options(levels);
        let arguments = [&["layout", "--chip", chip][..], &levels].concat();
        let object = scratch.json(&[&arguments[..], &["--json"]].concat());
        let raw = number(&object, "raw_page_bytes");
        let main = number(&object, "page_bytes");
        assert_eq!(raw, main + number(&object, "spare_bytes"));
        let page = &object["levels"][0];
        for page in [page, &object["metadata"]] {
            assert_eq!(page_sum(page, |_| true), raw);
            assert_eq!(page_sum(page, |of| of == "marker"), 2);
            assert_eq!(page["header_ecc"], header_ecc);
        }
        assert_eq!(object["metadata"]["ecc"], metadata_ecc);
        assert_eq!(number(page, "sectors_per_page"), sectors, "{chip}");
        let payload = sectors * number(page, "sector_bytes");
        assert_eq!(page_sum(page, |of| of == "sector"), payload);
        let parities = page_sum(page, |of| of == "parities");
        assert_eq!(parities, in_spare + in_main, "{chip}");
        let in_main_found: u32 = page["ranges"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|range| range["holds"] == "parities" && number(range, "offset") < main)
            .map(|range| number(range, "bytes"))
            .sum();
        assert_eq!(in_main_found, in_main, "{chip}");

        // The same for people, on a terminal of 80 columns.
        let text = scratch.succeeds(&arguments);
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        for range in page["ranges"].as_array().unwrap() {
            let (offset, bytes) = (number(range, "offset"), number(range, "bytes"));
            let row = [offset, offset + bytes, bytes].map(|number| number.to_string());
            let shown = text
                .lines()
                .any(|line| line.split_whitespace().take(3).eq(&row));
            assert!(shown, "{row:?}: {text}");
        }
        assert_eq!(text.contains("take the place"), in_main > 0, "{text}");
    }
}

#[test]
fn a_part_may_keep_its_own_error_correction() {
    let scratch = Scratch::new();
    let part = ["--chip", "w25n01gv", "--chip-ecc"];
    let drawn = scratch.json(&[&["layout", "--json"], &part[..]].concat());
    let page = &drawn["levels"][0];
    assert_eq!(page["header_packed"], true);
    assert_eq!(page["ecc"], "crc");
    let sums = [
        "sector",
        "marker",
        "header",
        "header_parity",
        "chip_ecc",
        "unused",
    ]
    .map(|holds| page_sum(page, |of| of == holds));
    assert_eq!(sums, [2048, 2, 22, 2, 32, 6]);
    assert_eq!(page_sum(page, |_| true), 2112);
    let text = scratch.succeeds(&[&["layout"], &part[..]].concat());
    for told in [
        "header, packed",
        "the part's own error correction",
        "1 in 512 B by the part",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    let plan = scratch.json(&[&["plan", "--json"], &part[..]].concat());
    assert_eq!(number(&plan["chip_ecc"], "repaired_bits"), 1);
    assert_eq!(number(&plan["levels"][0], "chip_ecc_bytes"), 32);
    assert_eq!(plan["metadata_ecc"], "crc");

    // A disk of it lives.
    scratch.succeeds(&[&["format", "d.nand"], &part[..]].concat());
    let data = random_bytes(8, 1 << 20);
    fs::write(scratch.path("raw"), &data).unwrap();
    scratch.succeeds(&["import", "d.nand", "raw"]);
    scratch.succeeds(&["check", "d.nand"]);
    scratch.succeeds(&["export", "d.nand", "back"]);
    let back = fs::read(scratch.path("back")).unwrap();
    assert!(back[..data.len()] == data);
    let told = scratch.succeeds(&["info", "d.nand", "--chip", "w25n01gv"]);
    assert!(told.contains("its own error correction on"), "{told}");

    for (code, chip, level, says) in [
        (
            2,
            "ssd-tlc",
            "a=crc",
            "ssd-tlc has no error correction of its own",
        ),
        (
            1,
            "w25n01gv",
            "a=bch4",
            "52 spare bytes a page: 24 of the header, 28 of parity",
        ),
        (
            1,
            "w25n02kv",
            "a=bch4",
            "68 spare bytes a page: 40 of the header, 28 of parity",
        ),
    ] {
        for command in [&["format", "e.nand"][..], &["plan"], &["layout"]] {
            let part = ["--chip", chip, "--chip-ecc", "--level", level];
            let line = scratch.refuses(code, &[command, &part].concat());
            assert!(line.contains(says), "{line}");
        }
    }
}

#[test]
fn levels_that_make_no_sense_or_do_not_fit_are_refused_by_every_command_and_leave_no_file() {
    let scratch = Scratch::new();
    for (code, chip, levels, parts) in [
        (
            2,
            "tiny",
            &["a=bch5"][..],
            &[
                "--level a=bch5",
                "\"bch5\"",
                "secded, bch4, bch8",
                "single, mirror=2",
            ][..],
        ),
        (
            2,
            "tiny2",
            &["a=bch4,mirror=4"],
            &["\"mirror=4\"", "mirror=2, mirror=3, parity=2 to parity=8"],
        ),
        (2, "tiny", &["=bch4"], &["\"\" is no name", "NAME=CODE"]),
        (2, "tiny", &["a b=bch4"], &["\"a b\"", "letters, digits"]),
        (2, "tiny", &["a=bch4,bch8"], &["\"bch8\"", "one code"]),
        (
            1,
            "tiny4",
            &["a=crc", "a=bch4"],
            &["two levels have the name a"],
        ),
        (
            1,
            "tiny2",
            &["a=bch4,mirror=3"],
            &["mirror=3 needs 3 dies", "there are 2", "fewer copies"],
        ),
        // The sum that does not work out.
        (
            1,
            "w25n01gv",
            &["a=bch64"],
            &[
                "level a=bch64",
                "260 spare bytes",
                "2 of the marker",
                "34 of the header",
                "224 of parity",
                "has 64",
            ],
        ),
        (1, "tiny", &["a=bch40"], &["level a=bch40", "512 B"]),
    ] {
        let levels = level_options(levels);
        for command in [&["format", "d.nand"][..], &["plan"], &["layout"]] {
            let arguments = [command, &["--chip", chip], &levels].concat();
            let line = scratch.refuses(code, &arguments);
            for part in parts {
                assert!(line.contains(part), "{part}: {line}");
            }
        }
    }
    assert_eq!(scratch.contents(), []);
    let line = scratch.refuses(1, &["layout", "--chip", "mlc"]);
    assert!(line.contains("paired pages"), "{line}");
    let line = scratch.refuses(2, &["layout", "--chip", "tiney"]);
    assert!(line.contains("no chip is called \"tiney\""), "{line}");
}

/// The header of the first unit of a page, wherever its stripe begins; `None` where the page is none of the volume's.
fn header_of(shape: &Shape, block: BlockAddress, row: u16, raw: &[u8]) -> Option<Header> {
    let segment = shape.segment_of(block);
    let column = (0..shape.width()).find(|&column| shape.block(segment, column) == block)?;
    let offset = u32::from(row) * shape.width() + column;
    let stripes = (0..shape.width().min(offset + 1))
        .map(|ahead| shape.location(segment, offset - ahead, 0).0);
    // Anchors are numbered by their pages, whatever the segments are.
    let blocks = u32::from(block.die.0) * shape.blocks_per_die + block.block.0;
    let anchor = (blocks * shape.rows + u32::from(row)) * shape.units();
    stripes
        .chain([anchor])
        .find_map(|place| match shape.layout.read_header(raw, 0, place) {
            HeaderState::Valid(header) => Some(header),
            _ => None,
        })
}

/// All pages of a part, by their blocks.
fn pages_of(geometry: &Geometry) -> impl Iterator<Item = (BlockAddress, u16)> + '_ {
    (0..geometry.dies)
        .flat_map(|die| {
            (0..geometry.blocks_per_die).map(move |block| BlockAddress::new(die, block))
        })
        .flat_map(|block| (0..geometry.pages_per_block).map(move |row| (block, row)))
}

/// Fills a volume with one level, and compares every page that was programmed with what `layout` says of it.
fn compare_media_with_layout(name: &str, level: &str) {
    let scratch = Scratch::new();
    let on = ["--chip", name, "--level", level];
    scratch.succeeds(&[&["format", "d.nand", "--force"], &on[..]].concat());
    // All of it twice, so that pages are groomed as well.
    let data = random_bytes(6, disk_bytes(&scratch, "d.nand"));
    fs::write(scratch.path("raw"), &data).unwrap();
    for _ in 0..2 {
        scratch.succeeds(&["import", "d.nand", "raw"]);
    }
    let drawn = scratch.json(&[&["layout", "--json"], &on[..]].concat());

    let geometry = chip(name).unwrap().geometry;
    let level = [Level::parse(level, Ecc::Bch4).unwrap()];
    let options = FormatOptions {
        levels: &level,
        ..FormatOptions::default()
    };
    let parameters = Parameters::choose(&geometry, &options).unwrap();
    let shape = Shape::new(&geometry, &parameters).unwrap();
    let (mut of_data, mut of_metadata) = (0, 0);
    change_image(&scratch.path("d.nand"), |nand| {
        for (block, row) in pages_of(&geometry) {
            let raw = nand.true_bytes(block.page(row));
            if raw.iter().all(|&byte| byte == 0xFF) {
                continue;
            }
            let header = header_of(&shape, block, row, &raw)
                .unwrap_or_else(|| panic!("{name}: {block:?} {row} has no header"));
            let is_data = header.kind == Kind::Data;
            let page = if is_data {
                &drawn["levels"][0]
            } else {
                &drawn["metadata"]
            };
            for range in page["ranges"].as_array().unwrap() {
                let offset = number(range, "offset") as usize;
                let bytes = &raw[offset..][..number(range, "bytes") as usize];
                let blank = bytes.iter().all(|&byte| byte == 0xFF);
                match range["holds"].as_str().unwrap() {
                    "unused" | "marker" => {
                        assert!(blank, "{name} {level:?}: {header:?}: {range}");
                    }
                    "header" | "header_parity" => assert!(!blank, "{name}: {range}"),
                    // The first sector and its parities: the others may hold nothing.
                    "parities" if range["sector"] == 0 => assert!(!blank, "{name}: {range}"),
                    "sector" if is_data && range["sector"] == 0 => {
                        let at = header.id as usize * bytes.len();
                        assert!(bytes == &data[at..][..bytes.len()], "{name}: {header:?}");
                    }
                    _ => {}
                }
            }
            of_data += u32::from(is_data);
            of_metadata += u32::from(!is_data);
        }
    });
    assert!(
        of_data > 100 && of_metadata > 5,
        "{name}: {of_data}, {of_metadata}"
    );
}

#[test]
fn what_is_on_the_media_lies_where_layout_says_and_the_rest_is_not_programmed() {
    for (name, level) in [
        ("tiny", "a=bch4"),
        ("tiny2", "a=secded,mirror=2"),
        ("tiny-multi", "a=bch8"),
        ("tiny-multi", "a=crc"),
    ] {
        compare_media_with_layout(name, level);
    }
}

#[test]
fn where_parities_take_the_place_of_sectors_the_rest_is_not_programmed_either() {
    for level in ["a=bch24", "a=bch64"] {
        compare_media_with_layout("tiny-multi", level);
    }
}

#[test]
fn demo_ends_with_the_wear_and_the_cost() {
    let scratch = Scratch::new();
    let told = scratch.succeeds(&["demo", "--cuts", "40"]);
    for part in [
        "made-up files",
        "40 times",
        "verified",
        "wear,",
        "write amplification",
        "mount after a cut",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn output_that_nobody_reads_ends_the_program_quietly() {
    let scratch = Scratch::new();
    let mut child = start(&mut command(&scratch.0, &["plan", "--chip", "w25n01gv"]));
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stderr, b"");
}

#[test]
fn what_makes_no_sense_is_refused_with_code_2() {
    let scratch = Scratch::new();
    for (arguments, part) in [
        (&["frmat"][..], "unrecognized subcommand 'frmat'"),
        (&["format", "d.nand"], "--chip"),
        (
            &["format", "d.nand", "--chip", "w25n01"],
            "no chip is called \"w25n01\"; known chips: w25n01gv",
        ),
        (
            &[
                "chip",
                "d.nand",
                "--chip",
                "tiny",
                "--requests",
                "r",
                "--answers",
                "a",
            ],
            "--chip tiny: it is no serial NAND",
        ),
        (
            &["format", "d.nand", "--chip", "tiny", "--capacity", "1.5X"],
            "no size",
        ),
        (
            &["format", "d.nand", "--chip", "tiny", "--bad-blocks", "7/3"],
            "has at most 2",
        ),
        (
            &["plan", "--chip", "nothing"],
            "no chip is called \"nothing\"",
        ),
        (
            &["plan", "--chip", "tiny", "--utilization", "0.99"],
            "the most is",
        ),
        (&["bench"], "WORKLOAD"),
        (&["bench", "unifrom"], "no workload is called \"unifrom\""),
        (
            &["bench", "uniform", "--ram", "lots"],
            "use full, minimum, or bytes such as 16K",
        ),
        (
            &["bench", "uniform", "--utilization", "1.5"],
            "above 0 and at most 1",
        ),
        (
            &["bench", "uniform", "--utilization", "0.99"],
            "choose a utilization up to",
        ),
        (&["serve", "d.nand"], "--socket"),
    ] {
        let line = scratch.refuses(2, arguments);
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn a_chip_that_does_not_exist_is_refused_by_every_command_with_the_names_there_are() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    fs::write(scratch.path("raw"), [1; 512]).unwrap();
    let more: [&[&str]; 5] = [
        &["format", "d.nand", "--force"],
        &["bench", "uniform"],
        &["bench", "ram-table"],
        &["plan"],
        &["demo"],
    ];
    for arguments in OPENERS.iter().chain(&more) {
        let line = scratch.refuses(2, &[arguments, &["--chip", "tiney"][..]].concat());
        assert!(line.contains("no chip is called \"tiney\""), "{line}");
        assert!(line.contains("known chips: w25n01gv, "), "{line}");
    }
}

#[test]
fn a_chip_with_paired_pages_is_refused_with_the_reason() {
    let scratch = Scratch::new();
    for arguments in [
        &["format", "d.nand", "--chip", "mlc"][..],
        &["plan", "--chip", "mlc"],
        &["bench", "uniform", "--chip", "mlc"],
        &["bench", "ram-table", "--chip", "mlc"],
        &["demo", "--chip", "mlc"],
    ] {
        let line = scratch.refuses(1, arguments);
        assert!(line.contains("paired pages"), "{line}");
    }
}

#[test]
fn wishes_that_cannot_be_met_leave_no_file() {
    let scratch = Scratch::new();
    let line = scratch.refuses(
        1,
        &["format", "d.nand", "--chip", "tiny", "--capacity", "100000"],
    );
    assert!(line.contains("100000 sectors asked for, at most"), "{line}");
    let line = scratch.refuses(1, &["format", "d.nand", "--chip", "tiny4", "--width", "3"]);
    assert!(line.contains("do not divide 4 dies"), "{line}");
    let line = scratch.refuses(1, &["format", "d.nand", "--chip", "tiny", "--classes", "9"]);
    assert!(line.contains("9 data classes asked for"), "{line}");
}

#[test]
fn an_image_that_is_there_is_replaced_by_force_only() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    let line = scratch.refuses(1, &["format", "d.nand", "--chip", "tiny"]);
    assert!(line.contains("the file is there already"), "{line}");
    scratch.succeeds(&["format", "d.nand", "--chip", "tiny2", "--force"]);
    assert_eq!(scratch.json(&["info", "d.nand", "--json"])["chip"], "tiny2");
}

/// Commands that open the disk `d.nand`, of which none may do anything with a bad one.
const OPENERS: [&[&str]; 5] = [
    &["info", "d.nand"],
    &["check", "d.nand"],
    &["import", "d.nand", "raw"],
    &["export", "d.nand", "new"],
    &["serve", "d.nand", "--socket", "socket"],
];

/// Every command refuses the disk, with `part` in its line.
fn all_refuse(scratch: &Scratch, part: &str) {
    fs::write(scratch.path("raw"), [1; 512]).unwrap();
    for arguments in OPENERS {
        let line = scratch.refuses(1, arguments);
        assert!(line.contains(part), "{line}");
        assert!(line.contains("d.nand"), "{line}");
        assert!(!scratch.path("new").exists() && !scratch.path("socket").exists());
    }
}

#[test]
fn a_missing_image_is_refused() {
    all_refuse(&Scratch::new(), "there is no such file");
}

#[test]
fn a_truncated_image_is_refused() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    let file = fs::OpenOptions::new()
        .write(true)
        .open(scratch.path("d.nand"))
        .unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length - 1).unwrap();
    all_refuse(&scratch, "cut short");
    file.set_len(100).unwrap();
    all_refuse(&scratch, "cut short");
}

#[test]
fn a_foreign_file_is_refused() {
    let scratch = Scratch::new();
    for content in [&b""[..], b"a letter to nobody", &random_bytes(4, 100_000)] {
        fs::write(scratch.path("d.nand"), content).unwrap();
        all_refuse(&scratch, "not a Cuesta NAND image");
    }
}

#[test]
fn an_image_of_a_newer_format_is_refused() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    let file = fs::OpenOptions::new()
        .write(true)
        .open(scratch.path("d.nand"))
        .unwrap();
    // The version follows the magic in every format.
    file.write_all_at(&99_u32.to_le_bytes(), 16).unwrap();
    all_refuse(&scratch, "format version 99");
}

#[test]
fn an_image_with_a_damaged_header_is_refused() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    let file = fs::OpenOptions::new()
        .write(true)
        .open(scratch.path("d.nand"))
        .unwrap();
    file.write_all_at(&[0x5A; 4], 60).unwrap();
    all_refuse(&scratch, "damaged");
}

#[test]
fn an_image_of_another_chip_or_geometry_is_refused() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    let line = scratch.refuses(1, &["info", "d.nand", "--chip", "tiny2"]);
    assert!(line.contains("of chip tiny, not tiny2"), "{line}");
    // A part called tiny that has half as many blocks.
    let tiny = chip("tiny").unwrap();
    let mut geometry = tiny.geometry;
    geometry.blocks_per_die /= 2;
    let builder = Builder::new(tiny).geometry(geometry);
    make_image(&scratch.path("e.nand"), &builder);
    let line = scratch.refuses(1, &["check", "e.nand", "--chip", "tiny"]);
    assert!(
        line.contains("16 blocks") && line.contains("32 blocks"),
        "{line}"
    );
}

#[test]
fn a_part_without_a_volume_is_told_from_one_with_something_else() {
    let scratch = Scratch::new();
    let builder = Builder::new(chip("tiny").unwrap());
    make_image(&scratch.path("d.nand"), &builder);
    all_refuse(&scratch, "blank");
    for page in 0..16 {
        let place = Place { block: 0, page };
        change_image(&scratch.path("d.nand"), |nand| {
            store(nand, place, random_bytes(u64::from(page), 576));
        });
    }
    all_refuse(&scratch, "data that is no Cuesta volume");
}

#[test]
fn a_volume_of_a_newer_format_is_refused() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    let mut changed = 0;
    change_image(&scratch.path("d.nand"), |nand| {
        let layout = PageLayout::new(nand.geometry(), 512).unwrap();
        let places = (0..32).flat_map(|block| (0..16).map(move |page| Place { block, page }));
        for place in places {
            let address = BlockAddress::new(0, place.block).page(place.page);
            let mut raw = nand.true_bytes(address);
            let seed = Seed {
                volume: 0,
                place: place.block * 16 + u32::from(place.page),
            };
            let header = layout.read_header(&raw, 0, seed.place);
            // The first page of a checkpoint begins with the mark; the version follows it.
            if let (HeaderState::Valid(header), b"CUESTA") = (header, &raw[..6]) {
                raw[8..10].copy_from_slice(&9_u16.to_le_bytes());
                layout.encode(&mut raw, &[header], seed);
                store(nand, place, raw);
                changed += 1;
            }
        }
    });
    assert!(changed > 0);
    all_refuse(&scratch, "format version 9, this program reads version 3");
}

#[test]
fn a_budget_below_the_minimum_is_refused_with_the_minimum() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    fs::write(scratch.path("raw"), [1; 512]).unwrap();
    for arguments in [
        &["import", "d.nand", "raw", "--ram", "1K"][..],
        &["export", "d.nand", "new", "--ram", "1K"],
        &["serve", "d.nand", "--socket", "socket", "--ram", "1K"],
        &[
            "bench",
            "uniform",
            "--chip",
            "tiny",
            "--utilization",
            "0.2",
            "--ram",
            "1K",
        ],
        &["bench", "ram-table", "--chip", "tiny", "--ram", "1K"],
        &["plan", "--chip", "tiny", "--ram", "1K"],
        &["demo", "--chip", "tiny", "--ram", "1K"],
    ] {
        let line = scratch.refuses(1, arguments);
        assert!(
            line.contains("1024 bytes of RAM are too few, this part needs at least "),
            "{line}"
        );
    }
}

#[test]
fn a_disk_in_use_is_refused() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    fs::write(scratch.path("raw"), [1; 512]).unwrap();
    let mut server = scratch.serve("d.nand", &[]);
    let mut client = server.connect();
    for arguments in [
        &["info", "d.nand"][..],
        &["check", "d.nand"],
        &["import", "d.nand", "raw"],
        &["export", "d.nand", "new"],
        &["serve", "d.nand", "--socket", "other"],
        &["format", "d.nand", "--chip", "tiny", "--force"],
    ] {
        let line = scratch.refuses(1, arguments);
        assert!(
            line.contains("another process has the image open"),
            "{line}"
        );
    }
    assert_eq!(client.write(0, &[7; 512]), 0);
    assert_eq!(server.signal("-TERM"), Some(0));
}

#[test]
fn a_socket_path_in_use_is_refused_and_left_alone() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    scratch.format("e.nand");
    let mut server = scratch.serve("d.nand", &[]);
    let line = scratch.refuses(1, &["serve", "e.nand", "--socket", "socket"]);
    assert!(line.contains("another server listens there"), "{line}");
    let mut client = server.connect();
    assert_eq!(client.write(0, &[7; 512]), 0);
    assert_eq!(server.signal("-TERM"), Some(0));

    fs::write(scratch.path("socket"), "a letter").unwrap();
    let line = scratch.refuses(1, &["serve", "e.nand", "--socket", "socket"]);
    assert!(line.contains("a file that is no socket is there"), "{line}");
    fs::remove_file(scratch.path("socket")).unwrap();

    // One that a killed server left behind is replaced.
    drop(UnixListener::bind(scratch.path("socket")).unwrap());
    let mut server = scratch.serve("e.nand", &[]);
    assert_eq!(server.signal("-TERM"), Some(0));
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    let line = scratch.refuses(1, &["serve", "d.nand", "--tcp", "0.0.0.0:0"]);
    assert!(line.contains("other machines could connect"), "{line}");
}

#[test]
fn a_raw_image_that_does_not_fit_is_refused() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    let size = disk_bytes(&scratch, "d.nand");
    fs::write(scratch.path("raw"), vec![1; size + 1]).unwrap();
    let line = scratch.refuses(1, &["import", "d.nand", "raw"]);
    assert!(
        line.contains(&format!("do not fit the disk of {size} bytes")),
        "{line}"
    );
    let line = scratch.refuses(1, &["import", "d.nand", "nothing"]);
    assert!(line.contains("nothing"), "{line}");
}

#[test]
fn an_export_does_not_replace_a_file_unasked() {
    let scratch = Scratch::new();
    scratch.format("d.nand");
    fs::write(scratch.path("raw"), "a letter").unwrap();
    let line = scratch.refuses(1, &["export", "d.nand", "raw"]);
    assert!(line.contains("the file is there already"), "{line}");
}
