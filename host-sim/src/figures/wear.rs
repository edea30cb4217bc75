//! Erases of every block, as shades.

use std::fmt::Write;

use super::Sample;
use crate::plot::Svg;

/// Cells of a row.
const COLUMNS: usize = 64;
/// Cells at most: on larger parts a cell stands for several blocks, the one erased most of them.
const CELLS_MAX: usize = 4096;
/// Pixels of a cell.
const CELL: f64 = 13.0;
/// Shades, from least to most worn.
const SHADES: u32 = 16;
/// Share of the cells that are within the scale: few blocks, those of the anchors, may be erased more often.
const SCALE_SHARE: f64 = 0.98;
/// Ends of the scale: red, green, blue.
const LIGHT: [f64; 3] = [236.0, 244.0, 251.0];
const DARK: [f64; 3] = [8.0, 48.0, 107.0];
/// Where the cells begin.
const LEFT: f64 = 80.0;
const TOP: f64 = 60.0;

pub fn draw(samples: &[Sample]) -> Option<String> {
    let sample = samples
        .iter()
        .find(|sample| !sample.erase_counts.is_empty())?;
    let each = sample.erase_counts.len().div_ceil(CELLS_MAX);
    let cells: Vec<u32> = sample
        .erase_counts
        .chunks(each)
        .map(|blocks| blocks.iter().copied().max().unwrap_or(0))
        .collect();
    let mut sorted = cells.clone();
    sorted.sort_unstable();
    let least = *sorted.first()?;
    let rank = (sorted.len() as f64 * SCALE_SHARE) as usize;
    let most = *sorted.get(rank).or(sorted.last())?;
    let rows = cells.len().div_ceil(COLUMNS);
    let bottom = TOP + CELL * rows as f64;
    let mut svg = Svg::new(960.0, bottom + 90.0);
    svg.title(
        LEFT,
        &format!(
            "Erases of each block after \u{201c}{}\u{201d} at {:.2} ({})",
            sample.workload, sample.utilization, sample.chip
        ),
    );
    let shade = |erases: u32| {
        let share = f64::from(erases.min(most) - least) / f64::from((most - least).max(1));
        (share * f64::from(SHADES - 1)).round() as u32
    };
    for number in 0..SHADES {
        let mut path = String::new();
        for (cell, _) in cells
            .iter()
            .enumerate()
            .filter(|&(_, &erases)| shade(erases) == number)
        {
            let x = LEFT + CELL * (cell % COLUMNS) as f64;
            let y = TOP + CELL * (cell / COLUMNS) as f64;
            // Writing to a string does not fail.
            let _ = write!(path, "M{x} {y}h12v12h-12z");
        }
        let color = color(number);
        if !path.is_empty() {
            svg.put(format_args!("<path d=\"{path}\" fill=\"{color}\"/>"));
        }
        let x = LEFT + 24.0 * f64::from(number);
        let y = bottom + 20.0;
        svg.put(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"24\" height=\"14\" fill=\"{color}\"/>"
        ));
    }
    for row in (0..rows).step_by(4) {
        let y = TOP + CELL * row as f64 + 11.0;
        svg.text(LEFT - 8.0, y, "end", &(row * COLUMNS * each).to_string());
    }
    svg.upright(20.0, (TOP + bottom) / 2.0, "number of the block");
    let y = bottom + 54.0;
    svg.text(LEFT, y, "start", &least.to_string());
    let right = LEFT + 24.0 * f64::from(SHADES);
    svg.text(right, y, "end", &format!("{most} or more"));
    svg.text((LEFT + right) / 2.0, y, "middle", "erases");
    Some(svg.finish())
}

fn color(shade: u32) -> String {
    let share = f64::from(shade) / f64::from(SHADES - 1);
    let part = |number: usize| LIGHT[number] + share * (DARK[number] - LIGHT[number]);
    format!("rgb({:.0},{:.0},{:.0})", part(0), part(1), part(2))
}
