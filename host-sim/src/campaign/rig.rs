//! A part with a volume on it, driven like a device: mounted, written, cut, mounted again.

use crate::memory::OwnedMemory;
use crate::{AgingModel, Builder, EmulatedNand};
use cuesta::door::Disk;
use cuesta::volume::{Budget, FormatOptions, MountError, Parameters, Plan, Volume};
use cuesta_hal::{Geometry, Nand};

/// Operations that a case may take for each page of the part: one that needs more goes on for ever.
pub const FUEL_PER_PAGE: u64 = 100;

/// A mounted disk of a rig.
pub type RigDisk<'r> = Disk<'r, &'r mut EmulatedNand>;

/// A formatted part and memory for its volume.
#[derive(Debug, Clone)]
pub struct Rig {
    /// The part.
    pub nand: EmulatedNand,
    /// Memory for the volume, of the planned size.
    pub memory: OwnedMemory,
    /// The volume's parameters.
    pub parameters: Parameters,
}

impl Rig {
    /// Formats a part.
    ///
    /// # Panics
    /// When the part cannot be formatted: a test has asked for something impossible.
    #[must_use]
    pub fn new(builder: Builder, options: &FormatOptions, budget: Budget) -> Self {
        let mut nand = builder.build();
        let parameters = Parameters::choose(nand.geometry(), options).expect("parameters that fit");
        let mut memory = memory(&nand, &parameters, budget);
        Volume::format(&mut nand, memory.lend(), options).expect("a part that can be formatted");
        Self {
            nand,
            memory,
            parameters,
        }
    }

    /// A chip of the table, strictly refereed, with the default options.
    ///
    /// # Panics
    /// When the chip does not exist.
    #[must_use]
    pub fn of(chip: &str, seed: u64, budget: Budget) -> Self {
        let builder = EmulatedNand::builder(chip)
            .expect("a chip of the table")
            .seed(seed)
            .strict(true)
            .watch_after_torn(true);
        let options = FormatOptions {
            volume_id: seed | 1,
            ..FormatOptions::default()
        };
        Self::new(builder, &options, budget)
    }

    /// The same, its geometry and how it ages replaced.
    ///
    /// # Panics
    /// When there is no such chip, or no volume fits.
    #[must_use]
    pub fn aging(
        name: &str,
        geometry: Geometry,
        aging: AgingModel,
        seed: u64,
        budget: Budget,
    ) -> Self {
        let builder = EmulatedNand::builder(name)
            .expect("a chip of the table")
            .geometry(geometry)
            .seed(seed)
            .strict(true)
            .aging(aging);
        let options = FormatOptions {
            volume_id: seed | 1,
            ..FormatOptions::default()
        };
        Self::new(builder, &options, budget)
    }

    /// A chip of the table with as many factory-bad blocks on each die as there may be, and how many that is.
    ///
    /// # Panics
    /// When the chip does not exist.
    #[must_use]
    pub fn with_most_bad_blocks(chip: &str, seed: u64) -> (Self, u32) {
        let builder = EmulatedNand::builder(chip)
            .expect("a chip of the table")
            .seed(seed)
            .strict(true);
        let most = builder.clone().build().geometry().bad_blocks_max_per_die;
        let options = FormatOptions {
            volume_id: seed + 1,
            ..FormatOptions::default()
        };
        let builder = builder.random_bad_blocks(most);
        (Self::new(builder, &options, Budget::Full), most)
    }

    /// The same with another part, which carries out [`FUEL_PER_PAGE`] operations a page from now on, and memory of its own.
    #[must_use]
    pub fn with(&self, mut nand: EmulatedNand) -> Self {
        let geometry = nand.geometry();
        let pages = u64::from(geometry.blocks()) * u64::from(geometry.pages_per_block);
        nand.limit_operations(nand.operations() + FUEL_PER_PAGE * pages);
        Self {
            nand,
            memory: self.memory.clone(),
            parameters: self.parameters,
        }
    }

    /// Mounts the volume.
    ///
    /// # Errors
    /// Those of the mount.
    pub fn mount(&mut self) -> Result<RigDisk<'_>, MountError> {
        Volume::mount(&mut self.nand, self.memory.lend()).map(Disk::new)
    }
}

/// Memory for a volume on a part.
///
/// # Panics
/// When the budget is too small.
#[must_use]
pub fn memory(nand: &EmulatedNand, parameters: &Parameters, budget: Budget) -> OwnedMemory {
    let volume = std::mem::size_of::<Volume<'_, &mut EmulatedNand>>();
    let plan = Plan::new(nand.geometry(), parameters, budget, 8, volume)
        .expect("parameters that fit")
        .expect("a budget that suffices");
    OwnedMemory::new(&plan)
}
