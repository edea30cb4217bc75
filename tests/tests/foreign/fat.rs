//! `embedded-sdmmc`: files on a FAT16 file system.

use std::collections::BTreeMap;
use std::ops::Range;

use cuesta::volume::{Budget, FormatOptions};
use cuesta_hal::Geometry;
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::{chip, EmulatedNand, SplitMix64};
use cuesta_tests::foreign::{cuts_wanted, CardRecord, Image, Recording, Sectors, Subject, Trial};
use embedded_sdmmc::{
    Block, BlockDevice, BlockIdx, Mode, RawDirectory, TimeSource, Timestamp, VolumeIdx,
    VolumeManager,
};

use crate::plain::CUTS;

/// Where the partition begins, and its parts, in blocks.
const PARTITION: u32 = 1;
const FAT_BLOCKS: u16 = 16;
const ROOT_ENTRIES: u16 = 64;
/// Fewest clusters of a FAT16; one block each.
const CLUSTERS: u16 = 4085;
const PARTITION_BLOCKS: u16 = 1 + 2 * FAT_BLOCKS + ROOT_ENTRIES * 32 / Block::LEN as u16 + CLUSTERS;

/// The same moment all the time.
struct Clock;

impl TimeSource for Clock {
    fn get_timestamp(&self) -> Timestamp {
        Timestamp::from_fat(0x5000, 0)
    }
}

/// Files by name.
type Files = BTreeMap<String, Vec<u8>>;

/// Files that are made, appended to and deleted.
#[derive(Debug)]
struct FatFiles;

enum Step {
    Create(String, Vec<u8>),
    Append(String, Vec<u8>),
    Delete(String),
}

impl FatFiles {
    /// What a step does depends on what is there.
    fn step(model: &Files, step: u32) -> Step {
        let mut random = SplitMix64::derive(11, u64::from(step));
        let mut data = vec![0; 1 + random.below(1500) as usize];
        random.fill(&mut data);
        let kind = random.below(8);
        let mut any = model.keys().cycle().skip(random.below(8) as usize);
        match (kind, model.len()) {
            (0..=2, 0..9) | (_, 0..4) => Step::Create(format!("F{step}.BIN"), data),
            (0..=5, _) => Step::Append(any.next().expect("a file").clone(), data),
            _ => Step::Delete(any.next().expect("a file").clone()),
        }
    }
}

/// A card on which a file system is used: mounts it, uses it, and gives the card back.
fn on_card<D: BlockDevice, T>(
    card: D,
    work: impl FnOnce(&VolumeManager<D, Clock>, RawDirectory) -> T,
) -> (T, D) {
    let manager = VolumeManager::new(card, Clock);
    let volume = manager.open_raw_volume(VolumeIdx(0)).expect("a FAT volume");
    let root = manager.open_root_dir(volume).expect("its root");
    let result = work(&manager, root);
    manager.close_dir(root).expect("a closed root");
    manager.close_volume(volume).expect("a closed volume");
    (result, manager.free().0)
}

fn read_all<D: BlockDevice>(manager: &VolumeManager<D, Clock>, root: RawDirectory) -> Files {
    let mut names = Vec::new();
    let listed = manager.iterate_dir(root, |entry| {
        names.push(entry.name.to_string());
        std::ops::ControlFlow::Continue(())
    });
    listed.expect("a directory");
    let read = |name: String| {
        let file = manager.open_file_in_dir(root, name.as_str(), Mode::ReadOnly);
        let file = file.expect("a file");
        let mut data = vec![0; manager.file_length(file).expect("its length") as usize];
        let read = manager.read(file, &mut data).expect("its data");
        assert_eq!(read, data.len(), "{name}");
        manager.close_file(file).expect("a closed file");
        (name, data)
    };
    names.into_iter().map(read).collect()
}

impl Subject for FatFiles {
    type Model = Files;

    const UNWRITTEN: u8 = 0;

    fn initial(&self) -> Files {
        Files::new()
    }

    fn steps(&self) -> u32 {
        90
    }

    fn play(&self, model: &mut Files, step: u32) {
        match Self::step(model, step) {
            Step::Create(name, data) => drop(model.insert(name, data)),
            Step::Append(name, data) => model.entry(name).or_default().extend(data),
            Step::Delete(name) => drop(model.remove(&name)),
        }
    }

    fn may_leave(&self, before: &Files, step: u32, found: &Files, _image: &Image) -> bool {
        let mut after = before.clone();
        self.play(&mut after, step);
        // A file is made before it is filled.
        let mut empty = before.clone();
        if let Step::Create(name, _) = Self::step(before, step) {
            empty.insert(name, Vec::new());
        }
        *found == *before || *found == after || *found == empty
    }

