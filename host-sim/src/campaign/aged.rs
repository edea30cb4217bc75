//! Disks that have been used for a while: filled, overwritten, groomed, and ready for a short workload in which everything happens.

use crate::{chip, AgingModel, EmulatedNand, SplitMix64};
use cuesta::codec::PageLayout;
use cuesta::volume::{Budget, FormatOptions, Level, Parameters, Quota, Stats};
use cuesta_hal::{ChipEcc, Geometry, Nand};

use crate::campaign::change::{filling, mixture, Change};
use crate::campaign::driver::Driver;
use crate::campaign::model::Model;
use crate::campaign::rig::Rig;
use crate::campaign::session::session;
use crate::campaign::verdict;

/// Programs and erases of a short workload.
pub const SHORT: std::ops::RangeInclusive<u64> = 60..=180;
/// Workloads tried ; the one in which most happens is taken.
const TRIES_MAX: u64 = 300;
/// Rounds of ageing and of such workloads at most.
const ROUNDS_MAX: u32 = 8;
/// Segments that the groomer has reclaimed of a disk in the middle of its life: it has as little room as it is used to.
const VICTIMS_MIN: u32 = 8;
/// How often a disk is used on until it has.
const AGEING_MAX: u32 = 16;

/// A way to make a disk.
#[derive(Debug, Clone, Copy)]
pub struct Making {
    /// Name of a chip.
    pub chip: &'static str,
    /// Blocks a die, if not the chip's own number.
    pub blocks_per_die: Option<u32>,
    /// Pages of a block, if not the chip's own number.
    pub pages_per_block: Option<u16>,
    /// Main-area bytes of a page, if not the chip's own number.
    pub page_bytes: Option<u32>,
    /// Spare bytes of a page, if not the chip's own number.
    pub spare_bytes: Option<u16>,
    /// Blocks of a segment, if not the default.
    pub width: Option<u16>,
    /// Memory.
    pub budget: Budget,
    /// Writes in flight.
    pub depth: usize,
    /// Levels, as text; none for one of one copy. Writes take them in turn.
    pub levels: &'static [&'static str],
    /// The part's own error correction is on: that of the W25N01GV.
    pub chip_ecc: bool,
}

impl Making {
    /// A chip as it is, one write at a time.
    #[must_use]
    pub const fn of(chip: &'static str, budget: Budget) -> Self {
        Self {
            chip,
            blocks_per_die: None,
            pages_per_block: None,
            page_bytes: None,
            spare_bytes: None,
            width: None,
            budget,
            depth: 1,
            levels: &[],
            chip_ecc: false,
        }
    }

    /// The same with pages as those of a W25N01GV whose own error correction is on, or larger ones of that kind.
    #[must_use]
    pub const fn with_chip_ecc(self) -> Self {
        Self {
            page_bytes: match self.page_bytes {
                None => Some(2048),
                own => own,
            },
            chip_ecc: true,
            ..self
        }
    }

    /// The same with levels, on a part of so many blocks a die that has room for them.
    #[must_use]
    pub const fn with_levels(self, blocks_per_die: u32, levels: &'static [&'static str]) -> Self {
        Self {
            blocks_per_die: Some(blocks_per_die),
            page_bytes: match self.page_bytes {
                None if !levels.is_empty() => Some(1024),
                own => own,
            },
            levels,
            ..self
        }
    }

    /// A fresh disk.
    ///
    /// # Panics
    /// When it is impossible.
    #[must_use]
    pub fn make(&self, seed: u64) -> Rig {
        self.make_with(seed, None)
    }

    /// A fresh disk on a part that is rated for so many cycles and ages, with a factory-bad block on each die.
    ///
    /// # Panics
    /// When it is impossible.
    #[must_use]
    pub fn make_mortal(&self, seed: u64, rated: u32, aging: AgingModel) -> Rig {
        self.make_with(seed, Some((rated, aging)))
    }

    fn make_with(&self, seed: u64, mortal: Option<(u32, AgingModel)>) -> Rig {
        let row = chip(self.chip).expect("a chip of the table");
        let mut builder = EmulatedNand::builder(self.chip)
            .expect("a chip of the table")
            .seed(seed)
            .strict(true)
            .watch_after_torn(true);
        let own = row.geometry;
        if let Some((_, aging)) = mortal {
            builder = builder.aging(aging).random_bad_blocks(1);
        }
        let geometry = Geometry {
            endurance_cycles: mortal.map_or(own.endurance_cycles, |(rated, _)| rated),
            blocks_per_die: self.blocks_per_die.unwrap_or(own.blocks_per_die),
            pages_per_block: self.pages_per_block.unwrap_or(own.pages_per_block),
            page_bytes: self.page_bytes.unwrap_or(own.page_bytes),
            spare_bytes: self.spare_bytes.unwrap_or(own.spare_bytes),
            chip_ecc: if self.chip_ecc {
                w25n01gv_ecc()
            } else {
                own.chip_ecc
            },
            ..own
        };
        if geometry != own {
            builder = builder.geometry(geometry);
        }
        let required = PageLayout::required(&geometry).expect("a code");
        let levels: Vec<Level> = self
            .levels
            .iter()
            .map(|text| Level::parse(text, required).expect("a level"))
            .collect();
        let options = FormatOptions {
            volume_id: seed | 1,
            width: self.width,
            levels: &levels,
            ..FormatOptions::default()
        };
        let capacity = (!levels.is_empty()).then(|| {
            // Nearly as many as there is room for if every level is asked for as often.
            let geometry = *builder.clone().build().geometry();
            let parameters = Parameters::choose(&geometry, &options).expect("levels that fit");
            let quota = Quota::new(&geometry, &parameters).expect("the same");
            let metadata = PageLayout::new(&geometry, parameters.sector_bytes).expect("the same");
            let slots = |level: &Level| {
                let layout = metadata.with(level.ecc).expect("a level that fits");
                let (data, pages) = level.redundancy.stripe();
                f64::from(pages) / f64::from(data) * f64::from(layout.units())
                    / f64::from(layout.sectors())
            };
            let slots: f64 = levels.iter().map(slots).sum();
            (f64::from(quota.capacity_max) * 0.9 * levels.len() as f64 / slots) as u32
        });
        let options = FormatOptions {
            capacity,
            ..options
        };
        Rig::new(builder, &options, self.budget)
    }
}

