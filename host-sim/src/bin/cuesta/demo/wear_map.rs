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
/// Share of the characters that are within the scale.
const SCALE_SHARE: f64 = 0.98;
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
    let most = scale_end(&cells);
    writeln!(
        out,
        "wear, {} block(s) a character: {} to {} erases, mean {:.1} ± {:.1}; {} is {} or more",
        each,
        wear.min,
        wear.max,
        wear.mean,
        wear.stddev,
        LEVELS[LEVELS.len() - 1],
        most
    )?;
    for line in cells.chunks(LINE) {
        let text: String = line
            .iter()
            .map(|cell| cell.map_or(BAD, |erases| level(erases, most)))
            .collect();
        writeln!(out, "  {text}")?;
    }
    Ok(())
}

/// Where the scale ends: few blocks, those of the anchors, have more erases than that.
fn scale_end(cells: &[Option<u32>]) -> u32 {
    let mut counts: Vec<u32> = cells.iter().flatten().copied().collect();
    counts.sort_unstable();
    let rank = (counts.len() as f64 * SCALE_SHARE) as usize;
    counts.get(rank).copied().unwrap_or(0)
}

/// The character of a count, on a scale from no erase to `most`.
fn level(erases: u32, most: u32) -> char {
    let scaled = u64::from(erases.min(most)) * LEVELS.len() as u64 / (u64::from(most) + 1);
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
        assert_eq!(level(100, 7), '█');
    }

    #[test]
    fn a_few_worn_blocks_do_not_stretch_the_scale() {
        let mut cells: Vec<Option<u32>> = (0..100).map(|n| Some(n % 10)).collect();
        cells.push(Some(5000));
        cells.push(None);
        assert_eq!(scale_end(&cells), 9);
        assert_eq!(scale_end(&[None]), 0);
    }
}
