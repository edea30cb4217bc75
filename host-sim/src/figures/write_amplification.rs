//! Write amplification over utilization: theory, references, the engine.

use cuesta::volume::Budget;

use super::legend::Look;
use super::Sample;
use crate::bench::{bound, Options};
use crate::chips::{chip, Chip};
use crate::plot::{Panel, Scale, Svg, COLORS};
use crate::reference::Scheme;
use crate::workload::{Choice, Workload};

/// The workloads with the greatest value shown of each.
const PANELS: [(Workload, f64); 4] = [
    (Workload::Uniform, 7.0),
    (Workload::Zipf, 5.0),
    (Workload::HotCold, 5.0),
    (Workload::Shift, 7.0),
];
/// The utilizations shown.
const UTILIZATIONS: (f64, f64) = (0.60, 0.95);
/// Points of a curve.
const POINTS: u32 = 15;

const THEORY: Look = Look {
    color: "#000000",
    dashes: "",
    dots: false,
};

/// The budgets with their looks.
const BUDGETS: [(&str, Look); 2] = [
    ("full", Look::solid(COLORS[5])),
    ("16K", Look::solid(COLORS[1])),
];

const fn look(scheme: Scheme) -> Look {
    let color = match scheme {
        Scheme::Single => "#888888",
        Scheme::Dac => COLORS[3],
        Scheme::Lifetime => COLORS[4],
        Scheme::LifeEstimate => COLORS[6],
        Scheme::Probation => COLORS[2],
    };
    Look {
        color,
        dashes: "5 4",
        dots: false,
    }
}

pub fn draw(samples: &[Sample]) -> Option<String> {
    let of = |workload: Workload| {
        samples
            .iter()
            .filter(move |sample| sample.workload == workload.name() && sample.wa.is_some())
    };
    let first = PANELS
        .iter()
        .find_map(|(workload, _)| of(*workload).next())?;
    let chip = chip(&first.chip).ok()?;
    let mut svg = Svg::new(960.0, 900.0);
    svg.title(
        70.0,
        &format!(
            "Pages programmed for each page that the host wrote ({})",
            chip.name
        ),
    );
    for (number, (workload, most)) in PANELS.into_iter().enumerate() {
        let left = 80.0 + 460.0 * (number % 2) as f64;
        let top = 80.0 + 370.0 * (number / 2) as f64;
        let panel = Panel {
            from: (left, top),
            to: (left + 390.0, top + 290.0),
            x: Scale::Linear {
                ends: UTILIZATIONS,
                step: 0.05,
                digits: 2,
            },
            y: Scale::Linear {
                ends: (1.0, most),
                step: 1.0,
                digits: 0,
            },
        };
        panel.draw(
            &mut svg,
            workload.name(),
            "sectors in use / raw pages",
            "pages / page",
        );
        if of(workload).next().is_some() {
            THEORY.draw(&mut svg, &panel, &theory(chip, workload, most));
        }
        for scheme in Scheme::ALL {
            let values = by_utilization(of(workload).filter_map(|sample| {
                Some((sample.utilization, *sample.reference_wa.get(scheme.name())?))
            }));
            look(scheme).draw(&mut svg, &panel, &values);
        }
        for (budget, look) in BUDGETS {
            let values = by_utilization(
                of(workload)
                    .filter(|sample| sample.ram_budget == budget)
                    .filter_map(|sample| Some((sample.utilization, sample.wa?))),
            );
            look.draw(&mut svg, &panel, &values);
        }
    }
    legend(&mut svg);
    Some(svg.finish())
}

fn by_utilization(values: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    // A reference is the same at every budget.
    values.dedup();
    values
}

/// The least that theory allows, as far as it is shown.
fn theory(chip: &'static Chip, workload: Workload, most: f64) -> Vec<(f64, f64)> {
    (0..POINTS)
        .map(|point| f64::from(point) / f64::from(POINTS - 1))
        .map(|share| UTILIZATIONS.0 + share * (UTILIZATIONS.1 - UTILIZATIONS.0))
        .filter_map(|utilization| {
            let options = Options {
                chip,
                level: None,
                utilization,
                budget: Budget::Full,
                sync_every: None,
                choice: Choice::default(),
            };
            Some((utilization, bound(workload, &options).ok()??))
        })
        .filter(|&(_, wa)| wa <= most)
        .collect()
}

fn legend(svg: &mut Svg) {
    let budgets = BUDGETS.map(|(budget, look)| (format!("Cuesta, memory {budget}"), look));
    let schemes = Scheme::ALL.map(|scheme| (format!("{} alone", scheme.name()), look(scheme)));
    let all = [("theory: the least".to_owned(), THEORY)]
        .into_iter()
        .chain(budgets)
        .chain(schemes);
    for (number, (name, look)) in all.enumerate() {
        let x = 80.0 + 225.0 * (number % 4) as f64;
        let y = 850.0 + 26.0 * (number / 4) as f64;
        look.name(svg, (x, y), &name);
    }
}
