//! How fast the disk is on this board, by the board's clock.

use core::fmt::Write;

use cuesta::door::Disk;
use cuesta::hal::Nand;
use cuesta::volume::Sector;

use crate::board::Board;
use crate::mark;
use crate::room::SECTOR_BYTES;
use crate::session::Failure;

/// One pass over sectors.
struct Pass {
    name: &'static str,
    writes: bool,
    in_order: bool,
}

const PASSES: [Pass; 4] = [
    Pass {
        name: "write in order",
        writes: true,
        in_order: true,
    },
    Pass {
        name: "read in order",
        writes: false,
        in_order: true,
    },
    Pass {
        name: "write at random",
        writes: true,
        in_order: false,
    },
    Pass {
        name: "read at random",
        writes: false,
        in_order: false,
    },
];

/// What the requests of a pass took.
#[derive(Default)]
struct Times {
    sum_us: u64,
    max_us: u32,
}

impl Times {
    fn add(&mut self, us: u32) {
        self.sum_us += u64::from(us);
        self.max_us = self.max_us.max(us);
    }
}

/// Writes and reads the first `count` sectors, in order and at random, and tells how long that took; what is in them is lost. Making up contents is
/// not counted.
pub(crate) fn run<'t, N: Nand>(
    disk: &mut Disk<'_, N>,
    board: &mut dyn Board,
    count: u32,
    out: &mut dyn Write,
) -> Result<(), Failure<'t>> {
    let mut bytes = [0; SECTOR_BYTES];
    for pass in &PASSES {
        let mut times = Times::default();
        for index in 0..count {
            let sector = match pass.in_order {
                true => index,
                false => mark::random(index) % count,
            };
            if pass.writes {
                mark::fill(&mut bytes, sector, index);
            }
            let began = board.now_us();
            match pass.writes {
                true => disk.write(Sector(sector), &bytes)?,
                false => {
                    disk.read(Sector(sector), &mut bytes)?;
                }
            }
            times.add(board.now_us().wrapping_sub(began));
        }
        let Times { sum_us, max_us } = times;
        let moved = u64::from(count) * SECTOR_BYTES as u64;
        writeln!(
            out,
            "{}: {count} sectors in {sum_us} us, {} kB/s, {} us each, {max_us} us at most",
            pass.name,
            moved * 1000 / sum_us.max(1),
            sum_us / u64::from(count.max(1)),
        )?;
    }
    Ok(())
}
