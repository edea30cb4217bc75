//! Bit errors and failures that come with wear, time and reads.
//!
//! The rate of wrong bits of a read is `(wear + retention + disturb) · spread of the block`:
//!
//! * wear grows from [`fresh`](AgingModel::fresh) to [`worn`](AgingModel::worn) at the rated cycles and on, geometrically;
//! * retention grows with the time since the block's first program, and with its wear; time in storage counts more or less by its
//!   [temperature](crate::Arrhenius);
//! * disturb grows with the reads of the block since its erase, and with its wear.
//!
//! Most of the wrong bits are cells that stay wrong, and more join them as the rate grows; the rest are noise of each read. A block whose
//! erases exceed its life fails: its life is the rated cycles times a factor drawn for the block.
//!
//! The shape follows Y. Cai et al., "Error Characterization, Mitigation, and Recovery in Flash-Memory-Based Solid-State
//! Drives", Proc. IEEE 105(9), 2017. The figures of the presets are a model's, chosen
//! so that at rated wear a code of 4 bits in 512 B (SLC), 12 bits in 512 B (MLC) or 40 bits in 1 KiB (TLC) is enough; they describe
//! no particular part.

use crate::arrivals::arrivals;
use crate::clock::Ticks;
use crate::media::Place;
use crate::prng::SplitMix64;
use cuesta_hal::Geometry;

/// How a part ages. Rates are wrong bits per bit read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AgingModel {
    /// Rate of a new block.
    pub fresh: f64,
    /// Rate at the rated cycles.
    pub worn: f64,
    /// Added for each day since the block's first program, at the rated cycles; in proportion to wear below and beyond.
    pub retention_per_day: f64,
    /// Added for each read of the block since its erase, at the rated cycles; likewise.
    pub disturb_per_read: f64,
    /// A block's rate is the part's times a factor between `1 / spread` and `spread`.
    pub spread: f64,
    /// The part of the wrong bits that is noise of one read.
    pub noise: f64,
    /// A block's life is the rated cycles times a factor between these two.
    pub life: (f64, f64),
}

impl AgingModel {
    /// SLC.
    pub const SLC: Self = Self {
        fresh: 1e-9,
        worn: 1e-6,
        retention_per_day: 1e-9,
        disturb_per_read: 1e-11,
        spread: 3.0,
        noise: 0.1,
        life: (1.0, 2.0),
    };

    /// 2Y-nm MLC; 1e-9 (2 000 cycles) to 2e-8 (15 000) a read is what Cai et al., "Read Disturb Errors in MLC NAND Flash
    /// Memory", DSN 2015, measured.
    pub const MLC: Self = Self {
        fresh: 1e-6,
        worn: 3e-4,
        retention_per_day: 3e-7,
        disturb_per_read: 3e-9,
        spread: 2.0,
        noise: 0.1,
        life: (1.0, 1.5),
    };

    /// 3-D TLC.
    pub const TLC: Self = Self {
        fresh: 1e-5,
        worn: 1e-3,
        retention_per_day: 2e-6,
        disturb_per_read: 1e-9,
        spread: 2.0,
        noise: 0.1,
        life: (1.0, 1.5),
    };
}

#[derive(Debug, Clone, Copy, Default)]
struct BlockAge {
    reads: u32,
    programmed_at: Option<Age>,
}

/// A moment of a part's life, as retention counts it.
#[derive(Debug, Clone, Copy)]
struct Age {
    clock: Ticks,
    /// See [`Aging::heat_days`].
    heat_days: f64,
}

/// Aging switched on: the model and what it remembers of each block.
#[derive(Debug, Clone)]
pub(crate) struct Aging {
    model: AgingModel,
    seed: u64,
    endurance: f64,
    blocks: Vec<BlockAge>,
    /// Days of retention that heat added to those of the clock; cold takes some away.
    heat_days: f64,
    noise: SplitMix64,
}

impl Aging {
    pub(crate) fn new(model: AgingModel, seed: u64, geometry: &Geometry) -> Self {
        Self {
            model,
            seed,
            endurance: f64::from(geometry.endurance_cycles.max(1)),
            blocks: vec![BlockAge::default(); geometry.blocks() as usize],
            heat_days: 0.0,
            noise: SplitMix64::derive(seed, 0xA6E),
        }
    }

    fn of_block(&self, block: u32) -> SplitMix64 {
        SplitMix64::derive(self.seed, 0xA6E0_0000_0000 | u64::from(block))
    }

    pub(crate) fn erased(&mut self, block: u32) {
        self.blocks[block as usize] = BlockAge::default();
    }

    pub(crate) fn programmed(&mut self, block: u32, now: Ticks) {
        let age = Age {
            clock: now,
            heat_days: self.heat_days,
        };
        self.blocks[block as usize].programmed_at.get_or_insert(age);
    }

    /// Lets what is programmed age by so many days that the clock does not count.
    pub(crate) const fn heat(&mut self, days: f64) {
        self.heat_days += days;
    }

    /// True when a block erased so often has outlived its life.
    pub(crate) fn is_worn_out(&self, block: u32, erases: u32) -> bool {
        let (low, high) = self.model.life;
        let life = self.endurance * self.of_block(block).log_between(low, high);
        f64::from(erases) >= life
    }

    /// True for one operation in four on a worn-out block: programs fail now and then, erases always.
    pub(crate) fn program_fails(&mut self, block: u32, erases: u32) -> bool {
        self.is_worn_out(block, erases) && self.noise.chance(1, 4)
    }

    /// Rate of wrong bits of a read of the block now.
    fn rate(&self, block: u32, erases: u32, now: Ticks) -> f64 {
        let model = &self.model;
        let age = self.blocks[block as usize];
        let wear = f64::from(erases) / self.endurance;
        let days = age.programmed_at.map_or(0.0, |at| {
            (now - at.clock).as_us() / (86_400.0 * 1e6) + self.heat_days - at.heat_days
        });
        let mut prng = self.of_block(block);
        // The first draw is the block's life.
        let _ = prng.unit();
        let spread = prng.log_between(1.0 / model.spread, model.spread);
        let rate = model.fresh * (model.worn / model.fresh).powf(wear)
            + wear * (model.retention_per_day * days)
            + wear * (model.disturb_per_read * f64::from(age.reads));
        (rate * spread).min(0.5)
    }

    /// Counts a read and appends the bits it shows wrong, at the rate of the block times `factor`.
    pub(crate) fn flips_of_read(
        &mut self,
        place: Place,
        erases: u32,
        now: Ticks,
        factor: f64,
        bits: u32,
        wrong: &mut Vec<u32>,
    ) {
        let age = &mut self.blocks[place.block as usize];
        age.reads = age.reads.saturating_add(1);
        let rate = (self.rate(place.block, erases, now) * factor).min(0.5);
        let expected = rate * f64::from(bits);
        let page = u64::from(place.block) << 16 | u64::from(place.page);
        // Each erase draws the weak cells anew; between two erases they stay the same.
        let mut cells = SplitMix64::derive(self.seed ^ page.rotate_left(20), u64::from(erases));
        arrivals(&mut cells, expected * (1.0 - self.model.noise), bits, wrong);
        arrivals(&mut self.noise, expected * self.model.noise, bits, wrong);
    }
}

#[cfg(test)]
mod tests;
