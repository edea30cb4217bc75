//! One stream for the host, one for what is relocated.

use super::{Moment, Placement, Version};

pub(super) struct Single;

impl Placement for Single {
    fn streams(&self) -> u8 {
        2
    }

    fn write(&mut self, _: Moment, _: Option<Version>) -> u8 {
        0
    }

    fn relocate(&mut self, _: Moment, _: Version) -> u8 {
        1
    }
}
