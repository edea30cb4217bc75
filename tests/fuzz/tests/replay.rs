//! What the fuzz targets must stand: the committed corpus, and what becomes of it when bytes are changed as a seed says.

use std::path::{Path, PathBuf};

use cuesta_fuzz::{replay, Target, TARGETS};
use cuesta_sim::SplitMix64;

/// Changes of an input at most.
const CHANGES_MAX: u64 = 6;

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name)
}

#[test]
fn the_corpus_passes() {
    for (name, target) in TARGETS {
        let inputs = replay::folder(target, &corpus(name)).expect("a corpus");
        assert!(inputs > 0, "{name}");
    }
}

/// Runs a target on so many changed inputs of its corpus. What fails is printed before.
fn changed(name: &str, target: Target, count: u64) {
    let inputs = replay::inputs(&corpus(name)).expect("a corpus");
    for seed in 0..count {
        let mut random = SplitMix64::new(seed);
        let (path, mut data) = inputs[random.below(inputs.len() as u64) as usize].clone();
        for _ in 0..1 + random.below(CHANGES_MAX) {
            change(&mut random, &mut data);
        }
        println!("{}, seed {seed}: {data:02x?}", path.display());
        target(&data);
    }
}

fn change(random: &mut SplitMix64, data: &mut Vec<u8>) {
    if data.is_empty() {
        return;
    }
    let at = random.below(data.len() as u64) as usize;
    match random.below(6) {
        0 => data[at] = random.below(40) as u8,
        1 => data[at] = 0xFF,
        2 => data[at] = random.next() as u8,
        3 => data[at] ^= 1 << random.below(8),
        4 => data.insert(at, random.next() as u8),
        _ => {
            data.remove(at);
        }
    }
}

#[test]
fn changed_pages_and_geometries_are_decoded_or_refused() {
    changed("decoders", cuesta_fuzz::decoders, 3000);
}

#[test]
fn changed_edits_leave_a_disk_or_an_error() {
    changed("mount", cuesta_fuzz::mount, 400);
}

#[test]
fn changed_clients_are_answered_or_dropped() {
    changed("nbd", cuesta_fuzz::nbd, 1000);
}

#[test]
fn changed_servers_are_understood_or_left() {
    changed("replies", cuesta_fuzz::replies, 20_000);
}

#[test]
fn changed_text_is_a_level_or_none() {
    changed("levels", cuesta_fuzz::levels, 10_000);
}
