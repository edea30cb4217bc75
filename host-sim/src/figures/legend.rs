//! Lines through points, and what they are called.

use crate::plot::{Panel, Svg};

/// How a line looks.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub color: &'static str,
    /// Dashes, as SVG has them; empty for none.
    pub dashes: &'static str,
    /// With a dot at each point.
    pub dots: bool,
}

impl Look {
    pub const fn solid(color: &'static str) -> Self {
        Self {
            color,
            dashes: "",
            dots: true,
        }
    }

    fn style(&self) -> String {
        let dashes = match self.dashes {
            "" => String::new(),
            dashes => format!(" stroke-dasharray=\"{dashes}\""),
        };
        format!("stroke=\"{}\" stroke-width=\"1.8\"{dashes}", self.color)
    }

    /// A line through values, from left to right.
    pub fn draw(&self, svg: &mut Svg, panel: &Panel, values: &[(f64, f64)]) {
        let points: Vec<_> = values.iter().map(|&(x, y)| panel.at(x, y)).collect();
        if points.is_empty() {
            return;
        }
        svg.path(&points, &self.style());
        if self.dots {
            for (x, y) in points {
                let color = self.color;
                svg.put(format_args!(
                    "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>"
                ));
            }
        }
    }

    /// An entry of the legend.
    pub fn name(&self, svg: &mut Svg, at: (f64, f64), name: &str) {
        let y = at.1 - 5.0;
        svg.path(&[(at.0, y), (at.0 + 26.0, y)], &self.style());
        svg.text(at.0 + 34.0, at.1, "start", name);
    }
}
