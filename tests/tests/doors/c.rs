//! The door for C: the library, built; a program in C, which drives it on a part of its own; and what it has left there.

use std::env;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use cuesta_hal::{Geometry, MarkerPages, Nand, Pairing};
use cuesta_sim::campaign::damage::overwrite_block;
use cuesta_sim::campaign::rig::Rig;
use cuesta_tests::program::Scratch;
use cuesta_tests::tools;

use crate::requests::{Request, State};
use crate::{within, BUDGET, CHIP};

const BOARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../board");

fn succeeds(command: &mut Command) {
    let output = command.output().expect("a program");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        tools::told(&output)
    );
}

/// The program, built once.
fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // TARGET/PROFILE/deps/THIS
        let this = env::current_exe().expect("a program");
        let target = this.ancestors().nth(3).expect("a target directory");
        let target = target.join("c-abi");
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        succeeds(
            Command::new(cargo)
                .args(["build", "--quiet", "--locked", "-p", "cuesta-c"])
                .arg("--target-dir")
                .arg(&target)
                .current_dir(BOARD),
        );
        let example = Path::new(BOARD).join("c-abi/example");
        let program = target.join("trace");
        succeeds(
            Command::new("gcc")
                .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-g"])
                .args(["-fsanitize=undefined", "-fno-sanitize-recover"])
                .args([example.join("trace.c"), example.join("ram_nand.c")])
                .arg(target.join("debug/libcuesta_c.a"))
                .arg("-o")
                .arg(&program),
        );
        program
    })
}

/// The fields of `cuesta_geometry`.
fn fields(geometry: &Geometry) -> [u32; 16] {
    let marker = geometry.bad_block_marker;
    [
        geometry.dies.into(),
        geometry.blocks_per_die,
        geometry.pages_per_block.into(),
        geometry.page_bytes,
        geometry.spare_bytes.into(),
        geometry.buffers_per_die.into(),
        geometry.partial_programs_max.into(),
        geometry.bad_blocks_max_per_die,
        geometry.endurance_cycles,
        geometry.reads_per_block_max,
        match marker.pages {
            MarkerPages::First => 0,
            MarkerPages::FirstOrSecond => 1,
            MarkerPages::FirstOrLast => 2,
        },
        marker.spare_offset.into(),
        marker.len.into(),
        geometry.ecc_need.bits.into(),
        geometry.ecc_need.per_bytes.into(),
        match geometry.pairing {
            Pairing::None => 0,
            Pairing::Distance(distance) => distance.into(),
        },
    ]
}

fn lines(trace: &[Request]) -> String {
    let mut lines = String::new();
    for request in trace {
        let written = match request {
            Request::Write(sector, byte) => writeln!(lines, "write {sector} {byte}"),
            Request::Trim(first, count) => writeln!(lines, "trim {first} {count}"),
            Request::Flush => writeln!(lines, "flush"),
            Request::Batch(first, count, byte) => writeln!(lines, "batch {first} {count} {byte}"),
            Request::Idle => writeln!(lines, "idle"),
            Request::Cut => writeln!(lines, "cut"),
            Request::Remount => writeln!(lines, "remount"),
        };
        written.expect("a string");
    }
    lines
}

/// Runs a trace in C. What the program reads in the end, and what a volume on the same bytes holds, are the same.
pub fn run(trace: &[Request]) -> State {
    let mut rig = Rig::of(CHIP, 1, BUDGET);
    let geometry = *rig.nand.geometry();
    let scratch = Scratch::empty();
    let media = scratch.path("media");
    let mut child = Command::new(program())
        .arg(&media)
        .args(fields(&geometry).map(|field| field.to_string()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut input = child.stdin.take().expect("its input");
    // It reads everything before it tells anything; should it end before, its own words are better than ours.
    let _ = input.write_all(lines(trace).as_bytes());
    drop(input);
    let output = child.wait_with_output().expect("the program");
    assert!(output.status.success(), "{}", tools::told(&output));
    let text = String::from_utf8(output.stdout).expect("text");
    let told: State = text
        .lines()
        .map(|line| line.split_once(' ').and_then(|(_, byte)| byte.parse().ok()))
        .collect();

    let bytes = std::fs::read(media).expect("the media");
    let page_bytes = geometry.raw_page_bytes() as usize;
    let block_bytes = page_bytes * usize::from(geometry.pages_per_block);
    for (block, pages) in (0..).zip(bytes.chunks(block_bytes)) {
        overwrite_block(&mut rig.nand, block, |page, into| {
            into.copy_from_slice(&pages[usize::from(page) * page_bytes..][..page_bytes]);
        });
    }
    assert_eq!(within::state(&mut rig), told);
    told
}
