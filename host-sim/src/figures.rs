//! The figures of the documents, out of what benches printed.

mod latency;
mod legend;
mod memory;
#[cfg(test)]
mod tests;
mod wear;
mod write_amplification;

use std::collections::BTreeMap;

use serde::Deserialize;

/// What the figures need of a run, as `cuesta bench --json` prints it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Sample {
    /// Name of the workload.
    pub workload: String,
    /// Name of the chip.
    pub chip: String,
    /// Sectors in use, of all that the raw pages hold.
    pub utilization: f64,
    /// The budget asked for.
    pub ram_budget: String,
    /// All the memory lent to the engine.
    pub ram_bytes: u64,
    /// Pages programmed for each page that the host wrote.
    #[serde(default)]
    pub wa: Option<f64>,
    /// Array reads for each sector that the host read.
    #[serde(default)]
    pub reads_per_read: Option<f64>,
    /// Write amplification of references.
    #[serde(default)]
    pub reference_wa: BTreeMap<String, f64>,
    /// Requests by their time.
    #[serde(default)]
    pub latency_histogram: Vec<(f64, u64)>,
    /// Erases of every block.
    #[serde(default)]
    pub erase_counts: Vec<u32>,
}

/// A figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Name of its file.
    pub file: &'static str,
    /// The file, an SVG.
    pub svg: String,
}

/// The figures for which there are samples.
#[must_use]
pub fn figures(samples: &[Sample]) -> Vec<Figure> {
    let drawn = [
        (
            "write-amplification.svg",
            write_amplification::draw(samples),
        ),
        ("latency.svg", latency::draw(samples)),
        ("wear.svg", wear::draw(samples)),
        ("memory.svg", memory::draw(samples)),
    ];
    drawn
        .into_iter()
        .filter_map(|(file, svg)| Some(Figure { file, svg: svg? }))
        .collect()
}