/// The own error correction of a W25N01GV, switched on.
fn w25n01gv_ecc() -> Option<ChipEcc> {
    let ecc = chip("w25n01gv")
        .expect("a chip of the table")
        .geometry
        .chip_ecc?;
    Some(ChipEcc {
        enabled: true,
        ..ecc
    })
}

/// A disk in the middle of its life, and what it should hold.
#[derive(Debug, Clone)]
pub struct Aged {
    /// The disk, not mounted.
    pub rig: Rig,
    /// What it holds.
    pub model: Model,
    /// A workload that makes as much happen as a short one can.
    pub short: Vec<Change>,
    /// Programs and erases that it makes.
    pub changing: u64,
    /// What it makes happen.
    pub stats: Stats,
}

impl Aged {
    /// Makes a disk and uses it. Even seeds end with an unmount, odd ones with the power gone.
    ///
    /// # Panics
    /// When the disk fails.
    #[must_use]
    pub fn new(making: &Making, seed: u64) -> Self {
        let mut rig = making.make(seed);
        let mut model = Model::new();
        let mut random = SplitMix64::new(seed);
        let mut disk = rig.mount().expect("a formatted part");
        let capacity = disk.volume().capacity();
        model.moment("ageing".to_owned());
        let mut driver = Driver::new(disk.volume_mut(), &mut model, making.depth);
        let ageing = mixture(&mut random, capacity, capacity * 3 / 2);
        for changes in [&filling(capacity), &ageing] {
            driver.run(changes).expect("power");
        }
        for _ in 0..AGEING_MAX {
            if driver.volume().stats().victims >= VICTIMS_MIN {
                break;
            }
            let more = mixture(&mut random, capacity, capacity / 2);
            driver.run(&more).expect("power");
        }
        driver.run(&[Change::Flush]).expect("power");
        drop(driver);
        drop(disk);
        let mut aged = Self {
            rig,
            model,
            short: Vec::new(),
            changing: 0,
            stats: Stats::default(),
        };
        for _ in 0..ROUNDS_MAX {
            aged.age(making, &mut random, seed.is_multiple_of(2));
            let mut best = 0;
            for _ in 0..TRIES_MAX {
                best = best.max(aged.try_workload(making, &mut random, best));
            }
            if aged.stats.victims > 0 {
                return aged;
            }
        }
        panic!(
            "{making:?}, seed {seed}: no short workload makes the groomer work: {:?}",
            aged.stats
        );
    }

    /// Uses the disk a little more, to be at another point between two victims. It ends with an unmount, or with the power gone.
    fn age(&mut self, making: &Making, random: &mut SplitMix64, cleanly: bool) {
        let mut disk = self.rig.mount().expect("a disk");
        let capacity = disk.volume().capacity();
        let more = mixture(random, capacity, capacity / 4);
        let mut driver = Driver::new(disk.volume_mut(), &mut self.model, making.depth);
        driver.run(&more).expect("power");
        driver.run(&[Change::Flush]).expect("power");
        verdict::agrees(&mut disk, &self.model, "after the ageing");
        if cleanly {
            disk.unmount().map_err(|(_, error)| error).expect("room");
        } else {
            drop(disk);
        }
        self.rig.nand.power_cycle();
        self.model.power_cycled();
        self.model.moment("workload".to_owned());
    }

    /// Draws a workload and keeps it when it is short and makes more happen than the best before. What it makes happen.
    fn try_workload(&mut self, making: &Making, random: &mut SplitMix64, best: usize) -> usize {
        let count = 24 + random.below(80) as u32;
        let changes = mixture(random, self.rig.parameters.capacity, count);
        let mut rig = self.rig.clone();
        let before = rig.nand.counters();
        let mut model = self.model.clone();
        let stats = session(&mut rig, &mut model, making.depth, &changes).expect("power");
        let done = rig.nand.counters().since(&before);
        let changing = done.programs + done.erases;
        let kinds = |wanted: fn(&Change) -> bool| changes.iter().any(wanted);
        let groomed = stats.victims > 0 && stats.relocations > 0;
        let happened = [
            stats.map_pages > 0,
            // The session begins with the first.
            stats.checkpoints > 1,
            stats.erases > 4,
            kinds(|change| matches!(change, Change::Trim { .. })),
            kinds(|change| matches!(change, Change::Flush)),
            kinds(|change| matches!(change, Change::Batch(_))),
            kinds(|change| matches!(change, Change::Abort(_))),
        ];
        // A workload without a victim is none.
        let score =
            happened.iter().filter(|&&it| it).count() + usize::from(groomed) * happened.len();
        if !SHORT.contains(&changing) || score <= best {
            return 0;
        }
        self.short = changes;
        self.changing = changing;
        self.stats = stats;
        score
    }
}
