//! The plot of [`StrengthReport`]s: a file of its own, as SVG, without fonts or anything else from elsewhere.
//!
//! Above, the rates of codewords that cannot be repaired over raw bit error rates: curves as predicted, points as measured. There,
//! intervals are smaller than points; so below is the ratio of both, with its intervals.

use std::fmt::Write;

use super::strength::{predicted, StrengthReport};

/// Size of the picture.
const WIDTH: f64 = 940.0;
const HEIGHT: f64 = 860.0;
/// Where the panels begin and end.
const LEFT: f64 = 90.0;
const RIGHT: f64 = 780.0;
const RATES_TOP: f64 = 64.0;
const RATES_BOTTOM: f64 = 560.0;
const RATIO_TOP: f64 = 610.0;
const RATIO_BOTTOM: f64 = 790.0;

/// Decimal logarithms of the raw bit error rates at the ends of the axis.
const RAW_LOG: (f64, f64) = (-5.1, -2.2);
/// Decimal logarithm of the least rate shown. What a disk promises is about 10⁻¹⁵ a bit.
const RATE_LOG_MIN: f64 = -24.0;
/// The ratios shown: intervals that go beyond are cut off, points left out.
const RATIOS: (f64, f64) = (0.5, 1.5);
/// Steps of a curve.
const STEPS: u32 = 1000;
/// Pixels between the points of two codes at the same rate, in the lower panel.
const APART: f64 = 4.5;

/// Colours that people with any kind of colour vision tell apart: M. Okabe, K. Ito, "Color Universal Design" (2002).
const COLORS: [&str; 7] = [
    "#000000", "#e69f00", "#56b4e9", "#009e73", "#d55e00", "#0072b2", "#cc79a7",
];

fn across(raw: f64) -> f64 {
    LEFT + (raw.log10() - RAW_LOG.0) / (RAW_LOG.1 - RAW_LOG.0) * (RIGHT - LEFT)
}

fn down(rate: f64) -> f64 {
    RATES_TOP + rate.log10() / RATE_LOG_MIN * (RATES_BOTTOM - RATES_TOP)
}

fn down_ratio(ratio: f64) -> f64 {
    let share = (ratio.clamp(RATIOS.0, RATIOS.1) - RATIOS.0) / (RATIOS.1 - RATIOS.0);
    RATIO_BOTTOM - share * (RATIO_BOTTOM - RATIO_TOP)
}

/// Draws the points, and the predicted curve of every code that has any.
#[must_use]
pub fn strength_plot(points: &[StrengthReport]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"14\" \
         fill=\"#222\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    axes(&mut svg);
    let mut codes: Vec<&StrengthReport> = Vec::new();
    for point in points {
        if codes.iter().all(|code| code.code != point.code) {
            codes.push(point);
        }
    }
    for (number, code) in codes.iter().enumerate() {
        let color = COLORS[number % COLORS.len()];
        put(
            &mut svg,
            format_args!("<g stroke=\"{color}\" fill=\"{color}\">"),
        );
        curve(&mut svg, code);
        // The codes stand side by side around their rate.
        let aside = (number as f64 - (codes.len() as f64 - 1.0) / 2.0) * APART;
        for point in points.iter().filter(|point| point.code == code.code) {
            measured(&mut svg, point, aside);
        }
        let y = RATES_TOP + 14.0 + 24.0 * number as f64;
        put(
            &mut svg,
            format_args!(
                "<path d=\"M{} {}h22\" stroke-width=\"2.5\"/>",
                RIGHT + 14.0,
                y - 5.0
            ),
        );
        text(&mut svg, RIGHT + 42.0, y, "start", code.code);
        svg.push_str("</g>\n");
    }
    legend(&mut svg, RATES_TOP + 24.0 * codes.len() as f64 + 20.0);
    svg.push_str("</svg>\n");
    svg
}

/// Writing to a string does not fail.
fn put(svg: &mut String, line: std::fmt::Arguments<'_>) {
    let _ = writeln!(svg, "{line}");
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, what: &str) {
    put(
        svg,
        format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" stroke=\"none\">{what}</text>"
        ),
    );
}

/// A power of ten, its exponent raised.
fn power(svg: &mut String, x: f64, y: f64, anchor: &str, exponent: i32) {
    let raised = if exponent == 0 {
        "1".to_owned()
    } else {
        format!(
            "10<tspan dy=\"-5\" font-size=\"10\">\u{2212}{}</tspan>",
            -exponent
        )
    };
    text(svg, x, y, anchor, &raised);
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), color: &str) {
    put(
        svg,
        format_args!(
            "<path d=\"M{:.1} {:.1}L{:.1} {:.1}\" stroke=\"{color}\" fill=\"none\"/>",
            from.0, from.1, to.0, to.1
        ),
    );
}

