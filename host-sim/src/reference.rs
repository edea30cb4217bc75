//! Bare log-structured placement over a workload's requests: what a scheme of placement costs by itself.
//!
//! The same requests as the engine's, on as many segments, but nothing else: which slots are valid is known exactly, nothing is programmed for
//! map or journal, no write has to end in time. What the engine programs beyond this is what it pays for being a real one.

mod log;
mod placement;
pub mod replacement;
mod scheme;
#[cfg(test)]
mod tests;
mod victims;

pub use scheme::{Scheme, UnknownScheme};
pub use victims::Victims;

use crate::workload::{Measured, Pattern, Request, Requests, Script};
use log::Log;

/// What a bare log lies on, and how it is cleaned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ground {
    /// Segments of the part.
    pub segments: u32,
    /// Sectors that a segment holds.
    pub slots: u32,
    /// Segments that are never written to: what an engine needs for itself.
    pub reserved: u32,
    /// Free segments below which segments are cleaned.
    pub free_min: u32,
    /// Which are.
    pub victims: Victims,
}

impl Ground {
    /// Free segments kept where nothing else is asked for: the scheme with the most streams opens about as many while it cleans.
    pub const FREE_MIN: u32 = 8;

    /// All segments of a part, cleaned by cost and benefit.
    #[must_use]
    pub const fn whole(segments: u32, slots: u32) -> Self {
        Self {
            segments,
            slots,
            reserved: 0,
            free_min: Self::FREE_MIN,
            victims: Victims::CostBenefit,
        }
    }
}

/// Slots written for each sector that the host writes in the measured phase of a script.
///
/// `None` where nothing is written then, or where the sectors do not fit.
#[must_use]
pub fn write_amplification(script: &Script, ground: &Ground, scheme: Scheme) -> Option<f64> {
    let Measured::Writes { stream, count, .. } = script.measured else {
        return None;
    };
    let mut log = Log::new(ground, script.sectors, scheme);
    let mut requests = Pattern::Sequential.with(0).over(script.sectors);
    if script.filled {
        play(&mut log, &mut requests, u64::from(script.sectors))?;
    }
    for phase in &script.before {
        requests = phase.stream.over(script.sectors);
        play(&mut log, &mut requests, phase.count)?;
    }
    if let Some(stream) = stream {
        requests = stream.over(script.sectors);
    }
    let before = log.written();
    play(&mut log, &mut requests, count)?;
    let written = log.written().since(&before);
    (written.host > 0).then(|| (written.host + written.moved) as f64 / written.host as f64)
}

/// Plays so many requests; `None` when the log is full.
fn play(log: &mut Log, requests: &mut Requests, count: u64) -> Option<()> {
    for _ in 0..count {
        match requests.next_request() {
            Request::Write(sector) => log.write(sector)?,
            Request::Trim(sector) => log.trim(sector),
        }
    }
    Some(())
}
