//! What has been served so far.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

/// Counts of a server, readable while it runs.
#[derive(Debug, Default)]
pub struct Counters {
    pub(super) connections_open: AtomicU64,
    pub(super) connections: AtomicU64,
    pub(super) connections_refused: AtomicU64,
    pub(super) violations: AtomicU64,
    pub(super) reads: AtomicU64,
    pub(super) read_bytes: AtomicU64,
    pub(super) writes: AtomicU64,
    pub(super) write_bytes: AtomicU64,
    pub(super) flushes: AtomicU64,
    pub(super) trims: AtomicU64,
    pub(super) zeroes: AtomicU64,
    pub(super) errors: AtomicU64,
}

/// A copy of [`Counters`]. Shown as one line without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Served {
    /// Connections open now.
    pub connections_open: u64,
    /// Connections taken since the start.
    pub connections: u64,
    /// Connections closed at once, because too many were open.
    pub connections_refused: u64,
    /// Connections dropped because the client did not speak the protocol.
    pub violations: u64,
    /// Reads that succeeded.
    pub reads: u64,
    /// Bytes of them.
    pub read_bytes: u64,
    /// Writes that succeeded.
    pub writes: u64,
    /// Bytes of them.
    pub write_bytes: u64,
    /// Flushes that succeeded, not counting those of `FUA`.
    pub flushes: u64,
    /// Trims that succeeded.
    pub trims: u64,
    /// Write-zeroes that succeeded.
    pub zeroes: u64,
    /// Requests answered with an error.
    pub errors: u64,
}

impl Counters {
    /// The counts now. Each is exact; together they may be of slightly different moments.
    #[must_use]
    pub fn served(&self) -> Served {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Served {
            connections_open: get(&self.connections_open),
            connections: get(&self.connections),
            connections_refused: get(&self.connections_refused),
            violations: get(&self.violations),
            reads: get(&self.reads),
            read_bytes: get(&self.read_bytes),
            writes: get(&self.writes),
            write_bytes: get(&self.write_bytes),
            flushes: get(&self.flushes),
            trims: get(&self.trims),
            zeroes: get(&self.zeroes),
            errors: get(&self.errors),
        }
    }
}

/// Adds to one counter.
pub(super) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} open; {} reads {}; {} writes {}; {} flushes; {} trims; {} zeroes; {} errors",
            self.connections_open,
            self.reads,
            Size(self.read_bytes),
            self.writes,
            Size(self.write_bytes),
            self.flushes,
            self.trims,
            self.zeroes,
            self.errors,
        )
    }
}

/// Bytes in the largest unit of which there is at least one.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
        match units.into_iter().find(|(shift, _)| self.0 >> shift > 0) {
            Some((shift, unit)) => {
                // Tenths, rounded down: integers all the way.
                let unit_bytes = 1_u64 << shift;
                let tenths = ((self.0 % unit_bytes) >> (shift - 10)) * 10 / 1024;
                write!(f, "{}.{tenths} {unit}", self.0 >> shift)
            }
            None => write!(f, "{} B", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Size;

    #[test]
    fn sizes_are_shown_in_the_largest_unit_that_fits() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1023.9 KiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(Size(bytes).to_string(), shown);
        }
    }
}