fn axes(svg: &mut String) {
    text(
        svg,
        LEFT,
        34.0,
        "start",
        "<tspan font-size=\"18\">Codewords that cannot be repaired: measured, and P[X &gt; t]</tspan>",
    );
    for exponent in -5..=-3 {
        for digit in 1..10 {
            let raw = f64::from(digit) * 10_f64.powi(exponent);
            let x = across(raw);
            if x > RIGHT {
                break;
            }
            let color = if digit == 1 { "#bbb" } else { "#eee" };
            line(svg, (x, RATES_TOP), (x, RATES_BOTTOM), color);
            line(svg, (x, RATIO_TOP), (x, RATIO_BOTTOM), color);
            if digit == 1 {
                power(svg, x, RATIO_BOTTOM + 20.0, "middle", exponent);
            }
        }
    }
    for exponent in (RATE_LOG_MIN as i32..=0).step_by(3) {
        let y = down(10_f64.powi(exponent));
        line(svg, (LEFT, y), (RIGHT, y), "#ddd");
        power(svg, LEFT - 10.0, y + 5.0, "end", exponent);
    }
    for percent in (50..=150).step_by(25) {
        let ratio = f64::from(percent) / 100.0;
        let y = down_ratio(ratio);
        let color = if percent == 100 { "#888" } else { "#ddd" };
        line(svg, (LEFT, y), (RIGHT, y), color);
        text(svg, LEFT - 10.0, y + 5.0, "end", &format!("{ratio:.2}"));
    }
    for (top, bottom) in [(RATES_TOP, RATES_BOTTOM), (RATIO_TOP, RATIO_BOTTOM)] {
        put(
            svg,
            format_args!(
                "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#222\"/>",
                RIGHT - LEFT,
                bottom - top
            ),
        );
    }
    let middle = (LEFT + RIGHT) / 2.0;
    text(svg, middle, HEIGHT - 24.0, "middle", "raw bit error rate");
    for (top, bottom, what) in [
        (RATES_TOP, RATES_BOTTOM, "codewords that cannot be repaired"),
        (RATIO_TOP, RATIO_BOTTOM, "measured / predicted"),
    ] {
        let y = (top + bottom) / 2.0;
        put(
            svg,
            format_args!(
                "<text x=\"24\" y=\"{y}\" text-anchor=\"middle\" transform=\"rotate(-90 24 {y})\">{what}</text>"
            ),
        );
    }
}

fn curve(svg: &mut String, code: &StrengthReport) {
    let mut path = String::new();
    for step in 0..=STEPS {
        let log = RAW_LOG.0 + (RAW_LOG.1 - RAW_LOG.0) * f64::from(step) / f64::from(STEPS);
        let raw = 10_f64.powf(log);
        let rate = predicted(code.codeword_bits, code.strength, raw);
        if rate.log10() < RATE_LOG_MIN {
            continue;
        }
        let command = if path.is_empty() { 'M' } else { 'L' };
        let _ = write!(path, "{command}{:.1} {:.1}", across(raw), down(rate));
    }
    put(
        svg,
        format_args!("<path d=\"{path}\" fill=\"none\" stroke-width=\"1.5\"/>"),
    );
}

/// A point with its interval, in both panels.
fn measured(svg: &mut String, point: &StrengthReport, aside: f64) {
    let fill = if point.wrong_bits_min == 0 {
        ""
    } else {
        " fill=\"#fff\""
    };
    let mut mark = |x: f64, low: f64, value: Option<f64>, high: f64| {
        put(
            svg,
            format_args!("<path d=\"M{x:.1} {low:.1}V{high:.1}\" stroke-width=\"1.2\"/>"),
        );
        if let Some(y) = value {
            put(
                svg,
                format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"{fill}/>"),
            );
        }
    };
    let x = across(point.raw_bit_error_rate);
    let least = 10_f64.powf(RATE_LOG_MIN);
    if point.measured >= least {
        let low = point.measured_low.max(least);
        mark(
            x,
            down(low),
            Some(down(point.measured)),
            down(point.measured_high),
        );
    }
    let ratio = |rate: f64| rate / point.predicted;
    let value = ratio(point.measured);
    let shown = (RATIOS.0..=RATIOS.1).contains(&value);
    mark(
        x + aside,
        down_ratio(ratio(point.measured_low)),
        shown.then(|| down_ratio(value)),
        down_ratio(ratio(point.measured_high)),
    );
}

fn legend(svg: &mut String, top: f64) {
    let x = RIGHT + 14.0;
    let mut y = top;
    let mut entry = |mark: &str, lines: &[&str]| {
        put(
            svg,
            format_args!(
                "<g transform=\"translate({:.1} {:.1})\" stroke=\"#222\">{mark}</g>",
                x + 4.0,
                y - 4.0
            ),
        );
        for what in lines {
            let small = format!("<tspan font-size=\"11\">{what}</tspan>");
            text(svg, x + 14.0, y, "start", &small);
            y += 14.0;
        }
        y += 8.0;
    };
    entry("<path d=\"M-4 0H6\"/>", &["P[X &gt; t]"]);
    entry("<circle r=\"3\"/>", &["measured, every", "bit drawn"]);
    entry(
        "<circle r=\"3\" fill=\"#fff\"/>",
        &["measured among", "words of t wrong", "bits or more"],
    );
    entry("<path d=\"M0 -6V6\"/>", &["99.999 % interval"]);
}

#[cfg(test)]
mod tests {
    use super::super::strength::{measure_strength, repairing_codes, StrengthOptions};
    use super::*;
    use crate::bench::Shard;

    #[test]
    fn a_plot_has_every_code_and_nothing_from_elsewhere() {
        let codes: Vec<_> = repairing_codes().iter().map(|code| code.1).collect();
        let options = StrengthOptions {
            words: 20,
            seed: 1,
            shard: Shard::ALL,
        };
        let mut points = Vec::new();
        measure_strength(
            &codes,
            &options,
            &mut |point| points.push(point),
            &mut |_, _| (),
        );
        let svg = strength_plot(&points);
        for code in &codes {
            assert!(svg.contains(&format!(">{}</text>", code.code.name())));
        }
        for forbidden in ["href", "url(", "@import", "NaN", "inf"] {
            assert!(!svg.contains(forbidden), "{forbidden}");
        }
        assert_eq!(svg.matches("<g ").count(), svg.matches("</g>").count());
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        // Every point has an interval in the lower panel at least.
        let intervals = svg.matches("stroke-width=\"1.2\"").count();
        assert!((points.len()..=2 * points.len()).contains(&intervals));
    }
}
