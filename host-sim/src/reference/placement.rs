//! What a scheme of placement is told, and what it answers.

mod dac;
mod life_estimate;
mod lifetime;
mod probation;
mod single;

use super::Scheme;

/// When something happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Host writes so far.
    pub now: u64,
    /// Sectors that are mapped.
    pub mapped: u32,
}

/// A version of a sector, as it is given up or relocated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version {
    /// The stream of its segment.
    pub stream: u8,
    /// When its segment was opened.
    pub opened: u64,
    /// Its segment still is.
    pub open: bool,
    /// When the host wrote it.
    pub birth: u64,
}

/// A scheme at work.
pub(super) trait Placement {
    /// How many streams it has.
    fn streams(&self) -> u8;

    /// The stream of a host write; `None` as version when there was none.
    fn write(&mut self, at: Moment, old: Option<Version>) -> u8;

    /// The stream of a sector that is relocated.
    fn relocate(&mut self, at: Moment, version: Version) -> u8;

    /// A segment of a stream, opened at some time, is going to be cleaned.
    fn clean(&mut self, _at: Moment, _stream: u8, _opened: u64) {}
}

/// The placement of a scheme on a part of so many segments.
pub(super) fn placement(scheme: Scheme, segments: u32) -> Box<dyn Placement> {
    match scheme {
        Scheme::Single => Box::new(single::Single),
        Scheme::Dac => Box::new(dac::Dac),
        Scheme::Lifetime => Box::new(lifetime::Lifetime::new()),
        Scheme::Probation => Box::new(probation::Probation::new()),
        Scheme::LifeEstimate => Box::new(life_estimate::LifeEstimate::new(segments)),
    }
}
