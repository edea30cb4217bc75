//! Bytes of a spare that lie in runs of the same length.

/// Bytes of the spare, a run for each codeword of the part's own ECC: `len` bytes each, the first from `first` on, each of the others
/// `stride` bytes behind the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SpareRuns {
    /// First byte of the first run, counted from the start of the spare.
    pub first: u16,
    /// Bytes of a run; 0 where there are none.
    pub len: u16,
    /// From the start of a run to that of the next.
    pub stride: u16,
}

impl SpareRuns {
    /// No bytes.
    pub const NONE: Self = Self {
        first: 0,
        len: 0,
        stride: 0,
    };

    /// The run that a byte of the spare is in, if there are so many runs.
    #[must_use]
    pub const fn run_of(&self, runs: u32, offset: u32) -> Option<u32> {
        let (first, len, stride) = (self.first as u32, self.len as u32, self.stride as u32);
        if offset < first || len == 0 {
            return None;
        }
        let (run, at) = match stride {
            0 => (0, offset - first),
            _ => ((offset - first) / stride, (offset - first) % stride),
        };
        if run < runs && at < len {
            Some(run)
        } else {
            None
        }
    }

    /// The byte that comes after `index` others.
    #[must_use]
    pub const fn nth(&self, index: u32) -> u32 {
        match self.len {
            0 => self.first as u32,
            len => self.first as u32 + index / len as u32 * self.stride as u32 + index % len as u32,
        }
    }

    /// True when so many runs lie in a spare of so many bytes, each behind the one before.
    #[must_use]
    pub const fn fits(&self, runs: u32, spare_bytes: u32) -> bool {
        if self.len == 0 || runs == 0 {
            return true;
        }
        let last = self.first as u64 + (runs as u64 - 1) * self.stride as u64;
        (runs == 1 || self.stride >= self.len) && last + self.len as u64 <= spare_bytes as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_a_run_is_found_and_no_other() {
        for (first, len, stride, runs) in [(2, 6, 16, 4), (0, 3, 3, 5), (7, 1, 0, 1), (4, 4, 0, 1)]
        {
            let all = SpareRuns { first, len, stride };
            let places: Vec<u32> = (0..runs * u32::from(len))
                .map(|index| all.nth(index))
                .collect();
            assert!(places.is_sorted());
            for offset in 0..200 {
                let index = places.iter().position(|&place| place == offset);
                let run = index.map(|index| index as u32 / u32::from(len));
                assert_eq!(all.run_of(runs, offset), run, "{all:?} at {offset}");
            }
            let end = places.last().map_or(0, |last| last + 1);
            assert!(all.fits(runs, end) && !all.fits(runs, end - 1));
        }
        assert_eq!(SpareRuns::NONE.run_of(4, 0), None);
        assert!(SpareRuns::NONE.fits(4, 0));
        let overlapping = SpareRuns {
            first: 0,
            len: 4,
            stride: 3,
        };
        assert!(!overlapping.fits(2, 100));
    }
}
