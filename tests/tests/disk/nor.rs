//! The engine on a NOR part, through the adapter: filled, overwritten, groomed, cut in every write and erase, and recovered.
//!
//! A case that fails prints the line that replays it: `CUESTA_CUT=seed:index:torn` and the name of the test.

use std::cell::RefCell;
use std::rc::Rc;

use cuesta::door::Disk;
use cuesta::volume::{Budget, Error, FormatOptions, MountError, Parameters, Plan, Volume};
use cuesta_hal::{Nand, NandErrorKind, NorLayout};
use cuesta_sim::campaign::aftermath::Replay;
use cuesta_sim::campaign::change::{filling, mixture, Change};
use cuesta_sim::campaign::driver::{Driver, PowerLost};
use cuesta_sim::campaign::model::Model;
use cuesta_sim::campaign::verdict;
use cuesta_sim::memory::OwnedMemory;
use cuesta_sim::SplitMix64;
use cuesta_tests::nor_part::{NorPart, NorUnderTest, TORN_NOR};

/// Pages of one sector, 28 to a block of four erase sectors.
const SMALL: NorLayout = NorLayout {
    sectors_per_block: 4,
    ..NorLayout::new(512, 64)
};
/// Pages as those of a NAND, 31 to a block of 64 KiB.
const LARGE: NorLayout = NorLayout {
    sectors_per_block: 16,
    ..NorLayout::new(2048, 64)
};
/// Blocks of every part.
const BLOCKS: u32 = 26;
/// Power sessions in a row.
const SESSIONS: u64 = 600;

/// A part, and all the memory that is needed to use it.
struct NorRig {
    part: Rc<RefCell<NorPart>>,
    layout: NorLayout,
    buffers: Vec<u8>,
    memory: OwnedMemory,
}

impl Clone for NorRig {
    fn clone(&self) -> Self {
        Self {
            part: Rc::new(RefCell::new(self.part.borrow().clone())),
            layout: self.layout,
            buffers: self.buffers.clone(),
            memory: self.memory.clone(),
        }
    }
}

impl NorRig {
    /// Formats a part that is not erased, with page buffers for one page or two.
    fn new(layout: NorLayout, buffers: usize, seed: u64) -> Self {
        let sectors = (BLOCKS * layout.sectors_per_block) as usize;
        let part = Rc::new(RefCell::new(NorPart::new(sectors, seed)));
        let mut buffers = vec![0; buffers * layout.buffer_bytes()];
        let nand = NorUnderTest::new(&part, layout, &mut buffers);
        let options = FormatOptions {
            volume_id: seed | 1,
            ..FormatOptions::default()
        };
        let geometry = *nand.geometry();
        let parameters = Parameters::choose(&geometry, &options).expect("parameters that fit");
        let volume = std::mem::size_of::<Volume<'_, NorUnderTest<'_>>>();
        let plan = Plan::new(&geometry, &parameters, Budget::Minimum, 4, volume)
            .expect("parameters that fit")
            .expect("a budget that suffices");
        let mut memory = OwnedMemory::new(&plan);
        let formatted = Volume::format(nand, memory.lend(), &options);
        drop(formatted.expect("a part that can be formatted"));
        Self {
            part,
            layout,
            buffers,
            memory,
        }
    }

    fn mount(&mut self) -> Result<Disk<'_, NorUnderTest<'_>>, MountError> {
        let nand = NorUnderTest::new(&self.part, self.layout, &mut self.buffers);
        Volume::mount(nand, self.memory.lend()).map(Disk::new)
    }

    fn mounted(&mut self, what: &str) -> Disk<'_, NorUnderTest<'_>> {
        self.mount()
            .unwrap_or_else(|error| panic!("{what}: mount: {error}"))
    }

    fn operations(&self) -> u64 {
        self.part.borrow().operations()
    }

    fn power_cycle(&mut self, model: &mut Model) {
        self.part.borrow_mut().power_cycle();
        model.power_cycled();
    }

    /// One session: the mount, the changes, the unmount.
    fn session(&mut self, model: &mut Model, changes: &[Change]) -> Result<(), PowerLost> {
        let mut disk = match self.mount() {
            Ok(disk) => disk,
            Err(MountError::Nand(NandErrorKind::PowerLost)) => return Err(PowerLost),
            Err(error) => panic!("mount: {error}"),
        };
        Driver::new(disk.volume_mut(), model, 2).run(changes)?;
        match disk.unmount() {
            Ok(_) => {
                model.flushed();
                Ok(())
            }
            Err((_, Error::Nand(NandErrorKind::PowerLost))) => Err(PowerLost),
            Err((_, error)) => panic!("unmount: {error}"),
        }
    }

    /// After a cut: nothing durable is missing, nothing seen changes again, and the disk goes on.
    fn holds(&mut self, model: &mut Model, random: &mut SplitMix64) {
        self.power_cycle(model);
        {
            let mut disk = self.mounted("first mount");
            verdict::settles(&mut disk, model, "first mount");
            verdict::agrees(&mut disk, model, "first mount, again");
        }
        let capacity = {
            let mut disk = self.mounted("second mount");
            verdict::verifies(&mut disk, "second mount");
            verdict::agrees(&mut disk, model, "second mount");
            disk.volume().capacity()
        };
        let changes = mixture(random, capacity, 8);
        self.session(model, &changes).expect("power");
        let mut disk = self.mounted("at the end");
        verdict::verifies(&mut disk, "at the end");
        verdict::agrees(&mut disk, model, "at the end");
    }
}

