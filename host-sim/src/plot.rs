//! Plots as SVG files that need nothing from elsewhere: no fonts, no scripts.
//!
//! Dark on a white card of their own, so they are read as well on a dark page as on a light one. The same figures give the same bytes.

mod panel;
mod svg;

pub use panel::{Panel, Scale};
pub use svg::{power_of_ten, Svg, COLORS};
