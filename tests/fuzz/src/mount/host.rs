//! A host that uses what is left of a disk, and takes errors as they come.

use std::collections::BTreeMap;

use cuesta::volume::{
    Budget, Error, Event, LevelIndex, MountError, Parameters, Plan, Sector, Volume, WriteOptions,
};
use cuesta_hal::Nand;
use cuesta_sim::campaign::model::{fill, Model, Version};
use cuesta_sim::campaign::rig::{Rig, RigDisk};
use cuesta_sim::memory::OwnedMemory;
use cuesta_sim::{CutPhase, CutPlan, EmulatedNand, OperationClass};

use crate::input::Input;

use super::edit::Forged;

/// Operations on the part that a call may take, for each page of the part.
const OPERATIONS_A_PAGE: u64 = 64;
/// Things that a host does in a session at most.
const DEEDS_MAX: u32 = 48;
/// Sessions at most.
const SESSIONS_MAX: u32 = 4;
/// Calls of `poll` after which a request counts as stuck.
const POLLS_MAX: u32 = 200_000;
/// Free segments that idle time is asked for.
const FREE: u32 = 12;

/// How a session ends.
enum End {
    /// With an unmount.
    Unmount,
    /// With the power gone.
    PowerLoss,
    /// With the last of the input.
    Input,
}

/// The host and its disk.
pub struct Host {
    rig: Rig,
    model: Model,
    forged: Forged,
    /// One more than the last version of any sector.
    next: Version,
    /// Writes that were acknowledged since the image was edited.
    since: BTreeMap<u32, Version>,
}

impl Host {
    /// A host in front of an edited disk.
    pub fn new(rig: Rig, model: Model, forged: Forged) -> Self {
        Self {
            next: model.clone().fresh(),
            rig,
            model,
            forged,
            since: BTreeMap::new(),
        }
    }

    /// Uses the disk in some sessions; the last one has no host but one that reads and verifies.
    pub fn run(mut self, input: &mut Input<'_>) {
        for _ in 0..SESSIONS_MAX {
            if self.session(input).is_err() {
                return;
            }
            if input.is_empty() {
                break;
            }
        }
        let _ = self.session(&mut Input(&[]));
    }

    /// One session; an error if there is nothing to mount.
    fn session(&mut self, input: &mut Input<'_>) -> Result<(), MountError> {
        let limit = limit(&self.rig.nand);
        guard(&mut self.rig.nand, limit);
        let probed = Volume::probe(&mut self.rig.nand);
        unguard(&mut self.rig.nand, "probe");
        let parameters = probed?;
        let mut own;
        let memory = if parameters == self.rig.parameters {
            &mut self.rig.memory
        } else {
            own = memory_for(&self.rig.nand, &parameters)?;
            &mut own
        };
        guard(&mut self.rig.nand, limit);
        let mounted = Volume::mount(&mut self.rig.nand, memory.lend());
        let mut disk = match mounted {
            Ok(volume) => RigDisk::new(volume),
            Err(error) => {
                unguard(&mut self.rig.nand, "mount");
                return Err(error);
            }
        };
        unguard(disk.volume_mut().nand_mut(), "mount");
        let mut visit = Visit {
            disk,
            model: &mut self.model,
            forged: self.forged,
            next: &mut self.next,
            since: &mut self.since,
            limit,
            data: Vec::new(),
        };
        visit.data = vec![0; visit.disk.volume().sector_bytes()];
        visit.read_all();
        let end = visit.deeds(input);
        visit.verify();
        match end {
            End::Unmount | End::Input => visit.unmount(),
            End::PowerLoss => drop(visit),
        }
        self.rig.nand.power_cycle();
        self.model.power_cycled();
        Ok(())
    }
}

fn memory_for(nand: &EmulatedNand, parameters: &Parameters) -> Result<OwnedMemory, MountError> {
    Plan::new(nand.geometry(), parameters, Budget::Minimum, 8, 4096)
        .map_err(MountError::Parameters)?
        .map(|plan| OwnedMemory::new(&plan))
        .map_err(|error| MountError::Memory {
            what: "everything",
            found: error.offered,
            needed: error.minimum,
        })
}

