//! `cuesta trace replay`.

use std::fmt::Write;
use std::fs;

use cuesta_sim::SplitMix64;
use cuesta_tests::program::Scratch;

/// A compiler beside a database: whatever the first writes is thrown away.
fn trace() -> String {
    let mut random = SplitMix64::new(92);
    let mut text = "time,op,offset,length,app,path\n".to_owned();
    for time in 0..4000 {
        let (app, path, base) = match time % 2 {
            0 => ("cc1", "/tmp/a.s", 0),
            _ => ("postgres", "/data/base", 8 << 20),
        };
        let op = if random.below(3) == 0 {
            "read"
        } else {
            "write"
        };
        let offset = base + random.below(400) * 2048;
        writeln!(text, "{time}.5,{op},{offset},2048,{app},{path}").unwrap();
    }
    text
}

/// The cells of the row that begins so.
fn row<'t>(table: &'t str, name: &str) -> Vec<&'t str> {
    let begin = format!("| {name} |");
    let line = table.lines().find(|line| line.starts_with(&begin)).unwrap();
    line.split('|').map(str::trim).collect()
}

#[test]
fn m4_m92_a_replayed_trace_costs_the_primary_its_permanent_writes_each_time() {
    let scratch = Scratch::empty();
    fs::write(scratch.path("trace.csv"), trace()).unwrap();
    fs::write(
        scratch.path("rules"),
        "rule app \"cc*\" & path \"/tmp/**\" -> ephemeral",
    )
    .unwrap();
    let arguments = ["trace", "replay", "trace.csv", "--cache", "4M"];
    let with_rules = [&arguments[..], &["--policy", "rules"]].concat();
    let table = scratch.cuesta_succeeds(&with_rules);
    let (ephemeral, kept) = (row(&table, "ephemeral"), row(&table, "write-through"));
    assert_eq!((ephemeral[2], ephemeral[6]), ("2000", "0"), "{table}");
    // Requests, sectors written, and sectors that came to the primary.
    assert_eq!((kept[2], kept[5]), ("2000", kept[6]), "{table}");
    assert_eq!(row(&table, "all")[6], kept[5]);
    assert_eq!(scratch.cuesta_succeeds(&with_rules), table);

    let table = scratch.cuesta_succeeds(&arguments);
    let all = row(&table, "all");
    assert_eq!(all[5], all[6], "{table}");

    fs::write(
        scratch.path("trace.csv"),
        "time,op,offset,length\n1,write,0\n",
    )
    .unwrap();
    let output = scratch.cuesta(&arguments);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        told.contains("trace.csv: line 2: 3 values under 4 headings"),
        "{told}"
    );
}
