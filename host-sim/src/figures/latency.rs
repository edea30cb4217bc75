//! How long writes take, as a histogram.

use super::legend::Look;
use super::Sample;
use crate::plot::{Panel, Scale, Svg, COLORS};
use crate::workload::Workload;

/// The workloads shown, with their colours.
const WORKLOADS: [(Workload, &str); 5] = [
    (Workload::Uniform, COLORS[5]),
    (Workload::Zipf, COLORS[1]),
    (Workload::HotCold, COLORS[3]),
    (Workload::Shift, COLORS[6]),
    (Workload::Sync, COLORS[4]),
];

pub fn draw(samples: &[Sample]) -> Option<String> {
    let shown: Vec<_> = WORKLOADS
        .into_iter()
        .filter_map(|(workload, color)| {
            // The fullest disk, where grooming is hardest.
            let sample = samples
                .iter()
                .filter(|sample| sample.workload == workload.name())
                .filter(|sample| !sample.latency_histogram.is_empty())
                .filter(|sample| sample.ram_budget == "full")
                .max_by(|a, b| a.utilization.total_cmp(&b.utilization))?;
            Some((sample, Look::solid(color)))
        })
        .collect();
    let chip = &shown.first()?.0.chip;
    let mut svg = Svg::new(960.0, 600.0);
    svg.title(
        80.0,
        &format!("Writes by the virtual time they take ({chip}, full memory)"),
    );
    let panel = Panel {
        from: (80.0, 80.0),
        to: (720.0, 530.0),
        x: Scale::Decades(2, 5),
        y: Scale::Decades(0, 5),
    };
    panel.draw(
        &mut svg,
        "",
        "µs, in steps of a quarter of an octave",
        "writes",
    );
    for (number, (sample, look)) in shown.iter().enumerate() {
        let values: Vec<_> = sample
            .latency_histogram
            .iter()
            .map(|&(us, count)| (us, count as f64))
            .collect();
        look.draw(&mut svg, &panel, &values);
        let name = format!("{} at {:.2}", sample.workload, sample.utilization);
        look.name(&mut svg, (740.0, 100.0 + 26.0 * number as f64), &name);
    }
    Some(svg.finish())
}
