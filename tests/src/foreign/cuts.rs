//! A run of a crate that is cut at every moment, and goes on after each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use cuesta::door::SectorBuffer;
use cuesta::volume::Sector;
use cuesta_sim::campaign::aftermath::Replay;
use cuesta_sim::campaign::rig::Rig;
use cuesta_sim::campaign::tear::Tear;
use cuesta_sim::SplitMix64;

use super::record::{Branch, Change, Image, Record, Recording};
use super::{Sectors, Subject};

/// Steps that a crate takes after a cut.
const STEPS_AFTER: u32 = 2;
/// Of the sectors that the crate never changes, one of so many is looked at after a cut.
const OTHERS: u32 = 64;

/// Cuts that a test should make: so many, or what `CUESTA_FOREIGN_CUTS` says. 0 stands for all there are.
///
/// # Panics
/// When that is no number.
#[must_use]
pub fn cuts_wanted(here: usize) -> usize {
    match std::env::var("CUESTA_FOREIGN_CUTS") {
        Ok(text) => text.parse().expect("CUESTA_FOREIGN_CUTS: a number"),
        Err(_) => here,
    }
}

/// A crate, and the part it works on.
#[derive(Debug)]
pub struct Trial<S> {
    /// The crate.
    pub subject: S,
    /// Its name, for messages.
    pub name: &'static str,
    /// What is random follows from this.
    pub seed: u64,
}

/// What a trial came to.
pub struct Tried {
    /// The part in the end.
    pub image: Image,
    /// Cuts by kind.
    pub kinds: BTreeMap<String, usize>,
    /// Cuts after which the step under way was there, and was not.
    pub kept: [usize; 2],
}

impl fmt::Debug for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [undone, kept] = self.kept;
        write!(
            f,
            "{} made, the step under way there after {kept} and not after {undone}; {:?}",
            self.cuts(),
            self.kinds
        )
    }
}

impl Tried {
    /// All cuts.
    #[must_use]
    pub fn cuts(&self) -> usize {
        self.kinds.values().sum()
    }
}

impl<S: Subject> Trial<S> {
    /// Sessions in which a crate takes all its steps.
    pub const SESSIONS: u32 = 3;

    /// The steps of a session.
    #[must_use]
    pub fn session(session: u32, steps: u32) -> Range<u32> {
        let at = |session| steps * session / Self::SESSIONS;
        at(session)..at(session + 1)
    }

    /// Runs the crate on a volume that was full before, cuts it, and judges what it is after each cut: `cuts` of them evenly spread, or all for 0.
    ///
    /// # Panics
    /// When a promise is broken.
    pub fn judge(&self, mut rig: Rig, cuts: usize) -> Tried {
        let mut models = vec![self.subject.initial()];
        for step in 0..self.subject.steps() {
            let mut next = models[step as usize].clone();
            self.subject.play(&mut next, step);
            models.push(next);
        }
        let start = self.prepare(&mut rig);
        let moments = rig.nand.watch_moments(self.seed);
        let bytes = sector_bytes(&rig);
        let recording = Record::new(bytes, S::UNWRITTEN, start.clone(), Some(moments));
        for session in 0..Self::SESSIONS {
            let steps = Self::session(session, self.subject.steps());
            let model = &models[steps.start as usize];
            self.with(&mut rig, &recording, |sectors| {
                (
                    (),
                    self.subject.run(sectors, &recording, model, steps.clone()),
                )
            });
        }
        rig.nand.unwatch_moments();
        let last = models.last().expect("a model");
        assert_eq!(self.contents(&mut rig, &recording), *last, "{}", self.name);
        assert_eq!(rig.nand.violation_count(), 0);

        let mut record = recording.borrow_mut();
        let branches = std::mem::take(&mut record.branches);
        let all: Vec<(&Branch, Tear)> = branches
            .iter()
            .flat_map(|branch| {
                let tears = Tear::of(branch.moment.phase, branch.moment.class);
                tears.into_iter().map(move |tear| (branch, tear))
            })
            .collect();
        let wanted = if cuts == 0 { all.len() } else { cuts };
        assert!(all.len() >= wanted, "{} cuts are possible", all.len());
        let mut tried = Tried {
            image: record.image.clone(),
            kinds: BTreeMap::new(),
            kept: [0; 2],
        };
        let changed = record.changes.iter().flat_map(|change| &change.sectors);
        let touched: BTreeSet<u32> = changed.map(|&(sector, _)| sector).collect();
        let mut image = start;
        let mut replayed = 0;
        for number in 0..wanted {
            let index = number * all.len() / wanted;
            let (branch, tear) = all[index];
            for change in &record.changes[replayed..branch.changes] {
                image.extend(change.sectors.iter().cloned());
            }
            replayed = branch.changes;
            let _replay = Replay(format!(
                "{}: cut {index} of {}, {tear:?}: {}",
                self.name,
                all.len(),
                branch.moment.describe()
            ));
            let change = branch
                .in_flight
                .then(|| &record.changes[branch.changes])
                .cloned();
            let seed = SplitMix64::derive(self.seed, index as u64).next();
            let mut after = rig.with(branch.moment.cut(tear.at(0, seed)));
            after.nand.power_cycle();
            let looked_at =
                |sector: &u32| touched.contains(sector) || sector % OTHERS == index as u32 % OTHERS;
            let image = self.left(&mut after, &image, change.as_ref(), looked_at);
            let kept = self.goes_on(&mut after, branch, image, &models);
            tried.kept[usize::from(kept)] += 1;
            *tried
                .kinds
                .entry(tear.kind(branch.moment.class))
                .or_default() += 1;
        }
        eprintln!("{} of {} cuts: {tried:?}", self.name, all.len());
        let missed = all
            .iter()
            .map(|(branch, tear)| tear.kind(branch.moment.class))
            .find(|kind| !tried.kinds.contains_key(kind));
        assert_eq!(missed, None, "a kind of cut that was not tried");
        tried
    }

