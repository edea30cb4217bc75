//! Parameters for a part, as they are asked for.

use cuesta_hal::{Geometry, Pairing};

use super::level::{Level, Redundancy, COPIES_MAX, LEVELS_MAX, PARITY_MAX};
use super::parameter_error::ParameterError;
use super::parameters::{
    default_sector_bytes, level_cost, width_fits, Parameters, SLOT_COST, SYSTEM_MAX,
};
use super::quota::Quota;
use super::stream::CLASSES_MAX;
use crate::codec::PageLayout;

/// What the caller of `format` chooses; `None` takes the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FormatOptions<'l> {
    /// Identity of the volume: give every volume another.
    pub volume_id: u64,
    /// Sectors; by default all that would fit if everything were written at the level that takes most room. With more than that, writes at such a level
    /// may find no space.
    pub capacity: Option<u32>,
    /// Blocks of a segment; a divisor of the number of dies, and no less than the copies of any level.
    pub width: Option<u16>,
    /// The levels; of the first one is what is written without naming a level. None: one level of one copy, protected by the code that the part's data
    /// sheet asks for.
    pub levels: &'l [Level],
    /// Places of the level table, for levels to be added later; by default as many as there are levels.
    pub level_places: Option<u8>,
    /// Copies that levels to be added later may have at most; by default as many as the levels here have.
    pub level_copies: Option<u8>,
    /// Pages of data to one of parity that levels to be added later may have at most; by default as many as the levels here have.
    pub level_parity: Option<u8>,
    /// Data classes, 1 to 8; by default by the number of segments.
    pub classes: Option<u8>,
    /// Sectors for what belongs to the volume as a whole, its policy; 0 to 7. They are taken from those of hosts.
    pub system: u8,
}

/// Segments as wide as possible while there are at least 64 of them, and as the copies of a page want it.
fn default_width(geometry: &Geometry, copies: u16) -> u16 {
    let mut width = 1;
    while geometry.dies.is_multiple_of(width * 2)
        && width < 32
        && geometry.blocks() / u32::from(width * 2) >= 64
    {
        width *= 2;
    }
    (width.max(copies)..=geometry.dies.max(copies))
        .find(|&width| width_fits(geometry, width))
        .unwrap_or(width)
}

impl FormatOptions<'_> {
    /// The most copies, and the widest parity, that levels of now or later may have.
    fn redundancies(&self) -> Result<[Redundancy; 2], ParameterError> {
        let most = |of: fn(Redundancy) -> u8, asked: Option<u8>| {
            let levels = self.levels.iter().map(|level| of(level.redundancy));
            levels.chain(asked).max().unwrap_or(0)
        };
        let copies = most(Redundancy::copies, self.level_copies);
        let parity = most(Redundancy::parity, self.level_parity);
        let wanted = [
            if copies > 1 {
                Redundancy::Mirror(copies)
            } else {
                Redundancy::Single
            },
            if parity > 0 {
                Redundancy::Parity(parity)
            } else {
                Redundancy::Single
            },
        ];
        let own = self.levels.iter().map(|level| level.redundancy);
        match own.chain(wanted).find(|wanted| !wanted.is_possible()) {
            Some(redundancy) => Err(ParameterError::Redundancy {
                redundancy,
                copies: COPIES_MAX,
                parity: PARITY_MAX,
            }),
            None => Ok(wanted),
        }
    }
}

