//! Tells the linker where this image goes, by the microcontroller that was chosen.

use std::{env, fs, path::PathBuf};

/// Features, and the memory of what they stand for.
const MEMORIES: [(&str, &str); 3] = [
    ("CARGO_FEATURE_F405", "memory-f405.x"),
    ("CARGO_FEATURE_F407", "memory-f405.x"),
    ("CARGO_FEATURE_F411", "memory-f411.x"),
];

fn main() {
    let chosen: Vec<_> = MEMORIES
        .iter()
        .filter(|(feature, _)| env::var_os(feature).is_some())
        .collect();
    let [(_, memory)] = chosen[..] else {
        panic!("choose exactly one of the features f405, f407 and f411, the last by default: --no-default-features --features f407");
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::copy(memory, out.join("memory.x")).expect("the memory of the microcontroller is described");
    println!("cargo:rerun-if-changed={memory}");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rustc-link-arg-bins=-Tdefmt.x");
    println!("cargo:rustc-link-arg-bins=--nmagic");
}
