//! The plot of [`StrengthReport`]s: a file of its own, as SVG, without fonts or anything else from elsewhere.
//!
//! Above, the rates of codewords that cannot be repaired over raw bit error rates: curves as predicted, points as measured. There,
//! intervals are smaller than points; so below is the ratio of both, with its intervals.

use super::strength::{predicted, StrengthReport};
use crate::plot::{power_of_ten, Svg, COLORS};

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
    let mut svg = Svg::new(WIDTH, HEIGHT);
    axes(&mut svg);
    let mut codes: Vec<&StrengthReport> = Vec::new();
    for point in points {
        if codes.iter().all(|code| code.code != point.code) {
            codes.push(point);
        }
    }
    for (number, code) in codes.iter().enumerate() {
        let color = COLORS[number % COLORS.len()];
        svg.put(format_args!("<g stroke=\"{color}\" fill=\"{color}\">"));
        curve(&mut svg, code);
        // The codes stand side by side around their rate.
        let aside = (number as f64 - (codes.len() as f64 - 1.0) / 2.0) * APART;
        for point in points.iter().filter(|point| point.code == code.code) {
            measured(&mut svg, point, aside);
        }
        let y = RATES_TOP + 14.0 + 24.0 * number as f64;
        svg.put(format_args!(
            "<path d=\"M{} {}h22\" stroke-width=\"2.5\"/>",
            RIGHT + 14.0,
            y - 5.0
        ));
        svg.text(RIGHT + 42.0, y, "start", code.code);
        svg.put(format_args!("</g>"));
    }
    legend(&mut svg, RATES_TOP + 24.0 * codes.len() as f64 + 20.0);
    svg.finish()
}

fn axes(svg: &mut Svg) {
    svg.title(
        LEFT,
        "Codewords that cannot be repaired: measured, and P[X &gt; t]",
    );
    for exponent in -5..=-3 {
        for digit in 1..10 {
            let raw = f64::from(digit) * 10_f64.powi(exponent);
            let x = across(raw);
            if x > RIGHT {
                break;
            }
            let color = if digit == 1 { "#bbb" } else { "#eee" };
            svg.line((x, RATES_TOP), (x, RATES_BOTTOM), color);
            svg.line((x, RATIO_TOP), (x, RATIO_BOTTOM), color);
            if digit == 1 {
                svg.text(x, RATIO_BOTTOM + 20.0, "middle", &power_of_ten(exponent));
            }
        }
    }
    for exponent in (RATE_LOG_MIN as i32..=0).step_by(3) {
        let y = down(10_f64.powi(exponent));
        svg.line((LEFT, y), (RIGHT, y), "#ddd");
        svg.text(LEFT - 10.0, y + 5.0, "end", &power_of_ten(exponent));
    }
    for percent in (50..=150).step_by(25) {
        let ratio = f64::from(percent) / 100.0;
        let y = down_ratio(ratio);
        let color = if percent == 100 { "#888" } else { "#ddd" };
        svg.line((LEFT, y), (RIGHT, y), color);
        svg.text(LEFT - 10.0, y + 5.0, "end", &format!("{ratio:.2}"));
    }
    for (top, bottom) in [(RATES_TOP, RATES_BOTTOM), (RATIO_TOP, RATIO_BOTTOM)] {
        svg.put(format_args!(
                "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#222\"/>",
                RIGHT - LEFT,
                bottom - top
            ),
        );
    }
    let middle = (LEFT + RIGHT) / 2.0;
    svg.text(middle, HEIGHT - 24.0, "middle", "raw bit error rate");
    for (top, bottom, what) in [
        (RATES_TOP, RATES_BOTTOM, "codewords that cannot be repaired"),
        (RATIO_TOP, RATIO_BOTTOM, "measured / predicted"),
    ] {
        let y = (top + bottom) / 2.0;
        svg.upright(24.0, y, what);
    }
}

fn curve(svg: &mut Svg, code: &StrengthReport) {
    let points: Vec<(f64, f64)> = (0..=STEPS)
        .map(|step| RAW_LOG.0 + (RAW_LOG.1 - RAW_LOG.0) * f64::from(step) / f64::from(STEPS))
        .map(|log| 10_f64.powf(log))
        .map(|raw| (raw, predicted(code.codeword_bits, code.strength, raw)))
        .filter(|(_, rate)| rate.log10() >= RATE_LOG_MIN)
        .map(|(raw, rate)| (across(raw), down(rate)))
        .collect();
    svg.path(&points, "stroke-width=\"1.5\"");
}

/// A point with its interval, in both panels.
fn measured(svg: &mut Svg, point: &StrengthReport, aside: f64) {
    let fill = if point.wrong_bits_min == 0 {
        ""
    } else {
        " fill=\"#fff\""
    };
    let mut mark = |x: f64, low: f64, value: Option<f64>, high: f64| {
        svg.put(format_args!(
            "<path d=\"M{x:.1} {low:.1}V{high:.1}\" stroke-width=\"1.2\"/>"
        ));
        if let Some(y) = value {
            svg.put(format_args!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"{fill}/>"
            ));
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

fn legend(svg: &mut Svg, top: f64) {
    let x = RIGHT + 14.0;
    let mut y = top;
    let mut entry = |mark: &str, lines: &[&str]| {
        svg.put(format_args!(
            "<g transform=\"translate({:.1} {:.1})\" stroke=\"#222\">{mark}</g>",
            x + 4.0,
            y - 4.0
        ));
        for what in lines {
            let small = format!("<tspan font-size=\"11\">{what}</tspan>");
            svg.text(x + 14.0, y, "start", &small);
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
    use crate::Shard;

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