fn limit(nand: &EmulatedNand) -> u64 {
    nand.geometry().pages() * OPERATIONS_A_PAGE
}

/// The power goes where a call takes too many operations, so that it ends.
fn guard(nand: &mut EmulatedNand, limit: u64) {
    let cut = CutPlan::during(limit, 0);
    nand.plan_cut(cut.counting(OperationClass::Any).phase(CutPhase::Before));
}

fn unguard(nand: &mut EmulatedNand, what: &str) {
    assert!(!nand.is_power_lost(), "{what} takes too many operations");
    nand.clear_cut_plan();
}

/// A session of the host.
struct Visit<'v> {
    disk: RigDisk<'v>,
    model: &'v mut Model,
    forged: Forged,
    next: &'v mut Version,
    since: &'v mut BTreeMap<u32, Version>,
    limit: u64,
    data: Vec<u8>,
}

impl<'v> Visit<'v> {
    /// Does something that must end.
    fn bounded<T>(&mut self, what: &str, deed: impl FnOnce(&mut RigDisk<'v>) -> T) -> T {
        guard(self.disk.volume_mut().nand_mut(), self.limit);
        let done = deed(&mut self.disk);
        unguard(self.disk.volume_mut().nand_mut(), what);
        done
    }

    fn sector(&self, input: &mut Input<'_>) -> u32 {
        u32::from(input.u16()) % self.disk.volume().capacity()
    }

    fn read_all(&mut self) {
        for sector in 0..self.disk.volume().capacity() {
            self.read(sector);
        }
    }

    fn read(&mut self, sector: u32) {
        let mut data = std::mem::take(&mut self.data);
        let read = self.bounded("a read", |disk| disk.read(Sector(sector), &mut data));
        self.data = data;
        if let Ok(written) = read {
            self.judge(sector, written);
        }
    }

    /// What was read of a sector is one of its versions; not one before the last that was acknowledged, if nothing was forged.
    fn judge(&mut self, sector: u32, written: bool) {
        if self.forged == Forged::Data {
            return;
        }
        let version = Model::identify(sector, written, &self.data);
        assert!(
            version.is_some_and(|version| version < *self.next),
            "sector {sector} holds what was never written to it: {version:?}"
        );
        if self.forged == Forged::Nothing {
            if let Some(expected) = self.since.get(&sector) {
                assert_eq!(
                    version,
                    Some(*expected),
                    "sector {sector}: {}",
                    self.model.describe(sector)
                );
            }
        }
    }

    /// Bytes of a fresh version.
    fn fresh(&mut self, sector: u32) -> Version {
        let version = self.model.fresh();
        *self.next = version + 1;
        fill(sector, version, &mut self.data);
        self.model.started(sector, version);
        // Until it is acknowledged it is there or not.
        self.since.remove(&sector);
        version
    }

    fn options(version: Version, parameters: &Parameters) -> WriteOptions {
        LevelIndex((version % u64::from(parameters.levels())) as u8).into()
    }

    fn write(&mut self, sector: u32) {
        let version = self.fresh(sector);
        let options = Self::options(version, &self.disk.volume().info().parameters);
        let data = std::mem::take(&mut self.data);
        let written = self.bounded("a write", |disk| {
            disk.write_with(Sector(sector), &data, options)
        });
        self.data = data;
        if written.is_ok() {
            self.since.insert(sector, version);
        }
    }

    fn trim(&mut self, first: u32, count: u32) {
        for sector in first
            ..first
                .saturating_add(count)
                .min(self.disk.volume().capacity())
        {
            self.since.remove(&sector);
        }
        let _ = self.bounded("a trim", |disk| disk.trim(Sector(first), count));
    }

    fn batch(&mut self, sectors: &[u32], commit: bool) {
        if self.bounded("a batch", RigDisk::begin_batch).is_err() {
            return;
        }
        let mut members = BTreeMap::new();
        for &sector in sectors {
            let version = self.fresh(sector);
            let data = std::mem::take(&mut self.data);
            let written = self.bounded("a batch write", |disk| {
                disk.batch_write(Sector(sector), &data)
            });
            self.data = data;
            if written.is_err() {
                break;
            }
            members.insert(sector, version);
        }
        if commit && !members.is_empty() {
            if self.bounded("a commit", RigDisk::commit_batch).is_ok() {
                self.since.append(&mut members);
            }
        } else {
            self.disk.volume_mut().abort_batch();
        }
    }

    /// Submits reads and writes without waiting, then waits for all.
    fn queue(&mut self, sectors: &[u32]) {
        let mut tickets = BTreeMap::new();
        for &sector in sectors {
            let version = self.fresh(sector);
            let data = std::mem::take(&mut self.data);
            let written = self.disk.volume_mut().submit_write(Sector(sector), &data);
            self.data = data;
            if let Ok(ticket) = written {
                tickets.insert(ticket, (sector, version));
            }
            let _ = self.disk.volume_mut().submit_read(Sector(sector));
        }
        let written = self.bounded("a queue", |disk| {
            let mut written = Vec::new();
            for _ in 0..POLLS_MAX {
                match disk.volume_mut().poll() {
                    Event::Written(ticket) => written.extend(tickets.remove(&ticket)),
                    Event::Pending => disk.volume_mut().wait(),
                    Event::Idle => return written,
                    _ => {}
                }
            }
            panic!("a queue never ends");
        });
        // Of two writes of a sector in flight the later one counts.
        let mut last = BTreeMap::new();
        for (sector, version) in written {
            let newest = last.entry(sector).or_insert(version);
            *newest = version.max(*newest);
        }
        for (sector, version) in last {
            if self.model.current(sector) == version {
                self.since.insert(sector, version);
            }
        }
    }

    fn verify(&mut self) {
        let verified = self.bounded("verify", |disk| {
            disk.volume_mut().verify(&mut |_| {}, &mut |_, _| {})
        });
        if let Ok(verified) = verified {
            let capacity = self.disk.volume().capacity();
            assert!(verified.sectors + verified.unwritten <= capacity);
        }
    }

    /// What the input says, until it says how the session ends.
    fn deeds(&mut self, input: &mut Input<'_>) -> End {
        for _ in 0..DEEDS_MAX {
            if input.is_empty() {
                return End::Input;
            }
            match input.u8() % 16 {
                0..=4 => {
                    let sector = self.sector(input);
                    self.write(sector);
                }
                5 => {
                    let first = self.sector(input);
                    for sector in first..(first + 24).min(self.disk.volume().capacity()) {
                        self.write(sector);
                    }
                }
                6 => {
                    let first = self.sector(input);
                    self.trim(first, input.u8().into());
                }
                7 => {
                    let _ = self.bounded("a flush", RigDisk::flush);
                }
                8 | 9 => {
                    let sectors = self.sectors(input);
                    self.batch(&sectors, input.flag());
                }
                10 => {
                    let sectors = self.sectors(input);
                    self.queue(&sectors);
                }
                11 => {
                    let steps = u32::from(input.u8());
                    let _ = self.bounded("idle time", |disk| disk.idle(FREE, steps));
                }
                12 => self.verify(),
                13 => {
                    let sector = self.sector(input);
                    self.read(sector);
                }
                14 => return End::Unmount,
                _ => return End::PowerLoss,
            }
        }
        End::Unmount
    }

    fn sectors(&self, input: &mut Input<'_>) -> Vec<u32> {
        (0..1 + input.u8() % 8)
            .map(|_| self.sector(input))
            .collect()
    }

    fn unmount(mut self) {
        guard(self.disk.volume_mut().nand_mut(), self.limit);
        let nand = match self.disk.unmount() {
            Ok(nand) => nand,
            Err((nand, error)) => {
                assert!(!matches!(
                    error,
                    Error::OutOfRange { .. } | Error::Length { .. }
                ));
                nand
            }
        };
        unguard(nand, "an unmount");
    }
}
