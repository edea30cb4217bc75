//! What a run of a bench says.

use std::collections::BTreeMap;

use serde::Serialize;

/// The figures of one run. Fields that a workload does not measure are empty (`null` in JSON).
///
/// Reads, programs, erases, bytes and virtual time are the emulator's counts over the measured phase; the split of the programs is the
/// engine's, scaled to that sum.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Name of the workload.
    pub workload: &'static str,
    /// Name of the chip.
    pub chip: &'static str,
    /// Sectors in use, of all that the raw pages hold.
    pub utilization: f64,
    /// The budget asked for.
    pub ram_budget: String,
    /// All the memory lent to the engine, page buffers and its own fields included.
    pub ram_bytes: usize,
    /// Sectors written.
    pub host_writes: u64,
    /// Sectors read.
    pub host_reads: u64,
    /// Pages programmed.
    pub programs: u64,
    /// Of these, for sectors that the host wrote.
    pub programs_user: u64,
    /// Of these, for sectors that the groomer relocated.
    pub programs_groom: u64,
    /// Of those relocated, for wear leveling.
    pub programs_leveling: u64,
    /// Of all, map pages.
    pub programs_map: u64,
    /// Of these, journal records, parity, checkpoints.
    pub programs_meta: u64,
    /// Of these, filled with nothing.
    pub programs_padding: u64,
    /// Blocks erased.
    pub erases: u64,
    /// Array reads.
    pub reads: u64,
    /// Bytes into the part.
    pub bytes_in: u64,
    /// Bytes out of the part.
    pub bytes_out: u64,
    /// Virtual time.
    pub virtual_us: f64,
    /// Pages programmed for each page that the host wrote.
    pub wa: Option<f64>,
    /// Host bytes a second, in 10⁶.
    pub mb_s: Option<f64>,
    /// Mean time of a request.
    pub op_us_mean: Option<f64>,
    /// Time that 99 of 100 requests keep.
    pub op_us_p99: Option<f64>,
    /// Longest request.
    pub op_us_max: Option<f64>,
    /// What a write takes at most, as the engine computes it, on this part.
    pub op_us_bound: Option<f64>,
    /// Most sectors relocated during one write.
    pub groom_pages_per_write_max: Option<u64>,
    /// The most that the engine allows itself.
    pub groom_pages_per_write_bound: Option<u64>,
    /// Array reads for each sector that the host read.
    pub reads_per_read: Option<f64>,
    /// Array reads of the mount and what belongs to it.
    pub mount_reads: Option<u64>,
    /// Virtual time of the same.
    pub mount_us: Option<f64>,
    /// Erases of the block erased least, over the life of the part.
    pub wear_min: u32,
    /// Erases of the block erased most.
    pub wear_max: u32,
    /// Mean.
    pub wear_mean: f64,
    /// Standard deviation.
    pub wear_stddev: f64,
    /// Between the block erased most and the one erased least, of those that wear leveling governs: neither anchors nor retired ones.
    pub wear_spread: Option<u32>,
    /// Write amplification of references that were asked for, by their names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reference_wa: BTreeMap<&'static str, f64>,
    /// Requests by their time, each count with the µs that none of them exceeds; a quarter of an octave wide, without empty ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub latency_histogram: Vec<(f64, u64)>,
    /// Erases of every block, where wear is what is measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub erase_counts: Vec<u32>,
}

/// Steps of the histogram in an octave.
const STEPS_PER_OCTAVE: f64 = 4.0;

/// Durations of requests.
#[derive(Debug, Clone, Default)]
pub struct Latencies {
    ns: Vec<u64>,
}

impl Latencies {
    /// Adds one.
    pub fn push(&mut self, ns: u64) {
        self.ns.push(ns);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.ns.len()
    }

    /// Mean in microseconds; `None` without requests.
    #[must_use]
    pub fn mean_us(&self) -> Option<f64> {
        let sum: u64 = self.ns.iter().sum();
        (!self.ns.is_empty()).then(|| sum as f64 / self.ns.len() as f64 / 1000.0)
    }

    /// The smallest duration that `share` of the requests do not exceed, in microseconds; `None` without requests.
    #[must_use]
    pub fn quantile_us(&self, share: f64) -> Option<f64> {
        let last = self.ns.len().checked_sub(1)?;
        let rank = (self.ns.len() as f64 * share).ceil() as usize;
        let mut sorted = self.ns.clone();
        let (_, value, _) = sorted.select_nth_unstable(rank.saturating_sub(1).min(last));
        Some(*value as f64 / 1000.0)
    }

    /// How many there are by their length, each count with the microseconds that none of them exceeds.
    #[must_use]
    pub fn histogram(&self) -> Vec<(f64, u64)> {
        let mut counts = BTreeMap::new();
        for &ns in &self.ns {
            let us = (ns as f64 / 1000.0).max(1.0);
            let step = (us.log2() * STEPS_PER_OCTAVE).ceil() as u32;
            *counts.entry(step).or_insert(0) += 1;
        }
        counts
            .into_iter()
            .map(|(step, count)| (2_f64.powf(f64::from(step) / STEPS_PER_OCTAVE), count))
            .collect()
    }

    /// Longest in microseconds; `None` without requests.
    #[must_use]
    pub fn max_us(&self) -> Option<f64> {
        self.ns.iter().max().map(|&ns| ns as f64 / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Latencies;

    #[test]
    fn quantiles_are_those_of_the_definition() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantile_us(0.99), None);
        for us in (1..=200).rev() {
            latencies.push(us * 1000);
        }
        assert_eq!(latencies.quantile_us(0.99), Some(198.0));
        assert_eq!(latencies.quantile_us(1.0), Some(200.0));
        assert_eq!(latencies.quantile_us(0.0), Some(1.0));
        assert_eq!(latencies.max_us(), Some(200.0));
        assert_eq!(latencies.mean_us(), Some(100.5));
    }

    #[test]
    fn a_histogram_has_every_request_below_its_bound() {
        let mut latencies = Latencies::default();
        for us in [0, 1, 2, 250, 256, 257] {
            latencies.push(us * 1000);
        }
        let histogram = latencies.histogram();
        let counts: Vec<_> = histogram.iter().map(|&(_, count)| count).collect();
        assert_eq!(counts, [2, 1, 2, 1]);
        assert_eq!(histogram[2].0, 256.0);
    }
}
