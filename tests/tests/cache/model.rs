//! Any sequence of requests, failures and restarts, beside a model that knows nothing of tags.

use std::collections::{BTreeMap, BTreeSet};

use cuesta::cache::{
    CacheOptions, Mode, OnLoss, Persistence, Replacement, ResourceSet, Source, Spill, Then,
};
use cuesta::exec::Context;
use cuesta::volume::Sector;
use cuesta_sim::SplitMix64;
use cuesta_tests::recorded::Power;

use crate::rig::{bytes, version, Rig, RigDisk, SECTOR};

const SECTORS: u32 = 48;

/// What is known of a sector.
#[derive(Debug, Clone)]
struct Known {
    /// What a read may return, if there is no overlay. 0: unwritten.
    now: BTreeSet<u32>,
    /// What a restart may leave.
    later: BTreeSet<u32>,
    /// The ephemeral version.
    overlay: Option<u32>,
    /// Versions that may be the ephemeral one, after a failure.
    doubt: BTreeSet<u32>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            now: [0].into(),
            later: [0].into(),
            overlay: None,
            doubt: BTreeSet::new(),
        }
    }
}

/// The model: sectors of each primary.
#[derive(Debug, Default)]
struct Model {
    sectors: BTreeMap<(u8, u32), Known>,
    /// Versions that may be on a primary.
    permanent: BTreeSet<u32>,
    next: u32,
}

fn persistence(random: &mut SplitMix64) -> Persistence {
    let mode = [
        Mode::WriteThrough,
        Mode::WriteBack,
        Mode::Ephemeral,
        Mode::Ephemeral,
        Mode::Bypass,
    ][random.below(5) as usize];
    Persistence {
        mode,
        resources: ResourceSet([0b01, 0b10][random.below(2) as usize]),
        verify: random.chance(1, 4),
        on_loss: [OnLoss::Revert, OnLoss::Unwritten][random.chance(1, 4) as usize],
        ..Persistence::default()
    }
}

struct Run<'r> {
    disk: RigDisk<'r>,
    model: &'r mut Model,
    random: &'r mut SplitMix64,
    page_sectors: u32,
    durable: bool,
    power: Power,
}

