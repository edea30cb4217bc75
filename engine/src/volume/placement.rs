//! Which stream a sector is appended to: an estimate of how long it will live, with no RAM per sector.
//!
//! Class `k` stands for a life of `2L / 2^(1.15·(T−k))` host writes, `T` being the coldest class and `L` the mapped sectors. An overwrite tells how long the
//! last version lived, to the accuracy of its segment's opening time; a relocation tells how long the current one has lived
//! at least, exactly, because headers carry the time of the last host write along.
//!
//! Where there are enough classes the last one is for **probation**: of what hosts write and the estimate takes for cold. What survives a cleaning there has
//! shown that it is. It is used while sectors on probation are overwritten more often than others.

use cuesta_hal::Nand;

use super::address::{Location, Segment};
use super::options::StreamId;
use super::stream::{CLASSES_MAX, JOURNAL, LEVELING};
use super::Volume;

/// Classes from which on one is for probation.
const PROBATION_CLASSES: u8 = 4;
/// Classes of a life between the coldest one and what a sector that is overwritten on probation counts as: lives of a quarter.
const ON_PROBATION: i32 = 2;
/// Where probation is not worth its while, so many of 256 sectors that seem to be cold are put there, to see whether it is.
const PROBE_SHARE: u32 = 64;
/// Sectors that leave probation between two decisions about it.
const PROBATION_SAMPLE: u32 = 1000;
/// A segment that is open for longer than this part of the disk takes to be written may be given up.
const IDLE_SHARE: u32 = 20;
/// Of the whole, what much is: a fourth.
const MUCH: u32 = 4;
/// Factor between lives of two classes, as log₂ in 1/256.
const SPACING: i32 = 294;
/// Host writes after which what is known of the classes is halved, at most.
const RATES_SPAN: u16 = 8192;

/// What is known of the classes of the first level.
#[derive(Debug, Default)]
pub(super) struct Placement {
    /// Sectors appended to each, lately.
    rates: [u16; CLASSES_MAX],
    /// Host writes in that time.
    writes: u16,
    /// Sectors that were overwritten, and those relocated, of late; of these, on probation.
    overwritten: u32,
    relocated: u32,
    overwritten_on_probation: u32,
    relocated_on_probation: u32,
    /// Sectors on probation die sooner than others: all that hosts write and that is not hot is put there.
    strict: bool,
}

impl Placement {
    fn count(&mut self, class: u8) {
        if let Some(rate) = self.rates.get_mut(usize::from(class)) {
            *rate = rate.saturating_add(1);
        }
    }

    /// Lets what is long ago count less, and decides about probation.
    fn review(&mut self, mapped: u32) {
        self.writes += 1;
        if u32::from(self.writes) >= (mapped / 4).min(RATES_SPAN.into()) {
            self.writes /= 2;
            for rate in &mut self.rates {
                *rate /= 2;
            }
        }
        let sample = self.overwritten_on_probation + self.relocated_on_probation;
        if sample < PROBATION_SAMPLE {
            return;
        }
        let all = self.overwritten.saturating_add(self.relocated);
        // Seven tenths as many keep it up, eleven tenths bring it about.
        let needed = if self.strict { 7 } else { 11 };
        self.strict = u64::from(self.overwritten_on_probation) * u64::from(all) * 10
            > u64::from(sample) * u64::from(self.overwritten) * needed;
        for count in [
            &mut self.overwritten,
            &mut self.relocated,
            &mut self.overwritten_on_probation,
            &mut self.relocated_on_probation,
        ] {
            *count /= 2;
        }
    }
}

/// log₂ in 1/256, linear between powers of two.
const fn log2_256(value: u32) -> i32 {
    let value = if value == 0 { 1 } else { value };
    let whole = value.ilog2();
    let fraction = ((value as u64) << (31 - whole) >> 23) as u32 & 0xFF;
    (whole * 256 + fraction) as i32
}

