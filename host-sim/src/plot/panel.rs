//! A pair of axes with a grid.

use super::svg::{power_of_ten, Svg};

/// How values lie along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// Evenly, from one value to another, with a label every so much of so many digits.
    Linear {
        /// The ends.
        ends: (f64, f64),
        /// From label to label.
        step: f64,
        /// Digits behind the point.
        digits: usize,
    },
    /// By their logarithms, from one power of ten to another.
    Decades(i32, i32),
}

impl Scale {
    /// Where a value lies: 0 at the first end, 1 at the other. Values beyond the ends lie at them.
    #[must_use]
    pub fn share(&self, value: f64) -> f64 {
        let (value, low, high) = match *self {
            Self::Linear { ends, .. } => (value, ends.0, ends.1),
            Self::Decades(low, high) => (value.log10(), f64::from(low), f64::from(high)),
        };
        ((value - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// Values with their labels.
    fn labels(&self) -> Vec<(f64, String)> {
        match *self {
            Self::Linear { ends, step, digits } => {
                let steps = ((ends.1 - ends.0) / step + 1e-9).floor() as u32;
                (0..=steps)
                    .map(|number| ends.0 + step * f64::from(number))
                    .map(|value| (value, format!("{value:.digits$}")))
                    .collect()
            }
            Self::Decades(low, high) => (low..=high)
                .map(|exponent| (10_f64.powi(exponent), power_of_ten(exponent)))
                .collect(),
        }
    }
}

/// A pair of axes with a grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Panel {
    /// Left and top.
    pub from: (f64, f64),
    /// Right and bottom.
    pub to: (f64, f64),
    /// Along the lower side.
    pub x: Scale,
    /// Along the left side, upwards.
    pub y: Scale,
}

impl Panel {
    /// Where a pair of values is in the picture.
    #[must_use]
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (
            self.from.0 + self.x.share(x) * (self.to.0 - self.from.0),
            self.to.1 - self.y.share(y) * (self.to.1 - self.from.1),
        )
    }

    /// Draws grid, labels and frame, and what the axes are.
    pub fn draw(&self, svg: &mut Svg, title: &str, x: &str, y: &str) {
        let ((left, top), (right, bottom)) = (self.from, self.to);
        for (value, label) in self.x.labels() {
            let at = left + self.x.share(value) * (right - left);
            svg.line((at, top), (at, bottom), "#ddd");
            svg.text(at, bottom + 18.0, "middle", &label);
        }
        for (value, label) in self.y.labels() {
            let at = bottom - self.y.share(value) * (bottom - top);
            svg.line((left, at), (right, at), "#ddd");
            svg.text(left - 8.0, at + 5.0, "end", &label);
        }
        svg.put(format_args!(
            "<rect x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#222\"/>",
            right - left,
            bottom - top
        ));
        svg.text(left, top - 8.0, "start", title);
        svg.text((left + right) / 2.0, bottom + 38.0, "middle", x);
        svg.upright(left - 48.0, (top + bottom) / 2.0, y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_where_their_scale_says_and_never_outside() {
        let linear = Scale::Linear {
            ends: (0.5, 1.0),
            step: 0.1,
            digits: 1,
        };
        assert_eq!(linear.share(0.75), 0.5);
        assert_eq!(linear.share(7.0), 1.0);
        assert_eq!(linear.labels().len(), 6);
        let decades = Scale::Decades(0, 4);
        assert_eq!(decades.share(100.0), 0.5);
        assert_eq!(decades.share(0.0), 0.0);
        let panel = Panel {
            from: (10.0, 20.0),
            to: (110.0, 70.0),
            x: linear,
            y: decades,
        };
        assert_eq!(panel.at(0.75, 100.0), (60.0, 45.0));
    }
}
