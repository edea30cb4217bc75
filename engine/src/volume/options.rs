//! What a host may say about a write beside its data.

use super::level::LevelIndex;

/// How a sector is written: by default at the first level, beside those that seem to live as long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteOptions {
    /// The level. The sector keeps it until it is written again.
    pub level: LevelIndex,
    /// The stream, if the host knows better than the volume can estimate which sectors will be overwritten together.
    pub stream: Option<StreamId>,
}

impl From<LevelIndex> for WriteOptions {
    fn from(level: LevelIndex) -> Self {
        Self {
            level,
            ..Self::default()
        }
    }
}

/// A host's placement hint: sectors written with the same number share segments, as long as free space allows it. 0 is for those that are overwritten soonest;
/// numbers above the [classes](super::Parameters::classes) that the volume has for such data stand for the last of them, of what is hardly ever overwritten.
///
/// The number is not stored with the sector: what outlives its segment is relocated by its age. It is a hint: wrong ones cost write amplification, nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StreamId(pub u8);
