//! The emulated part: how it is made and what it tells about itself.

use crate::access::Access;
use crate::aging::{Aging, AgingModel};
use crate::bit_flips::BitFlips;
use crate::chips::{chip, Chip, Timing, UnknownChip};
use crate::clock::{Clock, Ticks};
use crate::counters::{Counters, Wear};
use crate::defects::Defects;
use crate::factory::{mark_bad_blocks, BadBlocks};
use crate::faults::{Fault, Faults};
use crate::losses::Losses;
use crate::media::{Media, RamMedia};
use crate::moments::Watching;
use crate::power::{CutPlan, Power};
use crate::prng::SplitMix64;
use crate::referee::{Record, Referee, Violation};
use crate::region::Region;
use cuesta_hal::{BlockAddress, Buffer, Columns, Die, Geometry, PageAddress};
use std::collections::BTreeSet;
use std::sync::Arc;

/// An operation on a die.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Read {
        page: PageAddress,
        columns: Columns,
        buffer: Buffer,
    },
    Program {
        page: PageAddress,
        buffer: Buffer,
        bytes: Arc<[u8]>,
    },
    Erase {
        block: BlockAddress,
    },
}

/// An operation in flight.
#[derive(Debug, Clone)]
pub(crate) struct Flight {
    pub(crate) operation: Operation,
    /// Number of the operation over the life of the part.
    pub(crate) number: u64,
    pub(crate) fault: Option<Fault>,
}

/// A NAND part whose array is emulated over `M`.
///
/// Use it as [`EmulatedNand`] (in memory, cheap to clone, so that a test can branch) or as
/// [`ImageNand`](crate::ImageNand) (a file). It keeps the true array apart from what reads return, moves a virtual clock, referees
/// what the caller does, cuts the power and injects faults. Everything random follows from one seed.
///
/// Virtual time passes only in [`wait`](cuesta_hal::Nand::wait) and [`advance`](Self::advance): who polls without waiting polls for ever.
#[derive(Debug, Clone)]
pub struct Emulator<M> {
    pub(crate) chip_name: &'static str,
    pub(crate) geometry: Geometry,
    pub(crate) timing: Timing,
    pub(crate) media: M,
    pub(crate) buffers: Vec<Vec<u8>>,
    pub(crate) flights: Vec<Option<Flight>>,
    pub(crate) clock: Clock,
    pub(crate) referee: Referee,
    pub(crate) counts: Counters,
    pub(crate) power: Power,
    pub(crate) faults: Faults,
    pub(crate) losses: Losses,
    pub(crate) defects: Defects,
    pub(crate) bit_flips: BitFlips,
    pub(crate) aging: Option<Aging>,
    pub(crate) noise: SplitMix64,
    pub(crate) watching: Watching<M>,
    pub(crate) operations_max: u64,
    pub(crate) accesses: Option<Vec<Access>>,
}

/// The emulated part in memory.
pub type EmulatedNand = Emulator<RamMedia>;

/// How to make an [`EmulatedNand`].
#[derive(Debug, Clone)]
pub struct Builder {
    chip: Chip,
    seed: u64,
    strict: bool,
    watch_after_torn: bool,
    bad: BadBlocks,
    aging: Option<AgingModel>,
}

impl Builder {
    /// A part like `chip`, seed 0, without bad blocks, faults off, and a referee that returns errors.
    #[must_use]
    pub const fn new(chip: &Chip) -> Self {
        Self {
            chip: *chip,
            seed: 0,
            strict: false,
            watch_after_torn: false,
            bad: BadBlocks::None,
            aging: None,
        }
    }

    /// What everything random follows from.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// With `true`, whatever the referee objects to panics at once with the history of the block. Meant for tests of an
    /// engine.
    #[must_use]
    pub const fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// With `true`, the referee also objects to programming a page after one that a cut tore in the same block: data sheets allow
    /// it, a careful engine does not do it.
    #[must_use]
    pub const fn watch_after_torn(mut self, watch: bool) -> Self {
        self.watch_after_torn = watch;
        self
    }

    /// Another shape, for tests over geometries.
    #[must_use]
    pub const fn geometry(mut self, geometry: Geometry) -> Self {
        self.chip.geometry = geometry;
        self
    }

