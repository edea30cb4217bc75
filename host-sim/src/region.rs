//! Parts of the array that share a fate.

use crate::media::Place;
use cuesta_hal::{BlockAddress, Die, Geometry};

/// A part of the array: what a defect or a loss extends over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Region {
    /// A die.
    Die(Die),
    /// A plane of a die: the blocks whose number in the die, modulo the planes of a die, is this.
    Plane(Die, u8),
    /// A block.
    Block(BlockAddress),
}

impl Region {
    /// True when it holds `place`.
    pub(crate) fn holds(self, geometry: &Geometry, place: Place) -> bool {
        let of = |die: Die| place.block / geometry.blocks_per_die == u32::from(die.0);
        let block = place.block % geometry.blocks_per_die;
        match self {
            Self::Die(die) => of(die),
            Self::Plane(die, plane) => {
                of(die) && block % u32::from(geometry.planes_per_die.max(1)) == u32::from(plane)
            }
            Self::Block(at) => of(at.die) && block == at.block.0,
        }
    }
}
