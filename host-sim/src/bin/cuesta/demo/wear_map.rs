//! Where the part is worn: a character for each block.

use std::io::{self, Write};

use cuesta::hal::{BlockAddress, Nand};
use cuesta_sim::EmulatedNand;

/// Characters of a line.
const LINE: usize = 64;
/// Lines at most: on larger parts a character stands for several blocks.
const LINES_MAX: usize = 16;
/// From least to most worn.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// A bad block.
const BAD: char = '×';

pub fn print(nand: &EmulatedNand, out: &mut dyn Write) -> io::Result<()> {
    let geometry = nand.geometry();
    let blocks: Vec<Option<u32>> = (0..geometry.dies)
        .flat_map(|die| {
            (0..geometry.blocks_per_die).map(move |block| BlockAddress::new(die, block))
        })
        .map(|block| (!nand.is_factory_bad(block)).then(|| nand.erase_count(block)))
        .collect();
    let each = blocks.len().div_ceil(LINE * LINES_MAX).max(1);
    let cells: Vec<Option<u32>> = blocks
        .chunks(each)
        .map(|chunk| chunk.iter().flatten().max().copied())
        .collect();
    let wear = nand.wear();
    writeln!(
        out,
        "wear, {} block(s) a character: {} to {} erases, mean {:.1} ± {:.1}",
        each, wear.min, wear.max, wear.mean, wear.stddev
    )?;
    for line in cells.chunks(LINE) {
        let text: String = line
            .iter()
            .map(|cell| cell.map_or(BAD, |erases| level(erases, wear.max)))
            .collect();
        writeln!(out, "  {text}")?;
    }
    Ok(())
}

/// The character of a count, on a scale from no erase to `most`.
fn level(erases: u32, most: u32) -> char {
    let scaled = u64::from(erases) * LEVELS.len() as u64 / (u64::from(most) + 1);
    LEVELS[scaled as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_reaches_from_end_to_end() {
        assert_eq!(level(0, 0), '▁');
        assert_eq!(level(0, 7), '▁');
        assert_eq!(level(7, 7), '█');
        assert_eq!(level(100_000, 100_000), '█');
    }
}