    /// Fills the volume with what is no crate's, and has the crate format its part of it. What is there then.
    fn prepare(&self, rig: &mut Rig) -> Image {
        let mut disk = rig.mount().expect("a volume");
        let mut data = vec![0; disk.volume().sector_bytes()];
        let mut random = SplitMix64::new(self.seed);
        let mut image = Image::new();
        for sector in 0..disk.volume().capacity() {
            random.fill(&mut data);
            disk.write(Sector(sector), &data).expect("a write");
            image.insert(sector, data.as_slice().into());
        }
        disk.unmount()
            .map_err(|(_, error)| error)
            .expect("an unmount");
        let bytes = data.len();
        let recording = Record::new(bytes, S::UNWRITTEN, image, None);
        self.with(rig, &recording, |sectors| {
            ((), self.subject.prepare(sectors, &recording))
        });
        let image = recording.borrow().image.clone();
        image
    }

    /// Mounts the volume, has something done with it, and unmounts it.
    fn with<T>(
        &self,
        rig: &mut Rig,
        recording: &Recording,
        work: impl FnOnce(Sectors<'_>) -> (T, Sectors<'_>),
    ) -> T {
        let mut buffer = vec![0xA5; sector_bytes(rig)];
        let volume = rig.mount().expect("a volume").into_volume();
        recording.borrow_mut().look(false);
        let sectors = SectorBuffer::new(volume, &mut buffer).expect("a buffer of a sector");
        let (result, sectors) = work(sectors);
        let unmounted = sectors.into_volume().unmount();
        unmounted.map_err(|(_, error)| error).expect("an unmount");
        recording.borrow_mut().look(false);
        result
    }

    fn contents(&self, rig: &mut Rig, recording: &Recording) -> S::Model {
        self.with(rig, recording, |sectors| {
            self.subject.contents(sectors, recording)
        })
    }

    /// The crate goes on with what a cut has left; whether the step under way is there.
    fn goes_on(&self, rig: &mut Rig, branch: &Branch, image: Image, models: &[S::Model]) -> bool {
        let recording = Record::new(sector_bytes(rig), S::UNWRITTEN, image, None);
        let found = self.contents(rig, &recording);
        let before = &models[branch.steps as usize];
        let steps = self.subject.steps();
        // After the last step there is none under way.
        let legal = if branch.steps < steps {
            let image = &recording.borrow().image;
            self.subject.may_leave(before, branch.steps, &found, image)
        } else {
            *before == found
        };
        assert!(legal, "step {}: {found:?}\nafter {before:?}", branch.steps);
        let kept = *before != found;
        let from = branch.steps + u32::from(kept);
        let to = (from + STEPS_AFTER).min(steps);
        let mut expected = found.clone();
        (from..to).for_each(|step| self.subject.play(&mut expected, step));
        self.with(rig, &recording, |sectors| {
            ((), self.subject.run(sectors, &recording, &found, from..to))
        });
        let end = self.contents(rig, &recording);
        assert_eq!(end, expected, "steps {from}..{to} after the cut");
        assert_eq!(rig.nand.violation_count(), 0);
        kept
    }

    /// What a cut has left of the part: each sector of the change in flight as before or after, all others as before, whatever is read again.
    fn left(
        &self,
        rig: &mut Rig,
        image: &Image,
        change: Option<&Change>,
        looked_at: impl Fn(&u32) -> bool,
    ) -> Image {
        let mut disk = rig.mount().expect("a volume after a cut");
        let mut left = image.clone();
        let mut sector = |sector: u32| {
            let mut data = vec![0; disk.volume().sector_bytes()];
            let written = disk.read(Sector(sector), &mut data).expect("a sector");
            if !written {
                data.fill(S::UNWRITTEN);
            }
            data
        };
        let mut in_order = true;
        for (number, after) in change.iter().flat_map(|change| &change.sectors) {
            let (found, before) = (sector(*number), &image[number]);
            let (found, before) = (&found[..], &before[..]);
            let done = *found == after[..];
            assert!(done || found == before, "sector {number} is torn");
            let in_order_asked = change.is_some_and(|change| change.in_order);
            let changes = *before != after[..];
            assert!(
                in_order || !changes || !done || !in_order_asked,
                "sector {number} is written before an earlier one"
            );
            in_order &= done;
            left.insert(*number, found.into());
        }
        for (number, expected) in left.iter().filter(|(number, _)| looked_at(number)) {
            assert!(
                sector(*number)[..] == **expected,
                "sector {number} has changed"
            );
        }
        left
    }
}

fn sector_bytes(rig: &Rig) -> usize {
    rig.parameters.sector_bytes as usize
}