    /// Other times.
    #[must_use]
    pub const fn timing(mut self, timing: Timing) -> Self {
        self.chip.timing = timing;
        self
    }

    /// Switches the part's own ECC on or off, if it has one.
    #[must_use]
    pub const fn chip_ecc(mut self, enabled: bool) -> Self {
        if let Some(ecc) = self.chip.geometry.chip_ecc.as_mut() {
            ecc.enabled = enabled;
        }
        self
    }

    /// Lets the part age; without it, wear, time and reads do no harm. What an image file keeps of it is the erase counts.
    #[must_use]
    pub const fn aging(mut self, model: AgingModel) -> Self {
        self.aging = Some(model);
        self
    }

    /// The factory marks these blocks bad.
    #[must_use]
    pub fn bad_blocks(mut self, blocks: &[BlockAddress]) -> Self {
        self.bad = BadBlocks::Listed(blocks.to_vec());
        self
    }

    /// The factory marks `per_die` blocks of each die bad, by the seed, half of them in clusters. Never block 0, which data sheets
    /// guarantee.
    #[must_use]
    pub fn random_bad_blocks(mut self, per_die: u32) -> Self {
        self.bad = BadBlocks::Drawn(per_die);
        self
    }

    /// Makes the part.
    ///
    /// # Panics
    /// When the geometry given with [`geometry`](Self::geometry) is none.
    #[must_use]
    pub fn build(self) -> EmulatedNand {
        let geometry = self.chip.geometry;
        let media = RamMedia::new(geometry.blocks(), geometry.pages_per_block);
        let mut nand = self.over(media);
        if let Err(error) = self.mark(&mut nand) {
            unreachable!("memory does not fail: {error}");
        }
        nand
    }

    /// Writes the factory's marks, on a new part.
    pub(crate) fn mark<M: Media>(&self, nand: &mut Emulator<M>) -> std::io::Result<()> {
        mark_bad_blocks(&self.bad, self.seed, &nand.geometry, &mut nand.media)
    }

    /// The chip as it will be.
    pub(crate) const fn chip(&self) -> &Chip {
        &self.chip
    }

    /// The emulator over given media.
    pub(crate) fn over<M: Media>(&self, media: M) -> Emulator<M> {
        let geometry = self.chip.geometry;
        if let Err(error) = geometry.validate() {
            panic!("chip {}: {error}", self.chip.name);
        }
        let dies = usize::from(geometry.dies);
        let page = vec![0xFF; geometry.raw_page_bytes() as usize];
        let mut referee = Referee::new(geometry.blocks(), self.strict);
        referee.watch_after_torn = self.watch_after_torn;
        Emulator {
            chip_name: self.chip.name,
            geometry,
            timing: self.chip.timing,
            media,
            buffers: vec![page; dies * usize::from(geometry.buffers_per_die)],
            flights: vec![None; dies],
            clock: Clock::new(geometry.dies, self.chip.timing.channels),
            referee,
            counts: Counters::default(),
            power: Power::default(),
            faults: Faults::none(self.seed, geometry.blocks_per_die),
            losses: Losses::none(self.seed),
            defects: Defects::none(self.seed, &geometry),
            bit_flips: BitFlips::default(),
            aging: self
                .aging
                .map(|model| Aging::new(model, self.seed, &geometry)),
            noise: SplitMix64::derive(self.seed, 0x01),
            watching: Watching::default(),
            operations_max: u64::MAX,
            accesses: None,
        }
    }
}

impl EmulatedNand {
    /// A new part of the chip table, as [`Builder::new`] makes it.
    ///
    /// # Errors
    /// No chip has that name.
    pub fn of(chip_name: &str) -> Result<Self, UnknownChip> {
        Ok(Builder::new(chip(chip_name)?).build())
    }

    /// A builder for a part of the chip table.
    ///
    /// # Errors
    /// No chip has that name.
    pub fn builder(chip_name: &str) -> Result<Builder, UnknownChip> {
        Ok(Builder::new(chip(chip_name)?))
    }
}

