//! qemu-io: patterns written, read, discarded and flushed at any multiple of 512 bytes.

use std::ops::Range;
use std::process::Command;

use cuesta_sim::SplitMix64;

use cuesta_tests::program::{Scratch, Serving};
use cuesta_tests::tools;

/// Least unit of a request.
const BLOCK_BYTES: usize = 512;
/// Blocks of a sector: what a trim forgets.
const SECTOR_BLOCKS: usize = 4;
/// The part of the disk that is played on.
const BLOCKS: usize = 4096;
/// Longest request.
const REQUEST_BLOCKS_MAX: u64 = 40;
const REQUESTS: usize = 600;

/// The byte that each block is full of, and the commands that made it so.
struct Patterns {
    blocks: Vec<u8>,
    commands: Vec<String>,
    reads: usize,
}

impl Patterns {
    fn new() -> Self {
        Self {
            blocks: vec![0; BLOCKS],
            commands: Vec::new(),
            reads: 0,
        }
    }

    fn ask(&mut self, verb: &str, range: &Range<usize>) {
        let (offset, len) = (range.start * BLOCK_BYTES, range.len() * BLOCK_BYTES);
        self.commands.push(format!("{verb} {offset} {len}"));
    }

    fn write(&mut self, verb: &str, range: Range<usize>, pattern: u8) {
        self.ask(&format!("{verb} -P {pattern}"), &range);
        self.blocks[range].fill(pattern);
    }

    fn zero(&mut self, verb: &str, range: Range<usize>) {
        self.ask(verb, &range);
        self.blocks[range].fill(0);
    }

    /// Whole sectors become zeros; the rest stays as it is.
    fn discard(&mut self, range: Range<usize>) {
        self.ask("discard", &range);
        let first = range.start.next_multiple_of(SECTOR_BLOCKS);
        let end = range.end / SECTOR_BLOCKS * SECTOR_BLOCKS;
        if first < end {
            self.blocks[first..end].fill(0);
        }
    }

    /// Reads from `from` as far as the pattern is the same; gives the end.
    fn read(&mut self, from: usize, blocks_max: usize) -> usize {
        let pattern = self.blocks[from];
        let rest = &self.blocks[from..BLOCKS.min(from + blocks_max)];
        let same = rest.iter().take_while(|&&block| block == pattern).count();
        self.ask(&format!("read -P {pattern}"), &(from..from + same));
        self.reads += 1;
        from + same
    }

    fn read_all(&mut self) {
        let mut at = 0;
        while at < BLOCKS {
            at = self.read(at, BLOCKS);
        }
    }

    fn play(&mut self, seed: u64) {
        let mut random = SplitMix64::new(seed);
        for number in 0..REQUESTS {
            let start = random.below(BLOCKS as u64) as usize;
            let len = 1 + random.below(REQUEST_BLOCKS_MAX) as usize;
            let range = start..BLOCKS.min(start + len);
            let pattern = 1 + (number % 255) as u8;
            match random.below(16) {
                0..=4 => self.write("write", range, pattern),
                5 => self.write("write -f", range, pattern),
                6 => {
                    // Answered in any order, before what follows.
                    self.write("aio_write", range, pattern);
                    self.commands.push("aio_flush".to_owned());
                }
                7 => self.zero("write -z", range),
                8 => self.zero("write -z -u", range),
                9 | 10 => self.discard(range),
                11 => self.commands.push("flush".to_owned()),
                _ => {
                    self.read(start, len);
                }
            }
        }
        self.read_all();
    }

    /// Has qemu-io do it all.
    fn run(&mut self, serving: &Serving<'_>) {
        let mut qemu_io: Command = tools::command(serving.scratch().directory(), "qemu-io");
        qemu_io.args(["-f", "raw", "-d", "unmap"]);
        for command in self.commands.drain(..) {
            qemu_io.args(["-c", &command]);
        }
        let told = tools::succeeds(qemu_io.arg(serving.uri()));
        assert!(!told.contains("failed"), "{told}");
        let reads = told
            .lines()
            .filter(|line| line.starts_with("read "))
            .count();
        assert_eq!(reads, self.reads, "{told}");
        self.reads = 0;
    }
}

#[test]
fn qemu_io_finds_its_patterns_at_any_multiple_of_512_bytes() {
    let test = "qemu_io_finds_its_patterns_at_any_multiple_of_512_bytes";
    if tools::are_missing(test, &["qemu-io"]) {
        return;
    }
    for ram in ["full", "minimum"] {
        let scratch = Scratch::with_disk();
        let mut patterns = Patterns::new();
        for seed in 1..=4 {
            let serving = scratch.serve(&["--ram", ram]);
            patterns.play(seed);
            patterns.run(&serving);
            let served = serving.stop();
            for kind in ["reads", "writes", "flushes", "trims", "zeroes"] {
                assert!(served.count(kind) > 10, "{served:?}");
            }
            assert_eq!(served.count("errors"), 0);
            scratch.check();

            let serving = scratch.serve(&[]);
            patterns.read_all();
            patterns.run(&serving);
            serving.stop();
        }
    }
}

#[test]
fn qemu_io_finds_its_patterns_after_a_flush_and_a_kill() {
    let test = "qemu_io_finds_its_patterns_after_a_flush_and_a_kill";
    if tools::are_missing(test, &["qemu-io"]) {
        return;
    }
    let scratch = Scratch::with_disk();
    let mut patterns = Patterns::new();
    for seed in 1..=10 {
        let ram = if u64::is_multiple_of(seed, 2) {
            "minimum"
        } else {
            "full"
        };
        let serving = scratch.serve(&["--ram", ram]);
        patterns.play(seed);
        // Trims among it, which are in memory until they are flushed.
        patterns.discard(0..BLOCKS / 8);
        patterns.commands.push("flush".to_owned());
        patterns.run(&serving);
        serving.kill();

        let told = scratch.check();
        assert!(told.contains("the last session ended by a cut"), "{told}");
        let serving = scratch.serve(&["--ram", ram]);
        patterns.read_all();
        patterns.run(&serving);
        serving.stop();
        scratch.check();
    }
}