impl Run<'_> {
    fn range(&mut self) -> (u32, u32) {
        let count = 1 + self.random.below(9) as u32;
        (self.random.below(u64::from(SECTORS - count)) as u32, count)
    }

    fn gone(&mut self, home: u8) -> bool {
        self.power.is_out() || self.disk.cache().primaries()[usize::from(home)].will.gone
    }

    fn write(&mut self) {
        let at = persistence(self.random);
        let home = at.resources.0.trailing_zeros() as u8;
        let (first, count) = self.range();
        let context = Context {
            direct: self.random.chance(1, 8),
            ..Context::default()
        };
        let mode = if context.direct {
            Mode::Bypass
        } else {
            at.mode
        };
        let versions: Vec<u32> = (0..count).map(|i| self.model.next + 1 + i).collect();
        self.model.next += count;
        let data: Vec<u8> = versions
            .iter()
            .flat_map(|&version| bytes(version))
            .collect();
        if mode != Mode::Ephemeral {
            self.model.permanent.extend(&versions);
        }
        let done = self.disk.write(Sector(first), &data, &at, context);
        eprintln!(
            "write {home}: {first}+{count} {versions:?} {mode:?} {:?} {done:?}",
            at.on_loss
        );
        for (sector, version) in (first..).zip(versions) {
            let known = self.model.sectors.entry((home, sector)).or_default();
            if done.is_ok() {
                known.doubt.clear();
            }
            match (mode, &done) {
                (Mode::Ephemeral, Ok(())) => {
                    if at.on_loss == OnLoss::Unwritten {
                        known.later = [0].into();
                    }
                    known.now = known.later.clone();
                    known.overlay = Some(version);
                }
                (Mode::Ephemeral, Err(_)) => {
                    // Any of them may be written, or be trimmed.
                    if at.on_loss == OnLoss::Unwritten {
                        known.later.insert(0);
                    }
                    known.now.extend(known.later.clone());
                    known.doubt.extend(known.overlay.take());
                    known.doubt.insert(version);
                }
                (Mode::WriteBack, Ok(())) if !self.durable => {
                    known.now = [version].into();
                    known.later.insert(version);
                    known.overlay = None;
                }
                (_, Ok(())) => {
                    known.now = [version].into();
                    known.later = [version].into();
                    known.overlay = None;
                }
                (_, Err(_)) => {
                    known.now.insert(version);
                    known.doubt.extend(known.overlay.take());
                    known.later.insert(version);
                }
            }
        }
        if let Err(error) = done {
            let full = format!("{error}").contains("no room");
            assert!(self.gone(home) || full, "{mode:?}: {error}");
        }
    }

    fn read(&mut self) {
        let at = persistence(self.random);
        let home = at.resources.0.trailing_zeros() as u8;
        let (first, count) = self.range();
        let context = Context {
            direct: self.random.chance(1, 8),
            ..Context::default()
        };
        let mut data = vec![0xa5; count as usize * SECTOR];
        eprintln!("read {home}: {first}+{count} {:?} {context:?}", at.mode);
        match self.disk.read(Sector(first), &mut data, &at, context) {
            Ok(()) => {
                for (sector, found) in (first..).zip(data.chunks(SECTOR)) {
                    self.judge(home, sector, version(found));
                }
            }
            Err(error) => assert!(self.gone(home), "{error}"),
        }
    }

    fn judge(&mut self, home: u8, sector: u32, found: u32) {
        let known = self.model.sectors.entry((home, sector)).or_default();
        match known.overlay {
            Some(version) => assert_eq!(found, version, "sector {sector} of {home}: {known:?}"),
            None => {
                if known.doubt.contains(&found) {
                    known.overlay = Some(found);
                } else {
                    let legal = known.now.contains(&found);
                    assert!(legal, "sector {sector} of {home}: {found}, {known:?}");
                    known.now = [found].into();
                }
                known.doubt.clear();
            }
        }
    }

    fn trim(&mut self) {
        let at = persistence(self.random);
        let home = at.resources.0.trailing_zeros() as u8;
        let (first, count) = self.range();
        let done = self
            .disk
            .trim(Sector(first), count, &at, Context::default());
        eprintln!("trim {home}: {first}+{count} {:?} {done:?}", at.mode);
        for sector in first..first + count {
            let known = self.model.sectors.entry((home, sector)).or_default();
            match (at.mode, &done) {
                (Mode::Ephemeral, Ok(())) => {
                    // What shows again is what was there, or was cleaned since.
                    if known.overlay.take().is_some() || !known.doubt.is_empty() {
                        known.now = known.later.clone();
                    }
                    known.doubt.clear();
                }
                (_, Ok(())) => {
                    *known = Known::default();
                }
                (_, Err(_)) => {
                    known.now.insert(0);
                    known.later.insert(0);
                }
            }
        }
        assert!(done.is_ok() || self.gone(home), "{done:?}");
    }

    fn settle(&mut self) {
        let home = self.random.below(2) as u8;
        let (first, count) = self.range();
        let then = [Then::Keep, Then::Evict][self.random.below(2) as usize];
        let units = self.page_sectors;
        let pages = first / units * units..(first + count).div_ceil(units) * units;
        for sector in pages.clone() {
            let known = self.model.sectors.entry((home, sector)).or_default();
            self.model.permanent.extend(known.overlay);
            self.model.permanent.extend(&known.doubt);
        }
        let done = self
            .disk
            .settle(Source::Primary(home), Sector(first), count, then);
        eprintln!("settle {home}: {first}+{count} {then:?} {done:?}");
        for sector in pages {
            let known = self.model.sectors.entry((home, sector)).or_default();
            if done.is_ok() {
                if let Some(overlay) = known.overlay.take() {
                    known.now = [overlay].into();
                }
                known.now.append(&mut known.doubt);
                known.later = known.now.clone();
            } else {
                known.later.extend(known.now.clone());
                known.later.extend(known.overlay);
                known.later.extend(&known.doubt);
            }
        }
        assert!(done.is_ok() || self.gone(home), "{done:?}");
    }

    fn flush(&mut self) {
        eprintln!("flush");
        match self.disk.flush() {
            Ok(()) => {
                for known in self.model.sectors.values_mut() {
                    if known.overlay.is_none() && known.doubt.is_empty() {
                        // Of a write that has failed, any version may be there still.
                        if known.now.len() == 1 {
                            known.later = known.now.clone();
                        }
                    }
                }
            }
            Err(error) => assert!(self.gone(0) || self.gone(1), "{error}"),
        }
    }

    fn step(&mut self) {
        match self.random.below(40) {
            0..=15 => self.write(),
            16..=30 => self.read(),
            31..=32 => self.trim(),
            33..=34 => self.settle(),
            35 => self.flush(),
            36 => {
                self.disk.idle(20);
            }
            _ => {
                let which = self.random.below(2) as usize;
                let gone = self.random.chance(1, 4);
                eprintln!("{which} gone: {gone}");
                self.disk.cache_mut().primaries_mut()[which].will.gone = gone;
            }
        }
        for primary in self.disk.cache().primaries() {
            for (sector, held) in &primary.sectors {
                let found = version(held);
                let legal = self.model.permanent.contains(&found);
                assert!(legal, "an ephemeral version of sector {sector}: {found}");
            }
        }
    }
}

fn run(seed: u64, steps: u32, durable: bool) {
    let mut random = SplitMix64::new(seed);
    let replacement = match random.below(3) {
        0 => Replacement::CLOCK,
        _ => Replacement::default(),
    };
    let options = CacheOptions {
        page_sectors: 1 << random.below(4),
        replacement,
        spill: Spill::Refuse,
        ephemeral_permille: [300, 900, 1000][random.below(3) as usize],
        dirty_permille: [0, 200, 1000][random.below(3) as usize],
        keep_paging: true,
    };
    let pages = 1 + random.below(12) as u32;
    let mut rig = match durable {
        true => Rig::durable(pages, options),
        false => Rig::with(pages, options),
    };
    let mut model = Model::default();
    let sessions = if durable { 12 } else { 3 };
    for _ in 0..sessions {
        let power = rig.power.clone();
        let disk = match durable {
            true => rig.open().expect("a sound store").0,
            false => rig.disk(),
        };
        let mut run = Run {
            disk,
            model: &mut model,
            random: &mut random,
            page_sectors: options.page_sectors,
            durable,
            power: power.clone(),
        };
        if durable {
            power.lasts(Some(1 + run.random.below(300) as u32));
        }
        for _ in 0..steps {
            run.step();
            if power.is_out() {
                break;
            }
        }
        eprintln!("restart");
        rig.restart();
        for known in model.sectors.values_mut() {
            known.overlay = None;
            known.doubt.clear();
            known.now = known.later.clone();
        }
    }
}

#[test]
fn m46_permanent_data_is_never_lost_and_ephemeral_data_never_older_than_the_last_durable_version() {
    for seed in 0..400 {
        eprintln!("seed {seed}");
        run(seed, 150, false);
    }
}

#[test]
fn m43_what_was_written_back_survives_any_cut_where_the_store_is_not_volatile() {
    for seed in 0..600 {
        eprintln!("seed {seed}");
        run(seed, 150, true);
    }
}
