//! What the demonstration has cost.

use std::io::{self, Write};

use cuesta_sim::bench::Latencies;
use cuesta_sim::theory;

use crate::table::{print_facts, Table};

/// Figures of the demonstration, in virtual time.
#[derive(Debug, Default)]
pub struct Report {
    pub write_amplification: f64,
    pub write_mb_s: f64,
    pub writes: Latencies,
    pub reads_per_read: f64,
    pub reads: Latencies,
    pub mounts_clean: Latencies,
    pub mounts_after_cut: Latencies,
    pub recoveries: Latencies,
    pub slots_per_segment: u32,
}

impl Report {
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let bound = theory::separated(
            &theory::HOT_COLD,
            super::UTILIZATION,
            self.slots_per_segment.max(1),
        );
        print_facts(
            out,
            &[
                (
                    "write amplification",
                    format!(
                        "{:.2} pages programmed a page written, everything included (no log can do it with less than {bound:.2})",
                        self.write_amplification
                    ),
                ),
                (
                    "reads per read",
                    format!("{:.2} array reads for a sector", self.reads_per_read),
                ),
                ("overwriting", format!("{:.2} MB/s", self.write_mb_s)),
            ],
        )?;
        writeln!(out)?;
        let mut table = Table::new(["virtual time, ms", "number", "mean", "99 %", "longest"]);
        for (name, latencies) in [
            ("write", &self.writes),
            ("read", &self.reads),
            ("mount after a clean end", &self.mounts_clean),
            ("mount after a cut", &self.mounts_after_cut),
            ("first write after a cut", &self.recoveries),
        ] {
            let ms =
                |us: Option<f64>| us.map_or_else(String::new, |us| format!("{:.3}", us / 1000.0));
            table.row(vec![
                name.to_owned(),
                latencies.count().to_string(),
                ms(latencies.mean_us()),
                ms(latencies.quantile_us(0.99)),
                ms(latencies.max_us()),
            ]);
        }
        table.print(out)
    }
}
