//! The levels of the volume that a policy's levels are stored at.

use cuesta_hal::Nand;

use crate::volume::{Level, LevelIndex, Redundancy, Volume, LEVELS_MAX};

/// The levels of a volume, or that they are not known.
///
/// Where they are not known, names of levels of the volume and redundancies are taken as they are: the policy can be looked at, not stored.
#[derive(Debug, Clone, Copy, Default)]
pub struct StorageLevels<'l>(Option<&'l [Option<Level>]>);

impl<'l> StorageLevels<'l> {
    /// They are not known.
    pub const UNKNOWN: Self = Self(None);

    /// These, by their numbers.
    #[must_use]
    pub const fn new(levels: &'l [Option<Level>]) -> Self {
        Self(Some(levels))
    }

    /// The levels of a volume, for [`new`](Self::new).
    pub fn of<N: Nand>(volume: &Volume<'_, N>) -> [Option<Level>; LEVELS_MAX] {
        core::array::from_fn(|number| volume.level(LevelIndex(number as u8)))
    }

    /// True when they are known.
    #[must_use]
    pub const fn are_known(&self) -> bool {
        self.0.is_some()
    }

    fn all(&self) -> impl Iterator<Item = (LevelIndex, &'l Level)> {
        let levels = self.0.unwrap_or(&[]).iter();
        (0..)
            .map(LevelIndex)
            .zip(levels)
            .filter_map(|(index, level)| Some((index, level.as_ref()?)))
    }

    /// The level of a name.
    pub(super) fn named(&self, name: &str) -> Option<LevelIndex> {
        self.all()
            .find(|(_, level)| level.name() == name)
            .map(|(index, _)| index)
    }

    /// The first level of this redundancy.
    pub(super) fn with(&self, redundancy: Redundancy) -> Option<LevelIndex> {
        self.all()
            .find(|(_, level)| level.redundancy == redundancy)
            .map(|(index, _)| index)
    }

    /// The redundancy of a level; `None` if it is not known, or there is none.
    pub(super) fn redundancy(&self, index: LevelIndex) -> Option<Redundancy> {
        self.all()
            .find(|(found, _)| *found == index)
            .map(|(_, level)| level.redundancy)
    }
}
