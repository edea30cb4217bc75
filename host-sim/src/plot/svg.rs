//! An SVG file as it grows.

use std::fmt::{Arguments, Write};

/// Colours that people with any kind of colour vision tell apart: M. Okabe, K. Ito, "Color Universal Design" (2002).
pub const COLORS: [&str; 7] = [
    "#000000", "#e69f00", "#56b4e9", "#009e73", "#d55e00", "#0072b2", "#cc79a7",
];

/// An SVG file as it grows.
#[derive(Debug, Clone)]
pub struct Svg {
    text: String,
}

impl Svg {
    /// A white picture of this size.
    #[must_use]
    pub fn new(width: f64, height: f64) -> Self {
        Self {
            text: format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"14\" \
                 fill=\"#222\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
            ),
        }
    }

    /// Adds a line of markup.
    pub fn put(&mut self, line: Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{line}");
    }

    /// Adds text that is anchored at its `start`, `middle` or `end`; `what` may be marked up.
    pub fn text(&mut self, x: f64, y: f64, anchor: &str, what: &str) {
        self.put(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" stroke=\"none\">{what}</text>"
        ));
    }

    /// Adds a title at the left.
    pub fn title(&mut self, x: f64, what: &str) {
        let title = format!("<tspan font-size=\"18\">{what}</tspan>");
        self.text(x, 34.0, "start", &title);
    }

    /// Adds text that runs upwards around a point.
    pub fn upright(&mut self, x: f64, y: f64, what: &str) {
        self.put(format_args!(
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" transform=\"rotate(-90 {x} {y})\">{what}</text>"
        ));
    }

    /// Adds a straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), color: &str) {
        self.put(format_args!(
            "<path d=\"M{:.1} {:.1}L{:.1} {:.1}\" stroke=\"{color}\" fill=\"none\"/>",
            from.0, from.1, to.0, to.1
        ));
    }

    /// Adds a line through points, with `style` as further attributes.
    pub fn path(&mut self, points: &[(f64, f64)], style: &str) {
        let mut path = String::new();
        for (x, y) in points {
            let command = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{command}{x:.1} {y:.1}");
        }
        self.put(format_args!("<path d=\"{path}\" fill=\"none\" {style}/>"));
    }

    /// The file.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }
}

/// A power of ten, its exponent raised.
#[must_use]
pub fn power_of_ten(exponent: i32) -> String {
    if exponent == 0 {
        return "1".to_owned();
    }
    let sign = if exponent < 0 { "\u{2212}" } else { "" };
    let digits = exponent.unsigned_abs();
    format!("10<tspan dy=\"-5\" font-size=\"10\">{sign}{digits}</tspan>")
}