/// A disk that was filled and overwritten. Even seeds end with an unmount, odd ones without.
fn aged(layout: NorLayout, buffers: usize, seed: u64) -> (NorRig, Model) {
    let mut rig = NorRig::new(layout, buffers, seed);
    let mut model = Model::new();
    let mut random = SplitMix64::new(seed);
    let mut disk = rig.mounted("a formatted part");
    let capacity = disk.volume().capacity();
    let changes = [
        filling(capacity),
        mixture(&mut random, capacity, capacity * 2),
    ]
    .concat();
    Driver::new(disk.volume_mut(), &mut model, 2)
        .run(&changes)
        .expect("power");
    let stats = *disk.volume().stats();
    assert!(stats.victims > 0 && stats.relocations > 0, "{stats:?}");
    assert!(stats.map_pages > 0 && stats.checkpoints > 1, "{stats:?}");
    verdict::agrees(&mut disk, &model, "after the ageing");
    verdict::verifies(&mut disk, "after the ageing");
    if seed.is_multiple_of(2) {
        disk.unmount().map_err(|(_, error)| error).expect("an end");
        model.flushed();
    } else {
        drop(disk);
        rig.power_cycle(&mut model);
    }
    (rig, model)
}

#[test]
fn z3_a_disk_on_nor_flash_reads_as_it_was_written() {
    for (layout, buffers) in [(SMALL, 1), (SMALL, 2), (LARGE, 1), (LARGE, 2)] {
        for seed in 0..4 {
            let _replay = Replay(format!(
                "cargo test -p cuesta-tests --test disk nor::a_disk_on_nor_flash_reads   # {layout:?}, {buffers} buffers, seed {seed}"
            ));
            let (mut rig, mut model) = aged(layout, buffers, seed);
            let mut random = SplitMix64::new(seed);
            // What no record page holds of the trims may be gone after an unclean end, and nothing else.
            rig.holds(&mut model, &mut random);
        }
    }
}

/// The one case asked for, if the environment names one.
fn asked() -> Option<Vec<u64>> {
    let text = std::env::var("CUESTA_CUT").ok()?;
    let numbers = text.split(':').map(|number| number.parse());
    Some(
        numbers
            .collect::<Result<_, _>>()
            .expect("CUESTA_CUT=seed:index:torn"),
    )
}

/// Cuts a workload in every write and erase, in every way.
fn cut_everywhere(test: &str, layout: NorLayout, buffers: usize, seed: u64) {
    let (rig, model) = aged(layout, buffers, seed);
    let mut random = SplitMix64::new(seed);
    let capacity = rig.clone().mounted("a disk").volume().capacity();
    let short = mixture(&mut random, capacity, 40);
    let operations = {
        let (mut rig, mut model) = (rig.clone(), model.clone());
        let before = rig.operations();
        rig.session(&mut model, &short).expect("power");
        rig.operations() - before
    };
    let mut done = 0;
    for index in 0..operations {
        for (number, &torn) in TORN_NOR.iter().enumerate() {
            if asked().is_some_and(|asked| asked != [seed, index, number as u64]) {
                continue;
            }
            let _replay = Replay(format!(
                "CUESTA_CUT={seed}:{index}:{number} cargo test -p cuesta-tests --test disk nor::{test}   # {torn:?}"
            ));
            let (mut rig, mut model) = (rig.clone(), model.clone());
            let mut random = SplitMix64::derive(seed, index << 8 | number as u64);
            rig.part.borrow_mut().plan_cut(index, torn, random.next());
            let lived = rig.session(&mut model, &short);
            assert_eq!(lived, Err(PowerLost), "the workload is shorter than it was");
            rig.holds(&mut model, &mut random);
            done += 1;
        }
    }
    eprintln!("{test}: {done} cuts recovered from");
}

#[test]
fn small_pages_on_nor_flash_survive_a_cut_in_every_operation() {
    let test = "small_pages_on_nor_flash_survive_a_cut_in_every_operation";
    for seed in 0..2 {
        cut_everywhere(test, SMALL, 1, seed);
    }
}

#[test]
fn large_pages_on_nor_flash_survive_a_cut_in_every_operation() {
    let test = "large_pages_on_nor_flash_survive_a_cut_in_every_operation";
    cut_everywhere(test, LARGE, 2, 3);
}

#[test]
fn one_disk_on_nor_flash_survives_cut_after_cut() {
    let (mut rig, mut model) = aged(SMALL, 1, 5);
    let mut random = SplitMix64::new(5);
    let capacity = rig.mounted("a disk").volume().capacity();
    for session in 0..SESSIONS {
        let _replay = Replay(format!(
            "cargo test -p cuesta-tests --test disk nor::one_disk_on_nor_flash_survives_cut_after_cut   # session {session}"
        ));
        model.moment(format!("session {session}"));
        let torn = TORN_NOR[random.below(TORN_NOR.len() as u64) as usize];
        // Some of the cuts hit the recovery from the one before.
        let index = random.below(120);
        rig.part.borrow_mut().plan_cut(index, torn, random.next());
        let changes = mixture(&mut random, capacity, 120);
        let lived = rig.session(&mut model, &changes);
        assert_eq!(lived, Err(PowerLost), "the cut was to come");
        if random.chance(1, 4) {
            rig.holds(&mut model, &mut random);
        }
        rig.power_cycle(&mut model);
    }
    rig.holds(&mut model, &mut random);
}
