//! Which stream a sector is appended to: an estimate of how long it will live, with no RAM per sector.
//!
//! Class `k` of `K` stands for a life of `2L / 2^(K−1−k)` host writes, `L` being the mapped sectors. An overwrite tells how long the
//! last version lived, to the accuracy of its segment's opening time; a relocation tells how long the current one has lived
//! at least, exactly, because headers carry the time of the last host write along.

use cuesta_hal::Nand;

use super::address::{Location, Segment};
use super::stream::{JOURNAL, LEVELING};
use super::Volume;

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

    fn top(&self) -> i32 {
        i32::from(self.parameters.classes) - 1
    }

    /// The class a life of this many host writes belongs to, in 1/256.
    fn class_of_life(&self, writes: u32) -> i32 {
        let span = log2_256(self.mapped.max(64).saturating_mul(2));
        self.top() * 256 - (span - log2_256(writes.saturating_add(1)))
    }

    fn source_class(&self, segment: Segment) -> i32 {
        let class = self.segments.class(segment);
        if class >= LEVELING {
            return self.top();
        }
        let level = self.segments.level(segment);
        i32::from(self.shape.streams.unscaled(level, class)).min(self.top())
    }

    fn dither(&mut self, class_256: i32) -> u8 {
        let dithered = (class_256 + self.random_byte() as i32) >> 8;
        dithered.clamp(0, self.top()) as u8
    }

    /// Class of a host write over a version at `old`.
    pub(super) fn class_for_write(&mut self, old: Location) -> u8 {
        if !old.is_mapped() {
            return self.top() as u8;
        }
        let segment = self.shape.segment(old);
        let class = self.source_class(segment) * 256;
        let mut age = u32::from(self.age(segment)) << self.stamp_shift();
        if self.segments.state(segment) == super::State::Open {
            age /= 2;
        }
        let life = self.class_of_life(age);
        // A third of the way: one short life does not make a sector hot.
        self.dither(class + (life - class) * 90 / 256)
    }

    /// Class of a relocation out of `victim` of a sector that a host last wrote at `birth`.
    pub(super) fn class_for_relocation(&mut self, victim: Segment, birth: u32) -> u8 {
        let class = self.source_class(victim);
        let life = self.class_of_life(self.host_writes.wrapping_sub(birth));
        if life > class * 256 {
            self.dither(life)
        } else {
            class as u8
        }
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