    fn prepare<'a>(&self, sectors: Sectors<'a>, recording: &Recording) -> Sectors<'a> {
        let card = CardRecord::new(sectors, recording);
        make_fat(&card);
        card.into_sectors()
    }

    fn run<'a>(
        &self,
        sectors: Sectors<'a>,
        recording: &Recording,
        model: &Files,
        steps: Range<u32>,
    ) -> Sectors<'a> {
        let mut model = model.clone();
        let ((), card) = on_card(CardRecord::new(sectors, recording), |manager, root| {
            for step in steps {
                let (name, mode, data) = match Self::step(&model, step) {
                    Step::Create(name, data) => (name, Mode::ReadWriteCreate, data),
                    Step::Append(name, data) => (name, Mode::ReadWriteAppend, data),
                    Step::Delete(name) => {
                        let deleted = manager.delete_entry_in_dir(root, name.as_str());
                        deleted.expect("a deletion");
                        recording.borrow_mut().step();
                        self.play(&mut model, step);
                        continue;
                    }
                };
                let file = manager.open_file_in_dir(root, name.as_str(), mode);
                let file = file.expect("a file");
                manager.write(file, &data).expect("room");
                manager.close_file(file).expect("a closed file");
                recording.borrow_mut().step();
                self.play(&mut model, step);
            }
        });
        card.into_sectors()
    }

    fn contents<'a>(&self, sectors: Sectors<'a>, recording: &Recording) -> (Files, Sectors<'a>) {
        let (files, card) = on_card(CardRecord::new(sectors, recording), read_all);
        (files, card.into_sectors())
    }
}

/// A card with one empty FAT16 partition.
fn make_fat<D: BlockDevice>(card: &D) {
    let write = |block: &Block, at: u32| {
        let blocks = std::slice::from_ref(block);
        card.write(blocks, BlockIdx(at)).expect("a write");
    };
    let mut master = Block::new();
    master[446 + 4] = 0x06;
    master[446 + 8..][..4].copy_from_slice(&PARTITION.to_le_bytes());
    master[446 + 12..][..4].copy_from_slice(&u32::from(PARTITION_BLOCKS).to_le_bytes());
    master[510..].copy_from_slice(&[0x55, 0xAA]);
    write(&master, 0);

    let mut boot = Block::new();
    boot[..11].copy_from_slice(b"\xEB\x3C\x90MSDOS5.0");
    boot[11..13].copy_from_slice(&(Block::LEN as u16).to_le_bytes());
    boot[13] = 1; // blocks a cluster
    boot[14..16].copy_from_slice(&1_u16.to_le_bytes()); // reserved blocks
    boot[16] = 2; // FATs
    boot[17..19].copy_from_slice(&ROOT_ENTRIES.to_le_bytes());
    boot[19..21].copy_from_slice(&PARTITION_BLOCKS.to_le_bytes());
    boot[21] = 0xF8; // no floppy
    boot[22..24].copy_from_slice(&FAT_BLOCKS.to_le_bytes());
    boot[38] = 0x29;
    boot[43..62].copy_from_slice(b"NO NAME    FAT16   ");
    boot[510..].copy_from_slice(&[0x55, 0xAA]);
    write(&boot, PARTITION);

    let mut fat = Block::new();
    fat[..4].copy_from_slice(&[0xF8, 0xFF, 0xFF, 0xFF]);
    let blank = Block::new();
    let tables = PARTITION + 1;
    let data = u32::from(PARTITION_BLOCKS - CLUSTERS) - 1;
    for at in 0..data {
        let begins = [0, u32::from(FAT_BLOCKS)].contains(&at);
        write(if begins { &fat } else { &blank }, tables + at);
    }
}

/// 40 blocks of a W25N01GV.
fn rig(seed: u64) -> Rig {
    let geometry = chip("w25n01gv").expect("a chip of the table").geometry;
    let builder = EmulatedNand::builder("w25n01gv")
        .expect("the same")
        .geometry(Geometry {
            blocks_per_die: 40,
            bad_blocks_max_per_die: 1,
            ..geometry
        })
        .seed(seed)
        .strict(true)
        .watch_after_torn(true);
    let options = FormatOptions {
        volume_id: seed,
        ..FormatOptions::default()
    };
    Rig::new(builder, &options, Budget::Minimum)
}

#[test]
fn z3_files_of_embedded_sdmmc_keep_their_promises() {
    let trial = Trial {
        subject: FatFiles,
        name: "embedded-sdmmc",
        seed: 5,
    };
    let tried = trial.judge(rig(5), cuts_wanted(CUTS));
    assert!(tried.kept.iter().all(|&count| count > 0), "{tried:?}");
}
