//! `cuesta bench policy`: what it costs to ask 32 typical rules.

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use cuesta::policy::{Facts, Flags, Lifetime, Operation, PolicyTable, StorageLevels};
use cuesta_sim::policy_file;
use serde_json::json;

use crate::failure::Failure;
use crate::table::Table;

/// Times that every request is asked about.
const ROUNDS: u32 = 1_000_000;

/// What a workstation, a database and a build might want.
const RULES: &str = r#"
level vital = write-through verify
level scratch = ephemeral revert
level fast = write-back
level around = bypass
rule path "/tmp/**" | dir "/var/tmp" -> scratch
rule name "pagefile.sys" | name "swapfile" -> scratch
rule ext "tmp" & app "cc*" -> scratch
rule ext "o" & app "ld*" -> scratch
rule path "/home/*/.cache/**" -> scratch
rule path "/var/cache/**" & !flag sync -> scratch
rule path "/build/**/target/**" -> scratch
rule name "*.swp" & app "vim" -> scratch
rule name "~*" | name "*.bak" -> fast
rule flag temporary & flag delete-on-close -> scratch
rule lifetime short & size ..64K -> fast
rule path "/srv/db/wal/**" -> vital
rule app "postgres" & ext "wal" -> vital
rule app "mysqld" & name "ib_logfile?" -> vital
rule app "postgres" & size 8K & op write -> fast
rule app "mysqld" & size 16K.. & op write -> fast
rule path "/etc/**" -> vital
rule path "/boot/**" -> vital
rule ext "journal" | name "*-journal" -> vital
rule volume "backup*" -> around
rule app "tar" & size 512K.. -> around
rule app "rsync" & flag sequential -> around
rule flag direct -> around
rule ext "iso" | ext "mkv" | ext "mp4" -> around
rule size 1M.. & op read & flag sequential -> around
rule profile "read-once" -> around
rule profile "rewritten*" -> fast
rule tenant 7 & priority 4.. -> fast
rule tenant 9 -> vital
rule sector 0..2047 & op write -> vital
rule app "systemd-journal" -> fast
rule lifetime extreme -> around
default -> write-through
"#;

/// What makes the facts of a request.
type Make = fn() -> Facts<'static>;

/// Requests as they come: most of them match nothing, or a rule far down.
const REQUESTS: [(&str, Make); 8] = [
    ("nothing known", Facts::new),
    ("a disk's request", write),
    ("no rule", || {
        of("/home/ann/letters/2024/may.odt", "soffice.bin")
    }),
    ("a compiler's file", || {
        of("/home/ann/src/x/main.tmp", "cc1plus")
    }),
    ("a temporary file", || {
        of("/tmp/session/socket-1", "firefox")
    }),
    ("a database's page", || {
        of("/srv/db/base/16384/2619", "postgres").size(8192)
    }),
    ("a film", || {
        of("/home/ann/films/a.mkv", "mpv").flags(Flags::SEQUENTIAL)
    }),
    ("a hint, the last rule", || {
        of("/srv/archive/2019/box", "store").lifetime(Lifetime::Extreme)
    }),
];

fn write() -> Facts<'static> {
    Facts::new()
        .tenant(1)
        .operation(Operation::Write)
        .sectors(500_000, 2)
        .size(4096)
        .offset(1 << 20)
}

fn of(path: &'static str, app: &'static str) -> Facts<'static> {
    write().path(black_box(path)).application(black_box(app))
}

/// Calls that can be found by whoever counts instructions: what is done once for a source,
#[inline(never)]
fn prepare(make: Make) -> Facts<'static> {
    make()
}

/// and what is done for a request.
#[inline(never)]
fn ask(policy: &PolicyTable<Vec<u8>>, facts: &Facts<'_>) -> u8 {
    policy.evaluate(facts).1 .0
}

fn ns_of_each(mut call: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..ROUNDS {
        call();
    }
    start.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
}

/// Nanoseconds on this machine. Instructions: `perf stat -e instructions:u cuesta bench policy`, or callgrind, of `ask` and `prepare`.
pub fn run(as_json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let policy = policy_file::from_text(RULES, StorageLevels::UNKNOWN)
        .map_err(|error| Failure::new(error.to_string()))?;
    let mut table = Table::new(["request", "level", "rule", "ns to prepare", "ns"]);
    for (name, make) in REQUESTS {
        let facts = make();
        let ns_to_prepare = ns_of_each(|| {
            black_box(prepare(black_box(make)));
        });
        let ns = ns_of_each(|| {
            black_box(ask(black_box(&policy), black_box(&facts)));
        });
        let (rule, level) = policy.evaluate(&facts);
        let level = policy.level(level).map_or("?", |level| level.name);
        let rule = rule.map_or(0, |rule| rule.0 + 1);
        if as_json {
            let object = json!({
                "bench": "policy", "request": name, "level": level, "rule": rule,
                "ns_to_prepare": ns_to_prepare, "ns": ns,
                "rules": policy.rules_len(), "bytes": policy.bytes().len(), "rounds": ROUNDS,
            });
            writeln!(out, "{object}")?;
        } else {
            table.row(vec![
                name.to_owned(),
                level.to_owned(),
                rule.to_string(),
                format!("{ns_to_prepare:.1}"),
                format!("{ns:.1}"),
            ]);
        }
    }
    if !as_json {
        table.print(out)?;
        let (rules, bytes) = (policy.rules_len(), policy.bytes().len());
        writeln!(out, "{rules} rules, {bytes} bytes; {ROUNDS} times each")?;
    }
    Ok(())
}