impl<N: Nand> Volume<'_, N> {
    /// Host writes per unit of a segment's open stamp, as a power of two: 32, more on parts whose lives would not fit 15 bits of it.
    pub(super) fn stamp_shift(&self) -> u32 {
        self.shape.capacity.max(1).ilog2().saturating_sub(11).max(5)
    }

    /// The open stamp of a segment opened now.
    pub(super) fn stamp_now(&self) -> u16 {
        (self.host_writes >> self.stamp_shift()) as u16
    }

    /// Stamp units since a segment was opened.
    pub(super) fn age(&self, segment: Segment) -> u16 {
        self.stamp_now().wrapping_sub(self.segments.stamp(segment))
    }

    /// Keeps old stamps from coming round again: looks at one segment per host write.
    pub(super) fn sweep_stamps(&mut self) {
        let segment = Segment(self.host_writes % self.segments.len());
        let data = self.segments.class(segment) != JOURNAL;
        if data && self.age(segment) > 0x8000 {
            let stamp = self.stamp_now().wrapping_sub(0x8000);
            self.segments.set_stamp(segment, stamp);
        }
    }

    /// Closes a segment that nobody appends to any more: looks at one stream per host write.
    pub(super) fn sweep_streams(&mut self) {
        let classes = u32::from(self.parameters.classes);
        let class = (self.host_writes % classes) as u8;
        let Some((segment, _)) = self.append_page(class) else {
            return;
        };
        let idle = u32::from(self.age(segment)) << self.stamp_shift() > self.mapped / IDLE_SHARE;
        if idle && self.filling(0, class) != class && !self.writing_to(segment) {
            self.close(class);
        }
    }

    /// The class of a level for probation, if it has one.
    fn probation(&self, level: u8) -> Option<u8> {
        let classes = self.parameters.classes;
        (level == 0 && classes >= PROBATION_CLASSES).then(|| classes - 1)
    }

    /// The coldest class of a level, as of the first one.
    fn top(&self, level: u8) -> i32 {
        let classes = i32::from(self.parameters.classes);
        classes - 1 - i32::from(self.probation(level).is_some())
    }

    /// The class a life of this many host writes belongs to, in 1/256.
    fn class_of_life(&self, top: i32, writes: u32) -> i32 {
        let span = log2_256(self.mapped.max(64).saturating_mul(2));
        top * 256 - (span - log2_256(writes.saturating_add(1))) * 256 / SPACING
    }

    /// Host writes that sectors of a class live.
    fn life_of_class(&self, top: i32, class: i32) -> u32 {
        let by = ((top - class) * SPACING) as u32;
        let life = self.mapped.max(64).saturating_mul(2) >> (by >> 8);
        // Linear between powers of two.
        life - ((u64::from(life) * u64::from(by & 0xFF)) >> 9) as u32
    }

    /// The class of what is in a segment, as of the first level; none where it is on probation.
    fn source_class(&self, segment: Segment) -> Option<i32> {
        let class = self.segments.class(segment);
        let level = self.segments.level(segment);
        let top = self.top(level);
        if class >= LEVELING {
            return Some(top);
        }
        if self.probation(level) == Some(class) {
            return None;
        }
        Some(i32::from(self.shape.streams.unscaled(level, class)).min(top))
    }

    fn dither(&mut self, top: i32, class_256: i32) -> u8 {
        let dithered = (class_256 + self.random_byte() as i32) >> 8;
        dithered.clamp(0, top) as u8
    }

    /// Class of a host write at a level over a version at `old`.
    pub(super) fn class_for_write(&mut self, level: u8, old: Location) -> u8 {
        let top = self.top(level);
        if !old.is_mapped() {
            return top as u8;
        }
        let segment = self.shape.segment(old);
        let class = self.source_class(segment).unwrap_or(top - ON_PROBATION) * 256;
        let mut age = u32::from(self.age(segment)) << self.stamp_shift();
        if self.segments.state(segment) == super::State::Open {
            age /= 2;
        }
        let life = self.class_of_life(top, age);
        // A third of the way: one short life does not make a sector hot.
        let class = self.dither(top, class + (life - class) * 90 / 256);
        let Some(probation) = self.probation(level) else {
            return class;
        };
        let doubted = match self.placement.strict {
            true => i32::from(class) >= top - ON_PROBATION,
            false => i32::from(class) == top && self.random_byte() < PROBE_SHARE,
        };
        match doubted {
            true => probation,
            false => class,
        }
    }

    /// Class of a host write for which the host has said where it belongs.
    pub(super) fn class_of_hint(&self, level: u8, stream: StreamId) -> u8 {
        stream.0.min(self.top(level) as u8)
    }

    /// Class of a relocation out of `victim` of a sector that a host last wrote at `birth`.
    pub(super) fn class_for_relocation(&mut self, victim: Segment, birth: u32) -> u8 {
        let top = self.top(self.segments.level(victim));
        // What leaves probation goes by its age alone.
        let class = self.source_class(victim).unwrap_or(0);
        let life = self.class_of_life(top, self.host_writes.wrapping_sub(birth));
        if life > class * 256 {
            self.dither(top, life)
        } else {
            class as u8
        }
    }

    /// The class where a sector of a class is appended: a colder one, where those of its own would not fill two segments before they die. Not on several
    /// dies, where open segments are what is written at the same time.
    pub(super) fn filling(&self, level: u8, class: u8) -> u8 {
        let top = self.top(level);
        if self.shape.dies() > 1
            || level != 0
            || i32::from(class) > top
            || self.placement.writes == 0
        {
            return class;
        }
        let wanted =
            u64::from(self.placement.writes) * u64::from(self.shape.slots_per_segment()) * 2;
        let mut gathered = 0;
        for (at, &rate) in (0..=top).zip(&self.placement.rates) {
            gathered += u64::from(rate);
            let fills = gathered * u64::from(self.life_of_class(top, at)) >= wanted;
            if at >= i32::from(class) && (fills || at == top) {
                return at as u8;
            }
            if fills {
                gathered = 0;
            }
        }
        class
    }

    /// True when a good part of what is appended lately goes to a stream, whatever the lives of its sectors.
    pub(super) fn is_written_much(&self, stream: u8) -> bool {
        let all: u32 = self
            .placement
            .rates
            .iter()
            .map(|&rate| u32::from(rate))
            .sum();
        let own = self.placement.rates.get(usize::from(stream));
        own.is_some_and(|&rate| u32::from(rate) * MUCH > all)
    }

    /// Counts a host write that was accepted.
    pub(super) fn count_write(&mut self, class: u8, old: Location) {
        if old.is_mapped() {
            let segment = self.shape.segment(old);
            let on_probation = self.source_class(segment).is_none();
            self.placement.overwritten = self.placement.overwritten.saturating_add(1);
            self.placement.overwritten_on_probation += u32::from(on_probation);
        }
        self.placement.count(class);
        self.placement.review(self.mapped);
    }

    /// Counts a relocation out of a victim.
    pub(super) fn count_relocation(&mut self, class: u8, victim: Segment) {
        let on_probation = self.source_class(victim).is_none();
        self.placement.relocated = self.placement.relocated.saturating_add(1);
        self.placement.relocated_on_probation += u32::from(on_probation);
        self.placement.count(class);
    }
}

#[cfg(test)]
mod tests {
    use super::log2_256;

    #[test]
    fn logarithms() {
        assert_eq!(log2_256(1), 0);
        assert_eq!(log2_256(2), 256);
        assert_eq!(log2_256(3), 384);
        assert_eq!(log2_256(65_536), 16 * 256);
    }
}
