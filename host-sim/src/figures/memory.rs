//! What a random read costs, by the memory that the engine has.

use super::legend::Look;
use super::Sample;
use crate::plot::{Panel, Scale, Svg, COLORS};
use crate::workload::Workload;

pub fn draw(samples: &[Sample]) -> Option<String> {
    let mut shown: Vec<(&Sample, f64)> = samples
        .iter()
        .filter(|sample| sample.workload == Workload::RandRead.name())
        .filter_map(|sample| Some((sample, sample.reads_per_read?)))
        .collect();
    shown.sort_by_key(|(sample, _)| sample.ram_bytes);
    let (first, last) = (shown.first()?.0, shown.last()?.0);
    let most = shown.iter().map(|&(_, reads)| reads).fold(1.0, f64::max);
    let mut svg = Svg::new(960.0, 520.0);
    svg.title(
        80.0,
        &format!(
            "Array reads of a random read by memory ({}, {:.2} in use)",
            first.chip, first.utilization
        ),
    );
    let decade = |bytes: u64, up: bool| {
        let log = (bytes as f64).log10();
        (if up { log.ceil() } else { log.floor() }) as i32
    };
    let low = decade(first.ram_bytes, false);
    let panel = Panel {
        from: (80.0, 80.0),
        to: (900.0, 450.0),
        x: Scale::Decades(low, decade(last.ram_bytes, true).max(low + 1)),
        y: Scale::Linear {
            ends: (0.0, most.ceil()),
            step: 0.5,
            digits: 1,
        },
    };
    panel.draw(
        &mut svg,
        "",
        "bytes of memory, everything included",
        "array reads / sector read",
    );
    let values: Vec<_> = shown
        .iter()
        .map(|&(sample, reads)| (sample.ram_bytes as f64, reads))
        .collect();
    Look::solid(COLORS[5]).draw(&mut svg, &panel, &values);
    for (sample, reads) in &shown {
        let (x, y) = panel.at(sample.ram_bytes as f64, *reads);
        svg.text(x + 6.0, y - 8.0, "start", &sample.ram_budget);
    }
    Some(svg.finish())
}