impl<M: Media> Emulator<M> {
    /// Name of the chip in the table.
    #[must_use]
    pub const fn chip_name(&self) -> &'static str {
        self.chip_name
    }

    /// Times of the chip.
    #[must_use]
    pub const fn timing(&self) -> &Timing {
        &self.timing
    }

    /// Virtual time in nanoseconds.
    #[must_use]
    pub const fn now_ns(&self) -> u64 {
        self.clock.now().as_ns()
    }

    /// Virtual time, exact.
    #[must_use]
    pub const fn now(&self) -> Ticks {
        self.clock.now()
    }

    /// Lets `ns` nanoseconds pass: operations in flight go on, a cut planned for that time happens.
    pub fn advance(&mut self, ns: u64) {
        let target = self.clock.now() + Ticks::from_ns(ns);
        self.pass_to(target);
    }

    /// What the part was made to do so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let ns = |ticks: &[Ticks]| ticks.iter().map(|t| t.as_ns()).collect();
        Counters {
            now_ns: self.now_ns(),
            die_busy_ns: ns(self.clock.die_busy()),
            channel_busy_ns: ns(self.clock.channel_busy()),
            ..self.counts.clone()
        }
    }

    /// Array operations over the life of the part.
    #[must_use]
    pub const fn operations(&self) -> u64 {
        self.counts.operations()
    }

    /// Number of a block counted over all dies, if the block exists.
    pub(crate) const fn index(&self, block: BlockAddress) -> Option<u32> {
        if self.geometry.has_block(block) {
            Some(block.die.0 as u32 * self.geometry.blocks_per_die + block.block.0)
        } else {
            None
        }
    }

    /// How often a block was erased; 0 for a block that does not exist.
    #[must_use]
    pub fn erase_count(&self, block: BlockAddress) -> u32 {
        self.index(block)
            .map_or(0, |index| self.media.block(index).erases)
    }

    /// Makes a block as worn as `erases` erases make it. No effect on a block that does not exist.
    ///
    /// # Errors
    /// The image file cannot be written.
    pub fn preset_erase_count(&mut self, block: BlockAddress, erases: u32) -> std::io::Result<()> {
        let Some(index) = self.index(block) else {
            return Ok(());
        };
        let state = self.media.block(index);
        self.media
            .set_block(index, crate::BlockState { erases, ..state })
    }

    /// Erase counts over the blocks that the factory did not mark.
    #[must_use]
    pub fn wear(&self) -> Wear {
        Wear::of(
            (0..self.geometry.blocks())
                .map(|index| self.media.block(index))
                .filter(|block| !block.factory_bad)
                .map(|block| block.erases),
        )
    }

    /// True when the factory marked the block.
    #[must_use]
    pub fn is_factory_bad(&self, block: BlockAddress) -> bool {
        self.index(block)
            .is_some_and(|index| self.media.block(index).factory_bad)
    }

    /// The first violations, in order.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        self.referee.violations()
    }

    /// How many violations there were.
    #[must_use]
    pub const fn violation_count(&self) -> u64 {
        self.referee.count()
    }

    /// The last deeds on a block, oldest first: for the message of a test that fails.
    #[must_use]
    pub fn history(&self, block: BlockAddress) -> Vec<Record> {
        self.index(block)
            .map_or_else(Vec::new, |index| self.referee.history(index))
    }

    /// Changes what [`Builder::strict`] said.
    pub const fn set_strict(&mut self, strict: bool) {
        self.referee.strict = strict;
    }

    /// From now on, panics when operation `number` over the life of the part is started: whoever goes on for ever is stopped.
    pub const fn limit_operations(&mut self, number: u64) {
        self.operations_max = number;
    }

    /// The faults, to inject or to clear.
    pub const fn faults(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// The defects of the array, to place, to scatter or to clear.
    pub const fn defects(&mut self) -> &mut Defects {
        &mut self.defects
    }

    /// Flips exactly `count` random bits among the bytes `bytes` of a raw page (all that are not flipped yet, if these are fewer) until its
    /// block is erased, and gives them in order. Bit `b` is bit `b mod 8` of byte `b / 8`.
    ///
    /// Which bits follows from `seed` alone. Every read shows them, after power cycles as well; an image file does not keep them. The truth
    /// that [`true_bytes`](Self::true_bytes) tells does not change.
    pub fn flip_bits(
        &mut self,
        page: PageAddress,
        bytes: std::ops::Range<u32>,
        count: u32,
        seed: u64,
    ) -> Vec<u32> {
        let raw = self.geometry.raw_page_bytes();
        let bits = bytes.start.min(raw) * 8..bytes.end.min(raw) * 8;
        crate::Place::of(&self.geometry, page).map_or_else(Vec::new, |place| {
            self.bit_flips.flip(place, bits, count, seed)
        })
    }

    /// Loses a die for good; its logic still answers. From now on, for what is in flight as well, reads of it fill the buffer with
    /// garbage (`Uncorrectable` with on-die ECC; without, a read that went well), programs settle as `ProgramFailed` and erases as
    /// `EraseFailed`.
    ///
    /// Neither [`power_cycle`](Self::power_cycle) nor [`Faults::clear`] brings it back; an image file that is opened again holds a whole
    /// part. The referee goes on as with any operation that fails. [`true_bytes`](Self::true_bytes) still tells what was there.
    pub fn lose_die(&mut self, die: Die) {
        self.losses.lose(Region::Die(die));
    }

    /// Loses the blocks `b` of a die with `b mod planes = plane`, as [`lose_die`](Self::lose_die) loses all.
    pub fn lose_plane(&mut self, die: Die, plane: u8) {
        self.losses.lose(Region::Plane(die, plane));
    }

    /// Loses a die for good, and it does not answer: every operation on it, those in flight included, times out and changes nothing.
    /// [`Faults::kill_die`] does the same until the die is revived.
    pub fn lose_die_silently(&mut self, die: Die) {
        self.losses.silence(die);
    }

    /// True when no operation on the die will ever end.
    pub(crate) fn is_silent(&self, die: Die) -> bool {
        self.faults.is_dead(die) || self.losses.is_silent(die)
    }

    /// Lays a plan for a power cut; it replaces an earlier one. A moment that has passed cuts at once.
    pub fn plan_cut(&mut self, plan: CutPlan) {
        if !self.power.lost {
            self.power = Power::lay(plan);
            self.pass_to(self.clock.now());
        }
    }

    /// Takes back a plan whose cut has not happened.
    pub fn clear_cut_plan(&mut self) {
        if !self.power.lost {
            self.power = Power::default();
        }
    }

    /// Cuts the power at a moment of virtual time, with torn variants drawn from `seed`.
    pub fn cut_at_time(&mut self, ns: u64, seed: u64) {
        self.plan_cut(CutPlan::at_time(ns, seed));
    }

    /// True after a cut, until [`power_cycle`](Self::power_cycle).
    #[must_use]
    pub const fn is_power_lost(&self) -> bool {
        self.power.lost
    }

    /// The true bytes of a page, whatever a read would return; `0xFF` for a page that does not exist. For oracles and tests.
    #[must_use]
    pub fn true_bytes(&self, page: PageAddress) -> Vec<u8> {
        let mut bytes = vec![0xFF; self.geometry.raw_page_bytes() as usize];
        if let Some(place) = crate::Place::of(&self.geometry, page) {
            if self.media.load(place, 0, &mut bytes).is_err() {
                bytes.fill(0xFF);
            }
        }
        bytes
    }

    /// The true contents, for oracles and for tests that corrupt them at will.
    #[must_use]
    pub const fn media(&self) -> &M {
        &self.media
    }

    /// The true contents. Changing them goes past the referee.
    pub const fn media_mut(&mut self) -> &mut M {
        &mut self.media
    }

    pub(crate) fn buffer_index(&self, die: Die, buffer: Buffer) -> Option<usize> {
        (die.0 < self.geometry.dies && self.geometry.has_buffer(buffer)).then(|| {
            usize::from(die.0) * usize::from(self.geometry.buffers_per_die) + buffer.index()
        })
    }

    /// A seed for a cut that nobody planned.
    pub(crate) const fn draw_seed(&mut self) -> u64 {
        self.noise.next()
    }

    /// Places drawn for tests: every block that is not factory-bad.
    #[must_use]
    pub fn good_blocks(&self) -> BTreeSet<BlockAddress> {
        (0..self.geometry.dies)
            .flat_map(|die| {
                (0..self.geometry.blocks_per_die).map(move |block| BlockAddress::new(die, block))
            })
            .filter(|&block| !self.is_factory_bad(block))
            .collect()
    }
}