impl Parameters {
    /// Chooses the parameters for a geometry.
    ///
    /// # Errors
    /// What does not fit, with the numbers.
    pub fn choose(
        geometry: &Geometry,
        options: &FormatOptions<'_>,
    ) -> Result<Self, ParameterError> {
        geometry.validate().map_err(ParameterError::Geometry)?;
        if geometry.pairing != Pairing::None {
            return Err(ParameterError::PairedPages);
        }
        let wanted = options.redundancies()?;
        let stripe = wanted.iter().map(|wanted| wanted.stripe().1).max();
        let width = options
            .width
            .unwrap_or_else(|| default_width(geometry, stripe.unwrap_or(1).into()));
        for redundancy in wanted {
            let pages = u16::from(redundancy.stripe().1);
            let on_one_die = geometry.dies == 1 && redundancy.parity() == 0;
            let places = match pages > geometry.dies && !on_one_die {
                true => geometry.dies,
                false => width,
            };
            if pages > places {
                return Err(ParameterError::Stripe { redundancy, places });
            }
        }
        if !width_fits(geometry, width) {
            return Err(ParameterError::Width {
                width,
                dies: geometry.dies,
            });
        }
        let places = match options.level_places {
            Some(places) => usize::from(places),
            None => options.levels.len().max(1),
        };
        if places == 0 || places > LEVELS_MAX || options.levels.len() > places {
            return Err(ParameterError::Levels {
                asked: options.levels.len(),
                places,
            });
        }
        let segments = geometry.blocks() / u32::from(width);
        let classes = options
            .classes
            .unwrap_or_else(|| (segments / 128).clamp(2, CLASSES_MAX as u32) as u8);
        if classes == 0 || usize::from(classes) > CLASSES_MAX {
            return Err(ParameterError::Classes(classes));
        }
        let mut parameters = Self {
            volume_id: options.volume_id,
            capacity: 0,
            sector_bytes: default_sector_bytes(geometry),
            width,
            classes,
            levels: places as u8,
            copies: 1 + wanted
                .map(Redundancy::survives)
                .into_iter()
                .max()
                .unwrap_or(0),
            parity: wanted
                .map(Redundancy::parity)
                .into_iter()
                .max()
                .unwrap_or(0),
            system: options.system,
        };
        if options.system > SYSTEM_MAX {
            return Err(ParameterError::System {
                asked: options.system,
                max: SYSTEM_MAX,
            });
        }
        let quota = Quota::new(geometry, &parameters)?;
        let layout =
            PageLayout::new(geometry, parameters.sector_bytes).map_err(ParameterError::Layout)?;
        let mut cost = SLOT_COST;
        for (index, level) in options.levels.iter().enumerate() {
            if options.levels[..index]
                .iter()
                .any(|other| other.name() == level.name())
            {
                return Err(ParameterError::LevelName(*level));
            }
            cost = cost.max(level_cost(&layout, level)?);
        }
        let default = u64::from(quota.capacity_max) * u64::from(SLOT_COST) / u64::from(cost);
        let system = u32::from(options.system);
        let max = quota.capacity_max.saturating_sub(system);
        let default = (default as u32).saturating_sub(system);
        let asked = options.capacity.unwrap_or(default);
        if asked > max || asked == 0 {
            return Err(ParameterError::Capacity { asked, max });
        }
        parameters.capacity = asked;
        Ok(parameters)
    }
}

#[cfg(test)]
#[cfg(feature = "wide")]
mod tests {
    use super::*;
    use crate::codec::Ecc;
    use crate::volume::quota::{SEGMENT_SLOTS_MAX, SLOTS_MAX};
    use crate::volume::{Budget, Plan, Shape};
    use cuesta_hal::{EccNeed, MarkerPages, MarkerPlace};
    use std::string::ToString;

    fn part(dies: u16, blocks_per_die: u32, pages_per_block: u16, page_bytes: u32) -> Geometry {
        Geometry {
            dies,
            blocks_per_die,
            pages_per_block,
            page_bytes,
            spare_bytes: (page_bytes / 8).max(64) as u16,
            buffers_per_die: 2,
            planes_per_die: 1,
            partial_programs_max: 1,
            bad_blocks_max_per_die: 2,
            endurance_cycles: 100_000,
            reads_per_block_max: 0,
            bad_block_marker: MarkerPlace {
                pages: MarkerPages::First,
                spare_offset: 0,
                len: 2,
            },
            chip_ecc: None,
            ecc_need: EccNeed {
                bits: 1,
                per_bytes: 512,
            },
            pairing: Pairing::None,
        }
    }

    fn level(redundancy: Redundancy) -> Level {
        Level::new("a", Ecc::Bch4, redundancy).unwrap()
    }

    #[test]
    fn redundancies_that_there_cannot_be_are_refused() {
        let geometry = part(4, 256, 64, 2048);
        let mirrors = [0, 1, COPIES_MAX + 1, u8::MAX].map(Redundancy::Mirror);
        let parities = [0, 1, PARITY_MAX + 1, u8::MAX].map(Redundancy::Parity);
        for redundancy in mirrors.into_iter().chain(parities) {
            for levels in [
                &[level(redundancy)][..],
                &[level(Redundancy::Single), level(redundancy)],
                &[level(Redundancy::Parity(3)), level(redundancy)],
            ] {
                let options = FormatOptions {
                    levels,
                    ..FormatOptions::default()
                };
                let refused = ParameterError::Redundancy {
                    redundancy,
                    copies: COPIES_MAX,
                    parity: PARITY_MAX,
                };
                assert_eq!(Parameters::choose(&geometry, &options), Err(refused));
            }
        }
    }

    fn choose(geometry: &Geometry) -> Result<Parameters, ParameterError> {
        Parameters::choose(geometry, &FormatOptions::default())
    }

