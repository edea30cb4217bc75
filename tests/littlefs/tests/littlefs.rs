//! `littlefs2` as it is published, on a volume behind its NOR flash door: its promises hold after cuts at every kind of moment, and the part holds what plain
//! memory would.
//!
//! `CUESTA_FOREIGN_CUTS` says how many cuts are made; 0 stands for all there are.

use std::collections::BTreeMap;
use std::ops::Range;

use cuesta::volume::Budget;
use cuesta_littlefs::LittleFlash;
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::SplitMix64;
use cuesta_tests::foreign::{
    cuts_wanted, FlashRecord, Image, RamFlash, Recording, Sectors, Subject, Trial, ERASE, WRITE,
};
use embedded_storage::nor_flash::NorFlash;
use littlefs2::driver::Storage;
use littlefs2::fs::Filesystem;
use littlefs2::io::Write as _;
use littlefs2::path;
use littlefs2::path::PathBuf;

/// Blocks of the file system.
const BLOCKS: usize = 32;
/// Cuts of the test.
const CUTS: usize = 1200;

/// Files by name.
type Files = BTreeMap<String, Vec<u8>>;

/// Files that are made, replaced, appended to, renamed and removed.
struct LittleFiles;

enum Step {
    Write(String, Vec<u8>),
    Append(String, Vec<u8>),
    Rename(String, String),
    Remove(String),
}

fn on(name: &str) -> PathBuf {
    PathBuf::try_from(name).expect("a short name")
}

impl LittleFiles {
    /// What a step does depends on what is there.
    fn step(model: &Files, step: u32) -> Step {
        let mut random = SplitMix64::derive(17, u64::from(step));
        // Small ones lie in the directory itself.
        let len_max = if random.chance(1, 3) { 3000 } else { 90 };
        let mut data = vec![0; 1 + random.below(len_max) as usize];
        random.fill(&mut data);
        let kind = random.below(10);
        let mut any = model.keys().cycle().skip(random.below(8) as usize).cloned();
        let mut any = || any.next().expect("a file");
        match (kind, model.len()) {
            (0..=3, 0..6) | (_, 0..2) => Step::Write(format!("file{step}"), data),
            (0..=4, _) => Step::Write(any(), data),
            (5..=6, _) => Step::Append(any(), data[..data.len().min(300)].to_vec()),
            (7, _) => Step::Rename(any(), format!("name{step}")),
            _ => Step::Remove(any()),
        }
    }

    fn take<S: Storage>(files: &Filesystem<'_, S>, step: &Step) {
        match step {
            Step::Write(name, data) => files.write(&on(name), data).expect("room"),
            Step::Append(name, data) => {
                let appended = files.open_file_with_options_and_then(
                    |options| options.write(true).append(true),
                    &on(name),
                    |file| file.write_all(data),
                );
                appended.expect("room");
            }
            Step::Rename(from, to) => files.rename(&on(from), &on(to)).expect("a rename"),
            Step::Remove(name) => files.remove(&on(name)).expect("a removal"),
        }
    }

    fn run<S: Storage>(
        &self,
        storage: &mut S,
        model: &Files,
        steps: Range<u32>,
        mut done: impl FnMut(),
    ) {
        let mut model = model.clone();
        let used = Filesystem::mount_and_then(storage, |files| {
            for step in steps {
                Self::take(files, &Self::step(&model, step));
                done();
                self.play(&mut model, step);
            }
            Ok(())
        });
        used.expect("a file system");
    }

    fn all<S: Storage>(storage: &mut S) -> Files {
        let read = Filesystem::mount_and_then(storage, |files| {
            files.read_dir_and_then(path!("/"), |entries| {
                let mut all = Files::new();
                for entry in entries {
                    let entry = entry?;
                    if entry.file_type().is_file() {
                        let data = files.read::<8192>(entry.path())?;
                        all.insert(entry.file_name().to_string(), data.to_vec());
                    }
                }
                Ok(all)
            })
        });
        read.expect("a file system")
    }
}

/// Flash as littlefs wants it.
fn little<F: NorFlash>(flash: F) -> LittleFlash<F, BLOCKS> {
    LittleFlash::new(flash).expect("flash with enough blocks")
}

impl Subject for LittleFiles {
    type Model = Files;

    const UNWRITTEN: u8 = 0xFF;

    fn initial(&self) -> Files {
        Files::new()
    }

    fn steps(&self) -> u32 {
        120
    }

    fn play(&self, model: &mut Files, step: u32) {
        match Self::step(model, step) {
            Step::Write(name, data) => drop(model.insert(name, data)),
            Step::Append(name, data) => model.entry(name).or_default().extend(data),
            Step::Rename(from, to) => {
                let data = model.remove(&from).expect("a file");
                model.insert(to, data);
            }
            Step::Remove(name) => drop(model.remove(&name)),
        }
    }

    fn may_leave(&self, before: &Files, step: u32, found: &Files, _image: &Image) -> bool {
        let mut after = before.clone();
        self.play(&mut after, step);
        // A new file is made before it is filled.
        let mut empty = before.clone();
        if let Step::Write(name, _) = Self::step(before, step) {
            empty.entry(name).or_default();
        }
        *found == *before || *found == after || *found == empty
    }

    fn prepare<'a>(&self, sectors: Sectors<'a>, recording: &Recording) -> Sectors<'a> {
        let mut flash = FlashRecord::new(sectors, recording);
        NorFlash::erase(&mut flash, 0, (BLOCKS * ERASE) as u32).expect("an erase");
        let mut storage = little(flash);
        Filesystem::format(&mut storage).expect("a format");
        storage.into_inner().into_sectors()
    }

    fn run<'a>(
        &self,
        sectors: Sectors<'a>,
        recording: &Recording,
        model: &Files,
        steps: Range<u32>,
    ) -> Sectors<'a> {
        let mut storage = little(FlashRecord::new(sectors, recording));
        let done = || recording.borrow_mut().step();
        self.run(&mut storage, model, steps, done);
        storage.into_inner().into_sectors()
    }

    fn contents<'a>(&self, sectors: Sectors<'a>, recording: &Recording) -> (Files, Sectors<'a>) {
        let mut storage = little(FlashRecord::new(sectors, recording));
        let files = Self::all(&mut storage);
        (files, storage.into_inner().into_sectors())
    }
}

#[test]
fn files_of_littlefs_keep_their_promises() {
    let subject = LittleFiles;
    let mut plain = little(RamFlash::<WRITE, ERASE>::new(BLOCKS * ERASE));
    Filesystem::format(&mut plain).expect("a format");
    let mut model = subject.initial();
    for session in 0..Trial::<LittleFiles>::SESSIONS {
        let steps = Trial::<LittleFiles>::session(session, subject.steps());
        subject.run(&mut plain, &model, steps.clone(), || {});
        steps.for_each(|step| subject.play(&mut model, step));
    }
    assert!(LittleFiles::all(&mut plain) == model, "on plain memory");

    let trial = Trial {
        subject,
        name: "littlefs2",
        seed: 6,
    };
    let tried = trial.judge(Rig::of("tiny", 6, Budget::Minimum), cuts_wanted(CUTS));
    let bytes: Vec<u8> = tried
        .image
        .values()
        .flat_map(|bytes| bytes.to_vec())
        .collect();
    let plain = plain.into_inner().bytes;
    assert!(bytes[..plain.len()] == plain, "not as in plain memory");
    assert!(tried.kept.iter().all(|&count| count > 0), "{tried:?}");
}
