//! What the part was made to do: operations, bytes, busy time, wear.

/// Counts since the part was made. Figures of benches are differences of two of these.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Array reads started.
    pub reads: u64,
    /// Programs started.
    pub programs: u64,
    /// Erases started.
    pub erases: u64,
    /// Commands on the bus: one an operation, one more for a read of columns that are not contiguous.
    pub commands: u64,
    /// Bytes moved into the part.
    pub bytes_in: u64,
    /// Bytes moved out of the part.
    pub bytes_out: u64,
    /// Virtual time in nanoseconds.
    pub now_ns: u64,
    /// Nanoseconds each die was occupied by settled operations, waiting for its channel included.
    pub die_busy_ns: Vec<u64>,
    /// Nanoseconds each channel was in use.
    pub channel_busy_ns: Vec<u64>,
}

impl Counters {
    /// Array operations started.
    #[must_use]
    pub const fn operations(&self) -> u64 {
        self.reads + self.programs + self.erases
    }

    /// What happened after `earlier` was taken.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let minus = |now: &[u64], then: &[u64]| {
            now.iter()
                .enumerate()
                .map(|(i, &n)| n - then.get(i).copied().unwrap_or(0))
                .collect()
        };
        Self {
            reads: self.reads - earlier.reads,
            programs: self.programs - earlier.programs,
            erases: self.erases - earlier.erases,
            commands: self.commands - earlier.commands,
            bytes_in: self.bytes_in - earlier.bytes_in,
            bytes_out: self.bytes_out - earlier.bytes_out,
            now_ns: self.now_ns - earlier.now_ns,
            die_busy_ns: minus(&self.die_busy_ns, &earlier.die_busy_ns),
            channel_busy_ns: minus(&self.channel_busy_ns, &earlier.channel_busy_ns),
        }
    }
}

/// Erase counts over the blocks that the factory did not mark bad.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Wear {
    /// Of the block erased least.
    pub min: u32,
    /// Of the block erased most.
    pub max: u32,
    /// Mean.
    pub mean: f64,
    /// Standard deviation (of the population).
    pub stddev: f64,
}

impl Wear {
    /// Statistics of `counts`; zeros when there are none.
    #[must_use]
    pub fn of(counts: impl Iterator<Item = u32>) -> Self {
        let (mut n, mut sum, mut squares) = (0u64, 0u128, 0u128);
        let (mut min, mut max) = (u32::MAX, 0);
        for count in counts {
            n += 1;
            sum += u128::from(count);
            squares += u128::from(count) * u128::from(count);
            min = min.min(count);
            max = max.max(count);
        }
        if n == 0 {
            return Self::default();
        }
        let mean = sum as f64 / n as f64;
        // n·Σx² − (Σx)² in integers: no cancellation.
        let spread = (u128::from(n) * squares - sum * sum) as f64;
        Self {
            min,
            max,
            mean,
            stddev: spread.sqrt() / n as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wear_of_known_counts() {
        let wear = Wear::of([2, 4, 4, 4, 5, 5, 7, 9].into_iter());
        assert_eq!((wear.min, wear.max), (2, 9));
        assert!((wear.mean - 5.0).abs() < 1e-12 && (wear.stddev - 2.0).abs() < 1e-12);
        assert_eq!(Wear::of(std::iter::empty()), Wear::default());
    }
}
