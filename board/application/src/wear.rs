//! How the erases are spread over the part.

use core::fmt::Write;

use cuesta::door::Disk;
use cuesta::hal::Nand;
use cuesta::volume::Outlook;

use crate::session::Failure;

/// Bars of the histogram.
const BARS: usize = 8;

/// Tells how many erases segments have had, and what is left of the volume's life.
pub(crate) fn tell<'t, N: Nand>(
    disk: &mut Disk<'_, N>,
    out: &mut dyn Write,
) -> Result<(), Failure<'t>> {
    let volume = disk.volume();
    let info = volume.info();
    let (min, max) = (info.wear_min, info.wear_max);
    // Erases of a bar: as few as make all bars reach the most.
    let width = (max - min) / BARS as u32 + 1;
    let mut bars = [0_u32; BARS];
    for segment in (0..info.segments).filter_map(|index| volume.segment_info(index)) {
        // What is in no use, such as a retired segment, may lie outside.
        let Some(above) = segment.erases.checked_sub(min) else {
            continue;
        };
        if let Some(bar) = bars.get_mut((above / width) as usize) {
            *bar += 1;
        }
    }
    for (from, segments) in (min..).step_by(width as usize).zip(bars) {
        if from <= max {
            writeln!(
                out,
                "{from} to {} erases: {segments} segments",
                from + width - 1
            )?;
        }
    }
    let life = &info.life;
    writeln!(
        out,
        "{} % of {} rated erases left, {} of {} blocks may still fail, {}",
        life.erases_left_percent(),
        life.endurance,
        life.spare_blocks,
        life.bad_blocks_max,
        match life.outlook() {
            Outlook::Good => "nothing to be done",
            Outlook::EndsSoon => "the end is near: replace the part",
            Outlook::Over => "read-only",
        }
    )?;
    Ok(())
}