    #[test]
    fn a_part_with_more_slots_than_locations_can_name_is_refused() {
        // Four sectors a page.
        let (slots, max) = (1 << 31, SLOTS_MAX);
        assert!(choose(&part(1, 1 << 13, 1 << 15, 16384)).is_ok());
        let error = choose(&part(1, 1 << 14, 1 << 15, 16384));
        assert_eq!(error, Err(ParameterError::Slots { slots, max }));
    }

    #[test]
    fn a_segment_with_more_slots_than_can_be_counted_is_refused() {
        let options = |width| FormatOptions {
            width: Some(width),
            ..FormatOptions::default()
        };
        let geometry = part(400, 64, u16::MAX, 4096);
        let found = Parameters::choose(&geometry, &options(400));
        let (slots, max) = (400 * u64::from(u16::MAX), SEGMENT_SLOTS_MAX);
        assert_eq!(found, Err(ParameterError::SegmentSlots { slots, max }));
    }

    #[test]
    fn a_part_of_one_page_a_block_is_refused() {
        let (pages, needed) = (1, 2);
        for dies in [1, 4] {
            let error = choose(&part(dies, 4096, 1, 2048));
            assert_eq!(error, Err(ParameterError::BlockPages { pages, needed }));
            assert!(choose(&part(dies, 4096, 64, 2048)).is_ok());
        }
    }

    #[test]
    fn a_part_on_which_all_blocks_may_be_bad_is_refused() {
        for bad_blocks_max_per_die in [4096, 1 << 30, u32::MAX] {
            let geometry = Geometry {
                bad_blocks_max_per_die,
                ..part(4, 4096, 64, 2048)
            };
            let error = choose(&geometry);
            assert!(matches!(error, Err(ParameterError::TooSmall { .. })));
        }
    }

    #[test]
    fn memory_in_full_is_no_less_than_the_minimum_on_many_dies() {
        let geometry = part(508, 32, 8, 16384);
        let parameters = choose(&geometry).unwrap();
        let plan = |budget| Plan::new(&geometry, &parameters, budget, 1, 4096).unwrap();
        let least = plan(Budget::Minimum).unwrap();
        assert!(plan(Budget::Full).unwrap().delta_bytes >= least.delta_bytes);
        let bytes = least.bytes() + (1 << 30);
        assert!(plan(Budget::Bytes(bytes)).unwrap().delta_bytes >= least.delta_bytes);
    }

    /// What follows from parameters that were chosen fits them.
    fn follows(geometry: &Geometry, parameters: &Parameters) {
        let quota = Quota::new(geometry, parameters).unwrap();
        assert!(parameters.capacity > 0 && parameters.capacity <= quota.capacity_max);
        let shape = Shape::new(geometry, parameters).unwrap();
        assert!(quota.capacity_max <= shape.slots());
        assert_eq!(shape.segments, geometry.blocks() / shape.width());
        let plan = |budget| Plan::new(geometry, parameters, budget, 1, 4096).unwrap();
        let least = plan(Budget::Minimum).unwrap();
        let most = plan(Budget::Full).unwrap();
        assert!(least.bytes() <= most.bytes());
        for offered in [least.bytes(), most.bytes(), 2 * most.bytes()] {
            match plan(Budget::Bytes(offered)) {
                Ok(plan) => assert!(plan.delta_bytes >= least.delta_bytes),
                Err(error) => assert!(error.minimum >= least.bytes()),
            }
        }
    }

    #[test]
    fn every_geometry_has_parameters_or_an_error() {
        let redundancies = [
            Redundancy::Single,
            Redundancy::Mirror(3),
            Redundancy::Parity(8),
        ];
        let mut chosen = 0;
        for dies in [1, 2, 3, 9, 300, u16::MAX] {
            for blocks in [1, 3, 64, 4096, 1 << 20, 1 << 27, (1 << 31) - 1] {
                for pages in [1, 2, 3, 64, 4096, u16::MAX] {
                    for page_bytes in [512, 2048, 16384] {
                        for bad in [0, 2, 1 << 16, u32::MAX] {
                            let geometry = Geometry {
                                bad_blocks_max_per_die: bad,
                                ..part(dies, blocks, pages, page_bytes)
                            };
                            for redundancy in redundancies {
                                for width in [None, Some(1), Some(dies)] {
                                    let options = FormatOptions {
                                        width,
                                        levels: &[level(redundancy)],
                                        ..FormatOptions::default()
                                    };
                                    match Parameters::choose(&geometry, &options) {
                                        Ok(parameters) => {
                                            follows(&geometry, &parameters);
                                            chosen += 1;
                                        }
                                        Err(error) => assert!(!error.to_string().is_empty()),
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        assert!(chosen > 100, "{chosen}");
    }
}
