//! Changing the level table: a place that no data uses gets another level.
//!
//! What is stored keeps the level it was written at, because a place is only changed while no segment names it. The change is in the next
//! checkpoint and in every record page from then on; nothing is written at the new level before that checkpoint is complete.

use cuesta_hal::Nand;

use super::error::Error;
use super::level::{Level, LevelIndex};
use super::parameter_error::ParameterError;
use super::parameters::level_cost;
use super::segment_table::State;
use super::{Session, Volume};

/// Why a level cannot be set. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LevelChangeError {
    /// The table has no such place.
    NoPlace {
        /// The place asked for.
        level: LevelIndex,
        /// Places there are.
        places: u8,
    },
    /// Segments hold data of the level that is there: write it at another, or trim it.
    InUse {
        /// The place.
        level: LevelIndex,
        /// Segments that name it.
        segments: u32,
    },
    /// The level does not fit the part, or not this volume.
    Parameters(ParameterError),
    /// The volume could not write the change down.
    Volume(Error),
}

impl core::fmt::Display for LevelChangeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoPlace { level, places } => write!(
                f,
                "the level table has {places} places, 0 to {}; there is no place {}",
                places.saturating_sub(1),
                level.0
            ),
            Self::InUse { level, segments } => write!(
                f,
                "{segments} segments hold data of level {}: write it at another level, or trim it, and let idle time empty them",
                level.0
            ),
            Self::Parameters(error) => error.fmt(f),
            Self::Volume(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for LevelChangeError {}

impl<N: Nand> Volume<'_, N> {
    /// Puts a level into a place of the table that no data uses. Durable when it returns. Nothing may be in flight.
    ///
    /// A power cut leaves the old table or the new one; data is readable by either.
    ///
    /// # Errors
    /// [`LevelChangeError`]; nothing was changed unless it is [`LevelChangeError::Volume`].
    pub fn set_level(&mut self, at: LevelIndex, level: &Level) -> Result<(), LevelChangeError> {
        let places = self.parameters.levels();
        if at.0 >= places {
            return Err(LevelChangeError::NoPlace { level: at, places });
        }
        self.may_have(at, level)
            .map_err(LevelChangeError::Parameters)?;
        self.check_idle().map_err(LevelChangeError::Volume)?;
        // After an unclean end recovery may find that nothing is left in them.
        if !matches!(self.session, Session::Mounted { clean: false }) {
            self.is_unused(at)?;
        }
        if !matches!(self.session, Session::Active) {
            self.begin_session().map_err(LevelChangeError::Volume)?;
        }
        self.is_unused(at)?;
        self.levels.set(at.0, level);
        self.make_checkpoint(false)
            .map_err(LevelChangeError::Volume)
    }

    /// Whether a level fits the part and this volume, and has a name of its own.
    fn may_have(&self, at: LevelIndex, level: &Level) -> Result<(), ParameterError> {
        let (copies, parity) = (self.parameters.copies(), self.parameters.parity());
        let redundancy = level.redundancy;
        if !redundancy.is_possible() || redundancy.copies() > copies || redundancy.parity() > parity
        {
            return Err(ParameterError::Redundancy {
                redundancy,
                copies,
                parity,
            });
        }
        level_cost(&self.shape.layout, level)?;
        let named = (0..self.parameters.levels())
            .filter(|&other| other != at.0)
            .filter_map(|other| self.levels.get(other))
            .any(|other| other.name() == level.name());
        match named {
            true => Err(ParameterError::LevelName(*level)),
            false => Ok(()),
        }
    }

    /// No segment holds data of a level, or may be appended to at it.
    fn is_unused(&self, level: LevelIndex) -> Result<(), LevelChangeError> {
        let segments = self
            .segments
            .iter()
            .filter(|&segment| {
                self.segments.level(segment) == level.0
                    && matches!(
                        self.segments.state(segment),
                        State::Open | State::Closed | State::Ailing | State::Failing
                    )
            })
            .count() as u32;
        match segments {
            0 => Ok(()),
            segments => Err(LevelChangeError::InUse { level, segments }),
        }
    }
}
