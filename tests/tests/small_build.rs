//! What the smallest build of the engine does not serve is refused by name: `cargo test -p cuesta-tests --no-default-features --test small_build`.
#![cfg(not(feature = "wide"))]

use cuesta::codec::Ecc;
use cuesta::hal::{Geometry, Nand};
use cuesta::volume::{FormatOptions, Level, ParameterError, Parameters, Redundancy};
use cuesta_sim::EmulatedNand;

fn level(name: &str, redundancy: Redundancy) -> Level {
    Level::new(name, Ecc::Bch4, redundancy).unwrap()
}

#[test]
fn several_dies_levels_and_copies_are_refused() {
    let part = *EmulatedNand::of("w25n01gv").unwrap().geometry();
    let dies = Geometry { dies: 2, ..part };
    let one = [level("one", Redundancy::Single)];
    let two = [one[0], level("two", Redundancy::Single)];
    let copies = [level("copies", Redundancy::Mirror(2))];
    let chosen = |geometry: &Geometry, levels: &[Level]| {
        let options = FormatOptions {
            levels,
            ..FormatOptions::default()
        };
        Parameters::choose(geometry, &options).map(|parameters| parameters.levels())
    };
    assert_eq!(chosen(&part, &[]), Ok(1));
    assert_eq!(chosen(&part, &one), Ok(1));
    let refused = Err(ParameterError::NotBuilt);
    assert_eq!(chosen(&part, &two), refused);
    assert_eq!(chosen(&part, &copies), refused);
    assert_eq!(chosen(&dies, &[]), refused);
}
